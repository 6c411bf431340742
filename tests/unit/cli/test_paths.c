/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to its trust, by its text. */
#include "tests/test.h"

#include "cli/cli.h"

static void check_abs(const char *arg, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(cli_path_absolute("/srv/mersey/rem", arg, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

static void test_absolute(void **state)
{
	check_abs("a", "/srv/mersey/rem/a");
	check_abs(".", "/srv/mersey/rem");
	check_abs("", "/srv/mersey/rem");
	check_abs("../rbq//x/./y/", "/srv/mersey/rbq/x/y");
	check_abs("/", "/");
	check_abs("/../../..", "/");
	check_abs("//a///b", "/a/b");
	check_abs("/a/..b/.c", "/a/..b/.c");
	check_abs("\xff/\xfe", "/srv/mersey/rem/\xff/\xfe");
}

static char run_dir[] = "/tmp/mersey-test-paths-XXXXXX";

static struct config_trust trusts[] = {
	{ .name = (char *)"rem", .mount = (char *)"/srv/mersey/rem" },
	{ .name = (char *)"rbq", .mount = (char *)"/srv/mersey/rbq/" },
	{ .name = (char *)"in", .mount = (char *)"/srv/mersey/rem/in" },
};
static const struct config cfg = { .trusts = trusts,
				   .n_trusts = 3,
				   .runtime_dir = run_dir };

static void check_trust(const char *abs, const char *name, const char *want)
{
	const char *rel = NULL;
	const struct config_trust *t = cli_path_trust(&cfg, abs, &rel);

	if (!name) {
		assert_null(t);
		return;
	}
	assert_non_null(t);
	assert_string_equal(t->name, name);
	assert_string_equal(rel, want);
}

static void test_trust(void **state)
{
	check_trust("/srv/mersey/rem", "rem", "");
	check_trust("/srv/mersey/rem/a/b", "rem", "a/b");
	check_trust("/srv/mersey/rbq/a", "rbq", "a");
	check_trust("/srv/mersey/rem/in/a", "in", "a");
	check_trust("/srv/mersey/rem/inner", "rem", "inner");
	check_trust("/srv/mersey/remote", NULL, NULL);
	check_trust("/srv/mersey", NULL, NULL);
	check_trust("/", NULL, NULL);
}

/* More paths than one request takes become several. */
static void test_groups(void **state)
{
	static char name[5000][80];
	static char *arg[5000];
	CLEANUP(cli_groups_done) struct cli_groups g = { 0 };
	struct cli call = { .arg = arg, .args = 5000 };
	size_t i, n = 0;

	call.cfg = (struct config *)&cfg;
	for (i = 0; i < 5000; i++) {
		snprintf(name[i], sizeof(name[i]),
			 "/srv/mersey/%s/\x01\x01\x01\x01\x01\x01\x01\x01"
			 "/a-name-that-is-longer-than-that/%zu",
			 i % 2 ? "rem" : "rbq", i);
		arg[i] = name[i];
	}
	assert_int_equal(cli_group_paths(&call, &g), 0);
	assert_true(g.n > 2);
	for (i = 0; i < g.n; i++) {
		CLEANUP_BUF struct buf b = { 0 };
		CLEANUP_JSON json_t *o =
			json_pack("{s:O}", "paths", g.g[i].paths);

		assert_int_equal(proto_line(o, &b), 0);
		assert_true(b.len < PROTO_REQUEST_MAX - 1000);
		n += json_array_size(g.g[i].paths);
	}
	assert_int_equal(n, 5000);
}

static void test_path_out(void **state)
{
	CLEANUP_JSON json_t *o = proto_path("a/b", 3);
	CLEANUP_JSON json_t *raw = proto_path("a\xff", 2);
	CLEANUP_JSON json_t *root = proto_path("", 0);
	struct cli call = { .cfg = (struct config *)&cfg };
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(cli_path_out(&call, o, &trusts[0]), 0);
	assert_string_equal(json_text(o, "path"), "/srv/mersey/rem/a/b");
	assert_int_equal(cli_path_out(&call, root, &trusts[0]), 0);
	assert_string_equal(json_text(root, "path"), "/srv/mersey/rem");
	assert_int_equal(cli_path_out(&call, raw, &trusts[0]), 0);
	assert_int_equal(proto_get_path(raw, &b), 0);
	assert_string_equal(buf_str(&b), "/srv/mersey/rem/a\xff");
}

/* A trust that is served elsewhere than the config says. */
static void test_served_elsewhere(void **state)
{
	static const char said[] = "4711\n/mnt/a b\n";
	static char *arg[] = { (char *)"/mnt/a b/c/d", (char *)"/mnt/a b",
			       (char *)"/srv/mersey/rem/e" };
	CLEANUP(cli_groups_done) struct cli_groups g = { 0 };
	CLEANUP_FREE char *lock = io_path("%s/rem.lock", run_dir);
	CLEANUP_JSON json_t *o = proto_path("c/d", 3);
	struct cli call = { .cfg = (struct config *)&cfg,
			    .arg = arg,
			    .args = 3 };

	assert_int_equal(io_write_file(lock, 0600, said, strlen(said), true),
			 0);
	assert_int_equal(cli_group_paths(&call, &g), 0);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.g[0].trust->name, "rem");
	assert_string_equal(json_text(json_array_get(g.g[0].paths, 0), "path"),
			    "c/d");
	assert_string_equal(json_text(json_array_get(g.g[0].paths, 1), "path"),
			    "");
	assert_string_equal(json_text(json_array_get(g.g[0].paths, 2), "path"),
			    "e");
	assert_int_equal(cli_path_out(&call, o, &trusts[0]), 0);
	assert_string_equal(json_text(o, "path"), "/mnt/a b/c/d");
	/* an emptied file, as a process leaves it that has ended */
	assert_int_equal(truncate(lock, 0), 0);
	call.args = 1;
	assert_int_equal(cli_group_paths(&call, &g), -EXDEV);
}

static int setup(void **state)
{
	return mkdtemp(run_dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(run_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_path_out),
		cmocka_unit_test(test_served_elsewhere),
	};

	return RUN_TESTS(tests, setup, teardown);
}
