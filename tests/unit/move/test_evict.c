/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eviction with a real cache, database and bucket: what the rule of
 * cache/value.h (its traces: tests/unit/cache/test_value.c) makes of them.
 */
#include "meta/tiering.h"
#include "tests/unit/move/util.h"

#define SHARE	(4 * MIB)
#define SIZE	(64 * KIB)
#define WORKING 24  /* files of the working set: 1.5 MiB */
#define SCAN	640 /* ten times the cache */

static uint64_t set_ino[WORKING], scan_ino[SCAN];

static void pass(int64_t seconds)
{
	clock_shift(seconds * NSEC_PER_SEC, seconds * NSEC_PER_SEC);
}

static int evict_setup(void **state)
{
	if (move_setup(state) < 0)
		return -1;
	opts.size = SHARE;
	opts.room_wait_ns = NSEC_PER_SEC;
	mopts.read_wait_ns = 20 * NSEC_PER_SEC;
	restart();
	return 0;
}

/* The tests' shifts of the clock add up to days: never back. */
#define EVICT_TEST(f) \
	cmocka_unit_test_setup_teardown(f, evict_setup, move_teardown)

static void make_many(uint64_t *ino, int n, const char *what)
{
	char name[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%d", what, i);
		ino[i] = make_file(name, (uint64_t)i, SIZE);
		if (i % 32 == 31 || i == n - 1)
			protect_all(ino[i]);
	}
}

/* As a client does it. */
static void read_file(uint64_t ino)
{
	struct cache_file *f = file_open(ino, false);
	uint64_t size = cache_size(f);

	cache_touch(f);
	assert_int_equal(move_recall(mv, f, 0, size, STORE_CAUSE_READ, NULL),
			 0);
	file_close(f, false);
}

static void read_set(void)
{
	int i;

	for (i = 0; i < WORKING; i++)
		read_file(set_ino[i]);
	pass(61);
}

/* What was fetched is recorded within a moment. */
static void expect_here(const uint64_t *ino, int n)
{
	int i;

	for (i = 0; i < n; i++)
		assert_true(wait_state(ino[i], META_LOCAL));
}

static int count_here(const uint64_t *ino, int n)
{
	int i, here = 0;

	for (i = 0; i < n; i++)
		here += state_of(ino[i]) == META_LOCAL;
	return here;
}

static void settle(void)
{
	struct cache_usage u;
	int i;

	for (i = 0; i < 1000; i++) {
		cache_usage(c, &u);
		if (!u.over_high)
			return;
		move_evict_now(mv);
		clock_sleep_ns(10000000);
	}
	assert_false(u.over_high);
}

static void test_scan(void **state)
{
	int i;

	(void)state;
	make_many(scan_ino, SCAN, "scan");
	make_many(set_ino, WORKING, "set");
	pass(61);
	read_set();
	read_set();
	read_set();
	expect_here(set_ino, WORKING);
	for (i = 0; i < SCAN; i++) {
		read_file(scan_ino[i]);
		pass(5);
		if (i % (SCAN / 4) == 0)
			read_set();
	}
	settle();
	expect_here(set_ino, WORKING);
	assert_true(count_here(scan_ino, SCAN) < 48);
}

/* What left lately, and comes back, is worth more; also after a restart. */
static void test_ghost(void **state)
{
	struct meta_inode row;
	int i;

	(void)state;
	make_many(scan_ino, SCAN / 2, "scan");
	pass(3600);
	make_many(set_ino, 1, "set");
	pass(61);
	evict_file(set_ino[0]);
	restart();
	read_file(set_ino[0]);
	row_get(set_ino[0], &row);
	assert_int_equal(value_class(row.access_ns), VALUE_TWICE);
	/* The first of the scan has more than a cache behind it. */
	for (i = 0; i < SCAN / 2; i++) {
		read_file(scan_ino[i]);
		pass(5);
	}
	settle();
	restart();
	assert_int_equal(state_of(scan_ino[0]), META_REMOTE);
	pass(61);
	read_file(scan_ino[0]);
	row_get(scan_ino[0], &row);
	assert_int_equal(value_class(row.access_ns), VALUE_ONCE);
}

/* Brought ahead: goes before what was opened, even if that is older. */
static void test_fetched(void **state)
{
	uint64_t a = protected_file("a", 1, SIZE), b;
	struct meta_inode row;

	(void)state;
	pass(3600);
	assert_int_equal(recall(a, 0, SIZE), 0);
	expect_here(&a, 1);
	row_get(a, &row);
	assert_int_equal(value_class(row.access_ns), VALUE_FETCHED);
	b = make_file("b", 2, SIZE);
	protect_all(b);
	row_get(b, &row);
	assert_int_equal(value_class(row.access_ns), VALUE_ONCE);
	/* Its reader comes late, and keeps the file open for long. */
	evict_file(a);
	read_file(a);
	expect_here(&a, 1);
	row_get(a, &row);
	assert_int_not_equal(value_class(row.access_ns), VALUE_FETCHED);
}

/* One large file goes before many small ones that would free as little as
 * they cost; but not for ever. */
static void test_dear(void **state)
{
	struct cache_usage u;
	uint64_t large;
	int i;

	(void)state;
	for (i = 0; i < WORKING; i++) {
		char name[32];

		snprintf(name, sizeof(name), "small-%d", i);
		set_ino[i] = make_file(name, 1, 4 * KIB);
	}
	protect_all(set_ino[WORKING - 1]);
	pass(1);
	large = make_file("large", 2, 3 * MIB);
	protect_all(large);
	assert_int_equal(state_of(set_ino[0]), META_LOCAL);
	pass(3600);
	make_many(scan_ino, 12, "new");
	settle();
	cache_usage(c, &u);
	assert_int_equal(state_of(large), META_REMOTE);
	expect_here(set_ino, WORKING);
	make_many(scan_ino, 60, "more");
	settle();
	assert_int_equal(count_here(set_ino, WORKING), 0);
}

/* More is pinned than the cache holds: what does not fit is not fetched again
 * and again. */
static void test_pinned(void **state)
{
	struct meta_pin p = { .cause = "pin", .made_ns = clock_wall_ns() };
	META_TXN(t);
	uint64_t n;
	int i;

	(void)state;
	make_many(scan_ino, 96, "scan"); /* one and a half caches */
	stop_move();
	mopts.read_wait_ns = NSEC_PER_SEC;
	assert_int_equal(start_move(), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	p.ino = scan_ino[0];
	assert_int_equal(meta_pin_add(&t, &p), 0);
	for (i = 0; i < 96; i++)
		assert_int_equal(meta_pin_file(&t, p.id, scan_ino[i]), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	move_pinned(mv);
	for (i = 0; i < 3000 && !atomic_load(&mv->full); i++) {
		move_evict_now(mv);
		clock_sleep_ns(10000000);
	}
	assert_true(atomic_load(&mv->full));
	clock_sleep_ns(3 * NSEC_PER_SEC); /* who waits gives up */
	n = gets();
	for (i = 0; i < 4; i++) {
		move_pinned(mv);
		clock_sleep_ns(NSEC_PER_SEC);
	}
	assert_int_equal(gets(), n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVICT_TEST(test_scan),	  EVICT_TEST(test_ghost),
		EVICT_TEST(test_fetched), EVICT_TEST(test_dear),
		EVICT_TEST(test_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
