/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs, and without its macro fail(). */
#ifndef MERSEY_TESTS_TEST_H
#define MERSEY_TESTS_TEST_H

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

#endif
