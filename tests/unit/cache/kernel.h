/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for tests of FUSE passthrough: an id stands for a file that is
 * opened again by it, for writing too, as the kernel does.
 */
#ifndef MERSEY_TESTS_UNIT_CACHE_KERNEL_H
#define MERSEY_TESTS_UNIT_CACHE_KERNEL_H

#include "tests/unit/cache/util.h"

#include <sys/statvfs.h>

#define IDS 256

static struct {
	pthread_mutex_t lock;
	int fd[IDS]; /* by id; -1 = given back */
	int n, open;
	_Atomic int refuse;  /* -errno for the next ones */
	_Atomic int held;    /* files that are immutable */
	_Atomic int holds;   /* how often one became so */
	_Atomic int no_hold; /* -errno */
	_Atomic bool late;   /* it is done, and nobody hears of it in time */
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What the disk has room for, as all are told. */
static _Atomic uint64_t disk_free;
#define ROOMY (1ULL << 40)

int fstatvfs(int fd, struct statvfs *st)
{
	*st = (struct statvfs){ .f_frsize = 1, .f_bavail = disk_free };
	return 0;
}

static inline int kernel_register(void *arg, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	assert_ptr_equal(arg, &kernel);
	LOCK_SCOPE(&kernel.lock);
	if (kernel.refuse)
		return kernel.refuse;
	if (kernel.n + 1 >= IDS || (flags & O_ACCMODE) != O_RDONLY)
		return -EINVAL;
	kernel.fd[++kernel.n] = dup(fd);
	kernel.open++;
	return kernel.n;
}

static inline void kernel_forget(void *arg, int id)
{
	LOCK_SCOPE(&kernel.lock);
	if (id < 1 || id > kernel.n || kernel.fd[id] < 0)
		abort(); /* twice, or never given out */
	close(kernel.fd[id]);
	kernel.fd[id] = -1;
	kernel.open--;
}

/* The flag itself needs privilege: the tests of a mount have it. */
static inline int kernel_hold(void *arg, int fd, bool on)
{
	assert_ptr_equal(arg, &kernel);
	if (kernel.no_hold)
		return kernel.no_hold;
	kernel.held = on; /* there is one such file */
	kernel.holds += on;
	return kernel.late ? -EAGAIN : 0;
}

static inline int kernel_open_ids(void)
{
	LOCK_SCOPE(&kernel.lock);
	return kernel.open;
}

/* What open(2) of the mount does with an id. */
static inline int kernel_open(int id, int flags)
{
	char path[64];
	int fd;

	LOCK_SCOPE(&kernel.lock);
	assert_in_range(id, 1, kernel.n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel.fd[id]);
	fd = open(path, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void backing_on(void)
{
	const struct cache_backing b = { .open = kernel_register,
					 .close = kernel_forget,
					 .hold = kernel_hold,
					 .arg = &kernel };

	cache_set_backing(c, &b);
}

static inline int setup(void **state)
{
	int rc = state_setup(state);

	pthread_mutex_lock(&kernel.lock);
	kernel.n = kernel.open = 0;
	kernel.refuse = kernel.held = kernel.holds = kernel.no_hold = 0;
	kernel.late = false;
	pthread_mutex_unlock(&kernel.lock);
	disk_free = ROOMY;
	opts.free_min = MIB;
	opts.backing_max = 64;
	opts.passthrough_reserve = MIB;
	if (rc == 0)
		reopen();
	return rc;
}

static inline int teardown(void **state)
{
	int rc = state_teardown(state);

	assert_int_equal(kernel_open_ids(), 0);
	assert_int_equal(kernel.held, 0);
	return rc;
}

/* A file of the pool, as create makes one; 0 in *ino: any number. */
static inline uint64_t take_file(const char *name)
{
	int64_t now = clock_wall_ns();
	struct meta_inode in = { .mode = S_IFREG | 0644,
				 .nlink = 1,
				 .state = META_DIRTY,
				 .dirty_ns = now,
				 .settle_ns = now,
				 .opened_for_write = true };
	META_TXN(t);

	while (!(in.ino = cache_pool_take(c)))
		clock_sleep_ns(1000000);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_new_version(&t, &in.content_version), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	assert_int_equal(meta_dirent_insert(&t, META_ROOT_INO, name,
					    strlen(name), in.ino),
			 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	return in.ino;
}

/* An open of the kernel's. */
struct open {
	struct cache_file *f;
	struct cache_pass p;
	int fd; /* -1: it is served */
};

static inline struct open k_open(uint64_t ino, bool writable)
{
	struct open o = { .fd = -1 };

	o.f = file_open(ino, writable);
	assert_int_equal(cache_pass_begin(o.f, writable, false, &o.p), 0);
	if (o.p.id)
		o.fd = kernel_open(o.p.id, writable ? O_RDWR : O_RDONLY);
	cache_check(o.f);
	return o;
}

/* Passthrough begins, and with it a file that is open for writing. */
static inline struct open k_first(uint64_t *ino)
{
	backing_on();
	*ino = take_file("a");
	return k_open(*ino, true);
}

static inline void k_close(struct open *o)
{
	if (o->fd >= 0)
		close(o->fd);
	cache_pass_end(o->f, &o->p);
	file_close(o->f, o->p.writable);
}

static inline void k_write(const struct open *o, uint64_t seed, uint64_t off,
			   size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n);

	assert_true(o->fd >= 0);
	pattern(seed, off, p, n);
	assert_int_equal(pwrite(o->fd, p, n, (off_t)off), n);
}

static inline void expect_row(uint64_t ino, uint64_t size, bool opened)
{
	struct meta_inode row;

	row_get(ino, &row);
	assert_int_equal(row.opened_for_write, opened);
	if (!opened)
		assert_int_equal(row.size, size);
}

static inline void expect_content(uint64_t ino, uint64_t seed, size_t n)
{
	struct cache_file *f = file_open(ino, false);

	assert_int_equal(cache_size(f), n);
	expect_at(f, seed, 0, n);
	file_close(f, false);
}

/* Closes this state, and lets a process open it that then dies in the middle
 * of what it does. out[]: what that process tells. */
static inline void after_death(void (*live)(uint64_t out[2]), uint64_t out[2])
{
	const size_t size = 2 * sizeof(*out);
	int status, p[2];
	pid_t pid;

	close_state();
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (open_state() < 0)
			_exit(1);
		backing_on();
		live(out);
		_exit(write(p[1], out, size) != (ssize_t)size);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(p[0], out, size), size);
	close(p[0]);
	close(p[1]);
}

#define BACKING_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
