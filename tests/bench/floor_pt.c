/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_pt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "fuse/abi.h"
#include "super/broker.h"

void pt_see_request(const void *request)
{
	const struct fuse_in_header *h = request;
	const struct abi_init_in *in = (const void *)(h + 1);

	if (h->opcode != FUSE_INIT)
		return;
	if (h->len < sizeof(*h) + sizeof(*in) || !(in->flags & FUSE_INIT_EXT) ||
	    !(in->flags2 & ABI_PASSTHROUGH)) {
		fprintf(stderr, "bench-floor: no passthrough in this kernel\n");
		exit(3);
	}
}

void pt_ask(void *init_out)
{
	struct abi_init_out *out = init_out;

	out->flags |= FUSE_INIT_EXT;
	out->flags2 |= ABI_PASSTHROUGH;
	out->max_stack_depth = 1;
}

int pt_open(int fuse_fd, int fd)
{
	struct broker_map map = { .fd = fd };
	int id = ioctl(fuse_fd, BROKER_IOC_OPEN, &map);

	return id < 0 ? -errno : id;
}

void pt_close(int fuse_fd, int id)
{
	uint32_t n = (uint32_t)id;

	if (ioctl(fuse_fd, BROKER_IOC_CLOSE, &n) < 0)
		perror("bench-floor: closing an id");
}

void pt_pass(void *reply, size_t len, int id)
{
	struct abi_open_out *out = (void *)((char *)reply + len - sizeof(*out));

	out->open_flags = ABI_FOPEN_PASSTHROUGH | FOPEN_NOFLUSH;
	out->backing_id = id;
}
