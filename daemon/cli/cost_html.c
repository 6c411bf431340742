/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost report as one HTML page for a screen or for paper: tables, and
 * charts of what c->result.charts has beside the report. The page loads
 * nothing, runs nothing, and says so to the browser. Names of trusts and tiers
 * are foreign text: all of them go through html_text().
 */
#include "cli/cost.h"
#include "cli/cost_svg.h"

#include <string.h>

#include "base/units.h"

static const char page_style[] =
	"body{font:15px/1.45 'Liberation Sans',Arial,sans-serif;color:#1b1b1b;"
	"background:#fff;max-width:72em;margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.6em;margin:0}h2{font-size:1.15em;margin:2em 0 .5em}\n"
	"p.sub{margin:.2em 0 1.5em;color:#555}\n"
	"table{border-collapse:collapse;width:100%;font-size:.88em}\n"
	"th,td{padding:.3em .5em;border-bottom:1px solid #ccc;text-align:right;"
	"font-variant-numeric:tabular-nums}\n"
	"th::first-letter{text-transform:uppercase}\n"
	"th.t,td.t{text-align:left}td:first-child{overflow-wrap:anywhere}th{border-bottom:2px solid #555}\n"
	"tr.total td{font-weight:bold;border-top:2px solid #555}\n"
	".key{display:inline-block;width:.8em;height:.8em;margin-right:.4em;"
	"border:1px solid #555}\n"
	"svg{width:100%;height:auto;display:block}\n"
	"svg text{font:12px 'Liberation Sans',Arial,sans-serif;fill:#333}\n"
	"svg .y{text-anchor:end}svg .x{text-anchor:middle}\n"
	".grid{stroke:#ddd;stroke-width:1}\n"
	".band{fill:#56b4e9;fill-opacity:.35}\n"
	".line{fill:none;stroke:#0072b2;stroke-width:2.5}\n"
	".was{fill:#0072b2}.will{fill:#fff;stroke:#0072b2;stroke-width:2}\n"
	"rect{stroke:#fff;stroke-width:.5}\n"
	"figure{margin:0}figcaption,.note{color:#555;font-size:.88em}\n"
	"@media screen and (max-width:950px){table{font-size:.74em}th,td{padding:.25em .3em}}\n"
	"@media print{body{margin:0;max-width:none;font-size:10px}table{font-size:.8em}"
	"h2{break-after:avoid}figure,tr{break-inside:avoid}"
	"svg,.key{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
	"@page{size:A4;margin:14mm}}\n";

/* ---- pieces --------------------------------------------------------- */

static void cell(FILE *f, const char *kind, const char *text)
{
	fprintf(f, "<td%s>", kind);
	html_text(f, text);
	fputs("</td>", f);
}

static void cell_money(FILE *f, money_t m, const char *currency)
{
	char text[MONEY_SIZE];

	cell(f, "", money_show(m, currency, text));
}

static void cell_size(FILE *f, uint64_t n)
{
	char text[UNITS_SIZE];

	cell(f, "", units_format_size(n, text));
}

static const char *page_currency(const struct cli *c)
{
	return json_text(c->result, "currency");
}

static double money_double(money_t m)
{
	return (double)m / (double)MONEY_UNIT;
}

/* "Nov 2026" of a date. */
static void month_label(const char *date, char out[32])
{
	static const char *const name[] = { "Jan", "Feb", "Mar", "Apr",
					    "May", "Jun", "Jul", "Aug",
					    "Sep", "Oct", "Nov", "Dec" };
	int m = strlen(date) >= 7 ? atoi(date + 5) : 0;

	snprintf(out, 32, "%s %.4s", m >= 1 && m <= 12 ? name[m - 1] : "?",
		 date);
}

/* ---- head ----------------------------------------------------------- */

static void page_head(struct cli *c)
{
	const json_t *p = json_object_get(c->result, "period");
	FILE *f = c->out;

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	      "<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\""
	      "default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<title>Mersey cost report</title>\n<style>\n",
	      f);
	fputs(page_style, f);
	fputs("</style>\n</head>\n<body>\n<h1>Mersey cost report</h1>\n"
	      "<p class=\"sub\">",
	      f);
	html_text(f, json_text(p, "from"));
	fputs(" to ", f);
	html_text(f, json_text(p, "to"));
	fputs(" (UTC) · ", f);
	html_text(f, page_currency(c));
	fputs(" without VAT · ", f);
	html_text(f, c->cfg->gateway_name);
	fputs(" · an estimate, not an invoice</p>\n", f);
}

/* ---- the rows ------------------------------------------------------- */

static const char *trust_title(const struct cli *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->cfg->n_trusts; i++)
		if (strcmp(c->cfg->trusts[i].name, name) == 0)
			return c->cfg->trusts[i].long_name;
	return name;
}

static void row_charges(struct cli *c, const json_t *charges)
{
	static const char *const key[] = { "storage",	     "requests",
					   "retrieval",	     "transfer",
					   "early_deletion", "minimum_size" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		money_t m = cost_money(charges, key[i]);

		if (m)
			cell_money(c->out, m, page_currency(c));
		else
			cell(c->out, "", "–");
	}
}

static void page_row(struct cli *c, const json_t *row)
{
	FILE *f = c->out;

	fputs("<tr>", f);
	cell(f, " class=\"t\"", trust_title(c, json_text(row, "trust")));
	cell(f, " class=\"t\"", json_text(row, "name"));
	cell(f, " class=\"t\"", json_text(row, "storage_class"));
	cell_size(f, json_u64(row, "average_bytes"));
	row_charges(c, json_object_get(row, "charges"));
	cell_money(f, cost_money(row, "total"), page_currency(c));
	cell_money(f, cost_money(row, "projected"), page_currency(c));
	fputs("</tr>\n", f);
}

static void page_totals(struct cli *c)
{
	const json_t *r = c->result, *vat = json_object_get(r, "vat");
	const json_t *totals = json_object_get(r, "totals");
	money_t total = cost_money(totals, "total"),
		tax = cost_money(vat, "total");
	FILE *f = c->out;

	fputs("<tr class=\"total\"><td class=\"t\" colspan=\"4\">total</td>",
	      f);
	row_charges(c, totals);
	cell_money(f, total, page_currency(c));
	cell_money(f, cost_money(json_object_get(r, "projected"), "total"),
		   page_currency(c));
	fputs("</tr>\n", f);
	if (!json_u64(vat, "percent"))
		return;
	fprintf(f, "<tr><td class=\"t\" colspan=\"10\">VAT %u %%</td>",
		(unsigned)json_u64(vat, "percent"));
	cell_money(f, tax, page_currency(c));
	fputs("<td></td></tr>\n<tr class=\"total\"><td class=\"t\" "
	      "colspan=\"10\">with VAT</td>",
	      f);
	cell_money(f, total + tax, page_currency(c));
	fputs("<td></td></tr>\n", f);
}

static void page_table(struct cli *c)
{
	const json_t *row;
	size_t i;

	fputs("<h2>What it cost</h2>\n<table>\n<thead><tr><th class=\"t\">Trust"
	      "</th><th class=\"t\">",
	      c->out);
	html_text(c->out, json_text(c->result, "by"));
	fputs("</th><th class=\"t\">Class</th><th>Average</th><th>Storage</th>"
	      "<th>Requests</th><th>Retrieval</th><th>Transfer</th>"
	      "<th>Early deletion</th><th>Minimum size</th><th>Total</th>"
	      "<th>By the end</th></tr></thead>\n<tbody>\n",
	      c->out);
	json_array_foreach(json_object_get(c->result, "rows"), i, row)
		page_row(c, row);
	page_totals(c);
	fputs("</tbody>\n</table>\n", c->out);
}

/* ---- spend by month and tier ---------------------------------------- */

/* The series of a name; the last one is of all that have no room. */
static size_t chart_series(struct svg_chart *x, const char *name)
{
	size_t i;

	for (i = 0; i < x->series; i++)
		if (strcmp(x->name[i], name) == 0)
			return i;
	if (x->series == SVG_SERIES_MAX) {
		snprintf(x->name[i - 1], sizeof(x->name[0]), "others");
		return i - 1;
	}
	snprintf(x->name[i], sizeof(x->name[0]), "%s", name);
	return x->series++;
}

/* The point of a label; SVG_POINTS_MAX: there is no room. */
static size_t chart_point(struct svg_chart *x, const char *label)
{
	size_t i;

	for (i = 0; i < x->points; i++)
		if (strcmp(x->label[i], label) == 0)
			return i;
	if (i < SVG_POINTS_MAX) {
		snprintf(x->label[i], sizeof(x->label[0]), "%s", label);
		x->points++;
	}
	return i;
}

static void months_add(struct svg_chart *x, const json_t *month)
{
	const json_t *row;
	char label[32], name[112];
	size_t i, at;

	month_label(json_text(json_object_get(month, "period"), "from"), label);
	at = chart_point(x, label);
	if (at == SVG_POINTS_MAX)
		return;
	json_array_foreach(json_object_get(month, "rows"), i, row) {
		snprintf(name, sizeof(name), "%s (%s)", json_text(row, "tier"),
			 json_text(row, "storage_class"));
		x->value[chart_series(x, name)][at] +=
			money_double(cost_money(row, "total"));
	}
}

/* The figures of a chart: what a screen reader and a ruler need. */
static void chart_figures(struct cli *c, const struct svg_chart *x,
			  const char *first, bool keys)
{
	FILE *f = c->out;
	size_t i, k;

	fprintf(f, "<table>\n<thead><tr><th class=\"t\">%s</th>", first);
	for (k = 0; k < x->series; k++) {
		fputs("<th>", f);
		if (keys)
			fprintf(f,
				"<span class=\"key\" "
				"style=\"background:%s\"></span>",
				svg_colour(k));
		html_text(f, x->name[k]);
		fputs("</th>", f);
	}
	fputs("</tr></thead>\n<tbody>\n", f);
	for (i = 0; i < x->points; i++) {
		fputs("<tr>", f);
		fputs("<td class=\"t\">", f);
		html_text(f, x->label[i]);
		fputs(x->note[i][0] ? ", " : "", f);
		html_text(f, x->note[i]);
		fputs("</td>", f);
		for (k = 0; k < x->series; k++)
			cell_money(
				f,
				(money_t)(x->value[k][i] * (double)MONEY_UNIT),
				x->currency);
		fputs("</tr>\n", f);
	}
	fputs("</tbody>\n</table>\n", f);
}

static void page_months(struct cli *c, const json_t *charts)
{
	struct svg_chart x = { .title = "Spend by month and tier",
			       .currency = page_currency(c) };
	const json_t *month;
	size_t i;

	json_array_foreach(json_object_get(charts, "months"), i, month)
		months_add(&x, month);
	fputs("<h2>Spend by month and tier</h2>\n<figure>\n", c->out);
	svg_bars(c->out, &x);
	fputs("<figcaption>The last bar is of the month so far.</figcaption>\n",
	      c->out);
	chart_figures(c, &x, "Month", true);
	fputs("</figure>\n", c->out);
}

/* ---- age and saving ------------------------------------------------- */

enum { AGE_STAYS, AGE_SAVED };

/* All ages there are, also where nothing is of that age. */
static void ages_begin(struct svg_chart *x, const json_t *groups)
{
	const json_t *name;
	size_t i;

	json_array_foreach(groups, i, name)
		chart_point(x, json_string_value(name));
}

static void ages_add(struct svg_chart *x, uint64_t *bytes, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		double now =
			money_double(cost_money(row, "per_month_at_this_size"));
		double then = json_known(row, "cheapest_per_month")
				      ? money_double(cost_money(
						row, "cheapest_per_month"))
				      : now;
		size_t at = chart_point(x, json_text(row, "name"));

		if (at == SVG_POINTS_MAX)
			continue;
		then = MIN(then, now);
		x->value[AGE_STAYS][at] += then;
		x->value[AGE_SAVED][at] += now - then;
		bytes[at] += json_u64(row, "current_bytes");
	}
}

static void page_ages(struct cli *c, const json_t *charts)
{
	struct svg_chart x = {
		.title = "Storage a month by age of the study",
		.currency = page_currency(c),
		.series = 2,
		.name = { "in the cheapest tier", "saved there" },
	};
	uint64_t bytes[SVG_POINTS_MAX] = { 0 };
	const json_t *report;
	size_t i;

	json_array_foreach(json_object_get(charts, "ages"), i, report) {
		ages_begin(&x, json_object_get(report, "groups"));
		ages_add(&x, bytes, json_object_get(report, "rows"));
	}
	for (i = 0; i < x.points; i++) {
		char size[UNITS_SIZE];

		snprintf(x.note[i], sizeof(x.note[i]), "%s",
			 units_format_size(bytes[i], size));
	}
	fputs("<h2>Age of studies, and what could be saved</h2>\n<figure>\n",
	      c->out);
	svg_bars(c->out, &x);
	fputs("<figcaption>A bar is what the storage of studies of that age "
	      "costs each month as it lies now; its upper part would be saved "
	      "if all of them lay in the trust’s cheapest tier. Moving, "
	      "recalls and minimum days are not counted: mersey tier plan "
	      "counts them.</figcaption>\n",
	      c->out);
	chart_figures(c, &x, "Age", true);
	fputs("</figure>\n", c->out);
}

/* ---- forecast ------------------------------------------------------- */

static void forecast_add(struct svg_chart *x, const json_t *forecast)
{
	static const char *const edge[] = { "low", "expected", "high" };
	const json_t *month;
	char label[32];
	size_t i, k, at;

	json_array_foreach(json_object_get(forecast, "months"), i, month) {
		month_label(json_text(month, "month"), label);
		at = chart_point(x, label);
		for (k = 0; at < SVG_POINTS_MAX && k < ARRAY_SIZE(edge); k++)
			x->value[k][at] +=
				money_double(cost_money(month, edge[k]));
	}
}

/* Months that are over are certain. */
static size_t forecast_past(struct svg_chart *x, const json_t *charts)
{
	const json_t *month, *last = NULL;
	char label[32];
	size_t i, k, at;

	json_array_foreach(json_object_get(charts, "months"), i, month)
		last = month;
	json_array_foreach(json_object_get(charts, "months"), i, month) {
		const json_t *p = json_object_get(month, "period");

		if (json_equal(p, json_object_get(last, "period")))
			continue;
		month_label(json_text(p, "from"), label);
		at = chart_point(x, label);
		for (k = 0; at < SVG_POINTS_MAX && k < x->series; k++)
			x->value[k][at] +=
				money_double(cost_money(month, "total"));
	}
	return x->points;
}

static void page_forecast(struct cli *c, const json_t *charts)
{
	struct svg_chart x = { .title = "Forecast",
			       .currency = page_currency(c),
			       .series = 3,
			       .name = { "low", "expected", "high" } };
	const json_t *one;
	size_t i, past = forecast_past(&x, charts);

	json_array_foreach(json_object_get(charts, "forecasts"), i, one)
		forecast_add(&x, one);
	fputs("<h2>Forecast</h2>\n<figure>\n", c->out);
	svg_band(c->out, &x, past);
	fputs("<figcaption>Full dots: months that are over. The band is "
	      "between the low and the high estimate. ",
	      c->out);
	json_array_foreach(json_object_get(charts, "forecasts"), i, one) {
		if (i == 0)
			html_text(c->out, json_text(one, "method"));
	}
	fputs("</figcaption>\n", c->out);
	chart_figures(c, &x, "Month", false);
	fputs("</figure>\n", c->out);
}

/* ---- foot ----------------------------------------------------------- */

static void page_compared(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "compared_with"), *x;
	size_t i;

	json_array_foreach(list, i, x) {
		CLEANUP_BUF struct buf b = { 0 };

		if (cost_compared(list, x, &b) < 0 || !b.len)
			continue;
		fputs("<p class=\"note\">", c->out);
		html_text(c->out, buf_str(&b));
		fputs("</p>\n", c->out);
	}
}

static void page_prices(struct cli *c)
{
	const json_t *p, *u;
	size_t i, k;

	fputs("<h2>Prices and methods</h2>\n<ul>\n", c->out);
	json_array_foreach(json_object_get(c->result, "prices"), i, p) {
		fputs("<li>", c->out);
		html_text(c->out, json_text(p, "table"));
		fputs(json_known(p, "as_of") ? ", as of " : ": no price table",
		      c->out);
		html_text(c->out, json_text(p, "as_of"));
		json_array_foreach(json_object_get(p, "unconfirmed"), k, u) {
			fputs(k ? ", " : "; <strong>unconfirmed</strong>: ",
			      c->out);
			html_text(c->out, json_string_value(u));
		}
		fputs("</li>\n", c->out);
	}
	fputs("</ul>\n", c->out);
}

static void page_notes(struct cli *c)
{
	const json_t *carbon = json_object_get(c->result, "carbon");

	if (json_known(carbon, "kg_co2e")) {
		fprintf(c->out, "<p class=\"note\">About %.3g kg CO2e. ",
			atof(json_text(carbon, "kg_co2e")));
		html_text(c->out, json_text(carbon, "method"));
		fputs("</p>\n", c->out);
	}
	if (json_known(c->result, "basis")) {
		fputs("<p class=\"note\">", c->out);
		html_text(c->out, json_text(c->result, "basis"));
		fputs("</p>\n", c->out);
	}
}

/* A report that lacks a trust says so on the page, too. */
static void page_problems(struct cli *c)
{
	const json_t *p;
	size_t i;

	json_array_foreach(c->problems, i, p) {
		fputs("<p><strong>", c->out);
		html_text(c->out, json_text(p, "trust"));
		fputs("</strong>: ", c->out);
		html_text(c->out, json_text(p, "message"));
		fputs(". The totals lack this trust.</p>\n", c->out);
	}
}

void cost_print_html(struct cli *c)
{
	const json_t *charts = json_object_get(c->result, "charts");

	page_head(c);
	page_problems(c);
	page_table(c);
	page_compared(c);
	page_months(c, charts);
	page_ages(c, charts);
	page_forecast(c, charts);
	page_prices(c);
	page_notes(c);
	fputs("</body>\n</html>\n", c->out);
}
