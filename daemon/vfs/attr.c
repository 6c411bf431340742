/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getattr and setattr. A kernel that does not know VFS_SET_NO_SETID sends the
 * mode that a chown or truncate leaves as VFS_SET_MODE.
 */
#include "vfs/impl.h"

#include "base/clock.h"

#define SET_TIMES \
	(VFS_SET_ATIME | VFS_SET_MTIME | VFS_SET_ATIME_NOW | VFS_SET_MTIME_NOW)

int vfs_getattr(struct vfs *v, uint64_t ino, struct vfs_entry *out)
{
	struct meta_inode in = { 0 };
	int rc = node_find(v, ino, &in);

	return rc < 0 ? rc : entry_fill(v, &in, out);
}

/* A change, with "now" made definite. */
struct change {
	const struct stat *attr;
	unsigned set;
	int64_t now;
};

static bool new_atime(const struct change *c, int64_t *ns)
{
	if (c->set & VFS_SET_ATIME_NOW)
		*ns = c->now;
	else if (c->set & VFS_SET_ATIME)
		*ns = clock_ns(c->attr->st_atim);
	else
		return false;
	return true;
}

static bool new_mtime(const struct change *c, int64_t *ns)
{
	if (c->set & VFS_SET_MTIME_NOW)
		*ns = c->now;
	else if (c->set & VFS_SET_MTIME)
		*ns = clock_ns(c->attr->st_mtim);
	else
		return false;
	return true;
}

static void change_row(const struct change *c, struct meta_inode *in)
{
	if (c->set & VFS_SET_MODE)
		in->mode = (in->mode & S_IFMT) | (c->attr->st_mode & 07777);
	if (c->set & VFS_SET_UID)
		in->uid = c->attr->st_uid;
	if (c->set & VFS_SET_GID)
		in->gid = c->attr->st_gid;
	new_atime(c, &in->atime_ns);
	new_mtime(c, &in->mtime_ns);
}

/* What goes with a change of the owner. */
static unsigned lost_privs(const struct change *c)
{
	if (!(c->set & (VFS_SET_UID | VFS_SET_GID)))
		return 0;
	return PRIV_CAPS | (c->set & VFS_SET_NO_SETID ? PRIV_SETID : 0);
}

struct setting {
	uint64_t node;
	const struct change *c;
	bool times_done; /* of a file that is open for writing */
};

static int set_in(struct meta_txn *t, void *arg)
{
	const struct setting *a = arg;
	const struct change *c = a->c;
	struct meta_inode in = { 0 };
	int rc = node_get(t, a->node, &in);

	if (rc < 0)
		return rc;
	if ((c->set & SET_TIMES) && in.opened_for_write && !a->times_done)
		return 1;
	change_row(c, &in);
	rc = privs_drop_in(t, &in, lost_privs(c), true);
	if (rc == 0 && c->set & VFS_SET_MODE)
		rc = acl_chmod_in(t, &in);
	if (rc < 0)
		return rc;
	return node_touch(t, &in,
			  c->set & VFS_SET_CTIME ? clock_ns(c->attr->st_ctim)
						 : c->now);
}

/*
 * Changes the row. 1: nothing was done, because the file is open for writing
 * and its times are the cache file's (S11).
 */
static int set_row(struct vfs *v, uint64_t node, const struct change *c,
		   bool times_done)
{
	struct setting a = { .node = node, .c = c, .times_done = times_done };

	return meta_run(v->meta, set_in, &a, NULL);
}

/*
 * The same for a file that is open for writing. Holding it open keeps the
 * last writer's close from putting older times over the new ones.
 */
static int set_open(struct vfs *v, uint64_t ino, const struct change *c)
{
	int64_t atime = 0, mtime = 0;
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	bool a = new_atime(c, &atime), m = new_mtime(c, &mtime);
	int rc, end;

	rc = cache_get(v->cache, ino, &f);
	if (rc < 0)
		return rc;
	rc = cache_acquire(f, true);
	if (rc < 0)
		return rc;
	rc = cache_utimens(f, a ? &atime : NULL, m ? &mtime : NULL);
	if (rc == 0)
		rc = set_row(v, ino, c, true);
	end = cache_release(f, true);
	return rc < 0 ? rc : end;
}

/* `who` may not keep set-id bits; NULL may. */
static int set_size(struct vfs *v, uint64_t ino, uint64_t size,
		    const struct vfs_cred *who)
{
	int rc = vfs_resize(v, ino, size);

	if (rc == 0)
		rc = privs_drop(v, ino, who);
	return MIN(rc, 0);
}

int vfs_setattr(struct vfs *v, const struct vfs_cred *who, uint64_t ino,
		const struct stat *attr, unsigned set, uint64_t fh,
		struct vfs_entry *out)
{
	struct change c = { .attr = attr,
			    .set = set & ~VFS_SET_SIZE,
			    .now = clock_wall_ns() };
	int rc = 0;

	if (set & VFS_SET_SIZE)
		rc = set_size(v, ino, (uint64_t)attr->st_size,
			      set & VFS_SET_NO_SETID ? who : NULL);
	if (rc == 0 && c.set & ~VFS_SET_NO_SETID)
		rc = set_row(v, ino, &c, false);
	if (rc == 1)
		rc = set_open(v, ino, &c);
	if (rc == 0 && set & VFS_SET_MODE)
		handles_suspect(v, VFS_INO(ino));
	return rc < 0 ? rc : vfs_getattr(v, ino, out);
}
