/* SPDX-License-Identifier: Apache-2.0 */
/* Making, finding, linking and removing names. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/sysmacros.h>

#define ROOT META_ROOT_INO

static bool later(struct timespec a, struct timespec b)
{
	return clock_ns(a) > clock_ns(b);
}

/* Runs `what` and says that it moved mtime and ctime of a directory. */
#define assert_touches(e, dir, what)                        \
	do {                                                \
		struct stat t0 = env_stat(e, dir), t1;      \
		clock_sleep_ns(1000);                       \
		what;                                       \
		t1 = env_stat(e, dir);                      \
		assert_true(later(t1.st_mtim, t0.st_mtim)); \
		assert_true(later(t1.st_ctim, t0.st_ctim)); \
	} while (0)

#define assert_untouched(e, dir, what)                     \
	do {                                               \
		struct stat t0 = env_stat(e, dir), t1;     \
		clock_sleep_ns(1000);                      \
		what;                                      \
		t1 = env_stat(e, dir);                     \
		assert_memory_equal(&t0, &t1, sizeof(t0)); \
	} while (0)

static void test_root(void **state)
{
	struct env *e = *state;
	struct stat st = env_stat(e, ROOT);

	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_ino, ROOT);
}

static void test_mkdir(void **state)
{
	struct vfs_cred who = user;
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d;

	who.umask = 022;
	assert_touches(e, ROOT,
		       assert_ok(vfs_mkdir(e->v, &who, ROOT, "d", 0777, &out)));
	d = out.ino;
	assert_int_equal(out.attr.st_mode, S_IFDIR | 0755);
	assert_int_equal(out.attr.st_nlink, 2);
	assert_int_equal(out.attr.st_uid, 1001);
	assert_int_equal(out.attr.st_gid, 1002);
	assert_false(out.volatile_attr);
	assert_int_equal(env_stat(e, ROOT).st_nlink, 3);
	env_dir(e, d, "sub");
	env_file(e, d, "file"); /* counts for no ".." */
	assert_int_equal(env_stat(e, d).st_nlink, 3);

	assert_untouched(
		e, ROOT,
		assert_errno(vfs_mkdir(e->v, &who, ROOT, "d", 0777, &out),
			     EEXIST));
	assert_errno(vfs_mkdir(e->v, &who, 9999, "x", 0777, &out), ENOENT);
	assert_errno(
		vfs_mkdir(e->v, &who, env_file(e, ROOT, "f"), "x", 0777, &out),
		ENOTDIR);
	assert_errno(vfs_mkdir(e->v, &who, ROOT | 1ULL << META_INO_BITS, "x",
			       0777, &out),
		     ESTALE);
}

static void test_setgid_directory(void **state)
{
	struct stat want = { .st_mode = 02775, .st_gid = 777 };
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), fh;

	assert_ok(vfs_setattr(e->v, &user, d, &want, VFS_SET_MODE | VFS_SET_GID,
			      0, &out));
	assert_ok(vfs_mkdir(e->v, &user, d, "sub", 0755, &out));
	assert_int_equal(out.attr.st_mode, S_IFDIR | 02755);
	assert_int_equal(out.attr.st_gid, 777);
	assert_int_equal(out.attr.st_uid, user.uid);
	assert_ok(vfs_create(e->v, &user, d, "f", 0644, O_RDWR, &out, &fh));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(out.attr.st_mode, S_IFREG | 0644);
	assert_int_equal(out.attr.st_gid, 777);
}

static void test_mknod(void **state)
{
	struct env *e = *state;
	struct vfs_entry out, again;

	assert_touches(e, ROOT,
		       assert_ok(vfs_mknod(e->v, &user, ROOT, "fifo",
					   S_IFIFO | 0600, 0, &out)));
	assert_int_equal(out.attr.st_mode, S_IFIFO | 0600);
	assert_int_equal(out.attr.st_nlink, 1);
	assert_ok(
		vfs_mknod(e->v, &user, ROOT, "sock", S_IFSOCK | 0600, 5, &out));
	assert_int_equal(out.attr.st_rdev, 0);
	assert_ok(vfs_mknod(e->v, &user, ROOT, "chr", S_IFCHR | 0600,
			    makedev(5, 300), &out));
	assert_int_equal(out.attr.st_rdev, makedev(5, 300));
	assert_ok(vfs_mknod(e->v, &user, ROOT, "reg", S_IFREG | 0640, 0, &out));
	assert_int_equal(out.attr.st_size, 0);
	assert_ok(vfs_lookup(e->v, ROOT, "reg", &again));
	assert_int_equal(again.ino, out.ino);
	assert_int_equal(env_state(e, out.ino), META_DIRTY);
	assert_errno(vfs_mknod(e->v, &user, ROOT, "x", S_IFDIR | 0700, 0, &out),
		     EINVAL);
	assert_errno(vfs_mknod(e->v, &user, ROOT, "x", 0700, 0, &out), EINVAL);
	assert_errno(vfs_mknod(e->v, &user, ROOT, "reg", S_IFREG, 0, &out),
		     EEXIST);
}

static void test_symlink(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	CLEANUP_BUF struct buf b = { 0 };
	char target[PATH_MAX + 1];

	memset(target, 't', PATH_MAX);
	target[PATH_MAX] = '\0';
	assert_errno(vfs_symlink(e->v, &user, ROOT, "l", target, &out),
		     ENAMETOOLONG);
	assert_errno(vfs_symlink(e->v, &user, ROOT, "l", "", &out), ENOENT);
	target[PATH_MAX - 1] = '\0';
	assert_ok(vfs_symlink(e->v, &user, ROOT, "l", target, &out));
	assert_int_equal(out.attr.st_mode, S_IFLNK | 0777);
	assert_int_equal(out.attr.st_size, PATH_MAX - 1);
	assert_ok(vfs_readlink(e->v, out.ino, &b));
	assert_string_equal(buf_str(&b), target);
	b.len = 0;
	assert_ok(vfs_symlink(e->v, &user, ROOT, "m", "../\xff\n", &out));
	assert_ok(vfs_readlink(e->v, out.ino, &b));
	assert_string_equal(buf_str(&b), "../\xff\n");
	assert_errno(vfs_readlink(e->v, ROOT, &b), EINVAL);
	assert_errno(vfs_readlink(e->v, 9999, &b), ESTALE);
	assert_ok(vfs_unlink(e->v, &user, ROOT, "m"));
	env_reaped(e);
	assert_errno(vfs_readlink(e->v, out.ino, &b), ESTALE);
}

static void test_lookup(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), f = env_file(e, d, "f");

	assert_ok(vfs_lookup(e->v, d, "f", &out));
	assert_int_equal(out.ino, f);
	assert_true(out.generation != 0);
	assert_errno(vfs_lookup(e->v, d, "g", &out), ENOENT);
	assert_errno(vfs_lookup(e->v, d, "F", &out), ENOENT);
	assert_errno(vfs_lookup(e->v, f, "x", &out), ENOTDIR);
	assert_errno(vfs_lookup(e->v, 9999, "x", &out), ENOENT);
	assert_errno(vfs_lookup(e->v, d | 7ULL << META_INO_BITS, "f", &out),
		     ESTALE);
	assert_errno(vfs_getattr(e->v, 9999, &out), ESTALE);
	assert_errno(vfs_getattr(e->v, d | 7ULL << META_INO_BITS, &out),
		     ESTALE);
}

/* Every byte but '/' and NUL, and the lengths around the limit. */
static void test_bytes_of_names(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	char name[META_NAME_MAX + 2];
	uint64_t ino[256];
	int i;

	for (i = 1; i < 256; i++) {
		name[0] = (char)i;
		name[1] = 'x';
		name[2] = '\0';
		if (i == '/')
			assert_errno(
				vfs_mkdir(e->v, &user, ROOT, name, 0700, &out),
				EINVAL);
		else
			ino[i] = env_dir(e, ROOT, name);
	}
	for (i = 1; i < 256; i++) {
		name[0] = (char)i;
		name[1] = 'x';
		name[2] = '\0';
		if (i == '/')
			continue;
		assert_ok(vfs_lookup(e->v, ROOT, name, &out));
		assert_int_equal(out.ino, ino[i]);
	}
	memset(name, 0xfe, sizeof(name));
	name[META_NAME_MAX + 1] = '\0';
	assert_errno(vfs_mkdir(e->v, &user, ROOT, name, 0700, &out),
		     ENAMETOOLONG);
	assert_errno(vfs_lookup(e->v, ROOT, name, &out), ENAMETOOLONG);
	assert_errno(vfs_unlink(e->v, &user, ROOT, name), ENAMETOOLONG);
	name[META_NAME_MAX] = '\0';
	env_file(e, ROOT, name);
	assert_ok(vfs_lookup(e->v, ROOT, name, &out));
	assert_errno(vfs_mkdir(e->v, &user, ROOT, "", 0700, &out), EINVAL);
	assert_errno(vfs_rmdir(e->v, &user, ROOT, "."), EINVAL);
	assert_errno(vfs_unlink(e->v, &user, ROOT, ".."), EINVAL);
}

static void test_link(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), f = env_file(e, ROOT, "f");
	struct stat before = env_stat(e, f), after;

	clock_sleep_ns(1000);
	assert_touches(e, d, assert_ok(vfs_link(e->v, f, d, "g", &out)));
	assert_int_equal(out.ino, f);
	assert_int_equal(out.attr.st_nlink, 2);
	after = env_stat(e, f);
	assert_true(later(after.st_ctim, before.st_ctim));
	assert_int_equal(clock_ns(after.st_mtim), clock_ns(before.st_mtim));

	assert_errno(vfs_link(e->v, f, d, "g", &out), EEXIST);
	assert_int_equal(env_stat(e, f).st_nlink, 2);
	assert_errno(vfs_link(e->v, d, ROOT, "x", &out), EPERM);
	assert_errno(vfs_link(e->v, f, f, "x", &out), ENOTDIR);
	assert_errno(vfs_link(e->v, 9999, ROOT, "x", &out), ESTALE);
	assert_errno(vfs_link(e->v, f, 9999, "x", &out), ENOENT);

	assert_ok(vfs_unlink(e->v, &user, ROOT, "f"));
	assert_int_equal(env_stat(e, f).st_nlink, 1);
	assert_ok(vfs_lookup(e->v, d, "g", &out));
	assert_ok(vfs_unlink(e->v, &user, d, "g"));
	env_reaped(e);
	assert_errno(vfs_link(e->v, f, ROOT, "x", &out), ESTALE);
}

static void test_unlink(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), f = env_file(e, d, "f");

	env_dir(e, d, "sub");
	assert_errno(vfs_unlink(e->v, &user, d, "sub"), EISDIR);
	assert_errno(vfs_unlink(e->v, &user, d, "none"), ENOENT);
	assert_errno(vfs_unlink(e->v, &user, f, "x"), ENOTDIR);
	assert_touches(e, d, assert_ok(vfs_unlink(e->v, &user, d, "f")));
	assert_errno(vfs_lookup(e->v, d, "f", &out), ENOENT);
	env_reaped(e);
	assert_false(env_has_row(e, f));
	/* The name is free again, for another inode. */
	assert_true(env_file(e, d, "f") != f);
}

static void test_lookup_by_id(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), f = env_file(e, d, "f"), fh;

	assert_ok(vfs_lookup(e->v, f, ".", &out));
	assert_int_equal(out.ino, f);
	assert_int_equal(out.generation, 1);
	assert_ok(vfs_lookup(e->v, d, ".", &out));
	assert_int_equal(out.ino, d);
	assert_ok(vfs_lookup(e->v, d, "..", &out));
	assert_int_equal(out.ino, ROOT);
	assert_ok(vfs_lookup(e->v, ROOT, "..", &out));
	assert_int_equal(out.ino, ROOT);
	assert_errno(vfs_lookup(e->v, f, "..", &out), ENOTDIR);
	assert_errno(vfs_lookup(e->v, 9999, ".", &out), ESTALE);
	assert_errno(vfs_lookup(e->v, 9999, "..", &out), ESTALE);
	assert_errno(vfs_lookup(e->v, d | 7ULL << META_INO_BITS, ".", &out),
		     ESTALE);
	/* Without a name, as long as it is open. */
	assert_ok(vfs_open(e->v, f, O_RDONLY, &fh));
	assert_ok(vfs_unlink(e->v, &user, d, "f"));
	assert_ok(vfs_lookup(e->v, f, ".", &out));
	assert_int_equal(out.attr.st_nlink, 0);
	assert_ok(vfs_release(e->v, fh)); /* reaped, or not yet */
	assert_errno(vfs_lookup(e->v, f, ".", &out), ESTALE);
}

static void test_rmdir(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t d = env_dir(e, ROOT, "d"), sub = env_dir(e, d, "sub");

	env_file(e, sub, "f");
	env_file(e, d, "file");
	assert_errno(vfs_rmdir(e->v, &user, d, "file"), ENOTDIR);
	assert_errno(vfs_rmdir(e->v, &user, d, "none"), ENOENT);
	assert_untouched(
		e, d,
		assert_errno(vfs_rmdir(e->v, &user, d, "sub"), ENOTEMPTY));
	assert_ok(vfs_unlink(e->v, &user, sub, "f"));
	assert_int_equal(env_stat(e, d).st_nlink, 3);
	assert_touches(e, d, assert_ok(vfs_rmdir(e->v, &user, d, "sub")));
	assert_int_equal(env_stat(e, d).st_nlink, 2);
	assert_errno(vfs_lookup(e->v, d, "sub", &out), ENOENT);
	/* Nothing can be made in it, whoever is still inside. */
	assert_errno(vfs_mkdir(e->v, &user, sub, "x", 0700, &out), ENOENT);
	env_reaped(e);
	assert_false(env_has_row(e, sub));
}

static void test_removed_directory_stays_open(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t sub = env_dir(e, ROOT, "sub"), fh, g;

	assert_ok(vfs_opendir(e->v, sub, O_RDONLY, &fh));
	assert_ok(vfs_rmdir(e->v, &user, ROOT, "sub"));
	assert_errno(vfs_create(e->v, &user, sub, "x", 0600, O_RDWR, &out, &g),
		     ENOENT);
	env_reap_looks(e); /* and leaves it alone */
	assert_int_equal(env_stat(e, sub).st_nlink, 0);
	assert_errno(vfs_lookup(e->v, sub, "..", &out), ESTALE);
	assert_ok(vfs_releasedir(e->v, fh));
	env_reaped(e);
	assert_errno(vfs_opendir(e->v, sub, O_RDONLY, &fh), ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_root),
		ENV_TEST(test_mkdir),
		ENV_TEST(test_setgid_directory),
		ENV_TEST(test_mknod),
		ENV_TEST(test_symlink),
		ENV_TEST(test_lookup),
		ENV_TEST(test_bytes_of_names),
		ENV_TEST(test_link),
		ENV_TEST(test_unlink),
		ENV_TEST(test_lookup_by_id),
		ENV_TEST(test_rmdir),
		ENV_TEST(test_removed_directory_stays_open),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
