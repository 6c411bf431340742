/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: every subject is asked which rule is its, what a rule would do is
 * gathered by rule and tiers, and estimated and written a batch at a time.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

/*
 * Files of one pack lie near each other by inode, but not side by side: what
 * comes by is held in a window, and leaves it in the order of packs, so that
 * few of them are torn apart between batches.
 */
#define WINDOW 32768

struct entry {
	uint64_t id, pack, files;
	uint64_t bytes;	     /* of the item */
	uint64_t size, here; /* of the subject, and what of it is local */
	int64_t access_ns;
	bool study;
};

struct window {
	struct batch batch;
	struct entry *entry;
	size_t n, room;
};

struct planner {
	struct tier *t;
	const struct tier_policy *policy;
	struct sums sums;
	struct meta_plan row;
	bool stored; /* else it is only a question */
	uint64_t seq;
	struct window *window; /* one for each rule and pair of tiers */
	size_t windows;
	struct subject subject; /* for what leaves a window */
};

static void planner_done(struct planner *p)
{
	size_t i;

	for (i = 0; i < p->windows; i++) {
		batch_done(&p->window[i].batch);
		free(p->window[i].entry);
	}
	free(p->window);
	subject_done(&p->subject);
	sums_done(&p->sums);
}

/* ---- batches
 * ------------------------------------------------------------------
 */

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

static void entry_item(const struct planner *p, const struct batch *b,
		       const struct entry *e, struct meta_plan_item *out)
{
	const struct tier_terms *tier = p->t->o.tier;

	*out = (struct meta_plan_item){
		.plan = p->row.id,
		.study = e->study,
		.subject = e->id,
		.rule = b->rule,
		.action = b->action,
		.files = e->files,
		.bytes = e->bytes,
	};
	if (b->action == TIER_MOVE)
		snprintf(out->target, sizeof(out->target), "%s",
			 tier[b->to].name);
	else if (b->action != TIER_EVICT)
		snprintf(out->target, sizeof(out->target), "%s", LOCAL);
	if (b->action == TIER_EVICT)
		snprintf(out->source, sizeof(out->source), "%s", LOCAL);
	else if (b->from >= 0)
		snprintf(out->source, sizeof(out->source), "%s",
			 tier[b->from].name);
}

static int plan_entry(struct planner *p, struct batch *b, const struct entry *e)
{
	struct subject *s = &p->subject;
	struct meta_plan_item item;
	int rc;

	subject_clear(s, p->t);
	s->files = e->files;
	s->bytes = e->size;
	s->cached_bytes = e->here;
	s->access_ns = e->access_ns;
	s->pack = e->pack;
	rc = subject_inos(s, e->study, e->id);
	if (rc == 0 && !batch_fits(p->t, b, e->bytes, s))
		rc = plan_flush(p, b);
	if (rc < 0)
		return rc;
	entry_item(p, b, e, &item);
	return batch_add(b, &item, s, p->row.made_ns);
}

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* What leaves it: the half with the older packs, or all at the end. */
static int window_flush(struct planner *p, struct window *w, bool all)
{
	size_t i, n = all ? w->n : w->n / 2;
	int rc = 0;

	if (w->n)
		qsort(w->entry, w->n, sizeof(*w->entry), entry_cmp);
	while (n < w->n && n && w->entry[n].pack == w->entry[n - 1].pack)
		n++;
	for (i = 0; i < n && rc == 0; i++)
		rc = plan_entry(p, &w->batch, &w->entry[i]);
	if (rc == 0 && all)
		rc = plan_flush(p, &w->batch);
	w->n -= n;
	if (w->n)
		memmove(w->entry, &w->entry[n], w->n * sizeof(*w->entry));
	return rc;
}

static int window_add(struct planner *p, struct window *w,
		      const struct entry *e)
{
	int rc = w->n == WINDOW ? window_flush(p, w, false) : 0;

	if (rc < 0)
		return rc;
	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct entry *grown =
			reallocarray(w->entry, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		w->entry = grown;
		w->room = room;
	}
	w->entry[w->n++] = *e;
	return 0;
}

static struct window *plan_window(struct planner *p, uint32_t rule, int from,
				  int to)
{
	struct window *w;
	size_t i;

	for (i = 0; i < p->windows; i++) {
		const struct batch *b = &p->window[i].batch;

		if (b->rule == rule && b->from == from && b->to == to)
			return &p->window[i];
	}
	w = reallocarray(p->window, p->windows + 1, sizeof(*w));
	if (!w)
		return NULL;
	p->window = w;
	w += p->windows++;
	*w = (struct window){ .batch = { .rule = rule,
					 .action =
						 p->policy->rules[rule].action,
					 .from = from,
					 .to = to } };
	return w;
}

/* ---- subjects --------------------------------------------------------------
 */

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

static int plan_add(struct planner *p, const struct subject *s, uint32_t rule,
		    int to)
{
	enum tier_action a = p->policy->rules[rule].action;
	int from = a == TIER_EVICT ? -ENOENT : subject_source(s);
	struct window *w = plan_window(p, rule, from, to);
	const struct entry e = {
		.id = s->id,
		.pack = s->pack,
		.files = s->files,
		.bytes = plan_bytes(s, a, to),
		.size = s->bytes,
		.here = s->cached_bytes,
		.access_ns = s->access_ns,
		.study = s->study,
	};

	return w ? window_add(p, w, &e) : -ENOMEM;
}

static int plan_subject(void *arg, struct subject *s)
{
	struct planner *p = arg;
	int64_t now = p->row.made_ns;
	const struct tier_rule *r;
	struct tier_subject view;
	int to, rule;

	ages_add(&p->sums.all, s->access_ns, now, s->files, s->bytes);
	subject_view(s, &view);
	if (!view.path)
		return -ENOMEM;
	rule = tier_rule_of(p->policy, &view, now);
	if (rule < 0)
		return rule == -ENOENT ? 0 : rule;
	r = &p->policy->rules[rule];
	to = r->action == TIER_MOVE ? tier_index(p->t, r->to) : -ENOENT;
	return subject_left(s, r->action, to)
		       ? 0
		       : plan_add(p, s, (uint32_t)rule, to);
}

/* Each rule's tier is one of the trust's. */
/* A run finds its policy by the name: that of a file is gone by then, and with
 * it how long its pins are to last. */
static bool plan_forgets(const struct planner *pl)
{
	const struct tier *t = pl->t;

	return pl->stored && pl->policy != t->o.policy &&
	       tier_policy_find(t, pl->policy->name) != pl->policy;
}

static int plan_check(const struct planner *pl, struct err *err)
{
	const struct tier_policy *p = pl->policy;
	const struct tier *t = pl->t;
	size_t i;

	for (i = 0; i < p->n_rules; i++) {
		const struct tier_rule *r = &p->rules[i];

		if (r->action == TIER_MOVE && tier_index(t, r->to) < 0)
			return fail(err, -EINVAL,
				    "policy '%s': this trust has no tier '%s'",
				    p->name, r->to);
		if (r->action == TIER_PIN && plan_forgets(pl))
			return fail(err, -EINVAL,
				    "policy '%s' is not in the config, and "
				    "pins: a plan of it could not be done",
				    p->name);
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

	for (i = 0; i < p->windows && rc == 0; i++)
		rc = window_flush(p, &p->window[i], true);
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
	rc = plan_check(&pl, err);
	if (rc < 0)
		return rc;
	pl.sums = (struct sums){ .t = t, .policy = p, .out = out, .err = err };
	pl.row.made_ns = out->made_ns = clock_wall_ns();
	snprintf(pl.row.policy, sizeof(pl.row.policy), "%s", p->name);
	snprintf(out->policy, sizeof(out->policy), "%s", pl.row.policy);
	if (stored)
		rc = store_plan(t, &pl.row);
	snprintf(out->name, sizeof(out->name), "%s", pl.row.name);
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
