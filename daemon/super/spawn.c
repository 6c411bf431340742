/* SPDX-License-Identifier: Apache-2.0 */
#include "super/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "super/wire.h"

/* What concerns the supervisor alone; credentials, above all. */
static const char *const supervisor_env[] = {
	"NOTIFY_SOCKET",     "CREDENTIALS_DIRECTORY",
	"LISTEN_FDS",	     "LISTEN_PID",
	"LISTEN_FDNAMES",    "WATCHDOG_USEC",
	"WATCHDOG_PID",	     "MAINPID",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
};

/* Moves the descriptors to where the worker looks, whatever their numbers
 * were. */
static int arrange(const struct spawn_fds *fds)
{
	int last = fds->broker < 0 ? WIRE_FUSE_FD : WIRE_BROKER_FD;
	int c = fcntl(fds->control, F_DUPFD_CLOEXEC, last + 1);
	int f = fcntl(fds->fuse, F_DUPFD_CLOEXEC, last + 1);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int b = fds->broker < 0 ? 0
				: fcntl(fds->broker, F_DUPFD_CLOEXEC, last + 1);

	if (c < 0 || f < 0 || null < 0 || b < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
	    dup2(c, WIRE_CONTROL_FD) < 0 || dup2(f, WIRE_FUSE_FD) < 0 ||
	    (fds->broker >= 0 && dup2(b, WIRE_BROKER_FD) < 0))
		return -errno;
	return close_range((unsigned)last + 1, ~0U, 0) < 0 ? -errno : 0;
}

void spawn_reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* fails for some: they have no other */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: becomes the worker or ends. */
static void __attribute__((noreturn))
become(char *const *argv, const struct spawn_fds *fds, pid_t parent)
{
	int rc;

	spawn_reset_signals();
	/* Until the worker changes its user, which clears this, and sets it
	 * again. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	setpgid(0, 0); /* ^C on a terminal is for the supervisor */
	for (size_t i = 0; i < ARRAY_SIZE(supervisor_env); i++)
		unsetenv(supervisor_env[i]);
	rc = arrange(fds);
	if (rc == 0) {
		execv(argv[0], argv);
		rc = -errno;
	}
	errno = -rc;
	log_err("cannot start '%s': %m", argv[0]);
	_exit(127);
}

int spawn_worker(const struct super_opts *o, const char *trust,
		 const struct spawn_fds *fds, unsigned restarts, pid_t *pid,
		 struct err *err)
{
	const char *program = o->worker_path ? o->worker_path
					     : "/proc/self/exe";
	const char *broker_fd = fds->broker < 0 ? NULL : "--broker-fd";
	char fuse[16], control[16], broker[16], count[16];
	const char *argv[] = {
		program,	"--worker",   trust, "--config",
		o->config_path, "--fuse-fd",  fuse,  "--control-fd",
		control,	"--restarts", count, broker_fd,
		broker,		NULL
	};
	pid_t parent = getpid(), child;

	snprintf(fuse, sizeof(fuse), "%d", WIRE_FUSE_FD);
	snprintf(control, sizeof(control), "%d", WIRE_CONTROL_FD);
	snprintf(broker, sizeof(broker), "%d", WIRE_BROKER_FD);
	snprintf(count, sizeof(count), "%u", restarts);
	child = fork();
	if (child < 0)
		return fail(err, -errno, "cannot start a worker: %m");
	if (child == 0)
		become((char *const *)argv, fds, parent);
	*pid = child;
	return 0;
}
