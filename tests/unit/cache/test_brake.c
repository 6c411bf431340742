/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that becomes full under writers whom the worker does not see. */
#include "tests/unit/cache/kernel.h"

static bool wait_held(int held, int holds)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (kernel.held == held && kernel.holds >= holds)
			return true;
		clock_sleep_ns(5000000);
	}
	return false;
}

/* Who writes past us is stopped, and goes on when there is room (S13). */
static void test_brake(void **state)
{
	struct cache_pass p;
	struct open w, r;
	uint64_t ino;

	w = k_first(&ino);
	k_write(&w, 1, 0, 100);
	clock_sleep_ns(NSEC_PER_SEC / 5);
	assert_int_equal(kernel.held, 0);
	disk_free = MIB - 1;
	assert_true(wait_held(1, 1));
	/* No more writers; readers, and who makes room. */
	assert_int_equal(cache_acquire(w.f, true), 0);
	assert_int_equal(cache_pass_begin(w.f, true, false, &p), -ENOSPC);
	assert_int_equal(cache_release(w.f, true), 0);
	r = k_open(ino, false);
	expect_at(r.f, 1, 0, 100);
	k_close(&r);
	assert_int_equal(cache_truncate(w.f, 50), 0);
	assert_true(wait_held(1, 2));
	/* A little room is none. */
	disk_free = MIB + 1;
	clock_sleep_ns(NSEC_PER_SEC / 3);
	assert_int_equal(kernel.held, 1);
	disk_free = ROOMY;
	assert_true(wait_held(0, 2));
	k_write(&w, 2, 0, 100);
	/* Closed: it is a file as any other. */
	disk_free = 0;
	assert_true(wait_held(1, 3));
	k_close(&w);
	assert_int_equal(cache_flush(c), 0);
	assert_true(wait_held(0, 3));
	expect_content(ino, 2, 100);
}

/* Each way out takes the flag along. */
static void test_brake_ends(void **state)
{
	struct open w;
	uint64_t ino;

	w = k_first(&ino);
	disk_free = 0;
	assert_true(wait_held(1, 1));
	cache_set_backing(c, NULL);
	assert_int_equal(kernel.held, 0);
	k_close(&w);
	backing_on();
	disk_free = ROOMY;
	ino = take_file("b");
	w = k_open(ino, true);
	disk_free = 0;
	assert_true(wait_held(1, 2)); /* the teardown looks */
	k_close(&w);
}

/* A broker that the full disk keeps busy answers too late, and has done it. */
static void test_late_brake(void **state)
{
	struct open w;
	uint64_t ino;

	w = k_first(&ino);
	kernel.late = true;
	disk_free = 0;
	assert_true(wait_held(1, 1));
	disk_free = ROOMY;
	assert_true(wait_held(0, 1));
	kernel.late = false;
	k_write(&w, 1, 0, 100);
	k_close(&w);
}

/* Soon, if not at once. */
static bool wait_writable(uint64_t ino)
{
	struct open o = { .f = file_open(ino, true) };
	int i, rc = -ENOSPC;

	for (i = 0; i < 1000 && rc == -ENOSPC; i++) {
		rc = cache_pass_begin(o.f, true, false, &o.p);
		if (rc == 0)
			cache_pass_end(o.f, &o.p);
		else
			clock_sleep_ns(5000000);
	}
	file_close(o.f, true);
	return rc == 0;
}

/* Nobody could let it go when it was closed: who writes next to it does. */
static void test_brake_stays(void **state)
{
	struct open w, r;
	uint64_t ino;

	w = k_first(&ino);
	r = k_open(ino, false);
	disk_free = 0;
	assert_true(wait_held(1, 1));
	kernel.no_hold = -EIO;
	k_close(&w);
	assert_int_equal(cache_flush(c), 0);
	clock_sleep_ns(NSEC_PER_SEC / 2); /* it is not watched any more */
	assert_int_equal(kernel.held, 1);
	kernel.no_hold = 0;
	disk_free = ROOMY;
	assert_true(wait_writable(ino));
	w = k_open(ino, true);
	assert_int_equal(kernel.held, 0);
	k_write(&w, 1, 0, 100);
	k_close(&w);
	k_close(&r);
}

/* A filesystem that has no such flag is asked once. */
static void test_no_brake(void **state)
{
	struct open w;

	backing_on();
	w = k_open(take_file("a"), true);
	kernel.no_hold = -ENOTTY;
	disk_free = 0;
	clock_sleep_ns(NSEC_PER_SEC);
	k_write(&w, 1, 0, 100);
	kernel.no_hold = 0;
	clock_sleep_ns(NSEC_PER_SEC / 3);
	assert_int_equal(kernel.holds, 0);
	k_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BACKING_TEST(test_brake),      BACKING_TEST(test_brake_ends),
		BACKING_TEST(test_late_brake), BACKING_TEST(test_brake_stays),
		BACKING_TEST(test_no_brake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
