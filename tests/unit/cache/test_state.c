/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing, evicting, filling, dropping, the start. */
#include "tests/unit/cache/util.h"

#include "meta/tiering.h"

#define SIZE (5 * 65536 + 17)

static void fill_at(struct cache_file *f, uint64_t version, uint64_t seed,
		    uint64_t off, size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n);

	pattern(seed, off, p, n);
	assert_int_equal(cache_fill(f, version, off, p, n), 0);
}

static uint64_t make_remote(const char *name, size_t n)
{
	uint64_t ino = make_file(name, 1, n), freed;

	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	assert_true(freed >= n);
	assert_false(local_exists(ino));
	assert_int_equal(state_of(ino), META_REMOTE);
	return ino;
}

static void test_seal_refuses(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f = file_open(ino, true);
	struct cache_seal s;

	write_at(f, 1, 0, 100);
	assert_int_equal(cache_seal_begin(c, ino, &s), -EBUSY);
	file_close(f, true);
	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	assert_int_equal(s.size, 100);
	assert_true(cache_seal_valid(&s));
	assert_int_equal(cache_seal_begin(c, ino, &s), -EBUSY);
	cache_seal_end(&s, false);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_int_equal(protect(ino), 0);
	assert_int_equal(cache_seal_begin(c, ino, &s), -EBUSY); /* LOCAL */
}

static void test_write_breaks_seal(void **state)
{
	uint64_t ino = make_file("a", 1, 100), version;
	struct cache_file *f;
	struct meta_inode row;
	struct cache_seal s;
	META_TXN(t);

	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	version = s.version;
	f = file_open(ino, true);
	assert_false(cache_seal_valid(&s)); /* the open alone */
	write_at(f, 2, 0, 10);
	file_close(f, true);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(cache_seal_commit(&s, &t, 1), -EBUSY);
	meta_abort(&t);
	cache_seal_end(&s, false);
	row_get(ino, &row);
	assert_int_equal(row.state, META_DIRTY);
	/* What was read before and what is there now are two versions. */
	assert_true(row.content_version > version);
	assert_int_equal(protect(ino), 0);
}

/* A write between the commit and its end finds LOCAL and moves it on. */
static void test_write_after_commit(void **state)
{
	uint64_t ino = make_file("a", 1, 100);
	struct cache_file *f;
	struct cache_seal s;
	META_TXN(t);

	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(cache_seal_commit(&s, &t, 1), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(state_of(ino), META_LOCAL);
	f = file_open(ino, true);
	write_at(f, 2, 0, 10);
	assert_int_equal(state_of(ino), META_DIRTY);
	cache_seal_end(&s, true);
	cache_check(f);
	write_at(f, 2, 10, 10);
	file_close(f, true);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_int_equal(protect(ino), 0);
}

/* A writer that the cache does not see (S9). */
static void test_lease_sees_strangers(void **state)
{
	uint64_t ino = make_file("a", 1, 100);
	CLEANUP_FREE char *path = local_of(ino);
	struct cache_seal s;
	int fd;
	META_TXN(t);

	assert_int_equal(cache_flush(c), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(cache_seal_begin(c, ino, &s), -EBUSY);
	close(fd);
	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(fd, -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_false(cache_seal_valid(&s));
	/* The version is the same, yet nothing may be called protected. */
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(cache_seal_commit(&s, &t, 1), -EBUSY);
	meta_abort(&t);
	cache_seal_end(&s, false);
}

static void test_evict_refuses(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE), freed;
	struct cache_file *f;
	struct cache_seal s;

	assert_int_equal(cache_evict(c, ino, &freed), -ENOTRECOVERABLE);
	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	assert_int_equal(cache_evict(c, ino, &freed), -EBUSY);
	cache_seal_end(&s, false);
	assert_int_equal(protect(ino), 0);
	f = file_open(ino, false);
	assert_int_equal(cache_evict(c, ino, &freed), -EBUSY);
	assert_int_equal(freed, 0);
	file_close(f, false);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	assert_true(freed >= SIZE);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	assert_int_equal(freed, 0);
	assert_int_equal(cache_evict(c, 999, &freed), -ENOENT);
}

static void test_evict_many(void **state)
{
	struct cache_victim v[100] = { 0 };
	struct cache_usage u;
	char name[16];
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		v[i].ino = make_file(name, i, 5000);
	}
	/* Files that are being flushed are busy, for protect and for evict. */
	assert_int_equal(cache_flush(c), 0);
	for (i = 0; i < 100; i++)
		if (i != 70)
			assert_int_equal(protect(v[i].ino), 0);
	cache_evict_many(c, v, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(v[i].rc, i == 70 ? -ENOTRECOVERABLE : 0);
	cache_usage(c, &u);
	assert_int_equal(u.used, 8192);
}

static void test_fill(void **state)
{
	uint64_t ino = make_remote("a", SIZE), v, size, off, len;
	struct cache_file *f = file_open(ino, true);
	uint8_t b[10];

	cache_version(f, &v, &size);
	assert_int_equal(size, SIZE);
	assert_int_equal(cache_missing(f, 0, SIZE, &off, &len), 1);
	assert_int_equal(off, 0);
	assert_int_equal(len, SIZE);
	assert_int_equal(cache_pread(f, b, 1, 0), -EAGAIN); /* never zeros */
	fill_at(f, v, 1, 65536, 2 * 65536);
	expect_at(f, 1, 65536, 2 * 65536);
	assert_int_equal(cache_pread(f, b, 10, 65530), -EAGAIN);
	assert_int_equal(cache_missing(f, 65536, 65537 * 2, &off, &len), 1);
	assert_int_equal(off, 3 * 65536);
	assert_int_equal(cache_missing(f, 65536, 2 * 65536, &off, &len), 0);
	/* S12 */
	assert_int_equal(cache_pwrite(f, b, 1, 65536), -EAGAIN);
	assert_int_equal(cache_truncate(f, 65536), -EAGAIN);
	/* bad ranges, another version */
	assert_int_equal(cache_fill(f, v, 1, b, 1), -EINVAL);
	assert_int_equal(cache_fill(f, v, 0, b, 10), -EINVAL);
	assert_int_equal(cache_fill(f, v, 6 * 65536, b, 10), -EINVAL);
	assert_int_equal(cache_fill(f, v + 1, 5 * 65536, b, 17), -ESTALE);
	assert_int_equal(cache_settle_presence(f), 0);
	assert_int_equal(state_of(ino), META_PARTIAL);
	cache_check(f);
	file_close(f, true);
	reopen();
	f = file_open(ino, true);
	expect_at(f, 1, 65536, 2 * 65536);
	fill_at(f, v, 1, 3 * 65536, 2 * 65536 + 17);
	fill_at(f, v, 2, 65536, 65536); /* present: left alone */
	fill_at(f, v, 1, 0, 65536);
	assert_int_equal(cache_missing(f, 0, SIZE, &off, &len), 0);
	expect_at(f, 1, 0, SIZE);
	write_at(f, 3, 100, 10); /* whole: recorded first */
	assert_int_equal(state_of(ino), META_DIRTY);
	file_close(f, true);
	assert_int_equal(protect(ino), 0);
}

static void test_fill_all_at_once(void **state)
{
	uint64_t ino = make_remote("a", SIZE), v, size;
	struct cache_file *f = file_open(ino, false);
	struct cache_usage u;

	cache_version(f, &v, &size);
	fill_at(f, v, 1, 0, SIZE);
	cache_usage(c, &u);
	assert_true(u.used >= SIZE);
	file_close(f, false);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(state_of(ino), META_LOCAL);
}

/* What was fetched and not recorded counts as absent after a crash. */
static void test_unsaved_is_absent(void **state)
{
	uint64_t ino = make_remote("a", SIZE), v, size, off, len;
	struct cache_file *f;
	int status;
	pid_t pid;

	close_state();
	pid = fork();
	if (pid == 0) {
		if (open_state() < 0 || cache_get(c, ino, &f) < 0 ||
		    cache_acquire(f, false) < 0)
			_exit(1);
		cache_version(f, &v, &size);
		fill_at(f, v, 7, 65536, 65536); /* nobody vouches for it */
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(open_state(), 0);
	f = file_open(ino, false);
	cache_version(f, &v, &size);
	assert_int_equal(cache_missing(f, 65536, 65536, &off, &len), 1);
	fill_at(f, v, 1, 0, 65536);
	assert_int_equal(cache_fill(f, v, 65536, NULL, 65536), 0);
	expect_at(f, 1, 0, 65536);
	{
		uint8_t b[4], zero[4] = { 0 };

		assert_int_equal(cache_pread(f, b, 4, 2 * 65536 - 4), 4);
		assert_memory_equal(b, zero, 4); /* a hole is a hole */
	}
	file_close(f, false);
}

static void test_truncate_completes(void **state)
{
	uint64_t ino = make_remote("a", SIZE), v, size;
	struct cache_file *f = file_open(ino, true);

	cache_version(f, &v, &size);
	fill_at(f, v, 1, 65536, 65536);
	assert_int_equal(cache_settle_presence(f), 0);
	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_int_equal(cache_fill(f, v, 0, NULL, 65536), -ESTALE);
	write_at(f, 3, 0, 70000);
	expect_at(f, 3, 0, 70000);
	cache_check(f);
	file_close(f, true);
	assert_int_equal(protect(ino), 0);
}

static void test_drop(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	struct cache_file *f = file_open(ino, false);
	struct cache_usage u;

	assert_int_equal(cache_drop(c, ino), -EBUSY);
	file_close(f, false);
	assert_int_equal(cache_get(c, ino, &f), 0);
	assert_int_equal(cache_drop(c, ino), 0);
	assert_int_equal(cache_acquire(f, false), -ENOENT);
	cache_put(f);
	assert_false(local_exists(ino));
	cache_usage(c, &u);
	assert_int_equal(u.used, 0);
}

/* ---- the start ------------------------------------------------------- */

static void crash_child(uint64_t ino)
{
	struct cache_file *f;

	if (open_state() < 0 || cache_get(c, ino, &f) < 0 ||
	    cache_acquire(f, true) < 0)
		_exit(1);
	write_at(f, 5, 0, 300000);
	raise(SIGKILL);
}

static void test_recover_opened(void **state)
{
	uint64_t ino = new_file("a");
	struct cache_file *f;
	struct meta_inode row;
	struct cache_usage u;
	pid_t pid;

	close_state();
	pid = fork();
	if (pid == 0)
		crash_child(ino);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(open_state(), 0);
	row_get(ino, &row);
	assert_false(row.opened_for_write);
	assert_false(row.damaged);
	assert_int_equal(row.size, 300000);
	cache_usage(c, &u);
	assert_true(u.used >= 300000);
	f = file_open(ino, false);
	expect_at(f, 5, 0, 300000);
	file_close(f, false);
	assert_int_equal(protect(ino), 0);
}

static void mark_opened(uint64_t ino)
{
	struct meta_inode row;

	row_get(ino, &row);
	row.opened_for_write = true;
	row_put(&row);
}

static void test_recover_missing(void **state)
{
	uint64_t a = make_file("a", 1, 100), b = new_file("b");
	CLEANUP_FREE char *path = local_of(a);
	struct meta_inode row;

	assert_int_equal(cache_flush(c), 0);
	mark_opened(a);
	mark_opened(b); /* never written */
	assert_int_equal(unlink(path), 0);
	reopen();
	row_get(a, &row);
	assert_true(row.damaged);
	assert_false(row.opened_for_write);
	row_get(b, &row);
	assert_false(row.damaged);
}

static void expect_damaged(uint64_t ino)
{
	struct cache_file *f;
	struct meta_inode row;
	struct cache_seal s;
	uint64_t freed;
	uint8_t b;

	reopen();
	f = file_open(ino, true);
	assert_int_equal(cache_pread(f, &b, 1, 0), -EIO);
	assert_int_equal(cache_pwrite(f, &b, 1, 0), -EIO);
	file_close(f, true);
	row_get(ino, &row);
	assert_true(row.damaged);
	assert_int_equal(cache_seal_begin(c, ino, &s), -EIO);
	assert_int_equal(cache_evict(c, ino, &freed), -ENOTRECOVERABLE);
}

static void test_dirty_lost(void **state)
{
	uint64_t a = make_file("a", 1, 100), b = make_file("b", 1, 100),
		 d = make_file("d", 1, 100);
	CLEANUP_FREE char *pa = local_of(a);
	CLEANUP_FREE char *pb = local_of(b);
	CLEANUP_FREE char *pd = local_of(d);
	struct cache_file *f;
	struct meta_inode row;

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(unlink(pa), 0);
	assert_int_equal(truncate(pb, 99), 0);
	assert_int_equal(setxattr(pd, "user.mersey.id", "x", 1, 0), 0);
	expect_damaged(a);
	expect_damaged(b);
	expect_damaged(d);
	assert_true(access(pd, F_OK) == 0);

	f = file_open(d, true); /* new content heals */
	assert_int_equal(cache_truncate(f, 0), 0);
	write_at(f, 2, 0, 50);
	expect_at(f, 2, 0, 50);
	file_close(f, true);
	row_get(d, &row);
	assert_false(row.damaged);
	assert_int_equal(count_lost(), 1);
	assert_int_equal(protect(d), 0);
}

static void test_local_lost(void **state)
{
	uint64_t a = make_file("a", 1, 100), b = make_file("b", 1, 100);
	CLEANUP_FREE char *pa = local_of(a);
	CLEANUP_FREE char *pb = local_of(b);
	uint64_t v, size, off, len;
	struct cache_file *f;

	assert_int_equal(protect(a), 0);
	assert_int_equal(protect(b), 0);
	assert_int_equal(unlink(pa), 0);
	assert_int_equal(truncate(pb, 99), 0);
	reopen();
	f = file_open(a, false);
	assert_int_equal(cache_missing(f, 0, 100, &off, &len), 1);
	file_close(f, false);
	assert_int_equal(state_of(a), META_REMOTE);
	f = file_open(b, false);
	cache_version(f, &v, &size);
	fill_at(f, v, 1, 0, 100);
	expect_at(f, 1, 0, 100);
	file_close(f, false);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(state_of(b), META_LOCAL);
}

static bool never(void *arg)
{
	return false;
}

static void test_lost_found(void **state)
{
	uint64_t a = make_file("a", 1, 100), b = make_file("b", 1, 100);
	uint64_t keep = make_file("keep", 1, 100), left;
	CLEANUP_FREE char *stray = io_path("%s/cache/00/00/stray", dir);
	CLEANUP_FREE char *path = NULL;
	META_TXN(t);

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_inode_delete(&t, a), 0);
	assert_int_equal(meta_inode_delete(&t, b), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(io_write_file(stray, 0600, "x", 1, false), 0);
	left = make_remote("left", 100);
	path = local_of(left);
	assert_int_equal(io_write_file(path, 0600, "x", 1, false), 0);
	assert_int_equal(cache_scan_lost(c, never, NULL), 3);
	assert_int_equal(count_lost(), 3);
	assert_false(local_exists(a));
	assert_true(local_exists(keep));
	assert_false(local_exists(left)); /* what an eviction left */
	assert_int_equal(cache_scan_lost(c, never, NULL), 0);
}

static void touch(uint64_t ino)
{
	struct cache_file *f = file_open(ino, false);

	cache_touch(f);
	file_close(f, false);
}

/* What is opened after it has left is a re-read, once a day. */
static void test_rereads(void **state)
{
	const int64_t day = SEC_PER_DAY * NSEC_PER_SEC;
	uint64_t ino = make_file("f", 1, 5000), freed;
	struct meta_reread r[2];
	META_TXN(t);

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(protect(ino), 0);
	clock_shift(40 * day, 40 * day);
	touch(ino); /* it is here */
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	clock_shift(70 * day, 70 * day);
	touch(ino);
	clock_shift(day / 2, day / 2);
	touch(ino);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_rereads(&t, 0, 0, r, 2), 1);
	assert_int_equal(r[0].age, 2); /* not 110 days, by the first */
	assert_int_equal(r[0].files, 1);
	assert_int_equal(r[0].bytes, 5000);
	assert_true(r[0].month > 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_seal_refuses),
		STATE_TEST(test_write_breaks_seal),
		STATE_TEST(test_write_after_commit),
		STATE_TEST(test_lease_sees_strangers),
		STATE_TEST(test_evict_refuses),
		STATE_TEST(test_evict_many),
		STATE_TEST(test_fill),
		STATE_TEST(test_fill_all_at_once),
		STATE_TEST(test_unsaved_is_absent),
		STATE_TEST(test_truncate_completes),
		STATE_TEST(test_drop),
		STATE_TEST(test_recover_opened),
		STATE_TEST(test_recover_missing),
		STATE_TEST(test_dirty_lost),
		STATE_TEST(test_local_lost),
		STATE_TEST(test_lost_found),
		STATE_TEST(test_rereads),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
