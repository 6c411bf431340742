/* SPDX-License-Identifier: Apache-2.0 */
/* Protect, evict, recall, at the sizes where things change. */
#include "tests/unit/move/util.h"

#include <pthread.h>

static void test_sizes(void **state)
{
	static const size_t size[] = {
		0,	    1,	    65535,	65536,		65537,
		OBJECT - 1, OBJECT, OBJECT + 1, 3 * OBJECT + 5, 4 * OBJECT,
	};
	uint64_t ino[ARRAY_SIZE(size)], before;
	char name[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		snprintf(name, sizeof(name), "%zu", size[i]);
		ino[i] = make_file(name, i, size[i]);
	}
	move_protect_now(mv, 0);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		assert_true(wait_state(ino[i], META_LOCAL));
		if (size[i])
			evict_file(ino[i]);
		else
			assert_int_equal(evict_settled(ino[i]), 0);
	}
	restart();
	before = gets();
	for (i = 0; i < ARRAY_SIZE(size); i++)
		expect_file(ino[i], i, size[i]);
	assert_true(gets() > before);
	for (i = 0; i < ARRAY_SIZE(size); i++)
		assert_true(wait_state(ino[i], META_LOCAL));
	before = gets();
	for (i = 0; i < ARRAY_SIZE(size); i++) /* from the cache */
		expect_file(ino[i], i, size[i]);
	assert_int_equal(gets(), before);
}

static void test_settle(void **state)
{
	uint64_t ino;

	stop_move();
	mopts.settle_ns = NSEC_PER_SEC;
	assert_int_equal(start_move(), 0);
	ino = make_file("a", 1, 1000);
	assert_int_equal(cache_flush(c), 0);
	clock_sleep_ns(300000000);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_true(wait_state(ino, META_LOCAL)); /* by itself */
}

static void test_sparse(void **state)
{
	const uint64_t end = 40 * OBJECT;
	uint64_t ino = new_file("a"), before;
	struct cache_file *f = file_open(ino, true);
	uint8_t b[16], zero[16] = { 0 };
	struct meta_inode row;

	write_at(f, 1, 3 * 65536 + 100, 65536);
	write_at(f, 1, 9 * OBJECT + 5, 3 * OBJECT);
	assert_int_equal(cache_truncate(f, end), 0);
	file_close(f, true);
	protect_all(ino);
	/* Holes have no packs: 2 for the 64 KiB and 4 for the rest. */
	assert_true(count_packs(META_PACK_STORED) <= 6);
	evict_file(ino);
	before = gets();
	f = file_open(ino, false);
	assert_int_equal(move_recall(mv, f, 0, 65536, STORE_CAUSE_READ, NULL),
			 0);
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_RECALL, NULL), 0);
	assert_true(gets() - before <= 8);
	expect_at(f, 1, 3 * 65536 + 100, 65536);
	expect_at(f, 1, 9 * OBJECT + 5, 3 * OBJECT);
	assert_int_equal(cache_pread(f, b, 16, 3 * 65536 + 84), 16);
	assert_memory_equal(b, zero, 16);
	assert_int_equal(cache_pread(f, b, 16, end - 10), 10);
	assert_memory_equal(b, zero, 10);
	file_close(f, false);
	row_get(ino, &row);
	assert_int_equal(row.state, META_LOCAL);
	assert_int_equal(row.size, end);
	assert_true(row.cached_bytes < 6 * OBJECT); /* holes stay holes */
}

static void test_all_hole(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f = file_open(ino, true);
	uint8_t b[10], zero[10] = { 0 };

	assert_int_equal(cache_truncate(f, 3 * OBJECT), 0);
	file_close(f, true);
	protect_all(ino);
	evict_file(ino);
	assert_int_equal(recall(ino, 0, 0), 0);
	f = file_open(ino, false);
	assert_int_equal(cache_pread(f, b, 10, 2 * OBJECT), 10);
	assert_memory_equal(b, zero, 10);
	file_close(f, false);
}

/* Small files of one directory share a pack; when they make half of one,
 * those of others do not. */
static void test_grouping(void **state)
{
	uint64_t d[2], ino[40];
	struct meta_pack a, b;
	char name[16];
	int i;

	SET(down, true);
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		d[i] = new_file_in(META_ROOT_INO, name, S_IFDIR | 0755);
	}
	stop_move();
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino[i] = new_file_in(d[i % 2], name, S_IFREG | 0644);
		write_file(ino[i], i, 10000);
	}
	assert_int_equal(cache_flush(c), 0);
	SET(down, false);
	assert_int_equal(start_move(), 0);
	for (i = 0; i < 40; i++)
		assert_true(wait_state(ino[i], META_LOCAL));
	assert_int_equal(count_packs(META_PACK_STORED), 2);
	pack_of(ino[0], &a);
	pack_of(ino[2], &b);
	assert_int_equal(a.row, b.row);
	pack_of(ino[1], &b);
	assert_int_not_equal(a.row, b.row);
	for (i = 0; i < 40; i++)
		assert_int_equal(evict_settled(ino[i]), 0);
	for (i = 0; i < 40; i++)
		expect_file(ino[i], i, 10000);
}

/* A new version replaces the old pack, which is condemned. */
static void test_new_version(void **state)
{
	uint64_t ino = protected_file("a", 1, 100000);
	struct cache_file *f = file_open(ino, true);
	uint8_t b = 0;

	assert_int_equal(cache_pwrite(f, &b, 1, 5), -EAGAIN); /* S12 */
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL), 0);
	write_at(f, 2, 70000, 50000);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
	file_close(f, true);
	protect_all(ino);
	assert_int_equal(count_packs(META_PACK_STORED), 1);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
	evict_file(ino);
	assert_int_equal(recall(ino, 0, 0), 0);
	f = file_open(ino, false);
	expect_at(f, 1, 0, 70000);
	expect_at(f, 2, 70000, 50000);
	file_close(f, false);
}

static void test_reap(void **state)
{
	uint64_t ino = protected_file("a", 1, 100000);
	struct cache_file *f = file_open(ino, false);
	struct meta_inode row;
	META_TXN(t);
	/* An attempt that came to nothing is condemned, too. */
	int i, rc, condemned = count_packs(META_PACK_CONDEMNED);

	unlink_file(ino, "a");
	move_reap_soon(mv);
	clock_sleep_ns(100000000);
	row_get(ino, &row); /* open: it is still there */
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL), 0);
	expect_at(f, 1, 0, 100000);
	file_close(f, false);
	move_reap_soon(mv);
	for (i = 0, rc = 0; i < 300 && rc == 0; i++) {
		clock_sleep_ns(10000000);
		assert_int_equal(meta_read(m, &t), 0);
		rc = meta_inode_get(&t, ino, &row);
		meta_abort(&t);
	}
	assert_int_equal(rc, -ENOENT);
	assert_false(local_exists(ino));
	assert_int_equal(count_packs(META_PACK_CONDEMNED), condemned + 1);
}

/* ---- readers share ---------------------------------------------------- */

#define READERS 8
#define BIG	(12 * OBJECT)

static void *reader(void *arg)
{
	expect_file(*(uint64_t *)arg, 1, BIG);
	return NULL;
}

static void test_readers_share(void **state)
{
	uint64_t ino = protected_file("a", 1, BIG), before = gets(), one;
	pthread_t t[READERS];
	int i;

	assert_int_equal(recall(ino, 0, 0), 0);
	one = gets() - before;
	assert_true(one >= 12);
	evict_file(ino);
	before = gets();
	for (i = 0; i < READERS; i++)
		pthread_create(&t[i], NULL, reader, &ino);
	for (i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	/* In smaller steps, but each byte once. */
	assert_true(gets() - before <= BIG / (128 * KIB));
}

/* A small file is one GET, whatever was asked for first. */
static void test_small_is_one_get(void **state)
{
	uint64_t ino, before;

	stop_move();
	mopts.object_size = 16 * MIB;
	assert_int_equal(start_move(), 0);
	ino = protected_file("a", 1, 600 * KIB);
	before = gets();
	expect_file(ino, 1, 600 * KIB);
	assert_int_equal(gets() - before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_sizes),
		MOVE_TEST(test_settle),
		MOVE_TEST(test_sparse),
		MOVE_TEST(test_all_hole),
		MOVE_TEST(test_grouping),
		MOVE_TEST(test_new_version),
		MOVE_TEST(test_reap),
		MOVE_TEST(test_readers_share),
		MOVE_TEST(test_small_is_one_get),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
