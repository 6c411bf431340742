/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secret that a program prints: started for it, waited for, and bounded in
 * time and length.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secret.h"
#include "super/secrets.h"
#include "super/spawn.h"

#define COMMAND_WAIT_NS (15 * NSEC_PER_SEC)

/* In the child. */
static void __attribute__((noreturn)) become(const char *const *argv, int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	spawn_reset_signals();
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(127);
	execv(argv[0], (char *const *)argv);
	log_err("cannot start '%s': %m", argv[0]);
	_exit(127);
}

/* Reads until the end, into what `b` has room for. 0 or -errno. */
static int read_all(int fd, struct buf *b, int64_t until)
{
	struct pollfd p = { fd, POLLIN, 0 };

	for (;;) {
		int64_t ms = (until - clock_boot_ns()) / 1000000;
		ssize_t n;

		if (ms <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)ms) <= 0)
			continue;
		n = read(fd, b->data + b->len, b->cap - b->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return b->len == b->cap ? -EFBIG : 0;
		b->len += n > 0 ? (size_t)n : 0;
	}
}

/* What it printed instead of a secret says why. */
static int refused(const struct buf *b, const char *program, struct err *err)
{
	const char *p = (const char *)b->data;
	size_t n = strnlen(p, MIN(b->len, sizeof(err->msg) - 1));

	for (size_t i = 0; i < n; i++)
		if (p[i] < ' ' || p[i] > '~')
			n = 0;
	return n ? fail(err, -EACCES, "%.*s", (int)n, p)
		 : fail(err, -EACCES, "'%s' gave no secret", program);
}

/* 0 when it ended well. */
static int ended(pid_t pid, const char *program, int rc, const struct buf *b,
		 struct err *err)
{
	int status;

	if (rc < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(err, -errno, "waitpid: %m");
	if (rc < 0)
		return fail(err, rc, "'%s' gave no secret: %m", program);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return refused(b, program, err);
	return 0;
}

/* The head, then the secret: both ends are this program. */
static int split(struct buf *b, struct super_secret *s)
{
	if (b->len <= SUPER_COMMAND_HEAD)
		return -ENODATA;
	s->expires_ns = (int64_t)get_le64(b->data);
	b->len -= SUPER_COMMAND_HEAD;
	memmove(b->data, b->data + SUPER_COMMAND_HEAD, b->len);
	s->value = *b;
	*b = (struct buf){ 0 };
	return 0;
}

int secret_from_command(struct super_secret *s, const char *const *argv,
			struct err *err)
{
	CLEANUP(secret_buf_done) struct buf b = { 0 };
	CLEANUP_CLOSE int out = -1;
	int p[2], rc = secret_buf(&b, SUPER_COMMAND_HEAD + SUPER_SECRET_SIZE);
	pid_t pid;

	if (rc < 0 || pipe2(p, O_CLOEXEC) < 0)
		return fail(err, rc ?: -errno, "cannot make a pipe: %m");
	out = p[0];
	pid = fork();
	if (pid == 0)
		become(argv, p[1]);
	close(p[1]);
	if (pid < 0)
		return fail(err, -errno, "cannot start '%s': %m", argv[0]);
	rc = read_all(out, &b, clock_boot_ns() + COMMAND_WAIT_NS);
	rc = ended(pid, argv[0], rc, &b, err);
	if (rc == 0 && split(&b, s) < 0)
		rc = fail(err, -ENODATA, "'%s' gave no secret", argv[0]);
	return rc;
}

int super_secret_print(int fd, const struct buf *value, int64_t expires_ns)
{
	uint8_t head[SUPER_COMMAND_HEAD];
	int rc;

	put_le64(head, (uint64_t)expires_ns);
	rc = io_write(fd, head, sizeof(head));
	return rc < 0 ? rc : io_write(fd, value->data, value->len);
}
