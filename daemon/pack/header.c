/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/header.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hex.h"

void pack_object_name(uint32_t gen, uint64_t seq, const struct pack_id *id,
		      char out[PACK_NAME_SIZE])
{
	char hex[2 * PACK_ID_SIZE + 1];

	hex_encode(id->b, sizeof(id->b), hex);
	snprintf(out, PACK_NAME_SIZE, "packs/%08x-%016llx-%s", gen,
		 (unsigned long long)seq, hex);
}

/* ---- header ---------------------------------------------------------- */

/* The tag covers no bytes of its own, only the additional data: what every
 * sealed part is bound to, and the header in front of the tag. */
static void header_aad(const struct pack_volume_id *volume,
		       const struct pack_id *id, const uint8_t *header,
		       uint8_t nonce[PACK_NONCE_SIZE],
		       uint8_t aad[PACK_AAD_SIZE + HEADER_TAG])
{
	const struct pack_bind bind = {
		.volume = volume,
		.id = id,
		.domain = PACK_DOMAIN_HEADER,
	};

	pack_bind_encode(&bind, nonce, aad);
	memcpy(aad + PACK_AAD_SIZE, header, HEADER_TAG);
}

int pack_header_make(struct pack_sealer *s, const struct pack_header *h,
		     uint8_t out[PACK_HEADER_SIZE])
{
	uint8_t aad[PACK_AAD_SIZE + HEADER_TAG], nonce[PACK_NONCE_SIZE];

	memset(out, 0, PACK_HEADER_SIZE);
	pack_put_magic(out, PACK_HEADER_MAGIC);
	put_le16(out + HEADER_VERSION, h->version);
	put_le32(out + HEADER_GENERATION, h->generation);
	memcpy(out + HEADER_VOLUME, h->volume.b, sizeof(h->volume.b));
	memcpy(out + HEADER_ID, h->id.b, sizeof(h->id.b));
	memcpy(out + HEADER_SALT, h->salt, sizeof(h->salt));
	header_aad(&h->volume, &h->id, out, nonce, aad);
	return pack_sealer_seal(s, nonce, aad, sizeof(aad), NULL, 0,
				out + HEADER_TAG);
}

int pack_header_verify(const struct pack_key *k,
		       const uint8_t header[PACK_HEADER_SIZE])
{
	uint8_t aad[PACK_AAD_SIZE + HEADER_TAG], nonce[PACK_NONCE_SIZE];

	header_aad(&k->volume, &k->id, header, nonce, aad);
	return pack_aead_open(k->key, nonce, aad, sizeof(aad),
			      header + HEADER_TAG, 0, NULL);
}

int pack_header_parse(const void *p, size_t len, struct pack_header *out)
{
	const uint8_t *h = p;

	if (len < PACK_HEADER_SIZE || !pack_is_magic(h, PACK_HEADER_MAGIC) ||
	    get_le16(h + HEADER_VERSION) != PACK_VERSION ||
	    get_le32(h + HEADER_GENERATION) == 0 ||
	    !pack_all_zero(h + HEADER_ZERO1, 2) ||
	    !pack_all_zero(h + HEADER_ZERO2, 32))
		return -EBADMSG;
	out->version = get_le16(h + HEADER_VERSION);
	out->generation = get_le32(h + HEADER_GENERATION);
	memcpy(out->volume.b, h + HEADER_VOLUME, sizeof(out->volume.b));
	memcpy(out->id.b, h + HEADER_ID, sizeof(out->id.b));
	memcpy(out->salt, h + HEADER_SALT, sizeof(out->salt));
	return 0;
}

/* ---- trailer --------------------------------------------------------- */

void pack_trailer_make(const struct pack_trailer *t,
		       uint8_t out[PACK_TRAILER_SIZE])
{
	memset(out, 0, PACK_TRAILER_SIZE);
	pack_put_magic(out, PACK_TRAILER_MAGIC);
	put_le16(out + TRAILER_VERSION, PACK_VERSION);
	put_le64(out + TRAILER_INDEX_OFFSET, t->index_off);
	put_le64(out + TRAILER_INDEX_LEN, t->index_len);
	memcpy(out + TRAILER_ID, t->id.b, sizeof(t->id.b));
}

/* Does a sealed index of that length, padded and not too large, fill the
 * pack from its offset to the trailer? */
static bool index_place_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return len > PACK_TAG_SIZE && len - PACK_TAG_SIZE <= PACK_INDEX_MAX &&
	       (len - PACK_TAG_SIZE) % PACK_INDEX_PAD == 0 &&
	       size >= PACK_HEADER_SIZE + len + PACK_TRAILER_SIZE &&
	       off == size - PACK_TRAILER_SIZE - len;
}

int pack_trailer_parse(const uint8_t p[PACK_TRAILER_SIZE], uint64_t size,
		       struct pack_trailer *out)
{
	uint64_t off = get_le64(p + TRAILER_INDEX_OFFSET);
	uint64_t len = get_le64(p + TRAILER_INDEX_LEN);

	if (!pack_is_magic(p, PACK_TRAILER_MAGIC) ||
	    get_le16(p + TRAILER_VERSION) != PACK_VERSION ||
	    !pack_all_zero(p + TRAILER_ZERO1, 6) ||
	    !pack_all_zero(p + TRAILER_ZERO2, 16) ||
	    !index_place_ok(off, len, size))
		return -EBADMSG;
	out->index_off = off;
	out->index_len = len;
	memcpy(out->id.b, p + TRAILER_ID, sizeof(out->id.b));
	return 0;
}
