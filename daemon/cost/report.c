/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: ledger rows are summed by tier and class, priced, converted
 * and extended to the end of the period. All integers; each charge is
 * converted by itself and the totals are sums of what is shown, so that a
 * report always adds up.
 */
#include "cost/cost.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define MONTH_HOURS   730 /* as the price tables define a month */
#define REPORT_PAGE   64
#define REPORT_TOTALS 32

struct report {
	struct meta *meta;
	const struct cost_opts *o;
	struct cost_report *out;
	int64_t elapsed, period; /* seconds */
	struct err *err;
	int rc;		   /* of the callback below */
	const char *table; /* that is being applied */
};

/* ---- rows ----------------------------------------------------------- */

static const char *class_name(const char *storage_class)
{
	return storage_class[0] ? storage_class : "STANDARD";
}

/* The row of a tier and class, made when it is new. */
static struct cost_row *report_row(struct cost_report *r, const char *tier,
				   const char *storage_class)
{
	const char *cls = class_name(storage_class);
	struct cost_row *row;
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		if (strcmp(r->rows[i].tier, tier) == 0 &&
		    strcmp(r->rows[i].storage_class, cls) == 0)
			return &r->rows[i];
	row = reallocarray(r->rows, r->n_rows + 1, sizeof(*row));
	if (!row)
		return NULL;
	r->rows = row;
	row += r->n_rows++;
	memset(row, 0, sizeof(*row));
	snprintf(row->tier, sizeof(row->tier), "%s", tier);
	snprintf(row->storage_class, sizeof(row->storage_class), "%s", cls);
	return row;
}

/* average_bytes collects the byte-seconds until report_average(). */
static void report_sum(struct cost_row *row, const struct meta_ledger *l)
{
	row->byte_hours += l->byte_hours;
	row->average_bytes += l->byte_seconds;
	row->puts += l->puts;
	row->gets += l->gets;
	row->heads += l->heads;
	row->lists += l->lists;
	row->deletes += l->deletes;
	row->in_bytes += l->in_bytes;
	row->out_bytes += l->out_bytes;
}

static int report_page(struct report *p, size_t skip, struct meta_ledger *page)
{
	META_TXN(t);
	int rc = meta_read(p->meta, &t);

	if (rc < 0)
		return rc;
	return meta_ledger_list(&t, p->out->from, p->out->to, skip, page,
				REPORT_PAGE);
}

static int report_ledger(struct report *p)
{
	CLEANUP_FREE struct meta_ledger *page =
		calloc(REPORT_PAGE, sizeof(*page));
	size_t skip = 0;
	int n, i;

	if (!page)
		return -ENOMEM;
	do {
		n = report_page(p, skip, page);
		for (i = 0; i < n; i++) {
			struct cost_row *row = report_row(
				p->out, page[i].tier, page[i].storage_class);

			if (!row)
				return -ENOMEM;
			report_sum(row, &page[i]);
		}
		skip += (size_t)(n > 0 ? n : 0);
	} while (n == REPORT_PAGE);
	return n < 0 ? n : 0;
}

static int report_present(struct report *p)
{
	struct meta_pack_totals held[REPORT_TOTALS];
	META_TXN(t);
	int rc = meta_read(p->meta, &t);
	int n, i;

	if (rc < 0)
		return rc;
	n = meta_pack_totals(&t, held, REPORT_TOTALS);
	for (i = 0; i < MIN(n, REPORT_TOTALS); i++) {
		struct cost_row *row =
			report_row(p->out, held[i].tier, held[i].storage_class);

		if (!row)
			return -ENOMEM;
		row->current_bytes += held[i].bytes;
		row->objects += held[i].objects;
	}
	return n < 0 ? n : 0;
}

static int report_tiers(struct report *p)
{
	size_t i;

	for (i = 0; i < p->o->n_tiers; i++)
		if (!report_row(p->out, p->o->tiers[i].tier,
				p->o->tiers[i].storage_class))
			return -ENOMEM;
	return 0;
}

/* ---- prices --------------------------------------------------------- */

static void report_unconfirmed(void *arg, const char *what)
{
	struct report *p = arg;
	struct cost_report *r = p->out;
	char *text, **grown;
	size_t i;

	if (asprintf(&text, "%s: %s", p->table, what) < 0) {
		p->rc = -ENOMEM;
		return;
	}
	for (i = 0; i < r->n_unconfirmed; i++)
		if (strcmp(r->unconfirmed[i], text) == 0)
			break;
	grown = i < r->n_unconfirmed
			? NULL
			: reallocarray(r->unconfirmed, i + 1, sizeof(*grown));
	if (!grown) {
		if (i == r->n_unconfirmed)
			p->rc = -ENOMEM;
		free(text);
		return;
	}
	r->unconfirmed = grown;
	grown[r->n_unconfirmed++] = text;
}

static const struct price_table *report_table(const struct report *p,
					      const char *tier)
{
	size_t i;

	for (i = 0; i < p->o->n_tiers; i++)
		if (strcmp(p->o->tiers[i].tier, tier) == 0)
			return p->o->tiers[i].prices;
	return NULL;
}

static int report_convert(const struct report *p, const char *from, money_t in,
			  money_t *out)
{
	int rc = price_convert(p->o->exchange, from, in, out);

	if (rc == -ENOENT) {
		fail(p->err, rc, "there is no rate from %s to %s", from,
		     p->o->exchange->currency);
		return fail_hint(p->err, rc, "add it under cost.exchange");
	}
	return rc;
}

static void charges_add(struct price_charges *sum,
			const struct price_charges *c)
{
	sum->storage += c->storage;
	sum->requests += c->requests;
	sum->retrieval += c->retrieval;
	sum->transfer += c->transfer;
	sum->early_deletion += c->early_deletion;
	sum->minimum_size += c->minimum_size;
	sum->total += c->total;
}

/* Converts each charge; the total becomes the sum of them. */
static int report_currency(const struct report *p, const char *from,
			   struct price_charges *c)
{
	money_t *const part[] = { &c->storage,	      &c->requests,
				  &c->retrieval,      &c->transfer,
				  &c->early_deletion, &c->minimum_size };
	size_t i;

	c->total = 0;
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		money_t out;
		int rc = report_convert(p, from, *part[i], &out);

		if (rc < 0)
			return rc;
		*part[i] = out;
		c->total += out;
	}
	return 0;
}

/* Prices one usage of a row's class, in the reporting currency. */
static int report_charge(struct report *p, const struct cost_row *row,
			 const struct price_usage *u, struct price_charges *out)
{
	const struct price_table *t = report_table(p, row->tier);
	const struct price_class *c =
		t ? price_table_class(t, row->storage_class) : NULL;
	char what[80];

	memset(out, 0, sizeof(*out));
	p->table = t ? t->name : row->tier;
	if (!c) {
		snprintf(what, sizeof(what), "no price of %s%s",
			 row->storage_class, t ? "" : " (no price table)");
		report_unconfirmed(p, what);
		return p->rc;
	}
	price_charge(t, c, u, out, report_unconfirmed, p);
	if (p->rc < 0)
		return p->rc;
	return report_currency(p, t->currency, out);
}

/* ---- figures -------------------------------------------------------- */

/* The part of `m` that falls in `span` when it was earned in `elapsed`. */
static money_t report_scale(money_t m, int64_t span, int64_t elapsed)
{
	return elapsed > 0 ? money_muldiv(m, (uint64_t)span, (uint64_t)elapsed)
			   : 0;
}

/*
 * Requests and traffic go on as so far; storage goes on at today's size,
 * which says more than the average of a month that began small.
 */
static int report_project(struct report *p, struct cost_row *row)
{
	int64_t left = p->period - p->elapsed;
	struct price_usage u = { 0 };
	const struct price_charges *c = &row->charges;
	struct price_charges rest;
	unsigned __int128 bs =
		(unsigned __int128)row->current_bytes * (uint64_t)left;
	int rc;

	u.byte_hours = (uint64_t)(bs / 3600);
	u.byte_seconds = (uint64_t)(bs % 3600);
	rc = report_charge(p, row, &u, &rest);
	if (rc < 0)
		return rc;
	row->projected = c->total + rest.total +
			 report_scale(c->total - c->storage, left, p->elapsed);
	return 0;
}

static int report_month(struct report *p, struct cost_row *row)
{
	struct price_usage u = { .byte_hours =
					 row->current_bytes * MONTH_HOURS };
	struct price_charges c;
	int rc = report_charge(p, row, &u, &c);

	row->per_month = c.total;
	return rc;
}

static void report_average(const struct report *p, struct cost_row *row,
			   struct price_usage *u)
{
	unsigned __int128 bs =
		(unsigned __int128)row->byte_hours * 3600 + row->average_bytes;

	row->average_bytes = p->elapsed ? (uint64_t)(bs / (uint64_t)p->elapsed)
					: 0;
	row->byte_hours = (uint64_t)(bs / 3600);
	u->byte_hours = row->byte_hours;
	u->byte_seconds = (uint64_t)(bs % 3600);
}

static int report_price_row(struct report *p, struct cost_row *row)
{
	struct price_usage u = { .puts = row->puts,
				 .lists = row->lists,
				 .gets = row->gets,
				 .heads = row->heads,
				 .deletes = row->deletes,
				 .in_bytes = row->in_bytes,
				 .out_bytes = row->out_bytes };
	int rc;

	report_average(p, row, &u);
	rc = report_charge(p, row, &u, &row->charges);
	if (rc == 0)
		rc = report_project(p, row);
	if (rc == 0)
		rc = report_month(p, row);
	return rc;
}

static int report_price(struct report *p)
{
	struct cost_report *r = p->out;
	size_t i;

	for (i = 0; i < r->n_rows; i++) {
		int rc = report_price_row(p, &r->rows[i]);

		if (rc < 0)
			return rc;
		charges_add(&r->totals, &r->rows[i].charges);
		r->projected += r->rows[i].projected;
		r->per_month += r->rows[i].per_month;
	}
	return 0;
}

/* ---- the whole ------------------------------------------------------ */

static int report_build(struct report *p)
{
	int rc = report_tiers(p);

	if (rc == 0)
		rc = report_ledger(p);
	if (rc == 0)
		rc = report_present(p);
	if (rc == 0)
		rc = report_price(p);
	return rc;
}

int cost_report(struct meta *m, const struct cost_opts *o, enum cost_by by,
		int32_t from, int32_t to, int64_t now_ns,
		struct cost_report *out, struct err *err)
{
	struct cost_report r = { .from = from, .to = to, .by = by };
	struct err said = ERR_INIT;
	struct report p = { .meta = m, .o = o, .out = &r, .err = &said };
	int64_t now = now_ns / NSEC_PER_SEC - from * SEC_PER_DAY;
	int rc;

	if (by != COST_BY_TIER)
		return fail(err, -ENOTSUP, "rows stand for tiers");
	if (to <= from)
		return fail(err, -EINVAL, "the period ends before it begins");
	p.period = (to - from) * SEC_PER_DAY;
	p.elapsed = now < 0 ? 0 : MIN(now, p.period);
	r.elapsed_seconds = p.elapsed;
	rc = report_build(&p);
	if (rc < 0) {
		cost_report_done(&r);
		if (!said.msg[0])
			return fail(err, rc, "cannot read the ledger: %m");
		fail(err, rc, "%s", said.msg);
		return fail_hint(err, rc, "%s", said.hint);
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
	free(r->rows);
	memset(r, 0, sizeof(*r));
}
