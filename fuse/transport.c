/* SPDX-License-Identifier: Apache-2.0 */
/* How requests and replies cross the device. */
#include "fuse/impl.h"

#include <errno.h>
#include <linux/fuse.h>
#include <unistd.h>

_Thread_local struct slot *slot_mine;

static ssize_t transport_read(int fd, void *buf, size_t len, void *userdata)
{
	struct slot *sl = slot_mine;
	const struct fuse_in_header *h = buf;
	ssize_t n;

	if (!sl || buf != sl->buf.mem || len > sl->buf_size) {
		errno = EFAULT; /* not a buffer of ours */
		return -1;
	}
	n = read(fd, buf, len);
	if (n >= (ssize_t)sizeof(*h)) {
		sl->unique = h->unique;
		sl->opcode = h->opcode;
		count_request(sl);
	}
	return n;
}

static ssize_t transport_writev(int fd, struct iovec *iov, int count,
				void *userdata)
{
	if (slot_mine)
		raw_init_reply(slot_mine, iov, count);
	return writev(fd, iov, count);
}

const struct fuse_custom_io transport_io = {
	.read = transport_read,
	.writev = transport_writev,
};
