/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which order rows and bytes reach the disk, seen from the system calls:
 * this program's ftruncate(), fsync(), fdatasync() and openat() come before
 * libc's, and note, refuse or end the process at one of them.
 */
#include "tests/unit/cache/util.h"

#include <stdarg.h>
#include <sys/syscall.h>

#define SIZE (5 * 65536 + 17)

/* ---- the calls ------------------------------------------------------- */

enum { NONE, CUT, SYNC };

/* Looked at from the cache's own threads, too. */
static struct {
	_Atomic dev_t dev;
	_Atomic ino_t file;    /* whose calls are looked at; 0 = nobody's */
	_Atomic uint64_t ino;  /* the inode it belongs to */
	_Atomic bool die;      /* before it is cut */
	_Atomic int last;      /* CUT for the first time, then SYNC */
	_Atomic int cut_in;    /* state of the row when it was cut */
	_Atomic int synced_in; /* and when that was made durable */
} watch;

static _Atomic bool no_log_sync;  /* fdatasync fails */
static _Atomic bool no_dirs;	  /* openat fails for directories */
static _Atomic bool no_file_sync; /* fsync and fdatasync of `watch` fail */

static bool watched(int fd)
{
	struct stat st;

	return watch.file && fstat(fd, &st) == 0 && st.st_dev == watch.dev &&
	       st.st_ino == watch.file;
}

int ftruncate(int fd, off_t size)
{
	if (size == 0 && watch.last == NONE && watched(fd)) {
		if (watch.die)
			raise(SIGKILL);
		watch.last = CUT;
		watch.cut_in = state_of(watch.ino);
	}
	return (int)syscall(SYS_ftruncate, fd, size);
}

int fsync(int fd)
{
	if (no_file_sync && watched(fd)) {
		errno = EIO;
		return -1;
	}
	if (watched(fd) && watch.last == CUT) {
		watch.last = SYNC;
		watch.synced_in = state_of(watch.ino);
	}
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	if (watched(fd) ? no_file_sync : no_log_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (no_dirs && (flags & O_DIRECTORY)) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

static void watch_nobody(void)
{
	watch.file = 0;
	watch.die = false;
	watch.last = NONE;
}

static void watch_file(uint64_t ino)
{
	CLEANUP_FREE char *path = local_of(ino);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	watch_nobody();
	watch.dev = st.st_dev;
	watch.ino = ino;
	watch.file = st.st_ino;
}

static int setup(void **state)
{
	watch_nobody();
	no_log_sync = no_dirs = no_file_sync = false;
	return state_setup(state);
}

static int teardown(void **state)
{
	watch_nobody();
	no_log_sync = no_dirs = no_file_sync = false;
	return state_teardown(state);
}

/* ---- files ----------------------------------------------------------- */

static void fill_at(struct cache_file *f, uint64_t off, size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n);
	uint64_t version, size;

	cache_version(f, &version, &size);
	pattern(1, off, p, n);
	assert_int_equal(cache_fill(f, version, off, p, n), 0);
}

static uint64_t make_remote(void)
{
	uint64_t ino = make_file("a", 1, SIZE), freed;

	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	return ino;
}

/* One frame of it is here. */
static uint64_t make_partial(void)
{
	uint64_t ino = make_remote();
	struct cache_file *f = file_open(ino, false);

	fill_at(f, 65536, 65536);
	file_close(f, false);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(state_of(ino), META_PARTIAL);
	return ino;
}

static void truncate_child(uint64_t ino)
{
	struct cache_file *f;

	if (open_state() < 0 || cache_get(c, ino, &f) < 0 ||
	    cache_acquire(f, true) < 0)
		_exit(1);
	watch_file(ino);
	watch.die = true;
	cache_truncate(f, 0);
	_exit(2);
}

/*
 * The holes of a partial file are not its content: the process that dies
 * while it empties one must not leave them to be served, and protected, as
 * zeros.
 */
static void test_killed_while_emptying(void **state)
{
	uint64_t ino = make_partial(), off, len;
	struct cache_file *f;
	int status;
	uint8_t b;
	pid_t pid;

	close_state();
	pid = fork();
	if (pid == 0)
		truncate_child(ino);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(open_state(), 0);
	f = file_open(ino, false);
	if (cache_size(f) > 0) {
		assert_int_equal(cache_pread(f, &b, 1, 0), -EAGAIN);
		assert_int_equal(cache_missing(f, 0, 1, &off, &len), 1);
	}
	file_close(f, false);
}

/* The same for a power cut: the holes are gone from the disk before a row
 * that calls the file dirty can be durable. */
static void expect_emptied_first(uint64_t ino)
{
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	watch_file(ino);
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(watch.last, SYNC);
	assert_int_equal(watch.cut_in, META_REMOTE);
	assert_int_equal(watch.synced_in, META_REMOTE);
	watch.file = 0;
	assert_int_equal(state_of(ino), META_DIRTY);
	write_at(f, 2, 0, 100);
	expect_at(f, 2, 0, 100);
	file_close(f, true);
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_int_equal(row.size, 100);
	assert_int_equal(protect(ino), 0);
}

static void test_partial_emptied_first(void **state)
{
	expect_emptied_first(make_partial());
}

/* What was fetched and is not recorded yet has holes, too. */
static void test_filled_emptied_first(void **state)
{
	uint64_t ino = make_remote();
	struct cache_file *f = file_open(ino, false);

	fill_at(f, 65536, 65536);
	assert_int_equal(state_of(ino), META_REMOTE);
	expect_emptied_first(ino);
	file_close(f, false);
}

/* The new file of one that was remote is on the disk before its row needs
 * it: else a power cut makes it a damaged one. */
static void test_remote_made_first(void **state)
{
	uint64_t ino = make_remote();
	struct cache_file *f = file_open(ino, true);

	no_dirs = true; /* its entry cannot be made durable */
	assert_int_equal(cache_truncate(f, 0), -EMFILE);
	assert_int_equal(state_of(ino), META_REMOTE);
	no_dirs = false;
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(state_of(ino), META_DIRTY);
	file_close(f, true);
}

/* Bytes that the disk lost stay damaged until they are gone. */
static void test_damaged_emptied_first(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	cache_damage(f, "a test says so", -EIO);
	watch_file(ino);
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(watch.last, SYNC);
	watch.file = 0;
	row_get(ino, &row);
	assert_false(row.damaged);
	file_close(f, true);
}

/* ---- the barrier ----------------------------------------------------- */

/*
 * An eviction whose barrier failed: after a power cut the row may say again
 * that the file is whole, so its bytes are not touched.
 */
static void test_leftover_waits_for_row(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE), freed, version, size;
	CLEANUP_FREE char *path = local_of(ino);
	CLEANUP_FREE uint8_t *p = calloc(1, 65536);
	struct cache_file *f;
	struct stat st;

	assert_int_equal(protect(ino), 0);
	no_log_sync = true;
	assert_int_equal(cache_evict(c, ino, &freed), -EIO);
	assert_int_equal(state_of(ino), META_REMOTE);
	f = file_open(ino, false);
	cache_version(f, &version, &size);
	assert_int_equal(cache_fill(f, version, 65536, p, 65536), -EIO);
	file_close(f, false);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_true(st.st_blocks * 512 >= SIZE);
}

/* A cache file that was lost is made anew only when no older row can take
 * the new one for whole. */
static void test_lost_is_durable(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	CLEANUP_FREE char *path = local_of(ino);
	struct cache_file *f;

	assert_int_equal(protect(ino), 0);
	reopen();
	assert_int_equal(unlink(path), 0);
	new_file("b"); /* the log has a header: commits do not sync it */
	no_log_sync = true;
	assert_int_equal(cache_get(c, ino, &f), 0);
	assert_int_equal(cache_acquire(f, false), -EIO);
	cache_put(f);
	assert_false(local_exists(ino));
}

/* The first change of a protected file, and of a closed one: its bytes stay
 * as they are until the row that says so is durable. */
static void expect_not_changed(uint64_t ino)
{
	struct cache_file *f = file_open(ino, true);
	uint8_t b = 0;

	no_log_sync = true;
	assert_int_equal(cache_pwrite(f, &b, 1, 0), -EIO);
	assert_int_equal(cache_truncate(f, 1), -EIO);
	assert_int_equal(cache_truncate(f, 0), -EIO);
	expect_at(f, 1, 0, SIZE);
	file_close(f, true);
}

static void test_change_waits_for_row(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);

	assert_int_equal(protect(ino), 0);
	expect_not_changed(ino);
}

static void test_closed_waits_for_row(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);

	assert_int_equal(cache_flush(c), 0);
	expect_not_changed(ino);
}

/* A file without a name: its row first. */
static void test_drop_waits_for_row(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	struct meta_inode row;

	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	row.nlink = 0;
	row_put(&row);
	no_log_sync = true;
	assert_int_equal(cache_drop(c, ino), -EIO);
	assert_true(local_exists(ino));
}

/* fsync says nothing before the log is synced (P1). */
static void test_fsync_syncs_the_log(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	struct cache_file *f = file_open(ino, true);
	struct job_info info;

	assert_int_equal(cache_fsync(f, true), 0);
	watch_file(ino);
	do { /* it syncs the log, too */
		clock_sleep_ns(1000000);
		meta_job(m, &info);
	} while (info.started_ns == 0 || info.state == JOB_RUNNING);
	new_file("b");
	no_log_sync = true;
	assert_int_equal(cache_fsync(f, true), -EIO);
	file_close(f, true);
}

/* ---- what the disk lost ---------------------------------------------- */

/* S4: after a failed sync the kernel calls the pages clean. */
static void test_lost_writes(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE), freed;
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;
	uint8_t b;

	watch_file(ino);
	write_at(f, 2, 0, 100);
	no_file_sync = true;
	assert_int_equal(cache_fsync(f, true), -EIO);
	no_file_sync = false;
	assert_int_equal(cache_fsync(f, true), -EIO); /* for ever */
	assert_int_equal(cache_pread(f, &b, 1, 0), -EIO);
	file_close(f, true);
	row_get(ino, &row);
	assert_true(row.damaged);
	assert_int_equal(protect(ino), -EIO);
	assert_int_equal(cache_evict(c, ino, &freed), -ENOTRECOVERABLE);
	assert_true(local_exists(ino));
}

/* The same, found when it was closed: before it is sealed. */
static void test_lost_writes_not_sealed(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	struct meta_inode row;

	assert_int_equal(cache_flush(c), 0);
	watch_file(ino);
	no_file_sync = true;
	write_file(ino, 2, 100);
	assert_int_equal(protect(ino), -EIO);
	row_get(ino, &row);
	assert_true(row.damaged);
	assert_int_equal(row.state, META_DIRTY);
}

/* S12: what was fetched counts when it is on the disk. */
static void test_presence_follows_sync(void **state)
{
	uint64_t ino = make_remote(), off, len;
	struct cache_file *f = file_open(ino, false);

	fill_at(f, 65536, 65536);
	watch_file(ino);
	no_file_sync = true;
	assert_int_equal(cache_settle_presence(f), -EIO);
	assert_int_equal(state_of(ino), META_REMOTE);
	assert_int_equal(cache_missing(f, 65536, 65536, &off, &len), 1);
	no_file_sync = false;
	fill_at(f, 65536, 65536);
	assert_int_equal(cache_settle_presence(f), 0);
	assert_int_equal(state_of(ino), META_PARTIAL);
	file_close(f, false);
}

/* ---- too few descriptors --------------------------------------------- */

/* A directory that cannot be opened now says nothing about the file. */
static void test_no_descriptors_no_damage(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;

	write_at(f, 1, 0, SIZE);
	no_dirs = true;
	assert_int_equal(cache_fsync(f, false), -EMFILE);
	file_close(f, true);
	assert_int_equal(cache_flush(c), -EMFILE);
	row_get(ino, &row);
	assert_false(row.damaged);
	assert_true(row.opened_for_write); /* nobody vouches for it yet */
	no_dirs = false;
	assert_int_equal(cache_flush(c), 0);
	row_get(ino, &row);
	assert_false(row.opened_for_write);
	assert_int_equal(protect(ino), 0);
}

/* A flush that cannot go on says so, and waits before it tries again. */
static void test_flush_tells(void **state)
{
	struct job_info info = { 0 };
	char name[16];
	int i;

	opts.keep_fds = 8;
	reopen();
	make_file("first", 1, 10);
	assert_int_equal(cache_flush(c), 0);
	no_dirs = true;
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make_file(name, 1, 10);
	}
	for (i = 0; i < 300 && !info.last_error[0]; i++) {
		clock_sleep_ns(10000000);
		cache_job(c, &info);
	}
	no_dirs = false;
	assert_string_not_equal(info.last_error, "");
}

#define ORDER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDER_TEST(test_killed_while_emptying),
		ORDER_TEST(test_partial_emptied_first),
		ORDER_TEST(test_filled_emptied_first),
		ORDER_TEST(test_remote_made_first),
		ORDER_TEST(test_damaged_emptied_first),
		ORDER_TEST(test_leftover_waits_for_row),
		ORDER_TEST(test_lost_is_durable),
		ORDER_TEST(test_change_waits_for_row),
		ORDER_TEST(test_closed_waits_for_row),
		ORDER_TEST(test_drop_waits_for_row),
		ORDER_TEST(test_fsync_syncs_the_log),
		ORDER_TEST(test_lost_writes),
		ORDER_TEST(test_lost_writes_not_sealed),
		ORDER_TEST(test_presence_follows_sync),
		ORDER_TEST(test_no_descriptors_no_damage),
		ORDER_TEST(test_flush_tells),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
