/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about extended attributes, and the play with their sizes. */
#include "fuse/impl.h"

#include <errno.h>

#include "base/buf.h"

/* size 0 asks how much there is. */
static void reply_value(fuse_req_t req, int rc, const struct buf *b,
			size_t size)
{
	if (rc < 0)
		reply_rc(req, rc);
	else if (size == 0)
		fuse_reply_xattr(req, b->len);
	else if (b->len > size)
		reply_rc(req, -ERANGE);
	else
		fuse_reply_buf(req, (const char *)b->data, b->len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = vfs_getxattr(req_vfs(req), ino, name, &b);

	reply_value(req, rc, &b, size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct vfs_cred who = req_cred(req);
	int rc = vfs_listxattr(req_vfs(req), &who, ino, &b);

	reply_value(req, rc, &b, size);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	if (slot_mine->no_setgid)
		flags |= VFS_XATTR_NO_SETGID;
	reply_rc(req,
		 vfs_setxattr(req_vfs(req), ino, name, value, size, flags));
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_rc(req, vfs_removexattr(req_vfs(req), ino, name));
}
