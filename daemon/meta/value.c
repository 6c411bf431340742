/* SPDX-License-Identifier: Apache-2.0 */
/* Small named values. */
#include "meta/internal.h"

#include "base/bytes.h"

enum { GET, SET };
static const char *const sql[] = {
	[GET] = "SELECT value FROM value WHERE name = ?1",
	[SET] = ("INSERT INTO value (name, value) VALUES (?1, ?2)"
		 " ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
};

int meta_value_get(struct meta_txn *t, const char *name, struct buf *out)
{
	struct db_stmt *st = m_stmt(t, META_G_VALUE, GET, sql);
	int rc;

	m_bind_text(st, 1, name);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	rc = m_append(st, 0, out);
	db_reset(st);
	return rc;
}

int meta_value_set(struct meta_txn *t, const char *name, const void *v,
		   size_t len)
{
	struct db_stmt *st = m_stmt(t, META_G_VALUE, SET, sql);

	m_bind_text(st, 1, name);
	m_bind_blob(st, 2, v, len);
	return m_run_one(t, st);
}

int meta_serial(struct meta_txn *t, const char *name, uint64_t *id)
{
	CLEANUP_BUF struct buf b = { 0 };
	uint8_t next[8];
	int rc = meta_value_get(t, name, &b);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && b.len != sizeof(next))
		return m_fail(t, -EUCLEAN);
	*id = rc == 0 ? get_le64(b.data) : 1;
	put_le64(next, *id + 1);
	return meta_value_set(t, name, next, sizeof(next));
}
