/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs, and without its macro fail(). */
#ifndef MERSEY_TESTS_TEST_H
#define MERSEY_TESTS_TEST_H

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail /* base/err.h has a better use for the name */

#define RUN_TESTS(tests, setup, teardown) \
	cmocka_run_group_tests(tests, setup, teardown)

/* Runs a shell command, made of what the test itself chose; 0 when it
 * succeeded. */
__attribute__((format(printf, 1, 2))) static inline int test_sh(const char *fmt,
								...)
{
	char cmd[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(cmd))
		return -E2BIG;
	return system(cmd); /* NOLINT(cert-env33-c): its own commands */
}

#define assert_sh(...) assert_int_equal(test_sh(__VA_ARGS__), 0)

/* Removes a directory that the test made, with all below it. */
static inline int test_rm(const char *dir)
{
	return test_sh("rm -rf --one-file-system '%s'", dir);
}

/* How many names there are in a directory. */
static inline size_t test_count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* . and .. */
}

/* Removes what is in it. */
static inline int test_rm_below(const char *dir)
{
	return test_sh("rm -rf --one-file-system '%s'/*", dir);
}

#endif
