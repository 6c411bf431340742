/* SPDX-License-Identifier: Apache-2.0 */
/* The quota of bytes: exact for whatever makes files longer. */
#include "tests/unit/cache/util.h"

#include <pthread.h>
#include <stdatomic.h>

#define LIMIT (100 * KIB + 1)

static uint64_t used(void)
{
	struct meta_usage u;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	meta_usage(&t, &u);
	return u.bytes;
}

static void limit(uint64_t bytes)
{
	struct meta_quota q = { .bytes = bytes };

	meta_quota_set(m, &q);
}

/* Counters and rows agree, and nothing is charged beyond them. */
static void verify_idle(void)
{
	struct meta_recount r;

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(meta_recount(m, NULL, NULL, &r), 0);
	assert_true(r.exact);
	assert_int_equal(used(), r.bytes);
	assert_int_equal(cache_account(c), 1);
}

static ssize_t put(struct cache_file *f, uint64_t off, size_t n)
{
	static const uint8_t zero[128 * KIB];

	assert_true(n <= sizeof(zero));
	return cache_pwrite(f, zero, n, off);
}

static void test_write(void **state)
{
	struct cache_file *f;
	struct meta_inode row;
	uint64_t ino;

	limit(LIMIT);
	ino = make_file("f", 1, 64 * KIB);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(protect(ino), 0);
	f = file_open(ino, true);
	/* Refused as a whole, and not even marked changed. */
	assert_int_equal(put(f, 64 * KIB, 36 * KIB + 2), -EDQUOT);
	assert_int_equal(put(f, 1ULL << 40, 1), -EDQUOT);
	assert_int_equal(cache_truncate(f, LIMIT + 1), -EDQUOT);
	assert_int_equal(cache_allocate(f, 0, 0, LIMIT + 1), -EDQUOT);
	assert_int_equal(cache_allocate(f, FALLOC_FL_ZERO_RANGE, LIMIT, 1),
			 -EDQUOT);
	assert_int_equal(state_of(ino), META_LOCAL);
	assert_int_equal(used(), 64 * KIB);
	/* To the last byte. */
	assert_int_equal(put(f, 64 * KIB, 36 * KIB + 1), 36 * KIB + 1);
	assert_int_equal(put(f, LIMIT, 1), -EDQUOT);
	assert_int_equal(cache_size(f), LIMIT);
	row_get(ino, &row);
	assert_int_equal(row.size, 64 * KIB); /* lags, and is not counted */
	assert_int_equal(cache_account(c), 1);
	meta_grown(m, 1);
	assert_int_equal(cache_account(c), 0);
	meta_grown(m, -1);
	/* What does not grow is always allowed. */
	assert_int_equal(put(f, 0, 128 * KIB - LIMIT), 128 * KIB - LIMIT);
	assert_int_equal(put(f, LIMIT - 1, 1), 1);
	assert_int_equal(cache_allocate(f, FALLOC_FL_KEEP_SIZE, LIMIT, 4096),
			 0);
	assert_int_equal(cache_allocate(f, FALLOC_FL_ZERO_RANGE, 0, 4096), 0);
	file_close(f, true);
	assert_int_equal(used(), LIMIT);
	verify_idle();
}

static void test_lowered(void **state)
{
	uint64_t ino = make_file("f", 1, 64 * KIB);
	struct cache_file *f = file_open(ino, true);

	limit(1000);
	assert_int_equal(put(f, 0, 4096), 4096);
	assert_int_equal(put(f, 64 * KIB, 1), -EDQUOT);
	assert_int_equal(cache_truncate(f, 2000), 0);
	assert_int_equal(put(f, 2000, 1), -EDQUOT);
	assert_int_equal(used(), 2000);
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(put(f, 0, 1000), 1000);
	assert_int_equal(put(f, 0, 1001), -EDQUOT);
	file_close(f, true);
	verify_idle();
}

static void test_copy(void **state)
{
	uint64_t a = make_file("a", 1, 60 * KIB), b = make_file("b", 2, 1);
	struct cache_file *from = file_open(a, false), *to = file_open(b, true);

	limit(LIMIT);
	assert_int_equal(cache_copy(from, 0, to, 0, 60 * KIB), -EDQUOT);
	assert_int_equal(cache_copy(from, 0, to, 0, 40 * KIB + 1),
			 40 * KIB + 1);
	assert_int_equal(used(), LIMIT);
	file_close(from, false);
	file_close(to, true);
	verify_idle();
}

/* A file whose bytes are elsewhere counts all the same, and a change that
 * the quota refuses fetches nothing. */
static void test_remote(void **state)
{
	uint64_t ino = make_file("f", 1, 64 * KIB), freed;
	struct cache_file *f;

	limit(LIMIT);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	assert_int_equal(used(), 64 * KIB);
	f = file_open(ino, true);
	assert_int_equal(put(f, 64 * KIB, 64 * KIB), -EDQUOT);
	assert_int_equal(put(f, 64 * KIB, 1), -EAGAIN);
	assert_int_equal(used(), 64 * KIB); /* nothing stays charged */
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(used(), 0);
	file_close(f, true);
	verify_idle();
}

/* What an unlinked file had grown goes with it, flushed or not. */
static void test_drop(void **state)
{
	uint64_t ino = new_file("f");
	struct cache_file *f = file_open(ino, true);
	META_TXN(t);

	assert_int_equal(put(f, 0, 5000), 5000);
	unlink_file(ino, "f");
	assert_int_equal(used(), 5000);
	assert_int_equal(cache_drop(c, ino), -EBUSY);
	assert_int_equal(put(f, 5000, 5000), 5000);
	assert_int_equal(used(), 10000);
	file_close(f, true);
	while (cache_drop(c, ino) == -EBUSY) /* the flush has it */
		clock_sleep_ns(1000000);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	verify_idle();
	assert_int_equal(used(), 0);
}

/* ---- many at once ---------------------------------------------------- */

#define WRITERS 4

static _Atomic bool watching;
static _Atomic uint64_t most;

static void *watcher(void *arg)
{
	(void)arg;
	while (watching) {
		uint64_t now = used();

		if (now > most)
			most = now;
	}
	return NULL;
}

/* Appends, now to a file of its own and now to the shared one, until not one
 * byte more fits. */
static void *writer(void *arg)
{
	struct cache_file **f = arg;
	size_t n = 7777;
	unsigned i;

	for (i = 0; n > 0; i++) {
		struct cache_file *to = f[i % 2];
		ssize_t got = put(to, cache_size(to), n);

		if (got == -EDQUOT)
			n /= 2;
		else
			assert_int_equal(got, n);
		if (i % 7 == 0 && i < 500)
			assert_int_equal(cache_truncate(to, cache_size(to) / 2),
					 0);
		if (i % 11 == 0)
			assert_int_equal(cache_fsync(to, true), 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct cache_file *f[WRITERS][2], *shared;
	uint64_t sum = 0, ino = new_file("shared");
	pthread_t thread[WRITERS], watch;
	char name[16];
	int i;

	limit(1000001);
	watching = true;
	most = 0;
	shared = file_open(ino, true);
	assert_int_equal(pthread_create(&watch, NULL, watcher, NULL), 0);
	for (i = 0; i < WRITERS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		f[i][0] = file_open(new_file(name), true);
		f[i][1] = shared;
		assert_int_equal(pthread_create(&thread[i], NULL, writer, f[i]),
				 0);
	}
	for (i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	watching = false;
	pthread_join(watch, NULL);
	for (i = 0; i < WRITERS; i++) {
		sum += cache_size(f[i][0]);
		file_close(f[i][0], true);
	}
	sum += cache_size(shared);
	file_close(shared, true);
	assert_true(most <= 1000001);
	assert_int_equal(used(), sum);
	verify_idle();
}

/* ---- after a crash --------------------------------------------------- */

static void grow_and_die(void)
{
	struct cache_file *f;

	close_state();
	if (fork() == 0) {
		if (open_state() < 0)
			_exit(1);
		f = file_open(new_file("f"), true);
		put(f, 0, 50000);
		cache_fsync(f, true); /* the row says 50000 */
		put(f, 50000, 12345);
		f = file_open(new_file("g"), true);
		put(f, 0, 100);
		kill(getpid(), SIGKILL);
	}
	assert_true(wait(NULL) > 0);
	assert_int_equal(open_state(), 0);
}

static void test_crash(void **state)
{
	grow_and_die();
	assert_int_equal(used(), 62445);
	verify_idle();
	limit(62446);
	make_file("h", 1, 1);
	assert_int_equal(used(), 62446);
	reopen();
	assert_int_equal(used(), 62446);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_write), STATE_TEST(test_lowered),
		STATE_TEST(test_copy),	STATE_TEST(test_remote),
		STATE_TEST(test_drop),	STATE_TEST(test_threads),
		STATE_TEST(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
