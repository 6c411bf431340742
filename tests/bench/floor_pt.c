/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_pt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define INIT_EXT	  (1u << 30) /* flags2 means something */
#define INIT2_PASSTHROUGH (1u << 5)  /* bit 37 */
#define OPEN_NOFLUSH	  (1u << 5)
#define OPEN_PASSTHROUGH  (1u << 7)

/* As the kernel has it since 7.40: the last two were unused. */
struct init_in {
	uint32_t major, minor, max_readahead, flags, flags2;
};

struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth;
	uint32_t unused[6];
};

struct open_out {
	uint64_t fh;
	uint32_t flags;
	int32_t backing_id;
};

struct create_out {
	struct fuse_entry_out entry;
	struct open_out open;
};

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

_Static_assert(sizeof(struct init_out) == sizeof(struct fuse_init_out), "ABI");
_Static_assert(sizeof(struct create_out) == 144, "ABI");

void pt_see_request(const void *request)
{
	const struct fuse_in_header *h = request;
	const struct init_in *in = (const void *)(h + 1);

	if (h->opcode != FUSE_INIT)
		return;
	if (h->len < sizeof(*h) + sizeof(*in) || !(in->flags & INIT_EXT) ||
	    !(in->flags2 & INIT2_PASSTHROUGH)) {
		fprintf(stderr, "bench-floor: no passthrough in this kernel\n");
		exit(3);
	}
}

void pt_ask(struct fuse_init_out *out)
{
	struct init_out *o = (struct init_out *)out;

	o->flags |= INIT_EXT;
	o->flags2 |= INIT2_PASSTHROUGH;
	o->max_stack_depth = 1;
}

int pt_open(int fuse_fd, int fd)
{
	struct backing_map map = { .fd = fd };
	int id = ioctl(fuse_fd, BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

void pt_close(int fuse_fd, int id)
{
	uint32_t n = (uint32_t)id;

	if (ioctl(fuse_fd, BACKING_CLOSE, &n) < 0)
		perror("bench-floor: closing an id");
}

static struct open_out opened(uint64_t fh, int id)
{
	return (struct open_out){ .fh = fh,
				  .flags = OPEN_PASSTHROUGH | OPEN_NOFLUSH,
				  .backing_id = id };
}

int pt_reply_open(fuse_req_t req, uint64_t fh, int id)
{
	struct open_out o = opened(fh, id);

	return fuse_reply_buf(req, (char *)&o, sizeof(o));
}

static void fill_attr(const struct stat *st, struct fuse_attr *a)
{
	*a = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

int pt_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		    uint64_t fh, int id)
{
	struct create_out o = {
		.entry = { .nodeid = e->ino,
			   .generation = e->generation,
			   .entry_valid = (uint64_t)e->entry_timeout,
			   .attr_valid = (uint64_t)e->attr_timeout },
		.open = opened(fh, id),
	};

	fill_attr(&e->attr, &o.entry.attr);
	return fuse_reply_buf(req, (char *)&o, sizeof(o));
}
