/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_CACHE_OPTS_H
#define MERSEY_CACHE_OPTS_H

#include <stdint.h>

struct cache_opts {
	const char *dir;    /* the trust's state directory; borrowed */
	uint64_t size;	    /* bytes the cache may take */
	unsigned high, low; /* per cent of size: evict from, down to */
	uint64_t free_min;  /* bytes of the filesystem never filled */
	unsigned keep_fds;  /* descriptors kept for protect at most (S4) */
};

#endif
