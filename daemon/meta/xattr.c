/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes. */
#include "meta/internal.h"

#include <string.h>

enum { GET, SET, REMOVE, LIST, CLEAR };
static const char *const sql[] = {
	[GET] = "SELECT value FROM xattr WHERE ino = ?1 AND name = ?2",
	[SET] = ("INSERT INTO xattr (ino, name, value, born)"
		 " VALUES (?1, ?2, ?3, 0) ON CONFLICT (ino, name)"
		 " DO UPDATE SET value = excluded.value"),
	[REMOVE] = "DELETE FROM xattr WHERE ino = ?1 AND name = ?2",
	[LIST] = "SELECT name FROM xattr WHERE ino = ?1 ORDER BY name",
	[CLEAR] = "DELETE FROM xattr WHERE ino = ?1",
};

static struct db_stmt *xattr_stmt(struct meta_txn *t, int i, uint64_t ino,
				  const char *name)
{
	struct db_stmt *st = m_stmt(t, META_G_XATTR, i, sql);

	m_bind_u64(st, 1, ino);
	if (name)
		m_bind_blob(st, 2, name, strlen(name));
	return st;
}

int meta_xattr_get(struct meta_txn *t, uint64_t ino, const char *name,
		   struct buf *out)
{
	struct db_stmt *st = xattr_stmt(t, GET, ino, name);
	int rc = m_row(t, st);

	if (rc < 0)
		return rc == -ENOENT ? -ENODATA : rc;
	rc = m_append(st, 0, out);
	db_reset(st);
	return rc;
}

int meta_xattr_set(struct meta_txn *t, uint64_t ino, const char *name,
		   const void *value, size_t len)
{
	struct db_stmt *st = xattr_stmt(t, SET, ino, name);

	m_bind_blob(st, 3, value, len);
	return m_run_one(t, st);
}

int meta_xattr_remove(struct meta_txn *t, uint64_t ino, const char *name)
{
	int rc = m_run_one(t, xattr_stmt(t, REMOVE, ino, name));

	return rc == -ENOENT ? -ENODATA : rc;
}

int meta_xattr_list(struct meta_txn *t, uint64_t ino, struct buf *out)
{
	struct db_stmt *st = xattr_stmt(t, LIST, ino, NULL);
	int rc;

	while ((rc = m_step(t, st)) == 1) {
		rc = m_append(st, 0, out);
		if (rc == 0)
			rc = buf_add_u8(out, 0);
		if (rc < 0)
			break;
	}
	db_reset(st);
	return rc;
}

int meta_xattr_clear(struct meta_txn *t, uint64_t ino)
{
	int rc = m_run(t, xattr_stmt(t, CLEAR, ino, NULL));

	return rc < 0 ? rc : 0;
}
