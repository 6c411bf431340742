/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say to a GET of the 10 bytes at 5, and what that is. */
#ifndef MERSEY_TESTS_RANGE_ANSWERS_H
#define MERSEY_TESTS_RANGE_ANSWERS_H

#include <errno.h>

#define NO_BODY "Content-Length: 0\r\n\r\n"
#define RANGE(range, body)                              \
	"HTTP/1.1 206 Partial\r\nContent-Range: " range \
	"\r\nContent-Length: " body

static const struct {
	const char *answer;
	int rc;
} range_answers[] = {
	{ RANGE("bytes 5-14/100", "10\r\n\r\n0123456789"), 10 },
	{ RANGE("bytes 5-8/9", "4\r\n\r\n0123"), 4 },
	/* The whole object; another place; less than there is. */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", -EPROTO },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", -EPROTO },
	{ RANGE("bytes 4-13/100", "10\r\n\r\n0123456789"), -EPROTO },
	{ RANGE("bytes 5-8/100", "4\r\n\r\n0123"), -EPROTO },
	{ RANGE("bytes 5-14/100", "9\r\n\r\n012345678"), -EPROTO },
	{ RANGE("bytes 5-15/100", "11\r\n\r\n0123456789A"), -EPROTO },
	{ RANGE("bytes 5-14/*", "10\r\n\r\n0123456789"), -EPROTO },
	{ RANGE("bytes 5-14/14", "10\r\n\r\n0123456789"), -EPROTO },
	{ RANGE("lines 5-14/100", "10\r\n\r\n0123456789"), -EPROTO },
	{ "HTTP/1.1 206 P\r\nContent-Length: 10\r\n\r\n0123456789", -EPROTO },
	{ "HTTP/1.1 416 R\r\n" NO_BODY, -ERANGE },
	/* 404 that is not S3's own */
	{ "HTTP/1.1 404 N\r\n" NO_BODY, -EPROTO },
	{ "HTTP/1.1 404 N\r\nContent-Length: 38\r\n\r\n"
	  "<Error><Code>NoSuchKey</Code> </Error>",
	  -ENOENT },
	{ "HTTP/1.1 503 S\r\n" NO_BODY, -EAGAIN },
};

#endif
