/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes that are sealed with the right key but say what cannot be: the
 * reader refuses them without reading past their end or taking memory for
 * counts that do not fit.
 */
#include "tests/unit/pack/fixture.h"

#include "base/bytes.h"

/* Where things are in the index that plain_index() makes. */
#define TABLE	  INDEX_HEAD_SIZE
#define MEMBER	  (TABLE + 3 * INDEX_FRAME_SIZE)
#define M_SIZE	  (MEMBER + 24)
#define M_PATHLEN (MEMBER + 76)
#define M_XATTRS  (MEMBER + 80)
#define M_RUNS	  (MEMBER + 84)
#define PATH	  (MEMBER + INDEX_MEMBER_SIZE)
#define XATTR	  (PATH + 4)
#define RUN0	  (XATTR + INDEX_XATTR_SIZE + 2 + 3)
#define RUN1	  (RUN0 + INDEX_RUN_SIZE)
#define END	  (RUN1 + INDEX_RUN_SIZE)
#define FILE_SIZE (4ULL * PACK_FRAME_MAX)

/* A member "a/bc" with xattr "x" and two runs: frames 0, 1 and frame 2. */
static void plain_index(struct forge *f, struct buf *plain)
{
	static uint8_t data[PACK_FRAME_MAX];
	const struct pack_xattr x = { .name = "x", .value = "abc", .len = 3 };
	const struct pack_run run[] = {
		{ .file_off = 0, .first_frame = 0, .frames = 2 },
		{ .file_off = 3 * PACK_FRAME_MAX,
		  .first_frame = 2,
		  .frames = 1 },
	};
	struct pack_member m = member_of("a/bc", FILE_SIZE);

	m.xattr = &x;
	m.xattrs = 1;
	forge_begin(f, &keys);
	fill_random(data, sizeof(data), 1);
	forge_frame(f, data, PACK_FRAME_MAX, false);
	forge_frame(f, data, 1000, false);
	forge_frame(f, data, 2000, true);
	assert_int_equal(pack_index_add_member(&f->index, &m, run, 2), 0);
	forge_index(f, plain);
	assert_int_equal(get_le64(plain->data + INDEX_LEN), END);
}

static int open_forged(struct forge *f, const struct buf *plain)
{
	forge_end(f, plain);
	return read_all(keys.kr, f->pack.data, f->pack.len, NULL, NULL);
}

static void put(uint8_t *p, unsigned width, uint64_t value)
{
	unsigned i;

	for (i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

struct lie {
	const char *what;
	size_t at;
	unsigned width;
	uint64_t value;
};

static const struct lie lies[] = {
	{ "magic", 0, 1, 'X' },
	{ "version", INDEX_VERSION, 2, 2 },
	{ "no version", INDEX_VERSION, 2, 0 },
	{ "a version to come", INDEX_VERSION, 2, 4 },
	{ "reserved", INDEX_ZERO, 2, 1 },
	{ "generation", INDEX_GENERATION, 4, 2 },
	{ "header hash", INDEX_HEADER_HASH, 1, 0x1ff },
	{ "no frames", INDEX_FRAMES, 4, 0 },
	{ "a frame too few", INDEX_FRAMES, 4, 2 },
	{ "a frame too many", INDEX_FRAMES, 4, 4 },
	{ "more frames than bytes", INDEX_FRAMES, 4, 1 << 20 },
	{ "all the frames there are", INDEX_FRAMES, 4, UINT32_MAX },
	{ "no members", INDEX_MEMBERS, 4, 0 },
	{ "two members", INDEX_MEMBERS, 4, 2 },
	{ "all members", INDEX_MEMBERS, 4, UINT32_MAX },
	{ "no runs", INDEX_RUNS, 4, 0 },
	{ "a run too few", INDEX_RUNS, 4, 1 },
	{ "a run too many", INDEX_RUNS, 4, 3 },
	{ "all runs", INDEX_RUNS, 4, UINT32_MAX },
	{ "no xattrs", INDEX_XATTRS, 4, 0 },
	{ "an xattr too many", INDEX_XATTRS, 4, 2 },
	{ "all xattrs", INDEX_XATTRS, 4, UINT32_MAX },
	{ "another place", INDEX_OFFSET, 8, 4096 },
	{ "shorter", INDEX_LEN, 8, END - 1 },
	{ "longer", INDEX_LEN, 8, END + 1 },
	{ "longer than itself", INDEX_LEN, 8, 1 << 20 },
	{ "the largest length", INDEX_LEN, 8, UINT64_MAX },
	{ "shorter than its head", INDEX_LEN, 8, INDEX_HEAD_SIZE - 1 },
	{ "padding", END, 1, 1 },
	{ "last byte of padding", PACK_INDEX_PAD - 1, 1, 1 },
	{ "frame: unknown flag", TABLE + 3, 1, 0x20 },
	{ "frame: unknown length bit", TABLE + 3, 1, 0x01 },
	{ "frame: stored length", TABLE, 4, PACK_FRAME_MAX + 15 },
	{ "frame: no stored length", TABLE, 4, 0 },
	{ "frame: plain length", TABLE + 4, 2, 10 },
	{ "frame: compressed, and no smaller", TABLE, 4,
	  (PACK_FRAME_MAX + 16) | PACK_TABLE_COMPRESSED },
	{ "frame: an early last", TABLE, 4,
	  (PACK_FRAME_MAX + 16) | PACK_TABLE_LAST },
	{ "frame: no last", TABLE + 2 * INDEX_FRAME_SIZE, 4, 2016 },
	{ "size below the runs", M_SIZE, 8, 3ULL * PACK_FRAME_MAX + 1999 },
	{ "size below a run's start", M_SIZE, 8, 10 },
	{ "negative size", M_SIZE, 8, 1ULL << 63 },
	{ "no path", M_PATHLEN, 4, 0 },
	{ "longer path", M_PATHLEN, 4, 5 },
	{ "endless path", M_PATHLEN, 4, UINT32_MAX },
	{ "path from the root", PATH, 1, '/' },
	{ "path with NUL", PATH, 1, 0 },
	{ "path through dot", PATH, 1, '.' },
	{ "path up", PATH, 4,
	  '.' | '.' << 8 | '/' << 16 | (uint64_t)'x' << 24 },
	{ "path to an end", PATH + 3, 1, '/' },
	{ "path with a gap", PATH + 2, 1, '/' },
	{ "member: no xattrs", M_XATTRS, 4, 0 },
	{ "member: two xattrs", M_XATTRS, 4, 2 },
	{ "member: all xattrs", M_XATTRS, 4, UINT32_MAX },
	{ "member: one run", M_RUNS, 4, 1 },
	{ "member: three runs", M_RUNS, 4, 3 },
	{ "member: all runs", M_RUNS, 4, UINT32_MAX },
	{ "xattr: no name", XATTR, 2, 0 },
	{ "xattr: long name", XATTR, 2, UINT16_MAX },
	{ "xattr: name without end", XATTR + INDEX_XATTR_SIZE + 1, 1, 'y' },
	{ "xattr: name with NUL", XATTR + INDEX_XATTR_SIZE, 1, 0 },
	{ "xattr: no value", XATTR + 2, 4, 0 },
	{ "xattr: endless value", XATTR + 2, 4, UINT32_MAX },
	{ "run: beyond the file", RUN1, 8, FILE_SIZE },
	{ "run: beyond everything", RUN1, 8, UINT64_MAX },
	{ "run: before its first", RUN1, 8, 0 },
	{ "run: overlaps", RUN1, 8, PACK_FRAME_MAX + 999 },
	{ "run: frame of another run", RUN1 + 8, 4, 1 },
	{ "run: frame behind the last", RUN1 + 8, 4, 3 },
	{ "run: frame far behind", RUN1 + 8, 4, UINT32_MAX },
	{ "run: no frames", RUN1 + 12, 4, 0 },
	{ "run: too many frames", RUN1 + 12, 4, 2 },
	{ "run: all frames", RUN1 + 12, 4, UINT32_MAX },
	{ "run: a short frame inside", RUN0 + 12, 4, 3 },
	{ "run: takes the next one's frame", RUN0 + 8, 4, 1 },
};

static void test_lies(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		const struct lie *l = &lies[i];
		CLEANUP_BUF struct buf plain = { 0 };
		struct forge f;
		int rc;

		plain_index(&f, &plain);
		put(plain.data + l->at, l->width, l->value);
		rc = open_forged(&f, &plain);
		if (rc != -EBADMSG)
			print_error("lie '%s': %d\n", l->what, rc);
		assert_int_equal(rc, -EBADMSG);
		forge_done(&f);
	}
}

/* The positive control: what was changed above is accepted unchanged. */
static void test_honest(void **state)
{
	CLEANUP_BUF struct buf plain = { 0 };
	struct forge f;

	plain_index(&f, &plain);
	assert_int_equal(open_forged(&f, &plain), 0);
	forge_done(&f);
}

/* Any byte of the index, any of three values: refused or harmless. */
static void test_any_byte(void **state)
{
	static const uint8_t value[] = { 0x00, 0x01, 0xff };
	CLEANUP_BUF struct buf plain = { 0 };
	struct pack_index_bind bind;
	struct forge f;
	size_t i, k;

	plain_index(&f, &plain);
	bind = (struct pack_index_bind){ .generation = 1,
					 .index_off = f.pack.len };
	memcpy(bind.header_hash, plain.data + INDEX_HEADER_HASH, 32);
	for (i = 0; i < END; i++) {
		for (k = 0; k < ARRAY_SIZE(value); k++) {
			uint8_t was = plain.data[i];
			struct pack_index x;
			int rc;

			plain.data[i] = value[k];
			rc = pack_index_decode(plain.data, plain.len, &bind,
					       &x);
			plain.data[i] = was;
			assert_true(rc == 0 || rc == -EBADMSG);
			pack_index_done(&x);
		}
	}
	forge_done(&f);
}

/* A sealed index that is no multiple of the padding, or nothing at all. */
static void test_odd_lengths(void **state)
{
	static const size_t lens[] = { 0, 1, 80, 4095, 4097, 8191, 8192 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		CLEANUP_BUF struct buf plain = { 0 };
		struct forge f;

		plain_index(&f, &plain);
		if (lens[i] > plain.len)
			assert_non_null(buf_grow(&plain, lens[i] - plain.len));
		plain.len = lens[i];
		assert_int_equal(open_forged(&f, &plain), -EBADMSG);
		forge_done(&f);
	}
}

/* A frame whose LZ4 is nonsense, sealed as it should be. */
static void test_bad_lz4(void **state)
{
	static const uint8_t raw[][8] = {
		{ 0 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0x10, 'a', 0x05, 0x00, 0, 0, 0, 0 },
		{ 0x1f, 'a', 0x01, 0x00, 0xff, 0xff, 0xff, 0xff },
	};
	static uint8_t dst[PACK_FRAME_MAX], scratch[PACK_FRAME_MAX];
	static const uint8_t zero[PACK_FRAME_MAX];
	struct pack_key key = { .key = { 1, 2, 3 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(raw); i++) {
		CLEANUP(pack_sealer_free_guard)
		struct pack_sealer *s = pack_sealer_new(key.key);
		struct pack_frame f = { .stored_len = 8 + PACK_TAG_SIZE,
					.plain_len = 60000,
					.compressed = true };
		struct pack_bind bind = { .volume = &key.volume,
					  .id = &key.id,
					  .domain = PACK_DOMAIN_FRAME,
					  .plain_len = 60000,
					  .compressed = true,
					  .last = true };
		uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
		uint8_t sealed[8 + PACK_TAG_SIZE];

		pack_bind_encode(&bind, nonce, aad);
		assert_int_equal(pack_sealer_seal(s, nonce, aad, sizeof(aad),
						  raw[i], 8, sealed),
				 0);
		assert_int_equal(
			pack_frame_open(&key, &f, true, sealed, dst, scratch),
			-EBADMSG);
		assert_memory_equal(dst, zero, sizeof(zero));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_odd_lengths),
		cmocka_unit_test(test_bad_lz4),
	};

	return RUN_TESTS(tests, setup, teardown);
}
