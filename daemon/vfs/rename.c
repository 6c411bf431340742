/* SPDX-License-Identifier: Apache-2.0 */
/* rename(2): one transaction, whatever is moved, replaced or exchanged. */
#include "vfs/impl.h"

#include <stdio.h>

#include "base/clock.h"

#define DEPTH_MAX 100000 /* of directories; beyond that the rows are a loop */

struct side {
	uint64_t node;
	const char *name;
	size_t len;
	struct meta_inode *dir;
};

struct rename {
	struct side from, to;
	struct meta_inode dir[2]; /* rows of the parents; one when same */
	struct meta_inode moved;
	struct meta_inode old; /* what the new name led to */
	bool replaces;
	bool keep;     /* RENAME_NOREPLACE */
	bool exchange; /* nothing gives way: both names are kept */
};

static int load(struct meta_txn *t, struct rename *r)
{
	int rc;

	r->from.dir = &r->dir[0];
	rc = node_dir(t, r->from.node, r->from.dir);
	if (rc < 0)
		return rc;
	r->to.dir = r->to.node == r->from.node ? r->from.dir : &r->dir[1];
	if (r->to.dir != r->from.dir)
		rc = node_dir(t, r->to.node, r->to.dir);
	if (rc == 0)
		rc = name_get(t, r->from.dir->ino, r->from.name, r->from.len,
			      &r->moved);
	if (rc < 0)
		return rc;
	rc = name_get(t, r->to.dir->ino, r->to.name, r->to.len, &r->old);
	r->replaces = rc == 0;
	return rc == -ENOENT ? 0 : rc;
}

/* Is `dir` the directory `above`, or below it? */
static int is_below(struct meta_txn *t, uint64_t dir, uint64_t above)
{
	int rc, i;

	for (i = 0; i < DEPTH_MAX; i++) {
		if (dir == above)
			return 1;
		if (dir == META_ROOT_INO)
			return 0;
		rc = meta_dirent_parent(t, dir, &dir);
		if (rc < 0)
			return rc;
	}
	return -EUCLEAN;
}

static int check_target(struct meta_txn *t, const struct rename *r)
{
	int rc;

	if (!S_ISDIR(r->old.mode))
		return S_ISDIR(r->moved.mode) ? -ENOTDIR : 0;
	if (!S_ISDIR(r->moved.mode))
		return -EISDIR;
	rc = meta_dirent_any(t, r->old.ino);
	return rc > 0 ? -ENOTEMPTY : rc;
}

/* A directory does not go below itself. */
static int check_loop(struct meta_txn *t, const struct rename *r,
		      const struct meta_inode *in, const struct side *to)
{
	int rc;

	if (!S_ISDIR(in->mode) || r->to.dir == r->from.dir)
		return 0;
	rc = is_below(t, to->dir->ino, in->ino);
	return rc > 0 ? -EINVAL : rc;
}

static int check(struct meta_txn *t, const struct rename *r)
{
	int rc = check_loop(t, r, &r->moved, &r->to);

	if (rc < 0)
		return rc;
	if (!r->exchange)
		return r->replaces ? check_target(t, r) : 0;
	return r->replaces ? check_loop(t, r, &r->old, &r->from) : -ENOENT;
}

/* The name that gives way, and its inode. */
static int replace(struct meta_txn *t, struct rename *r, int64_t now)
{
	int rc = meta_dirent_remove(t, r->to.dir->ino, r->to.name, r->to.len);

	if (rc == 0)
		rc = node_drop_link(t, &r->old, now);
	if (rc == 0 && S_ISDIR(r->old.mode))
		r->to.dir->nlink--; /* its ".." */
	return rc;
}

/* What lies at `from` gets the name `to`, which is free. */
static int put(struct meta_txn *t, struct meta_inode *in, struct side *from,
	       struct side *to, int64_t now)
{
	int rc =
		meta_dirent_insert(t, to->dir->ino, to->name, to->len, in->ino);

	if (rc == 0)
		rc = node_touch(t, in, now);
	if (rc == 0 && S_ISDIR(in->mode)) { /* its ".." moves too */
		from->dir->nlink--;
		to->dir->nlink++;
	}
	return rc;
}

static int apply(struct meta_txn *t, struct rename *r)
{
	int64_t now = clock_wall_ns();
	int rc = 0;

	if (r->exchange)
		rc = meta_dirent_remove(t, r->to.dir->ino, r->to.name,
					r->to.len);
	else if (r->replaces)
		rc = replace(t, r, now);
	if (rc == 0)
		rc = meta_dirent_remove(t, r->from.dir->ino, r->from.name,
					r->from.len);
	if (rc == 0)
		rc = put(t, &r->moved, &r->from, &r->to, now);
	if (rc == 0 && r->exchange)
		rc = put(t, &r->old, &r->to, &r->from, now);
	if (rc == 0)
		rc = dir_touch(t, r->from.dir, now);
	if (rc == 0 && r->to.dir != r->from.dir)
		rc = dir_touch(t, r->to.dir, now);
	return rc;
}

/* 1: nothing to do, both names lead to one inode. */
static int rename_in(struct meta_txn *t, void *arg)
{
	struct rename *r = arg;
	int rc = load(t, r);

	if (rc < 0)
		return rc;
	if (r->replaces && r->keep)
		return -EEXIST;
	if (r->replaces && r->old.ino == r->moved.ino)
		return 1;
	rc = check(t, r);
	return rc < 0 ? rc : apply(t, r);
}

int vfs_rename(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name, uint64_t newparent, const char *newname,
	       unsigned flags)
{
	struct rename r = { .from = { .node = parent, .name = name },
			    .to = { .node = newparent, .name = newname },
			    .keep = flags == RENAME_NOREPLACE,
			    .exchange = flags == RENAME_EXCHANGE };
	int rc;

	if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE)
		return -EINVAL;
	rc = name_check(name, &r.from.len);
	if (rc == 0)
		rc = name_check(newname, &r.to.len);
	if (rc == 0)
		rc = meta_run(v->meta, rename_in, &r, NULL);
	if (rc == 0 && r.replaces && r.old.nlink == 0)
		vfs_gone(v, r.old.ino);
	return MIN(rc, 0);
}
