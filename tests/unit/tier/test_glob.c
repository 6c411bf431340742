/* SPDX-License-Identifier: Apache-2.0 */
/* Globs over paths: what each sign stands for, and that no pattern takes long.
 */
#include "tests/test.h"

#include <string.h>

#include "tier/tier.h"

struct glob_case {
	const char *glob, *path;
	bool want;
};

static void check(const struct glob_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool got = tier_glob(c[i].glob, c[i].path);

		if (got != c[i].want)
			print_error("%s %s\n", c[i].glob, c[i].path);
		assert_int_equal(got, c[i].want);
	}
}
#define CHECK(cases) check(cases, ARRAY_SIZE(cases))

static void test_names(void **state)
{
	static const struct glob_case cases[] = {
		{ "/a", "/a", true },
		{ "/a", "/b", false },
		{ "/a", "/ab", false },
		{ "/ab", "/a", false },
		{ "/*", "/a", true },
		{ "/*", "/", true },
		{ "/*", "/a/b", false },
		{ "/*/b", "/a/b", true },
		{ "/*/b", "/a/c/b", false },
		{ "/*.dcm", "/1.dcm", true },
		{ "/*.dcm", "/.dcm", true },
		{ "/*.dcm", "/1.dcm.tmp", false },
		{ "/*.dcm*.dcm", "/x.dcm", false },
		{ "/*a*b*c", "/xaybzc", true },
		{ "/*a*b*c", "/xaybz", false },
		{ "/?", "/a", true },
		{ "/?", "/", false },
		{ "/?b", "//b", false },
		{ "/??", "/ab", true },
		{ "/a*", "/a", true },
		{ "/a\\*", "/a*", true },
		{ "/a\\*", "/ab", false },
		{ "/a\\", "/a\\", true },
		{ "/A", "/a", false },
		{ "", "", true },
		{ "", "/", false },
	};

	CHECK(cases);
}

static void test_sets(void **state)
{
	static const struct glob_case cases[] = {
		{ "/[abc]", "/b", true },
		{ "/[abc]", "/d", false },
		{ "/[a-c]x", "/bx", true },
		{ "/[!a-c]", "/d", true },
		{ "/[^a-c]", "/b", false },
		{ "/[]a]", "/]", true },
		{ "/[!]a]", "/]", false },
		{ "/[a-]", "/-", true },
		{ "/[-a]", "/-", true },
		{ "/[\\]]", "/]", true },
		{ "/[*]", "/*", true },
		{ "/[*]", "/a", false },
		{ "/[!a]b", "//b", false },
		{ "/[/]b", "//b", false },
		{ "/[.-0]b", "//b", false },
		{ "/20[12][0-9]/*", "/2019/x", true },
		{ "/20[12][0-9]/*", "/2009/x", false },
		/* one without an end matches nothing, not even itself */
		{ "/[ab", "/[ab", false },
		{ "/[ab", "/a", false },
		{ "/*[", "/[", false },
		{ "/[]", "/[]", false },
		{ "/[a\\]", "/a", false },
	};

	CHECK(cases);
}

static void test_directories(void **state)
{
	static const struct glob_case cases[] = {
		{ "/pacs/**", "/pacs/a", true },
		{ "/pacs/**", "/pacs/a/b/c", true },
		{ "/pacs/**", "/pacs", false },
		{ "/pacs/**", "/pacs2/a", false },
		{ "**", "/any/thing", true },
		{ "/**", "/any/thing", true },
		{ "**/*.tmp", "/x.tmp", true },
		{ "**/*.tmp", "/a/b/x.tmp", true },
		{ "**/*.tmp", "/a/x.tmp/b", false },
		{ "**/a", "/a", true },
		{ "**/a", "a", true },
		{ "**/", "", true },
		{ "/a/**/b", "/a/b", true },
		{ "/a/**/b", "/a/x/b", true },
		{ "/a/**/b", "/a/x/y/b", true },
		{ "/a/**/b", "/a/xb", false },
		{ "/a/**/b", "/a/x/yb", false },
		{ "/a/**/b", "/ab", false },
		{ "/a**b", "/ax/yb", true },
		{ "/a**b", "/ab", true },
		{ "/a**/b", "/ax/y/b", true },
		{ "/a**/b", "/ab", false },
		{ "/**/ct/**/*.dcm", "/pacs/ct/2020/1.dcm", true },
		{ "/**/ct/**/*.dcm", "/ct/1.dcm", true },
		{ "/**/ct/**/*.dcm", "/mr/1.dcm", false },
		{ "/**/**/a", "/a", true },
		{ "/***/a", "/x/y/a", true },
		/* a star before, and two after: each as far as it must */
		{ "/*a/**/c", "/ba/x/a/c", true },
		{ "/**a*/c", "/x/y/ab/c", true },
		{ "/**a*/c", "/x/ab/y/c", false },
	};

	CHECK(cases);
}

static void test_characters(void **state)
{
	static const struct glob_case cases[] = {
		{ "/M?ller", "/M\xc3\xbcller", true },
		{ "/M\xc3\xbcller*", "/M\xc3\xbcller2", true },
		{ "/[\xc3\xa0-\xc3\xbf]", "/\xc3\xbc", true },
		{ "/[\xc3\xa0-\xc3\xbf]", "/\xc4\x80", false },
		{ "/\xe2\x82\xac", "/\xe2\x82\xad", false },
		/* bytes that are none: each is one */
		{ "/?", "/\xfc", true },
		{ "/??", "/\xe2\x82", true },
		{ "/?", "/\xe2\x82", false },
		{ "/\xfc*", "/\xfc\xfd", true },
		{ "/\x80*", "/\x80\x80", true },
		{ "/\xe2*", "/\xe2\x82\xac", false },
		{ "/?", "/\xf0\x9f\x98\x80", true },
		{ "/?", "/\xc0\xaf", false },
		{ "/??", "/\xc0\xaf", true },
	};

	CHECK(cases);
}

/* Patterns that make a matcher which goes back take for ever: the time limit
 * of the test is what fails. */
static void test_hostile(void **state)
{
	static const char *const parts[] = { "*a",    "**/", "*a**b", "[a-b]*",
					     "*[!c]", "?*",  "\\a*" };
	char glob[TIER_GLOB_MAX + 1], path[8192];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < sizeof(path) - 1; i += 200)
		path[i] = '/';
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t n = 0, len = strlen(parts[i]);

		for (; n + len + 2 < sizeof(glob); n += len)
			memcpy(glob + n, parts[i], len);
		memcpy(glob + n, "z", 2);
		assert_false(tier_glob(glob, path));
	}
}

/* What is longer is refused by the config, and matches nothing here. */
static void test_length(void **state)
{
	char glob[TIER_GLOB_MAX + 3], path[TIER_GLOB_MAX + 3];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[TIER_GLOB_MAX + 1] = '\0';
	memcpy(glob, path, sizeof(path));
	glob[TIER_GLOB_MAX - 1] = '*';
	glob[TIER_GLOB_MAX] = '\0';
	assert_true(tier_glob(glob, path));
	memcpy(glob, path, sizeof(path));
	glob[TIER_GLOB_MAX] = '*';
	assert_false(tier_glob(glob, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
