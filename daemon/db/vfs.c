/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's VFS unix-excl with another way to write the log.
 *
 * SQLite writes each frame of a commit in two calls, header and page: some
 * fifteen system calls where one does. Here frames are gathered and written
 * when the commit frame is complete, which is before SQLite publishes them
 * to other connections. And a log that is emptied keeps its blocks: cutting
 * and growing the file for each checkpoint costs more than the frames.
 *
 * Only what is appended is gathered, in whole frames. Everything else (the
 * log's header, changes of frames of a transaction that outgrew the page
 * cache) goes to the file at once, and what is read or synced is in the file
 * before. So the file never has less than SQLite relies on:
 *   - when the page of a commit frame was written, nothing is held back;
 *   - a header of 24 bytes that is held back is followed by its page.
 *
 * An emptied log has zeros for a header: no log, to recovery. A power cut may
 * bring the old header back; its frames are then still those that are in the
 * database already, since SQLite syncs a new header before new frames.
 */
#include "db/internal.h"

#include <string.h>

#define VFS_FRAME_HEADER 24
#define VFS_BUFFER	 (31 * DB_LOG_FRAME) /* unix's xWrite ends at 128 KiB */
#define VFS_KEEP_MAX	 (128LL << 20) /* a longer log gives its blocks back */

struct vfs_log {
	sqlite3_file base; /* what SQLite sees; first */
	sqlite3_file *real;
	char *buffer;	   /* NULL until the first frame */
	sqlite3_int64 off; /* where the buffer's bytes belong */
	int len;
	/* End of what was ever written since the log began: appending is here
	 */
	sqlite3_int64 end;
	bool commit; /* the last header is of a commit frame */
};

static struct vfs_log *vfs_log(sqlite3_file *f)
{
	return container_of(f, struct vfs_log, base);
}

static int vfs_put(struct vfs_log *l, const void *p, int n, sqlite3_int64 off)
{
	int rc = l->real->pMethods->xWrite(l->real, p, n, off);

	/* Out of quota is out of space; SQLite knows only ENOSPC. */
	return rc == SQLITE_IOERR_WRITE && errno == EDQUOT ? SQLITE_FULL : rc;
}

static int vfs_flush(struct vfs_log *l)
{
	int n = l->len;

	l->len = 0;
	if (n == 0)
		return SQLITE_OK;
	return vfs_put(l, l->buffer, n, l->off);
}

static int vfs_close(sqlite3_file *f)
{
	struct vfs_log *l = vfs_log(f);
	int rc = vfs_flush(l);
	int end = l->real->pMethods->xClose(l->real);

	free(l->buffer);
	l->buffer = NULL;
	return rc != SQLITE_OK ? rc : end;
}

static int vfs_read(sqlite3_file *f, void *p, int n, sqlite3_int64 off)
{
	struct vfs_log *l = vfs_log(f);
	int rc = SQLITE_OK;

	if (l->len && off < l->off + l->len && off + n > l->off)
		rc = vfs_flush(l);
	if (rc != SQLITE_OK)
		return rc;
	return l->real->pMethods->xRead(l->real, p, n, off);
}

/* Is this the next piece of a frame at the end of the log? */
static bool vfs_appends(struct vfs_log *l, int n, sqlite3_int64 off)
{
	int64_t in_frame = (off - DB_LOG_HEADER) % DB_LOG_FRAME;

	if (l->len)
		return off == l->off + l->len && l->len + n <= VFS_BUFFER;
	return off >= l->end && off >= DB_LOG_HEADER && in_frame == 0 &&
	       n == VFS_FRAME_HEADER;
}

static int vfs_through(struct vfs_log *l, const void *p, int n,
		       sqlite3_int64 off)
{
	int rc = vfs_flush(l);

	if (rc != SQLITE_OK)
		return rc;
	if (off == 0)
		l->end = 0; /* a new log begins */
	l->end = MAX(l->end, off + n);
	return vfs_put(l, p, n, off);
}

static int vfs_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 off)
{
	struct vfs_log *l = vfs_log(f);
	const uint8_t *h = p;

	if (!l->buffer)
		l->buffer = malloc(VFS_BUFFER);
	if (!l->buffer || !vfs_appends(l, n, off))
		return vfs_through(l, p, n, off);
	if (!l->len)
		l->off = off;
	memcpy(l->buffer + l->len, p, (size_t)n);
	l->len += n;
	l->end = off + n;
	if (n == VFS_FRAME_HEADER) /* size of the database, big-endian */
		l->commit = h[4] | h[5] | h[6] | h[7];
	else if (l->commit || l->len == VFS_BUFFER)
		return vfs_flush(l);
	return SQLITE_OK;
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	static const char none[DB_LOG_HEADER];
	struct vfs_log *l = vfs_log(f);
	sqlite3_int64 now;
	int rc;

	l->len = 0; /* nothing of the log is wanted any more */
	l->end = 0;
	rc = l->real->pMethods->xFileSize(l->real, &now);
	if (rc != SQLITE_OK)
		return rc;
	if (size > 0 || now > VFS_KEEP_MAX || now < DB_LOG_HEADER)
		return l->real->pMethods->xTruncate(l->real, size);
	return vfs_put(l, none, sizeof(none), 0);
}

static int vfs_sync(sqlite3_file *f, int flags)
{
	struct vfs_log *l = vfs_log(f);
	int rc = vfs_flush(l);

	if (rc != SQLITE_OK)
		return rc;
	return l->real->pMethods->xSync(l->real, flags);
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *size)
{
	struct vfs_log *l = vfs_log(f);
	int rc = vfs_flush(l);

	if (rc != SQLITE_OK)
		return rc;
	return l->real->pMethods->xFileSize(l->real, size);
}

static int vfs_lock(sqlite3_file *f, int level)
{
	struct vfs_log *l = vfs_log(f);

	return l->real->pMethods->xLock(l->real, level);
}

static int vfs_unlock(sqlite3_file *f, int level)
{
	struct vfs_log *l = vfs_log(f);

	return l->real->pMethods->xUnlock(l->real, level);
}

static int vfs_reserved(sqlite3_file *f, int *out)
{
	struct vfs_log *l = vfs_log(f);

	return l->real->pMethods->xCheckReservedLock(l->real, out);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
	struct vfs_log *l = vfs_log(f);

	/* What grows the file beforehand would make frames of nothing. */
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
		return SQLITE_NOTFOUND;
	return l->real->pMethods->xFileControl(l->real, op, arg);
}

static int vfs_sector(sqlite3_file *f)
{
	struct vfs_log *l = vfs_log(f);

	return l->real->pMethods->xSectorSize(l->real);
}

static int vfs_device(sqlite3_file *f)
{
	struct vfs_log *l = vfs_log(f);

	return l->real->pMethods->xDeviceCharacteristics(l->real);
}

static const sqlite3_io_methods vfs_log_methods = {
	.iVersion = 1,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_unlock,
	.xCheckReservedLock = vfs_reserved,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_device,
};

static sqlite3_vfs *vfs_real;

/* Files other than the log are unix-excl's own, in the same memory. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		    int flags, int *out_flags)
{
	struct vfs_log *l = vfs_log(f);
	int rc;

	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return vfs_real->xOpen(vfs_real, name, f, flags, out_flags);
	memset(l, 0, sizeof(*l));
	l->real = (sqlite3_file *)(l + 1);
	rc = vfs_real->xOpen(vfs_real, name, l->real, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc; /* pMethods stays NULL: nothing to close */
	rc = l->real->pMethods->xFileSize(l->real, &l->end);
	if (rc != SQLITE_OK) {
		l->real->pMethods->xClose(l->real);
		return rc;
	}
	l->base.pMethods = &vfs_log_methods;
	return SQLITE_OK;
}

int db_vfs_register(void)
{
	static sqlite3_vfs vfs;

	vfs_real = sqlite3_vfs_find("unix-excl");
	if (!vfs_real)
		return SQLITE_ERROR;
	/* Its other methods do not look at which VFS they are of. */
	vfs = *vfs_real;
	vfs.pNext = NULL;
	vfs.zName = DB_VFS;
	vfs.szOsFile = (int)sizeof(struct vfs_log) + vfs_real->szOsFile;
	vfs.xOpen = vfs_open;
	return sqlite3_vfs_register(&vfs, 0);
}
