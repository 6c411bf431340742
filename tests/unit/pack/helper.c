/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pack/helper.h"

#include <openssl/sha.h>

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
