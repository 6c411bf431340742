/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs alarm_command: a process of its own, which has nothing of the
 * supervisor's but one socket (SOCK_SEQPACKET: an alarm a packet) and stderr.
 * As root it becomes nobody first. One command after the other: who sends does
 * not wait, and what the socket does not take is refused.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "super/spawn.h"
#include "super/super.h"

#define COMMAND_TIME  (30 * NSEC_PER_SEC)
#define COMMAND_SAYS  4096 /* of its output, for the log */
#define COMMANDER_FD  3
#define NOBODY	      65534
#define NSEC_PER_MSEC 1000000LL

static const char *const command_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	NULL,
};

/* A run of the command. */
struct run {
	const struct super_command *c;
	pid_t pid;
	int pid_fd, out_fd;
	int64_t end_ns; /* boot time */
	char said[COMMAND_SAYS];
	size_t n;
	bool late;
};

/* ---- the command's side --------------------------------------------- */

static void __attribute__((noreturn))
become(const struct super_command *c, int in, int out)
{
	spawn_reset_signals();
	setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0 || close_range(3, ~0U, 0) < 0 ||
	    chdir("/") < 0)
		_exit(126);
	execve(c->argv[0], c->argv, (char *const *)command_env);
	(void)!dprintf(STDERR_FILENO, "cannot run it: %m\n");
	_exit(127);
}

/* ---- one run -------------------------------------------------------- */

/* Text that somebody can read from, which nobody has to wait for. */
static int text_fd(const char *text, size_t n)
{
	CLEANUP_CLOSE int fd = memfd_create("alarm", MFD_CLOEXEC);
	int rc = fd < 0 ? -errno : io_write(fd, text, n);

	if (rc < 0)
		return rc;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(fd);
}

static int start(struct run *r, const char *text, size_t n)
{
	CLEANUP_CLOSE int in = text_fd(text, n);
	CLEANUP_CLOSE int out = -1;
	int p[2];

	if (in < 0)
		return in;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	r->out_fd = p[0];
	out = p[1];
	r->pid = fork();
	if (r->pid < 0)
		return -errno;
	if (r->pid == 0)
		become(r->c, in, out);
	setpgid(r->pid, r->pid); /* whoever comes first */
	r->pid_fd = pidfd_open(r->pid, 0);
	return r->pid_fd < 0 ? -errno : 0;
}

/* Keeps the first of what it says. False: there is no more. */
static bool listen_to(struct run *r)
{
	char rest[512];
	bool room = r->n < sizeof(r->said);
	ssize_t n =
		room ? read(r->out_fd, r->said + r->n, sizeof(r->said) - r->n)
		     : read(r->out_fd, rest, sizeof(rest));

	if (n > 0 && room)
		r->n += (size_t)n;
	return n > 0;
}

/* Until it has ended, or its time has. */
static void attend(struct run *r)
{
	struct pollfd p[2] = { { r->pid_fd, POLLIN, 0 },
			       { r->out_fd, POLLIN, 0 } };

	fcntl(r->out_fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		int64_t left = r->end_ns - clock_boot_ns();

		if (left <= 0) {
			r->late = true;
			return;
		}
		if (poll(p, 2, (int)(left / NSEC_PER_MSEC) + 1) < 0 &&
		    errno != EINTR)
			return;
		if (p[1].revents && !listen_to(r))
			p[1].fd = -1;
		if (p[0].revents)
			break;
	}
	while (p[1].fd >= 0 && listen_to(r))
		;
}

/* One line of it, without what a terminal would obey. */
static const char *first_line(struct run *r)
{
	size_t i;

	for (i = 0; i < r->n && r->said[i] != '\n'; i++)
		if ((unsigned char)r->said[i] < ' ' || r->said[i] == 127)
			r->said[i] = ' ';
	r->said[MIN(i, sizeof(r->said) - 1)] = '\0';
	return r->said;
}

static void log_end(struct run *r, int status)
{
	const char *name = r->c->argv[0];

	if (r->late)
		log_warn("alarm_command '%s' took too long and was killed: %s",
			 name, first_line(r));
	else if (WIFSIGNALED(status))
		log_warn("alarm_command '%s' was killed by signal %d: %s", name,
			 WTERMSIG(status), first_line(r));
	else if (WEXITSTATUS(status))
		log_warn("alarm_command '%s' ended with status %d: %s", name,
			 WEXITSTATUS(status), first_line(r));
	else
		log_debug("alarm_command '%s' was told", name);
}

/* It, and what it started. */
static int end(struct run *r)
{
	int status = 0;

	if (r->pid <= 0)
		return 0;
	kill(-r->pid, SIGKILL);
	if (r->late || r->pid_fd < 0)
		kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void run_once(const struct super_command *c, const char *text, size_t n)
{
	int64_t limit = c->limit_ns ? c->limit_ns : COMMAND_TIME;
	struct run r = { .c = c,
			 .pid_fd = -1,
			 .out_fd = -1,
			 .end_ns = clock_boot_ns() + limit };
	int rc = start(&r, text, n), status;

	if (rc == 0)
		attend(&r);
	status = end(&r);
	if (rc < 0)
		log_warn("alarm_command '%s' cannot be started: %s", c->argv[0],
			 strerror(-rc));
	else
		log_end(&r, status);
	if (r.pid_fd >= 0)
		close(r.pid_fd);
	if (r.out_fd >= 0)
		close(r.out_fd);
}

/* ---- the process ---------------------------------------------------- */

static int confine(int fd)
{
	struct super_sandbox s = { .uid = NOBODY, .gid = NOBODY };
	struct err err = ERR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	/* Nothing else of who started it may be kept open here. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(fd, COMMANDER_FD) < 0 ||
	    close_range(COMMANDER_FD + 1, ~0U, 0) < 0)
		return -errno;
	fcntl(COMMANDER_FD, F_SETFD, FD_CLOEXEC);
	rc = super_drop_privileges(&s, &err);
	if (rc < 0)
		log_err("alarm_command is not run: %s", err.msg);
	return rc;
}

static void __attribute__((noreturn))
serve(const struct super_command *c, int fd)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	char text[SUPER_COMMAND_TEXT];
	ssize_t n;

	prctl(PR_SET_NAME, "mersey-alarm");
	spawn_reset_signals();
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN); /* the end of the socket ends it */
	if (confine(fd) < 0)
		_exit(1);
	for (;;) {
		n = recv(COMMANDER_FD, text, sizeof(text), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(n < 0);
		run_once(c, text, (size_t)n);
	}
}

int super_commander_start(struct super_commander *cm,
			  const struct super_command *c, struct err *err)
{
	int p[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
		return fail(err, -errno, "cannot make a socket pair: %m");
	pid = fork();
	if (pid == 0)
		serve(c, p[0]);
	close(p[0]);
	if (pid < 0) {
		close(p[1]);
		return fail(err, -errno, "cannot start a process: %m");
	}
	*cm = (struct super_commander){ .pid = pid, .fd = p[1] };
	return 0;
}

int super_commander_tell(const struct super_commander *cm, const void *text,
			 size_t n)
{
	if (cm->pid <= 0)
		return -EPIPE;
	if (n == 0 || n > SUPER_COMMAND_TEXT)
		return -EMSGSIZE;
	if (send(cm->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

void super_commander_leave(struct super_commander *cm)
{
	if (cm->pid > 0)
		close(cm->fd);
	cm->pid = 0;
}
