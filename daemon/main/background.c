/* SPDX-License-Identifier: Apache-2.0 */
#include "main/background.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/io.h"

#define READY_FD 3

/* In the process that was started: '1' is "ready", else a message comes. */
static void __attribute__((noreturn)) parent(int fd, int failed)
{
	char text[sizeof(((struct err *)0)->msg) +
		  sizeof(((struct err *)0)->hint) + 16] = "";
	ssize_t n = io_read(fd, text, 1);

	if (n == 1 && text[0] == '1')
		exit(0);
	if (n == 1)
		n = io_read(fd, text + 1, sizeof(text) - 2);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name,
		n > 0 ? text : "it ended before it was ready; see its log");
	exit(failed);
}

static int redirect(const char *log_file)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP_CLOSE int log =
		open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/* What the caller left open (the pipe of a shell, above all) must not be
 * held by a process that stays. */
static int keep_only(int fd)
{
	if (fd != READY_FD && dup2(fd, READY_FD) < 0)
		return -errno;
	if (fcntl(READY_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    close_range(READY_FD + 1, ~0U, 0) < 0)
		return -errno;
	return READY_FD;
}

int background_start(const char *log_file, int failed, int *ready_fd,
		     struct err *err)
{
	int p[2], rc;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN); /* who waits may have left */
	if (pipe2(p, O_CLOEXEC) < 0)
		return fail(err, -errno, "cannot make a pipe: %m");
	pid = fork();
	if (pid < 0)
		return fail(err, -errno, "cannot fork: %m");
	if (pid > 0) {
		close(p[1]);
		parent(p[0], failed);
	}
	setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	*ready_fd = p[1];
	rc = keep_only(p[1]);
	if (rc < 0)
		return fail(err, rc, "cannot close what was open: %m");
	*ready_fd = rc;
	rc = redirect(log_file);
	if (rc < 0)
		return fail(err, rc, "cannot write to log '%s': %m", log_file);
	if (chdir("/") < 0)
		return fail(err, -errno, "cannot go to /: %m");
	return 0;
}

void background_ready(int ready_fd)
{
	/* Nobody reads it when who waited has left: that is fine. */
	(void)!write(ready_fd, "1", 1);
	close(ready_fd);
}

void background_failed(int ready_fd, const struct err *err)
{
	(void)!dprintf(ready_fd, "%s%s%s", err->msg,
		       err->hint[0] ? "\n  try: " : "", err->hint);
	close(ready_fd);
}
