/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/meta/util.h"

#define MANY 10000

static void test_every_byte(void **state)
{
	META_TXN(t);
	uint64_t ino;
	char name[2];
	int c;

	begin(&t);
	for (c = 0; c < 256; c++) {
		name[0] = (char)c;
		name[1] = 'x';
		if (c == 0 || c == '/')
			continue;
		assert_int_equal(meta_dirent_insert(&t, META_ROOT_INO, name, 2,
						    1000 + (uint64_t)c),
				 0);
		assert_int_equal(
			meta_dirent_insert(&t, META_ROOT_INO, name, 2, 7),
			-EEXIST);
	}
	for (c = 1; c < 256; c++) {
		name[0] = (char)c;
		if (c == '/')
			continue;
		assert_int_equal(
			meta_dirent_get(&t, META_ROOT_INO, name, 2, &ino), 0);
		assert_int_equal(ino, 1000 + c);
		assert_int_equal(meta_dirent_remove(&t, META_ROOT_INO, name, 2),
				 0);
		assert_int_equal(meta_dirent_remove(&t, META_ROOT_INO, name, 2),
				 -ENOENT);
	}
	assert_int_equal(meta_dirent_any(&t, META_ROOT_INO), 0);
	commit(&t);
}

static void test_case_and_length_matter(void **state)
{
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	assert_int_equal(meta_dirent_insert(&t, 1, "a", 1, 10), 0);
	assert_int_equal(meta_dirent_insert(&t, 1, "A", 1, 11), 0);
	assert_int_equal(meta_dirent_insert(&t, 1, "a ", 2, 12), 0);
	assert_int_equal(meta_dirent_insert(&t, 2, "a", 1, 13), 0);
	assert_int_equal(meta_dirent_get(&t, 1, "a", 1, &ino), 0);
	assert_int_equal(ino, 10);
	assert_int_equal(meta_dirent_get(&t, 1, "a ", 2, &ino), 0);
	assert_int_equal(ino, 12);
	assert_int_equal(meta_dirent_get(&t, 1, "b", 1, &ino), -ENOENT);
}

static void bad_name(const char *name, size_t len, int rc)
{
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_dirent_insert(&t, 1, name, len, 5), rc);
	assert_int_equal(meta_commit(&t, NULL), rc);
}

static void test_bad_names(void **state)
{
	char name[META_NAME_MAX + 1];
	struct meta_dirent d;
	META_TXN(t);
	uint64_t ino;

	memset(name, 0xff, sizeof(name));
	bad_name(name, sizeof(name), -ENAMETOOLONG);
	bad_name("", 0, -EINVAL);
	bad_name("a/b", 3, -EINVAL);
	bad_name("a\0b", 3, -EINVAL);
	begin(&t);
	ino = make_inode(&t, S_IFREG | 0600, 0);
	assert_int_equal(meta_dirent_insert(&t, 1, name, META_NAME_MAX, ino),
			 0);
	assert_int_equal(meta_dirent_list(&t, 1, 0, &d, 1), 1);
	assert_int_equal(d.len, META_NAME_MAX);
	assert_int_equal(strlen(d.name), META_NAME_MAX);
	assert_memory_equal(d.name, name, META_NAME_MAX);
	assert_int_equal(d.mode, S_IFREG | 0600);
	commit(&t);
}

/* Adds names "<kind><n>" for n in [from, to), 500 a transaction. */
static void add_names(char kind, int from, int to)
{
	char name[32];
	META_TXN(t);

	while (from < to) {
		int end = MIN(from + 500, to);

		begin(&t);
		for (; from < end; from++) {
			snprintf(name, sizeof(name), "%c%d", kind, from);
			make_file(&t, META_ROOT_INO, name);
		}
		commit(&t);
	}
}

static void remove_name(char kind, int i)
{
	char name[32];
	META_TXN(t);
	uint64_t ino;

	snprintf(name, sizeof(name), "%c%d", kind, i);
	begin(&t);
	assert_int_equal(meta_dirent_get(&t, 1, name, strlen(name), &ino), 0);
	assert_int_equal(meta_dirent_remove(&t, 1, name, strlen(name)), 0);
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	commit(&t);
}

/*
 * "s" names stay throughout, "x" ones go and "n" ones come while the
 * directory is listed in small pieces: each "s" appears exactly once.
 */
static void test_list_while_changing(void **state)
{
	static unsigned char seen[MANY];
	struct meta_dirent d[97];
	uint64_t after = 0;
	int i, n, round = 0, gone = 0;
	META_TXN(t);

	memset(seen, 0, sizeof(seen));
	add_names('s', 0, MANY / 2);
	add_names('x', 0, 200);
	add_names('s', MANY / 2, MANY);
	for (;;) {
		reading(&t);
		n = meta_dirent_list(&t, META_ROOT_INO, after, d,
				     ARRAY_SIZE(d));
		commit(&t);
		assert_true(n >= 0);
		if (n == 0)
			break;
		for (i = 0; i < n; i++) {
			assert_true(d[i].id > after);
			after = d[i].id;
			if (d[i].name[0] == 's')
				seen[atoi(d[i].name + 1)]++;
		}
		if (round < 100)
			add_names('n', round, round + 1);
		if (gone < 200)
			remove_name('x', gone++);
		round++;
	}
	for (i = 0; i < MANY; i++)
		assert_int_equal(seen[i], 1);
}

static void test_rename(void **state)
{
	META_TXN(t);
	uint64_t a, b, file, other, ino;
	CLEANUP_BUF struct buf path = { 0 };

	begin(&t);
	a = make_dir(&t, META_ROOT_INO, "a");
	b = make_dir(&t, META_ROOT_INO, "b");
	file = make_file(&t, a, "f");
	other = make_file(&t, b, "g");
	commit(&t);
	/* a/f over b/g: the target's old inode loses its name. */
	begin(&t);
	assert_int_equal(meta_dirent_remove(&t, b, "g", 1), 0);
	assert_int_equal(meta_inode_delete(&t, other), 0);
	assert_int_equal(meta_dirent_remove(&t, a, "f", 1), 0);
	assert_int_equal(meta_dirent_insert(&t, b, "g", 1, file), 0);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_dirent_get(&t, a, "f", 1, &ino), -ENOENT);
	assert_int_equal(meta_dirent_get(&t, b, "g", 1, &ino), 0);
	assert_int_equal(ino, file);
	assert_int_equal(meta_dirent_any(&t, a), 0);
	assert_int_equal(meta_dirent_any(&t, b), 1);
	/* b into a. */
	assert_int_equal(meta_dirent_remove(&t, META_ROOT_INO, "b", 1), 0);
	assert_int_equal(meta_dirent_insert(&t, a, "b", 1, b), 0);
	assert_int_equal(meta_path(&t, file, &path), 0);
	assert_string_equal(buf_str(&path), "a/b/g");
	meta_abort(&t);
	/* Undone. */
	path.len = 0;
	reading(&t);
	assert_int_equal(meta_path(&t, file, &path), 0);
	assert_string_equal(buf_str(&path), "b/g");
}

static void test_path(void **state)
{
	CLEANUP_BUF struct buf path = { 0 };
	uint64_t at = META_ROOT_INO, ino;
	char name[META_NAME_MAX];
	META_TXN(t);
	int i;

	memset(name, 0xe9, sizeof(name));
	name[0] = '\n';
	begin(&t);
	assert_int_equal(meta_path(&t, META_ROOT_INO, &path), 0);
	assert_int_equal(path.len, 0);
	for (i = 0; i < 256; i++) {
		ino = make_inode(&t, S_IFDIR | 0700, 0);
		assert_int_equal(
			meta_dirent_insert(&t, at, name, sizeof(name), ino), 0);
		at = ino;
	}
	assert_int_equal(buf_add(&path, "/mnt/", 5), 0);
	assert_int_equal(meta_path(&t, at, &path), 0);
	assert_int_equal(path.len, 5 + 256 * 256 - 1);
	assert_memory_equal(path.data + 5 + 256, name, sizeof(name));
	assert_int_equal(
		meta_resolve(&t, (char *)path.data + 5, path.len - 5, &ino), 0);
	assert_int_equal(ino, at);
	/* One more is too long; what was in the buffer stays. */
	ino = make_inode(&t, S_IFDIR | 0700, 0);
	assert_int_equal(meta_dirent_insert(&t, at, name, sizeof(name), ino),
			 0);
	path.len = 5;
	assert_int_equal(meta_path(&t, ino, &path), -ENAMETOOLONG);
	assert_int_equal(path.len, 5);
	assert_int_equal(meta_path(&t, 99999999, &path), -ENOENT);
	commit(&t);
}

static void test_path_loop(void **state)
{
	CLEANUP_BUF struct buf path = { 0 };
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_dirent_insert(&t, 50, "a", 1, 51), 0);
	assert_int_equal(meta_dirent_insert(&t, 51, "b", 1, 50), 0);
	assert_true(meta_path(&t, 50, &path) < 0);
	assert_int_equal(path.len, 0);
}

static void test_resolve(void **state)
{
	char name[META_NAME_MAX + 1];
	uint64_t a, f, ino;
	META_TXN(t);

	memset(name, 'n', sizeof(name));
	begin(&t);
	a = make_dir(&t, META_ROOT_INO, "a");
	f = make_file(&t, a, "f");
	assert_int_equal(meta_resolve(&t, "", 0, &ino), 0);
	assert_int_equal(ino, META_ROOT_INO);
	assert_int_equal(meta_resolve(&t, "a/f", 3, &ino), 0);
	assert_int_equal(ino, f);
	assert_int_equal(meta_resolve(&t, "/a//f/", 6, &ino), 0);
	assert_int_equal(ino, f);
	assert_int_equal(meta_resolve(&t, "a/f", 1, &ino), 0);
	assert_int_equal(ino, a);
	assert_int_equal(meta_resolve(&t, "a/../a", 6, &ino), -ENOENT);
	assert_int_equal(meta_resolve(&t, "a/f/x", 5, &ino), -ENOENT);
	assert_int_equal(meta_resolve(&t, name, sizeof(name), &ino),
			 -ENAMETOOLONG);
	assert_int_equal(meta_dirent_parent(&t, f, &ino), 0);
	assert_int_equal(ino, a);
	assert_int_equal(meta_dirent_parent(&t, 4242, &ino), -ENOENT);
}

static void test_list_without_inode(void **state)
{
	struct meta_dirent d[2];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_dirent_insert(&t, 1, "lost", 4, 4242), 0);
	assert_int_equal(meta_dirent_list(&t, 1, 0, d, 2), -EUCLEAN);
	assert_int_equal(meta_commit(&t, NULL), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_every_byte),
		META_TEST(test_case_and_length_matter),
		META_TEST(test_bad_names),
		META_TEST(test_list_while_changing),
		META_TEST(test_rename),
		META_TEST(test_path),
		META_TEST(test_path_loop),
		META_TEST(test_resolve),
		META_TEST(test_list_without_inode),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
