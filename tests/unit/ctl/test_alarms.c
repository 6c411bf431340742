/* SPDX-License-Identifier: Apache-2.0 */
/* What a trust's state raises and clears, and the verbs that show it. */
#include "tests/unit/ctl/util.h"

#include "ctl/watch.h"
#include "meta/internal.h"

static struct alarm list[ALARMS_MAX];

/* Looks, and again when it has lasted for `seconds`. */
static void look(int64_t seconds)
{
	assert_int_equal(ctl_watch(&worker), 0);
	assert_int_equal(alarms_tick(worker.alarms), 0);
	clock_shift(seconds * NSEC_PER_SEC, seconds * NSEC_PER_SEC);
	assert_int_equal(ctl_watch(&worker), 0);
	assert_int_equal(alarms_tick(worker.alarms), 0);
}

static bool active(enum alarm_code code)
{
	size_t n = alarms_list(worker.alarms, list, ALARMS_MAX), i;

	for (i = 0; i < n; i++)
		if (list[i].code == code && !list[i].cleared_ns)
			return true;
	return false;
}

static void fill(const char *name, size_t n)
{
	write_file(new_file_in(META_ROOT_INO, name, S_IFREG | 0644), 1, n);
	assert_int_equal(cache_flush(c), 0);
}

static void test_nothing(void **state)
{
	fill("a", 1000);
	look(600);
	assert_int_equal(alarms_list(worker.alarms, list, ALARMS_MAX), 0);
}

static void test_store(void **state)
{
	health.down = true;
	health.since_ns = 1;
	strcpy(health.detail, "timed out");
	look(100);
	assert_false(active(ALARM_STORE_DOWN));
	look(60);
	assert_true(active(ALARM_STORE_DOWN));
	assert_string_equal(list[0].message,
			    "store 'near' does not answer: timed out");
	health.down = false;
	health.last_error = -EACCES;
	strcpy(health.detail, "no such key");
	look(61);
	assert_false(active(ALARM_STORE_DOWN));
	assert_true(active(ALARM_STORE_REFUSES));
	health.last_error = 0;
	look(61);
	assert_false(active(ALARM_STORE_REFUSES));
}

/* Each bucket has its own: one that is away does not hide another. */
static void test_two_stores(void **state)
{
	cold_health.down = true;
	cold_health.since_ns = 1;
	strcpy(cold_health.detail, "timed out");
	look(100);
	look(60);
	assert_true(active(ALARM_STORE_DOWN));
	assert_string_equal(list[0].subject, "cold");
	assert_string_equal(list[0].message,
			    "store 'cold' does not answer: timed out");
	health.down = true;
	health.since_ns = 1;
	strcpy(health.detail, "no route");
	cold_health.down = false;
	look(100);
	look(60);
	assert_true(active(ALARM_STORE_DOWN));
	assert_string_equal(list[0].subject, "");
	assert_string_equal(list[0].message,
			    "store 'near' does not answer: no route");
}

static void test_unprotected(void **state)
{
	fill("a", 1000);
	fake.hold = true;
	look(901);
	assert_true(active(ALARM_UNPROTECTED));
	fake.hold = false;
	move_protect_now(NULL, 0);
	look(1);
	assert_false(active(ALARM_UNPROTECTED));
}

/* 600 MB in 100 s leave 1 GiB for less than two days; that is no matter
 * while the store works. */
static void test_room(void **state)
{
	fill("a", 600000000 / 64);
	m->now.bytes[META_DIRTY] += 590000000;
	look(100);
	look(60);
	assert_false(active(ALARM_CACHE_ROOM));
	health.down = true;
	look(60);
	assert_true(active(ALARM_CACHE_ROOM));
	health.down = false;
	look(61);
	assert_false(active(ALARM_CACHE_ROOM));
	m->now.bytes[META_DIRTY] -= 590000000;
}

static void test_disk(void **state)
{
	struct cache_usage u;

	cache_usage(c, &u);
	worker.disk_reserve = u.disk_free * 4;
	look(31);
	assert_true(active(ALARM_DISK_RESERVE));
	worker.disk_reserve = u.disk_free / 3 * 5; /* between the two */
	look(61);
	assert_true(active(ALARM_DISK_RESERVE));
	worker.disk_reserve = u.disk_free / 2;
	look(61);
	assert_false(active(ALARM_DISK_RESERVE));
}

/* Until what was refused, or is late, is there. */
static void test_restores(void **state)
{
	fake.restores = (struct move_restores){ .ordered = 3 };
	look(61);
	assert_false(active(ALARM_RECALL_LATE));
	fake.restores.failed = 1;
	look(59);
	assert_false(active(ALARM_RECALL_LATE));
	look(2);
	assert_true(active(ALARM_RECALL_LATE));
	fake.restores.failed = 0;
	look(61);
	assert_false(active(ALARM_RECALL_LATE));
}

static void test_quota_near(void **state)
{
	struct meta_quota q = { .bytes = 1000 };

	fill("a", 949);
	meta_quota_set(m, &q);
	look(61);
	assert_false(active(ALARM_QUOTA));
	q.bytes = 998;
	meta_quota_set(m, &q);
	look(61);
	assert_true(active(ALARM_QUOTA));
	q.bytes = 1050; /* 90.4 % */
	meta_quota_set(m, &q);
	look(61);
	assert_true(active(ALARM_QUOTA));
	q.bytes = 0;
	q.files = 100;
	meta_quota_set(m, &q);
	look(61);
	assert_false(active(ALARM_QUOTA));
	q.files = 1;
	meta_quota_set(m, &q);
	look(61);
	assert_true(active(ALARM_QUOTA));
}

static void test_job(void **state)
{
	fake.failing = 4;
	look(61);
	assert_false(active(ALARM_JOB_FAILING));
	fake.failing = 5;
	health.down = true; /* that is why */
	look(61);
	assert_false(active(ALARM_JOB_FAILING));
	health.down = false;
	look(61);
	assert_true(active(ALARM_JOB_FAILING));
	assert_string_equal(list[0].subject, "protect");
	fake.failing = 1;
	look(61);
	assert_true(active(ALARM_JOB_FAILING));
	fake.failing = 0;
	look(61);
	assert_false(active(ALARM_JOB_FAILING));
}

static const char *path_reason;

static void fake_path(void *arg, struct ctl_data_path *out)
{
	out->reason = path_reason;
}

static void test_passthrough(void **state)
{
	static const struct {
		const char *reason;
		bool wrong;
	} want[] = { { "off", false },	  { "broker", true },
		     { NULL, false },	  { "filesystem", true },
		     { "kernel", false }, { "not_root", false } };

	worker.data_path = fake_path;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		path_reason = want[i].reason;
		look(61);
		assert_int_equal(active(ALARM_PASSTHROUGH), want[i].wrong);
	}
}

/* ---- verbs ---------------------------------------------------------- */

#define ALARMS "{\"id\":1,\"verb\":\"alarms\"}"
#define ACK(id) \
	"{\"id\":1,\"verb\":\"alarms_ack\",\"args\":{\"alarm\":" #id "}}"

static void test_verbs(void **state)
{
	struct ctl_peer nobody = { .uid = 4000000000U },
			ops = { .uid = ops_uid };
	CLEANUP_JSON json_t *a = NULL, *b = NULL, *d = NULL;
	CLEANUP_JSON json_t *e = NULL, *f = NULL, *g = NULL;

	alarms_set(worker.alarms, ALARM_SUPERSEDED, NULL, ALARM_ON,
		   "gateway 'gw2' writes \xc3");
	look(1);
	a = ask(ALARMS);
	assert_string_equal(text_at(a, "result.alarms.0.id"), "rem-1");
	assert_string_equal(text_at(a, "result.alarms.0.code"), "superseded");
	assert_string_equal(text_at(a, "result.alarms.0.severity"), "critical");
	assert_string_equal(text_at(a, "result.alarms.0.message"),
			    "gateway 'gw2' writes \xef\xbf\xbd");
	assert_true(json_is_null(at(a, "result.alarms.0.cleared_at")));
	assert_true(json_is_null(at(a, "result.alarms.0.acked_by")));
	b = ask_as(&nobody, ACK(1));
	assert_string_equal(text_at(b, "error.errno"), "EPERM");
	d = ask_as(&ops, ACK(1));
	assert_string_equal(text_at(d, "result.alarms.0.acked_by"), "2001");
	assert_true(text_at(d, "result.alarms.0.acked_at")[0]);
	e = ask(ACK(1)); /* the first one counts */
	assert_string_equal(text_at(e, "result.alarms.0.acked_by"), "2001");
	f = ask(ACK(7));
	assert_string_equal(text_at(f, "error.message"),
			    "there is no alarm 'rem-7'");
	g = ask(ACK("1"));
	assert_string_equal(text_at(g, "error.errno"), "EINVAL");
}

/* An alarm is a problem; a warning does not make a trust degraded. */
static void test_status(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;

	alarms_after(worker.alarms, ALARM_LOG_LONG, 0);
	alarms_set(worker.alarms, ALARM_LOG_LONG, NULL, ALARM_ON, "long");
	assert_int_equal(alarms_tick(worker.alarms), 0);
	a = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(a, "result.state"), "online");
	assert_string_equal(text_at(a, "result.problems.0.code"), "log_long");
	assert_int_equal(int_at(a, "result.alarms.active"), 1);
	assert_int_equal(int_at(a, "result.alarms.unacknowledged"), 1);
	alarms_set(worker.alarms, ALARM_WORKER_DOWN, NULL, ALARM_ON, "down");
	health.down = true;
	health.since_ns = 1;
	look(121);
	b = ask("{\"id\":1,\"verb\":\"status\"}");
	assert_string_equal(text_at(b, "result.state"), "degraded");
	assert_int_equal(json_array_size(at(b, "result.problems")), 2);
	assert_string_equal(text_at(b, "result.problems.0.code"), "store_down");
	assert_string_equal(text_at(b, "result.problems.1.code"),
			    "worker_down");
	assert_int_equal(int_at(b, "result.alarms.active"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(test_nothing),
		WORKER_TEST(test_store),
		WORKER_TWO_TEST(test_two_stores),
		WORKER_TEST(test_unprotected),
		WORKER_TEST(test_room),
		WORKER_TEST(test_disk),
		WORKER_TEST(test_quota_near),
		WORKER_TEST(test_restores),
		WORKER_TEST(test_job),
		WORKER_TEST(test_passthrough),
		WORKER_TEST(test_verbs),
		WORKER_TEST(test_status),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
