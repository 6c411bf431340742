/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: the bill of a period, what it comes to by the period's end, and
 * what the data costs a month as it is now. Rows are sums of the bill's lines
 * and the totals are sums of rows, so that a report always adds up.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>

struct report {
	struct meta *meta;
	const struct cost_opts *o;
	struct cost_report *out;
	int64_t now_ns, elapsed, period; /* seconds */
	struct cost_presents present;
	struct cost_words doubts;
	struct err *err;
};

static const char *const by_names[COST_BYS] = {
	[COST_BY_TIER] = "tier",     [COST_BY_CLASS] = "class",
	[COST_BY_CAUSE] = "cause",   [COST_BY_MODALITY] = "modality",
	[COST_BY_AGE] = "study-age",
};

const char *cost_by_name(enum cost_by by)
{
	return by_names[by];
}

int cost_by_parse(const char *s, enum cost_by *out)
{
	int i;

	if (strcmp(s, "age") == 0)
		s = by_names[COST_BY_AGE];
	for (i = 0; i < COST_BYS; i++)
		if (strcmp(s, by_names[i]) == 0) {
			*out = (enum cost_by)i;
			return 0;
		}
	return -EINVAL;
}

/* ---- rows ----------------------------------------------------------- */

static bool row_is(const struct cost_report *r, const struct cost_row *row,
		   const char *name, const char *storage_class)
{
	return strcmp(row->name, name) == 0 &&
	       (r->by != COST_BY_TIER ||
		strcmp(row->storage_class, storage_class) == 0);
}

/* The row of that name (of a tier: and class), made when it is new. */
static struct cost_row *report_row(struct cost_report *r, const char *name,
				   const char *storage_class)
{
	struct cost_row *row;
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		if (row_is(r, &r->rows[i], name, storage_class))
			return &r->rows[i];
	row = reallocarray(r->rows, r->n_rows + 1, sizeof(*row));
	if (!row)
		return NULL;
	r->rows = row;
	row += r->n_rows++;
	*row = (struct cost_row){ 0 };
	snprintf(row->name, sizeof(row->name), "%s", name);
	if (r->by != COST_BY_TIER)
		return row;
	snprintf(row->tier, sizeof(row->tier), "%s", name);
	snprintf(row->storage_class, sizeof(row->storage_class), "%s",
		 storage_class);
	return row;
}

/* What a cell's row is called; groups of studies are known already. */
static void report_group(const struct cost_report *r, const char *tier,
			 const char *storage_class, const char *cause,
			 char group[64])
{
	const char *name = tier;

	if (r->by == COST_BY_MODALITY || r->by == COST_BY_AGE)
		return;
	if (r->by == COST_BY_CLASS)
		name = storage_class;
	else if (r->by == COST_BY_CAUSE)
		name = cause[0] ? cause : "storage";
	snprintf(group, 64, "%s", name);
}

/* Rows of what the trust has, also when nothing was used of it. */
static int report_tiers(struct report *p)
{
	size_t i;

	if (p->out->by != COST_BY_TIER && p->out->by != COST_BY_CLASS)
		return 0;
	for (i = 0; i < p->o->n_tiers; i++) {
		const char *cls = cost_class_name(p->o->tiers[i].storage_class);
		char group[64];

		report_group(p->out, p->o->tiers[i].tier, cls, "", group);
		if (!report_row(p->out, group, cls))
			return -ENOMEM;
	}
	return 0;
}

/* average_bytes collects the byte-seconds until report_averages(). */
static void row_add_usage(struct cost_row *row, const struct cost_cell *c)
{
	const struct price_usage *u = &c->usage;
	size_t i;

	row->byte_hours += u->byte_hours + (uint64_t)(c->disk / 3600);
	row->average_bytes += u->byte_seconds + (uint64_t)(c->disk % 3600);
	row->puts += u->puts;
	row->gets += u->gets;
	row->heads += u->heads;
	row->lists += u->lists;
	row->deletes += u->deletes;
	row->in_bytes += u->in_bytes;
	row->out_bytes += u->out_bytes;
	for (i = 0; i < PRICE_SPEEDS; i++) {
		row->restores += u->restores[i];
		row->restored_bytes += u->restored_bytes[i];
	}
}

static int report_usage(struct report *p, struct cost_bill *b)
{
	struct cost_report *r = p->out;
	size_t i;

	r->carbon_known = true;
	for (i = 0; i < b->n_cells; i++) {
		struct cost_cell *c = &b->cells[i];
		struct cost_row *row;
		money_t kwh, kg;

		report_group(r, c->tier, c->storage_class, c->cause, c->group);
		row = report_row(r, c->group, c->storage_class);
		if (!row)
			return -ENOMEM;
		row_add_usage(row, c);
		r->carbon_known &= cost_carbon(p->o, c, &kwh, &kg);
		row->kwh += kwh;
		row->kg_co2e += kg;
	}
	return 0;
}

static int report_present(struct report *p)
{
	size_t i;

	for (i = 0; i < p->present.n; i++) {
		struct cost_present *x = &p->present.item[i];
		struct cost_row *row;

		report_group(p->out, x->tier, x->storage_class, "", x->group);
		row = report_row(p->out, x->group, x->storage_class);
		if (!row)
			return -ENOMEM;
		row->current_bytes += x->bytes;
		row->objects += x->objects;
	}
	return 0;
}

static void report_averages(struct report *p)
{
	size_t i;

	for (i = 0; i < p->out->n_rows; i++) {
		struct cost_row *row = &p->out->rows[i];
		unsigned __int128 bs =
			(unsigned __int128)row->byte_hours * 3600 +
			row->average_bytes;

		row->byte_hours = (uint64_t)(bs / 3600);
		row->average_bytes =
			p->elapsed ? (uint64_t)(bs / (uint64_t)p->elapsed) : 0;
	}
}

/* ---- money ---------------------------------------------------------- */

/* Charges of what is kept, as it goes on with the bytes of today. */
static bool line_kept(const struct cost_line *l)
{
	return l->item == PRICE_OF_STORAGE || l->item == PRICE_OF_DISK ||
	       l->item == PRICE_OF_SMALL || l->item == PRICE_OF_OVERHEAD ||
	       l->item == PRICE_OF_OVERHEAD_STANDARD;
}

/* The part of `m` that falls in `span` when it was earned in `elapsed`. */
static money_t report_scale(money_t m, int64_t span, int64_t elapsed)
{
	return elapsed > 0 ? money_muldiv(m, (uint64_t)span, (uint64_t)elapsed)
			   : 0;
}

/* The bill's lines into the rows; requests and traffic go on as so far. */
static int report_lines(struct report *p, struct cost_bill *b)
{
	int64_t left = p->period - p->elapsed;
	size_t i;

	for (i = 0; i < b->n_lines; i++) {
		const struct cost_line *l = &b->lines[i];
		struct cost_row *row =
			report_row(p->out, l->group, l->storage_class);

		if (!row)
			return -ENOMEM;
		price_charges_add(&row->charges, price_item_column(l->item),
				  l->amount);
		if (!line_kept(l))
			row->projected +=
				l->amount +
				report_scale(l->amount, left, p->elapsed);
	}
	p->out->lines = take(b->lines);
	p->out->n_lines = b->n_lines;
	return 0;
}

/* A cell of what is kept for so long from a day on. */
static int report_keep(struct report *p, struct cost_bill *b,
		       const struct cost_present *x, int32_t day,
		       uint64_t seconds)
{
	struct cost_cell *c =
		cost_bill_append(b, day, x->tier, x->storage_class, "");

	if (!c)
		return -ENOMEM;
	if (strcmp(x->storage_class, COST_LOCAL_CLASS) == 0)
		c->disk = (unsigned __int128)x->bytes * seconds;
	else
		cost_present_usage(p->o, x, seconds, &c->usage);
	memcpy(c->group, x->group, sizeof(c->group));
	return 0;
}

/* The rest of the period, a month at a time, with the bytes of today: that
 * says more than the average of a month that began small. */
static int report_rest(struct report *p, struct cost_bill *b)
{
	int64_t at = p->out->from * SEC_PER_DAY + p->elapsed;
	int64_t end = p->out->to * SEC_PER_DAY;
	int rc = 0;

	while (at < end && rc == 0) {
		int32_t day = (int32_t)(at / SEC_PER_DAY), first, next;
		int64_t until;
		size_t i;

		cost_month_of(day, &first, &next);
		until = MIN(end, next * SEC_PER_DAY);
		for (i = 0; i < p->present.n && rc == 0; i++)
			rc = report_keep(p, b, &p->present.item[i], day,
					 (uint64_t)(until - at));
		at = until;
	}
	return rc;
}

static int report_project(struct report *p, const struct cost_bill *so_far)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	size_t i;
	int rc;

	cost_bill_init(&b, p->meta, p->o, so_far->from, so_far->to, &p->doubts,
		       p->err);
	b.cells = calloc(so_far->n_cells + 1, sizeof(*b.cells));
	if (!b.cells)
		return -ENOMEM;
	b.n_cells = so_far->n_cells;
	if (b.n_cells)
		memcpy(b.cells, so_far->cells, b.n_cells * sizeof(*b.cells));
	rc = report_rest(p, &b);
	if (rc == 0)
		rc = cost_bill_price(&b);
	for (i = 0; i < b.n_lines && rc == 0; i++) {
		const struct cost_line *l = &b.lines[i];

		if (line_kept(l))
			report_row(p->out, l->group, l->storage_class)
				->projected += l->amount;
	}
	return rc;
}

static int report_month(struct report *p)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	size_t i;
	int rc = 0;

	cost_bill_init(&b, p->meta, p->o, p->out->from, p->out->to, &p->doubts,
		       p->err);
	for (i = 0; i < p->present.n && rc == 0; i++)
		rc = report_keep(p, &b, &p->present.item[i], p->out->from,
				 COST_MONTH_SECONDS);
	if (rc == 0)
		rc = cost_bill_price(&b);
	for (i = 0; i < b.n_lines && rc == 0; i++)
		report_row(p->out, b.lines[i].group, b.lines[i].storage_class)
			->per_month += b.lines[i].amount;
	return rc;
}

static void report_totals(struct report *p)
{
	struct cost_report *r = p->out;
	size_t i;
	int c;

	for (i = 0; i < r->n_rows; i++) {
		for (c = 0; c < PRICE_COLUMNS; c++)
			price_charges_add(&r->totals, (enum price_column)c,
					  price_column(&r->rows[i].charges,
						       (enum price_column)c));
		r->projected += r->rows[i].projected;
		r->per_month += r->rows[i].per_month;
		r->kwh += r->rows[i].kwh;
		r->kg_co2e += r->rows[i].kg_co2e;
	}
	r->vat = money_muldiv(r->totals.total, p->o->vat, 100);
}

/* ---- the whole ------------------------------------------------------ */

static int row_by_age(const void *a, const void *b)
{
	size_t x = cost_age_rank(((const struct cost_row *)a)->name);
	size_t y = cost_age_rank(((const struct cost_row *)b)->name);

	return x != y ? (x < y ? -1 : 1)
		      : strcmp(((const struct cost_row *)a)->name,
			       ((const struct cost_row *)b)->name);
}

static void report_words(struct report *p)
{
	struct cost_report *r = p->out;

	if (r->by == COST_BY_MODALITY || r->by == COST_BY_AGE)
		snprintf(r->basis, sizeof(r->basis),
			 "Each charge of a tier and class is divided by the "
			 "bytes that studies of each %s have there now.",
			 r->by == COST_BY_AGE ? "age" : "modality");
	else
		snprintf(r->basis, sizeof(r->basis),
			 "Counted by the gateway; prices of the tables.");
	cost_carbon_method(p->o, r->carbon_method, sizeof(r->carbon_method));
	r->unconfirmed = take(p->doubts.word);
	r->n_unconfirmed = p->doubts.n;
	p->doubts.n = 0;
	if (r->by == COST_BY_AGE && r->n_rows)
		qsort(r->rows, r->n_rows, sizeof(*r->rows), row_by_age);
}

static int report_bill(struct report *p, struct cost_bill *b)
{
	int rc = cost_bill_ledger(b);

	if (rc == 0)
		rc = cost_presents_read(p->meta, p->out->by, p->now_ns,
					&p->present);
	if (rc == 0)
		rc = cost_presents_local(p->meta, p->o, &p->present);
	if (rc == 0 &&
	    (p->out->by == COST_BY_MODALITY || p->out->by == COST_BY_AGE))
		rc = cost_bill_divide(b, &p->present);
	if (rc == 0)
		rc = report_usage(p, b);
	if (rc == 0)
		rc = report_present(p);
	return rc < 0 ? rc : cost_bill_price(b);
}

static int report_build(struct report *p)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	int rc = report_tiers(p);

	cost_bill_init(&b, p->meta, p->o, p->out->from, p->out->to, &p->doubts,
		       p->err);
	if (rc == 0)
		rc = report_bill(p, &b);
	if (rc == 0)
		rc = report_lines(p, &b);
	if (rc == 0)
		rc = report_project(p, &b);
	if (rc == 0)
		rc = report_month(p);
	if (rc < 0)
		return rc;
	report_averages(p);
	report_totals(p);
	rc = cost_compare(&b, p->out->totals.total, p->out);
	if (rc == 0)
		rc = p->doubts.rc;
	if (rc == 0)
		report_words(p);
	return rc;
}

int cost_report(struct meta *m, const struct cost_opts *o, enum cost_by by,
		int32_t from, int32_t to, int64_t now_ns,
		struct cost_report *out, struct err *err)
{
	struct cost_report r = { .from = from, .to = to, .by = by };
	struct err said = ERR_INIT;
	struct report p = {
		.meta = m, .o = o, .out = &r, .now_ns = now_ns, .err = &said
	};
	int64_t now = now_ns / NSEC_PER_SEC - from * SEC_PER_DAY;
	int rc;

	if (to <= from)
		return fail(err, -EINVAL, "the period ends before it begins");
	p.period = (to - from) * SEC_PER_DAY;
	p.elapsed = now < 0 ? 0 : MIN(now, p.period);
	r.elapsed_seconds = p.elapsed;
	rc = report_build(&p);
	free(p.present.item);
	cost_words_done(&p.doubts);
	if (rc < 0) {
		cost_report_done(&r);
		return cost_fail(err, &said, rc);
	}
	*out = r;
	return 0;
}

void cost_report_done(struct cost_report *r)
{
	size_t i;

	for (i = 0; i < r->n_unconfirmed; i++)
		free(r->unconfirmed[i]);
	free(r->unconfirmed);
	free(r->lines);
	free(r->compared);
	free(r->rows);
	memset(r, 0, sizeof(*r));
}
