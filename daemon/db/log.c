/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: making it durable (S1), and moving it into the database (S5).
 *
 * SQLite before 3.51.3 can lose pages when a commit restarts the log while a
 * checkpoint runs. A commit restarts it only when everything in it was
 * copied and no reader needs it. So a checkpoint runs either while a reader
 * pins the log (background), or under the caller's commit mutex (the rest):
 *
 *	pin ─ PASSIVE ─ unpin   (again while much came in meanwhile)
 *	lock ─ TRUNCATE ─ unlock
 *
 * A pin that finds everything copied does not keep the log from being
 * restarted, but then it keeps the checkpoint from copying.
 */
#include "db/internal.h"

#include <string.h>

#include "base/buf.h"

#define DB_PASSES_MAX 4
#define DB_REST_MAX   256 /* frames that are cheap enough to copy locked */

int db_log_failed(struct db_log *log, int rc)
{
	int none = 0;

	atomic_compare_exchange_strong(&log->failed, &none, rc);
	return rc;
}

int db_sync(struct db *db)
{
	struct db_log *log = db->log;
	int rc = atomic_load(&log->failed);

	if (rc < 0)
		return rc;
	if (fdatasync(log->fd) < 0)
		return db_log_failed(log, -errno);
	/* One that failed beside ours may have taken our error. */
	return atomic_load(&log->failed);
}

int db_lost(struct db *db)
{
	return atomic_load(&db->log->failed);
}

int64_t db_log_bytes(struct db *db)
{
	return atomic_load(&db->log->bytes);
}

/* One checkpoint call; *left = frames it did not copy. */
static int db_copy_log(struct db *db, int mode, int *left)
{
	int frames, copied = 0, code;
	int rc = atomic_load(&db->log->failed);

	if (rc < 0)
		return rc;
	code = sqlite3_wal_checkpoint_v2(db->sql, NULL, mode, &frames, &copied);
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		return db_log_failed(db->log, -EIO);
	if (code != SQLITE_OK)
		return db_error(db, code);
	/* With those that were committed since the checkpoint began. */
	frames = (int)((db_log_bytes(db) - DB_LOG_HEADER) / DB_LOG_FRAME);
	*left = frames - copied;
	return 0;
}

/*
 * A PASSIVE checkpoint while the log is pinned. One that finds the header of
 * the log's index half written by a commit is refused, where a reader would
 * look again.
 */
static int db_copy_pinned(struct db *db, int *left)
{
	int64_t patience = 0;
	int rc, end;

	rc = db_exec(db->pin, "BEGIN; SELECT COUNT(*) FROM sqlite_schema");
	if (rc == 0)
		do {
			rc = db_copy_log(db->copy, SQLITE_CHECKPOINT_PASSIVE,
					 left);
		} while (db_again(rc, &patience));
	db_rollback(db->pin);
	end = sqlite3_get_autocommit(db->pin->sql) ? 0 : -EIO;
	return rc < 0 ? rc : end;
}

static int db_helpers(struct db *db)
{
	int rc = 0;

	if (!db->pin)
		rc = db_open_again(db, &db->pin);
	if (rc == 0 && !db->copy)
		rc = db_open_again(db, &db->copy);
	return rc;
}

int db_checkpoint(struct db *db, pthread_mutex_t *lock)
{
	int rc, pass, left = 0;

	rc = db_helpers(db);
	for (pass = 0; rc == 0 && pass < DB_PASSES_MAX; pass++) {
		rc = db_copy_pinned(db, &left);
		if (left <= DB_REST_MAX)
			break;
	}
	if (rc < 0)
		return rc;
	LOCK_SCOPE(lock);
	rc = db_copy_log(db->copy, SQLITE_CHECKPOINT_TRUNCATE, &left);
	if (rc == 0)
		atomic_store(&db->log->bytes, 0);
	return rc;
}

int db_check(struct db *db, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	struct db_stmt *st;
	const char *row;
	int rc = db_prepare(db, "PRAGMA integrity_check(10)", &st);

	if (rc < 0)
		return fail(err, rc, "cannot check the database: %m");
	while ((rc = db_step(st)) == 1) {
		row = db_text(st, 0);
		if (row && strcmp(row, "ok") == 0)
			continue;
		rc = buf_addf(&text, "%s%s", text.len ? "; " : "",
			      row ? row : "?");
		if (rc < 0)
			break;
	}
	db_finish(st);
	if (rc < 0)
		return fail(err, rc, "cannot check the database: %m");
	if (!text.len)
		return 0;
	return fail(err, -EUCLEAN, "the database is damaged: %.900s",
		    buf_str(&text) ? buf_str(&text) : "?");
}
