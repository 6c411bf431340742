/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and transactions. */
#include "db/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"

#define DB_BUSY_WAIT_NS	 (NSEC_PER_SEC / 5)
#define DB_BUSY_PAUSE_NS 20000
#define DB_REWRITE	 (256 << 10) /* bytes of the log at once */

static pthread_once_t db_once = PTHREAD_ONCE_INIT;
static int db_library_code; /* of db_once */

/* Statistics of memory take a global mutex at each allocation. */
static void db_library_init(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db_library_code = sqlite3_initialize();
	if (db_library_code == SQLITE_OK)
		db_library_code = db_vfs_register();
}

static void db_log_put(struct db_log *log)
{
	if (!log || atomic_fetch_sub(&log->refs, 1) > 1)
		return;
	if (log->fd >= 0)
		close(log->fd);
	free(log->path);
	free(log);
}

static struct db_log *db_log_new(const char *path)
{
	struct db_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	atomic_init(&log->refs, 1);
	log->fd = -1;
	log->path = strdup(path);
	if (!log->path) {
		free(log);
		return NULL;
	}
	return log;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	db_close(db->pin);
	db_close(db->copy);
	db_rollback(db);
	db_finish(db->begin);
	db_finish(db->commit);
	/* After a failed fsync the log on disk is the only truth. */
	if (db->sql && db->log && atomic_load(&db->log->failed))
		sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				  NULL);
	sqlite3_close_v2(db->sql);
	db_log_put(db->log);
	free(db);
}

int db_exec(struct db *db, const char *sql)
{
	return db_error(db, sqlite3_exec(db->sql, sql, NULL, NULL, NULL));
}

/* The log's length after a commit, told by SQLite. */
static int db_on_commit(void *arg, sqlite3 *sql, const char *name, int frames)
{
	struct db_log *log = arg;

	(void)sql;
	(void)name;
	atomic_store(&log->bytes,
		     DB_LOG_HEADER + (int64_t)frames * DB_LOG_FRAME);
	return SQLITE_OK;
}

static int db_use_wal(struct db *db)
{
	struct db_stmt *st;
	const char *mode;
	int rc = db_prepare(db, "PRAGMA journal_mode = WAL", &st);

	if (rc < 0)
		return rc;
	rc = db_step(st);
	if (rc == 1) {
		mode = db_text(st, 0);
		rc = mode && strcmp(mode, "wal") == 0 ? 0 : -EOPNOTSUPP;
	}
	db_finish(st);
	return rc;
}

static int db_setup(struct db *db, int64_t cache_bytes)
{
	int rc = db_exec(db, "PRAGMA page_size = 4096;"
			     "PRAGMA mmap_size = 0;"
			     "PRAGMA temp_store = MEMORY;"
			     "PRAGMA trusted_schema = OFF;"
			     "PRAGMA secure_delete = OFF");

	if (rc < 0)
		return rc;
	rc = db_use_wal(db);
	if (rc < 0)
		return rc;
	rc = db_exec(db, "PRAGMA synchronous = NORMAL");
	if (rc < 0)
		return rc;
	rc = db_error(db, sqlite3_wal_autocheckpoint(db->sql, 0));
	if (rc < 0)
		return rc;
	sqlite3_wal_hook(db->sql, db_on_commit, db->log);
	rc = db_set_cache(db, cache_bytes);
	if (rc < 0)
		return rc;
	/* The first read recovers the log and makes the -wal file. */
	return db_exec(db, "SELECT COUNT(*) FROM sqlite_schema");
}

/* Takes over the caller's reference on `log`, also on failure. */
static int db_connect(struct db_log *log, int64_t cache_bytes, struct db **out)
{
	CLEANUP(db_close_guard) struct db *db = calloc(1, sizeof(*db));
	int rc;

	if (!db) {
		db_log_put(log);
		return -ENOMEM;
	}
	db->log = log;
	/* One caller at a time: a connection needs no mutex of its own. */
	rc = sqlite3_open_v2(log->path, &db->sql,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_EXRESCODE,
			     DB_VFS);
	if (rc != SQLITE_OK)
		return db_error(db, rc);
	rc = db_setup(db, cache_bytes);
	if (rc < 0)
		return rc;
	rc = db_prepare(db, "BEGIN IMMEDIATE", &db->begin);
	if (rc < 0)
		return rc;
	rc = db_prepare(db, "COMMIT", &db->commit);
	if (rc < 0)
		return rc;
	*out = take(db);
	return 0;
}

/*
 * Writes what is in the log again, as it is. After a failed fsync Linux has
 * pages in its cache that it calls clean and the disk does not have (S4): the
 * process that met it has ended, but an fsync of ours would vouch for them.
 * Behind a header of zeros (vfs.c) lies nothing that counts.
 */
static int db_log_rewrite(int fd, int64_t size)
{
	static const char none[DB_LOG_HEADER];
	CLEANUP_FREE char *block = malloc(DB_REWRITE);
	int64_t off = 0;
	ssize_t n = 0;
	int rc = block ? 0 : -ENOMEM;

	for (; rc == 0 && off < size; off += n) {
		n = io_pread(fd, block, DB_REWRITE, off);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		if (off == 0 && n >= DB_LOG_HEADER &&
		    memcmp(block, none, DB_LOG_HEADER) == 0)
			return 0;
		rc = io_pwrite(fd, block, (size_t)n, off);
	}
	return rc;
}

/*
 * Opens the -wal file for db_sync() and makes its name durable. The database
 * is locked by now, and nobody commits.
 */
static int db_log_open(struct db_log *log)
{
	CLEANUP_FREE char *path = io_path("%s-wal", log->path);
	struct stat st;
	int rc;

	if (!path)
		return -ENOMEM;
	log->fd = open(path, O_RDWR | O_CLOEXEC);
	if (log->fd < 0 || fstat(log->fd, &st) < 0)
		return -errno;
	atomic_store(&log->bytes, st.st_size);
	rc = db_log_rewrite(log->fd, st.st_size);
	return rc < 0 ? rc : io_sync_parent(log->path);
}

/* The file is made here, so that it is never readable by others. */
static int db_create_file(const char *path, struct err *err)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, DB_FILE_MODE);

	if (fd < 0)
		return fail(err, -errno, "cannot create database '%s': %m",
			    path);
	return 0;
}

static int db_open_fail(struct err *err, const char *path, int rc)
{
	if (rc == -EBUSY) {
		fail(err, rc, "database '%s' is in use by another process",
		     path);
		return fail_hint(err, rc,
				 "only one worker may serve a trust; stop the "
				 "other one first");
	}
	if (rc == -EUCLEAN)
		return fail(err, rc, "'%s' is damaged or not a database", path);
	return fail(err, rc, "cannot open database '%s': %m", path);
}

static int db_open_first(const char *path, struct db **out, struct err *err)
{
	CLEANUP(db_close_guard) struct db *db = NULL;
	struct db_log *log = db_log_new(path);
	int rc = log ? db_connect(log, DB_CACHE_DEFAULT, &db) : -ENOMEM;

	if (rc == 0)
		rc = db_log_open(db->log);
	if (rc < 0)
		return db_open_fail(err, path, rc);
	*out = take(db);
	return 0;
}

int db_open(const char *path, enum db_mode mode, struct db **out,
	    struct err *err)
{
	int rc;

	pthread_once(&db_once, db_library_init);
	if (db_library_code != SQLITE_OK)
		return fail(err, -ENOSYS, "SQLite cannot be used: %s",
			    sqlite3_errstr(db_library_code));
	if (mode == DB_OPEN) {
		if (access(path, F_OK) < 0)
			return db_open_fail(err, path, -errno);
		return db_open_first(path, out, err);
	}
	rc = db_create_file(path, err);
	if (rc < 0)
		return rc;
	rc = db_open_first(path, out, err);
	if (rc < 0)
		unlink(path);
	return rc;
}

int db_open_again(struct db *db, struct db **out)
{
	atomic_fetch_add(&db->log->refs, 1);
	return db_connect(db->log, DB_CACHE_HELPER, out);
}

int db_set_cache(struct db *db, int64_t bytes)
{
	char sql[64];

	/* Negative = KiB in SQLite. */
	snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%lld",
		 (long long)MAX(bytes / 1024, 64));
	return db_exec(db, sql);
}

bool db_again(int rc, int64_t *end_ns)
{
	int64_t now = clock_boot_ns();

	if (rc != -EBUSY)
		return false;
	if (*end_ns == 0)
		*end_ns = now + DB_BUSY_WAIT_NS;
	if (now >= *end_ns)
		return false;
	clock_sleep_ns(DB_BUSY_PAUSE_NS);
	return true;
}

/*
 * A reader that meets a commit takes the writer's lock for a moment, to read
 * the log's header again: not a reason to fail a transaction. Whoever holds
 * the lock longer than that is a second writer.
 */
int db_begin(struct db *db)
{
	int64_t end = 0;
	int rc;

	do {
		rc = db_run(db->begin);
	} while (db_again(rc, &end));
	if (rc < 0)
		return rc;
	db->txn = true;
	return 0;
}

int db_begin_read(struct db *db)
{
	return db_exec(db, "BEGIN");
}

int db_commit(struct db *db)
{
	int rc = db_run(db->commit);

	if (rc < 0) {
		db_rollback(db);
		return rc;
	}
	db->txn = false;
	return 0;
}

void db_rollback(struct db *db)
{
	db->txn = false;
	/*
	 * A rollback of SQLite can fail to read, but the transaction has
	 * ended all the same.
	 */
	if (db->sql && !sqlite3_get_autocommit(db->sql))
		(void)db_exec(db, "ROLLBACK");
}
