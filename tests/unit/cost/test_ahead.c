/* SPDX-License-Identifier: Apache-2.0 */
/* What is to come, and what would be: figures computed by hand. */
#include "tests/unit/cost/pounds.h"

static struct price_class classes[] = {
	{ .name = "STANDARD",
	  .storage_gb_month = { true, true, 240000000 },
	  .put_1000 = { true, true, 53000000 },
	  .get_1000 = { true, true, 4200000 },
	  .retrieval_gb = { true, true, 0 } },
	{ .name = "DEEP_ARCHIVE",
	  .storage_gb_month = { true, true, 18000000 },
	  .put_1000 = { true, true, 600000000 },
	  .get_1000 = { true, true, 4200000 },
	  .minimum_days = 180,
	  .overhead_bytes = 32768,
	  .overhead_standard_bytes = 8192,
	  .recall = { [PRICE_BULK] = { .known = true,
				       .gb = { true, true, 25000000 },
				       .request_1000 = { true, false,
							 250000000 } } } },
};
static const struct price_table aws = DOLLAR_TABLE(classes);
static const struct cost_tier tiers[] = {
	{ .tier = "near", .storage_class = "", .prices = &aws, .place = 1 },
	{ .tier = "deep",
	  .storage_class = "DEEP_ARCHIVE",
	  .prices = &aws,
	  .place = 1 },
};
static const struct cost_opts opts = { .tiers = tiers,
				       .n_tiers = 2,
				       .exchange = &pounds };

/* The sum of so many days may be off by as many units. */
static void assert_about(money_t got, const char *want, money_t off)
{
	money_t m;

	assert_int_equal(money_parse(want, &m), 0);
	if (got - m > off || m - got > off) {
		char text[MONEY_SIZE];

		print_error("%s, not %s\n", money_exact(got, text), want);
		assert_true(false);
	}
}

static void keep(struct fixture *f, int32_t d, uint64_t gib_months)
{
	struct meta_ledger r = { .day = d,
				 .tier = "near",
				 .storage_class = "STANDARD",
				 .byte_hours = gib_months * 730 * GIB };

	fixture_add(f, &r);
}

static void forecast(struct fixture *f, const char *date, unsigned months,
		     struct cost_forecast *out)
{
	assert_int_equal(
		cost_forecast(f->meta, &opts, at(date, 7), months, out, NULL),
		0);
}

/* Each day costs £0.01896 more than the one before. */
static void test_trend(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_forecast_done) struct cost_forecast r = { 0 };
	int i;

	for (i = 1; i <= 20; i++)
		keep(f, day("2026-11-01") + i - 1, (uint64_t)i);
	keep(f, day("2026-11-21"), 999); /* today is not over */
	forecast(f, "2026-11-21", 3, &r);
	assert_int_equal(r.n_months, 3);
	assert_int_equal(r.days, 19); /* the first one was no whole day */
	assert_about(r.trend, "0.01896", 2);
	/* 30.4166… GiB more each day, 30 days */
	assert_true(r.growth_bytes > (int64_t)(912 * GIB) &&
		    r.growth_bytes < (int64_t)(913 * GIB));
	assert_int_equal(r.months[0].year, 2026);
	assert_int_equal(r.months[0].month, 11);
	/* 1 + ... + 30 = 465, 31 + ... + 61 = 1426, 62 + ... + 92 = 2387 */
	assert_about(r.months[0].expected, "8.8164", 40);
	assert_int_equal(r.months[1].month, 12);
	assert_about(r.months[1].expected, "27.03696", 40);
	assert_int_equal(r.months[2].year, 2027);
	assert_int_equal(r.months[2].month, 1);
	assert_about(r.months[2].expected, "45.25752", 40);
	/* all days lie on the line */
	assert_about(r.months[2].high - r.months[2].low, "0", 2000);
	assert_non_null(strstr(r.method, "straight line"));
	assert_non_null(strstr(r.method, "last 19 whole days"));
}

/* Ten days of 1 and 3 by turns: their mean, and twice their spread. */
static void test_few_days(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_forecast_done) struct cost_forecast r = { 0 };
	int i;

	for (i = 0; i < 11; i++)
		keep(f, day("2026-11-20") + i, i % 2 ? 1 : 3);
	forecast(f, "2026-12-01", 1, &r);
	assert_int_equal(r.days, 10);
	assert_true(r.trend == 0 && r.growth_bytes == 0);
	/* 31 x 2 x 0.01896; off by 2 x 0.01896 x sqrt(10 / 9) x sqrt(31 +
	 * 31^2 / 10) = 0.0399709… x 11.2739… = 0.450613 */
	assert_about(r.months[0].expected, "1.17552", 40);
	assert_about(r.months[0].high - r.months[0].expected, "0.4506", 500000);
	assert_true(r.months[0].expected - r.months[0].low ==
		    r.months[0].high - r.months[0].expected);
	assert_non_null(strstr(r.method, "10 whole days, too few"));
}

/* Falling cost ends at nothing, not below. */
static void test_falling(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_forecast_done) struct cost_forecast r = { 0 };
	int i;

	for (i = 0; i < 20; i++)
		keep(f, day("2026-11-01") + i, (uint64_t)(20 - i));
	forecast(f, "2026-11-21", 3, &r);
	assert_true(r.trend < 0);
	assert_true(r.months[2].expected == 0 && r.months[2].low == 0);
	assert_true(r.months[0].low > 0); /* what was spent */
}

static void test_nothing_known(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_forecast_done) struct cost_forecast r = { 0 };
	struct err err = ERR_INIT;

	forecast(f, "2026-11-21", 2, &r);
	assert_true(r.months[1].high == 0);
	assert_int_equal(cost_forecast(f->meta, &opts, 0, 0, &r, &err),
			 -EINVAL);
}

/* ---- what if -------------------------------------------------------- */

static void store(struct fixture *f, const char *tier, const char *cls,
		  uint64_t bytes, int64_t keep_ns)
{
	struct meta_pack p = { .generation = 1 };
	META_TXN(t);

	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/%02x%02x%02x%02x%02x",
		 p.id[0], p.id[1], p.id[2], p.id[3], p.id[4]);
	strcpy(p.tier, tier);
	strcpy(p.storage_class, cls);
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	p.length = bytes;
	p.keep_ns = keep_ns;
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

/* No whole day yet: what lies there goes on lying there. */
static void test_first_day(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_forecast_done) struct cost_forecast r = { 0 };

	store(f, "near", "", 100 * GIB, 0);
	forecast(f, "2026-11-21", 2, &r);
	assert_int_equal(r.days, 0);
	/* 1.896 a month of 730 hours; December has 744 */
	assert_about(r.months[1].expected, "1.9323616438", 31);
	assert_true(r.months[1].high == r.months[1].expected);
	assert_non_null(strstr(r.method, "no whole day"));
}

static void use(struct fixture *f, const char *tier, const char *cls,
		const char *cause, uint64_t gets, uint64_t in_bytes)
{
	struct meta_ledger r = { .day = day("2026-11-10"),
				 .gets = gets,
				 .in_bytes = in_bytes };

	strcpy(r.tier, tier);
	strcpy(r.storage_class, cls);
	strcpy(r.cause, cause);
	fixture_add(f, &r);
}

static void test_all_hot(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_whatif_done) struct cost_whatif w = { 0 };
	int64_t now = at("2026-11-21", 7);

	store(f, "near", "STANDARD", 10 * GIB, 0);
	store(f, "deep", "DEEP_ARCHIVE", 70 * GIB, now);
	store(f, "deep", "DEEP_ARCHIVE", 30 * GIB,
	      now + 73 * SEC_PER_DAY * NSEC_PER_SEC);
	use(f, "near", "STANDARD", "read", 1000, GIB);
	use(f, "deep", "DEEP_ARCHIVE", "policy", 1000, GIB); /* no reads */
	assert_int_equal(
		cost_whatif(f->meta, &opts, COST_ALL_HOT, now, &w, NULL), 0);
	assert_string_equal(w.name, "all-hot");
	assert_true(w.bytes == 100 * GIB);
	/* (10 x 0.024 + 100 x 0.0018 + 2 x (32 KiB x 0.0018 + 8 KiB x 0.024)
	 * + 0.00042 + 0.09) x 0.79 = (0.24 + 0.18 + 0.000000476 + 0.09042) x
	 * 0.79 */
	assert_about(w.now, "0.4032321761", 300);
	/* (110 x 0.024 + 0.09042) x 0.79 */
	assert_about(w.then, "2.1570318", 5);
	assert_true(w.saved_per_month == w.now - w.then);
	/* bulk: 100 x 0.0025 + 2 x 0.025 / 1000; 1600 PUT; 73 days of 30 GB:
	 * 30 x 73 x 24 / 730 x 0.0018 = 0.1296; no egress within a place:
	 * (0.25 + 0.00005 + 0.00848 + 0.1296) x 0.79 */
	assert_about(w.once, "0.3066227", 5);
	assert_true(w.break_even_days < 0);
	assert_int_equal(w.n_unconfirmed, 1);
	assert_string_equal(w.unconfirmed[0],
			    "aws: DEEP_ARCHIVE restore requests");
	assert_int_equal(w.n_assumptions, 3);
}

static void test_all_local(void **state)
{
	struct fixture *f = *state;
	struct cost_opts o = opts;
	struct cost_whatif w = { 0 };
	struct err err = ERR_INIT;

	store(f, "near", "STANDARD", 10 * GIB, 0);
	assert_int_equal(cost_whatif(f->meta, &o, COST_ALL_LOCAL,
				     at("2026-11-21", 7), &w, &err),
			 -EINVAL);
	assert_string_equal(err.msg, "local disk has no price");
	o.disk_tb_month = (struct price_figure){ true, true, 12 * MONEY_UNIT };
	assert_int_equal(cost_whatif(f->meta, &o, COST_ALL_LOCAL,
				     at("2026-11-21", 7), &w, &err),
			 0);
	assert_about(w.now, "0.1896", 0);
	/* 10,737,418,240 / 10^12 x 12 */
	assert_about(w.then, "0.1288490189", 0);
	/* 1 GET, 10 GB of egress */
	assert_about(w.once, "0.7110003318", 0);
	/* 0.7110003318 / 0.0607509811 x 730 / 24 */
	assert_true(w.break_even_days > 355.9 && w.break_even_days < 356.1);
	cost_whatif_done(&w);
}

/* ---- explain -------------------------------------------------------- */

/* 256 KiB of a pack, as `sealed` bytes. */
static void extent(struct fixture *f, uint64_t ino, uint64_t pack,
		   uint64_t pack_off, uint32_t sealed)
{
	uint32_t table[1] = { sealed | 0x80000000U };
	struct meta_extent e = { .ino = ino,
				 .len = 1000,
				 .pack = pack,
				 .pack_off = pack_off,
				 .frames = 1,
				 .table = table };
	META_TXN(t);

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_extent_insert(&t, &e), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static uint64_t archive_pack(struct fixture *f, int64_t stored_ns)
{
	struct meta_pack p = { .generation = 1, .object = "packs/a" };
	struct meta_restore r = { .state = META_RESTORE_READY,
				  .speed = PRICE_BULK };
	META_TXN(t);

	strcpy(p.tier, "deep");
	strcpy(p.storage_class, "DEEP_ARCHIVE");
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	p.length = 4 << 20;
	p.stored_ns = stored_ns;
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	r.pack = p.row;
	r.ordered_ns = stored_ns + 146 * SEC_PER_DAY * NSEC_PER_SEC;
	r.due_ns = r.ordered_ns + 2 * SEC_PER_DAY * NSEC_PER_SEC;
	r.until_ns = r.due_ns + 73 * SEC_PER_DAY * NSEC_PER_SEC;
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	return p.row;
}

static const struct cost_event *event(const struct cost_explained *x,
				      enum price_item item)
{
	size_t i;

	for (i = 0; i < x->n_events; i++)
		if (x->events[i].item == item)
			return &x->events[i];
	print_error("no event of %s\n", price_item_name(item));
	assert_true(false);
	return NULL;
}

/* A quarter of a pack that lies in the archive for ten months of 730 h. */
static void test_explain(void **state)
{
	static const uint64_t one[] = { 7 }, both[] = { 7, 8 }, none[] = { 9 };
	struct fixture *f = *state;
	CLEANUP(cost_explained_done) struct cost_explained x = { 0 }, y = { 0 };
	CLEANUP(cost_explained_done) struct cost_explained z = { 0 };
	int64_t now = at("2026-11-21", 7);
	int64_t stored = now - 7300LL * 3600 * NSEC_PER_SEC;
	uint64_t pack = archive_pack(f, stored);
	size_t i;

	extent(f, 7, pack, 0, 1 << 20);
	extent(f, 8, pack, 1 << 20, 3 << 20);
	assert_int_equal(cost_explain(f->meta, &opts, one, 1, now, &x, NULL),
			 0);
	assert_int_equal(x.files, 1);
	assert_int_equal(x.bytes, 1000);
	/* 0.06 / 1000 x 0.79 / 4 */
	assert_about(event(&x, PRICE_OF_PUT)->amount, "0.00001185", 0);
	assert_true(event(&x, PRICE_OF_PUT)->at_ns == stored);
	/* 1 MiB: 10 / 1024 x 0.0018 x 0.79 */
	assert_about(event(&x, PRICE_OF_STORAGE)->amount, "0.0000138867", 0);
	assert_true(event(&x, PRICE_OF_STORAGE)->quantity ==
		    (unsigned __int128)7300 * 3600 << 20);
	/* 8 KiB: 80 / 2^20 x 0.0018 x 0.79; 2 KiB: 20 / 2^20 x 0.024 =
	 * 0.0000004578 in dollars */
	assert_about(event(&x, PRICE_OF_OVERHEAD)->amount, "0.0000001085", 0);
	assert_about(event(&x, PRICE_OF_OVERHEAD_STANDARD)->amount,
		     "0.0000003617", 0);
	/* 1 MiB at 0.0025; 1 request at 0.025 / 1000 by 4 */
	assert_about(event(&x, PRICE_OF_RESTORED + PRICE_BULK)->amount,
		     "0.0000019287", 0);
	assert_about(event(&x, PRICE_OF_RESTORES + PRICE_BULK)->amount,
		     "0.0000049375", 0);
	/* 2.4 months of 1 MiB as STANDARD */
	assert_about(event(&x, PRICE_OF_HELD)->amount, "0.0000444375", 0);
	assert_int_equal(x.n_events, 7);
	for (i = 1; i < x.n_events; i++)
		assert_true(x.events[i - 1].at_ns <= x.events[i].at_ns);
	/* a tenth of what ten months of keeping came to */
	assert_about(x.per_month, "0.0000014357", 3);
	assert_int_equal(x.n_unconfirmed, 1);
	assert_string_equal(x.unconfirmed[0],
			    "aws: DEEP_ARCHIVE restore requests");
	assert_int_equal(cost_explain(f->meta, &opts, both, 2, now, &y, NULL),
			 0);
	assert_int_equal(y.files, 2);
	assert_int_equal(y.n_events, 7);
	assert_about(event(&y, PRICE_OF_PUT)->amount, "0.0000474", 0);
	assert_int_equal(cost_explain(f->meta, &opts, none, 1, now, &z, NULL),
			 0);
	assert_int_equal(z.n_events, 0);
	assert_true(z.total == 0);
}

static void test_break_even(void **state)
{
	assert_true(cost_break_even(0, 5) == 0);
	assert_true(cost_break_even(-3, 0) == 0);
	assert_true(cost_break_even(5, 0) < 0);
	assert_true(cost_break_even(-5, -1) < 0);
	assert_true(cost_break_even(24, 73) == 10);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trend),
		TEST(test_few_days),
		TEST(test_falling),
		TEST(test_nothing_known),
		TEST(test_first_day),
		TEST(test_explain),
		TEST(test_all_hot),
		TEST(test_all_local),
		cmocka_unit_test(test_break_even),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
