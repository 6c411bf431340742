/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of a file as a whole: reserving, zeroing, finding, copying. */
#include "cache/impl.h"

#include <fcntl.h>

/* Of one copy, without shared blocks: what a thread may be busy with. */
#define RANGE_COPY_MAX (16ULL << 20)

static bool range_mode_ok(int mode)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return true;
	default:
		return false;
	}
}

int cache_allocate(struct cache_file *f, int mode, uint64_t off, uint64_t len)
{
	uint64_t needs = 0;
	int fd = -1, rc;

	if (!range_mode_ok(mode))
		return -EOPNOTSUPP;
	if (len == 0)
		return -EINVAL;
	if (off > CACHE_FILE_MAX || len > CACHE_FILE_MAX - off)
		return -EFBIG;
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		needs = cache_change_needs(f, off, len);
	rc = needs ? space_wait(f->c, needs, false) : 0;
	if (rc == 0)
		rc = cache_change_begin(
			f, false, mode & FALLOC_FL_KEEP_SIZE ? 0 : off + len,
			&fd);
	if (rc < 0)
		return rc;
	if (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
		rc = -errno;
	cache_change_end(f);
	return rc;
}

int64_t cache_seek(struct cache_file *f, uint64_t off, bool hole)
{
	off_t at;
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (f->dropped)
		return -ENOENT;
	backing_look_locked(f);
	if (off >= f->size)
		return -ENXIO;
	if (cache_incomplete_locked(f))
		return -EAGAIN;
	rc = cache_rfd_locked(f);
	if (rc < 0)
		return rc;
	at = lseek(f->rfd, (off_t)off, hole ? SEEK_HOLE : SEEK_DATA);
	return at < 0 ? -errno : at;
}

/* Bytes copied; fewer only at the end of the file. */
static ssize_t range_copy(int from, uint64_t from_off, int to, uint64_t to_off,
			  size_t len)
{
	off_t in = (off_t)from_off, out = (off_t)to_off;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = copy_file_range(from, &in, to, &out, len - done, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && done == 0)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* With `from` held. */
static ssize_t range_copy_to(int from, uint64_t from_off, struct cache_file *to,
			     uint64_t to_off, size_t len)
{
	uint64_t needs;
	ssize_t n;
	int fd = -1, rc;

	if (to_off > CACHE_FILE_MAX || len > CACHE_FILE_MAX - to_off)
		return -EFBIG;
	needs = cache_change_needs(to, to_off, len);
	rc = needs ? space_wait(to->c, needs, false) : 0;
	if (rc == 0)
		rc = cache_change_begin(to, false, to_off + len, &fd);
	if (rc < 0)
		return rc;
	n = range_copy(from, from_off, fd, to_off, len);
	cache_change_end(to);
	return n == -EOPNOTSUPP || n == -ENOSYS ? -EXDEV : n;
}

ssize_t cache_copy(struct cache_file *from, uint64_t from_off,
		   struct cache_file *to, uint64_t to_off, uint64_t len)
{
	struct cache_read r;
	ssize_t want, got;

	len = MIN(len, RANGE_COPY_MAX);
	want = cache_read_begin(from, from_off, (size_t)len, &r);
	if (want == -EAGAIN)
		return -EXDEV;
	if (want <= 0)
		return want;
	got = range_copy_to(r.fd, from_off, to, to_off, (size_t)want);
	cache_read_end(from, &r, from_off, (size_t)want, &got);
	return got;
}
