/* SPDX-License-Identifier: Apache-2.0 */
#include "main/unmounter.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"
#include "super/mountinfo.h"
#include "super/super.h"

/* Another trust may be mounted there by now: that one stays. */
static int unmount(const char *trust, const char *mountpoint, bool force)
{
	CLEANUP_FREE char *source = io_path(MOUNT_SOURCE "%s", trust);
	struct mount_entry e;
	int rc = source ? mountinfo_lookup(mountpoint, &e, NULL) : -ENOMEM;

	if (rc <= 0 || strcmp(e.source, source) != 0)
		return rc < 0 ? rc : 0;
	return super_unmount(mountpoint, force);
}

static void __attribute__((noreturn))
run(int fd, const char *trust, const char *mountpoint)
{
	char c;
	int rc = 0;

	/* ^C and the end of a terminal are for the server, then the pipe ends.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (io_read(fd, &c, 1) == 1) {
		rc = unmount(trust, mountpoint, false);
		while (io_read(fd, &c, 1) == 1)
			;
	}
	if (rc == 0)
		rc = unmount(trust, mountpoint, true);
	if (rc < 0)
		log_err("cannot unmount '%s': %s", mountpoint, strerror(-rc));
	_exit(rc < 0);
}

int unmounter_start(struct unmounter *u, const char *trust,
		    const char *mountpoint, struct err *err)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail(err, -errno, "cannot make a pipe: %m");
	pid = fork();
	if (pid == 0) {
		/* Nothing else of the server may be kept open here: not the
		 * FUSE connection, above all. */
		dup2(p[0], 3);
		close_range(4, ~0U, 0);
		run(3, trust, mountpoint);
	}
	close(p[0]);
	if (pid < 0) {
		close(p[1]);
		return fail(err, -errno, "cannot start a process: %m");
	}
	*u = (struct unmounter){ .pid = pid, .fd = p[1] };
	return 0;
}

void unmounter_finish(struct unmounter *u)
{
	if (u->pid <= 0)
		return;
	close(u->fd);
	while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
		;
	u->pid = 0;
}
