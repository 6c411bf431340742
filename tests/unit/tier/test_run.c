/* SPDX-License-Identifier: Apache-2.0 */
/* Applying plans: exactly that, or not at all; and going on after any end. */
#include "tests/unit/tier/util.h"

#define HOUR  (3600 * NSEC_PER_SEC)
#define FILES 120 /* one of them is less than 2 % */
#define SIZE  4096

static uint64_t old_dir, ino[FILES];
static struct tier_plan tplan;
static struct meta_run run;
static struct err err;
static char skipped[8][64];
static size_t n_skipped;
static money_t spent;

static void on_skipped(void *arg, const char *path, const char *reason)
{
	assert_true(n_skipped < ARRAY_SIZE(skipped));
	snprintf(skipped[n_skipped++], sizeof(skipped[0]), "%s: %s", path,
		 reason);
}

static struct tier_run_opts ropts = { .by = "uid 1000", .skipped = on_skipped };

static int setup(void **state)
{
	int i, rc = tier_setup(state);

	old_dir = make_dir(META_ROOT_INO, "old");
	for (i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		ino[i] = new_file_in(old_dir, name, S_IFREG | 0644);
		write_file(ino[i], ino[i], SIZE);
	}
	move_protect_now(mv, 0);
	for (i = 0; i < FILES; i++) {
		assert_true(wait_state(ino[i], META_LOCAL));
		age(ino[i], 100);
	}
	n_skipped = 0;
	ropts.tick = NULL;
	ropts.trigger = NULL;
	return rc;
}

static int teardown(void **state)
{
	tier_plan_done(&tplan);
	return tier_teardown(state);
}

/* What a look says of the plan that was made last. */
static int look(void)
{
	struct tier_plan now;
	int rc = tier_apply_look(tier, tplan.name, &now, &err);

	tier_plan_done(&now);
	return rc;
}

static void make_plan(void)
{
	tier_plan_done(&tplan);
	assert_int_equal(tier_plan_make(tier, NULL, NULL, NULL, &tplan, &err),
			 0);
}

static int apply(void)
{
	return tier_apply(tier, tplan.name, &ropts, &run, &err);
}

static enum meta_plan_state plan_state(void)
{
	struct meta_plan p;

	assert_int_equal(store_find(tier, tplan.name, &p), 0);
	return p.state;
}

static bool last_run(struct meta_run *out)
{
	META_TXN(t);

	assert_int_equal(meta_look(m, &t), 0);
	return meta_run_list(&t, 0, out, 1) == 1;
}

static int wait_run(enum meta_run_state want)
{
	int i;

	for (i = 0; i < 1000; i++) {
		if (last_run(&run) && run.state == want)
			return 0;
		clock_sleep_ns(20000000);
	}
	return -ETIMEDOUT;
}

static size_t moved(void)
{
	size_t i, n = 0;

	for (i = 0; i < FILES; i++)
		n += strcmp(tier_of(ino[i]), "cool") == 0;
	return n;
}

static void change(uint64_t i, size_t n)
{
	struct cache_file *f = file_open(i, true);

	write_at(f, 9, 0, n);
	file_close(f, true);
}

static void test_done(void **state)
{
	make_plan();
	assert_int_equal(tplan.files, FILES);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, FILES);
	assert_int_equal(run.bytes, FILES * SIZE);
	assert_string_equal(run.by, "uid 1000");
	assert_int_equal(moved(), FILES);
	assert_int_equal(plan_state(), META_PLAN_DONE);
	assert_int_equal(look(), -EALREADY);
	assert_int_equal(apply(), -EALREADY);
	assert_int_equal(tier_apply(tier, "0", &ropts, &run, &err), -ENOENT);
	assert_true(last_run(&run));
	assert_int_equal(run.state, META_RUN_DONE);
	assert_true(run.ended_ns >= run.started_ns);
	make_plan();
	assert_int_equal(tplan.files, 0);
}

/* Written, deleted: left, and said. */
static void test_changed(void **state)
{
	uint64_t top = make_old(META_ROOT_INO, "top", SIZE);

	rule_set(2, 1, TIER_KEEP, NULL); /* all that is recent */
	rule_set(3, 5, TIER_MOVE, "cool");
	make_plan();
	assert_int_equal(tplan.files, FILES + 1);
	change(ino[7], 10);
	unlink_file(top, "top");
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, FILES - 1);
	assert_int_equal(run.skipped, 2);
	assert_int_equal(n_skipped, 2);
	assert_string_equal(skipped[0], "old/7: changed since the plan");
	assert_string_equal(skipped[1], "(deleted): deleted");
}

/* More than 2 % is another plan. */
static void test_refused(void **state)
{
	make_plan();
	change(ino[7], 10);
	change(ino[8], 10);
	assert_int_equal(look(), 0);
	change(ino[9], 10);
	assert_int_equal(look(), -EKEYEXPIRED);
	assert_int_equal(apply(), -EKEYEXPIRED);
	assert_non_null(strstr(err.msg, "what there is to do differs"));
	assert_string_equal(err.hint, "mersey tier plan");
	assert_int_equal(plan_state(), META_PLAN_NEW);
	assert_int_equal(transfers.calls, 0);
}

static void refused_at(money_t *price, money_t factor, const char *why)
{
	money_t was = *price;

	*price *= factor;
	assert_int_equal(apply(), -EKEYEXPIRED);
	*price = was;
	assert_non_null(strstr(err.msg, why));
	assert_int_equal(transfers.calls, 0);
}

/* Prices that rose are another plan, too; by a hundredth they are not. */
static void test_dearer(void **state)
{
	money_t *put = &classes[1].put_1000.amount, was = *put;

	make_plan();
	refused_at(put, 2, "it costs more once");
	refused_at(&classes[1].storage_gb_month.amount, 2,
		   "it costs more each month");
	*put = was / 100 * 101;
	assert_int_equal(apply(), 0);
	*put = was;
}

static void cancel_now(void)
{
	assert_int_equal(tier_cancel(tier), 0);
}

static void test_cancel(void **state)
{
	assert_int_equal(tier_cancel(tier), -ENOENT);
	make_plan();
	transfers.before = cancel_now;
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_CANCELLED);
	assert_int_equal(plan_state(), META_PLAN_CANCELLED);
	assert_int_equal(moved(), 0);
	transfers.before = NULL;
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(moved(), FILES);
}

static int ticks;

static bool leave(void *arg, const struct meta_run *now)
{
	return ++ticks < 20;
}

/* Who began it hangs up in the middle: the job goes on with the same run. */
static void test_left(void **state)
{
	uint64_t id;

	ticks = 0;
	ropts.tick = leave;
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_RUNNING);
	id = run.id;
	assert_int_equal(wait_run(META_RUN_DONE), 0);
	assert_int_equal(run.id, id);
	assert_int_equal(run.files, FILES);
	assert_int_equal(moved(), FILES);
	assert_int_equal(plan_state(), META_PLAN_DONE);
}

static int stop_at;

static bool stop_then(void *arg, const struct meta_run *now)
{
	if (++ticks == stop_at)
		tier->stopping = true;
	return true;
}

/* The process ends wherever it can be told to; the next one goes on by itself,
 * and counts each file once. */
static void test_restart(void **state)
{
	struct meta_run last = { .state = META_RUN_RUNNING };
	size_t i;

	ropts.tick = stop_then;
	for (stop_at = 1; stop_at < 200; stop_at += 29) {
		const char *to = stop_at % 2 ? "cool" : "near";

		rule_set(1, 2, TIER_MOVE, to);
		ticks = 0;
		make_plan();
		assert_int_equal(tplan.files, FILES);
		assert_int_equal(apply(), 0);
		last = run;
		restart_tier();
		assert_int_equal(wait_run(META_RUN_DONE), 0);
		assert_int_equal(run.id, last.id);
		assert_int_equal(run.files, FILES);
		assert_int_equal(run.bytes, FILES * SIZE);
		for (i = 0; i < FILES; i++)
			assert_string_equal(tier_of(ino[i]), to);
	}
	/* the last one was never told */
	assert_int_equal(last.state, META_RUN_DONE);
}

static void test_busy(void **state)
{
	make_plan();
	assert_int_equal(tier_claim(tier, &err), 0);
	assert_int_equal(apply(), -EBUSY);
	tier_release(tier);
	assert_int_equal(apply(), 0);
}

static void test_limits(void **state)
{
	policy.limits.bytes = SIZE - 1;
	make_plan();
	assert_non_null(
		strstr(tplan.assumptions[tplan.n_assumptions - 1], "limits"));
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_STOPPED);
	assert_string_equal(run.error,
			    "stopped by the policy's limit of bytes");
	assert_int_equal(moved(), 0);
	policy.limits = (struct tier_limits){ .requests = 1 };
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_STOPPED);
	policy.limits =
		(struct tier_limits){ .has_money = true, .money = PENNY };
	assert_int_equal(apply(), 0);
	assert_string_equal(run.error,
			    "stopped by the policy's limit of money");
	assert_int_equal(moved(), 0);
}

#define DEEP 7

static void stops_at(const struct tier_limits *l, uint64_t files,
		     enum meta_run_state state)
{
	policy.limits = *l;
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, state);
	assert_int_equal(run.files, files);
}

/* A run does what a limit lets through, also of what would go together. */
static void test_limits_below(void **state)
{
	uint64_t deep = make_dir(META_ROOT_INO, "deep");
	char name[2] = "a";
	int i;

	for (i = 0; i < DEEP; i++, name[0]++)
		make_old(deep, name, SIZE);
	rule_set(1, 3, TIER_MOVE, "cool");
	make_plan();
	assert_int_equal(tplan.files, DEEP);
	/* a request each when it is done, two before */
	stops_at(&(struct tier_limits){ .requests = 3 }, 2, META_RUN_STOPPED);
	stops_at(&(struct tier_limits){ .files = 2 }, 2, META_RUN_STOPPED);
	stops_at(&(struct tier_limits){ .bytes = SIZE * 2 - 1 }, 1,
		 META_RUN_STOPPED);
	stops_at(&(struct tier_limits){ .files = 2 }, 2, META_RUN_DONE);
}

/* Between batches, here of two rules. */
static void test_rate(void **state)
{
	make_old(make_dir(META_ROOT_INO, "deep"), "a", SIZE);
	policy.limits = (struct tier_limits){ .rate = FILES * SIZE * 4 };
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, FILES + 1);
	assert_true(run.ended_ns - run.started_ns >= NSEC_PER_SEC / 5);
}

static int read_spent(void *arg, money_t *out)
{
	*out = spent;
	return 0;
}

static void test_budget(void **state)
{
	topts.has_budget = true;
	topts.budget = 100 * MONEY_UNIT;
	topts.spent = read_spent;
	restart_tier();
	make_plan();
	spent = 100 * MONEY_UNIT;
	assert_int_equal(look(), -EDQUOT);
	assert_int_equal(apply(), -EDQUOT);
	assert_non_null(strstr(err.msg, "budget of £100.00 is used up"));
	spent = 100 * MONEY_UNIT - PENNY;
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_STOPPED);
	assert_string_equal(run.error, "stopped by the month's budget");
	spent = 0;
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
}

static void stop_second(void)
{
	if (transfers.calls == 2)
		tier->stopping = true;
}

/* What a run had cost before it was interrupted is in the month's sum. */
static void test_budget_again(void **state)
{
	make_old(make_dir(META_ROOT_INO, "deep"), "a", SIZE);
	topts.has_budget = true;
	topts.budget = 100 * MONEY_UNIT;
	topts.spent = read_spent;
	restart_tier();
	spent = 0;
	transfers.before = stop_second;
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_RUNNING);
	assert_int_equal(run.files, FILES); /* at £2.40 */
	transfers.before = NULL;
	spent = 99 * MONEY_UNIT;
	restart_tier();
	assert_int_equal(wait_run(META_RUN_DONE), 0);
	assert_int_equal(run.files, FILES + 1);
}

static int plans(void)
{
	struct meta_plan p[4];
	META_TXN(t);

	assert_int_equal(meta_look(m, &t), 0);
	return meta_plan_list(&t, 0, p, ARRAY_SIZE(p));
}

/* One that begins by itself does so again and again: it leaves nothing. */
static void test_budget_run(void **state)
{
	topts.has_budget = true;
	topts.budget = spent = 100 * MONEY_UNIT;
	topts.spent = read_spent;
	restart_tier();
	assert_int_equal(tier_run(tier, NULL, &ropts, &run, &err), -EDQUOT);
	assert_int_equal(plans(), 0);
	spent = 0;
	assert_int_equal(tier_run(tier, NULL, &ropts, &run, &err), 0);
	assert_int_equal(plans(), 1);
}

/* A store that is away is waited for; it is nobody's error. */
static void test_away(void **state)
{
	transfers.rc[0] = -ETIMEDOUT;
	transfers.pending = 1;
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.errors, 0);
	assert_int_equal(moved(), FILES);
	assert_true(transfers.calls >= 3);
}

/* An order is predicted once, also when its files move later. */
static void test_predicted(void **state)
{
	char once[MONEY_SIZE];

	transfers.pending = 1;
	make_plan();
	money_exact(tplan.once, once);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_string_equal(run.predicted, once);
}

static bool days_pass(void *arg, const struct meta_run *now)
{
	clock_shift(SEC_PER_DAY * NSEC_PER_SEC, 0);
	return true;
}

/* What never comes from an archive is not waited for for ever. */
static void test_never_comes(void **state)
{
	int64_t before = clock_wall_ns(), boot = clock_boot_ns();

	transfers.pending = 1000;
	make_plan();
	ropts.tick = days_pass;
	assert_int_equal(apply(), 0);
	ropts.tick = NULL;
	assert_int_equal(run.state, META_RUN_STOPPED);
	assert_non_null(strstr(run.error, "7 days"));
	clock_shift(before + clock_boot_ns() - boot - clock_wall_ns(), 0);
}

static void test_errors(void **state)
{
	transfers.broken = make_old(old_dir, "broken", SIZE);
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_FAILED);
	assert_int_equal(run.errors, 1);
	assert_int_equal(run.files, FILES);
	assert_string_equal(skipped[0], "old/broken: damaged");
}

static void test_stop_on(void **state)
{
	int i;

	for (i = 0; i < 8; i++)
		transfers.rc[i] = -EIO;
	policy.stop_errors = 50;
	policy.stop_minimum = 20;
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_STOPPED);
	assert_string_equal(run.error, "stopped by more errors than the "
				       "policy's stop_on allows");
	assert_int_equal(moved(), 0);
	assert_int_equal(plan_state(), META_PLAN_CANCELLED);
}

static void test_evict(void **state)
{
	struct cache_file *f;

	rule_set(1, 2, TIER_EVICT, NULL);
	f = file_open(ino[5], false);
	make_plan();
	assert_int_equal(tplan.bytes / FILES, SIZE);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.files, FILES - 1);
	assert_string_equal(skipped[0], "old/5: open");
	assert_false(local_exists(ino[4]));
	assert_true(local_exists(ino[5]));
	file_close(f, false);
}

/* What a run had evicted that was killed before it could say so. */
static void test_evicted(void **state)
{
	size_t i;

	rule_set(1, 2, TIER_EVICT, NULL);
	make_plan();
	for (i = 0; i < FILES / 2; i++)
		evict_file(ino[i]);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, FILES);
	assert_int_equal(n_skipped, 0);
	assert_false(local_exists(ino[FILES - 1]));
}

static void test_recall(void **state)
{
	evict_file(ino[0]);
	evict_file(ino[1]);
	age(ino[0], 100);
	age(ino[1], 100);
	rule_set(1, 2, TIER_RECALL, NULL);
	make_plan();
	assert_int_equal(tplan.files, 2);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, 2);
	assert_true(local_exists(ino[1]));
}

static int orders(struct meta_restore r[DEEP])
{
	int i, n = 0;
	META_TXN(t);

	assert_int_equal(meta_look(m, &t), 0);
	for (i = META_RESTORE_WANTED; i <= META_RESTORE_FAILED; i++)
		n += meta_restore_list(&t, i, 0, &r[n], (size_t)(DEEP - n));
	return n;
}

static struct tier_terms terms_were;
static struct price_class frozen = {
	.name = "FROZEN",
	.recall = { [PRICE_STANDARD] = { .known = true,
					 .gb = FIGURE(3000000),
					 .takes_ns = 12 * HOUR },
		    [PRICE_BULK] = { .known = true,
				     .gb = FIGURE(1000000),
				     .takes_ns = 48 * HOUR } },
};

static struct move_stores stores_were;

/* The first tier becomes an archive class, and has DEEP old files. */
static int frozen_setup(void **state)
{
	uint64_t deep;
	char name[2] = "a";
	int i, rc = tier_setup(state);

	terms_were = terms[NEAR];
	deep = make_dir(META_ROOT_INO, "deep");
	for (i = 0; i < DEEP; i++, name[0]++)
		make_old(deep, name, SIZE);
	terms[NEAR].class = &frozen;
	terms[NEAR].archive = true;
	tier_stop(tier);
	stores_were = stores;
	stores = mv->s; /* as the mover completes them */
	stores.tier[0].archive = true;
	stores.tier[0].restore_ns[STORE_STANDARD] = 12 * HOUR;
	stores.tier[0].restore_ns[STORE_BULK] = 48 * HOUR;
	stop_move();
	rc = rc == 0 ? start_move() : rc;
	start_tier();
	n_skipped = 0;
	ropts.tick = NULL;
	ropts.trigger = NULL;
	return rc;
}

static int frozen_teardown(void **state)
{
	int rc = teardown(state);

	terms[NEAR] = terms_were;
	stores = stores_were;
	return rc;
}

/* At its cheapest speed, and within the limits although nothing has come. */
static void test_recall_limits(void **state)
{
	struct meta_restore r[DEEP];

	rule_set(1, 3, TIER_RECALL, NULL);
	make_plan();
	assert_int_equal(tplan.files, DEEP);
	policy.limits = (struct tier_limits){ .has_money = true,
					      .money = tplan.once / 2 };
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_STOPPED);
	assert_int_equal(orders(r), DEEP / 2);
	assert_int_equal(r[0].speed, STORE_BULK);
	assert_string_equal(r[0].cause, "policy");
}

/* What is pinned is brought here: the plan says what that costs. */
static void test_pin_cost(void **state)
{
	struct meta_restore r[DEEP];
	money_t recall;

	rule_set(1, 3, TIER_RECALL, NULL);
	make_plan();
	recall = tplan.once;
	assert_true(recall > 0);
	rule_set(1, 3, TIER_PIN, NULL);
	make_plan();
	assert_true(tplan.once == recall);
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(orders(r), DEEP);
	assert_int_equal(r[0].speed, STORE_BULK);
	assert_true(strcmp(run.cost, run.predicted) == 0);
}

static void test_pin(void **state)
{
	int64_t until, now = clock_wall_ns();
	META_TXN(t);

	rule_set(1, 2, TIER_PIN, NULL);
	rules[1].for_ns = 30 * DAY;
	make_plan();
	assert_int_equal(apply(), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(meta_look(m, &t), 0);
	assert_int_equal(meta_pinned_until(&t, ino[9], now, &until), 0);
	assert_true(until >= now + 30 * DAY && until < now + 31 * DAY);
}

static void test_run(void **state)
{
	assert_int_equal(tier_run(tier, NULL, &ropts, &run, &err), 0);
	assert_int_equal(run.state, META_RUN_DONE);
	assert_int_equal(run.files, FILES);
	assert_int_equal(moved(), FILES);
}

/* Half of a pack is dead: it pays where a year of that costs more. */
static void test_compact(void **state)
{
	struct move_transferred *u = &transfers.compact;

	*u = (struct move_transferred){ .formed = 1, .files = 3 };
	u->use[0] = (struct move_use){ .puts = 1,
				       .gets = 1,
				       .objects_new = 1,
				       .bytes_new = 1 << 20,
				       .billed_new = 1 << 20,
				       .objects_gone = 1,
				       .bytes_gone = 2 << 20,
				       .billed_gone = 2 << 20 };
	assert_int_equal(tier_compact(tier), 0);
	assert_int_equal(transfers.compacted, 1);
	u->use[0].puts = 1000000000; /* £10 a thousand */
	assert_int_equal(tier_compact(tier), 0);
	assert_int_equal(transfers.compacted, 1);
	u->use[0].puts = 1;
	u->use[0].billed_gone = u->use[0].bytes_gone = 1 << 20;
	assert_int_equal(tier_compact(tier), 0);
	assert_int_equal(transfers.compacted, 1);
	assert_int_equal(tier_claim(tier, &err), 0);
	assert_int_equal(tier_compact(tier), 0); /* not beside a run */
	tier_release(tier);
	u->use[0].bytes_gone = u->use[0].billed_gone = 2 << 20;
	topts.has_budget = true;
	topts.budget = 100 * MONEY_UNIT;
	topts.spent = read_spent;
	restart_tier();
	spent = 100 * MONEY_UNIT;
	assert_int_equal(tier_compact(tier), 0);
	spent = 100 * MONEY_UNIT - 1; /* less than it costs */
	assert_int_equal(tier_compact(tier), 0);
	assert_int_equal(transfers.compacted, 1);
	spent = 0;
	assert_int_equal(tier_compact(tier), 0);
	assert_int_equal(transfers.compacted, 2);
}

/* Schedules are in local time, and every day of the week comes. */
static void test_schedule(void **state)
{
	struct tier_trigger tr = { .scheduled = true,
				   .days = 1 << 1 | 1 << 5, /* Mon, Fri */
				   .minute = 20 * 60 };
	/* Sunday 2026-11-29 12:00 UTC */
	const int64_t sunday = INT64_C(1795953600) * NSEC_PER_SEC;
	int64_t at;

	assert_int_equal(setenv("TZ", "Europe/London", 1), 0);
	tzset();
	at = trigger_next(&tr, sunday);
	assert_true(at == sunday + 32 * 3600 * NSEC_PER_SEC);
	assert_true(trigger_next(&tr, at - 1) == at);
	assert_true(trigger_next(&tr, at) == at + 4 * DAY);
	/* across the change to summer time, Sunday 2027-03-28 */
	at = trigger_next(&tr, sunday + 117 * DAY);
	assert_true(at == sunday + 117 * DAY + 8 * 3600 * NSEC_PER_SEC);
	assert_true(trigger_next(&tr, at) ==
		    at + 3 * DAY - 3600 * NSEC_PER_SEC);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static void trigger_on(const struct tier_trigger *tr)
{
	tier_stop(tier); /* its job reads them */
	triggers[0] = *tr;
	policy.n_triggers = 1;
	start_tier();
}

/* The cache is too full, or bytes are unprotected for too long: a run begins
 * by itself, and not again at once. */
static void test_triggers(void **state)
{
	topts.cache_size = FILES * SIZE; /* it is as full as can be */
	trigger_on(&(struct tier_trigger){ .cache_above = 90 });
	assert_int_equal(wait_run(META_RUN_DONE), 0);
	assert_string_equal(run.trigger, "cache");
	assert_string_equal(run.by, "merseyd");
	assert_int_equal(moved(), FILES);
	rule_set(1, 2, TIER_MOVE, "archive");
	job_wake(tier->job);
	clock_sleep_ns(NSEC_PER_SEC / 4);
	assert_int_equal(moved(), FILES);
}

static void test_oldest(void **state)
{
	uint64_t dirty = new_file("dirty");
	struct cache_file *f = file_open(dirty, true);
	struct meta_inode row;

	write_at(f, 1, 0, SIZE);
	row_get(dirty, &row);
	row.dirty_ns = clock_wall_ns() - 3600 * NSEC_PER_SEC;
	row_put(&row);
	trigger_on(&(struct tier_trigger){ .unprotected_ns =
						   1800 * NSEC_PER_SEC });
	assert_int_equal(wait_run(META_RUN_DONE), 0);
	assert_string_equal(run.trigger, "oldest");
	assert_int_equal(moved(), FILES);
	file_close(f, true);
}

#define FROZEN_TEST(f) \
	cmocka_unit_test_setup_teardown(f, frozen_setup, frozen_teardown)
#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_done),
		RUN_TEST(test_changed),
		RUN_TEST(test_refused),
		RUN_TEST(test_dearer),
		RUN_TEST(test_cancel),
		RUN_TEST(test_left),
		RUN_TEST(test_restart),
		RUN_TEST(test_busy),
		RUN_TEST(test_limits),
		RUN_TEST(test_limits_below),
		RUN_TEST(test_rate),
		RUN_TEST(test_budget),
		RUN_TEST(test_budget_again),
		RUN_TEST(test_budget_run),
		RUN_TEST(test_away),
		RUN_TEST(test_predicted),
		RUN_TEST(test_errors),
		RUN_TEST(test_never_comes),
		RUN_TEST(test_stop_on),
		RUN_TEST(test_evict),
		RUN_TEST(test_evicted),
		RUN_TEST(test_recall),
		FROZEN_TEST(test_recall_limits),
		FROZEN_TEST(test_pin_cost),
		RUN_TEST(test_pin),
		RUN_TEST(test_run),
		RUN_TEST(test_compact),
		RUN_TEST(test_schedule),
		RUN_TEST(test_triggers),
		RUN_TEST(test_oldest),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
