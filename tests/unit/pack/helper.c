/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pack/helper.h"

#include <openssl/sha.h>

#include "base/io.h"
#include "pack/frame.h"

void keys_init(struct keys *k, uint8_t volume_byte)
{
	CLEANUP_BUF struct buf text = { 0 };

	memset(k, 0, sizeof(*k));
	memset(k->volume.b, volume_byte, sizeof(k->volume.b));
	assert_int_equal(pack_root_new(&k->root, &text), 0);
	k->kr = pack_keyring_new(&k->volume);
	assert_non_null(k->kr);
	assert_int_equal(pack_keyring_create(k->kr, &k->root, 1, &k->object),
			 0);
}

void keys_done(struct keys *k)
{
	pack_keyring_free(k->kr);
	buf_done(&k->object);
	pack_root_done(&k->root);
}

int mem_read(void *arg, uint64_t off, void *dst, size_t len)
{
	struct mem *m = arg;

	m->reads++;
	if (off > m->len || len > m->len - off)
		return -ERANGE; /* the reader must never ask for that */
	memcpy(dst, m->p + off, len);
	return 0;
}

void fill_random(void *p, size_t n, uint32_t seed)
{
	uint64_t x = 88172645463325252ULL ^ seed;
	uint8_t *b = p;

	while (n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		*b++ = (uint8_t)(x >> 24);
	}
}

void fill_text(void *p, size_t n)
{
	static const char text[] = "a slice of a study of a patient; ";
	uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)text[i % (sizeof(text) - 1)];
}

struct pack_member member_of(const char *path, uint64_t size)
{
	return (struct pack_member){
		.inode = 0x0123456789abcdefULL,
		.content_version = UINT64_MAX,
		.meta_version = 3,
		.path = path,
		.path_len = strlen(path),
		.mode = 0100640,
		.uid = 61001,
		.gid = UINT32_MAX,
		.size = size,
		.atime_ns = -1,
		.mtime_ns = INT64_MAX,
		.ctime_ns = INT64_MIN,
		.btime_ns = 1764000000000000001,
	};
}

void write_frames(struct pack_writer *w, const uint8_t *data, size_t len,
		  uint64_t off, bool last)
{
	size_t at;

	for (at = 0; at < len; at += PACK_FRAME_MAX) {
		size_t n = MIN(len - at, (size_t)PACK_FRAME_MAX);

		assert_int_equal(pack_writer_frame(w, off + at, data + at, n,
						   last && at + n == len, NULL),
				 0);
	}
}

void seal_copy(struct pack_writer *w, struct buf *out)
{
	uint8_t digest[PACK_DIGEST_SIZE], mine[PACK_DIGEST_SIZE];
	const void *data;
	size_t len;

	assert_int_equal(pack_writer_seal(w, &data, &len, digest), 0);
	assert_int_equal(len, pack_writer_len(w));
	SHA256(data, len, mine);
	assert_memory_equal(digest, mine, sizeof(mine));
	assert_int_equal(buf_add(out, data, len), 0);
}

void small_pack(struct keys *k, struct buf *out)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(k->kr);
	struct pack_member a = member_of("a/raw", 100);
	struct pack_member b = member_of("b", 0);
	struct pack_member c = member_of("c/text", 900);
	uint8_t data[900];

	assert_non_null(w);
	fill_random(data, 100, 1);
	write_frames(w, data, 100, 0, true);
	assert_int_equal(pack_writer_member(w, &a), 0);
	assert_int_equal(pack_writer_member(w, &b), 0);
	fill_text(data, 900);
	write_frames(w, data, 900, 0, true);
	assert_int_equal(pack_writer_member(w, &c), 0);
	seal_copy(w, out);
}

int read_all(struct pack_keyring *kr, const void *p, size_t len,
	     const struct pack_id *want, struct err *open_err)
{
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	struct mem m = { .p = p, .len = len };
	static uint8_t frame[PACK_FRAME_MAX];
	uint32_t i;
	int rc;

	rc = pack_reader_open(kr, mem_read, &m, len, want, &r, open_err);
	if (rc < 0) {
		assert_null(r);
		return rc;
	}
	for (i = 0; i < pack_reader_frames(r); i++) {
		ssize_t n = pack_reader_read(r, i, frame);

		if (n < 0)
			return (int)n;
	}
	return 0;
}

void read_member(struct pack_reader *r, size_t i, struct buf *out)
{
	const struct pack_entry *e = pack_reader_member(r, i);
	static uint8_t frame[PACK_FRAME_MAX];
	uint8_t *dst;
	size_t k;

	assert_non_null(e);
	dst = buf_grow(out, e->m.size + 1); /* never NULL for no bytes */
	assert_non_null(dst);
	out->len--;
	for (k = 0; k < e->runs; k++) {
		uint8_t *p = dst + e->run[k].file_off;
		uint64_t done = 0;
		uint32_t f;

		for (f = 0; f < e->run[k].frames; f++) {
			ssize_t n = pack_reader_read(
				r, e->run[k].first_frame + f, frame);

			assert_true(n > 0);
			memcpy(p + done, frame, (size_t)n);
			done += (uint64_t)n;
		}
		assert_true(done == e->run[k].len);
	}
}

void forge_begin(struct forge *f, struct keys *k)
{
	struct pack_header *h = &f->head;
	struct pack_key key;
	uint8_t *p;

	memset(f, 0, sizeof(*f));
	h->version = PACK_VERSION;
	h->volume = k->volume;
	h->generation = 1;
	assert_int_equal(io_random(h->id.b, sizeof(h->id.b)), 0);
	assert_int_equal(io_random(h->salt, sizeof(h->salt)), 0);
	assert_int_equal(pack_key_derive(k->kr, 1, h->salt, &h->id, &key), 0);
	f->sealer = pack_sealer_new(key.key);
	assert_non_null(f->sealer);
	p = buf_grow(&f->pack, PACK_HEADER_SIZE);
	assert_int_equal(pack_header_make(f->sealer, h, p), 0);
}

void forge_frame(struct forge *f, const void *plain, uint32_t len, bool last)
{
	CLEANUP(pack_press_free_guard) struct pack_press *p = pack_press_new();
	struct pack_frame fr = { .index = f->index.frames, .plain_len = len };

	assert_non_null(p);
	assert_int_equal(buf_reserve(&f->pack, PACK_SEALED_MAX), 0);
	assert_int_equal(pack_frame_seal(f->sealer, p, &f->head.volume,
					 &f->head.id, &fr, last, plain,
					 f->pack.data + f->pack.len),
			 0);
	f->pack.len += fr.stored_len;
	assert_int_equal(pack_index_room(&f->index), 0);
	pack_index_add_frame(&f->index, &fr, last);
}

void forge_index(struct forge *f, struct buf *plain)
{
	struct pack_index_bind bind = { .generation = f->head.generation,
					.index_off = f->pack.len };

	SHA256(f->pack.data, PACK_HEADER_SIZE, bind.header_hash);
	assert_int_equal(pack_index_encode(&f->index, &bind, plain), 0);
}

void forge_end(struct forge *f, const struct buf *plain)
{
	const struct pack_bind bind = { .volume = &f->head.volume,
					.id = &f->head.id,
					.domain = PACK_DOMAIN_INDEX,
					.plain_len = plain->len };
	const struct pack_trailer t = { .id = f->head.id,
					.index_off = f->pack.len,
					.index_len =
						plain->len + PACK_TAG_SIZE };
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	uint8_t *p = buf_grow(&f->pack, t.index_len + PACK_TRAILER_SIZE);

	assert_non_null(p);
	pack_bind_encode(&bind, nonce, aad);
	assert_int_equal(pack_sealer_seal(f->sealer, nonce, aad, sizeof(aad),
					  plain->data, plain->len, p),
			 0);
	pack_trailer_make(&t, p + t.index_len);
}

void forge_done(struct forge *f)
{
	pack_sealer_free(f->sealer);
	pack_index_build_done(&f->index);
	buf_done(&f->pack);
}
