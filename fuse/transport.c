/* SPDX-License-Identifier: Apache-2.0 */
/* How requests and replies cross the device. */
#include "fuse/impl.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
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
	}
	return n;
}

/*
 * libfuse 3.14.0 never asks for FUSE_PARALLEL_DIROPS, though it is in
 * conn->want: without it, lookups in one directory wait for each other.
 */
static void patch_init(const struct slot *sl, struct iovec *iov, int count)
{
	const struct fuse_out_header *h = iov[0].iov_base;
	struct fuse_init_out *out;

	if (sl->opcode != FUSE_INIT || h->unique != sl->unique ||
	    h->error != 0 || count != 2 || iov[1].iov_len < sizeof(*out))
		return;
	out = iov[1].iov_base;
	if (sl->s->parallel_dirs)
		out->flags |= FUSE_PARALLEL_DIROPS;
}

static ssize_t transport_writev(int fd, struct iovec *iov, int count,
				void *userdata)
{
	if (slot_mine)
		patch_init(slot_mine, iov, count);
	return writev(fd, iov, count);
}

const struct fuse_custom_io transport_io = {
	.read = transport_read,
	.writev = transport_writev,
};
