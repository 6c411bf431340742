/* SPDX-License-Identifier: Apache-2.0 */
/* The less common calls of POSIX and Linux, on a real mount. */
#include "tests/unit/fuse/mnt.h"

#define MIB   (1LL << 20)
#define TIB   (1LL << 40)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static struct stat stat_of(const char *path)
{
	struct stat st;

	sys(lstat(path, &st));
	return st;
}

/* ---- ranges ---------------------------------------------------------- */

static void test_fallocate(void **state)
{
	struct mnt *m = *state;
	int fd;
	char b[4];

	mnt_data(m, "f", 300000);
	fd = sys(open(at(m, "f"), O_RDWR));
	sys(fallocate(fd, 0, 0, 400000));
	assert_int_equal(stat_of(at(m, "f")).st_size, 400000);
	sys(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * MIB));
	assert_int_equal(stat_of(at(m, "f")).st_size, 400000);
	assert_true(stat_of(at(m, "f")).st_blocks >= 4096);
	assert_int_equal(pread(fd, b, 4, 131070), 4); /* now cached */
	sys(fallocate(fd, PUNCH, 131072, 65536));
	assert_int_equal(pread(fd, b, 4, 131070), 4);
	assert_int_equal((uint8_t)b[1], env_byte(131071));
	assert_int_equal(b[2], 0);
	sys(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 1));
	assert_int_equal(pread(fd, b, 2, 0), 2);
	assert_int_equal(b[0], 0);
	assert_int_equal((uint8_t)b[1], env_byte(1));
	sys_errno(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
	sys_errno(fallocate(fd, 0, 16 * TIB, 1), EFBIG);
	sys_errno(fallocate(fd, 0, 0, 16 * TIB), ENOSPC);
	sys(close(fd));
	fd = sys(open(at(m, "f"), O_RDONLY));
	sys_errno(fallocate(fd, 0, 0, 1), EBADF);
	sys(close(fd));
}

static void test_holes(void **state)
{
	struct mnt *m = *state;
	uint64_t ino = mnt_data(m, "f", 2 * MIB);
	int fd = sys(open(at(m, "f"), O_RDWR)), i;

	sys(fallocate(fd, PUNCH, 0, MIB));
	sys(ftruncate(fd, 3 * MIB));
	for (i = 0; i < 2; i++) {
		assert_int_equal(lseek(fd, 0, SEEK_DATA), MIB);
		assert_int_equal(lseek(fd, 0, SEEK_HOLE), 0);
		assert_int_equal(lseek(fd, MIB, SEEK_HOLE), 2 * MIB);
		if (i == 0)
			sys_errno(lseek(fd, 2 * MIB, SEEK_DATA), ENXIO);
		else /* a pack has the last frame in any case */
			assert_int_equal(lseek(fd, 2 * MIB, SEEK_DATA),
					 3 * MIB - 65536);
		assert_int_equal(lseek(fd, 0, SEEK_END), 3 * MIB);
		sys(close(fd));
		if (i == 0)
			mnt_remote(m, ino);
		fd = sys(open(at(m, "f"), O_RDONLY));
	}
	sys(close(fd));
}

static void test_huge(void **state)
{
	struct mnt *m = *state;
	int fd = sys(open(at(m, "f"), O_RDWR | O_CREAT, 0644));
	char b[3];

	sys(ftruncate(fd, 15 * TIB));
	assert_int_equal(pwrite(fd, "end", 3, 15 * TIB - 1), 3);
	assert_int_equal(stat_of(at(m, "f")).st_size, 15 * TIB + 2);
	assert_int_equal(pread(fd, b, 3, 15 * TIB - 1), 3);
	assert_memory_equal(b, "end", 3);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), 15 * TIB - 4096);
	sys_errno(pwrite(fd, "x", 1, 16 * TIB), EFBIG);
	sys_errno(ftruncate(fd, 16 * TIB + 1), EFBIG);
	assert_int_equal(stat_of(at(m, "f")).st_size, 15 * TIB + 2);
	sys(close(fd));
	sys(unlink(at(m, "f")));
}

static void test_copy_file_range(void **state)
{
	struct mnt *m = *state;
	uint64_t ino = mnt_data(m, "f", 3 * MIB + 5);
	off_t in = 0, out = 0;
	ssize_t n;
	int i, a, b;

	for (i = 0; i < 2; i++) {
		a = sys(open(at(m, "f"), O_RDONLY));
		b = sys(open(at(m, "g"), O_RDWR | O_CREAT | O_TRUNC, 0644));
		for (in = out = 0;;) {
			n = sys(copy_file_range(a, &in, b, &out, 8 * MIB, 0));
			if (n == 0)
				break;
		}
		assert_int_equal(out, 3 * MIB + 5);
		sys(close(a));
		sys(close(b));
		mnt_check(m, "g", 3 * MIB + 5);
		if (i == 0) /* read and write then */
			mnt_remote(m, ino);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MNT_TEST(test_fallocate),
		MNT_TEST(test_holes),
		MNT_TEST(test_huge),
		MNT_TEST(test_copy_file_range),
	};

	mnt_namespace();
	return RUN_TESTS(tests, NULL, NULL);
}
