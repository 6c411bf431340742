/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file loses when its bytes or its owner change: the set-id bits
 * (unless a privileged caller changes it) and its capabilities. The kernel
 * leaves this to us where it can (FUSE_HANDLE_KILLPRIV_V2), and then asks for
 * no attribute before each write.
 *
 * A handle remembers what its inode is known not to have, so that only its
 * first write looks. It is marked before the rows are read, and whoever gives
 * an inode something to lose takes the mark away after the commit: a write
 * that came between looks again.
 */
#include "vfs/impl.h"

#include <stdatomic.h>

#include "base/clock.h"

#define CAPS VFS_XATTR_CAPS

mode_t privs_mode(mode_t mode, bool member)
{
	if (S_ISDIR(mode))
		return mode;
	mode &= ~(mode_t)S_ISUID;
	/* Without group execution it once meant mandatory locking: the file's
	 * group may keep it. */
	return mode & S_IXGRP || !member ? mode & ~(mode_t)S_ISGID : mode;
}

int privs_drop_in(struct meta_txn *t, struct meta_inode *in, unsigned what,
		  bool member)
{
	int rc = 0;

	if (what & PRIV_SETID)
		in->mode = privs_mode(in->mode, member);
	if (what & PRIV_CAPS)
		rc = meta_xattr_remove(t, in->ino, CAPS);
	return rc == -ENODATA ? 0 : rc;
}

static bool is_member(const struct vfs_cred *who, const struct meta_inode *in)
{
	return who && who->gid == in->gid;
}

/* 1: the inode has something of it. `in` receives its row. */
static int privs_any(struct vfs *v, uint64_t ino, unsigned what,
		     const struct vfs_cred *who, struct meta_inode *in)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = node_get(&t, ino, in);
	if (rc < 0)
		return rc;
	if (what & PRIV_SETID &&
	    privs_mode(in->mode, is_member(who, in)) != in->mode)
		return 1;
	if (!(what & PRIV_CAPS))
		return 0;
	rc = meta_xattr_get(&t, in->ino, CAPS, &b);
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	return 1;
}

/* `in` receives the row as it is left. */
static int drop(struct vfs *v, uint64_t ino, unsigned what,
		const struct vfs_cred *who, struct meta_inode *in)
{
	META_TXN(t);
	int rc = privs_any(v, ino, what, who, in);

	if (rc <= 0)
		return rc;
	rc = meta_begin(v->meta, &t);
	if (rc == 0)
		rc = node_get(&t, ino, in);
	if (rc == 0)
		rc = privs_drop_in(&t, in, what, is_member(who, in));
	if (rc == 0)
		rc = node_touch(&t, in, clock_wall_ns());
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	return rc < 0 ? rc : 1;
}

static unsigned what_goes(const struct vfs_cred *who)
{
	return PRIV_CAPS | (who ? PRIV_SETID : 0);
}

int privs_drop(struct vfs *v, uint64_t ino, const struct vfs_cred *who)
{
	struct meta_inode in = { 0 };

	return drop(v, ino, what_goes(who), who, &in);
}

int vfs_unprivilege(struct vfs *v, uint64_t fh, const struct vfs_cred *who)
{
	unsigned what = what_goes(who);
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	struct meta_inode in = { 0 };
	int rc;

	if (!r.h)
		return -EBADF;
	if ((atomic_fetch_or(&r.h->plain, what) & what) == what)
		return 0;
	rc = drop(v, r.h->ino, what, who, &in);
	if (rc < 0)
		atomic_fetch_and(&r.h->plain, ~what);
	else if (in.mode & S_ISGID) /* others may not keep it */
		atomic_fetch_and(&r.h->plain, ~(unsigned)PRIV_SETID);
	return rc;
}

int privs_passed(struct vfs *v, struct meta_inode *in, int64_t ctime_ns)
{
	static const struct vfs_cred somebody = { .gid = (gid_t)-1 };
	struct meta_inode row = { 0 };
	int rc;

	if (in->mtime_ns <= ctime_ns ||
	    !cache_passed(v->cache, in->ino, in->mtime_ns))
		return 0;
	rc = drop(v, in->ino, PRIV_SETID, &somebody, &row);
	if (rc == 1)
		in->mode = row.mode;
	return MIN(rc, 0);
}
