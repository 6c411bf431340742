/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"

static char dir[] = "/tmp/mersey-test-io-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static void test_write_file(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/f", dir);
	CLEANUP_BUF struct buf b = { 0 };
	struct stat st;

	assert_int_equal(io_write_file(path, 0600, "one", 3, true), 0);
	assert_int_equal(io_write_file(path, 0600, "two", 3, true), -EEXIST);
	assert_int_equal(io_write_file(path, 0640, "three", 5, false), 0);
	assert_int_equal(io_read_file(path, 100, &b), 0);
	assert_string_equal(buf_str(&b), "three");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(io_read_file(path, 4, &b), -EFBIG);
}

static void test_secret(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/secret", dir);
	CLEANUP_BUF struct buf b = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(io_write_file(path, 0640, "s3cr3t", 6, false), 0);
	assert_int_equal(io_read_secret(path, 100, &b, &err), -EPERM);
	assert_non_null(strstr(err.hint, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(io_read_secret(path, 100, &b, &err), 0);
	assert_int_equal(b.len, 6);
	assert_int_equal(io_read_secret(dir, 100, &b, &err), -EINVAL);
}

static void test_mkdir_p(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/a/b/c", dir);
	struct stat st;

	assert_int_equal(io_mkdir_p(path, 0700), 0);
	assert_int_equal(io_mkdir_p(path, 0700), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
}

static void test_clock(void **state)
{
	int64_t wall = clock_wall_ns(), boot = clock_boot_ns();
	char out[CLOCK_ISO_SIZE];

	clock_shift(3600 * NSEC_PER_SEC, 0);
	assert_true(clock_wall_ns() - wall >= 3600 * NSEC_PER_SEC);
	assert_true(clock_boot_ns() - boot < 60 * NSEC_PER_SEC);
	clock_shift(-3600 * NSEC_PER_SEC, 0);
	assert_string_equal(clock_iso(0, out), "1970-01-01T00:00:00Z");
	assert_int_equal(clock_ns(clock_timespec(-1)), -1);
}

static void test_iso_parse(void **state)
{
	static const char *const bad[] = { "2023-11-14",
					   "2023-11-14T22:13:20",
					   "2023-11-14T22:13:20+00:00",
					   "2023-11-14T22:13:20.1",
					   "2023-11-14T22:13:20Zx",
					   "9999-01-01T00:00:00Z",
					   "" };
	int64_t ns = 0;

	assert_int_equal(clock_iso_parse("2023-11-14T22:13:20Z", &ns), 0);
	assert_true(ns == 1700000000 * NSEC_PER_SEC);
	assert_int_equal(clock_iso_parse("2023-11-14T22:13:20.5Z", &ns), 0);
	assert_true(ns == 1700000000 * NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(clock_iso_parse(bad[i], &ns), -EINVAL);
	assert_true(ns == 1700000000 * NSEC_PER_SEC);
}

static void test_jitter(void **state)
{
	int64_t first = clock_jitter(NSEC_PER_SEC), ns = first;

	assert_int_equal(clock_jitter(0), 0);
	for (int i = 0; i < 100; i++) {
		ns = clock_jitter(NSEC_PER_SEC);
		assert_true(ns >= NSEC_PER_SEC / 2 && ns <= NSEC_PER_SEC);
		if (ns != first)
			return;
	}
	assert_int_not_equal(ns, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_file),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_mkdir_p),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_iso_parse),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
