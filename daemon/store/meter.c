/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what is paid for, and keeps whether the store answers.
 *
 * The meter sits inside retry: retry(meter(driver)). So it sees every
 * attempt, also those whose answer was lost and the look that retry takes
 * at an object that was there already (S25).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"

struct meter_store {
	struct store base;
	struct store *inner;
	struct store_counts *counts; /* never NULL */
	struct store_counts own_counts;
	struct store_health *health; /* may be NULL */
};

/* Guards each store_health. Taken when something changes, or to read it. */
static pthread_mutex_t health_lock = PTHREAD_MUTEX_INITIALIZER;

static struct meter_store *meter(struct store *s)
{
	return container_of(s, struct meter_store, base);
}

static void count(uint64_t *field, uint64_t n)
{
	if (n)
		__atomic_fetch_add(field, n, __ATOMIC_RELAXED);
}

static bool is_answer(int rc)
{
	return rc == 0 || rc == -ENOENT || rc == -EEXIST || rc == -ERANGE ||
	       rc == -ENOMEDIUM;
}

/* Did a change happen, or not? A store that answers 5xx does not say. */
static bool is_unknown(int rc)
{
	return store_call.sent > 0 && (store_is_transient(rc) || rc == -EPROTO);
}

static void health_set_locked(struct store_health *h, int rc)
{
	bool down = store_is_transient(rc);

	if (h->since_ns == 0 || down != h->down)
		__atomic_store_n(&h->since_ns, clock_wall_ns(),
				 __ATOMIC_RELAXED);
	__atomic_store_n(&h->down, down, __ATOMIC_RELAXED);
	__atomic_store_n(&h->last_error, rc, __ATOMIC_RELAXED);
	snprintf(h->detail, sizeof(h->detail), "%s", rc ? store_detail() : "");
	if (rc && !h->detail[0])
		snprintf(h->detail, sizeof(h->detail), "%s",
			 strerrordesc_np(-rc));
}

/* Of an attempt that ended with rc. Costs a healthy store three loads. */
static void health_note(struct store_health *h, int rc)
{
	if (!h)
		return;
	if (is_answer(rc)) {
		if (__atomic_load_n(&h->since_ns, __ATOMIC_RELAXED) != 0 &&
		    !__atomic_load_n(&h->down, __ATOMIC_RELAXED) &&
		    __atomic_load_n(&h->last_error, __ATOMIC_RELAXED) == 0)
			return;
		rc = 0;
	}
	LOCK_SCOPE(&health_lock);
	health_set_locked(h, rc);
}

static enum store_result result_of(int rc)
{
	if (rc == 0)
		return STORE_OK;
	if (is_answer(rc))
		return STORE_ABSENT;
	if (rc == -EACCES)
		return STORE_REFUSED;
	if (rc == -EAGAIN)
		return STORE_BUSY;
	return store_is_transient(rc) ? STORE_UNREACHABLE : STORE_BROKEN;
}

static size_t bucket_of(uint64_t ns)
{
	size_t i = 0;

	while (i < STORE_TIME_BUCKETS - 1 && ns > STORE_TIME_FIRST_NS << i)
		i++;
	return i;
}

static void note_time(struct store_times *t, int64_t begun_ns, int rc)
{
	uint64_t ns = (uint64_t)MAX(clock_boot_ns() - begun_ns, 0);

	count(&t->result[result_of(rc)], 1);
	count(&t->bucket[bucket_of(ns)], 1);
	count(&t->total_ns, ns);
}

/* Counts the call that this thread just made; it ended with rc. */
static void note_call(struct meter_store *m, uint64_t *field, int64_t begun_ns,
		      int rc)
{
	if (rc == -EINVAL) /* the caller's mistake; nothing was asked */
		return;
	count(field, store_call.sent);
	count(&m->counts->puts, store_call.besides.puts);
	count(&m->counts->gets, store_call.besides.gets);
	count(&m->counts->heads, store_call.besides.heads);
	count(&m->counts->deletes, store_call.besides.deletes);
	count(&m->counts->out_bytes, store_call.besides.out_bytes);
	if (!is_answer(rc))
		count(&m->counts->errors, 1);
	if (rc != -ENOMEM && !store_cut_short(rc, begun_ns)) /* its fault */
		health_note(m->health, rc);
}

static void note(struct meter_store *m, enum store_op op, uint64_t *field,
		 int64_t begun_ns, int rc)
{
	note_call(m, field, begun_ns, rc);
	if (rc != -EINVAL && rc != -ENOTSUP)
		note_time(&m->counts->op[op], begun_ns, rc);
}

static int meter_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *opts)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_put(m->inner, key, data, len, opts);

	note(m, STORE_OP_PUT, &m->counts->puts, begun, rc);
	if (!store_call.in_parts)
		count(&m->counts->out_bytes, store_call.sent * len);
	if (is_unknown(rc))
		count(&m->counts->unknown, 1);
	return rc;
}

static ssize_t meter_get(struct store *s, const char *key, uint64_t off,
			 void *dst, size_t len)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	ssize_t n = store_get(m->inner, key, off, dst, len);

	note(m, STORE_OP_GET, &m->counts->gets, begun, n < 0 ? (int)n : 0);
	if (n > 0)
		count(&m->counts->in_bytes, (uint64_t)n);
	return n;
}

static int meter_head(struct store *s, const char *key, struct store_info *out)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_head(m->inner, key, out);

	note(m, STORE_OP_HEAD, &m->counts->heads, begun, rc);
	return rc;
}

static int meter_del(struct store *s, const char *const *keys, size_t n,
		     int *rc)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int ret = store_del(m->inner, keys, n, rc);

	note(m, STORE_OP_DELETE, &m->counts->deletes, begun, ret);
	for (size_t i = 0; i < n; i++)
		if (is_unknown(rc[i]))
			count(&m->counts->unknown, 1);
	return ret;
}

static int meter_list(struct store *s, const char *prefix, const char *after,
		      size_t max, struct store_list *out)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_list(m->inner, prefix, after, max, out);

	note(m, STORE_OP_LIST, &m->counts->lists, begun, rc);
	return rc;
}

static int meter_copy(struct store *s, const char *from, const char *to,
		      const struct store_put_opts *opts)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_copy(m->inner, from, to, opts);

	note(m, STORE_OP_COPY, &m->counts->copies, begun, rc);
	if (is_unknown(rc))
		count(&m->counts->unknown, 1);
	return rc;
}

static int meter_restore(struct store *s, const char *key, unsigned days,
			 enum store_speed speed)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_restore(m->inner, key, days, speed);

	note(m, STORE_OP_RESTORE, &m->counts->restores, begun, rc);
	if (is_unknown(rc))
		count(&m->counts->unknown, 1);
	return rc;
}

static int meter_del_version(struct store *s, const char *key,
			     const char *version)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_del_version(m->inner, key, version);

	note(m, STORE_OP_DELETE, &m->counts->deletes, begun, rc);
	if (is_unknown(rc))
		count(&m->counts->unknown, 1);
	return rc;
}

/* All that it asks is said to be besides. */
static int meter_probe(struct store *s, struct store_caps *out)
{
	struct meter_store *m = meter(s);
	int64_t begun = clock_boot_ns();
	int rc = store_probe(m->inner, out);

	note_call(m, &m->counts->gets, begun, rc);
	return rc;
}

static void meter_caps(struct store *s, struct store_caps *out)
{
	store_caps(meter(s)->inner, out);
}

static int meter_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(meter(s)->inner, ahead_ns);
}

static void meter_free(struct store *s)
{
	store_free(meter(s)->inner);
	free(meter(s));
}

static const struct store_ops meter_ops = {
	.put = meter_put,
	.get = meter_get,
	.head = meter_head,
	.del = meter_del,
	.list = meter_list,
	.copy = meter_copy,
	.restore = meter_restore,
	.del_version = meter_del_version,
	.caps = meter_caps,
	.probe = meter_probe,
	.skew = meter_skew,
	.free = meter_free,
};

struct store *store_meter_new(struct store *inner, struct store_counts *counts,
			      struct store_health *health)
{
	struct meter_store *m = calloc(1, sizeof(*m));

	if (!m || !inner) {
		free(m);
		store_free(inner);
		return NULL;
	}
	m->base.ops = &meter_ops;
	m->inner = inner;
	m->counts = counts ? counts : &m->own_counts;
	m->health = health;
	return &m->base;
}

#define COUNT_FIELDS (sizeof(struct store_counts) / sizeof(uint64_t))

void store_meter_read(const struct store_counts *counts,
		      struct store_counts *out)
{
	const uint64_t *from = (const uint64_t *)counts;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < COUNT_FIELDS; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void store_counts_add(struct store_counts *sum, const struct store_counts *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < COUNT_FIELDS; i++)
		count(&to[i], from[i]);
}

void store_health_refuse(struct store_health *h, int rc, const char *why)
{
	LOCK_SCOPE(&health_lock);
	health_set_locked(h, rc);
	__atomic_store_n(&h->down, false, __ATOMIC_RELAXED);
	snprintf(h->detail, sizeof(h->detail), "%s", why);
}

void store_health_read(const struct store_health *health,
		       struct store_health *out)
{
	LOCK_SCOPE(&health_lock);
	*out = *health;
}
