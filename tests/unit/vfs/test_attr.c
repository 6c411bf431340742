/* SPDX-License-Identifier: Apache-2.0 */
/* setattr, statfs, and the calls' view of a file that is open. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#define ROOT META_ROOT_INO

static struct stat set(struct env *e, uint64_t ino, const struct stat *want,
		       unsigned what)
{
	struct vfs_entry out;

	assert_ok(vfs_setattr(e->v, &user, ino, want, what, 0, &out));
	return out.attr;
}

static void test_mode_and_owner(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	struct stat want = { .st_mode = S_IFDIR | 04751,
			     .st_uid = 5,
			     .st_gid = 6 };
	struct stat before = env_stat(e, f), st;

	clock_sleep_ns(1000);
	st = set(e, f, &want, VFS_SET_MODE);
	assert_int_equal(st.st_mode, S_IFREG | 04751); /* the type stays */
	assert_int_equal(st.st_uid, user.uid);
	assert_true(clock_ns(st.st_ctim) > clock_ns(before.st_ctim));
	assert_int_equal(clock_ns(st.st_mtim), clock_ns(before.st_mtim));
	st = set(e, f, &want, VFS_SET_UID);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_gid, user.gid);
	st = set(e, f, &want, VFS_SET_GID);
	assert_int_equal(st.st_gid, 6);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	st = set(e, ROOT, &want, VFS_SET_MODE);
	assert_int_equal(st.st_mode, S_IFDIR | 04751);
}

static void test_times(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	struct stat want = { .st_atim = { 12345, 678 },
			     .st_mtim = { -5, 999999999 } }; /* before 1970 */
	int64_t now;
	struct stat st;

	st = set(e, f, &want, VFS_SET_ATIME | VFS_SET_MTIME);
	assert_memory_equal(&st.st_atim, &want.st_atim, sizeof(st.st_atim));
	assert_memory_equal(&st.st_mtim, &want.st_mtim, sizeof(st.st_mtim));
	want.st_mtim.tv_sec = INT64_MAX; /* as near as can be told */
	st = set(e, f, &want, VFS_SET_MTIME);
	assert_int_equal(clock_ns(st.st_mtim), INT64_MAX);
	want.st_mtim.tv_sec = INT64_MIN;
	st = set(e, f, &want, VFS_SET_MTIME);
	assert_true(st.st_mtim.tv_sec < -4000000000);
	want.st_mtim = (struct timespec){ -5, 999999999 };
	st = set(e, f, &want, VFS_SET_MTIME);
	now = clock_wall_ns();
	st = set(e, f, &want, VFS_SET_ATIME | VFS_SET_ATIME_NOW);
	assert_true(clock_ns(st.st_atim) >= now);
	assert_memory_equal(&st.st_mtim, &want.st_mtim, sizeof(st.st_mtim));
	st = set(e, f, &want, VFS_SET_MTIME_NOW);
	assert_true(clock_ns(st.st_mtim) >= now);
	want.st_ctim = (struct timespec){ 99, 1 };
	st = set(e, f, &want, VFS_SET_MTIME | VFS_SET_CTIME);
	assert_int_equal(clock_ns(st.st_ctim), 99 * NSEC_PER_SEC + 1);
}

/* What is done with the cache file is no access of a client's. */
static void test_access_time(void **state)
{
	struct env *e = *state;
	struct vfs_entry made, out;
	uint64_t fh;

	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0644, O_RDWR, &made, &fh));
	assert_int_equal(vfs_write(e->v, fh, "abc", 3, 0), 3);
	assert_int_equal(test_sh("find '%s/cache' -type f -exec "
				 "touch -a -d 2001-01-01 {} +",
				 e->dir),
			 0);
	assert_ok(vfs_getattr(e->v, made.ino, &out));
	assert_true(out.volatile_attr);
	assert_memory_equal(&out.attr.st_atim, &made.attr.st_atim,
			    sizeof(out.attr.st_atim));
	assert_ok(vfs_release(e->v, fh));
	env_protect(e);
	assert_ok(vfs_getattr(e->v, made.ino, &out));
	assert_false(out.volatile_attr);
	assert_memory_equal(&out.attr.st_atim, &made.attr.st_atim,
			    sizeof(out.attr.st_atim));
}

/* utimens while the file is written: what is closed later does not undo it,
 * what is written later does. */
static void test_times_of_an_open_file(void **state)
{
	struct env *e = *state;
	struct stat want = { .st_atim = { 1000, 1 }, .st_mtim = { 2000, 2 } };
	struct vfs_entry out;
	struct stat st;
	uint64_t fh;

	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0644, O_RDWR, &out, &fh));
	assert_int_equal(vfs_write(e->v, fh, "abc", 3, 0), 3);
	assert_ok(vfs_getattr(e->v, out.ino, &out));
	assert_true(out.volatile_attr);
	assert_int_equal(out.attr.st_size, 3);
	assert_ok(vfs_setattr(e->v, &user, out.ino, &want,
			      VFS_SET_ATIME | VFS_SET_MTIME, fh, &out));
	assert_int_equal(clock_ns(out.attr.st_mtim), 2000 * NSEC_PER_SEC + 2);
	assert_int_equal(clock_ns(out.attr.st_atim), 1000 * NSEC_PER_SEC + 1);
	assert_ok(vfs_release(e->v, fh));
	env_protect(e); /* the final attributes are written */
	assert_ok(vfs_getattr(e->v, out.ino, &out));
	assert_false(out.volatile_attr);
	st = out.attr;
	assert_int_equal(clock_ns(st.st_mtim), 2000 * NSEC_PER_SEC + 2);
	assert_int_equal(clock_ns(st.st_atim), 1000 * NSEC_PER_SEC + 1);

	assert_ok(vfs_open(e->v, out.ino, O_WRONLY, &fh));
	assert_int_equal(vfs_write(e->v, fh, "d", 1, 3), 1);
	assert_ok(vfs_release(e->v, fh));
	st = env_stat(e, out.ino);
	assert_true(clock_ns(st.st_mtim) > 2000 * NSEC_PER_SEC + 2);
	assert_int_equal(clock_ns(st.st_atim), 1000 * NSEC_PER_SEC + 1);
	assert_int_equal(st.st_size, 4);
}

static void test_chmod_of_an_open_file(void **state)
{
	struct stat want = { .st_mode = 0400 };
	struct env *e = *state;
	struct vfs_entry out;
	int64_t before;
	uint64_t fh;

	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0644, O_RDWR, &out, &fh));
	assert_int_equal(vfs_write(e->v, fh, "abc", 3, 0), 3);
	before = clock_wall_ns();
	assert_ok(vfs_setattr(e->v, &user, out.ino, &want, VFS_SET_MODE, fh,
			      &out));
	assert_int_equal(out.attr.st_mode, S_IFREG | 0400);
	assert_true(clock_ns(out.attr.st_ctim) >= before);
	assert_int_equal(out.attr.st_size, 3);
	assert_int_equal(vfs_write(e->v, fh, "d", 1, 3), 1); /* still ours */
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(env_stat(e, out.ino).st_mode, S_IFREG | 0400);
	assert_int_equal(env_stat(e, out.ino).st_size, 4);
}

static void test_truncate(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 100000), fh;
	struct stat want = { .st_size = 70000 };
	struct vfs_entry out;
	struct stat st;
	uint8_t b[10];
	int64_t before;

	clock_sleep_ns(20000000); /* the disk's clock is coarse */
	before = clock_wall_ns() - 10000000;
	st = set(e, f, &want, VFS_SET_SIZE);
	assert_int_equal(st.st_size, 70000);
	assert_true(clock_ns(st.st_mtim) >= before);
	assert_true(clock_ns(st.st_ctim) >= before);
	want.st_size = 90000;
	st = set(e, f, &want, VFS_SET_SIZE);
	assert_int_equal(st.st_size, 90000);
	assert_ok(vfs_open(e->v, f, O_RDONLY, &fh));
	assert_int_equal(vfs_read(e->v, fh, b, 10, 69999), 10);
	assert_int_equal(b[0], env_byte(69999));
	assert_int_equal(b[1], 0); /* nothing old comes back */
	assert_int_equal(vfs_read(e->v, fh, b, 10, 89995), 5);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 90000), 0);
	assert_ok(vfs_release(e->v, fh));
	want.st_size = 0;
	assert_int_equal(set(e, f, &want, VFS_SET_SIZE).st_size, 0);

	assert_errno(
		vfs_setattr(e->v, &user, ROOT, &want, VFS_SET_SIZE, 0, &out),
		EISDIR);
	assert_ok(vfs_mknod(e->v, &user, ROOT, "p", S_IFIFO | 0600, 0, &out));
	assert_errno(
		vfs_setattr(e->v, &user, out.ino, &want, VFS_SET_SIZE, 0, &out),
		EINVAL);
	want.st_size = -1;
	assert_errno(vfs_setattr(e->v, &user, f, &want, VFS_SET_SIZE, 0, &out),
		     EINVAL);
	assert_errno(
		vfs_setattr(e->v, &user, 9999, &want, VFS_SET_MODE, 0, &out),
		ESTALE);
}

/* ---- set-id bits and capabilities ----------------------------------- */

static void give(struct env *e, uint64_t f, mode_t mode)
{
	struct stat want = { .st_mode = mode };

	set(e, f, &want, VFS_SET_MODE);
	assert_ok(vfs_setxattr(e->v, f, "security.capability", "c", 1, 0));
}

static bool has_caps(struct env *e, uint64_t f)
{
	CLEANUP_BUF struct buf b = { 0 };

	return vfs_getxattr(e->v, f, "security.capability", &b) == 0;
}

static void test_write_drops(void **state)
{
	const struct vfs_cred stranger = { .uid = 9, .gid = 9 };
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10), fh, other;

	assert_ok(vfs_open(e->v, f, O_WRONLY, &fh));
	assert_ok(vfs_open(e->v, f, O_RDWR, &other));
	give(e, f, 06755);
	assert_int_equal(vfs_unprivilege(e->v, fh, NULL), 1);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 06755);
	assert_false(has_caps(e, f));
	assert_int_equal(vfs_unprivilege(e->v, fh, &user), 1);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 0755);
	assert_int_equal(vfs_unprivilege(e->v, fh, &user), 0);
	/* Given again: also a handle that has looked, looks. */
	give(e, f, 06745);
	assert_int_equal(vfs_unprivilege(e->v, fh, &user), 1);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 02745);
	assert_false(has_caps(e, f));
	assert_int_equal(vfs_unprivilege(e->v, other, &user), 0);
	/* The same handle, in other hands. */
	assert_int_equal(vfs_unprivilege(e->v, fh, &stranger), 1);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 0745);
	assert_ok(vfs_release(e->v, fh));
	assert_ok(vfs_release(e->v, other));
	assert_errno(vfs_unprivilege(e->v, fh, &user), EBADF);
}

static void test_created_with_bits(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t fh;

	assert_ok(vfs_create(e->v, &user, ROOT, "f", 04711, O_RDWR, &out, &fh));
	assert_int_equal(out.attr.st_mode, S_IFREG | 04711);
	assert_int_equal(vfs_unprivilege(e->v, fh, &user), 1);
	assert_int_equal(env_stat(e, out.ino).st_mode, S_IFREG | 0711);
	assert_ok(vfs_release(e->v, fh));
}

static void test_setattr_drops(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10), d = env_dir(e, ROOT, "d");
	struct stat want = { .st_size = 5, .st_uid = 7, .st_gid = 8 };

	give(e, f, 06755);
	set(e, f, &want, VFS_SET_SIZE);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 06755);
	assert_false(has_caps(e, f));
	set(e, f, &want, VFS_SET_SIZE | VFS_SET_NO_SETID);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 0755);
	give(e, f, 06755);
	set(e, f, &want, VFS_SET_UID | VFS_SET_NO_SETID);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 0755);
	assert_false(has_caps(e, f));
	give(e, f, 02745); /* mandatory locking, once */
	set(e, f, &want, VFS_SET_GID | VFS_SET_NO_SETID);
	assert_int_equal(env_stat(e, f).st_mode, S_IFREG | 02745);
	want.st_mode = 02755;
	set(e, d, &want, VFS_SET_MODE);
	set(e, d, &want, VFS_SET_GID | VFS_SET_NO_SETID);
	assert_int_equal(env_stat(e, d).st_mode, S_IFDIR | 02755);
}

static void test_blocks(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 200000);

	assert_true(env_stat(e, f).st_blocks >= 200000 / 512);
	assert_int_equal(env_stat(e, f).st_blksize % 4096, 0);
	env_protect(e);
	env_evict(e, f);
	/* Programs take a file without blocks for one big hole. */
	assert_true(env_stat(e, f).st_blocks >= 200000 / 512);
	assert_int_equal(env_stat(e, f).st_size, 200000);
}

static void test_statfs(void **state)
{
	struct env *e = *state;
	struct statvfs a, b;

	assert_ok(vfs_statfs(e->v, &a));
	assert_int_equal(a.f_namemax, 255);
	assert_int_equal(a.f_frsize, 4096);
	assert_true(a.f_bfree > 0 && a.f_bfree <= ENV_CACHE / 4096);
	assert_int_equal(a.f_bavail, a.f_bfree);
	assert_true(a.f_ffree > 0 && a.f_files > a.f_ffree);
	env_data(e, ROOT, "f", 4 << 20);
	clock_sleep_ns(700000000); /* its size is in the row */
	assert_ok(vfs_statfs(e->v, &b));
	assert_int_equal(b.f_files, a.f_files + 1);
	assert_int_equal(b.f_blocks - b.f_bfree - (a.f_blocks - a.f_bfree),
			 (4 << 20) / 4096);
	assert_true(b.f_bfree < a.f_bfree); /* not protected yet */
	env_protect(e);
	assert_ok(vfs_statfs(e->v, &b));
	assert_int_equal(b.f_blocks - b.f_bfree - (a.f_blocks - a.f_bfree),
			 (4 << 20) / 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_mode_and_owner),
		ENV_TEST(test_times),
		ENV_TEST(test_access_time),
		ENV_TEST(test_times_of_an_open_file),
		ENV_TEST(test_chmod_of_an_open_file),
		ENV_TEST(test_truncate),
		ENV_TEST(test_write_drops),
		ENV_TEST(test_created_with_bits),
		ENV_TEST(test_setattr_drops),
		ENV_TEST(test_blocks),
		ENV_TEST(test_statfs),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
