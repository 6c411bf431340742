/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "dicom/value.h"

static char out[17];

static const char *uid(const char *p, size_t n)
{
	value_uid((const uint8_t *)p, n, out, sizeof(out));
	return out;
}

static const char *text(const char *p, size_t n)
{
	value_text((const uint8_t *)p, n, out, sizeof(out));
	return out;
}

static const char *code(const char *p)
{
	value_code((const uint8_t *)p, strlen(p), out, sizeof(out));
	return out;
}

static uint32_t date(const char *p)
{
	return value_date((const uint8_t *)p, strlen(p));
}

static uint32_t number(const char *p)
{
	return value_number((const uint8_t *)p, strlen(p));
}

static void test_uid(void **state)
{
	assert_string_equal(uid("1.2.3\0", 6), "1.2.3");
	assert_string_equal(uid("1.2.03 ", 7), "1.2.03");
	assert_string_equal(uid("1.2.840.10008.12", 16), "1.2.840.10008.12");
	assert_string_equal(uid("1.2.840.10008.123", 17), "");
	assert_string_equal(uid("1.2.x", 5), "");
	assert_string_equal(uid("1.2\\1.3", 7), "");
	assert_string_equal(uid("", 0), "");
	assert_string_equal(uid("\0\0", 2), "");
	assert_string_equal(uid(NULL, 0), "");
}

static void test_text(void **state)
{
	assert_string_equal(text("  AB 12 ", 8), "AB 12");
	assert_string_equal(text("AB\0CD", 5), "AB");
	assert_string_equal(text("AB \0\0", 5), "AB");
	assert_string_equal(text("\xc3\xa9\x1b$B", 5), "\xc3\xa9\x1b$B");
	assert_string_equal(text("seventeen letters", 17), "");
}

static void test_code(void **state)
{
	assert_string_equal(code("CT"), "CT");
	assert_string_equal(code("US "), "US");
	assert_string_equal(code("MR\\CT"), "MR");
	assert_string_equal(code("ct"), "");
	assert_string_equal(code("C\nT"), "");
	assert_string_equal(code(""), "");
}

static void test_date(void **state)
{
	assert_int_equal(date("20261129"), 20261129);
	assert_int_equal(date("1995.06.26"), 19950626);
	assert_int_equal(date("19950626  "), 19950626);
	assert_int_equal(date("2026112"), 0);
	assert_int_equal(date("202611299"), 0);
	assert_int_equal(date("20261329"), 0);
	assert_int_equal(date("20260029"), 0);
	assert_int_equal(date("20261100"), 0);
	assert_int_equal(date("20261132"), 0);
	assert_int_equal(date("2026-11-29"), 0);
	assert_int_equal(date("2026.1129x"), 0);
	assert_int_equal(date("        "), 0);
	assert_int_equal(date(""), 0);
}

static void test_number(void **state)
{
	assert_int_equal(number(" 12 "), 12);
	assert_int_equal(number("+007"), 7);
	assert_int_equal(number("2147483647"), 2147483647);
	assert_int_equal(number("2147483648"), 0);
	assert_int_equal(number("99999999999999999999999999"), 0);
	assert_int_equal(number("-1"), 0);
	assert_int_equal(number("1.5"), 0);
	assert_int_equal(number("+"), 0);
	assert_int_equal(number(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uid),    cmocka_unit_test(test_text),
		cmocka_unit_test(test_code),   cmocka_unit_test(test_date),
		cmocka_unit_test(test_number),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
