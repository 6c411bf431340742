/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What df shows. Used = what the trust's files hold, wherever the bytes are;
 * free = what can be written before anything must reach the bucket: the
 * cache and its disk, without what is not protected yet.
 */
#include "vfs/impl.h"

#define FRSIZE 4096

/* Inode numbers never run out; programs want a number. */
#define FILES_FREE (1ULL << 32)

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

int vfs_statfs(struct vfs *v, struct statvfs *out)
{
	struct meta_totals tot = { 0 };
	struct cache_usage u;
	uint64_t room;
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = meta_totals(&t, &tot);
	if (rc < 0)
		return rc;
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
	return 0;
}
