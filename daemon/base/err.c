/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void
err_vset(char *dst, size_t size, int rc, const char *fmt, va_list ap)
{
	errno = rc < 0 ? -rc : rc; /* for %m */
	vsnprintf(dst, size, fmt, ap);
}

int fail(struct err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return rc;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	err_vset(err->msg, sizeof(err->msg), rc, fmt, ap);
	va_end(ap);
	return rc;
}

int fail_hint(struct err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return rc;
	va_start(ap, fmt);
	err_vset(err->hint, sizeof(err->hint), rc, fmt, ap);
	va_end(ap);
	return rc;
}

int fail_prefix(struct err *err, int rc, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err)
		return rc;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	err_vset(err->msg, sizeof(err->msg), rc, fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	return rc;
}

const char *errno_name(int err)
{
	const char *name = strerrorname_np(err < 0 ? -err : err);

	return name ? name : "E?";
}
