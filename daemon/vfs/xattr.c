/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes. Who may use which namespace is the kernel's check.
 * user.mersey.* tells of the file itself; it is read-only and not listed,
 * so that copying a file with its attributes works.
 */
#include "vfs/impl.h"

#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "vfs/acl.h"

#define OWN	"user.mersey."
#define TRUSTED "trusted."

/* ls -l asks each file for its label, until it hears that there are none. */
#define LABEL "security.selinux"

/* Of all values of one inode together: what listxattr(2) can return. */
#define LIST_MAX 65536

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static int xattr_name_check(const char *name)
{
	size_t len = strnlen(name, XATTR_NAME_MAX + 1);

	if (len == 0 || len > XATTR_NAME_MAX)
		return -ERANGE;
	return 0;
}

static int tier_of(struct meta_txn *t, const struct meta_inode *in,
		   struct buf *out)
{
	struct meta_extent x;
	struct meta_pack pack;
	int rc = meta_extent_brief(t, in->ino, 0, &x, 1);

	if (rc <= 0)
		return rc < 0 ? rc : -ENODATA;
	rc = meta_pack_get(t, x.pack, &pack);
	meta_extent_done(&x);
	return rc < 0 ? rc : buf_add(out, pack.tier, strlen(pack.tier));
}

/* The attributes that tell of a regular file. */
static int own_get(struct meta_txn *t, const struct meta_inode *in,
		   const char *what, struct buf *out)
{
	char iso[CLOCK_ISO_SIZE];

	if (!S_ISREG(in->mode))
		return -ENODATA;
	if (strcmp(what, "state") == 0)
		return buf_addf(out, "%s", meta_state_name(in->state));
	if (strcmp(what, "tier") == 0)
		return tier_of(t, in, out);
	if (strcmp(what, "protected_at") == 0 && in->protected_ns != 0)
		return buf_addf(out, "%s", clock_iso(in->protected_ns, iso));
	return -ENODATA;
}

int vfs_getxattr(struct vfs *v, uint64_t ino, const char *name, struct buf *out)
{
	struct meta_inode in = { 0 };
	META_TXN(t);
	int rc;

	rc = xattr_name_check(name);
	if (rc == 0)
		rc = meta_read(v->meta, &t);
	if (rc < 0)
		return rc;
	if (!starts(name, OWN)) {
		rc = VFS_SNAPSHOT(ino)
			     ? -ESTALE
			     : meta_xattr_get(&t, VFS_INO(ino), name, out);
		return rc == -ENODATA && strcmp(name, LABEL) == 0 ? -EOPNOTSUPP
								  : rc;
	}
	rc = node_get(&t, ino, &in);
	return rc < 0 ? rc : own_get(&t, &in, name + strlen(OWN), out);
}

/* XATTR_CREATE and XATTR_REPLACE; a new name must fit into the list. */
static int may_set(struct meta_txn *t, uint64_t ino, const char *name,
		   int flags)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = meta_xattr_get(t, ino, name, &b);

	if (rc == 0)
		return flags & XATTR_CREATE ? -EEXIST : 0;
	if (rc != -ENODATA)
		return rc;
	if (flags & XATTR_REPLACE)
		return -ENODATA;
	b.len = 0;
	rc = meta_xattr_list(t, ino, &b);
	if (rc == 0 && b.len + strlen(name) + 1 > LIST_MAX)
		rc = -ENOSPC;
	return rc;
}

static int set_in(struct vfs *v, struct meta_txn *t, uint64_t ino,
		  const char *name, const struct buf *value, int flags)
{
	struct meta_inode in = { 0 };
	int rc;

	rc = node_get(t, ino, &in);
	if (rc == 0)
		rc = may_set(t, in.ino, name, flags);
	if (rc == 0)
		rc = acl_name(name) ? acl_set_in(v, t, &in, name, value)
				    : meta_xattr_set(t, in.ino, name,
						     value->data, value->len);
	if (flags & VFS_XATTR_NO_SETGID && strcmp(name, ACL_ACCESS) == 0)
		in.mode &= ~(uint32_t)S_ISGID;
	return rc < 0 ? rc : node_touch(t, &in, clock_wall_ns());
}

int vfs_setxattr(struct vfs *v, uint64_t ino, const char *name,
		 const void *value, size_t len, int flags)
{
	struct buf b = { .data = (void *)value, .len = len }; /* only read */
	META_TXN(t);
	int rc;

	rc = xattr_name_check(name);
	if (rc < 0)
		return rc;
	if (starts(name, OWN))
		return -EPERM;
	if (len > XATTR_SIZE_MAX)
		return -E2BIG;
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE | VFS_XATTR_NO_SETGID))
		return -EINVAL;
	rc = meta_begin(v->meta, &t);
	if (rc == 0)
		rc = set_in(v, &t, ino, name, &b, flags);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0 && (acl_name(name) || strcmp(name, VFS_XATTR_CAPS) == 0))
		handles_suspect(v, VFS_INO(ino));
	return rc;
}

int vfs_removexattr(struct vfs *v, uint64_t ino, const char *name)
{
	struct meta_inode in = { 0 };
	META_TXN(t);
	int rc;

	rc = xattr_name_check(name);
	if (rc < 0)
		return rc;
	if (starts(name, OWN))
		return -EPERM;
	rc = meta_begin(v->meta, &t);
	if (rc == 0)
		rc = node_get(&t, ino, &in);
	if (rc == 0)
		rc = meta_xattr_remove(&t, in.ino, name);
	if (rc == 0)
		rc = node_touch(&t, &in, clock_wall_ns());
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* Names that only the administrator sees, as on other filesystems. */
static void hide_trusted(struct buf *b, size_t from)
{
	char *to = (char *)b->data + from, *at = to;
	char *end = (char *)b->data + b->len;

	while (at < end) {
		size_t len = strlen(at) + 1;

		if (!starts(at, TRUSTED)) {
			memmove(to, at, len);
			to += len;
		}
		at += len;
	}
	b->len = (size_t)(to - (char *)b->data);
}

int vfs_listxattr(struct vfs *v, const struct vfs_cred *who, uint64_t ino,
		  struct buf *out)
{
	size_t from = out->len;
	META_TXN(t);
	int rc;

	if (VFS_SNAPSHOT(ino) != 0)
		return -ESTALE;
	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = meta_xattr_list(&t, VFS_INO(ino), out);
	if (rc == 0 && who->uid != 0 && out->len > from)
		hide_trusted(out, from);
	return rc;
}
