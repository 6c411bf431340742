/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker beside a worker that was taken over. What passes all checks reaches
 * the device: with /dev/null in its place that is ENOTTY.
 */
#include "tests/unit/super/brokers.h"

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
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
