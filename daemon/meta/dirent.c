/* SPDX-License-Identifier: Apache-2.0 */
/* Names: raw bytes, any but '/' and NUL. */
#include "meta/internal.h"

#include <string.h>

enum { GET, INSERT, REMOVE, LIST, LIST_PLUS, LAST, ANY, PARENT };
static const char *const sql[] = {
	[GET] = "SELECT ino FROM dirent WHERE parent = ?1 AND name = ?2",
	[INSERT] = "INSERT INTO dirent (parent, name, id, ino, born)"
		   " VALUES (?1, ?2, ?3, ?4, 0)",
	[REMOVE] = "DELETE FROM dirent WHERE parent = ?1 AND name = ?2",
	[LIST] = "SELECT d.id, d.ino, d.name, i.mode FROM dirent d"
		 " LEFT JOIN inode i ON i.ino = d.ino"
		 " WHERE d.parent = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3",
	[LIST_PLUS] = "SELECT d.id, d.ino, d.name, i.mode, " META_INODE_COLS
		      " FROM dirent d LEFT JOIN inode i ON i.ino = d.ino"
		      " WHERE d.parent = ?1 AND d.id > ?2 ORDER BY d.id"
		      " LIMIT ?3",
	[LAST] = "SELECT id FROM dirent WHERE parent = ?1"
		 " ORDER BY id DESC LIMIT 1",
	[ANY] = "SELECT 1 FROM dirent WHERE parent = ?1 LIMIT 1",
	[PARENT] = "SELECT parent FROM dirent WHERE ino = ?1"
		   " ORDER BY parent LIMIT 1",
};

static int dirent_name(const char *name, size_t len)
{
	if (len > META_NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 0 || memchr(name, '/', len) || memchr(name, '\0', len))
		return -EINVAL;
	return 0;
}

int meta_dirent_get(struct meta_txn *t, uint64_t parent, const char *name,
		    size_t len, uint64_t *ino)
{
	struct db_stmt *st = m_stmt(t, META_G_DIRENT, GET, sql);
	int rc;

	m_bind_u64(st, 1, parent);
	m_bind_blob(st, 2, name, len);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*ino = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}

int meta_dirent_insert(struct meta_txn *t, uint64_t parent, const char *name,
		       size_t len, uint64_t ino)
{
	struct db_stmt *st;
	uint64_t id;
	int rc = dirent_name(name, len);

	if (rc < 0)
		return m_fail(t, rc);
	rc = meta_id_next(t, META_ID_DIRENT, &id);
	if (rc < 0)
		return rc;
	st = m_stmt(t, META_G_DIRENT, INSERT, sql);
	m_bind_u64(st, 1, parent);
	m_bind_blob(st, 2, name, len);
	m_bind_u64(st, 3, id);
	m_bind_u64(st, 4, ino);
	return m_run_one(t, st);
}

int meta_dirent_remove(struct meta_txn *t, uint64_t parent, const char *name,
		       size_t len)
{
	struct db_stmt *st = m_stmt(t, META_G_DIRENT, REMOVE, sql);

	m_bind_u64(st, 1, parent);
	m_bind_blob(st, 2, name, len);
	return m_run_one(t, st);
}

static bool dirent_read(struct db_stmt *st, struct meta_dirent *out)
{
	size_t len;
	const void *name = db_blob(st, 2, &len);

	out->id = (uint64_t)db_int(st, 0);
	out->ino = (uint64_t)db_int(st, 1);
	if (dirent_name(name, len) < 0 || db_is_null(st, 3) ||
	    !m_u32(st, 3, UINT32_MAX, &out->mode))
		return false;
	memcpy(out->name, name, len);
	out->name[len] = '\0';
	out->len = (uint16_t)len;
	return true;
}

/* `in` may be NULL. */
static int dirent_list(struct meta_txn *t, struct db_stmt *st, uint64_t parent,
		       uint64_t after, struct meta_dirent *out,
		       struct meta_inode *in, size_t max)
{
	size_t n = 0;
	int rc;

	m_bind_u64(st, 1, parent);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	while ((rc = m_step(t, st)) == 1 && n < max) {
		if (!dirent_read(st, &out[n]) ||
		    (in && !meta_inode_read(st, 4, &in[n])))
			return m_unclean(t, st);
		n++;
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

int meta_dirent_list(struct meta_txn *t, uint64_t parent, uint64_t after,
		     struct meta_dirent *out, size_t max)
{
	return dirent_list(t, m_stmt(t, META_G_DIRENT, LIST, sql), parent,
			   after, out, NULL, max);
}

int meta_dirent_list_plus(struct meta_txn *t, uint64_t parent, uint64_t after,
			  struct meta_dirent *out, struct meta_inode *in,
			  size_t max)
{
	return dirent_list(t, m_stmt(t, META_G_DIRENT, LIST_PLUS, sql), parent,
			   after, out, in, max);
}

int meta_dirent_last(struct meta_txn *t, uint64_t parent, uint64_t *id)
{
	struct db_stmt *st = m_stmt(t, META_G_DIRENT, LAST, sql);
	int rc;

	m_bind_u64(st, 1, parent);
	rc = m_row(t, st);
	*id = 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*id = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}

int meta_dirent_any(struct meta_txn *t, uint64_t parent)
{
	struct db_stmt *st = m_stmt(t, META_G_DIRENT, ANY, sql);
	int rc;

	m_bind_u64(st, 1, parent);
	rc = m_step(t, st);
	db_reset(st);
	return rc;
}

int meta_dirent_parent(struct meta_txn *t, uint64_t ino, uint64_t *parent)
{
	struct db_stmt *st;
	int rc;

	*parent = META_ROOT_INO;
	if (ino == META_ROOT_INO)
		return 0;
	st = m_stmt(t, META_G_DIRENT, PARENT, sql);
	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*parent = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}
