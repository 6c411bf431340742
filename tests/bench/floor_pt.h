/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE passthrough for the floor: what libfuse 3.14 does not know is put into
 * its replies on their way to the kernel.
 */
#ifndef MERSEY_BENCH_FLOOR_PT_H
#define MERSEY_BENCH_FLOOR_PT_H

#include <stddef.h>

/* Looks at a request as it was read; ends the process when INIT does not offer
 * passthrough. */
void pt_see_request(const void *request);

/* Asks for passthrough in the reply to INIT. */
void pt_ask(void *init_out);

/* An id for the file behind `fd`, or -errno; it pins the file until it is
 * closed. */
int pt_open(int fuse_fd, int fd);
void pt_close(int fuse_fd, int id);

/* Puts an id into the reply to OPEN or CREATE. */
void pt_pass(void *reply, size_t len, int id);

#endif
