/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/hex.h"

ssize_t io_pread(int fd, void *p, size_t n, off_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)p + done, n - done,
				  off + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t io_read(int fd, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)p + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

int io_pwrite(int fd, const void *p, size_t n, off_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pwrite(fd, (const char *)p + done, n - done,
				   off + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		done += (size_t)r;
	}
	return 0;
}

int io_write(int fd, const void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, (const char *)p + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		done += (size_t)r;
	}
	return 0;
}

int io_read_fd(int fd, size_t max, struct buf *out)
{
	size_t start = out->len;

	for (;;) {
		ssize_t r;
		int rc = buf_reserve(out, 16384);

		if (rc < 0)
			return rc;
		r = io_read(fd, out->data + out->len, 16384);
		if (r < 0)
			return (int)r;
		out->len += (size_t)r;
		if (out->len - start > max)
			return -EFBIG;
		if (r < 16384)
			return 0;
	}
}

int io_read_file(const char *path, size_t max, struct buf *out)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return io_read_fd(fd, max, out);
}

int io_sync_dir(const char *path)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int io_sync_parent(const char *path)
{
	CLEANUP_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	return io_sync_dir(dirname(copy));
}

static int io_write_tmp(const char *tmp, mode_t mode, const void *p, size_t n)
{
	CLEANUP_CLOSE int fd =
		open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int rc;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	rc = io_write(fd, p, n);
	if (rc < 0)
		return rc;
	if (fsync(fd) < 0)
		return -errno;
	return close(take_fd(fd)) < 0 ? -errno : 0;
}

int io_write_file(const char *path, mode_t mode, const void *p, size_t n,
		  bool exclusive)
{
	char suffix[17];
	uint8_t rnd[8];
	CLEANUP_FREE char *tmp = NULL;
	int rc = io_random(rnd, sizeof(rnd));

	if (rc < 0)
		return rc;
	hex_encode(rnd, sizeof(rnd), suffix);
	tmp = io_path("%s.tmp-%s", path, suffix);
	if (!tmp)
		return -ENOMEM;
	rc = io_write_tmp(tmp, mode, p, n);
	if (rc == 0 && exclusive)
		rc = link(tmp, path) < 0 ? -errno : 0;
	else if (rc == 0)
		rc = rename(tmp, path) < 0 ? -errno : 0;
	if (rc < 0 || exclusive)
		unlink(tmp);
	return rc < 0 ? rc : io_sync_parent(path);
}

int io_mkdir_p(const char *path, mode_t mode)
{
	CLEANUP_FREE char *copy = strdup(path);
	char *s;

	if (!copy)
		return -ENOMEM;
	for (s = copy + 1; *copy && *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*s = '/';
	}
	return mkdir(copy, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int io_random(void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = getrandom((char *)p + done, n - done, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		done += (size_t)r;
	}
	return 0;
}

char *io_path(const char *fmt, ...)
{
	va_list ap;
	char *out;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

int io_read_secret(const char *path, size_t max, struct buf *out,
		   struct err *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd < 0)
		return fail(err, -errno, "cannot open secret file '%s': %m",
			    path);
	if (fstat(fd, &st) < 0)
		return fail(err, -errno, "cannot stat '%s': %m", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, -EINVAL, "'%s' is not a regular file", path);
	if (st.st_mode & 077) {
		fail(err, -EPERM,
		     "secret file '%s' can be used by group or others "
		     "(mode %04o)",
		     path, st.st_mode & 07777);
		return fail_hint(err, -EPERM, "chmod 600 '%s'", path);
	}
	rc = io_read_fd(fd, max, out);
	if (rc < 0)
		return fail(err, rc, "cannot read secret file '%s': %m", path);
	return 0;
}
