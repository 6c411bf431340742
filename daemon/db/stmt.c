/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared statements. */
#include "db/internal.h"

int db_prepare(struct db *db, const char *sql, struct db_stmt **out)
{
	struct db_stmt *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return -ENOMEM;
	st->db = db;
	rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT,
				&st->st, NULL);
	if (rc != SQLITE_OK) {
		free(st);
		return db_error(db, rc);
	}
	*out = st;
	return 0;
}

void db_finish(struct db_stmt *st)
{
	if (!st)
		return;
	sqlite3_finalize(st->st);
	free(st);
}

static void db_bound(struct db_stmt *st, int code)
{
	if (code != SQLITE_OK && st->bind_code == SQLITE_OK)
		st->bind_code = code;
}

void db_bind_int(struct db_stmt *st, int i, int64_t v)
{
	db_bound(st, sqlite3_bind_int64(st->st, i, v));
}

void db_bind_blob(struct db_stmt *st, int i, const void *p, size_t n)
{
	/* A NULL pointer would bind NULL instead of no bytes. */
	db_bound(st,
		 sqlite3_bind_blob64(st->st, i, p ? p : "", n, SQLITE_STATIC));
}

void db_bind_text(struct db_stmt *st, int i, const char *s)
{
	db_bound(st, sqlite3_bind_text(st->st, i, s, -1, SQLITE_STATIC));
}

void db_bind_null(struct db_stmt *st, int i)
{
	db_bound(st, sqlite3_bind_null(st->st, i));
}

void db_reset(struct db_stmt *st)
{
	if (!st)
		return;
	sqlite3_reset(st->st);
	sqlite3_clear_bindings(st->st);
	st->bind_code = SQLITE_OK;
}

/*
 * SQLite ends a transaction by itself after some errors (full, I/O, memory).
 * What ran after that would be committed alone.
 */
static bool db_txn_lost(const struct db *db)
{
	return db->txn && sqlite3_get_autocommit(db->sql);
}

int db_step(struct db_stmt *st)
{
	int code = st->bind_code, rc;

	if (db_txn_lost(st->db)) {
		db_reset(st);
		return -EIO;
	}
	if (code == SQLITE_OK)
		code = sqlite3_step(st->st);
	if (code == SQLITE_ROW)
		return 1;
	rc = code == SQLITE_DONE ? 0 : db_error(st->db, code);
	db_reset(st);
	return rc;
}

int db_run(struct db_stmt *st)
{
	int rc;

	do
		rc = db_step(st);
	while (rc > 0);
	return rc < 0 ? rc : sqlite3_changes(st->db->sql);
}

int64_t db_int(struct db_stmt *st, int i)
{
	return sqlite3_column_int64(st->st, i);
}

const void *db_blob(struct db_stmt *st, int i, size_t *n)
{
	const void *p = sqlite3_column_blob(st->st, i);

	*n = (size_t)sqlite3_column_bytes(st->st, i);
	return p ? p : "";
}

const char *db_text(struct db_stmt *st, int i)
{
	return (const char *)sqlite3_column_text(st->st, i);
}

bool db_is_null(struct db_stmt *st, int i)
{
	return sqlite3_column_type(st->st, i) == SQLITE_NULL;
}
