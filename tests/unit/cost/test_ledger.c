/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time is shifted, not slept. The job runs beside each test and real seconds
 * pass too, so that sums may be a few byte-seconds above what was shifted.
 */
#include "tests/unit/cost/util.h"

#define HOUR	(3600 * NSEC_PER_SEC)
#define DAY	(24 * HOUR)
#define SLACK_S 20 /* a slow machine under a sanitizer */

static struct cost_counts counts[2];

static size_t read_counts(void *arg, struct cost_counts *out, size_t max)
{
	memcpy(out, counts, sizeof(counts));
	return ARRAY_SIZE(counts);
}

static int setup(void **state)
{
	memset(counts, 0, sizeof(counts));
	counts[0].tier = counts[1].tier = "near";
	counts[0].storage_class = counts[1].storage_class = "";
	counts[0].cause = "protect";
	counts[1].cause = "read";
	return fixture_setup(state);
}

static struct cost_ledger *start(struct fixture *f)
{
	struct cost_ledger *l = NULL;

	assert_int_equal(cost_ledger_start(f->meta, read_counts, NULL, &l), 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	return l;
}

static uint64_t byte_seconds(const struct meta_ledger *r)
{
	assert_true(r->byte_seconds < 3600);
	return r->byte_hours * 3600 + r->byte_seconds;
}

/* Byte-seconds of all days' storage rows. */
static uint64_t stored(struct fixture *f)
{
	struct meta_ledger row[64];
	size_t n = fixture_rows(f, row, 64), i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		if (row[i].cause[0] == '\0')
			sum += byte_seconds(&row[i]);
	return sum;
}

static void assert_about(uint64_t got, uint64_t want, uint64_t per_second)
{
	assert_true(got >= want);
	assert_true(got <= want + SLACK_S * per_second);
}

/* So that no real midnight falls into the test. */
static void noon(void)
{
	int64_t now = clock_wall_ns();

	clock_shift(now / DAY * DAY + 12 * HOUR - now, 0);
}

static void test_byte_hours(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(HOUR, HOUR);
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_true(cost_ledger_lag_ns(l) < 600 * NSEC_PER_SEC);
	assert_about(stored(f), GIB * 3600, GIB);
	/* what is stored only now has no past */
	fixture_store(f, 4 * GIB);
	assert_int_equal(cost_ledger_flush(l), 0);
	clock_shift(HOUR, HOUR);
	cost_ledger_stop(l);
	assert_about(stored(f), GIB * 3600 + 5 * GIB * 3600, 5 * GIB);
	assert_int_equal(fixture_rows(f, row, 4), 1);
	assert_string_equal(row[0].tier, "near");
	assert_string_equal(row[0].storage_class, "STANDARD");
	assert_int_equal(row[0].objects_peak, 2);
}

static void test_small_and_long(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, 1);
	l = start(f);
	clock_shift(0, 30 * DAY); /* suspended; the wall was set back */
	cost_ledger_stop(l);
	assert_about(stored(f), 30 * 86400, 1);
}

static void test_midnight(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	clock_shift(11 * HOUR + HOUR / 2, 0); /* 23:30 */
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(2 * HOUR, 2 * HOUR);
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 4), 2);
	assert_int_equal(row[1].day, row[0].day + 1);
	assert_about(byte_seconds(&row[0]) + SLACK_S * GIB, 1800 * GIB,
		     2 * GIB);
	assert_about(byte_seconds(&row[1]), 5400 * GIB, GIB);
}

static void test_two_midnights(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[8];
	struct cost_ledger *l;

	noon();
	fixture_store(f, 1000);
	l = start(f);
	clock_shift(2 * DAY, 2 * DAY);
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 8), 3);
	assert_true(byte_seconds(&row[1]) == 86400 * 1000);
}

static void test_clock_jump_invents_nothing(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(400 * DAY, 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_about(stored(f), 0, GIB);
	clock_shift(-800 * DAY, 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	clock_shift(400 * DAY, HOUR); /* right again, an hour later */
	cost_ledger_stop(l);
	assert_about(stored(f), 3600 * GIB, GIB);
}

static void test_restart_counts_the_gap(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(NSEC_PER_SEC, NSEC_PER_SEC); /* sets a mark */
	cost_ledger_stop(l);
	clock_shift(-100 * DAY,
		    2 * HOUR); /* away; the wall is wrong meanwhile */
	l = start(f);
	cost_ledger_stop(l);
	assert_about(stored(f), 7200 * GIB, GIB);
}

/* As after a boot: another boot id in the mark, a clock that means nothing. */
static void set_mark(struct fixture *f, int64_t wall_ago)
{
	char text[128];
	META_TXN(t);
	int n = snprintf(text, sizeof(text), "another-boot %lld %lld",
			 (long long)INT64_MAX / 2,
			 (long long)(clock_wall_ns() - wall_ago));

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_value_set(&t, "ledger.mark", text, (size_t)n), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static void test_boot_counts_the_gap_within_bounds(void **state)
{
	struct fixture *f = *state;

	noon();
	fixture_store(f, 1000);
	set_mark(f, HOUR);
	cost_ledger_stop(start(f));
	assert_about(stored(f), 3600 * 1000, 1000);
	set_mark(f, 4000 * DAY); /* the hardware clock was far off */
	cost_ledger_stop(start(f));
	assert_about(stored(f), (3600 + COST_GAP_MAX_SECONDS) * 1000ULL, 1000);
	set_mark(f, -DAY); /* in the future */
	cost_ledger_stop(start(f));
	assert_about(stored(f), (3600 + COST_GAP_MAX_SECONDS) * 1000ULL, 1000);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	l = start(f);
	assert_int_equal(fixture_rows(f, row, 4), 0);
	counts[0].puts = 3;
	counts[0].out_bytes = 700;
	counts[1].gets = 5;
	counts[1].in_bytes = 900;
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_int_equal(cost_ledger_flush(l), 0); /* nothing twice */
	counts[0].puts = 4;
	counts[0].errors = 1;
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 4), 2);
	assert_string_equal(row[0].cause, "protect");
	assert_int_equal(row[0].puts, 4);
	assert_int_equal(row[0].out_bytes, 700);
	assert_int_equal(row[0].errors, 1);
	assert_string_equal(row[1].cause, "read");
	assert_int_equal(row[1].gets, 5);
	assert_int_equal(row[1].in_bytes, 900);
}

static void test_job_flushes_by_itself(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l = start(f);
	struct job_info info;
	int i;

	__atomic_store_n(&counts[0].puts, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 500 && fixture_rows(f, row, 4) == 0; i++)
		clock_sleep_ns(10000000);
	assert_int_equal(fixture_rows(f, row, 4), 1);
	job_get(cost_ledger_job(l), &info);
	assert_string_equal(info.name, "ledger");
	assert_string_equal(info.last_error, "");
	cost_ledger_stop(l);
	cost_ledger_stop(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_byte_hours),
		TEST(test_small_and_long),
		TEST(test_midnight),
		TEST(test_two_midnights),
		TEST(test_clock_jump_invents_nothing),
		TEST(test_restart_counts_the_gap),
		TEST(test_boot_counts_the_gap_within_bounds),
		TEST(test_requests),
		TEST(test_job_flushes_by_itself),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
