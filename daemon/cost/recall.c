/* SPDX-License-Identifier: Apache-2.0 */
/* What it would cost to bring objects back. */
#include "cost/cost.h"

#include <string.h>

static const struct cost_tier *recall_tier(const struct cost_opts *o,
					   const char *name)
{
	size_t i;

	for (i = 0; i < o->n_tiers; i++)
		if (strcmp(o->tiers[i].tier, name) == 0)
			return &o->tiers[i];
	return NULL;
}

/* A copy is kept beside the object, for days of 24 hours. */
static void recall_held(struct price_usage *u, const struct cost_recall *r)
{
	unsigned __int128 hours =
		(unsigned __int128)r->restored_bytes * r->days * 24;

	u->held.hours = hours > UINT64_MAX ? UINT64_MAX : (uint64_t)hours;
}

static void recall_doubt(void *arg, const char *what)
{
	bool *confirmed = arg;

	(void)what;
	*confirmed = false;
}

static int recall_price(const struct cost_opts *o, const struct cost_recall *r,
			struct cost_recalled *out, struct err *err)
{
	const struct cost_tier *t = recall_tier(o, r->tier);
	const struct price_class *c = NULL;
	struct price_usage u = { .gets = r->gets, .in_bytes = r->bytes };
	struct price_charges charges;
	money_t total;
	int rc;

	if (!r->restores && !r->gets && !r->bytes)
		return 0; /* nothing comes from there */
	if (t && t->prices)
		c = price_table_class(t->prices, t->storage_class);
	if (!c) {
		out->priced = false;
		return 0;
	}
	u.restores[r->speed] = r->restores;
	u.restored_bytes[r->speed] = r->restored_bytes;
	recall_held(&u, r);
	price_charge(t->prices, c, &u, &charges, recall_doubt, &out->confirmed);
	rc = price_convert(o->exchange, t->prices->currency, charges.total,
			   &total);
	if (rc < 0)
		return fail(err, rc, "there is no rate from %s to %s",
			    t->prices->currency, o->exchange->currency);
	out->amount += total;
	return 0;
}

int cost_recall(const struct cost_opts *o, const struct cost_recall *r,
		size_t n, struct cost_recalled *out, struct err *err)
{
	size_t i;
	int rc = 0;

	*out = (struct cost_recalled){ .priced = true, .confirmed = true };
	for (i = 0; i < n && rc == 0; i++)
		rc = recall_price(o, &r[i], out, err);
	return rc;
}
