/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas: the account, its limits, and counting again while it changes. */
#include "tests/unit/meta/util.h"

#include <pthread.h>

static struct meta_usage usage(void)
{
	struct meta_usage u;
	META_TXN(t);

	reading(&t);
	meta_usage(&t, &u);
	return u;
}

static void limit(uint64_t bytes, uint64_t files)
{
	struct meta_quota q = { .bytes = bytes, .files = files }, got;

	meta_quota_set(m, &q);
	meta_quota_get(m, &got);
	assert_int_equal(got.bytes, bytes);
	assert_int_equal(got.files, files);
}

static void change_file(struct meta_txn *t, uint64_t ino, uint32_t nlink,
			uint64_t size, bool opened)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.nlink = nlink;
	in.size = size;
	in.opened_for_write = opened;
	assert_int_equal(meta_inode_update(t, &in), 0);
}

/* Rows and growth, with a name and without: what the account says. */
static void test_usage(void **state)
{
	uint64_t a, b;
	META_TXN(t);

	assert_int_equal(usage().files, 0); /* the root is not counted */
	begin(&t);
	a = make_inode(&t, S_IFREG | 0600, 100);
	b = make_inode(&t, S_IFREG | 0600, 10);
	make_inode(&t, S_IFDIR | 0700, 0);
	make_inode(&t, S_IFLNK | 0777, 50); /* bytes of no regular file */
	commit(&t);
	assert_int_equal(usage().bytes, 110);
	assert_int_equal(usage().files, 4);
	/* Undone. */
	begin(&t);
	change_file(&t, a, 1, 999, false);
	make_inode(&t, S_IFREG | 0600, 7);
	meta_abort(&t);
	assert_int_equal(usage().bytes, 110);
	assert_int_equal(usage().files, 4);
	/* Growth is told first; the row follows and adds nothing. */
	begin(&t);
	change_file(&t, b, 1, 10, true);
	commit(&t);
	assert_int_equal(meta_grow(m, 90), 0);
	assert_int_equal(usage().bytes, 200);
	begin(&t);
	change_file(&t, b, 1, 100, false);
	commit(&t);
	assert_int_equal(usage().bytes, 200);
	/* Without a name it counts until its row is gone. */
	begin(&t);
	change_file(&t, b, 0, 100, false);
	commit(&t);
	assert_int_equal(usage().bytes, 200);
	assert_int_equal(usage().files, 4);
	assert_int_equal(usage().unlinked, 1);
	begin(&t);
	assert_int_equal(meta_inode_delete(&t, b), 0);
	commit(&t);
	assert_int_equal(usage().bytes, 100);
	assert_int_equal(usage().files, 3);
	util_reopen();
	assert_int_equal(usage().bytes, 100);
	assert_int_equal(usage().files, 3);
}

static void test_files(void **state)
{
	struct meta_inode in = { .mode = S_IFIFO | 0600, .nlink = 1 };
	META_TXN(t);
	int i;

	limit(0, 3);
	begin(&t);
	for (i = 0; i < 3; i++)
		make_inode(&t, S_IFREG | 0600, 0);
	assert_int_equal(meta_new_ino(&t, &in.ino), 0);
	assert_int_equal(meta_inode_insert(&t, &in), -EDQUOT);
	commit(&t); /* nothing was done by that */
	assert_int_equal(usage().files, 3);
	limit(0, 4);
	begin(&t);
	assert_int_equal(meta_new_ino(&t, &in.ino), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	commit(&t);
	/* Lowered: nothing comes, all else goes. */
	limit(0, 1);
	begin(&t);
	in.ino++;
	assert_int_equal(meta_inode_insert(&t, &in), -EDQUOT);
	in.ino--;
	in.uid = 7;
	assert_int_equal(meta_inode_update(&t, &in), 0);
	assert_int_equal(meta_inode_delete(&t, in.ino), 0);
	commit(&t);
	assert_int_equal(usage().files, 3);
}

static void test_bytes(void **state)
{
	limit(1000, 0);
	assert_int_equal(meta_grow(m, 1001), -EDQUOT);
	assert_int_equal(meta_grow(m, UINT64_MAX), -EDQUOT);
	assert_int_equal(meta_grow(m, 1000), 0);
	assert_int_equal(meta_grow(m, 1), -EDQUOT);
	assert_int_equal(meta_grow(m, 0), 0);
	meta_grown(m, -1);
	assert_int_equal(meta_grow(m, 2), -EDQUOT);
	assert_int_equal(meta_grow(m, 1), 0);
	limit(10, 0);
	assert_int_equal(meta_grow(m, 1), -EDQUOT);
	meta_grown(m, -995);
	assert_int_equal(meta_grow(m, 6), -EDQUOT);
	assert_int_equal(meta_grow(m, 5), 0);
	limit(0, 0);
	assert_int_equal(meta_grow(m, 1ULL << 50), 0);
}

#define GROWERS 4
#define LIMIT	1000000

/* Takes odd pieces until none of its size fits; then as small as they fit. */
static void *grower(void *arg)
{
	uint64_t *got = arg, n = 1 + *got * 37;
	unsigned i = 0;

	*got = 0;
	while (n > 0) {
		if (meta_grow(m, n) < 0) {
			n /= 2;
			continue;
		}
		*got += n;
		if (++i % 3 == 0 && i < 3000) {
			meta_grown(m, -(int64_t)n);
			*got -= n;
		}
	}
	return NULL;
}

static void test_bytes_threads(void **state)
{
	pthread_t thread[GROWERS];
	uint64_t got[GROWERS], sum = 0;
	int i;

	limit(LIMIT, 0);
	for (i = 0; i < GROWERS; i++) {
		got[i] = (uint64_t)i;
		assert_int_equal(
			pthread_create(&thread[i], NULL, grower, &got[i]), 0);
	}
	for (i = 0; i < GROWERS; i++) {
		pthread_join(thread[i], NULL);
		sum += got[i];
	}
	assert_true(sum <= LIMIT);
	assert_int_equal(usage().bytes, sum);
}

/* ---- counting again -------------------------------------------------- */

struct changer {
	_Atomic bool stop;
	unsigned long changes;
};

/* Makes, changes, unlinks and deletes on both sides of the cursor. */
static void *changer(void *arg)
{
	struct changer *c = arg;
	uint64_t ino[64] = { 0 };
	unsigned i;

	for (i = 0; !c->stop; i = (i + 1) % 64, c->changes++) {
		uint64_t had = ino[i];
		META_TXN(t);

		begin(&t);
		if (!had)
			ino[i] = make_inode(&t, S_IFREG | 0600, i);
		else if (i % 3 == 0)
			change_file(&t, ino[i], i % 2, 1000 + i, false);
		else if (i % 3 == 1)
			assert_int_equal(meta_inode_delete(&t, had), 0);
		change_file(&t, 2 + i * 70, 1, c->changes % 1000, false);
		if (i % 5 == 0) {
			meta_abort(&t);
			ino[i] = had;
			continue;
		}
		commit(&t);
		if (had && i % 3 == 1)
			ino[i] = 0;
	}
	return NULL;
}

static void fill(unsigned n)
{
	META_TXN(t);
	unsigned i;

	for (i = 0; i < n; i++) {
		if (i % 1000 == 0)
			begin(&t);
		make_inode(&t, S_IFREG | 0600, i);
		if (i % 1000 == 999)
			commit(&t);
	}
}

static bool count_ticks(void *arg, const struct meta_recount *now)
{
	unsigned *ticks = arg;

	/* 100 in each page; the changes beside may take a few away. */
	assert_true(now->files + 200 >= ++*ticks * 100);
	return true;
}

static void test_recount(void **state)
{
	struct changer c = { 0 };
	struct meta_recount r;
	unsigned i, ticks = 0;
	pthread_t thread;

	fill(5000);
	assert_int_equal(pthread_create(&thread, NULL, changer, &c), 0);
	for (i = 0; i < 10; i++) {
		ticks = 0;
		memset(&r, 0, sizeof(r));
		assert_int_equal(meta_recount(m, count_ticks, &ticks, &r), 0);
		assert_true(r.exact);
		assert_true(ticks >= 5);
		assert_int_equal(r.files, r.counter_files);
		assert_int_equal(r.bytes, r.counter_bytes);
	}
	c.stop = true;
	pthread_join(thread, NULL);
	assert_true(c.changes > 10); /* it did not have to wait */
}

static bool never(void *arg, const struct meta_recount *now)
{
	struct meta_recount r;

	/* One at a time; and no lock is held here. */
	assert_int_equal(meta_recount(m, NULL, NULL, &r), -EBUSY);
	return false;
}

static void test_recount_stops(void **state)
{
	struct meta_recount r;

	fill(2000);
	assert_int_equal(meta_recount(m, never, NULL, &r), -EINTR);
	assert_int_equal(meta_recount(m, NULL, NULL, &r), 0);
	assert_int_equal(r.files, 2000);
	assert_int_equal(r.bytes, 2000 * 1999 / 2);
}

/* What a program that counts wrong would leave is found. */
static void test_recount_finds(void **state)
{
	struct meta_recount r;
	META_TXN(t);

	begin(&t);
	make_file(&t, META_ROOT_INO, "f");
	commit(&t);
	util_close();
	assert_sh("sqlite3 %s/db 'UPDATE inode SET size = size + 1, nlink = 0"
		  " WHERE ino > 1'",
		  dir);
	m = util_open_at("db");
	assert_int_equal(meta_recount(m, NULL, NULL, &r), 0);
	assert_false(r.exact);
	assert_int_equal(r.files, 1);
	assert_int_equal(r.bytes, 11);
	assert_int_equal(r.counter_bytes, 10);
	util_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_usage),	       META_TEST(test_files),
		META_TEST(test_bytes),	       META_TEST(test_bytes_threads),
		META_TEST(test_recount),       META_TEST(test_recount_stops),
		META_TEST(test_recount_finds),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
