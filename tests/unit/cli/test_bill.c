/* SPDX-License-Identifier: Apache-2.0 */
/* Bills from elsewhere: the three forms, and what is none. */
#include "tests/test.h"

#include "base/guard.h"
#include "base/units.h"
#include "cli/bill.h"

static struct bill_line lines[8];
static size_t n_lines;
static struct err err;

static int keep(void *arg, const struct bill_line *l, struct err *e)
{
	assert_true(n_lines < ARRAY_SIZE(lines));
	lines[n_lines++] = *l;
	return 0;
}

static int reading(const char *text)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int rc;

	assert_non_null(f);
	n_lines = 0;
	err = (struct err)ERR_INIT;
	rc = bill_read(f, "GBP", keep, NULL, &err);
	fclose(f);
	return rc;
}

static void assert_line(size_t i, const char *bucket, const char *cls,
			enum bill_charge charge, money_t amount)
{
	assert_string_equal(lines[i].bucket, bucket);
	assert_string_equal(lines[i].storage_class, cls);
	assert_int_equal(lines[i].charge, charge);
	assert_true(lines[i].amount == amount);
}

static void assert_days(size_t i, const char *from, const char *to)
{
	char text[UNITS_SIZE];

	assert_string_equal(units_format_date(lines[i].from, text), from);
	assert_string_equal(units_format_date(lines[i].to, text), to);
}

static void test_cur(void **state)
{
	assert_int_equal(
		reading("identity/LineItemId,lineItem/LineItemType,"
			"lineItem/ProductCode,lineItem/UsageType,"
			"lineItem/ResourceId,lineItem/UsageAmount,"
			"lineItem/UnblendedCost,lineItem/CurrencyCode,"
			"lineItem/UsageStartDate,lineItem/UsageEndDate\n"
			"a,Usage,AmazonS3,EUW2-TimedStorage-GIR-ByteHrs,"
			"arn:aws:s3:::rem-mersey,0.5,1.2E-7,USD,"
			"2026-11-01T00:00:00Z,2026-11-02T00:00:00Z\n"
			"b,Usage,AmazonEC2,EUW2-BoxUsage,i-1,1,999,USD,"
			"2026-11-01T00:00:00Z,2026-11-02T00:00:00Z\n"
			"c,Tax,AmazonS3,EUW2-Requests-Tier1,,1,0.2,USD,"
			"2026-11-01T00:00:00Z,2026-11-01T01:00:00Z\n"),
		0);
	assert_int_equal(n_lines, 2); /* another product is passed over */
	assert_line(0, "rem-mersey", "GLACIER_IR", BILL_STORAGE, 1200);
	assert_string_equal(lines[0].currency, "USD");
	assert_true(lines[0].has_quantity);
	assert_true(lines[0].quantity == MONEY_UNIT / 2);
	assert_days(0, "2026-11-01", "2026-11-01");
	assert_int_equal(lines[0].line, 2);
	assert_line(1, "", "", BILL_TAX, MONEY_UNIT / 5);
	assert_days(1, "2026-11-01", "2026-11-01");
}

static void test_plain(void **state)
{
	assert_int_equal(reading("bucket,storage_class,usage,amount,unit,"
				 "quantity,from,to\r\n"
				 "b,STANDARD,storage,-1.5,,,2026-11-01,"
				 "2026-11-30\r\n"
				 "b,,Requests-Tier1,+2,1000 Requests,0.5,,\r\n"
				 "b,,Surprise,3,,,,\r\n"),
			 0);
	assert_int_equal(n_lines, 3);
	assert_line(0, "b", "STANDARD", BILL_STORAGE, -3 * MONEY_UNIT / 2);
	assert_string_equal(lines[0].currency, "GBP");
	assert_false(lines[0].has_quantity);
	assert_days(0, "2026-11-01", "2026-11-30");
	assert_line(1, "b", "STANDARD", BILL_REQUESTS, 2 * MONEY_UNIT);
	assert_true(lines[1].quantity == 500 * (money_t)MONEY_UNIT);
	assert_line(2, "b", "STANDARD", BILL_UNKNOWN, 3 * MONEY_UNIT);
}

/* Names that providers give to what they meter. */
static void test_usage(void **state)
{
	static const struct {
		const char *usage, *cls;
		enum bill_charge charge;
	} table[] = {
		{ "EUW2-TimedStorage-ByteHrs", "STANDARD", BILL_STORAGE },
		{ "EUW2-TimedStorage-SIA-ByteHrs", "STANDARD_IA",
		  BILL_STORAGE },
		{ "EUW2-TimedStorage-GDA-ByteHrs", "DEEP_ARCHIVE",
		  BILL_STORAGE },
		{ "EUW2-TimedStorage-GlacierByteHrs", "GLACIER", BILL_STORAGE },
		{ "EUW2-TimedStorage-GDA-Staging", "STANDARD", BILL_STORAGE },
		{ "TimedStorage-Restored", "STANDARD", BILL_STORAGE },
		{ "EUW2-TimedStorage-SIA-SmObjects", "STANDARD_IA",
		  BILL_MINIMUM_SIZE },
		{ "EUW2-EarlyDelete-GIR", "GLACIER_IR", BILL_EARLY_DELETION },
		{ "EUW2-Requests-GIR-Tier1", "GLACIER_IR", BILL_REQUESTS },
		{ "EUW2-Requests-Tier2", "STANDARD", BILL_REQUESTS },
		{ "EUW2-Retrieval-SIA", "STANDARD_IA", BILL_RETRIEVAL },
		{ "EUW2-DataTransfer-Out-Bytes", "", BILL_TRANSFER },
		{ "EUW2-Select-Scanned-Bytes", "STANDARD", BILL_UNKNOWN },
		{ "early_deletion", "STANDARD", BILL_EARLY_DELETION },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP_FREE char *text = NULL;

		assert_true(asprintf(&text, "bucket,usage,amount\nb,%s,1\n",
				     table[i].usage) > 0);
		assert_int_equal(reading(text), 0);
		assert_line(0, "b", table[i].cls, table[i].charge, MONEY_UNIT);
	}
}

static void assert_refused(const char *text, const char *why)
{
	assert_int_equal(reading(text), -EINVAL);
	if (!strstr(err.msg, why))
		print_error("'%s' is not in '%s'\n", why, err.msg);
	assert_non_null(strstr(err.msg, why));
}

#define TITLES "bucket,usage,amount,quantity,currency,from,to\n"

static void test_hostile(void **state)
{
	CLEANUP_FREE char *wide = NULL;

	assert_refused("x", "no column 'amount'");
	assert_refused("\n", "empty");
	assert_refused("amount,bucket\n1,b\n", "no column 'usage'");
	assert_refused(TITLES "b,storage,1;5,,,,\n", "line 2: amount: not a");
	assert_refused(TITLES "b,storage,,,,,\n", "line 2: amount: not a");
	assert_refused(TITLES "b,storage,=1+1,,,,\n", "amount: not a number");
	assert_refused(TITLES "b,storage,1e999,,,,\n", "amount: not a number");
	assert_refused(TITLES "b,storage,1,x,,,\n", "quantity: not a number");
	assert_refused(TITLES "b,storage,1,1,gbp,,\n", "currency: not an ISO");
	assert_refused(TITLES "b,storage,1,1,POUND,,\n", "currency: not an");
	assert_refused(TITLES "b,storage,1,1,,1 Nov,\n", "from: not a date");
	assert_refused(TITLES "b,storage,1,1,,2026-02-30,\n", "not a date");
	assert_refused(TITLES "b,storage,1,1,,,2026-11-01X\n", "to: not a");
	assert_refused(TITLES "\"b,storage,1\n", "line 2: a quote is never");
	assert_true(asprintf(&wide, TITLES "%0300d,storage,1,,,,\n", 0) > 0);
	assert_refused(wide, "bucket: too long");
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		int rc;
		money_t want;
	} table[] = {
		{ "0", 0, 0 },
		{ "-0.0000000001", 0, -1 },
		{ "0.00000000005", 0, 1 },
		{ "0.000000000049999999999999999999999999", 0, 0 },
		{ "1.5e3", 0, 1500 * (money_t)MONEY_UNIT },
		{ "1E-10", 0, 1 },
		{ "1E-9999999999", 0, 0 },
		{ "0e9999", 0, 0 },
		{ "123456789012345678901234567890123456789E-38", 0,
		  12345678901 },
		{ ".5", 0, MONEY_UNIT / 2 },
		{ "5.", 0, 5 * (money_t)MONEY_UNIT },
		{ "1e16", 0, (money_t)MONEY_UNIT * 10000000000000000LL },
		{ "1e17", -ERANGE, 0 },
		{ "9e9999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ ".", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "1e", -EINVAL, 0 },
		{ "1.2.3", -EINVAL, 0 },
		{ "1,5", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		money_t got = 0;

		if (bill_number(table[i].text, &got) != table[i].rc ||
		    got != table[i].want)
			print_error("%s\n", table[i].text);
		assert_int_equal(bill_number(table[i].text, &got), table[i].rc);
		assert_true(got == table[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cur),    cmocka_unit_test(test_plain),
		cmocka_unit_test(test_usage),  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_number),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
