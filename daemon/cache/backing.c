/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE passthrough: the kernel reads and writes cache files itself, by an id.
 *
 * The kernel demands that all opens of one inode agree. So a file is served
 * by the daemon, or passed, from the first of its opens to the last, and has
 * one id meanwhile. Ids of files that were used lately are kept (c->warm).
 *
 * What is not seen then, and what stands for it:
 *   a write        the row is DIRTY, with a new version, before the open for
 *                  writing is answered (S10); sizes are asked of the disk
 *   stores into a  `unseen`: the file is open for writing to us until a lease
 *   mapping that   says that no mapping is left (S9); flush.c
 *   outlives close
 *   growth         only with headroom (S13); looked at each second
 *
 * Locks: watch_lock > file > pool > backing_lock, the innermost.
 */
#include "cache/impl.h"

#include <fcntl.h>

#include <utlist.h>

#include "base/log.h"

#define WATCH_NS     NSEC_PER_SEC
#define READ_TICK_NS 500000 /* a part of a tick of the kernel's clock */
/* A file this small is in the kernel's pages after one request. */
#define PASS_MIN (128ULL << 10)
/* Opening a protected file for writing is no change yet, and would be one: a
 * larger one is worth that. */
#define PASS_DIRTY_MIN (1ULL << 20)

/* ---- ids ------------------------------------------------------------- */

int backing_open(struct cache *c, int fd)
{
	int id;

	LOCK_SCOPE(&c->backing_lock);
	if (!c->backing.open)
		return -EOPNOTSUPP;
	id = c->backing.open(c->backing.arg, fd);
	if (id == -EOPNOTSUPP)
		atomic_store(&c->passing, false);
	return id;
}

void backing_close(struct cache *c, int id)
{
	LOCK_SCOPE(&c->backing_lock);
	if (c->backing.close)
		c->backing.close(c->backing.arg, id);
}

static int backing_take_locked(struct cache_file *f)
{
	int id = f->backing;

	f->backing = 0;
	return id;
}

static void warm_remove_locked(struct cache_file *f)
{
	DL_DELETE2(f->c->warm, f, warm_prev, warm_next);
	f->c->n_warm--;
	f->warm = false;
}

/* The least lately used beyond the limit; its reference is the caller's. */
static struct cache_file *warm_add(struct cache_file *f)
{
	struct cache *c = f->c;
	struct cache_file *old = NULL;

	LOCK_SCOPE(&c->lock);
	if (f->warm)
		warm_remove_locked(f);
	else
		cache_ref_locked(f);
	DL_APPEND2(c->warm, f, warm_prev, warm_next);
	c->n_warm++;
	f->warm = true;
	if (c->n_warm > c->o.backing_max)
		old = c->warm;
	if (old)
		warm_remove_locked(old);
	return old;
}

/* It stays when somebody has it open. */
static void backing_cool(struct cache_file *f)
{
	int id = 0;

	pthread_mutex_lock(&f->lock);
	if (f->passed == 0)
		id = backing_take_locked(f);
	pthread_mutex_unlock(&f->lock);
	if (id)
		backing_close(f->c, id);
	cache_put(f);
}

static void backing_warm(struct cache_file *f)
{
	struct cache_file *old = warm_add(f);

	if (old)
		backing_cool(old);
}

void backing_forget(struct cache_file *f)
{
	struct cache *c = f->c;
	bool warm;
	int id;

	pthread_mutex_lock(&f->lock);
	id = backing_take_locked(f);
	pthread_mutex_unlock(&f->lock);
	if (id)
		backing_close(c, id);
	pthread_mutex_lock(&c->lock);
	warm = f->warm;
	if (warm)
		warm_remove_locked(f);
	pthread_mutex_unlock(&c->lock);
	if (warm)
		cache_put(f);
}

unsigned cache_backing_count(struct cache *c)
{
	return atomic_load(&c->n_warm);
}

/* ---- opens of the kernel --------------------------------------------- */

void unseen_set_locked(struct cache_file *f, bool on)
{
	if (f->unseen != on)
		atomic_fetch_add(&f->c->n_unseen, on ? 1U : -1U);
	f->unseen = on;
}

/*
 * S13: the kernel asks nobody for the room that it writes into. Eviction mends
 * a share that is exceeded; a disk that is full nobody mends. And who maps one
 * file after the other and closes it must not take all descriptors.
 */
static bool pass_room(struct cache *c)
{
	uint64_t reserve = MIN(c->o.passthrough_reserve, c->o.size / 16);
	struct cache_usage u;

	if (c->o.unseen_max && atomic_load(&c->n_unseen) >= c->o.unseen_max)
		return false;
	cache_usage(c, &u);
	return u.used + reserve <= u.size &&
	       u.disk_free >= c->o.free_min + c->o.passthrough_reserve &&
	       meta_quota_left(c->m) >= reserve;
}

static bool pass_able_locked(const struct cache_file *f, bool writable)
{
	if (!atomic_load(&f->c->passing) || f->damaged || f->dropped ||
	    cache_incomplete_locked(f))
		return false;
	if (writable && f->state != META_DIRTY && f->size > 0 &&
	    f->size < PASS_DIRTY_MIN)
		return false;
	/* What a mapping stores into must not be in the kernel's pages, too. */
	return f->backing || f->unseen || f->size >= PASS_MIN ||
	       (writable && f->wfd >= 0 && f->size == 0);
}

static int pass_register_locked(struct cache_file *f)
{
	int rc = f->backing ? 0 : cache_rfd_locked(f);

	if (rc < 0 || f->backing)
		return rc;
	rc = backing_open(f->c, f->rfd);
	if (rc < 0)
		return rc;
	f->backing = rc;
	return 0;
}

static void pass_choose_locked(struct cache_file *f, bool room,
			       struct cache_pass *p)
{
	bool pass = f->passed > 0;

	if (!pass && f->served == 0 && pass_able_locked(f, p->writable) &&
	    (room || f->unseen))
		pass = pass_register_locked(f) == 0;
	if (!pass) {
		f->served++;
		return;
	}
	f->passed++;
	f->passed_writers += p->writable;
	p->id = f->backing;
	p->direct = f->damaged || !room;
}

static void pass_watch(struct cache_file *f)
{
	struct cache *c = f->c;

	pthread_mutex_lock(&c->lock);
	if (!f->watched) {
		DL_APPEND2(c->watched, f, watch_prev, watch_next);
		cache_ref_locked(f);
		f->watched = true;
	}
	pthread_mutex_unlock(&c->lock);
	job_wake_in(c->passer, WATCH_NS);
}

/*
 * What a first change does, before the kernel can make one. The descriptors
 * that will tell of lost writes are open before that, too (S4).
 */
static int pass_dirty(struct cache_file *f)
{
	int fd, rc;

	rc = cache_change_begin(f, false, 0, &fd);
	if (rc < 0)
		return rc;
	cache_change_end(f);
	LOCK_SCOPE(&f->lock);
	rc = cache_rfd_locked(f);
	unseen_set_locked(f, rc == 0);
	return rc;
}

int cache_pass_begin(struct cache_file *f, bool writable, bool seen,
		     struct cache_pass *p)
{
	bool room = !writable || (!seen && pass_room(f->c)), held;
	int rc;

	*p = (struct cache_pass){ .writable = writable };
	pthread_mutex_lock(&f->lock);
	cache_wait_busy_locked(f);
	if (writable && !atomic_load(&f->c->braking))
		brake_let_locked(f);
	held = writable && f->held;
	if (!held)
		pass_choose_locked(f, room, p);
	pthread_mutex_unlock(&f->lock);
	if (held)
		return -ENOSPC;
	if (!p->id)
		return 0;
	backing_warm(f);
	rc = writable ? pass_dirty(f) : 0;
	if (rc < 0)
		cache_pass_end(f, p);
	else if (writable)
		pass_watch(f);
	return rc;
}

void cache_pass_end(struct cache_file *f, const struct cache_pass *p)
{
	LOCK_SCOPE(&f->lock);
	if (!p->id) {
		f->served--;
		return;
	}
	f->passed--;
	f->passed_writers -= p->writable;
	if (f->passed == 0)
		f->atime_ns = 0;
	backing_look_locked(f);
}

bool cache_passed(struct cache *c, uint64_t ino, int64_t mtime_ns)
{
	CLEANUP(cache_put_guard) struct cache_file *f = cache_find(c, ino);

	if (!f)
		return false;
	LOCK_SCOPE(&f->lock);
	return f->unseen && f->stranger && f->mtime_ns != mtime_ns;
}

void cache_pass_stranger(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	f->stranger = true;
}

/* ---- reads of the kernel --------------------------------------------- */

/*
 * Sees to it that the next read moves the access time of the cache file. One
 * that is not open gets a very old one; the times of an open one are seen,
 * and let any read move it that is due, but not within the same tick of the
 * clock: 1, wait for the next.
 */
static int read_watch_arm_locked(struct cache_file *f)
{
	const struct timespec ts[2] = { { .tv_nsec = 1 },
					{ .tv_nsec = UTIME_OMIT } };
	struct timespec now;
	struct stat st;
	int rc = f->held ? -EOPNOTSUPP : cache_rfd_locked(f);

	if (rc < 0)
		return rc;
	if (!f->opened && futimens(f->rfd, ts) < 0)
		return -errno;
	if (fstat(f->rfd, &st) < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (clock_ns(st.st_atim) == clock_ns(now))
		return 1;
	f->atime_ns = clock_ns(st.st_atim);
	return 0;
}

int cache_read_watch(struct cache_file *f)
{
	int rc = f->c->no_atime ? -EOPNOTSUPP : 1;

	while (rc == 1) {
		pthread_mutex_lock(&f->lock);
		rc = f->atime_ns ? 0 : read_watch_arm_locked(f);
		pthread_mutex_unlock(&f->lock);
		if (rc == 1)
			clock_sleep_ns(READ_TICK_NS);
	}
	return rc;
}

int cache_read_seen(struct cache *c, uint64_t ino, int64_t *ns)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	struct stat st;

	*ns = 0;
	if (atomic_load(&c->n_warm) == 0)
		return 0;
	f = cache_find(c, ino);
	if (!f)
		return 0;
	LOCK_SCOPE(&f->lock);
	*ns = f->read_ns;
	if (!f->atime_ns || f->rfd < 0)
		return 0;
	if (fstat(f->rfd, &st) < 0)
		return -errno;
	if (clock_ns(st.st_atim) == f->atime_ns)
		return 0;
	f->atime_ns = 0;
	*ns = f->read_ns = clock_wall_ns();
	return 1;
}

/* ---- what the kernel did --------------------------------------------- */

void backing_look_locked(struct cache_file *f)
{
	int fd = f->wfd >= 0 ? f->wfd : f->rfd;
	struct stat st;

	if (!f->unseen || fd < 0 || fstat(fd, &st) < 0)
		return;
	f->size = (uint64_t)st.st_size;
	space_update(f, (uint64_t)st.st_blocks * 512);
	quota_follow_locked(f);
}

int still_begin_locked(struct cache_file *f)
{
	int rc;

	if (!f->unseen)
		return 0;
	if (f->pins > 0 || f->passed_writers > 0 ||
	    atomic_load(&f->seal) != SEAL_NONE)
		return -EBUSY;
	rc = cache_rfd_locked(f);
	if (rc < 0)
		return rc;
	cache_close_fd(&f->wfd); /* it would refuse the lease */
	if (fcntl(f->rfd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? -EBUSY : -errno;
	atomic_store(&f->seal, SEAL_HELD);
	return 0;
}

bool still_valid(const struct cache_file *f)
{
	return !f->unseen || (atomic_load(&f->seal) == SEAL_HELD &&
			      fcntl(f->rfd, F_GETLEASE) == F_RDLCK);
}

void still_end_locked(struct cache_file *f)
{
	if (!f->unseen)
		return;
	if (still_valid(f) && !f->opened) {
		unseen_set_locked(f, false);
		f->stranger = false;
	}
	if (!f->unseen)
		brake_let_locked(f);
	cache_break_seal_locked(f);
	atomic_store(&f->seal, SEAL_NONE);
	if (!f->unseen && !cache_in_use_locked(f))
		cache_close_fd(&f->rfd);
}

static void watch_remove_locked(struct cache_file *f)
{
	DL_DELETE2(f->c->watched, f, watch_prev, watch_next);
	f->watched = false;
}

/*
 * The file on the list behind `f`, with a reference; gives that of `f` back.
 * One that is still now leaves the list: who makes it `unseen` again does so
 * before looking at the list.
 */
static struct cache_file *watch_next(struct cache *c, struct cache_file *f)
{
	struct cache_file *next;
	bool still;

	pthread_mutex_lock(&c->lock);
	next = f ? f->watch_next : c->watched;
	still = f && !f->unseen;
	if (still)
		watch_remove_locked(f);
	if (next)
		cache_ref_locked(next);
	pthread_mutex_unlock(&c->lock);
	if (still)
		cache_put(f);
	cache_put(f);
	return next;
}

static bool watch_any(struct cache *c)
{
	LOCK_SCOPE(&c->lock);
	return c->watched != NULL;
}

static void watch_each(struct cache *c, void (*look)(struct cache_file *f))
{
	struct cache_file *f;

	LOCK_SCOPE(&c->watch_lock);
	for (f = watch_next(c, NULL); f; f = watch_next(c, f)) {
		LOCK_SCOPE(&f->lock);
		look(f);
	}
}

static void watch_file_locked(struct cache_file *f)
{
	backing_look_locked(f);
	brake_file_locked(f);
}

/*
 * What was written with O_SYNC or through a mapping must not lose its name
 * (S2), and what grew is counted. The disk is looked at more often when it may
 * soon be full.
 */
static int64_t watch_round(struct cache *c)
{
	bool braked = atomic_load(&c->braking), due;
	int64_t now = clock_boot_ns(), again;
	int rc = 0;

	if (!watch_any(c)) {
		atomic_store(&c->braking, false);
		return JOB_IDLE;
	}
	again = brake_look(c);
	due = now - c->watched_ns >= WATCH_NS - WATCH_NS / 10;
	if (due || braked || atomic_load(&c->braking))
		watch_each(c, watch_file_locked);
	if (due) {
		rc = meta_durable(c->m, 0);
		c->watched_ns = now;
	}
	return rc < 0 ? rc : again;
}

void watch_forget(struct cache *c)
{
	struct cache_file *f;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		f = c->watched;
		if (f)
			watch_remove_locked(f);
		pthread_mutex_unlock(&c->lock);
		if (!f)
			return;
		cache_put(f);
	}
}

/* ---- the functions --------------------------------------------------- */

/* Every id, before the functions go. */
static void backing_forget_all(struct cache *c)
{
	struct cache_file *f;

	pool_drain(c);
	for (;;) {
		pthread_mutex_lock(&c->lock);
		f = c->warm ? cache_ref_locked(c->warm) : NULL;
		pthread_mutex_unlock(&c->lock);
		if (!f)
			return;
		backing_forget(f);
		cache_put(f);
	}
}

void cache_set_backing(struct cache *c, const struct cache_backing *b)
{
	atomic_store(&c->passing, false);
	watch_each(c, brake_let_locked); /* later nobody can */
	backing_forget_all(c);
	pthread_mutex_lock(&c->backing_lock);
	c->backing = b ? *b : (struct cache_backing){ 0 };
	pthread_mutex_unlock(&c->backing_lock);
	atomic_store(&c->passing, b != NULL);
	if (!b)
		return;
	brake_let_left(c);
	job_wake(c->passer);
}

/* ---- the job --------------------------------------------------------- */

int64_t backing_run(struct job *job, void *arg)
{
	struct cache *c = arg;
	int64_t pool = pool_fill(c), watch = watch_round(c);

	if (pool < 0) { /* files are made without it meanwhile */
		job_error(job, "preparing files: %s", errno_name((int)-pool));
		pool = pool == -EOPNOTSUPP ? JOB_IDLE : WATCH_NS;
	}
	return watch < 0 ? watch : MIN(pool, watch);
}
