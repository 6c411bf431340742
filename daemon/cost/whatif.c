/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same data in another place, without asking a policy: what it costs a
 * month now and there, with the reads of the last days, and what it takes once
 * to bring it there.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>

typedef unsigned __int128 u128;

#define WHATIF_READ_DAYS 30	  /* whose reads go on */
#define WHATIF_MOVE	 "move"	  /* groups of cells: what moves, */
#define WHATIF_INSIDE	 "inside" /* and does not leave the place */

struct whatif {
	struct meta *meta;
	const struct cost_opts *o;
	enum cost_scenario scenario;
	const struct cost_tier *to; /* NULL: local disk */
	int64_t now_ns;
	int32_t today;
	struct cost_presents present;
	uint64_t cached;
	struct cost_words doubts, assumptions;
	struct cost_whatif *out;
	struct err *err;
};

static const struct price_class *whatif_class(const struct cost_tier *t)
{
	return t && t->prices ? price_table_class(t->prices, t->storage_class)
			      : NULL;
}

static bool whatif_archive(const struct cost_tier *t)
{
	const struct price_class *c = whatif_class(t);

	return c && price_class_archive(c);
}

/* Is that where it is to be? */
static bool whatif_there(struct whatif *w, const struct cost_present *p)
{
	return w->to && strcmp(p->tier, w->to->tier) == 0 &&
	       strcmp(p->storage_class,
		      cost_class_name(w->to->storage_class)) == 0;
}

static uint64_t whatif_objects(struct whatif *w, uint64_t bytes)
{
	uint64_t size = w->to && w->to->object_size ? w->to->object_size
						    : COST_OBJECT_SIZE;

	return bytes / size + (bytes % size != 0);
}

static void whatif_bill(struct whatif *w, struct cost_bill *b)
{
	cost_bill_init(b, w->meta, w->o, w->today, w->today + 1, &w->doubts,
		       w->err);
}

static int whatif_total(struct cost_bill *b, money_t *out)
{
	size_t i;
	int rc = cost_bill_price(b);

	*out = 0;
	for (i = 0; i < b->n_lines && rc == 0; i++)
		if (b->lines[i].item != PRICE_OF_EGRESS ||
		    strcmp(b->lines[i].group, WHATIF_INSIDE) != 0)
			*out += b->lines[i].amount;
	return rc;
}

/* ---- a month -------------------------------------------------------- */

static int whatif_disk(struct whatif *w, struct cost_bill *b, uint64_t bytes)
{
	struct cost_cell *c;

	if (!w->o->disk_tb_month.known)
		return 0;
	c = cost_bill_cell(b, w->today, COST_LOCAL, COST_LOCAL_CLASS, "");
	if (!c)
		return -ENOMEM;
	c->disk += (u128)bytes * COST_MONTH_SECONDS;
	return 0;
}

static int whatif_keep(struct whatif *w, struct cost_bill *b,
		       const struct cost_present *p)
{
	struct price_usage u;
	struct cost_cell *c;

	cost_present_usage(w->o, p, COST_MONTH_SECONDS, &u);
	c = cost_bill_cell(b, w->today, p->tier, p->storage_class, "");
	if (!c)
		return -ENOMEM;
	cost_usage_add(&c->usage, &u);
	return 0;
}

/* Reads of the last days, where they were or where they would be. */
static int whatif_reads(struct whatif *w, const struct cost_bill *read,
			bool then, struct cost_bill *b)
{
	size_t i;

	for (i = 0; i < read->n_cells; i++) {
		const struct cost_cell *from = &read->cells[i];
		struct price_usage u = { .gets = from->usage.gets,
					 .heads = from->usage.heads,
					 .in_bytes = from->usage.in_bytes };
		struct cost_cell *c;

		if (strcmp(from->cause, "read") != 0 &&
		    strcmp(from->cause, "recall") != 0)
			continue;
		c = then ? cost_bill_cell(b, w->today, w->to->tier,
					  w->to->storage_class, from->cause)
			 : cost_bill_cell(b, w->today, from->tier,
					  from->storage_class, from->cause);
		if (!c)
			return -ENOMEM;
		cost_usage_add(&c->usage, then ? &u : &from->usage);
	}
	return 0;
}

static int whatif_now(struct whatif *w, const struct cost_bill *read)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	size_t i;
	int rc;

	whatif_bill(w, &b);
	rc = whatif_disk(w, &b, w->cached);
	for (i = 0; i < w->present.n && rc == 0; i++)
		rc = whatif_keep(w, &b, &w->present.item[i]);
	if (rc == 0)
		rc = whatif_reads(w, read, false, &b);
	return rc < 0 ? rc : whatif_total(&b, &w->out->now);
}

/* What is there stays as it is; what comes has objects of that tier's size. */
static int whatif_then_hot(struct whatif *w, struct cost_bill *b,
			   const struct cost_bill *read)
{
	struct cost_present moved = { 0 };
	size_t i;
	int rc = whatif_disk(w, b, w->cached);

	snprintf(moved.tier, sizeof(moved.tier), "%s", w->to->tier);
	snprintf(moved.storage_class, sizeof(moved.storage_class), "%s",
		 cost_class_name(w->to->storage_class));
	for (i = 0; i < w->present.n && rc == 0; i++) {
		if (whatif_there(w, &w->present.item[i]))
			rc = whatif_keep(w, b, &w->present.item[i]);
		else
			moved.bytes += w->present.item[i].bytes;
	}
	moved.billed = moved.bytes;
	moved.objects = whatif_objects(w, moved.bytes);
	if (rc == 0 && moved.bytes)
		rc = whatif_keep(w, b, &moved);
	return rc < 0 ? rc : whatif_reads(w, read, true, b);
}

static int whatif_then(struct whatif *w, const struct cost_bill *read)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	uint64_t bytes = 0;
	size_t i;
	int rc;

	whatif_bill(w, &b);
	for (i = 0; i < w->present.n; i++)
		bytes += w->present.item[i].bytes;
	/* what is cached now is among it */
	rc = w->to ? whatif_then_hot(w, &b, read)
		   : whatif_disk(w, &b, MAX(bytes, w->cached));
	return rc < 0 ? rc : whatif_total(&b, &w->out->then);
}

/* ---- once ----------------------------------------------------------- */

/* The cheapest speed of a class: there is time. */
static enum price_speed whatif_speed(const struct price_class *c)
{
	static const enum price_speed by_price[] = { PRICE_BULK, PRICE_STANDARD,
						     PRICE_EXPEDITED };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(by_price); i++)
		if (c->recall[by_price[i]].known)
			return by_price[i];
	return PRICE_STANDARD;
}

static int whatif_leave(struct whatif *w, struct cost_bill *b,
			const struct cost_present *p)
{
	const struct cost_tier *from = cost_tier_of(w->o, p->tier);
	bool inside = w->to && from && from->place == w->to->place;
	struct price_usage u = { .gets = inside ? 0 : p->objects,
				 .in_bytes = p->bytes };
	struct cost_cell *c = cost_bill_append(b, w->today, p->tier,
					       p->storage_class, "policy");

	if (!c)
		return -ENOMEM;
	if (whatif_archive(from)) {
		enum price_speed s = whatif_speed(whatif_class(from));

		u.restores[s] = p->objects;
		u.restored_bytes[s] = p->bytes;
		cost_words_add(&w->assumptions,
			       "What lies in tier %s is restored at the "
			       "cheapest speed first.",
			       p->tier);
	}
	c->usage = u;
	snprintf(c->group, sizeof(c->group), "%s",
		 inside ? WHATIF_INSIDE : WHATIF_MOVE);
	w->out->bytes += p->bytes;
	return 0;
}

static int whatif_arrive(struct whatif *w, struct cost_bill *b)
{
	struct cost_cell *c;

	if (!w->to)
		return 0;
	c = cost_bill_append(b, w->today, w->to->tier, w->to->storage_class,
			     "policy");
	if (!c)
		return -ENOMEM;
	c->usage.puts = whatif_objects(w, w->out->bytes);
	return 0;
}

/* The days that are paid for anyway, of packs that would go. */
static int whatif_early_page(struct whatif *w, struct cost_bill *b,
			     struct meta_pack *page, uint64_t *after)
{
	META_TXN(t);
	int rc = meta_look(w->meta, &t);
	int n, i;

	if (rc < 0)
		return rc;
	n = meta_pack_list(&t, META_PACK_STORED, *after, INT64_MAX, page,
			   COST_PAGE);
	for (i = 0; i < n; i++) {
		const struct meta_pack *p = &page[i];
		struct cost_present at = { 0 };
		int64_t left = (p->keep_ns - w->now_ns) / NSEC_PER_SEC;
		struct cost_cell *c;

		*after = p->row;
		memcpy(at.tier, p->tier, sizeof(at.tier));
		snprintf(at.storage_class, sizeof(at.storage_class), "%s",
			 cost_class_name(p->storage_class));
		if (left <= 0 || whatif_there(w, &at))
			continue;
		c = cost_bill_cell(b, w->today, at.tier, at.storage_class, "");
		if (!c)
			return -ENOMEM;
		cost_time_add(&c->usage.early,
			      (u128)p->billed * (uint64_t)left);
	}
	return n;
}

static int whatif_early(struct whatif *w, struct cost_bill *b)
{
	CLEANUP_FREE struct meta_pack *page = calloc(COST_PAGE, sizeof(*page));
	uint64_t after = 0;
	int n;

	if (!page)
		return -ENOMEM;
	do
		n = whatif_early_page(w, b, page, &after);
	while (n > 0);
	return n;
}

static int whatif_once(struct whatif *w)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	size_t i;
	int rc = 0;

	whatif_bill(w, &b);
	for (i = 0; i < w->present.n && rc == 0; i++)
		if (!whatif_there(w, &w->present.item[i]))
			rc = whatif_leave(w, &b, &w->present.item[i]);
	if (rc == 0)
		rc = whatif_arrive(w, &b);
	if (rc == 0)
		rc = whatif_early(w, &b);
	return rc < 0 ? rc : whatif_total(&b, &w->out->once);
}

/* ---- the whole ------------------------------------------------------ */

static int whatif_target(struct whatif *w)
{
	size_t i;

	if (w->scenario == COST_ALL_LOCAL) {
		if (w->o->disk_tb_month.known)
			return 0;
		fail(w->err, -EINVAL, "local disk has no price");
		return fail_hint(w->err, -EINVAL,
				 "say under cost.local_disk what a TB-month "
				 "costs");
	}
	for (i = 0; i < w->o->n_tiers && !w->to; i++)
		if (!whatif_archive(&w->o->tiers[i]))
			w->to = &w->o->tiers[i];
	return w->to ? 0
		     : fail(w->err, -EINVAL,
			    "no tier has objects that can be read at once");
}

static void whatif_assume(struct whatif *w)
{
	cost_words_add(&w->assumptions,
		       "Reads go on as in the last %d days, and the data stays "
		       "as it is.",
		       WHATIF_READ_DAYS);
	if (w->to)
		cost_words_add(&w->assumptions, "Everything lies in tier %s.",
			       w->to->tier);
	else
		cost_words_add(&w->assumptions,
			       "Everything lies on local disk alone: no copy "
			       "elsewhere, nothing is left when the disk is "
			       "lost.");
}

static int whatif_read(struct whatif *w, struct cost_bill *read)
{
	META_TXN(t);
	struct meta_totals totals = { 0 };
	int rc = meta_read(w->meta, &t);

	if (rc == 0)
		rc = meta_totals(&t, &totals);
	meta_abort(&t);
	if (rc < 0)
		return rc;
	w->cached = totals.cached_bytes;
	rc = cost_presents_read(w->meta, COST_BY_TIER, w->now_ns, &w->present);
	return rc < 0 ? rc : cost_bill_ledger(read);
}

static int whatif_build(struct whatif *w)
{
	CLEANUP(cost_bill_done) struct cost_bill read;
	int rc = whatif_target(w);

	cost_bill_init(&read, w->meta, w->o, w->today - WHATIF_READ_DAYS,
		       w->today, &w->doubts, w->err);
	if (rc == 0)
		rc = whatif_read(w, &read);
	if (rc == 0)
		rc = whatif_now(w, &read);
	if (rc == 0)
		rc = whatif_then(w, &read);
	if (rc == 0)
		rc = whatif_once(w);
	whatif_assume(w);
	if (rc == 0)
		rc = w->doubts.rc;
	return rc < 0 ? rc : w->assumptions.rc;
}

double cost_break_even(money_t once, money_t saved_per_month)
{
	if (once <= 0 && saved_per_month >= 0)
		return 0;
	if (saved_per_month <= 0)
		return -1;
	return (double)once / (double)saved_per_month * COST_MONTH_HOURS / 24;
}

int cost_whatif(struct meta *m, const struct cost_opts *o,
		enum cost_scenario scenario, int64_t now_ns,
		struct cost_whatif *out, struct err *err)
{
	CLEANUP(cost_whatif_done) struct cost_whatif made = { 0 };
	struct err said = ERR_INIT;
	struct whatif w = { .meta = m,
			    .o = o,
			    .scenario = scenario,
			    .now_ns = now_ns,
			    .today = (int32_t)(now_ns / NSEC_PER_SEC /
					       SEC_PER_DAY),
			    .out = &made,
			    .err = &said };
	int rc = whatif_build(&w);

	free(w.present.item);
	made.unconfirmed = w.doubts.word;
	made.n_unconfirmed = w.doubts.n;
	made.assumptions = w.assumptions.word;
	made.n_assumptions = w.assumptions.n;
	if (rc < 0)
		return cost_fail(err, &said, rc);
	snprintf(made.name, sizeof(made.name), "%s",
		 scenario == COST_ALL_LOCAL ? "all-local" : "all-hot");
	made.saved_per_month = made.now - made.then;
	made.break_even_days = cost_break_even(made.once, made.saved_per_month);
	*out = made;
	made = (struct cost_whatif){ 0 };
	return 0;
}

void cost_whatif_done(struct cost_whatif *w)
{
	struct cost_words doubts = { w->unconfirmed, w->n_unconfirmed, 0 };
	struct cost_words said = { w->assumptions, w->n_assumptions, 0 };

	cost_words_done(&doubts);
	cost_words_done(&said);
	*w = (struct cost_whatif){ 0 };
}
