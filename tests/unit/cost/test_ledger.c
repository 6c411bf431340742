/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time is shifted, not slept. The job runs beside each test and real seconds
 * pass too, so that sums may be a few byte-seconds above what was shifted.
 */
#include "tests/unit/cost/util.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOUR	(3600 * NSEC_PER_SEC)
#define DAY	(24 * HOUR)
#define SLACK_S 20 /* a slow machine under a sanitizer */

static struct cost_counts counts[2];

/* Objects of tier deep have an overhead. */
static struct price_class terms = { .name = "GLACIER",
				    .overhead_bytes = 1000,
				    .overhead_standard_bytes = 100 };
static const struct price_table table = { .name = "table",
					  .classes = &terms,
					  .n_classes = 1 };
static const struct cost_tier tiers[] = {
	{ .tier = "near" }, { .tier = "deep", .prices = &table }
};

static size_t read_counts(void *arg, struct cost_counts *out, size_t max)
{
	memcpy(out, counts, sizeof(counts));
	return ARRAY_SIZE(counts);
}

static int setup(void **state)
{
	memset(counts, 0, sizeof(counts));
	counts[0].tier = counts[1].tier = "near";
	counts[0].storage_class = counts[1].storage_class = "";
	counts[0].cause = "protect";
	counts[1].cause = "read";
	return fixture_setup(state);
}

static struct cost_ledger *start(struct fixture *f)
{
	const struct cost_ledger_opts o = { .read = read_counts,
					    .tiers = tiers,
					    .n_tiers = ARRAY_SIZE(tiers) };
	struct cost_ledger *l = NULL;

	assert_int_equal(cost_ledger_start(f->meta, &o, &l), 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	return l;
}

static uint64_t byte_seconds(const struct meta_ledger *r)
{
	assert_true(r->byte_seconds < 3600);
	return r->byte_hours * 3600 + r->byte_seconds;
}

/* Byte-seconds of all days' storage rows. */
static uint64_t stored(struct fixture *f)
{
	struct meta_ledger row[64];
	size_t n = fixture_rows(f, row, 64), i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		if (row[i].cause[0] == '\0')
			sum += byte_seconds(&row[i]);
	return sum;
}

static void assert_about(uint64_t got, uint64_t want, uint64_t per_second)
{
	assert_true(got >= want);
	assert_true(got <= want + SLACK_S * per_second);
}

/* So that no real midnight falls into the test. */
static void noon(void)
{
	int64_t now = clock_wall_ns();

	clock_shift(now / DAY * DAY + 12 * HOUR - now, 0);
}

static void test_byte_hours(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(HOUR, HOUR);
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_true(cost_ledger_lag_ns(l) < 600 * NSEC_PER_SEC);
	assert_about(stored(f), GIB * 3600, GIB);
	/* what is stored only now has no past */
	fixture_store(f, 4 * GIB);
	assert_int_equal(cost_ledger_flush(l), 0);
	clock_shift(HOUR, HOUR);
	cost_ledger_stop(l);
	assert_about(stored(f), GIB * 3600 + 5 * GIB * 3600, 5 * GIB);
	assert_int_equal(fixture_rows(f, row, 4), 1);
	assert_string_equal(row[0].tier, "near");
	assert_string_equal(row[0].storage_class, "STANDARD");
	assert_int_equal(row[0].objects_peak, 2);
}

static void test_small_and_long(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, 1);
	l = start(f);
	clock_shift(0, 30 * DAY); /* suspended; the wall was set back */
	cost_ledger_stop(l);
	assert_about(stored(f), 30 * 86400, 1);
}

static void test_midnight(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	clock_shift(11 * HOUR + HOUR / 2, 0); /* 23:30 */
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(2 * HOUR, 2 * HOUR);
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 4), 2);
	assert_int_equal(row[1].day, row[0].day + 1);
	assert_about(byte_seconds(&row[0]) + SLACK_S * GIB, 1800 * GIB,
		     2 * GIB);
	assert_about(byte_seconds(&row[1]), 5400 * GIB, GIB);
}

static void test_two_midnights(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[8];
	struct cost_ledger *l;

	noon();
	fixture_store(f, 1000);
	l = start(f);
	clock_shift(2 * DAY, 2 * DAY);
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 8), 3);
	assert_true(byte_seconds(&row[1]) == 86400 * 1000);
}

static void test_clock_jump_invents_nothing(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(400 * DAY, 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_about(stored(f), 0, GIB);
	clock_shift(-800 * DAY, 0);
	assert_int_equal(cost_ledger_flush(l), 0);
	clock_shift(400 * DAY, HOUR); /* right again, an hour later */
	cost_ledger_stop(l);
	assert_about(stored(f), 3600 * GIB, GIB);
}

static void test_restart_counts_the_gap(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, GIB);
	l = start(f);
	clock_shift(NSEC_PER_SEC, NSEC_PER_SEC); /* sets a mark */
	cost_ledger_stop(l);
	clock_shift(-100 * DAY,
		    2 * HOUR); /* away; the wall is wrong meanwhile */
	l = start(f);
	cost_ledger_stop(l);
	assert_about(stored(f), 7200 * GIB, GIB);
}

/* As after a boot: another boot id in the mark, a clock that means nothing. */
static void set_mark(struct fixture *f, int64_t wall_ago)
{
	char text[128];
	META_TXN(t);
	int n = snprintf(text, sizeof(text), "another-boot %lld %lld",
			 (long long)INT64_MAX / 2,
			 (long long)(clock_wall_ns() - wall_ago));

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_value_set(&t, "ledger.mark", text, (size_t)n), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static void test_boot_counts_the_gap_within_bounds(void **state)
{
	struct fixture *f = *state;

	noon();
	fixture_store(f, 1000);
	set_mark(f, HOUR);
	cost_ledger_stop(start(f));
	assert_about(stored(f), 3600 * 1000, 1000);
	set_mark(f, 4000 * DAY); /* the hardware clock was far off */
	cost_ledger_stop(start(f));
	assert_about(stored(f), (3600 + COST_GAP_MAX_SECONDS) * 1000ULL, 1000);
	set_mark(f, -DAY); /* in the future */
	cost_ledger_stop(start(f));
	assert_about(stored(f), (3600 + COST_GAP_MAX_SECONDS) * 1000ULL, 1000);
}

/* ---- as it is billed ------------------------------------------------- */

static struct meta_pack stored_deep(struct fixture *f, unsigned n)
{
	struct meta_pack p = { .generation = 1,
			       .length = 500,
			       .billed = 800,
			       .tier = "deep",
			       .storage_class = "GLACIER" };
	META_TXN(t);

	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/deep-%u", n);
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	return p;
}

/* Byte-seconds of a kind, all days together, of a tier. */
static uint64_t items(struct fixture *f, const char *tier,
		      enum meta_ledger_kind kind)
{
	struct meta_ledger_item i[64];
	uint64_t sum = 0;
	META_TXN(t);
	int n, k;

	assert_int_equal(meta_read(f->meta, &t), 0);
	n = meta_ledger_items(&t, 0, INT32_MAX, 0, i, 64);
	assert_true(n >= 0 && n < 64);
	for (k = 0; k < n; k++)
		if (i[k].kind == kind && strcmp(i[k].tier, tier) == 0)
			sum += i[k].whole * 3600 + i[k].rest;
	return sum;
}

static void test_terms(void **state)
{
	struct fixture *f = *state;
	struct cost_ledger *l;

	noon();
	fixture_store(f, 700); /* tier near has no terms */
	stored_deep(f, 1);
	stored_deep(f, 2);
	l = start(f);
	clock_shift(DAY, DAY);
	cost_ledger_stop(l);
	assert_about(items(f, "deep", META_LEDGER_SMALL), 2 * 300 * 86400, 600);
	assert_about(items(f, "deep", META_LEDGER_OVERHEAD), 2000 * 86400,
		     2000);
	assert_about(items(f, "deep", META_LEDGER_OVERHEAD_STANDARD),
		     200 * 86400, 200);
	assert_int_equal(items(f, "near", META_LEDGER_SMALL), 0);
	assert_int_equal(items(f, "near", META_LEDGER_OVERHEAD), 0);
	assert_int_equal(items(f, "deep", META_LEDGER_HELD), 0);
	assert_about(stored(f), (700 + 1000) * 86400, 1700);
}

static void a_copy(struct fixture *f, uint64_t pack, int64_t until_ns)
{
	struct meta_restore r = { .pack = pack,
				  .state = META_RESTORE_READY,
				  .until_ns = until_ns };
	META_TXN(t);

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

/* A copy is billed until it ends, also when nobody was there to see it. */
static void test_copies(void **state)
{
	struct fixture *f = *state;
	struct meta_pack one, two, three;
	struct cost_ledger *l;

	noon();
	one = stored_deep(f, 1);
	two = stored_deep(f, 2);
	three = stored_deep(f, 3);
	a_copy(f, one.row, clock_wall_ns() + 12 * HOUR);
	a_copy(f, two.row, clock_wall_ns() + 36 * HOUR);
	a_copy(f, three.row, 0);
	l = start(f);
	clock_shift(10 * DAY, 10 * DAY);
	cost_ledger_stop(l);
	assert_about(items(f, "deep", META_LEDGER_HELD) + SLACK_S * 1000,
		     500 * 3600 * (12 + 36 + 240), 1000 + 500 * 2);
}

/* ---- kill -9 ---------------------------------------------------------- */

/* Hours that a process has shifted its clock by, and that are surely written.
 */
struct hours {
	_Atomic uint64_t shifted, flushed;
};

__attribute__((noreturn)) static void flush_for_ever(struct fixture *f,
						     struct hours *h)
{
	CLEANUP_FREE char *path = io_path("%s/meta.db", f->dir);
	struct cost_ledger *l;
	uint8_t volume[16];

	if (meta_open(path, &f->meta, volume, NULL) < 0)
		_exit(1);
	noon();
	l = start(f);
	for (;;) {
		h->shifted++;
		clock_shift(0, HOUR);
		if (cost_ledger_flush(l) < 0)
			_exit(1);
		h->flushed++;
	}
}

static void killed_once(struct fixture *f, struct hours *h, int64_t after_ns)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		flush_for_ever(f, h);
	while (!h->flushed)
		clock_sleep_ns(1000000);
	clock_sleep_ns(after_ns);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void check_killed(struct fixture *f, const struct hours *h)
{
	CLEANUP_FREE char *path = io_path("%s/meta.db", f->dir);
	uint64_t seconds;
	uint8_t volume[16];

	assert_int_equal(meta_open(path, &f->meta, volume, NULL), 0);
	seconds = stored(f) / 1000;
	/* At most what was under way is missing, and nothing is there twice.
	 * (The next process's clock is not shifted: no gap is counted.) */
	assert_true(seconds >= h->flushed * 3600);
	assert_true(seconds <= h->shifted * 3600 + 20ULL * SLACK_S);
	/* All of it is of the same time. */
	assert_int_equal(stored(f), 1000 * seconds);
	assert_int_equal(items(f, "deep", META_LEDGER_SMALL), 600 * seconds);
	assert_int_equal(items(f, "deep", META_LEDGER_OVERHEAD),
			 2000 * seconds);
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct hours *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t before;
	int i;

	assert_true(h != MAP_FAILED);
	stored_deep(f, 1);
	stored_deep(f, 2);
	for (i = 0; i < 10; i++) {
		meta_close(take(f->meta));
		before = h->flushed;
		h->flushed = 0;
		killed_once(f, h, 1000000 + i * 777777);
		h->flushed += before;
		check_killed(f, h);
	}
	munmap(h, sizeof(*h));
}

static void test_disk(void **state)
{
	struct fixture *f = *state;
	struct meta_inode in = { .mode = S_IFREG | 0644,
				 .nlink = 1,
				 .state = META_LOCAL,
				 .size = 4000,
				 .cached_bytes = 4096 };
	struct cost_ledger *l;
	META_TXN(t);

	noon();
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_new_ino(&t, &in.ino), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	l = start(f);
	clock_shift(HOUR, HOUR);
	cost_ledger_stop(l);
	assert_about(items(f, COST_LOCAL, META_LEDGER_DISK), 4096 * 3600, 4096);
	assert_int_equal(stored(f), 0);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l;

	noon();
	l = start(f);
	assert_int_equal(fixture_rows(f, row, 4), 0);
	counts[0].puts = 3;
	counts[0].out_bytes = 700;
	counts[1].gets = 5;
	counts[1].in_bytes = 900;
	assert_int_equal(cost_ledger_flush(l), 0);
	assert_int_equal(cost_ledger_flush(l), 0); /* nothing twice */
	counts[0].puts = 4;
	counts[0].errors = 1;
	cost_ledger_stop(l);
	assert_int_equal(fixture_rows(f, row, 4), 2);
	assert_string_equal(row[0].cause, "protect");
	assert_int_equal(row[0].puts, 4);
	assert_int_equal(row[0].out_bytes, 700);
	assert_int_equal(row[0].errors, 1);
	assert_string_equal(row[1].cause, "read");
	assert_int_equal(row[1].gets, 5);
	assert_int_equal(row[1].in_bytes, 900);
}

static void test_job_flushes_by_itself(void **state)
{
	struct fixture *f = *state;
	struct meta_ledger row[4];
	struct cost_ledger *l = start(f);
	struct job_info info;
	int i;

	__atomic_store_n(&counts[0].puts, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 500 && fixture_rows(f, row, 4) == 0; i++)
		clock_sleep_ns(10000000);
	assert_int_equal(fixture_rows(f, row, 4), 1);
	job_get(cost_ledger_job(l), &info);
	assert_string_equal(info.name, "ledger");
	assert_string_equal(info.last_error, "");
	cost_ledger_stop(l);
	cost_ledger_stop(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_byte_hours),
		TEST(test_small_and_long),
		TEST(test_midnight),
		TEST(test_two_midnights),
		TEST(test_clock_jump_invents_nothing),
		TEST(test_restart_counts_the_gap),
		TEST(test_boot_counts_the_gap_within_bounds),
		TEST(test_terms),
		TEST(test_copies),
		TEST(test_killed),
		TEST(test_disk),
		TEST(test_requests),
		TEST(test_job_flushes_by_itself),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
