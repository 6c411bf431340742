/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: every subject is asked which rule is its, what a rule would do is
 * gathered by rule and tiers, and estimated and written a batch at a time.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

struct planner {
	struct tier *t;
	const struct tier_policy *policy;
	struct sums sums;
	struct meta_plan row;
	bool stored; /* else it is only a question */
	uint64_t seq;
	struct batch *group;
	size_t groups;
};

static void planner_done(struct planner *p)
{
	size_t i;

	for (i = 0; i < p->groups; i++)
		batch_done(&p->group[i]);
	free(p->group);
	sums_done(&p->sums);
}

static int plan_flush(struct planner *p, struct batch *b)
{
	struct take u;
	int rc;

	if (!b->n)
		return 0;
	rc = price_estimate(p->t, b, UINT64_MAX, INT64_MAX, &u);
	if (rc == 0)
		rc = sums_batch(&p->sums, b, &u);
	if (rc == 0 && p->stored)
		rc = store_items(p->t, p->row.id, &p->seq, b->item, b->n);
	batch_clear(b);
	return rc;
}

static struct batch *plan_group(struct planner *p,
			      const struct meta_plan_item *item)
{
	struct batch *b;
	size_t i;

	for (i = 0; i < p->groups; i++)
		if (batch_takes(p->t, &p->group[i], item))
			return &p->group[i];
	b = reallocarray(p->group, p->groups + 1, sizeof(*b));
	if (!b)
		return NULL;
	p->group = b;
	b += p->groups++;
	*b = (struct batch){ .rule = item->rule,
			   .action = (enum tier_action)item->action,
			   .from = tier_index(p->t, item->source),
			   .to = tier_index(p->t, item->target) };
	return b;
}

/* How much of a subject an action is about. */
static uint64_t plan_bytes(const struct subject *s, enum tier_action a, int to)
{
	switch (a) {
	case TIER_MOVE:
		return s->bytes - s->in_tier[to];
	case TIER_EVICT:
		return s->cached_bytes;
	case TIER_RECALL:
		return s->bytes - MIN(s->bytes, s->cached_bytes);
	default:
		return s->bytes;
	}
}

static void plan_item(const struct planner *p, const struct subject *s,
		      uint32_t rule, int to, struct meta_plan_item *out)
{
	const struct tier_rule *r = &p->policy->rules[rule];
	int from = subject_source(s);
	const char *source = from < 0 ? "" : p->t->o.tier[from].name;

	*out = (struct meta_plan_item){
		.plan = p->row.id,
		.study = s->study,
		.subject = s->id,
		.rule = rule,
		.action = r->action,
		.files = s->files,
		.bytes = plan_bytes(s, r->action, to),
	};
	if (r->action == TIER_MOVE)
		strcpy(out->target, p->t->o.tier[to].name);
	else if (r->action != TIER_EVICT)
		strcpy(out->target, LOCAL);
	strcpy(out->source, r->action == TIER_EVICT ? LOCAL : source);
}

static int plan_subject(void *arg, struct subject *s)
{
	struct planner *p = arg;
	int64_t now = p->row.made_ns;
	struct meta_plan_item item;
	struct tier_subject view;
	struct batch *b;
	int to, rule, rc = 0;

	ages_add(&p->sums.all, s->access_ns, now, s->files, s->bytes);
	subject_view(s, &view);
	if (!view.path)
		return -ENOMEM;
	rule = tier_rule_of(p->policy, &view, now);
	if (rule < 0)
		return rule == -ENOENT ? 0 : rule;
	to = p->policy->rules[rule].action == TIER_MOVE
		     ? tier_index(p->t, p->policy->rules[rule].to)
		     : -1;
	if (subject_left(s, p->policy->rules[rule].action, to))
		return 0;
	plan_item(p, s, (uint32_t)rule, to, &item);
	b = plan_group(p, &item);
	if (b && !batch_fits(p->t, b, item.bytes))
		rc = plan_flush(p, b);
	if (!b || rc < 0)
		return b ? rc : -ENOMEM;
	return batch_add(b, &item, s, now);
}

/* Each rule's tier is one of the trust's. */
static int plan_check(const struct tier *t, const struct tier_policy *p,
		      struct err *err)
{
	size_t i;

	for (i = 0; i < p->n_rules; i++) {
		const struct tier_rule *r = &p->rules[i];

		if (r->action == TIER_MOVE && tier_index(t, r->to) < 0)
			return fail(err, -EINVAL,
				    "policy '%s': this trust has no tier '%s'",
				    p->name, r->to);
	}
	return 0;
}

static int plan_scan(struct planner *p, bool (*tick)(void *arg, uint64_t files),
		     void *arg)
{
	struct scan s = { .t = p->t,
			  .each = plan_subject,
			  .arg = p,
			  .tick = tick,
			  .tick_arg = arg };
	size_t i;
	int rc = scan_run(&s);

	for (i = 0; i < p->groups && rc == 0; i++)
		rc = plan_flush(p, &p->group[i]);
	if (rc == 0)
		rc = sums_finish(&p->sums);
	return rc;
}

static int plan_keep(struct planner *p, struct tier_plan *out)
{
	char text[MONEY_SIZE];
	int rc = store_ages(p->t, &p->sums.all);

	p->row.files = out->files;
	p->row.bytes = out->bytes;
	p->row.items = p->seq;
	snprintf(p->row.once, sizeof(p->row.once), "%s",
		 money_exact(out->once, text));
	snprintf(p->row.per_month, sizeof(p->row.per_month), "%s",
		 money_exact(out->per_month, text));
	return rc < 0 ? rc : store_finish(p->t, &p->row);
}

static int plan_make(struct tier *t, const struct tier_policy *policy,
		     bool stored, bool (*tick)(void *arg, uint64_t files),
		     void *arg, struct tier_plan *out, struct err *err)
{
	const struct tier_policy *p = policy ? policy : t->o.policy;
	CLEANUP(planner_done)
	struct planner pl = { .t = t, .policy = p, .stored = stored };
	int rc;

	memset(out, 0, sizeof(*out));
	if (!p)
		return fail(err, -ENOTSUP, "this trust has no policy");
	rc = plan_check(t, p, err);
	if (rc < 0)
		return rc;
	pl.sums = (struct sums){ .t = t, .policy = p, .out = out, .err = err };
	pl.row.made_ns = out->made_ns = clock_wall_ns();
	snprintf(pl.row.policy, sizeof(pl.row.policy), "%s", p->name);
	strcpy(out->policy, pl.row.policy);
	if (stored)
		rc = store_plan(t, &pl.row);
	strcpy(out->name, pl.row.name);
	if (rc == 0)
		rc = plan_scan(&pl, tick, arg);
	if (rc == 0 && stored)
		rc = plan_keep(&pl, out);
	if (rc < 0) {
		if (stored && pl.row.id)
			store_delete(t, pl.row.id);
		tier_plan_done(out);
	}
	return rc;
}

int tier_plan_make(struct tier *t, const struct tier_policy *p,
		   bool (*tick)(void *arg, uint64_t files), void *arg,
		   struct tier_plan *out, struct err *err)
{
	return plan_make(t, p, true, tick, arg, out, err);
}

int tier_plan_ask(struct tier *t, const struct tier_policy *p,
		  bool (*tick)(void *arg, uint64_t files), void *arg,
		  struct tier_plan *out, struct err *err)
{
	return plan_make(t, p, false, tick, arg, out, err);
}
