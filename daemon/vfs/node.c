/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that the calls share: rows, names, times, link counts. */
#include "vfs/impl.h"

#include <string.h>

#include "base/clock.h"

#define DIR_SIZE 4096 /* what programs expect of a directory */

int node_get(struct meta_txn *t, uint64_t node, struct meta_inode *in)
{
	int rc = -ESTALE;

	if (VFS_SNAPSHOT(node) == 0)
		rc = meta_inode_get(t, VFS_INO(node), in);
	return rc == -ENOENT ? -ESTALE : rc;
}

int node_find(struct vfs *v, uint64_t node, struct meta_inode *in)
{
	int rc = -ESTALE;

	if (VFS_SNAPSHOT(node) == 0)
		rc = meta_inode_find(v->meta, VFS_INO(node), in);
	return rc == -ENOENT ? -ESTALE : rc;
}

int node_dir(struct meta_txn *t, uint64_t node, struct meta_inode *in)
{
	int rc = node_get(t, node, in);

	/* Removed and reaped, or not reaped yet: nothing is in it. */
	if (rc == -ESTALE && VFS_SNAPSHOT(node) == 0)
		return -ENOENT;
	if (rc < 0)
		return rc;
	if (!S_ISDIR(in->mode))
		return -ENOTDIR;
	return in->nlink == 0 ? -ENOENT : 0;
}

int name_check(const char *name, size_t *len)
{
	*len = strnlen(name, META_NAME_MAX + 1);
	if (*len > META_NAME_MAX)
		return -ENAMETOOLONG;
	if (*len == 0 || memchr(name, '/', *len) || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

int node_touch(struct meta_txn *t, struct meta_inode *in, int64_t now)
{
	int rc = meta_new_version(t, &in->meta_version);

	if (rc < 0)
		return rc;
	in->ctime_ns = now;
	return meta_inode_update(t, in);
}

int dir_touch(struct meta_txn *t, struct meta_inode *dir, int64_t now)
{
	dir->mtime_ns = now;
	return node_touch(t, dir, now);
}

int node_drop_link(struct meta_txn *t, struct meta_inode *in, int64_t now)
{
	if (in->nlink == 0)
		return -EUCLEAN; /* it had a name */
	in->nlink = S_ISDIR(in->mode) ? 0 : in->nlink - 1;
	return node_touch(t, in, now);
}

int name_get(struct meta_txn *t, uint64_t dir, const char *name, size_t len,
	     struct meta_inode *in)
{
	uint64_t ino;
	int rc = meta_dirent_get(t, dir, name, len, &ino);

	if (rc < 0)
		return rc;
	rc = meta_inode_get(t, ino, in);
	return rc == -ENOENT ? -EUCLEAN : rc; /* a name without its inode */
}

static void fill_stat(const struct meta_inode *in, blkcnt_t blocks,
		      struct stat *st)
{
	*st = (struct stat){
		.st_ino = in->ino,
		.st_mode = in->mode,
		.st_nlink = in->nlink,
		.st_uid = in->uid,
		.st_gid = in->gid,
		.st_rdev = in->rdev,
		.st_size = S_ISDIR(in->mode) ? DIR_SIZE : (off_t)in->size,
		.st_blksize = VFS_BLKSIZE,
		.st_blocks = blocks,
		.st_atim = clock_timespec(in->atime_ns),
		.st_mtim = clock_timespec(in->mtime_ns),
		.st_ctim = clock_timespec(in->ctime_ns),
	};
}

int entry_fill(struct vfs *v, struct meta_inode *in, struct vfs_entry *out)
{
	blkcnt_t blocks = 0;
	int64_t ctime_ns = in->ctime_ns;
	bool volatile_attr = false;
	int rc = 0;

	if (S_ISREG(in->mode))
		rc = cache_attr(v->cache, in, &blocks, &volatile_attr);
	if (rc == 0 && volatile_attr && in->mode & (S_ISUID | S_ISGID))
		rc = privs_passed(v, in, ctime_ns);
	if (rc < 0)
		return rc;
	if (S_ISREG(in->mode))
		atime_seen(v, in);
	out->ino = in->ino;
	out->generation = in->generation;
	out->volatile_attr = volatile_attr;
	fill_stat(in, blocks, &out->attr);
	return 0;
}

/* A new object belongs to its maker, in a setgid directory to its group. */
static int new_row(struct meta_txn *t, const struct make *mk,
		   const struct meta_inode *dir, int64_t now,
		   struct meta_inode *in)
{
	int rc;

	*in = (struct meta_inode){
		.mode = mk->mode & (S_IFMT | 07777),
		.uid = mk->who->uid,
		.gid = mk->who->gid,
		.nlink = S_ISDIR(mk->mode) ? 2 : mk->name != NULL,
		.rdev = mk->rdev,
		.atime_ns = now,
		.mtime_ns = now,
		.ctime_ns = now,
		.btime_ns = now,
		.state = META_LOCAL,
	};
	if (dir->mode & S_ISGID) {
		in->gid = dir->gid;
		if (S_ISDIR(mk->mode))
			in->mode |= S_ISGID;
	}
	if (S_ISREG(mk->mode)) { /* the bucket does not know it yet */
		in->state = META_DIRTY;
		in->dirty_ns = now;
		in->settle_ns = now;
		/* So that its first write needs no transaction. */
		in->opened_for_write = mk->writable;
	}
	if (mk->target)
		in->size = strlen(mk->target);
	in->ino = mk->ino;
	rc = mk->ino ? 0 : meta_new_ino(t, &in->ino);
	if (rc == 0)
		rc = meta_new_version(t, &in->meta_version);
	in->content_version = in->meta_version;
	/* Inode numbers never come back (S3), so one generation is enough. */
	in->generation = 1;
	return rc;
}

struct making {
	struct vfs *v;
	const struct make *mk;
	size_t len;
	struct meta_inode *in;
};

/* The name before the inode: one that is taken is found before anything is
 * changed. */
static int make_in(struct meta_txn *t, void *arg)
{
	CLEANUP(acl_new_guard) struct acl_new acl = { 0 };
	const struct making *a = arg;
	const struct make *mk = a->mk;
	struct meta_inode *in = a->in, dir = { 0 };
	int64_t now = clock_wall_ns();
	int rc;

	rc = node_dir(t, mk->parent, &dir);
	if (rc == 0)
		rc = new_row(t, mk, &dir, now, in);
	if (rc == 0)
		rc = acl_plan(a->v, t, dir.ino, mk->who->umask, in, &acl);
	if (rc == 0 && mk->name)
		rc = meta_dirent_insert(t, dir.ino, mk->name, a->len, in->ino);
	if (rc == 0)
		rc = meta_inode_insert(t, in);
	if (rc == 0)
		rc = acl_store(t, in, &acl);
	if (rc == 0 && mk->target)
		rc = meta_symlink_set(t, in->ino, mk->target);
	if (rc < 0)
		return rc;
	if (mk->h)
		handle_set_ino(a->v, mk->h, in->ino);
	if (!mk->name)
		return 0;
	if (S_ISDIR(in->mode))
		dir.nlink++; /* its ".." */
	return dir_touch(t, &dir, now);
}

static int make_once(struct vfs *v, const struct make *mk,
		     struct meta_inode *in)
{
	struct making a = { .v = v, .mk = mk, .in = in };
	int rc = mk->name ? name_check(mk->name, &a.len) : 0;

	return rc < 0 ? rc : meta_run(v->meta, make_in, &a, NULL);
}

int node_make(struct vfs *v, const struct make *mk, struct meta_inode *in)
{
	struct vfs_quota q = { .name = true };
	ssize_t rc;

	do {
		rc = make_once(v, mk, in);
	} while (vfs_quota_wait(v, &q, &rc));
	return (int)rc;
}
