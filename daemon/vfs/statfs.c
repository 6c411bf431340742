/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What df shows. Used = what the trust's files hold, wherever the bytes are;
 * free = what can be written before anything must reach the bucket: the
 * cache and its disk, without what is not protected yet.
 *
 * With a quota its size is the filesystem's and what is left of it is free.
 * Available is that, too, or what can be written now if that is less: as if
 * the rest were reserved, so that used, size and available are all true.
 */
#include "vfs/impl.h"

#define FRSIZE 4096

/* Inode numbers never run out; programs want a number. */
#define FILES_FREE (1ULL << 32)

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void statfs_quota(struct vfs *v, const struct meta_usage *used,
			 struct statvfs *out)
{
	struct meta_quota q;

	meta_quota_get(v->meta, &q);
	if (q.bytes) {
		out->f_blocks = MAX(q.bytes, used->bytes) / FRSIZE;
		out->f_bfree = less(q.bytes, used->bytes) / FRSIZE;
		out->f_bavail = MIN(out->f_bavail, out->f_bfree);
	}
	if (q.files) {
		out->f_files = MAX(q.files, used->files);
		out->f_ffree = out->f_favail = less(q.files, used->files);
	}
}

int vfs_statfs(struct vfs *v, struct statvfs *out)
{
	struct meta_totals tot = { 0 };
	struct meta_usage used;
	struct cache_usage u;
	uint64_t room;
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = meta_totals(&t, &tot);
	if (rc < 0)
		return rc;
	meta_usage(&t, &used);
	meta_abort(&t);
	cache_usage(v->cache, &u);
	/* Clean bytes give way to new ones. */
	room = MIN(less(u.size, tot.dirty_bytes),
		   u.disk_free + less(u.used, tot.dirty_bytes));
	*out = (struct statvfs){
		.f_bsize = VFS_BLKSIZE,
		.f_frsize = FRSIZE,
		.f_blocks = (tot.logical_bytes + room) / FRSIZE,
		.f_bfree = room / FRSIZE,
		.f_bavail = room / FRSIZE,
		.f_files = tot.files + FILES_FREE,
		.f_ffree = FILES_FREE,
		.f_favail = FILES_FREE,
		.f_namemax = META_NAME_MAX,
	};
	statfs_quota(v, &used, out);
	return 0;
}
