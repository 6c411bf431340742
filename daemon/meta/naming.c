/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pack names a file's newest version, when it holds none of the file's
 * bytes: a large file's, that of a file which is empty or was only cut short.
 * Extents do not tell of it, yet it must not be condemned: it counts as one.
 */
#include "meta/internal.h"

enum { GET, SET, CLEAR, FILES };
static const char *const sql[] = {
	[GET] = "SELECT pack FROM naming WHERE ino = ?1",
	[SET] = "INSERT INTO naming (ino, pack) VALUES (?1, ?2)",
	[CLEAR] = "DELETE FROM naming WHERE ino = ?1",
	/* in parentheses: clang suspects a comma that is missing */
	[FILES] = ("SELECT ino FROM naming WHERE pack = ?1 AND ino > ?2"
		   " ORDER BY ino LIMIT ?3"),
};

int meta_naming_get(struct meta_txn *t, uint64_t ino, uint64_t *pack)
{
	struct db_stmt *st = m_stmt(t, META_G_NAMING, GET, sql);
	int rc;

	*pack = 0;
	m_bind_u64(st, 1, ino);
	rc = m_step(t, st);
	if (rc == 1)
		*pack = (uint64_t)db_int(st, 0);
	db_reset(st);
	return MIN(rc, 0);
}

static int naming_clear(struct meta_txn *t, uint64_t ino, uint64_t pack,
			int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_NAMING, CLEAR, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_run_one(t, st);
	return rc < 0 ? rc : meta_pack_unname(t, pack, 1, now_ns);
}

int meta_naming_set(struct meta_txn *t, uint64_t ino, uint64_t pack,
		    int64_t now_ns)
{
	struct db_stmt *st;
	uint64_t old;
	int rc = meta_naming_get(t, ino, &old);

	if (rc < 0 || old == pack)
		return rc;
	if (old)
		rc = naming_clear(t, ino, old, now_ns);
	if (rc < 0 || !pack)
		return rc;
	st = m_stmt(t, META_G_NAMING, SET, sql);
	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, pack);
	rc = m_run_one(t, st);
	return rc < 0 ? rc : meta_pack_name(t, pack);
}

int meta_naming_files(struct meta_txn *t, uint64_t pack, uint64_t after,
		      uint64_t *ino, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_NAMING, FILES, sql);

	m_bind_u64(st, 1, pack);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list_u64(t, st, ino, max);
}
