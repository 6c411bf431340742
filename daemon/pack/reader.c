/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads whole packs. Order: header (in clear) -> key -> header's tag ->
 * trailer (in clear, bounded by the object's size) -> sealed index -> its
 * contents. A reader is for one thread at a time.
 */
#include <string.h>

#include "base/hex.h"
#include "pack/frame.h"
#include "pack/header.h"
#include "pack/index.h"

struct pack_reader {
	pack_read_fn read;
	void *arg;
	uint64_t size;
	struct pack_header head;
	struct pack_key key;
	uint8_t *plain; /* the opened index; `index` points into it */
	struct pack_index index;
	uint8_t sealed[PACK_SEALED_MAX];
	uint8_t scratch[PACK_FRAME_MAX];
};

void pack_reader_free(struct pack_reader *r)
{
	if (!r)
		return;
	pack_key_done(&r->key);
	pack_index_done(&r->index);
	free(r->plain);
	free(r);
}

static int read_at(struct pack_reader *r, uint64_t off, void *dst, size_t len,
		   struct err *err)
{
	int rc = r->read(r->arg, off, dst, len);

	return rc < 0 ? fail(err, rc, "cannot read the pack: %m") : 0;
}

static int not_authentic(struct err *err, int rc, const char *what)
{
	if (rc == -EBADMSG)
		return fail(err, rc, "the pack's %s is not authentic", what);
	return fail(err, rc, "cannot open the pack's %s: %m", what);
}

/* ---- header ---------------------------------------------------------- */

static int check_identity(const struct pack_reader *r,
			  const struct pack_volume_id *volume,
			  const struct pack_id *want, struct err *err)
{
	const struct pack_header *h = &r->head;
	char have_hex[2 * PACK_ID_SIZE + 1], want_hex[2 * PACK_ID_SIZE + 1];

	if (memcmp(h->volume.b, volume->b, sizeof(volume->b)) != 0)
		return fail(err, -EBADMSG, "the pack is of another volume");
	if (!want || memcmp(h->id.b, want->b, sizeof(want->b)) == 0)
		return 0;
	hex_encode(h->id.b, sizeof(h->id.b), have_hex);
	hex_encode(want->b, sizeof(want->b), want_hex);
	return fail(err, -EBADMSG, "this is pack %s, not %s", have_hex,
		    want_hex);
}

static int open_key(struct pack_reader *r, struct pack_keyring *kr,
		    const uint8_t header[PACK_HEADER_SIZE], struct err *err)
{
	const struct pack_header *h = &r->head;
	int rc = pack_key_derive(kr, h->generation, h->salt, &h->id, &r->key);

	if (rc == -ENOKEY) {
		fail(err, rc, "no key of generation %u, which sealed the pack",
		     h->generation);
		return fail_hint(err, rc,
				 "add the key object keys/%08x-*, and check "
				 "that the root key is its own",
				 h->generation);
	}
	if (rc < 0)
		return fail(err, rc, "cannot derive the pack's key: %m");
	rc = pack_header_verify(&r->key, header);
	return rc < 0 ? not_authentic(err, rc, "header") : 0;
}

static int open_header(struct pack_reader *r, struct pack_keyring *kr,
		       const struct pack_id *want, struct pack_index_bind *bind,
		       struct err *err)
{
	uint8_t header[PACK_HEADER_SIZE];
	int rc;

	if (r->size < PACK_HEADER_SIZE + PACK_TRAILER_SIZE)
		return fail(err, -EBADMSG, "too short for a pack");
	rc = read_at(r, 0, header, sizeof(header), err);
	if (rc < 0)
		return rc;
	rc = pack_header_parse(header, sizeof(header), &r->head);
	if (rc < 0)
		return fail(err, rc, "not a pack, or of an unknown format");
	rc = check_identity(r, pack_keyring_volume(kr), want, err);
	if (rc == 0)
		rc = open_key(r, kr, header, err);
	if (rc < 0)
		return rc;
	bind->generation = r->head.generation;
	rc = pack_sha256(header, sizeof(header), bind->header_hash);
	return rc < 0 ? fail(err, rc, "cannot hash the header: %m") : 0;
}

/* ---- index ----------------------------------------------------------- */

static int open_trailer(struct pack_reader *r, struct pack_trailer *t,
			struct err *err)
{
	uint8_t p[PACK_TRAILER_SIZE];
	int rc = read_at(r, r->size - sizeof(p), p, sizeof(p), err);

	if (rc < 0)
		return rc;
	rc = pack_trailer_parse(p, r->size, t);
	if (rc < 0 || memcmp(t->id.b, r->head.id.b, sizeof(t->id.b)) != 0)
		return fail(err, -EBADMSG,
			    "the pack is cut off, or its end is damaged");
	return 0;
}

static int unseal_index(struct pack_reader *r, const struct pack_trailer *t)
{
	size_t len = t->index_len - PACK_TAG_SIZE;
	const struct pack_bind bind = {
		.volume = &r->key.volume,
		.id = &r->key.id,
		.domain = PACK_DOMAIN_INDEX,
		.plain_len = len,
	};
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];

	pack_bind_encode(&bind, nonce, aad);
	return pack_aead_open(r->key.key, nonce, aad, sizeof(aad), r->plain,
			      len, r->plain);
}

static int open_index(struct pack_reader *r, struct pack_index_bind *bind,
		      struct err *err)
{
	struct pack_trailer t;
	int rc = open_trailer(r, &t, err);

	if (rc < 0)
		return rc;
	r->plain = malloc(t.index_len); /* at most PACK_INDEX_MAX and a tag */
	if (!r->plain)
		return fail(err, -ENOMEM, "cannot read the index: %m");
	rc = read_at(r, t.index_off, r->plain, t.index_len, err);
	if (rc < 0)
		return rc;
	rc = unseal_index(r, &t);
	if (rc < 0)
		return not_authentic(err, rc, "index");
	bind->index_off = t.index_off;
	rc = pack_index_decode(r->plain, t.index_len - PACK_TAG_SIZE, bind,
			       &r->index);
	if (rc == -EBADMSG)
		return fail(err, rc, "the pack's index contradicts itself");
	return rc < 0 ? fail(err, rc, "cannot read the index: %m") : 0;
}

int pack_reader_open(struct pack_keyring *kr, pack_read_fn read, void *arg,
		     uint64_t size, const struct pack_id *want_id,
		     struct pack_reader **out, struct err *err)
{
	struct pack_reader *r = calloc(1, sizeof(*r));
	struct pack_index_bind bind;
	int rc;

	if (!r)
		return fail(err, -ENOMEM, "cannot open the pack: %m");
	r->read = read;
	r->arg = arg;
	r->size = size;
	rc = open_header(r, kr, want_id, &bind, err);
	if (rc == 0)
		rc = open_index(r, &bind, err);
	if (rc < 0) {
		pack_reader_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

/* ---- what is in it --------------------------------------------------- */

uint32_t pack_reader_generation(const struct pack_reader *r)
{
	return r->head.generation;
}

uint32_t pack_reader_frames(const struct pack_reader *r)
{
	return r->index.frames;
}

size_t pack_reader_members(const struct pack_reader *r)
{
	return r->index.members;
}

const struct pack_entry *pack_reader_member(const struct pack_reader *r,
					    size_t i)
{
	return i < r->index.members ? &r->index.entry[i] : NULL;
}

int pack_reader_frame(const struct pack_reader *r, uint32_t i,
		      struct pack_frame *out)
{
	bool last;

	if (i >= r->index.frames)
		return -EINVAL;
	pack_index_frame(&r->index, i, out, &last);
	return 0;
}

ssize_t pack_reader_read(struct pack_reader *r, uint32_t i, void *dst)
{
	struct pack_frame f;
	bool last;
	int rc;

	if (i >= r->index.frames)
		return -EINVAL;
	pack_index_frame(&r->index, i, &f, &last);
	rc = r->read(r->arg, f.offset, r->sealed, f.stored_len);
	if (rc < 0)
		return rc;
	rc = pack_frame_open(&r->key, &f, last, r->sealed, dst, r->scratch);
	return rc < 0 ? rc : (ssize_t)f.plain_len;
}
