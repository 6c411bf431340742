/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's process. One for each trust, not the supervisor itself: the
 * kernel keeps the credentials of who registered a file and uses them for all
 * that clients do with it, so they are the trust's own for a whole life, and
 * nobody waits for another trust.
 */
#include "super/broker.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/log.h"
#include "super/passfd.h"
#include "super/super.h"
#include "super/wire.h"

#define BROKER_FDS 16 /* it has five and one that comes */
/* Room for what a worker sends before the broker gets the processor. */
#define BROKER_QUEUE (1 << 20)

/* ---- what is registered ---------------------------------------------- */

/*
 * S8. Any descriptor would do for the kernel, which opens the file anew with
 * the flags of each client: so it must be the trust's to write. O_RDONLY,
 * because one that can write would stand in the way of protect's lease.
 */
static int broker_check(const struct broker *b, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	if (!S_ISREG(st.st_mode) || st.st_uid != b->uid)
		return -EACCES;
	return st.st_dev == b->dev ? 0 : -EXDEV;
}

static int broker_register(struct broker *b, int fd)
{
	struct broker_map map = { .fd = fd };
	int rc;

	if (b->n >= BROKER_IDS_MAX)
		return -ENFILE;
	rc = ioctl(b->fuse_fd, BROKER_IOC_OPEN, &map);
	if (rc <= 0)
		return rc < 0 ? -errno : -EIO;
	b->n++;
	return rc;
}

/* Sets or clears the immutable flag, and leaves the others. */
static int broker_hold(int fd, bool on)
{
	int flags, now; /* of the kernel: it is an int, whatever it says */

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	now = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return now == flags || ioctl(fd, FS_IOC_SETFLAGS, &now) == 0 ? 0
								     : -errno;
}

static int broker_do(struct broker *b, uint32_t what, int fd)
{
	int rc = broker_check(b, fd);

	if (rc < 0 && b->refused++ == 0)
		log_warn("a file was not taken for passthrough: %s",
			 strerror(-rc));
	if (rc < 0)
		return rc;
	return what == BROKER_OPEN ? broker_register(b, fd)
				   : broker_hold(fd, what == BROKER_HOLD);
}

static void broker_forget(struct broker *b, uint32_t id)
{
	if (ioctl(b->fuse_fd, BROKER_IOC_CLOSE, &id) == 0 && b->n > 0)
		b->n--;
}

/* ---- messages -------------------------------------------------------- */

/* Who asks reads its answers: there is room. */
static int answer(const struct broker *b, uint32_t number, int rc)
{
	uint32_t words[2] = { number, (uint32_t)rc };

	if (send(b->fd, words, sizeof(words), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? 0 : -EPROTO;
	return 1;
}

/* 1: there may be more; 0: it hung up; -EPROTO. */
static int broker_one(struct broker *b)
{
	uint32_t words[BROKER_WORDS];
	CLEANUP_CLOSE int fd = -1;
	ssize_t n = passfd_receive(b->fd, words, sizeof(words), 0, &fd);
	size_t i, count;

	if (n <= 0)
		return n == -ECONNRESET ? 0 : (int)n;
	count = (size_t)n / sizeof(*words);
	if ((size_t)n % sizeof(*words) || count < 2)
		return -EPROTO;
	if ((words[0] == BROKER_OPEN || words[0] == BROKER_HOLD ||
	     words[0] == BROKER_LET) &&
	    count == 2 && fd >= 0)
		return answer(b, words[1], broker_do(b, words[0], fd));
	if (words[0] != BROKER_CLOSE || fd >= 0)
		return -EPROTO;
	for (i = 1; i < count; i++)
		broker_forget(b, words[i]);
	return 1;
}

int broker_serve(struct broker *b)
{
	int rc;

	do
		rc = broker_one(b);
	while (rc > 0);
	return rc;
}

/* ---- the process ----------------------------------------------------- */

/* Two descriptors, and stderr for the log. */
static int arrange(const struct broker *b)
{
	int sock = fcntl(b->fd, F_DUPFD_CLOEXEC, WIRE_FUSE_FD + 1);
	int fuse = fcntl(b->fuse_fd, F_DUPFD_CLOEXEC, WIRE_FUSE_FD + 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (sock < 0 || fuse < 0 || null < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(sock, WIRE_CONTROL_FD) < 0 || dup2(fuse, WIRE_FUSE_FD) < 0)
		return -errno;
	return close_range(WIRE_FUSE_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

/* It ends with its worker and by nothing else that a terminal sends. */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int confine(struct broker *b, const struct super_sandbox *s,
		   struct err *err)
{
	int rc = arrange(b);

	b->fd = WIRE_CONTROL_FD;
	b->fuse_fd = WIRE_FUSE_FD;
	if (rc == 0 && chdir("/") < 0)
		rc = -errno;
	if (rc < 0)
		return fail(err, rc, "%m");
	rc = super_drop_privileges(s, err);
	if (rc < 0)
		return rc;
	rc = broker_confine();
	return rc < 0 && rc != -EOPNOTSUPP
		       ? fail(err, rc, "cannot filter system calls: %m")
		       : 0;
}

static void __attribute__((noreturn))
run(struct broker *b, const struct super_sandbox *s, const char *trust)
{
	struct err err = ERR_INIT;
	int rc;

	ignore_signals();
	rc = confine(b, s, &err);
	if (rc < 0) {
		log_err("%s: the broker for passthrough cannot start: %s",
			trust, err.msg);
		_exit(1);
	}
	rc = broker_serve(b);
	if (rc < 0)
		log_err("%s: the worker sent its broker what a worker does not "
			"send: no more files are passed through",
			trust);
	_exit(rc < 0);
}

/*
 * The filesystem of the cache. In the state directory no link is followed: who
 * took a worker over could have made it, and what it leads to might never
 * answer.
 */
static int cache_dev(const char *state_dir, dev_t *out)
{
	CLEANUP_CLOSE int fd =
		open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*out = st.st_dev;
	if (fstatat(fd, "cache", &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) <
	    0)
		return errno == ENOENT ? 0 : -errno; /* not made yet */
	*out = st.st_dev;
	return 0;
}

static int make_pair(int fd[2])
{
	int size = BROKER_QUEUE;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return -errno;
	/* Without it a burst of closes waits in the worker, that is all. */
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return 0;
}

/* Those of the wanted capabilities that there are to be kept. */
static uint64_t caps_of(uint64_t want)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { 0 };

	if (syscall(SYS_capget, &head, d) < 0)
		return 0;
	return want & (d[0].permitted | (uint64_t)d[1].permitted << 32);
}

int super_broker_start(struct super_broker *out, const struct super_trust *t,
		       int fuse_fd, struct err *err)
{
	struct super_sandbox s = { .uid = t->uid,
				   .gid = t->gid,
				   .descriptors = BROKER_FDS,
				   .parent = getpid(),
				   .caps = caps_of(
					   1ULL << CAP_SYS_ADMIN |
					   1ULL << CAP_LINUX_IMMUTABLE) };
	struct broker b = { .fuse_fd = fuse_fd, .uid = t->uid };
	int pair[2];
	pid_t pid;
	int rc = cache_dev(t->state_dir, &b.dev);

	if (rc < 0)
		return fail(err, rc, "cannot look at '%s': %m", t->state_dir);
	rc = make_pair(pair);
	if (rc < 0)
		return fail(err, rc, "cannot make a socketpair: %m");
	b.fd = pair[0];
	pid = fork();
	if (pid == 0)
		run(&b, &s, t->name);
	if (pid < 0)
		rc = fail(err, -errno, "cannot start a process: %m");
	close(pair[0]);
	if (rc < 0)
		close(pair[1]);
	else
		*out = (struct super_broker){ .pid = pid, .fd = pair[1] };
	return rc;
}
