/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_CACHE_OPTS_H
#define MERSEY_CACHE_OPTS_H

#include <stdint.h>

struct cache_opts {
	const char *dir;    /* the trust's state directory; borrowed */
	uint64_t size;	    /* bytes the cache may take */
	unsigned high, low; /* per cent of size: evict from, down to */
	unsigned reserve;   /* per cent of size kept for new writes */
	uint64_t free_min;  /* bytes of the filesystem never filled */
	uint64_t ballast;   /* bytes kept for the database on a full disk */
	unsigned keep_fds;  /* closed files that wait for their flush at most,
			       each with its descriptor (S4) */
	/* FUSE passthrough: bytes of headroom that an open for writing wants
	 * (S13), at most a sixteenth of size; files registered at most. */
	uint64_t passthrough_reserve;
	unsigned backing_max;
	/* Files at most that the kernel may write to by itself, open or closed
	 * and still mapped: each has two descriptors. 0: no limit. */
	unsigned unseen_max;
	int64_t room_wait_ns; /* how long who writes waits for room; 0 = 5 s */
};

#endif
