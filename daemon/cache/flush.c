/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was written becomes durable, and the row says so.
 *
 * A closed file keeps opened_for_write, and the descriptor that saw its
 * writes (S4), until a background job has synced it: a row without the flag
 * promises that the file on disk is at least as long as it says, so that
 * after a power cut a shorter one is damage and not bad luck. At most keep_fds
 * wait, and as many are being synced; beyond that the closing thread helps.
 *
 * Many at once are synced with one syncfs, and one transaction takes their
 * rows. Through a descriptor that was open before all writes syncfs reports
 * each error of writing back to this filesystem (Linux 5.8), so when it
 * succeeds nothing was lost (S4). From its first error on each file is asked
 * by itself: only its own descriptor can tell whether it was the one.
 */
#include "cache/impl.h"

#include <utlist.h>

#include "base/log.h"
#include "cache/value.h"

#define FLUSH_DELAY_NS (NSEC_PER_SEC / 2) /* spares short-lived files */
#define FLUSH_BATCH    128
#define FLUSH_SYNCFS   8 /* files at once, from which syncfs pays */

/* A new file's first sync takes its directory entry along. */
static int flush_data(struct cache_file *f, int fd, bool data_only,
		      bool entry_ok)
{
	int rc = data_only && entry_ok ? fdatasync(fd) : fsync(fd);

	if (rc < 0)
		return -errno;
	return entry_ok ? 0 : local_sync_entry(f->c, f->ino);
}

/* No descriptor for the directory: nothing was lost, and another try may
 * have one. */
static bool flush_not_tried(int rc)
{
	return rc == -EMFILE || rc == -ENFILE;
}

/*
 * Syncs outside the lock. Whatever else fails, the kernel forgets what it
 * could not write, so the file is damaged from then on.
 */
static int flush_sync_locked(struct cache_file *f, bool data_only)
{
	int fd = cache_written_locked(f), rc;
	int other = f->unseen && fd != f->rfd ? f->rfd : -1;
	bool entry_ok = f->entry_ok;

	f->pins++;
	pthread_mutex_unlock(&f->lock);
	rc = flush_data(f, fd, data_only, entry_ok);
	/* It was open before the kernel's own writes, whatever became of the
	 * one that writes since (S4). */
	if (rc == 0 && other >= 0 && fdatasync(other) < 0)
		rc = -errno;
	pthread_mutex_lock(&f->lock);
	f->pins--;
	pthread_cond_broadcast(&f->cond);
	if (rc == 0)
		f->entry_ok = true;
	if (rc == 0 || flush_not_tried(rc))
		return rc;
	if (!f->damaged)
		cache_damage_locked(f, "the disk lost what was written", rc);
	return -EIO;
}

/* What goes into the row of a file: as it is now. */
struct flush_row {
	struct meta_inode row;
	struct stat st;
	bool written; /* there is a cache file; else the row knows it all */
	bool damaged;
	int64_t settle_ns;
};

static int flush_look(const struct cache_file *f, struct flush_row *r)
{
	int fd = cache_written_locked(f);

	r->written = fd >= 0;
	r->damaged = f->damaged;
	r->settle_ns = f->settle_ns;
	return r->written && fstat(fd, &r->st) < 0 ? -errno : 0;
}

static int flush_write(struct meta_txn *t, uint64_t ino, struct flush_row *r)
{
	struct meta_inode *row = &r->row;
	int rc = meta_inode_get(t, ino, row);

	if (rc < 0)
		return rc;
	if (r->written) {
		cache_row_from_stat(row, &r->st);
		row->cached_bytes = (uint64_t)r->st.st_blocks * 512;
	}
	row->settle_ns = r->settle_ns;
	row->damaged = row->damaged || r->damaged;
	row->opened_for_write = false;
	row->access_ns = value_written(row->access_ns, r->settle_ns);
	return meta_inode_update(t, row);
}

static void flush_follow_locked(struct cache_file *f, const struct flush_row *r)
{
	space_update(f, r->row.cached_bytes);
	cache_follow_locked(f, &r->row);
	if (!f->opened && f->pins == 0)
		cache_close_fd(&f->wfd);
}

static int flush_row_locked(struct cache_file *f)
{
	struct flush_row r;
	META_TXN(t);
	int rc = flush_look(f, &r);

	if (rc == 0)
		rc = meta_begin(f->c->m, &t);
	if (rc == 0)
		rc = flush_write(&t, f->ino, &r);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0)
		flush_follow_locked(f, &r);
	return rc;
}

/* Closed, and nothing but its flush is missing. */
static bool flush_due_locked(const struct cache_file *f)
{
	return f->opened && f->writers == 0 && f->changing == 0;
}

/* Nothing can change it from here on without our knowledge. */
static int flush_still_locked(struct cache_file *f)
{
	uint64_t changes = f->changes;
	int rc, row;

	rc = cache_written_locked(f) >= 0 ? flush_sync_locked(f, true) : 0;
	if (flush_not_tried(rc) || !f->opened) /* another one was faster */
		return rc;
	if (!flush_due_locked(f) || f->busy || f->changes != changes ||
	    !still_valid(f))
		return -EBUSY;
	row = flush_row_locked(f);
	return row < 0 ? row : rc;
}

int flush_file(struct cache_file *f)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (!f->opened)
		return 0;
	if (!flush_due_locked(f))
		return -EBUSY;
	rc = still_begin_locked(f);
	if (rc < 0)
		return rc;
	rc = flush_still_locked(f);
	still_end_locked(f);
	return rc;
}

/* Size and times go to the row with the last close: until then it says
 * opened_for_write, and a start takes them from the file. */
int cache_fsync(struct cache_file *f, bool data_only)
{
	int rc = 0;

	pthread_mutex_lock(&f->lock);
	cache_wait_busy_locked(f);
	if (f->damaged) {
		rc = -EIO;
	} else if (f->opened && cache_written_locked(f) >= 0) {
		rc = flush_sync_locked(f, data_only);
	}
	pthread_mutex_unlock(&f->lock);
	return rc < 0 ? rc : meta_durable(f->c->m, 0);
}

/* ---- the queue ------------------------------------------------------ */

static struct cache_file *flush_pop_locked(struct cache *c)
{
	struct cache_file *f = c->queue;

	if (!f)
		return NULL;
	DL_DELETE(c->queue, f);
	c->queue_len--;
	c->queue_again -= f->again;
	f->queued = f->again = false;
	return f;
}

static void flush_append_locked(struct cache_file *f, bool again)
{
	struct cache *c = f->c;

	if (f->queued)
		return;
	f->queued = true;
	f->again = again;
	f->queued_ns = clock_boot_ns();
	cache_ref_locked(f);
	DL_APPEND(c->queue, f);
	c->queue_len++;
	c->queue_again += again;
}

/* What could not be flushed, a mapped file, say, is tried again after the
 * delay. Nobody makes room for it: that would never end. */
static void flush_again(struct cache_file *f)
{
	struct cache *c = f->c;

	pthread_mutex_lock(&c->lock);
	flush_append_locked(f, true);
	pthread_mutex_unlock(&c->lock);
	job_wake_in(c->flusher, FLUSH_DELAY_NS);
}

/* Those that a flush is likely to take off the queue. */
static unsigned flush_waiting_locked(const struct cache *c)
{
	return c->queue_len - c->queue_again;
}

/* One that is open again comes back with its next close. */
static int flush_one(struct cache_file *f)
{
	struct cache *c = f->c;
	bool again;
	int rc = flush_file(f);

	pthread_mutex_lock(&f->lock);
	again = flush_due_locked(f);
	pthread_mutex_unlock(&f->lock);
	if (again)
		flush_again(f);
	else if (rc == 0)
		cache_hook_run(c, &c->on_dirty);
	cache_put(f);
	return rc == -EBUSY ? 0 : rc;
}

void flush_queue(struct cache_file *f)
{
	struct cache *c = f->c;
	struct cache_file *oldest = NULL;
	unsigned waiting;
	bool wake;

	pthread_mutex_lock(&c->lock);
	flush_append_locked(f, false);
	waiting = flush_waiting_locked(c);
	/* Else it has an alarm set for the oldest. */
	wake = c->queue_len == 1 || waiting > c->o.keep_fds / 2;
	if (waiting > c->o.keep_fds && c->queue != f)
		oldest = flush_pop_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (wake)
		job_wake(c->flusher);
	if (oldest && flush_one(oldest) < 0)
		job_wake(c->flusher); /* its error shows there */
}

/* Takes what has been closed for the delay, or all of it; sets *next_ns. */
static unsigned flush_take(struct cache *c, bool all,
			   struct cache_file *batch[FLUSH_BATCH],
			   int64_t *next_ns)
{
	unsigned max = MIN(MAX(c->o.keep_fds, 1U), (unsigned)FLUSH_BATCH);
	int64_t now = clock_boot_ns();
	unsigned n = 0;

	LOCK_SCOPE(&c->lock);
	if (flush_waiting_locked(c) > c->o.keep_fds / 2)
		all = true;
	while (c->queue && n < max &&
	       (all || now - c->queue->queued_ns >= FLUSH_DELAY_NS))
		batch[n++] = flush_pop_locked(c);
	*next_ns = c->queue ? c->queue->queued_ns + FLUSH_DELAY_NS - now
			    : JOB_IDLE;
	return n;
}

/* ---- many at once --------------------------------------------------- */

struct flush_item {
	struct cache_file *f;
	uint64_t changes;
	bool still, held; /* the lease, busy is ours */
	struct flush_row r;
};

/* Before the sync: the state that it makes durable. */
static void flush_note(struct flush_item *it)
{
	LOCK_SCOPE(&it->f->lock);
	it->changes = it->f->changes;
	it->held = flush_due_locked(it->f) && !it->f->damaged &&
		   still_begin_locked(it->f) == 0;
	it->still = it->held;
}

/* After the sync: whoever opens the file now waits until its row is there. */
static void flush_hold(struct flush_item *it)
{
	struct cache_file *f = it->f;

	LOCK_SCOPE(&f->lock);
	it->held = it->held && !f->busy && !f->damaged && flush_due_locked(f) &&
		   f->changes == it->changes && still_valid(f) &&
		   flush_look(f, &it->r) == 0;
	if (!it->held)
		return;
	f->busy = true;
	f->entry_ok = true;
}

static void flush_give_back(struct flush_item *it, bool committed)
{
	struct cache_file *f = it->f;

	LOCK_SCOPE(&f->lock);
	if (it->held && committed)
		flush_follow_locked(f, &it->r);
	if (it->held)
		f->busy = false;
	if (it->still)
		still_end_locked(f);
	pthread_cond_broadcast(&f->cond);
}

static int flush_rows(struct cache *c, struct flush_item *it, unsigned n)
{
	META_TXN(t);
	int rc = meta_begin(c->m, &t);
	unsigned i;

	for (i = 0; rc == 0 && i < n; i++)
		if (it[i].held)
			rc = flush_write(&t, it[i].f->ino, &it[i].r);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* Of those that stay open, or whose rows could not be written, each is
 * flushed by itself afterwards. */
static void flush_together(struct cache *c, struct cache_file **batch,
			   unsigned n)
{
	CLEANUP_FREE struct flush_item *it = calloc(n, sizeof(*it));
	unsigned i;
	int rc;

	if (!it || c->lost_writes)
		return;
	for (i = 0; i < n; i++) {
		it[i].f = batch[i];
		flush_note(&it[i]);
	}
	rc = syncfs(c->root_fd) < 0 ? -errno : 0;
	if (rc < 0) {
		log_err("the cache's filesystem lost writes: %s",
			errno_name(-rc));
		c->lost_writes = true;
	}
	for (i = 0; i < n; i++) {
		it[i].held = it[i].held && rc == 0;
		flush_hold(&it[i]);
	}
	if (rc == 0)
		rc = flush_rows(c, it, n);
	for (i = 0; i < n; i++)
		flush_give_back(&it[i], rc == 0);
}

static int flush_batch(struct cache *c, struct cache_file **batch, unsigned n)
{
	int rc = 0;
	unsigned i;

	if (n >= FLUSH_SYNCFS)
		flush_together(c, batch, n);
	for (i = 0; i < n; i++) {
		int one = flush_one(batch[i]);

		if (one < 0)
			rc = one;
	}
	return rc;
}

/* One batch. How many it took, 0 when nothing is due; *error is kept when
 * all went well. */
static unsigned flush_some(struct cache *c, bool all, int64_t *next_ns,
			   int *error)
{
	struct cache_file *batch[FLUSH_BATCH];
	unsigned n;
	int rc;

	LOCK_SCOPE(&c->flush_lock);
	n = flush_take(c, all, batch, next_ns);
	if (n == 0)
		return 0;
	rc = flush_batch(c, batch, n);
	if (rc < 0)
		*error = rc;
	return n;
}

static unsigned flush_queued(struct cache *c)
{
	LOCK_SCOPE(&c->lock);
	return c->queue_len;
}

int64_t flush_run(struct job *job, void *arg)
{
	struct cache *c = arg;
	int64_t next = JOB_IDLE;
	unsigned left, n;
	int rc = 0;

	job_begin(job, 0, 0);
	left = flush_queued(c);
	/* Those that come back, after an error too, have their time. */
	while (rc == 0 && left > 0 && !job_stopping(job)) {
		n = flush_some(c, false, &next, &rc);
		if (n == 0)
			break;
		job_add(job, n, 0);
		left -= MIN(n, left);
	}
	next = MIN(next, settle_some(c, false));
	return rc < 0 ? rc : MAX(next, 1000000);
}

int cache_flush(struct cache *c)
{
	unsigned left, n;
	int64_t next;
	int rc = 0;

	/* Not those that come while we work. */
	left = flush_queued(c);
	do { /* once at least: the job may be at a batch */
		n = flush_some(c, true, &next, &rc);
		left -= MIN(n, left);
	} while (n > 0 && left > 0);
	settle_some(c, true);
	return rc;
}

void flush_forget(struct cache *c)
{
	struct cache_file *f;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		f = flush_pop_locked(c);
		pthread_mutex_unlock(&c->lock);
		if (!f)
			return;
		cache_put(f);
	}
}
