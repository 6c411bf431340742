/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes, stored and virtual. */
#include "tests/unit/vfs/env.h"

#include <linux/limits.h>
#include <sys/xattr.h>

#define ROOT META_ROOT_INO

static int get(struct env *e, uint64_t ino, const char *name, char out[256])
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = vfs_getxattr(e->v, ino, name, &b);

	if (rc == 0) {
		assert_true(b.len < 256);
		memcpy(out, buf_str(&b), b.len + 1);
	}
	return rc;
}

static int set(struct env *e, uint64_t ino, const char *name, const char *value,
	       int flags)
{
	return vfs_setxattr(e->v, ino, name, value, strlen(value), flags);
}

static void test_set_get(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	struct stat before = env_stat(e, f);
	char v[256];

	assert_errno(get(e, f, "user.a", v), ENODATA);
	clock_sleep_ns(1000);
	assert_ok(set(e, f, "user.a", "one", 0));
	assert_true(clock_ns(env_stat(e, f).st_ctim) >
		    clock_ns(before.st_ctim));
	assert_ok(get(e, f, "user.a", v));
	assert_string_equal(v, "one");
	assert_ok(set(e, f, "user.a", "", 0));
	assert_ok(get(e, f, "user.a", v));
	assert_string_equal(v, "");
	assert_ok(set(e, f, "trusted.x", "t", 0));
	assert_ok(set(e, f, "security.capability", "s", 0));
	assert_ok(set(e, ROOT, "user.dir", "d", 0));
	assert_ok(get(e, ROOT, "user.dir", v));
	assert_errno(get(e, ROOT, "user.a", v), ENODATA);
	assert_errno(set(e, 9999, "user.a", "x", 0), ESTALE);
	assert_errno(set(e, f | 1ULL << META_INO_BITS, "user.a", "x", 0),
		     ESTALE);
}

static void test_bytes(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	CLEANUP_BUF struct buf b = { 0 };
	char name[XATTR_NAME_MAX + 2] = "user.";
	uint8_t *big = malloc(XATTR_SIZE_MAX + 1);
	size_t i;

	assert_non_null(big);
	for (i = 0; i <= XATTR_SIZE_MAX; i++)
		big[i] = env_byte(i);
	assert_ok(vfs_setxattr(e->v, f, "user.big", big, XATTR_SIZE_MAX, 0));
	assert_ok(vfs_getxattr(e->v, f, "user.big", &b));
	assert_int_equal(b.len, XATTR_SIZE_MAX);
	assert_memory_equal(b.data, big, XATTR_SIZE_MAX);
	assert_errno(
		vfs_setxattr(e->v, f, "user.big", big, XATTR_SIZE_MAX + 1, 0),
		E2BIG);
	free(big);
	memset(name + 5, 0x81, XATTR_NAME_MAX - 4);
	name[XATTR_NAME_MAX + 1] = '\0';
	assert_errno(set(e, f, name, "v", 0), ERANGE);
	name[XATTR_NAME_MAX] = '\0';
	assert_ok(set(e, f, name, "v", 0));
	assert_errno(set(e, f, "", "v", 0), ERANGE);
}

static void test_flags(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	char v[256];

	assert_errno(set(e, f, "user.a", "x", XATTR_REPLACE), ENODATA);
	assert_ok(set(e, f, "user.a", "1", XATTR_CREATE));
	assert_errno(set(e, f, "user.a", "2", XATTR_CREATE), EEXIST);
	assert_ok(get(e, f, "user.a", v));
	assert_string_equal(v, "1");
	assert_ok(set(e, f, "user.a", "3", XATTR_REPLACE));
	assert_ok(get(e, f, "user.a", v));
	assert_string_equal(v, "3");
	assert_errno(set(e, f, "user.a", "x", 0x100), EINVAL);
}

static void test_list_remove(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f");
	CLEANUP_BUF struct buf b = { 0 };
	char name[128];
	int i, rc = 0;

	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 0);
	assert_ok(set(e, f, "user.b", "1", 0));
	assert_ok(set(e, f, "user.a", "1", 0));
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 14);
	assert_memory_equal(b.data, "user.a\0user.b", 14);
	assert_ok(vfs_removexattr(e->v, f, "user.a"));
	assert_errno(vfs_removexattr(e->v, f, "user.a"), ENODATA);
	b.len = 0;
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 7);
	/* No more than listxattr(2) can tell. */
	for (i = 0; i < 1000 && rc == 0; i++) {
		snprintf(name, sizeof(name), "user.%0100d", i);
		rc = set(e, f, name, "", 0);
	}
	assert_int_equal(rc, -ENOSPC);
	b.len = 0;
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_true(b.len <= XATTR_LIST_MAX);
	assert_ok(set(e, f, "user.b", "again", 0));
}

static void test_trusted_is_hidden(void **state)
{
	struct env *e = *state;
	const struct vfs_cred root = { 0 };
	uint64_t f = env_file(e, ROOT, "f");
	CLEANUP_BUF struct buf b = { 0 };

	assert_ok(set(e, f, "trusted.a", "1", 0));
	assert_ok(set(e, f, "trusted.b", "1", 0));
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 0);
	assert_ok(set(e, f, "security.NTACL", "1", 0));
	assert_ok(set(e, f, "user.z", "1", 0));
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 22);
	assert_memory_equal(b.data, "security.NTACL\0user.z", 22);
	b.len = 0;
	assert_ok(vfs_listxattr(e->v, &root, f, &b));
	assert_int_equal(b.len, 42);
}

static void test_virtual(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 100000);
	CLEANUP_BUF struct buf b = { 0 };
	char v[256];

	assert_ok(get(e, f, "user.mersey.state", v));
	assert_string_equal(v, "dirty");
	assert_errno(get(e, f, "user.mersey.protected_at", v), ENODATA);
	assert_errno(get(e, f, "user.mersey.tier", v), ENODATA);
	env_protect(e);
	assert_ok(get(e, f, "user.mersey.state", v));
	assert_string_equal(v, "local");
	assert_ok(get(e, f, "user.mersey.tier", v));
	assert_string_equal(v, "near");
	assert_ok(get(e, f, "user.mersey.protected_at", v));
	assert_int_equal(strlen(v), 20);
	assert_int_equal(v[19], 'Z');
	env_evict(e, f);
	assert_ok(get(e, f, "user.mersey.state", v));
	assert_string_equal(v, "remote");

	assert_errno(set(e, f, "user.mersey.state", "local", 0), EPERM);
	assert_errno(set(e, f, "user.mersey.x", "y", 0), EPERM);
	assert_errno(vfs_removexattr(e->v, f, "user.mersey.state"), EPERM);
	assert_errno(get(e, f, "user.mersey.x", v), ENODATA);
	assert_errno(get(e, ROOT, "user.mersey.state", v), ENODATA);
	assert_ok(vfs_listxattr(e->v, &user, f, &b));
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_set_get),
		ENV_TEST(test_bytes),
		ENV_TEST(test_flags),
		ENV_TEST(test_list_remove),
		ENV_TEST(test_trusted_is_hidden),
		ENV_TEST(test_virtual),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
