/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the input to everything in pack/ that reads foreign bytes: as a
 * pack, as the plain bytes of an index (what is behind the seal is reached
 * by no mutation), as a compressed frame that is sealed rightly, as a key
 * object, a marker, a header and the text of a root key.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "pack/crypto.h"
#include "pack/frame.h"
#include "pack/index.h"
#include "pack/pack.h"
#include "pack_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x)                 \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

struct input {
	const uint8_t *p;
	size_t len;
};

static struct pack_root root;
static struct pack_keyring *kr;
static uint8_t frame[PACK_FRAME_MAX], scratch[PACK_FRAME_MAX];

static void make_keys(void)
{
	const char *text = FIXTURE_ROOT;
	uint8_t object[sizeof(FIXTURE_KEY_OBJECT) / 2];
	struct pack_volume_id volume;

	memset(volume.b, FIXTURE_VOLUME_BYTE, sizeof(volume.b));
	CHECK(pack_root_parse(text, strlen(text), &root, NULL) == 0);
	CHECK(hex_decode(FIXTURE_KEY_OBJECT, object, sizeof(object)) == 0);
	kr = pack_keyring_new(&volume);
	CHECK(kr);
	CHECK(pack_keyring_add(kr, &root, object, sizeof(object), NULL) == 0);
}

static int read_input(void *arg, uint64_t off, void *dst, size_t len)
{
	const struct input *in = arg;

	CHECK(off <= in->len && len <= in->len - off);
	memcpy(dst, in->p + off, len);
	return 0;
}

/* Touches all that an entry points to. */
static uint64_t use_entry(const struct pack_entry *e, uint32_t frames)
{
	uint64_t sum = e->m.size;
	size_t i, k;

	CHECK(pack_path_ok(e->m.path, e->m.path_len));
	for (i = 0; i < e->m.xattrs; i++) {
		const uint8_t *value = e->m.xattr[i].value;

		sum += strlen(e->m.xattr[i].name);
		for (k = 0; k < e->m.xattr[i].len; k++)
			sum += value[k];
	}
	for (i = 0; i < e->runs; i++) {
		CHECK(e->run[i].frames > 0 && e->run[i].len > 0);
		CHECK((uint64_t)e->run[i].first_frame + e->run[i].frames <=
		      frames);
		CHECK(e->run[i].file_off + e->run[i].len <= e->m.size);
	}
	return sum;
}

static void as_pack(const uint8_t *data, size_t size)
{
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	struct input in = { .p = data, .len = size };
	struct err err = ERR_INIT;
	size_t i;

	if (pack_reader_open(kr, read_input, &in, size, NULL, &r, &err) < 0) {
		CHECK(err.msg[0]);
		return;
	}
	for (i = 0; i < pack_reader_members(r); i++)
		use_entry(pack_reader_member(r, i), pack_reader_frames(r));
	for (i = 0; i < pack_reader_frames(r); i++) {
		ssize_t n = pack_reader_read(r, (uint32_t)i, frame);

		CHECK(n == -EBADMSG || (n > 0 && n <= PACK_FRAME_MAX));
	}
}

static void as_index(const uint8_t *data, size_t size)
{
	struct pack_index_bind bind;
	struct pack_index x;
	size_t i;

	if (size < INDEX_HEAD_SIZE)
		return;
	bind.generation = get_le32(data + INDEX_GENERATION);
	memcpy(bind.header_hash, data + INDEX_HEADER_HASH, PACK_DIGEST_SIZE);
	bind.index_off = get_le64(data + INDEX_OFFSET);
	if (pack_index_decode(data, size, &bind, &x) < 0)
		return;
	for (i = 0; i < x.members; i++)
		use_entry(&x.entry[i], x.frames);
	pack_index_done(&x);
}

/* First two bytes: the plain length less one; the rest: what LZ4 sees. */
static void as_frame(const uint8_t *data, size_t size)
{
	static uint8_t sealed[PACK_SEALED_MAX];
	const struct pack_key key = { .key = { 1 } };
	CLEANUP(pack_sealer_free_guard) struct pack_sealer *s = NULL;
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	struct pack_frame f = { .compressed = true };
	struct pack_bind bind = { .volume = &key.volume,
				  .id = &key.id,
				  .domain = PACK_DOMAIN_FRAME,
				  .compressed = true };
	int rc;

	if (size < 2 || size - 2 > PACK_FRAME_MAX)
		return;
	f.plain_len = get_le16(data) + 1u;
	f.stored_len = (uint32_t)(size - 2) + PACK_TAG_SIZE;
	bind.plain_len = f.plain_len;
	s = pack_sealer_new(key.key);
	CHECK(s);
	pack_bind_encode(&bind, nonce, aad);
	CHECK(pack_sealer_seal(s, nonce, aad, sizeof(aad), data + 2, size - 2,
			       sealed) == 0);
	rc = pack_frame_open(&key, &f, false, sealed, frame, scratch);
	CHECK(rc == 0 || rc == -EBADMSG);
}

/* What is taken is what would be written. */
static void as_claim(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf again = { 0 };
	struct pack_claim claim;

	if (pack_claim_parse(data, size, &claim) < 0)
		return;
	CHECK(pack_claim_make(&claim, &again) == 0);
	CHECK(again.len == size && memcmp(again.data, data, size) == 0);
}

static void as_small_things(const uint8_t *data, size_t size)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *ring = pack_keyring_new(pack_keyring_volume(kr));
	struct pack_volume_id volume;
	struct pack_header header;
	struct pack_root parsed;
	struct err err = ERR_INIT;

	CHECK(ring);
	if (pack_keyring_add(ring, &root, data, size, &err) < 0)
		CHECK(err.msg[0]);
	err.msg[0] = '\0';
	if (pack_marker_check(data, size, &root, &volume, &err) < 0)
		CHECK(err.msg[0]);
	as_claim(data, size);
	if (pack_root_parse((const char *)data, size, &parsed, NULL) == 0)
		pack_root_done(&parsed);
	if (pack_header_parse(data, size, &header) == 0)
		CHECK(header.generation > 0);
	if (pack_key_object_volume(data, size, &volume) == 0)
		CHECK(size == PACK_KEY_OBJECT_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!kr)
		make_keys();
	as_pack(data, size);
	as_index(data, size);
	as_frame(data, size);
	as_small_things(data, size);
	return 0;
}
