/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's end of the control socket while it serves: what the supervisor
 * sends is taken by a thread, which hands secrets on and passes brokers to
 * where super_backing_new() looks for them.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/secret.h"
#include "super/passfd.h"
#include "super/secrets.h"
#include "super/wire.h"

struct super_control {
	int fd;	       /* borrowed */
	int broker[2]; /* [0] is read by the other side */
	super_secret_fn fn;
	void *arg;
	pthread_t thread;
};

#define PACKET_MAX (2 + 96 + SUPER_SECRET_SIZE)

static void take_packet(struct super_control *c, const unsigned char *p,
			size_t n, int fd)
{
	struct super_secret s = { 0 };
	struct err err = ERR_INIT;

	if (n == 1 && p[0] == WIRE_BROKER && fd >= 0) {
		if (passfd_send(c->broker[1], p, 1, fd) < 0)
			log_warn("another broker is of no use: %m");
	} else if (super_secret_parse(p, n, &s, &err) == 0) {
		c->fn(c->arg, &s);
		super_secrets_done(&s, 1);
	} else {
		log_err("supervisor: %s", err.msg);
	}
}

static void *control_thread(void *arg)
{
	struct super_control *c = arg;
	unsigned char *p = secret_alloc(PACKET_MAX);

	while (p) {
		int fd;
		ssize_t n = passfd_receive(c->fd, p, PACKET_MAX, 0, &fd);

		if (n > 0)
			take_packet(c, p, (size_t)n, fd);
		if (fd >= 0)
			close(fd);
		explicit_bzero(p, PACKET_MAX);
		/* -EAGAIN: the time limit of the first secrets. */
		if (n == 0 || (n < 0 && n != -EAGAIN && n != -EPROTO))
			break;
	}
	secret_free(p, PACKET_MAX);
	return NULL;
}

static int start_thread(struct super_control *c)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, control_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		pthread_setname_np(c->thread, "control");
	return -rc;
}

static void control_free(struct super_control *c)
{
	if (c->broker[1] > 0)
		close(c->broker[1]);
	if (c->broker[0] > 0)
		close(c->broker[0]);
	free(c);
}

int super_control_start(int fd, super_secret_fn fn, void *arg,
			struct super_control **out)
{
	struct super_control *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c)
		return -ENOMEM;
	c->fd = fd;
	c->fn = fn;
	c->arg = arg;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->broker) <
	    0)
		rc = -errno;
	if (rc == 0)
		rc = start_thread(c);
	if (rc < 0) {
		control_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int super_control_broker_fd(const struct super_control *c)
{
	return c->broker[0];
}

void super_control_stop(struct super_control *c)
{
	if (!c)
		return;
	shutdown(c->fd, SHUT_RD);
	pthread_join(c->thread, NULL);
	control_free(c);
}
