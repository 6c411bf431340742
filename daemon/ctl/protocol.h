/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of the control socket, and the JSON of `mersey --json`,
 * have in common: lines, paths, times, errors. Only base and jansson.
 */
#ifndef MERSEY_CTL_PROTOCOL_H
#define MERSEY_CTL_PROTOCOL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"

#define PROTO_REQUEST_MAX 1048576U  /* bytes of one request line */
#define PROTO_REPLY_MAX	  67108864U /* bytes of one line of an answer */

static inline void proto_decref_guard(json_t **j)
{
	json_decref(*j);
}

#define CLEANUP_JSON CLEANUP(proto_decref_guard)

/*
 * One JSON object from text: -EINVAL with err (what and where) when it is
 * anything else, repeats a key, or nests deeper than jansson allows (2048).
 */
int proto_parse(const char *text, size_t len, json_t **out, struct err *err);

/* Appends compact text and a newline. 0 or -ENOMEM. */
int proto_line(const json_t *o, struct buf *out);

/*
 * Sets o[key]; steals `value`. 0, or -ENOMEM, also when value is NULL, so
 * that constructors may be nested and checked once.
 */
int proto_set(json_t *o, const char *key, json_t *value);

/* A number of bytes or files; what does not fit a signed 64-bit number is
 * the largest one. */
json_t *proto_count(uint64_t n);

/* ISO 8601 UTC with Z, or null for 0 (never). */
json_t *proto_time(int64_t wall_ns);

/* Text of our own that may be empty: null for "" and NULL. */
json_t *proto_text(const char *s);

/* ---- paths ---------------------------------------------------------- */

/* Appends p with U+FFFD for each byte that is not part of valid UTF-8. */
int proto_utf8(const void *p, size_t n, struct buf *out);
bool proto_is_utf8(const void *p, size_t n);

/* Sets "path" and, when it is not UTF-8, "path_base64". 0 or -ENOMEM. */
int proto_set_path(json_t *o, const void *p, size_t n);
/* A new object with the path. */
json_t *proto_path(const void *p, size_t n);
/* Appends the raw bytes. 0, -EINVAL (neither key, bad base64, a NUL). */
int proto_get_path(const json_t *o, struct buf *out);

/* ---- findings ------------------------------------------------------- */

enum proto_level { PROTO_OK, PROTO_WARN, PROTO_FAIL };

/* The text that vprintf() would print; NULL without memory. */
json_t *proto_vtext(const char *fmt, va_list ap)
	__attribute__((format(printf, 1, 0)));

/* A row of `mersey doctor`; steals `message`. `hint` is shown only with what
 * is not ok. NULL without memory. */
json_t *proto_finding(const char *check, const char *trust,
		      enum proto_level level, const char *hint,
		      json_t *message);

/* ---- errors --------------------------------------------------------- */

/* "not_found", "busy", …: one table from -errno; "failed" for others. */
const char *proto_code(int rc);

/* {"code", "errno", "message", "hint"}; code NULL = proto_code(rc). */
json_t *proto_error(const char *code, int rc, const struct err *err);

/* The -errno that an error object names; -EIO when it names none. */
int proto_errno(const json_t *error);

/* ---- lines from a descriptor ---------------------------------------- */

struct proto_reader {
	int fd;	    /* borrowed */
	size_t max; /* of a line */
	struct buf in;
	size_t used; /* bytes of `in` that earlier lines took */
};

/* Lines of at most `max` bytes from fd, which is borrowed. */
void proto_reader_init(struct proto_reader *r, int fd, size_t max);
/* Frees the buffer; fd stays open. */
void proto_reader_done(struct proto_reader *r);
/*
 * The next line without its newline, valid until the next call. 1; 0 at the
 * end of the stream (what came without a newline is dropped); -EMSGSIZE;
 * -EAGAIN when the socket's timeout passed; -errno.
 */
int proto_reader_line(struct proto_reader *r, const char **line, size_t *len);

/* Sends all bytes on a socket without SIGPIPE. 0 or -errno. */
int proto_send(int fd, const void *p, size_t n);

#endif
