/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a pack comes out of it. */
#include "tests/unit/pack/helper.h"

static struct keys keys;

static int setup(void **state)
{
	keys_init(&keys, 7);
	return 0;
}

static int teardown(void **state)
{
	keys_done(&keys);
	return 0;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
	};

	return RUN_TESTS(tests, setup, teardown);
}
