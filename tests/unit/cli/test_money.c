/* SPDX-License-Identifier: Apache-2.0 */
/* mersey cost ... against two trusts: sums, screens, bills, and their JSON. */
#include "tests/unit/cli/two.h"

#include "cli/cost.h"

static void test_cost(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	make("a", 150000);
	move_protect_now(NULL, 0);
	assert_int_equal(mersey("cost", "report", "--json", NULL), 0);
	r = result("cost report");
	assert_int_equal(json_array_size(at(r, "rows")), 2);
	/* both show the same ledger: the total is twice the row */
	assert_string_equal(text_at(r, "rows.0.charges.requests.amount"),
			    "0.0000163200");
	assert_string_equal(text_at(r, "totals.requests.amount"),
			    "0.0000326400");
	assert_int_equal(json_array_size(at(r, "prices")), 1);
	assert_int_equal(mersey("cost", "report", NULL), 0);
	assert_has(run_out, "Mersey cost report \xc2\xb7 ");
	assert_has(run_out, "GBP without VAT \xc2\xb7 an estimate, not an "
			    "invoice\n");
	assert_has(run_out, "\nrem    near  ");
	assert_has(run_out, "\xc2\xa3"
			    "0.000016");
	assert_has(run_out, "\ntotal ");
	assert_has(run_out, "Prices: onprem (as of 2026-10-01; 1 unconfirmed: "
			    "STANDARD requests).");
	assert_int_equal(mersey("cost", "report", "--format", "csv", NULL), 0);
	assert_has(run_out, "trust,tier,storage_class,");
	assert_has(run_out, "\nrbq,near,STANDARD,");
}

/* A line of the last result by its name. */
static json_t *reconciled(json_t *r, const char *line)
{
	json_t *l;
	size_t i;

	json_array_foreach(json_object_get(r, "lines"), i, l) {
		if (strcmp(json_text(l, "line"), line) == 0)
			return l;
	}
	print_error("no line '%s'\n", line);
	assert_non_null(NULL);
	return NULL;
}

static void assert_reason(json_t *r, const char *line, const char *reason)
{
	assert_string_equal(json_text(reconciled(r, line), "reason"), reason);
}

static void test_reconcile(void **state)
{
	CLEANUP_FREE char *bill = io_path("%s/bill.csv", dir);
	CLEANUP_JSON json_t *own = NULL, *other = NULL;

	make("a", 150000);
	move_protect_now(NULL, 0);
	/* our own FOCUS is a bill that agrees */
	assert_int_equal(mersey("cost", "report", "--format", "focus", "--out",
				bill, NULL),
			 0);
	assert_int_equal(mersey("cost", "reconcile", bill, "--json", NULL), 0);
	own = result("cost reconcile");
	assert_string_equal(text_at(own, "unexplained.amount"), "0.0000000000");
	assert_reason(own, "rem-mersey STANDARD requests", "the same");

	put("bill.csv", "bucket,usage,amount,quantity,from,to\n"
			"rem-mersey,requests,9,1000000,2026-11-01,2026-11-30\n"
			"rem-mersey,retrieval,2,,,\n"
			"rem-mersey,transfer,0.001,,,\n"
			"rem-mersey,Surprise,3,,,\n"
			"=cmd,storage,4,,,\n"
			",tax,1,,,\n"
			"rem-mersey,storage,77,,2020-01-01,2020-01-31\n");
	assert_int_equal(mersey("cost", "reconcile", bill, "--month", "2026-11",
				"--json", NULL),
			 CLI_ATTENTION);
	other = result("cost reconcile");
	assert_has(json_text(reconciled(other, "rem-mersey STANDARD requests"),
			     "reason"),
		   "the quantity is another: 1e+06 in the bill, ");
	assert_reason(other, "rem-mersey STANDARD retrieval",
		      "not in the ledger");
	assert_reason(other, "rem-mersey transfer", "agrees");
	assert_reason(other, "rem-mersey STANDARD unknown",
		      "the ledger does not count this");
	assert_reason(other, "=cmd STANDARD storage",
		      "no trust has this bucket");
	assert_reason(other, "tax", "tax, which the ledger does not have");
	assert_string_equal(text_at(other, "outside.amount"), "77.0000000000");
	assert_int_equal(
		mersey("cost", "reconcile", bill, "--month", "2026-11", NULL),
		CLI_ATTENTION);
	assert_has(run_out, "\nUnexplained: \xc2\xa3"
			    "11.00. Of other days in the bill: \xc2\xa3"
			    "77.00.\n");
}

static void test_not_a_bill(void **state)
{
	CLEANUP_FREE char *bill = io_path("%s/bill.csv", dir);

	put("bill.csv", "bucket,usage,amount,currency\nb,storage,1,USD\n");
	assert_int_equal(mersey("cost", "reconcile", bill, NULL), CLI_FAILED);
	assert_has(run_msg, "line 2: there is no rate from USD to GBP\n"
			    "  try: add it under cost.exchange\n");
	put("bill.csv", "bucket,usage,amount,from,to\n"
			"b,storage,1,1970-01-01,9999-12-31\n");
	assert_int_equal(mersey("cost", "reconcile", bill, NULL), CLI_USAGE);
	assert_has(run_msg, "over more than five years");
	put("bill.csv", "name,age\n");
	assert_int_equal(mersey("cost", "reconcile", bill, NULL), CLI_USAGE);
	assert_has(run_msg, "no column 'amount', so this is no bill");
	assert_int_equal(mersey("cost", "reconcile", "/nowhere", NULL),
			 CLI_FAILED);
}

static void test_forecast(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	make("a", 150000);
	move_protect_now(NULL, 0);
	assert_int_equal(mersey("cost", "forecast", "--json", NULL), 0);
	r = result("cost forecast");
	assert_int_equal(json_array_size(at(r, "months")), 12);
	assert_int_equal(json_array_size(at(r, "trusts")), 2);
	/* both show the same ledger: the sum is twice the one */
	assert_true(cost_money(at(r, "months.0"), "expected") ==
		    2 * cost_money(at(r, "trusts.0.months.0"), "expected"));
	assert_int_equal(mersey("cost", "forecast", NULL), 0);
	assert_has(run_out, "Mersey cost forecast \xc2\xb7 GBP without VAT");
	assert_has(run_out, "\nMONTH ");
	assert_has(run_out, "\nrbq: grows by ");
}

static void test_whatif(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	make("a", 150000);
	move_protect_now(NULL, 0);
	assert_int_equal(
		mersey("cost", "whatif", "--policy", "all-hot", "--json", NULL),
		0);
	r = result("cost whatif");
	assert_string_equal(text_at(r, "policy"), "all-hot");
	/* it lies in the only tier already */
	assert_string_equal(text_at(r, "saved_per_month.amount"),
			    "0.0000000000");
	assert_int_equal(mersey("cost", "whatif", "--policy", "all-hot", NULL),
			 0);
	assert_has(run_out, "What if: all-hot \xc2\xb7 GBP without VAT");
	assert_has(run_out, "nothing has been changed\nTRUST ");
	assert_int_not_equal(mersey("cost", "whatif", "--policy", "x", NULL),
			     0);
}

static void make_study(const uint64_t *ino, size_t n)
{
	struct meta_study s = { .uid = "1.2.840.1", .modality = "CT" };
	META_TXN(t);
	size_t i;

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_study_put(&t, &s), 0);
	for (i = 0; i < n; i++) {
		const struct meta_instance at = { .study = s.row };
		struct meta_inode in;

		assert_int_equal(meta_inode_get(&t, ino[i], &in), 0);
		assert_int_equal(
			meta_instance_set(&t, ino[i], in.content_version, &at),
			0);
	}
	assert_int_equal(meta_commit(&t, NULL), 0);
}

/* Of a file of a study all its files are meant, of a directory all below. */
static void test_explain_study(void **state)
{
	CLEANUP_FREE char *path = in_mount("a"), *root = in_mount("");
	const uint64_t ino[] = { make("a", 1000), make("b", 2000) };
	CLEANUP_JSON json_t *r = NULL, *all = NULL;

	make("c", 4000);
	move_protect_now(NULL, 0);
	make_study(ino, 2);
	assert_int_equal(mersey("cost", "explain", path, "--json", NULL), 0);
	r = result("cost explain");
	assert_string_equal(text_at(r, "study_uid"), "1.2.840.1");
	assert_int_equal(json_integer_value(at(r, "files")), 2);
	assert_int_equal(json_integer_value(at(r, "bytes")), 3000);
	assert_int_equal(mersey("cost", "explain", path, NULL), 0);
	assert_has(run_out, "\n  all files of study 1.2.840.1\n");
	assert_int_equal(mersey("cost", "explain", root, "--json", NULL), 0);
	all = result("cost explain");
	assert_int_equal(json_integer_value(at(all, "files")), 3);
	assert_true(json_is_null(at(all, "study_uid")));
}

static void test_explain(void **state)
{
	CLEANUP_FREE char *path = in_mount("a");
	CLEANUP_JSON json_t *r = NULL;

	make("a", 150000);
	move_protect_now(NULL, 0);
	assert_int_equal(mersey("cost", "explain", path, "--json", NULL), 0);
	r = result("cost explain");
	assert_string_equal(text_at(r, "path"), path);
	assert_true(json_is_null(at(r, "study_uid")));
	assert_int_equal(json_integer_value(at(r, "files")), 1);
	assert_int_equal(json_integer_value(at(r, "bytes")), 150000);
	assert_int_equal(mersey("cost", "explain", path, NULL), 0);
	assert_has(run_out, "\n  1 file, 146.5 KiB\nSINCE ");
	assert_has(run_out, " 1 request  \xc2\xa3"
			    "0.00 /1000  "); /* its pack has no frames */
	assert_has(run_out, "\nFrom now on \xc2\xa3");
	assert_int_equal(mersey("cost", "explain", "/nowhere", NULL),
			 CLI_USAGE);
}

static void test_cost_options(void **state)
{
	CLEANUP_JSON json_t *o = NULL, *leap = NULL;

	assert_int_equal(mersey("cost", "report", "--month", "2025-12",
				"--format", "json", NULL),
			 0);
	o = result("cost report");
	assert_string_equal(text_at(o, "period.from"), "2025-12-01");
	assert_string_equal(text_at(o, "period.to"), "2025-12-31");
	assert_int_equal(
		mersey("cost", "report", "--month=2028-02", "--json", NULL), 0);
	leap = result("cost report");
	assert_string_equal(text_at(leap, "period.to"), "2028-02-29");
	assert_int_equal(mersey("cost", "report", "--month", "2025-13", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("cost", "report", "--by", "colour", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("cost", "report", "--format", "pdf", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("cost", "report", "--from", "2025-12-01", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("cost", "report", "--from", "2025-12-02",
				"--to", "2025-12-01", NULL),
			 CLI_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cost),       TEST(test_reconcile),
		TEST(test_not_a_bill), TEST(test_forecast),
		TEST(test_whatif),     TEST(test_explain_study),
		TEST(test_explain),    TEST(test_cost_options),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
