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
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd); /* NOLINT: a fixed command on our own directory */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_file),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_mkdir_p),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
