/* SPDX-License-Identifier: Apache-2.0 */
#include "main/unmounter.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"
#include "main/service.h"
#include "super/mountinfo.h"
#include "super/super.h"

#define ATTACH 'a'

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

/* The answer is all that is left to say when nobody reads it. */
static void attach(int fd, const char *mountpoint)
{
	struct err err = ERR_INIT;
	int rc;

	if (service_root_name())
		super_attach(mountpoint, service_root_name(), &err);
	rc = super_read_ahead(mountpoint);
	if (rc < 0)
		log_info("reads ahead stay short: %s", strerror(-rc));
	if (io_write(fd, err.msg, sizeof(err.msg)) < 0)
		log_err("%s", err.msg);
}

static void __attribute__((noreturn))
run(int fd, const char *trust, const char *mountpoint)
{
	int rc = 0;
	char c;

	/* ^C and the end of a terminal are for the server, then the pipe ends.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (io_read(fd, &c, 1) == 1)
		if (c == ATTACH)
			attach(fd, mountpoint);
		else
			rc = unmount(trust, mountpoint, false);
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

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return fail(err, -errno, "cannot make a socket pair: %m");
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

int unmounter_attach(struct unmounter *u, struct err *err)
{
	char c = ATTACH, msg[sizeof(err->msg)];
	ssize_t n;
	int rc;

	if (u->pid <= 0)
		return 0;
	rc = io_write(u->fd, &c, 1);
	n = rc < 0 ? rc : io_read(u->fd, msg, sizeof(msg));
	if (n != sizeof(msg))
		return fail(err, n < 0 ? (int)n : -EIO,
			    "the process that attaches the mount: %m");
	return msg[0] ? fail(err, -EIO, "%s", msg) : 0;
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
