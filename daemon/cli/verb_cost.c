/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey cost report. Each worker prices its own ledger; the rows are put
 * together here, and the totals are exact sums of the rows.
 */
#include "cli/cost.h"

#include <string.h>

#include "base/units.h"

#define CHART_MONTHS 12 /* of the past, in charts */
#define CHART_AHEAD  6

static const struct cost_format {
	const char *name;
	void (*print)(struct cli *c); /* NULL: JSON */
} cost_formats[] = {
	{ "table", cost_print_table },
	{ "csv", cost_print_csv },
	{ "json", NULL },
	{ "focus", cost_print_focus },
	{ "html", cost_print_html },
};

static const struct cost_format *cost_format(const struct cli *c)
{
	const char *name = c->opt[OPT_FORMAT] ?: "table";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cost_formats); i++)
		if (strcmp(cost_formats[i].name, name) == 0)
			return &cost_formats[i];
	return NULL;
}

/* "age" is what people type. */
static const char *cost_by(const struct cli *c)
{
	const char *by = c->opt[OPT_BY] ?: "tier";

	return strcmp(by, "age") == 0 ? "study-age" : by;
}

static int cost_options(struct cli *c)
{
	static const char *const by[] = { "tier", "class", "cause", "modality",
					  "study-age" };
	const struct cost_format *f = cost_format(c);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(by); i++)
		if (strcmp(by[i], cost_by(c)) == 0)
			break;
	if (i == ARRAY_SIZE(by))
		return cli_usage(c,
				 "--by is tier, class, cause, modality or age, "
				 "not '%s'",
				 c->opt[OPT_BY]);
	if (!f)
		return cli_usage(c,
				 "--format is table, csv, json, focus or html, "
				 "not '%s'",
				 c->opt[OPT_FORMAT]);
	if (c->json && f->print && c->opt[OPT_FORMAT])
		return cli_usage(c, "either --json or --format %s", f->name);
	c->json = c->json || !f->print;
	return 0;
}

/* ---- sums ----------------------------------------------------------- */

/* All money members of from[key] onto those of to[key]. */
static int money_add_all(json_t *to, const json_t *from, const char *key)
{
	json_t *t = json_object_get(to, key), *f = json_object_get(from, key);
	const char *name;
	json_t *m;
	int rc = 0;

	if (!t) {
		t = json_object();
		rc = proto_set(to, key, t);
	}
	json_object_foreach(f, name, m) {
		if (rc == 0)
			rc = cost_money_add(t, f, name);
	}
	return rc;
}

/* The member of a list of objects with the same text at `key`. */
static json_t *same(const json_t *list, const json_t *o, const char *key)
{
	json_t *p;
	size_t i;

	json_array_foreach(list, i, p) {
		if (strcmp(json_text(p, key), json_text(o, key)) == 0)
			return p;
	}
	return NULL;
}

int cost_unite(json_t *to, const json_t *from)
{
	json_t *h, *u;
	size_t i, at;

	json_array_foreach(from, i, u) {
		bool known = false;

		json_array_foreach(to, at, h)
			known = known || json_equal(h, u);
		if (!known && json_array_append(to, u) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Tables that several trusts use appear once, their doubts united. */
static int merge_prices(json_t *to, const json_t *from)
{
	json_t *list = json_object_get(to, "prices"), *p, *have;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "prices"), i, p) {
		if (rc < 0)
			break;
		have = same(list, p, "table");
		if (have)
			rc = cost_unite(json_object_get(have, "unconfirmed"),
					json_object_get(p, "unconfirmed"));
		else
			rc = json_array_append(list, p) < 0 ? -ENOMEM : 0;
	}
	return rc;
}

/* What it is compared with, summed by its name; "trusts" says how many are
 * in a sum. */
static int merge_compared(json_t *to, const json_t *from)
{
	json_t *list = json_object_get(to, "compared_with"), *p, *have;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "compared_with"), i, p) {
		uint64_t n = 1;

		if (rc < 0)
			break;
		have = same(list, p, "name");
		if (have) {
			n += json_u64(have, "trusts");
			rc = cost_money_add(have, p, "total");
			if (rc == 0)
				rc = cost_money_add(have, p, "saved");
		} else {
			have = p;
			rc = json_array_append(list, p) < 0 ? -ENOMEM : 0;
		}
		if (rc == 0)
			rc = proto_set(have, "trusts", proto_count(n));
	}
	return rc;
}

/* Estimates, as decimals; unknown with one that is. */
static int add_decimal(json_t *to, const json_t *from, const char *key)
{
	char exact[MONEY_SIZE];
	money_t a, b = 0;

	if (money_parse(json_text(from, key), &a) < 0 ||
	    (json_object_get(to, key) &&
	     money_parse(json_text(to, key), &b) < 0))
		return proto_set(to, key, json_null());
	return proto_set(to, key, json_string(money_exact(a + b, exact)));
}

static int merge_carbon(json_t *to, const json_t *from)
{
	json_t *sum = json_object_get(to, "carbon"),
	       *one = json_object_get(from, "carbon");
	int rc;

	if (!sum) {
		sum = json_object();
		rc = proto_set(to, "carbon", sum);
		if (rc < 0)
			return rc;
		/* the sentences are about the same factors for each trust */
		rc = proto_set(sum, "method",
			       json_incref(json_object_get(one, "method")));
		if (rc < 0)
			return rc;
	}
	rc = add_decimal(sum, one, "kwh");
	return rc < 0 ? rc : add_decimal(sum, one, "kg_co2e");
}

static int merge_vat(json_t *to, const json_t *from)
{
	json_t *sum = json_object_get(to, "vat"),
	       *one = json_object_get(from, "vat");
	int rc;

	if (!sum)
		return json_object_set(to, "vat", one) < 0 ? -ENOMEM : 0;
	rc = cost_money_add(sum, one, "total");
	if (rc == 0 && json_array_extend(json_object_get(sum, "lines"),
					 json_object_get(one, "lines")) < 0)
		rc = -ENOMEM;
	return rc;
}

static int merge(json_t *to, const json_t *r)
{
	static const char *const once[] = { "by",	"groups",   "period",
					    "currency", "exchange", "estimate",
					    "basis" };
	static const char *const lists[] = { "rows", "lines" };
	static const char *const sums[] = { "totals", "projected",
					    "per_month_at_this_size" };
	size_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(lists) && rc == 0; i++)
		rc = json_array_extend(json_object_get(to, lists[i]),
				       json_object_get(r, lists[i])) < 0
			     ? -ENOMEM
			     : 0;
	for (i = 0; i < ARRAY_SIZE(once) && rc == 0; i++)
		rc = json_object_set(to, once[i], json_object_get(r, once[i])) <
				     0
			     ? -EPROTO
			     : 0;
	for (i = 0; i < ARRAY_SIZE(sums) && rc == 0; i++)
		rc = money_add_all(to, r, sums[i]);
	if (rc == 0)
		rc = merge_compared(to, r);
	if (rc == 0)
		rc = merge_carbon(to, r);
	if (rc == 0)
		rc = merge_vat(to, r);
	return rc < 0 ? rc : merge_prices(to, r);
}

/* ---- asking --------------------------------------------------------- */

static json_t *cost_args(const char *by, struct cost_days days)
{
	char from[UNITS_SIZE], to[UNITS_SIZE];

	return json_pack("{s:s, s:s, s:s}", "by", by, "from",
			 units_format_date(days.from, from), "to",
			 units_format_date(days.to, to));
}

int cost_ask(struct cli *c, const struct config_trust *t, const char *by,
	     struct cost_days days, json_t *to)
{
	static const char *const lists[] = { "rows", "lines", "prices",
					     "compared_with" };
	CLEANUP_JSON json_t *r = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(lists) && rc == 0; i++)
		if (!json_object_get(to, lists[i]))
			rc = proto_set(to, lists[i], json_array());
	if (rc == 0)
		rc = cli_call(c, t, "cost", cost_args(by, days),
			      CLI_SLOW_SECONDS, &r);
	return rc < 0 ? rc : merge(to, r);
}

/* ---- charts --------------------------------------------------------- */

/* Adds the rows of a report to `to` under `key`. */
static int chart_rows(struct cli *c, const struct config_trust *t,
		      const char *by, struct cost_days days, json_t *list)
{
	CLEANUP_JSON json_t *r = json_object();
	int rc = r ? cost_ask(c, t, by, days, r) : -ENOMEM;
	json_t *o;

	if (rc < 0)
		return rc;
	o = json_pack("{s:O, s:O, s:O, s:O}", "groups",
		      json_object_get(r, "groups"), "period",
		      json_object_get(r, "period"), "rows",
		      json_object_get(r, "rows"), "total",
		      json_object_get(json_object_get(r, "totals"), "total"));
	return json_array_append_new(list, o) < 0 ? -ENOMEM : 0;
}

/* What the page shows beside the report: see cost_html.c. */
static int charts_one(struct cli *c, const struct config_trust *t,
		      struct cost_days days, json_t *charts)
{
	struct cost_days month = cost_whole_month(days.to);
	json_t *f = NULL;
	int i, rc = 0;

	for (i = 1 - CHART_MONTHS; i <= 0 && rc == 0; i++)
		rc = chart_rows(c, t, "tier", cost_month_add(month, i),
				json_object_get(charts, "months"));
	if (rc == 0)
		rc = chart_rows(c, t, "study-age", days,
				json_object_get(charts, "ages"));
	if (rc == 0)
		rc = cli_call(c, t, "cost_forecast",
			      json_pack("{s:i}", "months", CHART_AHEAD),
			      CLI_SLOW_SECONDS, &f);
	if (rc == 0 &&
	    json_array_append_new(json_object_get(charts, "forecasts"), f) < 0)
		rc = -ENOMEM;
	return rc;
}

static int charts_begin(struct cli *c)
{
	json_t *o =
		json_pack("{s:[], s:[], s:[]}", "months", "ages", "forecasts");

	return proto_set(c->result, "charts", o);
}

/* ---- the verb ------------------------------------------------------- */

int cost_each(struct cli *c, cost_one_fn one, void *arg)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n = 0, i;
	int rc = cli_select(c, false, t, &n);

	for (i = 0; rc == 0 && i < n; i++) {
		rc = one(c, t[i], arg);
		if (rc == 0 || cli_exit_of(rc) != CLI_NOT_NOW)
			continue;
		c->exit = CLI_NOT_NOW;
		fail_hint(&c->err, rc, "the totals lack this trust");
		rc = cli_offline(c, t[i], rc);
	}
	if (rc < 0 || !n || json_array_size(c->problems) < n)
		return rc;
	fail(&c->err, -ECONNREFUSED, "no trust is served here now");
	snprintf(c->code, sizeof(c->code), "unreachable");
	return fail_hint(&c->err, -ECONNREFUSED, "systemctl status mersey");
}

static int cost_one(struct cli *c, const struct config_trust *t, void *arg)
{
	const struct cost_days *days = arg;
	json_t *charts = json_object_get(c->result, "charts");
	int rc = cost_ask(c, t, cost_by(c), *days, c->result);

	return rc == 0 && charts ? charts_one(c, t, *days, charts) : rc;
}

static void cost_print(struct cli *c)
{
	CLEANUP_JSON json_t *o = c->json ? cli_envelope(c) : NULL;

	if (!c->json)
		cost_format(c)->print(c);
	else if (o && json_dumpf(o, c->out, JSON_INDENT(2)) == 0)
		fputc('\n', c->out);
}

/* Into --out instead of on the screen. */
static int cost_save(struct cli *c)
{
	const char *file = c->opt[OPT_OUT];
	CLEANUP_FREE char *text = NULL;
	FILE *out = c->out;
	size_t n = 0;
	int rc;

	c->out = open_memstream(&text, &n);
	if (c->out) {
		cost_print(c);
		rc = fclose(c->out) == 0 ? 0 : -ENOMEM;
	} else {
		rc = -ENOMEM;
	}
	c->out = out;
	c->json = false; /* all of it is in the file */
	if (rc == 0)
		rc = io_write_file(file, 0640, text, n, false);
	if (rc == 0)
		return 0;
	c->exit = CLI_FAILED;
	return fail(&c->err, rc, "cannot write '%s': %m", file);
}

int verb_cost_report_run(struct cli *c)
{
	struct cost_days days = { 0 };
	int rc = cost_options(c);

	if (rc == 0)
		rc = cost_period(c, &days);
	if (rc == 0 && cost_format(c)->print == cost_print_html)
		rc = charts_begin(c);
	if (rc == 0)
		rc = cost_each(c, cost_one, &days);
	return rc == 0 && cli_has(c, OPT_OUT) ? cost_save(c) : rc;
}

void verb_cost_report_show(struct cli *c)
{
	if (!cli_has(c, OPT_OUT))
		cost_print(c);
}
