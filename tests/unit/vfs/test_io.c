/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: bytes, handles, and bytes that are elsewhere. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#define ROOT META_ROOT_INO
#define BIG  (3 * 65536 + 1000)

static uint64_t opened(struct env *e, uint64_t ino, int flags)
{
	uint64_t fh;

	assert_ok(vfs_open(e->v, ino, flags, &fh));
	assert_true(fh != 0);
	return fh;
}

/* The whole file reads as env_data() wrote it. */
static void check_data(struct env *e, uint64_t ino, size_t n)
{
	uint64_t fh = opened(e, ino, O_RDONLY);
	uint8_t *b = malloc(n + 10);
	size_t i;

	assert_non_null(b);
	assert_int_equal(vfs_read(e->v, fh, b, n + 10, 0), n);
	for (i = 0; i < n; i++)
		if (b[i] != env_byte(i))
			break;
	assert_int_equal(i, n);
	free(b);
	assert_ok(vfs_release(e->v, fh));
}

static uint64_t gets(struct env *e)
{
	struct store_counts c;

	store_meter_read(&e->counts, &c);
	return c.gets;
}

/* A protected file without local bytes. */
static uint64_t remote(struct env *e, const char *name, size_t n)
{
	uint64_t ino = env_data(e, ROOT, name, n);

	env_protect(e);
	env_evict(e, ino);
	assert_int_equal(env_state(e, ino), n ? META_REMOTE : META_LOCAL);
	return ino;
}

static void test_read_write(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t fh;
	char b[16];

	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0640,
			     O_RDWR | O_CREAT | O_EXCL, &out, &fh));
	assert_int_equal(out.attr.st_mode, S_IFREG | 0640);
	assert_int_equal(out.attr.st_size, 0);
	assert_int_equal(vfs_read(e->v, fh, b, sizeof(b), 0), 0);
	assert_int_equal(vfs_write(e->v, fh, "hello", 5, 0), 5);
	assert_int_equal(vfs_write(e->v, fh, "x", 1, 10), 1); /* a hole */
	memset(b, 'z', sizeof(b));
	assert_int_equal(vfs_read(e->v, fh, b, sizeof(b), 0), 11);
	assert_memory_equal(b, "hello\0\0\0\0\0xz", 12);
	assert_int_equal(vfs_read(e->v, fh, b, 3, 4), 3);
	assert_memory_equal(b, "o\0\0", 3);
	assert_int_equal(vfs_read(e->v, fh, b, 0, 0), 0);
	assert_int_equal(vfs_read(e->v, fh, b, 3, 1ULL << 62), 0);
	assert_errno(vfs_read(e->v, fh, b, 3, UINT64_MAX), EINVAL);
	assert_errno(vfs_write(e->v, fh, b, 3, INT64_MAX), EFBIG);
	assert_ok(vfs_flush(e->v, fh));
	assert_ok(vfs_fsync(e->v, fh, true));
	assert_ok(vfs_fsync(e->v, fh, false));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(env_stat(e, out.ino).st_size, 11);
}

static void test_open_errors(void **state)
{
	struct env *e = *state;
	struct vfs_entry out;
	uint64_t fh;

	assert_errno(vfs_open(e->v, ROOT, O_RDONLY, &fh), EISDIR);
	assert_errno(vfs_open(e->v, 9999, O_RDONLY, &fh), ESTALE);
	assert_ok(vfs_symlink(e->v, &user, ROOT, "l", "x", &out));
	assert_errno(vfs_open(e->v, out.ino, O_RDONLY, &fh), ELOOP);
	assert_ok(vfs_mknod(e->v, &user, ROOT, "p", S_IFIFO | 0600, 0, &out));
	assert_errno(vfs_open(e->v, out.ino, O_RDONLY, &fh), ENXIO);
	assert_errno(vfs_opendir(e->v, out.ino, O_RDONLY, &fh), ENOTDIR);
	assert_errno(
		vfs_create(e->v, &user, 9999, "f", 0600, O_RDWR, &out, &fh),
		ENOENT);
}

static void test_create_finds(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 100), fh;
	struct vfs_entry out;

	assert_errno(vfs_create(e->v, &user, ROOT, "f", 0600,
				O_RDWR | O_CREAT | O_EXCL, &out, &fh),
		     EEXIST);
	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0600, O_RDWR | O_CREAT,
			     &out, &fh));
	assert_int_equal(out.ino, f);
	assert_int_equal(out.attr.st_mode, S_IFREG | 0644);
	assert_int_equal(out.attr.st_size, 100);
	assert_ok(vfs_release(e->v, fh));
	assert_ok(vfs_create(e->v, &user, ROOT, "f", 0600,
			     O_RDWR | O_CREAT | O_TRUNC, &out, &fh));
	assert_int_equal(out.ino, f);
	assert_int_equal(out.attr.st_size, 0);
	assert_ok(vfs_release(e->v, fh));
	env_dir(e, ROOT, "d");
	assert_errno(
		vfs_create(e->v, &user, ROOT, "d", 0600, O_RDWR, &out, &fh),
		EISDIR);
}

static void test_access_of_handles(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10);
	uint64_t fh = opened(e, f, O_RDONLY), dh;
	uint8_t b[10];

	assert_errno(vfs_write(e->v, fh, "x", 1, 0), EBADF);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 0), 10);
	assert_ok(vfs_opendir(e->v, ROOT, O_RDONLY, &dh));
	assert_errno(vfs_read(e->v, dh, b, 10, 0), EBADF);
	assert_errno(vfs_release(e->v, dh), EBADF);
	assert_errno(vfs_releasedir(e->v, fh), EBADF);
	assert_ok(vfs_fsyncdir(e->v, dh));
	assert_errno(vfs_fsyncdir(e->v, fh), EBADF);
	assert_ok(vfs_releasedir(e->v, dh));
	assert_ok(vfs_release(e->v, fh));
}

static void test_stale_handles(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10);
	uint64_t old = opened(e, f, O_RDWR), fh;
	uint8_t b[10];

	assert_ok(vfs_release(e->v, old));
	assert_errno(vfs_release(e->v, old), EBADF);
	fh = opened(e, f, O_RDWR); /* in the same place */
	assert_int_equal((uint32_t)fh, (uint32_t)old);
	assert_true(fh != old);
	assert_errno(vfs_read(e->v, old, b, 10, 0), EBADF);
	assert_errno(vfs_write(e->v, old, b, 10, 0), EBADF);
	assert_errno(vfs_fsync(e->v, old, false), EBADF);
	assert_errno(vfs_flush(e->v, old), EBADF);
	assert_errno(vfs_release(e->v, old), EBADF);
	assert_errno(vfs_read(e->v, 0, b, 10, 0), EBADF);
	assert_errno(vfs_read(e->v, UINT64_MAX, b, 10, 0), EBADF);
	assert_ok(vfs_release(e->v, fh));
}

static void test_handles_are_bounded(void **state)
{
	struct env *e = *state;
	uint64_t f = env_file(e, ROOT, "f"), fh[ENV_HANDLES], more;
	struct vfs_entry out;
	int i;

	for (i = 0; i < ENV_HANDLES; i++)
		fh[i] = opened(e, f, O_RDONLY);
	assert_errno(vfs_open(e->v, f, O_RDONLY, &more), ENFILE);
	assert_errno(vfs_opendir(e->v, ROOT, O_RDONLY, &more), ENFILE);
	assert_errno(
		vfs_create(e->v, &user, ROOT, "g", 0600, O_RDWR, &out, &more),
		ENFILE);
	assert_errno(vfs_lookup(e->v, ROOT, "g", &out), ENOENT);
	assert_ok(vfs_release(e->v, fh[7]));
	fh[7] = opened(e, f, O_RDONLY);
	for (i = 0; i < ENV_HANDLES; i++)
		assert_ok(vfs_release(e->v, fh[i]));
}

static void test_left_open(void **state)
{
	struct env *e = *state;
	uint64_t fh;

	opened(e, env_data(e, ROOT, "f", 10), O_RDWR);
	assert_ok(vfs_opendir(e->v, ROOT, O_RDONLY, &fh));
	/* vfs_free() in the teardown closes them. */
}

static void test_unlinked_stays_while_open(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 1000);
	uint64_t fh = opened(e, f, O_RDWR), fh2 = opened(e, f, O_RDONLY);
	struct stat want = { .st_mode = 0600, .st_size = 500 };
	struct vfs_entry out;
	uint8_t b[1000];

	assert_ok(vfs_unlink(e->v, &user, ROOT, "f"));
	clock_sleep_ns(50000000); /* reap leaves it alone */
	assert_int_equal(env_stat(e, f).st_nlink, 0);
	assert_int_equal(vfs_read(e->v, fh, b, 1000, 0), 1000);
	assert_int_equal(vfs_write(e->v, fh, "new", 3, 1000), 3);
	assert_ok(vfs_setattr(e->v, &user, f, &want,
			      VFS_SET_MODE | VFS_SET_SIZE, fh, &out));
	assert_int_equal(out.attr.st_mode, S_IFREG | 0600);
	assert_int_equal(out.attr.st_size, 500);
	assert_ok(vfs_fsync(e->v, fh, false));
	assert_errno(vfs_link(e->v, f, ROOT, "again", &out), ENOENT);
	assert_ok(vfs_release(e->v, fh));
	clock_sleep_ns(50000000);
	assert_true(env_has_row(e, f)); /* fh2 is open */
	assert_int_equal(vfs_read(e->v, fh2, b, 1000, 0), 500);
	assert_ok(vfs_release(e->v, fh2));
	env_reaped(e);
	assert_false(env_has_row(e, f));
}

/* Opened by its node id when it had no name any more. */
static void test_unlinked_opened_again(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10);
	uint64_t fh = opened(e, f, O_RDONLY), fh2;

	assert_ok(vfs_unlink(e->v, &user, ROOT, "f"));
	fh2 = opened(e, f, O_RDONLY);
	assert_ok(vfs_release(e->v, fh));
	clock_sleep_ns(50000000);
	assert_true(env_has_row(e, f));
	assert_ok(vfs_release(e->v, fh2));
	env_reaped(e);
	assert_false(env_has_row(e, f));
}

static void test_two_names_one_open(void **state)
{
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10), fh = opened(e, f, O_RDONLY);
	struct vfs_entry out;

	assert_ok(vfs_link(e->v, f, ROOT, "g", &out));
	assert_ok(vfs_unlink(e->v, &user, ROOT, "f"));
	assert_ok(vfs_release(e->v, fh));
	clock_sleep_ns(50000000);
	check_data(e, f, 10); /* "g" is left */
	assert_ok(vfs_unlink(e->v, &user, ROOT, "g"));
	env_reaped(e);
}

static void test_recall(void **state)
{
	static const size_t sizes[] = { 1, 65535, 65536, 65537, BIG };
	struct env *e = *state;
	uint64_t ino[ARRAY_SIZE(sizes)], before;
	struct vfs_counts cold, warm;
	char name[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "f%zu", i);
		ino[i] = remote(e, name, sizes[i]);
	}
	before = gets(e);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) /* mates may come along */
		check_data(e, ino[i], sizes[i]);
	assert_true(gets(e) > before);
	vfs_counts(e->v, &cold);
	assert_true(cold.reads_missed > 0 && cold.opens_served > 0);
	before = gets(e);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check_data(e, ino[i], sizes[i]); /* all is here now */
	assert_int_equal(gets(e), before);
	vfs_counts(e->v, &warm);
	assert_int_equal(warm.reads_missed, cold.reads_missed);
	assert_true(warm.reads_hit >= cold.reads_hit + ARRAY_SIZE(sizes));
}

static void test_open_recalls_nothing(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), before = gets(e), fh;
	uint8_t b;

	fh = opened(e, f, O_RDWR);
	assert_int_equal(env_stat(e, f).st_size, BIG);
	assert_int_equal(gets(e), before);
	assert_int_equal(vfs_read(e->v, fh, &b, 1, 65536), 1);
	assert_int_equal(b, env_byte(65536));
	assert_true(gets(e) > before);
	assert_ok(vfs_release(e->v, fh));
	assert_ok(cache_flush(e->cache));
	assert_int_equal(env_state(e, f), META_PARTIAL);
}

static void test_sequential_reads_ask_for_more(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", 3 << 20), before = gets(e);
	uint64_t fh = opened(e, f, O_RDONLY), off;
	uint8_t b[65536];

	for (off = 0; off < 3 << 20; off += sizeof(b)) {
		assert_int_equal(vfs_read(e->v, fh, b, sizeof(b), off),
				 sizeof(b));
		assert_int_equal(b[77], env_byte(off + 77));
	}
	assert_ok(vfs_release(e->v, fh));
	assert_true(gets(e) - before < 24); /* of 48 frames */
}

/* Who jumps gets the frames that he asks for. */
static void test_jumps_ask_for_no_more(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", 12 << 20), before;
	uint64_t fh = opened(e, f, O_RDONLY);
	struct store_counts c;
	uint8_t b[65536];
	unsigned i;

	store_meter_read(&e->counts, &c);
	before = c.in_bytes;
	for (i = 0; i < 20; i++) {
		uint64_t off = (i * 7 % 20) * 589824 + 1000;

		assert_int_equal(vfs_read(e->v, fh, b, sizeof(b), off),
				 sizeof(b));
		assert_int_equal(b[77], env_byte(off + 77));
	}
	assert_ok(vfs_release(e->v, fh));
	store_meter_read(&e->counts, &c);
	assert_true(c.in_bytes - before <= 20 * 2 * (65536 + 16));
}

static void test_change_completes_first(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), fh = opened(e, f, O_RDWR);
	uint8_t b[3];

	assert_int_equal(vfs_write(e->v, fh, "XYZ", 3, 70000), 3);
	assert_int_equal(env_state(e, f), META_DIRTY);
	assert_int_equal(vfs_read(e->v, fh, b, 3, 69999), 3);
	assert_int_equal(b[0], env_byte(69999));
	assert_int_equal(b[1], 'X');
	assert_int_equal(vfs_read(e->v, fh, b, 3, 70002), 3);
	assert_int_equal(b[0], 'Z');
	assert_int_equal(b[1], env_byte(70003));
	assert_int_equal(vfs_read(e->v, fh, b, 3, BIG - 1), 1);
	assert_int_equal(b[0], env_byte(BIG - 1));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(env_stat(e, f).st_size, BIG);
}

static void test_truncate_completes_first(void **state)
{
	struct stat want = { .st_size = 70000 };
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG);
	struct vfs_entry out;

	assert_ok(vfs_setattr(e->v, &user, f, &want, VFS_SET_SIZE, 0, &out));
	assert_int_equal(out.attr.st_size, 70000);
	check_data(e, f, 70000);
}

static void test_emptying_recalls_nothing(void **state)
{
	struct stat want = { .st_size = 0 };
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), g = remote(e, "g", BIG);
	uint64_t before = gets(e), fh;
	struct vfs_entry out;

	env_store_down(e, true); /* nor does it need the store */
	assert_ok(vfs_setattr(e->v, &user, f, &want, VFS_SET_SIZE, 0, &out));
	assert_int_equal(out.attr.st_size, 0);
	fh = opened(e, g, O_WRONLY | O_TRUNC);
	assert_int_equal(env_stat(e, g).st_size, 0);
	assert_int_equal(vfs_write(e->v, fh, "new", 3, 0), 3);
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(gets(e), before);
	assert_int_equal(env_stat(e, g).st_size, 3);
	env_store_down(e, false);
}

static void test_store_away(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), here = env_data(e, ROOT, "h", 1000);
	uint64_t fh = opened(e, f, O_RDWR);
	int64_t start = clock_boot_ns();
	uint8_t b[10];

	env_store_down(e, true);
	assert_errno(vfs_read(e->v, fh, b, 10, 0), ETIMEDOUT);
	assert_errno(vfs_write(e->v, fh, b, 10, 0), ETIMEDOUT);
	assert_true(clock_boot_ns() - start < 10 * NSEC_PER_SEC);
	check_data(e, here, 1000); /* what is here is served */
	env_store_down(e, false);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 0), 10);
	assert_int_equal(b[9], env_byte(9));
	assert_ok(vfs_release(e->v, fh));
	check_data(e, f, BIG);
}

static uint64_t missed(struct env *e)
{
	struct vfs_counts n;

	vfs_counts(e->v, &n);
	return n.reads_missed;
}

/* A read-ahead that failed, and the page that the kernel asks for after it,
 * are one read: only the first waits. */
static void test_asked_again(void **state)
{
	struct env *e = *state;
	uint64_t fh = opened(e, remote(e, "f", BIG), O_RDONLY);
	uint64_t before = missed(e);
	uint8_t b[10];

	env_store_down(e, true);
	assert_errno(vfs_read(e->v, fh, b, 10, 100), ETIMEDOUT);
	assert_int_equal(missed(e), before + 1);
	assert_errno(vfs_read(e->v, fh, b, 1, 105), ETIMEDOUT);
	assert_int_equal(missed(e), before + 1);
	clock_shift(0, 2 * NSEC_PER_SEC); /* another read */
	assert_errno(vfs_read(e->v, fh, b, 1, 105), ETIMEDOUT);
	assert_int_equal(missed(e), before + 2);
	env_store_down(e, false);
	assert_ok(vfs_release(e->v, fh));
}

#define AWAY_WAIT (60 * NSEC_PER_SEC)

/* What has waited elsewhere waits only for the rest. */
static void test_wait_until(void **state)
{
	struct env *e = env_new(AWAY_WAIT);
	struct vfs_wait late = { .until_ns = clock_boot_ns() + 1 };
	uint64_t fh = opened(e, remote(e, "f", BIG), O_RDONLY);
	int64_t start;
	uint8_t b[10];

	env_store_down(e, true);
	vfs_set_wait(&late);
	start = clock_boot_ns();
	assert_errno(vfs_read(e->v, fh, b, 10, 0), ETIMEDOUT);
	assert_true(clock_boot_ns() - start < AWAY_WAIT);
	vfs_set_wait(NULL);
	env_store_down(e, false);
	clock_shift(0, 2 * NSEC_PER_SEC);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 5000), 10);
	assert_ok(vfs_release(e->v, fh));
	env_free(e);
}

static void test_wait_never(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), fh = opened(e, f, O_RDWR);
	struct vfs_wait w = { .never = true };
	struct stat want = { .st_size = 7 };
	uint64_t before = gets(e);
	struct vfs_entry out;
	uint8_t b[10];

	vfs_set_wait(&w);
	assert_errno(vfs_read(e->v, fh, b, 10, 0), EINPROGRESS);
	assert_errno(vfs_write(e->v, fh, b, 10, 0), EINPROGRESS);
	assert_errno(vfs_setattr(e->v, &user, f, &want, VFS_SET_SIZE, 0, &out),
		     EINPROGRESS);
	assert_int_equal(gets(e), before);
	vfs_set_wait(NULL);
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(env_state(e, f), META_REMOTE);
}

static void test_wait_cancelled(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", BIG), fh = opened(e, f, O_RDONLY);
	volatile bool cancel = true;
	struct vfs_wait w = { .cancel = &cancel };
	int64_t start = clock_boot_ns();
	uint8_t b[10];

	env_store_down(e, true);
	vfs_set_wait(&w);
	assert_errno(vfs_read(e->v, fh, b, 10, 0), EINTR);
	assert_true(clock_boot_ns() - start < NSEC_PER_SEC);
	vfs_set_wait(NULL);
	env_store_down(e, false);
	assert_ok(vfs_release(e->v, fh));
}

static void test_damaged_object(void **state)
{
	struct env *e = *state;
	uint64_t f = remote(e, "f", 65536), fh = opened(e, f, O_RDWR);
	uint8_t b[10];

	e->faults.flip_percent = 100; /* in its only frame */
	assert_errno(vfs_read(e->v, fh, b, 10, 0), EIO);
	assert_errno(vfs_write(e->v, fh, b, 10, 0), EIO);
	e->faults.flip_percent = 0;
	assert_ok(vfs_release(e->v, fh));
}

static void test_access_time(void **state)
{
	struct stat old = { .st_atim = { 1000, 0 } };
	struct env *e = *state;
	uint64_t f = env_data(e, ROOT, "f", 10), fh;
	int64_t now, first;
	struct vfs_entry out;
	uint8_t b[10];

	env_protect(e);
	assert_ok(vfs_setattr(e->v, &user, f, &old, VFS_SET_ATIME, 0, &out));
	fh = opened(e, f, O_RDONLY);
	assert_ok(vfs_release(e->v, fh)); /* nothing was read */
	assert_int_equal(env_stat(e, f).st_atim.tv_sec, 1000);
	now = clock_wall_ns();
	fh = opened(e, f, O_RDONLY);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 0), 10);
	assert_ok(vfs_release(e->v, fh));
	first = clock_ns(env_stat(e, f).st_atim);
	assert_true(first >= now);
	clock_sleep_ns(1000);
	check_data(e, f, 10); /* once a day is enough */
	assert_int_equal(clock_ns(env_stat(e, f).st_atim), first);
	/* Set between the read and the close: that stays. */
	assert_ok(vfs_setattr(e->v, &user, f, &old, VFS_SET_ATIME, 0, &out));
	fh = opened(e, f, O_RDONLY);
	assert_int_equal(vfs_read(e->v, fh, b, 10, 0), 10);
	assert_ok(vfs_setattr(e->v, &user, f, &old, VFS_SET_ATIME, 0, &out));
	assert_ok(vfs_release(e->v, fh));
	assert_int_equal(env_stat(e, f).st_atim.tv_sec, 1000);
	check_data(e, f, 10);
	first = clock_ns(env_stat(e, f).st_atim);
	assert_int_equal(clock_ns(env_stat(e, f).st_atim), first);
}

static void test_tmpfile(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d"), fh, other, ino;
	struct stat dir = env_stat(e, d);
	struct vfs_entry out;
	uint8_t b[10];

	assert_ok(vfs_tmpfile(e->v, &user, d, 0640, O_RDWR, &out, &fh));
	ino = out.ino;
	assert_int_equal(out.attr.st_nlink, 0);
	assert_int_equal(out.attr.st_mode, S_IFREG | 0640);
	assert_int_equal(vfs_write(e->v, fh, "abc", 3, 0), 3);
	env_reap_looks(e);
	assert_int_equal(env_stat(e, ino).st_size, 3);
	assert_int_equal(clock_ns(env_stat(e, d).st_mtim),
			 clock_ns(dir.st_mtim));
	assert_ok(vfs_link(e->v, ino, d, "f", &out));
	assert_int_equal(out.attr.st_nlink, 1);
	assert_ok(vfs_release(e->v, fh));
	env_reap_looks(e);
	assert_ok(vfs_lookup(e->v, d, "f", &out));
	assert_int_equal(out.ino, ino);
	assert_ok(vfs_open(e->v, ino, O_RDONLY, &fh));
	assert_int_equal(vfs_read(e->v, fh, b, 10, 0), 3);
	assert_ok(vfs_release(e->v, fh));
	/* Without one it ends with its handle, whoever else has it open. */
	assert_ok(vfs_tmpfile(e->v, &user, d, 0600, O_WRONLY, &out, &fh));
	ino = out.ino;
	assert_ok(vfs_open(e->v, ino, O_RDONLY, &other));
	assert_ok(vfs_release(e->v, fh));
	assert_errno(vfs_link(e->v, ino, d, "g", &out), ENOENT);
	assert_int_equal(vfs_read(e->v, other, b, 10, 0), 0);
	assert_ok(vfs_release(e->v, other));
	env_reaped(e);
	assert_false(env_has_row(e, ino));
	assert_errno(vfs_tmpfile(e->v, &user, ino, 0600, O_RDWR, &out, &fh),
		     ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_read_write),
		ENV_TEST(test_open_errors),
		ENV_TEST(test_create_finds),
		ENV_TEST(test_access_of_handles),
		ENV_TEST(test_stale_handles),
		ENV_TEST(test_handles_are_bounded),
		ENV_TEST(test_left_open),
		ENV_TEST(test_unlinked_stays_while_open),
		ENV_TEST(test_unlinked_opened_again),
		ENV_TEST(test_two_names_one_open),
		ENV_TEST(test_recall),
		ENV_TEST(test_open_recalls_nothing),
		ENV_TEST(test_sequential_reads_ask_for_more),
		ENV_TEST(test_jumps_ask_for_no_more),
		ENV_TEST(test_change_completes_first),
		ENV_TEST(test_truncate_completes_first),
		ENV_TEST(test_emptying_recalls_nothing),
		ENV_TEST(test_store_away),
		ENV_TEST(test_asked_again),
		cmocka_unit_test(test_wait_until),
		ENV_TEST(test_wait_never),
		ENV_TEST(test_wait_cancelled),
		ENV_TEST(test_damaged_object),
		ENV_TEST(test_access_time),
		ENV_TEST(test_tmpfile),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
