/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/job.h"

static _Atomic int runs;

static int64_t count_run(struct job *job, void *arg)
{
	job_begin(job, 2, 0);
	job_add(job, 1, 100);
	atomic_fetch_add(&runs, 1);
	return arg ? *(int64_t *)arg : JOB_IDLE;
}

static void wait_runs(int n)
{
	int i;

	for (i = 0; i < 500 && atomic_load(&runs) < n; i++)
		clock_sleep_ns(10000000);
	assert_true(atomic_load(&runs) >= n);
}

static void test_wake(void **state)
{
	struct job_info info;
	struct job *job;

	atomic_store(&runs, 0);
	job = job_start("test", count_run, NULL);
	assert_non_null(job);
	wait_runs(1);
	job_wake(job);
	wait_runs(2);
	clock_sleep_ns(50000000);
	job_get(job, &info);
	assert_int_equal(info.state, JOB_SLEEPING);
	assert_int_equal(info.done_files, 1);
	assert_int_equal(info.done_bytes, 100);
	assert_int_equal(info.next_ns, 0);
	assert_int_equal(atomic_load(&runs), 2);
	job_stop(job);
}

static void test_wake_in(void **state)
{
	int64_t hour = 3600 * NSEC_PER_SEC;
	struct job_info info;
	struct job *job;

	atomic_store(&runs, 0);
	job = job_start("test", count_run, &hour);
	wait_runs(1);
	clock_sleep_ns(20000000);
	job_wake_in(job, hour / 2);
	clock_sleep_ns(20000000);
	assert_int_equal(atomic_load(&runs), 1);
	job_get(job, &info);
	assert_true(info.next_ns < clock_wall_ns() + hour * 2 / 3);
	job_wake_in(job, hour); /* later than that: changes nothing */
	job_wake_in(job, 1000000);
	wait_runs(2);
	clock_sleep_ns(20000000);
	assert_int_equal(atomic_load(&runs), 2); /* asked for once */
	job_stop(job);
	job_wake_in(NULL, 0);
}

static void test_period(void **state)
{
	int64_t period = 1000000;
	struct job *job;

	atomic_store(&runs, 0);
	job = job_start("test", count_run, &period);
	wait_runs(5);
	job_stop(job);
}

static void test_error_backs_off(void **state)
{
	int64_t rc = -ECONNREFUSED;
	struct job_info info;
	struct job *job;
	int i;

	atomic_store(&runs, 0);
	job = job_start("test", count_run, &rc);
	wait_runs(1);
	for (i = 0; i < 100; i++) {
		job_get(job, &info);
		if (info.state == JOB_BACKING_OFF)
			break;
		clock_sleep_ns(1000000);
	}
	assert_int_equal(info.state, JOB_BACKING_OFF);
	assert_string_equal(info.last_error, "Connection refused");
	assert_true(info.next_ns > clock_wall_ns());
	assert_true(info.failures >= 1 && info.failing == info.failures);
	assert_true(info.failed_ns >= info.started_ns);
	job_stop(job); /* does not wait for the back-off */
}

static int64_t wait_run(struct job *job, void *arg)
{
	job_waiting(job, "store '%s'", "near");
	while (!job_wait(job, NSEC_PER_SEC))
		;
	atomic_fetch_add(&runs, 1);
	return JOB_IDLE;
}

static void test_stop_while_waiting(void **state)
{
	struct job_info info;
	struct job *job;

	atomic_store(&runs, 0);
	job = job_start("a-name-that-is-longer", wait_run, NULL);
	clock_sleep_ns(20000000);
	job_get(job, &info);
	assert_string_equal(info.waiting_for, "store 'near'");
	assert_string_equal(info.name, "a-name-that-is-longer");
	job_stop(job);
	assert_int_equal(atomic_load(&runs), 1);
	job_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_wake_in),
		cmocka_unit_test(test_period),
		cmocka_unit_test(test_error_backs_off),
		cmocka_unit_test(test_stop_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
