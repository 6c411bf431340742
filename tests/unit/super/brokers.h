/* SPDX-License-Identifier: Apache-2.0 */
/* Brokers for tests, with files of a trust's below a directory of their own. */
#ifndef MERSEY_TESTS_UNIT_SUPER_BROKERS_H
#define MERSEY_TESTS_UNIT_SUPER_BROKERS_H

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
static inline char *make_file(const char *name, uid_t uid)
{
	char *path = io_path("%s/cache/%s", state, name);

	assert_int_equal(io_write_file(path, 0600, "data", 4, false), 0);
	assert_int_equal(chown(path, uid, GID), 0);
	return path;
}

static inline int setup(void **unused)
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

static inline int teardown(void **unused)
{
	if (geteuid() != 0)
		return 0;
	free(state);
	free(file);
	return test_rm(base);
}

/* A broker whose device is none. */
static inline void start(struct super_broker *b)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err err = ERR_INIT;

	assert_int_equal(super_broker_start(b, &trust, null, &err), 0);
}

/* Its end within 10 s; its exit status, or 1000 + signal. */
static inline int ended(struct super_broker *b)
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

static inline void stop(struct super_broker *b)
{
	close(b->fd);
	assert_int_equal(ended(b), 0);
}

/* Descriptors that a process has. */
static inline unsigned descriptors(pid_t pid)
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
static inline void assert_no_leak(pid_t pid)
{
	for (int i = 0; i < 1000 && descriptors(pid) != 5; i++)
		clock_sleep_ns(10 * MS);
	assert_int_equal(descriptors(pid), 5);
}

/* One message with `n` copies of a descriptor. */
static inline void say(int sock, const void *p, size_t size, int fd, size_t n)
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
static inline int ask_to(struct super_broker *b, uint32_t what, int fd)
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

static inline int ask(struct super_broker *b, int fd)
{
	return ask_to(b, BROKER_OPEN, fd);
}

/* The filesystem here may have no such flag; nothing is told of it then. */
static inline bool has_flag(int rc)
{
	assert_true(rc == 0 || rc == -ENOTTY || rc == -EOPNOTSUPP);
	return rc == 0;
}

#endif
