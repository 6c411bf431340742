/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of packs share: a key ring, and packs in memory. */
#ifndef MERSEY_TESTS_PACK_HELPER_H
#define MERSEY_TESTS_PACK_HELPER_H

#include "tests/test.h"

#include "pack/header.h"
#include "pack/index.h"
#include "pack/pack.h"

/* A volume with one generation. */
struct keys {
	struct pack_root root;
	struct pack_volume_id volume;
	struct pack_keyring *kr;
	struct buf object; /* key object of generation 1 */
};

void keys_init(struct keys *k, uint8_t volume_byte);
void keys_done(struct keys *k);

/* Bytes of a pack, for a pack_read_fn. */
struct mem {
	const uint8_t *p;
	size_t len;
	unsigned reads;
};

int mem_read(void *arg, uint64_t off, void *dst, size_t len);

/* Fills with bytes that LZ4 cannot shrink (random), or can (text). */
void fill_random(void *p, size_t n, uint32_t seed);
void fill_text(void *p, size_t n);

/* A member named `path` of `size` bytes with odd values in every field. */
struct pack_member member_of(const char *path, uint64_t size);

/* Writes data[0..len) from file offset `off` as frames of one member. */
void write_frames(struct pack_writer *w, const uint8_t *data, size_t len,
		  uint64_t off, bool last);

/* Seals the writer and copies the pack; checks the digest. */
void seal_copy(struct pack_writer *w, struct buf *out);

/* A pack with the members "a/raw" (random), "b" (empty), "c/text". */
void small_pack(struct keys *k, struct buf *out);

/*
 * Opens the pack and reads every frame. 0, or the first error. `open_err`
 * may be NULL.
 */
int read_all(struct pack_keyring *kr, const void *p, size_t len,
	     const struct pack_id *want, struct err *open_err);

/* Reads the bytes of a member of an open pack; holes are zeros. */
void read_member(struct pack_reader *r, size_t i, struct buf *out);

/*
 * A pack sealed with the right key by somebody who writes what he likes:
 * forge_begin, forge_frame..., forge_end with any index bytes.
 */
struct forge {
	struct pack_header head;
	struct pack_sealer *sealer;
	struct buf pack;
	struct pack_index_build index; /* what an honest index would say */
};

void forge_begin(struct forge *f, struct keys *k);
void forge_frame(struct forge *f, const void *plain, uint32_t len, bool last);
/* The honest index, for changing. */
void forge_index(struct forge *f, struct buf *plain);
void forge_end(struct forge *f, const struct buf *plain);
void forge_done(struct forge *f);

#endif
