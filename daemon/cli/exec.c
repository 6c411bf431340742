/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/guard.h"
#include "base/io.h"

/* Only async-signal-safe calls between fork and exec. */
static void exec_child(const char *path, char *const argv[], int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	_exit(127);
}

static int exec_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int exec_collect(int fd, struct buf *out)
{
	return lseek(fd, 0, SEEK_SET) < 0
		       ? -errno
		       : io_read_fd(fd, EXEC_OUTPUT_MAX, out);
}

int exec_run(const char *path, char *const argv[], struct buf *out,
	     struct buf *err)
{
	/* files in memory: no reader is needed while it runs */
	CLEANUP_CLOSE int o = memfd_create("stdout", MFD_CLOEXEC);
	CLEANUP_CLOSE int e = memfd_create("stderr", MFD_CLOEXEC);
	int status, rc;
	pid_t pid;

	if (o < 0 || e < 0)
		return -errno;
	if (access(path, X_OK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		exec_child(path, argv, o, e);
	status = exec_wait(pid);
	rc = exec_collect(o, out);
	if (rc == 0)
		rc = exec_collect(e, err);
	return rc < 0 ? rc : status;
}
