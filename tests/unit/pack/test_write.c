/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a pack comes out of it. */
#include "tests/unit/pack/fixture.h"

static struct pack_writer *new_writer(void)
{
	struct pack_writer *w = pack_writer_new(keys.kr);

	assert_non_null(w);
	return w;
}

static struct pack_reader *open_mem(struct mem *m, const struct pack_id *want)
{
	struct pack_reader *r = NULL;
	struct err err = ERR_INIT;
	int rc = pack_reader_open(keys.kr, mem_read, m, m->len, want, &r, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(rc, 0);
	return r;
}

static void assert_member(const struct pack_member *a,
			  const struct pack_member *b)
{
	size_t i;

	assert_true(a->inode == b->inode);
	assert_true(a->content_version == b->content_version);
	assert_true(a->meta_version == b->meta_version);
	assert_int_equal(a->path_len, b->path_len);
	assert_memory_equal(a->path, b->path, a->path_len);
	assert_true(a->mode == b->mode && a->uid == b->uid &&
		    a->gid == b->gid && a->size == b->size);
	assert_true(a->atime_ns == b->atime_ns && a->mtime_ns == b->mtime_ns &&
		    a->ctime_ns == b->ctime_ns && a->btime_ns == b->btime_ns);
	assert_int_equal(a->xattrs, b->xattrs);
	for (i = 0; i < a->xattrs; i++) {
		assert_string_equal(a->xattr[i].name, b->xattr[i].name);
		assert_int_equal(a->xattr[i].len, b->xattr[i].len);
		assert_memory_equal(a->xattr[i].value, b->xattr[i].value,
				    a->xattr[i].len);
	}
}

/* One member of data[0..len) through a pack and back. */
static void round_trip(const struct pack_member *m, const uint8_t *data,
		       size_t len)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	CLEANUP_BUF struct buf back = { 0 };
	struct mem mem;

	write_frames(w, data, len, 0, true);
	assert_int_equal(pack_writer_member(w, m), 0);
	seal_copy(w, &pack);
	mem = (struct mem){ .p = pack.data, .len = pack.len };
	r = open_mem(&mem, pack_writer_id(w));
	assert_int_equal(pack_reader_members(r), 1);
	assert_int_equal(pack_reader_generation(r), 1);
	assert_int_equal(pack_reader_frames(r), pack_writer_frames(w));
	assert_member(&pack_reader_member(r, 0)->m, m);
	read_member(r, 0, &back);
	assert_int_equal(back.len, len);
	assert_memory_equal(back.data, data, len);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		0,
		1,
		2,
		19,
		20,
		21,
		4095,
		PACK_FRAME_MAX - 1,
		PACK_FRAME_MAX,
		PACK_FRAME_MAX + 1,
		3 * PACK_FRAME_MAX - 1,
		3 * PACK_FRAME_MAX,
		3 * PACK_FRAME_MAX + 1,
	};
	CLEANUP_FREE uint8_t *data = malloc(3 * PACK_FRAME_MAX + 1);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pack_member m = member_of("x", sizes[i]);

		fill_random(data, sizes[i], 5);
		round_trip(&m, data, sizes[i]);
		fill_text(data, sizes[i]);
		round_trip(&m, data, sizes[i]);
	}
}

static void test_many_members(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	struct mem mem;
	uint8_t data[1000];
	char path[32];
	size_t i;

	fill_random(data, sizeof(data), 9);
	for (i = 0; i < 1000; i++) {
		struct pack_member m = member_of(path, i);

		m.path_len = (size_t)snprintf(path, sizeof(path), "d%zu/f", i);
		m.inode = i;
		write_frames(w, data + 1000 - i, i, 0, true);
		assert_int_equal(pack_writer_member(w, &m), 0);
	}
	seal_copy(w, &pack);
	mem = (struct mem){ .p = pack.data, .len = pack.len };
	r = open_mem(&mem, NULL);
	assert_int_equal(pack_reader_members(r), 1000);
	assert_null(pack_reader_member(r, 1000));
	for (i = 0; i < 1000; i++) {
		CLEANUP_BUF struct buf back = { 0 };

		read_member(r, i, &back);
		assert_true(pack_reader_member(r, i)->m.inode == i);
		assert_int_equal(back.len, i);
		assert_memory_equal(back.data, data + 1000 - i, i);
	}
}

/* Any byte but / and NUL may stand in a name; attributes hold any byte. */
static void test_names_and_xattrs(void **state)
{
	static uint8_t value[PACK_XATTR_VALUE_MAX];
	char name[256], path[2 * 256 + 1];
	struct pack_xattr x[3] = {
		{ .name = "user.empty", .value = "", .len = 0 },
		{ .name = name, .value = value, .len = sizeof(value) },
		{ .name = "user.nul", .value = "a\0b", .len = 4 },
	};
	struct pack_member m = member_of("x", 0);
	size_t i, n = 0;

	for (i = 1; i < 256; i++)
		if (i != '/')
			name[n++] = (char)i;
	name[n] = '\0';
	fill_random(value, sizeof(value), 3);
	memcpy(path, name, n);
	path[n] = '/';
	memcpy(path + n + 1, name, n);
	m.path = path;
	m.path_len = 2 * n + 1;
	m.xattr = x;
	m.xattrs = ARRAY_SIZE(x);
	round_trip(&m, NULL, 0);
}

static void test_long_path(void **state)
{
	CLEANUP_FREE char *path = malloc(PACK_PATH_MAX + 1);
	struct pack_member m = member_of("x", 0);

	memset(path, 'p', PACK_PATH_MAX + 1);
	m.path = path;
	m.path_len = PACK_PATH_MAX;
	round_trip(&m, NULL, 0);
}

/* Holes make several runs; a short frame ends a run even without a hole. */
static void test_holes(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	CLEANUP_BUF struct buf back = { 0 };
	const size_t size = 10 * PACK_FRAME_MAX;
	CLEANUP_FREE uint8_t *data = calloc(1, size);
	struct pack_member m = member_of("sparse", size);
	const struct pack_entry *e;
	struct mem mem;

	fill_random(data + PACK_FRAME_MAX, 2 * PACK_FRAME_MAX, 1);
	fill_random(data + 5 * PACK_FRAME_MAX, 100, 2);
	fill_random(data + 5 * PACK_FRAME_MAX + 100, 50, 3);
	write_frames(w, data + PACK_FRAME_MAX, 2 * PACK_FRAME_MAX,
		     PACK_FRAME_MAX, false);
	write_frames(w, data + 5 * PACK_FRAME_MAX, 100, 5 * PACK_FRAME_MAX,
		     false);
	write_frames(w, data + 5 * PACK_FRAME_MAX + 100, 50,
		     5 * PACK_FRAME_MAX + 100, true);
	assert_int_equal(pack_writer_member(w, &m), 0);
	seal_copy(w, &pack);
	mem = (struct mem){ .p = pack.data, .len = pack.len };
	r = open_mem(&mem, NULL);
	e = pack_reader_member(r, 0);
	assert_int_equal(e->runs, 3);
	assert_true(e->run[0].file_off == PACK_FRAME_MAX &&
		    e->run[0].len == 2 * PACK_FRAME_MAX &&
		    e->run[0].first_frame == 0 && e->run[0].frames == 2);
	assert_true(e->run[1].len == 100 && e->run[1].first_frame == 2);
	assert_true(e->run[2].len == 50 && e->run[2].first_frame == 3);
	read_member(r, 0, &back);
	assert_memory_equal(back.data, data, size);
}

/* What the database keeps of frames is what the index says of them. */
static void test_frame_table(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	static uint8_t data[PACK_FRAME_MAX], back[PACK_FRAME_MAX];
	static uint8_t scratch[PACK_FRAME_MAX];
	struct pack_member m = member_of("x", 3 * PACK_FRAME_MAX);
	struct pack_frame f[3], g;
	struct pack_key key;
	struct mem mem;
	size_t i, off = PACK_HEADER_SIZE;

	for (i = 0; i < 3; i++) {
		if (i == 1)
			fill_text(data, sizeof(data));
		else
			fill_random(data, sizeof(data), (uint32_t)i);
		assert_int_equal(pack_writer_len(w), off);
		assert_int_equal(pack_writer_frame(w, i * PACK_FRAME_MAX, data,
						   sizeof(data), i == 2, &f[i]),
				 0);
		assert_int_equal(f[i].index, i);
		assert_int_equal(f[i].offset, off);
		assert_int_equal(f[i].plain_len, PACK_FRAME_MAX);
		assert_int_equal(f[i].compressed, i == 1);
		off += f[i].stored_len;
	}
	assert_int_equal(f[0].stored_len, PACK_FRAME_MAX + PACK_TAG_SIZE);
	assert_true(f[1].stored_len < PACK_FRAME_MAX / 10);
	assert_int_equal(pack_writer_member(w, &m), 0);
	seal_copy(w, &pack);
	mem = (struct mem){ .p = pack.data, .len = pack.len };
	r = open_mem(&mem, NULL);
	assert_int_equal(pack_key_derive(keys.kr, pack_writer_generation(w),
					 pack_writer_salt(w), pack_writer_id(w),
					 &key),
			 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pack_reader_frame(r, (uint32_t)i, &g), 0);
		assert_true(g.index == f[i].index && g.offset == f[i].offset &&
			    g.stored_len == f[i].stored_len &&
			    g.plain_len == f[i].plain_len &&
			    g.compressed == f[i].compressed);
		assert_int_equal(pack_frame_open(&key, &f[i], i == 2,
						 pack.data + f[i].offset, back,
						 scratch),
				 0);
	}
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(pack_reader_frame(r, 3, &g), -EINVAL);
	assert_int_equal(pack_reader_read(r, 3, back), -EINVAL);
	pack_key_done(&key);
}

/* Compressed only when that saves 5 %. */
static void test_probe(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	static uint8_t data[PACK_FRAME_MAX];
	struct pack_frame f;

	fill_random(data, sizeof(data), 4);
	memset(data, 0, PACK_FRAME_MAX * 4 / 100);
	assert_int_equal(pack_writer_frame(w, 0, data, sizeof(data), false, &f),
			 0);
	assert_false(f.compressed);
	memset(data, 0, PACK_FRAME_MAX * 7 / 100);
	assert_int_equal(pack_writer_frame(w, PACK_FRAME_MAX, data,
					   sizeof(data), true, &f),
			 0);
	assert_true(f.compressed);
	assert_true(f.stored_len - PACK_TAG_SIZE < PACK_FRAME_MAX / 100 * 95);
}

static bool shrinks(struct pack_writer *w, unsigned i, const uint8_t *data)
{
	struct pack_frame f;

	assert_int_equal(pack_writer_frame(w, (uint64_t)i * PACK_FRAME_MAX,
					   data, PACK_FRAME_MAX, false, &f),
			 0);
	return f.compressed;
}

/* Frames that do not shrink are tried less and less, up to one in 16; the
 * next that does is found, and so is the next member. */
static void test_tried_less(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	static uint8_t random[PACK_FRAME_MAX], text[PACK_FRAME_MAX];
	unsigned i, at;

	fill_random(random, sizeof(random), 4);
	fill_text(text, sizeof(text));
	for (i = 0; i < 100; i++)
		assert_false(shrinks(w, i, random));
	for (at = i; !shrinks(w, i, text); i++)
		assert_true(i - at < 15);
	assert_true(i > at); /* it was not tried at once */
	assert_true(shrinks(w, i + 1, text));
	for (i += 2; i < 200; i++)
		assert_false(shrinks(w, i, random));
	assert_int_equal(pack_writer_member(w, NULL), 0);
	assert_true(shrinks(w, 0, text));
}

/* Who knows that a member is compressed already says so. */
static void test_hint(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	static uint8_t text[PACK_FRAME_MAX];
	unsigned i;

	fill_text(text, sizeof(text));
	pack_writer_hint(w, false);
	for (i = 0; i < 40; i++)
		assert_false(shrinks(w, i, text));
	assert_int_equal(pack_writer_member(w, NULL), 0);
	assert_true(shrinks(w, 0, text));
}

/* A pack that lies in the memory of the last one holds nothing of it. */
static void test_memory_again(void **state)
{
	static const size_t len[] = { 3 << 20, 5 << 20, 100, 4 << 20 };
	CLEANUP_FREE uint8_t *data = malloc(5 << 20);
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		struct pack_member m = member_of("x", len[i]);

		fill_random(data, len[i], i);
		round_trip(&m, data, len[i]);
		if (i == 2)
			pack_writers_rest();
	}
	pack_writers_rest();
	pack_writers_rest();
}

static void test_dead_frames(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf pack = { 0 };
	struct pack_member m = member_of("named", 300);
	uint8_t data[300], back[PACK_FRAME_MAX];
	struct mem mem;

	fill_random(data, sizeof(data), 1);
	write_frames(w, data, 300, 0, false); /* dropped in the middle */
	assert_int_equal(pack_writer_member(w, NULL), 0);
	write_frames(w, data, 300, 0, true);
	assert_int_equal(pack_writer_member(w, &m), 0);
	write_frames(w, data, 200, 0, true);
	assert_int_equal(pack_writer_member(w, NULL), 0);
	seal_copy(w, &pack);
	mem = (struct mem){ .p = pack.data, .len = pack.len };
	r = open_mem(&mem, NULL);
	assert_int_equal(pack_reader_members(r), 1);
	assert_int_equal(pack_reader_frames(r), 3);
	assert_int_equal(pack_reader_member(r, 0)->runs, 1);
	assert_int_equal(pack_reader_member(r, 0)->run[0].first_frame, 1);
	assert_int_equal(pack_reader_member(r, 0)->run[0].frames, 1);
	/* Dead, not damaged: a check of the whole pack can read them. */
	assert_int_equal(pack_reader_read(r, 0, back), 300);
	assert_int_equal(pack_reader_read(r, 2, back), 200);
}

static void test_empty_pack(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP_BUF struct buf pack = { 0 };

	seal_copy(w, &pack);
	assert_int_equal(
		read_all(keys.kr, pack.data, pack.len, pack_writer_id(w), NULL),
		0);
}

/* What breaks the rules of the interface is refused and changes nothing. */
static void test_writer_refuses(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	static const uint8_t data[PACK_FRAME_MAX + 1];
	struct pack_member m = member_of("x", 20);
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *p;
	size_t len = pack_writer_len(w);

	assert_int_equal(pack_writer_frame(w, 0, data, 0, true, NULL), -EINVAL);
	assert_int_equal(
		pack_writer_frame(w, 0, data, PACK_FRAME_MAX + 1, true, NULL),
		-EINVAL);
	assert_int_equal(pack_writer_frame(w, INT64_MAX, data, 1, true, NULL),
			 -EINVAL);
	assert_int_equal(pack_writer_len(w), len);
	write_frames(w, data, 10, 10, false);
	len = pack_writer_len(w);
	assert_int_equal(pack_writer_frame(w, 19, data, 1, true, NULL),
			 -EINVAL);
	assert_int_equal(pack_writer_member(w, &m), -EINVAL); /* no last */
	assert_int_equal(pack_writer_seal(w, &p, &len, digest), -EINVAL);
	write_frames(w, data, 1, 20, true);
	assert_int_equal(pack_writer_frame(w, 30, data, 1, true, NULL),
			 -EINVAL); /* behind the last */
	assert_int_equal(pack_writer_member(w, &m), -EINVAL); /* size 20 */
	m.size = 21;
	assert_int_equal(pack_writer_member(w, &m), 0);
	assert_int_equal(pack_writer_seal(w, &p, &len, digest), 0);
	assert_int_equal(pack_writer_seal(w, &p, &len, digest), -EINVAL);
	assert_int_equal(pack_writer_frame(w, 0, data, 1, true, NULL), -EINVAL);
	assert_int_equal(pack_writer_member(w, NULL), -EINVAL);
	assert_int_equal(read_all(keys.kr, p, len, NULL, NULL), 0);
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = {
		"",   "/",     "/a",   "a/",   "a//b",	 ".",
		"..", "a/./b", "../a", "a/..", "a/../b", "./a",
	};
	static const char *const good[] = { "a",  "...", "a/...b",
					    ".a", "..a", "a/b/c" };
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	struct pack_member m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		m = member_of(bad[i], 0);
		assert_int_equal(pack_writer_member(w, &m), -EINVAL);
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		m = member_of(good[i], 0);
		assert_int_equal(pack_writer_member(w, &m), 0);
	}
	m = member_of("a", 0);
	m.path = "a\0b";
	m.path_len = 3;
	assert_int_equal(pack_writer_member(w, &m), -EINVAL);
}

/* The counter stops where the format says; what was written is readable. */
static void test_frames_max(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	struct pack_member m = member_of("x", PACK_FRAMES_MAX);
	uint8_t digest[PACK_DIGEST_SIZE], back[PACK_FRAME_MAX];
	const void *p;
	struct mem mem;
	uint32_t i;

	for (i = 0; i < PACK_FRAMES_MAX; i++)
		if (pack_writer_frame(w, i, "x", 1, i + 1 == PACK_FRAMES_MAX,
				      NULL) < 0)
			break;
	assert_int_equal(i, PACK_FRAMES_MAX);
	assert_int_equal(pack_writer_frame(w, i, "x", 1, true, NULL), -EINVAL);
	assert_int_equal(pack_writer_member(w, &m), 0);
	assert_int_equal(pack_writer_frame(w, 0, "x", 1, true, NULL), -ENOSPC);
	assert_int_equal(pack_writer_seal(w, &p, &mem.len, digest), 0);
	mem.p = p;
	r = open_mem(&mem, NULL);
	assert_int_equal(pack_reader_read(r, PACK_FRAMES_MAX - 1, back), 1);
	assert_int_equal(back[0], 'x');
}

/* A full index refuses the member, which then goes into the next pack. */
static void test_index_full(void **state)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP_FREE char *path = malloc(PACK_PATH_MAX);
	struct pack_member m = member_of("x", 1);
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *p;
	size_t len, n = 0;
	int rc;

	memset(path, 'p', PACK_PATH_MAX);
	m.path = path;
	m.path_len = PACK_PATH_MAX;
	do {
		assert_int_equal(pack_writer_frame(w, 0, "x", 1, true, NULL),
				 0);
		rc = pack_writer_member(w, &m);
		n++;
	} while (rc == 0);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(n - 1, (PACK_INDEX_MAX - INDEX_HEAD_SIZE) /
					(PACK_PATH_MAX + INDEX_MEMBER_SIZE +
					 INDEX_RUN_SIZE + INDEX_FRAME_SIZE));
	assert_int_equal(pack_writer_member(w, NULL), 0);
	assert_int_equal(pack_writer_seal(w, &p, &len, digest), 0);
	assert_int_equal(read_all(keys.kr, p, len, NULL, NULL), 0);
}

/* Two packs of one content have no sealed block in common (S17). */
static void test_never_the_same(void **state)
{
	CLEANUP_BUF struct buf a = { 0 };
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;

	small_pack(&keys, &a);
	small_pack(&keys, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.data + HEADER_ID, b.data + HEADER_ID, 16);
	assert_memory_not_equal(a.data + HEADER_SALT, b.data + HEADER_SALT, 32);
	for (i = HEADER_TAG; i + 16 <= a.len - PACK_TRAILER_SIZE; i += 16)
		assert_memory_not_equal(a.data + i, b.data + i, 16);
}

/* S21: neither names nor content can be seen, nor how many members. */
static void test_nothing_in_clear(void **state)
{
	static const char *const secret[] = { "a/raw", "c/text", "slice",
					      "patient" };
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = new_writer();
	CLEANUP_BUF struct buf pack = { 0 };
	CLEANUP_BUF struct buf empty = { 0 };
	char name[PACK_NAME_SIZE];
	size_t i;

	small_pack(&keys, &pack);
	for (i = 0; i < ARRAY_SIZE(secret); i++)
		assert_null(memmem(pack.data, pack.len, secret[i],
				   strlen(secret[i])));
	seal_copy(w, &empty);
	assert_int_equal(empty.len, PACK_HEADER_SIZE + PACK_INDEX_PAD +
					    PACK_TAG_SIZE + PACK_TRAILER_SIZE);
	pack_object_name(3, 0x1234, pack_writer_id(w), name);
	assert_int_equal(strlen(name), 6 + 8 + 1 + 16 + 1 + 32);
	assert_memory_equal(name, "packs/00000003-0000000000001234-", 32);
}

static void test_no_keys(void **state)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&keys.volume);

	errno = 0;
	assert_null(pack_writer_new(kr));
	assert_int_equal(errno, ENOKEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_names_and_xattrs),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_frame_table),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_tried_less),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_memory_again),
		cmocka_unit_test(test_dead_frames),
		cmocka_unit_test(test_empty_pack),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_frames_max),
		cmocka_unit_test(test_index_full),
		cmocka_unit_test(test_never_the_same),
		cmocka_unit_test(test_nothing_in_clear),
		cmocka_unit_test(test_no_keys),
	};

	return RUN_TESTS(tests, setup, teardown);
}
