/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas as programs meet them: EDQUOT, room that comes back, df. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define ROOT META_ROOT_INO
#define MIB  (1ULL << 20)

static void limit(struct env *e, uint64_t bytes, uint64_t files)
{
	struct meta_quota q = { .bytes = bytes, .files = files };

	meta_quota_set(e->meta, &q);
}

static ssize_t put(struct env *e, uint64_t fh, uint64_t off, size_t n)
{
	static const uint8_t zero[MIB];

	return vfs_write(e->v, fh, zero, n, off);
}

static uint64_t open_new(struct env *e, const char *name)
{
	struct vfs_entry entry;
	uint64_t fh;

	assert_ok(
		vfs_create(e->v, &user, ROOT, name, 0644, O_RDWR, &entry, &fh));
	return fh;
}

static void test_files(void **state)
{
	struct env *e = *state;
	struct vfs_entry entry;
	uint64_t f, fh;

	limit(e, 0, 5);
	f = env_file(e, ROOT, "file");
	env_dir(e, ROOT, "dir");
	assert_ok(vfs_symlink(e->v, &user, ROOT, "link", "file", &entry));
	assert_ok(vfs_mknod(e->v, &user, ROOT, "fifo", S_IFIFO | 0600, 0,
			    &entry));
	fh = open_new(e, "last");
	assert_errno(
		vfs_create(e->v, &user, ROOT, "x", 0644, O_RDWR, &entry, &fh),
		EDQUOT);
	assert_errno(vfs_mkdir(e->v, &user, ROOT, "x", 0755, &entry), EDQUOT);
	assert_errno(
		vfs_mknod(e->v, &user, ROOT, "x", S_IFREG | 0600, 0, &entry),
		EDQUOT);
	assert_errno(vfs_symlink(e->v, &user, ROOT, "x", "y", &entry), EDQUOT);
	assert_errno(vfs_lookup(e->v, ROOT, "x", &entry), ENOENT);
	/* What makes no inode is allowed. */
	assert_ok(vfs_link(e->v, f, ROOT, "second", &entry));
	assert_ok(vfs_rename(e->v, &user, ROOT, "second", ROOT, "x", 0));
	assert_errno(vfs_mkdir(e->v, &user, ROOT, "x", 0755, &entry), EEXIST);
	/* What is removed gives its room to the next call. */
	assert_ok(vfs_rmdir(e->v, &user, ROOT, "dir"));
	assert_ok(vfs_mkdir(e->v, &user, ROOT, "y", 0755, &entry));
	assert_ok(vfs_release(e->v, fh));
}

/* Also when the file was written just now: its sync is under way. */
static void test_bytes_come_back(void **state)
{
	struct env *e = *state;
	uint64_t fh, open;
	char name[16];
	int i;

	limit(e, MIB, 0);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fh = open_new(e, name);
		assert_int_equal(put(e, fh, 0, MIB), MIB);
		assert_errno(put(e, fh, MIB, 1), EDQUOT);
		assert_ok(vfs_release(e->v, fh));
		assert_ok(vfs_unlink(e->v, &user, ROOT, name));
	}
	/* One that is open keeps it until it is closed. */
	open = open_new(e, "open");
	assert_int_equal(put(e, open, 0, MIB), MIB);
	assert_ok(vfs_unlink(e->v, &user, ROOT, "open"));
	fh = open_new(e, "next");
	assert_errno(put(e, fh, 0, 1), EDQUOT);
	assert_ok(vfs_release(e->v, open));
	assert_int_equal(put(e, fh, 0, MIB), MIB);
	assert_ok(vfs_release(e->v, fh));
}

static void test_bytes_others(void **state)
{
	struct env *e = *state;
	uint64_t a = env_data(e, ROOT, "a", 1000), fa, fb;
	struct vfs_entry entry;
	struct stat st = { .st_size = 1001 };

	limit(e, 1000, 0);
	assert_errno(vfs_setattr(e->v, &user, a, &st, VFS_SET_SIZE, 0, &entry),
		     EDQUOT);
	st.st_size = 500;
	assert_ok(vfs_setattr(e->v, &user, a, &st, VFS_SET_SIZE, 0, &entry));
	assert_ok(vfs_open(e->v, a, O_RDWR, &fa));
	fb = open_new(e, "b");
	assert_errno(vfs_copy(e->v, fa, 0, fb, 400, 500), EDQUOT);
	assert_int_equal(vfs_copy(e->v, fa, 0, fb, 0, 500), 500);
	assert_errno(vfs_fallocate(e->v, fb, 0, 0, 501), EDQUOT);
	assert_ok(vfs_fallocate(e->v, fb, FALLOC_FL_KEEP_SIZE, 0, 9000));
	assert_ok(vfs_fallocate(e->v, fb, 0, 0, 500));
	assert_errno(put(e, fb, 500, 1), EDQUOT);
	assert_ok(vfs_release(e->v, fa));
	assert_ok(vfs_release(e->v, fb));
}

static void test_statfs(void **state)
{
	struct env *e = *state;
	struct statvfs s;

	env_data(e, ROOT, "a", 1 * MIB);
	limit(e, 8 * MIB, 100);
	assert_ok(vfs_statfs(e->v, &s));
	assert_int_equal(s.f_blocks * s.f_frsize, 8 * MIB);
	assert_int_equal(s.f_bfree * s.f_frsize, 7 * MIB);
	assert_int_equal(s.f_bavail, s.f_bfree);
	assert_int_equal(s.f_files, 100);
	assert_int_equal(s.f_ffree, 99);
	assert_int_equal(s.f_favail, 99);
	/* More than the cache: what can be written now is less. */
	limit(e, 1ULL << 50, 0);
	assert_ok(vfs_statfs(e->v, &s));
	assert_int_equal(s.f_blocks * s.f_frsize, 1ULL << 50);
	assert_int_equal(s.f_bfree * s.f_frsize, (1ULL << 50) - MIB);
	assert_true(s.f_bavail * s.f_frsize <= ENV_CACHE);
	assert_true(s.f_ffree > 1000000);
	/* Lowered below what there is. */
	limit(e, 4096, 1);
	assert_ok(vfs_statfs(e->v, &s));
	assert_int_equal(s.f_blocks * s.f_frsize, MIB);
	assert_int_equal(s.f_bfree, 0);
	assert_int_equal(s.f_bavail, 0);
	assert_int_equal(s.f_files, 1);
	assert_int_equal(s.f_ffree, 0);
}

/* ---- many at once ---------------------------------------------------- */

#define MAKERS 4
#define FILES  101

struct maker {
	struct env *e;
	unsigned id, made;
};

/* Makes files until it may not; removes every seventh again. */
static void *maker(void *arg)
{
	struct maker *k = arg;
	struct vfs_entry entry;
	char name[32];
	unsigned i;
	int rc = 0;

	for (i = 0; rc == 0; i++) {
		snprintf(name, sizeof(name), "%u-%u", k->id, i);
		rc = vfs_mknod(k->e->v, &user, ROOT, name, S_IFREG | 0600, 0,
			       &entry);
		if (rc < 0)
			break;
		k->made++;
		if (i % 7 != 0)
			continue;
		assert_ok(vfs_unlink(k->e->v, &user, ROOT, name));
		k->made--;
	}
	assert_errno(rc, EDQUOT);
	return NULL;
}

static void test_files_threads(void **state)
{
	struct env *e = *state;
	struct maker k[MAKERS];
	pthread_t thread[MAKERS];
	unsigned i, made = 0;

	limit(e, 0, FILES);
	for (i = 0; i < MAKERS; i++) {
		k[i] = (struct maker){ .e = e, .id = i };
		assert_int_equal(pthread_create(&thread[i], NULL, maker, &k[i]),
				 0);
	}
	for (i = 0; i < MAKERS; i++) {
		pthread_join(thread[i], NULL);
		made += k[i].made;
	}
	/* The last who gave up may have removed one more. */
	assert_true(made <= FILES && made >= FILES - MAKERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_files),	      ENV_TEST(test_bytes_come_back),
		ENV_TEST(test_bytes_others),  ENV_TEST(test_statfs),
		ENV_TEST(test_files_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
