/* SPDX-License-Identifier: Apache-2.0 */
#include "main/ending.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#define LAST_CLOSE_SECONDS 10

static volatile sig_atomic_t asked; /* how often */
static volatile sig_atomic_t failed;
static volatile sig_atomic_t unmount_fd = -1;
static struct fuse_server *volatile server;

/* In a handler, in the main thread: only what is async-signal-safe. */
static void ask(bool at_once)
{
	struct fuse_server *s = server;
	int saved = errno;
	bool waits = false;

	asked++;
	if (!at_once && asked == 1 && unmount_fd >= 0) {
		waits = write(unmount_fd, "u", 1) == 1;
		alarm(LAST_CLOSE_SECONDS);
	}
	if (s && !waits)
		fuse_server_stop(s);
	errno = saved;
}

static void on_signal(int sig)
{
	ask(sig == SIGALRM);
}

static void hold_back(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(how, &set, NULL);
}

void ending_init(void)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };

	hold_back(SIG_BLOCK);
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGTERM);
	sigaddset(&sa.sa_mask, SIGINT);
	sigaddset(&sa.sa_mask, SIGALRM);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
}

void ending_attach(struct fuse_server *s, int fd)
{
	unmount_fd = fd;
	server = s;
	hold_back(SIG_UNBLOCK);
}

void ending_detach(void)
{
	hold_back(SIG_BLOCK);
	alarm(0);
	server = NULL;
	unmount_fd = -1;
}

void ending_fail(void)
{
	failed = 1;
	/* To the process: only the main thread takes it, in the handler. */
	kill(getpid(), SIGALRM);
}

int ending_status(void)
{
	return failed ? 1 : 0;
}
