/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes and symlink targets. */
#include "meta/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

/*
 * Columns that no index looks at come first, so that a change of them alone
 * (chmod, times, size) leaves the indexes alone.
 */
#define COLS_PLAIN                                                   \
	"born = ?2, generation = ?3, mode = ?4, uid = ?5, gid = ?6," \
	" rdev = ?7, size = ?8, atime_ns = ?9, mtime_ns = ?10,"      \
	" ctime_ns = ?11, btime_ns = ?12, content_version = ?13,"    \
	" meta_version = ?14, protected_ns = ?15"
#define COLS_PLAIN_LAST 15
#define COLS_LAST	23

enum {
	GET,
	INSERT,
	UPDATE,
	UPDATE_PLAIN,
	DELETE,
	LINK_GET,
	LINK_SET,
	LINK_DELETE,
};
static const char *const sql[] = {
	[GET] = "SELECT " META_INODE_COLS " FROM inode i WHERE i.ino = ?1",
	[INSERT] = "INSERT INTO inode (ino, born, generation, mode, uid, gid,"
		   " rdev, size, atime_ns, mtime_ns, ctime_ns, btime_ns,"
		   " content_version, meta_version, protected_ns, nlink,"
		   " state, damaged, opened_for_write, dirty_ns, settle_ns,"
		   " access_ns, cached_bytes) VALUES (?1, ?2, ?3, ?4, ?5,"
		   " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
		   " ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
	[UPDATE] = "UPDATE inode SET " COLS_PLAIN ", nlink = ?16,"
		   " state = ?17, damaged = ?18, opened_for_write = ?19,"
		   " dirty_ns = ?20, settle_ns = ?21, access_ns = ?22,"
		   " cached_bytes = ?23 WHERE ino = ?1",
	[UPDATE_PLAIN] = "UPDATE inode SET " COLS_PLAIN " WHERE ino = ?1",
	[DELETE] = "DELETE FROM inode WHERE ino = ?1",
	[LINK_GET] = "SELECT target FROM symlink WHERE ino = ?1",
	[LINK_SET] = "INSERT INTO symlink (ino, target) VALUES (?1, ?2)",
	[LINK_DELETE] = "DELETE FROM symlink WHERE ino = ?1",
};

static const char *const meta_state_names[META_STATES] = {
	[META_DIRTY] = "dirty",	      [META_LOCAL] = "local",
	[META_PARTIAL] = "partial",   [META_REMOTE] = "remote",
	[META_ARCHIVED] = "archived", [META_RECALLING] = "recalling",
};

const char *meta_state_name(enum meta_state s)
{
	return (unsigned)s < META_STATES ? meta_state_names[s] : "?";
}

static void inode_bind(struct db_stmt *st, const struct meta_inode *in,
		       int last)
{
	const int64_t v[COLS_LAST] = {
		(int64_t)in->ino,
		(int64_t)in->born,
		in->generation,
		in->mode,
		in->uid,
		in->gid,
		(int64_t)in->rdev,
		(int64_t)in->size,
		in->atime_ns,
		in->mtime_ns,
		in->ctime_ns,
		in->btime_ns,
		(int64_t)in->content_version,
		(int64_t)in->meta_version,
		in->protected_ns,
		in->nlink,
		in->state,
		in->damaged,
		in->opened_for_write,
		in->dirty_ns,
		in->settle_ns,
		in->access_ns,
		(int64_t)in->cached_bytes,
	};
	int i;

	for (i = 0; i < last; i++)
		m_bind_int(st, i + 1, v[i]);
}

bool meta_inode_read(struct db_stmt *st, int at, struct meta_inode *out)
{
	uint32_t state, damaged, opened;

	*out = (struct meta_inode){
		.ino = (uint64_t)db_int(st, at),
		.born = (uint64_t)db_int(st, at + 1),
		.rdev = (uint64_t)db_int(st, at + 6),
		.size = (uint64_t)db_int(st, at + 7),
		.atime_ns = db_int(st, at + 8),
		.mtime_ns = db_int(st, at + 9),
		.ctime_ns = db_int(st, at + 10),
		.btime_ns = db_int(st, at + 11),
		.content_version = (uint64_t)db_int(st, at + 12),
		.meta_version = (uint64_t)db_int(st, at + 13),
		.protected_ns = db_int(st, at + 14),
		.dirty_ns = db_int(st, at + 19),
		.settle_ns = db_int(st, at + 20),
		.access_ns = db_int(st, at + 21),
		.cached_bytes = (uint64_t)db_int(st, at + 22),
	};
	if (!m_u32(st, at + 2, UINT32_MAX, &out->generation) ||
	    !m_u32(st, at + 3, UINT32_MAX, &out->mode) ||
	    !m_u32(st, at + 4, UINT32_MAX, &out->uid) ||
	    !m_u32(st, at + 5, UINT32_MAX, &out->gid) ||
	    !m_u32(st, at + 15, UINT32_MAX, &out->nlink) ||
	    !m_u32(st, at + 16, META_STATES - 1, &state) ||
	    !m_u32(st, at + 17, 1, &damaged) || !m_u32(st, at + 18, 1, &opened))
		return false;
	out->state = (enum meta_state)state;
	out->damaged = damaged;
	out->opened_for_write = opened;
	return db_int(st, at + 7) >= 0 && db_int(st, at + 22) >= 0;
}

/* What is written: only regular files have bytes that can be elsewhere. */
static struct meta_inode inode_normal(const struct meta_inode *in)
{
	struct meta_inode out = *in;

	if (!S_ISREG(out.mode)) {
		out.state = META_LOCAL;
		out.damaged = out.opened_for_write = false;
		out.dirty_ns = out.settle_ns = out.protected_ns = 0;
		out.cached_bytes = 0;
	}
	return out;
}

static bool inode_valid(const struct meta_inode *in)
{
	return in->ino > 0 && !(in->ino >> META_INO_BITS) &&
	       (unsigned)in->state < META_STATES && in->size <= INT64_MAX &&
	       in->cached_bytes <= INT64_MAX;
}

/* ---- rows in memory; rows.c has the rules ---------------------------- */

static struct meta_inode *touched_find(struct meta *m, uint64_t ino)
{
	unsigned i = m->touched.n;

	while (i-- > 0)
		if (m->touched.row[i].ino == ino)
			return &m->touched.row[i];
	return NULL;
}

/* The transaction has written the row; ino and nothing else: removed it. */
static void touched_put(struct meta *m, const struct meta_inode *row)
{
	struct meta_inode *old = touched_find(m, row->ino);

	meta_rows_drop(m->rows, row->ino);
	if (!old && m->touched.n == META_TOUCHED_MAX)
		m->touched.more = true;
	else
		*(old ? old : &m->touched.row[m->touched.n++]) = *row;
}

static void touched_gone(struct meta *m, uint64_t ino)
{
	struct meta_inode *old = touched_find(m, ino);

	meta_rows_drop(m->rows, ino);
	if (old)
		old->ino = 0;
}

static bool inode_known(struct meta_txn *t, uint64_t ino,
			struct meta_inode *out)
{
	const struct meta_inode *row;

	if (t->conn != &t->m->conn)
		return false; /* a look sees an older state */
	row = touched_find(t->m, ino);
	if (row)
		*out = *row;
	return row || meta_rows_get(t->m->rows, ino, out);
}

int meta_inode_get(struct meta_txn *t, uint64_t ino, struct meta_inode *out)
{
	struct db_stmt *st;
	int rc;

	if (ino == 0)
		return -ENOENT;
	if (inode_known(t, ino, out))
		return 0;
	st = m_stmt(t, META_G_INODE, GET, sql);
	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	if (!meta_inode_read(st, 0, out))
		return m_unclean(t, st);
	db_reset(st);
	if (t->conn == &t->m->conn && !t->m->touched.more)
		meta_rows_put(t->m->rows, out);
	return 0;
}

int meta_inode_find(struct meta *m, uint64_t ino, struct meta_inode *out)
{
	META_TXN(t);
	int rc;

	if (ino != 0 && meta_rows_get(m->rows, ino, out))
		return 0;
	rc = meta_read(m, &t);
	return rc < 0 ? rc : meta_inode_get(&t, ino, out);
}

int meta_inode_insert(struct meta_txn *t, const struct meta_inode *in)
{
	struct db_stmt *st = m_stmt(t, META_G_INODE, INSERT, sql);
	struct meta_inode row = inode_normal(in);
	int rc;

	if (!inode_valid(in))
		return m_fail(t, -EINVAL);
	rc = meta_quota_file(t->m);
	if (rc < 0)
		return rc;
	inode_bind(st, &row, COLS_LAST);
	rc = m_run_one(t, st);
	if (rc < 0)
		return rc;
	meta_counts_add(t->m, &row, 1);
	touched_put(t->m, &row);
	return 0;
}

/* Does the change touch what an index looks at? */
static bool inode_indexed(const struct meta_inode *a,
			  const struct meta_inode *b)
{
	return a->nlink != b->nlink || a->state != b->state ||
	       a->damaged != b->damaged ||
	       a->opened_for_write != b->opened_for_write ||
	       a->dirty_ns != b->dirty_ns || a->settle_ns != b->settle_ns ||
	       a->access_ns != b->access_ns ||
	       a->cached_bytes != b->cached_bytes;
}

int meta_inode_update(struct meta_txn *t, const struct meta_inode *in)
{
	struct meta_inode old, row = inode_normal(in);
	struct db_stmt *st;
	bool plain;
	int rc;

	if (!inode_valid(in))
		return m_fail(t, -EINVAL);
	rc = meta_inode_get(t, in->ino, &old);
	if (rc < 0)
		return rc;
	plain = !inode_indexed(&old, &row);
	st = m_stmt(t, META_G_INODE, plain ? UPDATE_PLAIN : UPDATE, sql);
	inode_bind(st, &row, plain ? COLS_PLAIN_LAST : COLS_LAST);
	rc = m_run_one(t, st);
	if (rc == 0 && old.content_version != row.content_version)
		rc = meta_instance_forget(t, row.ino);
	if (rc < 0)
		return rc;
	meta_counts_change(t->m, &old, &row);
	touched_put(t->m, &row);
	return 0;
}

static int inode_delete_row(struct meta_txn *t, int i, uint64_t ino)
{
	struct db_stmt *st = m_stmt(t, META_G_INODE, i, sql);

	m_bind_u64(st, 1, ino);
	return m_run(t, st);
}

int meta_inode_delete(struct meta_txn *t, uint64_t ino)
{
	struct meta_inode old;
	int rc = meta_inode_get(t, ino, &old);

	if (rc < 0)
		return rc;
	touched_gone(t->m, ino);
	rc = inode_delete_row(t, DELETE, ino);
	if (rc >= 0)
		rc = meta_xattr_clear(t, ino);
	if (rc >= 0 && S_ISLNK(old.mode))
		rc = inode_delete_row(t, LINK_DELETE, ino);
	if (rc >= 0 && S_ISREG(old.mode))
		rc = meta_presence_clear(t, ino);
	if (rc >= 0 && S_ISREG(old.mode))
		rc = meta_extent_clear(t, ino, NULL, 0, clock_wall_ns());
	if (rc >= 0 && S_ISREG(old.mode))
		rc = meta_naming_set(t, ino, 0, clock_wall_ns());
	if (rc >= 0)
		rc = meta_pin_forget(t, ino);
	if (rc < 0)
		return rc;
	meta_counts_add(t->m, &old, -1);
	return 0;
}

int meta_symlink_set(struct meta_txn *t, uint64_t ino, const char *target)
{
	struct db_stmt *st = m_stmt(t, META_G_INODE, LINK_SET, sql);

	m_bind_u64(st, 1, ino);
	m_bind_blob(st, 2, target, strlen(target));
	return m_run_one(t, st);
}

int meta_symlink_get(struct meta_txn *t, uint64_t ino, struct buf *out)
{
	struct db_stmt *st = m_stmt(t, META_G_INODE, LINK_GET, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	rc = m_append(st, 0, out);
	db_reset(st);
	return rc;
}
