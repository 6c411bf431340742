/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a bill as JSON: decimals, units, and prices that multiply. */
#include "tests/test.h"

#include "ctl/money.h"

static struct price_rate rates[] = { { "USD", 7900000000LL } };
static const struct price_exchange pounds = { .currency = "GBP",
					      .rates = rates,
					      .n_rates = 1 };

static void decimal(unsigned __int128 n, uint64_t d, const char *want)
{
	CLEANUP_JSON json_t *o = ctl_decimal(n, d);

	assert_string_equal(json_string_value(o), want);
}

static void test_decimal(void **state)
{
	decimal(0, 7, "0");
	decimal(14, 7, "2");
	decimal(1, 2, "0.5");
	decimal(1, 3, "0.333333333333333333");
	decimal(2, 3, "0.666666666666666666"); /* cut, not rounded */
	decimal(1, UINT64_MAX, "0");
	decimal(~(unsigned __int128)0, 1,
		"340282366920938463463374607431768211455");
	decimal(~(unsigned __int128)0, UINT64_MAX, "18446744073709551617");
}

static json_t *counted(enum price_item item, unsigned __int128 quantity,
		       money_t figure, money_t amount)
{
	const struct ctl_counted n = { item,
				       quantity,
				       { .known = true,
					 .confirmed = true,
					 .amount = figure,
					 .as_of = "2026-09-28" },
				       "USD",
				       amount };
	json_t *o = json_object();

	assert_int_equal(ctl_counted(o, &pounds, &n), 0);
	return o;
}

static void assert_text(const json_t *o, const char *key, const char *want)
{
	assert_string_equal(json_string_value(json_object_get(o, key)), want);
}

static void assert_price(const json_t *o, const char *want)
{
	assert_text(json_object_get(o, "price"), "amount", want);
	assert_text(json_object_get(o, "price"), "currency", "GBP");
}

/* $0.0053 for 1,000, 500 of them: £0.0020935. */
static void test_requests(void **state)
{
	CLEANUP_JSON json_t *o = counted(PRICE_OF_PUT, 500, 53000000, 20935000);

	assert_text(o, "unit", "1000 Requests");
	assert_text(o, "quantity", "0.5");
	assert_text(o, "consumed", "500");
	assert_text(o, "consumed_unit", "Requests");
	assert_text(o, "charge", "requests");
	assert_text(o, "meter", "Requests-Tier1");
	assert_price(o, "0.0041870000");
	assert_text(o, "as_of", "2026-09-28");
	assert_true(json_is_true(json_object_get(o, "confirmed")));
}

/* A month of 100 TiB, half of it at half the price: the mean is the price. */
static void test_steps(void **state)
{
	const unsigned __int128 month =
		(unsigned __int128)(100ULL << 40) * 730 * 3600;
	/* 51,200 x 0.02 + 51,200 x 0.01 dollars are 1,536; £1,213.44 */
	CLEANUP_JSON json_t *o =
		counted(PRICE_OF_STORAGE, month, 200000000, 12134400000000LL);

	assert_text(o, "quantity", "102400");
	assert_text(o, "unit", "GiB-Months");
	assert_text(o, "consumed", "74752000");
	assert_text(o, "consumed_unit", "GiB-Hours");
	assert_price(o, "0.0118500000"); /* 1,213.44 by 102,400 */
}

/* A quantity beyond 64 bits, and rounding that is no step. */
static void test_extremes(void **state)
{
	const unsigned __int128 age =
		(unsigned __int128)(1ULL << 60) * 730 * 3600 * 120;
	CLEANUP_JSON json_t *large = counted(PRICE_OF_STORAGE, age, 0,
					     (money_t)MONEY_UNIT * 1000000000);
	CLEANUP_JSON json_t *small =
		counted(PRICE_OF_STORAGE, 3600, 240000000, 1);

	assert_text(large, "quantity", "128849018880");
	assert_price(large, "0.0077610215"); /* 10^9 by that */
	assert_price(small, "0.0189600000"); /* $0.024: one unit off is none */
}

/* Local disk is bought by decimal TB; the units of FOCUS say so. */
static void test_disk(void **state)
{
	CLEANUP_JSON json_t *o = counted(
		PRICE_OF_DISK, (unsigned __int128)2000000000000ULL * 730 * 3600,
		50000000000LL, 79000000000LL);

	assert_text(o, "unit", "TB-Months");
	assert_text(o, "quantity", "2");
	assert_text(o, "consumed", "1460");
	assert_price(o, "3.9500000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal), cmocka_unit_test(test_requests),
		cmocka_unit_test(test_steps),	cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_disk),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
