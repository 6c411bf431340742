/* SPDX-License-Identifier: Apache-2.0 */
/* Names: looking up, making, linking, removing. */
#include "vfs/impl.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"

/*
 * "." and "..": a node of which only the id is known, by a file handle that
 * was kept (NFS, open_by_handle_at(2)), and the directory above it.
 */
static int lookup_dots(struct vfs *v, struct meta_txn *t, uint64_t node,
		       bool up, struct meta_inode *in)
{
	uint64_t parent;
	int rc = node_get(t, node, in);

	/* Only who has it open still knows one without a name. */
	if (rc == 0 && in->nlink == 0 && !handles_open(v, in->ino))
		return -ESTALE;
	if (rc < 0 || !up)
		return rc;
	if (!S_ISDIR(in->mode))
		return -ENOTDIR;
	rc = meta_dirent_parent(t, in->ino, &parent);
	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc; /* it was removed */
	return node_get(t, parent, in);
}

static int lookup_name(struct meta_txn *t, uint64_t parent, const char *name,
		       size_t len, struct meta_inode *in)
{
	struct meta_inode dir;
	int rc, why;

	if (VFS_SNAPSHOT(parent) != 0)
		return -ESTALE;
	rc = name_get(t, parent, name, len, in);
	if (rc != -ENOENT)
		return rc;
	why = node_dir(t, parent, &dir);
	return why < 0 ? why : rc;
}

int vfs_lookup(struct vfs *v, uint64_t parent, const char *name,
	       struct vfs_entry *out)
{
	bool up = strcmp(name, "..") == 0;
	bool dots = up || strcmp(name, ".") == 0;
	struct meta_inode in = { 0 };
	META_TXN(t);
	size_t len;
	int rc;

	rc = dots ? 0 : name_check(name, &len);
	if (rc == 0)
		rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = dots ? lookup_dots(v, &t, parent, up, &in)
			  : lookup_name(&t, parent, name, len, &in);
	meta_abort(&t);
	return rc < 0 ? rc : entry_fill(v, &in, out);
}

static int make_entry(struct vfs *v, const struct make *mk,
		      struct vfs_entry *out)
{
	struct meta_inode in = { 0 };
	int rc = node_make(v, mk, &in);

	return rc < 0 ? rc : entry_fill(v, &in, out);
}

int vfs_settle(struct vfs *v, uint64_t ino)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc = cache_get(v->cache, ino, &f);

	if (rc == 0)
		rc = cache_acquire(f, true);
	return rc < 0 ? rc : cache_release(f, true);
}

int vfs_mknod(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name, mode_t mode, dev_t rdev, struct vfs_entry *out)
{
	bool device = S_ISCHR(mode) || S_ISBLK(mode);
	struct make mk = { .who = who,
			   .parent = parent,
			   .name = name,
			   .mode = mode,
			   .rdev = device ? rdev : 0 };
	int rc;

	if (!device && !S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return -EINVAL;
	rc = make_entry(v, &mk, out);
	if (rc == 0 && S_ISREG(mode))
		rc = vfs_settle(v, out->ino);
	return rc;
}

int vfs_mkdir(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name, mode_t mode, struct vfs_entry *out)
{
	struct make mk = { .who = who,
			   .parent = parent,
			   .name = name,
			   .mode = S_IFDIR | (mode & 07777) };

	return make_entry(v, &mk, out);
}

int vfs_symlink(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
		const char *name, const char *target, struct vfs_entry *out)
{
	struct make mk = { .who = who,
			   .parent = parent,
			   .name = name,
			   .mode = S_IFLNK | 0777,
			   .target = target };
	size_t len = strnlen(target, PATH_MAX);

	if (len == 0)
		return -ENOENT;
	return len == PATH_MAX ? -ENAMETOOLONG : make_entry(v, &mk, out);
}

static int load_link(struct vfs *v, uint64_t ino, struct meta_inode *in,
		     struct buf *out)
{
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = node_get(&t, ino, in);
	if (rc < 0)
		return rc;
	if (!S_ISLNK(in->mode))
		return -EINVAL;
	return meta_symlink_get(&t, in->ino, out);
}

int vfs_readlink(struct vfs *v, uint64_t ino, struct buf *out)
{
	struct meta_inode in = { 0 };
	int rc = load_link(v, ino, &in, out);

	if (rc == 0 && atime_due(v, &in))
		atime_write(v, in.ino);
	return rc;
}

/* One name that is made or removed. */
struct naming {
	uint64_t parent;
	const char *name;
	size_t len;
	uint64_t ino;	       /* to link */
	bool tmpfile;	       /* it never had a name, and is held */
	bool is_dir;	       /* to remove */
	struct meta_inode *in; /* what it leads to */
};

static int link_in(struct meta_txn *t, void *arg)
{
	const struct naming *a = arg;
	struct meta_inode *in = a->in;
	int64_t now = clock_wall_ns();
	struct meta_inode dir = { 0 };
	int rc;

	rc = node_get(t, a->ino, in);
	if (rc == 0)
		rc = node_dir(t, a->parent, &dir);
	if (rc < 0)
		return rc;
	if (S_ISDIR(in->mode))
		return -EPERM;
	if (in->nlink == 0 && !a->tmpfile)
		return -ENOENT;
	if (in->nlink == UINT32_MAX)
		return -EMLINK;
	rc = meta_dirent_insert(t, dir.ino, a->name, a->len, in->ino);
	if (rc < 0)
		return rc;
	in->nlink++;
	rc = node_touch(t, in, now);
	return rc < 0 ? rc : dir_touch(t, &dir, now);
}

int vfs_link(struct vfs *v, uint64_t ino, uint64_t newparent,
	     const char *newname, struct vfs_entry *out)
{
	struct handle *h = handle_get_tmpfile(v, VFS_INO(ino));
	CLEANUP(handle_ref_guard)
	struct handle_ref held __attribute__((unused)) = { v, h };
	struct meta_inode in = { 0 };
	struct naming a = {
		.parent = newparent,
		.name = newname,
		.ino = ino,
		.tmpfile = h != NULL,
		.in = &in,
	};
	int rc;

	rc = name_check(newname, &a.len);
	if (rc == 0)
		rc = meta_run(v->meta, link_in, &a, NULL);
	return rc < 0 ? rc : entry_fill(v, &in, out);
}

/* What may be removed by the call that was made. */
static int removable(struct meta_txn *t, const struct meta_inode *in, bool dir)
{
	int rc;

	if (!dir)
		return S_ISDIR(in->mode) ? -EISDIR : 0;
	if (!S_ISDIR(in->mode))
		return -ENOTDIR;
	rc = meta_dirent_any(t, in->ino);
	return rc > 0 ? -ENOTEMPTY : rc;
}

static int remove_in(struct meta_txn *t, void *arg)
{
	const struct naming *a = arg;
	int64_t now = clock_wall_ns();
	struct meta_inode dir = { 0 };
	int rc;

	rc = node_dir(t, a->parent, &dir);
	if (rc == 0)
		rc = name_get(t, dir.ino, a->name, a->len, a->in);
	if (rc == 0)
		rc = removable(t, a->in, a->is_dir);
	if (rc == 0)
		rc = meta_dirent_remove(t, dir.ino, a->name, a->len);
	if (rc == 0)
		rc = node_drop_link(t, a->in, now);
	if (rc < 0)
		return rc;
	if (a->is_dir)
		dir.nlink--; /* its ".." */
	return dir_touch(t, &dir, now);
}

static int remove_name(struct vfs *v, uint64_t parent, const char *name,
		       bool is_dir)
{
	struct meta_inode in = { 0 };
	struct naming a = {
		.parent = parent, .name = name, .is_dir = is_dir, .in = &in
	};
	int rc;

	rc = name_check(name, &a.len);
	if (rc == 0)
		rc = meta_run(v->meta, remove_in, &a, NULL);
	if (rc == 0 && in.nlink == 0)
		vfs_gone(v, in.ino);
	return rc;
}

int vfs_unlink(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name)
{
	return remove_name(v, parent, name, false);
}

int vfs_rmdir(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name)
{
	return remove_name(v, parent, name, true);
}
