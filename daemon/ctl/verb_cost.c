/* SPDX-License-Identifier: Apache-2.0 */
/* One trust's cost report as JSON; the CLI merges several. */
#include "ctl/verbs.h"

#include <string.h>

#include "base/clock.h"
#include "base/units.h"

struct report_json {
	const struct ctl_worker *w;
	const struct cost_report *r;
	const char *currency;
};

static json_t *money(const struct report_json *j, money_t m)
{
	char exact[MONEY_SIZE];

	return json_pack("{s:s, s:s}", "amount", money_exact(m, exact),
			 "currency", j->currency);
}

static json_t *charges(const struct report_json *j,
		       const struct price_charges *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "storage",
			 money(j, c->storage), "requests",
			 money(j, c->requests), "retrieval",
			 money(j, c->retrieval), "transfer",
			 money(j, c->transfer), "early_deletion",
			 money(j, c->early_deletion), "minimum_size",
			 money(j, c->minimum_size));
}

static json_t *requests(const struct cost_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "puts",
			 proto_count(row->puts), "gets", proto_count(row->gets),
			 "heads", proto_count(row->heads), "lists",
			 proto_count(row->lists), "deletes",
			 proto_count(row->deletes));
}

static json_t *row_json(const struct report_json *j, const struct cost_row *row)
{
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o}",
		"trust", j->w->trust, "tier", row->tier, "storage_class",
		row->storage_class, "byte_hours", proto_count(row->byte_hours),
		"average_bytes", proto_count(row->average_bytes),
		"current_bytes", proto_count(row->current_bytes), "objects",
		proto_count(row->objects), "requests", requests(row),
		"in_bytes", proto_count(row->in_bytes), "out_bytes",
		proto_count(row->out_bytes), "charges",
		charges(j, &row->charges), "total",
		money(j, row->charges.total), "projected",
		money(j, row->projected), "per_month_at_this_size",
		money(j, row->per_month));
}

static json_t *rows(const struct report_json *j)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < j->r->n_rows; i++)
		if (json_array_append_new(list, row_json(j, &j->r->rows[i])) <
		    0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- prices --------------------------------------------------------- */

/* "onprem: STANDARD storage" -> "STANDARD storage", of that table. */
static json_t *unconfirmed(const struct report_json *j, const char *table)
{
	json_t *list = json_array();
	size_t i, n = strlen(table);

	for (i = 0; list && i < j->r->n_unconfirmed; i++) {
		const char *u = j->r->unconfirmed[i];

		if (strncmp(u, table, n) != 0 || strncmp(u + n, ": ", 2) != 0)
			continue;
		if (json_array_append_new(list, json_string(u + n + 2)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool table_listed(const struct cost_opts *o, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (o->tiers[k].prices == o->tiers[i].prices)
			return true;
	return false;
}

/* A tier without a table appears under its own name, all of it unknown. */
static json_t *prices(const struct report_json *j)
{
	const struct cost_opts *o = j->w->cost;
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < o->n_tiers; i++) {
		const struct price_table *t = o->tiers[i].prices;
		const char *name = t ? t->name : o->tiers[i].tier;
		json_t *p;

		if (t && table_listed(o, i))
			continue;
		p = json_pack("{s:s, s:o, s:o, s:o}", "table", name, "as_of",
			      proto_text(t ? t->as_of : NULL), "source",
			      proto_text(t ? t->source : NULL), "unconfirmed",
			      unconfirmed(j, name));
		if (json_array_append_new(list, p) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *exchange(const struct price_exchange *x)
{
	json_t *rates = json_object();
	char exact[MONEY_SIZE];
	size_t i;

	for (i = 0; rates && i < x->n_rates; i++)
		if (proto_set(rates, x->rates[i].from,
			      json_string(money_exact(x->rates[i].per_unit,
						      exact))) < 0) {
			json_decref(rates);
			return NULL;
		}
	return json_pack("{s:s, s:o, s:o, s:o}", "currency", x->currency,
			 "as_of", proto_text(x->as_of), "source",
			 proto_text(x->source), "rates", rates);
}

/* ---- the whole ------------------------------------------------------ */

static json_t *period(const struct cost_report *r)
{
	char from[UNITS_SIZE], to[UNITS_SIZE];

	return json_pack("{s:s, s:s, s:o}", "from",
			 units_format_date(r->from, from), "to",
			 units_format_date(r->to - 1, to), "elapsed_seconds",
			 json_integer(r->elapsed_seconds));
}

static int cost_json(const struct report_json *j, json_t *result)
{
	const struct cost_report *r = j->r;
	CLEANUP_JSON json_t *totals = charges(j, &r->totals);
	CLEANUP_JSON json_t *o = NULL;

	if (!totals || proto_set(totals, "total", money(j, r->totals.total)))
		return -ENOMEM;
	o = json_pack("{s:o, s:s, s:o, s:o, s:o, s:O, s:{s:o}, s:{s:o}, s:[],"
		      " s:b}",
		      "period", period(r), "currency", j->currency, "prices",
		      prices(j), "exchange", exchange(j->w->cost->exchange),
		      "rows", rows(j), "totals", totals, "projected", "total",
		      money(j, r->projected), "per_month_at_this_size", "total",
		      money(j, r->per_month), "compared_with", "estimate", 1);
	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

/* "from" and "to" are dates, both included; both must be given. */
static int cost_period(struct ctl_call *c, int32_t *from, int32_t *to)
{
	const char *f = ctl_text(c, "from"), *t = ctl_text(c, "to");

	if (!f || !t || units_parse_date(f, from) < 0 ||
	    units_parse_date(t, to) < 0)
		return fail(&c->err, -EINVAL,
			    "from and to must be dates (2026-11-24)");
	*to += 1;
	return 0;
}

int ctl_verb_cost(struct ctl_call *c, json_t *result)
{
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	struct report_json j = { .w = c->w, .r = &r };
	int32_t from = 0, to = 0;
	int rc = cost_period(c, &from, &to);

	if (rc < 0)
		return rc;
	if (!c->w->cost || !c->w->ledger)
		return fail(&c->err, -ENOTSUP, "this worker keeps no ledger");
	rc = cost_ledger_flush(c->w->ledger);
	if (rc < 0)
		return fail(&c->err, rc, "cannot write the ledger: %m");
	rc = cost_report(c->w->meta, c->w->cost, COST_BY_TIER, from, to,
			 clock_wall_ns(), &r, &c->err);
	if (rc < 0)
		return rc;
	j.currency = c->w->cost->exchange->currency;
	return cost_json(&j, result);
}
