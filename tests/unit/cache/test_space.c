/* SPDX-License-Identifier: Apache-2.0 */
/* Room: the reserve, writers that are slowed, the ballast (P9, S13). */
#include "util.h"

#include <sys/statvfs.h>

#define PIECE (64 * KIB)

/* A protected file without local bytes. */
static uint64_t cold_file(const char *name, size_t n)
{
	uint64_t ino = make_file(name, 1, n), freed;

	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	return ino;
}

/* Fetches from `off` on. To where it fits. */
static uint64_t fill_from(struct cache_file *f, uint64_t off)
{
	CLEANUP_FREE uint8_t *p = malloc(PIECE);
	uint64_t version, size;
	int rc = 0;

	cache_version(f, &version, &size);
	for (; rc == 0 && off < size; off += PIECE) {
		pattern(1, off, p, PIECE);
		rc = cache_fill(f, version, off, p, PIECE);
	}
	if (rc == 0)
		return size;
	assert_int_equal(rc, -ENOSPC);
	return off - PIECE;
}

static uint64_t write_all(struct cache_file *f, uint64_t max, int64_t *last_ns)
{
	CLEANUP_FREE uint8_t *p = malloc(PIECE);
	uint64_t off = 0;
	int64_t start;
	ssize_t n = PIECE;

	while (n == PIECE && off < max) {
		pattern(2, off, p, PIECE);
		start = clock_boot_ns();
		n = cache_pwrite(f, p, PIECE, off);
		if (n == PIECE) {
			*last_ns = clock_boot_ns() - start;
			off += PIECE;
		}
	}
	if (n != PIECE)
		assert_int_equal(n, -ENOSPC);
	return off;
}

static void test_reserve(void **state)
{
	struct cache_usage u;
	CLEANUP_FREE uint8_t *piece = calloc(1, PIECE);
	struct cache_file *f, *w;
	uint64_t filled, version, size;
	int64_t ns;

	opts.size = 16 * MIB;
	opts.reserve = 50;
	reopen();
	f = file_open(cold_file("cold", 12 * MIB), false);
	filled = fill_from(f, 0);
	/* To the line, and the little that keeps reads going. */
	assert_true(filled >= 7 * MIB && filled <= 9 * MIB);
	/* Nor does what a reader will ask for soon. */
	cache_version(f, &version, &size);
	assert_int_equal(
		cache_fill_spare(f, version, filled, piece, PIECE, true),
		-ENOSPC);
	cache_usage(c, &u);
	assert_true(u.over_high); /* so that the reserve is made free again */
	assert_true(u.goal < 8 * MIB);
	w = file_open(new_file("new"), true);
	assert_int_equal(write_all(w, 6 * MIB, &ns), 6 * MIB);
	/* What is given back may be fetched again. */
	assert_int_equal(cache_truncate(w, 0), 0);
	assert_true(fill_from(f, filled) > filled);
	file_close(w, true);
	file_close(f, false);
}

/* A share that is full of what is not protected does not end all reads. */
static void test_reads_go_on(void **state)
{
	struct cache_file *f, *w;
	int64_t ns;

	opts.size = 4 * MIB;
	opts.reserve = 10;
	reopen();
	f = file_open(cold_file("cold", 512 * KIB), false);
	w = file_open(new_file("new"), true);
	write_all(w, UINT64_MAX, &ns);
	assert_int_equal(fill_from(f, 0), 512 * KIB);
	expect_at(f, 1, 0, 512 * KIB);
	file_close(w, true);
	file_close(f, false);
}

/* Slower and slower, to the last byte, then ENOSPC; nothing is lost. */
static void test_slope(void **state)
{
	int64_t ns = 0, start, before;
	struct cache_file *f;
	uint64_t n;

	opts.size = 16 * MIB;
	opts.room_wait_ns = NSEC_PER_SEC;
	reopen();
	f = file_open(new_file("a"), true);
	start = clock_boot_ns();
	n = write_all(f, 14 * MIB, &ns);
	assert_int_equal(n, 14 * MIB);
	before = clock_boot_ns() - start;
	file_close(f, true);
	f = file_open(new_file("b"), true);
	start = clock_boot_ns();
	n = write_all(f, UINT64_MAX, &ns);
	print_message("14 MiB in %lld ms, the last in %lld ms, its last piece "
		      "in %lld ms\n",
		      (long long)before / 1000000,
		      (long long)(clock_boot_ns() - start) / 1000000,
		      (long long)ns / 1000000);
	assert_true(n >= 16 * MIB - 14 * MIB - 2 * PIECE);
	assert_true(ns >= NSEC_PER_SEC / 20);
	expect_at(f, 2, 0, n);
	file_close(f, true);
}

/* Many writers share one pace. */
static void *writer(void *arg)
{
	CLEANUP_FREE uint8_t *p = calloc(1, PIECE);

	assert_int_equal(cache_pwrite(arg, p, PIECE, 0), PIECE);
	return NULL;
}

static void test_slope_shared(void **state)
{
	struct cache_file *f[4];
	int64_t ns, start;
	pthread_t t[4];
	char name[16];
	uint64_t ino;
	int i;

	opts.size = 16 * MIB;
	opts.room_wait_ns = 4 * NSEC_PER_SEC;
	reopen();
	ino = make_file("a", 1, 15 * MIB + 256 * KIB);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		f[i] = file_open(new_file(name), true);
	}
	start = clock_boot_ns();
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, writer, f[i]), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ns = clock_boot_ns() - start;
	/* Each alone: 2 s * (1/11 - 1/26). */
	assert_true(ns >= NSEC_PER_SEC / 3);
	for (i = 0; i < 4; i++)
		file_close(f[i], true);
	unlink_file(ino, "a");
}

/* The room for the database is given up on a full disk, and comes back. */
static void test_ballast(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/ballast", dir);
	struct statvfs vfs;
	struct stat st;

	opts.ballast = 4 * MIB;
	reopen();
	assert_int_equal(statvfs(dir, &vfs), 0);
	if (vfs.f_bavail * vfs.f_frsize < 64 * MIB)
		skip();
	assert_int_equal(cache_ballast(c), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= 4 * (long)MIB);
	assert_int_equal(cache_ballast_spare(dir), 0); /* it is not full */
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= 4 * (long)MIB);
	/* Not where it would fill the disk. */
	assert_int_equal(unlink(path), 0);
	opts.ballast = vfs.f_bavail * vfs.f_frsize;
	reopen();
	assert_int_equal(cache_ballast(c), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_reserve), STATE_TEST(test_reads_go_on),
		STATE_TEST(test_slope),	  STATE_TEST(test_slope_shared),
		STATE_TEST(test_ballast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
