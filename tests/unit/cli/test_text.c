/* SPDX-License-Identifier: Apache-2.0 */
/* The table printer and what goes into it. */
#include "tests/test.h"

#include "cli/cli.h"

static void test_width(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("R\xc3\xb6ntgen"), 7);
	assert_int_equal(text_width("\xe2\x80\x93"), 1); /* en dash */
	assert_int_equal(text_width("\xc2\xa3"
				    "1.20"),
			 5);				     /* pound */
	assert_int_equal(text_width("e\xcc\x81"), 1);	     /* combining */
	assert_int_equal(text_width("\xe5\x8c\xbb"), 2);     /* wide */
	assert_int_equal(text_width("\xf0\x9f\x98\x80"), 2); /* emoji */
	assert_int_equal(text_width("\xe2\x82"), 2);	     /* cut short */
}

static void check_clean(const char *in, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(text_clean(in, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

static void test_clean(void **state)
{
	check_clean("", "");
	check_clean("/srv/a b.dcm", "/srv/a b.dcm");
	check_clean("\xc3\xb6", "\xc3\xb6");
	check_clean("a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f");
	check_clean("\xc2\x9b", "\\xc2\\x9b");		/* C1 CSI */
	check_clean("\xe2\x80\xae", "\\xe2\\x80\\xae"); /* right to left */
}

static int cell_money(const json_t *row, struct buf *out)
{
	return buf_addf(out, "\xc2\xa3%s", json_text(row, "m"));
}

static const struct table_col cols[] = {
	{ "TRUST", false, NULL, "t" },
	{ "COST", true, cell_money, NULL },
	{ "NOTE", false, NULL, "n" },
};

static char *print(const char *rows, const char *total)
{
	CLEANUP_JSON json_t *r = json_loads(rows, 0, NULL);
	CLEANUP_JSON json_t *t = total ? json_loads(total, 0, NULL) : NULL;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_int_equal(table_print(f, cols, ARRAY_SIZE(cols), r, t), 0);
	fclose(f);
	return text;
}

static void test_table(void **state)
{
	CLEANUP_FREE char *a =
		print("[{\"t\":\"rem\",\"m\":\"1.20\",\"n\":\"x\"},"
		      "{\"t\":\"R\\u00f6ntgen\",\"m\":\"100.00\",\"n\":\"\"}]",
		      "{\"t\":\"total\",\"m\":\"101.20\"}");
	CLEANUP_FREE char *empty = print("[]", NULL);

	assert_string_equal(a, "TRUST       COST  NOTE\n"
			       "rem        \xc2\xa3"
			       "1.20  x\n"
			       "R\xc3\xb6ntgen  \xc2\xa3"
			       "100.00\n"
			       "total    \xc2\xa3"
			       "101.20\n");
	assert_string_equal(empty, "TRUST  COST  NOTE\n");
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} count[] = {
		{ 0, "0" },	      { 12311, "12,311" },
		{ 99999, "99,999" },  { 900000, "0.9 M" },
		{ 4212876, "4.2 M" }, { 123456789, "123.5 M" },
	};
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(count); i++) {
		b.len = 0;
		assert_int_equal(text_count(count[i].n, &b), 0);
		assert_string_equal(buf_str(&b), count[i].want);
	}
	b.len = 0;
	assert_int_equal(text_of(6707055488563ULL, 8ULL << 40, &b), 0);
	assert_string_equal(buf_str(&b), "6.1 / 8.0 TiB");
	b.len = 0;
	assert_int_equal(text_of(5, 100, &b), 0);
	assert_string_equal(buf_str(&b), "5 / 100 B");
}

static void test_errors(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	cli_print_error(f, "cannot evict '/a\nb'", "mersey wait /a");
	cli_print_error(f, "no", "");
	cli_print_error(f, "no", NULL);
	fclose(f);
	assert_string_equal(text, "mersey: cannot evict '/a\\x0ab'\n"
				  "  try: mersey wait /a\n"
				  "mersey: no\nmersey: no\n");
	free(text);
}

static void test_exits(void **state)
{
	assert_int_equal(cli_exit_of(0), CLI_OK);
	assert_int_equal(cli_exit_of(-EIO), CLI_FAILED);
	assert_int_equal(cli_exit_of(-ENOENT), CLI_FAILED);
	assert_int_equal(cli_exit_of(-ETIMEDOUT), CLI_NOT_NOW);
	assert_int_equal(cli_exit_of(-ECONNREFUSED), CLI_NOT_NOW);
	assert_int_equal(cli_exit_of(-EPERM), CLI_REFUSED);
	assert_int_equal(cli_exit_of(-EDQUOT), CLI_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),  cmocka_unit_test(test_clean),
		cmocka_unit_test(test_table),  cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_exits),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
