/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors.  Every function returns 0 or -errno (or a count or -errno).  Paths
 * that a person starts also take a `struct err *`, which carries the sentence
 * for that person: what failed, why, and what to do (the hint).
 */
#ifndef MERSEY_BASE_ERR_H
#define MERSEY_BASE_ERR_H

#include <stdarg.h>

struct err {
	char msg[1024]; /* what and why; empty when nothing was said */
	char hint[512]; /* what to do next; may be empty */
};

#define ERR_INIT                      \
	{                             \
		.msg = "", .hint = "" \
	}

/*
 * Writes the message of `err` and returns `rc` (0 or -errno).  %m in the
 * format is the text of rc.  `err` may be NULL.  The hint is cleared.
 */
int fail(struct err *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what the reader can do next.  Returns `rc`, for use after fail(). */
int fail_hint(struct err *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts "text: " in front of the message, for a caller that knows more about
 * the place.  Returns `rc`.
 */
int fail_prefix(struct err *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The symbolic name of an errno value ("EBUSY"), or "E?" when unknown. */
const char *errno_name(int err);

#endif
