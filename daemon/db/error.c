/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's result codes as errno values. */
#include "db/internal.h"

static const struct {
	int code; /* extended codes before the primary ones */
	int rc;
} db_errors[] = {
	{ SQLITE_IOERR_NOMEM, -ENOMEM }, { SQLITE_IOERR_SHORT_READ, -EUCLEAN },
	{ SQLITE_ERROR, -EINVAL },	 { SQLITE_INTERNAL, -EIO },
	{ SQLITE_PERM, -EPERM },	 { SQLITE_ABORT, -ECANCELED },
	{ SQLITE_BUSY, -EBUSY },	 { SQLITE_LOCKED, -EBUSY },
	{ SQLITE_NOMEM, -ENOMEM },	 { SQLITE_READONLY, -EROFS },
	{ SQLITE_INTERRUPT, -EINTR },	 { SQLITE_IOERR, -EIO },
	{ SQLITE_CORRUPT, -EUCLEAN },	 { SQLITE_FULL, -ENOSPC },
	{ SQLITE_CANTOPEN, -EIO },	 { SQLITE_PROTOCOL, -EBUSY },
	{ SQLITE_SCHEMA, -EIO },	 { SQLITE_TOOBIG, -E2BIG },
	{ SQLITE_CONSTRAINT, -EEXIST },	 { SQLITE_MISMATCH, -EINVAL },
	{ SQLITE_MISUSE, -EINVAL },	 { SQLITE_NOLFS, -EFBIG },
	{ SQLITE_AUTH, -EPERM },	 { SQLITE_RANGE, -EINVAL },
	{ SQLITE_NOTADB, -EUCLEAN },
};

static int db_table(int code)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(db_errors); i++)
		if (db_errors[i].code == code)
			return db_errors[i].rc;
	return 0;
}

/* The errno of the last failure on the database file, 0 = unknown. */
static int db_file_errno(struct db *db)
{
	int sys = 0;

	if (sqlite3_file_control(db->sql, NULL, SQLITE_FCNTL_LAST_ERRNO,
				 &sys) != SQLITE_OK)
		return 0;
	return sys;
}

int db_error(struct db *db, int code)
{
	int primary = code & 0xff;
	int rc;

	if (code == SQLITE_OK)
		return 0;
	/* A quota of the state directory's owner is a full disk to us; vfs.c
	 * says so of the log. */
	if (code == SQLITE_IOERR_WRITE && db_file_errno(db) == EDQUOT)
		return -ENOSPC;
	if (primary == SQLITE_CANTOPEN && sqlite3_system_errno(db->sql) > 0)
		return -sqlite3_system_errno(db->sql);
	rc = db_table(code);
	if (!rc)
		rc = db_table(primary);
	return rc ? rc : -EIO;
}
