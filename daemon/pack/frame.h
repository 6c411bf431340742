/* SPDX-License-Identifier: Apache-2.0 */
/* One frame: LZ4 when it pays, then AES-256-GCM. */
#ifndef MERSEY_PACK_FRAME_H
#define MERSEY_PACK_FRAME_H

#include "pack/crypto.h"

#define PACK_SEALED_MAX (PACK_FRAME_MAX + PACK_TAG_SIZE)

/*
 * Memory for compressing, reused from frame to frame, and what the frames so
 * far tell of the next: behind each that did not shrink, more and more are not
 * tried (0, 1, 3, 7, 15), until it is one in a megabyte that is.
 */
struct pack_press {
	void *state;	     /* LZ4's */
	bool never;	     /* do not try at all */
	unsigned skip, pass; /* frames to pass over: behind the next that does
				not shrink, and before the next try */
	uint8_t out[PACK_FRAME_MAX];
};

/* The working memory of LZ4; NULL without memory. */
struct pack_press *pack_press_new(void);
void pack_press_free(struct pack_press *p);
DEFINE_GUARD(struct pack_press *, pack_press_free);

/* Other content comes: forgets what the frames so far told. */
void pack_press_begin(struct pack_press *p, bool compressible);

/*
 * Compresses len bytes into p->out. The compressed length, or 0 when that
 * would save less than 5 %, or was not tried.
 */
size_t pack_press_try(struct pack_press *p, const void *plain, size_t len);

/*
 * Seals plain[0..f->plain_len) as frame f->index of the pack to dst, which
 * has room for PACK_SEALED_MAX bytes; sets compressed and stored_len of `f`.
 * Once per index and key. 0 or -EIO: then the index is used up all the same.
 */
int pack_frame_seal(struct pack_sealer *s, struct pack_press *p,
		    const struct pack_volume_id *volume,
		    const struct pack_id *id, struct pack_frame *f, bool last,
		    const void *plain, void *dst);

/* Do the lengths of a frame agree with each other? */
bool pack_frame_sane(const struct pack_frame *f);

#endif
