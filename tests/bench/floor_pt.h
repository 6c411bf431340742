/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE passthrough for the floor: what libfuse 3.14 does not know. Asked for in
 * the reply to INIT, an id for each file, and the replies that carry it. ABI
 * 7.40; Debian 12's headers are older.
 */
#ifndef MERSEY_BENCH_FLOOR_PT_H
#define MERSEY_BENCH_FLOOR_PT_H

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdint.h>

/* Looks at a request as it was read; ends the process when INIT does not offer
 * passthrough. */
void pt_see_request(const void *request);

/* Asks for passthrough. */
void pt_ask(struct fuse_init_out *out);

/* An id for the file behind `fd`, or -errno; it pins the file until it is
 * closed. */
int pt_open(int fuse_fd, int fd);
void pt_close(int fuse_fd, int id);

/* 0 or -errno, as fuse_reply_open(): -ENOENT, it was interrupted. */
int pt_reply_open(fuse_req_t req, uint64_t fh, int id);
int pt_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		    uint64_t fh, int id);

#endif
