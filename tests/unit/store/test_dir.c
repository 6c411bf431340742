/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about a directory as a store; the rest is the contract. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/drivers.h"

static char top[] = "/tmp/mersey-test-dir-XXXXXX";
static struct store *store;
static char *root; /* where the objects are */

static int open_store(const char *prefix, struct store **out, struct err *err)
{
	struct store_opts o = { .kind = STORE_DIR,
				.name = "dir",
				.endpoint = top,
				.bucket = "bucket",
				.prefix = prefix };

	return store_open(&o, out, err);
}

static int setup(void **state)
{
	if (!mkdtemp(top))
		return -1;
	root = io_path("%s/bucket/p/q", top);
	return root ? open_store("p/q/", &store, NULL) : -1;
}

static int teardown(void **state)
{
	store_free(store);
	free(root);
	return test_rm(top);
}

static void put(const char *key, const char *text)
{
	assert_int_equal(store_put(store, key, text, strlen(text), NULL), 0);
}

static void test_layout(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/x/y", root);
	CLEANUP_BUF struct buf b = { 0 };
	struct stat st;

	put("x/y", "hello");
	assert_int_equal(io_read_file(path, 100, &b), 0);
	assert_string_equal(buf_str(&b), "hello");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_bad_endpoint(void **state)
{
	struct err err = ERR_INIT;
	struct store_opts o = { .kind = STORE_DIR,
				.name = "dir",
				.endpoint = "/nonexistent/dir",
				.bucket = "b",
				.prefix = "" };
	struct store *s = NULL;

	assert_int_equal(store_open(&o, &s, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/dir"));
	o.endpoint = top;
	o.bucket = "..";
	assert_int_equal(store_open(&o, &s, &err), -EINVAL);
	o.bucket = "b";
	o.prefix = "../x/";
	assert_int_equal(store_open(&o, &s, &err), -EINVAL);
	assert_null(s);
}

static void test_symlinks(void **state)
{
	CLEANUP_FREE char *file = io_path("%s/link", root);
	CLEANUP_FREE char *sub = io_path("%s/linked", root);
	struct store_list l = { 0 };
	struct store_info info;
	char c;

	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(symlink("/etc", sub), 0);
	assert_int_equal(store_get(store, "link", 0, &c, 1), -EIO);
	assert_int_equal(store_head(store, "link", &info), -EIO);
	assert_true(store_get(store, "linked/passwd", 0, &c, 1) < 0);
	assert_true(store_put(store, "linked/new", "x", 1, NULL) < 0);
	assert_int_equal(store_list(store, "link", "", 10, &l), 0);
	assert_int_equal(l.n, 0);
	/* An overwrite replaces the link, not what it points to. */
	put("link", "x");
	assert_int_equal(store_head(store, "link", &info), 0);
	assert_int_equal(info.size, 1);
	unlink(sub);
}

static void test_special_files(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/fifo", root);
	char c;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(store_get(store, "fifo", 0, &c, 1), -EIO);
	unlink(path);
}

static void test_key_and_directory(void **state)
{
	char c;

	put("kd/a", "a");
	assert_int_equal(store_put(store, "kd/a/b", "x", 1, NULL), -ENOTSUP);
	assert_int_equal(store_put(store, "kd", "x", 1, NULL), -ENOTSUP);
	assert_int_equal(store_get(store, "kd/a/b", 0, &c, 1), -ENOENT);
	assert_int_equal(store_del1(store, "kd/a/b"), 0);
	assert_int_equal(store_del1(store, "kd"), 0);
	assert_int_equal(store_get(store, "kd/a", 0, &c, 1), 1);
}

static void test_leftovers(void **state)
{
	CLEANUP_FREE char *left = io_path("%s/lo/.tmp~0123", root);
	CLEANUP(store_list_done) struct store_list l = { 0 };

	put("lo/a", "a");
	assert_int_equal(io_write_file(left, 0600, "cut", 3, true), 0);
	assert_int_equal(store_list(store, "lo/", "", 10, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.entry[0].key, "lo/a");
}

/* A file that may not grow: the write fails in the middle. */
static void test_full(void **state)
{
	CLEANUP_FREE char *sub = io_path("%s/full", root);
	CLEANUP_FREE char *big = calloc(1, 1 << 20);
	struct rlimit old, small = { 65536, RLIM_INFINITY };
	struct store_put_opts only_new = { .if_absent = true };
	char got[8];

	assert_non_null(big);
	put("full/a", "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(store_put(store, "full/a", big, 1 << 20, NULL),
			 -ENOSPC);
	assert_int_equal(store_put(store, "full/b", big, 1 << 20, &only_new),
			 -ENOSPC);
	assert_true(store_detail()[0]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(test_count_names(sub), 1);
	assert_int_equal(store_get(store, "full/a", 0, got, 8), 3);
	assert_memory_equal(got, "old", 3);
	assert_int_equal(store_get(store, "full/b", 0, got, 8), -ENOENT);
}

static void test_no_leftovers(void **state)
{
	CLEANUP_FREE char *sub = io_path("%s/nl", root);
	struct store_put_opts only_new = { .if_absent = true };

	assert_int_equal(store_put(store, "nl/a", "1", 1, &only_new), 0);
	assert_int_equal(store_put(store, "nl/a", "2", 1, &only_new), -EEXIST);
	put("nl/a", "3");
	assert_int_equal(test_count_names(sub), 1);
}

static void test_directory_lost(void **state)
{
	CLEANUP_FREE char *sub = io_path("%s/gone", root);
	CLEANUP_FREE char *file = io_path("%s/gone/a", root);
	char c;

	put("gone/a", "1");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(sub), 0);
	put("gone/b", "2"); /* made again */
	assert_int_equal(store_get(store, "gone/b", 0, &c, 1), 1);
}

#define MANY 5000 /* more than a listing holds at once */

static void test_many(void **state)
{
	CLEANUP_FREE char *sub = io_path("%s/many", root);
	char after[64] = "many/";
	size_t n = 0;
	bool more = true;

	put("many/k00000", "");
	for (int i = 1; i < MANY; i++) {
		CLEANUP_FREE char *path = io_path("%s/k%05d", sub, i);
		int fd = open(path, O_CREAT | O_WRONLY, 0600);

		assert_true(fd >= 0);
		close(fd);
	}
	while (more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		assert_int_equal(store_list(store, "many/", after, 999, &l), 0);
		for (size_t i = 0; i < l.n; i++, n++) {
			char want[64];

			snprintf(want, sizeof(want), "many/k%05zu", n);
			assert_string_equal(l.entry[i].key, want);
			strcpy(after, want);
		}
		more = l.more;
	}
	assert_int_equal(n, MANY);
}

/* Thousands of empty directories do not end a listing early. */
static void test_empty_directories(void **state)
{
	CLEANUP_FREE char *sub = io_path("%s/ed", root);
	CLEANUP(store_list_done) struct store_list l = { 0 };

	put("ed/z", "z");
	for (int i = 0; i < 2500; i++) {
		CLEANUP_FREE char *path = io_path("%s/d%04d", sub, i);

		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(store_list(store, "ed/", "", 1, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.entry[0].key, "ed/z");
	assert_false(l.more);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bad_endpoint),
		cmocka_unit_test(test_symlinks),
		cmocka_unit_test(test_special_files),
		cmocka_unit_test(test_key_and_directory),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_leftovers),
		cmocka_unit_test(test_directory_lost),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_empty_directories),
	};

	return RUN_TESTS(tests, setup, teardown);
}
