/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/guard.h"
#include "store/opts.h"

static struct when when(const char *text)
{
	struct when w;

	assert_int_equal(when_parse(text, &w), 0);
	return w;
}

/* `iso` in UTC. */
static void assert_rates(const struct store_bandwidth *b, const char *iso,
			 uint64_t up, uint64_t down)
{
	struct store_rates r;
	int64_t ns;

	assert_int_equal(clock_iso_parse(iso, &ns), 0);
	r = store_rates_at(b, ns);
	assert_int_equal(r.up, up);
	assert_int_equal(r.down, down);
}

static void zone(const char *tz)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
	tzset();
}

/* The example of mersey.yaml(5). 2026-11-23 is a Monday. */
static void test_first_match(void **state)
{
	struct store_bandwidth b = {
		.rule = { { when("Mon-Fri 08:00-18:00"), { 50, 200 } },
			  { when("08:00-18:00"), { 100, 0 } },
			  { WHEN_ALWAYS, { 400, 401 } } },
		.n = 3,
	};

	zone("UTC0");
	assert_rates(&b, "2026-11-23T07:59:59Z", 400, 401);
	assert_rates(&b, "2026-11-23T08:00:00Z", 50, 200);
	assert_rates(&b, "2026-11-23T17:59:59Z", 50, 200);
	assert_rates(&b, "2026-11-23T18:00:00Z", 400, 401);
	assert_rates(&b, "2026-11-22T12:00:00Z", 100, 0);
	b.n = 2;
	assert_rates(&b, "2026-11-22T03:00:00Z", 0, 0);
	b.n = 0;
	assert_rates(&b, "2026-11-23T12:00:00Z", 0, 0);
}

/* People write local time, also on the days when the clocks change. */
static void test_local(void **state)
{
	struct store_bandwidth b = {
		.rule = { { when("Sun 01:00-02:00"), { 1, 0 } },
			  { WHEN_ALWAYS, { 9, 0 } } },
		.n = 2,
	};

	zone("GMT0BST,M3.5.0/1,M10.5.0");
	/* 01:00 to 02:00 is not there: no such time */
	assert_rates(&b, "2026-03-29T00:59:59Z", 9, 0);
	assert_rates(&b, "2026-03-29T01:00:00Z", 9, 0);
	/* and is there twice */
	assert_rates(&b, "2026-10-24T23:59:59Z", 9, 0);
	assert_rates(&b, "2026-10-25T00:00:00Z", 1, 0);
	assert_rates(&b, "2026-10-25T01:59:59Z", 1, 0);
	assert_rates(&b, "2026-10-25T02:00:00Z", 9, 0);
	zone("UTC0");
}

/* No time breaks it. */
static void test_far(void **state)
{
	struct store_bandwidth b = { .rule = { { WHEN_ALWAYS, { 3, 4 } } },
				     .n = 1 };

	assert_int_equal(store_rates_at(&b, INT64_MAX).up, 3);
	assert_int_equal(store_rates_at(&b, INT64_MIN / 2).down, 4);
	assert_int_equal(store_rates_at(&b, 0).down, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_match),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
