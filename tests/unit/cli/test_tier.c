/* SPDX-License-Identifier: Apache-2.0 */
/* mersey tier ... against a worker that has three tiers and a policy. */
#include "tests/unit/cli/served.h"

#include "cache/value.h"
#include "tier/tier.h"

#define DAY (SEC_PER_DAY * NSEC_PER_SEC)

static struct ctl_server *server;
static const struct tier_terms terms[] = {
	{ .name = "near",
	  .store = "ceph",
	  .bucket = "rem-mersey",
	  .object_size = 16 * MIB,
	  .prices = &fake_prices,
	  .class = &fake_class },
	{ .name = "cool",
	  .store = "aws",
	  .bucket = "rem-lon",
	  .storage_class = "GLACIER_IR",
	  .object_size = 16 * MIB },
	{ .name = "archive", .store = "aws", .bucket = "rem-lon" },
};
static char cls_tmp[] = "scratch", cls_old[] = "old", cool[] = "cool";
static char pol_name[] = "imaging";
static char *tmp_words[] = { (char[]){ "**/*.tmp" } };
static char *old_words[] = { (char[]){ "/old/**" } };
static struct tier_class file_classes[] = {
	{ .name = cls_tmp, .path = { tmp_words, 1 } },
	{ .name = cls_old,
	  .path = { old_words, 1 },
	  .last_access = { TIER_GT, 90 * DAY } },
};
static struct tier_rule rules[] = {
	{ .class_name = cls_tmp, .class = 0, .action = TIER_KEEP },
	{ .class_name = cls_old, .class = 1, .action = TIER_MOVE, .to = cool },
};
static struct tier_policy policy = { .name = pol_name,
				     .classes = file_classes,
				     .n_classes = 2,
				     .rules = rules,
				     .n_rules = 2 };
static struct tier_opts topts;

/* As main does it. */
static int parse_policy(void *arg, const char *name, const char *text,
			struct tier_policy *out, struct err *err)
{
	static const struct config none;
	struct config_problems ps = { 0 };
	int rc = config_policy_parse(&none, NULL, name, text, strlen(text), out,
				     &ps);

	config_problems_done(&ps);
	return rc < 0 ? fail(err, rc, "refused by the worker") : 0;
}

static int setup(void **state)
{
	int rc = worker_setup(state);

	if (rc)
		return rc;
	served_config("");
	topts = (struct tier_opts){ .policy = &policy,
				    .policies = &policy,
				    .n_policies = 1,
				    .tier = terms,
				    .n_tiers = 3,
				    .exchange = &fake_exchange };
	rc = tier_start(&topts, m, NULL, &worker.policies, NULL);
	worker.policy_parse = parse_policy;
	worker.policy_done = config_policy_done;
	worker.worker_uid = geteuid();
	server = serve("rem", &worker);
	return rc;
}

static int teardown(void **state)
{
	ctl_server_stop(server);
	tier_stop(worker.policies);
	run_free();
	return worker_teardown(state);
}

/* A protected file below /old, of 100 days ago. */
static uint64_t make_old(uint64_t parent, const char *name, size_t n)
{
	uint64_t ino = new_file_in(parent, name, S_IFREG | 0644);
	struct meta_inode row;

	write_file(ino, ino, n);
	assert_int_equal(fake_protect(ino), 0);
	row_get(ino, &row);
	row.atime_ns = clock_wall_ns() - 100 * DAY;
	row.access_ns = value_key(VALUE_ONCE, row.atime_ns);
	row_put(&row);
	return ino;
}

static uint64_t make_some(void)
{
	uint64_t old = new_file_in(META_ROOT_INO, "old", S_IFDIR | 0755);

	make_old(old, "a", 1000000);
	make_old(old, "b\x1b[31m", 500000);
	return make_old(old, "c.tmp", 70000);
}

static void test_plan_apply(void **state)
{
	CLEANUP_JSON json_t *r = NULL, *a = NULL, *d = NULL;
	const char *plan;

	make_some();
	assert_int_equal(mersey("tier", "plan", "--json", NULL), 0);
	r = result("tier plan");
	plan = json_text(r, "plan");
	assert_int_equal(strlen(plan), 8);
	assert_int_equal(int_at(r, "totals.files"), 2);
	assert_string_equal(text_at(r, "moves.0.for"), "old");
	assert_string_equal(text_at(r, "totals.once.currency"), "GBP");
	assert_int_equal(
		mersey("tier", "apply", plan, "--dry-run", "--json", NULL), 0);
	d = result("tier apply");
	assert_string_equal(text_at(d, "state"), "not_run");
	assert_int_equal(int_at(d, "done.bytes"), 1500000);
	/* there is no terminal to ask on */
	assert_int_equal(mersey("tier", "apply", plan, NULL), CLI_REFUSED);
	assert_has(run_msg, "2 files, 1.43 MiB");
	assert_int_equal(mersey("tier", "apply", plan, "--yes", "--json", NULL),
			 0);
	a = result("tier apply");
	assert_string_equal(text_at(a, "state"), "done");
	assert_int_equal(int_at(a, "done.files"), 2);
	assert_int_equal(mersey("tier", "apply", plan, "--yes", NULL),
			 CLI_FAILED);
	assert_has(run_msg, "was done already");
	assert_int_equal(mersey("tier", "apply", "0abc", "--yes", NULL),
			 CLI_FAILED);
	assert_has(run_msg, "there is no plan '0abc'\n  try: mersey tier plan");
}

static void test_screens(void **state)
{
	make_some();
	assert_int_equal(mersey("tier", "plan", "rem", NULL), 0);
	assert_has(run_out, " · rem · policy imaging · ");
	assert_has(run_out, "nothing has been changed\n");
	assert_has(run_out, "MOVE                 STUDIES  FILES     BYTES ");
	assert_has(run_out, "near -> cool  (old)        0      2  1.43 MiB  £");
	assert_has(run_out, "total                      0      2  1.43 MiB  £");
	assert_has(run_out, "unconfirmed (onprem: STANDARD requests, cool: no "
			    "prices).\n");
	assert_has(run_out, "To do exactly this:  mersey tier apply ");
	assert_int_equal(mersey("tier", "run", "--yes", NULL), 0);
	assert_has(run_out, ": done: 2 files, 1.43 MiB, £");
	assert_int_equal(mersey("tier", "plan", "rem", NULL), 0);
	assert_has(run_out, "Nothing to do");
	assert_int_equal(mersey("tier", "history", NULL), 0);
	assert_has(run_out, "TRUST  PLAN      POLICY   BEGUN BY  WHO    ");
	assert_has(run_out, "imaging  run       uid 0  ");
	assert_int_equal(mersey("tier", "list", NULL), 0);
	assert_has(run_out, "rem    local    ");
	assert_has(run_out,
		   "rem    cool     aws    rem-lon     GLACIER_IR      "
		   "2  1.43 MiB        2  ");
	assert_int_equal(mersey("tier", "cancel", NULL), 0);
	assert_has(run_out, "no run is under way\n");
}

static void test_json(void **state)
{
	CLEANUP_JSON json_t *h = NULL, *l = NULL, *k = NULL, *r = NULL;

	make_some();
	assert_int_equal(mersey("tier", "run", "--yes", "--json", NULL), 0);
	r = result("tier run");
	assert_string_equal(text_at(r, "runs.0.state"), "done");
	assert_int_equal(
		mersey("tier", "history", "--limit", "1", "--json", NULL), 0);
	h = result("tier history");
	assert_string_equal(text_at(h, "runs.0.trigger"), "run");
	assert_int_equal(mersey("tier", "list", "--json", NULL), 0);
	l = result("tier list");
	assert_string_equal(text_at(l, "tiers.0.tier"), "local");
	assert_int_equal(int_at(l, "tiers.2.files"), 2);
	assert_int_equal(mersey("tier", "cancel", "--json", NULL), 0);
	k = result("tier cancel");
	assert_int_equal(json_array_size(json_object_get(k, "runs")), 0);
}

static void test_explain(void **state)
{
	CLEANUP_FREE char *tmp = io_path("%s/mnt/rem/old/c.tmp", dir);
	CLEANUP_FREE char *a = io_path("%s/mnt/rem/old/a", dir);
	CLEANUP_FREE char *top = io_path("%s/mnt/rem/old", dir);
	CLEANUP_JSON json_t *r = NULL;

	make_some();
	assert_int_equal(mersey("tier", "explain", a, "--json", NULL), 0);
	r = result("tier explain");
	assert_string_equal(text_at(r, "path"), a);
	assert_int_equal(int_at(r, "matched"), 2);
	assert_true(json_is_null(at(r, "unchanged")));
	assert_true(json_is_false(at(r, "rules.0.result")));
	assert_string_equal(text_at(r, "rules.1.conditions.0.key"), "path");
	assert_int_equal(mersey("tier", "explain", tmp, NULL), 0);
	assert_has(run_out, "-> 1. for scratch: keep\n"
			    "      yes path           wanted **/*.tmp, is "
			    "/old/c.tmp\n");
	assert_has(run_out, "   2. for old: move to cool\n");
	assert_has(run_out, "Rule 1 changes nothing now: to be kept as it is.");
	assert_int_equal(mersey("info", a, NULL), 0);
	assert_has(run_out, " rule: move to cool (2. old, policy imaging)\n");
	json_decref(r);
	assert_int_equal(mersey("info", a, "--json", NULL), 0);
	r = result("info");
	assert_int_equal(int_at(r, "files.0.rule.index"), 2);
	assert_int_equal(mersey("tier", "explain", top, NULL), CLI_FAILED);
	assert_has(run_msg, "is no file: rules are about files");
}

static void test_mistakes(void **state)
{
	assert_int_equal(mersey("tier", "plan", "--policy", "none", NULL),
			 CLI_FAILED);
	assert_has(run_msg, "there is no policy 'none'");
	assert_int_equal(mersey("tier", "history", "--limit", "0", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("tier", "history", "--limit", "2x", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("tier", "plan", "xyz", NULL), CLI_USAGE);
	assert_int_equal(mersey("tier", "run", NULL), CLI_REFUSED);
	assert_int_equal(mersey("tier", NULL), CLI_USAGE);
}

/* Changed since: left and named; too much of it: refused. */
static void test_changed(void **state)
{
	CLEANUP_JSON json_t *r = NULL;
	CLEANUP_FREE char *path = io_path("%s/mnt/rem/old/small", dir);
	uint64_t old = new_file_in(META_ROOT_INO, "old", S_IFDIR | 0755);
	uint64_t small, big;
	struct meta_inode row;
	struct cache_file *f;

	big = make_old(old, "big", 1000000);
	small = make_old(old, "small", 1000);
	assert_int_equal(mersey("tier", "plan", "--json", NULL), 0);
	r = result("tier plan");
	f = file_open(small, true);
	write_at(f, 1, 0, 10);
	file_close(f, true);
	assert_int_equal(
		mersey("tier", "apply", json_text(r, "plan"), "--yes", NULL),
		CLI_ATTENTION);
	assert_has(run_out, ": done: 1 files, 976.6 KiB");
	assert_has(run_msg, "': changed since the plan");
	assert_has(run_msg, path);
	json_decref(r);
	make_old(old, "third", 400000);
	make_old(old, "fourth", 400000);
	assert_int_equal(mersey("tier", "plan", "--json", NULL), 0);
	r = result("tier plan");
	row_get(big, &row);
	f = file_open(big + 2, true);
	write_at(f, 1, 0, 10);
	file_close(f, true);
	assert_int_equal(mersey("tier", "apply", json_text(r, "plan"),
				"--dry-run", NULL),
			 CLI_REFUSED);
	assert_has(run_msg, "is out of date");
	assert_int_equal(
		mersey("tier", "apply", json_text(r, "plan"), "--yes", NULL),
		CLI_REFUSED);
	assert_has(run_msg, "is out of date: what there is to do differs");
}

/* A policy that no config has. */
static void test_file(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/try.yaml", dir);
	CLEANUP_FREE char *bad = io_path("%s/bad.yaml", dir);
	CLEANUP_FREE char *file = io_path("%s/mnt/rem/old/a", dir);
	CLEANUP_FREE char *where = io_path("%s:1:28: 'path' must begin", bad);

	put("try.yaml", "file_classes: {all: {path: /old/**}}\n"
			"rules: [{for: all, do: evict}]\n");
	put("bad.yaml", "file_classes: {all: {path: old}}\n"
			"rules: [{for: all, do: evict}]\n");
	make_some();
	assert_int_equal(mersey("tier", "plan", "--policy", path, NULL), 0);
	assert_has(run_out, "policy file:try.yaml");
	assert_int_equal(
		mersey("tier", "explain", "--policy", path, file, NULL), 0);
	assert_has(run_out, "1. for all: evict");
	assert_int_equal(mersey("tier", "plan", "--policy", bad, NULL),
			 CLI_FAILED);
	assert_has(run_msg, where);
	assert_int_equal(mersey("tier", "plan", "--policy", "./none", NULL),
			 CLI_FAILED);
	assert_has(run_msg, "cannot read policy './none'");
	assert_int_equal(mersey("tier", "run", "--policy", path, "--yes", NULL),
			 CLI_FAILED);
	assert_has(run_msg, "a run takes a policy of the config, not a file");
	worker.policy_parse = NULL;
	assert_int_equal(mersey("tier", "plan", "--policy", path, NULL),
			 CLI_FAILED);
	assert_has(run_msg, "takes no policies from files");
}

#define TIER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TIER_TEST(test_plan_apply), TIER_TEST(test_screens),
		TIER_TEST(test_json),	    TIER_TEST(test_explain),
		TIER_TEST(test_mistakes),   TIER_TEST(test_changed),
		TIER_TEST(test_file),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
