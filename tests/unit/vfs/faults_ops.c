/* SPDX-License-Identifier: Apache-2.0 */
/* The operations, and how they are done. */
#include "tests/unit/vfs/faults.h"

#include <fcntl.h>
#include <signal.h>

enum {
	NEW,
	OVER,
	CUT,
	EMPTIED,
	REPLACED,
	LINKED,
	DIRS,
	NAMES,
	ATTRS,
	COPIED,
	HOLES,
	GONE,
	REMOTE,
	WHOLE,
	KEPT,
	FLUSHED,
	LATE,
	GROUPS,
};

const struct start starts[] = {
	{ OVER, A, 2, 1, META_DIRTY },	  { CUT, A, 3, 1, META_DIRTY },
	{ EMPTIED, A, 2, 1, META_DIRTY }, { REPLACED, A, 2, 1, META_DIRTY },
	{ LINKED, A, 1, 1, META_DIRTY },  { NAMES, A, 1, 1, META_DIRTY },
	{ ATTRS, A, 1, 1, META_DIRTY },	  { COPIED, A, 3, 1, META_DIRTY },
	{ COPIED, B, 1, 9, META_DIRTY },  { HOLES, A, 3, 1, META_DIRTY },
	{ GONE, A, 1, 1, META_DIRTY },	  { REMOTE, A, 3, 1, META_REMOTE },
	{ REMOTE, B, 2, 2, META_REMOTE }, { WHOLE, A, 2, 1, META_LOCAL },
	{ KEPT, A, 2, 1, META_LOCAL },	  { REPLACED, B, 1, 2, META_REMOTE },
};
const unsigned starts_n = ARRAY_SIZE(starts);

const struct op ops[] = {
	{ NEW, CREATE, A },
	{ NEW, WRITE, A, .n = 2, .v = 2 },
	{ NEW, FSYNC, A },
	{ NEW, WRITE, A, .at = 2, .n = 1, .v = 3 },
	{ NEW, CLOSE },

	{ OVER, OPEN, A, .v = O_RDWR },
	{ OVER, WRITE, A, .n = 1, .v = 2 },
	{ OVER, WRITE, A, .at = 2, .n = 1, .v = 2 },
	{ OVER, FSYNC, A },
	{ OVER, CLOSE },

	{ CUT, RESIZE, A, .n = 1 },
	{ CUT, RESIZE, A, .n = 2 },

	{ EMPTIED, OPEN, A, .v = O_RDWR | O_TRUNC },
	{ EMPTIED, WRITE, A, .n = 1, .v = 3 },
	{ EMPTIED, CLOSE },

	{ REPLACED, CREATE, C },
	{ REPLACED, WRITE, C, .n = 1, .v = 4 },
	{ REPLACED, FSYNC, C },
	{ REPLACED, CLOSE },
	{ REPLACED, RENAME, C, A },
	{ REPLACED, RENAME, A, B },

	{ LINKED, LINK, A, B },
	{ LINKED, UNLINK, A },
	{ LINKED, LINK, B, C },

	{ DIRS, MKDIR, A },
	{ DIRS, MKDIR, B },
	{ DIRS, RMDIR, A },
	{ DIRS, RENAME, B, C },

	{ NAMES, SYMLINK, B },
	{ NAMES, RENAME, B, C },
	{ NAMES, EXCHANGE, A, C },

	{ ATTRS, CHMOD, A, .v = 0600 },
	{ ATTRS, MARK, A, .v = 1 },
	{ ATTRS, MARK, A, .v = 2 },

	{ COPIED, OPEN, B, .v = O_RDWR },
	{ COPIED, COPY, A, B, .n = 2 },
	{ COPIED, FSYNC, B },
	{ COPIED, CLOSE },

	{ HOLES, OPEN, A, .v = O_RDWR },
	{ HOLES, PUNCH, A, .at = 1, .n = 1 },
	{ HOLES, CLOSE },

	{ GONE, OPEN, A, .v = O_RDWR },
	{ GONE, UNLINK, A },
	{ GONE, WRITE, A, .n = 1, .v = 2 },
	{ GONE, CLOSE },

	{ REMOTE, OPEN, A, .v = O_RDWR },
	{ REMOTE, READ, A, .at = 1, .n = 1, .v = 1 },
	{ REMOTE, WRITE, A, .n = 1, .v = 2 },
	{ REMOTE, CLOSE },
	{ REMOTE, OPEN, B, .v = O_RDWR | O_TRUNC },
	{ REMOTE, CLOSE },

	{ WHOLE, OPEN, A, .v = O_RDWR },
	{ WHOLE, WRITE, A, .at = 1, .n = 1, .v = 2 },
	{ WHOLE, FSYNC, A },
	{ WHOLE, CLOSE },

	{ KEPT, EVICT, A },
	{ KEPT, OPEN, A, .v = O_RDONLY },
	{ KEPT, READ, A, .n = 2, .v = 1 },
	{ KEPT, CLOSE },

	{ FLUSHED, FLUSH },
	{ FLUSHED, CHECKPOINT },

	{ LATE, CREATE, A },
	{ LATE, WRITE, A, .n = 1, .v = 2 },
	{ LATE, FSYNC, A },
	{ LATE, CLOSE },
	{ LATE, RENAME, A, B },
};
const unsigned ops_n = ARRAY_SIZE(ops), groups_n = GROUPS;

uint64_t group_dir[GROUPS];

static uint64_t handle; /* of the file that a group has open; 0 = none */

void block_fill(uint8_t *p, int i, int v)
{
	int o;

	for (o = 0; o < BLOCK; o++)
		p[o] = v == 0 ? 0 : (uint8_t)(v * 37 + i * 11 + o % 199);
}

static const char *name_of(int slot)
{
	static const char *const names[SLOTS] = { "a", "b", "c", "d" };

	return names[slot];
}

static int find(struct env *e, const struct op *op, int slot, uint64_t *ino)
{
	struct vfs_entry out;
	int rc = vfs_lookup(e->v, group_dir[op->group], name_of(slot), &out);

	*ino = rc == 0 ? out.ino : 0;
	return rc;
}

static int run_create(struct env *e, const struct op *op)
{
	struct vfs_entry out;
	uint64_t fh = 0;
	int rc = vfs_create(e->v, &user, group_dir[op->group], name_of(op->a),
			    0644, O_RDWR | O_CREAT | O_EXCL, &out, &fh);

	handle = fh;
	return rc;
}

static int run_open(struct env *e, const struct op *op)
{
	uint64_t ino, fh = 0;
	int rc = find(e, op, op->a, &ino);

	if (rc == 0)
		rc = vfs_open(e->v, ino, op->v, &fh);
	handle = fh;
	return rc;
}

static int run_write(struct env *e, const struct op *op)
{
	static uint8_t data[BLOCKS * BLOCK];
	size_t n = (size_t)op->n * BLOCK;
	ssize_t rc;
	int i;

	if (!handle)
		return SKIPPED;
	for (i = 0; i < op->n; i++)
		block_fill(data + (size_t)i * BLOCK, op->at + i, op->v);
	rc = vfs_write(e->v, handle, data, n, (uint64_t)op->at * BLOCK);
	return rc < 0 ? (int)rc : (size_t)rc == n ? 0 : -ENODATA;
}

/* Right bytes or an error: others end the process. */
static int run_read(struct env *e, const struct op *op)
{
	static uint8_t got[BLOCK], want[BLOCK];
	ssize_t rc;
	int i;

	if (!handle)
		return SKIPPED;
	for (i = op->at; i < op->at + op->n; i++) {
		rc = vfs_read(e->v, handle, got, BLOCK, (uint64_t)i * BLOCK);
		if (rc < 0)
			return (int)rc;
		block_fill(want, i, op->v);
		if (rc != BLOCK || memcmp(got, want, BLOCK) != 0)
			abort();
	}
	return 0;
}

static int run_fsync(struct env *e, const struct op *op)
{
	return handle ? vfs_fsync(e->v, handle, false) : SKIPPED;
}

static int run_close(struct env *e, const struct op *op)
{
	int rc = handle ? vfs_release(e->v, handle) : SKIPPED;

	handle = 0;
	return rc;
}

static int run_rename(struct env *e, const struct op *op)
{
	uint64_t dir = group_dir[op->group];

	return vfs_rename(e->v, &user, dir, name_of(op->a), dir, name_of(op->b),
			  op->kind == EXCHANGE ? RENAME_EXCHANGE : 0);
}

static int run_link(struct env *e, const struct op *op)
{
	struct vfs_entry out;
	uint64_t ino;
	int rc = find(e, op, op->a, &ino);

	return rc < 0 ? rc
		      : vfs_link(e->v, ino, group_dir[op->group],
				 name_of(op->b), &out);
}

static int run_unlink(struct env *e, const struct op *op)
{
	return vfs_unlink(e->v, &user, group_dir[op->group], name_of(op->a));
}

static int run_mkdir(struct env *e, const struct op *op)
{
	struct vfs_entry out;

	return vfs_mkdir(e->v, &user, group_dir[op->group], name_of(op->a),
			 0755, &out);
}

static int run_rmdir(struct env *e, const struct op *op)
{
	return vfs_rmdir(e->v, &user, group_dir[op->group], name_of(op->a));
}

static int run_symlink(struct env *e, const struct op *op)
{
	struct vfs_entry out;

	return vfs_symlink(e->v, &user, group_dir[op->group], name_of(op->a),
			   "t", &out);
}

static int run_setattr(struct env *e, const struct op *op)
{
	struct stat st = { .st_mode = (mode_t)op->v,
			   .st_size = (off_t)op->n * BLOCK };
	struct vfs_entry out;
	uint64_t ino;
	int rc = find(e, op, op->a, &ino);

	return rc < 0 ? rc
		      : vfs_setattr(e->v, &user, ino, &st,
				    op->kind == CHMOD ? VFS_SET_MODE
						      : VFS_SET_SIZE,
				    0, &out);
}

static int run_mark(struct env *e, const struct op *op)
{
	char value = (char)op->v;
	uint64_t ino;
	int rc = find(e, op, op->a, &ino);

	return rc < 0 ? rc : vfs_setxattr(e->v, ino, "user.mark", &value, 1, 0);
}

static int run_punch(struct env *e, const struct op *op)
{
	if (!handle)
		return SKIPPED;
	return vfs_fallocate(e->v, handle,
			     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (uint64_t)op->at * BLOCK, (uint64_t)op->n * BLOCK);
}

/* From another file into the open one. */
static int run_copy(struct env *e, const struct op *op)
{
	uint64_t ino, from = 0, n = (uint64_t)op->n * BLOCK;
	ssize_t rc;

	if (!handle)
		return SKIPPED;
	rc = find(e, op, op->a, &ino);
	if (rc == 0)
		rc = vfs_open(e->v, ino, O_RDONLY, &from);
	if (rc < 0)
		return (int)rc;
	rc = vfs_copy(e->v, from, 0, handle, 0, n);
	(void)vfs_release(e->v, from);
	return rc < 0 ? (int)rc : (uint64_t)rc == n ? 0 : -ENODATA;
}

static int run_evict(struct env *e, const struct op *op)
{
	uint64_t ino, freed;
	int rc = find(e, op, op->a, &ino);

	return rc < 0 ? rc : cache_evict(e->cache, ino, &freed);
}

static int run_flush(struct env *e, const struct op *op)
{
	return cache_flush(e->cache);
}

static int run_checkpoint(struct env *e, const struct op *op)
{
	return meta_checkpoint_now(e->meta);
}

int op_run(struct env *e, const struct op *op)
{
	static int (*const run[KINDS])(struct env *, const struct op *) = {
		[CREATE] = run_create,
		[OPEN] = run_open,
		[WRITE] = run_write,
		[READ] = run_read,
		[FSYNC] = run_fsync,
		[CLOSE] = run_close,
		[RENAME] = run_rename,
		[EXCHANGE] = run_rename,
		[LINK] = run_link,
		[UNLINK] = run_unlink,
		[MKDIR] = run_mkdir,
		[RMDIR] = run_rmdir,
		[SYMLINK] = run_symlink,
		[CHMOD] = run_setattr,
		[MARK] = run_mark,
		[RESIZE] = run_setattr,
		[PUNCH] = run_punch,
		[COPY] = run_copy,
		[EVICT] = run_evict,
		[FLUSH] = run_flush,
		[CHECKPOINT] = run_checkpoint,
	};

	return run[op->kind](e, op);
}
