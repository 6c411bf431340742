/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evicting and dropping: the row first, then the barrier, then the bytes
 * (S1). Meanwhile the file is busy: who opens it waits for the barrier.
 */
#include "cache/impl.h"

#include "base/log.h"
#include "meta/tiering.h"

static void evict_end(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	f->busy = false;
	pthread_cond_broadcast(&f->cond);
}

/* 1: taken; 0: nothing local. */
static int evict_take(struct cache_file *f)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	if (f->busy || f->dropped || cache_in_use_locked(f))
		return -EBUSY;
	rc = cache_examine_locked(f);
	if (rc < 0)
		return rc;
	if (f->state == META_DIRTY || f->damaged)
		return -ENOTRECOVERABLE;
	if (f->size == 0 ||
	    (f->state != META_LOCAL && f->state != META_PARTIAL))
		return 0;
	cache_close_fd(&f->rfd);
	cache_close_fd(&f->ffd);
	f->busy = true;
	return 1;
}

static int evict_row(struct meta_txn *t, struct cache_file *f,
		     struct meta_inode *row)
{
	int rc = meta_inode_get(t, f->ino, row);

	if (rc < 0)
		return rc;
	if (row->state == META_DIRTY)
		return -ENOTRECOVERABLE;
	return cache_move_away(f->c, t, row);
}

struct evict {
	struct cache_file *f; /* taken; NULL: not */
	struct meta_inode row;
};

/* One transaction and one barrier for all of them. */
static int evict_rows(struct cache *c, struct evict *e, size_t n)
{
	uint64_t seq;
	size_t i;
	META_TXN(t);
	int rc = meta_begin(c->m, &t);

	for (i = 0; rc == 0 && i < n; i++)
		if (e[i].f)
			rc = evict_row(&t, e[i].f, &e[i].row);
	if (rc < 0)
		return rc;
	rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(c->m, seq);
}

static int evict_bytes(struct cache_file *f, const struct meta_inode *row,
		       uint64_t *freed)
{
	int rc = local_unlink(f->c, f->ino);

	LOCK_SCOPE(&f->lock);
	cache_follow_locked(f, row);
	presence_done(&f->have);
	f->entry_ok = f->touched = false;
	f->checked = true;
	*freed = atomic_load(&f->blocks);
	space_update(f, 0);
	return rc;
}

/* What the row says after a barrier that failed: the bytes are still there,
 * but nobody vouches for them until the file is loaded again. */
static void evict_undone(struct cache_file *f)
{
	struct meta_inode row;
	META_TXN(t);

	if (meta_read(f->c->m, &t) < 0 || meta_inode_get(&t, f->ino, &row) < 0)
		return;
	meta_abort(&t);
	LOCK_SCOPE(&f->lock);
	if (cache_is_away(row.state))
		presence_done(&f->have);
	cache_follow_locked(f, &row);
}

static void evict_count(struct cache *c, const struct cache_victim *v)
{
	if (v->rc < 0)
		return;
	atomic_fetch_add(&c->evicted_files, 1);
	atomic_fetch_add(&c->evicted_bytes, v->freed);
}

void cache_evicted(struct cache *c, struct cache_evicted *out)
{
	out->files = atomic_load(&c->evicted_files);
	out->bytes = atomic_load(&c->evicted_bytes);
}

/* 1 when somebody wants to keep it here, by the rows. */
static int evict_pinned(struct cache *c, uint64_t ino)
{
	META_TXN(t);
	int rc = meta_read(c->m, &t);

	return rc < 0 ? rc : meta_pinned(&t, ino, clock_wall_ns());
}

static int evict_get(struct cache *c, uint64_t ino, struct cache_file **out)
{
	int rc = evict_pinned(c, ino);

	if (rc != 0)
		return rc < 0 ? rc : -EPERM;
	return cache_get(c, ino, out);
}

static void evict_batch(struct cache *c, struct cache_victim *v, size_t n,
			struct evict *e)
{
	bool any = false;
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		struct cache_file *f = NULL;

		v[i].freed = 0;
		rc = evict_get(c, v[i].ino, &f);
		if (rc == 0)
			rc = evict_take(f);
		v[i].rc = MIN(rc, 0);
		if (rc == 1)
			e[i].f = f;
		else
			cache_put(f);
		any |= rc == 1;
	}
	rc = any ? evict_rows(c, e, n) : 0;
	for (i = 0; i < n; i++) {
		if (!e[i].f)
			continue;
		if (rc == 0)
			v[i].rc = evict_bytes(e[i].f, &e[i].row, &v[i].freed);
		else
			evict_undone(e[i].f);
		if (rc < 0)
			v[i].rc = rc;
		evict_count(c, &v[i]);
		backing_forget(e[i].f); /* else it holds the blocks */
		evict_end(e[i].f);
		cache_put(e[i].f);
	}
}

void cache_evict_many(struct cache *c, struct cache_victim *v, size_t n)
{
	settle_some(c, true); /* what a moment ago was fetched, too */
	while (n > 0) {
		struct evict e[CACHE_EVICT_BATCH] = { 0 };
		size_t k = MIN(n, ARRAY_SIZE(e));

		evict_batch(c, v, k, e);
		v += k;
		n -= k;
	}
}

int cache_evict(struct cache *c, uint64_t ino, uint64_t *freed)
{
	struct cache_victim v = { .ino = ino };

	cache_evict_many(c, &v, 1);
	*freed = v.freed;
	return v.rc;
}

/* ---- dropping ------------------------------------------------------- */

static int drop_take(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	if (f->busy || cache_in_use_locked(f))
		return -EBUSY;
	f->busy = true;
	return 0;
}

static int drop_bytes(struct cache_file *f)
{
	int rc = local_unlink(f->c, f->ino);

	LOCK_SCOPE(&f->lock);
	if (rc < 0)
		return rc;
	f->dropped = true;
	f->opened = false; /* nothing to flush any more */
	unseen_set_locked(f, false);
	f->held = f->may_be_held = false;
	quota_forget(f); /* others may keep f for a while */
	cache_close_fd(&f->rfd);
	cache_close_fd(&f->wfd);
	cache_close_fd(&f->ffd);
	presence_done(&f->have);
	space_update(f, 0);
	return 0;
}

void cache_drop_many(struct cache *c, struct cache_victim *v, size_t n)
{
	struct cache_file *f;
	size_t i;
	/* The rows without a name are committed: one barrier for all. */
	int rc = meta_durable(c->m, 0);

	for (i = 0; i < n; i++) {
		f = NULL;
		v[i].rc = rc;
		if (rc == 0)
			v[i].rc = cache_get(c, v[i].ino, &f);
		if (v[i].rc == 0)
			v[i].rc = drop_take(f);
		if (v[i].rc == 0) {
			v[i].freed = atomic_load(&f->blocks);
			v[i].rc = drop_bytes(f);
			backing_forget(f); /* else it holds the blocks */
			evict_end(f);
		}
		cache_put(f);
	}
}

int cache_drop(struct cache *c, uint64_t ino)
{
	struct cache_victim v = { .ino = ino };

	cache_drop_many(c, &v, 1);
	return v.rc;
}
