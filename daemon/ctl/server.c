/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening side: one thread accepts and watches for clients that hang
 * up, each client has a thread that answers its lines one after the other.
 *
 * Who calls is what the kernel says (SO_PEERCRED, SO_PEERGROUPS). A caller
 * without any role is refused before it can hold anything; the last places
 * are kept for root, so that nobody can lock it out.
 */
#include "ctl/verbs.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"

#define CTL_CLIENTS	 16
#define CTL_FOR_ROOT	 2
#define CTL_GROUPS_MAX	 65536
#define CTL_IDLE_SECONDS 60 /* between requests */
#define CTL_SEND_SECONDS 10 /* a client that does not read is dropped */

struct ctl_client {
	struct ctl_server *s;
	bool used;
	int fd;
	gid_t *groups;
	struct ctl_peer peer;
	pthread_t thread;
	bool done; /* atomic: the thread is at its end */
};

struct ctl_server {
	const struct ctl_worker *w;
	int fd;	       /* listens */
	int wake;      /* eventfd: a client's thread ended, or stop */
	bool stopping; /* atomic */
	pthread_t thread;
	struct ctl_client client[CTL_CLIENTS]; /* the accept thread's */
};

/* ---- listening ------------------------------------------------------ */

int ctl_listen(const char *path, struct err *err)
{
	CLEANUP_CLOSE int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (fd < 0)
		return fail(err, -errno, "cannot make a socket: %m");
	if (strlen(path) >= sizeof(a.sun_path))
		return fail(err, -ENAMETOOLONG,
			    "the socket's path is too long: '%s'", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(err, -errno, "cannot replace socket '%s': %m",
			    path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail(err, -errno, "cannot bind socket '%s': %m", path);
	/* who may is decided by what the kernel says of the caller */
	if (chmod(path, 0666) < 0 || listen(fd, CTL_CLIENTS) < 0)
		return fail(err, -errno, "cannot listen at '%s': %m", path);
	return take_fd(fd);
}

/* ---- one client ----------------------------------------------------- */

static int client_send(void *arg, const char *line, size_t len)
{
	struct ctl_client *cl = arg;

	return proto_send(cl->fd, line, len);
}

static int client_line(struct ctl_client *cl, int got, const char *line,
		       size_t len)
{
	CLEANUP_BUF struct buf reply = { 0 };
	struct err err = ERR_INIT;
	CLEANUP_JSON json_t *o = NULL;
	int rc;

	if (got == 1) {
		rc = ctl_handle_line(cl->s->w, &cl->peer, line, len, &reply);
	} else { /* -EMSGSIZE */
		fail(&err, got, "the request is too long");
		o = json_pack("{s:n, s:o}", "id", "error",
			      proto_error(NULL, got, &err));
		rc = o ? proto_line(o, &reply) : -ENOMEM;
	}
	return rc < 0 ? rc : proto_send(cl->fd, (char *)reply.data, reply.len);
}

static void *client_thread(void *arg)
{
	struct ctl_client *cl = arg;
	struct proto_reader r;
	uint64_t one = 1;
	const char *line;
	size_t len;
	int got, rc = 0;

	proto_reader_init(&r, cl->fd, CTL_LINE_MAX);
	do {
		got = proto_reader_line(&r, &line, &len);
		if (got == 1 || got == -EMSGSIZE)
			rc = client_line(cl, got, line, len);
	} while (got == 1 && rc == 0);
	proto_reader_done(&r);
	shutdown(cl->fd, SHUT_RDWR);
	__atomic_store_n(&cl->done, true, __ATOMIC_RELEASE);
	if (write(cl->s->wake, &one, sizeof(one)) < 0)
		log_err("control socket: %s", strerror(errno));
	return NULL;
}

/* ---- accepting ------------------------------------------------------ */

/* Supplementary groups of the peer. Count or -errno; *out is malloc'ed. */
static ssize_t peer_groups(int fd, gid_t **out)
{
	socklen_t len = 64 * sizeof(gid_t);
	CLEANUP_FREE gid_t *g = malloc(len);

	if (!g)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, g, &len) < 0) {
		gid_t *more;

		if (errno != ERANGE || len > CTL_GROUPS_MAX * sizeof(gid_t))
			return -errno;
		more = realloc(g, len);
		if (!more)
			return -ENOMEM;
		g = more;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, g, &len) < 0)
			return -errno;
	}
	*out = take(g);
	return (ssize_t)(len / sizeof(gid_t));
}

static int client_peer(struct ctl_client *cl)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	ssize_t n;

	if (getsockopt(cl->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	n = peer_groups(cl->fd, &cl->groups);
	if (n < 0)
		return (int)n;
	cl->peer = (struct ctl_peer){ .uid = cred.uid,
				      .gid = cred.gid,
				      .groups = cl->groups,
				      .n_groups = (size_t)n,
				      .send = client_send,
				      .arg = cl };
	return 0;
}

static void client_clear(struct ctl_client *cl)
{
	close(cl->fd);
	free(cl->groups);
	memset(cl, 0, sizeof(*cl));
}

/* Says why and closes; a full socket buffer loses the sentence, no more. */
static void client_refuse(struct ctl_client *cl, int refusal, const char *why,
			  const char *hint)
{
	CLEANUP_BUF struct buf b = { 0 };
	CLEANUP_JSON json_t *o = NULL;
	struct err err = ERR_INIT;

	fail(&err, refusal, "%s", why);
	fail_hint(&err, refusal, "%s", hint);
	o = json_pack("{s:n, s:o}", "id", "error",
		      proto_error(NULL, refusal, &err));
	if (o && proto_line(o, &b) == 0 &&
	    send(cl->fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: a refusal was not heard: %s",
			  strerror(errno));
	shutdown(cl->fd, SHUT_WR);
	client_clear(cl);
}

static struct ctl_client *client_place(struct ctl_server *s, size_t *used)
{
	struct ctl_client *place = NULL;
	size_t i;

	*used = 0;
	for (i = 0; i < CTL_CLIENTS; i++) {
		if (s->client[i].used)
			(*used)++;
		else
			place = &s->client[i];
	}
	return place;
}

static int client_start(struct ctl_client *cl)
{
	struct timeval idle = { .tv_sec = CTL_IDLE_SECONDS };
	struct timeval slow = { .tv_sec = CTL_SEND_SECONDS };
	int rc;

	if (setsockopt(cl->fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle)) <
		    0 ||
	    setsockopt(cl->fd, SOL_SOCKET, SO_SNDTIMEO, &slow, sizeof(slow)) <
		    0)
		return -errno;
	rc = pthread_create(&cl->thread, NULL, client_thread, cl);
	return -rc;
}

static void client_admit(struct ctl_server *s, int fd)
{
	struct ctl_client new = { .s = s, .fd = fd };
	size_t used;
	struct ctl_client *cl = client_place(s, &used);
	int rc = client_peer(&new);
	unsigned roles = rc == 0 ? ctl_roles(s->w, &new.peer) : 0;

	if (!roles) {
		client_refuse(&new, -EPERM, "you may not use this trust",
			      "ask to be added to gateway.operators");
		return;
	}
	if (!cl ||
	    (!(roles & CTL_ADMIN) && used >= CTL_CLIENTS - CTL_FOR_ROOT)) {
		client_refuse(&new, -EAGAIN,
			      "too many commands are talking to this trust",
			      "try again when some have ended");
		return;
	}
	*cl = new;
	cl->peer.arg = cl;
	rc = client_start(cl);
	if (rc < 0) {
		log_err("control socket: no thread for a client: %s",
			strerror(-rc));
		client_clear(cl);
		return;
	}
	cl->used = true;
}

static void server_accept(struct ctl_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		client_admit(s, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_err("control socket: cannot accept: %s", strerror(errno));
		clock_sleep_ns(NSEC_PER_SEC / 10); /* no descriptors, say */
	}
}

/* ---- the accept thread ---------------------------------------------- */

static void client_leave(struct ctl_client *cl)
{
	__atomic_store_n(&cl->peer.gone, true, __ATOMIC_RELAXED);
}

/* Ends threads that are at their end; `all`: those that soon will be. */
static void server_reap(struct ctl_server *s, bool all)
{
	size_t i;

	for (i = 0; i < CTL_CLIENTS; i++) {
		struct ctl_client *cl = &s->client[i];

		if (!cl->used ||
		    (!all && !__atomic_load_n(&cl->done, __ATOMIC_ACQUIRE)))
			continue;
		pthread_join(cl->thread, NULL);
		client_clear(cl);
	}
}

/* Every verb that waits stops waiting, every read ends. */
static void server_dismiss(struct ctl_server *s)
{
	size_t i;

	for (i = 0; i < CTL_CLIENTS; i++) {
		if (!s->client[i].used)
			continue;
		client_leave(&s->client[i]);
		shutdown(s->client[i].fd, SHUT_RDWR);
	}
}

/* Slots 0 and 1 are the listener and the wake-up; a client that left is not
 * asked about again (-1). POLLHUP comes unasked, when both ways are shut. */
static void server_poll_set(const struct ctl_server *s, struct pollfd *p)
{
	size_t i;

	p[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = s->wake, .events = POLLIN };
	for (i = 0; i < CTL_CLIENTS; i++) {
		const struct ctl_client *cl = &s->client[i];
		bool watch = cl->used && !cl->peer.gone;

		p[2 + i] = (struct pollfd){ .fd = watch ? cl->fd : -1 };
	}
}

static void *server_thread(void *arg)
{
	struct ctl_server *s = arg;
	struct pollfd p[2 + CTL_CLIENTS];
	uint64_t n;
	size_t i;

	while (!__atomic_load_n(&s->stopping, __ATOMIC_ACQUIRE)) {
		server_poll_set(s, p);
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue; /* EINTR: a signal that is not ours */
		if (p[1].revents && read(s->wake, &n, sizeof(n)) < 0)
			log_err("control socket: %s", strerror(errno));
		for (i = 0; i < CTL_CLIENTS; i++)
			if (p[2 + i].revents)
				client_leave(&s->client[i]);
		server_reap(s, false);
		if (p[0].revents)
			server_accept(s);
	}
	server_dismiss(s);
	server_reap(s, true);
	return NULL;
}

int ctl_server_start(int fd, const struct ctl_worker *w,
		     struct ctl_server **out, struct err *err)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->w = w;
	s->fd = fd;
	s->wake = eventfd(0, EFD_CLOEXEC);
	rc = s->wake < 0 ? -errno
			 : -pthread_create(&s->thread, NULL, server_thread, s);
	if (rc < 0) {
		if (s->wake >= 0)
			close(s->wake);
		close(s->fd);
		free(s);
		return fail(err, rc, "cannot start the control socket: %m");
	}
	pthread_setname_np(s->thread, "control");
	*out = s;
	return 0;
}

void ctl_server_stop(struct ctl_server *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	__atomic_store_n(&s->stopping, true, __ATOMIC_RELEASE);
	if (write(s->wake, &one, sizeof(one)) < 0)
		log_err("control socket: %s", strerror(errno));
	pthread_join(s->thread, NULL);
	close(s->wake);
	close(s->fd);
	free(s);
}
