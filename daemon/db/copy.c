/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the whole database, log included, beside it. */
#include "db/internal.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"

/* All pages in one step, read as of one moment. */
static int copy_pages(struct db *db, sqlite3 *to)
{
	struct db dest = { .sql = to };
	sqlite3_backup *b;
	int code;

	/* Who finds half a copy removes it: no journal. It is synced at its
	 * end. */
	code = sqlite3_exec(to,
			    "PRAGMA journal_mode = OFF;"
			    "PRAGMA synchronous = OFF",
			    NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return db_error(&dest, code);
	b = sqlite3_backup_init(to, "main", db->sql, "main");
	if (!b)
		return db_error(&dest, sqlite3_errcode(to));
	code = sqlite3_backup_step(b, -1);
	sqlite3_backup_finish(b);
	return code == SQLITE_DONE ? 0 : db_error(&dest, code);
}

static int copy_into(struct db *db, const char *path)
{
	struct db dest = { 0 };
	int code, rc;

	code = sqlite3_open_v2(path, &dest.sql,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				       SQLITE_OPEN_EXRESCODE,
			       DB_VFS);
	rc = code == SQLITE_OK ? copy_pages(db, dest.sql)
			       : db_error(&dest, code);
	code = sqlite3_close(dest.sql);
	return rc < 0 || code == SQLITE_OK ? rc : -EIO;
}

static int copy_make(struct db *db, const char *path)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, DB_FILE_MODE);
	int rc;

	if (fd < 0)
		return -errno;
	rc = copy_into(db, path);
	if (rc < 0)
		return rc;
	return fsync(fd) < 0 ? -errno : 0;
}

int db_copy(struct db *db, const char *path)
{
	CLEANUP_FREE char *part = io_path("%s.part", path);
	int rc;

	if (!part)
		return -ENOMEM;
	if (unlink(part) < 0 && errno != ENOENT)
		return -errno;
	rc = copy_make(db, part);
	if (rc == 0 &&
	    renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(part); /* one that stays is removed by the next copy */
		return rc;
	}
	return io_sync_parent(path);
}
