/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database seam: connection, statement, transaction; nothing of the
 * filesystem. SQLite now, PostgreSQL later: callers use portable SQL,
 * prepared statements with ?1 ?2 parameters, and these types only.
 *
 * A connection and its statements belong to one caller at a time (daemon/meta
 * serialises). Errors: -ENOENT no row, -EEXIST constraint, -ENOSPC (a quota,
 * too), -EIO, -EUCLEAN damaged or unreadable database, -EBUSY locked, -ENOMEM.
 */
#ifndef MERSEY_DB_DB_H
#define MERSEY_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/guard.h"

struct db;
struct db_stmt;

enum db_mode {
	DB_CREATE, /* must not exist */
	DB_OPEN,   /* must exist */
};

/*
 * Opens `path` as its only process (SQLite: unix-excl, WAL,
 * synchronous=NORMAL, no automatic checkpoint, S5-S7). -EBUSY when another
 * process has it. Nothing else in this process may open the file by itself:
 * closing such a descriptor would drop the process's POSIX locks.
 */
int db_open(const char *path, enum db_mode mode, struct db **out,
	    struct err *err);
/* After all its statements are finished. The last one moves the log into the
 * database. */
void db_close(struct db *db);
DEFINE_GUARD(struct db *, db_close);

/* Another connection of the same process to the same database. */
int db_open_again(struct db *db, struct db **out);

/*
 * Bounds the connection's page cache; 16 MiB by default, 1 MiB for those of
 * db_open_again().
 */
int db_set_cache(struct db *db, int64_t bytes);

/* Runs SQL text without parameters or rows (schema, pragma). */
int db_exec(struct db *db, const char *sql);

/* Starts a transaction that may write. -EBUSY beside another writer. */
int db_begin(struct db *db);
/* Starts one that sees one state of the database; db_rollback() ends it. */
int db_begin_read(struct db *db);
/* On failure everything is undone. */
int db_commit(struct db *db);
/* Undoes an open transaction; fine without one. */
void db_rollback(struct db *db);

/* Prepares once; the statement belongs to the connection's closer. */
int db_prepare(struct db *db, const char *sql, struct db_stmt **out);
void db_finish(struct db_stmt *st);

/*
 * Parameters count from 1. Blobs and text are borrowed until the statement is
 * reset, which also forgets all bindings. A bind that fails makes the next
 * step fail.
 */
void db_bind_int(struct db_stmt *st, int i, int64_t v);
void db_bind_blob(struct db_stmt *st, int i, const void *p, size_t n);
void db_bind_text(struct db_stmt *st, int i, const char *s);
void db_bind_null(struct db_stmt *st, int i);

/*
 * 1 = a row is there, 0 = no more, -errno. After 0 or -errno it is reset.
 * -EIO in a transaction that the database has given up by itself.
 */
int db_step(struct db_stmt *st);
/* Runs to the end; for statements without rows. Rows changed or -errno. */
int db_run(struct db_stmt *st);
void db_reset(struct db_stmt *st);

/* Columns count from 0; pointers live until the next step or reset. */
int64_t db_int(struct db_stmt *st, int i);
const void *db_blob(struct db_stmt *st, int i, size_t *n);
const char *db_text(struct db_stmt *st, int i);
bool db_is_null(struct db_stmt *st, int i);

/* ---- durability (S1, S5) -------------------------------------------- */

/*
 * Makes all that was committed before the call survive a power cut: fsync of
 * the log. Any thread, beside other calls. Once it has failed it fails for
 * ever: nobody can know what the kernel dropped (S4); reopen then.
 */
int db_sync(struct db *db);

/* The error with which an fsync of log or database has failed; 0 = none. */
int db_lost(struct db *db);

/*
 * Moves the log into the database and empties it by the rule of S5. `lock`
 * is the commit mutex: taken only for the short last step. For one
 * background thread. -EBUSY while another connection reads: the log was
 * copied but not emptied.
 */
int db_checkpoint(struct db *db, pthread_mutex_t *lock);

/* Bytes in the log. */
int64_t db_log_bytes(struct db *db);

/*
 * Writes all that is committed, what is in the log included, to a new
 * database `path`; durable with its name when this returns. -EEXIST: never
 * over another file. What an interrupted call left (`path`.part) is replaced.
 * Pins the log while it copies (S6): for the start, before anybody works.
 */
int db_copy(struct db *db, const char *path);

/* Reads all of the database: 0, or -EUCLEAN with what is wrong in err. */
int db_check(struct db *db, struct err *err);

#endif
