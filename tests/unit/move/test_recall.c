/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the store, in which order, and by whom it is waited for. */
#include "tests/unit/move/slow.h"

#include <pthread.h>

#define FRAME 65536ULL

static uint64_t big_file(size_t n)
{
	return protected_file("big", 1, n);
}

/* An unaligned read of 64 KiB is two frames, with one GET: nothing before it,
 * nothing beside it. */
static void test_random(void **state)
{
	uint64_t ino = big_file(32 * MIB);
	struct cache_file *f = file_open(ino, false);
	struct store_counts n;

	assert_int_equal(read_at(f, 5 * MIB + 1000, FRAME, 0), 0);
	expect_at(f, 1, 5 * MIB + 1000, FRAME);
	n = read_counts();
	assert_int_equal(n.gets, 1);
	assert_int_equal(n.in_bytes, sealed(ino, 5 * MIB, 2 * FRAME));
	assert_int_equal(read_at(f, 5 * MIB + FRAME, 2 * FRAME, 0), 0);
	n = read_counts(); /* one of the two was there */
	assert_int_equal(n.gets, 2);
	assert_int_equal(n.in_bytes, sealed(ino, 5 * MIB, 3 * FRAME));
	file_close(f, false);
}

/* What is fetched ahead is not waited for, and is asked for once. */
static void test_ahead(void **state)
{
	uint64_t ino = big_file(20 * MIB);
	struct cache_file *f = file_open(ino, false);
	struct store_counts n;

	assert_int_equal(read_at(f, 0, 2 * FRAME, 9 * MIB), 0);
	move_ahead(mv, f, MIB, 9 * MIB);
	assert_true(wait_here(f, 0, 9 * MIB));
	expect_at(f, 1, 0, 9 * MIB);
	n = read_counts();
	/* Its own, to 4 MiB, to 8, to 9. */
	assert_int_equal(n.gets, 4);
	assert_int_equal(n.in_bytes, sealed(ino, 0, 9 * MIB));
	assert_false(is_here(f, 9 * MIB, 1));
	file_close(f, false);
}

/* Bytes that have arrived are read while the rest is on its way. */
static void test_early(void **state)
{
	uint64_t ino = big_file(4 * MIB);
	struct cache_file *f = file_open(ino, false);

	slow_set(512 * KIB, true);
	move_ahead(mv, f, 0, 4 * MIB);
	slow_wait(1);
	assert_int_equal(read_at(f, 100, 2 * FRAME, 0), 0);
	expect_at(f, 1, 100, 2 * FRAME);
	assert_int_equal(slow_waiting(), 1);
	assert_false(is_here(f, MIB, 1));
	slow_set(SIZE_MAX, false);
	assert_true(wait_here(f, 0, 4 * MIB));
	assert_int_equal(read_counts().gets, 1);
	expect_at(f, 1, 0, 4 * MIB);
	file_close(f, false);
}

/* An attempt that begins once more takes back what it had told of. */
static void test_begins_again(void **state)
{
	uint64_t ino = big_file(4 * MIB);
	struct cache_file *f = file_open(ino, false);
	uint64_t off;

	slow.again = 3;
	move_ahead(mv, f, 0, 4 * MIB);
	for (off = 0; off < 4 * MIB; off += FRAME)
		assert_int_equal(read_at(f, off, FRAME, 0), 0);
	expect_at(f, 1, 0, 4 * MIB);
	file_close(f, false);
}

/* What was damaged on the way is asked for once more; an object that is bad
 * twice is bad. */
static void test_damaged_on_the_way(void **state)
{
	uint64_t ino = big_file(4 * MIB);
	struct cache_file *f = file_open(ino, false);

	slow.flips = 1;
	assert_int_equal(read_at(f, 0, 2 * FRAME, 0), 0);
	expect_at(f, 1, 0, 2 * FRAME);
	assert_int_equal(read_counts().gets, 2);
	slow.flips = 2;
	assert_int_equal(read_at(f, MIB, FRAME, 0), -EIO);
	assert_int_equal(read_counts().gets, 4);
	assert_int_equal(read_at(f, MIB, FRAME, 0), 0);
	file_close(f, false);
}

static void *read_two(void *arg)
{
	struct cache_file *f = file_open(*(uint64_t *)arg, false);

	assert_int_equal(read_at(f, 30 * MIB, FRAME, 0), 0);
	file_close(f, false);
	return NULL;
}

/* A reader's own need finds a thread, whatever is fetched ahead. */
static void test_own_need_first(void **state)
{
	uint64_t ino = big_file(32 * MIB);
	struct cache_file *f = file_open(ino, false);
	pthread_t t;

	slow_set(0, true); /* each GET, before its first byte */
	move_ahead(mv, f, 0, 28 * MIB);
	slow_wait(mopts.in_flight - 1); /* a quarter is kept */
	pthread_create(&t, NULL, read_two, &ino);
	slow_wait(mopts.in_flight);
	slow_set(SIZE_MAX, false);
	pthread_join(t, NULL);
	assert_true(wait_here(f, 0, 28 * MIB));
	file_close(f, false);
}

/* Who closes the file gives up what was to come. */
static void test_closed(void **state)
{
	uint64_t ino = big_file(32 * MIB);
	struct cache_file *f = file_open(ino, false);
	uint64_t before;

	slow_set(0, true);
	move_ahead(mv, f, 0, 32 * MIB);
	slow_wait(mopts.in_flight - 1);
	before = read_counts().gets;
	file_close(f, false);
	slow_set(SIZE_MAX, false);
	stop_move(); /* the list is empty when it has stopped */
	assert_int_equal(read_counts().gets, before);
	assert_int_equal(start_move(), 0);
}

/* ---- many readers ------------------------------------------------------- */

#define READERS 16
#define SHARED	(6 * MIB)

static void *read_all(void *arg)
{
	struct cache_file *f = file_open(*(uint64_t *)arg, false);
	uint64_t off, k = 3 * FRAME;

	for (off = 0; off < SHARED; off += k) {
		k = MIN(k, SHARED - off);
		assert_int_equal(read_at(f, off, k, MIN(off + 2 * MIB, SHARED)),
				 0);
		expect_at(f, 1, off, k);
	}
	file_close(f, false);
	return NULL;
}

/* Each byte comes once. */
static void test_readers_share(void **state)
{
	uint64_t ino = big_file(SHARED);
	pthread_t t[READERS];
	int i;

	slow.takes_ns = 2000000;
	for (i = 0; i < READERS; i++)
		pthread_create(&t[i], NULL, read_all, &ino);
	for (i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(read_counts().in_bytes, sealed(ino, 0, SHARED));
}

/* ---- bounded ------------------------------------------------------------ */

#define FILES 40

static void *read_whole(void *arg)
{
	struct cache_file *f = file_open(*(uint64_t *)arg, false);

	assert_int_equal(read_at(f, 0, MIB, 0), 0);
	file_close(f, false);
	return NULL;
}

/* The buffers of all that comes at once have a budget. */
static void test_budget(void **state)
{
	uint64_t ino[FILES];
	pthread_t t[FILES];
	char name[16];
	int i;

	stop_move();
	mopts.recall_bytes = 4 * MIB + 64 * KIB;
	mopts.in_flight = 16;
	mopts.object_size = MIB;
	assert_int_equal(start_move(), 0);
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino[i] = protected_file(name, (uint64_t)i, MIB + 1);
	}
	slow.takes_ns = 2000000;
	for (i = 0; i < FILES; i++)
		pthread_create(&t[i], NULL, read_whole, &ino[i]);
	for (i = 0; i < FILES; i++)
		pthread_join(t[i], NULL);
	assert_true(slow.most_bytes <= mopts.recall_bytes);
	assert_true(slow.most > 1);
	for (i = 0; i < FILES; i++)
		expect_file(ino[i], (uint64_t)i, MIB + 1);
}

static void *recall_whole(void *arg)
{
	struct cache_file *f = file_open(*(uint64_t *)arg, false);

	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL), 0);
	file_close(f, false);
	return NULL;
}

/* Who waits for bytes at the beginning does not keep the memory of those
 * further behind, which have come: all of it may be theirs. */
static void test_budget_is_given_back(void **state)
{
	uint64_t ino = big_file(12 * MIB);
	struct cache_file *f = file_open(ino, false);
	pthread_t t;

	stop_move();
	mopts.recall_bytes = 4 * MIB + 64 * KIB;
	assert_int_equal(start_move(), 0);
	slow_set(0, true);
	move_ahead(mv, f, 8 * MIB, 12 * MIB);
	slow_wait(1);
	pthread_create(&t, NULL, recall_whole, &ino);
	clock_sleep_ns(100000000); /* it waits for all three by now */
	slow_set(SIZE_MAX, false);
	pthread_join(t, NULL);
	assert_int_equal(read_counts().gets, 3);
	expect_at(f, 1, 0, 12 * MIB);
	file_close(f, false);
}

/* No room in the cache: what was fetched ahead is let go, at once, and evicts
 * nothing; what is read waits for room. */
static void test_no_room_ahead(void **state)
{
	uint64_t ino = big_file(8 * MIB), warm;
	struct cache_file *f, *w;
	struct store_counts n;

	stop_move();
	opts.size = 10 * MIB;
	mopts.read_wait_ns = 60 * NSEC_PER_SEC; /* room comes when it comes */
	reopen();
	assert_int_equal(start_move(), 0);
	warm = make_file("warm", 2, 6 * MIB);
	protect_all(warm);
	w = file_open(warm, false);
	f = file_open(ino, false);
	move_ahead(mv, f, 0, 8 * MIB);
	while ((n = read_counts()).gets < 2)
		clock_sleep_ns(5000000);
	assert_int_equal(read_at(f, 7 * MIB, FRAME, 0), 0);
	expect_at(f, 1, 7 * MIB, FRAME);
	expect_at(w, 2, 0, 6 * MIB);
	assert_false(is_here(f, 0, 8 * MIB));
	file_close(f, false);
	file_close(w, false);
}

/* ---- writers that come between ------------------------------------------ */

/* Bytes of a file that was cut short meanwhile are let go. */
static void test_truncated(void **state)
{
	uint64_t ino = big_file(2 * MIB);
	struct cache_file *f = file_open(ino, true);

	slow_set(0, true);
	move_ahead(mv, f, 0, 2 * MIB);
	slow_wait(1);
	assert_int_equal(cache_truncate(f, 0), 0);
	write_at(f, 2, 0, 100);
	slow_set(SIZE_MAX, false);
	stop_move();
	assert_int_equal(start_move(), 0);
	assert_int_equal(cache_size(f), 100);
	expect_at(f, 2, 0, 100);
	file_close(f, true);
	assert_int_equal(state_of(ino), META_DIRTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLOW_TEST(test_random),
		SLOW_TEST(test_ahead),
		SLOW_TEST(test_early),
		SLOW_TEST(test_begins_again),
		SLOW_TEST(test_damaged_on_the_way),
		SLOW_TEST(test_own_need_first),
		SLOW_TEST(test_closed),
		SLOW_TEST(test_readers_share),
		SLOW_TEST(test_budget),
		SLOW_TEST(test_no_room_ahead),
		SLOW_TEST(test_truncated),
		SLOW_TEST(test_budget_is_given_back),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
