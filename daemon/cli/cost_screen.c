/* SPDX-License-Identifier: Apache-2.0 */
/* The cost report as a table and as CSV. */
#include "cli/cost.h"

#include <string.h>
#include <time.h>

#include "base/csv.h"
#include "base/clock.h"
#include "base/units.h"

static bool is_total(const json_t *row)
{
	return !json_known(row, "name");
}

static int cell_average(const json_t *row, struct buf *out)
{
	char size[UNITS_SIZE];

	if (is_total(row))
		return 0;
	return buf_addf(
		out, "%s",
		units_format_size(json_u64(row, "average_bytes"), size));
}

static int cell_storage(const json_t *row, struct buf *out)
{
	return is_total(row) ? 0
			     : cost_show_money(json_object_get(row, "charges"),
					       "storage", out);
}

/* A charge for what did not happen is a dash, not £0.00. */
static int cell_charge(const json_t *row, bool happened, const char *key,
		       struct buf *out)
{
	if (is_total(row))
		return 0;
	if (!happened)
		return buf_addf(out, "–");
	return cost_show_money(json_object_get(row, "charges"), key, out);
}

static int cell_requests(const json_t *row, struct buf *out)
{
	const char *name;
	bool any = false;
	json_t *n;

	json_object_foreach(json_object_get(row, "requests"), name, n)
		any = any || json_integer_value(n);
	return cell_charge(row, any, "requests", out);
}

static int cell_retrieval(const json_t *row, struct buf *out)
{
	const json_t *charges = json_object_get(row, "charges");

	return cell_charge(row, cost_money(charges, "retrieval") != 0,
			   "retrieval", out);
}

static int cell_transfer(const json_t *row, struct buf *out)
{
	const json_t *charges = json_object_get(row, "charges");

	return cell_charge(row, cost_money(charges, "transfer") != 0,
			   "transfer", out);
}

static int cell_early(const json_t *row, struct buf *out)
{
	const json_t *charges = json_object_get(row, "charges");

	return cell_charge(row, cost_money(charges, "early_deletion") != 0,
			   "early_deletion", out);
}

static int cell_minimum(const json_t *row, struct buf *out)
{
	const json_t *charges = json_object_get(row, "charges");

	return cell_charge(row, cost_money(charges, "minimum_size") != 0,
			   "minimum_size", out);
}

/* ---- screen --------------------------------------------------------- */

static void date_parts(const char *date, struct tm *tm)
{
	int32_t day = 0;
	time_t t;

	if (units_parse_date(date, &day) < 0)
		day = 0;
	t = (time_t)day * SEC_PER_DAY;
	gmtime_r(&t, tm);
}

/* "1–24 November 2026", "29 October – 3 November 2026": up to today. */
static void show_title(struct cli *c)
{
	const json_t *p = json_object_get(c->result, "period");
	char now[UNITS_SIZE], from[64], to[64];
	const char *last = json_text(p, "to");
	struct tm a, b;

	units_format_date(
		(int32_t)(clock_wall_ns() / NSEC_PER_SEC / SEC_PER_DAY), now);
	if (strcmp(now, last) < 0 && strcmp(now, json_text(p, "from")) >= 0)
		last = now;
	date_parts(json_text(p, "from"), &a);
	date_parts(last, &b);
	if (a.tm_year == b.tm_year && a.tm_mon == b.tm_mon)
		snprintf(from, sizeof(from), "%d–", a.tm_mday);
	else
		strftime(from, sizeof(from), "%-d %B %Y – ", &a);
	strftime(to, sizeof(to), "%-d %B %Y", &b);
	fprintf(c->out,
		"Mersey cost report · %s%s · %s without VAT · "
		"an estimate, not an invoice\n",
		from, to, json_text(c->result, "currency"));
}

static json_t *total_row(const struct cli *c)
{
	const json_t *r = c->result;

	return json_pack(
		"{s:s, s:O?, s:O?, s:O?}", "trust", "total", "total",
		json_object_get(json_object_get(r, "totals"), "total"),
		"projected",
		json_object_get(json_object_get(r, "projected"), "total"),
		"per_month_at_this_size",
		json_object_get(json_object_get(r, "per_month_at_this_size"),
				"total"));
}

static void upper(char *p)
{
	for (; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
}

/* Is there any such charge in the report? */
static bool charged(const struct cli *c, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(c->result, "rows"), i, row)
		if (cost_money(json_object_get(row, "charges"), key) != 0)
			return true;
	return false;
}

/* Charges that most trusts never have get a column where there are some: the
 * cells of a row add up to its total. */
static void show_table(struct cli *c)
{
	char by[32] = "BY THE END", name[32];
	const struct table_col all[] = {
		{ "TRUST", false, NULL, "trust" },
		{ name, false, NULL, "name" },
		{ "AVERAGE", true, cell_average, NULL },
		{ "STORAGE", true, cell_storage, NULL },
		{ "REQUESTS", true, cell_requests, NULL },
		{ "RETRIEVAL", true, cell_retrieval, NULL },
		{ "TRANSFER", true, cell_transfer, NULL },
		{ "EARLY DELETION", true, cell_early, NULL },
		{ "MINIMUM SIZE", true, cell_minimum, NULL },
		{ "TOTAL", true, NULL, "total" },
		{ by, true, NULL, "projected" },
		{ "PER MONTH*", true, NULL, "per_month_at_this_size" },
	};
	struct table_col col[ARRAY_SIZE(all)];
	size_t n = 0, i;
	CLEANUP_JSON json_t *total = total_row(c);
	struct tm tm;

	snprintf(name, sizeof(name), "%s", json_text(c->result, "by"));
	upper(name);
	date_parts(json_text(json_object_get(c->result, "period"), "to"), &tm);
	strftime(by, sizeof(by), "BY %d %b", &tm);
	upper(by);
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if ((all[i].cell != cell_early ||
		     charged(c, "early_deletion")) &&
		    (all[i].cell != cell_minimum || charged(c, "minimum_size")))
			col[n++] = all[i];
	table_print(c->out, col, n, json_object_get(c->result, "rows"), total);
}

int cost_compared(const json_t *list, const json_t *one, struct buf *out)
{
	const json_t *x;
	uint64_t most = 0;
	size_t i;
	int rc;

	json_array_foreach(list, i, x)
		most = MAX(most, json_u64(x, "trusts"));
	if (json_u64(one, "trusts") < most)
		return 0;
	rc = text_clean(json_text(one, "name"), out);
	if (rc == 0)
		rc = buf_addf(out, " instead: ");
	if (rc == 0)
		rc = cost_show_money(one, "total", out);
	if (rc == 0)
		rc = buf_addf(out, " (saved ");
	if (rc == 0)
		rc = cost_show_money(one, "saved", out);
	if (rc == 0)
		rc = buf_addf(out, ").");
	if (rc == 0 && out->data[0] >= 'a' && out->data[0] <= 'z')
		out->data[0] = (uint8_t)(out->data[0] - 'a' + 'A');
	return rc;
}

static void show_compared(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "compared_with"), *x;
	size_t i;

	fputs("* if the data stays as it is today.", c->out);
	json_array_foreach(list, i, x) {
		CLEANUP_BUF struct buf b = { 0 };

		if (cost_compared(list, x, &b) == 0 && b.len)
			fprintf(c->out, "  %s", buf_str(&b));
	}
	fputc('\n', c->out);
}

static void show_vat(struct cli *c)
{
	const json_t *vat = json_object_get(c->result, "vat");
	money_t total = cost_money(json_object_get(c->result, "totals"),
				   "total"),
		tax = cost_money(vat, "total");
	const char *currency = json_text(c->result, "currency");
	char a[MONEY_SIZE], b[MONEY_SIZE];

	if (json_u64(vat, "percent"))
		fprintf(c->out, "VAT %llu %%: %s, with VAT %s.\n",
			(unsigned long long)json_u64(vat, "percent"),
			money_show(tax, currency, a),
			money_show(total + tax, currency, b));
}

void cost_show_unconfirmed(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "unconfirmed"), *u;
	size_t i, n = json_array_size(list);

	if (!n)
		return;
	fprintf(c->out, "%zu price%s unconfirmed: ", n,
		n == 1 ? " is" : "s are");
	json_array_foreach(list, i, u)
		fprintf(c->out, "%s%s", i ? ", " : "", json_string_value(u));
	fputs(".\n", c->out);
}

static void show_carbon(struct cli *c)
{
	const json_t *carbon = json_object_get(c->result, "carbon");
	CLEANUP_BUF struct buf b = { 0 };

	if (!json_known(carbon, "kg_co2e") ||
	    text_clean(json_text(carbon, "method"), &b) < 0)
		return;
	fprintf(c->out, "Carbon: about %.3g kg CO2e. %s\n",
		atof(json_text(carbon, "kg_co2e")), buf_str(&b) ?: "");
}

static void show_unconfirmed(struct cli *c, const json_t *list)
{
	const json_t *u;
	size_t i, n = json_array_size(list);

	if (n)
		fprintf(c->out, "; %zu unconfirmed: ", n);
	json_array_foreach(list, i, u)
		fprintf(c->out, "%s%s", i ? ", " : "", json_string_value(u));
}

static void show_prices(struct cli *c)
{
	const json_t *x = json_object_get(c->result, "exchange"), *p, *rate;
	const char *name;
	size_t i;

	fputs("Prices: ", c->out);
	json_array_foreach(json_object_get(c->result, "prices"), i, p) {
		fprintf(c->out, "%s%s (%s%s", i ? ", " : "",
			json_text(p, "table"),
			json_known(p, "as_of") ? "as of " : "no price table",
			json_text(p, "as_of"));
		show_unconfirmed(c, json_object_get(p, "unconfirmed"));
		fputc(')', c->out);
	}
	fputs(".", c->out);
	json_object_foreach(json_object_get(x, "rates"), name, rate) {
		char one[MONEY_SIZE], text[MONEY_SIZE];
		money_t m = 0;

		if (money_parse(json_string_value(rate), &m) == 0)
			fprintf(c->out, " %s = %s (%s).",
				money_show(MONEY_UNIT, name, one),
				money_show(m, json_text(x, "currency"), text),
				json_text(x, "as_of"));
	}
	fputc('\n', c->out);
}

/* ---- CSV ------------------------------------------------------------ */

static void csv_amount(FILE *f, const json_t *o, const char *key)
{
	fprintf(f, ",%s", json_text(json_object_get(o, key), "amount"));
}

/* Does the line belong to the row? By tier, names are not enough. */
static bool csv_line_of(const json_t *line, const json_t *row)
{
	static const char *const key[] = { "trust", "tier", "storage_class" };
	size_t i, n = json_known(row, "tier") ? ARRAY_SIZE(key) : 1;

	for (i = 0; i < n; i++)
		if (strcmp(json_text(line, key[i]), json_text(row, key[i])) !=
		    0)
			return false;
	return n > 1 ||
	       strcmp(json_text(line, "group"), json_text(row, "name")) == 0;
}

/* What of a row was reckoned with prices that nobody confirmed. */
static void csv_unconfirmed(struct cli *c, const json_t *row)
{
	CLEANUP_BUF struct buf b = { 0 };
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(c->result, "lines"), i, line) {
		const char *item = json_text(line, "item");

		if (json_is_true(json_object_get(line, "confirmed")) ||
		    !csv_line_of(line, row) ||
		    (b.len && strstr(buf_str(&b), item)))
			continue;
		buf_addf(&b, "%s%s", b.len ? "; " : "", item);
	}
	csv_write(c->out, b.len ? buf_str(&b) : "");
}

static void csv_row(struct cli *c, const json_t *row)
{
	static const char *const number[] = { "byte_hours", "average_bytes",
					      "in_bytes", "out_bytes" };
	static const char *const request[] = { "puts", "gets", "heads", "lists",
					       "deletes" };
	static const char *const charge[] = {
		"storage",  "requests",	      "retrieval",
		"transfer", "early_deletion", "minimum_size"
	};
	size_t i;

	csv_write(c->out, json_text(row, "trust"));
	fputc(',', c->out);
	csv_write(c->out, json_text(row, "tier"));
	fputc(',', c->out);
	csv_write(c->out, json_text(row, "storage_class"));
	for (i = 0; i < ARRAY_SIZE(number); i++)
		fprintf(c->out, ",%llu",
			(unsigned long long)json_u64(row, number[i]));
	for (i = 0; i < ARRAY_SIZE(request); i++)
		fprintf(c->out, ",%llu",
			(unsigned long long)json_u64(
				json_object_get(row, "requests"), request[i]));
	for (i = 0; i < ARRAY_SIZE(charge); i++)
		csv_amount(c->out, json_object_get(row, "charges"), charge[i]);
	csv_amount(c->out, row, "total");
	csv_amount(c->out, row, "projected");
	csv_amount(c->out, row, "per_month_at_this_size");
	fprintf(c->out, ",%s,", json_text(c->result, "currency"));
	csv_write(c->out, json_text(row, "name"));
	fprintf(c->out, ",%s,", json_text(row, "kg_co2e"));
	csv_unconfirmed(c, row);
	fputc('\n', c->out);
}

void cost_print_csv(struct cli *c)
{
	const json_t *row;
	size_t i;

	fputs("trust,tier,storage_class,byte_hours,average_bytes,in_bytes,"
	      "out_bytes,puts,gets,heads,lists,deletes,storage,requests,"
	      "retrieval,transfer,early_deletion,minimum_size,total,projected,"
	      "per_month_at_this_size,currency,name,kg_co2e,"
	      "unconfirmed\n",
	      c->out);
	json_array_foreach(json_object_get(c->result, "rows"), i, row)
		csv_row(c, row);
}

void cost_print_table(struct cli *c)
{
	show_title(c);
	show_table(c);
	show_compared(c);
	show_vat(c);
	show_prices(c);
	show_carbon(c);
}
