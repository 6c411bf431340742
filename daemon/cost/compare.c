/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same bytes, writes and reads, kept in one class that can be read at
 * once: what the tiers saved. What tiering itself did (cause "policy") would
 * not have been; the cache would have cost the same.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>

#define COMPARE_TIER "everything"

/* Is everything in the table's STANDARD as it is? */
static bool compare_same(const struct cost_bill *b, const struct price_table *t)
{
	size_t i;

	for (i = 0; i < b->n_cells; i++) {
		const struct cost_cell *c = &b->cells[i];
		const struct cost_tier *at = cost_tier_of(b->o, c->tier);

		if (!c->disk && (!at || at->prices != t ||
				 strcmp(c->storage_class, "STANDARD") != 0))
			return false;
	}
	return true;
}

static bool compare_seen(const struct cost_opts *o, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (o->tiers[k].prices == o->tiers[i].prices)
			return true;
	return false;
}

/* What STANDARD charges for of a cell. */
static void compare_usage(const struct price_usage *u, struct price_usage *out)
{
	const struct price_usage plain = {
		.byte_hours = u->byte_hours,
		.byte_seconds = u->byte_seconds,
		.puts = u->puts,
		.lists = u->lists,
		.gets = u->gets,
		.heads = u->heads,
		.deletes = u->deletes,
		.out_bytes = u->out_bytes,
		.in_bytes = u->in_bytes,
	};

	cost_usage_add(out, &plain);
}

static int compare_cells(const struct cost_bill *b, struct cost_bill *then)
{
	size_t i;

	for (i = 0; i < b->n_cells; i++) {
		const struct cost_cell *c = &b->cells[i];
		struct cost_cell *to;

		if (c->disk || strcmp(c->cause, "policy") == 0)
			continue;
		to = cost_bill_cell(then, c->from, COMPARE_TIER, "", "");
		if (!to)
			return -ENOMEM;
		compare_usage(&c->usage, &to->usage);
	}
	return 0;
}

static int compare_with(const struct cost_bill *b, const struct price_table *t,
			money_t local, money_t *out)
{
	const struct cost_tier all = { .tier = COMPARE_TIER,
				       .storage_class = "",
				       .prices = t };
	struct cost_opts o = *b->o;
	CLEANUP(cost_words_done) struct cost_words doubts = { 0 };
	CLEANUP(cost_bill_done) struct cost_bill then;
	size_t i;
	int rc;

	o.tiers = &all;
	o.n_tiers = 1;
	cost_bill_init(&then, b->meta, &o, b->from, b->to, &doubts, b->err);
	rc = compare_cells(b, &then);
	if (rc == 0)
		rc = cost_bill_price(&then);
	*out = local;
	for (i = 0; i < then.n_lines && rc == 0; i++)
		*out += then.lines[i].amount;
	return rc;
}

static int compare_add(struct cost_report *out, const struct price_table *t,
		       money_t total, money_t then)
{
	struct cost_compared *c =
		reallocarray(out->compared, out->n_compared + 1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	out->compared = c;
	c += out->n_compared++;
	*c = (struct cost_compared){ .total = then, .saved = then - total };
	snprintf(c->name, sizeof(c->name), "everything in %s STANDARD",
		 t->name);
	return 0;
}

int cost_compare(const struct cost_bill *b, money_t total,
		 struct cost_report *out)
{
	money_t local = 0, then;
	size_t i;
	int rc = 0;

	for (i = 0; i < out->n_lines; i++)
		if (out->lines[i].item == PRICE_OF_DISK)
			local += out->lines[i].amount;
	for (i = 0; i < b->o->n_tiers && rc == 0; i++) {
		const struct price_table *t = b->o->tiers[i].prices;

		if (!t || compare_seen(b->o, i) ||
		    !price_table_class(t, NULL) || compare_same(b, t))
			continue;
		rc = compare_with(b, t, local, &then);
		if (rc == 0)
			rc = compare_add(out, t, total, then);
	}
	return rc;
}
