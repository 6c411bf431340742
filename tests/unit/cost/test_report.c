/* SPDX-License-Identifier: Apache-2.0 */
/* Every figure here was computed by hand. */
#include "tests/unit/cost/pounds.h"

#include <sys/stat.h>

static struct price_class classes[] = {
	{ .name = "STANDARD",
	  .storage_gb_month = { true, true, 240000000 }, /* $0.024 */
	  .put_1000 = { true, true, 53000000 },		 /* $0.0053 */
	  .get_1000 = { true, false, 4200000 },
	  .retrieval_gb = { true, true, 0 } }, /* $0.00042 */
	{ .name = "GLACIER_IR",
	  .storage_gb_month = { true, false, 50000000 }, /* $0.005 */
	  .put_1000 = { true, false, 200000000 },
	  .get_1000 = { true, false, 100000000 },
	  .retrieval_gb = { true, true, 300000000 } }, /* $0.03 */
};
static const struct price_table aws = DOLLAR_TABLE(classes);
static const struct cost_tier tiers[] = {
	{ .tier = "near", .storage_class = "", .prices = &aws }
};
static const struct cost_opts opts = { .tiers = tiers,
				       .n_tiers = 1,
				       .exchange = &pounds };

static void assert_money(money_t got, const char *want)
{
	char text[MONEY_SIZE];

	assert_string_equal(money_exact(got, text), want);
}

static void add(struct fixture *f, const char *date, const char *cls,
		const char *cause, uint64_t hours, uint64_t puts, uint64_t gets,
		uint64_t in_bytes)
{
	struct meta_ledger r = { .day = day(date),
				 .tier = "near",
				 .byte_hours = hours,
				 .puts = puts,
				 .gets = gets,
				 .in_bytes = in_bytes };

	strcpy(r.storage_class, cls);
	strcpy(r.cause, cause);
	fixture_add(f, &r);
}

static void test_a_month_by_hand(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	const struct cost_row *row;

	/* 10 GiB for 10 of 30 days, 500 PUTs, 1000 GETs of 2 GiB */
	fixture_store(f, 10 * GIB);
	add(f, "2026-11-01", "STANDARD", "", 10 * GIB * 120, 0, 0, 0);
	add(f, "2026-11-10", "STANDARD", "", 10 * GIB * 120, 0, 0, 0);
	add(f, "2026-11-05", "STANDARD", "protect", 0, 500, 0, 0);
	add(f, "2026-11-06", "STANDARD", "read", 0, 0, 1000, 2 * GIB);
	/* not of this month */
	add(f, "2026-10-31", "STANDARD", "", 999 * GIB, 9, 9, 9);
	add(f, "2026-12-01", "STANDARD", "", 999 * GIB, 9, 9, 9);

	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-11-11", 0), &r, NULL),
			 0);
	assert_int_equal(r.n_rows, 1);
	assert_int_equal(r.elapsed_seconds, 10 * 86400);
	row = &r.rows[0];
	assert_true(row->average_bytes == 10 * GIB);
	assert_true(row->current_bytes == 10 * GIB);
	assert_true(row->byte_hours == 10 * GIB * 240);
	assert_int_equal(row->puts, 500);
	assert_int_equal(row->gets, 1000);
	/* 10 x 240 / 730 x 0.024 x 0.79 */
	assert_money(row->charges.storage, "0.0623342466");
	/* (0.5 x 0.0053 + 1 x 0.00042) x 0.79 */
	assert_money(row->charges.requests, "0.0024253000");
	/* 2 x 0.09 x 0.79 */
	assert_money(row->charges.transfer, "0.1422000000");
	assert_money(row->charges.total, "0.2069595466");
	/* storage for 720 h, the rest threefold: 0.187002740 + 0.4338759 */
	assert_true(row->projected >= 6208786300LL - 10 &&
		    row->projected <= 6208786400LL + 10);
	/* 10 x 0.024 x 0.79 */
	assert_money(row->per_month, "0.1896000000");
	assert_money(r.totals.total, "0.2069595466");
	assert_int_equal(r.n_unconfirmed, 1);
	assert_string_equal(r.unconfirmed[0], "aws: STANDARD requests");
}

static void test_month_rollover(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report nov = { 0 }, dec = { 0 };

	add(f, "2026-11-30", "STANDARD", "", 730 * GIB, 0, 0, 0);
	add(f, "2026-12-01", "STANDARD", "", 2 * 730 * GIB, 0, 0, 0);
	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-12-02", 0), &nov, NULL),
			 0);
	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2026-12-01"), day("2027-01-01"),
				     at("2026-12-02", 0), &dec, NULL),
			 0);
	assert_money(nov.totals.total, "0.0189600000");
	assert_money(nov.projected, "0.0189600000"); /* it is over */
	assert_money(dec.totals.total, "0.0379200000");
	assert_int_equal(nov.elapsed_seconds, 30 * 86400);
	assert_int_equal(dec.elapsed_seconds, 86400);
}

static void test_rows_add_up(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 };

	add(f, "2026-11-02", "STANDARD", "", 77777777, 13, 7, 3);
	add(f, "2026-11-02", "GLACIER_IR", "", 33333333, 1, 3, 1 << 20);
	add(f, "2026-11-02", "DEEP_ARCHIVE", "", 1, 0, 0, 0);
	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-11-03", 0), &r, NULL),
			 0);
	assert_int_equal(r.n_rows, 3);
	assert_string_equal(r.rows[0].storage_class, "STANDARD");
	assert_true(r.rows[0].charges.total + r.rows[1].charges.total +
			    r.rows[2].charges.total ==
		    r.totals.total);
	assert_true(r.rows[0].projected + r.rows[1].projected +
			    r.rows[2].projected ==
		    r.projected);
	/* the class that the table lacks is said, and counts as nothing */
	assert_string_equal(r.rows[1].storage_class, "DEEP_ARCHIVE");
	assert_money(r.rows[1].charges.total, "0.0000000000");
	assert_true(r.n_unconfirmed >= 3);
}

static void test_empty_and_future(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 }, later = { 0 };

	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-11-03", 0), &r, NULL),
			 0);
	assert_int_equal(r.n_rows, 1);
	assert_money(r.totals.total, "0.0000000000");
	assert_int_equal(r.n_unconfirmed, 0);
	assert_int_equal(cost_report(f->meta, &opts, COST_BY_TIER,
				     day("2027-11-01"), day("2027-12-01"),
				     at("2026-11-03", 0), &later, NULL),
			 0);
	assert_int_equal(later.elapsed_seconds, 0);
	assert_int_equal(later.rows[0].average_bytes, 0);
}

static void test_no_rate(void **state)
{
	static const struct price_exchange none = { .currency = "GBP" };
	const struct cost_opts o = { .tiers = tiers,
				     .n_tiers = 1,
				     .exchange = &none };
	struct fixture *f = *state;
	struct cost_report r;
	struct err err = ERR_INIT;

	add(f, "2026-11-02", "STANDARD", "", GIB, 0, 0, 0);
	assert_int_equal(cost_report(f->meta, &o, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-11-03", 0), &r, &err),
			 -ENOENT);
	assert_string_equal(err.msg, "there is no rate from USD to GBP");
	assert_true(err.hint[0]);
	assert_int_equal(
		cost_report(f->meta, &o, COST_BY_TIER, 5, 5, 0, &r, &err),
		-EINVAL);
}

static void test_no_table(void **state)
{
	static const struct cost_tier bare[] = { { .tier = "near",
						   .storage_class = "" } };
	const struct cost_opts o = { .tiers = bare,
				     .n_tiers = 1,
				     .exchange = &pounds };
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 };

	add(f, "2026-11-02", "STANDARD", "", GIB, 0, 0, 0);
	assert_int_equal(cost_report(f->meta, &o, COST_BY_TIER,
				     day("2026-11-01"), day("2026-12-01"),
				     at("2026-11-03", 0), &r, NULL),
			 0);
	assert_int_equal(r.n_unconfirmed, 1);
	assert_string_equal(r.unconfirmed[0],
			    "near: no price of STANDARD (no price table)");
}

/* A pack of a study in a class; keeps its days. */
static void store_study(struct fixture *f, const char *uid,
			const char *modality, uint32_t date, uint64_t bytes)
{
	struct meta_pack p = { .generation = 1, .length = bytes };
	struct meta_study study = { .date = date };
	META_TXN(t);

	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/%s", uid);
	strcpy(p.tier, "near");
	strcpy(p.storage_class, "STANDARD");
	assert_int_equal(meta_begin(f->meta, &t), 0);
	if (modality) {
		strcpy(study.uid, uid);
		strcpy(study.modality, modality);
		assert_int_equal(meta_study_put(&t, &study), 0);
	}
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	p.study = study.row;
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static void report(struct fixture *f, const struct cost_opts *o,
		   enum cost_by by, struct cost_report *r)
{
	assert_int_equal(cost_report(f->meta, o, by, day("2026-11-01"),
				     day("2026-12-01"), at("2026-11-11", 0), r,
				     NULL),
			 0);
}

static const struct cost_row *row_of(const struct cost_report *r,
				     const char *name)
{
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		if (strcmp(r->rows[i].name, name) == 0)
			return &r->rows[i];
	print_error("no row '%s'\n", name);
	assert_true(false);
	return NULL;
}

static void test_by_modality_and_age(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report whole = { 0 };
	CLEANUP(cost_report_done) struct cost_report r = { 0 }, ages = { 0 };

	/* 6 + 3 + 1 of 10 GiB */
	store_study(f, "1.2", "CT\\SR", 20261101, 6 * GIB);
	store_study(f, "1.3", "SR\\MR", 20200101, 3 * GIB);
	store_study(f, "1.4", NULL, 0, GIB);
	add(f, "2026-11-01", "STANDARD", "", 10 * GIB * 240, 0, 0, 0);
	add(f, "2026-11-05", "STANDARD", "protect", 0, 500, 0, 0);
	add(f, "2026-11-06", "STANDARD", "read", 0, 0, 1001, 2 * GIB);
	report(f, &opts, COST_BY_TIER, &whole);
	report(f, &opts, COST_BY_MODALITY, &r);
	assert_int_equal(r.n_rows, 3);
	assert_int_equal(row_of(&r, "CT")->puts, 300);
	assert_int_equal(row_of(&r, "MR")->puts, 150);
	assert_int_equal(row_of(&r, "no study")->puts, 50);
	assert_true(row_of(&r, "CT")->average_bytes == 6 * GIB);
	assert_int_equal(row_of(&r, "CT")->objects, 1);
	/* 6/10 of 0.0623342466 */
	assert_money(row_of(&r, "CT")->charges.storage, "0.0374005480");
	/* 1001 is no multiple of 10: 601 + 300 + 100 */
	assert_int_equal(row_of(&r, "CT")->gets + row_of(&r, "MR")->gets +
				 row_of(&r, "no study")->gets,
			 1001);
	assert_true(r.totals.total == whole.totals.total);
	assert_true(r.projected == whole.projected);
	assert_true(r.per_month == whole.per_month);
	assert_non_null(strstr(r.basis, "each modality"));
	report(f, &opts, COST_BY_AGE, &ages);
	assert_int_equal(ages.n_rows, 3);
	assert_string_equal(ages.rows[0].name, "under 30 days");
	assert_string_equal(ages.rows[1].name, "5 to 8 years");
	assert_string_equal(ages.rows[2].name, "no study");
	assert_true(ages.rows[1].current_bytes == 3 * GIB);
	assert_true(ages.totals.total == whole.totals.total);
}

static void test_by_cause_and_class(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 }, c = { 0 };

	fixture_store(f, 10 * GIB);
	add(f, "2026-11-01", "STANDARD", "", 10 * GIB * 240, 0, 0, 0);
	add(f, "2026-11-05", "STANDARD", "protect", 0, 500, 0, 0);
	add(f, "2026-11-06", "GLACIER_IR", "policy", 0, 100, 0, 0);
	add(f, "2026-11-07", "GLACIER_IR", "read", 0, 0, 0, GIB);
	report(f, &opts, COST_BY_CAUSE, &r);
	assert_int_equal(r.n_rows, 4);
	/* 0.1 x 0.02 x 0.79 */
	assert_money(row_of(&r, "policy")->charges.total, "0.0015800000");
	/* (0.03 + 0.09) x 0.79 */
	assert_money(row_of(&r, "read")->charges.total, "0.0948000000");
	assert_true(row_of(&r, "storage")->current_bytes == 10 * GIB);
	assert_money(row_of(&r, "storage")->per_month, "0.1896000000");
	report(f, &opts, COST_BY_CLASS, &c);
	assert_int_equal(c.n_rows, 2);
	assert_money(row_of(&c, "GLACIER_IR")->charges.total, "0.0963800000");
	assert_true(c.totals.total == r.totals.total);
	/* everything in STANDARD: no policy, no retrieval */
	assert_int_equal(r.n_compared, 1);
	assert_string_equal(r.compared[0].name, "everything in aws STANDARD");
	/* 0.0623342466 + 0.5 x 0.0053 x 0.79 + 0.09 x 0.79 */
	assert_money(r.compared[0].total, "0.1355277466");
	assert_true(r.compared[0].saved ==
		    r.compared[0].total - r.totals.total);
}

/* Two months of steps, and the rest of one: what is projected goes on where
 * the step is. */
static void test_steps(void **state)
{
	struct price_class cls = classes[0];
	struct price_table t = aws;
	struct cost_tier near = { .tier = "near", .prices = &t };
	struct cost_opts o = opts;
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 };

	near.storage_class = "";
	t.classes = &cls;
	t.n_classes = 1;
	cls.n_steps = 1;
	cls.steps[0].above_bytes = 4 * GIB;
	cls.steps[0].gb = classes[1].storage_gb_month; /* 0.005 */
	o.tiers = &near;
	o.vat = 20;
	fixture_store(f, 10 * GIB);
	add(f, "2026-11-01", "STANDARD", "", 10 * GIB * 240, 0, 0, 0);
	report(f, &o, COST_BY_TIER, &r);
	/* 10 x 240 / 730 = 3.28767 GB-months: below the step */
	assert_money(r.totals.total, "0.0623342466");
	assert_money(r.vat, "0.0124668493");
	/* 10 x 720 / 730 = 9.86301 of them: (4 x 0.024 + 5.86301 x 0.005) x
	 * 0.79 = 0.09899890… */
	assert_money(r.projected, "0.0989989041");
	/* (4 x 0.024 + 6 x 0.005) x 0.79 */
	assert_money(r.per_month, "0.0995400000");
	assert_int_equal(r.n_unconfirmed, 1);
	assert_int_equal(r.n_compared, 0);
}

static void test_carbon(void **state)
{
	struct price_class cls = classes[0];
	struct price_table t = aws;
	struct cost_tier near = { .tier = "near", .prices = &t };
	struct cost_opts o = opts;
	struct fixture *f = *state;
	CLEANUP(cost_report_done) struct cost_report r = { 0 }, none = { 0 };

	near.storage_class = "";
	t.classes = &cls;
	t.n_classes = 1;
	o.tiers = &near;
	/* 2 TB for a month, 300 GB in */
	add(f, "2026-11-01", "STANDARD", "", 2000000000000 * 730, 0, 0, 0);
	add(f, "2026-11-02", "STANDARD", "read", 0, 0, 0, 300000000000);
	report(f, &o, COST_BY_TIER, &none);
	assert_false(none.carbon_known);
	cls.kwh_tb_month =
		(struct price_figure){ .known = true, .amount = 32300000000 };
	t.kg_co2e_kwh = (struct price_figure){ .known = true,
					       .amount = 1770000000,
					       .as_of = "2025-06-01" };
	t.network_kwh_gb =
		(struct price_figure){ .known = true, .amount = 10000000 };
	report(f, &o, COST_BY_TIER, &r);
	assert_true(r.carbon_known);
	/* 2 x 3.23 + 300 x 0.001 */
	assert_money(r.kwh, "6.7600000000");
	assert_money(r.kg_co2e, "1.1965200000");
	assert_string_equal(r.carbon_method,
			    "Energy of bytes kept and sent x carbon of the "
			    "grid; near: 3.23 kWh a TB-month, 0.001 a GB sent, "
			    "0.177 kg CO2e a kWh (2025-06-01, not confirmed). "
			    "Neither making the machines nor the cache is "
			    "counted.");
}

/* 2 TB are cached; a TB-month is £12. */
static void test_local_disk(void **state)
{
	struct fixture *f = *state;
	struct cost_opts o = opts;
	struct meta_inode in = { .ino = 77,
				 .mode = S_IFREG | 0600,
				 .nlink = 1,
				 .size = 2000000000000,
				 .cached_bytes = 2000000000000 };
	struct meta_ledger_item item = { .day = day("2026-11-01"),
					 .tier = "local",
					 .kind = META_LEDGER_DISK,
					 .whole = 1000000000000 * 730 };
	int by;
	META_TXN(t);

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	assert_int_equal(meta_ledger_item_add(&t, &item), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	o.disk_tb_month = (struct price_figure){ .known = true,
						 .amount = 12 * MONEY_UNIT };
	for (by = 0; by < COST_BYS; by++) {
		CLEANUP(cost_report_done) struct cost_report r = { 0 };
		const struct cost_row *row;

		report(f, &o, (enum cost_by)by, &r);
		row = row_of(&r, by == COST_BY_CLASS   ? "DISK"
				 : by == COST_BY_CAUSE ? "storage"
						       : "local");
		assert_true(row->current_bytes == in.cached_bytes);
		assert_money(row->charges.storage, "12.0000000000");
		assert_money(row->per_month, "24.0000000000");
		/* 480 of 730 hours are left: 15.78082191780… */
		assert_money(row->projected, "27.7808219178");
		assert_int_equal(r.n_compared, 0);
		assert_int_equal(r.n_unconfirmed, 1);
		assert_string_equal(r.unconfirmed[0],
				    "local disk: DISK storage");
	}
	o.disk_tb_month.known = false;
	{
		CLEANUP(cost_report_done) struct cost_report r = { 0 };

		report(f, &o, COST_BY_TIER, &r);
		assert_int_equal(r.n_rows, 1);
		assert_true(r.totals.total == 0);
	}
}

static void test_by_names(void **state)
{
	enum cost_by by;
	int i;

	for (i = 0; i < COST_BYS; i++) {
		assert_int_equal(
			cost_by_parse(cost_by_name((enum cost_by)i), &by), 0);
		assert_int_equal(by, i);
	}
	assert_int_equal(cost_by_parse("age", &by), 0);
	assert_int_equal(by, COST_BY_AGE);
	assert_int_equal(cost_by_parse("", &by), -EINVAL);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_month_by_hand),
		TEST(test_month_rollover),
		TEST(test_rows_add_up),
		TEST(test_empty_and_future),
		TEST(test_no_rate),
		TEST(test_no_table),
		TEST(test_by_modality_and_age),
		TEST(test_by_cause_and_class),
		TEST(test_steps),
		TEST(test_carbon),
		TEST(test_local_disk),
		cmocka_unit_test(test_by_names),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
