/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests about names and attributes. Every path answers exactly once.
 *
 * The kernel keeps names and attributes for an hour: this process is the
 * only writer, and tells it of the rest (vfs_invalidate). Lookup counts are
 * ignored: inode numbers never come back, and a FORGET may get lost.
 */
#include "fuse/impl.h"

#include <errno.h>

#include "base/buf.h"
#include "base/log.h"

#define KEEP_SECONDS 3600.0

struct vfs_cred req_cred(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct vfs_cred){
		.uid = ctx->uid,
		.gid = ctx->gid,
		.umask = ctx->umask,
		.pid = ctx->pid,
	};
}

void entry_param(const struct vfs_entry *e, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = raw_node(slot_mine->s, e->ino),
		.generation = e->generation,
		.attr = e->attr,
		.attr_timeout = e->volatile_attr ? 0 : KEEP_SECONDS,
		.entry_timeout = KEEP_SECONDS,
	};
}

void reply_rc(fuse_req_t req, int rc)
{
	if (rc == -EUCLEAN)
		log_err("the database is damaged: rows contradict each other");
	fuse_reply_err(req, -rc);
}

void reply_entry(fuse_req_t req, int rc, const struct vfs_entry *e)
{
	struct fuse_entry_param p;

	if (rc < 0) {
		reply_rc(req, rc);
		return;
	}
	entry_param(e, &p);
	fuse_reply_entry(req, &p);
}

void reply_attr(fuse_req_t req, int rc, const struct vfs_entry *e)
{
	if (rc < 0)
		reply_rc(req, rc);
	else
		fuse_reply_attr(req, &e->attr,
				e->volatile_attr ? 0 : KEEP_SECONDS);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fuse_server *s = userdata;

	/*
	 * Not AUTO_INVAL_DATA, not writeback: nobody changes data behind it.
	 * Not ASYNC_DIO: when an asynchronous O_DIRECT write is done, the
	 * kernel leaves pages that were read meanwhile, with old bytes.
	 * More in raw.c.
	 */
	conn->want = conn->capable &
		     (FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC |
		      FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
		      FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_POSIX_ACL |
		      FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT);
	conn->max_write = MAX_IO;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	s->serving = true;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct vfs_entry e;
	int rc = vfs_lookup(req_vfs(req), parent, name, &e);
	struct fuse_entry_param none = { .entry_timeout = KEEP_SECONDS };

	if (rc == -ENOENT) /* inode 0: the kernel may remember that */
		fuse_reply_entry(req, &none);
	else
		reply_entry(req, rc, &e);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct vfs_entry e;

	reply_attr(req, vfs_getattr(req_vfs(req), ino, &e), &e);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev)
{
	struct vfs_cred who = req_cred(req);
	struct vfs_entry e;
	int rc = vfs_mknod(req_vfs(req), &who, parent, name, mode, rdev, &e);

	reply_entry(req, rc, &e);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	struct vfs_cred who = req_cred(req);
	struct vfs_entry e;
	int rc = vfs_mkdir(req_vfs(req), &who, parent, name, mode, &e);

	reply_entry(req, rc, &e);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		       const char *name)
{
	struct vfs_cred who = req_cred(req);
	struct vfs_entry e;
	int rc = vfs_symlink(req_vfs(req), &who, parent, name, target, &e);

	reply_entry(req, rc, &e);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
		    const char *newname)
{
	struct vfs_entry e;
	int rc = vfs_link(req_vfs(req), ino, newparent, newname, &e);

	reply_entry(req, rc, &e);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = vfs_readlink(req_vfs(req), ino, &b);
	const char *target = rc == 0 ? buf_str(&b) : NULL;

	if (target)
		fuse_reply_readlink(req, target);
	else
		reply_rc(req, rc < 0 ? rc : -ENOMEM);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct vfs_cred who = req_cred(req);

	reply_rc(req, vfs_unlink(req_vfs(req), &who, parent, name));
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct vfs_cred who = req_cred(req);

	reply_rc(req, vfs_rmdir(req_vfs(req), &who, parent, name));
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		      fuse_ino_t newparent, const char *newname, unsigned flags)
{
	struct vfs_cred who = req_cred(req);

	reply_rc(req, vfs_rename(req_vfs(req), &who, parent, name, newparent,
				 newname, flags));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int rc = vfs_statfs(req_vfs(req), &st);

	if (rc < 0)
		reply_rc(req, rc);
	else
		fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops server_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
};
