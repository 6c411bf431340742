/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's side of FUSE has beyond Debian 12's headers (Linux 6.1,
 * protocol 7.37) and libfuse 3.14: passthrough, of protocol 7.40 (Linux 6.9).
 * Layouts are the kernel's; names begin with ABI_ so that newer headers do
 * not clash.
 */
#ifndef MERSEY_FUSE_ABI_H
#define MERSEY_FUSE_ABI_H

#include <linux/fuse.h>
#include <stdint.h>

#define ABI_PASSTHROUGH	      (1U << 5) /* of flags2: bit 37 */
#define ABI_FOPEN_PASSTHROUGH (1U << 7)

/* INIT from the kernel, as far as it matters; older ones end sooner. */
struct abi_init_in {
	uint32_t major, minor, max_readahead, flags, flags2;
};

struct abi_init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth; /* of the files behind: 1 = plain ones */
	uint32_t unused[6];
};
_Static_assert(sizeof(struct abi_init_out) == sizeof(struct fuse_init_out),
	       "libfuse sends no more than this");

struct abi_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id; /* with ABI_FOPEN_PASSTHROUGH */
};

struct abi_create_out {
	struct fuse_entry_out entry;
	struct abi_open_out open;
};
_Static_assert(sizeof(struct abi_create_out) == 144, "as the kernel has it");

#endif
