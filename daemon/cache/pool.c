/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache files made and registered before anybody wants them, so that a create
 * costs nothing of that. Each has an inode number of its own, under which it
 * lies already: taking one moves nothing on the disk. What a killed process
 * leaves is empty, and is removed by the scan for lost files.
 */
#include "cache/impl.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"

#define POOL_FILES 64
/* A burst of small files is as well served without: filling up costs other
 * threads' time, so it is done so often only. */
#define POOL_PAUSE_NS (50 * 1000000LL)

enum pool_state { POOL_EMPTY, POOL_MAKING, POOL_READY, POOL_TAKEN };

struct pool_file {
	enum pool_state state;
	uint64_t ino;
	int rfd, wfd, id;
};

struct pool {
	pthread_mutex_t lock; /* guards all below */
	struct pool_file file[POOL_FILES];
	int64_t filled_ns; /* the job's own */
};

int pool_init(struct cache *c)
{
	c->pool = calloc(1, sizeof(*c->pool));
	if (!c->pool)
		return -ENOMEM;
	pthread_mutex_init(&c->pool->lock, NULL);
	return 0;
}

static void pool_remove(struct cache *c, struct pool_file *p)
{
	if (p->id > 0)
		backing_close(c, p->id);
	p->id = 0;
	cache_close_fd(&p->rfd);
	cache_close_fd(&p->wfd);
	local_unlink(c, p->ino);
}

/* Takes one out that is in `state`, of inode `ino` (0 = any). */
static bool pool_pick(struct pool *pool, enum pool_state state, uint64_t ino,
		      enum pool_state to, struct pool_file *out)
{
	unsigned i;

	LOCK_SCOPE(&pool->lock);
	for (i = 0; i < POOL_FILES; i++) {
		struct pool_file *p = &pool->file[i];

		if (p->state != state || (ino && p->ino != ino))
			continue;
		*out = *p;
		p->state = to;
		return true;
	}
	return false;
}

void pool_drain(struct cache *c)
{
	struct pool *pool = c->pool;
	struct pool_file p;
	unsigned i;

	while (pool_pick(pool, POOL_READY, 0, POOL_EMPTY, &p))
		pool_remove(c, &p);
	LOCK_SCOPE(&pool->lock);
	for (i = 0; i < POOL_FILES; i++) {
		if (pool->file[i].state != POOL_TAKEN || !pool->file[i].id)
			continue;
		backing_close(c, pool->file[i].id);
		pool->file[i].id = 0;
	}
}

void pool_done(struct cache *c)
{
	struct pool_file p;

	if (!c->pool)
		return;
	pool_drain(c);
	while (pool_pick(c->pool, POOL_TAKEN, 0, POOL_EMPTY, &p)) {
		/* Its file was made, and never opened. */
		cache_close_fd(&p.rfd);
		cache_close_fd(&p.wfd);
	}
	pthread_mutex_destroy(&c->pool->lock);
	free(c->pool);
	c->pool = NULL;
}

uint64_t cache_pool_take(struct cache *c)
{
	struct pool_file p;

	if (!atomic_load(&c->passing) ||
	    !pool_pick(c->pool, POOL_READY, 0, POOL_TAKEN, &p))
		return 0;
	job_wake_in(c->passer, POOL_PAUSE_NS);
	return p.ino;
}

void cache_pool_give(struct cache *c, uint64_t ino)
{
	struct pool_file p;

	if (ino)
		pool_pick(c->pool, POOL_TAKEN, ino, POOL_READY, &p);
}

bool pool_has(struct cache *c, uint64_t ino)
{
	struct pool *pool = c->pool;
	unsigned i;

	LOCK_SCOPE(&pool->lock);
	for (i = 0; i < POOL_FILES; i++)
		if (pool->file[i].state != POOL_EMPTY &&
		    pool->file[i].ino == ino)
			return true;
	return false;
}

bool pool_adopt_locked(struct cache_file *f)
{
	/* Its time was that of the pool; a read must differ from it. */
	const struct timespec now[2] = { { .tv_nsec = UTIME_OMIT },
					 { .tv_nsec = UTIME_NOW } };
	struct pool_file p;

	if (!pool_pick(f->c->pool, POOL_TAKEN, f->ino, POOL_EMPTY, &p))
		return false;
	f->rfd = p.rfd;
	f->wfd = p.wfd;
	f->backing = p.id;
	if (futimens(f->wfd, now) < 0)
		log_warn("cache file of inode %llu: cannot set its times: %s",
			 (unsigned long long)f->ino, errno_name(errno));
	return true;
}

/* ---- filling --------------------------------------------------------- */

static int pool_make(struct cache *c, struct pool_file *p)
{
	bool made;

	p->wfd = local_create(c, p->ino, &made);
	if (p->wfd < 0)
		return p->wfd;
	p->rfd = local_open(c, p->ino, O_RDONLY);
	if (p->rfd < 0)
		return p->rfd;
	p->id = backing_open(c, p->rfd);
	return MIN(p->id, 0);
}

/* The number stands in the table before its file is there: the scan for lost
 * files must know whose it is. */
static struct pool_file *pool_begin(struct pool *pool, uint64_t ino)
{
	struct pool_file *p;
	unsigned i;

	LOCK_SCOPE(&pool->lock);
	for (i = 0; i < POOL_FILES; i++) {
		p = &pool->file[i];
		if (p->state != POOL_EMPTY)
			continue;
		*p = (struct pool_file){
			.state = POOL_MAKING, .ino = ino, .rfd = -1, .wfd = -1
		};
		return p;
	}
	return NULL;
}

/* With watch_lock: whoever takes the functions away waits for the id that is
 * being asked for, and gives it back with the others. */
static int pool_add(struct cache *c, uint64_t ino)
{
	struct pool *pool = c->pool;
	struct pool_file *p;
	int rc;

	LOCK_SCOPE(&c->watch_lock);
	if (!atomic_load(&c->passing)) /* closed meanwhile */
		return -EOPNOTSUPP;
	p = pool_begin(pool, ino);
	rc = p ? pool_make(c, p) : -EBUSY;
	if (!p)
		return rc;
	if (rc < 0)
		pool_remove(c, p);
	LOCK_SCOPE(&pool->lock);
	p->state = rc < 0 ? POOL_EMPTY : POOL_READY;
	return rc;
}

static unsigned pool_missing(struct pool *pool)
{
	unsigned i, n = 0;

	LOCK_SCOPE(&pool->lock);
	for (i = 0; i < POOL_FILES; i++)
		n += pool->file[i].state == POOL_EMPTY;
	return n;
}

int64_t pool_fill(struct cache *c)
{
	unsigned n = pool_missing(c->pool);
	int64_t left = c->pool->filled_ns + POOL_PAUSE_NS - clock_boot_ns();
	uint64_t ino = 0;
	int rc = 0;

	if (!atomic_load(&c->passing) || n < POOL_FILES / 4)
		return JOB_IDLE;
	if (left > 0)
		return left;
	rc = meta_take_inos(c->m, n, &ino);
	while (rc == 0 && n-- > 0)
		rc = pool_add(c, ino++);
	c->pool->filled_ns = clock_boot_ns();
	return rc < 0 ? rc : JOB_IDLE;
}
