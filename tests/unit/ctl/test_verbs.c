/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs do and tell, on real files. */
#include "tests/unit/ctl/util.h"

#define EVICT(p)                                                           \
	"{\"id\":1,\"verb\":\"evict\",\"args\":{\"paths\":[{\"path\":\"" p \
	"\"}]}}"
#define RECALL(p)                                                           \
	"{\"id\":1,\"verb\":\"recall\",\"args\":{\"paths\":[{\"path\":\"" p \
	"\"}]}}"
#define INFO(p)                                                           \
	"{\"id\":1,\"verb\":\"info\",\"args\":{\"paths\":[{\"path\":\"" p \
	"\"}]}}"
#define WAIT(p)                                                           \
	"{\"id\":1,\"verb\":\"wait\",\"args\":{\"paths\":[{\"path\":\"" p \
	"\"}]}}"

static uint64_t make_in(uint64_t parent, const char *name, size_t n)
{
	uint64_t ino = new_file_in(parent, name, S_IFREG | 0644);

	write_file(ino, ino, n);
	assert_int_equal(cache_flush(c), 0);
	return ino;
}

static uint64_t make_dir(uint64_t parent, const char *name)
{
	return new_file_in(parent, name, S_IFDIR | 0755);
}

/* ---- status --------------------------------------------------------- */

static void test_status(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;
	uint64_t ino = make_in(META_ROOT_INO, "a", 100000);

	a = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(a, "result.trust"), "rem");
	assert_string_equal(text_at(a, "result.state"), "online");
	assert_int_equal(int_at(a, "result.files"), 2);
	assert_int_equal(int_at(a, "result.unprotected.files"), 1);
	assert_int_equal(int_at(a, "result.unprotected.bytes"), 100000);
	assert_true(text_at(a, "result.unprotected.oldest_at")[0]);
	assert_int_equal(int_at(a, "result.by_state.dirty.files"), 1);
	assert_int_equal(int_at(a, "result.cache_size_bytes"), 1024 * MIB);
	assert_string_equal(text_at(a, "result.queues.0.name"), "protect");
	assert_int_equal(int_at(a, "result.queues.0.waiting"), 1);
	assert_int_equal(json_array_size(at(a, "result.problems")), 0);
	assert_true(json_is_null(at(a, "result.cache_room_seconds")));
	assert_true(json_is_null(at(a, "result.recall.recall_amplification")));

	assert_int_equal(fake_protect(ino), 0);
	fake.asked = 1000;
	b = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_int_equal(int_at(b, "result.unprotected.files"), 0);
	assert_true(json_is_null(at(b, "result.unprotected.oldest_at")));
	assert_true(json_is_null(at(b, "result.unprotected.oldest_seconds")));
	assert_int_equal(int_at(b, "result.recall.fetched_bytes"), 3000);
	assert_int_equal(int_at(b, "result.recall.requests"), 7);
	assert_true(json_number_value(at(
			    b, "result.recall.recall_amplification")) == 3.0);
}

static void test_status_two(void **state)
{
	CLEANUP_JSON json_t *a = ask("{\"id\":1,\"verb\":\"status\"}"),
			    *b = NULL;
	json_t *s = at(a, "result.stores");

	assert_int_equal(json_array_size(s), 2);
	assert_string_equal(text_at(json_array_get(s, 0), "tier"), "near");
	assert_string_equal(text_at(json_array_get(s, 0), "storage_class"),
			    "STANDARD");
	assert_string_equal(text_at(json_array_get(s, 1), "tier"), "cold");
	assert_string_equal(text_at(json_array_get(s, 1), "store"), "aws");
	assert_string_equal(text_at(json_array_get(s, 1), "bucket"),
			    "rem-cold");
	assert_string_equal(text_at(json_array_get(s, 1), "storage_class"),
			    "GLACIER");
	store_health_refuse(&cold_health, -ENOENT, "no marker");
	b = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(b, "result.state"), "degraded");
	assert_string_equal(text_at(b, "result.problems.0.message"),
			    "store 'cold' refuses: no marker");
	assert_non_null(strstr(text_at(b, "result.problems.0.hint"),
			       "mersey trust add"));
	s = at(b, "result.stores");
	assert_true(json_is_null(at(json_array_get(s, 0), "error")));
	assert_string_equal(text_at(json_array_get(s, 1), "error"),
			    "no marker");
}

static void test_quota(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *s = NULL;
	struct meta_quota q = { .bytes = 1000, .files = 9 };

	make_in(META_ROOT_INO, "a", 400);
	make_dir(META_ROOT_INO, "d");
	a = ask("{\"id\":1,\"verb\":\"quota\"}");
	assert_string_equal(text_at(a, "result.trust"), "rem");
	assert_true(json_is_null(at(a, "result.quota.bytes")));
	assert_true(json_is_null(at(a, "result.left.files")));
	assert_int_equal(int_at(a, "result.used.bytes"), 400);
	assert_int_equal(int_at(a, "result.used.files"), 2);
	meta_quota_set(m, &q);
	b = ask("{\"id\":1,\"verb\":\"quota_check\"}");
	assert_int_equal(int_at(b, "result.quota.bytes"), 1000);
	assert_int_equal(int_at(b, "result.left.bytes"), 600);
	assert_int_equal(int_at(b, "result.left.files"), 7);
	assert_int_equal(int_at(b, "result.counted.bytes"), 400);
	assert_int_equal(int_at(b, "result.counters.files"), 2);
	assert_true(json_is_true(at(b, "result.exact")));
	assert_int_equal(json_array_size(at(b, "result.problems")), 0);
	s = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_int_equal(int_at(s, "result.quota.files"), 9);
	assert_int_equal(int_at(s, "result.quota.used_bytes"), 400);
}

static void test_status_degraded(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;

	make_in(META_ROOT_INO, "a", MIB);
	clock_shift(1000 * NSEC_PER_SEC, 1000 * NSEC_PER_SEC);
	a = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(a, "result.state"), "degraded");
	assert_string_equal(text_at(a, "result.problems.0.code"),
			    "unprotected");
	/* 1023 MiB left at 1 MiB in 1000 s */
	assert_true(int_at(a, "result.cache_room_seconds") > 1000000);
	health.down = true;
	health.since_ns = clock_wall_ns();
	strcpy(health.detail, "connection timed out");
	strcpy(fake.reason, "store 'near'");
	flow.breaker.state = STORE_OPEN;
	flow.breaker.since_ns = clock_wall_ns();
	flow.breaker.probe_ns = clock_boot_ns() + 3 * NSEC_PER_SEC;
	flow.limiter.milli = 4000;
	bandwidth.rule[0] =
		(struct store_bandwidth_rule){ .when = WHEN_ALWAYS,
					       .rates = { .up = 50000000 } };
	bandwidth.n = 1;
	b = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(b, "result.problems.0.code"), "store_down");
	assert_string_equal(text_at(b, "result.stores.0.state"), "down");
	assert_string_equal(text_at(b, "result.stores.0.error"),
			    "connection timed out");
	assert_string_equal(text_at(a, "result.stores.0.breaker"), "closed");
	assert_true(json_is_null(at(a, "result.stores.0.next_probe_at")));
	assert_string_equal(text_at(b, "result.stores.0.breaker"), "open");
	assert_true(json_is_string(at(b, "result.stores.0.breaker_since")));
	assert_true(json_is_string(at(b, "result.stores.0.next_probe_at")));
	assert_true(
		json_is_null(at(a, "result.bandwidth.up_bytes_per_second")));
	assert_int_equal(int_at(b, "result.bandwidth.up_bytes_per_second"),
			 50000000);
	assert_true(
		json_is_null(at(b, "result.bandwidth.down_bytes_per_second")));
	assert_int_equal(int_at(a, "result.stores.0.in_flight_limit"), 16);
	assert_int_equal(int_at(b, "result.stores.0.in_flight_limit"), 4);
	assert_int_equal(int_at(b, "result.stores.0.in_flight_max"), 16);
	assert_string_equal(text_at(b, "result.queues.0.reason"),
			    "store 'near'");
	assert_int_equal(int_at(b, "result.queues.0.active"), 1);
	clock_shift(-1000 * NSEC_PER_SEC, -1000 * NSEC_PER_SEC);
}

/* ---- info ----------------------------------------------------------- */

static void test_info(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *d = NULL;
	uint64_t freed, ino = make_in(META_ROOT_INO, "a", 150000);

	a = ask(INFO("a"));
	assert_string_equal(text_at(a, "result.files.0.state"), "dirty");
	assert_int_equal(int_at(a, "result.files.0.size_bytes"), 150000);
	assert_int_equal(json_array_size(at(a, "result.files.0.extents")), 0);
	assert_true(json_is_null(at(a, "result.files.0.tier")));
	assert_int_equal(fake_protect(ino), 0);
	b = ask(INFO("/a/"));
	assert_string_equal(text_at(b, "result.files.0.state"), "local");
	assert_string_equal(text_at(b, "result.files.0.tier"), "near");
	assert_int_equal(int_at(b, "result.files.0.inode"), ino);
	assert_int_equal(int_at(b, "result.files.0.extents.0.bytes"), 150000);
	assert_non_null(strstr(text_at(b, "result.files.0.extents.0.object"),
			       "packs/00000001-"));
	assert_true(json_is_true(at(b, "result.files.0.extents.0.cached")));
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	d = ask(INFO("a"));
	assert_string_equal(text_at(d, "result.files.0.state"), "remote");
	assert_true(json_is_false(at(d, "result.files.0.extents.0.cached")));
	assert_int_equal(int_at(d, "result.files.0.cached_bytes"), 0);
}

static void put_in_study(uint64_t ino)
{
	struct meta_study s = { .uid = "1.2.3",
				.patient = "caf\xe9", /* no UTF-8 */
				.modality = "CT\\SR" };
	struct meta_instance at = { 0 };
	struct meta_inode row;
	META_TXN(t);

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_study_put(&t, &s), 0);
	at.study = s.row;
	assert_int_equal(meta_inode_get(&t, ino, &row), 0);
	assert_int_equal(meta_instance_set(&t, ino, row.content_version, &at),
			 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static void test_info_study(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;
	uint64_t ino = make_in(META_ROOT_INO, "a", 100);

	a = ask(INFO("a"));
	assert_true(json_is_null(at(a, "result.files.0.study_uid")));
	assert_true(json_is_null(at(a, "result.files.0.modality")));
	put_in_study(ino);
	b = ask(INFO("a"));
	assert_string_equal(text_at(b, "result.files.0.study_uid"), "1.2.3");
	assert_string_equal(text_at(b, "result.files.0.modality"), "CT\\SR");
	assert_true(json_is_null(at(b, "result.files.0.patient_id")));
}

static void test_info_names(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	uint64_t dirs = make_dir(META_ROOT_INO, "d\xff");

	make_in(dirs, "x\ny", 1);
	/* d\xff/x\ny, and one that is not there */
	a = ask("{\"id\":1,\"verb\":\"info\",\"args\":{\"paths\":["
		"{\"path_base64\":\"ZP8veAp5\"},{\"path\":\"gone\"}]}}");
	assert_int_equal(json_array_size(at(a, "result.files")), 1);
	assert_string_equal(text_at(a, "result.files.0.path_base64"),
			    "ZP8veAp5");
	assert_string_equal(text_at(a, "result.problems.0.path"), "gone");
	assert_string_equal(text_at(a, "result.problems.0.code"), "not_found");
}

/* ---- evict and recall ----------------------------------------------- */

static void test_evict(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *dry = NULL;
	uint64_t sub = make_dir(make_dir(META_ROOT_INO, "d"), "sub");
	uint64_t one = make_in(sub, "one", 70000);
	uint64_t two = make_in(sub, "two", 70000);
	uint64_t open = make_in(sub, "open", 70000);
	struct cache_file *f;

	make_in(sub, "dirty", 10);
	assert_int_equal(fake_protect(one), 0);
	assert_int_equal(fake_protect(two), 0);
	assert_int_equal(fake_protect(open), 0);
	f = file_open(open, false);
	dry = ask("{\"id\":1,\"verb\":\"evict\",\"args\":{\"dry_run\":true,"
		  "\"paths\":[{\"path\":\"d\"}]}}");
	assert_true(json_is_true(at(dry, "result.dry_run")));
	assert_int_equal(state_of(one), META_LOCAL);

	a = ask(EVICT("d"));
	assert_int_equal(int_at(a, "result.files"), 2);
	assert_true(int_at(a, "result.bytes") >= 140000);
	assert_int_equal(int_at(a, "result.skipped_files"), 2);
	assert_int_equal(state_of(one), META_REMOTE);
	assert_int_equal(state_of(open), META_LOCAL);
	file_close(f, false);

	b = ask(EVICT("d/sub/dirty"));
	assert_int_equal(int_at(b, "result.files"), 0);
	assert_string_equal(text_at(b, "result.skipped.0.path"), "d/sub/dirty");
	assert_string_equal(text_at(b, "result.skipped.0.reason"),
			    "not protected yet");
}

static void test_evict_many(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	uint64_t d = make_dir(META_ROOT_INO, "d");
	char name[16];
	int i;

	/* more than a page of the walk and than a batch of the cache */
	for (i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(fake_protect(make_in(d, name, 100)), 0);
		snprintf(name, sizeof(name), "sub%d", i);
		if (i % 50 == 0)
			make_dir(d, name);
	}
	a = ask("{\"id\":1,\"verb\":\"evict\",\"args\":{\"paths\":["
		"{\"path\":\"d\"},{\"path\":\"d/f1\"},{\"path\":\"\"}]}}");
	assert_int_equal(int_at(a, "result.files"), 150);
	assert_int_equal(int_at(a, "result.skipped_files"), 0);
}

static void test_recall(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *again = NULL, *away = NULL;
	uint64_t freed, ino = make_in(META_ROOT_INO, "a", 150000);

	assert_int_equal(fake_protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	fake.recall_rc = -ETIMEDOUT;
	away = ask(RECALL("a"));
	assert_string_equal(error_code(away), "not_now");
	assert_string_equal(text_at(away, "error.errno"), "ETIMEDOUT");
	fake.recall_rc = -EIO;
	b = ask(RECALL("a"));
	assert_int_equal(int_at(b, "result.files"), 0);
	assert_int_equal(int_at(b, "result.skipped_files"), 1);
	fake.recall_rc = 0;
	a = ask(RECALL("a"));
	assert_int_equal(int_at(a, "result.files"), 1);
	assert_int_equal(int_at(a, "result.bytes"), 150000);
	assert_int_equal(state_of(ino), META_LOCAL);
	again = ask(RECALL("a"));
	assert_int_equal(int_at(again, "result.files"), 0);
}

/* ---- wait ----------------------------------------------------------- */

static void test_wait(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *all = NULL;
	uint64_t d = make_dir(META_ROOT_INO, "d");
	uint64_t one = make_in(d, "one", 70000), two = make_in(d, "two", 1);
	uint64_t other = make_in(META_ROOT_INO, "other", 5);

	a = ask(WAIT("d"));
	assert_int_equal(int_at(a, "result.files"), 2);
	assert_int_equal(int_at(a, "result.bytes"), 70001);
	assert_int_equal(fake.protects, 2);
	assert_int_equal(state_of(one), META_LOCAL);
	assert_int_equal(state_of(two), META_LOCAL);
	assert_int_equal(state_of(other), META_DIRTY);
	b = ask(WAIT("d"));
	assert_int_equal(int_at(b, "result.files"), 0);
	all = ask("{\"id\":1,\"verb\":\"wait\",\"args\":{\"all\":true}}");
	assert_int_equal(int_at(all, "result.files"), 1);
	assert_int_equal(int_at(all, "result.bytes"), 5);
	assert_int_equal(state_of(other), META_LOCAL);
}

static void test_wait_local(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	uint64_t ino = make_in(META_ROOT_INO, "a", 10);

	assert_int_equal(fake_protect(ino), 0);
	a = ask("{\"id\":1,\"verb\":\"wait\",\"args\":{\"until\":\"local\","
		"\"paths\":[{\"path\":\"a\"}]}}");
	assert_int_equal(int_at(a, "result.files"), 0);
}

struct hangup {
	struct ctl_peer *peer;
	int lines;
};

/* Progress arrives, and the second line finds nobody. */
static int hangup_send(void *arg, const char *line, size_t len)
{
	struct hangup *h = arg;
	CLEANUP_JSON json_t *o = NULL;

	assert_int_equal(proto_parse(line, len, &o, NULL), 0);
	assert_int_equal(int_at(o, "id"), 9);
	assert_int_equal(int_at(o, "progress.total_files"), 1);
	assert_string_equal(text_at(o, "progress.waiting_for"), "the store");
	if (++h->lines == 2)
		h->peer->gone = true;
	return 0;
}

static void test_wait_ends_when_the_client_leaves(void **state)
{
	struct ctl_peer p = { .send = hangup_send };
	struct hangup h = { .peer = &p };
	CLEANUP_JSON json_t *a = NULL;

	p.arg = &h;
	fake.hold = true;
	strcpy(fake.reason, "the store");
	make_in(META_ROOT_INO, "a", 10);
	a = ask_as(&p, "{\"id\":9,\"verb\":\"wait\",\"args\":{\"paths\":"
		       "[{\"path\":\"a\"}]}}");
	assert_string_equal(error_code(a), "cancelled");
	assert_int_equal(h.lines, 2);
}

static void test_wait_for_the_damaged(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	uint64_t ino = make_in(META_ROOT_INO, "a", 10);
	struct meta_inode in;

	fake.hold = true;
	row_get(ino, &in);
	in.damaged = true;
	row_put(&in);
	a = ask(WAIT("a"));
	assert_string_equal(error_code(a), "damaged");
}

/* ---- jobs, doctor, cost --------------------------------------------- */

static void test_jobs(void **state)
{
	CLEANUP_JSON json_t *a = ask("{\"id\":1,\"verb\":\"jobs\"}");
	json_t *jobs = at(a, "result.jobs"), *j;
	bool ledger = false;
	size_t i;

	json_array_foreach(jobs, i, j)
		ledger = ledger || strcmp(text_at(j, "job"), "ledger") == 0;
	assert_true(ledger);
	assert_string_equal(text_at(jobs, "0.job"), "protect");
	assert_string_equal(text_at(jobs, "0.trust"), "rem");
}

static const char *level_of(json_t *answer, const char *check)
{
	json_t *o;
	size_t i;

	json_array_foreach(at(answer, "result.checks"), i, o)
		if (strcmp(text_at(o, "check"), check) == 0)
			return text_at(o, "level");
	return "absent";
}

static void test_doctor(void **state)
{
	static const char *const ok[] = { "xattr", "leases", "database", "log",
					  "clock" };
	CLEANUP_JSON json_t *a = ask("{\"id\":1,\"verb\":\"doctor\"}");
	CLEANUP_JSON json_t *b = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ok); i++)
		assert_string_equal(level_of(a, ok[i]), "ok");
	assert_string_not_equal(level_of(a, "disk"), "absent");
	assert_string_equal(level_of(a, "store"), "fail"); /* no marker */
	assert_int_equal(store_put(worker.places[0].direct, PACK_MARKER_NAME,
				   "x", 1, NULL),
			 0);
	b = ask("{\"id\":1,\"verb\":\"doctor\"}");
	assert_string_equal(level_of(b, "store"), "ok");
}

static void test_missing_tier(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;

	worker.missing = "'cool'";
	a = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(a, "result.state"), "degraded");
	assert_non_null(
		strstr(text_at(a, "result.problems.0.message"), "tier 'cool'"));
	b = ask("{\"id\":1,\"verb\":\"doctor\"}");
	assert_string_equal(level_of(b, "tiers"), "fail");
}

static const char *path_reason;

static void data_path(void *arg, struct ctl_data_path *out)
{
	out->reason = path_reason;
	out->request[0] = (struct ctl_requests){ "read", 12 };
	out->request[1] = (struct ctl_requests){ "write", 0 };
	out->n = 2;
}

/* How files are read and written, for people and for programs. */
static void test_data_path(void **state)
{
	static const struct {
		const char *reason, *level;
	} want[] = { { NULL, "ok" },
		     { "off", "ok" },
		     { "kernel", "ok" },
		     { "broker", "warn" } };
	CLEANUP_JSON json_t *none = ask("{\"id\":1,\"verb\":\"status\"}");

	assert_true(json_is_null(at(none, "result.fuse")));
	assert_true(json_is_null(at(none, "result.worker.data_path")));
	worker.data_path = data_path;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CLEANUP_JSON json_t *s = NULL, *d = NULL;
		const char *path = want[i].reason ? "daemon" : "passthrough";

		path_reason = want[i].reason;
		s = ask("{\"id\":1,\"verb\":\"status\"}");
		d = ask("{\"id\":1,\"verb\":\"doctor\"}");
		assert_int_equal(json_is_true(at(s, "result.fuse.passthrough")),
				 !path_reason);
		assert_string_equal(text_at(s, "result.worker.data_path"),
				    path);
		if (path_reason)
			assert_string_equal(text_at(s, "result.fuse.reason"),
					    path_reason);
		assert_int_equal(int_at(s, "result.fuse.requests.read"), 12);
		assert_int_equal(int_at(s, "result.fuse.requests.write"), 0);
		assert_int_equal(int_at(s, "result.fuse.registered_files"), 0);
		assert_string_equal(level_of(d, "passthrough"), want[i].level);
	}
	worker.data_path = NULL;
}

static void test_cost(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	char now[CLOCK_ISO_SIZE], line[256];

	make_in(META_ROOT_INO, "a", 150000);
	move_protect_now(NULL, 0);
	clock_iso(clock_wall_ns(), now);
	snprintf(line, sizeof(line),
		 "{\"id\":1,\"verb\":\"cost\",\"args\":"
		 "{\"from\":\"%.10s\",\"to\":\"%.10s\"}}",
		 now, now);
	a = ask(line);
	assert_string_equal(text_at(a, "result.rows.0.trust"), "rem");
	assert_string_equal(text_at(a, "result.currency"), "GBP");
	assert_int_equal(int_at(a, "result.rows.0.requests.puts"), 3);
	/* 3 x 0.0053 / 1000 + 1 x 0.00042 / 1000 */
	assert_string_equal(text_at(a, "result.totals.requests.amount"),
			    "0.0000163200");
	assert_int_equal(int_at(a, "result.rows.0.current_bytes"), 150000);
	assert_string_equal(text_at(a, "result.prices.0.table"), "onprem");
	assert_string_equal(text_at(a, "result.prices.0.unconfirmed.0"),
			    "STANDARD requests");
	assert_true(json_is_true(at(a, "result.estimate")));
	assert_string_equal(text_at(a, "result.period.from"),
			    text_at(a, "result.period.to"));
}

static void test_cost_period(void **state)
{
	CLEANUP_JSON json_t *ten = NULL, *more = NULL;

	ten = ask("{\"id\":1,\"verb\":\"cost\",\"args\":"
		  "{\"from\":\"2026-01-01\",\"to\":\"2035-12-31\"}}");
	assert_string_equal(text_at(ten, "result.period.to"), "2035-12-31");
	more = ask("{\"id\":1,\"verb\":\"cost\",\"args\":"
		   "{\"from\":\"2026-01-01\",\"to\":\"9999-12-31\"}}");
	assert_string_equal(text_at(more, "error.errno"), "EINVAL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(test_status),
		WORKER_TWO_TEST(test_status_two),
		WORKER_TEST(test_quota),
		WORKER_TEST(test_status_degraded),
		WORKER_TEST(test_missing_tier),
		WORKER_TEST(test_info),
		WORKER_TEST(test_info_study),
		WORKER_TEST(test_info_names),
		WORKER_TEST(test_evict),
		WORKER_TEST(test_evict_many),
		WORKER_TEST(test_recall),
		WORKER_TEST(test_wait),
		WORKER_TEST(test_wait_local),
		WORKER_TEST(test_wait_ends_when_the_client_leaves),
		WORKER_TEST(test_wait_for_the_damaged),
		WORKER_TEST(test_jobs),
		WORKER_TEST(test_doctor),
		WORKER_TEST(test_data_path),
		WORKER_TEST(test_cost),
		WORKER_TEST(test_cost_period),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
