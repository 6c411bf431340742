/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of a transaction: prepared when first used, checked always. */
#include "meta/internal.h"

#include <string.h>

int m_fail(struct meta_txn *t, int rc)
{
	if (rc < 0 && !t->error)
		t->error = rc;
	return rc;
}

struct db_stmt *m_stmt(struct meta_txn *t, enum meta_group g, int i,
		       const char *const *sql)
{
	struct meta_conn *c = t->conn;

	if (!c->st[g][i])
		m_fail(t, db_prepare(c->db, sql[i], &c->st[g][i]));
	return c->st[g][i];
}

/* Of a statement that m_stmt() could not prepare. */
static int m_unprepared(struct meta_txn *t)
{
	return t->error < 0 ? t->error : m_fail(t, -EIO);
}

int m_step(struct meta_txn *t, struct db_stmt *st)
{
	return st ? m_fail(t, db_step(st)) : m_unprepared(t);
}

int m_row(struct meta_txn *t, struct db_stmt *st)
{
	int rc = m_step(t, st);

	if (rc == 0)
		return -ENOENT;
	return rc < 0 ? rc : 0;
}

int m_run(struct meta_txn *t, struct db_stmt *st)
{
	int rc;

	if (!st)
		return m_unprepared(t);
	if (!t->write) {
		db_reset(st);
		return m_fail(t, -EROFS);
	}
	rc = db_run(st);
	if (rc > 0)
		t->changes++;
	return rc == -EEXIST ? rc : m_fail(t, rc);
}

int m_run_one(struct meta_txn *t, struct db_stmt *st)
{
	int rc = m_run(t, st);

	if (rc == 0)
		return -ENOENT;
	return rc < 0 ? rc : 0;
}

int m_list(struct meta_txn *t, struct db_stmt *st, m_read_fn read, void *out,
	   size_t size, size_t max)
{
	size_t n = 0;
	int rc = 0;

	while (n < max && (rc = m_step(t, st)) == 1)
		if (!read(st, (char *)out + size * n++))
			return m_unclean(t, st);
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

static bool stmt_u64(struct db_stmt *st, void *out)
{
	*(uint64_t *)out = (uint64_t)db_int(st, 0);
	return true;
}

int m_list_u64(struct meta_txn *t, struct db_stmt *st, uint64_t *out,
	       size_t max)
{
	return m_list(t, st, stmt_u64, out, sizeof(*out), max);
}

void m_bind_u64(struct db_stmt *st, int i, uint64_t v)
{
	m_bind_int(st, i, (int64_t)v);
}

void m_bind_int(struct db_stmt *st, int i, int64_t v)
{
	if (st)
		db_bind_int(st, i, v);
}

void m_bind_blob(struct db_stmt *st, int i, const void *p, size_t n)
{
	if (st)
		db_bind_blob(st, i, p, n);
}

void m_bind_text(struct db_stmt *st, int i, const char *s)
{
	if (st)
		db_bind_text(st, i, s);
}

bool m_blob(struct db_stmt *st, int i, void *out, size_t n)
{
	size_t len;
	const void *p = db_blob(st, i, &len);

	if (len != n)
		return false;
	memcpy(out, p, n);
	return true;
}

int m_append(struct db_stmt *st, int i, struct buf *out)
{
	size_t len;
	const void *p = db_blob(st, i, &len);

	return buf_add(out, p, len);
}

bool m_text(struct db_stmt *st, int i, char *out, size_t size)
{
	const char *s = db_text(st, i);
	size_t n = s ? strlen(s) + 1 : 0;

	if (n == 0 || n > size)
		return false;
	memcpy(out, s, n);
	return true;
}

bool m_u32(struct db_stmt *st, int i, uint32_t max, uint32_t *out)
{
	int64_t v = db_int(st, i);

	*out = (uint32_t)v;
	return v >= 0 && v <= max;
}

void meta_conn_done(struct meta_conn *c)
{
	size_t g, i;

	for (g = 0; g < META_GROUPS; g++)
		for (i = 0; i < META_STMTS_MAX; i++)
			db_finish(c->st[g][i]);
	db_close(c->db);
}
