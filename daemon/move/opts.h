/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_MOVE_OPTS_H
#define MERSEY_MOVE_OPTS_H

#include <stdint.h>

struct move_opts {
	int64_t settle_ns;	    /* protect this long after the last close */
	int64_t max_unprotected_ns; /* copy what is open for longer; 0 = no */
	int64_t read_wait_ns;	    /* a read waits this long for the store */
	int64_t recall_wait_ns;	    /* and this long for an archive class */
	int64_t delete_after_ns;    /* grace of condemned packs (P7) */
	uint64_t object_size;	    /* target size of a pack */
	unsigned streams;	    /* packs sealed and sent at once */
	unsigned in_flight;	    /* GETs of recalls at once */
	uint64_t recall_bytes;	    /* of their buffers, at most */
	const char *tier;	    /* name of the first tier; borrowed */
	const char *storage_class;  /* "" = the store's default; borrowed */
};

#endif
