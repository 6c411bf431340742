/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A power cut, simulated: fdatasync() of this program (and so of SQLite)
 * keeps a copy of what "db" and "db-wal" held when it was called. A clone
 * made of these copies is what a disk may hold that keeps only what it must.
 */
#ifndef MERSEY_TESTS_META_POWERCUT_H
#define MERSEY_TESTS_META_POWERCUT_H

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "tests/unit/meta/util.h"

static pthread_mutex_t cut_lock = PTHREAD_MUTEX_INITIALIZER;
static bool cut_watch; /* keep copies; under cut_lock as they are */
static int cut_fail;   /* errno for the next syncs, 0 = none */
static int cut_syncs;
static _Atomic int64_t cut_written; /* to "db-wal" */

static inline bool cut_is(int fd, const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);
	struct stat a, b;

	return path && fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Through the given descriptor: opening and closing the database would drop
 * the process's locks on it. */
static inline void cut_copy(int fd, const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/synced-%s", dir, name);
	CLEANUP_CLOSE int out = -1;
	char block[65536];
	off_t off = 0;
	ssize_t n;

	if (!path)
		abort();
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while ((n = io_pread(fd, block, sizeof(block), off)) > 0) {
		if (io_pwrite(out, block, (size_t)n, off) < 0)
			abort();
		off += n;
	}
	if (out < 0 || n < 0)
		abort();
}

int fdatasync(int fd)
{
	bool wal, db;

	pthread_mutex_lock(&cut_lock);
	wal = cut_watch && cut_is(fd, "db-wal");
	db = cut_watch && cut_is(fd, "db");
	cut_syncs += wal;
	if (cut_fail && wal) {
		pthread_mutex_unlock(&cut_lock);
		errno = cut_fail;
		return -1;
	}
	if (wal)
		cut_copy(fd, "db-wal");
	if (db)
		cut_copy(fd, "db");
	pthread_mutex_unlock(&cut_lock);
	return 0; /* nobody cuts the power of this test */
}

ssize_t cut_pwrite(int fd, const void *p, size_t n,
		   off_t off) __asm__("pwrite64");

ssize_t cut_pwrite(int fd, const void *p, size_t n, off_t off)
{
	if (cut_is(fd, "db-wal"))
		atomic_fetch_add(&cut_written, (int64_t)n);
	return syscall(SYS_pwrite64, fd, p, n, off);
}

/* The database of the test, watched from its creation on. */
static inline int cut_setup(void **state)
{
	pthread_mutex_lock(&cut_lock);
	cut_watch = true;
	cut_fail = cut_syncs = 0;
	pthread_mutex_unlock(&cut_lock);
	(void)state;
	util_create_at("db");
	assert_sh("cp %s/db %s/synced-db", dir, dir);
	m = util_open_at("db");
	util_idle();
	return 0;
}

/*
 * Cuts the power: "cut" is the database as the disk has it. `pages`: what
 * was written to the database file is all there, synced or not.
 */
static inline void cut_make(bool pages)
{
	pthread_mutex_lock(&cut_lock);
	assert_sh("rm -f %s/cut-wal", dir);
	assert_sh("cp %s/%s %s/cut", dir, pages ? "db" : "synced-db", dir);
	assert_sh(
		"test ! -e %s/synced-db-wal || cp %s/synced-db-wal %s/cut-wal",
		dir, dir, dir);
	pthread_mutex_unlock(&cut_lock);
}

#define CUT_TEST(f) cmocka_unit_test_setup_teardown(f, cut_setup, test_teardown)

#endif
