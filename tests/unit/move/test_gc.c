/* SPDX-License-Identifier: Apache-2.0 */
/* gc: after the grace period, while the clocks agree, and never else (S24). */
#include "tests/unit/move/util.h"

#define GRACE (NSEC_PER_SEC / 2)
#define SHIFT (40LL * 24 * 3600 * NSEC_PER_SEC)

static bool wait_condemned(int want)
{
	int i;

	for (i = 0; i < 300 && count_packs(META_PACK_CONDEMNED) != want; i++)
		clock_sleep_ns(10000000);
	return count_packs(META_PACK_CONDEMNED) == want;
}

/* A pack that nobody names; its key. */
static void condemn_one(struct meta_pack *p)
{
	uint64_t ino = make_file("a", 1, 1000);

	protect_all(ino);
	pack_of(ino, p);
	write_file(ino, 2, 1000);
	protect_all(ino);
}

static void with_grace(int64_t ns)
{
	stop_move();
	mopts.delete_after_ns = ns;
	assert_int_equal(start_move(), 0);
}

static void test_grace(void **state)
{
	struct store_info info;
	struct meta_pack p;

	condemn_one(&p);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	with_grace(3600 * NSEC_PER_SEC);
	clock_sleep_ns(700000000);
	assert_int_equal(deletes(), 0);
	assert_int_equal(store_head(bucket, p.object, &info), 0);
	with_grace(GRACE);
	assert_true(wait_condemned(0));
	assert_true(deletes() > 0);
	assert_int_equal(store_head(bucket, p.object, &info), -ENOENT);
	assert_int_equal(count_packs(META_PACK_STORED), 1);
}

static void expect_nothing_deleted(int ms)
{
	int condemned = count_packs(META_PACK_CONDEMNED);
	struct job_info job[16];
	size_t n, i;

	assert_true(condemned > 0);
	clock_sleep_ns(ms * 1000000LL);
	assert_int_equal(deletes(), 0);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), condemned);
	n = move_jobs(mv, job, 16);
	for (i = 0; i < n; i++)
		if (strcmp(job[i].name, "gc") == 0)
			assert_non_null(
				strstr(job[i].last_error, "wall clock"));
}

/* The wall clock leaps ahead of the grace period while we run. */
static void test_clock_leaps(void **state)
{
	struct meta_pack p;

	condemn_one(&p);
	with_grace(SHIFT / 2);
	clock_shift(SHIFT, 0); /* older than that by the clock */
	move_wake(mv, &mv->gc);
	expect_nothing_deleted(300);
	clock_shift(-SHIFT, 0);
}

/* It is behind the latest time that was ever seen. */
static void test_clock_behind(void **state)
{
	struct meta_pack p;
	META_TXN(t);
	uint8_t v[8];

	condemn_one(&p);
	put_le64(v, (uint64_t)(clock_wall_ns() + SHIFT));
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_value_set(&t, "gc.high_water", v, 8), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	with_grace(1);
	expect_nothing_deleted(500);
}

/* The store's Date says otherwise. */
struct skewed {
	struct store base;
	int64_t ahead;
	bool known;
};

static int skewed_skew(struct store *s, int64_t *ahead)
{
	struct skewed *k = container_of(s, struct skewed, base);

	*ahead = k->ahead;
	return k->known ? 0 : -ENODATA;
}

static int skewed_head(struct store *s, const char *key, struct store_info *out)
{
	container_of(s, struct skewed, base)->known = true;
	return -ENOENT;
}

static int skewed_del(struct store *s, const char *const *keys, size_t n,
		      int *rc)
{
	return store_del(bucket, keys, n, rc);
}

static void test_store_disagrees(void **state)
{
	const struct store_ops ops = { .skew = skewed_skew,
				       .head = skewed_head,
				       .del = skewed_del };
	struct skewed k = { .base.ops = &ops, .ahead = -SHIFT };
	struct store *real = stores.cause[STORE_CAUSE_POLICY];
	struct meta_pack p;

	condemn_one(&p);
	stores.cause[STORE_CAUSE_POLICY] = &k.base;
	with_grace(1);
	expect_nothing_deleted(500);
	k.ahead = NSEC_PER_SEC;
	with_grace(1);
	assert_true(wait_condemned(0)); /* the control */
	stop_move();
	stores.cause[STORE_CAUSE_POLICY] = real;
}

/* What a dead process was sending is condemned at the start. */
static void test_intents(void **state)
{
	struct meta_pack p = { .object = "packs/x", .tier = "near" };
	META_TXN(t);

	stop_move();
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(start_move(), 0);
	assert_int_equal(count_packs(META_PACK_INTENT), 0);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
}

/* A DELETE that fails leaves the row for the next time. */
static void test_delete_fails(void **state)
{
	struct meta_pack p;

	condemn_one(&p);
	SET(down, true);
	with_grace(1);
	clock_sleep_ns(300000000);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	SET(down, false);
	assert_true(wait_condemned(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_grace),	      MOVE_TEST(test_clock_leaps),
		MOVE_TEST(test_clock_behind), MOVE_TEST(test_store_disagrees),
		MOVE_TEST(test_intents),      MOVE_TEST(test_delete_fails),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
