/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/csv.h"

static struct csv_reader r;
static struct err err;

static FILE *open_text(const char *text, size_t n)
{
	FILE *f = fmemopen((void *)text, n, "r");

	assert_non_null(f);
	return f;
}

/* All rows as "a|b\nc\n", or the error. */
static const char *all(const char *text, size_t n)
{
	static char out[4096];
	FILE *f = open_text(text, n);
	size_t len = 0, i;
	int rc;

	memset(&r, 0, sizeof(r));
	r.in = f;
	out[0] = '\0';
	while ((rc = csv_read(&r, &err)) == 1)
		for (i = 0; i < r.n; i++)
			len += (size_t)snprintf(out + len, sizeof(out) - len,
						"%s%s", csv_field(&r, i),
						i + 1 < r.n ? "|" : "\n");
	if (rc < 0) {
		assert_int_equal(rc, -EINVAL);
		snprintf(out, sizeof(out), "%s", err.msg);
	}
	csv_reader_done(&r);
	fclose(f);
	return out;
}

#define ALL(text) all(text, sizeof(text) - 1)

static void test_rows(void **state)
{
	assert_string_equal(ALL("a,b\nc\n"), "a|b\nc\n");
	assert_string_equal(ALL("a,b\r\nc"), "a|b\nc\n");
	assert_string_equal(ALL("\xef\xbb\xbf"
				"a,,\n"),
			    "a||\n");
	assert_string_equal(ALL("\n\r\na\n\n\n"), "a\n");
	assert_string_equal(ALL("\"a,\"\"b\"\"\nc\",d\n"), "a,\"b\"\nc|d\n");
	assert_string_equal(ALL("\"\",x\n"), "|x\n");
	assert_string_equal(ALL("\xff,\xc3\n"), "\xff|\xc3\n");
	assert_string_equal(ALL(","), "|\n");
	assert_string_equal(ALL("\r"), "");
}

static void test_hostile(void **state)
{
	assert_string_equal(ALL("a\nb\0c\n"),
			    "line 2: a NUL byte, so this is no text");
	assert_string_equal(ALL("a\n\"b\nc"),
			    "line 2: a quote is never closed");
	assert_string_equal(ALL("\"a\"b\n"),
			    "line 1: text behind a closing quote");
	assert_string_equal(ALL("a\"b\n"), "line 1: a quote inside a field");
	assert_string_equal(ALL("a\rb\n"), "line 1: a stray carriage return");
	assert_string_equal(ALL("\xef\xbb"), "line 1: this is no UTF-8 text");
	assert_string_equal(ALL("\xef\xbf"), "line 1: this is no UTF-8 text");
}

static void test_limits(void **state)
{
	CLEANUP_FREE char *text = malloc(CSV_ROW_MAX + 8);

	assert_non_null(text);
	memset(text, ',', CSV_FIELDS_MAX);
	assert_string_equal(all(text, CSV_FIELDS_MAX),
			    "line 1: too many fields");
	memset(text, 'a', CSV_ROW_MAX + 1);
	assert_string_equal(all(text, CSV_ROW_MAX + 1),
			    "line 1: the row is too long");
	text[0] = '"';
	memset(text + 1, '\n', CSV_ROW_MAX + 1);
	assert_non_null(strstr(all(text, CSV_ROW_MAX + 2), "too long"));
}

static void test_find(void **state)
{
	FILE *f = open_text("a,b,B,b\n", 8);

	memset(&r, 0, sizeof(r));
	r.in = f;
	assert_int_equal(csv_read(&r, &err), 1);
	assert_int_equal(csv_find(&r, "b"), 1);
	assert_int_equal(csv_find(&r, "B"), 2);
	assert_int_equal(csv_find(&r, "c"), -ENOENT);
	assert_string_equal(csv_field(&r, 4), "");
	csv_reader_done(&r);
	fclose(f);
}

static void wrote(const char *cell, const char *want)
{
	CLEANUP_FREE char *got = NULL;
	size_t n;
	FILE *f = open_memstream(&got, &n);

	assert_non_null(f);
	csv_write(f, cell);
	fclose(f);
	assert_string_equal(got, want);
}

static void test_write(void **state)
{
	wrote("", "");
	wrote("near", "near");
	wrote("a,b", "\"a,b\"");
	wrote("say \"no\"\n", "\"say \"\"no\"\"\n\"");
	wrote("=1+1", "'=1+1");
	wrote("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\"");
	wrote("+44", "'+44");
	wrote("-x", "'-x");
	wrote("@SUM(A1)", "'@SUM(A1)");
	wrote("\t=1", "'\t=1");
	wrote("\r=1", "\"'\r=1\"");
	wrote("a=1", "a=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),   cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_find),
		cmocka_unit_test(test_write),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
