/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of retries, the limit of requests in flight and the breaker,
 * around a store that does as it is told. Time is moved by hand. */
#include "tests/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/flow.h"

#define MSEC  INT64_C(1000000)
#define ORDER 32

/* Answers each get with `rc`, after during(), which may be used to make more
 * calls while this one is under way. */
struct fake {
	struct store base;
	ssize_t rc;
	bool throttled, unsent;
	void (*during)(void);
	atomic_uint calls, busy, most;
	pthread_mutex_t lock; /* guards what follows */
	char order[ORDER];    /* first letters of the keys */
};

static struct fake fake;
static struct store *st;
static struct store_limiter limiter;
static struct store_breaker breaker;
static struct store_budget budget;

static ssize_t fake_get(struct store *s, const char *key, uint64_t off,
			void *dst, size_t len)
{
	unsigned busy = atomic_fetch_add(&fake.busy, 1) + 1;
	unsigned most = atomic_load(&fake.most);
	void (*during)(void) = fake.during;
	unsigned n = atomic_fetch_add(&fake.calls, 1);

	while (busy > most &&
	       !atomic_compare_exchange_weak(&fake.most, &most, busy))
		;
	pthread_mutex_lock(&fake.lock);
	if (n < ORDER - 1)
		fake.order[n] = *key;
	pthread_mutex_unlock(&fake.lock);
	if (during) {
		fake.during = NULL;
		during();
	}
	atomic_fetch_sub(&fake.busy, 1);
	store_begin(!fake.unsent);
	store_call.throttled = fake.throttled;
	return fake.rc < 0 ? store_explain((int)fake.rc, "fake") : fake.rc;
}

static void fake_free(struct store *s)
{
}

static const struct store_ops fake_ops = { .get = fake_get, .free = fake_free };

static int setup(void **state)
{
	fake = (struct fake){ .base.ops = &fake_ops,
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .rc = 1 };
	store_budget_init(&budget);
	store_limiter_init(&limiter, 8);
	store_breaker_init(&breaker, 0);
	return 0;
}

static int teardown(void **state)
{
	store_free(st);
	st = NULL;
	store_breaker_done(&breaker);
	store_limiter_done(&limiter);
	store_budget_done(&budget);
	return 0;
}

static int get(const char *key)
{
	char c;

	return (int)store_get(st, key, 0, &c, 1);
}

static void pass(int64_t ns)
{
	clock_shift(0, ns);
}

/* Nothing that waits for time becomes due by itself in the meantime, however
 * slow this machine is. */
#define STILL (600 * NSEC_PER_SEC)

static void stand_still(void)
{
	pass(-STILL);
}

static void move_on(int64_t ns)
{
	pass(STILL + ns);
}

/* --- budget ------------------------------------------------------------ */

static void drain(void)
{
	while (store_budget_take(&budget))
		;
}

static void test_budget(void **state)
{
	assert_int_equal(store_budget_left(&budget), STORE_BUDGET_MAX);
	stand_still();
	drain();
	assert_int_equal(store_budget_left(&budget), 0);
	for (int i = 0; i < 50; i++)
		store_budget_earn(&budget);
	assert_int_equal(store_budget_left(&budget), 10);
	move_on(NSEC_PER_SEC);
	assert_in_range(store_budget_left(&budget), 10 + STORE_BUDGET_FLOOR,
			STORE_BUDGET_MAX);
	move_on(0);
	assert_int_equal(store_budget_left(&budget), STORE_BUDGET_MAX);
	stand_still();
	drain();
	store_budget_return(&budget);
	assert_true(store_budget_take(&budget));
}

static void retrying(unsigned attempts, int64_t deadline_ns)
{
	struct store_retry_opts o = { .attempts = attempts,
				      .deadline_ns = deadline_ns,
				      .base_ns = 1,
				      .budget = &budget };

	st = store_retry_new(&fake.base, &o);
	assert_non_null(st);
}

/* An outage: ten attempts for each call would be ten times the load. */
static void test_budget_bounds(void **state)
{
	int64_t start = clock_boot_ns(), secs;

	retrying(10, 0);
	fake.rc = -EAGAIN;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(get("k"), -EAGAIN);
	secs = (clock_boot_ns() - start) / NSEC_PER_SEC + 1;
	assert_true(fake.calls > 2000 + 2000 / 10);
	assert_true(fake.calls <= 2000 + 2000 / 5 + STORE_BUDGET_MAX +
					  STORE_BUDGET_FLOOR * secs);
	assert_string_equal(store_detail(), "fake");
}

/* What did not leave this machine was no load. */
static void test_budget_unsent(void **state)
{
	retrying(10, 0);
	fake.rc = -ECONNREFUSED;
	fake.unsent = true;
	for (int i = 0; i < 50; i++)
		assert_int_equal(get("k"), -ECONNREFUSED);
	assert_int_equal(fake.calls, 500);
}

static void succeed(void)
{
	fake.rc = 1;
}

static void fail_then_succeed(void)
{
	fake.rc = -EAGAIN;
	drain();
	fake.during = succeed;
}

static void test_budget_is_waited_for(void **state)
{
	retrying(10, 600 * NSEC_PER_SEC);
	fake.during = fail_then_succeed;
	assert_int_equal(get("k"), 1);
	assert_int_equal(fake.calls, 2);
}

static void test_budget_deadline(void **state)
{
	retrying(1000000, 250 * MSEC);
	fake.rc = -EAGAIN;
	drain();
	assert_int_equal(get("k"), -ETIMEDOUT);
	assert_true(fake.calls >= 1);
}

static void stop_retries(void)
{
	store_budget_stop(&budget);
}

/* A process that stops does not wait for a store that is away. */
static void test_budget_stop(void **state)
{
	retrying(1000000, 600 * NSEC_PER_SEC);
	fake.rc = -EAGAIN;
	fake.during = stop_retries;
	assert_int_equal(get("k"), -EAGAIN);
	assert_int_equal(fake.calls, 1);
}

/* --- breaker ----------------------------------------------------------- */

static void breaking(int64_t pause_max_ns)
{
	store_breaker_done(&breaker);
	store_breaker_init(&breaker, pause_max_ns);
	st = store_breaker_new(&fake.base, &breaker);
	assert_non_null(st);
}

static enum store_breaker_state breaker_is(void)
{
	struct store_breaker_info i;

	store_breaker_read(&breaker, &i);
	return i.state;
}

static void open_breaker(void)
{
	fake.rc = -ECONNREFUSED;
	for (int i = 0; i < STORE_BREAKER_FAILURES - 1; i++)
		assert_int_equal(get("k"), -ECONNREFUSED);
	pass(STORE_BREAKER_TIME_NS);
	assert_int_equal(breaker_is(), STORE_CLOSED);
	assert_int_equal(get("k"), -ECONNREFUSED);
	assert_int_equal(breaker_is(), STORE_OPEN);
	stand_still();
	fake.calls = 0;
}

static void test_breaker_opens(void **state)
{
	struct store_breaker_info i;

	breaking(0);
	open_breaker();
	assert_int_equal(get("k"), -EAGAIN);
	assert_int_equal(fake.calls, 0);
	assert_int_equal(store_call.sent, 0);
	assert_true(store_call.not_before_ns > clock_boot_ns());
	assert_non_null(strstr(store_detail(), "no answer since 20"));
	assert_non_null(strstr(store_detail(), "(fake), asked in "));
	store_breaker_read(&breaker, &i);
	assert_true(i.since_ns > 0 && i.since_ns <= clock_wall_ns());
	assert_true(i.probe_ns > i.since_ns);
	assert_string_equal(store_breaker_name(i.state), "open");
}

static void test_breaker_needs_a_row(void **state)
{
	breaking(0);
	for (int i = 0; i < 100; i++) {
		fake.rc = i % STORE_BREAKER_FAILURES ? -EAGAIN : 1;
		get("k");
		pass(NSEC_PER_SEC);
	}
	assert_int_equal(fake.calls, 100);
	assert_int_equal(breaker_is(), STORE_CLOSED);
}

/* Many at once, in a moment: the store may only be starting again. */
static void test_breaker_needs_time(void **state)
{
	breaking(0);
	fake.rc = -ECONNREFUSED;
	get("k");
	stand_still();
	for (int i = 0; i < 50; i++)
		get("k");
	assert_int_equal(breaker_is(), STORE_CLOSED);
}

static void test_breaker_answers(void **state)
{
	static const int answers[] = { -ENOENT, -EACCES, -EPROTO, -EEXIST };

	breaking(0);
	for (int i = 0; i < 100; i++) {
		fake.rc = answers[i % 4];
		get("k");
		pass(NSEC_PER_SEC);
	}
	fake.rc = -EAGAIN;
	fake.throttled = true;
	for (int i = 0; i < 100; i++) {
		get("k");
		pass(NSEC_PER_SEC);
	}
	fake.throttled = false;
	fake.rc = -ETIMEDOUT; /* at once: the caller had no time left */
	for (int i = 0; i < 100; i++) {
		store_call.deadline_ns = clock_boot_ns();
		get("k");
		pass(NSEC_PER_SEC);
	}
	store_call.deadline_ns = 0;
	assert_int_equal(breaker_is(), STORE_CLOSED);
	assert_int_equal(fake.calls, 300);
}

/* A short time limit of the store's own is none of the caller's. */
static void test_breaker_impatient(void **state)
{
	breaking(0);
	fake.rc = -ETIMEDOUT;
	for (int i = 0; i < STORE_BREAKER_FAILURES; i++) {
		get("k");
		pass(NSEC_PER_SEC / 2);
	}
	assert_int_equal(breaker_is(), STORE_OPEN);
}

static void slow(void)
{
	pass(2 * NSEC_PER_SEC);
}

/* A server that accepts and says nothing. */
static void test_breaker_stalled(void **state)
{
	breaking(0);
	fake.rc = -ETIMEDOUT;
	for (int i = 0; i < STORE_BREAKER_FAILURES; i++) {
		fake.during = slow;
		assert_int_equal(get("k"), -ETIMEDOUT);
	}
	assert_int_equal(breaker_is(), STORE_OPEN);
}

static void test_breaker_probes(void **state)
{
	breaking(0);
	open_breaker();
	for (unsigned i = 0; i < 10; i++) {
		move_on(STORE_BREAKER_PAUSE_MAX_NS);
		assert_int_equal(get("k"), -ECONNREFUSED);
		stand_still();
		assert_int_equal(get("k"), -EAGAIN);
		assert_int_equal(fake.calls, i + 1);
		assert_int_equal(breaker_is(), STORE_OPEN);
	}
	move_on(STORE_BREAKER_PAUSE_MAX_NS);
	fake.rc = 1;
	assert_int_equal(get("k"), 1);
	assert_int_equal(breaker_is(), STORE_CLOSED);
	assert_int_equal(get("k"), 1);
	/* And all begins anew. */
	fake.rc = -ECONNREFUSED;
	assert_int_equal(get("k"), -ECONNREFUSED);
	assert_int_equal(get("k"), -ECONNREFUSED);
}

/* Soon at first, then less often. */
static void test_breaker_pauses(void **state)
{
	breaking(0);
	open_breaker();
	for (int64_t s = 1; s <= 4; s *= 2) {
		move_on(s * NSEC_PER_SEC);
		assert_int_equal(get("k"), -ECONNREFUSED);
		stand_still();
	}
	assert_int_equal(fake.calls, 3);
}

static void test_breaker_pause_max(void **state)
{
	breaking(100 * MSEC);
	open_breaker();
	move_on(0);
	for (unsigned i = 0; i < 10; i++) {
		pass(100 * MSEC);
		assert_int_equal(get("k"), -ECONNREFUSED);
	}
}

static void refused_while_probing(void)
{
	assert_int_equal(breaker_is(), STORE_HALF_OPEN);
	stand_still();
	assert_int_equal(get("k"), -EAGAIN);
	assert_non_null(strstr(store_detail(), "being asked now"));
	assert_true(store_call.not_before_ns > clock_boot_ns());
	assert_int_equal(fake.calls, 1);
}

static void test_breaker_one_probe(void **state)
{
	breaking(0);
	open_breaker();
	move_on(STORE_BREAKER_PAUSE_MAX_NS);
	fake.during = refused_while_probing;
	assert_int_equal(get("k"), -ECONNREFUSED);
	assert_int_equal(breaker_is(), STORE_OPEN);
}

static void second_probe(void)
{
	pass(STORE_BREAKER_PAUSE_MAX_NS);
	fake.rc = 1;
	assert_int_equal(get("k"), 1);
	assert_int_equal(breaker_is(), STORE_CLOSED);
	fake.rc = -ECONNRESET;
}

/* The first one hangs on a connection that is dead; the store is back. */
static void test_breaker_probe_hangs(void **state)
{
	breaking(0);
	open_breaker();
	move_on(STORE_BREAKER_PAUSE_MAX_NS);
	fake.during = second_probe;
	assert_int_equal(get("k"), -ECONNRESET);
	assert_int_equal(breaker_is(), STORE_CLOSED);
}

/* User reads wait for the store to come back (P6), and not for the budget. */
static void test_breaker_read_waits(void **state)
{
	struct store_retry_opts o = { .attempts = 1000,
				      .deadline_ns = 600 * NSEC_PER_SEC,
				      .base_ns = MSEC,
				      .budget = &budget };

	breaking(0);
	open_breaker();
	move_on(0);
	st = store_retry_new(st, &o);
	fake.rc = 1;
	assert_int_equal(get("k"), 1);
	assert_int_equal(fake.calls, 1);
	teardown(NULL);
	setup(NULL);
	breaking(0);
	open_breaker();
	o.deadline_ns = 300 * MSEC;
	st = store_retry_new(st, &o);
	assert_int_equal(get("k"), -ETIMEDOUT);
}

/* --- limit ------------------------------------------------------------- */

static void limiting(unsigned max)
{
	store_limiter_done(&limiter);
	store_limiter_init(&limiter, max);
	st = store_limit_new(&fake.base, &limiter, false);
	assert_non_null(st);
}

static struct store_limiter_info limiter_now(void)
{
	struct store_limiter_info i;

	store_limiter_read(&limiter, &i);
	return i;
}

static void throttle(void)
{
	fake.throttled = true;
	fake.rc = -EAGAIN;
	assert_int_equal(get("k"), -EAGAIN);
	fake.throttled = false;
	fake.rc = 1;
}

static void test_limit_aimd(void **state)
{
	static const unsigned halves[] = { 4, 2, 1, 1 };
	unsigned allowed = 1, n;

	limiting(8);
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		throttle();
		assert_int_equal(limiter_now().allowed, halves[i]);
	}
	for (n = 0; allowed < 8 && n < 1000; n++) {
		assert_int_equal(get("k"), 1);
		assert_in_range(limiter_now().allowed, allowed, allowed + 1);
		allowed = limiter_now().allowed;
	}
	assert_in_range(n, 8, 60); /* 1 + 2 + ... + 7, and what is rounded */
	for (n = 0; n < 100; n++)
		assert_int_equal(get("k"), 1);
	assert_int_equal(limiter_now().allowed, 8);
	/* Other failures say nothing about how much is too much. */
	fake.rc = -ECONNREFUSED;
	for (n = 0; n < 100; n++)
		get("k");
	assert_int_equal(limiter_now().allowed, 8);
	assert_int_equal(limiter_now().busy, 0);
}

static void throttle_both(void)
{
	throttle();
	assert_int_equal(limiter_now().allowed, 4);
	fake.throttled = true;
	fake.rc = -EAGAIN;
}

static void test_limit_cuts_once(void **state)
{
	limiting(8);
	fake.during = throttle_both;
	assert_int_equal(get("k"), -EAGAIN);
	assert_int_equal(limiter_now().allowed, 4);
}

static void no_room(void)
{
	store_call.deadline_ns = clock_boot_ns() + 20 * MSEC;
	assert_int_equal(get("k"), -ETIMEDOUT);
	assert_non_null(strstr(store_detail(), "1 requests in flight"));
	assert_int_equal(store_call.sent, 0);
	store_call.deadline_ns = 0;
	assert_int_equal(limiter_now().waiting, 0);
}

static void test_limit_deadline(void **state)
{
	limiting(1);
	fake.during = no_room;
	assert_int_equal(get("k"), 1);
	assert_int_equal(fake.calls, 1);
}

/* Threads that call while another call is under way. */
static struct caller {
	pthread_t thread;
	char key[2];
	bool urgent;
	int rc;
} caller[ORDER];
static unsigned callers;

static void *call(void *arg)
{
	struct caller *c = arg;
	struct store *s = store_limit_new(&fake.base, &limiter, c->urgent);
	char byte;

	c->rc = (int)store_get(s, c->key, 0, &byte, 1);
	store_free(s);
	return NULL;
}

/* Returns when it waits. */
static void call_in_thread(char key, bool urgent)
{
	unsigned before = limiter_now().waiting;
	struct caller *c = &caller[callers++];

	*c = (struct caller){ .key = { key }, .urgent = urgent };
	assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
	while (limiter_now().waiting == before)
		sched_yield();
}

static void join_callers(int rc)
{
	while (callers > 0) {
		pthread_join(caller[--callers].thread, NULL);
		assert_int_equal(caller[callers].rc, rc);
	}
}

static void queue_up(void)
{
	call_in_thread('a', false);
	call_in_thread('b', false);
	call_in_thread('C', true);
	call_in_thread('D', true);
}

static void test_limit_order(void **state)
{
	limiting(1);
	fake.during = queue_up;
	assert_int_equal(get("k"), 1);
	join_callers(1);
	assert_string_equal(fake.order, "kCDab");
}

static void queue_many(void)
{
	call_in_thread('a', false);
	call_in_thread('b', false);
	for (int i = 0; i < STORE_TURN_ROW + 1; i++)
		call_in_thread('U', true);
}

/* The others move on, too. */
static void test_limit_fair(void **state)
{
	limiting(1);
	fake.during = queue_many;
	assert_int_equal(get("k"), 1);
	join_callers(1);
	assert_string_equal(fake.order, "kUUUUUUUUaUb");
}

static void wait_too_long(void)
{
	call_in_thread('a', false);
	pass(STORE_TURN_NS);
	join_callers(-ETIMEDOUT);
}

static void test_limit_not_for_ever(void **state)
{
	limiting(1);
	fake.during = wait_too_long;
	assert_int_equal(get("k"), 1);
	assert_int_equal(fake.calls, 1);
}

static void stop(void)
{
	call_in_thread('a', false);
	call_in_thread('b', true);
	store_limiter_stop(&limiter);
	join_callers(-EAGAIN);
}

static void test_limit_stop(void **state)
{
	limiting(1);
	fake.during = stop;
	assert_int_equal(get("k"), 1);
	assert_int_equal(get("k"), 1); /* who need not wait goes on */
}

#define THREADS 12

static void *many_calls(void *arg)
{
	struct store *s = arg;

	for (int i = 0; i < 200; i++) {
		char c;

		if (store_get(s, "k", 0, &c, 1) != 1)
			return NULL;
	}
	return arg;
}

static void test_limit_threads(void **state)
{
	pthread_t t[THREADS];
	void *ret;

	limiting(3);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, many_calls, st),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &ret);
		assert_ptr_equal(ret, st);
	}
	assert_int_equal(fake.calls, THREADS * 200);
	assert_in_range(fake.most, 1, 3);
	assert_int_equal(limiter_now().busy, 0);
	assert_int_equal(limiter_now().waiting, 0);
}

static void test_null_inner(void **state)
{
	assert_null(store_limit_new(NULL, &limiter, true));
	assert_null(store_breaker_new(NULL, &breaker));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_budget),
		TEST(test_budget_bounds),
		TEST(test_budget_unsent),
		TEST(test_budget_is_waited_for),
		TEST(test_budget_deadline),
		TEST(test_budget_stop),
		TEST(test_breaker_opens),
		TEST(test_breaker_needs_a_row),
		TEST(test_breaker_needs_time),
		TEST(test_breaker_answers),
		TEST(test_breaker_impatient),
		TEST(test_breaker_stalled),
		TEST(test_breaker_probes),
		TEST(test_breaker_pauses),
		TEST(test_breaker_pause_max),
		TEST(test_breaker_one_probe),
		TEST(test_breaker_probe_hangs),
		TEST(test_breaker_read_waits),
		TEST(test_limit_aimd),
		TEST(test_limit_cuts_once),
		TEST(test_limit_deadline),
		TEST(test_limit_order),
		TEST(test_limit_fair),
		TEST(test_limit_not_for_ever),
		TEST(test_limit_stop),
		TEST(test_limit_threads),
		TEST(test_null_inner),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
