/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE passthrough, with this program as the kernel: an id stands for a file
 * that is opened again by it, for writing too, as the kernel does.
 */
#include "tests/unit/cache/util.h"

#include <sys/mman.h>
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

static int kernel_register(void *arg, int fd)
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

static void kernel_forget(void *arg, int id)
{
	LOCK_SCOPE(&kernel.lock);
	if (id < 1 || id > kernel.n || kernel.fd[id] < 0)
		abort(); /* twice, or never given out */
	close(kernel.fd[id]);
	kernel.fd[id] = -1;
	kernel.open--;
}

/* The flag itself needs privilege: the tests of a mount have it. */
static int kernel_hold(void *arg, int fd, bool on)
{
	assert_ptr_equal(arg, &kernel);
	if (kernel.no_hold)
		return kernel.no_hold;
	kernel.held = on; /* there is one such file */
	kernel.holds += on;
	return kernel.late ? -EAGAIN : 0;
}

static int kernel_open_ids(void)
{
	LOCK_SCOPE(&kernel.lock);
	return kernel.open;
}

/* What open(2) of the mount does with an id. */
static int kernel_open(int id, int flags)
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

static void backing_on(void)
{
	const struct cache_backing b = { .open = kernel_register,
					 .close = kernel_forget,
					 .hold = kernel_hold,
					 .arg = &kernel };

	cache_set_backing(c, &b);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	int rc = state_teardown(state);

	assert_int_equal(kernel_open_ids(), 0);
	assert_int_equal(kernel.held, 0);
	return rc;
}

/* A file of the pool, as create makes one; 0 in *ino: any number. */
static uint64_t take_file(const char *name)
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

static struct open k_open(uint64_t ino, bool writable)
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
static struct open k_first(uint64_t *ino)
{
	backing_on();
	*ino = take_file("a");
	return k_open(*ino, true);
}

static void k_close(struct open *o)
{
	if (o->fd >= 0)
		close(o->fd);
	cache_pass_end(o->f, &o->p);
	file_close(o->f, o->p.writable);
}

static void k_write(const struct open *o, uint64_t seed, uint64_t off, size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n);

	assert_true(o->fd >= 0);
	pattern(seed, off, p, n);
	assert_int_equal(pwrite(o->fd, p, n, (off_t)off), n);
}

static void expect_row(uint64_t ino, uint64_t size, bool opened)
{
	struct meta_inode row;

	row_get(ino, &row);
	assert_int_equal(row.opened_for_write, opened);
	if (!opened)
		assert_int_equal(row.size, size);
}

static void expect_content(uint64_t ino, uint64_t seed, size_t n)
{
	struct cache_file *f = file_open(ino, false);

	assert_int_equal(cache_size(f), n);
	expect_at(f, seed, 0, n);
	file_close(f, false);
}

/* Closes this state, and lets a process open it that then dies in the middle
 * of what it does. out[]: what that process tells. */
static void after_death(void (*live)(uint64_t out[2]), uint64_t out[2])
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

/* ---- what the kernel writes ------------------------------------------ */

static void test_create(void **state)
{
	struct open o;
	uint64_t ino;

	o = k_first(&ino);
	assert_true(o.p.id > 0);
	assert_false(o.p.direct);
	k_write(&o, 1, 0, 300000);
	assert_int_equal(cache_size(o.f), 300000);
	expect_at(o.f, 1, 0, 300000);
	k_write(&o, 1, 300000, 5);
	assert_int_equal(cache_fsync(o.f, true), 0);
	assert_int_equal(protect(ino), -EBUSY);
	k_close(&o);
	assert_int_equal(cache_account(c), 1);
	assert_int_equal(cache_flush(c), 0);
	expect_row(ino, 300005, false);
	assert_int_equal(cache_account(c), 1);
	assert_int_equal(protect(ino), 0);
	assert_int_equal(state_of(ino), META_LOCAL);
	expect_content(ino, 1, 300005);
	reopen();
	expect_content(ino, 1, 300005);
}

/* An empty file, too, is free again after it was looked at. */
static void test_empty(void **state)
{
	struct cache_file *f;
	struct open o;
	uint64_t ino;

	o = k_first(&ino);
	k_close(&o);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(protect(ino), 0);
	f = file_open(ino, true);
	write_at(f, 1, 0, 100);
	file_close(f, true);
	expect_content(ino, 1, 100);
}

/* Many at once: one syncfs, and each by its own lease. */
static void test_flush_many(void **state)
{
	struct open o[20];
	uint64_t ino[20];
	char name[16];
	void *map;
	int i;

	backing_on();
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino[i] = take_file(name);
		o[i] = k_open(ino[i], true);
		k_write(&o[i], (uint64_t)i, 0, 10000);
	}
	map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, o[7].fd, 0);
	assert_true(map != MAP_FAILED);
	for (i = 0; i < 20; i++)
		k_close(&o[i]);
	cache_flush(c);
	for (i = 0; i < 20; i++) {
		expect_row(ino[i], 10000, i == 7);
		assert_int_equal(protect(ino[i]), i == 7 ? -EBUSY : 0);
	}
	munmap(map, 10000);
}

/*
 * More files that are closed and mapped than may wait for their flush: they
 * come back to the queue, and nobody waits for them there.
 */
static void test_many_mapped(void **state)
{
	struct open o[20];
	uint64_t ino[20];
	void *map[20];
	char name[16];
	int64_t end;
	struct job_info info;
	int i;

	opts.keep_fds = 4;
	reopen();
	backing_on();
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino[i] = take_file(name);
		o[i] = k_open(ino[i], true);
		k_write(&o[i], (uint64_t)i, 0, 10000);
		map[i] = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED,
			      o[i].fd, 0);
		assert_true(map[i] != MAP_FAILED);
		k_close(&o[i]);
	}
	/* The job rests between its rounds. */
	end = clock_boot_ns() + 5 * NSEC_PER_SEC;
	do {
		clock_sleep_ns(1000000);
		cache_job(c, &info);
	} while (info.state != JOB_SLEEPING && clock_boot_ns() < end);
	assert_int_equal(info.state, JOB_SLEEPING);
	for (i = 0; i < 20; i++)
		munmap(map[i], 10000);
	assert_int_equal(cache_flush(c), 0);
	for (i = 0; i < 20; i++)
		expect_row(ino[i], 10000, false);
}

/* Closed and mapped: each keeps its descriptors, so there is a limit. Beyond
 * it files are served. */
static void test_mapped_limit(void **state)
{
	struct open o[6];
	void *map[4];
	char name[16];
	uint64_t ino;
	int i;

	opts.unseen_max = 4;
	reopen();
	backing_on();
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino = take_file(name);
		o[i] = k_open(ino, true);
		assert_int_equal(o[i].fd >= 0, i < 4);
		if (i >= 4)
			continue;
		k_write(&o[i], 1, 0, 10000);
		map[i] = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED,
			      o[i].fd, 0);
		assert_true(map[i] != MAP_FAILED);
		k_close(&o[i]);
		assert_int_equal(cache_flush(c), 0);
	}
	k_close(&o[4]);
	k_close(&o[5]);
	munmap(map[3], 10000);
	assert_int_equal(cache_flush(c), 0);
	o[5] = k_open(take_file("more"), true);
	assert_true(o[5].fd >= 0);
	k_close(&o[5]);
	for (i = 0; i < 3; i++)
		munmap(map[i], 10000);
	assert_int_equal(cache_flush(c), 0);
}

/* S9, S10: closed, and still written to. */
static void test_mapping_outlives(void **state)
{
	struct open o;
	uint64_t ino;
	uint8_t *map;

	o = k_first(&ino);
	k_write(&o, 1, 0, 8192);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, o.fd, 0);
	assert_true(map != MAP_FAILED);
	k_close(&o);
	cache_flush(c);
	expect_row(ino, 0, true);
	assert_int_equal(protect(ino), -EBUSY);
	pattern(2, 0, map, 8192);
	assert_int_equal(protect(ino), -EBUSY);
	munmap(map, 8192);
	assert_int_equal(cache_flush(c), 0);
	expect_row(ino, 8192, false);
	assert_int_equal(protect(ino), 0);
	expect_content(ino, 2, 8192);
}

/* A file of the bucket's is another version before the kernel may write. */
static void test_protected_becomes_dirty(void **state)
{
	uint64_t ino = make_file("a", 1, 2 * MIB), version;
	struct meta_inode row;
	struct open o;

	backing_on();
	assert_int_equal(protect(ino), 0);
	row_get(ino, &row);
	version = row.content_version;
	o = k_open(ino, true);
	row_get(ino, &row);
	assert_int_equal(row.state, META_DIRTY);
	assert_true(row.opened_for_write && row.content_version > version);
	assert_true(o.p.id > 0);
	k_write(&o, 2, 0, MIB);
	k_close(&o);
	assert_int_equal(protect(ino), 0); /* flushes it */
	o = k_open(ino, false);
	expect_at(o.f, 2, 0, MIB);
	expect_at(o.f, 1, MIB, MIB);
	k_close(&o);
}

static void test_small_protected_is_served(void **state)
{
	uint64_t ino = make_file("a", 1, 200 * KIB);
	struct open o;

	backing_on();
	assert_int_equal(protect(ino), 0);
	o = k_open(ino, true);
	assert_int_equal(o.p.id, 0);
	assert_int_equal(state_of(ino), META_LOCAL);
	k_close(&o);
	assert_int_equal(state_of(ino), META_LOCAL);
}

static void write_some(uint64_t out[2])
{
	struct open o;

	out[0] = take_file("a");
	o = k_open(out[0], true);
	k_write(&o, 1, 0, 8192);
}

/* A client's mapping outlives the process that was killed, too. */
static void test_mapping_outlives_process(void **state)
{
	uint64_t ino[2] = { 0, 0 };
	CLEANUP_FREE char *path = NULL;
	uint8_t *map;
	int fd;

	after_death(write_some, ino);
	path = local_of(ino[0]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	assert_int_equal(open_state(), 0);
	expect_row(ino[0], 8192, true);
	assert_int_equal(protect(ino[0]), -EBUSY);
	pattern(2, 0, map, 8192);
	munmap(map, 8192);
	assert_int_equal(cache_flush(c), 0);
	expect_row(ino[0], 8192, false);
	assert_int_equal(protect(ino[0]), 0);
	expect_content(ino[0], 2, 8192);
}

/* A later change by the daemon takes nothing away that the kernel wrote. */
static void test_both_write(void **state)
{
	struct cache_file *f;
	struct open o;
	uint64_t ino;

	o = k_first(&ino);
	k_write(&o, 1, 0, 100000);
	f = file_open(ino, true);
	write_at(f, 1, 100000, 50000);
	k_write(&o, 1, 150000, 1000);
	expect_at(f, 1, 0, 151000);
	assert_int_equal(cache_truncate(f, 140000), 0);
	k_write(&o, 1, 140000, 7);
	file_close(f, true);
	k_close(&o);
	/* The flush has closed what wrote; the next change opens it again. */
	assert_int_equal(cache_flush(c), 0);
	f = file_open(ino, true);
	write_at(f, 1, 140007, 3);
	expect_at(f, 1, 0, 140010);
	file_close(f, true);
	assert_int_equal(cache_account(c), 1);
}

/* ---- agreement ------------------------------------------------------- */

static void test_opens_agree(void **state)
{
	uint64_t ino = make_file("a", 1, 200 * KIB);
	struct open a, b, w;

	a = k_open(ino, false); /* before there is passthrough */
	assert_int_equal(a.p.id, 0);
	backing_on();
	b = k_open(ino, false);
	assert_int_equal(b.p.id, 0);
	k_close(&a);
	a = k_open(ino, false);
	assert_int_equal(a.p.id, 0);
	k_close(&a);
	k_close(&b);
	a = k_open(ino, false);
	b = k_open(ino, false);
	w = k_open(ino, true);
	assert_true(a.p.id > 0);
	assert_int_equal(b.p.id, a.p.id);
	assert_int_equal(w.p.id, a.p.id);
	k_close(&w);
	k_close(&a);
	k_close(&b);
	a = k_open(ino, false);
	assert_int_equal(a.p.id, b.p.id); /* kept */
	k_close(&a);
}

static void test_incomplete_is_served(void **state)
{
	uint64_t ino = make_file("a", 1, 200 * KIB), freed;
	struct open o;

	backing_on();
	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	o = k_open(ino, false);
	assert_int_equal(o.p.id, 0);
	k_close(&o);
}

static void test_refused(void **state)
{
	uint64_t ino = make_file("a", 1, 200 * KIB);
	struct open o;

	backing_on();
	kernel.refuse = -EPERM;
	o = k_open(ino, false);
	assert_int_equal(o.p.id, 0);
	k_close(&o);
	kernel.refuse = -EOPNOTSUPP;
	o = k_open(ino, false);
	assert_int_equal(o.p.id, 0);
	k_close(&o);
	kernel.refuse = 0; /* for good */
	o = k_open(ino, false);
	assert_int_equal(o.p.id, 0);
	k_close(&o);
	while (cache_pool_take(c))
		;
}

/* S13: no headroom, no writing behind our back. */
static void test_headroom(void **state)
{
	struct meta_quota q = { .bytes = 2 * MIB };
	uint64_t ino = make_file("a", 1, MIB + MIB / 2);
	struct open o, r;

	backing_on();
	meta_quota_set(m, &q);
	o = k_open(ino, true);
	assert_int_equal(o.p.id, 0);
	k_close(&o);
	r = k_open(ino, false);
	assert_true(r.p.id > 0 && !r.p.direct);
	o = k_open(ino, true);
	assert_int_equal(o.p.id, r.p.id);
	assert_true(o.p.direct);
	k_close(&o);
	k_close(&r);
	q.bytes = 100 * MIB;
	meta_quota_set(m, &q);
	o = k_open(ino, true);
	assert_true(o.p.id > 0 && !o.p.direct);
	k_close(&o);
}

/* ---- ids ------------------------------------------------------------- */

/* Unlinking frees no block while an id is held. */
static void test_evict_and_drop_give_back(void **state)
{
	uint64_t a = make_file("a", 1, 200 * KIB), freed;
	uint64_t b = make_file("b", 2, 200 * KIB);
	struct open o;

	backing_on();
	take_file("wait"); /* the pool is full then */
	while (kernel_open_ids() < 64)
		clock_sleep_ns(1000000);
	assert_int_equal(protect(a), 0);
	o = k_open(a, false);
	k_close(&o);
	o = k_open(b, false);
	k_close(&o);
	assert_int_equal(kernel_open_ids(), 66);
	assert_int_equal(cache_backing_count(c), 2);
	assert_int_equal(cache_evict(c, a, &freed), 0);
	assert_int_equal(freed, 200 * KIB);
	assert_int_equal(kernel_open_ids(), 65);
	unlink_file(b, "b");
	assert_int_equal(cache_drop(c, b), 0);
	assert_int_equal(kernel_open_ids(), 64);
	assert_int_equal(cache_backing_count(c), 0);
}

static void test_least_lately_used(void **state)
{
	struct open o, held;
	char name[16];
	int i;

	opts.backing_max = 3;
	reopen();
	backing_on();
	make_file("held", 9, 200 * KIB);
	held = k_open(make_file("h", 9, 200 * KIB), false);
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%d", i);
		o = k_open(make_file(name, 1, 200 * KIB), false);
		k_close(&o);
	}
	assert_int_equal(cache_backing_count(c), 3);
	expect_at(held.f, 9, 0, 200 * KIB); /* its id was kept, or reads it */
	o = k_open(cache_ino(held.f), false);
	assert_int_equal(o.p.id, held.p.id);
	k_close(&o);
	k_close(&held);
}

/* A mapping stores into it still: it is passed again, though it is small. */
static void test_small_mapped_is_passed(void **state)
{
	struct open o, other;
	uint64_t ino;
	void *map;

	opts.backing_max = 1;
	reopen();
	o = k_first(&ino);
	k_write(&o, 1, 0, 8192);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, o.fd, 0);
	assert_true(map != MAP_FAILED);
	k_close(&o);
	other = k_open(make_file("b", 9, 200 * KIB), false);
	assert_true(other.p.id > 0);
	k_close(&other);
	o = k_open(ino, false);
	assert_true(o.p.id > 0);
	k_close(&o);
	munmap(map, 8192);
	cache_flush(c);
	expect_row(ino, 8192, false);
}

static void test_off_gives_all_back(void **state)
{
	uint64_t ino = make_file("a", 1, 200 * KIB), pooled;
	struct open o;

	backing_on();
	o = k_open(ino, false);
	while (!(pooled = cache_pool_take(c)))
		clock_sleep_ns(1000000);
	cache_pool_give(c, pooled);
	assert_true(local_exists(pooled));
	cache_set_backing(c, NULL);
	assert_int_equal(kernel_open_ids(), 0);
	assert_false(local_exists(pooled));
	assert_int_equal(cache_backing_count(c), 0);
	assert_int_equal(cache_pool_take(c), 0);
	k_close(&o);
}

/* ---- the pool after a crash ------------------------------------------ */

static void take_two(uint64_t out[2])
{
	while (!(out[0] = cache_pool_take(c)))
		clock_sleep_ns(1000000);
	out[1] = take_file("a");
}

static void test_left_over(void **state)
{
	uint64_t pooled[2] = { 0, 0 }, next;

	after_death(take_two, pooled);
	assert_int_equal(open_state(), 0);
	assert_true(local_exists(pooled[0]));
	backing_on();
	assert_int_equal(cache_scan_lost(c, NULL, NULL), 0);
	assert_false(local_exists(pooled[0]));
	assert_true(local_exists(pooled[1])); /* that one has a row */
	assert_int_equal(count_lost(), 0);
	while (!(next = cache_pool_take(c))) /* not its own ones */
		clock_sleep_ns(1000000);
	assert_true(next > pooled[1] && local_exists(next));
}

/* A create that failed gives it back, and it serves the next. */
static void test_give_back(void **state)
{
	uint64_t ino, again;

	backing_on();
	while (!(ino = cache_pool_take(c)))
		clock_sleep_ns(1000000);
	cache_pool_give(c, ino);
	do {
		again = cache_pool_take(c);
	} while (again && again != ino);
	assert_int_equal(again, ino);
}

/* ---- a full disk ------------------------------------------------------ */

static bool wait_held(int held, int holds)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (kernel.held == held && kernel.holds >= holds)
			return true;
		clock_sleep_ns(5000000);
	}
	return false;
}

/* Who writes past us is stopped, and goes on when there is room (S13). */
static void test_brake(void **state)
{
	struct cache_pass p;
	struct open w, r;
	uint64_t ino;

	w = k_first(&ino);
	k_write(&w, 1, 0, 100);
	clock_sleep_ns(NSEC_PER_SEC / 5);
	assert_int_equal(kernel.held, 0);
	disk_free = MIB - 1;
	assert_true(wait_held(1, 1));
	/* No more writers; readers, and who makes room. */
	assert_int_equal(cache_acquire(w.f, true), 0);
	assert_int_equal(cache_pass_begin(w.f, true, false, &p), -ENOSPC);
	assert_int_equal(cache_release(w.f, true), 0);
	r = k_open(ino, false);
	expect_at(r.f, 1, 0, 100);
	k_close(&r);
	assert_int_equal(cache_truncate(w.f, 50), 0);
	assert_true(wait_held(1, 2));
	/* A little room is none. */
	disk_free = MIB + 1;
	clock_sleep_ns(NSEC_PER_SEC / 3);
	assert_int_equal(kernel.held, 1);
	disk_free = ROOMY;
	assert_true(wait_held(0, 2));
	k_write(&w, 2, 0, 100);
	/* Closed: it is a file as any other. */
	disk_free = 0;
	assert_true(wait_held(1, 3));
	k_close(&w);
	assert_int_equal(cache_flush(c), 0);
	assert_true(wait_held(0, 3));
	expect_content(ino, 2, 100);
}

/* Each way out takes the flag along. */
static void test_brake_ends(void **state)
{
	struct open w;
	uint64_t ino;
	int i;

	w = k_first(&ino);
	disk_free = 0;
	assert_true(wait_held(1, 1));
	cache_set_backing(c, NULL);
	assert_int_equal(kernel.held, 0);
	k_close(&w);
	backing_on();
	disk_free = ROOMY;
	ino = take_file("b");
	for (i = 0; i < 2000; i++) { /* until it is seen that there is room */
		w = k_open(ino, true);
		if (w.fd >= 0)
			break;
		k_close(&w);
		clock_sleep_ns(5000000);
	}
	assert_true(w.fd >= 0);
	disk_free = 0;
	assert_true(wait_held(1, 2)); /* the teardown looks */
	k_close(&w);
}

/* A broker that the full disk keeps busy answers too late, and has done it. */
static void test_late_brake(void **state)
{
	struct open w;
	uint64_t ino;

	w = k_first(&ino);
	kernel.late = true;
	disk_free = 0;
	assert_true(wait_held(1, 1));
	disk_free = ROOMY;
	assert_true(wait_held(0, 1));
	kernel.late = false;
	k_write(&w, 1, 0, 100);
	k_close(&w);
}

/* Soon, if not at once. */
static bool wait_writable(uint64_t ino)
{
	struct open o = { .f = file_open(ino, true) };
	int i, rc = -ENOSPC;

	for (i = 0; i < 1000 && rc == -ENOSPC; i++) {
		rc = cache_pass_begin(o.f, true, false, &o.p);
		if (rc == 0)
			cache_pass_end(o.f, &o.p);
		else
			clock_sleep_ns(5000000);
	}
	file_close(o.f, true);
	return rc == 0;
}

/* Nobody could let it go when it was closed: who writes next to it does. */
static void test_brake_stays(void **state)
{
	struct open w, r;
	uint64_t ino;

	w = k_first(&ino);
	r = k_open(ino, false);
	disk_free = 0;
	assert_true(wait_held(1, 1));
	kernel.no_hold = -EIO;
	k_close(&w);
	assert_int_equal(cache_flush(c), 0);
	clock_sleep_ns(NSEC_PER_SEC / 2); /* it is not watched any more */
	assert_int_equal(kernel.held, 1);
	kernel.no_hold = 0;
	disk_free = ROOMY;
	assert_true(wait_writable(ino));
	w = k_open(ino, true);
	assert_int_equal(kernel.held, 0);
	k_write(&w, 1, 0, 100);
	k_close(&w);
	k_close(&r);
}

/* A filesystem that has no such flag is asked once. */
static void test_no_brake(void **state)
{
	struct open w;

	backing_on();
	w = k_open(take_file("a"), true);
	kernel.no_hold = -ENOTTY;
	disk_free = 0;
	clock_sleep_ns(NSEC_PER_SEC);
	k_write(&w, 1, 0, 100);
	kernel.no_hold = 0;
	clock_sleep_ns(NSEC_PER_SEC / 3);
	assert_int_equal(kernel.holds, 0);
	k_close(&w);
}

#define BACKING_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BACKING_TEST(test_create),
		BACKING_TEST(test_empty),
		BACKING_TEST(test_flush_many),
		BACKING_TEST(test_many_mapped),
		BACKING_TEST(test_mapped_limit),
		BACKING_TEST(test_mapping_outlives),
		BACKING_TEST(test_mapping_outlives_process),
		BACKING_TEST(test_protected_becomes_dirty),
		BACKING_TEST(test_small_protected_is_served),
		BACKING_TEST(test_both_write),
		BACKING_TEST(test_opens_agree),
		BACKING_TEST(test_incomplete_is_served),
		BACKING_TEST(test_refused),
		BACKING_TEST(test_headroom),
		BACKING_TEST(test_evict_and_drop_give_back),
		BACKING_TEST(test_least_lately_used),
		BACKING_TEST(test_small_mapped_is_passed),
		BACKING_TEST(test_off_gives_all_back),
		BACKING_TEST(test_left_over),
		BACKING_TEST(test_give_back),
		BACKING_TEST(test_brake),
		BACKING_TEST(test_brake_ends),
		BACKING_TEST(test_late_brake),
		BACKING_TEST(test_brake_stays),
		BACKING_TEST(test_no_brake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
