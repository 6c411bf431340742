/* SPDX-License-Identifier: Apache-2.0 */
/* Reserving, zeroing, finding and copying ranges. */
#include "tests/unit/cache/util.h"

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static void expect_zero(struct cache_file *f, uint64_t off, size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n);
	size_t i;

	assert_int_equal(cache_pread(f, p, n, off), n);
	for (i = 0; i < n; i++)
		if (p[i])
			break;
	assert_int_equal(i, n);
}

static void test_allocate(void **state)
{
	uint64_t ino = make_file("a", 1, 200000);
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	assert_int_equal(cache_allocate(f, 0, 100000, 200000), 0);
	assert_int_equal(cache_size(f), 300000);
	expect_at(f, 1, 0, 200000);
	expect_zero(f, 200000, 100000);
	assert_int_equal(cache_allocate(f, FALLOC_FL_KEEP_SIZE, 0, 500000), 0);
	assert_int_equal(cache_size(f), 300000);
	assert_int_equal(cache_allocate(f, PUNCH, 65536, 65536), 0);
	expect_at(f, 1, 0, 65536);
	expect_zero(f, 65536, 65536);
	expect_at(f, 1, 131072, 200000 - 131072);
	assert_int_equal(cache_seek(f, 0, true), 65536);
	assert_int_equal(cache_seek(f, 65536, false), 131072);
	assert_int_equal(cache_seek(f, 300000, false), -ENXIO);
	assert_int_equal(cache_seek(f, 300000, true), -ENXIO);
	assert_int_equal(cache_allocate(f, FALLOC_FL_ZERO_RANGE, 290000, 20000),
			 0);
	assert_int_equal(cache_size(f), 310000);
	expect_zero(f, 290000, 20000);
	file_close(f, true);
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_int_equal(row.size, 310000);
	assert_int_equal(row.state, META_DIRTY);
}

static void test_allocate_refused(void **state)
{
	struct cache_file *f = file_open(make_file("a", 1, 1000), true);

	assert_int_equal(cache_allocate(f, FALLOC_FL_COLLAPSE_RANGE, 0, 4096),
			 -EOPNOTSUPP);
	assert_int_equal(cache_allocate(f, FALLOC_FL_INSERT_RANGE, 0, 4096),
			 -EOPNOTSUPP);
	assert_int_equal(cache_allocate(f, FALLOC_FL_PUNCH_HOLE, 0, 4096),
			 -EOPNOTSUPP);
	assert_int_equal(cache_allocate(f, 0, 0, 0), -EINVAL);
	assert_int_equal(cache_allocate(f, 0, CACHE_FILE_MAX, 1), -EFBIG);
	assert_int_equal(cache_allocate(f, 0, 1, CACHE_FILE_MAX), -EFBIG);
	assert_int_equal(cache_allocate(f, 0, UINT64_MAX, UINT64_MAX), -EFBIG);
	/* More than the trust's share: as a write of it. */
	assert_int_equal(cache_allocate(f, 0, 0, 2048 * MIB), -ENOSPC);
	assert_int_equal(cache_size(f), 1000);
	expect_at(f, 1, 0, 1000);
	file_close(f, true);
}

/* A protected file without its bytes here. */
static uint64_t remote_file(const char *name, size_t n)
{
	uint64_t ino = make_file(name, 1, n), freed;

	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	assert_int_equal(state_of(ino), META_REMOTE);
	return ino;
}

static void test_incomplete(void **state)
{
	struct cache_file *f = file_open(remote_file("a", 200000), true);
	struct cache_file *g = file_open(make_file("b", 2, 1000), true);

	assert_int_equal(cache_allocate(f, PUNCH, 0, 65536), -EAGAIN);
	assert_int_equal(cache_allocate(f, 0, 0, 65536), -EAGAIN);
	assert_int_equal(cache_seek(f, 0, false), -EAGAIN);
	assert_int_equal(cache_copy(f, 0, g, 0, 1000), -EXDEV);
	assert_int_equal(cache_copy(g, 0, f, 0, 1000), -EAGAIN);
	assert_int_equal(state_of(cache_ino(f)), META_REMOTE);
	expect_at(g, 2, 0, 1000);
	file_close(f, true);
	file_close(g, true);
}

static void test_copy(void **state)
{
	struct cache_file *a = file_open(make_file("a", 1, 300000), false);
	struct cache_file *b = file_open(make_file("b", 2, 10), true);
	uint8_t x, y;

	assert_int_equal(cache_copy(a, 1000, b, 10, 100000), 100000);
	assert_int_equal(cache_size(b), 100010);
	expect_at(b, 2, 0, 10);
	assert_int_equal(cache_pread(a, &x, 1, 100999), 1);
	assert_int_equal(cache_pread(b, &y, 1, 100009), 1);
	assert_int_equal(x, y);
	/* Up to the end, and behind it. */
	assert_int_equal(cache_copy(a, 299990, b, 0, 100), 10);
	assert_int_equal(cache_copy(a, 300000, b, 0, 100), 0);
	assert_int_equal(cache_copy(b, 0, b, 200000, 100), 100);
	assert_int_equal(cache_size(b), 200100);
	assert_int_equal(cache_copy(a, 0, b, CACHE_FILE_MAX, 1), -EFBIG);
	file_close(a, false);
	file_close(b, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_allocate),
		STATE_TEST(test_allocate_refused),
		STATE_TEST(test_incomplete),
		STATE_TEST(test_copy),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
