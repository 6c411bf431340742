/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/clock.h"
#include "base/units.h"

static void test_size(void **state)
{
	uint64_t v;

	assert_int_equal(units_parse_size("16MiB", &v), 0);
	assert_int_equal(v, 16 << 20);
	assert_int_equal(units_parse_size("50GB", &v), 0);
	assert_int_equal(v, 50000000000ULL);
	assert_int_equal(units_parse_size("512", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(units_parse_size("", &v), -EINVAL);
	assert_int_equal(units_parse_size("-1", &v), -EINVAL);
	assert_int_equal(units_parse_size("1 parsec", &v), -EINVAL);
	assert_int_equal(units_parse_size("99999999PiB", &v), -ERANGE);
	assert_int_equal(units_parse_size("99999999999999999999", &v), -ERANGE);
}

static void test_duration(void **state)
{
	char out[UNITS_SIZE];
	int64_t ns;

	assert_int_equal(units_parse_duration("15m", &ns), 0);
	assert_int_equal(ns, 900 * NSEC_PER_SEC);
	assert_int_equal(units_parse_duration("250ms", &ns), 0);
	assert_int_equal(ns, 250000000);
	assert_int_equal(units_parse_duration("2y", &ns), 0);
	assert_int_equal(ns, 730 * 86400 * NSEC_PER_SEC);
	assert_int_equal(units_parse_duration("60", &ns), -EINVAL);
	assert_int_equal(units_parse_duration("1000y", &ns), -ERANGE);
	assert_string_equal(units_format_duration(11520 * NSEC_PER_SEC, out),
			    "3 h 12 min");
	assert_string_equal(units_config_duration(60 * NSEC_PER_SEC, out),
			    "1m");
	assert_string_equal(units_config_duration(90 * NSEC_PER_SEC, out),
			    "90s");
}

static void test_others(void **state)
{
	char out[UNITS_SIZE];
	unsigned u;
	int32_t days;
	uint64_t v;

	assert_int_equal(units_parse_rate("400Mbit/s", &v), 0);
	assert_int_equal(v, 50000000);
	assert_int_equal(units_parse_percent("85%", &u), 0);
	assert_int_equal(u, 85);
	assert_int_equal(units_parse_percent("101%", &u), -ERANGE);
	assert_int_equal(units_parse_mode("0770", &u), 0);
	assert_int_equal(u, 0770);
	assert_int_equal(units_parse_mode("0999", &u), -EINVAL);
	assert_int_equal(units_parse_date("2027-03-31", &days), 0);
	assert_string_equal(units_format_date(days, out), "2027-03-31");
	assert_int_equal(units_parse_date("2027-02-29", &days), -EINVAL);
	assert_string_equal(units_format_count(1124510, out), "1,124,510");
	assert_string_equal(units_config_size(16 << 20, out), "16MiB");
	assert_string_equal(units_config_rate(50000000, out), "50MB/s");
	assert_string_equal(units_config_rate(3 << 20, out), "3MiB/s");
	assert_string_equal(units_config_rate(125, out), "125B/s");
	assert_string_equal(units_config_rate(0, out), "0B/s");
	assert_string_equal(units_format_size(1536, out), "1.50 KiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
