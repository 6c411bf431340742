/* SPDX-License-Identifier: Apache-2.0 */
/* Bandwidth by timetable, around a store that takes no time. Time is moved by
 * hand, or by waiting for what is owed. */
#include "tests/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/flow.h"
#include "tests/unit/store/http_server.h"

#define KIB 1024
#define MIB ((size_t)1 << 20)

static struct fake {
	struct store base;
	ssize_t rc;
	bool unsent;
	_Atomic uint64_t max_rate; /* of the latest call */
	atomic_uint calls;
} fake;
static struct store_bandwidth table;
static struct store_pace pace;
static struct store *st;
static char data[8 << 20];

static int fake_put(struct store *s, const char *key, const void *src,
		    size_t len, const struct store_put_opts *opts)
{
	atomic_fetch_add(&fake.calls, 1);
	fake.max_rate = store_call.max_rate;
	store_call.sent = !fake.unsent;
	return fake.rc < 0 ? (int)fake.rc : 0;
}

static ssize_t fake_get(struct store *s, const char *key, uint64_t off,
			void *dst, size_t len)
{
	atomic_fetch_add(&fake.calls, 1);
	fake.max_rate = store_call.max_rate;
	store_call.sent = !fake.unsent;
	return fake.rc;
}

static void fake_free(struct store *s)
{
}

static const struct store_ops fake_ops = { .put = fake_put,
					   .get = fake_get,
					   .free = fake_free };

static void rule(const char *when, uint64_t up, uint64_t down)
{
	struct store_bandwidth_rule *r = &table.rule[table.n++];

	r->when = WHEN_ALWAYS;
	if (when)
		assert_int_equal(when_parse(when, &r->when), 0);
	r->rates = (struct store_rates){ up, down };
}

static int setup(void **state)
{
	fake = (struct fake){ .base.ops = &fake_ops, .rc = 1 };
	table = (struct store_bandwidth){ .n = 0 };
	store_pace_init(&pace, &table);
	st = store_pace_new(&fake.base, &pace, false);
	return st ? 0 : -1;
}

static int teardown(void **state)
{
	store_free(st);
	store_pace_done(&pace);
	return 0;
}

static int put(size_t len)
{
	return store_put(st, "k", data, len, NULL);
}

static int get(size_t len)
{
	return (int)store_get(st, "k", 0, data, len);
}

/* Would a call have to wait for more than a second? */
static bool must_wait(int (*call)(size_t len))
{
	unsigned calls = fake.calls;
	int rc;

	clock_shift(0, NSEC_PER_SEC);
	store_call.deadline_ns = clock_boot_ns() + 1;
	rc = call(1);
	store_call.deadline_ns = 0;
	if (rc != -ETIMEDOUT)
		return false;
	assert_non_null(strstr(store_detail(), "bandwidth"));
	assert_int_equal(store_call.sent, 0);
	assert_int_equal(fake.calls, calls);
	return true;
}

static void pass(int64_t ns)
{
	clock_shift(0, ns);
}

static void test_none(void **state)
{
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(put(MIB), 0);
		fake.rc = MIB;
		assert_int_equal(get(MIB), MIB);
	}
	assert_int_equal(fake.max_rate, 0);
}

/* A minute's worth of data takes a minute, in one object or in many. */
static void test_rate(void **state)
{
	rule(NULL, MIB / 8, 0);
	assert_int_equal(put(8 * MIB), 0); /* 64 s */
	assert_int_equal(fake.max_rate, MIB / 8);
	assert_int_equal(store_call.max_rate, 0);
	assert_true(must_wait(put));
	pass(30 * NSEC_PER_SEC);
	assert_true(must_wait(put));
	pass(40 * NSEC_PER_SEC);
	assert_false(must_wait(put));
	/* The other direction has no limit. */
	fake.rc = MIB;
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(MIB), MIB);
	assert_int_equal(fake.max_rate, 0);
}

/* What was not used is not saved for later, but for a moment. */
static void test_saved(void **state)
{
	rule(NULL, MIB / 8, 0);
	assert_false(must_wait(put));
	pass(3600 * NSEC_PER_SEC);
	assert_int_equal(put(MIB), 0);
	pass(5 * NSEC_PER_SEC); /* and one in must_wait(), of almost eight */
	assert_true(must_wait(put));
}

/* It waits by itself, as long as it takes. */
static void test_waits(void **state)
{
	int64_t start = clock_boot_ns();

	rule(NULL, 0, 10 * MIB);
	fake.rc = MIB;
	for (int i = 0; i < 6; i++)
		assert_int_equal(get(MIB), MIB);
	/* Five of them were paid for, the first with what was saved. */
	assert_true(clock_boot_ns() - start >= NSEC_PER_SEC / 5);
	assert_int_equal(fake.max_rate, 10 * MIB);
}

/* Only what went over the line counts. */
static void test_refund(void **state)
{
	rule(NULL, 100 * KIB, 100 * KIB);
	fake.rc = -EAGAIN;
	fake.unsent = true;
	assert_int_equal(put(8 * MIB), -EAGAIN);
	assert_false(must_wait(put));
	assert_int_equal(get(8 * MIB), -EAGAIN);
	assert_false(must_wait(get));
	fake.unsent = false;
	fake.rc = -ENOENT;
	assert_int_equal(get(8 * MIB), -ENOENT);
	assert_false(must_wait(get));
	fake.rc = 10; /* the end of the object */
	assert_int_equal(get(8 * MIB), 10);
	assert_false(must_wait(get));
	fake.rc = -ECONNRESET; /* nobody knows how much came */
	assert_int_equal(get(8 * MIB), -ECONNRESET);
	assert_true(must_wait(get));
	assert_int_equal(put(8 * MIB), -ECONNRESET);
	assert_true(must_wait(put));
}

/* Wall time is put where the timetable says something else. */
static void set_hour(int hour)
{
	time_t now = clock_wall_ns() / NSEC_PER_SEC;
	struct tm tm;

	gmtime_r(&now, &tm);
	clock_shift(((hour - tm.tm_hour) * 60 - tm.tm_min) * 60 * NSEC_PER_SEC,
		    0);
}

static void test_timetable(void **state)
{
	rule("08:00-18:00", 50 * KIB, 50 * KIB);
	rule("20:00-21:00", 0, 8 * MIB);
	rule(NULL, 100 * MIB, 100 * MIB);
	set_hour(9);
	assert_int_equal(put(8 * MIB), 0);
	assert_int_equal(fake.max_rate, 50 * KIB);
	assert_true(must_wait(put));
	pass(10 * NSEC_PER_SEC);
	assert_true(must_wait(put));
	/* The rest of what is owed is paid at the rate of the evening. */
	set_hour(19);
	assert_true(must_wait(put));
	assert_false(must_wait(put));
	assert_int_equal(fake.max_rate, 100 * MIB);
	/* No limit: what is owed is forgotten. */
	set_hour(9);
	assert_int_equal(put(8 * MIB), 0);
	set_hour(20);
	assert_false(must_wait(put));
	assert_int_equal(fake.max_rate, 0);
	set_hour(9);
	assert_false(must_wait(put));
}

static void *waiting_put(void *arg)
{
	int *rc = arg;

	*rc = put(1);
	return NULL;
}

static pthread_t put_in_thread(int *rc)
{
	pthread_t t;
	unsigned n = 0;

	assert_int_equal(pthread_create(&t, NULL, waiting_put, rc), 0);
	while (n == 0) {
		sched_yield();
		pthread_mutex_lock(&pace.lock);
		n = pace.up.queue.waiting;
		pthread_mutex_unlock(&pace.lock);
	}
	return t;
}

/* Who waits already sees the next line of the timetable. */
static void test_changes_while_waiting(void **state)
{
	pthread_t t;
	int rc = 1;

	rule("08:00-18:00", 10 * KIB, 0);
	set_hour(17);
	assert_int_equal(put(8 * MIB), 0); /* more than ten minutes */
	t = put_in_thread(&rc);
	set_hour(18);
	pthread_join(t, NULL);
	assert_int_equal(rc, 0);
}

static void test_stop(void **state)
{
	pthread_t t;
	int rc = 1;

	rule(NULL, 10 * KIB, 0);
	assert_int_equal(put(8 * MIB), 0);
	t = put_in_thread(&rc);
	store_pace_stop(&pace);
	pthread_join(t, NULL);
	assert_int_equal(rc, -EAGAIN);
}

#define THREADS 8

static void *many_puts(void *arg)
{
	for (int i = 0; i < 50; i++)
		if (put(10 * KIB) != 0)
			return NULL;
	return arg;
}

/* Together they stay within the rate. */
static void test_threads(void **state)
{
	int64_t start = clock_boot_ns(), least;
	pthread_t t[THREADS];
	void *ret;

	rule(NULL, 16 * MIB, 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, many_puts, st), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &ret);
		assert_ptr_equal(ret, st);
	}
	assert_int_equal(fake.calls, THREADS * 50);
	/* All but the last, and what may be saved. */
	least = (int64_t)((THREADS * 50 - 1) * 10 * KIB - 4 * MIB) *
		NSEC_PER_SEC / (int64_t)(16 * MIB);
	assert_true(clock_boot_ns() - start >= least);
}

/* --- inside a transfer of the S3 driver --------------------------------- */

static bool answer(const struct http_request *r, struct buf *out, void *arg)
{
	if (strcmp(r->method, "PUT") == 0)
		buf_addf(out, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n"
			      "Content-Length: 0\r\n\r\n");
	else
		buf_addf(out,
			 "HTTP/1.1 206 Partial Content\r\n"
			 "Content-Range: bytes 0-%zu/%zu\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 sizeof(data) - 1, sizeof(data), sizeof(data));
	if (strcmp(r->method, "GET") == 0)
		buf_add(out, data, sizeof(data));
	return true;
}

/* The first one does not wait: it is slow. */
static void test_s3_is_slow(void **state)
{
	struct http_server *server = http_server_start(answer, NULL);
	struct store_opts o = { .kind = STORE_S3,
				.name = "fake",
				.endpoint = http_server_url(server),
				.region = "r",
				.bucket = "bucket",
				.prefix = "",
				.in_flight = 1,
				.access_key = "AK",
				.secret_key = "SK" };
	struct store *s3 = NULL;
	int64_t start;

	assert_int_equal(store_open(&o, &s3, NULL), 0);
	store_free(st);
	st = store_pace_new(s3, &pace, false);
	rule(NULL, 4 * MIB, 4 * MIB);
	start = clock_boot_ns();
	assert_int_equal(put(sizeof(data)), 0);
	assert_true(clock_boot_ns() - start > NSEC_PER_SEC / 2);
	start = clock_boot_ns();
	assert_int_equal(get(sizeof(data)), sizeof(data));
	assert_true(clock_boot_ns() - start > NSEC_PER_SEC / 2);
	store_free(take(st));
	http_server_stop(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_rate),
		TEST(test_saved),
		TEST(test_waits),
		TEST(test_refund),
		TEST(test_timetable),
		TEST(test_changes_while_waiting),
		TEST(test_stop),
		TEST(test_threads),
		TEST(test_s3_is_slow),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return RUN_TESTS(tests, NULL, NULL);
}
