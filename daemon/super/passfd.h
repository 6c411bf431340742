/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a SOCK_SEQPACKET socket that carry one descriptor. */
#ifndef MERSEY_SUPER_PASSFD_H
#define MERSEY_SUPER_PASSFD_H

#include <stddef.h>
#include <sys/types.h>

/* Sends p[0..n) and a copy of `fd`; does not wait. 0 or -errno. */
int passfd_send(int sock, const void *p, size_t n, int fd);

/*
 * Receives one message of at most `size` bytes and the descriptor that came
 * along (*fd; -1: none), the caller's to close in any case. `flags`: of
 * recv(2). Bytes; 0: the other side hung up; -EPROTO: a longer message, or
 * more descriptors; -errno.
 */
ssize_t passfd_receive(int sock, void *p, size_t size, int flags, int *fd);

#endif
