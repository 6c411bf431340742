/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a file that never closes, for protect (S14).
 *
 * The copy is what its version holds: the row takes a new version before the
 * copy is made, so no other content is ever stored under that one. It has no
 * name, so nothing is left of it by a crash.
 *
 * One point in time: where blocks can be shared (reflink), and for small
 * files, who changes or opens the file waits meanwhile. A large one on another
 * filesystem is copied beside its writers, and what a kernel's passthrough
 * writer or a mapping does is never held up: then the copy is as consistent as
 * what a backup program reads.
 */
#include "cache/impl.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define COPY_HOLD_MAX (16ULL << 20) /* bytes that others wait for */

struct copying {
	struct cache_file *f;
	int from, to;
	uint64_t version;
	int64_t protected_ns, mtime_ns;
	bool held; /* busy is ours */
};

/* Is it open, dirty and good? 0 or -errno. */
static int copy_check_locked(const struct cache_file *f)
{
	if (f->damaged)
		return -EIO;
	return f->dropped || f->state != META_DIRTY || !f->opened ||
			       f->size == 0 ||
			       atomic_load(&f->seal) != SEAL_NONE
		       ? -EBUSY
		       : 0;
}

/* The row goes on with a version of its own. */
static int copy_version_locked(struct copying *cp)
{
	struct cache_file *f = cp->f;
	struct meta_inode row;
	META_TXN(t);
	int rc = cache_begin_row(f, &t, &row);

	if (rc < 0)
		return rc;
	if (row.state != META_DIRTY || row.damaged || row.nlink == 0)
		return -EBUSY;
	cp->version = row.content_version;
	cp->protected_ns = row.protected_ns;
	rc = meta_new_version(&t, &row.content_version);
	if (rc == 0)
		rc = meta_inode_update(&t, &row);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc < 0)
		return rc;
	f->version = row.content_version;
	f->fresh = true;
	return 0;
}

/*
 * Waits until no change that comes through the daemon is under way, and keeps
 * others out if the copy is short.
 */
static int copy_begin_locked(struct copying *cp)
{
	struct cache_file *f = cp->f;
	int rc;

	while (f->busy || f->changing > 0)
		pthread_cond_wait(&f->cond, &f->lock);
	rc = copy_check_locked(f);
	if (rc < 0)
		return rc;
	cp->from = cache_written_locked(f);
	if (cp->from < 0)
		return -EBUSY;
	backing_look_locked(f);
	rc = copy_version_locked(cp);
	if (rc < 0)
		return rc;
	/* Shared blocks are had at once. */
	cp->held = ioctl(cp->to, FICLONE, cp->from) < 0 &&
		   f->size <= COPY_HOLD_MAX;
	f->busy = cp->held;
	f->pins++;
	return 0;
}

static void copy_end(struct copying *cp)
{
	struct cache_file *f = cp->f;

	LOCK_SCOPE(&f->lock);
	if (cp->held)
		f->busy = false;
	f->pins--;
	pthread_cond_broadcast(&f->cond);
}

/* From hole to hole. */
static int copy_run(const struct copying *cp, off_t at, off_t end)
{
	off_t out = at;
	ssize_t n;

	while (at < end) {
		n = copy_file_range(cp->from, &at, cp->to, &out,
				    (size_t)(end - at), 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0) /* cut short beside us */
			break;
	}
	return 0;
}

static int copy_bytes(struct copying *cp)
{
	struct stat from, to;
	off_t at = 0, end;
	int rc = 0;

	if (fstat(cp->from, &from) < 0 || fstat(cp->to, &to) < 0)
		return -errno;
	cp->mtime_ns = clock_ns(from.st_mtim);
	if (to.st_size > 0) /* a clone */
		return 0;
	while (rc == 0 && at < from.st_size) {
		at = lseek(cp->from, at, SEEK_DATA);
		end = at < 0 ? -1 : lseek(cp->from, at, SEEK_HOLE);
		if (end < 0 && errno != ENXIO)
			return -errno;
		if (end < 0)
			break; /* nothing but a hole is left */
		rc = copy_run(cp, at, end);
		at = end;
	}
	if (rc == 0 && ftruncate(cp->to, from.st_size) < 0)
		rc = -errno;
	return rc;
}

/* Room for it besides what writers may want. */
static int copy_room(struct cache *c, uint64_t bytes)
{
	struct cache_usage u;

	cache_usage(c, &u);
	return u.used + bytes > u.size || u.disk_free < u.free_goal + bytes
		       ? -ENOSPC
		       : 0;
}

static int copy_make(struct copying *cp)
{
	int rc;

	pthread_mutex_lock(&cp->f->lock);
	rc = copy_begin_locked(cp);
	pthread_mutex_unlock(&cp->f->lock);
	if (rc < 0)
		return rc;
	rc = copy_bytes(cp);
	copy_end(cp);
	/* It is read back from the page cache, or from the disk: both good. */
	return rc == 0 && fdatasync(cp->to) < 0 ? -errno : rc;
}

int cache_seal_copy(struct cache *c, uint64_t ino, struct cache_seal *out)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	CLEANUP_CLOSE int to = -1;
	int64_t now = clock_wall_ns();
	struct copying cp = { 0 };
	struct stat st = { 0 };
	int rc = cache_get(c, ino, &f);

	if (rc == 0)
		rc = copy_room(c, atomic_load(&f->blocks));
	if (rc == 0) /* S4: it was written back, or is damaged */
		rc = cache_fsync(f, true);
	if (rc < 0)
		return rc;
	to = openat(c->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	cp = (struct copying){ .f = f, .to = to };
	rc = copy_make(&cp);
	if (rc == 0 && fstat(to, &st) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	*out = (struct cache_seal){ .fd = take_fd(to),
				    .version = cp.version,
				    .size = (uint64_t)st.st_size,
				    .copied_ns = now,
				    .protected_ns = cp.protected_ns,
				    .mtime_ns = cp.mtime_ns,
				    .copied_bytes =
					    (uint64_t)st.st_blocks * 512 };
	atomic_fetch_add(&c->used, out->copied_bytes);
	out->f = take(f);
	return 0;
}

int copy_commit(struct cache_seal *s, struct meta_txn *t, int64_t now_ns)
{
	struct meta_inode row;
	int rc = meta_inode_get(t, s->f->ino, &row);

	if (rc == -ENOENT)
		return -EBUSY;
	if (rc < 0)
		return rc;
	/* Closed meanwhile: a protect may be reading it, which counts on the
	 * extents that are there. Or it has, and is newer. */
	if (row.state != META_DIRTY || !row.opened_for_write || row.damaged ||
	    row.nlink == 0 || row.protected_ns != s->protected_ns)
		return -EBUSY;
	row.protected_ns = now_ns;
	row.dirty_ns = s->copied_ns;
	return meta_inode_update(t, &row);
}

void copy_done(struct cache_seal *s)
{
	atomic_fetch_sub(&s->f->c->used, s->copied_bytes);
	space_changed(s->f->c);
	cache_close_fd(&s->fd);
}
