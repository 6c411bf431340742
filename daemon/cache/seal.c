/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file held still for protect (S4, S9).
 *
 * f->seal is asked without a lock, inside the transaction that commits. The
 * order that makes that safe: who changes a file first breaks the seal, then
 * moves the row in a transaction of its own, then changes bytes. So a commit
 * that still saw the seal comes before that transaction, which finds LOCAL
 * and moves it on.
 */
#include "cache/impl.h"

#include <fcntl.h>

#include "base/log.h"

void cache_break_seal_locked(struct cache_file *f)
{
	if (atomic_load(&f->seal) != SEAL_HELD)
		return;
	atomic_store(&f->seal, SEAL_BROKEN);
	/* An empty file is sealed without one. Closing gives none back while
	 * the kernel has the descriptor's file registered. */
	if (f->rfd >= 0 && fcntl(f->rfd, F_SETLEASE, F_UNLCK) < 0 &&
	    errno != EAGAIN)
		log_warn("inode %llu: cannot give a lease back: %s",
			 (unsigned long long)f->ino, errno_name(errno));
}

/* Is it dirty, closed and whole? */
static int seal_check_locked(struct cache_file *f)
{
	if (f->damaged)
		return -EIO;
	if (f->dropped || f->busy || f->state != META_DIRTY || f->opened ||
	    f->writers > 0 || f->changing > 0 || f->pins > 0 ||
	    atomic_load(&f->seal) != SEAL_NONE)
		return -EBUSY;
	return 0;
}

static int seal_lease_locked(struct cache_file *f)
{
	int rc = f->size > 0 ? cache_rfd_locked(f) : 0;

	cache_close_fd(&f->wfd); /* flushed; a writer refuses the lease */
	if (rc < 0 || f->size == 0)
		return rc;
	if (fcntl(f->rfd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? -EBUSY : -errno;
	return 0;
}

static int seal_take_locked(struct cache_file *f, struct cache_seal *out)
{
	int rc = cache_examine_locked(f);

	if (rc == 0)
		rc = seal_check_locked(f);
	if (rc == 0)
		rc = seal_lease_locked(f);
	if (rc < 0)
		return rc;
	f->fresh = false;
	atomic_store(&f->seal, SEAL_HELD);
	*out = (struct cache_seal){ .f = f,
				    .fd = f->size > 0 ? f->rfd : -1,
				    .version = f->version,
				    .size = f->size };
	return 0;
}

int cache_peek(struct cache *c, uint64_t ino)
{
	return local_open(c, ino, O_RDONLY);
}

int cache_seal_begin(struct cache *c, uint64_t ino, struct cache_seal *out)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc;

	rc = cache_get(c, ino, &f);
	if (rc == 0)
		rc = flush_file(f);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&f->lock);
	rc = seal_take_locked(f, out);
	if (rc < 0 && !cache_in_use_locked(f))
		cache_close_fd(&f->rfd);
	pthread_mutex_unlock(&f->lock);
	if (rc == 0)
		f = NULL; /* the seal's now */
	return rc;
}

bool cache_seal_row(const struct cache_seal *s, struct meta_inode *row)
{
	if (!s->copied_ns)
		return row->content_version == s->version &&
		       row->size == s->size;
	row->content_version = s->version;
	row->size = s->size;
	row->mtime_ns = s->mtime_ns;
	return true;
}

bool cache_seal_valid(struct cache_seal *s)
{
	return s->copied_ns ||
	       (atomic_load(&s->f->seal) == SEAL_HELD &&
		(s->fd < 0 || fcntl(s->fd, F_GETLEASE) == F_RDLCK));
}

int cache_seal_commit(struct cache_seal *s, struct meta_txn *t, int64_t now_ns)
{
	struct meta_inode row;
	int rc;

	if (s->copied_ns)
		return copy_commit(s, t, now_ns);
	rc = meta_inode_get(t, s->f->ino, &row);
	if (rc == -ENOENT)
		return -EBUSY; /* unlinked and gone: nothing to protect */
	if (rc < 0)
		return rc;
	if (row.state != META_DIRTY || row.content_version != s->version ||
	    row.opened_for_write || row.damaged || row.nlink == 0 ||
	    !cache_seal_valid(s))
		return -EBUSY;
	row.protected_ns = now_ns;
	return cache_move(t, &row, META_LOCAL);
}

void cache_seal_end(struct cache_seal *s, bool committed)
{
	struct cache_file *f = s->f;

	if (!f)
		return;
	if (s->copied_ns) {
		copy_done(s);
		cache_put(f);
		*s = (struct cache_seal){ .fd = -1 };
		return;
	}
	pthread_mutex_lock(&f->lock);
	cache_break_seal_locked(f);
	if (committed && f->version == s->version && f->state == META_DIRTY)
		f->state = META_LOCAL;
	atomic_store(&f->seal, SEAL_NONE);
	if (!cache_in_use_locked(f))
		cache_close_fd(&f->rfd);
	pthread_mutex_unlock(&f->lock);
	cache_put(f);
	*s = (struct cache_seal){ .fd = -1 };
}
