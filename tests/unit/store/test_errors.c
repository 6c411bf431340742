/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what a failure of S3 means: each row, and that merseyd(8)
 * shows it as it is.
 * Usage: test-store-errors PAGE
 */
#include "tests/test.h"

#include <limits.h>

#include "base/buf.h"
#include "base/io.h"
#include "store/s3/errors.h"
#include "store/store.h"

static const char *page_path;

static int errno_of(const struct s3_error_row *r)
{
	switch (r->tongue) {
	case S3_SAYS_CODE:
		return s3_error_errno(499, r->name, false);
	case S3_SAYS_STATUS:
		return s3_error_errno(MIN(r->to, 1000L), "Unheard", false);
	default:
		return s3_curl_errno((CURLcode)r->from, 0);
	}
}

static bool slows(const struct s3_error_row *r)
{
	switch (r->tongue) {
	case S3_SAYS_CODE:
		return s3_error_slows(499, r->name);
	case S3_SAYS_STATUS:
		return s3_error_slows(MIN(r->to, 1000L), "");
	default:
		return false;
	}
}

/* What retry goes by is the errno: it must agree with the row. */
static void test_rows(void **state)
{
	size_t n;
	const struct s3_error_row *r = s3_error_rows(&n);

	assert_true(n > 70);
	for (size_t i = 0; i < n; i++) {
		char name[64];

		s3_error_row_name(&r[i], name, sizeof(name));
		if (errno_of(&r[i]) != r[i].rc ||
		    store_is_transient(r[i].rc) != (r[i].next != S3_GIVE_UP) ||
		    slows(&r[i]) != (r[i].next == S3_SLOW_DOWN))
			print_error("%s: %s\n", name, errno_name(r[i].rc));
		assert_true(r[i].rc < 0);
		assert_int_equal(errno_of(&r[i]), r[i].rc);
		assert_int_equal(store_is_transient(r[i].rc),
				 r[i].next != S3_GIVE_UP);
		assert_int_equal(slows(&r[i]), r[i].next == S3_SLOW_DOWN);
	}
}

/* No row stands behind one that takes all that it would take. */
static void test_reachable(void **state)
{
	size_t n;
	const struct s3_error_row *r = s3_error_rows(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			if (r[k].tongue != r[i].tongue)
				continue;
			if (r[i].tongue == S3_SAYS_CODE)
				assert_string_not_equal(r[k].name, r[i].name);
			else
				assert_false(r[k].from <= r[i].from &&
					     r[k].to >= r[i].to);
		}
}

static void test_no_guess(void **state)
{
	/* A status beats nothing, a code beats a status. */
	assert_false(s3_error_slows(500, ""));
	assert_true(s3_error_slows(500, "SlowDown"));
	assert_true(s3_error_slows(503, "Unheard"));
	assert_false(s3_error_slows(503, "AccessDenied"));
	assert_int_equal(s3_error_errno(503, "AccessDenied", false), -EACCES);
	assert_int_equal(s3_error_errno(-1, "", false), -EPROTO);
	assert_int_equal(s3_error_errno(LONG_MAX, "", false), -EPROTO);
	assert_int_equal(s3_curl_errno((CURLcode)9999, 0), -EPROTO);
}

static const char *what_next(enum s3_next next)
{
	static const char *const words[] = { [S3_GIVE_UP] = "no",
					     [S3_TRY_AGAIN] = "yes",
					     [S3_SLOW_DOWN] = "yes, slower" };

	return words[next];
}

static void test_page(void **state)
{
	CLEANUP_BUF struct buf page = { 0 }, want = { 0 };
	size_t n;
	const struct s3_error_row *r = s3_error_rows(&n);

	for (size_t i = 0; i < n; i++) {
		char name[64];

		s3_error_row_name(&r[i], name, sizeof(name));
		assert_int_equal(buf_addf(&want, ".It %s Ta %s Ta %s\n", name,
					  errno_name(r[i].rc),
					  what_next(r[i].next)),
				 0);
	}
	assert_int_equal(io_read_file(page_path, 1 << 20, &page), 0);
	if (!strstr(buf_str(&page), buf_str(&want)))
		printf("%s should have:\n%s", page_path, buf_str(&want));
	assert_non_null(strstr(buf_str(&page), buf_str(&want)));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_reachable),
		cmocka_unit_test(test_no_guess),
		cmocka_unit_test(test_page),
	};

	if (argc != 2)
		return 2;
	page_path = argv[1];
	return RUN_TESTS(tests, NULL, NULL);
}
