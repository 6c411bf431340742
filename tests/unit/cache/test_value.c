/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept: the rule of cache/value.h on traces, beside plain LRU. The
 * simulated cache holds CACHE files of one size; an access takes a tenth of a
 * second, so that a minute, within which touches count as one, is short.
 */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "cache/value.h"

#define CACHE 1000
#define FILES 24000
#define TICK  (VALUE_STEP_NS + 1)

struct sim {
	bool lru;
	int64_t now;
	int held; /* files in the cache */
	uint64_t misses, asked;
	struct value_ghost ghost;
	struct sim_file {
		bool here;
		int64_t key;
		struct sim_file *prev, *next;
	} file[FILES], head[VALUE_CLASSES]; /* rings, oldest first */
};

static struct sim *sim_new(bool lru)
{
	struct sim *s = calloc(1, sizeof(*s));
	int c;

	assert_non_null(s);
	s->lru = lru;
	s->now = 1700000000LL * 1000000000LL;
	s->ghost = (struct value_ghost)VALUE_GHOST_INIT;
	for (c = 0; c < VALUE_CLASSES; c++)
		s->head[c].prev = s->head[c].next = &s->head[c];
	return s;
}

static void sim_unlink(struct sim_file *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
}

static void sim_append(struct sim *s, struct sim_file *f)
{
	struct sim_file *head = &s->head[value_class(f->key)];

	f->prev = head->prev;
	f->next = head;
	head->prev->next = f;
	head->prev = f;
}

static void sim_evict(struct sim *s)
{
	struct sim_file *least = NULL, *f;
	int c;

	for (c = 0; c < VALUE_CLASSES; c++) {
		f = s->head[c].next;
		if (f != &s->head[c] &&
		    (!least || value_less(f->key, least->key, s->now)))
			least = f;
	}
	sim_unlink(least);
	least->here = false;
	s->held--;
	value_ghost_note(&s->ghost, least->key, 1, CACHE);
}

/* True: it was there. */
static bool sim_read(struct sim *s, int i)
{
	struct sim_file *f = &s->file[i];
	bool here = f->here;

	s->now += TICK;
	s->asked++;
	s->misses += !here;
	if (here)
		sim_unlink(f);
	else if (s->held == CACHE)
		sim_evict(s);
	s->held += !here;
	f->here = true;
	f->key = s->lru ? value_key(VALUE_ONCE, s->now)
			: value_touched(f->key, here,
					value_ghost_since(&s->ghost), s->now);
	sim_append(s, f);
	return here;
}

/* ---- a scan --------------------------------------------------------- */

/*
 * A working set of half the cache, read several times; then ten caches full
 * are read once, and one of the set for every 20 of those. What share of the
 * set is there afterwards?
 */
static double sim_scan(struct sim *s)
{
	int i, round, kept = 0, set = CACHE / 2, at = 0;

	for (round = 0; round < 3; round++)
		for (i = 0; i < set; i++)
			sim_read(s, i);
	for (i = 0; i < 10 * CACHE; i++) {
		sim_read(s, set + i);
		if (i % 20 == 0)
			sim_read(s, at++ % set);
	}
	for (i = 0; i < set; i++)
		kept += s->file[i].here;
	return (double)kept / set;
}

static void test_scan(void **state)
{
	CLEANUP_FREE struct sim *lru = sim_new(true);
	CLEANUP_FREE struct sim *s = sim_new(false);
	double kept;

	(void)state;
	kept = sim_scan(lru);
	print_message("scan: LRU keeps %.3f", kept);
	assert_true(kept < 0.2);
	kept = sim_scan(s);
	print_message(", this one %.3f\n", kept);
	assert_true(kept == 1);
	/* The same every night: it does not promote itself. */
	kept = sim_scan(s);
	kept = sim_scan(s);
	assert_true(kept == 1);
}

/* ---- Zipf ----------------------------------------------------------- */

static uint64_t seed;

static double rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(seed >> 11) / (double)(1ULL << 53);
}

/* Files 0 ... n-1, the i-th as often as 1 / (i + 1). */
static int rnd_zipf(const double *sum, int n)
{
	double x = rnd() * sum[n - 1];
	int lo = 0, hi = n - 1;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (sum[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* `shift`: after so many accesses others are the popular ones. */
static double sim_zipf(struct sim *s, int shift)
{
	enum { N = 10 * CACHE, ACCESSES = 200000 };
	CLEANUP_FREE double *sum = calloc(N, sizeof(*sum));
	uint64_t hits = 0, n = 0;
	int i, base = 0;

	assert_non_null(sum);
	for (i = 0; i < N; i++)
		sum[i] = (i ? sum[i - 1] : 0) + 1.0 / (i + 1);
	seed = 1;
	for (i = 0; i < ACCESSES; i++) {
		bool hit;

		if (shift && i > 0 && i % shift == 0)
			base += 997;
		hit = sim_read(s, (rnd_zipf(sum, N) + base) % FILES);
		if (i >= ACCESSES / 10) {
			hits += hit;
			n++;
		}
	}
	return (double)hits / (double)n;
}

static void zipf(int shift, double than_lru)
{
	CLEANUP_FREE struct sim *lru = sim_new(true);
	CLEANUP_FREE struct sim *s = sim_new(false);
	double a = sim_zipf(lru, shift), b = sim_zipf(s, shift);

	print_message("zipf, shift %d: LRU %.3f, this one %.3f\n", shift, a, b);
	assert_true(b >= a + than_lru);
}

static void test_zipf(void **state)
{
	(void)state;
	zipf(0, 0.05);
}

static void test_zipf_shifts(void **state)
{
	(void)state;
	zipf(20000, 0);
}

/* ---- keys ----------------------------------------------------------- */

static void test_keys(void **state)
{
	const int64_t t[] = { 0, 4, 1700000000LL * 1000000000LL,
			      4000000000LL * 1000000000LL };
	size_t i;
	int c;

	(void)state;
	for (c = 0; c < VALUE_CLASSES; c++)
		for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			int64_t key = value_key(c, t[i]);

			assert_int_equal(value_class(key), c);
			assert_int_equal(value_time(key), t[i] & ~3);
			assert_true(key >= value_first(c));
			assert_true(key < value_first(c + 1));
		}
	/* A row of before is a plain time. */
	assert_int_equal(value_class(t[2]), VALUE_TWICE);
	assert_int_equal(value_time(t[2]), t[2]);
}

static void test_touched(void **state)
{
	int64_t now = 1700000000LL * 1000000000LL, step = VALUE_STEP_NS;
	int64_t none = INT64_MIN, key = value_written(0, now), next;

	(void)state;
	assert_int_equal(value_class(key), VALUE_ONCE);
	assert_int_equal(value_touched(key, true, none, now + step - 4), key);
	next = value_touched(key, true, none, now + step);
	assert_int_equal(value_class(next), VALUE_TWICE);
	assert_int_equal(value_time(next), now + step);
	/* It left, and came back soon, or late. */
	assert_int_equal(value_touched(key, false, none, now + 4), key);
	assert_int_equal(
		value_class(value_touched(key, false, none, now + step)),
		VALUE_TWICE);
	assert_int_equal(value_class(value_touched(next, false, now + 2 * step,
						   now + 3 * step)),
			 VALUE_ONCE);
	/* A clock that was set back is no touch a moment ago. */
	assert_int_equal(value_time(value_touched(key, true, none, now - step)),
			 now - step);
	/* Who writes it again makes it no older. */
	assert_int_equal(value_written(next, now), next);
	assert_int_equal(value_class(value_written(next, now + 2 * step)),
			 VALUE_TWICE);
}

/* Brought ahead: less than what was opened, more than what is old. */
static void test_fetched(void **state)
{
	int64_t now = 1700000000LL * 1000000000LL, step = VALUE_STEP_NS;
	int64_t once = value_key(VALUE_ONCE, now), key;

	(void)state;
	key = value_fetched(0, now - step, now);
	assert_int_equal(value_class(key), VALUE_FETCHED);
	assert_true(value_less(key, once, now + step));
	assert_true(value_less(value_key(VALUE_ONCE, now - 10 * step), key,
			       now + step));
	/* Its reader comes within the minute: that counts. */
	assert_int_equal(value_class(value_touched(key, true, now, now + 4)),
			 VALUE_ONCE);
	/* One that was opened, had left, and was brought back for its reader.
	 */
	key = value_fetched(once, now - step, now + step);
	assert_int_equal(value_class(key), VALUE_FETCHED);
	assert_int_equal(value_class(value_touched(key, true, now, now + step)),
			 VALUE_TWICE);
	/* Opened a moment ago: it was brought for that. */
	assert_int_equal(value_fetched(once, now - step, now + 4), once);
}

static void test_again(void **state)
{
	int64_t now = 1700000000LL * 1000000000LL, step = VALUE_STEP_NS;
	int64_t key = value_key(VALUE_TWICE, now), next, more;

	(void)state;
	assert_true(value_again(key, now + 8 * step, &next));
	assert_int_equal(value_class(next), VALUE_TWICE);
	assert_int_equal(value_time(next) & ~3, now + 4 * step);
	assert_false(value_again(next, now + 8 * step, &more));
	/* A touch gives it a new one. */
	key = value_touched(next, true, INT64_MIN, now + 8 * step);
	assert_true(value_again(key, now + 9 * step, &more));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_fetched),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_zipf_shifts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
