/* SPDX-License-Identifier: Apache-2.0 */
/* What ends a run before its end: the policy's limits, the budget, errors. */
#include "tier/run.h"

#include <string.h>

#define FAILING_MAX 3 /* batches in a row, of which nothing succeeded */

const char *limit_over(const struct run *r, const struct batch *b,
		       uint64_t requests, money_t once)
{
	static const struct tier_limits none;
	const struct tier_limits *l = r->policy ? &r->policy->limits : &none;
	money_t cost = r->cost + r->ordered + once;

	if (l->bytes && r->row.bytes + b->bytes > l->bytes)
		return "the policy's limit of bytes";
	if (l->files && r->row.files + b->files > l->files)
		return "the policy's limit of files";
	if (l->requests && r->requests + r->orders + requests > l->requests)
		return "the policy's limit of requests";
	if (l->has_money && cost > l->money)
		return "the policy's limit of money";
	if (r->t->o.has_budget && r->t->o.spent && cost > r->left)
		return "the month's budget";
	return NULL;
}

const char *limit_errors(const struct run *r)
{
	const struct tier_policy *p = r->policy;

	if (r->failing >= FAILING_MAX)
		return "one failure after another";
	if (!p || !p->stop_errors || r->tried < p->stop_minimum || !r->failed)
		return NULL;
	return r->failed * 100 >= r->tried * p->stop_errors
		       ? "more errors than the policy's stop_on allows"
		       : NULL;
}

int limit_budget(struct run *r)
{
	const struct tier_opts *o = &r->t->o;
	char text[MONEY_SIZE];
	money_t spent;
	int rc;

	if (!o->has_budget || !o->spent)
		return 0;
	rc = o->spent(o->spent_arg, &spent);
	if (rc < 0)
		return fail(r->err, rc,
			    "cannot tell what this month cost until now: %m");
	r->left = o->budget - spent;
	if (r->left > 0)
		return 0;
	fail(r->err, -EDQUOT, "this month's budget of %s is used up",
	     money_show(o->budget, o->exchange->currency, text));
	return fail_hint(r->err, -EDQUOT,
			 "wait for the next month, or raise 'budget'");
}

bool limit_pace(struct run *r)
{
	uint64_t rate = r->policy ? r->policy->limits.rate : 0;
	uint64_t bytes = r->row.bytes - r->began_bytes;
	int64_t due;

	if (!rate)
		return true;
	due = r->began_ns + (int64_t)(bytes / rate) * NSEC_PER_SEC +
	      (int64_t)(bytes % rate * NSEC_PER_SEC / rate);
	return run_sleep(r, due - clock_boot_ns());
}
