/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

curl_socket_t s3_socket_open(void *arg, curlsocktype purpose,
			     struct curl_sockaddr *a)
{
	struct s3_sockets *s = arg;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	(void)purpose;
	if (fd >= 0 && s->n < S3_SOCKETS_MAX)
		s->open[s->n++] = (struct s3_socket){ .fd = fd };
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int s3_socket_close(void *arg, curl_socket_t fd)
{
	struct s3_sockets *s = arg;
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->open[i].fd == fd) {
			s->open[i] = s->open[--s->n];
			break;
		}
	return close(fd);
}

static int local_port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	if (a.any.sa_family == AF_INET)
		return ntohs(a.v4.sin_port);
	return a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : 0;
}

int s3_socket_find(struct s3_sockets *s, int local_port)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		struct s3_socket *o = &s->open[i];

		if (o->port == 0) /* none before it is connected */
			o->port = local_port_of(o->fd);
		if (o->port == local_port)
			return o->fd;
	}
	return -1;
}

bool s3_socket_quiet(int fd)
{
	char c;

	return fd < 0 || (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
			  (errno == EAGAIN || errno == EINTR));
}

void s3_socket_ack(int fd)
{
	static const int one = 1;

	if (fd >= 0) /* what cannot be had costs time only */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one,
				 sizeof(one));
}
