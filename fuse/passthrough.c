/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies to OPEN and CREATE. Those that name a local file, which the kernel
 * then reads and writes itself, are made by hand: libfuse 3.14 has no name for
 * them.
 */
#include "fuse/impl.h"

#include "fuse/abi.h"

/*
 * The kernel takes no KEEP_CACHE with these: the pages are the local file's.
 * A FLUSH would say nothing: writes are in that file when they return.
 */
static struct abi_open_out passed(uint64_t fh, int backing, bool direct)
{
	return (struct abi_open_out){
		.fh = fh,
		.open_flags = ABI_FOPEN_PASSTHROUGH | FOPEN_NOFLUSH |
			      (direct ? FOPEN_DIRECT_IO : 0),
		.backing_id = backing,
	};
}

int reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct abi_open_out out;
	bool direct = false;
	int backing = vfs_backing(req_vfs(req), fi->fh, &direct);

	if (backing <= 0)
		return fuse_reply_open(req, fi);
	out = passed(fi->fh, backing, direct);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void split(double seconds, uint64_t *s, uint32_t *ns)
{
	*s = (uint64_t)seconds;
	*ns = (uint32_t)((seconds - (double)*s) * 1e9);
}

static struct fuse_attr attr_out(const struct stat *st)
{
	return (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

int reply_create(fuse_req_t req, const struct fuse_entry_param *p,
		 const struct fuse_file_info *fi)
{
	struct abi_create_out out;
	struct fuse_entry_out *e = &out.entry;
	bool direct = false;
	int backing = vfs_backing(req_vfs(req), fi->fh, &direct);

	if (backing <= 0)
		return fuse_reply_create(req, p, fi);
	*e = (struct fuse_entry_out){
		.nodeid = p->ino,
		.generation = p->generation,
		.attr = attr_out(&p->attr),
	};
	split(p->entry_timeout, &e->entry_valid, &e->entry_valid_nsec);
	split(p->attr_timeout, &e->attr_valid, &e->attr_valid_nsec);
	out.open = passed(fi->fh, backing, direct);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
