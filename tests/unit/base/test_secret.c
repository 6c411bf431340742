/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/secret.h"

/* Does no core dump have the page that `p` lies in? As smaps(5) says it. */
static bool undumped(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long at = (unsigned long)p, from, to;
	bool here = false, dd = false;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = at >= from && at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			dd = strstr(line, " dd") != NULL;
	}
	fclose(f);
	return dd;
}

static void test_pages(void **state)
{
	char *p = secret_alloc(10), *q = malloc(10);

	assert_non_null(p);
	assert_int_equal(p[9], 0);
	assert_true(undumped(p));
	assert_false(undumped(q)); /* the look itself tells the two apart */
	memset(p, 'x', 10);
	secret_free(p, 10);
	secret_free(NULL, 0);
	free(q);
	p = secret_alloc(100000);
	assert_true(undumped(p));
	assert_true(undumped(p + 99999));
	secret_free(p, 100000);
	assert_null(secret_alloc(SIZE_MAX));
}

static void test_text(void **state)
{
	char *s = secret_text("hello, world", 5);

	assert_string_equal(s, "hello");
	assert_true(undumped(s));
	secret_text_done(&s);
	assert_null(s);
	secret_text_done(&s);
}

static void test_buf(void **state)
{
	struct buf b = { 0 };

	assert_int_equal(secret_buf(&b, 5000), 0);
	assert_int_equal(b.len, 0);
	assert_true(undumped(b.data));
	assert_int_equal(buf_add(&b, "abc", 3), 0);
	assert_true(undumped(b.data + 4999));
	secret_buf_done(&b);
	assert_null(b.data);
	secret_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_buf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
