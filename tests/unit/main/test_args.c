/* SPDX-License-Identifier: Apache-2.0 */
/* merseyd's command line. */
#include "tests/test.h"

#include <getopt.h>

#include "config/config.h"
#include "main/args.h"

/* Parses a command line of words (NULL ends). */
static int parse(struct args *a, const char *const *words)
{
	char *argv[16] = { (char *)"merseyd" };
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	optind = 0; /* glibc: from the start */
	opterr = 0;
	return args_parse(argc, argv, a);
}

#define WORDS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void test_modes(void **state)
{
	const char *const none[] = { NULL };
	struct args a;

	unsetenv("MERSEY_CONFIG");
	assert_int_equal(parse(&a, none), 0);
	assert_int_equal(a.mode, MODE_BACKGROUND);
	assert_string_equal(a.config, CONFIG_DEFAULT_PATH);
	setenv("MERSEY_CONFIG", "/from/env", 1);
	assert_int_equal(parse(&a, WORDS("--foreground", "-v")), 0);
	assert_int_equal(a.mode, MODE_FOREGROUND);
	assert_true(a.verbose);
	assert_string_equal(a.config, "/from/env");
	assert_int_equal(
		parse(&a, WORDS("--setup", "rem", "--json", "--config", "c")),
		0);
	assert_int_equal(a.mode, MODE_SETUP);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.config, "c");
	assert_int_equal(parse(&a, WORDS("--help")), 0);
	assert_int_equal(a.mode, MODE_HELP);
}

static void test_single(void **state)
{
	struct args a;

	assert_int_equal(
		parse(&a, WORDS("--single", "rem", "/mnt", "--config", "c")),
		0);
	assert_int_equal(a.mode, MODE_SINGLE);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.mountpoint, "/mnt");
	assert_false(a.no_barrier);
	assert_int_equal(parse(&a, WORDS("--single", "rem")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--single", "rem", "/mnt", "x")),
			 -EINVAL);
}

static void test_worker(void **state)
{
	struct args a;

	assert_int_equal(
		parse(&a, WORDS("--worker", "rem", "--config", "c", "--fuse-fd",
				"4", "--control-fd", "3", "--restarts", "7")),
		0);
	assert_int_equal(a.mode, MODE_WORKER);
	assert_int_equal(a.fuse_fd, 4);
	assert_int_equal(a.control_fd, 3);
	assert_int_equal(a.restarts, 7);
	assert_int_equal(parse(&a, WORDS("--worker", "rem")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--worker", "rem", "--fuse-fd", "4x",
					 "--control-fd", "3")),
			 -EINVAL);
	assert_int_equal(parse(&a, WORDS("--worker", "rem", "--fuse-fd", "-4",
					 "--control-fd", "3")),
			 -EINVAL);
}

static void test_wrong(void **state)
{
	struct args a;

	assert_int_equal(parse(&a, WORDS("--nonsense")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("stray")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--config")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--foreground", "--setup", "rem")),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
