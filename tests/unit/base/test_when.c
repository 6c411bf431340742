/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <errno.h>
#include <string.h>

#include "base/guard.h"
#include "base/when.h"

enum { SUN, MON, TUE, WED, THU, FRI, SAT };

static struct when parsed(const char *text)
{
	struct when w;

	assert_int_equal(when_parse(text, &w), 0);
	return w;
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		struct when want;
		const char *shown; /* NULL = text */
	} cases[] = {
		{ "Mon-Fri 08:00-18:00", { 0x3e, 480, 1080 }, NULL },
		{ "09:00-17:00", { 0x7f, 540, 1020 }, NULL },
		{ "Sat,Sun", { 0x41, 0, 1440 }, "Sat-Sun" },
		{ "Sat-Sun", { 0x41, 0, 1440 }, NULL },
		{ "Mon", { 0x02, 0, 1440 }, NULL },
		{ "Fri-Mon 22:00-06:00",
		  { 0x63, 1320, 360 },
		  "Mon,Fri-Sun 22:00-06:00" },
		{ "Mon,Wed-Thu,Sat 00:00-24:00",
		  { 0x5a, 0, 1440 },
		  "Mon,Wed-Thu,Sat" },
		{ "Mon-Sun", { 0x7f, 0, 1440 }, NULL },
		{ "Tue-Mon", { 0x7f, 0, 1440 }, "Mon-Sun" },
		{ "Mon,Mon  23:59-00:00",
		  { 0x02, 1439, 0 },
		  "Mon 23:59-00:00" },
		{ "Mon,Wed,Fri,Sun 10:10-11:11", { 0x2b, 610, 671 }, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct when w = parsed(cases[i].text), again;
		char text[WHEN_SIZE];

		assert_int_equal(w.days, cases[i].want.days);
		assert_int_equal(w.from, cases[i].want.from);
		assert_int_equal(w.to, cases[i].want.to);
		assert_string_equal(when_format(&w, text),
				    cases[i].shown ?: cases[i].text);
		again = parsed(text);
		assert_true(again.days == w.days && again.from == w.from &&
			    again.to == w.to);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"Mon ",
		" Mon",
		"mon",
		"Monday",
		"Mon-",
		"Mon,",
		",Mon",
		"Mon--Fri",
		"Mon-Fri-Sat",
		"Mon/Tue",
		"Mon08:00-09:00",
		"Mon 8:00-9:00",
		"08:00",
		"08:00-",
		"08:00-08:00",
		"24:00-06:00",
		"08:00-24:01",
		"08:60-09:00",
		"25:00-26:00",
		"08:00-09:00 ",
		"08:00-09:00 Mon",
		"08:00 - 09:00",
		"08.00-09.00",
		"08:00-09:00,10:00-11:00",
		"-1:00-09:00",
		"0x:00-09:00",
	};
	struct when w = { 1, 2, 3 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc = when_parse(cases[i], &w);

		if (rc != -EINVAL)
			print_error("'%s' was taken\n", cases[i]);
		assert_int_equal(rc, -EINVAL);
		assert_int_equal(w.from, 2);
	}
}

/* Times that something begins at. */
static void test_start(void **state)
{
	static const struct {
		const char *text;
		uint8_t days;
		uint16_t minute;
		const char *shown; /* NULL = text */
	} good[] = {
		{ "Mon-Fri 20:00", 0x3e, 1200, NULL },
		{ "02:30", 0x7f, 150, NULL },
		{ "Mon-Sun 00:00", 0x7f, 0, "00:00" },
		{ "Sun,Wed  23:59", 0x09, 1439, "Wed,Sun 23:59" },
	};
	static const char *const bad[] = { "",	     "Mon",   "24:00",
					   "20:00 ", "Mon ",  "Mon20:00",
					   "8:00",   "20:60", "20:00-21:00" };
	char text[WHEN_SIZE];
	uint16_t minute = 7;
	uint8_t days = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(when_parse_start(bad[i], &days, &minute),
				 -EINVAL);
		assert_true(days == 7 && minute == 7);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(when_parse_start(good[i].text, &days, &minute),
				 0);
		assert_int_equal(days, good[i].days);
		assert_int_equal(minute, good[i].minute);
		assert_string_equal(when_format_start(days, minute, text),
				    good[i].shown ?: good[i].text);
	}
}

static bool contains(const char *text, unsigned wday, unsigned h, unsigned m)
{
	struct when w = parsed(text);

	return when_contains(&w, wday, h * 60 + m);
}

static void test_contains(void **state)
{
	assert_true(contains("Mon-Fri 08:00-18:00", MON, 8, 0));
	assert_true(contains("Mon-Fri 08:00-18:00", FRI, 17, 59));
	assert_false(contains("Mon-Fri 08:00-18:00", FRI, 18, 0));
	assert_false(contains("Mon-Fri 08:00-18:00", MON, 7, 59));
	assert_false(contains("Mon-Fri 08:00-18:00", SAT, 12, 0));
	assert_false(contains("Mon-Fri 08:00-18:00", SUN, 12, 0));
	assert_true(contains("Sat,Sun", SUN, 23, 59));
	assert_true(contains("Sat,Sun", SAT, 0, 0));
	assert_false(contains("Sat,Sun", MON, 0, 0));
}

/* The night belongs to the day on which it begins. */
static void test_nights(void **state)
{
	assert_true(contains("Fri 22:00-06:00", FRI, 22, 0));
	assert_true(contains("Fri 22:00-06:00", SAT, 5, 59));
	assert_false(contains("Fri 22:00-06:00", SAT, 6, 0));
	assert_false(contains("Fri 22:00-06:00", FRI, 5, 0));
	assert_false(contains("Fri 22:00-06:00", SAT, 22, 0));
	assert_true(contains("Sat 22:00-06:00", SUN, 0, 0));
	assert_true(contains("Sun 22:00-06:00", MON, 0, 0));
	assert_true(contains("22:00-06:00", WED, 3, 0));
	assert_false(contains("22:00-06:00", WED, 12, 0));
	assert_true(contains("Mon 23:00-00:00", MON, 23, 59));
	assert_false(contains("Mon 23:00-00:00", TUE, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_start),  cmocka_unit_test(test_contains),
		cmocka_unit_test(test_nights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
