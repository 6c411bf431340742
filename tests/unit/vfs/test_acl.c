/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs: as bytes, and on files and directories. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>
#include <linux/posix_acl.h>

#include "base/bytes.h"
#include "vfs/acl.h"

#define ROOT META_ROOT_INO
#define ANY  ACL_UNDEFINED_ID

struct acl {
	uint8_t b[4 + 8 * 16];
	size_t len;
};

static void add(struct acl *a, unsigned tag, unsigned perm, uint32_t id)
{
	put_le16(a->b + a->len, (uint16_t)tag);
	put_le16(a->b + a->len + 2, (uint16_t)perm);
	put_le32(a->b + a->len + 4, id);
	a->len += 8;
}

static struct acl new_acl(void)
{
	struct acl a = { .len = 4 };

	put_le32(a.b, 2);
	return a;
}

static struct acl minimal(mode_t mode)
{
	struct acl a = new_acl();

	add(&a, ACL_USER_OBJ, mode >> 6 & 7, ANY);
	add(&a, ACL_GROUP_OBJ, mode >> 3 & 7, ANY);
	add(&a, ACL_OTHER, mode & 7, ANY);
	return a;
}

/* u::rwx u:1000:rw- g::r-x g:50:rwx m::<mask> o::r-- */
static struct acl full(unsigned mask)
{
	struct acl a = new_acl();

	add(&a, ACL_USER_OBJ, 7, ANY);
	add(&a, ACL_USER, 6, 1000);
	add(&a, ACL_GROUP_OBJ, 5, ANY);
	add(&a, ACL_GROUP, 7, 50);
	add(&a, ACL_MASK, mask, ANY);
	add(&a, ACL_OTHER, 4, ANY);
	return a;
}

/* ---- bytes ----------------------------------------------------------- */

static void good(struct acl a)
{
	assert_ok(acl_check(a.b, a.len));
}

static void bad(struct acl a)
{
	assert_errno(acl_check(a.b, a.len), EINVAL);
}

static void test_check(void **state)
{
	struct acl a = minimal(0750);

	good(a);
	good(full(7));
	a.len--;
	bad(a); /* not whole */
	a.len -= 7;
	bad(a); /* no others */
	a.len = 4;
	bad(a);
	a.len = 3;
	bad(a);
	a = minimal(0750);
	put_le32(a.b, 1);
	bad(a);
	a = minimal(0750);
	add(&a, ACL_OTHER, 0, ANY);
	bad(a); /* twice */
	a = full(7);
	put_le16(a.b + 4 + 2, 010);
	bad(a); /* a permission that there is not */
	a = full(7);
	put_le32(a.b + 4 + 8 + 4, ANY);
	bad(a); /* who? */
	a = full(7);
	put_le16(a.b + 4, 3);
	bad(a);	       /* a tag that there is not */
	a = new_acl(); /* needs a mask */
	add(&a, ACL_USER_OBJ, 7, ANY);
	add(&a, ACL_USER, 7, 5);
	add(&a, ACL_GROUP_OBJ, 7, ANY);
	add(&a, ACL_OTHER, 7, ANY);
	bad(a);
	a = new_acl(); /* order */
	add(&a, ACL_GROUP_OBJ, 7, ANY);
	add(&a, ACL_USER_OBJ, 7, ANY);
	add(&a, ACL_OTHER, 7, ANY);
	bad(a);
}

static void test_modes(void **state)
{
	struct acl a = full(6);

	assert_int_equal(acl_mode(a.b, a.len, 02000), 02764);
	assert_false(acl_is_mode(a.b, a.len));
	acl_chmod(a.b, a.len, 0510);
	assert_int_equal(acl_mode(a.b, a.len, 0), 0510);
	assert_int_equal(get_le16(a.b + 4 + 8 * 2 + 2), 5); /* group stays */
	a = minimal(0750);
	assert_true(acl_is_mode(a.b, a.len));
	assert_int_equal(acl_mode(a.b, a.len, 04000), 04750);
	acl_chmod(a.b, a.len, 0604);
	assert_int_equal(acl_mode(a.b, a.len, 0), 0604);
	a = full(7);
	assert_int_equal(acl_inherit(a.b, a.len, 02660), 02660);
	assert_int_equal(acl_mode(a.b, a.len, 0), 0660);
	a = minimal(0750);
	assert_int_equal(acl_inherit(a.b, a.len, 0666), 0640);
}

/* ---- inodes ---------------------------------------------------------- */

static int set_acl(struct env *e, uint64_t ino, const char *name,
		   const struct acl *a)
{
	return vfs_setxattr(e->v, ino, name, a->b, a->len, 0);
}

static void has_acl(struct env *e, uint64_t ino, const char *name,
		    const struct acl *want)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = vfs_getxattr(e->v, ino, name, &b);

	if (!want) {
		assert_int_equal(rc, -ENODATA);
		return;
	}
	assert_ok(rc);
	assert_int_equal(b.len, want->len);
	assert_memory_equal(b.data, want->b, b.len);
}

static mode_t mode_of(struct env *e, uint64_t ino)
{
	return env_stat(e, ino).st_mode & 07777;
}

static void test_set(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	struct acl a = full(6), min = minimal(0640), wrong = { .len = 9 };
	struct stat want = { .st_mode = 0711 }, before;
	struct vfs_entry out;

	before = env_stat(e, f);
	clock_sleep_ns(1000);
	assert_ok(set_acl(e, f, ACL_ACCESS, &a));
	has_acl(e, f, ACL_ACCESS, &a);
	assert_int_equal(mode_of(e, f), 0764);
	assert_true(clock_ns(env_stat(e, f).st_ctim) >
		    clock_ns(before.st_ctim));
	assert_ok(vfs_setattr(e->v, &user, f, &want, VFS_SET_MODE, 0, &out));
	acl_chmod(a.b, a.len, 0711);
	has_acl(e, f, ACL_ACCESS, &a);
	assert_int_equal(mode_of(e, f), 0711);
	assert_ok(set_acl(e, f, ACL_ACCESS, &min)); /* a mode says as much */
	has_acl(e, f, ACL_ACCESS, NULL);
	assert_int_equal(mode_of(e, f), 0640);
	assert_errno(set_acl(e, f, ACL_ACCESS, &wrong), EINVAL);
	assert_errno(set_acl(e, f, ACL_DEFAULT, &min), EACCES);
	assert_ok(vfs_symlink(e->v, &user, ROOT, "l", "f", &out));
	assert_errno(set_acl(e, out.ino, ACL_ACCESS, &min), EOPNOTSUPP);
	assert_int_equal(mode_of(e, f), 0640);
}

static void test_setgid(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d");
	struct stat want = { .st_mode = 02755 };
	struct acl a = full(7);
	struct vfs_entry out;

	assert_ok(vfs_setattr(e->v, &user, d, &want, VFS_SET_MODE, 0, &out));
	assert_ok(set_acl(e, d, ACL_ACCESS, &a));
	assert_int_equal(mode_of(e, d), 02774);
	assert_ok(vfs_setxattr(e->v, d, ACL_DEFAULT, a.b, a.len,
			       VFS_XATTR_NO_SETGID));
	assert_int_equal(mode_of(e, d), 02774);
	assert_ok(vfs_setxattr(e->v, d, ACL_ACCESS, a.b, a.len,
			       VFS_XATTR_NO_SETGID));
	assert_int_equal(mode_of(e, d), 0774);
}

static void test_inherit(void **state)
{
	struct vfs_cred who = user;
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d"), fh;
	struct acl a = full(7), b = full(7), min = minimal(0750);
	struct vfs_entry out;

	who.umask = 077;
	assert_ok(vfs_create(e->v, &who, d, "0", 0666, O_RDWR, &out, &fh));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(out.attr.st_mode & 07777, 0600);
	assert_ok(set_acl(e, d, ACL_DEFAULT, &a));
	assert_int_equal(mode_of(e, d), 0755);
	/* no umask now */
	assert_ok(vfs_create(e->v, &who, d, "1", 0660, O_RDWR, &out, &fh));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(out.attr.st_mode & 07777, 0660);
	acl_inherit(b.b, b.len, 0660);
	has_acl(e, out.ino, ACL_ACCESS, &b);
	has_acl(e, out.ino, ACL_DEFAULT, NULL);
	assert_ok(vfs_mkdir(e->v, &who, d, "2", 0777, &out));
	assert_int_equal(out.attr.st_mode & 07777, 0774);
	has_acl(e, out.ino, ACL_ACCESS, &a);
	has_acl(e, out.ino, ACL_DEFAULT, &a);
	assert_ok(vfs_mkdir(e->v, &who, out.ino, "3", 0777, &out));
	has_acl(e, out.ino, ACL_DEFAULT, &a);
	assert_ok(vfs_symlink(e->v, &who, d, "4", "x", &out));
	assert_int_equal(out.attr.st_mode & 07777, 0777);
	has_acl(e, out.ino, ACL_ACCESS, NULL);
	/* one that a mode can express gives modes only */
	assert_ok(set_acl(e, d, ACL_DEFAULT, &min));
	assert_ok(vfs_mknod(e->v, &who, d, "5", S_IFIFO | 0666, 0, &out));
	assert_int_equal(out.attr.st_mode & 07777, 0640);
	has_acl(e, out.ino, ACL_ACCESS, NULL);
	assert_ok(vfs_removexattr(e->v, d, ACL_DEFAULT));
	assert_ok(vfs_mkdir(e->v, &who, d, "6", 0777, &out));
	assert_int_equal(out.attr.st_mode & 07777, 0700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check), cmocka_unit_test(test_modes),
		ENV_TEST(test_set),	      ENV_TEST(test_setgid),
		ENV_TEST(test_inherit),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
