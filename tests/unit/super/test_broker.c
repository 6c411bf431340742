/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker beside a worker that was taken over, and its use on a real FUSE
 * connection. What passes all checks reaches the device: with /dev/null in
 * its place that is ENOTTY.
 */
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "super/broker.h"
#include "super/passfd.h"
#include "super/super.h"

#define MS  1000000LL
#define UID 61901
#define GID 61902

static char base[] = "/tmp/mersey-test-broker-XXXXXX";
static char *state, *file;
static struct super_trust trust = { .name = "rem", .uid = UID, .gid = GID };

/* A new file of `uid` below the state directory. */
static char *make_file(const char *name, uid_t uid)
{
	char *path = io_path("%s/cache/%s", state, name);

	assert_int_equal(io_write_file(path, 0600, "data", 4, false), 0);
	assert_int_equal(chown(path, uid, GID), 0);
	return path;
}

static int setup(void **unused)
{
	CLEANUP_FREE char *cache = NULL;

	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(base))
		return -1;
	state = io_path("%s/state", base);
	cache = io_path("%s/cache", state);
	trust.state_dir = state;
	if (io_mkdir_p(cache, 0755) < 0)
		return -1;
	file = make_file("file", UID);
	return 0;
}

static int teardown(void **unused)
{
	if (geteuid() != 0)
		return 0;
	free(state);
	free(file);
	return test_rm(base);
}

/* A broker whose device is none. */
static void start(struct super_broker *b)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err err = ERR_INIT;

	assert_int_equal(super_broker_start(b, &trust, null, &err), 0);
}

/* Its end within 10 s; its exit status, or 1000 + signal. */
static int ended(struct super_broker *b)
{
	int status;

	for (int i = 0; i < 1000; i++) {
		if (waitpid(b->pid, &status, WNOHANG) == b->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : 1000 + WTERMSIG(status);
		clock_sleep_ns(10 * MS);
	}
	kill(b->pid, SIGKILL);
	waitpid(b->pid, &status, 0);
	return -1;
}

static void stop(struct super_broker *b)
{
	close(b->fd);
	assert_int_equal(ended(b), 0);
}

/* Descriptors that a process has. */
static unsigned descriptors(pid_t pid)
{
	CLEANUP_FREE char *path = io_path("/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* It has its five, and none of those it was sent: the last one goes when its
 * answer is out. */
static void assert_no_leak(pid_t pid)
{
	for (int i = 0; i < 1000 && descriptors(pid) != 5; i++)
		clock_sleep_ns(10 * MS);
	assert_int_equal(descriptors(pid), 5);
}

/* One message with `n` copies of a descriptor. */
static void say(int sock, const void *p, size_t size, int fd, size_t n)
{
	struct iovec iov = { (void *)p, size };
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	assert_in_range(n, 0, 64);
	if (n) {
		struct cmsghdr *c;

		msg.msg_control = control.b;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), size);
}

/* Asks something of a descriptor and closes it; the answer. */
static int ask_to(struct super_broker *b, uint32_t what, int fd)
{
	const uint32_t m[2] = { what, 7 };
	uint32_t got[2];

	assert_true(fd >= 0);
	say(b->fd, m, sizeof(m), fd, 1);
	close(fd);
	assert_int_equal(recv(b->fd, got, sizeof(got), 0), sizeof(got));
	assert_int_equal(got[0], 7);
	return (int)got[1];
}

static int ask(struct super_broker *b, int fd)
{
	return ask_to(b, BROKER_OPEN, fd);
}

/* The filesystem here may have no such flag; nothing is told of it then. */
static bool has_flag(int rc)
{
	assert_true(rc == 0 || rc == -ENOTTY || rc == -EOPNOTSUPP);
	return rc == 0;
}

/* Who has it open for writing is stopped, and goes on. */
static void test_hold(void **unused)
{
	CLEANUP_FREE char *foreign = NULL;
	CLEANUP_CLOSE int w = -1;
	struct super_broker b;

	if (geteuid() != 0)
		skip();
	foreign = make_file("foreign-2", 0);
	w = open(file, O_WRONLY | O_CLOEXEC);
	start(&b);
	if (has_flag(ask_to(&b, BROKER_HOLD, open(file, O_RDONLY)))) {
		assert_int_equal(open(file, O_WRONLY | O_CLOEXEC), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(ask_to(&b, BROKER_HOLD, open(file, O_RDONLY)),
				 0);
	}
	assert_int_equal(ask_to(&b, BROKER_HOLD, open(foreign, O_RDONLY)),
			 -EACCES);
	assert_int_equal(ask_to(&b, BROKER_HOLD, open("/etc/passwd", O_RDONLY)),
			 -EACCES);
	assert_int_equal(ask_to(&b, BROKER_HOLD, open(file, O_PATH)), -EACCES);
	has_flag(ask_to(&b, BROKER_LET, open(file, O_RDONLY)));
	has_flag(ask_to(&b, BROKER_LET, open(file, O_RDONLY)));
	assert_int_equal(pwrite(w, "data", 4, 0), 4);
	assert_no_leak(b.pid);
	stop(&b);
}

/* What is not a cache file is refused; the connection goes on. */
static void test_refused(void **unused)
{
	CLEANUP_FREE char *foreign = NULL, *link = NULL;
	struct super_broker b;
	int p[2], fd;

	if (geteuid() != 0)
		skip();
	foreign = make_file("foreign", 0);
	start(&b);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	assert_int_equal(ask(&b, open(file, O_RDWR)), -EACCES);
	assert_int_equal(ask(&b, open(file, O_WRONLY)), -EACCES);
	assert_int_equal(ask(&b, open(file, O_PATH)), -EACCES);
	assert_int_equal(ask(&b, open(foreign, O_RDONLY)), -EACCES);
	assert_int_equal(ask(&b, open("/etc/passwd", O_RDONLY)), -EACCES);
	assert_int_equal(ask(&b, open(state, O_RDONLY)), -EACCES);
	assert_int_equal(ask(&b, open("/dev/null", O_RDONLY)), -EACCES);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(ask(&b, p[0]), -EACCES);
	close(p[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	assert_int_equal(ask(&b, p[0]), -EACCES);
	close(p[1]);
	/* The trust's, but elsewhere. */
	fd = (int)syscall(SYS_memfd_create, "x", 0);
	assert_int_equal(fchown(fd, UID, GID), 0);
	link = io_path("/proc/self/fd/%d", fd);
	assert_int_equal(ask(&b, open(link, O_RDONLY)), -EXDEV);
	close(fd);
	for (int n = 0; n < 200; n++)
		assert_int_equal(ask(&b, open(foreign, O_RDONLY)), -EACCES);
	assert_no_leak(b.pid);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	stop(&b);
}

/* The broker ends by itself, and says that it was no worker. */
static void assert_ends(const void *p, size_t size, int fd, size_t n)
{
	struct super_broker b;
	char c;

	start(&b);
	say(b.fd, p, size, fd, n);
	assert_int_equal(ended(&b), 1);
	assert_int_equal(recv(b.fd, &c, 1, MSG_DONTWAIT), 0);
	close(b.fd);
}

static void test_malformed(void **unused)
{
	uint32_t m[BROKER_WORDS + 1] = { BROKER_OPEN, 1 };
	CLEANUP_CLOSE int fd = -1;

	if (geteuid() != 0)
		skip();
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_ends(m, 8, -1, 0);  /* no descriptor */
	assert_ends(m, 8, fd, 2);  /* one too many */
	assert_ends(m, 8, fd, 64); /* cut by the kernel */
	assert_ends(m, 4, fd, 1);
	assert_ends(m, 7, fd, 1);
	assert_ends(m, 12, fd, 1);
	m[0] = BROKER_CLOSE;
	assert_ends(m, 4, -1, 0);
	assert_ends(m, 6, -1, 0);
	assert_ends(m, 8, fd, 1); /* a descriptor where none belongs */
	assert_ends(m, sizeof(m), -1, 0);
	m[0] = 0;
	assert_ends(m, 8, -1, 0);
	m[0] = UINT32_MAX;
	assert_ends(m, 8, fd, 1);
	m[0] = BROKER_HOLD;
	assert_ends(m, 8, -1, 0);
	assert_ends(m, 12, fd, 1);
	m[0] = BROKER_LET;
	assert_ends(m, 8, -1, 0);
	assert_ends(m, 8, fd, 2);
	m[0] = 5;
	assert_ends(m, 8, fd, 1);
}

/* An empty message is as good as none. */
static void test_empty(void **unused)
{
	CLEANUP_CLOSE int fd = -1;
	struct super_broker b;

	if (geteuid() != 0)
		skip();
	fd = open(file, O_RDONLY | O_CLOEXEC);
	start(&b);
	say(b.fd, "", 0, fd, 1);
	assert_int_equal(ended(&b), 0);
	close(b.fd);
}

/* Sends open after open and reads no answer, until the broker has had
 * enough. */
static void flood(int sock, int fd)
{
	uint32_t m[2] = { BROKER_OPEN, 1 };
	union {
		struct cmsghdr head;
		char b[CMSG_SPACE(sizeof(int))];
	} control = {
		.head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS },
	};
	struct iovec iov = { m, sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      .msg_controllen = sizeof(control.b) };
	int i;

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	for (i = 0; i < 100000; i++)
		if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 &&
		    errno != ETOOMANYREFS)
			break;
	assert_true(i < 100000);
}

/* Who asks and never listens does not hold memory of the kernel's. */
static void test_flood(void **unused)
{
	uint32_t m[BROKER_WORDS] = { BROKER_CLOSE };
	CLEANUP_CLOSE int fd = -1;
	struct super_broker b;

	if (geteuid() != 0)
		skip();
	fd = open(file, O_RDONLY | O_CLOEXEC);
	start(&b);
	for (int i = 0; i < 5000; i++) /* ids that nobody has */
		say(b.fd, m, sizeof(m), -1, 0);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	assert_no_leak(b.pid);
	flood(b.fd, fd);
	assert_int_equal(ended(&b), 1);
	close(b.fd);
}

static void status_line(pid_t pid, const char *key, char *out, size_t size)
{
	CLEANUP_FREE char *path = io_path("/proc/%d/status", (int)pid);
	CLEANUP_BUF struct buf text = { 0 };
	const char *p;

	assert_int_equal(io_read_file(path, 65536, &text), 0);
	p = strstr(buf_str(&text), key);
	assert_non_null(p);
	p += strlen(key);
	p += strspn(p, ": \t");
	snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
}

#define assert_status(pid, key, want)                        \
	do {                                                 \
		char line_[256];                             \
		status_line(pid, key, line_, sizeof(line_)); \
		assert_string_equal(line_, want);            \
	} while (0)

/* In a process that may only do what a broker does: 0, or what it could. */
static int confined(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), n = 0;

	if (broker_confine() < 0)
		return 77;
	if (fcntl(null, F_GETFL) < 0)
		return 1;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EPERM)
		return 2;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (fcntl(null, F_SETFL, 0) >= 0 || errno != EPERM)
		return 4;
	if (ioctl(null, FIONREAD, &n) >= 0 || errno != EPERM)
		return 5;
	if (ioctl(null, BROKER_IOC_CLOSE, &n) >= 0 || errno != ENOTTY)
		return 6;
	if (ioctl(null, FS_IOC_SETFLAGS, &n) >= 0 || errno != ENOTTY)
		return 7;
	if (mount("x", "/tmp", "tmpfs", 0, NULL) >= 0 || errno != EPERM)
		return 8;
	return 0;
}

/* Some builds have no filter. */
static bool can_confine(void)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(confined());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* What the kernel keeps for all that clients do with a registered file. */
static void test_credentials(void **unused)
{
	CLEANUP_FREE char *limits = NULL;
	CLEANUP_BUF struct buf text = { 0 };
	struct super_broker b;

	if (geteuid() != 0)
		skip();
	start(&b);
	limits = io_path("/proc/%d/limits", (int)b.pid);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	assert_status(b.pid, "Uid", "61901\t61901\t61901\t61901");
	assert_status(b.pid, "Gid", "61902\t61902\t61902\t61902");
	assert_status(b.pid, "Groups", "");
	/* CAP_SYS_ADMIN and CAP_LINUX_IMMUTABLE, and not CAP_SYS_RESOURCE
	 * (bit 24) */
	assert_status(b.pid, "CapEff", "0000000000200200");
	assert_status(b.pid, "CapPrm", "0000000000200200");
	assert_status(b.pid, "CapInh", "0000000000000000");
	assert_status(b.pid, "CapAmb", "0000000000000000");
	assert_status(b.pid, "NoNewPrivs", "1");
	assert_status(b.pid, "Seccomp", can_confine() ? "2" : "0");
	assert_int_equal(io_read_file(limits, 65536, &text), 0);
	assert_non_null(
		strstr(buf_str(&text), "Max open files            16 "));
	stop(&b);
}

/* Nothing but its worker ends it, and its parent. */
static void test_life(void **unused)
{
	struct super_broker b;
	pid_t pid;
	int p[2];
	char c;

	if (geteuid() != 0)
		skip();
	start(&b);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	kill(b.pid, SIGTERM);
	kill(b.pid, SIGINT);
	assert_int_equal(ask(&b, open(file, O_RDONLY)), -ENOTTY);
	stop(&b);

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		start(&b);
		dup2(b.fd, 200); /* the worker's end outlives the parent */
		if (fork() == 0) {
			fcntl(p[1], F_SETFD, 0);
			(void)recv(200, &c, 1, 0);
			_exit(0);
		}
		_exit(0);
	}
	close(p[1]);
	waitpid(pid, NULL, 0);
	assert_int_equal(read(p[0], &c, 1), 0);
	close(p[0]);
}

/* ---- the worker's side ------------------------------------------------ */

/* A broker that is a thread of this test's. */
static void *fake(void *arg)
{
	struct broker *b = arg;

	broker_serve(b);
	close(b->fd);
	return NULL;
}

/* A kernel that passes nothing through needs no broker. */
static void test_stop(void **unused)
{
	struct super_broker b;
	struct super_backing *c;

	if (geteuid() != 0)
		skip();
	start(&b);
	c = super_backing_new(b.fd, -1);
	assert_null(super_backing_why(c));
	super_backing_stop(c);
	assert_int_equal(ended(&b), 0);
	assert_string_equal(super_backing_why(c), "kernel");
	assert_int_equal(super_backing_open(c, 0), -EOPNOTSUPP);
	super_backing_close(c, 5);
	super_backing_free(c);
}

static void test_no_broker(void **unused)
{
	struct super_backing *b = super_backing_new(-1, -1);
	int p[2];

	assert_string_equal(super_backing_why(b), "broker");
	assert_int_equal(super_backing_open(b, 0), -EOPNOTSUPP);
	super_backing_close(b, 5);
	super_backing_free(b);
	super_backing_free(NULL);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_null(super_backing_why(b));
	close(p[0]); /* it died */
	super_backing_close(b, 5);
	assert_string_equal(super_backing_why(b), "broker");
	assert_int_equal(super_backing_open(b, 0), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "broker");
	super_backing_close(b, 6);
	super_backing_free(b);
}

/* A broker that was killed: ids that it gave go back to the next one. */
static void test_another_broker(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const uint32_t want[4] = { BROKER_CLOSE, 5, 6, 7 };
	uint32_t m[2], ids[4], reply[2] = { 2, 41 };
	struct super_backing *b;
	int control[2], p[2], q[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, q), 0);
	b = super_backing_new(p[1], control[1]);
	assert_int_equal(super_backing_open(b, null), -EAGAIN); /* late */
	close(p[0]);
	assert_string_equal(super_backing_why(b), "broker");
	super_backing_close(b, 5);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	super_backing_close(b, 6);
	assert_int_equal(passfd_send(control[0], "B", 1, q[1]), 0);
	close(q[1]);
	assert_null(super_backing_why(b));
	super_backing_close(b, 7);
	assert_int_equal(recv(q[0], ids, sizeof(ids), 0), sizeof(ids));
	assert_memory_equal(ids, want, sizeof(ids)); /* none is lost */
	/* Nobody waits for what the first one was asked. */
	assert_int_equal(send(q[0], reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(super_backing_open(b, null), 41);
	assert_int_equal(recv(q[0], m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m[0], BROKER_OPEN);
	/* What is no broker is none. */
	close(q[0]);
	assert_int_equal(passfd_send(control[0], "X", 1, null), 0);
	assert_string_equal(super_backing_why(b), "broker");
	close(control[0]);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	super_backing_free(b);
	close(control[1]);
}

/* What the kernel says once and for all. */
static void test_judged(void **unused)
{
	struct super_backing *b;
	struct broker s = { .uid = geteuid() };
	CLEANUP_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pthread_t t;
	struct stat st;
	int p[2];

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	s.uid = st.st_uid;
	s.dev = st.st_dev + 1;
	s.fd = p[0];
	s.fuse_fd = null;
	assert_int_equal(pthread_create(&t, NULL, fake, &s), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, null), -EACCES);
	assert_null(super_backing_why(b)); /* that file only */
	assert_int_equal(super_backing_open(b, fd), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "filesystem");
	super_backing_free(b);
	pthread_join(t, NULL);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	s = (struct broker){ p[0], null, st.st_uid, st.st_dev, 0, 0 };
	assert_int_equal(pthread_create(&t, NULL, fake, &s), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, fd), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "kernel");
	super_backing_free(b);
	pthread_join(t, NULL);
}

#define LATE_IDS 100000
#define POKE	 0x7fffffff

/* Counts the ids of one message. */
static void count_ids(const uint32_t *m, size_t n, uint8_t *seen)
{
	assert_int_equal(m[0], BROKER_CLOSE);
	for (size_t i = 1; i < n; i++)
		if (m[i] != POKE) {
			assert_in_range(m[i], 1, LATE_IDS);
			seen[m[i]]++;
		}
}

/* A broker that is slow: nobody waits for long, and no id is lost. */
static void test_late(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE uint8_t *seen = calloc(LATE_IDS + 1, 1);
	uint32_t m[BROKER_WORDS], reply[2] = { 1, 41 };
	struct super_backing *b;
	int p[2], i;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	for (i = 1; i <= LATE_IDS; i++) /* more than the socket takes */
		super_backing_close(b, i);
	assert_int_equal(recv(p[0], m, sizeof(m), 0), 8);
	assert_int_equal(m[0], BROKER_OPEN); /* one question only */
	assert_int_equal(m[1], 1);
	/* The id that comes too late is given back. */
	assert_int_equal(send(p[0], reply, sizeof(reply), 0), sizeof(reply));
	for (i = 0; i < 10000; i++) {
		while ((n = recv(p[0], m, sizeof(m), MSG_DONTWAIT)) > 0)
			if (m[0] != BROKER_OPEN)
				count_ids(m, (size_t)n / sizeof(*m), seen);
		if (seen[41] < 2)
			super_backing_open(b, null);
		else if (memchr(seen + 1, 0, LATE_IDS))
			super_backing_close(b, POKE);
		else
			break;
	}
	assert_int_equal(seen[41], 2);
	assert_null(memchr(seen + 1, 0, LATE_IDS));
	close(p[0]);
	super_backing_free(b);
}

/* An answer to what somebody else was asked: no id of another file. */
static void test_other_answer(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const uint32_t other[2] = { 9, 40 }, own[2] = { 1, 41 };
	uint32_t m[BROKER_WORDS];
	struct super_backing *b;
	int p[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(send(p[0], other, sizeof(other), 0), sizeof(other));
	assert_int_equal(send(p[0], own, sizeof(own), 0), sizeof(own));
	assert_int_equal(super_backing_open(b, null), 41);
	assert_int_equal(recv(p[0], m, sizeof(m), 0), 8);
	assert_int_equal(m[0], BROKER_OPEN);
	assert_int_equal(recv(p[0], m, sizeof(m), MSG_DONTWAIT), 8);
	assert_int_equal(m[0], BROKER_CLOSE);
	assert_int_equal(m[1], 40);
	close(p[0]);
	super_backing_free(b);
}

/* ---- on a FUSE connection --------------------------------------------- */

#ifndef FUSE_INIT_EXT
#define FUSE_INIT_EXT (1U << 30)
#endif

/* INIT as Linux 7.40 has it. */
struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};

/* Answers INIT, with passthrough; false when the kernel has none. */
static bool greet(int fd)
{
	union {
		struct fuse_in_header head;
		char b[FUSE_MIN_READ_BUFFER];
	} in;
	struct {
		struct fuse_out_header head;
		struct init_out body;
	} out = { .body = { .major = 7,
			    .minor = 40,
			    .flags = FUSE_INIT_EXT,
			    .max_write = 65536,
			    .flags2 = 1U << 5,
			    .max_stack_depth = 1 } };
	uint32_t flags2;

	assert_true(read(fd, in.b, sizeof(in.b)) >= 56);
	assert_int_equal(in.head.opcode, FUSE_INIT);
	memcpy(&flags2, in.b + sizeof(in.head) + 16, sizeof(flags2));
	out.head.len = sizeof(out);
	out.head.unique = in.head.unique;
	assert_int_equal(write(fd, &out, sizeof(out)), sizeof(out));
	return flags2 & (1U << 5);
}

/* Threads that register and give back at once. */
struct work {
	struct super_backing *b;
	int fd;
	_Atomic unsigned *failed;
};

static void *work(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < 200; i++) {
		int id = super_backing_open(w->b, w->fd);

		*w->failed += id <= 0;
		if (id > 0)
			super_backing_close(w->b, id);
	}
	return NULL;
}

static void threads(struct super_backing *b, int fd)
{
	_Atomic unsigned failed = 0;
	struct work w = { b, fd, &failed };
	pthread_t t[4];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, &w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(failed, 0);
}

static void measure(struct super_backing *b, int fd)
{
	enum { N = 2000 };
	static int id[N];
	int64_t t0 = clock_boot_ns(), t1, t2;

	for (int i = 0; i < N; i++)
		assert_true((id[i] = super_backing_open(b, fd)) > 0);
	t1 = clock_boot_ns();
	for (int i = 0; i < N; i++)
		super_backing_close(b, id[i]);
	t2 = clock_boot_ns();
	print_message("a registration %.1f us, giving back %.1f us\n",
		      (double)(t1 - t0) / 1e3 / N, (double)(t2 - t1) / 1e3 / N);
}

static void test_registers(void **unused)
{
	CLEANUP_FREE char *mnt = io_path("%s/mnt", base);
	CLEANUP_CLOSE int fuse_fd = -1, fd = -1;
	struct super_broker b;
	struct super_backing *c;
	struct err err = ERR_INIT;
	int id;

	if (geteuid() != 0)
		skip();
	fuse_fd = super_mount("rem", mnt, NULL, &err);
	assert_true(fuse_fd >= 0);
	if (!greet(fuse_fd)) {
		super_unmount(mnt, true);
		skip(); /* Linux before 6.9 */
	}
	assert_int_equal(super_broker_start(&b, &trust, fuse_fd, &err), 0);
	c = super_backing_new(b.fd, -1);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	id = super_backing_open(c, fd);
	assert_true(id > 0);
	super_backing_close(c, id);
	assert_int_not_equal(super_backing_open(c, fd), id);
	threads(c, fd);
	measure(c, fd);
	assert_null(super_backing_why(c));
	super_backing_free(c);
	assert_int_equal(ended(&b), 0);
	assert_int_equal(super_unmount(mnt, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_no_broker),
		cmocka_unit_test(test_another_broker),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_other_answer),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
