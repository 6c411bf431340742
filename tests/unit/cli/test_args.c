/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options anywhere, wrong usage, help. */
#include "tests/unit/cli/run.h"

#include <string.h>

static struct cli c;
static char *argv_room[16];

static int parse(const char *line)
{
	static char copy[256];
	char *argv[16] = { (char *)"mersey" }, *save = NULL, *s;
	int argc = 1;

	memset(&c, 0, sizeof(c));
	c.arg = argv_room;
	snprintf(copy, sizeof(copy), "%s", line);
	for (s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
		argv[argc++] = s;
	return cli_parse(&c, argc, argv);
}

static void test_anywhere(void **state)
{
	static const char *const same[] = {
		"--json --trust rem evict --dry-run /a /b",
		"evict /a --trust=rem /b --dry-run --json",
		"evict --dry-run --json --trust rem -- /a /b",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(parse(same[i]), 0);
		assert_string_equal(c.verb->name, "evict");
		assert_true(c.json);
		assert_true(cli_has(&c, OPT_DRY_RUN));
		assert_false(cli_has(&c, OPT_YES));
		assert_int_equal(c.trusts, 1);
		assert_string_equal(c.trust[0], "rem");
		assert_int_equal(c.args, 2);
		assert_string_equal(c.arg[0], "/a");
		assert_string_equal(c.arg[1], "/b");
	}
}

static void test_mount_options(void **state)
{
	assert_int_equal(parse("mount rem -o ro,noexec /mnt --options=log=/l"),
			 0);
	assert_string_equal(c.verb->name, "mount");
	assert_int_equal(c.args, 2);
	assert_int_equal(c.n_options, 2);
	assert_string_equal(c.options[0], "ro,noexec");
	assert_string_equal(c.options[1], "log=/l");
	assert_int_equal(parse("mount rem /mnt -o"), -EINVAL);
	assert_int_equal(parse("mount rem"), -EINVAL);
	assert_int_equal(parse("status -o ro"), -EINVAL);
}

static void test_two_words(void **state)
{
	assert_int_equal(parse("cost --month 2026-11 report"), 0);
	assert_string_equal(c.verb->name, "cost report");
	assert_string_equal(c.opt[OPT_MONTH], "2026-11");
	assert_int_equal(parse("pack list f --key k --keys d"), 0);
	assert_int_equal(c.args, 1);
	assert_int_equal(parse("status --trust a --trust b"), 0);
	assert_int_equal(c.trusts, 2);
	assert_int_equal(parse("info -- --json"), 0);
	assert_string_equal(c.arg[0], "--json");
	assert_false(c.json);
	assert_int_equal(parse("info -"), 0); /* a file of that name */
}

static void test_wrong(void **state)
{
	static const char *const bad[] = {
		"evikt",
		"cost",
		"cost forecast x",
		"cost explain",
		"cost reconcile",
		"pack",
		"evict",
		"status --nonsense",
		"status --dry-run",
		"status --trust",
		"status --json=yes",
		"jobs extra",
		"config check a b",
		"trust add",
		"status -x",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(bad[i]) != -EINVAL)
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(parse(bad[i]), -EINVAL);
		assert_int_equal(c.exit, CLI_USAGE);
		assert_true(c.err.msg[0]);
	}
}

static void test_help(void **state)
{
	const struct cli_verb *v;

	assert_int_equal(mersey("help", NULL), 0);
	for (v = cli_verbs; v->name; v++)
		assert_has(run_out, v->name);
	assert_int_equal(mersey("help", "evict", NULL), 0);
	assert_has(run_out, "usage: mersey evict PATH...");
	assert_int_equal(mersey("evict", "--help", NULL), 0);
	assert_has(run_out, "--dry-run");
	assert_int_equal(mersey("help", "cost", "report", NULL), 0);
	assert_has(run_out, "--month");
	assert_int_equal(mersey("help", "config", NULL), 0);
	assert_has(run_out, "config schema");
	assert_int_equal(mersey("help", "json", NULL), 0);
	assert_has(run_out, "trusts[].unprotected.oldest_seconds");
	assert_int_equal(mersey("--version", NULL), 0);
	assert_has(run_out, "mersey ");
	assert_int_equal(mersey("--help", NULL), 0);
	assert_int_equal(mersey("help", "evikt", NULL), CLI_USAGE);
	assert_int_equal(mersey(NULL, NULL), CLI_USAGE);
	assert_string_equal(run_out, "");
	run_free();
}

static void test_usage_as_json(void **state)
{
	CLEANUP_JSON json_t *o = NULL;

	assert_int_equal(mersey("--json", "status", "--watch", NULL),
			 CLI_USAGE);
	o = run_json();
	assert_string_equal(json_text(o, "verb"), "status");
	assert_string_equal(json_text(json_object_get(o, "error"), "code"),
			    "usage");
	assert_string_equal(run_msg, "");
	run_free();
}

/* Every verb has what help and the manual promise. */
static void test_table_of_verbs(void **state)
{
	const struct cli_verb *v;

	for (v = cli_verbs; v->name; v++) {
		assert_non_null(v->run);
		assert_non_null(v->show);
		assert_true(v->help[0]);
		assert_int_equal(v->opts & OPTS_COMMON, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anywhere),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_two_words),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_usage_as_json),
		cmocka_unit_test(test_table_of_verbs),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
