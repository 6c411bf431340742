/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command and two workers in one process, over real sockets: screens,
 * exit codes, and that the JSON is what `mersey help json` says.
 */
#include "tests/unit/cli/two.h"

#include "meta/internal.h"

#define STRANGER "--stranger"

static void test_status(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	make("a", 100000);
	assert_int_equal(mersey("status", "--json", NULL), 0);
	r = result("status");
	assert_int_equal(json_array_size(at(r, "trusts")), 2);
	assert_string_equal(text_at(r, "trusts.1.trust"), "rbq");
	assert_int_equal(mersey("status", NULL), 0);
	assert_has(run_out, "TRUST  NAME    ");
	assert_has(run_out, "rem    Liverpool University Hospitals  online");
	assert_has(run_out, "0.0 / 1.0 GiB");
	assert_has(run_out, "97.7 KiB, ");
	assert_int_equal(mersey("status", "--quiet", NULL), 0);
	assert_string_equal(run_out, "");
	assert_int_equal(mersey("status", "rem", NULL), 0);
	assert_has(run_out, "  trust: rem  Liverpool University Hospitals\n");
	assert_has(run_out, "  state: online since ");
	assert_int_equal(mersey("status", "xyz", NULL), CLI_USAGE);
}

/* What keeps requests from the store is shown while it does. */
static void test_flow(void **state)
{
	assert_int_equal(mersey("status", "rem", NULL), 0);
	assert_null(strstr(run_out, "no answer since"));
	assert_null(strstr(run_out, "at once"));
	assert_null(strstr(run_out, "now at most"));
	flow.breaker.state = STORE_OPEN;
	flow.breaker.since_ns = clock_wall_ns();
	flow.breaker.probe_ns = clock_boot_ns() + NSEC_PER_SEC;
	flow.limiter.milli = 4000;
	flow.limiter.queue.waiting = 7;
	bandwidth.rule[0] =
		(struct store_bandwidth_rule){ .when = WHEN_ALWAYS,
					       .rates = { .up = 50000000 } };
	bandwidth.n = 1;
	assert_int_equal(mersey("status", "rem", NULL), 0);
	assert_has(run_out, "it is asked again every few seconds\n");
	assert_has(run_out, "it asked for less: 4 of 16 requests at once\n");
	assert_has(run_out, "7 calls wait for their turn\n");
	assert_has(run_out, "   line: now at most 50MB/s up, any down\n");
	flow.breaker.state = STORE_HALF_OPEN;
	assert_int_equal(mersey("status", "rem", NULL), 0);
	assert_has(run_out, ": it is being asked now\n");
	flow.limiter.queue.waiting = 0;
}

static void test_quota(void **state)
{
	struct meta_quota q = { .bytes = 1000000, .files = 3 };
	CLEANUP_JSON json_t *r = NULL, *check = NULL;

	make("a", 100001);
	assert_int_equal(mersey("quota", "show", NULL), 0);
	assert_has(run_out, "TRUST     BYTES  QUOTA  LEFT  USED  FILES  ");
	assert_has(run_out, "rem    97.7 KiB      –     –     –      1  ");
	meta_quota_set(m, &q);
	assert_int_equal(mersey("quota", "show", "--json", NULL), 0);
	r = result("quota show");
	assert_int_equal(int_at(r, "trusts.1.left.bytes"), 899999);
	assert_int_equal(mersey("quota", "show", "rem", NULL), 0);
	assert_has(run_out, " 11%      1      3     2   34%\n");
	assert_int_equal(mersey("status", "rem", NULL), 0);
	assert_has(run_out, "  quota: 97.7 / 976.6 KiB, 1 / 3 files\n");
	assert_int_equal(mersey("quota", "check", "--json", NULL), 0);
	check = result("quota check");
	assert_int_equal(int_at(check, "trusts.0.counted.bytes"), 100001);
	assert_int_equal(mersey("quota", "check", "rem", NULL), 0);
	assert_has(run_out, " exact\n");
}

static void test_store_test(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	assert_int_equal(mersey("store", "test", "rem/near", "--json", NULL),
			 0);
	r = result("store test");
	assert_string_equal(text_at(r, "stores.0.bucket"), "rem-mersey");
	assert_string_equal(text_at(r, "stores.0.capabilities.0.name"), "put");
	assert_string_equal(text_at(r, "stores.0.capabilities.0.result"),
			    "yes");
	assert_int_equal(json_array_size(json_object_get(r, "stores")), 1);
	assert_int_equal(mersey("store", "test", "rem/far", NULL), CLI_USAGE);
	assert_has(run_msg, "trust 'rem' has no tier 'far'");
	assert_int_equal(mersey("store", "test", "nobody", NULL), CLI_USAGE);
}

/* A store that lacks what is needed, and one that is not there. */
static void test_store_test_fails(void **state)
{
	struct store_fault_plan plan = { .flip_percent = 100 };
	struct store *whole = worker.places[0].direct;

	worker.places[0].direct = store_fault_new(store_mem_new(), &plan);
	assert_non_null(worker.places[0].direct);
	assert_int_equal(mersey("store", "test", "rem", NULL), CLI_ATTENTION);
	assert_has(run_out, "rem/near: store 'ceph', bucket 'rem-mersey'\n");
	assert_has(run_out, "put                NO ");
	plan = (struct store_fault_plan){ .down = true };
	assert_int_equal(mersey("store", "test", "rem", NULL), CLI_NOT_NOW);
	assert_has(run_msg, "store 'ceph' does not answer");
	store_free(worker.places[0].direct);
	worker.places[0].direct = whole;
}

/* A program that counts wrong is found out. */
static void test_quota_differs(void **state)
{
	make("a", 100001);
	m->now.bytes[META_DIRTY] += 3;
	assert_int_equal(mersey("quota", "check", "rem", NULL), CLI_ATTENTION);
	assert_has(run_out, " DIFFERS\n");
	assert_has(run_out,
		   "rem: the counters say 100004 bytes in 1 files, the "
		   "files themselves 100001 in 1\n");
	m->now.bytes[META_DIRTY] -= 3;
	meta_grown(m, 1);
	assert_int_equal(mersey("quota", "check", "rem", NULL), CLI_ATTENTION);
	assert_has(run_out, "rem: what open files have grown is counted "
			    "wrong\n");
	meta_grown(m, -1);
	assert_int_equal(mersey("quota", "check", "rem", NULL), 0);
	ctl_server_stop(server[1]);
	server[1] = NULL;
	assert_int_equal(mersey("quota", "check", NULL), CLI_ATTENTION);
	assert_int_equal(mersey("quota", "show", "rbq", NULL), CLI_NOT_NOW);
}

/* Another gateway has the bucket: who, what to do, and only when asked. */
static void test_unlock(void **state)
{
	static const struct pack_volume_id volume = { .b = "volume of a test" };
	const struct fence_opts o = {
		.trust = "rem", .gateway = "gw1", .machine = "m", .dir = "/d"
	};
	struct pack_claim other = { .generation = 5,
				    .gateway = "gw2",
				    .host = "node2",
				    .claimed_at = "2026-11-24T04:00:00Z" };
	CLEANUP(fence_stop_guard) struct fence *f = NULL;
	CLEANUP_JSON json_t *r = NULL, *s = NULL;
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_root root;
	struct err err = ERR_INIT;

	assert_int_equal(mersey("store", "unlock", "rem", "--yes", NULL),
			 CLI_FAILED);
	assert_int_equal(pack_claim_make(&other, &text), 0);
	assert_int_equal(store_put(worker.places[0].direct, "gen/00000005",
				   text.data, text.len, NULL),
			 0);
	text.len = 0;
	assert_int_equal(pack_root_new(&root, &text), 0);
	assert_int_equal(fence_start(&o, m, worker.places[0].direct, &volume,
				     &root, &f, &err),
			 0);
	worker.fence = f;
	assert_int_equal(mersey("store", "unlock", "rem", NULL), CLI_NOT_NOW);
	fence_open(f);
	assert_int_equal(mersey("store", "unlock", NULL), CLI_USAGE);
	assert_int_equal(mersey("store", "unlock", "rem", "--dry-run", NULL),
			 0);
	assert_has(run_out, "rem: written by gateway 'gw2' on 'node2', since ");
	assert_has(run_out, "(generation 5)\n");
	assert_int_equal(mersey("status", "rem", NULL), CLI_ATTENTION);
	assert_has(run_out, "gateway 'gw2' on 'node2' writes the bucket");
	assert_has(run_out, "mersey store unlock rem");
	/* There is no terminal to ask on. */
	assert_int_equal(mersey("store", "unlock", "rem", NULL), CLI_REFUSED);
	assert_has(run_msg, "It will be fenced off");
	assert_has(run_msg, "--yes");
	assert_int_equal(
		mersey("store", "unlock", "rem", "--yes", "--json", NULL), 0);
	r = result("store unlock");
	assert_int_equal(int_at(r, "generation"), 6);
	assert_string_equal(json_text(r, "held_by"), "gw2");
	assert_true(json_is_true(json_object_get(r, "taken")));
	assert_int_equal(mersey("store", "unlock", "rem", "--yes", NULL), 0);
	assert_has(run_out, "writes the bucket already, as generation 6\n");
	assert_int_equal(mersey("status", "rem", "--json", NULL), 0);
	s = result("status");
	assert_int_equal(int_at(s, "trusts.0.writer.generation"), 6);
	pack_root_done(&root);
	worker.fence = NULL;
}

static void test_degraded(void **state)
{
	health.down = true;
	health.since_ns = clock_wall_ns() - 90 * NSEC_PER_SEC;
	strcpy(health.detail, "connection timed out");
	assert_int_equal(mersey("status", NULL), CLI_ATTENTION);
	assert_has(run_out, "DEGRADED");
	assert_has(run_out, "near DOWN");
	assert_has(run_out, "rbq: store 'near' does not answer: connection "
			    "timed out. Details: mersey status rbq\n");
	assert_int_equal(mersey("status", "rbq", NULL), CLI_ATTENTION);
	assert_has(run_out, "  state: DEGRADED since ");
	assert_has(run_out, " status: store 'near' does not answer");
	assert_has(run_out, " action: check the network");
}

static void test_one_offline(void **state)
{
	CLEANUP_JSON json_t *r = NULL;

	ctl_server_stop(server[1]);
	server[1] = NULL;
	assert_int_equal(mersey("status", "--json", NULL), CLI_ATTENTION);
	r = result("status");
	assert_string_equal(text_at(r, "trusts.0.state"), "online");
	assert_string_equal(text_at(r, "trusts.1.state"), "offline");
	assert_int_equal(mersey("status", "rbq", NULL), CLI_NOT_NOW);
	assert_int_equal(mersey("jobs", NULL), CLI_ATTENTION);
	assert_int_equal(mersey("cost", "report", NULL), CLI_NOT_NOW);
	assert_has(run_msg, "the totals lack this trust");
	assert_int_equal(mersey("cost", "report", "--trust", "rem", NULL), 0);
}

static void test_files(void **state)
{
	CLEANUP_FREE char *a = in_mount("a"), *root = in_mount("");
	CLEANUP_FREE char *none = in_mount("none");
	CLEANUP_JSON json_t *w = NULL, *e = NULL, *i = NULL, *rc = NULL;

	make("a", 150000);
	fake.hold = true;
	assert_int_equal(mersey("evict", a, NULL), CLI_ATTENTION);
	assert_has(run_msg, "mersey: cannot evict '");
	assert_has(run_msg, "not protected yet\n  try: mersey wait ");
	assert_int_equal(mersey("evict", a, "--json", NULL), CLI_ATTENTION);
	e = result("evict");
	assert_string_equal(text_at(e, "skipped.0.path"), a);
	fake.hold = false;
	assert_int_equal(mersey("wait", a, "--json", NULL), 0);
	w = result("wait");
	assert_int_equal(int_at(w, "files"), 1);
	assert_int_equal(int_at(w, "bytes"), 150000);
	assert_int_equal(mersey("wait", "--all", NULL), 0);
	assert_has(run_out, "all protected already");
	assert_int_equal(mersey("evict", root, NULL), 0);
	assert_has(run_out, "evicted 1 file, ");
	assert_int_equal(mersey("info", a, "--json", NULL), 0);
	i = result("info");
	assert_string_equal(text_at(i, "files.0.path"), a);
	assert_string_equal(text_at(i, "files.0.state"), "remote");
	assert_int_equal(mersey("recall", a, "--json", NULL), 0);
	rc = result("recall");
	assert_int_equal(int_at(rc, "bytes"), 150000);
	assert_int_equal(mersey("info", a, NULL), 0);
	assert_has(run_out, "   state: local, protected ");
	assert_int_equal(mersey("info", a, none, NULL), CLI_FAILED);
	assert_has(run_out, "state: local");
	assert_has(run_msg, "No such file");
	assert_int_equal(mersey("info", "/etc/passwd", NULL), CLI_USAGE);
	assert_int_equal(mersey("info", "--trust", "rbq", a, NULL), CLI_USAGE);
	assert_int_equal(mersey("wait", NULL), CLI_USAGE);
	assert_int_equal(mersey("wait", "--all", a, NULL), CLI_USAGE);
	assert_int_equal(mersey("wait", a, "--until", "x", NULL), CLI_USAGE);
}

/* The same directory seen through a symlink elsewhere. */
static void test_through_a_symlink(void **state)
{
	CLEANUP_FREE char *mnt = io_path("%s/mnt", dir);
	CLEANUP_FREE char *rem = io_path("%s/mnt/rem", dir);
	CLEANUP_FREE char *link = io_path("%s/link", dir);
	CLEANUP_FREE char *a = io_path("%s/link/a", dir);

	make("a", 1);
	assert_int_equal(mkdir(mnt, 0755), 0);
	assert_int_equal(mkdir(rem, 0755), 0);
	assert_int_equal(symlink("mnt/rem", link), 0);
	assert_int_equal(mersey("info", a, NULL), 0);
	assert_has(run_out, "/mnt/rem/a\n");
}

/* In a process of its own (main()): here a fork has but one of the threads, and
 * all the locks that the others held. */
static int run_as_stranger(void)
{
	if (setgid(61001) < 0 || setuid(61001) < 0)
		return 100;
	if (mersey("status", "rem", "--json", NULL) != CLI_REFUSED)
		return 101;
	return strstr(run_out, "\"not_allowed\"") ? 0 : 102;
}

static void test_refused(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip(); /* cannot become a stranger */
	assert_int_equal(chmod(dir, 0711), 0);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "stranger", STRANGER, NULL);
		_exit(103);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_jobs_and_doctor(void **state)
{
	CLEANUP_JSON json_t *j = NULL, *d = NULL, *t = NULL;

	assert_int_equal(mersey("jobs", "--json", NULL), 0);
	j = result("jobs");
	assert_true(json_array_size(at(j, "jobs")) >= 4);
	assert_int_equal(mersey("jobs", NULL), 0);
	assert_has(run_out, "rem    protect");
	assert_int_equal(mersey("doctor", "--json", NULL), CLI_ATTENTION);
	d = result("doctor");
	assert_true(json_array_size(at(d, "checks")) > 10);
	assert_int_equal(mersey("trust", "list", "--json", NULL), 0);
	t = result("trust list");
	assert_string_equal(text_at(t, "trusts.0.state"), "online");
}

static void test_alarms(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *k = NULL;

	assert_int_equal(mersey("alarms", NULL), 0);
	assert_string_equal(run_out, "no alarms\n");
	alarms_set(worker.alarms, ALARM_DAMAGED, NULL, ALARM_ON,
		   "2 files are damaged");
	assert_int_equal(alarms_tick(worker.alarms), 0);
	assert_int_equal(mersey("alarms", "rem", NULL), CLI_ATTENTION);
	assert_has(run_out, "ID     SEVERITY  CODE     RAISED");
	assert_has(run_out, "rem-1  critical  damaged  ");
	assert_has(run_out, "  –        –        2 files are damaged\n");
	assert_has(run_out, "\n\nrem-1: the log of merseyd names them");
	assert_int_equal(mersey("alarms", "--json", NULL), CLI_ATTENTION);
	a = result("alarms");
	assert_int_equal(json_array_size(at(a, "alarms")), 2); /* shared */
	assert_int_equal(mersey("alarms", "ack", "rem-1", "--json", NULL), 0);
	k = result("alarms ack");
	assert_true(text_at(k, "alarms.0.acked_by")[0]);
	assert_int_equal(mersey("alarms", "ack", "rem-1", NULL), 0);
	assert_has(run_out, "rem-1: seen by ");
	assert_int_equal(mersey("alarms", NULL), 0);
	assert_int_equal(mersey("alarms", "ack", "rem-9", NULL), CLI_FAILED);
	assert_has(run_msg, "there is no alarm 'rem-9'");
	assert_int_equal(mersey("alarms", "ack", NULL), CLI_USAGE);
	assert_int_equal(mersey("alarms", "ack", "rem", NULL), CLI_USAGE);
	assert_int_equal(mersey("alarms", "ack", "rem-x", NULL), CLI_USAGE);
	assert_int_equal(mersey("alarms", "ack", "rem-", NULL), CLI_USAGE);
	assert_int_equal(mersey("alarms", "ack", "xyz-1", NULL), CLI_USAGE);
	alarms_set(worker.alarms, ALARM_DAMAGED, NULL, ALARM_OFF, " ");
	assert_int_equal(alarms_tick(worker.alarms), 0);
	assert_int_equal(mersey("alarms", "rem", NULL), 0);
	assert_has(run_out, "2 files are damaged\n");
	assert_null(strstr(run_out, "the log of merseyd"));
}

static void test_metrics(void **state)
{
	CLEANUP_FREE char *file = io_path("%s/mersey.prom", dir);
	CLEANUP_BUF struct buf b = { 0 };
	CLEANUP_JSON json_t *r = NULL;

	worker.long_name = "St \"Mary's\" \\ Paddington\nW2";
	make("a", 100000);
	store_count[0].op[STORE_OP_GET].bucket[0] = 2;
	store_count[1].op[STORE_OP_GET].bucket[3] = 1;
	store_count[1].op[STORE_OP_GET].bucket[STORE_TIME_BUCKETS - 1] = 4;
	store_count[1].op[STORE_OP_GET].total_ns = 1500000000;
	assert_int_equal(mersey("metrics", NULL), 0);
	assert_has(run_out,
		   "# HELP mersey_up 1 when the worker of the trust answers, 0 "
		   "when not: then it has no other metrics.\n"
		   "# TYPE mersey_up gauge\n"
		   "mersey_up{trust=\"rem\"} 1\n"
		   "mersey_up{trust=\"rbq\"} 1\n"
		   "# HELP mersey_info Always 1.\n"
		   "# TYPE mersey_info gauge\n"
		   "mersey_info{trust=\"rem\",name=\"St \\\"Mary's\\\" \\\\ "
		   "Paddington\\nW2\",gateway=\"gw1\",version=\"1\"} 1\n"
		   "mersey_info{trust=\"rbq\",name=\"Liverpool Heart ");
	assert_has(run_out,
		   "\nmersey_files{trust=\"rbq\",state=\"dirty\"} 1\n");
#define TIME(le) \
	"{trust=\"rem\",tier=\"near\",store=\"ceph\",operation=\"get\"" le "} "
	assert_has(run_out, "\nmersey_store_request_seconds_bucket" TIME(
				    ",le=\"0.0005\"") "2\n");
	assert_has(run_out, "\nmersey_store_request_seconds_bucket" TIME(
				    ",le=\"0.004\"") "3\n");
	assert_has(
		run_out,
		"\nmersey_store_request_seconds_bucket" TIME(
			",le=\"65.536\"") "3\n"
					  "mersey_store_request_seconds_bucket" TIME(
						  ",le=\"+Inf\"") "7\n"
								  "mersey_store_request_seconds_sum" TIME(
									  "") "1.5\n"
									      "mersey_store_request_seconds_count" TIME(
										      "") "7\n");
	assert_int_equal(mersey("metrics", "rem", "--json", NULL), 0);
	r = result("metrics");
	assert_string_equal(text_at(r, "metrics.0.samples.0.labels.trust"),
			    "rem");
	assert_int_equal(json_array_size(at(r, "metrics.0.samples")), 1);
	assert_int_equal(mersey("metrics", "--out", file, NULL), 0);
	assert_string_equal(run_out, "");
	assert_int_equal(io_read_file(file, 1 << 20, &b), 0);
	assert_has(buf_str(&b), "\nmersey_up{trust=\"rbq\"} 1\n");
}

/* Who does not answer is told of, the others as well. */
static void test_metrics_offline(void **state)
{
	ctl_server_stop(server[1]);
	server[1] = NULL;
	assert_int_equal(mersey("metrics", NULL), CLI_ATTENTION);
	assert_has(run_out, "\nmersey_up{trust=\"rem\"} 1\n"
			    "mersey_up{trust=\"rbq\"} 0\n");
	assert_null(strstr(run_out, "mersey_inodes{trust=\"rbq\"}"));
	assert_int_equal(mersey("metrics", "rbq", NULL), CLI_NOT_NOW);
	assert_has(run_out, "\nmersey_up{trust=\"rbq\"} 0\n");
	assert_int_equal(mersey("metrics", "--out", "/nowhere/x", NULL),
			 CLI_FAILED);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status),
		TEST(test_flow),
		TEST(test_quota),
		TEST(test_quota_differs),
		TEST(test_unlock),
		TEST(test_store_test),
		TEST(test_store_test_fails),
		TEST(test_degraded),
		TEST(test_one_offline),
		TEST(test_files),
		TEST(test_through_a_symlink),
		TEST(test_refused),
		TEST(test_jobs_and_doctor),
		TEST(test_alarms),
		TEST(test_metrics),
		TEST(test_metrics_offline),
	};

	if (argc > 1 && strcmp(argv[1], STRANGER) == 0)
		_exit(run_as_stranger()); /* it is not to be examined */
	return RUN_TESTS(tests, NULL, NULL);
}
