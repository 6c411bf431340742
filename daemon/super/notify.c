/* SPDX-License-Identifier: Apache-2.0 */
#include "super/super.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int super_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	CLEANUP_CLOSE int fd = -1;
	char text[512];
	socklen_t len;
	va_list ap;
	int n;

	if (!path || !*path)
		return 0;
	if (strlen(path) >= sizeof(to.sun_path) || !strchr("/@", *path))
		return -EINVAL;
	memcpy(to.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (*path == '@') /* abstract */
		to.sun_path[0] = '\0';

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to,
		   len) < 0)
		return -errno;
	return 0;
}
