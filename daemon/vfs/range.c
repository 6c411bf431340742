/* SPDX-License-Identifier: Apache-2.0 */
/* fallocate, lseek for data and holes, copy_file_range. */
#include "vfs/impl.h"

#include <unistd.h>

int vfs_fallocate(struct vfs *v, uint64_t fh, int mode, uint64_t off,
		  uint64_t len)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	int rc, i;

	if (!r.h || !r.h->writable)
		return -EBADF;
	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		rc = (int)VFS_QUOTA(v, cache_allocate(r.h->f, mode, off, len));
		if (rc != -EAGAIN)
			return rc;
		rc = vfs_fetch(v, r.h->f, 0, 0);
		if (rc < 0)
			return rc;
	}
	return -EIO;
}

ssize_t vfs_copy(struct vfs *v, uint64_t fh_in, uint64_t off_in,
		 uint64_t fh_out, uint64_t off_out, uint64_t len)
{
	HANDLE_REF(in, v, fh_in, HANDLE_FILE);
	HANDLE_REF(out, v, fh_out, HANDLE_FILE);
	ssize_t n;
	int rc, i;

	if (!in.h || !out.h || !out.h->writable)
		return -EBADF;
	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		n = VFS_QUOTA(
			v, cache_copy(in.h->f, off_in, out.h->f, off_out, len));
		if (n >= 0)
			atime_read(v, in.h);
		if (n != -EAGAIN)
			return n;
		rc = vfs_fetch(v, out.h->f, 0, 0);
		if (rc < 0)
			return rc;
	}
	return -EIO;
}

/* ---- holes of an incomplete file ------------------------------------- */

#define EXTENTS 16

/*
 * Goes on from *at over the next extents: over data when a hole is looked
 * for. 1: *at is what was looked for, 0: look again from *at.
 */
static int skip_extents(const struct meta_extent *x, int n, bool hole,
			uint64_t *at)
{
	int i;

	for (i = 0; i < n; i++) {
		if (hole && x[i].off > *at)
			return 1;
		if (!hole) {
			*at = MAX(*at, x[i].off);
			return 1;
		}
		*at = MAX(*at, x[i].off + x[i].len);
	}
	return n < EXTENTS; /* the rest is a hole */
}

/* `version` and `size`: of the file that is looked at; -EAGAIN when it has
 * become another. */
static int64_t seek_extents(struct vfs *v, struct cache_file *f, uint64_t at,
			    bool hole)
{
	struct meta_extent x[EXTENTS];
	uint64_t size, version, now, unused;
	META_TXN(t);
	int n, rc;

	cache_version(f, &version, &size);
	rc = meta_read(v->meta, &t);
	if (rc < 0)
		return rc;
	do {
		n = meta_extent_brief(&t, cache_ino(f), at, x, EXTENTS);
		if (n < 0)
			return n;
		if (n == 0 && !hole)
			at = size;
		rc = skip_extents(x, n, hole, &at);
	} while (rc == 0);
	meta_abort(&t);
	cache_version(f, &now, &unused);
	if (now != version)
		return -EAGAIN;
	if (at >= size)
		return hole ? (int64_t)size : -ENXIO;
	return (int64_t)at;
}

int64_t vfs_seek(struct vfs *v, uint64_t fh, uint64_t off, int whence)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	bool hole = whence == SEEK_HOLE;
	int64_t at;
	int i;

	if (!r.h)
		return -EBADF;
	if (!hole && whence != SEEK_DATA)
		return -EINVAL;
	if (off > INT64_MAX) /* it was negative */
		return -ENXIO;
	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		at = cache_seek(r.h->f, off, hole);
		if (at == -EAGAIN)
			at = seek_extents(v, r.h->f, off, hole);
		if (at != -EAGAIN)
			return at;
	}
	return -EIO;
}
