/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about open files, and setattr, which may need a file's bytes. */
#include "fuse/impl.h"

#include <errno.h>
#include <fcntl.h>

#include "base/guard.h"

#define CREATE_SECONDS 1.0 /* attributes of a new file are kept */

/*
 * The kernel may keep a file's pages from one open to the next, nobody
 * changes data behind it (but once, when a read from them would leave no
 * access time); and a write is in the cache file when it is
 * answered, so that close(2) has nothing to flush.
 */
static void open_flags(struct fuse_file_info *fi, bool keep)
{
	fi->keep_cache = keep;
	fi->noflush = 1;
}

/* O_TRUNC is a change, too. Closes the handle when it fails. */
static int opened(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct vfs_cred who = req_cred(req);
	struct vfs *v = req_vfs(req);
	int rc = 0;

	vfs_opened_by(v, fi->fh, &who);
	if (fi->flags & O_TRUNC)
		rc = vfs_unprivilege(v, fi->fh,
				     slot_mine->no_setid ? &who : NULL);
	if (rc < 0)
		vfs_release(v, fi->fh);
	return MIN(rc, 0);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_server *s = fuse_req_userdata(req);
	int rc = vfs_open(s->v, ino, fi->flags, &fi->fh);

	if (rc == 0)
		rc = opened(req, fi);
	if (rc < 0) {
		reply_rc(req, rc);
		return;
	}
	open_flags(fi, !vfs_atime_due(s->v, fi->fh));
	/* Attributes that were kept before the first writer came (S11); no
	 * pages, so that this waits for nobody. */
	if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC)
		fuse_lowlevel_notify_inval_inode(s->se, ino, -1, 0);
	if (reply_open(req, fi) == -ENOENT) /* interrupted */
		vfs_release(s->v, fi->fh);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct vfs_cred who = req_cred(req);
	struct vfs *v = req_vfs(req);
	struct fuse_entry_param p;
	struct vfs_entry e;
	int rc;

	if (slot_mine->tmpfile)
		rc = vfs_tmpfile(v, &who, parent, mode, fi->flags, &e, &fi->fh);
	else
		rc = vfs_create(v, &who, parent, name, mode, fi->flags, &e,
				&fi->fh);
	if (rc == 0)
		rc = opened(req, fi);
	if (rc < 0) {
		reply_rc(req, rc);
		return;
	}
	open_flags(fi, true);
	entry_param(&e, &p);
	/*
	 * The kernel looks at the mode once more before open(2) returns, and
	 * would ask for what it has just been told. Each write through it
	 * takes the attributes back; only a store into a mapping does not.
	 */
	p.attr_timeout = MAX(p.attr_timeout, CREATE_SECONDS);
	if (reply_create(req, &p, fi) == -ENOENT)
		vfs_release(v, fi->fh);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct work w = { .req = req,
			  .kind = WORK_READ,
			  .ino = ino,
			  .fh = fi->fh,
			  .off = (uint64_t)off,
			  .len = size };

	if (size > MAX_IO) /* a short count would be the end of the file */
		reply_rc(req, -EINVAL);
	else
		slow_serve(&w);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t off, struct fuse_file_info *fi)
{
	struct work w = { .req = req,
			  .kind = WORK_WRITE,
			  .ino = ino,
			  .fh = fi->fh,
			  .off = (uint64_t)off,
			  .len = size,
			  .data = data,
			  .flags = fi->flags,
			  .no_setid = slot_mine->no_setid,
			  .who = req_cred(req) };

	slow_serve(&w);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi)
{
	struct work w = { .req = req,
			  .kind = WORK_FALLOCATE,
			  .ino = ino,
			  .fh = fi->fh,
			  .off = (uint64_t)off,
			  .len = (uint64_t)len,
			  .mode = mode,
			  .no_setid = fuse_req_ctx(req)->uid != 0,
			  .who = req_cred(req) };

	slow_serve(&w);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t len, int flags)
{
	struct work w = { .req = req,
			  .kind = WORK_COPY,
			  .ino = ino_in,
			  .fh = fi_in->fh,
			  .off = (uint64_t)off_in,
			  .len = len,
			  .to = { ino_out, fi_out->fh, (uint64_t)off_out },
			  .no_setid = fuse_req_ctx(req)->uid != 0,
			  .who = req_cred(req) };

	if (flags != 0)
		reply_rc(req, -EINVAL);
	else
		slow_serve(&w);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	int64_t at = vfs_seek(req_vfs(req), fi->fh, (uint64_t)off, whence);

	if (at < 0)
		reply_rc(req, (int)at);
	else
		fuse_reply_lseek(req, at);
}

static unsigned set_flags(int to_set)
{
	static const struct {
		int fuse;
		unsigned vfs;
	} map[] = {
		{ FUSE_SET_ATTR_MODE, VFS_SET_MODE },
		{ FUSE_SET_ATTR_UID, VFS_SET_UID },
		{ FUSE_SET_ATTR_GID, VFS_SET_GID },
		{ FUSE_SET_ATTR_SIZE, VFS_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, VFS_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, VFS_SET_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, VFS_SET_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, VFS_SET_MTIME_NOW },
		{ FUSE_SET_ATTR_CTIME, VFS_SET_CTIME },
	};
	unsigned set = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (to_set & map[i].fuse)
			set |= map[i].vfs;
	return set;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct work w = { .req = req,
			  .kind = WORK_SETATTR,
			  .ino = ino,
			  .fh = fi ? fi->fh : 0,
			  .attr = *attr,
			  .set = set_flags(to_set) |
				 (slot_mine->no_setid ? VFS_SET_NO_SETID : 0),
			  .who = req_cred(req) };

	slow_serve(&w);
}

void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_rc(req, vfs_flush(req_vfs(req), fi->fh));
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	reply_rc(req, vfs_fsync(req_vfs(req), fi->fh, datasync));
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_rc(req, vfs_release(req_vfs(req), fi->fh));
}

/* Before a change: what the file may not keep. */
static int unprivilege(struct slot *sl, const struct work *w)
{
	bool copy = w->kind == WORK_COPY;
	uint64_t ino = copy ? w->to.ino : w->ino;
	int rc = vfs_unprivilege(sl->s->v, copy ? w->to.fh : w->fh,
				 w->no_setid ? &w->who : NULL);

	if (rc == 1) /* the kernel knows the old mode */
		fuse_lowlevel_notify_inval_inode(sl->s->se, ino, -1, 0);
	return MIN(rc, 0);
}

/*
 * The kernel sends an FSYNC behind a write with O_SYNC, but not past its own
 * pages to a file that it was told to write so (S2).
 */
static ssize_t work_write(struct vfs *v, const struct work *w)
{
	ssize_t n = vfs_write(v, w->fh, w->data, w->len, w->off);
	bool direct;
	int rc = 0;

	if (n > 0 && w->flags & (O_SYNC | O_DSYNC) &&
	    vfs_backing(v, w->fh, &direct) > 0 && direct)
		rc = vfs_fsync(v, w->fh, (w->flags & O_SYNC) != O_SYNC);
	return rc < 0 ? rc : n;
}

static ssize_t work_change(struct slot *sl, const struct work *w)
{
	struct vfs *v = sl->s->v;
	int rc = unprivilege(sl, w);

	if (rc < 0)
		return rc;
	if (w->kind == WORK_WRITE)
		return work_write(v, w);
	if (w->kind == WORK_FALLOCATE)
		return vfs_fallocate(v, w->fh, w->mode, w->off, w->len);
	return vfs_copy(v, w->fh, w->off, w->to.fh, w->to.off, w->len);
}

ssize_t work_do(struct slot *sl, const struct work *w, struct vfs_entry *e)
{
	struct vfs *v = sl->s->v;

	switch (w->kind) {
	case WORK_READ:
		return vfs_read(v, w->fh, sl->out, w->len, w->off);
	case WORK_WRITE:
	case WORK_FALLOCATE:
	case WORK_COPY:
		return work_change(sl, w);
	default:
		return vfs_setattr(v, &w->who, w->ino, &w->attr, w->set, w->fh,
				   e);
	}
}

void work_answer(struct slot *sl, const struct work *w, ssize_t rc,
		 const struct vfs_entry *e)
{
	if (rc < 0)
		reply_rc(w->req, (int)rc);
	else if (w->kind == WORK_READ)
		fuse_reply_buf(w->req, sl->out, (size_t)rc);
	else if (w->kind == WORK_WRITE || w->kind == WORK_COPY)
		fuse_reply_write(w->req, (size_t)rc);
	else if (w->kind == WORK_FALLOCATE)
		reply_rc(w->req, 0);
	else
		reply_attr(w->req, 0, e);
}
