/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of daemon/db share; the only ones that see sqlite3.h. */
#ifndef MERSEY_DB_INTERNAL_H
#define MERSEY_DB_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "db/db.h"

#define DB_PAGE_SIZE	 4096
#define DB_LOG_HEADER	 32		     /* of the -wal file */
#define DB_LOG_FRAME	 (24 + DB_PAGE_SIZE) /* header and page */
#define DB_CACHE_DEFAULT (16LL << 20)
#define DB_CACHE_HELPER	 (1LL << 20)
#define DB_VFS		 "mersey"
#define DB_FILE_MODE	 0600

/* What all connections to one database share. */
struct db_log {
	atomic_uint refs;
	char *path;
	/*
	 * The -wal file, opened before the first commit and kept, so that no
	 * write error of the kernel can pass it by. SQLite truncates the
	 * file but keeps it as long as a connection is open.
	 */
	int fd;
	/*
	 * -errno of the first failed fsync, for ever after: Linux marks the
	 * pages clean then, and a second fsync would claim success (S4).
	 */
	atomic_int failed;
	_Atomic int64_t bytes; /* frames in the log, as committed */
};

struct db {
	sqlite3 *sql;
	struct db_log *log;
	bool txn; /* between db_begin() and its end */
	struct db_stmt *begin, *commit;
	/* Connections of db_checkpoint(): one pins the log, one copies. */
	struct db *pin, *copy;
};

struct db_stmt {
	struct db *db;
	sqlite3_stmt *st;
	int bind_code; /* first failed bind since the last reset */
};

/* -errno for what SQLite returned; the one place that translates. */
int db_error(struct db *db, int code);

/*
 * Was -EBUSY only another's moment? Then it pauses, and the call is made
 * again; not for longer than any commit takes. *end_ns starts as 0.
 */
bool db_again(int rc, int64_t *end_ns);

/* Registers the VFS named DB_VFS; SQLITE_OK or what SQLite returned. */
int db_vfs_register(void);

/* Remembers a failed fsync for ever; returns rc. */
int db_log_failed(struct db_log *log, int rc);

#endif
