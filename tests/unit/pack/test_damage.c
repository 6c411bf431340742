/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but the pack that was asked for is taken for it (P5). */
#include "tests/unit/pack/fixture.h"

#include "base/bytes.h"

/*
 * What the reader must say when one bit of a pack is not as written. Another
 * generation (it was 1) is one that the ring has no key of; 0 is none.
 */
static int expected(size_t at, int bit)
{
	if (at < HEADER_GENERATION || at >= HEADER_VOLUME)
		return -EBADMSG;
	return at == HEADER_GENERATION && bit == 0 ? -EBADMSG : -ENOKEY;
}

/* Every bit of what is not the index, and one of each byte of the index. */
static void test_every_byte(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	size_t i, index, end;
	int bit;

	small_pack(&keys, &p);
	end = p.len - PACK_TRAILER_SIZE;
	index = end - PACK_TAG_SIZE - PACK_INDEX_PAD;
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL), 0);
	for (i = 0; i < p.len; i++) {
		for (bit = 0; bit < 8; bit++) {
			int rc;

			if (i >= index && i < end && (size_t)bit != i % 8)
				continue;
			p.data[i] ^= (uint8_t)(1 << bit);
			rc = read_all(keys.kr, p.data, p.len, NULL, NULL);
			p.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(rc, expected(i, bit));
		}
	}
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL), 0);
}

static void test_every_length(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	size_t n;

	small_pack(&keys, &p);
	for (n = 0; n < p.len; n++)
		assert_int_equal(read_all(keys.kr, p.data, n, NULL, NULL),
				 -EBADMSG);
	for (n = 1; n < 200; n++) {
		assert_non_null(buf_grow(&p, 1));
		assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL),
				 -EBADMSG);
	}
}

/* A second trailer behind the pack does not make it a pack either. */
static void test_appended_trailer(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	uint8_t trailer[PACK_TRAILER_SIZE];

	small_pack(&keys, &p);
	memcpy(trailer, p.data + p.len - sizeof(trailer), sizeof(trailer));
	assert_int_equal(buf_add(&p, trailer, sizeof(trailer)), 0);
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL),
			 -EBADMSG);
}

static void test_swapped_packs(void **state)
{
	CLEANUP_BUF struct buf a = { 0 };
	CLEANUP_BUF struct buf b = { 0 };
	struct err err = ERR_INIT;
	struct pack_header ha, hb;

	small_pack(&keys, &a);
	small_pack(&keys, &b);
	assert_int_equal(pack_header_parse(a.data, a.len, &ha), 0);
	assert_int_equal(pack_header_parse(b.data, b.len, &hb), 0);
	assert_int_equal(read_all(keys.kr, a.data, a.len, &ha.id, NULL), 0);
	assert_int_equal(read_all(keys.kr, a.data, a.len, &hb.id, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.msg, "this is pack"));
}

/* Parts of two packs of the same shape do not fit together. */
static void test_mixed_packs(void **state)
{
	CLEANUP_BUF struct buf a = { 0 };
	CLEANUP_BUF struct buf b = { 0 };
	size_t index;

	small_pack(&keys, &a);
	small_pack(&keys, &b);
	index = a.len - PACK_TRAILER_SIZE - PACK_TAG_SIZE - PACK_INDEX_PAD;
	memcpy(a.data + PACK_HEADER_SIZE, b.data + PACK_HEADER_SIZE,
	       index - PACK_HEADER_SIZE);
	assert_int_equal(read_all(keys.kr, a.data, a.len, NULL, NULL),
			 -EBADMSG);
	memcpy(b.data, a.data, PACK_HEADER_SIZE);
	assert_int_equal(read_all(keys.kr, b.data, b.len, NULL, NULL),
			 -EBADMSG);
}

static void test_foreign_volume(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	struct err err = ERR_INIT;

	small_pack(&other, &p);
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.msg, "another volume"));
	/* Nor when the header claims to be ours. */
	memcpy(p.data + HEADER_VOLUME, keys.volume.b, 16);
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL),
			 -EBADMSG);
}

static void test_other_generation(void **state)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&keys.volume);
	CLEANUP_BUF struct buf p = { 0 };
	CLEANUP_BUF struct buf object = { 0 };
	struct err err = ERR_INIT;

	small_pack(&keys, &p);
	assert_int_equal(pack_keyring_create(kr, &keys.root, 2, &object), 0);
	assert_int_equal(read_all(kr, p.data, p.len, NULL, &err), -ENOKEY);
	assert_non_null(strstr(err.msg, "generation 1"));
	put_le32(p.data + HEADER_GENERATION, 2);
	assert_int_equal(read_all(kr, p.data, p.len, NULL, NULL), -EBADMSG);
	/* The same number, another key. */
	object.len = 0;
	assert_int_equal(pack_keyring_create(kr, &keys.root, 1, &object), 0);
	put_le32(p.data + HEADER_GENERATION, 1);
	assert_int_equal(read_all(kr, p.data, p.len, NULL, NULL), -EBADMSG);
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL), 0);
}

static int failing_read(void *arg, uint64_t off, void *dst, size_t len)
{
	struct mem *m = arg;

	if (m->reads == 0)
		return -ETIMEDOUT;
	m->reads--;
	return off + len <= m->len ? (memcpy(dst, m->p + off, len), 0)
				   : -ERANGE;
}

/* "Not now" is not "damaged": the source's errors come through. */
static void test_read_errors(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	unsigned n;

	small_pack(&keys, &p);
	for (n = 0; n < 4; n++) {
		CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
		struct mem m = { .p = p.data, .len = p.len, .reads = n };
		uint8_t frame[PACK_FRAME_MAX];
		int rc = pack_reader_open(keys.kr, failing_read, &m, p.len,
					  NULL, &r, NULL);

		assert_int_equal(rc, n < 3 ? -ETIMEDOUT : 0);
		if (r)
			assert_int_equal(pack_reader_read(r, 0, frame),
					 -ETIMEDOUT);
	}
}

static void test_trailer_elsewhere(void **state)
{
	static const struct {
		int64_t off, len; /* added to what is right */
	} shift[] = {
		{ 0, 1 },	  { 0, -1 },
		{ 1, 0 },	  { -1, 0 },
		{ 1, -1 },	  { -1, 1 },
		{ -4096, 4096 },  { 0, -4096 },
		{ 4096, -4096 },  { 0, INT64_MAX },
		{ INT64_MAX, 0 }, { INT64_MIN, INT64_MIN },
		{ 0, 1LL << 32 }, { -(1LL << 32), 1LL << 32 },
	};
	CLEANUP_BUF struct buf p = { 0 };
	uint8_t *t;
	size_t i;

	small_pack(&keys, &p);
	t = p.data + p.len - PACK_TRAILER_SIZE;
	for (i = 0; i < ARRAY_SIZE(shift); i++) {
		uint64_t off = get_le64(t + TRAILER_INDEX_OFFSET);
		uint64_t len = get_le64(t + TRAILER_INDEX_LEN);

		put_le64(t + TRAILER_INDEX_OFFSET,
			 off + (uint64_t)shift[i].off);
		put_le64(t + TRAILER_INDEX_LEN, len + (uint64_t)shift[i].len);
		assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL),
				 -EBADMSG);
		put_le64(t + TRAILER_INDEX_OFFSET, off);
		put_le64(t + TRAILER_INDEX_LEN, len);
	}
	assert_int_equal(read_all(keys.kr, p.data, p.len, NULL, NULL), 0);
}

/* An index of more than the limit is refused before memory is taken. */
static void test_huge_index(void **state)
{
	uint64_t len = PACK_INDEX_MAX + PACK_INDEX_PAD + PACK_TAG_SIZE;
	uint64_t size = PACK_HEADER_SIZE + len + PACK_TRAILER_SIZE;
	struct pack_trailer t = { .index_off = PACK_HEADER_SIZE,
				  .index_len = len };
	struct pack_trailer out;
	uint8_t p[PACK_TRAILER_SIZE];

	pack_trailer_make(&t, p);
	assert_int_equal(pack_trailer_parse(p, size, &out), -EBADMSG);
	t.index_len -= PACK_INDEX_PAD;
	pack_trailer_make(&t, p);
	assert_int_equal(pack_trailer_parse(p, size - PACK_INDEX_PAD, &out), 0);
}

/* ---- single frames ---------------------------------------------------- */

struct one {
	struct pack_key key;
	struct pack_frame f[2];
	struct buf p;
};

static void one_init(struct one *o)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(keys.kr);
	struct pack_member m = member_of("x", 2 * PACK_FRAME_MAX);
	static uint8_t data[PACK_FRAME_MAX];

	memset(o, 0, sizeof(*o));
	fill_text(data, sizeof(data));
	assert_int_equal(
		pack_writer_frame(w, 0, data, sizeof(data), false, &o->f[0]),
		0);
	assert_int_equal(pack_writer_frame(w, PACK_FRAME_MAX, data,
					   sizeof(data), true, &o->f[1]),
			 0);
	assert_int_equal(pack_writer_member(w, &m), 0);
	assert_int_equal(pack_key_derive(keys.kr, 1, pack_writer_salt(w),
					 pack_writer_id(w), &o->key),
			 0);
	seal_copy(w, &o->p);
}

/* Opens with a table entry that may lie; dst must be clean on failure. */
static int one_open(const struct one *o, const struct pack_frame *f, bool last,
		    size_t from)
{
	static uint8_t dst[PACK_FRAME_MAX], scratch[PACK_FRAME_MAX];
	static const uint8_t zero[PACK_FRAME_MAX];
	int rc;

	memset(dst, 0, sizeof(dst));
	rc = pack_frame_open(&o->key, f, last, o->p.data + from, dst, scratch);
	if (rc < 0)
		assert_memory_equal(dst, zero, sizeof(zero));
	return rc;
}

static void test_wrong_frame(void **state)
{
	struct one o, o2;
	struct pack_frame f;
	size_t at0, at1;

	one_init(&o);
	one_init(&o2);
	at0 = o.f[0].offset;
	at1 = o.f[1].offset;
	assert_int_equal(one_open(&o, &o.f[0], false, at0), 0);
	assert_int_equal(one_open(&o, &o.f[1], true, at1), 0);
	/* The last flag, another frame's bytes, another pack's key. */
	assert_int_equal(one_open(&o, &o.f[0], true, at0), -EBADMSG);
	assert_int_equal(one_open(&o, &o.f[1], false, at1), -EBADMSG);
	assert_int_equal(one_open(&o, &o.f[0], false, at1), -EBADMSG);
	o2.p.len = 0;
	assert_int_equal(buf_add(&o2.p, o.p.data, o.p.len), 0);
	assert_int_equal(one_open(&o2, &o2.f[0], false, at0), -EBADMSG);
	/* Every field of the table. */
	f = o.f[0];
	f.index = 1;
	assert_int_equal(one_open(&o, &f, false, at0), -EBADMSG);
	f = o.f[0];
	f.plain_len--;
	assert_int_equal(one_open(&o, &f, false, at0), -EBADMSG);
	f = o.f[0];
	f.stored_len--;
	assert_int_equal(one_open(&o, &f, false, at0), -EBADMSG);
	f = o.f[0];
	f.compressed = false;
	assert_int_equal(one_open(&o, &f, false, at0), -EBADMSG);
	f.plain_len = f.stored_len - PACK_TAG_SIZE;
	assert_int_equal(one_open(&o, &f, false, at0), -EBADMSG);
	buf_done(&o.p);
	buf_done(&o2.p);
}

/* Lengths that no frame has are refused before anything is read. */
static void test_insane_frames(void **state)
{
	static const struct pack_frame bad[] = {
		{ .stored_len = 0, .plain_len = 1 },
		{ .stored_len = 15, .plain_len = 1 },
		{ .stored_len = 16, .plain_len = 0 },
		{ .stored_len = 16, .plain_len = 1, .compressed = true },
		{ .stored_len = 17, .plain_len = 0 },
		{ .stored_len = 17, .plain_len = 2 },
		{ .stored_len = 17, .plain_len = 1, .compressed = true },
		{ .stored_len = 17 + 65536, .plain_len = 65537 },
		{ .stored_len = 18, .plain_len = 65537, .compressed = true },
		{ .stored_len = UINT32_MAX, .plain_len = UINT32_MAX - 16 },
		{ .stored_len = UINT32_MAX,
		  .plain_len = 65536,
		  .compressed = true },
		{ .stored_len = 15, .plain_len = UINT32_MAX },
		{ .index = PACK_FRAMES_MAX, .stored_len = 17, .plain_len = 1 },
	};
	const struct pack_key key = { .key = { 1 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(
			pack_frame_open(&key, &bad[i], true, NULL, NULL, NULL),
			-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_appended_trailer),
		cmocka_unit_test(test_swapped_packs),
		cmocka_unit_test(test_mixed_packs),
		cmocka_unit_test(test_foreign_volume),
		cmocka_unit_test(test_other_generation),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_trailer_elsewhere),
		cmocka_unit_test(test_huge_index),
		cmocka_unit_test(test_wrong_frame),
		cmocka_unit_test(test_insane_frames),
	};

	return RUN_TESTS(tests, setup, teardown);
}
