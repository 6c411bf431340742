/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks after the credentials of a trust that no supervisor serves: a process
 * that stays as it was started, and sends what changed to the one that serves
 * and cannot read it any more. It keeps nothing.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "super/secrets.h"
#include "super/worker.h"

static void __attribute__((noreturn))
keep(int fd, const struct super_credential *c, struct renewal *r, size_t n)
{
	struct pollfd p = { fd, POLLIN, 0 };

	/* ^C is for who serves; then the socket ends. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (poll(&p, 1, WORKER_LOOK_NS / 1000000) == 0)
		for (size_t i = 0; i < n; i++)
			if (renewal_wanted(&c[i], &r[i], clock_boot_ns()))
				renewal_again(fd, &c[i], &r[i], NULL);
	_exit(0);
}

int super_keeper_start(struct super_keeper *k, const struct super_credential *c,
		       size_t n, struct err *err)
{
	CLEANUP_FREE struct renewal *r = calloc(n + 1, sizeof(*r));
	int p[2], rc = r ? super_socketpair(p, err) : -ENOMEM;
	pid_t pid;

	if (rc < 0)
		return r ? rc : fail(err, rc, "%m");
	for (size_t i = 0; i < n; i++)
		renewal_begin(&c[i], &r[i]);
	pid = fork();
	if (pid == 0) {
		/* Nothing else of the server may be kept open here. */
		dup2(p[0], 3);
		close_range(4, ~0U, 0);
		keep(3, c, r, n);
	}
	close(p[0]);
	if (pid < 0) {
		close(p[1]);
		return fail(err, -errno, "cannot start a process: %m");
	}
	*k = (struct super_keeper){ .pid = pid, .fd = p[1] };
	return 0;
}

void super_keeper_finish(struct super_keeper *k)
{
	if (k->pid <= 0)
		return;
	close(k->fd);
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
	k->pid = 0;
}
