/* SPDX-License-Identifier: Apache-2.0 */
#include "super/passfd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for one descriptor, as the kernel wants it aligned. */
union control {
	struct cmsghdr align;
	char b[CMSG_SPACE(sizeof(int))];
};

int passfd_send(int sock, const void *p, size_t n, int fd)
{
	struct iovec iov = { (void *)p, n };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      .msg_controllen = sizeof(control.b) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static int received(struct msghdr *msg)
{
	struct cmsghdr *c;
	int fd = -1;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

ssize_t passfd_receive(int sock, void *p, size_t size, int flags, int *fd)
{
	struct iovec iov = { p, size };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      /* CMSG_SPACE would be room for two. */
			      .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*fd = received(&msg);
	return msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : n;
}
