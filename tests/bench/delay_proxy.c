/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line with a round-trip time: a TCP proxy that passes on what it gets half
 * of it later, in each direction. It has no limit of bandwidth: what came
 * together leaves together, and at most WINDOW_MAX bytes are under way in one
 * direction of a connection.
 *
 * A connection costs a round trip before the client's first byte leaves, as
 * SYN and its answer would: the proxy accepts at once, but passes the first
 * bytes on a round trip later. A receiver that does not read stops the sender,
 * without a large buffer in between, so that what a client gives up is not
 * fetched in vain.
 *
 * Each recv() fills a chunk, which is passed on when its time has come. Chunks
 * are taken from one stack, so that few are in use and these stay in the
 * processor's cache.
 *
 * Usage: bench-delay --listen PORT --to HOST:PORT --rtt 20ms
 * Listens on 127.0.0.1 (port 0: a free one) and says so in its first line.
 * SIGUSR1 prints a line of JSON with what passed until now; so does the end
 * (SIGINT, SIGTERM):
 *   {"connections": N, "open": N, "to_server": BYTES, "from_server": BYTES}
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/guard.h"
#include "base/units.h"

#define CHUNK	   (256u << 10)
#define WINDOW_MAX (64u << 20)
#define TURN_MAX   (1u << 20) /* bytes of one direction before others' turn */
#define MERGE_NS   50000      /* what came within this time leaves together */
#define GATHER	   16	      /* chunks of one writev() */
#define EVENTS	   256

struct chunk {
	struct chunk *next;
	int64_t due;
	size_t off, len;
	char data[CHUNK];
};

/* A socket, known to epoll (edge-triggered): what it can do now. */
struct end {
	int fd;
	bool readable, writable;
};

/* One direction of a connection. */
struct lane {
	struct end *from, *to;
	struct chunk *first, *last;
	size_t queued;
	int64_t not_before; /* nothing leaves earlier */
	int64_t end_due;    /* 0: the sender has not ended */
	uint64_t *bytes;
	bool done;
};

struct link {
	struct link *next;
	struct end client, server;
	struct lane up, down;
};

static struct {
	uint64_t connections, open, to_server, from_server;
} count;

static struct link *links;
static struct chunk *spare;
static int64_t delay_ns; /* in one direction */
static int poller;
static struct sockaddr_storage server;
static socklen_t server_len;

/* ---- one direction --------------------------------------------------- */

static struct chunk *chunk_get(void)
{
	struct chunk *c = spare;

	if (c)
		spare = c->next;
	else
		c = malloc(sizeof(*c));
	if (!c) {
		perror("bench-delay");
		exit(1);
	}
	c->next = NULL;
	c->off = c->len = 0;
	return c;
}

static void chunk_put(struct chunk *c)
{
	c->next = spare;
	spare = c;
}

/* The chunk that takes what comes now: the last, or one not yet queued. */
static struct chunk *chunk_for(const struct lane *l, int64_t now)
{
	int64_t due = MAX(now + delay_ns, l->not_before);
	struct chunk *c = l->last;

	if (c && c->len < CHUNK && due - c->due < MERGE_NS)
		return c;
	c = chunk_get();
	c->due = due;
	return c;
}

static void received(struct lane *l, struct chunk *c, size_t n)
{
	c->len += n;
	l->queued += n;
	if (c == l->last)
		return;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
}

/* May more be read? Not when the receiver is behind. */
static bool has_room(const struct lane *l, int64_t now)
{
	return l->end_due == 0 && l->queued < WINDOW_MAX &&
	       (l->to->writable || !l->first || l->first->due > now);
}

/* At once, as a peer nearby would: a sender with Nagle's algorithm must not
 * wait for us longer than the line makes it. */
static void acknowledge(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* Takes what the sender sent. False: the connection is broken. */
static bool fill(struct lane *l, int64_t now)
{
	size_t turn = 0;

	while (l->from->readable && turn < TURN_MAX && has_room(l, now)) {
		struct chunk *c = chunk_for(l, now);
		ssize_t n =
			recv(l->from->fd, c->data + c->len, CHUNK - c->len, 0);

		if (n > 0) {
			received(l, c, (size_t)n);
			acknowledge(l->from->fd);
			turn += (size_t)n;
			continue;
		}
		if (c != l->last)
			chunk_put(c);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n == 0)
			l->end_due = MAX(now + delay_ns, l->not_before);
		l->from->readable = false;
	}
	return true;
}

/* What is due, as one writev() takes it. */
static int gather(const struct lane *l, int64_t now, struct iovec *v)
{
	struct chunk *c = l->first;
	int n = 0;

	for (; c && n < GATHER && c->due <= now; c = c->next)
		v[n++] = (struct iovec){ c->data + c->off, c->len - c->off };
	return n;
}

static void sent(struct lane *l, size_t n)
{
	l->queued -= n;
	*l->bytes += n;
	while (n > 0) {
		struct chunk *c = l->first;
		size_t part = MIN(n, c->len - c->off);

		c->off += part;
		n -= part;
		if (c->off < c->len)
			return;
		l->first = c->next;
		if (!l->first)
			l->last = NULL;
		chunk_put(c);
	}
}

/* Passes on what is due. False: the connection is broken. */
static bool drain(struct lane *l, int64_t now)
{
	struct iovec v[GATHER];
	ssize_t n;
	int parts;

	while (l->to->writable && (parts = gather(l, now, v)) > 0) {
		n = writev(l->to->fd, v, parts);
		if (n > 0)
			sent(l, (size_t)n);
		else if (errno == EAGAIN)
			l->to->writable = false;
		else
			return false;
	}
	if (!l->done && !l->first && l->end_due != 0 && l->end_due <= now) {
		shutdown(l->to->fd, SHUT_WR);
		l->done = true;
	}
	return true;
}

/* When the lane has something to do without an event; 0: at once. */
static int64_t next_due(const struct lane *l, int64_t now)
{
	if (l->from->readable && has_room(l, now))
		return 0;
	if (l->first)
		return l->to->writable ? l->first->due : INT64_MAX;
	return l->end_due != 0 && !l->done ? l->end_due : INT64_MAX;
}

/* ---- connections ----------------------------------------------------- */

static bool watch(int fd, void *ptr)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					   EPOLLET,
				 .data.ptr = ptr };
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) == 0;
}

static void link_free(struct link *k)
{
	struct lane *lanes[] = { &k->up, &k->down };

	for (size_t i = 0; i < ARRAY_SIZE(lanes); i++) {
		while (lanes[i]->first) {
			struct chunk *c = lanes[i]->first;

			lanes[i]->first = c->next;
			chunk_put(c);
		}
	}
	close(k->client.fd);
	if (k->server.fd >= 0)
		close(k->server.fd);
	free(k);
	count.open--;
}

static void link_new(int client, int64_t now)
{
	struct link *k = calloc(1, sizeof(*k));

	if (!k) {
		close(client);
		return;
	}
	k->client.fd = client;
	k->server.fd = socket(server.ss_family,
			      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	k->up = (struct lane){ .from = &k->client,
			       .to = &k->server,
			       .not_before = now + 3 * delay_ns,
			       .bytes = &count.to_server };
	k->down = (struct lane){ .from = &k->server,
				 .to = &k->client,
				 .bytes = &count.from_server };
	count.connections++;
	count.open++;
	if (k->server.fd < 0 ||
	    (connect(k->server.fd, (struct sockaddr *)&server, server_len) <
		     0 &&
	     errno != EINPROGRESS) ||
	    !watch(client, &k->client) || !watch(k->server.fd, &k->server)) {
		link_free(k);
		return;
	}
	k->next = links;
	links = k;
}

static void accept_all(int listener, int64_t now)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		link_new(fd, now);
}

/* Moves what can be moved; returns when there is more to do. */
static int64_t turn(int64_t now)
{
	struct link **at = &links, *k;
	int64_t due = INT64_MAX;

	while ((k = *at) != NULL) {
		bool ok = fill(&k->up, now) && fill(&k->down, now) &&
			  drain(&k->up, now) && drain(&k->down, now);

		if (!ok || (k->up.done && k->down.done)) {
			*at = k->next;
			link_free(k);
			continue;
		}
		due = MIN(due, next_due(&k->up, now));
		due = MIN(due, next_due(&k->down, now));
		at = &k->next;
	}
	return due;
}

/* ---- the loop -------------------------------------------------------- */

static void print_counts(void)
{
	printf("{\"connections\": %" PRIu64 ", \"open\": %" PRIu64
	       ", \"to_server\": %" PRIu64 ", \"from_server\": %" PRIu64 "}\n",
	       count.connections, count.open, count.to_server,
	       count.from_server);
	fflush(stdout);
}

/* False: the end was asked for. */
static bool signalled(int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return true;
	print_counts();
	return info.ssi_signo == SIGUSR1;
}

static void mark(struct epoll_event *e)
{
	struct end *end = e->data.ptr;

	if (e->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		end->readable = true;
	if (e->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		end->writable = true;
}

static int serve(int *listener, int *signals)
{
	struct epoll_event e[EVENTS];
	int64_t due = INT64_MAX, now;

	for (;;) {
		struct timespec ts;
		int i, n;

		now = clock_boot_ns();
		ts = clock_timespec(due > now ? due - now : 0);
		n = epoll_pwait2(poller, e, EVENTS,
				 due == INT64_MAX ? NULL : &ts, NULL);
		if (n < 0 && errno != EINTR)
			return -errno;
		now = clock_boot_ns();
		for (i = 0; i < n; i++) {
			if (e[i].data.ptr == signals) {
				if (!signalled(*signals))
					return 0;
			} else if (e[i].data.ptr == listener) {
				accept_all(*listener, now);
			} else {
				mark(&e[i]);
			}
		}
		due = turn(now);
	}
}

/* ---- the command line ------------------------------------------------ */

static int resolve(const char *text)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[256];
	const char *colon = strrchr(text, ':');
	struct addrinfo *found;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return -EHOSTUNREACH;
	memcpy(&server, found->ai_addr, found->ai_addrlen);
	server_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* A socket that listens on loopback, or -errno. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CLEANUP_CLOSE int fd =
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(a.sin_port));
	fflush(stdout);
	return take_fd(fd);
}

static int run(uint16_t port)
{
	struct epoll_event e = { .events = EPOLLIN };
	CLEANUP_CLOSE int listener = -1;
	CLEANUP_CLOSE int signals = -1;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	poller = epoll_create1(EPOLL_CLOEXEC);
	e.data.ptr = &signals;
	if (signals < 0 || poller < 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, signals, &e) < 0)
		return -errno;
	listener = listen_on(port);
	e.data.ptr = &listener;
	if (listener < 0)
		return listener;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e) < 0)
		return -errno;
	return serve(&listener, &signals);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: bench-delay --listen PORT --to HOST:PORT --rtt 20ms\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "to", required_argument, NULL, 't' },
		{ "rtt", required_argument, NULL, 'r' },
		{ 0 },
	};
	long port = -1;
	int64_t rtt = -1;
	int rc = -EINVAL, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			port = strtol(optarg, NULL, 10);
		else if (c == 't')
			rc = resolve(optarg);
		else if (c != 'r' || units_parse_duration(optarg, &rtt) < 0)
			return usage();
	}
	if (rc == -EINVAL || port < 0 || port > UINT16_MAX || rtt < 0)
		return usage();
	delay_ns = rtt / 2;
	if (rc == 0)
		rc = run((uint16_t)port);
	if (rc < 0)
		fprintf(stderr, "bench-delay: %s\n", strerror(-rc));
	return rc < 0;
}
