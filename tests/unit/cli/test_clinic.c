/* SPDX-License-Identifier: Apache-2.0 */
/* Clinic lists as people and their systems write them, and hostile ones. */
#include "tests/test.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/clinic.h"

static struct err err;

/* One or more rows; 0 or -EINVAL with err. */
static int list_of(const void *text, size_t len, struct clinic_list *l)
{
	FILE *f = fmemopen((void *)text, len, "r");
	int rc;

	assert_non_null(f);
	err = (struct err)ERR_INIT;
	rc = clinic_read(f, l, &err);
	fclose(f);
	return rc;
}

static int read_text(const char *text, struct clinic_list *l)
{
	return list_of(text, strlen(text), l);
}

static int64_t at(const char *s)
{
	int64_t ns = -1;

	return clinic_time(s, &ns) == 0 ? ns / NSEC_PER_SEC : -1;
}

#define NINE_UTC 1796029200 /* 2026-11-30 09:00 UTC */

static void test_times(void **state)
{
	int64_t ns;

	assert_int_equal(at("2026-11-30T09:00:00Z"), NINE_UTC);
	assert_int_equal(at("2026-11-30 09:00Z"), NINE_UTC);
	assert_int_equal(at("2026-11-30T10:00:00.25+01:00"), NINE_UTC);
	assert_int_equal(at("2026-11-30T03:30-0530"), NINE_UTC);
	/* Europe/London: winter is UTC, summer an hour ahead. */
	assert_int_equal(at("2026-11-30 09:00"), NINE_UTC);
	assert_int_equal(at("30/11/2026 09:00:00"), NINE_UTC);
	assert_int_equal(at("2026-07-01 09:00"), at("2026-07-01T08:00Z"));
	assert_int_equal(at("2028-02-29 00:00"), at("2028-02-29T00:00Z"));

	assert_int_equal(clinic_next("10:30", NINE_UTC * NSEC_PER_SEC, &ns), 0);
	assert_int_equal(ns / NSEC_PER_SEC, NINE_UTC + 5400);
	assert_int_equal(clinic_next("09:00", NINE_UTC * NSEC_PER_SEC, &ns), 0);
	assert_int_equal(ns / NSEC_PER_SEC, NINE_UTC + 86400);
	assert_int_equal(clinic_until("2026-11-30", 0, &ns), 0);
	assert_int_equal(ns / NSEC_PER_SEC, NINE_UTC + 15 * 3600);
}

static void test_no_times(void **state)
{
	static const char *const bad[] = {
		"",
		"soon",
		"2026-11-30",
		"2026-02-29 09:00",
		"2026-13-01 09:00",
		"2026-11-31 09:00",
		"31/02/2026 09:00",
		"11/30/2026 09:00",
		"2026-11-30 24:00",
		"2026-11-30 09:60",
		"2026-11-30 9:00",
		"2026-11-30 09:00 ",
		"2026-11-30 09:00+15:00",
		"2026-11-30T09:00+1",
		"1969-12-31 23:00",
		"99999-11-30 09:00",
		"2026-11-30 09:00:00.0.0",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(at(bad[i]), -1);
}

static void test_lists(void **state)
{
	static const char *const good[] = {
		"patient_id,appointment_time\nP1,2026-11-30 09:00\n",
		"\xef\xbb\xbf"
		"patient_id,appointment_time\r\nP1,2026-11-30 09:00\r\n",
		"\"Patient ID\",\"Appointment Time\"\n\"P1\",\"2026-11-30 "
		"09:00\"",
		"appointment,name,PatientID\n2026-11-30T09:00Z,\"A, B\",P1\n",
		"Date,Time,MRN\n30/11/2026,09:00,P1\n",
		"P1,2026-11-30 09:00\n",
		"\n\npatient_id , slot\n  P1 , 2026-11-30 09:00 \n\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(clinic_done) struct clinic_list l = { 0 };

		assert_int_equal(read_text(good[i], &l), 0);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.row[0].patient, "P1");
		assert_int_equal(l.row[0].at_ns / NSEC_PER_SEC, NINE_UTC);
	}
}

/* The line is named, and what is wrong with it. */
static void test_bad_lists(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
		{ "\n", "empty" },
		{ "patient_id,appointment_time\n", "no appointments" },
		{ "name,age\nx,3\n", "line 1: it has neither" },
		{ "patient_id,appointment_time\nP1,2026-11-30 09:00\nP2,soon\n",
		  "line 3: 'soon' is no time" },
		{ "patient_id,appointment_time\n,2026-11-30 09:00\n",
		  "line 2: it names no patient" },
		{ "patient_id,appointment_time\nP1\n",
		  "line 2: '' is no time" },
		{ "patient_id,appointment_time\n\"P1,2026-11-30 09:00\n",
		  "line 2:" },
		{ "patient_id,appointment_time\nP1\xff,2026-11-30 09:00\n",
		  "line 2: the patient's id is not UTF-8" },
		{ "patient_id,appointment_time\n"
		  "12345678901234567890123456789012345678901234567890123456789"
		  "012345,2026-11-30 09:00\n",
		  "line 2: a patient's id has at most 64 bytes" },
		{ "patient_id,date,time\nP1,30/11/2026,9am\n",
		  "line 2: '30/11/2026 9am' is no time" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(clinic_done) struct clinic_list l = { 0 };

		assert_int_equal(read_text(bad[i].text, &l), -EINVAL);
		if (!strstr(err.msg, bad[i].said))
			print_error("'%s' does not say it\n", err.msg);
		assert_non_null(strstr(err.msg, bad[i].said));
	}
}

static void test_nul(void **state)
{
	static const char text[] =
		"patient_id,appointment_time\nP\0,2026-11-30 09:00\n";
	CLEANUP(clinic_done) struct clinic_list l = { 0 };

	assert_int_equal(list_of(text, sizeof(text) - 1, &l), -EINVAL);
	assert_non_null(strstr(err.msg, "line 2: a NUL"));
}

static void test_too_many(void **state)
{
	CLEANUP(clinic_done) struct clinic_list l = { 0 }, more = { 0 };
	CLEANUP_BUF struct buf b = { 0 };
	int i;

	assert_int_equal(buf_addf(&b, "patient,slot\n"), 0);
	for (i = 0; i < CLINIC_MAX; i++)
		assert_int_equal(buf_addf(&b, "P%d,2026-11-30 09:00\n", i), 0);
	assert_int_equal(list_of(b.data, b.len, &l), 0);
	assert_int_equal(l.n, CLINIC_MAX);
	assert_int_equal(buf_addf(&b, "Q,2026-11-30 09:00\n"), 0);
	assert_int_equal(list_of(b.data, b.len, &more), -EINVAL);
	assert_non_null(strstr(err.msg, "line 5002: more than 5000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times), cmocka_unit_test(test_no_times),
		cmocka_unit_test(test_lists), cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_nul),   cmocka_unit_test(test_too_many),
	};

	setenv("TZ", "GMT0BST,M3.5.0/1,M10.5.0", 1); /* Europe/London */
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
