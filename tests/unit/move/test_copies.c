/* SPDX-License-Identifier: Apache-2.0 */
/* Files that never close: a copy is protected, the file stays dirty (S14). */
#include "tests/unit/move/util.h"

#define BIG (3 * OBJECT + 1000)

static int copies_setup(void **state)
{
	if (move_setup(state) < 0)
		return -1;
	stop_move();
	mopts.max_unprotected_ns = NSEC_PER_SEC / 5;
	mopts.settle_ns = 3600 * NSEC_PER_SEC;
	return start_move();
}

#define COPIES_TEST(f) \
	cmocka_unit_test_setup_teardown(f, copies_setup, move_teardown)

static int extents_of(uint64_t ino, uint64_t *bytes)
{
	struct meta_extent e[16];
	META_TXN(t);
	int i, n;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_extent_brief(&t, ino, 0, e, 16);
	for (i = 0, *bytes = 0; i < n; i++)
		*bytes += e[i].len;
	return n;
}

/* Until a copy that was taken after `since` is named. */
static void wait_copy(uint64_t ino, int64_t since)
{
	struct meta_inode row;
	int i;

	for (i = 0; i < 1000; i++) {
		row_get(ino, &row);
		if (row.protected_ns && row.dirty_ns >= since)
			return;
		clock_sleep_ns(10000000);
	}
	assert_true(false);
}

/* What is in the bucket, were this machine lost: the row and the local file
 * are made as if it had been evicted in that state. */
static void expect_stored(uint64_t ino, uint64_t seed, size_t n)
{
	CLEANUP_FREE char *path = local_of(ino);
	struct meta_inode row;

	stop_move();
	close_state();
	assert_int_equal(open_state(), 0);
	row_get(ino, &row);
	assert_int_equal(row.state, META_DIRTY);
	row.state = META_REMOTE;
	row.size = n;
	row.dirty_ns = 0;
	row.cached_bytes = 0;
	row_put(&row);
	assert_int_equal(unlink(path), 0);
	reopen();
	assert_int_equal(start_move(), 0);
	expect_file(ino, seed, n);
}

static void test_open_file(void **state)
{
	uint64_t ino = new_file("db"), bytes, version;
	struct cache_file *f = file_open(ino, true);
	struct meta_inode row;
	int64_t since;

	(void)state;
	write_at(f, 1, 0, 100 * KIB);
	row_get(ino, &row);
	version = row.content_version;
	wait_copy(ino, 0);
	row_get(ino, &row);
	assert_int_equal(row.state, META_DIRTY);
	assert_true(row.opened_for_write);
	/* What the copy holds is a version that is never written to again. */
	assert_true(row.content_version > version);
	assert_int_equal(extents_of(ino, &bytes), 1);
	assert_int_equal(bytes, 100 * KIB);
	cache_check(f);
	/* It goes on, and is copied again. */
	write_at(f, 2, 0, 300 * KIB);
	since = clock_wall_ns();
	wait_copy(ino, since);
	extents_of(ino, &bytes);
	assert_int_equal(bytes, 300 * KIB);
	expect_at(f, 2, 0, 300 * KIB);
	file_close(f, true);
	/* The close makes it a file as any other. */
	protect_all(ino);
	evict_file(ino);
	expect_file(ino, 2, 300 * KIB);
}

/* The newest copy is what the bucket holds, and gc keeps it (P7). */
static void test_stored(void **state)
{
	uint64_t small = new_file("small"), big = new_file("big");
	struct cache_file *f = file_open(small, true);
	struct cache_file *g = file_open(big, true);
	int64_t since;

	(void)state;
	write_at(f, 1, 0, 5000);
	write_at(g, 2, 0, BIG);
	since = clock_wall_ns();
	wait_copy(small, since);
	wait_copy(big, since);
	assert_true(count_packs(META_PACK_STORED) >= 5);
	/* Not in any copy: it is lost with the machine, the rest is not. */
	stop_move();
	write_at(f, 3, 0, 100);
	write_at(g, 3, 0, BIG);
	file_close(f, true);
	file_close(g, true);
	assert_int_equal(cache_flush(c), 0);
	mopts.max_unprotected_ns = 0;
	assert_int_equal(start_move(), 0);
	expect_stored(small, 1, 5000);
	expect_stored(big, 2, BIG);
}

/* Nothing changed for long: but it may have, through a mapping. A file that
 * was closed, or is gone, needs no copy. */
static void test_not_needed(void **state)
{
	uint64_t closed = make_file("closed", 1, 5000), gone = new_file("gone");
	struct cache_file *f = file_open(gone, true);
	uint64_t bytes;

	(void)state;
	write_at(f, 1, 0, 5000);
	unlink_file(gone, "gone");
	assert_int_equal(cache_flush(c), 0);
	clock_sleep_ns(NSEC_PER_SEC);
	assert_int_equal(extents_of(closed, &bytes), 0);
	assert_int_equal(extents_of(gone, &bytes), 0);
	assert_int_equal(state_of(closed), META_DIRTY);
	file_close(f, true);
}

static int commit_copy(struct cache_seal *s)
{
	META_TXN(t);
	int rc = meta_begin(m, &t);

	if (rc == 0)
		rc = cache_seal_commit(s, &t, clock_wall_ns());
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* Closed, protected and changed again while the copy was on its way: the
 * copy is older than what the bucket has. */
static void test_overtaken(void **state)
{
	uint64_t ino = new_file("a"), used;
	struct cache_file *f = file_open(ino, true);
	struct cache_usage u;
	struct cache_seal s;

	(void)state;
	stop_move();
	mopts.max_unprotected_ns = 0;
	assert_int_equal(start_move(), 0);
	assert_int_equal(cache_seal_copy(c, ino, &s), -EBUSY); /* empty */
	write_at(f, 1, 0, 5000);
	cache_usage(c, &u);
	used = u.used;
	assert_int_equal(cache_seal_copy(c, ino, &s), 0);
	cache_usage(c, &u);
	assert_true(u.used > used); /* it takes room as long as it is there */
	assert_int_equal(s.size, 5000);
	/* Who changes the file changes no copy. */
	write_at(f, 2, 0, 5000);
	assert_true(cache_seal_valid(&s));
	file_close(f, true);
	/* A protect that reads it counts on the extents that are there. */
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(commit_copy(&s), -EBUSY);
	protect_all(ino);
	assert_int_equal(commit_copy(&s), -EBUSY);
	f = file_open(ino, true);
	write_at(f, 3, 0, 5000);
	assert_int_equal(commit_copy(&s), -EBUSY);
	cache_seal_end(&s, false);
	cache_usage(c, &u);
	assert_int_equal(u.used, used);
	file_close(f, true);
	protect_all(ino);
	evict_file(ino);
	expect_file(ino, 3, 5000);
}

/* Holes stay holes, and a lost disk is no copy. */
static void test_holes(void **state)
{
	uint64_t ino = new_file("a"), bytes;
	struct cache_file *f = file_open(ino, true);

	(void)state;
	assert_int_equal(cache_truncate(f, 64 * MIB), 0);
	write_at(f, 1, 32 * MIB, 4096);
	wait_copy(ino, clock_wall_ns() - NSEC_PER_SEC);
	assert_true(extents_of(ino, &bytes) >= 1);
	assert_true(bytes <= 2 * META_FRAME_SIZE);
	file_close(f, true);
}

/* ---- what fails ------------------------------------------------------- */

static struct store_ops ops;
static _Atomic size_t too_long; /* objects from that size on fail */
static int (*inner_put)(struct store *s, const char *key, const void *data,
			size_t len, const struct store_put_opts *o);

static int short_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *o)
{
	return len >= too_long ? -EIO : inner_put(s, key, data, len, o);
}

static void use_short_store(size_t longest)
{
	struct store *mem = store_mem_new();

	too_long = longest;
	ops = *mem->ops;
	inner_put = ops.put;
	ops.put = short_put;
	mem->ops = &ops;
	stop_move();
	drop_bucket();
	use_bucket(mem);
	assert_int_equal(start_move(), 0);
}

static const char *copies_error(void)
{
	static struct job_info job[16];
	size_t i, n = move_jobs(mv, job, ARRAY_SIZE(job));

	for (i = 0; i < n; i++)
		if (strcmp(job[i].name, "open-files") == 0)
			return job[i].last_error;
	return "";
}

static bool wait_error(const char *text)
{
	int i;

	for (i = 0; i < 1000 && !strstr(copies_error(), text); i++)
		clock_sleep_ns(10000000);
	return strstr(copies_error(), text) != NULL;
}

/* Files that fail, however many, hold up no other; and the error is shown. */
static void test_one_fails(void **state)
{
	struct cache_file *f[12];
	uint64_t ino[12];
	char name[8];
	unsigned i;

	(void)state;
	use_short_store(100 * KIB);
	for (i = 0; i < ARRAY_SIZE(f); i++) {
		snprintf(name, sizeof(name), "%u", i);
		ino[i] = new_file(name);
		f[i] = file_open(ino[i], true);
		write_at(f[i], i, 0, i < 11 ? 150 * KIB : 5 * KIB);
	}
	wait_copy(ino[11], 0);
	assert_true(wait_error("no copy of it is protected"));
	assert_non_null(strstr(copies_error(), "Input/output error"));
	too_long = SIZE_MAX;
	for (i = 0; i < ARRAY_SIZE(f); i++)
		wait_copy(ino[i], 0);
	for (i = 0; i < ARRAY_SIZE(f); i++)
		file_close(f[i], true);
}

static bool wait_used(bool above, uint64_t bytes)
{
	struct cache_usage u;
	int i;

	for (i = 0; i < 1000; i++) {
		cache_usage(c, &u);
		if (above ? u.used > bytes : u.used <= bytes)
			return true;
		clock_sleep_ns(10000000);
	}
	return false;
}

/* The store is away: a copy that waits for it makes room for writers. */
static void test_no_room(void **state)
{
	uint64_t ino, other;
	struct cache_file *f;

	(void)state;
	stop_move();
	opts.size = 2 * MIB;
	reopen();
	SET(down, true);
	assert_int_equal(start_move(), 0);
	ino = new_file("db");
	f = file_open(ino, true);
	write_at(f, 1, 0, 600 * KIB);
	assert_true(wait_used(true, 1100 * KIB)); /* with the copy */
	other = make_file("other", 2, 800 * KIB);
	assert_true(wait_used(false, 1500 * KIB)); /* without */
	assert_int_equal(state_of(other), META_DIRTY);
	SET(down, false);
	move_protect_now(mv, 0);
	assert_true(wait_state(other, META_LOCAL));
	wait_copy(ino, 0);
	file_close(f, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		COPIES_TEST(test_open_file),  COPIES_TEST(test_stored),
		COPIES_TEST(test_not_needed), COPIES_TEST(test_overtaken),
		COPIES_TEST(test_holes),      COPIES_TEST(test_one_fails),
		COPIES_TEST(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
