/* SPDX-License-Identifier: Apache-2.0 */
#include "store/check.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/units.h"
#include "store/call.h"

#define SCRATCH	    "scratch/test/"
#define MADE_MAX    32
#define BIG	    ((size_t)256 << 10)
#define HEADS	    10
#define LOCK_NS	    (2 * NSEC_PER_SEC)	 /* so long the test's own lock holds */
#define CLOCK_LIMIT (900 * NSEC_PER_SEC) /* S3 refuses what is more off */

/* An object of this run. Names of versions are kept, because a plain delete
 * would leave the data where versions are kept. */
struct key {
	char s[96];
};

struct made {
	struct key key;
	char version[STORE_VERSION_MAX];
};

struct run {
	struct store *s;
	struct store_caps caps;
	char prefix[64];
	struct made made[MADE_MAX];
	size_t n_made;
	bool locked;
	char class[STORE_CLASS_MAX];   /* one that puts take; "" none */
	char archive[STORE_CLASS_MAX]; /* one to restore from; "" none */
	struct store_check *now;
};

/* ---- what a check found ----------------------------------------------- */

static int found(struct run *r, enum store_check_result result, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));

static int found(struct run *r, enum store_check_result result, const char *fmt,
		 ...)
{
	va_list ap;

	r->now->result = result;
	va_start(ap, fmt);
	vsnprintf(r->now->detail, sizeof(r->now->detail), fmt, ap);
	va_end(ap);
	return 0;
}

static int yes(struct run *r)
{
	return found(r, STORE_CHECK_YES, "%s", "");
}

/* A call failed: a store that is not there now ends the run. */
static int failed(struct run *r, int rc)
{
	const char *said = store_detail();

	found(r, store_is_transient(rc) ? STORE_CHECK_UNTESTED : STORE_CHECK_NO,
	      "%s", *said ? said : strerror(-rc));
	return store_is_transient(rc) ? rc : 0;
}

/* ---- objects ---------------------------------------------------------- */

static struct key key_of(const struct run *r, const char *name)
{
	struct key k;

	snprintf(k.s, sizeof(k.s), "%s%s", r->prefix, name);
	return k;
}

/* Room for one more is sure: there are fewer puts than MADE_MAX. */
static struct made *made_add(struct run *r, const char *name)
{
	struct made *m = &r->made[MIN(r->n_made, (size_t)MADE_MAX - 1)];

	r->n_made = (size_t)(m - r->made) + 1;
	m->key = key_of(r, name);
	m->version[0] = '\0';
	return m;
}

static int put_opts(struct run *r, const char *name, const char *text,
		    struct store_put_opts o)
{
	struct made *m = made_add(r, name);

	o.version = m->version;
	return store_put(r->s, m->key.s, text, strlen(text), &o);
}

static int put(struct run *r, const char *name, const char *text)
{
	return put_opts(r, name, text, (struct store_put_opts){ 0 });
}

static int head(struct run *r, const char *name, struct store_info *out)
{
	return store_head(r->s, key_of(r, name).s, out);
}

/* Is it exactly this text? 0, -EBADMSG, or what the get said. */
static int holds(struct run *r, const char *name, const char *text)
{
	char got[64];
	size_t len = strlen(text);
	ssize_t n = store_get(r->s, key_of(r, name).s, 0, got, sizeof(got));

	if (n < 0)
		return (int)n;
	return (size_t)n == len && memcmp(got, text, len) == 0 ? 0 : -EBADMSG;
}

/* ---- puts ------------------------------------------------------------- */

static int check_put(struct run *r)
{
	int rc = put(r, "put", "first");

	if (rc == 0)
		rc = put(r, "put", "second, longer");
	if (rc == 0)
		rc = holds(r, "put", "second, longer");
	if (rc == -EBADMSG)
		return found(r, STORE_CHECK_NO, "other bytes came back");
	return rc < 0 ? failed(r, rc) : yes(r);
}

static int check_empty(struct run *r)
{
	struct store_info info = { 0 };
	int rc = put(r, "empty", "");

	if (rc == 0)
		rc = head(r, "empty", &info);
	if (rc < 0)
		return failed(r, rc);
	return info.size ? found(r, STORE_CHECK_NO, "it is not empty") : yes(r);
}

static int check_create_only(struct run *r)
{
	struct store_put_opts o = { .if_absent = true };
	int rc = put_opts(r, "new", "mine", o);

	if (rc < 0)
		return failed(r, rc);
	rc = put_opts(r, "new", "yours", o);
	if (rc < 0 && rc != -EEXIST)
		return failed(r, rc);
	if (rc == 0 || holds(r, "new", "mine") == -EBADMSG)
		return found(r, STORE_CHECK_NO,
			     "an object that is there was overwritten");
	if (!r->caps.create_only)
		return found(r, STORE_CHECK_EMULATED,
			     "by looking first: two gateways could both put");
	return yes(r);
}

/* The server compares what it got with what was signed. */
static int check_checksum(struct run *r)
{
	static const uint8_t wrong[32] = { 1 };
	struct store_put_opts o = { .sha256 = wrong };
	struct store_info info = { 0 };
	int rc = put_opts(r, "checksum", "text", o);

	if (rc == 0)
		return found(r, STORE_CHECK_NO,
			     "bytes with another hash were stored");
	if (store_is_transient(rc) && rc != -EAGAIN)
		return failed(r, rc);
	rc = head(r, "checksum", &info);
	if (rc == 0)
		return found(r, STORE_CHECK_NO, "refused, and stored");
	return rc == -ENOENT ? yes(r) : failed(r, rc);
}

/* ---- gets ------------------------------------------------------------- */

static void fill(uint8_t *p, size_t n)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
}

/* Bytes [off, off + len) of the large object; expects `want` of them. */
static int get_part(struct run *r, size_t off, size_t len, size_t want)
{
	CLEANUP_FREE uint8_t *got = malloc(len), *all = malloc(BIG);
	ssize_t n;

	if (!got || !all)
		return -ENOMEM;
	fill(all, BIG);
	n = store_get(r->s, key_of(r, "large").s, off, got, len);
	if (n < 0)
		return (int)n;
	return (size_t)n == want && memcmp(got, all + off, want) == 0
		       ? 0
		       : -EBADMSG;
}

static int got_part(struct run *r, int rc)
{
	if (rc == -EBADMSG)
		return found(r, STORE_CHECK_NO, "other bytes came back");
	return rc < 0 ? failed(r, rc) : yes(r);
}

static int check_get(struct run *r)
{
	CLEANUP_FREE uint8_t *data = malloc(BIG);
	struct made *m = made_add(r, "large");
	struct store_put_opts o = { .version = m->version };
	int rc;

	if (!data)
		return -ENOMEM;
	fill(data, BIG);
	rc = store_put(r->s, m->key.s, data, BIG, &o);
	return got_part(r, rc < 0 ? rc : get_part(r, 0, BIG, BIG));
}

static int check_range(struct run *r)
{
	int rc = get_part(r, 1000, 5000, 5000);

	return got_part(r, rc < 0 ? rc : get_part(r, BIG - 100, 4096, 100));
}

static int check_behind_end(struct run *r)
{
	char c;
	ssize_t n = store_get(r->s, key_of(r, "large").s, BIG, &c, 1);

	if (n == -ERANGE)
		return yes(r);
	return n < 0 ? failed(r, (int)n)
		     : found(r, STORE_CHECK_NO,
			     "bytes came that are not there");
}

static int check_head(struct run *r)
{
	struct store_info info = { 0 };
	int rc = head(r, "large", &info);

	if (rc < 0)
		return failed(r, rc);
	if (info.size != BIG)
		return found(r, STORE_CHECK_NO, "the size is wrong");
	rc = head(r, "none", &info);
	if (rc == 0)
		return found(r, STORE_CHECK_NO,
			     "an object that is not there is found");
	return rc == -ENOENT ? yes(r) : failed(r, rc);
}

/* ---- lists and deletes ------------------------------------------------ */

/* In byte order. */
static const char *const listed[] = { "list/A", "list/a", "list/a-b",
				      "list/b/0", "list/b0" };

/* One page is listed[first .. first + n), and `more`. 1, 0, or -errno. */
static int page_is(struct run *r, const char *after, size_t max, size_t first,
		   size_t n, bool more)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };
	struct key prefix = key_of(r, "list/");
	int rc = store_list(r->s, prefix.s, after, max, &l);

	if (rc < 0)
		return rc;
	if (l.n != n || l.more != more)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(l.entry[i].key, key_of(r, listed[first + i]).s) != 0)
			return 0;
	return 1;
}

static int check_list(struct run *r)
{
	int rc = 0;

	for (size_t i = ARRAY_SIZE(listed); i-- && rc == 0;)
		rc = put(r, listed[i], "x");
	if (rc == 0)
		rc = page_is(r, "", 1000, 0, ARRAY_SIZE(listed), false);
	if (rc == 0)
		return found(r, STORE_CHECK_NO,
			     "keys are missing, or not in byte order");
	return rc < 0 ? failed(r, rc) : yes(r);
}

static int check_continuation(struct run *r)
{
	int rc = page_is(r, "", 2, 0, 2, true);

	if (rc == 1)
		rc = page_is(r, key_of(r, listed[1]).s, 3, 2, 3, false);
	if (rc == 0)
		return found(r, STORE_CHECK_NO,
			     "pages do not follow one another");
	return rc < 0 ? failed(r, rc) : yes(r);
}

/* 1 when none of names[0..n) is there any more. */
static int all_gone(struct run *r, const char *const *names, size_t n)
{
	struct store_info info = { 0 };

	for (size_t i = 0; i < n; i++) {
		int rc = head(r, names[i], &info);

		if (rc != -ENOENT)
			return rc;
	}
	return 1;
}

static int gone(struct run *r, int rc)
{
	if (rc == 0)
		return found(r, STORE_CHECK_NO, "it is still there");
	return rc < 0 ? failed(r, rc) : yes(r);
}

static int check_delete(struct run *r)
{
	static const char *const name = "list/A";
	int rc = store_del1(r->s, key_of(r, name).s);

	if (rc == 0) /* what is not there is deleted, too */
		rc = store_del1(r->s, key_of(r, "none").s);
	return gone(r, rc < 0 ? rc : all_gone(r, &name, 1));
}

static int check_batch(struct run *r)
{
	struct key k[ARRAY_SIZE(listed)];
	const char *keys[ARRAY_SIZE(listed)];
	int each[ARRAY_SIZE(listed)], rc;
	size_t requests;

	for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
		k[i] = key_of(r, listed[i]);
		keys[i] = k[i].s;
	}
	rc = store_del(r->s, keys, ARRAY_SIZE(listed), each);
	requests = store_call.sent;
	if (rc == 0)
		rc = all_gone(r, listed, ARRAY_SIZE(listed));
	if (rc == 1 && requests >= ARRAY_SIZE(listed))
		return found(r, STORE_CHECK_EMULATED, "one at a time");
	return gone(r, rc);
}

/* ---- classes, copies, archives ---------------------------------------- */

static bool is_archive(const char *class)
{
	return strcmp(class, "GLACIER") == 0 ||
	       strcmp(class, "DEEP_ARCHIVE") == 0;
}

/* 1 when a put takes this class and head shows it, 0 when not. */
static int takes_class(struct run *r, const char *class)
{
	struct store_put_opts o = { .storage_class = class };
	struct store_info info = { 0 };
	int rc = put_opts(r, class, class, o);

	if (rc == 0)
		rc = head(r, class, &info);
	if (rc < 0)
		return store_is_transient(rc) ? rc : 0;
	return strcmp(info.storage_class, class) == 0;
}

static int check_classes(struct run *r)
{
	static const char *const classes[] = { "STANDARD_IA", "GLACIER_IR",
					       "GLACIER", "DEEP_ARCHIVE" };
	char list[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		char *which = is_archive(classes[i]) ? r->archive : r->class;
		size_t n = strlen(list);
		int rc = takes_class(r, classes[i]);

		if (rc < 0)
			return failed(r, rc);
		if (rc == 0)
			continue;
		snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
			 classes[i]);
		if (!*which)
			snprintf(which, STORE_CLASS_MAX, "%s", classes[i]);
	}
	return found(r, *list ? STORE_CHECK_YES : STORE_CHECK_NO, "%s",
		     *list ? list : "none but STANDARD");
}

static int copy(struct run *r, const char *from, const char *to,
		const char *class)
{
	struct made *m = made_add(r, to);
	struct store_put_opts o = { .storage_class = class,
				    .version = m->version };
	struct store_info info = { 0 };
	int rc;

	rc = store_copy(r->s, key_of(r, from).s, m->key.s, &o);
	/* Ceph RGW does not say the version of a copy. */
	if (rc == 0 && r->caps.versions && !m->version[0] &&
	    head(r, to, &info) == 0)
		memcpy(m->version, info.version, sizeof(m->version));
	return rc;
}

static int check_copy(struct run *r)
{
	int rc = copy(r, "put", "copy", NULL);

	if (rc == 0)
		rc = holds(r, "copy", "second, longer");
	return got_part(r, rc);
}

static int check_copy_class(struct run *r)
{
	const char *class = *r->class ? r->class : r->archive;
	struct store_info info = { 0 };
	int rc;

	if (!*class)
		return found(r, STORE_CHECK_UNTESTED, "no class to copy to");
	rc = copy(r, "put", "put", class);
	if (rc == 0)
		rc = head(r, "put", &info);
	if (rc < 0)
		return failed(r, rc);
	return strcmp(info.storage_class, class) == 0
		       ? found(r, STORE_CHECK_YES, "to %s", class)
		       : found(r, STORE_CHECK_NO, "the class stayed %s",
			       info.storage_class);
}

/* It takes hours until a copy is there: that it was asked for is enough. */
static int check_restore(struct run *r)
{
	struct store_info info = { 0 };
	int rc;

	if (!*r->archive)
		return found(r, STORE_CHECK_UNTESTED, "no archive class");
	rc = head(r, r->archive, &info);
	if (rc == 0)
		rc = store_restore(r->s, key_of(r, r->archive).s, 1,
				   STORE_BULK);
	if (rc < 0)
		return failed(r, rc);
	return info.archive == STORE_READY
		       ? found(r, STORE_CHECK_YES, "%s can be read at once",
			       r->archive)
		       : found(r, STORE_CHECK_YES, "asked for, from %s",
			       r->archive);
}

/* ---- versions and locks ----------------------------------------------- */

static int check_versions(struct run *r)
{
	const struct made *m;
	int rc;

	if (!r->caps.versions)
		return found(r, STORE_CHECK_NO, "off in this bucket");
	rc = put(r, "version", "one");
	if (rc == 0)
		rc = put(r, "version", "two");
	if (rc < 0)
		return failed(r, rc);
	m = &r->made[r->n_made - 1];
	if (!m->version[0] || strcmp(m[-1].version, m->version) == 0)
		return found(r, STORE_CHECK_NO,
			     "on, but versions have no name");
	return found(r, STORE_CHECK_YES,
		     "on: what is deleted is paid for until its versions go");
}

static int check_lock(struct run *r)
{
	struct store_put_opts o = { .lock = STORE_GOVERNANCE };
	int64_t ahead = 0;
	struct made *m;
	int rc;

	if (!r->caps.lock)
		return found(r, STORE_CHECK_NO, "off in this bucket");
	store_skew(r->s, &ahead); /* 0 when it does not say */
	r->locked = true;
	o.lock_until_ns = clock_wall_ns() + ahead + LOCK_NS;
	rc = put_opts(r, "lock", "locked", o);
	if (rc < 0)
		return failed(r, rc);
	m = &r->made[r->n_made - 1];
	rc = store_del_version(r->s, m->key.s, m->version);
	if (rc == -EACCES)
		return yes(r);
	return rc < 0 ? failed(r, rc)
		      : found(r, STORE_CHECK_NO, "it was deleted all the same");
}

/* ---- time ------------------------------------------------------------- */

static int check_clock(struct run *r)
{
	char text[UNITS_SIZE];
	int64_t ahead, off;

	if (store_skew(r->s, &ahead) < 0)
		return found(r, STORE_CHECK_UNTESTED, "it tells no time");
	off = ahead < 0 ? -ahead : ahead;
	/* its answers have whole seconds */
	if (off < 2 * NSEC_PER_SEC)
		return yes(r);
	return found(r, off < CLOCK_LIMIT ? STORE_CHECK_YES : STORE_CHECK_NO,
		     "it is %s %s", units_format_duration(off, text),
		     ahead < 0 ? "behind" : "ahead");
}

static int by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int check_latency(struct run *r)
{
	struct store_info info = { 0 };
	int64_t ns[HEADS], median;

	for (size_t i = 0; i < HEADS; i++) {
		int64_t began = clock_boot_ns();
		int rc = head(r, "large", &info);

		if (rc < 0)
			return failed(r, rc);
		ns[i] = clock_boot_ns() - began;
	}
	qsort(ns, HEADS, sizeof(ns[0]), by_value);
	median = ns[HEADS / 2];
	return found(r, STORE_CHECK_YES, "HEAD: %.2f ms, at most %.2f ms",
		     (double)median / 1e6, (double)ns[HEADS - 1] / 1e6);
}

/* ---- the run ---------------------------------------------------------- */

static const struct {
	const char *name;
	bool needed;
	int (*fn)(struct run *r);
} checks[] = {
	{ "put", true, check_put },
	{ "empty_object", true, check_empty },
	{ "create_only", true, check_create_only },
	{ "checksum", false, check_checksum },
	{ "get", true, check_get },
	{ "range", true, check_range },
	{ "range_behind_end", true, check_behind_end },
	{ "head", true, check_head },
	{ "list", true, check_list },
	{ "list_continuation", true, check_continuation },
	{ "delete", true, check_delete },
	{ "batch_delete", false, check_batch },
	{ "storage_class", false, check_classes },
	{ "copy", false, check_copy },
	{ "copy_class", false, check_copy_class },
	{ "restore", false, check_restore },
	{ "versioning", false, check_versions },
	{ "object_lock", false, check_lock },
	{ "clock", true, check_clock },
	{ "latency", false, check_latency },
};

/* Deletes all below a prefix of ours. */
static int sweep(struct store *s, const char *prefix)
{
	char after[STORE_KEY_MAX + 1] = "";
	bool more = true;
	int rc = 0;

	while (rc == 0 && more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		rc = store_list(s, prefix, after, 1000, &l);
		more = rc == 0 && l.more && l.n > 0;
		if (more)
			snprintf(after, sizeof(after), "%s",
				 l.entry[l.n - 1].key);
		for (size_t i = 0; i < l.n && rc == 0; i++)
			rc = store_del1(s, l.entry[i].key);
	}
	return rc;
}

/* Deletes a version; one that our own lock holds, when that has ended. */
static void remove_version(struct run *r, const struct made *m)
{
	int64_t end = clock_boot_ns() + 3 * LOCK_NS;
	bool locked = r->locked && strcmp(m->key.s, key_of(r, "lock").s) == 0;

	while (store_del_version(r->s, m->key.s, m->version) == -EACCES &&
	       locked && clock_boot_ns() < end)
		clock_sleep_ns(NSEC_PER_SEC / 5);
}

/* Removes what was made, in all versions. What stays, because the store does
 * not answer any more, is removed by the next run. */
static void clean_up(struct run *r)
{
	struct store_call then = store_call;

	for (size_t i = 0; i < r->n_made; i++)
		if (r->made[i].version[0])
			remove_version(r, &r->made[i]);
	sweep(r->s, r->prefix);
	memcpy(store_call.detail, then.detail, sizeof(then.detail));
}

static int begin(struct run *r)
{
	uint8_t id[8];
	char hex[2 * sizeof(id) + 1];
	int rc = io_random(id, sizeof(id));

	if (rc < 0)
		return rc;
	hex_encode(id, sizeof(id), hex);
	snprintf(r->prefix, sizeof(r->prefix), SCRATCH "%s/", hex);
	rc = sweep(r->s, SCRATCH);
	if (rc == 0)
		rc = store_probe(r->s, &r->caps);
	if (store_is_transient(rc))
		return rc;
	if (rc < 0) /* the checks say what it is */
		store_caps(r->s, &r->caps);
	return 0;
}

int store_check(struct store *s, store_check_fn fn, void *arg,
		struct store_check out[STORE_CHECKS_MAX])
{
	CLEANUP_FREE struct run *r = calloc(1, sizeof(*r));
	int n = ARRAY_SIZE(checks), i, rc, stopped = 0;

	_Static_assert(ARRAY_SIZE(checks) <= STORE_CHECKS_MAX, "room");
	if (!r)
		return -ENOMEM;
	r->s = s;
	rc = begin(r);
	for (i = 0; i < n && rc == 0; i++) {
		out[i] = (struct store_check){ .name = checks[i].name,
					       .needed = checks[i].needed,
					       .result = STORE_CHECK_UNTESTED };
		rc = fn(arg, checks[i].name, (size_t)i, (size_t)n);
		r->now = &out[i];
		if (rc == 0 && !stopped)
			stopped = checks[i].fn(r);
		if (i == 0) /* not one answer */
			rc = rc < 0 ? rc : stopped;
	}
	clean_up(r);
	return rc < 0 ? rc : n;
}

const char *store_check_result_name(enum store_check_result r)
{
	static const char *const names[] = {
		[STORE_CHECK_YES] = "yes",
		[STORE_CHECK_NO] = "no",
		[STORE_CHECK_EMULATED] = "emulated",
		[STORE_CHECK_UNTESTED] = "untested",
	};

	return names[r];
}
