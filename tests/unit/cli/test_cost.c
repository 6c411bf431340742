/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats of a cost report, drawn from tests/data/cost-report.json, in
 * which names try to be HTML and formulas. With two more words it prints one:
 * test-cli-cost FILE csv.
 */
#include "tests/unit/cli/run.h"

#include "cli/cost.h"
#include "cli/cost_svg.h"

static const char *fixture;

static const char config_text[] =
	"version: 1\n"
	"gateway: {name: gw1.example, state_dir: s, mount_dir: m, "
	"runtime_dir: r}\n"
	"cost: {prices: [], currency: GBP}\n"
	"stores: {aws: {kind: s3, endpoint: 'https://s3.example', "
	"region: eu-west-2}}\n"
	"trusts:\n"
	"  rem:\n"
	"    name: '<script>alert(\"1\")</script> & Sons'\n"
	"    user: '60901'\n"
	"    key: {file: rem.key}\n"
	"    credentials: {aws: rem.cred}\n"
	"    tiers: [{name: cool, store: aws, bucket: rem-mersey}]\n"
	"  rbq:\n"
	"    name: '=HYPERLINK(\"http://x\",\"y\")'\n"
	"    user: '60902'\n"
	"    key: {file: rbq.key}\n"
	"    credentials: {aws: rbq.cred}\n"
	"    tiers: [{name: near, store: aws, bucket: rbq-mersey}]\n";

static const struct {
	const char *name;
	void (*print)(struct cli *c);
} formats[] = {
	{ "table", cost_print_table },
	{ "csv", cost_print_csv },
	{ "focus", cost_print_focus },
	{ "html", cost_print_html },
};

static void print(const char *name, FILE *out)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	struct err err = ERR_INIT;
	json_error_t e;
	struct cli c = { .out = out, .problems = json_array() };
	size_t i;

	assert_int_equal(config_parse("t.yaml", config_text,
				      strlen(config_text), &c.cfg, &ps, &err),
			 0);
	c.result = json_load_file(fixture, 0, &e);
	assert_non_null(c.result);
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			formats[i].print(&c);
	json_decref(c.result);
	json_decref(c.problems);
	config_free(c.cfg);
}

static char *printed(const char *name)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	print(name, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_table(void **state)
{
	CLEANUP_FREE char *t = printed("table");

	assert_has(t, "TRUST  TIER");
	assert_has(t, "BY 30 NOV");
	assert_has(t, "EARLY DELETION"); /* there is some */
	assert_has(t, "\nrem    local     1.82 TiB   \xc2\xa3"
		      "10.00");
	assert_has(t, "Everything in aws-eu-west-2 STANDARD instead: \xc2\xa3"
		      "23.02 (saved \xc2\xa3"
		      "11.51).");
	/* not reckoned for all of them */
	assert_null(strstr(t, "<one>"));
	assert_has(t, "\nVAT 20 %: \xc2\xa3"
		      "2.30, with VAT \xc2\xa3"
		      "13.81.\n");
	assert_has(t, "\nCarbon: about 2.1 kg CO2e. Energy of a TB-month");
}

static void test_csv(void **state)
{
	CLEANUP_FREE char *t = printed("csv");

	assert_has(t, "\nrem,cool,GLACIER_IR,");
	assert_has(t, "\nrbq,'=1+near,STANDARD,");
	assert_has(t, ",GBP,'=1+near,1.0000000000,\n");
	assert_has(t, ",GBP,cool,1.0000000000,storage\n");
	assert_null(strstr(t, ",=1"));
}

static void test_focus(void **state)
{
	CLEANUP_FREE char *t = printed("focus");

	assert_has(t, "BilledCost,BillingAccountId,");
	assert_has(t, "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
	assert_has(t, "\"{\"\"cause\"\":\"\"protect\"\","
		      "\"\"tier\"\":\"\"cool\"\"}\"");
	assert_has(t, ",2026-12-01T00:00:00Z,2026-11-01T00:00:00Z,Tax,,VAT,");
	assert_null(strstr(t, ",=1"));
}

/* What a browser would fetch or run. */
static void test_html(void **state)
{
	static const char *const bad[] = { "<script", "<b>",   "<one>", "<90>",
					   "http",    "url(",  "src=",	"href",
					   "@import", "onload" };
	CLEANUP_FREE char *t = printed("html");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *at = strstr(t, bad[i]);

		/* the one address that is text: a trust's name */
		if (at && strncmp(at - 16, "=HYPERLINK(&quot;", 17) == 0)
			at = strstr(at + 1, bad[i]);
		if (at && strcmp(bad[i], "http") == 0 &&
		    strncmp(at, "http-equiv=", 11) == 0)
			at = NULL;
		if (at)
			print_error("'%s' in the page: %.80s\n", bad[i], at);
		assert_null(at);
	}
	assert_has(t, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; "
		      "Sons");
	assert_has(t, "&lt;b&gt;5 years &amp; more&lt;/b&gt;");
	/* an age that nothing has stands between those that have */
	assert_has(t, "<td class=\"t\">3 to 12 months, 0 B</td>");
	assert_has(t, "default-src 'none'");
	assert_has(t, "@media print");
	assert_has(t, "<polygon class=\"band\"");
	assert_has(t, "<td class=\"t\" colspan=\"10\">with VAT</td><td>"
		      "\xc2\xa3"
		      "13.81</td>");
	assert_has(t, "</html>\n");
}

static void escaped(const char *text, const char *want)
{
	CLEANUP_FREE char *got = NULL;
	size_t n;
	FILE *f = open_memstream(&got, &n);

	assert_non_null(f);
	html_text(f, text);
	fclose(f);
	assert_string_equal(got, want);
}

static void test_escape(void **state)
{
	escaped("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;");
	escaped("\x1b[2J\n\x7f", "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd");
	escaped("\xc2\xa3", "\xc2\xa3");
}

/* Nothing and a single huge amount: axes have to bear both. */
static void test_chart_limits(void **state)
{
	static const double most[] = { 0, 1e-9, 1e15 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(most); i++) {
		struct svg_chart x = { .title = "x",
				       .currency = "GBP",
				       .points = 1,
				       .series = 3 };
		CLEANUP_FREE char *got = NULL;
		size_t n;
		FILE *f = open_memstream(&got, &n);

		assert_non_null(f);
		x.value[0][0] = x.value[1][0] = x.value[2][0] = most[i];
		svg_bars(f, &x);
		svg_band(f, &x, 0);
		x.points = 0;
		svg_bars(f, &x);
		fclose(f);
		assert_null(strstr(got, "nan"));
		assert_null(strstr(got, "inf"));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_focus),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_chart_limits),
	};

	if (argc < 2)
		return 2;
	fixture = argv[1];
	if (argc == 3) {
		print(argv[2], stdout);
		return 0;
	}
	return RUN_TESTS(tests, NULL, NULL);
}
