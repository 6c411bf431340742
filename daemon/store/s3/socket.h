/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of a store's connections. libcurl opens and closes them; a
 * transfer finds its own by the port that its connection has here. All but
 * the last close happens in the transfer thread.
 */
#ifndef MERSEY_STORE_S3_SOCKET_H
#define MERSEY_STORE_S3_SOCKET_H

#include <curl/curl.h>
#include <stdbool.h>

#define S3_SOCKETS_MAX 256 /* what is beyond works, only not as fast */

struct s3_sockets {
	struct s3_socket {
		int fd;
		int port; /* of its own end; 0 = not looked at yet */
	} open[S3_SOCKETS_MAX];
	unsigned n;
};

/* For CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; `arg` is
 * the struct s3_sockets. */
curl_socket_t s3_socket_open(void *arg, curlsocktype purpose,
			     struct curl_sockaddr *a);
int s3_socket_close(void *arg, curl_socket_t fd);

/* The socket whose own end has that port; -1: not known. */
int s3_socket_find(struct s3_sockets *s, int local_port);

/* Nothing has come that was not read, nor has the other end closed; also
 * true of -1, of which nothing is known. */
bool s3_socket_quiet(int fd);

/*
 * Acknowledges at once what arrived. A server that leaves Nagle's algorithm
 * on (Ceph RGW does, unless told otherwise) holds back the last, short
 * segment of an answer until those before it are acknowledged, which Linux
 * puts off for 40 ms on a connection that has been in use for a while. -1 is
 * fine.
 */
void s3_socket_ack(int fd);

#endif
