/* SPDX-License-Identifier: Apache-2.0 */
/* fallocate, holes and copies, of files that are here and that are not. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#define ROOT  META_ROOT_INO
#define FRAME ((uint64_t)META_FRAME_SIZE)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static uint64_t open_file(struct env *e, uint64_t ino, int flags)
{
	uint64_t fh;

	assert_ok(vfs_open(e->v, ino, flags, &fh));
	return fh;
}

/* Frames 1 to 3 and 6 are data, the rest of ten and a half is a hole. */
static uint64_t sparse(struct env *e, const char *name)
{
	uint64_t ino = env_data(e, ROOT, name, 7 * FRAME);
	uint64_t fh = open_file(e, ino, O_RDWR);
	uint8_t b = 1;

	assert_ok(vfs_fallocate(e->v, fh, PUNCH, 0, FRAME));
	assert_ok(vfs_fallocate(e->v, fh, PUNCH, 4 * FRAME, 2 * FRAME));
	assert_int_equal(vfs_write(e->v, fh, &b, 1, 6 * FRAME), 1);
	assert_ok(vfs_release(e->v, fh));
	assert_ok(vfs_setattr(e->v, &user, ino,
			      &(struct stat){ .st_size = 10 * FRAME + 7 },
			      VFS_SET_SIZE, 0, &(struct vfs_entry){ 0 }));
	return ino;
}

/* Once `stored`, the last frame is data in any case: a pack has it. */
static void expect_holes(struct env *e, uint64_t fh, bool stored)
{
	static const struct {
		uint64_t from, data, hole;
	} want[] = {
		{ 0, FRAME, 0 },
		{ FRAME, FRAME, 4 * FRAME },
		{ FRAME + 5, FRAME + 5, 4 * FRAME },
		{ 4 * FRAME - 1, 4 * FRAME - 1, 4 * FRAME },
		{ 4 * FRAME, 6 * FRAME, 4 * FRAME },
		{ 5 * FRAME + 9, 6 * FRAME, 5 * FRAME + 9 },
		{ 6 * FRAME, 6 * FRAME, 7 * FRAME },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(vfs_seek(e->v, fh, want[i].from, SEEK_DATA),
				 want[i].data);
		assert_int_equal(vfs_seek(e->v, fh, want[i].from, SEEK_HOLE),
				 want[i].hole);
	}
	if (stored) {
		assert_int_equal(vfs_seek(e->v, fh, 7 * FRAME, SEEK_DATA),
				 10 * FRAME);
	} else {
		assert_errno(vfs_seek(e->v, fh, 7 * FRAME, SEEK_DATA), ENXIO);
		assert_int_equal(vfs_seek(e->v, fh, 10 * FRAME + 6, SEEK_HOLE),
				 10 * FRAME + 6);
	}
	assert_errno(vfs_seek(e->v, fh, 10 * FRAME + 7, SEEK_HOLE), ENXIO);
	assert_errno(vfs_seek(e->v, fh, 10 * FRAME + 7, SEEK_DATA), ENXIO);
	assert_errno(vfs_seek(e->v, fh, 0, SEEK_END), EINVAL);
	assert_errno(vfs_seek(e->v, fh, UINT64_MAX, SEEK_DATA), ENXIO);
}

static void test_holes(void **state)
{
	struct env *e = *state;
	uint64_t ino = sparse(e, "f"), fh = open_file(e, ino, O_RDONLY);

	expect_holes(e, fh, false);
	assert_ok(vfs_release(e->v, fh));
	env_protect(e);
	env_evict(e, ino);
	fh = open_file(e, ino, O_RDONLY);
	env_store_down(e, true); /* nothing is fetched for it */
	expect_holes(e, fh, true);
	assert_int_equal(env_state(e, ino), META_REMOTE);
	env_store_down(e, false);
	assert_ok(vfs_release(e->v, fh));
}

/* More extents than one page of them, side by side. */
static void test_long_data(void **state)
{
	struct env *e = *state;
	uint64_t n = 72 << 20, ino = env_data(e, ROOT, "f", n), fh;

	env_protect(e);
	env_evict(e, ino);
	fh = open_file(e, ino, O_RDONLY);
	assert_int_equal(vfs_seek(e->v, fh, 5, SEEK_HOLE), n);
	assert_int_equal(vfs_seek(e->v, fh, n - 1, SEEK_DATA), n - 1);
	assert_ok(vfs_release(e->v, fh));
}

/* S12: the first change brings the rest back. */
static void test_allocate_remote(void **state)
{
	struct env *e = *state;
	uint64_t ino = env_data(e, ROOT, "f", 3 * FRAME), fh;
	uint8_t b[2];

	env_protect(e);
	env_evict(e, ino);
	fh = open_file(e, ino, O_RDONLY);
	assert_errno(vfs_fallocate(e->v, fh, 0, 0, 1), EBADF);
	assert_ok(vfs_release(e->v, fh));
	fh = open_file(e, ino, O_RDWR);
	env_store_down(e, true);
	assert_errno(vfs_fallocate(e->v, fh, PUNCH, FRAME, 1), ETIMEDOUT);
	assert_int_equal(env_state(e, ino), META_REMOTE);
	env_store_down(e, false);
	assert_ok(vfs_fallocate(e->v, fh, PUNCH, FRAME, 1));
	assert_int_equal(env_state(e, ino), META_DIRTY);
	assert_int_equal(vfs_read(e->v, fh, b, 2, FRAME), 2);
	assert_int_equal(b[0], 0);
	assert_int_equal(b[1], env_byte(FRAME + 1));
	assert_ok(vfs_release(e->v, fh));
}

static void test_copy(void **state)
{
	struct env *e = *state;
	uint64_t a = env_data(e, ROOT, "a", 3 * FRAME), in, out, b;
	uint8_t x[2];

	b = env_data(e, ROOT, "b", 2 * FRAME);
	env_protect(e);
	env_evict(e, b);
	in = open_file(e, a, O_RDONLY);
	out = open_file(e, b, O_RDWR);
	assert_errno(vfs_copy(e->v, out, 0, in, 0, 10), EBADF);
	/* What is changed comes back first; the source is not fetched. */
	assert_errno(vfs_copy(e->v, out, 0, out, FRAME, 10), EXDEV);
	assert_int_equal(vfs_copy(e->v, in, 7, out, FRAME, 10), 10);
	assert_int_equal(vfs_read(e->v, out, x, 2, FRAME + 9), 2);
	assert_int_equal(x[0], env_byte(7 + 9));
	assert_int_equal(x[1], env_byte(FRAME + 10));
	assert_int_equal(env_state(e, b), META_DIRTY);
	assert_ok(vfs_release(e->v, in));
	assert_ok(vfs_release(e->v, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_holes),
		ENV_TEST(test_long_data),
		ENV_TEST(test_allocate_remote),
		ENV_TEST(test_copy),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
