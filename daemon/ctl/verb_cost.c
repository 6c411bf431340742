/* SPDX-License-Identifier: Apache-2.0 */
/* One trust's cost report as JSON; the CLI merges several. */
#include "ctl/money.h"

#include <string.h>

#include "base/clock.h"
#include "base/units.h"

/* Each of its months is priced, also those to come. */
#define PERIOD_DAYS_MAX 3660

struct report_json {
	const struct ctl_worker *w;
	const struct cost_report *r;
	const char *currency;
};

static json_t *money(const struct report_json *j, money_t m)
{
	return ctl_money(m, j->currency);
}

/* Estimates have a unit of their own; null when a factor is missing. */
static json_t *estimate(const struct report_json *j, money_t m)
{
	char exact[MONEY_SIZE];

	return j->r->carbon_known ? json_string(money_exact(m, exact))
				  : json_null();
}

static json_t *charges(const struct report_json *j,
		       const struct price_charges *c)
{
	json_t *o = json_object();
	int i;

	for (i = 0; o && i < PRICE_COLUMNS; i++)
		if (proto_set(o, price_column_name(i),
			      money(j, price_column(c, i))) < 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}

/* ---- rows ----------------------------------------------------------- */

static json_t *requests(const struct cost_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "puts",
			 proto_count(row->puts), "gets", proto_count(row->gets),
			 "heads", proto_count(row->heads), "lists",
			 proto_count(row->lists), "deletes",
			 proto_count(row->deletes), "restores",
			 proto_count(row->restores));
}

/* A month of what a row keeps, in the cheapest tier; null: no prices. */
static json_t *cheapest(const struct report_json *j, const struct cost_row *row)
{
	const struct cost_opts *o = j->w->cost;
	const struct price_usage u = { .byte_hours = row->current_bytes * 730 };
	bool known = false;
	money_t least = 0;
	size_t i;

	for (i = 0; i < o->n_tiers; i++) {
		const struct price_table *t = o->tiers[i].prices;
		const struct price_class *c =
			t ? price_table_class(t, o->tiers[i].storage_class)
			  : NULL;
		struct price_charges x;
		money_t m;

		if (!c || !c->storage_gb_month.known)
			continue;
		price_charge(t, c, &u, &x, NULL, NULL);
		if (price_convert(o->exchange, t->currency, x.total, &m) < 0)
			continue;
		least = known ? MIN(least, m) : m;
		known = true;
	}
	return known ? money(j, least) : json_null();
}

static json_t *row_json(const struct report_json *j, const struct cost_row *row)
{
	CLEANUP_JSON json_t *more = NULL;
	json_t *o = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"trust", j->w->trust, "name",
		row->name[0] ? row->name : row->tier, "tier",
		proto_text(row->tier), "storage_class",
		proto_text(row->storage_class), "byte_hours",
		proto_count(row->byte_hours), "average_bytes",
		proto_count(row->average_bytes), "current_bytes",
		proto_count(row->current_bytes), "objects",
		proto_count(row->objects), "requests", requests(row),
		"in_bytes", proto_count(row->in_bytes), "out_bytes",
		proto_count(row->out_bytes), "restored_bytes",
		proto_count(row->restored_bytes));

	more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "charges",
			 charges(j, &row->charges), "total",
			 money(j, row->charges.total), "projected",
			 money(j, row->projected), "per_month_at_this_size",
			 money(j, row->per_month), "cheapest_per_month",
			 cheapest(j, row), "kwh", estimate(j, row->kwh),
			 "kg_co2e", estimate(j, row->kg_co2e));
	if (!more || json_object_update(o, more) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Ages have an order, and those without rows are of interest, too. */
static json_t *groups(const struct report_json *j)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && j->r->by == COST_BY_AGE && cost_age_name(i); i++)
		if (json_array_append_new(list, json_string(cost_age_name(i))) <
		    0) {
			json_decref(list);
			return NULL;
		}
	return list;
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

/* ---- lines ---------------------------------------------------------- */

/* Is it a line of that row, and of what is kept there? */
static bool line_kept(const struct cost_line *l, const struct cost_row *row)
{
	if (l->item != PRICE_OF_STORAGE && l->item != PRICE_OF_DISK)
		return false;
	if (row->tier[0])
		return strcmp(l->tier, row->tier) == 0 &&
		       strcmp(l->storage_class, row->storage_class) == 0;
	return strcmp(l->group, row->name) == 0;
}

/* Carbon is reckoned for rows; their lines have it by what was kept. */
static int line_carbon(const struct report_json *j, money_t *out)
{
	const struct cost_report *r = j->r;
	CLEANUP_FREE unsigned __int128 *weight =
		calloc(r->n_lines, sizeof(*weight));
	CLEANUP_FREE money_t *share = calloc(r->n_lines, sizeof(*share));
	size_t i, k;

	if (r->n_lines && (!weight || !share))
		return -ENOMEM;
	for (i = 0; r->n_lines && i < r->n_rows; i++) {
		unsigned __int128 sum = 0;

		for (k = 0; k < r->n_lines; k++) {
			weight[k] = line_kept(&r->lines[k], &r->rows[i])
					    ? r->lines[k].quantity
					    : 0;
			sum += weight[k];
		}
		if (!sum)
			continue;
		money_split(r->rows[i].kg_co2e, weight, r->n_lines, share);
		for (k = 0; k < r->n_lines; k++)
			out[k] += share[k];
	}
	return 0;
}

static json_t *line_json(const struct report_json *j, const struct cost_line *l,
			 money_t kg)
{
	const struct ctl_counted n = { l->item, l->quantity, l->figure,
				       l->currency, l->amount };
	json_t *o =
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "trust",
			  j->w->trust, "period", ctl_days(l->from, l->to),
			  "tier", proto_text(l->tier), "storage_class",
			  proto_text(l->storage_class), "cause",
			  proto_text(l->cause), "group", proto_text(l->group),
			  "table", l->table, "kg_co2e", estimate(j, kg));

	if (!o || ctl_counted(o, j->w->cost->exchange, &n) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *lines(const struct report_json *j)
{
	CLEANUP_FREE money_t *kg = calloc(j->r->n_lines + 1, sizeof(*kg));
	json_t *list = json_array();
	size_t i;

	if (!kg || line_carbon(j, kg) < 0) {
		json_decref(list);
		return NULL;
	}
	for (i = 0; list && i < j->r->n_lines; i++)
		if (json_array_append_new(
			    list, line_json(j, &j->r->lines[i], kg[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- VAT ------------------------------------------------------------ */

static json_t *vat_line(const struct report_json *j, int32_t from, int32_t to,
			money_t amount)
{
	return json_pack("{s:s, s:o, s:o}", "trust", j->w->trust, "period",
			 ctl_days(from, to), "amount", money(j, amount));
}

/* Bills are of months: the tax of each by what was charged in it. */
static int vat_lines(const struct report_json *j, json_t *list)
{
	const struct cost_report *r = j->r;
	size_t room = (size_t)(r->to - r->from) / 28 + 2, n = 0, i, k;
	CLEANUP_FREE unsigned __int128 *weight = calloc(room, sizeof(*weight));
	CLEANUP_FREE money_t *share = calloc(room, sizeof(*share));
	CLEANUP_FREE const struct cost_line **of = calloc(room, sizeof(*of));

	if (!weight || !share || !of)
		return -ENOMEM;
	for (i = 0; i < r->n_lines; i++) {
		for (k = 0; k < n && of[k]->from != r->lines[i].from; k++)
			;
		if (k == n && n < room)
			of[n++] = &r->lines[i];
		if (k < n)
			weight[k] +=
				(unsigned __int128)MAX(r->lines[i].amount, 0);
	}
	money_split(r->vat, weight, n, share);
	for (k = 0; k < n; k++)
		if (json_array_append_new(list, vat_line(j, of[k]->from,
							 of[k]->to, share[k])) <
		    0)
			return -ENOMEM;
	return 0;
}

static json_t *vat(const struct report_json *j)
{
	CLEANUP_JSON json_t *list = json_array();

	if (!list || (j->r->vat && vat_lines(j, list) < 0))
		return NULL;
	return json_pack("{s:I, s:o, s:O}", "percent",
			 (json_int_t)j->w->cost->vat, "total",
			 money(j, j->r->vat), "lines", list);
}

/* ---- compared, carbon ----------------------------------------------- */

static json_t *compared(const struct report_json *j)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < j->r->n_compared; i++) {
		const struct cost_compared *x = &j->r->compared[i];

		if (json_array_append_new(
			    list,
			    json_pack("{s:s, s:o, s:o, s:i}", "name", x->name,
				      "total", money(j, x->total), "saved",
				      money(j, x->saved), "trusts", 1)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *carbon(const struct report_json *j)
{
	return json_pack("{s:o, s:o, s:o}", "kwh", estimate(j, j->r->kwh),
			 "kg_co2e", estimate(j, j->r->kg_co2e), "method",
			 proto_text(j->r->carbon_method));
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
	CLEANUP_JSON json_t *o = NULL, *more = NULL;

	if (!totals || proto_set(totals, "total", money(j, r->totals.total)))
		return -ENOMEM;
	o = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:O, s:o}",
		      "by", cost_by_name(r->by), "groups", groups(j), "period",
		      period(r), "currency", j->currency, "prices", prices(j),
		      "exchange", exchange(j->w->cost->exchange), "rows",
		      rows(j), "lines", lines(j), "totals", totals, "vat",
		      vat(j));
	more = json_pack(
		"{s:{s:o}, s:{s:o}, s:o, s:o, s:o, s:b}", "projected", "total",
		money(j, r->projected), "per_month_at_this_size", "total",
		money(j, r->per_month), "compared_with", compared(j), "carbon",
		carbon(j), "basis", proto_text(r->basis), "estimate", 1);
	return o && more && json_object_update(result, o) == 0 &&
			       json_object_update(result, more) == 0
		       ? 0
		       : -ENOMEM;
}

/* "from" and "to" are dates, both included; both must be given. */
static int cost_period(struct ctl_call *c, int32_t *from, int32_t *to)
{
	const char *f = ctl_text(c, "from"), *t = ctl_text(c, "to");

	if (!f || !t || units_parse_date(f, from) < 0 ||
	    units_parse_date(t, to) < 0)
		return fail(&c->err, -EINVAL,
			    "from and to must be dates (2026-11-24)");
	if (*to > *from && *to - *from >= PERIOD_DAYS_MAX)
		return fail(&c->err, -EINVAL,
			    "a report is of at most ten years");
	*to += 1;
	return 0;
}

int ctl_verb_cost(struct ctl_call *c, json_t *result)
{
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	struct report_json j = { .w = c->w, .r = &r };
	enum cost_by by = COST_BY_TIER;
	int32_t from = 0, to = 0;
	int rc = cost_period(c, &from, &to);

	if (rc < 0)
		return rc;
	if (ctl_text(c, "by") && cost_by_parse(ctl_text(c, "by"), &by) < 0)
		return fail(&c->err, -EINVAL, "rows cannot stand for '%s'",
			    ctl_text(c, "by"));
	if (!c->w->cost || !c->w->ledger)
		return fail(&c->err, -ENOTSUP, "this worker keeps no ledger");
	rc = cost_ledger_flush(c->w->ledger);
	if (rc < 0)
		return fail(&c->err, rc, "cannot write the ledger: %m");
	rc = cost_report(c->w->meta, c->w->cost, by, from, to, clock_wall_ns(),
			 &r, &c->err);
	if (rc < 0)
		return rc;
	j.currency = c->w->cost->exchange->currency;
	return cost_json(&j, result);
}
