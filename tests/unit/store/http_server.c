/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store/http_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/guard.h"

#define CONNECTIONS_MAX 256

struct http_server {
	http_answer_fn answer;
	void *arg;
	int fd;
	char url[64];
	atomic_uint requests;
	atomic_bool stop;
	pthread_t acceptor;
	pthread_mutex_t lock; /* guards what follows */
	struct {
		pthread_t thread;
		int fd; /* -1 = closed */
	} conn[CONNECTIONS_MAX];
	size_t n_conn;
};

struct connection {
	struct http_server *s;
	size_t index;
	int fd;
};

bool http_header(const struct http_request *r, const char *name, char *out,
		 size_t room)
{
	size_t len = strlen(name);

	for (const char *p = r->head; *p; p = strchr(p, '\n') + 1) {
		const char *end = strchr(p, '\r');

		if (!end)
			return false;
		if (strncasecmp(p, name, len) != 0 || p[len] != ':')
			continue;
		p += len + 1;
		while (*p == ' ')
			p++;
		snprintf(out, room, "%.*s", (int)(end - p), p);
		return true;
	}
	return false;
}

/* Reads up to the empty line; what came behind it goes to the body. */
static bool read_head(int fd, struct http_request *r, struct buf *in)
{
	const char *end = NULL;
	char *eol;

	while (!end) {
		uint8_t *p;
		ssize_t n;

		end = in->len ? strstr(buf_str(in), "\r\n\r\n") : NULL;
		if (end)
			break;
		if (in->len > sizeof(r->head) || buf_reserve(in, 4096) < 0)
			return false;
		p = in->data + in->len;
		n = recv(fd, p, 4096, 0);
		if (n <= 0)
			return false;
		in->len += (size_t)n;
	}
	eol = strstr((char *)in->data, "\r\n");
	if (sscanf((char *)in->data, "%7s %2047s", r->method, r->path) != 2)
		return false;
	snprintf(r->head, sizeof(r->head), "%.*s", (int)(end + 2 - (eol + 2)),
		 eol + 2);
	r->body.len = 0;
	end += 4;
	return buf_add(&r->body, end,
		       (size_t)((char *)in->data + in->len - end)) == 0;
}

static bool read_body(int fd, struct http_request *r)
{
	char text[32];
	size_t want = 0;

	if (http_header(r, "content-length", text, sizeof(text)))
		want = strtoull(text, NULL, 10);
	while (r->body.len < want) {
		ssize_t n;

		if (buf_reserve(&r->body, 65536) < 0)
			return false;
		n = recv(fd, r->body.data + r->body.len,
			 MIN(want - r->body.len, (size_t)65536), 0);
		if (n <= 0)
			return false;
		r->body.len += (size_t)n;
	}
	return r->body.len == want;
}

static bool send_all(int fd, const struct buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n =
			send(fd, b->data + done, b->len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* A client that asks for it waits before it sends the body. */
static bool send_continue(int fd, const struct http_request *r)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct buf b = { .data = (uint8_t *)text,
			       .len = sizeof(text) - 1 };
	char v[16];

	return !http_header(r, "expect", v, sizeof(v)) || send_all(fd, &b);
}

static bool serve_one(struct http_server *s, int fd, struct http_request *r)
{
	CLEANUP_BUF struct buf in = { 0 };
	CLEANUP_BUF struct buf out = { 0 };
	bool keep;

	if (!read_head(fd, r, &in) || !send_continue(fd, r) ||
	    !read_body(fd, r))
		return false;
	r->number = atomic_fetch_add(&s->requests, 1);
	keep = s->answer(r, &out, s->arg);
	return send_all(fd, &out) && keep && out.len;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct http_request *r = calloc(1, sizeof(*r));

	while (r && serve_one(c->s, c->fd, r))
		;
	if (r)
		buf_done(&r->body);
	free(r);
	pthread_mutex_lock(&c->s->lock);
	c->s->conn[c->index].fd = -1;
	close(c->fd);
	pthread_mutex_unlock(&c->s->lock);
	free(c);
	return NULL;
}

static void start_connection(struct http_server *s, int fd)
{
	struct connection *c = malloc(sizeof(*c));

	LOCK_SCOPE(&s->lock);
	if (!c || s->n_conn == CONNECTIONS_MAX) {
		free(c);
		close(fd);
		return;
	}
	*c = (struct connection){ .s = s, .index = s->n_conn, .fd = fd };
	s->conn[s->n_conn].fd = fd;
	if (pthread_create(&s->conn[s->n_conn].thread, NULL, serve, c) != 0) {
		free(c);
		close(fd);
		return;
	}
	s->n_conn++;
}

static void *accept_loop(void *arg)
{
	struct http_server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);

		if (atomic_load(&s->stop)) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		if (fd >= 0)
			start_connection(s, fd);
	}
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Listens on a free port. Descriptor, or -1. */
static int listen_at(const char *address, union address *a)
{
	bool v6 = strchr(address, ':') != NULL;
	socklen_t len = v6 ? sizeof(a->v6) : sizeof(a->v4);
	void *to = v6 ? (void *)&a->v6.sin6_addr : &a->v4.sin_addr;
	CLEANUP_CLOSE int fd = -1;

	*a = (union address){ .any.sa_family = v6 ? AF_INET6 : AF_INET };
	fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(a->any.sa_family, address, to) != 1 ||
	    bind(fd, &a->any, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, &a->any, &len) < 0)
		return -1;
	return take_fd(fd);
}

struct http_server *http_server_start_at(const char *address,
					 http_answer_fn answer, void *arg)
{
	struct http_server *s = calloc(1, sizeof(*s));
	union address a;
	bool v6 = strchr(address, ':') != NULL;

	if (!s)
		return NULL;
	s->answer = answer;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = listen_at(address, &a);
	if (s->fd < 0 ||
	    pthread_create(&s->acceptor, NULL, accept_loop, s) != 0) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return NULL;
	}
	snprintf(s->url, sizeof(s->url), "http://%s%s%s:%u", v6 ? "[" : "",
		 address, v6 ? "]" : "",
		 ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port));
	return s;
}

struct http_server *http_server_start(http_answer_fn answer, void *arg)
{
	return http_server_start_at("127.0.0.1", answer, arg);
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->acceptor, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_conn; i++)
		if (s->conn[i].fd >= 0)
			shutdown(s->conn[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_conn; i++)
		pthread_join(s->conn[i].thread, NULL);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const char *http_server_url(const struct http_server *s)
{
	return s->url;
}

unsigned http_server_requests(const struct http_server *s)
{
	return atomic_load(&s->requests);
}
