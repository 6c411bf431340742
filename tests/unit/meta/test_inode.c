/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/meta/util.h"

static void fill(struct meta_inode *in, uint64_t ino)
{
	*in = (struct meta_inode){
		.ino = ino,
		.born = 3,
		.generation = UINT32_MAX,
		.mode = S_IFREG | 06644,
		.uid = 4000000000,
		.gid = 4000000001,
		.nlink = 2,
		.rdev = UINT64_MAX,
		.size = INT64_MAX,
		.atime_ns = -1,
		.mtime_ns = INT64_MIN,
		.ctime_ns = INT64_MAX,
		.btime_ns = 4,
		.state = META_RECALLING,
		.damaged = true,
		.opened_for_write = true,
		.content_version = 5,
		.meta_version = 6,
		.dirty_ns = 7,
		.settle_ns = 8,
		.protected_ns = 9,
		.access_ns = 10,
		.cached_bytes = 11,
	};
}

static void same(const struct meta_inode *a, const struct meta_inode *b)
{
	assert_int_equal(a->ino, b->ino);
	assert_int_equal(a->born, b->born);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->nlink, b->nlink);
	assert_int_equal(a->rdev, b->rdev);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->atime_ns, b->atime_ns);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->ctime_ns, b->ctime_ns);
	assert_int_equal(a->btime_ns, b->btime_ns);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->damaged, b->damaged);
	assert_int_equal(a->opened_for_write, b->opened_for_write);
	assert_int_equal(a->content_version, b->content_version);
	assert_int_equal(a->meta_version, b->meta_version);
	assert_int_equal(a->dirty_ns, b->dirty_ns);
	assert_int_equal(a->settle_ns, b->settle_ns);
	assert_int_equal(a->protected_ns, b->protected_ns);
	assert_int_equal(a->access_ns, b->access_ns);
	assert_int_equal(a->cached_bytes, b->cached_bytes);
}

static void test_root(void **state)
{
	struct meta_inode in;
	uint64_t ino;
	META_TXN(t);

	reading(&t);
	assert_int_equal(meta_inode_get(&t, META_ROOT_INO, &in), 0);
	assert_int_equal(in.mode, S_IFDIR | 0750);
	assert_int_equal(in.nlink, 2);
	assert_int_equal(in.state, META_LOCAL);
	assert_int_equal(meta_dirent_parent(&t, META_ROOT_INO, &ino), 0);
	assert_int_equal(ino, META_ROOT_INO);
	assert_int_equal(meta_inode_get(&t, 2, &in), -ENOENT);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_new_ino(&t, &ino), 0);
	assert_true(ino > META_ROOT_INO);
}

static void test_columns(void **state)
{
	struct meta_inode a, b;
	META_TXN(t);

	begin(&t);
	fill(&a, 77);
	assert_int_equal(meta_inode_insert(&t, &a), 0);
	assert_int_equal(meta_inode_insert(&t, &a), -EEXIST);
	assert_int_equal(meta_inode_get(&t, 77, &b), 0);
	same(&a, &b);
	/* Columns of no index only. */
	a.mode = S_IFREG | 0600;
	a.size = 5;
	a.mtime_ns = 12345;
	assert_int_equal(meta_inode_update(&t, &a), 0);
	assert_int_equal(meta_inode_get(&t, 77, &b), 0);
	same(&a, &b);
	a.nlink = 0;
	a.state = META_LOCAL;
	a.damaged = a.opened_for_write = false;
	a.cached_bytes = 1;
	assert_int_equal(meta_inode_update(&t, &a), 0);
	commit(&t);
	util_reopen();
	reading(&t);
	assert_int_equal(meta_inode_get(&t, 77, &b), 0);
	same(&a, &b);
}

static void test_refused(void **state)
{
	struct meta_inode a;
	META_TXN(t);

	fill(&a, 0);
	begin(&t);
	assert_int_equal(meta_inode_insert(&t, &a), -EINVAL);
	meta_abort(&t);
	fill(&a, 1ULL << META_INO_BITS);
	begin(&t);
	assert_int_equal(meta_inode_insert(&t, &a), -EINVAL);
	/* A transaction that met an error cannot be committed. */
	assert_int_equal(meta_commit(&t, NULL), -EINVAL);
	fill(&a, 5);
	begin(&t);
	assert_int_equal(meta_inode_update(&t, &a), -ENOENT);
	assert_int_equal(meta_inode_delete(&t, 5), -ENOENT);
	meta_abort(&t);
	reading(&t);
	assert_int_equal(meta_inode_insert(&t, &a), -EROFS);
}

static void test_other_types(void **state)
{
	struct meta_inode a, b;
	META_TXN(t);

	fill(&a, 9);
	a.mode = S_IFDIR | 0755;
	begin(&t);
	assert_int_equal(meta_inode_insert(&t, &a), 0);
	assert_int_equal(meta_inode_get(&t, 9, &b), 0);
	assert_int_equal(b.state, META_LOCAL);
	assert_false(b.opened_for_write);
	assert_int_equal(b.cached_bytes, 0);
	commit(&t);
}

static void test_symlink(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	ino = make_inode(&t, S_IFLNK | 0777, 3);
	assert_int_equal(meta_symlink_get(&t, ino, &b), -ENOENT);
	assert_int_equal(meta_symlink_set(&t, ino, "a/\xff\n"), 0);
	assert_int_equal(buf_add(&b, ">", 1), 0);
	assert_int_equal(meta_symlink_get(&t, ino, &b), 0);
	assert_string_equal(buf_str(&b), ">a/\xff\n");
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	assert_int_equal(meta_symlink_get(&t, ino, &b), -ENOENT);
	commit(&t);
}

static void test_delete_takes_all(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	uint8_t bits[META_PRESENCE_FRAMES / 8] = { 1 };
	struct meta_inode in;
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	ino = make_inode(&t, S_IFREG | 0600, 3);
	assert_int_equal(meta_xattr_set(&t, ino, "user.a", "b", 1), 0);
	assert_int_equal(meta_presence_put(&t, ino, 0, bits), 0);
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	assert_int_equal(meta_inode_get(&t, ino, &in), -ENOENT);
	assert_int_equal(meta_inode_delete(&t, ino), -ENOENT);
	assert_int_equal(meta_xattr_list(&t, ino, &b), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(meta_presence_get(&t, ino, 0, bits), 0);
	assert_int_equal(bits[0], 0);
	commit(&t);
}

static void test_names_of_states(void **state)
{
	assert_string_equal(meta_state_name(META_DIRTY), "dirty");
	assert_string_equal(meta_state_name(META_RECALLING), "recalling");
	assert_string_equal(meta_state_name(META_STATES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_root),
		META_TEST(test_columns),
		META_TEST(test_refused),
		META_TEST(test_other_types),
		META_TEST(test_symlink),
		META_TEST(test_delete_takes_all),
		META_TEST(test_names_of_states),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
