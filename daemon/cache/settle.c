/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was fetched is recorded: synced first (S12), then a row says so.
 *
 * When the last handle of an incomplete file is closed, nobody waits for
 * that: the files of a moment are synced together with one syncfs, and one
 * transaction takes their rows (as in flush.c, whose job does this too). Until
 * then a file keeps a descriptor; at most keep_fds do, beyond that the closing
 * thread helps. What is lost before costs fetches, no data.
 */
#include "cache/impl.h"

#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "cache/value.h"

#define SETTLE_DELAY_NS (NSEC_PER_SEC / 2)
#define SETTLE_BATCH	128
#define SETTLE_SYNCFS	8 /* files at once, from which syncfs pays */

/* ---- recording ------------------------------------------------------ */

/* What is about to be recorded: the state of the bits before the sync. */
struct settle {
	uint64_t version;
	bool full;
	uint64_t chunks;
	uint8_t *bits;	/* a copy */
	bool *unsaved;	/* which of its chunks to write */
	uint64_t bytes; /* on disk */
};

static void settle_done(struct settle *s)
{
	free(s->bits);
	free(s->unsaved);
}

static int settle_copy_locked(struct cache_file *f, struct settle *s)
{
	const struct presence *p = &f->have;

	s->version = f->version;
	s->full = presence_full_locked(f);
	s->chunks = presence_chunks(p);
	s->bits = malloc(s->chunks * PRESENCE_CHUNK);
	s->unsaved = malloc(s->chunks * sizeof(*s->unsaved));
	if (!s->bits || !s->unsaved)
		return -ENOMEM;
	memcpy(s->bits, p->bits, s->chunks * PRESENCE_CHUNK);
	memcpy(s->unsaved, p->unsaved, s->chunks * sizeof(*s->unsaved));
	memset(p->unsaved, 0, s->chunks * sizeof(*p->unsaved));
	return 0;
}

static int settle_sync_locked(struct cache_file *f)
{
	int fd = f->ffd, rc;
	bool entry_ok = f->entry_ok;

	if (fd < 0)
		return -EBADF;
	pthread_mutex_unlock(&f->lock);
	rc = fsync(fd) < 0 ? -errno : 0;
	if (rc == 0 && !entry_ok)
		rc = local_sync_entry(f->c, f->ino);
	pthread_mutex_lock(&f->lock);
	if (rc == 0)
		f->entry_ok = true;
	return rc;
}

static int settle_row(struct meta_txn *t, const struct cache_file *f,
		      const struct settle *s, struct meta_inode *row)
{
	uint64_t i;
	int rc = meta_inode_get(t, f->ino, row);

	if (rc == 0 && row->content_version != s->version)
		rc = -ESTALE;
	for (i = 0; rc == 0 && !s->full && i < s->chunks; i++)
		if (s->unsaved[i])
			rc = meta_presence_put(t, f->ino, i,
					       s->bits + i * PRESENCE_CHUNK);
	row->cached_bytes = s->bytes;
	if (cache_is_away(row->state) && !f->touched)
		row->access_ns = value_fetched(row->access_ns,
					       atomic_load(&f->c->ghost_ns),
					       clock_wall_ns());
	return rc < 0 ? rc
		      : cache_move(t, row, s->full ? META_LOCAL : META_PARTIAL);
}

static int settle_commit(struct cache_file *f, const struct settle *s,
			 struct meta_inode *row)
{
	META_TXN(t);
	int rc = meta_begin(f->c->m, &t);

	if (rc == 0)
		rc = settle_row(&t, f, s, row);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static void settle_bytes_locked(struct cache_file *f, struct settle *s)
{
	space_update_fd(f, f->ffd);
	s->bytes = atomic_load(&f->blocks);
}

/* Is there something to record? A fill that runs has its frames recorded by
 * the next one. */
static bool settle_due_locked(const struct cache_file *f)
{
	return !f->frozen && !f->dropped && !f->settling && f->ffd >= 0 &&
	       cache_incomplete_locked(f) && presence_unsaved_locked(f);
}

static void settle_end_locked(struct cache_file *f,
			      const struct meta_inode *row, int rc)
{
	if (rc < 0) /* nothing since the last record is vouched for */
		presence_done(&f->have);
	else
		cache_follow_locked(f, row);
	f->settling = false;
	pthread_cond_broadcast(&f->cond);
	/* Who left while we recorded did not wait: cache_put() has the rest. */
	if (!cache_in_use_locked(f) && !presence_unsaved_locked(f))
		cache_close_fd(&f->ffd);
}

int cache_settle_presence(struct cache_file *f)
{
	struct settle s = { 0 };
	struct meta_inode row;
	int rc = 0;

	LOCK_SCOPE(&f->lock);
	while (f->settling)
		pthread_cond_wait(&f->cond, &f->lock);
	if (settle_due_locked(f)) {
		f->settling = true;
		rc = settle_copy_locked(f, &s);
		if (rc == 0)
			rc = settle_sync_locked(f);
		if (rc == 0) {
			settle_bytes_locked(f, &s);
			rc = settle_commit(f, &s, &row);
		}
		settle_end_locked(f, &row, rc);
	}
	settle_done(&s);
	if (!cache_in_use_locked(f) && !presence_unsaved_locked(f))
		cache_close_fd(&f->ffd);
	return rc == -ESTALE ? 0 : rc;
}

/* ---- many at once --------------------------------------------------- */

struct settle_item {
	struct cache_file *f;
	bool held; /* settling is ours */
	int rc;
	struct settle s;
	struct meta_inode row;
};

static void settle_hold(struct settle_item *it)
{
	struct cache_file *f = it->f;

	LOCK_SCOPE(&f->lock);
	it->held = settle_due_locked(f);
	if (!it->held)
		return;
	f->settling = true;
	it->rc = settle_copy_locked(f, &it->s);
}

static int settle_sync(struct cache *c)
{
	if (c->lost_writes)
		return -EIO;
	if (syncfs(c->root_fd) == 0)
		return 0;
	log_err("the cache's filesystem lost writes: %s", errno_name(errno));
	c->lost_writes = true;
	return -EIO;
}

/* One that became another version is left out. */
static int settle_rows(struct cache *c, struct settle_item *it, unsigned n)
{
	META_TXN(t);
	int rc = meta_begin(c->m, &t);
	unsigned i;

	for (i = 0; rc == 0 && i < n; i++) {
		if (!it[i].held || it[i].rc < 0)
			continue;
		it[i].rc = settle_row(&t, it[i].f, &it[i].s, &it[i].row);
		if (it[i].rc != -ESTALE)
			rc = it[i].rc;
	}
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static void settle_give_back(struct settle_item *it, int rc)
{
	struct cache_file *f = it->f;

	if (!it->held)
		return;
	LOCK_SCOPE(&f->lock);
	if (rc == 0 && it->rc == 0)
		f->entry_ok = true;
	settle_end_locked(f, &it->row, rc < 0 ? rc : it->rc);
}

static void settle_together(struct cache *c, struct cache_file **batch,
			    unsigned n)
{
	CLEANUP_FREE struct settle_item *it = calloc(n, sizeof(*it));
	unsigned i;
	int rc;

	if (!it || c->lost_writes)
		return; /* each by itself */
	for (i = 0; i < n; i++) {
		it[i].f = batch[i];
		settle_hold(&it[i]);
	}
	rc = settle_sync(c);
	for (i = 0; rc == 0 && i < n; i++) {
		LOCK_SCOPE(&it[i].f->lock);
		if (it[i].held)
			settle_bytes_locked(it[i].f, &it[i].s);
	}
	if (rc == 0)
		rc = settle_rows(c, it, n);
	for (i = 0; i < n; i++) {
		settle_give_back(&it[i], rc);
		settle_done(&it[i].s);
	}
}

static void settle_one(struct cache_file *f)
{
	int rc = cache_settle_presence(f);

	if (rc < 0)
		log_warn("inode %llu: what was fetched is not recorded: %s",
			 (unsigned long long)f->ino, errno_name(-rc));
	cache_put(f);
}

/* ---- the queue ------------------------------------------------------ */

static struct cache_file *settle_pop_locked(struct cache *c)
{
	struct cache_file *f = c->unsettled;

	DL_DELETE2(c->unsettled, f, settle_prev, settle_next);
	c->unsettled_len--;
	f->unsettled = false;
	return f;
}

static bool settle_wanted(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	if (settle_due_locked(f))
		return true;
	if (!cache_in_use_locked(f))
		cache_close_fd(&f->ffd);
	return false;
}

void settle_queue(struct cache_file *f)
{
	struct cache *c = f->c;
	struct cache_file *oldest = NULL;
	bool wake;

	if (!settle_wanted(f))
		return;
	pthread_mutex_lock(&c->lock);
	if (!f->unsettled) {
		f->unsettled = true;
		f->unsettled_ns = clock_boot_ns();
		cache_ref_locked(f);
		DL_APPEND2(c->unsettled, f, settle_prev, settle_next);
		c->unsettled_len++;
	}
	wake = c->unsettled_len == 1 || c->unsettled_len > c->o.keep_fds / 2;
	if (c->unsettled_len > c->o.keep_fds)
		oldest = settle_pop_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (wake)
		job_wake(c->flusher);
	if (oldest)
		settle_one(oldest);
}

static unsigned settle_take(struct cache *c, bool all,
			    struct cache_file *batch[SETTLE_BATCH],
			    int64_t *next_ns)
{
	int64_t now = clock_boot_ns();
	unsigned n = 0;

	LOCK_SCOPE(&c->lock);
	if (c->unsettled_len > c->o.keep_fds / 2)
		all = true;
	while (c->unsettled && n < SETTLE_BATCH &&
	       (all || now - c->unsettled->unsettled_ns >= SETTLE_DELAY_NS))
		batch[n++] = settle_pop_locked(c);
	*next_ns = c->unsettled
			   ? c->unsettled->unsettled_ns + SETTLE_DELAY_NS - now
			   : JOB_IDLE;
	return n;
}

int64_t settle_some(struct cache *c, bool all)
{
	struct cache_file *batch[SETTLE_BATCH];
	int64_t next;
	unsigned n, i;

	LOCK_SCOPE(&c->flush_lock);
	do {
		n = settle_take(c, all, batch, &next);
		if (n >= SETTLE_SYNCFS)
			settle_together(c, batch, n);
		for (i = 0; i < n; i++)
			settle_one(batch[i]);
	} while (n > 0);
	return next;
}

void cache_settle(struct cache *c)
{
	settle_some(c, true);
}
