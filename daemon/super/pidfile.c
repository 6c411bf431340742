/* SPDX-License-Identifier: Apache-2.0 */
#include "super/pidfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"

static int taken(const char *path, int fd, struct err *err)
{
	char pid[16] = "";

	if (io_pread(fd, pid, sizeof(pid) - 1, 0) < 0)
		pid[0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	fail(err, -EEXIST, "another merseyd (pid %s) holds '%s'",
	     *pid ? pid : "unknown", path);
	return fail_hint(err, -EEXIST, "systemctl status mersey");
}

int pidfile_take(const char *path, struct err *err)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
		     0644);
	char text[32];
	int n, rc;

	if (fd < 0)
		return fail(err, -errno, "cannot open pid file '%s': %m", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return taken(path, fd, err);
		return fail(err, -errno, "cannot lock '%s': %m", path);
	}
	n = snprintf(text, sizeof(text), "%d\n", getpid());
	rc = ftruncate(fd, 0) < 0 ? -errno : io_pwrite(fd, text, (size_t)n, 0);
	if (rc < 0)
		return fail(err, rc, "cannot write '%s': %m", path);
	return take_fd(fd);
}

void pidfile_release(int fd)
{
	if (fd < 0)
		return;
	if (ftruncate(fd, 0) < 0)
		log_warn("cannot empty the pid file: %m");
	close(fd);
}
