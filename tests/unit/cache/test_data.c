/* SPDX-License-Identifier: Apache-2.0 */
/* Handles, reading, changing, attributes, flush, space. */
#include "tests/unit/cache/util.h"

static void test_write_read(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;
	bool volatile_attr;
	blkcnt_t blocks;
	uint8_t b;

	assert_false(local_exists(ino));
	write_at(f, 1, 0, 100000);
	write_at(f, 1, 99000, 5000);
	expect_at(f, 1, 0, 104000);
	assert_int_equal(cache_size(f), 104000);
	assert_int_equal(cache_pread(f, &b, 1, 104000), 0);
	assert_true(cache_in_use(f));

	row_get(ino, &row);
	assert_true(row.opened_for_write);
	assert_int_equal(row.size, 0); /* the file's own is newer (S11) */
	assert_int_equal(cache_attr(c, &row, &blocks, &volatile_attr), 0);
	assert_int_equal(row.size, 104000);
	assert_true(volatile_attr);
	assert_true(blocks > 0);
	file_close(f, true);

	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_false(row.opened_for_write);
	assert_int_equal(row.size, 104000);
	assert_int_equal(row.state, META_DIRTY);
	assert_true(row.cached_bytes >= 104000);
	assert_true(row.dirty_ns > 0);
	assert_int_equal(cache_attr(c, &row, &blocks, &volatile_attr), 0);
	assert_false(volatile_attr);
	reopen();
	f = file_open(ino, false);
	expect_at(f, 1, 0, 104000);
	file_close(f, false);
}

static void test_flush_by_itself(void **state)
{
	uint64_t ino = make_file("a", 1, 10);
	struct meta_inode row;
	int i;

	for (i = 0; i < 300; i++) {
		row_get(ino, &row);
		if (!row.opened_for_write)
			break;
		clock_sleep_ns(10000000);
	}
	assert_false(row.opened_for_write);
	assert_int_equal(row.size, 10);
}

/* More closed files than keep_fds: the closing thread helps. */
static void test_flush_bounded(void **state)
{
	struct meta_inode row;
	uint64_t first = 0;
	char name[16];
	int i, open_rows = 0;

	opts.keep_fds = 4;
	reopen();
	for (i = 0; i < 40; i++) {
		uint64_t ino;

		snprintf(name, sizeof(name), "%d", i);
		ino = make_file(name, i, 100);
		first = first ? first : ino;
	}
	for (i = 0; i < 40; i++) {
		row_get(first + i, &row);
		open_rows += row.opened_for_write;
	}
	assert_true(open_rows <= 9);
}

static void test_times(void **state)
{
	int64_t atime = clock_wall_ns() + NSEC_PER_SEC, mtime = -5000000000LL;
	uint64_t ino = make_file("a", 1, 10);
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	assert_int_equal(cache_utimens(f, NULL, &mtime), 0);
	assert_int_equal(cache_utimens(f, &atime, NULL), 0);
	file_close(f, true);
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_int_equal(row.mtime_ns, mtime);
	assert_int_equal(row.atime_ns, atime);

	/* A change moves mtime, not atime. */
	write_file(ino, 1, 20);
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_int_equal(row.atime_ns, atime);
	assert_true(row.mtime_ns > 0);

	f = file_open(ino, false); /* not opened_for_write: the row */
	assert_int_equal(cache_utimens(f, &atime, &mtime), 0);
	file_close(f, false);
	row_get(ino, &row);
	assert_int_equal(row.mtime_ns, mtime);
}

static void test_versions(void **state)
{
	uint64_t ino = make_file("a", 1, 10), v1, v2, size;
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	cache_version(f, &v1, &size);
	assert_int_equal(size, 10);
	assert_int_equal(cache_flush(c), 0);
	write_at(f, 1, 0, 5); /* nobody has read v1 */
	file_close(f, true);
	assert_int_equal(protect(ino), 0);
	row_get(ino, &row);
	assert_int_equal(row.state, META_LOCAL);
	assert_int_equal(row.dirty_ns, 0);
	assert_true(row.protected_ns > 0);
	v1 = row.content_version;
	write_file(ino, 2, 5);
	row_get(ino, &row);
	v2 = row.content_version;
	assert_true(v2 > v1);
	assert_int_equal(row.state, META_DIRTY);
}

static void test_truncate(void **state)
{
	uint64_t ino = make_file("a", 1, 200000);
	struct cache_file *f = file_open(ino, true);
	uint8_t p[100];
	int i;

	assert_int_equal(cache_truncate(f, 100), 0);
	assert_int_equal(cache_truncate(f, 300000), 0);
	assert_int_equal(cache_size(f), 300000);
	expect_at(f, 1, 0, 100);
	assert_int_equal(cache_pread(f, p, 100, 299950), 50);
	for (i = 0; i < 50; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(cache_truncate(f, CACHE_FILE_MAX + 1), -EFBIG);
	assert_int_equal(cache_pwrite(f, p, 1, UINT64_MAX), -EFBIG);
	assert_int_equal(cache_truncate(f, 0), 0);
	file_close(f, true);
	assert_int_equal(protect(ino), 0);
	assert_int_equal(state_of(ino), META_LOCAL);
}

/* A truncate without a handle is flushed too. */
static void test_truncate_by_path(void **state)
{
	uint64_t ino = make_file("a", 1, 2000);
	struct cache_file *f;
	struct meta_inode row;

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(cache_get(c, ino, &f), 0);
	assert_int_equal(cache_truncate(f, 7), 0);
	cache_put(f);
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_int_equal(row.size, 7);
	assert_false(row.opened_for_write);
}

static void test_fsync(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	assert_int_equal(cache_fsync(f, false), 0);
	write_at(f, 1, 0, 4097);
	assert_int_equal(cache_fsync(f, true), 0);
	write_at(f, 1, 4097, 1);
	assert_int_equal(cache_fsync(f, false), 0);
	/* With that flag a start asks the file for the rest. */
	row_get(ino, &row);
	assert_true(row.opened_for_write);
	file_close(f, true);
}

/* P9: a writer that finds no room waits, then gets ENOSPC; nothing is lost;
 * overwriting and room made by others let it go on. */
static void test_space(void **state)
{
	struct cache_evicted e;
	struct cache_usage u;
	struct cache_file *f;
	uint64_t a, freed;
	uint8_t p[64 * KIB] = { 1 };

	opts.size = 1 * MIB;
	reopen();
	a = make_file("a", 1, 512 * KIB);
	f = file_open(new_file("b"), true);
	write_at(f, 2, 0, 480 * KIB);
	cache_usage(c, &u);
	assert_true(u.used >= 960 * KIB);
	assert_true(u.over_high);
	assert_true(u.goal < u.used);
	assert_int_equal(cache_pwrite(f, p, sizeof(p), 480 * KIB), -ENOSPC);
	write_at(f, 2, 0, 64 * KIB); /* its own bytes */
	expect_at(f, 2, 0, 480 * KIB);
	assert_int_equal(protect(a), 0);
	assert_int_equal(cache_evict(c, a, &freed), 0);
	assert_true(freed >= 512 * KIB);
	cache_evicted(c, &e);
	assert_int_equal(e.files, 1);
	assert_int_equal(e.bytes, freed);
	assert_int_equal(cache_evict(c, a, &freed), 0);
	cache_evicted(c, &e);
	assert_int_equal(e.files, 1); /* there was nothing left */
	write_at(f, 2, 480 * KIB, 32 * KIB);
	expect_at(f, 2, 0, 512 * KIB);
	file_close(f, true);
}

static void test_free_min(void **state)
{
	struct cache_usage u;
	struct cache_file *f;
	uint8_t p[10] = { 0 };

	cache_usage(c, &u);
	opts.free_min = u.disk_free + 100 * MIB;
	reopen();
	cache_usage(c, &u);
	assert_true(u.over_high);
	f = file_open(new_file("a"), true);
	assert_int_equal(cache_pwrite(f, p, sizeof(p), 0), -ENOSPC);
	file_close(f, true);
}

static void on_event(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
}

static void test_events(void **state)
{
	int dirty = 0, pressure = 0;
	uint64_t ino;

	opts.size = 1 * MIB;
	reopen();
	cache_on_dirty(c, on_event, &dirty);
	cache_on_pressure(c, on_event, &pressure);
	ino = new_file("a");
	file_close(file_open(ino, true), true); /* made and closed */
	assert_int_equal(dirty, 1);
	write_file(ino, 1, 100);
	assert_int_equal(cache_flush(c), 0);
	assert_true(dirty >= 2);
	assert_int_equal(pressure, 0);
	make_file("b", 1, 1000 * KIB);
	assert_true(pressure > 0);
}

static void test_get_errors(void **state)
{
	struct cache_file *f;

	assert_int_equal(cache_get(c, 4711, &f), -ENOENT);
	assert_int_equal(cache_get(c, META_ROOT_INO, &f), -EINVAL);
}

#define RACE_SIZE  (1 << 20)
#define RACE_TIMES 5000

static void *shrink_and_grow(void *arg)
{
	for (int i = 0; i < RACE_TIMES; i++)
		if (cache_truncate(arg, i % 2 ? RACE_SIZE : 10) < 0)
			return arg;
	return NULL;
}

/* A file that is cut while it is read has not lost bytes: no -EIO. */
static void test_read_beside_truncate(void **state)
{
	struct cache_file *f = file_open(make_file("a", 1, RACE_SIZE), true);
	uint8_t *buf = malloc(RACE_SIZE);
	pthread_t other;
	void *failed;
	ssize_t n = 0;
	int i;

	assert_non_null(buf);
	assert_int_equal(pthread_create(&other, NULL, shrink_and_grow, f), 0);
	for (i = 0; i < RACE_TIMES && n >= 0; i++)
		n = cache_pread(f, buf, i % RACE_SIZE + 1, RACE_SIZE / 2);
	assert_int_equal(pthread_join(other, &failed), 0);
	free(buf);
	assert_null(failed);
	assert_true(n >= 0);
	file_close(f, true);
}

/* Between the drop of a file without a name and the end of its row nobody
 * who comes by takes its cache file for lost. */
static void test_dropped_is_not_lost(void **state)
{
	uint64_t dirty = make_file("a", 1, 5000),
		 clean = make_file("b", 2, 5000);
	struct meta_inode row;
	uint64_t freed;

	assert_int_equal(protect(clean), 0);
	assert_int_equal(cache_flush(c), 0);
	unlink_file(dirty, "a");
	unlink_file(clean, "b");
	assert_int_equal(cache_drop(c, dirty), 0);
	assert_int_equal(cache_drop(c, clean), 0);
	assert_int_equal(cache_evict(c, dirty, &freed), -ENOENT);
	assert_int_equal(cache_evict(c, clean, &freed), -ENOENT);
	row_get(dirty, &row);
	assert_false(row.damaged);
	row_get(clean, &row);
	assert_int_equal(row.state, META_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_write_read),
		STATE_TEST(test_flush_by_itself),
		STATE_TEST(test_flush_bounded),
		STATE_TEST(test_times),
		STATE_TEST(test_versions),
		STATE_TEST(test_truncate),
		STATE_TEST(test_truncate_by_path),
		STATE_TEST(test_fsync),
		STATE_TEST(test_space),
		STATE_TEST(test_free_min),
		STATE_TEST(test_events),
		STATE_TEST(test_get_errors),
		STATE_TEST(test_read_beside_truncate),
		STATE_TEST(test_dropped_is_not_lost),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
