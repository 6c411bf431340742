/* SPDX-License-Identifier: Apache-2.0 */
/* rename(2): who may replace whom, and what moves along. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#define ROOT META_ROOT_INO

static int mv(struct env *e, uint64_t from, const char *name, uint64_t to,
	      const char *newname)
{
	return vfs_rename(e->v, &user, from, name, to, newname, 0);
}

static uint64_t find(struct env *e, uint64_t dir, const char *name)
{
	struct vfs_entry out;
	int rc = vfs_lookup(e->v, dir, name, &out);

	if (rc == -ENOENT)
		return 0;
	assert_ok(rc);
	return out.ino;
}

static int64_t ctime_of(struct env *e, uint64_t ino)
{
	return clock_ns(env_stat(e, ino).st_ctim);
}

static int64_t mtime_of(struct env *e, uint64_t ino)
{
	return clock_ns(env_stat(e, ino).st_mtim);
}

static void test_plain(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, ROOT, "b");
	uint64_t f = env_file(e, a, "f");
	int64_t fc = ctime_of(e, f), fm = mtime_of(e, f);
	int64_t am = mtime_of(e, a), bm = mtime_of(e, b);

	clock_sleep_ns(1000);
	assert_ok(mv(e, a, "f", b, "g"));
	assert_int_equal(find(e, a, "f"), 0);
	assert_int_equal(find(e, b, "g"), f);
	assert_int_equal(env_stat(e, f).st_nlink, 1);
	assert_true(ctime_of(e, f) > fc);
	assert_int_equal(mtime_of(e, f), fm);
	assert_true(mtime_of(e, a) > am);
	assert_true(mtime_of(e, b) > bm);
	assert_true(ctime_of(e, a) > am);

	assert_ok(mv(e, b, "g", b, "h")); /* in its directory */
	assert_int_equal(find(e, b, "h"), f);
	assert_int_equal(find(e, b, "g"), 0);
	assert_errno(mv(e, b, "g", b, "i"), ENOENT);
	assert_errno(mv(e, f, "g", b, "i"), ENOTDIR);
	assert_errno(mv(e, b, "h", f, "i"), ENOTDIR);
	assert_errno(mv(e, b, "h", 9999, "i"), ENOENT);
	assert_errno(mv(e, b, ".", b, "i"), EINVAL);
	assert_errno(mv(e, b, "h", b, ".."), EINVAL);
}

static void test_directory_moves(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, ROOT, "b");
	uint64_t d = env_dir(e, a, "d");
	uint64_t f = env_file(e, d, "f");

	assert_int_equal(env_stat(e, a).st_nlink, 3);
	assert_ok(mv(e, a, "d", b, "d"));
	assert_int_equal(env_stat(e, a).st_nlink, 2);
	assert_int_equal(env_stat(e, b).st_nlink, 3);
	assert_int_equal(env_stat(e, d).st_nlink, 2);
	assert_int_equal(find(e, d, "f"), f);
	assert_ok(mv(e, b, "d", b, "e")); /* in its directory */
	assert_int_equal(env_stat(e, b).st_nlink, 3);
}

static void test_file_over_file(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f"), g = env_file(e, ROOT, "g");
	struct vfs_entry out;

	assert_ok(vfs_link(e->v, g, ROOT, "other", &out));
	assert_ok(mv(e, ROOT, "f", ROOT, "g"));
	assert_int_equal(find(e, ROOT, "g"), f);
	assert_int_equal(find(e, ROOT, "f"), 0);
	assert_int_equal(env_stat(e, g).st_nlink, 1); /* "other" is left */
	assert_int_equal(env_stat(e, f).st_nlink, 1);
	assert_ok(mv(e, ROOT, "g", ROOT, "other"));
	env_reaped(e);
	assert_false(env_has_row(e, g));
}

static void test_over_open_file(void **state)
{
	struct env *e = *state;
	uint64_t g = env_data(e, ROOT, "g", 1000), fh;
	uint8_t b[1000];

	env_file(e, ROOT, "f");
	assert_ok(vfs_open(e->v, g, O_RDONLY, &fh));
	assert_ok(mv(e, ROOT, "f", ROOT, "g"));
	clock_sleep_ns(50000000); /* reap leaves it alone */
	assert_int_equal(env_stat(e, g).st_nlink, 0);
	assert_int_equal(vfs_read(e->v, fh, b, sizeof(b), 0), sizeof(b));
	assert_int_equal(b[999], env_byte(999));
	assert_ok(vfs_release(e->v, fh));
	env_reaped(e);
	assert_false(env_has_row(e, g));
}

static void test_directory_over_directory(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), d = env_dir(e, a, "d");
	uint64_t old = env_dir(e, ROOT, "old"), f = env_file(e, old, "f");

	assert_errno(mv(e, a, "d", ROOT, "old"), ENOTEMPTY);
	assert_int_equal(find(e, old, "f"), f);
	assert_ok(vfs_unlink(e->v, &user, old, "f"));
	assert_int_equal(env_stat(e, ROOT).st_nlink, 4);
	assert_ok(mv(e, a, "d", ROOT, "old"));
	assert_int_equal(find(e, ROOT, "old"), d);
	assert_int_equal(env_stat(e, ROOT).st_nlink, 4);
	assert_int_equal(env_stat(e, a).st_nlink, 2);
	/* Both in one directory: one ".." less. */
	assert_ok(mv(e, ROOT, "a", ROOT, "old"));
	assert_int_equal(env_stat(e, ROOT).st_nlink, 3);
	env_reaped(e);
	assert_false(env_has_row(e, d));
}

static void test_kinds_do_not_mix(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;

	env_file(e, ROOT, "f");
	env_dir(e, ROOT, "d");
	assert_ok(vfs_symlink(e->v, &user, ROOT, "l", "d", &out));
	assert_ok(vfs_mknod(e->v, &user, ROOT, "p", S_IFIFO | 0600, 0, &out));
	assert_errno(mv(e, ROOT, "f", ROOT, "d"), EISDIR);
	assert_errno(mv(e, ROOT, "l", ROOT, "d"), EISDIR);
	assert_errno(mv(e, ROOT, "d", ROOT, "f"), ENOTDIR);
	assert_errno(mv(e, ROOT, "d", ROOT, "l"), ENOTDIR);
	assert_ok(mv(e, ROOT, "p", ROOT, "l"));
	assert_errno(mv(e, ROOT, "p", ROOT, "l"), ENOENT);
	assert_ok(mv(e, ROOT, "l", ROOT, "f"));
	assert_int_equal(find(e, ROOT, "f"), out.ino);
}

static void test_same_inode(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f"), d = env_dir(e, ROOT, "d");
	struct vfs_entry out;
	struct stat before;

	assert_ok(vfs_link(e->v, f, ROOT, "g", &out));
	before = env_stat(e, ROOT);
	assert_ok(mv(e, ROOT, "f", ROOT, "g"));
	assert_int_equal(find(e, ROOT, "f"), f); /* both stay */
	assert_int_equal(find(e, ROOT, "g"), f);
	assert_ok(mv(e, ROOT, "f", ROOT, "f"));
	assert_ok(mv(e, ROOT, "d", ROOT, "d"));
	assert_int_equal(find(e, ROOT, "d"), d);
	assert_int_equal(clock_ns(env_stat(e, ROOT).st_mtim),
			 clock_ns(before.st_mtim));
}

static void test_into_itself(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, a, "b");
	uint64_t c = env_dir(e, b, "c");

	assert_errno(mv(e, ROOT, "a", a, "x"), EINVAL);
	assert_errno(mv(e, ROOT, "a", c, "x"), EINVAL);
	assert_errno(mv(e, a, "b", c, "x"), EINVAL);
	/* Over a directory above it: not empty. */
	assert_errno(mv(e, b, "c", ROOT, "a"), ENOTEMPTY);
	assert_ok(mv(e, b, "c", a, "c"));
	assert_ok(mv(e, a, "b", c, "b"));
	assert_int_equal(find(e, c, "b"), b);
}

static void test_flags(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f"), g = env_file(e, ROOT, "g");

	assert_errno(
		vfs_rename(e->v, &user, ROOT, "f", ROOT, "g", RENAME_NOREPLACE),
		EEXIST);
	assert_errno(
		vfs_rename(e->v, &user, ROOT, "f", ROOT, "f", RENAME_NOREPLACE),
		EEXIST);
	assert_errno(vfs_rename(e->v, &user, ROOT, "f", ROOT, "g",
				RENAME_EXCHANGE | RENAME_NOREPLACE),
		     EINVAL);
	assert_errno(
		vfs_rename(e->v, &user, ROOT, "f", ROOT, "h", RENAME_WHITEOUT),
		EINVAL);
	assert_int_equal(find(e, ROOT, "f"), f);
	assert_int_equal(find(e, ROOT, "g"), g);
	assert_ok(vfs_rename(e->v, &user, ROOT, "f", ROOT, "h",
			     RENAME_NOREPLACE));
	assert_int_equal(find(e, ROOT, "h"), f);
}

static int swap(struct env *e, uint64_t from, const char *name, uint64_t to,
		const char *newname)
{
	return vfs_rename(e->v, &user, from, name, to, newname,
			  RENAME_EXCHANGE);
}

static void test_exchange(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, ROOT, "b");
	uint64_t f = env_file(e, a, "f"), d = env_dir(e, b, "d");
	int64_t fc = ctime_of(e, f), dc = ctime_of(e, d), am = mtime_of(e, a);
	int64_t fm = mtime_of(e, f), bm = mtime_of(e, b);

	clock_sleep_ns(1000);
	assert_ok(swap(e, a, "f", b, "d")); /* kinds may differ */
	assert_int_equal(find(e, a, "f"), d);
	assert_int_equal(find(e, b, "d"), f);
	assert_int_equal(env_stat(e, a).st_nlink, 3); /* ".." moved */
	assert_int_equal(env_stat(e, b).st_nlink, 2);
	assert_int_equal(env_stat(e, f).st_nlink, 1);
	assert_int_equal(env_stat(e, d).st_nlink, 2);
	assert_true(ctime_of(e, f) > fc && ctime_of(e, d) > dc);
	assert_true(mtime_of(e, a) > am && mtime_of(e, b) > bm);
	assert_int_equal(mtime_of(e, f), fm);

	assert_ok(swap(e, ROOT, "a", ROOT, "b")); /* in one directory */
	assert_int_equal(find(e, ROOT, "a"), b);
	assert_int_equal(find(e, ROOT, "b"), a);
	assert_int_equal(env_stat(e, ROOT).st_nlink, 4);
}

static void test_exchange_refused(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, a, "b");
	uint64_t f = env_file(e, ROOT, "f"), g;
	struct vfs_entry out;

	assert_errno(swap(e, ROOT, "f", ROOT, "none"), ENOENT);
	assert_errno(swap(e, ROOT, "none", ROOT, "f"), ENOENT);
	/* Neither may come to lie below itself. */
	g = env_file(e, b, "g");
	assert_errno(swap(e, ROOT, "a", b, "g"), EINVAL);
	assert_errno(swap(e, b, "g", ROOT, "a"), EINVAL);
	assert_errno(swap(e, ROOT, "a", a, "b"), EINVAL);
	assert_errno(swap(e, a, "b", ROOT, "a"), EINVAL);
	assert_int_equal(find(e, b, "g"), g);
	assert_int_equal(find(e, ROOT, "a"), a);
	assert_ok(swap(e, ROOT, "f", ROOT, "f"));
	assert_ok(vfs_link(e->v, f, b, "same", &out));
	assert_ok(swap(e, ROOT, "f", b, "same"));
	assert_int_equal(env_stat(e, f).st_nlink, 2);
	assert_int_equal(find(e, ROOT, "f"), f);
}

static void test_long_names(void **state)
{
	struct env *e = *state;
	char name[META_NAME_MAX + 2];
	uint64_t f = env_file(e, ROOT, "f");

	memset(name, 'n', sizeof(name));
	name[META_NAME_MAX + 1] = '\0';
	assert_errno(mv(e, ROOT, "f", ROOT, name), ENAMETOOLONG);
	assert_errno(mv(e, ROOT, name, ROOT, "g"), ENAMETOOLONG);
	name[META_NAME_MAX] = '\0';
	assert_ok(mv(e, ROOT, "f", ROOT, name));
	assert_int_equal(find(e, ROOT, name), f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_plain),
		ENV_TEST(test_directory_moves),
		ENV_TEST(test_file_over_file),
		ENV_TEST(test_over_open_file),
		ENV_TEST(test_directory_over_directory),
		ENV_TEST(test_kinds_do_not_mix),
		ENV_TEST(test_same_inode),
		ENV_TEST(test_into_itself),
		ENV_TEST(test_flags),
		ENV_TEST(test_exchange),
		ENV_TEST(test_exchange_refused),
		ENV_TEST(test_long_names),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
