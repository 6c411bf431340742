/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth write or read of this thread fails, for every N: a transaction is
 * there as a whole or not at all, the totals stay exact, and the next one
 * works.
 */
#include "tests/unit/meta/util.h"

#include <sys/syscall.h>

enum { NONE, WRITE, SHORT_WRITE, READ };

static _Thread_local int fault, countdown, fault_errno;

static bool strike(int kind)
{
	return kind && fault == kind && countdown > 0 && --countdown == 0;
}

/* SQLite calls these by the names of the 64-bit interface. */
ssize_t fault_pwrite(int fd, const void *p, size_t n,
		     off_t off) __asm__("pwrite64");
ssize_t fault_pread(int fd, void *p, size_t n, off_t off) __asm__("pread64");

ssize_t fault_pwrite(int fd, const void *p, size_t n, off_t off)
{
	static _Thread_local bool half;

	if (half || strike(WRITE)) {
		half = false;
		errno = fault_errno;
		return -1;
	}
	if (n > 1 && strike(SHORT_WRITE)) {
		half = true; /* as a full disk does: some, then nothing */
		n /= 2;
	}
	return syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t fault_pread(int fd, void *p, size_t n, off_t off)
{
	if (strike(READ)) {
		errno = fault_errno;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, off);
}

static void arm(int kind, int n, int err)
{
	fault = kind;
	countdown = n;
	fault_errno = err;
}

/* true when the armed fault has struck; disarms. */
static bool disarm(void)
{
	bool struck = fault && countdown == 0;

	fault = NONE;
	return struck;
}

/* A name, its inode and an xattr of many pages, in one transaction. */
static int change(int i)
{
	static char value[200000];
	struct meta_inode in = {
		.mode = S_IFREG | 0600, .nlink = 1, .size = 7, .dirty_ns = 1
	};
	char name[32];
	META_TXN(t);
	int rc = meta_begin(m, &t);

	snprintf(name, sizeof(name), "f%d", i);
	if (rc == 0)
		rc = meta_new_ino(&t, &in.ino);
	if (rc == 0)
		rc = meta_inode_insert(&t, &in);
	if (rc == 0)
		rc = meta_dirent_insert(&t, META_ROOT_INO, name, strlen(name),
					in.ino);
	if (rc == 0)
		rc = meta_xattr_set(&t, in.ino, "user.big", value,
				    sizeof(value));
	return rc == 0 ? meta_commit(&t, NULL) : rc;
}

/* What is there of change(i): 0, -ENOENT, or the error of looking. */
static int look(int i)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct meta_inode in;
	char name[32];
	uint64_t ino;
	META_TXN(t);
	int rc = meta_read(m, &t);

	snprintf(name, sizeof(name), "f%d", i);
	if (rc == 0)
		rc = meta_dirent_get(&t, META_ROOT_INO, name, strlen(name),
				     &ino);
	if (rc == 0)
		rc = meta_inode_get(&t, ino, &in);
	if (rc == 0)
		rc = meta_xattr_get(&t, ino, "user.big", &b);
	if (rc == 0)
		assert_int_equal(b.len, 200000);
	return rc;
}

static int writes(int kind, int err, int want)
{
	struct meta_totals n;
	bool struck = true;
	int i, rc;
	META_TXN(t);

	for (i = 1; struck; i++) {
		assert_true(i < 200);
		arm(kind, i, err);
		rc = change(i);
		struck = disarm();
		assert_int_equal(rc, struck ? want : 0);
		assert_int_equal(look(i), struck ? -ENOENT : 0);
		reading(&t);
		assert_int_equal(meta_totals(&t, &n), 0);
		assert_int_equal(n.files, struck ? 1 : 2);
		meta_abort(&t);
		if (i % 5 == 0)
			util_verify(m);
	}
	return i;
}

static void test_no_space(void **state)
{
	assert_true(writes(WRITE, ENOSPC, -ENOSPC) > 2);
}

static void test_short_write(void **state)
{
	assert_true(writes(SHORT_WRITE, ENOSPC, -ENOSPC) > 2);
}

static void test_quota(void **state)
{
	assert_true(writes(WRITE, EDQUOT, -ENOSPC) > 2);
}

static void test_write_error(void **state)
{
	assert_true(writes(WRITE, EIO, -EIO) > 2);
}

static void test_checkpoint(void **state)
{
	bool struck = true;
	int i, rc;

	util_idle();
	for (i = 1; struck; i++) {
		assert_int_equal(change(i), 0);
		arm(WRITE, i, ENOSPC);
		rc = meta_checkpoint_now(m);
		struck = disarm();
		assert_int_equal(rc, struck ? -ENOSPC : 0);
		assert_int_equal(look(i), 0);
		if (i > 40) /* a few dozen will do */
			break;
	}
	assert_true(i > 10);
	assert_int_equal(meta_checkpoint_now(m), 0);
	util_verify(m);
	util_reopen();
	while (--i > 0)
		assert_int_equal(look(i), 0);
}

static void test_read_error(void **state)
{
	bool struck = true;
	int i, rc;

	assert_int_equal(change(1), 0);
	for (i = 1; struck; i++) {
		assert_true(i < 200);
		util_reopen(); /* with an empty page cache */
		util_idle();
		arm(READ, i, EIO);
		rc = look(1);
		struck = disarm();
		/* SQLite calls a page that cannot be read damaged. */
		if (struck)
			assert_true(rc == -EUCLEAN || rc == -EIO);
		else
			assert_int_equal(rc, 0);
		assert_int_equal(look(1), 0);
	}
	assert_true(i > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_no_space),   META_TEST(test_short_write),
		META_TEST(test_quota),	    META_TEST(test_write_error),
		META_TEST(test_checkpoint), META_TEST(test_read_error),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
