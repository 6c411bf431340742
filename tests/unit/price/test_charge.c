/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "price/price.h"

#define GIB (1ULL << 30)

static struct price_figure figure(const char *amount, bool confirmed)
{
	struct price_figure f = { .known = true, .confirmed = confirmed };

	assert_int_equal(money_parse(amount, &f.amount), 0);
	return f;
}

/* The unconfirmed figures, as "a;b;". */
static void note(void *arg, const char *what)
{
	strcat(arg, what);
	strcat(arg, ";");
}

static struct price_class standard(void)
{
	return (struct price_class){
		.name = "STANDARD",
		.storage_gb_month = figure("0.024", true),
		.put_1000 = figure("0.0053", true),
		.get_1000 = figure("0.00042", true),
		.retrieval_gb = figure("0.03", false),
	};
}

static void assert_money(money_t m, const char *want)
{
	char out[MONEY_SIZE];

	assert_string_equal(money_exact(m, out), want);
}

static void test_charge(void **state)
{
	struct price_class c = standard();
	struct price_table t = { .currency = "USD",
				 .egress_gb = figure("0.09", true) };
	struct price_usage u = {
		.byte_hours = 10 * GIB * 365, /* 10 GB for half a month */
		.puts = 1500,
		.lists = 500,
		.gets = 3000,
		.heads = 1000,
		.deletes = 12345,
		.out_bytes = 7 * GIB,
		.in_bytes = 2 * GIB,
	};
	struct price_charges got;
	char flagged[256] = "";

	price_charge(&t, &c, &u, &got, note, flagged);
	assert_money(got.storage, "0.1200000000");
	assert_money(got.requests, "0.0122800000"); /* 0.0106 + 0.00168 */
	assert_money(got.retrieval, "0.0600000000");
	assert_money(got.transfer, "0.1800000000");
	assert_money(got.early_deletion, "0.0000000000");
	assert_money(got.minimum_size, "0.0000000000");
	assert_money(got.total, "0.3722800000");
	assert_string_equal(flagged, "STANDARD retrieval;");
}

static void test_unconfirmed(void **state)
{
	struct price_class c = { .name = "COLD" }; /* nothing is known */
	struct price_table t = { 0 };
	struct price_usage none = { .deletes = 3, .out_bytes = 9 };
	struct price_usage u = {
		.byte_seconds = 1, .puts = 1, .gets = 1, .in_bytes = 1
	};
	struct price_charges got;
	char flagged[256] = "";

	price_charge(&t, &c, &none, &got, note, flagged);
	assert_string_equal(flagged, "");
	price_charge(&t, &c, &u, &got, note, flagged);
	assert_string_equal(flagged, "COLD storage;COLD requests;"
				     "COLD retrieval;egress;");
	assert_money(got.total, "0.0000000000");
	price_charge(&t, &c, &u, &got, NULL, NULL);
}

/* Small trusts cost something, and seconds count as parts of hours. */
static void test_small(void **state)
{
	struct price_class c = standard();
	struct price_table t = { 0 };
	/* 300 MiB for 20 minutes: 0.024 * 300/1024 / 730 / 3 */
	struct price_usage u = { .byte_hours = 300 * (GIB >> 10) / 3 };
	struct price_usage second = { .byte_seconds = 3599 };
	struct price_charges got;

	price_charge(&t, &c, &u, &got, NULL, NULL);
	assert_money(got.storage, "0.0000032106");

	c.storage_gb_month = figure("10000000", true);
	price_charge(&t, &c, &second, &got, NULL, NULL);
	/* 1e7 * 3599/3600 / 2^30 / 730 = 0.0000127543… */
	assert_money(got.storage, "0.0000127543");
}

/* A petabyte for ten years, and the sum of the parts is the total. */
static void test_big(void **state)
{
	struct price_class c = standard();
	struct price_table t = { .egress_gb = figure("0.0733333333", true) };
	struct price_usage u = {
		.byte_hours = (1ULL << 50) / 1000 * 87600, /* 1000 of these */
		.byte_seconds = 1234,
		.puts = UINT64_MAX / 2,
		.lists = UINT64_MAX,
		.gets = 333333333333333,
		.in_bytes = UINT64_MAX,
	};
	struct price_charges got;

	price_charge(&t, &c, &u, &got, NULL, NULL);
	assert_true(got.total ==
		    got.storage + got.requests + got.retrieval + got.transfer);
	/* 18446744073709551615 B = 2^34 GB less one byte */
	assert_money(got.retrieval, "515396075.5200000000");
	/* 27670116110564327422 / 1000 * 0.0053 + 333333333333.333 * 0.00042 */
	assert_money(got.requests, "146651755385990.9353364600");
}

static void test_class(void **state)
{
	struct price_class c[2] = { { .name = "STANDARD" },
				    { .name = "GLACIER_IR" } };
	struct price_table t = { .classes = c, .n_classes = 2 };

	assert_ptr_equal(price_table_class(&t, "GLACIER_IR"), &c[1]);
	assert_ptr_equal(price_table_class(&t, ""), &c[0]);
	assert_ptr_equal(price_table_class(&t, NULL), &c[0]);
	assert_null(price_table_class(&t, "GLACIER"));
}

static void test_convert(void **state)
{
	struct price_rate r = { .from = "USD" };
	struct price_exchange x = { .currency = "GBP",
				    .rates = &r,
				    .n_rates = 1 };
	money_t m = 5;

	assert_int_equal(money_parse("0.79", &r.per_unit), 0);
	assert_int_equal(price_convert(&x, "USD", 10 * MONEY_UNIT, &m), 0);
	assert_money(m, "7.9000000000");
	assert_int_equal(price_convert(&x, "USD", -1, &m), 0);
	assert_money(m, "-0.0000000001"); /* 0.79 of a unit, rounded */
	assert_int_equal(price_convert(&x, "GBP", 123, &m), 0);
	assert_true(m == 123);
	assert_int_equal(price_convert(&x, "EUR", 1, &m), -ENOENT);
	assert_true(m == 123);
}

static void assert_split(money_t total, const uint64_t *weight, size_t n,
			 const char *want)
{
	unsigned __int128 w[8] = { 0 };
	money_t out[8];
	char text[MONEY_SIZE], all[256] = "";
	size_t i;

	for (i = 0; i < n; i++)
		w[i] = weight[i];
	money_split(total, w, n, out);
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%lld ", (long long)out[i]);
		strcat(all, text);
	}
	assert_string_equal(all, want);
}

/* Shares add up, and are 0 only where nothing is due. */
static void test_split(void **state)
{
	static const uint64_t even[] = { 1, 1, 1 };
	static const uint64_t gaps[] = { 0, 2, 0, 1, 0 };
	static const uint64_t none[] = { 0, 0, 0 };
	static const uint64_t huge[] = { UINT64_MAX, UINT64_MAX, UINT64_MAX,
					 UINT64_MAX };
	unsigned __int128 wide[2] = { (unsigned __int128)3 << 100,
				      (unsigned __int128)1 << 100 };
	money_t out[2];

	assert_split(10, even, 3, "3 4 3 ");
	assert_split(2, even, 3, "1 0 1 ");
	assert_split(-10, even, 3, "-3 -4 -3 ");
	assert_split(10, gaps, 5, "0 7 0 3 0 ");
	assert_split(10, none, 3, "10 0 0 ");
	assert_split(11, huge, 4, "3 2 3 3 ");
	money_split(400 * MONEY_UNIT, wide, 2, out);
	assert_money(out[0], "300.0000000000");
	assert_money(out[1], "100.0000000000");
}

/* Lines of one figure fill its steps together; others do not. */
static void test_bill(void **state)
{
	struct price_class c[2] = { standard(), standard() };
	struct price_table t = { .classes = c,
				 .n_classes = 2,
				 .egress_gb = figure("0.09", true) };
	struct price_line line[] = {
		{ &c[0], PRICE_OF_EGRESS, 3 * GIB, NULL, 0 },
		{ &c[1], PRICE_OF_EGRESS, GIB, NULL, 0 },
		{ &c[1], PRICE_OF_GET, 500, NULL, 0 },
		{ &c[1], PRICE_OF_HELD, GIB * 730 * 3600, NULL, 0 },
		{ NULL, PRICE_OF_GET, 9, NULL, 0 },
	};
	char flagged[256] = "";

	strcpy(c[1].name, "OTHER");
	c[1].storage_gb_month = figure("7", true);
	t.egress_steps[0] = (struct price_step){ 0, figure("0", true) };
	t.egress_steps[1] =
		(struct price_step){ 2 * GIB, figure("0.09", false) };
	t.n_egress_steps = 2;
	assert_int_equal(price_bill(&t, line, 5, MONEY_UNIT, note, flagged), 0);
	/* 2 GB free, 2 x 0.09 shared 3 : 1 */
	assert_money(line[0].amount, "0.1350000000");
	assert_money(line[1].amount, "0.0450000000");
	assert_money(line[2].amount, "0.0002100000");
	assert_money(line[3].amount, "0.0240000000"); /* as STANDARD */
	assert_money(line[4].amount, "0.0000000000");
	assert_ptr_equal(line[3].figure, &c[0].storage_gb_month);
	assert_null(line[4].figure);
	assert_string_equal(flagged, "egress;");
	/* in pounds: each figure once, not each line */
	assert_int_equal(price_bill(&t, line, 2, 7900000000LL, NULL, NULL), 0);
	assert_money(line[0].amount, "0.1066500000");
	assert_money(line[1].amount, "0.0355500000");
}

/* An archive class charges for restores, others for what is read. */
static void test_archive(void **state)
{
	struct price_class c = standard();
	struct price_table t = { .classes = &c, .n_classes = 1 };
	struct price_usage u = { .in_bytes = GIB };
	struct price_charges got;
	char flagged[256] = "";

	u.restored_bytes[PRICE_BULK] = 2 * GIB;
	u.restores[PRICE_EXPEDITED] = 100;
	c.recall[PRICE_BULK] = (struct price_recall){
		.known = true,
		.gb = figure("0.0025", true),
		.request_1000 = figure("0.025", true),
	};
	assert_true(price_class_archive(&c));
	price_charge(&t, &c, &u, &got, note, flagged);
	assert_money(got.retrieval, "0.0050000000");
	assert_money(got.requests, "0.0000000000");
	assert_string_equal(flagged, "egress;STANDARD restore requests;");
	c.recall[PRICE_BULK].known = false;
	assert_false(price_class_archive(&c));
	price_charge(&t, &c, &u, &got, NULL, NULL);
	assert_money(got.retrieval, "0.0350000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charge),
		cmocka_unit_test(test_unconfirmed),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_convert),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_bill),
		cmocka_unit_test(test_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
