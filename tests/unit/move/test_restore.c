/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in an archive class: ordered when they are read or when it is asked
 * for, waited for as long as a program may wait, brought back by the store in
 * its own time, or never.
 */
#include <pthread.h>

#include "meta/tiering.h"
#include "tests/unit/move/util.h"

#define HOUR (3600 * NSEC_PER_SEC)
#define SIZE (100 * KIB)

static struct store *mem; /* below bucket */
static struct store_mem_archive terms;

static void pass(int64_t ns)
{
	clock_shift(ns, ns);
	move_wake(mv, &mv->restore);
}

static int cold_setup(void **state)
{
	int i;

	if (move_setup(state) < 0)
		return -1;
	stop_move();
	drop_bucket();
	mem = store_mem_new();
	use_bucket(mem);
	terms = (struct store_mem_archive){
		.takes_ns = { 12 * HOUR, 48 * HOUR, HOUR / 10 },
	};
	store_mem_terms(mem, &terms);
	mopts.tier = "cold";
	mopts.storage_class = "DEEP_ARCHIVE";
	mopts.recall_wait_ns = NSEC_PER_SEC / 4;
	stores.n_tiers = 1;
	stores.tier[0] = (struct move_tier){
		.name = "cold",
		.storage_class = "DEEP_ARCHIVE",
		.object_size = OBJECT,
		.archive = true,
		.restore_ns = { 12 * HOUR, 48 * HOUR, HOUR / 10 },
	};
	for (i = 0; i < STORE_CAUSE_COUNT; i++)
		stores.tier[0].cause[i] = stores.cause[i];
	return start_move();
}

static int cold_teardown(void **state)
{
	int rc = move_teardown(state);

	memset(&stores, 0, sizeof(stores));
	return rc;
}

#define COLD_TEST(f) \
	cmocka_unit_test_setup_teardown(f, cold_setup, cold_teardown)

static void cold_restart(void)
{
	stop_move();
	reopen();
	assert_int_equal(start_move(), 0);
}

static uint64_t pack_row(uint64_t ino)
{
	struct meta_pack p;

	pack_of(ino, &p);
	return p.row;
}

static int order_of(uint64_t pack, struct meta_restore *out)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_restore_get(&t, pack, out);
}

static bool wait_order(uint64_t pack, enum meta_restore_state want)
{
	struct meta_restore r;
	int i;

	for (i = 0; i < 3000; i++) {
		if (order_of(pack, &r) == 0 && r.state == want)
			return true;
		clock_sleep_ns(10000000);
	}
	return false;
}

static bool wait_no_order(uint64_t pack)
{
	struct meta_restore r;
	int i;

	for (i = 0; i < 3000 && order_of(pack, &r) != -ENOENT; i++)
		clock_sleep_ns(10000000);
	return order_of(pack, &r) == -ENOENT;
}

static struct move_restores told(void)
{
	struct move_restores r;

	move_restores(mv, &r);
	return r;
}

static int read_one(uint64_t ino, const struct move_patience *p)
{
	struct cache_file *f = file_open(ino, false);
	int rc = move_read(mv, f, 0, KIB, 0, p);

	file_close(f, false);
	return rc;
}

static int try_read(uint64_t ino)
{
	struct move_patience p = { 0 };

	return read_one(ino, &p);
}

/* What a program sees: not now, never an error of the disk, never zeros; and
 * the bytes, once they are there. */
static void test_read(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);
	struct meta_restore r;

	assert_int_equal(state_of(ino), META_ARCHIVED);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_true(wait_state(ino, META_RECALLING));
	assert_int_equal(order_of(pack, &r), 0);
	assert_int_equal(r.speed, STORE_STANDARD);
	assert_string_equal(r.cause, "read");
	assert_int_equal(r.due_ns - r.ordered_ns, 12 * HOUR);
	assert_int_equal(try_read(ino), -ETIMEDOUT); /* still not */
	assert_int_equal(store_mem_orders(mem), 1);
	assert_int_equal(gets(), 0); /* none was in vain */
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	expect_file(ino, 1, SIZE);
}

/* A policy is in no hurry; a program that reads is. */
static void test_read_ordered(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);
	struct meta_restore r;

	assert_int_equal(
		move_restore(mv, pack, STORE_BULK, 1, STORE_CAUSE_POLICY),
		-EINPROGRESS);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(order_of(pack, &r), 0);
	assert_int_equal(r.speed, STORE_BULK);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(order_of(pack, &r), 0);
	assert_int_equal(r.speed, STORE_STANDARD);
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	expect_file(ino, 1, SIZE);
}

struct reader {
	uint64_t ino;
	bool hangup;
	int rc;
};

static void *read_thread(void *arg)
{
	struct reader *rd = arg;
	struct move_patience p = { .hangup = &rd->hangup };

	rd->rc = read_one(rd->ino, &p);
	return NULL;
}

/* Who waits gets the bytes when they come. */
static void test_waits(void **state)
{
	struct reader rd = { .ino = protected_file("a", 1, SIZE) };
	pthread_t t;

	mopts.recall_wait_ns = 100 * HOUR;
	cold_restart();
	pthread_create(&t, NULL, read_thread, &rd);
	assert_true(wait_order(pack_row(rd.ino), META_RESTORE_ORDERED));
	clock_shift(13 * HOUR, 0); /* the reader's own look finds it */
	pthread_join(t, NULL);
	assert_int_equal(rd.rc, 0);
	expect_file(rd.ino, 1, SIZE);
}

/* A reader that hangs up is let go. */
static void test_hangs_up(void **state)
{
	struct reader rd = { .ino = protected_file("a", 1, SIZE) };
	pthread_t t;

	mopts.recall_wait_ns = 100 * HOUR;
	cold_restart();
	pthread_create(&t, NULL, read_thread, &rd);
	assert_true(wait_order(pack_row(rd.ino), META_RESTORE_ORDERED));
	__atomic_store_n(&rd.hangup, true, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
	assert_int_equal(rd.rc, -ETIMEDOUT);
}

/* An open is enough to order; a second order is none. */
static void test_open(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	move_opened(mv, ino);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	move_opened(mv, ino);
	assert_int_equal(
		move_restore(mv, pack, STORE_BULK, 1, STORE_CAUSE_POLICY),
		-EINPROGRESS);
	assert_int_equal(store_mem_orders(mem), 1);
}

/* All packs of a file are ordered at once: not one after the other. */
static void test_large(void **state)
{
	uint64_t ino = protected_file("a", 1, 4 * OBJECT), pack[16];
	META_TXN(t);
	int i, n;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_extent_packs(&t, ino, 0, pack, 16);
	meta_abort(&t);
	assert_in_range(n, 2, 15);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	for (i = 0; i < n; i++)
		assert_true(wait_order(pack[i], META_RESTORE_ORDERED));
	pass(13 * HOUR);
	for (i = 0; i < n; i++)
		assert_true(wait_order(pack[i], META_RESTORE_READY));
	expect_file(ino, 1, 4 * OBJECT);
}

/* A faster order takes the place of a slower one. */
static void test_faster(void **state)
{
	uint64_t pack = pack_row(protected_file("a", 1, SIZE));
	struct meta_restore r;

	assert_int_equal(
		move_restore(mv, pack, STORE_BULK, 3, STORE_CAUSE_POLICY),
		-EINPROGRESS);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(
		move_restore(mv, pack, STORE_EXPEDITED, 1, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	while (store_mem_orders(mem) < 2)
		clock_sleep_ns(1000000);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	pass(HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	assert_int_equal(order_of(pack, &r), 0);
	assert_int_equal(r.speed, STORE_EXPEDITED);
	assert_int_equal(r.days, 3);
	assert_int_equal(
		move_restore(mv, pack, STORE_BULK, 1, STORE_CAUSE_POLICY), 0);
	assert_int_equal(move_restore_wait(mv, pack, 0, NULL), 0);
}

/* A copy is there for some days; then the file is archived as before. */
static void test_expires(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	assert_int_equal(
		move_restore(mv, pack, STORE_STANDARD, 2, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	assert_true(wait_state(ino, META_RECALLING));
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	pass(72 * HOUR);
	assert_true(wait_no_order(pack));
	assert_true(wait_state(ino, META_ARCHIVED));
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(store_mem_orders(mem), 2);
}

/* It was forgotten by the store before its time: it is ordered again. */
static void test_gone_early(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);
	struct meta_restore r;
	META_TXN(t);

	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(order_of(pack, &r), 0);
	stop_move();
	r.state = META_RESTORE_READY;
	r.until_ns = clock_wall_ns() + 48 * HOUR;
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(start_move(), 0);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(store_mem_orders(mem), 2);
}

/* Orders are rows: who is killed goes on with them. */
static void test_restart(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	SET(down, true);
	assert_int_equal(
		move_restore(mv, pack, STORE_STANDARD, 2, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	cold_restart();
	assert_int_equal(store_mem_orders(mem), 0);
	assert_int_equal(move_restore_wait(mv, pack, 0, NULL), -ETIMEDOUT);
	SET(down, false);
	cold_restart();
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	cold_restart();
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	assert_int_equal(store_mem_orders(mem), 1);
	expect_file(ino, 1, SIZE);
}

/* A store that is away is the job's error, not the object's. */
static void test_away(void **state)
{
	uint64_t pack = pack_row(protected_file("a", 1, SIZE));
	struct job_info j[MOVE_STREAMS_MAX + 8];
	struct meta_restore r;
	size_t n, i;
	int k, failing = 0;

	SET(down, true);
	assert_int_equal(
		move_restore(mv, pack, STORE_STANDARD, 2, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	for (k = 0; k < 3000 && !failing; k++) {
		n = move_jobs(mv, j, ARRAY_SIZE(j));
		for (i = 0; i < n; i++)
			if (strcmp(j[i].name, "restore") == 0)
				failing = j[i].last_error[0];
		clock_sleep_ns(10000000);
	}
	assert_true(failing);
	assert_int_equal(order_of(pack, &r), 0);
	assert_int_equal(r.state, META_RESTORE_WANTED);
	assert_string_equal(r.error, "");
	SET(down, false);
	move_wake(mv, &mv->restore);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
}

static bool wait_failed(uint64_t n)
{
	int i;

	for (i = 0; i < 3000 && told().failed != n; i++)
		clock_sleep_ns(10000000);
	return told().failed == n;
}

static uint64_t billed(enum meta_ledger_kind kind)
{
	struct meta_ledger_item i[32];
	uint64_t sum = 0;
	META_TXN(t);
	int n, k;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_ledger_items(&t, 0, INT32_MAX, 0, i, 32);
	assert_in_range(n, 0, 31);
	for (k = 0; k < n; k++)
		if (i[k].kind == kind) {
			assert_string_equal(i[k].tier, "cold");
			assert_string_equal(i[k].cause, "read");
			sum += i[k].whole;
		}
	return sum;
}

/* What the store refuses is told, and asked for again. */
static void test_refused(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	terms.error = -EACCES;
	store_mem_terms(mem, &terms);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_FAILED));
	assert_true(wait_failed(1));
	assert_true(told().error[0]);
	terms.error = 0;
	store_mem_terms(mem, &terms);
	pass(HOUR);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_true(wait_failed(0));
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 1);
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	expect_file(ino, 1, SIZE);
}

/* What the store took on and never brings ends as an error that people see,
 * and readers get their ETIMEDOUT as before. */
static void test_never(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);
	struct meta_restore r;

	terms.never = true;
	store_mem_terms(mem, &terms);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	pass(20 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_FAILED));
	assert_true(wait_failed(1));
	assert_non_null(strstr(told().error, "has not brought it"));
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	terms.never = false;
	store_mem_terms(mem, &terms);
	pass(2 * HOUR); /* asked again */
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(store_mem_orders(mem), 2);
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 1);
	assert_int_equal(order_of(pack, &r), 0);
	assert_true(r.error[0]);
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	expect_file(ino, 1, SIZE);
}

/* The bill is for what the store took on, once. */
static void test_billed(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	struct meta_pack p;

	pack_of(ino, &p);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(p.row, META_RESTORE_ORDERED));
	cold_restart();
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 1);
	assert_int_equal(billed(META_LEDGER_RESTORED + STORE_STANDARD),
			 p.length);
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_BULK), 0);
}

/* So is one that was refused first, and one that takes its place. */
static void test_billed_late(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	terms.error = -EACCES;
	store_mem_terms(mem, &terms);
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_FAILED));
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 0);
	terms.error = 0;
	terms.never = true;
	store_mem_terms(mem, &terms);
	pass(HOUR);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 1);
	pass(20 * HOUR); /* it has taken that on, and does not bring it */
	assert_true(wait_order(pack, META_RESTORE_FAILED));
	pass(HOUR);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_STANDARD), 1);
	assert_int_equal(
		move_restore(mv, pack, STORE_EXPEDITED, 1, STORE_CAUSE_READ),
		-EINPROGRESS);
	while (store_mem_orders(mem) < 3)
		clock_sleep_ns(1000000);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(billed(META_LEDGER_RESTORES + STORE_EXPEDITED), 1);
}

/* A store's own rule may have moved an object behind our back. */
static void test_behind_our_back(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);

	stores.tier[0].archive = false;
	cold_restart();
	assert_int_equal(try_read(ino), -ETIMEDOUT);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	pass(13 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_READY));
	expect_file(ino, 1, SIZE);
}

static void pin(uint64_t ino, int64_t until_ns)
{
	struct meta_pin p = { .ino = ino,
			      .until_ns = until_ns,
			      .made_ns = clock_wall_ns(),
			      .cause = "pin" };
	META_TXN(t);

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pin_add(&t, &p), 0);
	assert_int_equal(meta_pin_file(&t, p.id, ino), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	move_pinned(mv);
}

/* What is pinned is ordered, comes when it is there, and stays while it is
 * pinned. */
static void test_pinned(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE), pack = pack_row(ino);
	struct meta_restore r;

	pin(ino, clock_wall_ns() + 48 * HOUR);
	assert_true(wait_order(pack, META_RESTORE_ORDERED));
	assert_int_equal(order_of(pack, &r), 0);
	assert_string_equal(r.cause, "recall");
	assert_int_equal(r.days, 2);
	pass(13 * HOUR);
	assert_true(wait_state(ino, META_LOCAL));
	assert_int_equal(evict_settled(ino), -EPERM);
	assert_true(local_exists(ino));
	pass(48 * HOUR);
	assert_int_equal(evict_settled(ino), 0);
	assert_false(local_exists(ino));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		COLD_TEST(test_read),	     COLD_TEST(test_read_ordered),
		COLD_TEST(test_waits),	     COLD_TEST(test_hangs_up),
		COLD_TEST(test_open),	     COLD_TEST(test_large),
		COLD_TEST(test_faster),	     COLD_TEST(test_expires),
		COLD_TEST(test_gone_early),  COLD_TEST(test_restart),
		COLD_TEST(test_away),	     COLD_TEST(test_refused),
		COLD_TEST(test_never),	     COLD_TEST(test_billed),
		COLD_TEST(test_billed_late), COLD_TEST(test_behind_our_back),
		COLD_TEST(test_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
