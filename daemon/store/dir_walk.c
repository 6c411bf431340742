/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "store/dir.h"

int dir_sync(int fd)
{
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

int dir_open_sub(int at, const char *name)
{
	return openat(at, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Makes the directory `name` in `at` if it is missing, and its entry durable.
 * Returns its descriptor or -errno. */
static int dir_make_sub(int at, const char *name)
{
	int fd, rc;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	rc = dir_sync(at);
	if (rc < 0)
		return rc;
	fd = dir_open_sub(at, name);
	return fd < 0 ? -errno : fd;
}

int dir_walk(int at, const char *path, size_t len, bool make)
{
	CLEANUP_CLOSE int fd = at;
	char part[NAME_MAX + 1];
	const char *end = path + len;

	while (path < end) {
		size_t n = strcspn(path, "/");
		int sub;

		n = MIN(n, (size_t)(end - path));
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(part, path, n);
		part[n] = '\0';
		sub = make ? dir_make_sub(fd, part) : dir_open_sub(fd, part);
		if (sub < 0)
			return make ? sub : -errno;
		close(fd);
		fd = sub;
		path += n + (path + n < end);
	}
	return take_fd(fd);
}
