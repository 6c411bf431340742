/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACLs of inodes. They are xattrs; an access ACL that a mode can express
 * is not kept, and one that is kept agrees with the mode in every transaction.
 */
#include "vfs/impl.h"

#include <stdatomic.h>
#include <string.h>

#include "vfs/acl.h"

/* Appends an ACL; -ENODATA. What was stored was checked. */
static int acl_get(struct meta_txn *t, uint64_t ino, const char *name,
		   struct buf *out)
{
	int rc = meta_xattr_get(t, ino, name, out);

	if (rc < 0)
		return rc;
	return acl_check(out->data, out->len) < 0 ? -EUCLEAN : 0;
}

static int acl_put(struct meta_txn *t, uint64_t ino, const struct buf *acl)
{
	int rc;

	if (!acl_is_mode(acl->data, acl->len))
		return meta_xattr_set(t, ino, ACL_ACCESS, acl->data, acl->len);
	rc = meta_xattr_remove(t, ino, ACL_ACCESS);
	return rc == -ENODATA ? 0 : rc;
}

bool acl_name(const char *name)
{
	return strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

static _Atomic uint64_t *plain_dir(struct vfs *v, uint64_t ino)
{
	return &v->plain_dirs[ino % ARRAY_SIZE(v->plain_dirs)];
}

int acl_set_in(struct vfs *v, struct meta_txn *t, struct meta_inode *in,
	       const char *name, const struct buf *acl)
{
	int rc = acl_check(acl->data, acl->len);

	if (rc < 0)
		return rc;
	if (S_ISLNK(in->mode))
		return -EOPNOTSUPP;
	if (strcmp(name, ACL_DEFAULT) == 0) {
		if (!S_ISDIR(in->mode))
			return -EACCES;
		atomic_store(plain_dir(v, in->ino), 0);
		return meta_xattr_set(t, in->ino, name, acl->data, acl->len);
	}
	in->mode = acl_mode(acl->data, acl->len, in->mode);
	return acl_put(t, in->ino, acl);
}

int acl_chmod_in(struct meta_txn *t, const struct meta_inode *in)
{
	CLEANUP_BUF struct buf acl = { 0 };
	int rc = acl_get(t, in->ino, ACL_ACCESS, &acl);

	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	acl_chmod(acl.data, acl.len, in->mode);
	return acl_put(t, in->ino, &acl);
}

/*
 * A directory's default ACL. That a directory has none is remembered: the
 * mark is set and taken away inside transactions that change, of which there
 * is one at a time. One that takes a default ACL away makes no name, so what
 * is undone leaves no wrong mark.
 */
static int default_get(struct vfs *v, struct meta_txn *t, uint64_t dir,
		       struct buf *out)
{
	int rc;

	if (atomic_load(plain_dir(v, dir)) == dir)
		return -ENODATA;
	rc = acl_get(t, dir, ACL_DEFAULT, out);
	if (rc == -ENODATA)
		atomic_store(plain_dir(v, dir), dir);
	return rc;
}

int acl_plan(struct vfs *v, struct meta_txn *t, uint64_t dir, mode_t umask,
	     struct meta_inode *in, struct acl_new *acl)
{
	int rc;

	if (S_ISLNK(in->mode))
		return 0;
	rc = default_get(v, t, dir, &acl->inherited);
	if (rc == -ENODATA) {
		in->mode &= ~(umask & 0777);
		return 0;
	}
	if (rc == 0)
		rc = buf_add(&acl->access, acl->inherited.data,
			     acl->inherited.len);
	if (rc == 0)
		in->mode = acl_inherit(acl->access.data, acl->access.len,
				       in->mode);
	return rc;
}

int acl_store(struct meta_txn *t, const struct meta_inode *in,
	      const struct acl_new *acl)
{
	int rc;

	if (acl->inherited.len == 0)
		return 0;
	rc = acl_put(t, in->ino, &acl->access);
	if (rc == 0 && S_ISDIR(in->mode))
		rc = meta_xattr_set(t, in->ino, ACL_DEFAULT,
				    acl->inherited.data, acl->inherited.len);
	return rc;
}
