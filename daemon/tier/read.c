/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored plan as the world is now: what of it is still to do, what changed,
 * and what it costs today.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

#define ITEMS_PAGE 256

void items_done(struct items *i)
{
	free(i->page);
	i->page = NULL;
}

void items_half(struct items *i, const struct batch *last)
{
	i->after = last->item[0].seq - 1;
	i->most = last->n / 2;
	i->n = i->at = 0;
}

const char *item_changed(const struct meta_plan *p,
			 const struct meta_plan_item *i,
			 const struct subject *s)
{
	if (s->version > p->version)
		return "changed since the plan";
	if (i->action != TIER_RECALL && i->action != TIER_PIN &&
	    s->access_ns > p->made_ns)
		return "opened since the plan";
	return NULL;
}

static int items_page(struct items *i)
{
	META_TXN(x);
	int n, rc;

	if (!i->page)
		i->page = calloc(ITEMS_PAGE, sizeof(*i->page));
	if (!i->page)
		return -ENOMEM;
	rc = meta_look(i->t->m, &x);
	if (rc < 0)
		return rc;
	n = meta_plan_items(&x, i->plan.id, i->after, true, i->page,
			    ITEMS_PAGE);
	i->at = 0;
	i->n = (size_t)MAX(n, 0);
	return n;
}

/* The next item that is to do, which stays until it is taken. 0: none. */
static int items_peek(struct items *i, const struct meta_plan_item **out)
{
	int n;

	if (i->at == i->n) {
		n = items_page(i);
		if (n <= 0)
			return n;
	}
	*out = &i->page[i->at];
	return 1;
}

static void items_take(struct items *i)
{
	i->after = i->page[i->at++].seq;
}

/* Why it cannot be in the batch: "" = it is done already. */
static const char *item_left(const struct items *i,
			     const struct meta_plan_item *item,
			     const struct subject *s)
{
	int to = tier_index(i->t, item->target);
	const char *why = item_changed(&i->plan, item, s);

	if (item->action == TIER_MOVE && to < 0)
		return "its tier is gone";
	if (subject_there(s, (enum tier_action)item->action, to))
		return "";
	if (!why)
		why = subject_left(s, (enum tier_action)item->action, to);
	return why;
}

/* Takes the item into the batch. 1: it did, or it is left; 0: there is no room.
 */
static int items_one(struct items *i, const struct meta_plan_item *item,
		     struct batch *b,
		     int (*left)(void *arg, const struct meta_plan_item *i,
				 const struct subject *s, const char *reason),
		     void *arg)
{
	struct subject s CLEANUP(subject_done) = { .t = i->t };
	int rc = subject_load(&s, item->study, item->subject);
	const char *why;

	if (rc < 0 && rc != -ENOENT)
		return rc;
	why = rc == -ENOENT ? "deleted" : item_left(i, item, &s);
	if (!why && !batch_fits(i->t, b, item->bytes, &s))
		return 0;
	rc = why ? left(arg, item, &s, why[0] ? why : NULL)
		 : batch_add(b, item, &s, clock_wall_ns());
	return rc < 0 ? rc : 1;
}

static void batch_kind(const struct tier *t, struct batch *b,
		       const struct meta_plan_item *item)
{
	b->rule = item->rule;
	b->action = (enum tier_action)item->action;
	b->from = tier_index(t, item->source);
	b->to = tier_index(t, item->target);
}

int items_batch(struct items *i, struct batch *out,
		int (*left)(void *arg, const struct meta_plan_item *i,
			    const struct subject *s, const char *reason),
		void *arg)
{
	const struct meta_plan_item *item = NULL;
	bool first = true;
	int rc;

	batch_clear(out);
	while ((rc = items_peek(i, &item)) == 1) {
		if (first)
			batch_kind(i->t, out, item);
		first = false;
		if (!batch_takes(i->t, out, item) ||
		    (i->most && out->n == i->most))
			break;
		rc = items_one(i, item, out, left, arg);
		if (rc <= 0)
			break;
		items_take(i);
	}
	return rc < 0 ? rc : !first;
}

/* ---- what is left of it ----------------------------------------------------
 */

static int left_count(void *arg, const struct meta_plan_item *i,
		      const struct subject *s, const char *reason)
{
	struct left *l = arg;

	if (reason) /* else it is done, and was not left to do */
		l->planned += i->bytes;
	return 0;
}

static int left_batch(struct tier *t, const struct batch *b, struct sums *s,
		      struct left *l)
{
	struct take u;
	size_t i;
	int rc = price_estimate(t, b, UINT64_MAX, INT64_MAX, &u);

	for (i = 0; i < b->n; i++) {
		l->planned += b->item[i].bytes;
		l->valid += b->item[i].bytes;
	}
	return rc < 0 ? rc : sums_batch(s, b, &u);
}

int plan_left(struct tier *t, const struct meta_plan *p,
	      const struct tier_policy *policy, struct tier_plan *out,
	      struct left *left, struct err *err)
{
	struct sums s CLEANUP(sums_done) = {
		.t = t, .policy = policy, .out = out, .err = err
	};
	struct items items CLEANUP(items_done) = { .t = t, .plan = *p };
	struct batch b CLEANUP(batch_done) = { .n = 0 };
	int rc = load_ages(t, &s.all);

	memset(out, 0, sizeof(*out));
	memset(left, 0, sizeof(*left));
	while (rc == 0 && (rc = items_batch(&items, &b, left_count, left)) == 1)
		rc = b.n ? left_batch(t, &b, &s, left) : 0;
	if (rc == 0)
		rc = sums_finish(&s);
	if (rc < 0) {
		tier_plan_done(out);
		return rc;
	}
	snprintf(out->name, sizeof(out->name), "%s", p->name);
	snprintf(out->policy, sizeof(out->policy), "%s", p->policy);
	out->made_ns = p->made_ns;
	return 0;
}

int tier_plan_read(struct tier *t, const char *name, struct tier_plan *out,
		   struct err *err)
{
	struct meta_plan p;
	struct left left;
	int rc = store_find(t, name, &p);

	if (rc == -ENOENT)
		return fail(err, rc, "there is no plan '%s'", name);
	return rc < 0 ? rc
		      : plan_left(t, &p, tier_policy_find(t, p.policy), out,
				  &left, err);
}
