/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repeats what failed transiently, with the same bytes (S17), after pauses
 * that double and are jittered, so that many clients do not come back at
 * once. The time limit holds for the whole call: drivers that wait for a
 * network cut an attempt short when it comes.
 */
#include <string.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/flow.h"

#define PAUSE_MAX_NS  (5 * NSEC_PER_SEC)
#define BUDGET_NS     (NSEC_PER_SEC / 10) /* until another look at it */
#define SLICE_NS      (NSEC_PER_SEC / 10) /* the longest sleep */
#define COMPARE_CHUNK ((size_t)1 << 20)

struct retry_store {
	struct store base;
	struct store *inner;
	struct store_retry_opts opts;
};

/* One call and its attempts. */
struct attempts {
	const struct store_retry_opts *opts;
	unsigned made;
	int64_t deadline_ns; /* of clock_boot_ns(); 0 = none */
	int64_t outer_ns;    /* the deadline of a retry around this one */
	bool paid;	     /* the latest attempt, by the budget */
};

static struct retry_store *retry(struct store *s)
{
	return container_of(s, struct retry_store, base);
}

static void attempts_done(struct attempts *a)
{
	store_call.deadline_ns = a->outer_ns;
	if (a->opts->budget && store_reached())
		store_budget_earn(a->opts->budget);
}

static void attempts_init(struct attempts *a,
			  const struct store_retry_opts *opts)
{
	*a = (struct attempts){ .opts = opts,
				.made = 0,
				.outer_ns = store_call.deadline_ns };
	if (opts->deadline_ns > 0)
		a->deadline_ns = clock_boot_ns() + opts->deadline_ns;
	if (a->outer_ns && (!a->deadline_ns || a->outer_ns < a->deadline_ns))
		a->deadline_ns = a->outer_ns;
	store_call.deadline_ns = a->deadline_ns;
}

#define ATTEMPTS_SCOPE(a, opts)                   \
	CLEANUP(attempts_done) struct attempts a; \
	attempts_init(&(a), opts)

/* Half to all of the pause after `made` attempts; or what who refused the
 * latest one has said, and a little more, so that not all come at once. */
static int64_t pause_ns(const struct attempts *a)
{
	int64_t ns = MAX(a->opts->base_ns, 1);

	if (store_call.not_before_ns)
		return MAX(store_call.not_before_ns - clock_boot_ns(), 0) + ns -
		       clock_jitter(ns);
	for (unsigned i = 1; i < a->made && ns < PAUSE_MAX_NS; i++)
		ns *= 2;
	return clock_jitter(MIN(ns, PAUSE_MAX_NS));
}

static bool is_late(const struct attempts *a)
{
	return a->deadline_ns && clock_boot_ns() >= a->deadline_ns;
}

static bool is_stopped(const struct attempts *a)
{
	return a->opts->budget && store_budget_stopped(a->opts->budget);
}

/* Until then, the deadline, or the end of all retries. */
static void rest(const struct attempts *a, int64_t ns)
{
	int64_t end = clock_boot_ns() + ns, left;

	if (a->deadline_ns)
		end = MIN(end, a->deadline_ns);
	while (!is_stopped(a) && (left = end - clock_boot_ns()) > 0)
		clock_sleep_ns(MIN(left, (int64_t)SLICE_NS));
}

/* Pays for another attempt; false when nobody can wait until that is possible.
 * What did not reach the store costs nothing. */
static bool pay(struct attempts *a)
{
	struct store_budget *b = a->opts->budget;

	if (!b)
		return true;
	if (a->paid && !store_reached())
		store_budget_return(b);
	a->paid = false;
	while (!store_budget_take(b)) {
		if (!a->deadline_ns || is_late(a) || is_stopped(a))
			return false;
		rest(a, BUDGET_NS);
	}
	a->paid = true;
	return true;
}

/*
 * After an attempt that ended with *rc: true when there is to be another
 * one, after the pause. When time is up a transient *rc becomes -ETIMEDOUT.
 */
static bool again(struct attempts *a, int *rc)
{
	if (!store_is_transient(*rc))
		return false;
	if (!is_late(a)) {
		if (++a->made >= a->opts->attempts)
			return false;
		rest(a, pause_ns(a));
		if (is_stopped(a) || (!pay(a) && !is_late(a)))
			return false;
	}
	if (!is_late(a))
		return true;
	*rc = -ETIMEDOUT;
	return false;
}

/* Counts its requests, each of which forgets those before it. */
static int compare(struct store *inner, const char *key, const void *data,
		   size_t len, const struct store_put_opts *opts, size_t *heads,
		   size_t *gets)
{
	CLEANUP_FREE uint8_t *got = malloc(COMPARE_CHUNK);
	struct store_info info = { 0 };
	int rc = got ? store_head(inner, key, &info) : -ENOMEM;

	if (got) {
		*heads += store_call.sent;
		*gets += store_call.besides.gets;
	}
	if (rc < 0)
		return rc;
	if (info.size != len)
		return -EEXIST;
	for (size_t off = 0; off < len;) {
		size_t want = MIN(len - off, COMPARE_CHUNK);
		ssize_t n = store_get(inner, key, off, got, want);

		*gets += store_call.sent;
		if (n < 0)
			return n == -ERANGE ? -EEXIST : (int)n;
		if ((size_t)n != want)
			return -EPROTO;
		if (memcmp(got, (const char *)data + off, want) != 0)
			return -EEXIST;
		off += want;
	}
	if (opts->version)
		memcpy(opts->version, info.version, STORE_VERSION_MAX);
	return 0;
}

int store_compare(struct store *inner, const char *key, const void *data,
		  size_t len, const struct store_put_opts *opts)
{
	size_t heads = 0, gets = 0;
	int rc = compare(inner, key, data, len, opts, &heads, &gets);

	store_call.sent = 0;
	store_call.besides.heads = heads;
	store_call.besides.gets = gets;
	return rc;
}

/*
 * A create-only put found its key taken after an attempt whose outcome is
 * unknown: most likely that one stored it (S25). Looks instead of believing.
 */
static int compare_again(struct retry_store *r, struct attempts *a,
			 const char *key, const void *data, size_t len,
			 const struct store_put_opts *opts)
{
	int rc;

	do {
		rc = store_compare(r->inner, key, data, len, opts);
	} while (again(a, &rc));
	/* Deleted in between: not stored, and not this put's doing. */
	return rc == -ENOENT ? -EEXIST : rc;
}

static int retry_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *opts)
{
	struct retry_store *r = retry(s);
	bool unknown = false; /* may an earlier attempt have stored it? */
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_put(r->inner, key, data, len, opts);
		unknown |= store_call.sent > 1; /* the driver tried again */
		if (rc == -EEXIST && unknown) {
			a.made = 0;
			return compare_again(r, &a, key, data, len, opts);
		}
		unknown |= store_call.sent > 0;
	} while (again(&a, &rc));
	return rc;
}

static ssize_t retry_get(struct store *s, const char *key, uint64_t off,
			 void *dst, size_t len)
{
	struct retry_store *r = retry(s);
	ssize_t n;
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		n = store_get(r->inner, key, off, dst, len);
		rc = n < 0 ? (int)n : 0;
	} while (again(&a, &rc));
	return rc < 0 ? rc : n;
}

static int retry_head(struct store *s, const char *key, struct store_info *out)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_head(r->inner, key, out);
	} while (again(&a, &rc));
	return rc;
}

/*
 * Deletes what is left of keys[0..n): those whose rc is transient. Fails
 * with the first lasting error, or with a transient one.
 */
static int del_left(struct store *inner, const char *const *keys, size_t n,
		    int *rc)
{
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		if (store_is_transient(rc[i]))
			store_del(inner, &keys[i], 1, &rc[i]);
		if (rc[i] < 0 && (ret == 0 || store_is_transient(rc[i])))
			ret = rc[i];
	}
	return ret;
}

static int retry_del(struct store *s, const char *const *keys, size_t n,
		     int *rc)
{
	struct retry_store *r = retry(s);
	int ret, first = 0;

	ATTEMPTS_SCOPE(a, &r->opts);
	ret = store_del(r->inner, keys, n, rc);
	for (size_t i = 0; i < n && !store_is_transient(ret); i++)
		if (store_is_transient(rc[i]))
			ret = rc[i];
	while (again(&a, &ret))
		ret = del_left(r->inner, keys, n, rc);
	for (size_t i = 0; i < n; i++) {
		if (ret == -ETIMEDOUT && store_is_transient(rc[i]))
			rc[i] = -ETIMEDOUT;
		first = first ? first : rc[i];
	}
	return first;
}

static int retry_list(struct store *s, const char *prefix, const char *after,
		      size_t max, struct store_list *out)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		store_list_done(out);
		rc = store_list(r->inner, prefix, after, max, out);
	} while (again(&a, &rc));
	return rc;
}

static int retry_copy(struct store *s, const char *from, const char *to,
		      const struct store_put_opts *opts)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_copy(r->inner, from, to, opts);
	} while (again(&a, &rc));
	return rc;
}

static int retry_restore(struct store *s, const char *key, unsigned days,
			 enum store_speed speed)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_restore(r->inner, key, days, speed);
	} while (again(&a, &rc));
	return rc;
}

static int retry_del_version(struct store *s, const char *key,
			     const char *version)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_del_version(r->inner, key, version);
	} while (again(&a, &rc));
	return rc;
}

static int retry_probe(struct store *s, struct store_caps *out)
{
	struct retry_store *r = retry(s);
	int rc;

	ATTEMPTS_SCOPE(a, &r->opts);
	do {
		rc = store_probe(r->inner, out);
	} while (again(&a, &rc));
	return rc;
}

static void retry_caps(struct store *s, struct store_caps *out)
{
	store_caps(retry(s)->inner, out);
}

static int retry_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(retry(s)->inner, ahead_ns);
}

static void retry_free(struct store *s)
{
	store_free(retry(s)->inner);
	free(retry(s));
}

static const struct store_ops retry_ops = {
	.put = retry_put,
	.get = retry_get,
	.head = retry_head,
	.del = retry_del,
	.list = retry_list,
	.copy = retry_copy,
	.restore = retry_restore,
	.del_version = retry_del_version,
	.caps = retry_caps,
	.probe = retry_probe,
	.skew = retry_skew,
	.free = retry_free,
};

struct store *store_retry_new(struct store *inner,
			      const struct store_retry_opts *opts)
{
	struct retry_store *r = calloc(1, sizeof(*r));

	if (!r || !inner) {
		free(r);
		store_free(inner);
		return NULL;
	}
	r->base.ops = &retry_ops;
	r->inner = inner;
	r->opts = *opts;
	return &r->base;
}
