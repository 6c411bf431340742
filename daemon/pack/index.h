/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain bytes of a pack's index: built by the writer, read by the
 * reader. Sealing is not done here.
 */
#ifndef MERSEY_PACK_INDEX_H
#define MERSEY_PACK_INDEX_H

#include "pack/crypto.h"

/* What ties an index to its pack; written at the end, checked at the start. */
struct pack_index_bind {
	uint32_t generation;
	uint8_t header_hash[PACK_DIGEST_SIZE];
	uint64_t index_off;
};

/* ---- building -------------------------------------------------------- */

struct pack_index_build {
	struct buf table; /* INDEX_FRAME_SIZE bytes per frame */
	struct buf body;  /* members */
	struct buf kept;  /* INDEX_KEPT_SIZE bytes per kept run */
	uint32_t frames, members, runs, xattrs, kepts;
	bool part; /* the members are parts */
};

/* Frees what the build holds. */
void pack_index_build_done(struct pack_index_build *b);

/* Makes room for one frame. 0, -ENOMEM, or -ENOSPC: the index is full. */
int pack_index_room(struct pack_index_build *b);

/* Adds a frame; there is room. */
void pack_index_add_frame(struct pack_index_build *b,
			  const struct pack_frame *f, bool last);

/*
 * Adds a member with its runs. 0, -ENOMEM, -EINVAL: not a member that a
 * reader would take, -ENOSPC: the index would be too large. On failure the
 * index is as before.
 */
int pack_index_add_member(struct pack_index_build *b,
			  const struct pack_member *m,
			  const struct pack_run *run, size_t runs);

/* Appends the index, padded, to `out`. 0 or -ENOMEM. */
int pack_index_encode(const struct pack_index_build *b,
		      const struct pack_index_bind *bind, struct buf *out);

/*
 * May a member of `size` bytes have these kept runs: whole frames, or up to
 * the end, ascending, none over another?
 */
bool pack_kept_ok(const struct pack_kept *kept, size_t n, uint64_t size);

/* Is that a path below the mount: no NUL, no empty, "." or ".." part? */
bool pack_path_ok(const void *path, size_t len);

/* ---- reading --------------------------------------------------------- */

struct pack_index {
	const uint8_t *table; /* in the plain bytes */
	uint32_t frames;
	uint64_t *offset; /* of each frame in the pack */
	struct pack_entry *entry;
	size_t members;
	struct pack_run *run;	  /* of all members */
	struct pack_xattr *xattr; /* of all members */
	struct pack_kept *kept;	  /* of all members */
};

/*
 * Reads an index that was authenticated; every count is checked against the
 * bytes that are left before memory is taken for it. `out` points into
 * plain[0..len), which must live as long. 0, -EBADMSG or -ENOMEM; on failure
 * `out` is empty.
 */
int pack_index_decode(const uint8_t *plain, size_t len,
		      const struct pack_index_bind *bind,
		      struct pack_index *out);
void pack_index_done(struct pack_index *x);

/* Frame i < x->frames, and whether it is the last of its member. */
void pack_index_frame(const struct pack_index *x, uint32_t i,
		      struct pack_frame *out, bool *last);

#endif
