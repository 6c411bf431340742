/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doing a plan. First all of what is left is looked at and priced again: a
 * plan that the world has left behind is refused. Then batch by batch; each
 * one's end is written before the next begins, together with the run's
 * figures, so a kill repeats at most a batch, which finds what it had moved.
 *
 * Plan and run are RUNNING together. A run whose process died, or whose
 * client left, is gone on with by the job, in the same row.
 */
#include "tier/run.h"

#include <stdio.h>
#include <string.h>

#define LOOK_NS	  (NSEC_PER_SEC / 4)
#define AGAIN_MIN NSEC_PER_SEC
#define AGAIN_MAX (60 * NSEC_PER_SEC)
/* The slowest restores take two days; what has not come then is not waited for
 * while others cannot run. */
#define RUN_WAIT_NS (7 * SEC_PER_DAY * NSEC_PER_SEC)
#define RUNS_PAGE   16
#define RUNS_MAX    256 /* that are searched for those of a plan */
#define SLACK	    (MONEY_UNIT / 1000000) /* of sums of rounded parts */

bool run_go_on(struct run *r)
{
	if (r->t->cancel || r->t->stopping || r->detached)
		return false;
	if (r->o->tick && !r->o->tick(r->o->arg, &r->row))
		r->detached = true;
	return !r->detached;
}

bool run_sleep(struct run *r, int64_t ns)
{
	int64_t end = clock_boot_ns() + ns, now;

	for (;;) {
		if (!run_go_on(r))
			return false;
		now = clock_boot_ns();
		if (now >= end)
			return true;
		clock_sleep_ns(MIN(end - now, LOOK_NS));
	}
}

static int run_path(struct tier *t, uint64_t ino, struct buf *out)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	if (rc == 0)
		rc = meta_path(&x, ino, out);
	return rc == -ENOENT ? buf_addf(out, "(deleted)") : rc;
}

void run_skipped(struct run *r, uint64_t ino, const char *reason)
{
	CLEANUP_BUF struct buf path = { 0 };

	if (r->o->skipped && run_path(r->t, ino, &path) == 0 && buf_str(&path))
		r->o->skipped(r->o->arg, (char *)path.data, reason);
}

/* ---- rows -------------------------------------------------------------------
 */

static int runs_page(struct tier *t, uint64_t before, struct meta_run *page)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_run_list(&x, before, page, RUNS_PAGE);
}

/* What earlier runs of the plan were predicted to cost; and the one that was
 * not ended. */
static int run_before(struct run *r, money_t *predicted)
{
	CLEANUP_FREE struct meta_run *page = calloc(RUNS_PAGE, sizeof(*page));
	uint64_t before = 0;
	int n, i, looked = 0;

	*predicted = 0;
	if (!page)
		return -ENOMEM;
	do {
		n = runs_page(r->t, before, page);
		for (i = 0; i < n; i++) {
			money_t m = 0;

			before = page[i].id;
			if (page[i].plan != r->plan.id)
				continue;
			if (money_parse(page[i].predicted, &m) == 0)
				*predicted += m;
			if (page[i].state == META_RUN_RUNNING)
				r->row = page[i];
		}
		looked += MAX(n, 0);
	} while (n == RUNS_PAGE && looked < RUNS_MAX);
	return MIN(n, 0);
}

/* Run and plan, in one transaction. */
static int run_write(struct run *r, bool add)
{
	META_TXN(x);
	int rc = meta_begin(r->t->m, &x);

	if (rc == 0)
		rc = meta_plan_update(&x, &r->plan);
	if (rc == 0)
		rc = add ? meta_run_add(&x, &r->row)
			 : meta_run_update(&x, &r->row);
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

static int run_begin(struct run *r)
{
	bool add = r->row.id == 0;

	if (add) {
		r->row.plan = r->plan.id;
		r->row.started_ns = clock_wall_ns();
		snprintf(r->row.plan_name, sizeof(r->row.plan_name), "%s",
			 r->plan.name);
		snprintf(r->row.policy, sizeof(r->row.policy), "%s",
			 r->plan.policy);
		snprintf(r->row.trigger, sizeof(r->row.trigger), "%s",
			 r->o->trigger ? r->o->trigger : "apply");
		snprintf(r->row.by, sizeof(r->row.by), "%s",
			 r->o->by ? r->o->by : "merseyd");
		snprintf(r->row.cost, sizeof(r->row.cost), "%s", "0");
		snprintf(r->row.predicted, sizeof(r->row.predicted), "%s", "0");
	} else if (money_parse(r->row.cost, &r->cost) < 0 ||
		   money_parse(r->row.predicted, &r->predicted) < 0) {
		return -EUCLEAN;
	}
	r->left += r->cost; /* which the month's sum has already */
	r->began_ns = clock_boot_ns();
	r->began_bytes = r->row.bytes;
	r->row.state = META_RUN_RUNNING;
	r->plan.state = META_PLAN_RUNNING;
	return run_write(r, add);
}

static int run_end(struct run *r, enum meta_run_state state)
{
	r->row.state = state;
	r->row.ended_ns = clock_wall_ns();
	r->plan.state = state == META_RUN_DONE ? META_PLAN_DONE
					       : META_PLAN_CANCELLED;
	return run_write(r, false);
}

/* ---- is it still that plan?
 * --------------------------------------------------- */

static int refuse(struct run *r, const char *what, const char *was,
		  const char *is)
{
	fail(r->err, -EKEYEXPIRED,
	     "plan %s is out of date: %s, by more than %d %%: %s then, %s now",
	     r->plan.name, what, RUN_REFUSED, was, is);
	return fail_hint(r->err, -EKEYEXPIRED, "mersey tier plan");
}

/* 2 % of the plan: of one that is nearly done, little is left, and a few files
 * of that are no other world. */
static int check_bytes(struct run *r, const struct left *l)
{
	unsigned __int128 off = l->planned - MIN(l->valid, l->planned);
	unsigned __int128 whole = MAX(l->planned, r->plan.bytes);
	char was[32], is[32];

	if (off * 100 <= whole * RUN_REFUSED)
		return 0;
	snprintf(was, sizeof(was), "%llu bytes",
		 (unsigned long long)l->planned);
	snprintf(is, sizeof(is), "%llu", (unsigned long long)l->valid);
	return refuse(r, "what there is to do differs", was, is);
}

/* `whole`: what 2 % are of. */
static int check_money(struct run *r, const char *what, money_t whole,
		       money_t was, money_t is)
{
	money_t more = (whole < 0 ? -whole : whole) / 100 * RUN_REFUSED + SLACK;
	const char *currency = r->t->o.exchange->currency;
	char a[MONEY_SIZE], b[MONEY_SIZE];

	if (is <= was + more)
		return 0;
	return refuse(r, what, money_show(was, currency, a),
		      money_show(is, currency, b));
}

/*
 * Of a plan that was begun, what was done of it is taken off; batches share a
 * few packs, so that is not to the last unit, and a run that was only
 * interrupted is not asked.
 */
static int check_cost(struct run *r, const struct tier_plan *now,
		      money_t before)
{
	money_t once, month;
	int rc;

	if (money_parse(r->plan.once, &once) < 0 ||
	    money_parse(r->plan.per_month, &month) < 0)
		return -EUCLEAN;
	if (r->plan.state == META_PLAN_RUNNING)
		return 0;
	rc = check_money(r, "it costs more once", once, once - before,
			 now->once);
	/* Each month: only of the whole, which nothing was done of. */
	if (rc == 0 && r->plan.state == META_PLAN_NEW)
		rc = check_money(r, "it costs more each month", month, month,
				 now->per_month);
	return rc;
}

static int run_check(struct run *r, struct tier_plan *now)
{
	money_t before;
	struct left l;
	int rc = run_before(r, &before);

	if (rc == 0)
		rc = plan_left(r->t, &r->plan, r->policy, now, &l, r->err);
	if (rc == 0)
		rc = check_bytes(r, &l);
	return rc < 0 ? rc : check_cost(r, now, before);
}

/* ---- the run
 * ------------------------------------------------------------------ */

/* An item that is not done: deleted, changed or in its tier already. */
static int run_left(void *arg, const struct meta_plan_item *i,
		    const struct subject *s, const char *reason)
{
	struct run *r = arg;
	struct meta_plan_item end = *i;
	size_t k;

	end.state = reason ? 2 : 1;
	snprintf(end.reason, sizeof(end.reason), "%s", reason ? reason : "");
	if (reason) {
		r->row.skipped += i->files;
		for (k = 0; k < s->n; k++)
			run_skipped(r, s->ino[k], reason);
		if (!s->n) /* deleted; of a study no file is known then */
			run_skipped(r, i->study ? 0 : i->subject, reason);
	} else {
		r->row.files += i->files;
		r->row.bytes += i->bytes;
	}
	return act_end(r, &end, 1);
}

/* Money and requests that a batch will take. */
static int run_estimate(struct run *r, const struct batch *b, struct take *u,
			money_t *once)
{
	struct priced p;
	int rc = price_estimate(r->t, b, r->plan.version, r->plan.made_ns, u);

	if (rc == 0)
		rc = price_take(r->t, u, NULL, &p, r->err);
	*once = rc == 0 ? p.once : 0;
	return rc;
}

/*
 * Does it. What was ordered of an archive class is not to be ordered when the
 * batch comes again, so that belongs to what this time was predicted to cost.
 */
static int run_act(struct run *r, const struct batch *b, const struct take *u,
		   money_t once)
{
	money_t before = r->predicted, again;
	bool pending = r->pending;
	struct take left;
	int rc;

	r->pending = false;
	rc = act_batch(r, b, u->requests, once);
	if (rc == 0 && r->pending)
		rc = run_estimate(r, b, &left, &again);
	if (rc == 0 && r->pending)
		r->predicted = before + once - again;
	r->pending |= pending;
	return rc;
}

/* 1: something ends it, which stands in the row. What is too much is tried by
 * halves: a limit below a batch would let nothing through, run after run. */
static int run_batch(struct run *r, struct items *items, const struct batch *b)
{
	struct take u;
	money_t once;
	const char *why;
	int rc = run_estimate(r, b, &u, &once);

	if (rc < 0)
		return rc;
	why = limit_over(r, b, u.requests, once);
	if (why && b->n > 1) {
		items_half(items, b);
		return 0;
	}
	if (!why) {
		rc = limit_pace(r) ? run_act(r, b, &u, once) : -EINTR;
		if (rc < 0)
			return rc;
		why = limit_errors(r);
	}
	if (!why)
		return 0;
	snprintf(r->row.error, sizeof(r->row.error), "stopped by %s", why);
	return 1;
}

/* All items once. 1: something ends it. */
static int run_pass(struct run *r)
{
	struct items items CLEANUP(items_done) = { .t = r->t, .plan = r->plan };
	struct batch b CLEANUP(batch_done) = { .n = 0 };
	int rc = 1, end = 0;

	r->pending = false;
	r->ordered = 0;
	r->orders = 0;
	while (rc == 1 && end == 0) {
		if (!run_go_on(r))
			return -EINTR;
		rc = items_batch(&items, &b, run_left, r);
		if (rc == 1 && b.n)
			end = run_batch(r, &items, &b);
	}
	return rc < 0 ? rc : end;
}

/* Until nothing waits for an archive class any more. */
static int run_passes(struct run *r)
{
	int64_t pause = AGAIN_MIN;
	int rc;

	for (;;) {
		rc = run_pass(r);
		if (rc || !r->pending)
			return rc;
		if (clock_wall_ns() - r->row.started_ns > RUN_WAIT_NS) {
			snprintf(r->row.error, sizeof(r->row.error),
				 "bytes from an archive class have not come in "
				 "7 days");
			return 1;
		}
		snprintf(r->row.error, sizeof(r->row.error),
			 "waits for bytes from an archive class");
		if (!run_sleep(r, pause))
			return -EINTR;
		pause = MIN(2 * pause, AGAIN_MAX);
	}
}

/* How it ended, by the code of run_passes(). */
static int run_ended(struct run *r, int rc)
{
	if (rc == -EINTR && r->t->cancel)
		return run_end(r, META_RUN_CANCELLED);
	if (rc == -EINTR) /* the job goes on with it, now or after a start */
		return 0;
	if (rc == 1)
		return run_end(r, META_RUN_STOPPED);
	if (rc < 0) {
		snprintf(r->row.error, sizeof(r->row.error), "%.*s",
			 (int)sizeof(r->row.error) - 1,
			 r->err && r->err->msg[0] ? r->err->msg
						  : strerror(-rc));
		run_end(r, META_RUN_FAILED);
		return rc;
	}
	if (r->failed)
		return run_end(r, META_RUN_FAILED);
	r->row.error[0] = '\0';
	return run_end(r, META_RUN_DONE);
}

static int run_plan(struct run *r, bool checked)
{
	struct tier_plan now CLEANUP(tier_plan_done) = { .n_moves = 0 };
	int rc = checked ? 0 : run_check(r, &now);

	if (rc == 0)
		rc = limit_budget(r);
	if (rc < 0) {
		if (r->plan.state == META_PLAN_RUNNING && r->row.id)
			run_ended(r, rc);
		return rc;
	}
	rc = run_begin(r);
	if (rc < 0)
		return rc;
	return run_ended(r, run_passes(r));
}

/* The plan of that name, which is not done. */
static int run_find(struct run *r, const char *name)
{
	int rc = store_find(r->t, name, &r->plan);

	if (rc == -ENOENT) {
		fail(r->err, rc, "there is no plan '%s'", name);
		return fail_hint(r->err, rc, "mersey tier plan");
	}
	if (rc == 0 && r->plan.state == META_PLAN_DONE)
		return fail(r->err, -EALREADY, "plan %s was done already",
			    r->plan.name);
	if (rc == 0)
		r->policy = tier_policy_find(r->t, r->plan.policy);
	return rc;
}

int tier_apply_look(struct tier *t, const char *plan, struct tier_plan *out,
		    struct err *err)
{
	struct run r = { .t = t, .err = err };
	int rc = run_find(&r, plan);

	memset(out, 0, sizeof(*out));
	if (rc == 0)
		rc = run_check(&r, out);
	if (rc == 0)
		rc = limit_budget(&r);
	if (rc < 0)
		tier_plan_done(out);
	return rc;
}

static int run_named(struct tier *t, const char *name,
		     const struct tier_policy *policy, bool checked,
		     const struct tier_run_opts *o, struct meta_run *out,
		     struct err *err)
{
	struct run r = { .t = t, .o = o, .err = err };
	int rc = run_find(&r, name);

	if (rc < 0)
		return rc;
	r.policy = policy ? policy : r.policy;
	rc = run_plan(&r, checked);
	*out = r.row;
	if (r.detached && t->job)
		job_wake(t->job);
	return rc;
}

int tier_apply(struct tier *t, const char *plan, const struct tier_run_opts *o,
	       struct meta_run *out, struct err *err)
{
	int rc = tier_claim(t, err);

	if (rc < 0)
		return rc;
	rc = run_named(t, plan, NULL, false, o, out, err);
	tier_release(t);
	return rc;
}

/* A plan in the making is told to who waits as a run without files. */
struct planning {
	struct tier *t;
	const struct tier_run_opts *o;
	struct meta_run now;
};

static bool planning_tick(void *arg, uint64_t files)
{
	struct planning *p = arg;

	return !p->t->cancel && (!p->o->tick || p->o->tick(p->o->arg, &p->now));
}

/* Nothing is planned for a budget that is used up. */
static int run_budget(struct tier *t, struct err *err)
{
	struct run r = { .t = t, .err = err };

	return limit_budget(&r);
}

/* A plan that never began is of no use to anybody: nobody was told of it. */
static void run_forget(struct tier *t, const char *name)
{
	struct meta_plan p;

	if (store_find(t, name, &p) == 0 && p.state == META_PLAN_NEW)
		store_delete(t, p.id);
}

int tier_run(struct tier *t, const struct tier_policy *p,
	     const struct tier_run_opts *o, struct meta_run *out,
	     struct err *err)
{
	struct tier_plan plan CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct planning now = { .t = t, .o = o };
	int rc = tier_claim(t, err);

	if (rc < 0)
		return rc;
	memset(out, 0, sizeof(*out));
	rc = run_budget(t, err);
	if (rc == 0)
		rc = tier_plan_make(t, p, planning_tick, &now, &plan, err);
	if (rc == 0) {
		rc = run_named(t, plan.name, p, true, o, out, err);
		if (rc < 0)
			run_forget(t, plan.name);
	}
	tier_release(t);
	return rc;
}
