/* SPDX-License-Identifier: Apache-2.0 */
/* Packs lie in several tiers: each is read from its own, and deleted there. */
#include "meta/tiering.h"
#include "tests/unit/move/tiers.h"

#define SIZE (100 * KIB)

/* Starts anew with another tier as the first. */
static void first_is(size_t i)
{
	stop_move();
	tiers_swap(0, i);
	assert_int_equal(start_move(), 0);
}

static void test_reads(void **state)
{
	uint64_t old = protected_file("old", 1, SIZE), new;
	size_t near = objects_in(0); /* a try that failed may be there, too */
	struct meta_pack p;

	assert_int_not_equal(near, 0);
	assert_int_equal(objects_in(1), 0);
	first_is(FAR);
	new = protected_file("new", 2, SIZE);
	assert_int_equal(objects_in(0), near);
	assert_int_not_equal(objects_in(1), 0);
	pack_of(new, &p);
	assert_string_equal(p.tier, "far");
	expect_file(old, 1, SIZE);
	expect_file(new, 2, SIZE);
	/* One that is away keeps nobody from the other. */
	evict_file(old);
	evict_file(new);
	__atomic_store_n(&place_plan[0].down, true, __ATOMIC_RELAXED);
	expect_file(new, 2, SIZE);
	assert_int_equal(recall(old, 0, SIZE), -ETIMEDOUT);
	__atomic_store_n(&place_plan[0].down, false, __ATOMIC_RELAXED);
	expect_file(old, 1, SIZE);
	first_is(FAR);
}

/* A tier that the configuration does not name any more says nothing about
 * what lies there. */
static void test_unknown(void **state)
{
	uint64_t ino = protected_file("old", 1, SIZE);

	stop_move();
	stores.tier[NEAR].name = "renamed";
	assert_int_equal(start_move(), 0);
	assert_int_equal(recall(ino, 0, SIZE), -ETIMEDOUT);
	stop_move();
	stores.tier[NEAR].name = "near";
	assert_int_equal(start_move(), 0);
}

/* The only tier has another name than before: it is still there; but what is
 * not to be found there is not called missing. */
static void test_renamed(void **state)
{
	uint64_t ino = protected_file("old", 1, SIZE);
	struct meta_pack p;

	pack_of(ino, &p);
	stop_move();
	stores.tier[NEAR].name = "renamed";
	stores.n_tiers = 1;
	assert_int_equal(start_move(), 0);
	expect_file(ino, 1, SIZE);
	evict_file(ino);
	assert_int_equal(store_del1(place[0], p.object), 0);
	assert_int_equal(recall(ino, 0, SIZE), -ETIMEDOUT);
	stop_move();
	stores.tier[NEAR].name = "near";
	stores.n_tiers = TIERS;
	assert_int_equal(start_move(), 0);
	assert_int_equal(recall(ino, 0, SIZE), -EIO);
}

static bool wait_objects(size_t at, size_t want)
{
	int i;

	for (i = 0; i < 1000 && objects_in(at) != want; i++)
		clock_sleep_ns(10000000);
	return objects_in(at) == want;
}

/* What is condemned is deleted where it lies, also while another is away. */
static void test_gc(void **state)
{
	uint64_t a = protected_file("a", 1, SIZE), b;

	first_is(FAR);
	b = protected_file("b", 2, SIZE);
	unlink_file(a, "a");
	unlink_file(b, "b");
	move_reap_now(mv);
	stop_move();
	mopts.delete_after_ns = 1;
	__atomic_store_n(&place_plan[1].down, true, __ATOMIC_RELAXED);
	assert_int_equal(start_move(), 0);
	move_reap_now(mv);
	assert_true(wait_objects(0, 0));
	__atomic_store_n(&place_plan[1].down, false, __ATOMIC_RELAXED);
	assert_true(wait_objects(1, 0));
	first_is(FAR);
}

/* Deleted before its least time: the rest is billed, once. */
static void test_early(void **state)
{
	struct meta_ledger_item it[8];
	struct meta_pack p;
	uint64_t ino, day = SEC_PER_DAY;
	int64_t until;
	META_TXN(t);

	stop_move();
	stores.tier[NEAR].minimum_bytes = MIB;
	stores.tier[NEAR].minimum_ns = (int64_t)(90 * day * NSEC_PER_SEC);
	assert_int_equal(start_move(), 0);
	ino = protected_file("a", 1, SIZE);
	pack_of(ino, &p);
	assert_int_equal(p.billed, MIB);
	until = p.stored_ns + p.keep_ns;
	assert_int_equal(p.keep_ns, stores.tier[NEAR].minimum_ns);
	unlink_file(ino, "a");
	stop_move();
	clock_shift(30 * (int64_t)day * NSEC_PER_SEC, 0);
	mopts.delete_after_ns = 1;
	assert_int_equal(start_move(), 0);
	move_reap_now(mv);
	assert_true(wait_objects(0, 0));
	stop_move();
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_ledger_items(&t, 0, INT32_MAX, 0, it, 8), 1);
	meta_abort(&t);
	assert_int_equal(it[0].kind, META_LEDGER_EARLY);
	assert_int_equal(it[0].day,
			 clock_wall_ns() / NSEC_PER_SEC / SEC_PER_DAY);
	assert_string_equal(it[0].tier, "near");
	assert_string_equal(it[0].storage_class, "STANDARD");
	/* 60 days of a MiB, but for the seconds that this test takes. */
	assert_true(it[0].whole <= 60 * 24 * MIB);
	assert_true(it[0].whole >=
		    (uint64_t)((until - clock_wall_ns()) / NSEC_PER_SEC - 1) *
			    MIB / 3600);
	assert_true(it[0].whole > 59 * 24 * MIB);
	clock_shift(-30 * (int64_t)day * NSEC_PER_SEC, 0);
	assert_int_equal(start_move(), 0);
}

/* An upload that never came is paid by nobody. */
static void test_never_came(void **state)
{
	struct meta_ledger_item it[8];
	int i;
	META_TXN(t);

	stop_move();
	stores.tier[NEAR].minimum_ns = 90 * SEC_PER_DAY * NSEC_PER_SEC;
	for (i = 0; i < 2; i++) {
		struct meta_pack p = { .length = 1000, .id = { (uint8_t)i } };

		mv = &(struct move){ .s = stores };
		assert_int_equal(send_place(mv, &stores.tier[NEAR], &p), 0);
		mv = NULL;
		if (i == 1) /* this one came, but nobody was told */
			assert_int_equal(
				store_put(place[0], p.object, "x", 1, NULL), 0);
		assert_int_equal(meta_begin(m, &t), 0);
		assert_int_equal(meta_pack_intend(&t, &p), 0);
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	mopts.delete_after_ns = 1;
	assert_int_equal(start_move(), 0); /* condemns them */
	assert_true(wait_objects(0, 0));
	stop_move();
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_ledger_items(&t, 0, INT32_MAX, 0, it, 8), 1);
	meta_abort(&t);
	assert_int_equal(it[0].kind, META_LEDGER_EARLY);
	assert_true(it[0].whole <= 90 * 24 * 1000);
	assert_int_equal(start_move(), 0);
}

static bool wait_ordered(uint64_t row)
{
	struct meta_restore r;
	int i, rc;

	for (i = 0; i < 1000; i++) {
		META_TXN(t);

		assert_int_equal(meta_read(m, &t), 0);
		rc = meta_restore_get(&t, row, &r);
		meta_abort(&t);
		if (rc == 0 && r.state == META_RESTORE_ORDERED)
			return true;
		clock_sleep_ns(10000000);
	}
	return false;
}

static uint64_t row_of(uint64_t ino)
{
	struct meta_pack p;

	pack_of(ino, &p);
	return p.row;
}

/* One that is away keeps no order of another from being asked for. */
static void test_orders(void **state)
{
	static const struct store_mem_archive terms = { .takes_ns = { 1, 1,
								      1 } };
	uint64_t a, b;
	int i;

	stop_move();
	for (i = 0; i < 2; i++) {
		store_mem_terms(place_mem[i], &terms);
		stores.tier[i].storage_class = "DEEP_ARCHIVE";
		stores.tier[i].archive = true;
		memcpy(stores.tier[i].restore_ns,
		       (int64_t[3]){ NSEC_PER_SEC * 3600, 0, 0 },
		       3 * sizeof(int64_t));
	}
	assert_int_equal(start_move(), 0);
	a = row_of(protected_file("a", 1, SIZE));
	first_is(FAR);
	b = row_of(protected_file("b", 2, SIZE));
	__atomic_store_n(&place_plan[0].down, true, __ATOMIC_RELAXED);
	assert_int_equal(
		move_restore(mv, a, STORE_STANDARD, 1, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	assert_int_equal(
		move_restore(mv, b, STORE_STANDARD, 1, STORE_CAUSE_RECALL),
		-EINPROGRESS);
	assert_true(wait_ordered(b));
	__atomic_store_n(&place_plan[0].down, false, __ATOMIC_RELAXED);
	move_wake(mv, &mv->restore);
	assert_true(wait_ordered(a));
	first_is(FAR);
}

/* Nor a pinned file. */
static void test_pinned(void **state)
{
	uint64_t a = protected_file("a", 1, SIZE), b;
	struct meta_pin p = { .cause = "pin", .made_ns = clock_wall_ns() };
	META_TXN(t);

	first_is(FAR);
	b = protected_file("b", 2, SIZE);
	evict_file(a);
	evict_file(b);
	__atomic_store_n(&place_plan[0].down, true, __ATOMIC_RELAXED);
	assert_int_equal(meta_begin(m, &t), 0);
	p.ino = a;
	assert_int_equal(meta_pin_add(&t, &p), 0);
	assert_int_equal(meta_pin_file(&t, p.id, a), 0);
	assert_int_equal(meta_pin_file(&t, p.id, b), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	move_pinned(mv);
	assert_true(wait_state(b, META_LOCAL));
	assert_int_equal(state_of(a), META_REMOTE);
	__atomic_store_n(&place_plan[0].down, false, __ATOMIC_RELAXED);
	move_pinned(mv);
	assert_true(wait_state(a, META_LOCAL));
	first_is(FAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TIERS_TEST(test_reads),	  TIERS_TEST(test_unknown),
		TIERS_TEST(test_renamed), TIERS_TEST(test_gc),
		TIERS_TEST(test_early),	  TIERS_TEST(test_never_came),
		TIERS_TEST(test_orders),  TIERS_TEST(test_pinned),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
