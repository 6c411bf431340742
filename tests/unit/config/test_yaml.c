/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML that is taken, and all that is not. */
#include "tests/unit/config/parse.h"

#define SHARE                                                   \
	"write the values out; what trusts share can stand in " \
	"'defaults'\n"

static void test_good(void **state)
{
	assert_problems(GOOD, "");
	assert_problems("---\n" GOOD, "");
	assert_problems("\xef\xbb\xbf" GOOD, "");
}

static void test_anchor(void **state)
{
	assert_problems(
		GOOD_HEAD "defaults: &d {settle: &s 5s}\n" GOOD_STORES GOOD_REM,
		"2:11 defaults: anchor '&d' is not allowed | " SHARE
		"2:23 defaults.settle: anchor '&s' is not allowed | " SHARE);
}

static void test_alias(void **state)
{
	assert_problems(GOOD_HEAD GOOD_STORES GOOD_REM "    settle: &s 5s\n"
						       "    read_wait: *s\n",
			"10:13 trusts.rem.settle: anchor '&s' is not allowed "
			"| " SHARE
			"11:16 trusts.rem.read_wait: alias '*s' is not "
			"allowed | " SHARE);
}

static void test_merge(void **state)
{
	assert_problems(
		GOOD "    <<: {settle: 5s}\n",
		"14:5 trusts.rbq.<<: merge key '<<' is not allowed | " SHARE);
}

static void test_tag(void **state)
{
	assert_problems(GOOD "    settle: !!str 5s\n"
			     "    cache: !m {size: 1GiB}\n",
			"14:13 trusts.rbq.settle: tag "
			"'tag:yaml.org,2002:str' is not allowed | leave the "
			"tag out; each key has its own type\n"
			"15:12 trusts.rbq.cache: tag '!m' is not allowed | "
			"leave the tag out; each key has its own type\n");
}

static void test_repeated(void **state)
{
	assert_problems(GOOD "    user: other\n"
			     "    cache: {high: 80%, low: 70%, high: 90%}\n",
			"14:5 trusts.rbq.user: key 'user' is repeated; it "
			"stands already in line 11 | keep one of the two\n"
			"15:34 trusts.rbq.cache.high: key 'high' is repeated; "
			"it stands already in line 15 | keep one of the two\n");
	assert_problems(GOOD GOOD_REM,
			"14:3 trusts.rem: key 'rem' is repeated; it stands "
			"already in line 6 | keep one of the two\n");
}

static void test_documents(void **state)
{
	assert_problems(GOOD "---\na: 1\n",
			"14:1 : a second document is not allowed\n");
	assert_problems("%YAML 1.1\n---\n" GOOD,
			"1:1 : YAML directives are not allowed\n");
	assert_problems("", "1:1 : the file is empty\n");
	assert_problems("# nothing\n", "1:1 : the file is empty\n");
	assert_problems("hello\n", "1:1 : must be a map of keys\n");
	assert_problems("- a\n", "1:1 : must be a map of keys\n");
}

static void test_syntax(void **state)
{
	assert_problems(GOOD "\tsettle: 5s\n",
			"14:1 : not valid YAML: found character that cannot "
			"start any token, while scanning for the next token "
			"that began in line 14\n");
	assert_problems("version: 1\n bad: [1\n",
			"2:5 : not valid YAML: mapping values are not allowed "
			"in this context\n");
	assert_problems("a: [1, 2\nb: 3\n",
			"2:2 : not valid YAML: did not find expected ',' or "
			"']', while parsing a flow sequence that began in "
			"line 1\n");
}

static void test_bytes(void **state)
{
	assert_problems_len("a: 1\nbb\xff: 2\n", 12,
			    "2:3 : not valid YAML: invalid leading UTF-8 "
			    "octet\n");
	assert_problems_len("version: 1\0: 2\n", 15,
			    "1:11 : not valid YAML: control characters are not "
			    "allowed\n");
	assert_problems(GOOD "    name: \"a\\nb\"\n",
			"14:11 trusts.rbq.name: line breaks and control "
			"characters are not allowed in a value\n");
	assert_problems(GOOD "    name: \"a\\0b\"\n",
			"14:11 trusts.rbq.name: line breaks and control "
			"characters are not allowed in a value\n");
	assert_problems(GOOD "    \"na\\0me\": b\n",
			"14:5 trusts.rbq: line breaks and control characters "
			"are not allowed in a value\n");
	assert_problems(GOOD "    ? [a, b]\n    : c\n",
			"14:7 trusts.rbq: a key must be a word\n");
}

static void test_bounds(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	int i;

	for (i = 0; i < 20; i++)
		buf_addf(&b, "[");
	assert_problems(buf_str(&b),
			"1:17 [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
			"[0]: nested more than 16 deep\n");
	b.len = 0;
	buf_addf(&b, "a: [");
	for (i = 0; i < 1001; i++)
		buf_addf(&b, "1,");
	assert_problems(buf_str(&b), "1:2005 a[1000]: more than 1000 items\n");
	b.len = 0;
	for (i = 0; i < 1000; i++)
		buf_addf(&b,
			 "k%d: [[],[],[],[],[],[],[],[],[],[],"
			 "[],[],[],[],[],[],[],[],[],[],"
			 "[],[],[],[],[],[],[],[],[],[],"
			 "[],[],[],[],[],[],[],[],[],[],"
			 "[],[],[],[],[],[],[],[],[],[],[]]\n",
			 i);
	assert_problems(buf_str(&b),
			"944:62 : more than 50000 values in one file\n");
	b.len = 0;
	assert_non_null(buf_grow(&b, (1 << 20) + 1));
	assert_problems_len((char *)b.data, b.len,
			    "0:0 : larger than 1048576 bytes\n");
}

/* Problems are bounded too, and the last one says so. */
static void test_many(void **state)
{
	struct config_problems ps = { 0 };
	CLEANUP_BUF struct buf b = { 0 };
	int i;

	buf_addf(&b, GOOD);
	for (i = 0; i < 300; i++)
		buf_addf(&b, "k%d: 1\n", i);
	assert_null(parse_len((char *)b.data, b.len, &ps));
	assert_int_equal(ps.n, 201);
	assert_int_equal(ps.p[199].line, 213);
	config_problems_done(&ps);
	assert_int_equal(ps.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_anchor),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
