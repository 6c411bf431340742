/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs that were written once and are kept: whatever changes here, they
 * stay readable. They are the seeds of the fuzz target; their keys are in
 * tests/fuzz/pack_fixture.h. Usage: test-pack-seeds DIR
 */
#include "tests/unit/pack/helper.h"

#include "base/io.h"
#include "tests/fuzz/pack_fixture.h"

static const char *dir;
static struct pack_root root;
static struct pack_keyring *kr;

static void load(const char *name, struct buf *out)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	assert_int_equal(io_read_file(path, 1 << 20, out), 0);
}

static int setup(void **state)
{
	CLEANUP_BUF struct buf key = { 0 };
	CLEANUP_BUF struct buf object = { 0 };
	struct pack_volume_id volume;

	load("root-key", &key);
	load("key-object", &object);
	assert_int_equal(
		pack_root_parse((char *)key.data, key.len, &root, NULL), 0);
	assert_int_equal(
		pack_key_object_volume(object.data, object.len, &volume), 0);
	assert_int_equal(volume.b[15], FIXTURE_VOLUME_BYTE);
	kr = pack_keyring_new(&volume);
	assert_non_null(kr);
	assert_int_equal(
		pack_keyring_add(kr, &root, object.data, object.len, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	pack_keyring_free(kr);
	pack_root_done(&root);
	return 0;
}

static void test_small(void **state)
{
	CLEANUP_BUF struct buf a = { 0 };
	CLEANUP_BUF struct buf b = { 0 };

	load("pack-empty", &a);
	assert_int_equal(read_all(kr, a.data, a.len, NULL, NULL), 0);
	load("pack-one", &b);
	assert_int_equal(read_all(kr, b.data, b.len, NULL, NULL), 0);
}

static void test_full(void **state)
{
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf p = { 0 };
	CLEANUP_BUF struct buf back = { 0 };
	const struct pack_entry *e;
	struct mem m;

	load("pack-full", &p);
	m = (struct mem){ .p = p.data, .len = p.len };
	assert_int_equal(
		pack_reader_open(kr, mem_read, &m, m.len, NULL, &r, NULL), 0);
	assert_int_equal(pack_reader_members(r), 3);
	assert_int_equal(pack_reader_frames(r), 5);
	e = pack_reader_member(r, 0);
	assert_memory_equal(e->m.path, "pacs/ct/1.dcm", e->m.path_len);
	assert_true(e->m.inode == 42 && e->m.content_version == 7 &&
		    e->m.meta_version == 9 && e->m.mode == 0100640 &&
		    e->m.uid == 61001 && e->m.gid == 61002 &&
		    e->m.btime_ns == -1);
	assert_int_equal(e->m.xattrs, 2);
	assert_string_equal(e->m.xattr[1].name, "user.b");
	assert_memory_equal(e->m.xattr[1].value, "\0\xff", 2);
	assert_int_equal(e->runs, 2);
	read_member(r, 0, &back);
	assert_int_equal(back.len, 4 * PACK_FRAME_MAX);
	assert_memory_equal(back.data, "PATIENT^TEST PATIENT", 20);
	assert_memory_equal(back.data + 3 * PACK_FRAME_MAX, "short and raw\0",
			    14);
}

static void test_kept(void **state)
{
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	CLEANUP_BUF struct buf p = { 0 };
	const struct pack_entry *e;
	struct mem m;

	load("pack-kept", &p);
	m = (struct mem){ .p = p.data, .len = p.len };
	assert_int_equal(
		pack_reader_open(kr, mem_read, &m, m.len, NULL, &r, NULL), 0);
	e = pack_reader_member(r, 1);
	assert_non_null(e);
	assert_int_equal(e->runs, 1);
	assert_int_equal(e->m.kepts, 2);
	assert_memory_equal(e->m.kept[1].pack.b, "an older pack, 2", 16);
	assert_true(e->m.kept[1].file_off == 3 * PACK_FRAME_MAX &&
		    e->m.kept[1].len == 9 && e->m.kept[1].frames == 1 &&
		    e->m.kept[1].first_frame == 77);
}

static void test_marker(void **state)
{
	CLEANUP_BUF struct buf m = { 0 };
	struct pack_volume_id v;

	load("marker", &m);
	assert_int_equal(pack_marker_check(m.data, m.len, &root, &v, NULL), 0);
	assert_memory_equal(&v, pack_keyring_volume(kr), sizeof(v));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_marker),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test-pack-seeds DIR\n");
		return 2;
	}
	dir = argv[1];
	return RUN_TESTS(tests, setup, teardown);
}
