/* SPDX-License-Identifier: Apache-2.0 */
/* mersey cost explain: what a file or study has cost so far. */
#include "cli/cost.h"

#include <string.h>

#include "base/units.h"

int verb_cost_explain_run(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	json_t *r = NULL, *path;
	int rc = cli_group_paths(c, &g);

	if (rc == 0)
		rc = cli_call(c, g.g[0].trust, "cost_explain",
			      json_pack("{s:O}", "paths", g.g[0].paths), 0, &r);
	if (rc < 0)
		return rc;
	path = json_array_get(g.g[0].paths, 0);
	rc = cli_path_out(c, path, g.g[0].trust);
	if (rc == 0 && (json_object_update(c->result, path) < 0 ||
			json_object_update(c->result, r) < 0))
		rc = -ENOMEM;
	json_decref(r);
	return rc;
}

static int cell_date(const json_t *row, struct buf *out)
{
	return buf_addf(out, "%.10s", json_text(row, "at"));
}

/* Requests are priced by the thousand and told by number. */
static bool by_thousand(const json_t *row)
{
	return strncmp(json_text(row, "unit"), "1000 ", 5) == 0;
}

/* "12.5 GiB-Months": three digits are enough for people. */
static int cell_quantity(const json_t *row, struct buf *out)
{
	if (!json_known(row, "quantity")) /* the total */
		return 0;
	if (by_thousand(row))
		return buf_addf(out, "%s request%s", json_text(row, "consumed"),
				strcmp(json_text(row, "consumed"), "1") ? "s"
									: "");
	return buf_addf(out, "%.3g %s", atof(json_text(row, "quantity")),
			json_text(row, "unit"));
}

/* "£0.0167": all its places, for a price is not rounded. */
static int cell_price(const json_t *row, struct buf *out)
{
	const json_t *price = json_object_get(row, "price");
	const char *amount = json_text(price, "amount");
	size_t len = strlen(amount), point = strcspn(amount, ".");
	char sign[MONEY_SIZE];

	if (!len)
		return 0;
	while (len > point + 3 && amount[len - 1] == '0')
		len--;
	money_show(0, json_text(price, "currency"), sign);
	return buf_addf(out, "%.*s%.*s%s", (int)strcspn(sign, "0"), sign,
			(int)len, amount, by_thousand(row) ? " /1000" : "");
}

static int cell_item(const json_t *row, struct buf *out)
{
	const char *s = json_text(row, "item");
	int rc = 0;

	for (; *s && rc == 0; s++)
		rc = buf_addf(out, "%c", *s == '_' ? ' ' : *s);
	return rc;
}

static void show_head(struct cli *c)
{
	CLEANUP_BUF struct buf path = { 0 }, uid = { 0 };
	char size[UNITS_SIZE];

	if (text_clean(json_text(c->result, "path"), &path) < 0 ||
	    text_clean(json_text(c->result, "study_uid"), &uid) < 0)
		return;
	fprintf(c->out, "%s\n", buf_str(&path));
	if (uid.len)
		fprintf(c->out, "  all files of study %s\n", buf_str(&uid));
	fprintf(c->out, "  %llu file%s, %s\n",
		(unsigned long long)json_u64(c->result, "files"),
		json_u64(c->result, "files") == 1 ? "" : "s",
		units_format_size(json_u64(c->result, "bytes"), size));
}

void verb_cost_explain_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "SINCE", false, cell_date, NULL },
		{ "TIER", false, NULL, "tier" },
		{ "CHARGE", false, cell_item, NULL },
		{ "QUANTITY", true, cell_quantity, NULL },
		{ "PRICE", true, cell_price, NULL },
		{ "AMOUNT", true, NULL, "amount" },
	};
	CLEANUP_JSON json_t *total = json_object();
	CLEANUP_BUF struct buf month = { 0 }, basis = { 0 };

	if (!total ||
	    json_object_set(total, "amount",
			    json_object_get(c->result, "total")) < 0 ||
	    cost_show_money(c->result, "per_month", &month) < 0 ||
	    text_clean(json_text(c->result, "basis"), &basis) < 0)
		return;
	show_head(c);
	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "events"), total);
	fprintf(c->out, "From now on %s a month. %s\n", buf_str(&month),
		buf_str(&basis) ?: "");
	cost_show_unconfirmed(c);
}
