/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of the generated trust, and what its plans foretell: in a month
 * in which nobody does anything, the trust costs what the day before cost, by
 * thirty, what the plan says that it costs once, and the difference that it
 * says for each month, without that of the reads it expects.
 */
#ifndef MERSEY_TESTS_SIM_TIERING_H
#define MERSEY_TESTS_SIM_TIERING_H

#include "tests/sim/sim.h"

#include "tier/tier.h"

#define SIM_COOL  (15 * DAY)
#define SIM_COLD  (60 * DAY)
#define SIM_MONTH 30
#define SIM_RUNS  20 /* days between two, in months of work */

static char *tiering_near[] = { (char[]){ "near" } };
static char *tiering_not_deep[] = { (char[]){ "near" }, (char[]){ "ia" } };
static struct tier_class tiering_classes[] = {
	{ .name = (char[]){ "cold" },
	  .last_access = { TIER_GT, SIM_COLD },
	  .tier = { tiering_not_deep, 2 } },
	{ .name = (char[]){ "cool" },
	  .last_access = { TIER_GT, SIM_COOL },
	  .tier = { tiering_near, 1 } },
};
static struct tier_rule tiering_rules[] = {
	{ .class_name = (char[]){ "cold" },
	  .class = 0,
	  .action = TIER_MOVE,
	  .to = (char[]){ "deep" } },
	{ .class_name = (char[]){ "cool" },
	  .class = 1,
	  .action = TIER_MOVE,
	  .to = (char[]){ "ia" } },
};
static const struct tier_policy tiering_policy = {
	.name = (char[]){ "imaging" },
	.classes = tiering_classes,
	.n_classes = ARRAY_SIZE(tiering_classes),
	.rules = tiering_rules,
	.n_rules = ARRAY_SIZE(tiering_rules),
};
static struct tier_terms tiering_terms[SIM_TIERS];
static struct tier *tiering;

static inline void tiering_start(void)
{
	struct tier_opts o = { .policy = &tiering_policy,
			       .policies = &tiering_policy,
			       .n_policies = 1,
			       .tier = tiering_terms,
			       .n_tiers = SIM_TIERS,
			       .exchange = &sim_exchange,
			       .delete_after_ns = SIM_GRACE };
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < SIM_TIERS; i++)
		tiering_terms[i] = (struct tier_terms){
			.name = sim_tiers[i].name,
			.store = "mem",
			.bucket = "bucket",
			.storage_class = sim_tiers[i].class,
			.place = sim_tiers[i].place,
			.object_size = sim_tiers[i].object_size,
			.prices = sim_tiers[i].prices,
			.class = price_table_class(sim_tiers[i].prices,
						   sim_tiers[i].class),
			.archive = sim_tiers[i].archive,
		};
	if (tier_start(&o, m, mv, &tiering, &err) < 0)
		sim_fail("tier", err.msg);
}

static inline void tiering_stop(void)
{
	tier_stop(take(tiering));
}

static inline void tiering_skipped(void *arg, const char *path,
				   const char *reason)
{
	sim_fail(path, reason);
}

static inline bool tiering_tick(void *arg, const struct meta_run *now)
{
	return true;
}

/* Plans and applies; what the plan said. */
static inline void tiering_apply(struct tier_plan *p)
{
	const struct tier_run_opts ro = { .trigger = "apply",
					  .by = "sim",
					  .skipped = tiering_skipped,
					  .tick = tiering_tick };
	struct err err = ERR_INIT;
	struct meta_run run;

	if (tier_plan_make(tiering, NULL, NULL, NULL, p, &err) < 0)
		sim_fail("plan", err.msg);
	if (tier_apply(tiering, p->name, &ro, &run, &err) < 0)
		sim_fail("apply", err.msg);
	if (run.state != META_RUN_DONE)
		sim_fail("apply", run.error);
	assert_int_equal(run.errors, 0);
	assert_int_equal(run.bytes, p->bytes);
}

static inline void tiering_run(void)
{
	struct tier_plan p;

	tiering_apply(&p);
	tier_plan_done(&p);
}

/* What the days from `from` on cost, of all tiers and the disk. */
static inline money_t tiering_cost(int32_t from, int32_t days)
{
	struct err err = ERR_INIT;
	struct cost_report r;
	money_t total;

	assert_int_equal(cost_ledger_flush(sim_ledger), 0);
	if (cost_report(m, &sim_cost, COST_BY_TIER, from, from + days,
			clock_wall_ns(), &r, &err) < 0)
		sim_fail("report", err.msg);
	total = r.totals.total;
	cost_report_done(&r);
	return total;
}

/*
 * A month from the day `day` on, in which there is only the plan. It begins
 * with a day of which nothing is asked, to be compared with. Returns the day
 * behind it.
 */
static inline int tiering_month(int day, FILE *out)
{
	struct tier_plan p;
	money_t before, want, got;
	char a[MONEY_SIZE], b[MONEY_SIZE];
	int32_t at;

	advance_to(SIM_START + (day + 1) * DAY);
	while (copies_left() || condemned_left()) {
		day++;
		advance_to(SIM_START + (day + 1) * DAY);
	}
	day++;
	advance_to(SIM_START + (day + 1) * DAY);
	at = (int32_t)(SIM_START / DAY) + day;
	before = tiering_cost(at, 1);
	day++;
	tiering_apply(&p);
	advance_to(SIM_START + (day + SIM_MONTH) * DAY);
	got = tiering_cost(at + 1, SIM_MONTH);
	want = before * SIM_MONTH + p.once +
	       money_muldiv(p.per_month - p.reads_per_month, SIM_MONTH * 24,
			    730);
	fprintf(out, "%d,%llu,%llu,%s,%s\n", at + 1,
		(unsigned long long)p.files, (unsigned long long)p.bytes,
		money_exact(want, a), money_exact(got, b));
	tier_plan_done(&p);
	return day + SIM_MONTH;
}

#endif
