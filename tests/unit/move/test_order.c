/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing reaches the bucket, or leaves it, on the strength of a row that is
 * not durable (S1, S23): this program's fdatasync() comes before libc's, and
 * can refuse. And reap, which waits for what others hold.
 */
#include "tests/unit/move/util.h"

#include <sys/syscall.h>

#include "meta/internal.h"

#define GRACE (NSEC_PER_SEC / 2)

static _Atomic bool no_sync; /* of the log; files have fsync() too */

int fdatasync(int fd)
{
	if (no_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static int setup(void **state)
{
	no_sync = false;
	return move_setup(state);
}

static int teardown(void **state)
{
	no_sync = false;
	return move_teardown(state);
}

static uint64_t puts_sent(void)
{
	struct store_counts n;

	store_meter_read(&counts[STORE_CAUSE_PROTECT], &n);
	return n.puts;
}

static void with_settle(int64_t ns)
{
	stop_move();
	mopts.settle_ns = ns;
	assert_int_equal(start_move(), 0);
}

static void test_put_waits_for_intent(void **state)
{
	uint64_t ino;

	with_settle(3600 * NSEC_PER_SEC);
	ino = make_file("a", 1, 1000);
	assert_int_equal(cache_flush(c), 0);
	no_sync = true;
	move_protect_now(mv, 0);
	clock_sleep_ns(NSEC_PER_SEC);
	assert_int_equal(puts_sent(), 0);
	assert_int_equal(state_of(ino), META_DIRTY);
}

static void test_delete_waits_for_row(void **state)
{
	struct store_info info;
	struct meta_pack p;
	uint64_t ino;

	/* Else a stream may store the file while it is still empty. */
	with_settle(3600 * NSEC_PER_SEC);
	ino = make_file("a", 1, 1000);
	protect_all(ino);
	pack_of(ino, &p);
	write_file(ino, 2, 1000);
	protect_all(ino);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
	stop_move();
	mopts.delete_after_ns = GRACE;
	no_sync = true;
	assert_int_equal(start_move(), 0);
	clock_sleep_ns(GRACE + NSEC_PER_SEC);
	assert_int_equal(deletes(), 0);
	assert_int_equal(store_head(bucket, p.object, &info), 0);
}

/* Of a store in memory, whose put is looked at. */
static struct store_ops mem_ops;
static int (*mem_put)(struct store *s, const char *key, const void *data,
		      size_t len, const struct store_put_opts *po);
static _Atomic unsigned puts_seen, puts_over;

static int look_put(struct store *s, const char *key, const void *data,
		    size_t len, const struct store_put_opts *po)
{
	puts_seen++;
	puts_over += !po->if_absent;
	return mem_put(s, key, data, len, po);
}

/* S22, S25: a pack overwrites nothing, whatever lies under its key. */
static void test_puts_create_only(void **state)
{
	struct store *mem = store_mem_new();

	mem_ops = *mem->ops;
	mem_put = mem_ops.put;
	mem_ops.put = look_put;
	mem->ops = &mem_ops;
	puts_seen = puts_over = 0;
	stop_move();
	drop_bucket();
	use_bucket(mem);
	assert_int_equal(start_move(), 0);
	protect_all(make_file("small", 1, 1000));
	protect_all(make_file("large", 2, 3 * OBJECT));
	assert_true(puts_seen >= 4);
	assert_int_equal(puts_over, 0);
}

static void unlink_row(uint64_t ino, const char *name)
{
	struct meta_inode row;
	META_TXN(t);

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(
		meta_dirent_remove(&t, META_ROOT_INO, name, strlen(name)), 0);
	assert_int_equal(meta_inode_get(&t, ino, &row), 0);
	row.nlink = 0;
	assert_int_equal(meta_inode_update(&t, &row), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	move_reap_soon(mv);
}

static bool has_row(uint64_t ino)
{
	struct meta_inode row;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_inode_get(&t, ino, &row) == 0;
}

/* Who seals a file wakes nobody when it is done. */
static void test_reap_after_seal(void **state)
{
	struct cache_seal s;
	uint64_t ino;
	int i;

	with_settle(3600 * NSEC_PER_SEC);
	ino = make_file("a", 1, 1000);
	assert_int_equal(cache_seal_begin(c, ino, &s), 0);
	unlink_row(ino, "a");
	clock_sleep_ns(300000000);
	assert_true(has_row(ino));
	cache_seal_end(&s, false);
	for (i = 0; i < 500 && has_row(ino); i++)
		clock_sleep_ns(10000000);
	assert_false(has_row(ino));
	assert_false(local_exists(ino));
}

/* An extent whose pack's row is gone: damage, and never ENOENT (P6). */
static void test_pack_row_missing(void **state)
{
	uint64_t ino = protected_file("a", 1, 1000);

	assert_int_equal(db_exec(m->conn.db, "DELETE FROM pack"), 0);
	assert_int_equal(recall(ino, 0, 0), -EUCLEAN);
	assert_int_equal(state_of(ino), META_REMOTE);
}

#define ORDER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDER_TEST(test_put_waits_for_intent),
		ORDER_TEST(test_delete_waits_for_row),
		ORDER_TEST(test_puts_create_only),
		ORDER_TEST(test_reap_after_seal),
		ORDER_TEST(test_pack_row_missing),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
