/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache files on the disk: <dir>/cache/<2 hex>/<2 hex>/<inode, 12 hex>.
 * Neighbouring inodes share a directory, 256 in each, so that a burst of new
 * files makes few directories. Each file says in an xattr whose it is (S3).
 */
#include "cache/impl.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/bytes.h"
#include "base/log.h"

#define LOCAL_XATTR   "user.mersey.id"
#define LOCAL_ID_SIZE 24
#define LOCAL_FLAGS   (O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)

void local_path(uint64_t ino, char out[CACHE_PATH_SIZE])
{
	snprintf(out, CACHE_PATH_SIZE, "%02x/%02x/%012llx",
		 (unsigned)(ino >> 16 & 0xff), (unsigned)(ino >> 8 & 0xff),
		 (unsigned long long)ino);
}

static void local_id(const struct cache *c, uint64_t ino,
		     uint8_t id[LOCAL_ID_SIZE])
{
	memcpy(id, c->volume, sizeof(c->volume));
	put_le64(id + sizeof(c->volume), ino);
}

/* openat without a change of the access time where that is allowed. */
static int local_openat(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | LOCAL_FLAGS | O_NOATIME, 0600);

	if (fd < 0 && errno == EPERM)
		fd = openat(dir, path, flags | LOCAL_FLAGS, 0600);
	return fd < 0 ? -errno : fd;
}

static int local_check_id(const struct cache *c, uint64_t ino, int fd)
{
	uint8_t want[LOCAL_ID_SIZE], got[LOCAL_ID_SIZE];
	ssize_t n = fgetxattr(fd, LOCAL_XATTR, got, sizeof(got));

	if (n < 0 && errno != ENODATA && errno != ERANGE)
		return -errno;
	local_id(c, ino, want);
	if (n != LOCAL_ID_SIZE || memcmp(want, got, LOCAL_ID_SIZE) != 0)
		return -EUCLEAN;
	return 0;
}

/* Lets a file go that cannot be changed because it is held (brake.c), by the
 * last process, say. */
static int local_let(struct cache *c, const char *path)
{
	CLEANUP_CLOSE int fd = local_openat(c->root_fd, path, O_RDONLY);

	return fd < 0 ? fd : brake_let_fd(c, fd);
}

int local_open(struct cache *c, uint64_t ino, int flags)
{
	char path[CACHE_PATH_SIZE];
	CLEANUP_CLOSE int fd = -1;
	struct stat st;
	int rc;

	local_path(ino, path);
	fd = local_openat(c->root_fd, path, flags);
	if (fd == -EPERM && local_let(c, path) == 0)
		fd = local_openat(c->root_fd, path, flags);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	rc = S_ISREG(st.st_mode) ? local_check_id(c, ino, fd) : -EUCLEAN;
	return rc < 0 ? rc : take_fd(fd);
}

static int local_sync_dir(struct cache *c, const char *path)
{
	CLEANUP_CLOSE int fd =
		openat(c->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Makes one directory; its own entry is durable when this returns. */
static int local_mkdir(struct cache *c, const char *path, const char *parent)
{
	if (mkdirat(c->root_fd, path, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	return local_sync_dir(c, parent);
}

static int local_mkdirs(struct cache *c, uint64_t ino)
{
	char path[CACHE_PATH_SIZE], parent[3];
	int rc;

	local_path(ino, path);
	path[5] = '\0';
	memcpy(parent, path, 2);
	parent[2] = '\0';
	rc = local_mkdir(c, parent, ".");
	return rc < 0 ? rc : local_mkdir(c, path, parent);
}

static int local_make(struct cache *c, uint64_t ino)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL;
	char path[CACHE_PATH_SIZE];
	uint8_t id[LOCAL_ID_SIZE];
	CLEANUP_CLOSE int fd = -1;
	int rc;

	local_path(ino, path);
	fd = local_openat(c->root_fd, path, flags);
	if (fd == -ENOENT) {
		rc = local_mkdirs(c, ino);
		if (rc < 0)
			return rc;
		fd = local_openat(c->root_fd, path, flags);
	}
	if (fd < 0)
		return fd;
	local_id(c, ino, id);
	if (fsetxattr(fd, LOCAL_XATTR, id, sizeof(id), 0) < 0) {
		rc = -errno;
		unlinkat(c->root_fd, path, 0); /* empty, and ours */
		return rc;
	}
	return take_fd(fd);
}

int local_create(struct cache *c, uint64_t ino, bool *made)
{
	char path[CACHE_PATH_SIZE];
	int fd, rc;

	*made = false;
	fd = local_open(c, ino, O_RDWR);
	if (fd == -EUCLEAN) {
		local_path(ino, path);
		log_warn("cache file '%s' is not inode %llu's: goes to "
			 "lost+found",
			 path, (unsigned long long)ino);
		rc = local_lose(c, path);
		if (rc < 0)
			return rc;
		fd = -ENOENT;
	}
	if (fd != -ENOENT)
		return fd;
	fd = local_make(c, ino);
	*made = fd >= 0;
	return fd;
}

int local_unlink(struct cache *c, uint64_t ino)
{
	char path[CACHE_PATH_SIZE];
	int rc;

	local_path(ino, path);
	if (unlinkat(c->root_fd, path, 0) == 0 || errno == ENOENT)
		return 0;
	rc = -errno;
	if (rc == -EPERM && local_let(c, path) == 0)
		rc = unlinkat(c->root_fd, path, 0) < 0 ? -errno : 0;
	return rc;
}

int local_sync_entry(struct cache *c, uint64_t ino)
{
	char path[CACHE_PATH_SIZE];

	local_path(ino, path);
	path[5] = '\0';
	return local_sync_dir(c, path);
}

int local_lose(struct cache *c, const char *path)
{
	const char *name = strrchr(path, '/');
	char to[NAME_MAX + 1];
	unsigned i;

	name = name ? name + 1 : path;
	for (i = 0; i < 10000; i++) {
		snprintf(to, sizeof(to), i ? "%.200s.%u" : "%.200s", name, i);
		if (renameat2(c->root_fd, path, c->lost_fd, to,
			      RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}
