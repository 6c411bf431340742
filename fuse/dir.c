/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about open directories. */
#include "fuse/impl.h"

#include <errno.h>
#include <linux/fuse.h>

#include "base/guard.h"

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vfs *v = req_vfs(req);
	int rc = vfs_opendir(v, ino, fi->flags, &fi->fh);

	if (rc < 0)
		reply_rc(req, rc);
	else if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted */
		vfs_releasedir(v, fi->fh);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_rc(req, vfs_releasedir(req_vfs(req), fi->fh));
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	reply_rc(req, vfs_fsyncdir(req_vfs(req), fi->fh));
}

#define USUAL_NAME 16

/* A reply that fills up. */
struct listing {
	fuse_req_t req;
	char *data;
	size_t len, max;
	bool plus;
};

static size_t add_plus(struct listing *l, const struct vfs_dirent *d)
{
	/* Inode 0: the kernel takes the name, but no attributes. */
	struct fuse_entry_param p = { .attr = { .st_ino = d->ino,
						.st_mode = d->type } };

	if (d->e)
		entry_param(d->e, &p);
	return fuse_add_direntry_plus(l->req, l->data + l->len, l->max - l->len,
				      d->name, &p, (off_t)d->next);
}

static size_t add_plain(struct listing *l, const struct vfs_dirent *d)
{
	struct stat st = { .st_ino = d->ino, .st_mode = d->type };

	return fuse_add_direntry(l->req, l->data + l->len, l->max - l->len,
				 d->name, &st, (off_t)d->next);
}

static bool add(void *arg, const struct vfs_dirent *d)
{
	struct listing *l = arg;
	size_t n = l->plus ? add_plus(l, d) : add_plain(l, d);

	if (n > l->max - l->len) /* not added */
		return false;
	l->len += n;
	return true;
}

static void list(fuse_req_t req, size_t size, off_t off, uint64_t fh, bool plus)
{
	struct listing l = { .req = req,
			     .data = slot_mine->out,
			     .max = MIN(size, MAX_IO),
			     .plus = plus };
	/* An entry with a name of usual length. */
	size_t one = (plus ? sizeof(struct fuse_entry_out) : 0) +
		     sizeof(struct fuse_dirent) + USUAL_NAME;
	int rc = vfs_readdir(req_vfs(req), fh, (uint64_t)off, plus, l.max / one,
			     add, &l);

	if (rc < 0 && l.len == 0)
		reply_rc(req, rc);
	else /* what failed comes again with the next request */
		fuse_reply_buf(req, l.data, l.len);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	list(req, size, off, fi->fh, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	list(req, size, off, fi->fh, true);
}
