/* SPDX-License-Identifier: Apache-2.0 */
/* The two parts of a pack that are in clear: header and trailer. */
#ifndef MERSEY_PACK_HEADER_H
#define MERSEY_PACK_HEADER_H

#include "pack/crypto.h"

/* Writes the PACK_HEADER_SIZE bytes of a pack, with their tag. */
int pack_header_make(struct pack_sealer *s, const struct pack_header *h,
		     uint8_t out[PACK_HEADER_SIZE]);

/* Is the header of the pack that `k` opens authentic? 0 or -EBADMSG. */
int pack_header_verify(const struct pack_key *k,
		       const uint8_t header[PACK_HEADER_SIZE]);

struct pack_trailer {
	struct pack_id id;
	uint64_t index_off;
	uint64_t index_len; /* sealed, tag included */
};

/* Writes a trailer. */
void pack_trailer_make(const struct pack_trailer *t,
		       uint8_t out[PACK_TRAILER_SIZE]);

/*
 * Reads the trailer of a pack of `size` bytes. What comes out lies inside
 * the pack and is no larger than an index may be. 0 or -EBADMSG.
 */
int pack_trailer_parse(const uint8_t p[PACK_TRAILER_SIZE], uint64_t size,
		       struct pack_trailer *out);

#endif
