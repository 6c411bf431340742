/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an index says of bytes that lie in other packs, and the check that
 * finds out which do.
 */
#include "tests/unit/pack/fixture.h"

#include "base/bytes.h"

/* ---- kept runs ------------------------------------------------------- */

#define FRAME	  ((uint64_t)PACK_FRAME_MAX)
#define FILE_SIZE (10 * FRAME + 7)

static const struct pack_kept kept[] = {
	{ .file_off = 0,
	  .len = 2 * FRAME,
	  .pack = { { 1, 2, 3 } },
	  .first_frame = 5,
	  .frames = 2 },
	{ .file_off = 4 * FRAME,
	  .len = FRAME,
	  .pack = { { 9 } },
	  .first_frame = PACK_FRAMES_MAX - 1,
	  .frames = 1 },
	{ .file_off = 10 * FRAME,
	  .len = 7,
	  .pack = { { 9 } },
	  .first_frame = 0,
	  .frames = 1 },
};

static void assert_kept(const struct pack_member *m, size_t n)
{
	size_t i;

	assert_int_equal(m->kepts, n);
	for (i = 0; i < n; i++) {
		assert_true(m->kept[i].file_off == kept[i].file_off);
		assert_true(m->kept[i].len == kept[i].len);
		assert_memory_equal(&m->kept[i].pack, &kept[i].pack, 16);
		assert_int_equal(m->kept[i].first_frame, kept[i].first_frame);
		assert_int_equal(m->kept[i].frames, kept[i].frames);
	}
}

static void test_round_trip(void **state)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(keys.kr);
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	struct pack_member a = member_of("a", FILE_SIZE);
	struct pack_member b = member_of("b", 0);
	struct pack_member c = member_of("c", 2 * FRAME);
	uint8_t data[100];
	struct mem m;

	fill_random(data, sizeof(data), 1);
	a.kept = c.kept = kept;
	a.kepts = ARRAY_SIZE(kept);
	c.kepts = 1;
	assert_int_equal(pack_writer_frame(w, 3 * FRAME, data, 100, true, NULL),
			 0);
	assert_int_equal(pack_writer_member(w, &a), 0);
	assert_int_equal(pack_writer_member(w, &b), 0);
	assert_int_equal(pack_writer_member(w, &c), 0);
	seal_copy(w, &pack);
	m = (struct mem){ .p = pack.data, .len = pack.len };
	assert_int_equal(
		pack_reader_open(keys.kr, mem_read, &m, m.len, NULL, &r, NULL),
		0);
	assert_kept(&pack_reader_member(r, 0)->m, ARRAY_SIZE(kept));
	assert_kept(&pack_reader_member(r, 1)->m, 0);
	assert_kept(&pack_reader_member(r, 2)->m, 1);
	assert_int_equal(pack_reader_member(r, 0)->runs, 1);
}

static void assert_refused(const struct pack_kept *k, size_t n, uint64_t size)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(keys.kr);
	struct pack_member m = member_of("m", size);

	m.kept = k;
	m.kepts = n;
	assert_int_equal(pack_writer_member(w, &m), -EINVAL);
}

static void test_writer_refuses(void **state)
{
	struct pack_kept k[2] = { kept[0], kept[1] };

	assert_refused(kept, 3, FILE_SIZE - 1);	    /* the last is too long */
	assert_refused(&kept[1], 1, 4 * FRAME - 1); /* behind the end */
	k[1].file_off = 2 * FRAME - 1;
	assert_refused(k, 2, FILE_SIZE); /* one over the other */
	k[1] = kept[1];
	k[1].len = FRAME + 1;
	assert_refused(k, 2, FILE_SIZE); /* more than its frames hold */
	k[1].len = 0;
	assert_refused(k, 2, FILE_SIZE);
	k[1] = kept[1];
	k[1].frames = 0;
	assert_refused(k, 2, FILE_SIZE);
	k[1] = kept[1];
	k[1].first_frame = PACK_FRAMES_MAX;
	assert_refused(k, 2, FILE_SIZE);
	k[0] = kept[0];
	k[0].frames = 3; /* one that holds nothing */
	assert_refused(k, 1, FILE_SIZE);
}

/* ---- parts ------------------------------------------------------------ */

/* A pack of parts says so of all its members, and has nothing else. */
static void test_parts(void **state)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(keys.kr);
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	struct pack_member part = member_of("a", FILE_SIZE);
	struct pack_member whole = member_of("b", 0);
	struct mem m;

	part.part = true;
	part.kept = kept;
	part.kepts = 1;
	assert_int_equal(pack_writer_frame(w, 3 * FRAME, "x", 1, true, NULL),
			 0);
	assert_int_equal(pack_writer_member(w, &part), -EINVAL);
	part.kepts = 0;
	assert_int_equal(pack_writer_member(w, &part), 0);
	assert_int_equal(pack_writer_member(w, &whole), -EINVAL);
	assert_int_equal(pack_writer_member(w, &part), 0);
	seal_copy(w, &pack);
	m = (struct mem){ .p = pack.data, .len = pack.len };
	assert_int_equal(
		pack_reader_open(keys.kr, mem_read, &m, m.len, NULL, &r, NULL),
		0);
	assert_int_equal(pack_reader_members(r), 2);
	assert_true(pack_reader_member(r, 0)->m.part);
	assert_true(pack_reader_member(r, 1)->m.part);
	assert_int_equal(pack_reader_member(r, 0)->runs, 1);
}

static int open_versioned(const struct pack_member *m, uint16_t version)
{
	CLEANUP_BUF struct buf plain = { 0 };
	struct forge f;
	int rc;

	forge_begin(&f, &keys);
	if (m)
		assert_int_equal(pack_index_add_member(&f.index, m, NULL, 0),
				 0);
	forge_index(&f, &plain);
	put_le16(plain.data + INDEX_VERSION, version);
	forge_end(&f, &plain);
	rc = read_all(keys.kr, f.pack.data, f.pack.len, NULL, NULL);
	forge_done(&f);
	return rc;
}

static void test_part_lies(void **state)
{
	struct pack_member m = member_of("a", 0);

	assert_int_equal(open_versioned(&m, 1), 0);
	assert_int_equal(open_versioned(&m, 3), 0);
	assert_int_equal(open_versioned(NULL, 1), 0);
	assert_int_equal(open_versioned(NULL, 3), -EBADMSG); /* of nothing */
	assert_int_equal(open_versioned(&m, 4), -EBADMSG);
}

/* ---- indexes that lie ------------------------------------------------- */

/* Members "a" with two kept runs and "b" with one; their places. */
#define MEMBERS (INDEX_HEAD_SIZE + 2 * (INDEX_MEMBER_SIZE + 1))
#define KEPT0	(MEMBERS + 4)
#define KEPT1	(KEPT0 + INDEX_KEPT_SIZE)
#define KEPT2	(KEPT1 + INDEX_KEPT_SIZE)
#define END	(KEPT2 + INDEX_KEPT_SIZE)

static void plain_index(struct forge *f, struct buf *plain)
{
	struct pack_member a = member_of("a", FILE_SIZE);
	struct pack_member b = member_of("b", FILE_SIZE);

	a.kept = b.kept = kept;
	a.kepts = 2;
	b.kepts = 1;
	forge_begin(f, &keys);
	assert_int_equal(pack_index_add_member(&f->index, &a, NULL, 0), 0);
	assert_int_equal(pack_index_add_member(&f->index, &b, NULL, 0), 0);
	forge_index(f, plain);
	assert_int_equal(get_le16(plain->data + INDEX_VERSION), 2);
	assert_int_equal(get_le64(plain->data + INDEX_LEN), END);
}

static int open_changed(size_t at, unsigned width, uint64_t value)
{
	CLEANUP_BUF struct buf plain = { 0 };
	struct forge f;
	unsigned i;
	int rc;

	plain_index(&f, &plain);
	for (i = 0; i < width; i++)
		plain.data[at + i] = (uint8_t)(value >> 8 * i);
	forge_end(&f, &plain);
	rc = read_all(keys.kr, f.pack.data, f.pack.len, NULL, NULL);
	forge_done(&f);
	return rc;
}

static void test_lies(void **state)
{
	static const struct {
		size_t at;
		unsigned width;
		uint64_t value;
	} lie[] = {
		{ INDEX_VERSION, 2, 1 }, /* then bytes are left over */
		{ INDEX_VERSION, 2, 3 },
		{ MEMBERS, 4, 0 },
		{ MEMBERS, 4, 2 },
		{ MEMBERS, 4, 4 },
		{ MEMBERS, 4, UINT32_MAX },
		{ KEPT0, 4, 1 }, /* out of order */
		{ KEPT0, 4, UINT32_MAX },
		{ KEPT2, 4, 2 },	       /* no such member */
		{ KEPT1 + 8, 4, 0 },	       /* no frames */
		{ KEPT1 + 4, 4, 1u << 20 },    /* no such frame */
		{ KEPT1 + 12, 8, FRAME },      /* over the one before */
		{ KEPT1 + 12, 8, 11 * FRAME }, /* behind the end */
		{ KEPT1 + 20, 8, FRAME + 1 },
		{ KEPT1 + 20, 8, 0 },
		{ KEPT1 + 20, 8, UINT64_MAX },
	};
	size_t i;

	assert_int_equal(open_changed(0, 0, 0), 0);
	for (i = 0; i < ARRAY_SIZE(lie); i++) {
		int rc = open_changed(lie[i].at, lie[i].width, lie[i].value);

		if (rc != -EBADMSG)
			print_error("lie %zu: %d\n", i, rc);
		assert_int_equal(rc, -EBADMSG);
	}
}

/* ---- the check -------------------------------------------------------- */

struct sealed {
	struct pack_key key;
	struct pack_frame f[3];
};

/* A random, a text and a short frame. */
static void seal_three(struct sealed *s, uint8_t *random, uint8_t *text)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(keys.kr);

	fill_random(random, FRAME, 3);
	fill_text(text, FRAME);
	assert_int_equal(
		pack_writer_frame(w, 0, random, FRAME, false, &s->f[0]), 0);
	assert_int_equal(
		pack_writer_frame(w, FRAME, text, FRAME, false, &s->f[1]), 0);
	assert_int_equal(
		pack_writer_frame(w, 2 * FRAME, text, 77, true, &s->f[2]), 0);
	assert_int_equal(pack_key_derive(keys.kr, pack_writer_generation(w),
					 pack_writer_salt(w), pack_writer_id(w),
					 &s->key),
			 0);
}

static void test_check(void **state)
{
	static uint8_t random[PACK_FRAME_MAX], text[PACK_FRAME_MAX];
	CLEANUP(pack_checker_free_guard)
	struct pack_checker *c = pack_checker_new();
	struct sealed s, twin;
	struct pack_frame f;
	unsigned i;

	seal_three(&twin, random, text);
	seal_three(&s, random, text);
#define SAME(i, last, p) pack_checker_same(c, &s.key, &s.f[i], last, p)
	for (i = 0; i < 2; i++) {
		assert_int_equal(SAME(0, false, random), 1);
		assert_int_equal(SAME(1, false, text), 1);
		assert_int_equal(SAME(2, true, text), 1);
	}
	assert_int_equal(SAME(0, true, random), 0); /* not as it was sealed */
	assert_int_equal(SAME(0, false, text), 0);
	random[FRAME - 1] ^= 1;
	assert_int_equal(SAME(0, false, random), 0);
	random[FRAME - 1] ^= 1;
	text[40] ^= 1;
	assert_int_equal(SAME(1, false, text), 0);
	assert_int_equal(SAME(2, true, text), 0);
	text[40] ^= 1;
	f = s.f[1]; /* the same bytes elsewhere in the pack */
	f.index = 0;
	assert_int_equal(pack_checker_same(c, &s.key, &f, false, text), 0);
	f = s.f[0];
	f.check[PACK_CHECK_SIZE - 1] ^= 1;
	assert_int_equal(pack_checker_same(c, &s.key, &f, false, random), 0);
	f.stored_len = 3;
	assert_int_equal(pack_checker_same(c, &s.key, &f, false, random), 0);
	/* In another pack the same bytes have another check. */
	assert_int_equal(
		pack_checker_same(c, &twin.key, &s.f[0], false, random), 0);
	assert_int_equal(
		pack_checker_same(c, &twin.key, &twin.f[0], false, random), 1);
	assert_memory_not_equal(s.f[0].check, twin.f[0].check, PACK_CHECK_SIZE);
	assert_int_equal(SAME(0, false, random), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_part_lies),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_check),
	};

	return RUN_TESTS(tests, setup, teardown);
}
