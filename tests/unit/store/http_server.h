/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server on loopback for tests: one thread accepts, one
 * serves each connection, a function answers.
 */
#ifndef MERSEY_TESTS_HTTP_SERVER_H
#define MERSEY_TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct http_request {
	char method[8];
	char path[2048]; /* with the query */
	char head[8192]; /* the header lines */
	struct buf body;
	unsigned number; /* of this server, from 0 */
};

/*
 * Writes the whole answer, as it goes over the wire, to `out`; empty = the
 * connection is closed without one. False closes it afterwards.
 */
typedef bool (*http_answer_fn)(const struct http_request *r, struct buf *out,
			       void *arg);

struct http_server;

/* NULL when it cannot listen. */
struct http_server *http_server_start(http_answer_fn answer, void *arg);
/* The same on "127.0.0.1" or "::1". */
struct http_server *http_server_start_at(const char *address,
					 http_answer_fn answer, void *arg);
/* Ends connections and waits for its threads. */
void http_server_stop(struct http_server *s);
/* "http://127.0.0.1:PORT", "http://[::1]:PORT" */
const char *http_server_url(const struct http_server *s);
/* Requests so far. */
unsigned http_server_requests(const struct http_server *s);

/* The value of a header (name in lower case), or false. */
bool http_header(const struct http_request *r, const char *name, char *out,
		 size_t room);

#endif
