/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of store.h, on any store:
 *
 *   contract [DECORATOR,...]DRIVER
 *
 * DRIVER is mem, dir (in a directory of its own), s3 or s3v2; DECORATOR is one
 * of shared, meter, retry, pace, limit, breaker,
 * fault (injects nothing), outermost first. s3 is told what to use by the
 * environment: MERSEY_TEST_S3_ENDPOINT, _REGION, _ACCESS_KEY, _SECRET_KEY,
 * _BUCKET and, optional, _CA, _STYLE (virtual), _ACCEPT (who accepts an
 * unverified peer), _PARTS (any text: what is larger than 5 MiB goes in parts
 * of 5 MiB, the least that S3 takes), _LOCKED (any text: the bucket has
 * versions and Object Lock).
 * Everything happens below a random prefix, which is emptied at the end.
 */
#include "tests/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "store/drivers.h"
#include "store/flow.h"
#include "store/s3/impl.h"

#define BIG   ((5U << 20) + 4321)
#define LIMIT 3 /* in flight: fewer than racers */

static struct store *store;
static const char *spec;
static char tmp_dir[] = "/tmp/mersey-contract-XXXXXX";
static struct store_counts counts;
static struct store_health health;
static struct store_fault_plan no_faults;
static struct store_flow flow;
static struct store_bandwidth no_limits;
static struct store_pace pace;

static const char *env(const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "MERSEY_TEST_S3_%s", name);
	return getenv(full);
}

static void put(const char *key, const char *text)
{
	int rc = store_put(store, key, text, strlen(text), NULL);

	if (rc < 0)
		print_error("put %s: %s: %s\n", key, errno_name(rc),
			    store_detail());
	assert_int_equal(rc, 0);
}

static int put_new(const char *key, const char *text)
{
	struct store_put_opts opts = { .if_absent = true };

	return store_put(store, key, text, strlen(text), &opts);
}

static void assert_content(const char *key, const char *text)
{
	char got[256] = "";
	ssize_t n = store_get(store, key, 0, got, sizeof(got) - 1);

	assert_int_equal(n, strlen(text));
	assert_string_equal(got, text);
}

static void test_put_get(void **state)
{
	char one = 0;

	put("put/a", "first");
	assert_content("put/a", "first");
	put("put/a", "second, longer");
	assert_content("put/a", "second, longer");
	put("put/one", "1");
	assert_int_equal(store_get(store, "put/one", 0, &one, 1), 1);
	assert_int_equal(one, '1');
	assert_int_equal(store_get(store, "put/none", 0, &one, 1), -ENOENT);
	assert_int_equal(store_get(store, "none/none", 0, &one, 1), -ENOENT);
	/* Not an object: what others start with. */
	assert_int_equal(store_get(store, "put", 0, &one, 1), -ENOENT);
}

/* Signature V2 has none that is atomic, nor has RGW 16 in a bucket that keeps
 * versions: there it takes no notice of the condition. */
static bool has_create_only(void)
{
	struct store_caps caps;

	assert_int_equal(store_probe(store, &caps), 0);
	assert_int_equal(caps.create_only,
			 !strstr(spec, "s3v2") && !env("LOCKED"));
	return caps.create_only;
}

static void test_create_only(void **state)
{
	has_create_only();
	assert_int_equal(put_new("new/a", "mine"), 0);
	assert_int_equal(put_new("new/a", "yours"), -EEXIST);
	assert_content("new/a", "mine");
	assert_int_equal(store_del1(store, "new/a"), 0);
	assert_int_equal(put_new("new/a", "again"), 0);
	assert_content("new/a", "again");
}

static void test_ranges(void **state)
{
	static const char text[] = "0123456789";
	char got[32];

	put("range/a", text);
	assert_int_equal(store_get(store, "range/a", 0, got, 1), 1);
	assert_memory_equal(got, "0", 1);
	assert_int_equal(store_get(store, "range/a", 3, got, 4), 4);
	assert_memory_equal(got, "3456", 4);
	assert_int_equal(store_get(store, "range/a", 7, got, 3), 3);
	assert_memory_equal(got, "789", 3);
	assert_int_equal(store_get(store, "range/a", 8, got, 32), 2);
	assert_memory_equal(got, "89", 2);
	assert_int_equal(store_get(store, "range/a", 9, got, 1), 1);
	assert_int_equal(store_get(store, "range/a", 10, got, 1), -ERANGE);
	assert_int_equal(store_get(store, "range/a", 1 << 20, got, 1), -ERANGE);
	assert_int_equal(store_get(store, "range/a", 0, got, 0), -EINVAL);
	assert_int_equal(store_get(store, "range/a", UINT64_MAX, got, 1),
			 -EINVAL);
}

static void test_empty(void **state)
{
	struct store_info info;
	char c;

	assert_int_equal(store_put(store, "empty", NULL, 0, NULL), 0);
	assert_int_equal(store_head(store, "empty", &info), 0);
	assert_int_equal(info.size, 0);
	assert_int_equal(store_get(store, "empty", 0, &c, 1), -ERANGE);
}

static void fill(uint8_t *p, size_t n)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
}

static void test_big(void **state)
{
	CLEANUP_FREE uint8_t *data = malloc(BIG), *got = malloc(BIG + 1);
	struct store_put_opts create = { .if_absent = true };
	struct store_info info;
	int rc;

	assert_non_null(data);
	assert_non_null(got);
	fill(data, BIG);
	assert_int_equal(store_put(store, "big", data, BIG, NULL), 0);
	assert_int_equal(store_head(store, "big", &info), 0);
	assert_int_equal(info.size, BIG);
	assert_int_equal(store_get(store, "big", 0, got, BIG + 1), BIG);
	assert_memory_equal(got, data, BIG);
	assert_int_equal(store_get(store, "big", 1 << 20, got, 65536), 65536);
	assert_memory_equal(got, data + (1 << 20), 65536);
	assert_int_equal(store_get(store, "big", BIG - 100, got, 4096), 100);
	assert_memory_equal(got, data + BIG - 100, 100);
	if (store_put(store, "big", data, BIG, &create) != -ENOTSUP) {
		assert_int_equal(store_put(store, "big", "x", 1, &create),
				 -EEXIST);
		assert_int_equal(store_put(store, "big", data, BIG, &create),
				 -EEXIST);
		assert_int_equal(store_put(store, "big2", data, BIG, &create),
				 0);
	}
	rc = store_copy(store, "big", "big3", NULL);
	if (rc != -ENOTSUP) {
		assert_int_equal(rc, 0);
		memset(got, 0, BIG);
		assert_int_equal(store_get(store, "big3", 0, got, BIG), BIG);
		assert_memory_equal(got, data, BIG);
	}
}

static void test_head(void **state)
{
	struct store_info info;

	put("head/a", "12345");
	assert_int_equal(store_head(store, "head/a", &info), 0);
	assert_int_equal(info.size, 5);
	assert_string_equal(info.storage_class, "STANDARD");
	assert_true(info.modified_ns > 0);
	assert_int_equal(store_head(store, "head/none", &info), -ENOENT);
	assert_int_equal(store_head(store, "head", &info), -ENOENT);
}

static void test_storage_class(void **state)
{
	struct store_put_opts opts = { .storage_class = "GLACIER" };
	struct store_caps caps;
	struct store_info info;
	int rc = store_put(store, "class/a", "x", 1, &opts);

	store_caps(store, &caps);
	if (!caps.storage_class) {
		assert_int_equal(rc, -ENOTSUP);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(store_head(store, "class/a", &info), 0);
	assert_string_equal(info.storage_class, "GLACIER");
}

static int put_class(const char *key, const char *text, const char *cls)
{
	struct store_put_opts opts = { .storage_class = cls };

	return store_put(store, key, text, strlen(text), &opts);
}

static struct store_info head_of(const char *key)
{
	struct store_info info = { 0 };

	assert_int_equal(store_head(store, key, &info), 0);
	return info;
}

/* Another key, another class, both; what is there is replaced. */
static void test_copy(void **state)
{
	struct store_put_opts opts = { .storage_class = "STANDARD_IA" };
	struct store_put_opts bad = { .if_absent = true };
	struct store_caps caps;
	int rc;

	put("copy/a", "alpha");
	put("copy/c", "old");
	rc = store_copy(store, "copy/a", "copy/b/b", NULL);
	store_caps(store, &caps);
	if (!caps.copy) {
		assert_int_equal(rc, -ENOTSUP);
		return;
	}
	assert_int_equal(rc, 0);
	assert_content("copy/b/b", "alpha");
	assert_int_equal(store_copy(store, "copy/a", "copy/c", &opts), 0);
	assert_content("copy/c", "alpha");
	assert_string_equal(head_of("copy/c").storage_class, "STANDARD_IA");
	assert_int_equal(store_copy(store, "copy/a", "copy/a", &opts), 0);
	assert_content("copy/a", "alpha");
	assert_string_equal(head_of("copy/a").storage_class, "STANDARD_IA");
	assert_int_equal(store_copy(store, "copy/none", "copy/d", NULL),
			 -ENOENT);
	assert_int_equal(store_copy(store, "copy/a", "copy/d", &bad), -EINVAL);
	assert_int_equal(store_copy(store, "copy/a", "../d", NULL), -EINVAL);
}

static void test_restore(void **state)
{
	struct store_caps caps;
	struct store_info info;
	char c;
	int rc;

	store_caps(store, &caps);
	if (caps.storage_class) {
		assert_int_equal(put_class("ice/a", "cold", "GLACIER"), 0);
		assert_int_equal(put_class("ice/b", "cold", "GLACIER"), 0);
	} else {
		put("ice/a", "cold");
	}
	rc = store_restore(store, "ice/a", 2, STORE_EXPEDITED);
	store_caps(store, &caps);
	if (!caps.restore) {
		assert_int_equal(rc, -ENOTSUP);
		assert_content("ice/a", "cold");
		return;
	}
	assert_int_equal(rc, 0);
	assert_content("ice/a", "cold");
	info = head_of("ice/a");
	assert_int_equal(info.archive, STORE_READY);
	assert_true(info.restored_until_ns > info.modified_ns);
	assert_int_equal(store_get(store, "ice/b", 0, &c, 1), -ENOMEDIUM);
	assert_int_equal(store_copy(store, "ice/b", "ice/c", NULL), -ENOMEDIUM);
	assert_int_equal(head_of("ice/b").archive, STORE_ARCHIVED);
	assert_int_equal(store_restore(store, "ice/b", 1, STORE_BULK), 0);
	assert_int_equal(head_of("ice/b").archive, STORE_RESTORING);
	assert_int_equal(store_restore(store, "ice/b", 1, STORE_BULK), 0);
	assert_int_equal(head_of("ice/b").archive, STORE_READY);
	assert_content("ice/b", "cold");
	put("ice/warm", "warm");
	assert_int_equal(store_restore(store, "ice/warm", 1, STORE_BULK), 0);
	assert_int_equal(store_restore(store, "ice/none", 1, STORE_BULK),
			 -ENOENT);
	assert_int_equal(store_restore(store, "ice/a", 0, STORE_BULK), -EINVAL);
}

static void test_versions(void **state)
{
	char version[STORE_VERSION_MAX] = "?";
	struct store_put_opts opts = { .version = version };
	struct store_info info;

	assert_int_equal(store_put(store, "ver/a", "one", 3, &opts), 0);
	info = head_of("ver/a");
	assert_string_equal(info.version, version);
	assert_int_equal(store_del_version(store, "ver/a", ""), -EINVAL);
	if (!version[0])
		return;
	put("ver/b", "two");
	assert_int_equal(store_del_version(store, "ver/b", version), 0);
	assert_content("ver/b", "two");
	assert_int_equal(store_del_version(store, "ver/a", version), 0);
	assert_int_equal(store_head(store, "ver/a", &info), -ENOENT);
	assert_int_equal(store_del_version(store, "ver/a", version), 0);
}

static void test_lock(void **state)
{
	char version[STORE_VERSION_MAX];
	struct store_put_opts opts = {
		.lock = STORE_GOVERNANCE,
		.lock_until_ns = clock_wall_ns() + NSEC_PER_SEC,
		.version = version,
	};
	struct store_caps caps;
	int rc = store_put(store, "lock/a", "x", 1, &opts);

	store_caps(store, &caps);
	if (env("LOCKED"))
		assert_true(caps.lock && caps.versions);
	if (!caps.lock) {
		assert_int_equal(rc, -ENOTSUP);
		return;
	}
	assert_int_equal(rc, 0);
	assert_true(version[0]);
	assert_int_equal(store_del_version(store, "lock/a", version), -EACCES);
	assert_content("lock/a", "x");
	/* It is kept in whole seconds. */
	while (clock_wall_ns() < opts.lock_until_ns + NSEC_PER_SEC)
		clock_sleep_ns(NSEC_PER_SEC / 10);
	assert_int_equal(store_del_version(store, "lock/a", version), 0);
}

static void test_probe(void **state)
{
	struct store_list l = { 0 };
	struct store_caps caps, then;
	size_t n;
	int rc;

	assert_int_equal(store_probe(store, &caps), 0);
	store_caps(store, &then);
	assert_memory_equal(&caps, &then, sizeof(caps));
	assert_int_equal(caps.create_only, has_create_only());
	rc = store_list(store, "scratch/", "", 10, &l);
	n = l.n;
	store_list_done(&l);
	assert_int_equal(rc, 0);
	assert_int_equal(n, 0);
}

static void test_delete(void **state)
{
	static const char *const keys[] = { "del/a",	  "del/none",  "del/b",
					    "del/deep/c", "nowhere/d", "del" };
	int rc[ARRAY_SIZE(keys)];
	struct store_info info;

	put("del/a", "a");
	put("del/b", "b");
	put("del/deep/c", "c");
	put("del/kept", "k");
	memset(rc, 0x55, sizeof(rc));
	assert_int_equal(store_del(store, keys, 5, rc), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(rc[i], 0);
		assert_int_equal(store_head(store, keys[i], &info), -ENOENT);
	}
	assert_int_equal(store_head(store, "del/kept", &info), 0);
	assert_int_equal(store_del(store, NULL, 0, NULL), 0);
	/* What others start with is no object: nothing happens to them. */
	assert_int_equal(store_del(store, keys + 5, 1, rc), 0);
	assert_content("del/kept", "k");
}

/* More than goes into one request; most of them are not there. */
static void test_delete_many(void **state)
{
	static char key[1005][16];
	const char *keys[1005];
	int rc[1005];
	struct store_info info;

	for (size_t i = 0; i < 1005; i++) {
		snprintf(key[i], sizeof(key[i]), "many/%zu", 1005 - i);
		keys[i] = key[i];
		rc[i] = 1;
	}
	put("many/1", "x");
	put("many/777", "x");
	put("many/1005", "x");
	put("many/1006", "x");
	assert_int_equal(store_del(store, keys, 1005, rc), 0);
	for (size_t i = 0; i < 1005; i++)
		assert_int_equal(rc[i], 0);
	assert_int_equal(store_head(store, "many/1", &info), -ENOENT);
	assert_int_equal(store_head(store, "many/777", &info), -ENOENT);
	assert_int_equal(store_head(store, "many/1005", &info), -ENOENT);
	assert_int_equal(store_head(store, "many/1006", &info), 0);
}

static void test_bad_keys(void **state)
{
	static const char *const bad[] = {
		"",	"/a",	    "a/",    "a//b",   ".",    "..",   "./a",
		"../a", "a/..",	    "a/./b", "a/../b", "a b",  "a%2f", "a\\b",
		"a~b",	"\xc3\xa4", "a?b",   "a#b",    "a\nb",
	};
	char long_key[STORE_KEY_MAX + 2], c;
	struct store_list l = { 0 };
	struct store_info info;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(store_put(store, bad[i], "x", 1, NULL),
				 -EINVAL);
		assert_int_equal(store_get(store, bad[i], 0, &c, 1), -EINVAL);
		assert_int_equal(store_head(store, bad[i], &info), -EINVAL);
		assert_int_equal(store_del1(store, bad[i]), -EINVAL);
	}
	memset(long_key, 'k', sizeof(long_key));
	long_key[STORE_KEY_MAX + 1] = '\0';
	assert_int_equal(store_head(store, long_key, &info), -EINVAL);
	assert_int_equal(store_list(store, "../", "", 10, &l), -EINVAL);
	assert_int_equal(store_list(store, "a/../", "", 10, &l), -EINVAL);
	assert_int_equal(store_list(store, "", "", 0, &l), -EINVAL);
	assert_int_equal(store_list(store, "", "", 1001, &l), -EINVAL);
}

static void test_long_key(void **state)
{
	char key[STORE_KEY_MAX + 1];

	memset(key, 'k', sizeof(key));
	key[STORE_KEY_MAX] = '\0';
	for (size_t i = 99; i < STORE_KEY_MAX - 1; i += 100)
		key[i] = '/';
	put(key, "long");
	assert_content(key, "long");
}

/* In byte order: '-' and '.' sort before '/', digits behind it. */
static const char *const ordered[] = {
	"list/A",    "list/a",	 "list/a-b",  "list/a.d/x", "list/a.e",
	"list/aa",   "list/b/-", "list/b/0",  "list/b/c/d", "list/b/c/e",
	"list/b/c0", "list/b0",	 "list/ba/x", "list/c",	    "lisu",
};

static void put_ordered(void)
{
	for (size_t i = ARRAY_SIZE(ordered); i--;)
		put(ordered[i], ordered[i]);
}

static void test_list(void **state)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };

	put_ordered();
	assert_int_equal(store_list(store, "lis", "", 1000, &l), 0);
	assert_int_equal(l.n, ARRAY_SIZE(ordered));
	assert_false(l.more);
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.entry[i].key, ordered[i]);
		assert_int_equal(l.entry[i].size, strlen(ordered[i]));
		assert_true(l.entry[i].modified_ns > 0);
	}
	store_list_done(&l);
	assert_int_equal(store_list(store, "nothing/", "", 10, &l), 0);
	assert_int_equal(l.n, 0);
	assert_false(l.more);
}

static void assert_page(const char *prefix, const char *after, size_t max,
			size_t first, size_t n, bool more)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };

	assert_int_equal(store_list(store, prefix, after, max, &l), 0);
	assert_int_equal(l.n, n);
	assert_int_equal(l.more, more);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(l.entry[i].key, ordered[first + i]);
}

static void test_list_pages(void **state)
{
	put_ordered();
	assert_page("list/", "", 1, 0, 1, true);
	assert_page("list/", "list/A", 4, 1, 4, true);
	assert_page("list/", "list/b/0", 3, 8, 3, true);
	assert_page("list/", "list/ba/x", 1, 13, 1, false);
	assert_page("list/", "list/c", 5, 0, 0, false);
	assert_page("list/b", "", 100, 6, 7, false);
	assert_page("list/b/", "", 5, 6, 5, false);
	assert_page("list/b/", "list/b/c/d", 5, 9, 2, false);
	assert_page("list/b/c/d", "", 5, 8, 1, false);
	/* `after` that no object has, and one outside of the prefix. */
	assert_page("list/", "list/az", 2, 6, 2, true);
	assert_page("list/", "list/b/", 2, 6, 2, true);
	assert_page("list/b", "list/a", 2, 6, 2, true);
	assert_page("list/b", "zzz", 2, 0, 0, false);
}

static void test_list_all_by_ones(void **state)
{
	char after[STORE_KEY_MAX + 1] = "";
	bool more = true;
	size_t i;

	put_ordered();
	for (i = 0; more; i++) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		assert_int_equal(store_list(store, "list/", after, 1, &l), 0);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.entry[0].key, ordered[i]);
		strcpy(after, l.entry[0].key);
		more = l.more;
	}
	assert_int_equal(i, ARRAY_SIZE(ordered) - 1);
}

static void test_skew(void **state)
{
	int64_t ahead;
	char c;

	store_get(store, "skew/none", 0, &c, 1);
	assert_int_equal(store_skew(store, &ahead), 0);
	/* The stores under test run on this machine. */
	assert_in_range(ahead + 3000000000LL, 0, 6000000000LL);
}

#define RACERS 8

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	char text[8];
	int rc;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct store_put_opts opts = { .if_absent = true };

	pthread_barrier_wait(r->start);
	r->rc = store_put(store, "race/new/key", r->text, strlen(r->text),
			  &opts);
	return NULL;
}

static void run_race(void)
{
	struct racer r[RACERS] = { 0 };
	pthread_barrier_t start;
	size_t winner = RACERS;

	pthread_barrier_init(&start, NULL, RACERS);
	for (size_t i = 0; i < RACERS; i++) {
		r[i].start = &start;
		snprintf(r[i].text, sizeof(r[i].text), "no %zu", i);
		assert_int_equal(
			pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
	}
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(r[i].thread, NULL);
	pthread_barrier_destroy(&start);
	for (size_t i = 0; i < RACERS; i++) {
		if (r[i].rc == 0) {
			assert_int_equal(winner, RACERS);
			winner = i;
		} else {
			assert_int_equal(r[i].rc, -EEXIST);
		}
	}
	assert_true(winner < RACERS);
	assert_content("race/new/key", r[winner].text);
	assert_int_equal(store_del1(store, "race/new/key"), 0);
}

static void test_race(void **state)
{
	bool atomic = has_create_only();

	for (int i = 0; i < 5 && atomic; i++)
		run_race();
}

/* --- what to test ------------------------------------------------------ */

/* A prefix of this run's own; lives as long as the program. */
static const char *run_prefix(void)
{
	static char prefix[48];
	uint8_t rnd[8];
	char hex[17];

	if (io_random(rnd, sizeof(rnd)) < 0)
		return NULL;
	hex_encode(rnd, sizeof(rnd), hex);
	snprintf(prefix, sizeof(prefix), "contract/%s/", hex);
	return prefix;
}

static struct store *open_driver(const char *driver)
{
	struct store_opts o = { .name = driver, .prefix = run_prefix() };
	struct err err = ERR_INIT;
	struct store *s = NULL;

	if (strcmp(driver, "mem") == 0)
		return store_mem_new();
	if (strcmp(driver, "dir") == 0) {
		if (!mkdtemp(tmp_dir))
			return NULL;
		o.kind = STORE_DIR;
		o.endpoint = tmp_dir;
		o.bucket = "bucket";
	} else if (strncmp(driver, "s3", 2) == 0) {
		o.kind = driver[2] ? STORE_S3V2 : STORE_S3;
		o.endpoint = env("ENDPOINT");
		o.region = env("REGION");
		o.access_key = env("ACCESS_KEY");
		o.secret_key = env("SECRET_KEY");
		o.bucket = env("BUCKET");
		o.ca_file = env("CA");
		o.accept_unverified_peer = env("ACCEPT");
		o.virtual_style = env("STYLE") &&
				  strcmp(env("STYLE"), "virtual") == 0;
		o.in_flight = 8;
	} else {
		print_error("unknown store '%s'\n", driver);
		return NULL;
	}
	if (store_open(&o, &s, &err) < 0)
		print_error("%s\n", err.msg);
	return s;
}

static struct store *decorate(const char *name, size_t n, struct store *inner)
{
	struct store_retry_opts retry = { .attempts = 3,
					  .base_ns = 1000000,
					  .budget = &flow.budget };

	if (strncmp(name, "shared", n) == 0)
		return store_shared_new(inner);
	if (strncmp(name, "meter", n) == 0)
		return store_meter_new(inner, &counts, &health);
	if (strncmp(name, "retry", n) == 0)
		return store_retry_new(inner, &retry);
	if (strncmp(name, "pace", n) == 0)
		return store_pace_new(inner, &pace, true);
	if (strncmp(name, "limit", n) == 0)
		return store_limit_new(inner, &flow.limiter, true);
	if (strncmp(name, "breaker", n) == 0)
		return store_breaker_new(inner, &flow.breaker);
	if (strncmp(name, "fault", n) == 0)
		return store_fault_new(inner, &no_faults);
	print_error("unknown decorator in '%s'\n", spec);
	store_free(inner);
	return NULL;
}

/* Opens what `what` describes: the part before the first comma goes around
 * all that stands behind it. */
static struct store *open_chain(const char *what)
{
	const char *comma = strchr(what, ',');
	struct store *inner;

	if (!comma)
		return open_driver(what);
	inner = open_chain(comma + 1);
	return inner ? decorate(what, (size_t)(comma - what), inner) : NULL;
}

static int setup(void **state)
{
	static const uint64_t least = 5 << 20;

	if (env("PARTS"))
		s3_limits = (struct s3_limits){ .put = least,
						.put_part = least,
						.copy = least,
						.copy_part = least };
	store_flow_init(&flow, LIMIT, 0);
	store_pace_init(&pace, &no_limits);
	store = open_chain(spec);
	return store ? 0 : -1;
}

static int empty_store(void)
{
	bool more = true;

	while (more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };
		int rc = store_list(store, "", "", 1000, &l);

		for (size_t i = 0; rc == 0 && i < l.n; i++)
			rc = store_del1(store, l.entry[i].key);
		if (rc < 0)
			return rc;
		more = l.more;
	}
	return 0;
}

static int teardown(void **state)
{
	int rc = empty_store();

	store_free(store);
	store_pace_done(&pace);
	store_flow_done(&flow);
	if (strstr(spec, "dir") && test_rm(tmp_dir) != 0)
		rc = -1;
	if (strstr(spec, "meter") && (counts.puts == 0 || health.down))
		rc = -1;
	return rc;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get),
		cmocka_unit_test(test_create_only),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_storage_class),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_delete_many),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_pages),
		cmocka_unit_test(test_list_all_by_ones),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_race),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s [DECORATOR,...]mem|dir|s3\n",
			argv[0]);
		return 2;
	}
	spec = argv[1];
	return cmocka_run_group_tests_name(spec, tests, setup, teardown);
}
