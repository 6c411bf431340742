/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the trust's filesystem that is kept for its database (S13).
 *
 * Own file data ends at free_min, but others may fill the disk. Then no row
 * could be written any more, not even those by which evict gives bytes back:
 * so a file holds some room, which is given up when the disk is full, and
 * taken again when there is twice as much.
 */
#include "cache/impl.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "base/io.h"
#include "base/log.h"
#include "base/units.h"

#define BALLAST_NAME "ballast"
#define BALLAST_FULL 4 /* free below a fourth of it: the disk is full */

static int ballast_open(const char *dir, int flags)
{
	CLEANUP_FREE char *path = io_path("%s/" BALLAST_NAME, dir);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = open(path, flags | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

/* What it holds, and what else is free. */
struct ballast {
	uint64_t held, free;
};

static int ballast_look(int fd, struct ballast *b)
{
	struct statvfs vfs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
		return -errno;
	b->held = (uint64_t)st.st_blocks * 512;
	b->free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

static int ballast_give_up(int fd, const struct ballast *b)
{
	char text[UNITS_SIZE];

	if (ftruncate(fd, 0) < 0)
		return -errno;
	log_err("the disk is full: %s that were kept for the database are "
		"given up",
		units_format_size(b->held, text));
	return 0;
}

int cache_ballast_spare(const char *dir)
{
	CLEANUP_CLOSE int fd = ballast_open(dir, 0);
	struct ballast b;
	int rc = MIN(fd, 0);

	if (rc == 0)
		rc = ballast_look(fd, &b);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return b.free < b.held / BALLAST_FULL ? ballast_give_up(fd, &b) : 0;
}

int cache_ballast(struct cache *c)
{
	CLEANUP_CLOSE int fd = -1;
	uint64_t want = c->o.ballast;
	struct ballast b;
	int rc;

	if (want == 0)
		return 0;
	fd = ballast_open(c->o.dir, O_CREAT);
	rc = fd < 0 ? fd : ballast_look(fd, &b);
	if (rc < 0)
		return rc;
	if (b.held > 0 && b.free < want / BALLAST_FULL) {
		rc = ballast_give_up(fd, &b);
		space_changed(c);
	} else if (b.held < want && b.free >= 2 * want) {
		rc = -posix_fallocate(fd, 0, (off_t)want);
	}
	return rc;
}
