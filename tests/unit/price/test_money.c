/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "price/price.h"

static money_t money(const char *s)
{
	money_t m;

	assert_int_equal(money_parse(s, &m), 0);
	return m;
}

static void assert_exact(money_t m, const char *want)
{
	char out[MONEY_SIZE];

	assert_string_equal(money_exact(m, out), want);
}

static void assert_show(const char *amount, const char *currency,
			const char *want)
{
	char out[MONEY_SIZE];

	assert_string_equal(money_show(money(amount), currency, out), want);
}

static void test_parse(void **state)
{
	money_t m = 7;

	assert_true(money("0.024") == 240000000);
	assert_true(money("-12.5") == -125000000000);
	assert_true(money("0.0000000001") == 1);
	assert_true(money("-0") == 0);
	assert_exact(money("10000000000000000"),
		     "10000000000000000.0000000000");

	assert_int_equal(money_parse("", &m), -EINVAL);
	assert_int_equal(money_parse("-", &m), -EINVAL);
	assert_int_equal(money_parse("+1", &m), -EINVAL);
	assert_int_equal(money_parse(".5", &m), -EINVAL);
	assert_int_equal(money_parse("5.", &m), -EINVAL);
	assert_int_equal(money_parse("1,5", &m), -EINVAL);
	assert_int_equal(money_parse("1e3", &m), -EINVAL);
	assert_int_equal(money_parse(" 1", &m), -EINVAL);
	assert_int_equal(money_parse("0.00000000001", &m), -ERANGE);
	assert_int_equal(money_parse("10000000000000000.1", &m), -ERANGE);
	assert_int_equal(money_parse("99999999999999999999999999999999999999"
				     "99999999999999",
				     &m),
			 -ERANGE);
	assert_true(m == 7); /* not touched on failure */
}

static void test_exact(void **state)
{
	money_t max = (money_t)(~(unsigned __int128)0 >> 1);

	assert_exact(0, "0.0000000000");
	assert_exact(1, "0.0000000001");
	assert_exact(-1, "-0.0000000001");
	assert_exact(money("12.34"), "12.3400000000");
	assert_exact(max, "17014118346046923173168730371.5884105727");
	assert_exact(-max - 1, "-17014118346046923173168730371.5884105728");
}

static void test_show(void **state)
{
	char out[MONEY_SIZE];
	money_t max = (money_t)(~(unsigned __int128)0 >> 1);

	assert_show("212.07", "GBP", "£212.07");
	assert_show("0.004", "GBP", "£0.004");
	assert_show("0.00412", "GBP", "£0.00412");
	assert_show("0.004123", "GBP", "£0.00412");
	assert_show("0.0051", "GBP", "£0.0051");
	assert_show("0", "GBP", "£0.00");
	assert_show("0.0000000001", "GBP", "£0.0000000001");
	assert_show("0.0000000995", "GBP", "£0.0000000995");
	assert_show("0.0000099996", "GBP", "£0.00001");
	assert_show("0.00999999", "GBP", "£0.01");
	assert_show("0.01", "GBP", "£0.01");
	assert_show("0.014999", "GBP", "£0.01");
	assert_show("0.015", "GBP", "£0.02");
	assert_show("-6.9", "GBP", "−£6.90");
	assert_show("-0.00412", "GBP", "−£0.00412");
	assert_show("999.995", "USD", "$1,000.00");
	assert_show("1234567.891", "EUR", "€1,234,567.89");
	assert_show("1.2", "CHF", "CHF 1.20");
	assert_string_equal(money_show(-max, "CHF", out),
			    "−CHF "
			    "17,014,118,346,046,923,173,168,730,371.59");
}

static void test_muldiv(void **state)
{
	money_t big = money("10000000000000000"); /* 1e26 units */

	assert_true(money_muldiv(7, 3, 2) == 11); /* 10.5 */
	assert_true(money_muldiv(-7, 3, 2) == -11);
	assert_true(money_muldiv(7, 1, 3) == 2); /* 2.33 */
	assert_true(money_muldiv(8, 1, 3) == 3); /* 2.67 */
	assert_true(money_muldiv(0, UINT64_MAX, 1) == 0);
	assert_true(money_muldiv(big, UINT64_MAX, UINT64_MAX) == big);
	assert_true(money_muldiv(-big, UINT64_MAX, UINT64_MAX) == -big);
	/* 1e26 * 3 / 7 = 42857142857142857142857142.857… */
	assert_exact(money_muldiv(big, 3, 7), "4285714285714285.7142857143");
	/* does not fit: the largest that does */
	assert_true(money_muldiv(big, UINT64_MAX, 1) ==
		    (money_t)(~(unsigned __int128)0 >> 1));
	assert_true(money_muldiv(-big, UINT64_MAX, 1) ==
		    -(money_t)(~(unsigned __int128)0 >> 1));
	assert_true(money_scale(1, (unsigned __int128)1 << 100, 1ULL << 60) ==
		    (money_t)1 << 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_muldiv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
