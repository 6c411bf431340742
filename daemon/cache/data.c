/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and changing. The bytes themselves move outside the file's lock;
 * counters keep descriptors open and let others wait.
 */
#include "cache/impl.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

/* ---- reading -------------------------------------------------------- */

static bool range_present_locked(struct cache_file *f, uint64_t off, size_t len)
{
	uint64_t i;

	if (!cache_incomplete_locked(f))
		return true;
	if (presence_load_locked(f) < 0)
		return false;
	for (i = off / META_FRAME_SIZE; i * META_FRAME_SIZE < off + len; i++)
		if (!(f->have.bits[i / 8] >> (i % 8) & 1))
			return false;
	return true;
}

ssize_t cache_read_begin(struct cache_file *f, uint64_t off, size_t len,
			 struct cache_read *r)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (f->dropped)
		return -ENOENT;
	if (f->damaged)
		return -EIO;
	backing_look_locked(f);
	if (off >= f->size || len == 0)
		return 0;
	len = MIN((uint64_t)len, f->size - off);
	if (!range_present_locked(f, off, len))
		return -EAGAIN;
	rc = cache_rfd_locked(f);
	if (rc < 0)
		return rc;
	r->fd = f->rfd;
	r->changes = f->changing ? UINT64_MAX : f->changes;
	f->pins++;
	return (ssize_t)len;
}

void cache_read_end(struct cache_file *f, const struct cache_read *r,
		    uint64_t off, size_t want, ssize_t *got)
{
	LOCK_SCOPE(&f->lock);
	f->pins--;
	pthread_cond_broadcast(&f->cond);
	if (*got < 0 || (size_t)*got == want)
		return;
	/* Short: fine when somebody changes the file just now, for it may
	 * have been truncated and not yet grown again; else the disk lost
	 * bytes, which is never passed on as an end of file. */
	if (f->changes == r->changes && f->size > off + (uint64_t)*got)
		*got = -EIO;
}

ssize_t cache_pread(struct cache_file *f, void *dst, size_t len, uint64_t off)
{
	struct cache_read r;
	ssize_t want, got;

	want = cache_read_begin(f, off, len, &r);
	if (want <= 0)
		return want;
	got = io_pread(r.fd, dst, (size_t)want, (off_t)off);
	cache_read_end(f, &r, off, (size_t)want, &got);
	return got;
}

/* ---- changing ------------------------------------------------------- */

/* S12: a protected file is whole, on the disk too, before it changes. */
static int change_whole_locked(struct cache_file *f)
{
	int rc;

	if (!cache_incomplete_locked(f))
		return 0;
	if (!presence_full_locked(f))
		return -EAGAIN;
	pthread_mutex_unlock(&f->lock);
	rc = cache_settle_presence(f);
	pthread_mutex_lock(&f->lock);
	if (rc < 0)
		return rc;
	return cache_incomplete_locked(f) ? -EAGAIN : 0;
}

/*
 * Nothing is fetched or marked changed for what the quota refuses. Waiting
 * for fills may have let another change end, and give back what both took.
 */
static int change_prepare_locked(struct cache_file *f, bool zero, uint64_t end)
{
	int rc = quota_take_locked(f, end);

	if (rc == 0 && !zero)
		rc = change_whole_locked(f);
	if (rc == 0)
		rc = cache_dirty_locked(f, zero);
	return rc == 0 ? quota_take_locked(f, end) : rc;
}

int cache_change_begin(struct cache_file *f, bool zero, uint64_t end, int *fd)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (f->dropped)
		return -ENOENT;
	brake_let_locked(f);
	backing_look_locked(f);
	rc = cache_examine_locked(f);
	if (rc == 0 && f->damaged && !zero)
		rc = -EIO;
	if (rc == 0)
		rc = change_prepare_locked(f, zero, end);
	if (rc < 0) {
		quota_settle_locked(f);
		return rc;
	}
	f->changing++;
	*fd = f->wfd;
	return 0;
}

void cache_change_end(struct cache_file *f)
{
	bool flush;
	struct stat st;

	pthread_mutex_lock(&f->lock);
	f->changing--;
	if (fstat(f->wfd, &st) == 0) {
		f->size = (uint64_t)st.st_size;
		f->mtime_ns = clock_ns(st.st_mtim);
		space_update(f, (uint64_t)st.st_blocks * 512);
	}
	quota_settle_locked(f);
	/* Without a handle no close will come. */
	flush = f->writers == 0 && f->changing == 0;
	if (flush)
		f->settle_ns = clock_wall_ns();
	pthread_cond_broadcast(&f->cond);
	pthread_mutex_unlock(&f->lock);
	if (flush)
		flush_queue(f);
}

uint64_t cache_change_needs(struct cache_file *f, uint64_t off, uint64_t len)
{
	LOCK_SCOPE(&f->lock);
	backing_look_locked(f);
	if (atomic_load(&f->blocks) < f->size || off > f->size)
		return len;
	return off + len > f->size ? off + len - f->size : 0;
}

ssize_t cache_pwrite(struct cache_file *f, const void *src, size_t len,
		     uint64_t off)
{
	uint64_t needs;
	int fd, rc;

	if (len > SSIZE_MAX || off > CACHE_FILE_MAX ||
	    len > CACHE_FILE_MAX - off)
		return -EFBIG;
	if (len == 0)
		return 0;
	needs = cache_change_needs(f, off, len);
	rc = needs ? space_wait(f->c, needs, false) : 0;
	if (rc < 0)
		return rc;
	rc = cache_change_begin(f, false, off + len, &fd);
	if (rc < 0)
		return rc;
	rc = io_pwrite(fd, src, len, (off_t)off);
	cache_change_end(f);
	return rc < 0 ? rc : (ssize_t)len;
}

int cache_truncate(struct cache_file *f, uint64_t size)
{
	int fd, rc;

	if (size > CACHE_FILE_MAX)
		return -EFBIG;
	rc = cache_change_begin(f, size == 0, size, &fd);
	if (rc < 0)
		return rc;
	rc = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	cache_change_end(f);
	return rc;
}

static int utimens_row(struct cache_file *f, const int64_t *atime_ns,
		       const int64_t *mtime_ns)
{
	struct meta_inode row;
	META_TXN(t);
	int rc = cache_begin_row(f, &t, &row);

	if (rc < 0)
		return rc;
	if (atime_ns)
		row.atime_ns = *atime_ns;
	if (mtime_ns)
		row.mtime_ns = *mtime_ns;
	row.ctime_ns = clock_wall_ns();
	rc = meta_inode_update(&t, &row);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

int cache_utimens(struct cache_file *f, const int64_t *atime_ns,
		  const int64_t *mtime_ns)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_nsec = UTIME_OMIT } };
	int fd, rc;

	LOCK_SCOPE(&f->lock);
	fd = cache_written_locked(f);
	if (!f->opened || fd < 0)
		return utimens_row(f, atime_ns, mtime_ns);
	rc = atime_ns ? utimens_row(f, atime_ns, NULL) : 0;
	if (rc < 0 || !mtime_ns)
		return rc;
	ts[1] = clock_timespec(*mtime_ns);
	brake_let_locked(f);
	return futimens(fd, ts) < 0 ? -errno : 0;
}
