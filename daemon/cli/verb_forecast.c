/* SPDX-License-Identifier: Apache-2.0 */
/* mersey cost forecast and cost whatif: sums of what each trust expects. */
#include "cli/cost.h"

#include <string.h>

#include "base/units.h"

#define FORECAST_MONTHS 12

/* Sums some money members, exactly. */
static int add_each(json_t *to, const json_t *from, const char *const *key,
		    size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = cost_money_add(to, from, key[i]);
	return rc;
}

/* Both verbs: sentences and doubts of all trusts, each once. */
static int add_texts(json_t *to, const json_t *from, const char *key)
{
	json_t *list = json_object_get(to, key);
	int rc = 0;

	if (!list) {
		list = json_array();
		rc = proto_set(to, key, list);
	}
	return rc < 0 ? rc : cost_unite(list, json_object_get(from, key));
}

static void show_texts(struct cli *c, const char *key, const char *before)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(c->result, key), i, t) {
		CLEANUP_BUF struct buf b = { 0 };

		if (text_clean(json_string_value(t), &b) == 0 && b.len)
			fprintf(c->out, "%s%s\n", before, buf_str(&b));
	}
}

/* ---- forecast ------------------------------------------------------- */

static int forecast_month(json_t *list, const json_t *month)
{
	static const char *const key[] = { "low", "expected", "high" };
	json_t *have;
	size_t i;

	json_array_foreach(list, i, have) {
		if (strcmp(json_text(have, "month"),
			   json_text(month, "month")) == 0)
			return add_each(have, month, key, ARRAY_SIZE(key));
	}
	have = json_copy((json_t *)month);
	return json_array_append_new(list, have) < 0 ? -ENOMEM : 0;
}

static int forecast_sum(struct cli *c, const json_t *r)
{
	static const char *const key[] = { "per_day", "trend_per_day" };
	const json_t *m;
	size_t i;
	int rc = add_each(c->result, r, key, ARRAY_SIZE(key));

	json_array_foreach(json_object_get(r, "months"), i, m) {
		if (rc == 0)
			rc = forecast_month(
				json_object_get(c->result, "months"), m);
	}
	if (rc == 0)
		rc = json_object_set(c->result, "currency",
				     json_object_get(r, "currency"));
	return rc < 0 ? rc : add_texts(c->result, r, "unconfirmed");
}

static int forecast_one(struct cli *c, const struct config_trust *t, void *arg)
{
	json_t *r = NULL;
	int rc = cli_call(c, t, "cost_forecast",
			  json_pack("{s:i}", "months", FORECAST_MONTHS),
			  CLI_SLOW_SECONDS, &r);

	if (rc < 0)
		return rc;
	rc = forecast_sum(c, r);
	if (json_array_append_new(json_object_get(c->result, "trusts"), r) < 0)
		return -ENOMEM;
	return rc;
}

int verb_cost_forecast_run(struct cli *c)
{
	CLEANUP_JSON json_t *o = json_pack("{s:[], s:[]}", "months", "trusts");
	int rc = o && json_object_update(c->result, o) == 0 ? 0 : -ENOMEM;

	return rc < 0 ? rc : cost_each(c, forecast_one, NULL);
}

/* "rem: grows by 3.20 GiB in 30 days. <method>" */
static void show_growth(struct cli *c, const json_t *t)
{
	json_int_t grows =
		json_integer_value(json_object_get(t, "growth_bytes"));
	CLEANUP_BUF struct buf b = { 0 };
	char size[UNITS_SIZE];

	if (text_clean(json_text(t, "method"), &b) < 0)
		return;
	fprintf(c->out, "%s: %s by %s in 30 days. %s\n", json_text(t, "trust"),
		grows < 0 ? "shrinks" : "grows",
		units_format_size((uint64_t)(grows < 0 ? -grows : grows), size),
		buf_str(&b) ?: "");
}

void verb_cost_forecast_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "MONTH", false, NULL, "month" },
		{ "LOW", true, NULL, "low" },
		{ "EXPECTED", true, NULL, "expected" },
		{ "HIGH", true, NULL, "high" },
	};
	const json_t *t;
	size_t i;

	fprintf(c->out, "Mersey cost forecast · %s without VAT · an estimate\n",
		json_text(c->result, "currency"));
	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "months"), NULL);
	json_array_foreach(json_object_get(c->result, "trusts"), i, t)
		show_growth(c, t);
	cost_show_unconfirmed(c);
}

/* ---- what if -------------------------------------------------------- */

static int whatif_sum(struct cli *c, const json_t *r)
{
	static const char *const key[] = { "now", "then", "once",
					   "saved_per_month" };
	uint64_t bytes = json_u64(c->result, "bytes") + json_u64(r, "bytes");
	int rc = add_each(c->result, r, key, ARRAY_SIZE(key));

	if (rc == 0)
		rc = proto_set(c->result, "bytes", proto_count(bytes));
	if (rc == 0)
		rc = json_object_set(c->result, "currency",
				     json_object_get(r, "currency"));
	if (rc == 0)
		rc = add_texts(c->result, r, "assumptions");
	return rc < 0 ? rc : add_texts(c->result, r, "unconfirmed");
}

/* A name for all, or what --policy says as for a plan. */
static int whatif_args(struct cli *c, const struct config_trust *t,
		       json_t *args)
{
	const char *name = c->opt[OPT_POLICY];

	if (name &&
	    (strcmp(name, "all-hot") == 0 || strcmp(name, "all-local") == 0))
		return proto_set(args, "policy", json_string(name));
	return cli_policy(c, t, args);
}

static int whatif_one(struct cli *c, const struct config_trust *t, void *arg)
{
	CLEANUP_JSON json_t *args = json_object();
	json_t *r = NULL;
	int rc = args ? whatif_args(c, t, args) : -ENOMEM;

	if (rc == 0)
		rc = cli_call(c, t, "cost_whatif", json_incref(args), 0, &r);
	if (rc < 0)
		return rc;
	rc = whatif_sum(c, r);
	if (json_array_append_new(json_object_get(c->result, "trusts"), r) < 0)
		return -ENOMEM;
	return rc;
}

/* Of all trusts: when what is saved each month has paid for the moves. */
static int whatif_break_even(struct cli *c)
{
	money_t once = cost_money(c->result, "once"),
		saved = cost_money(c->result, "saved_per_month");
	json_t *days = json_null();

	if (once <= 0 && saved >= 0)
		days = json_real(0);
	else if (saved > 0) /* a month as prices count it: 730 hours */
		days = json_real((double)once / (double)saved * 730 / 24);
	return proto_set(c->result, "break_even_days", days);
}

int verb_cost_whatif_run(struct cli *c)
{
	CLEANUP_JSON json_t *o = json_pack("{s:o, s:[]}", "policy",
					   proto_text(c->opt[OPT_POLICY]),
					   "trusts");
	int rc = o && json_object_update(c->result, o) == 0 ? 0 : -ENOMEM;
	if (rc == 0)
		rc = cost_each(c, whatif_one, NULL);
	return rc < 0 ? rc : whatif_break_even(c);
}

static int cell_bytes(const json_t *row, struct buf *out)
{
	char size[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_format_size(json_u64(row, "bytes"), size));
}

void verb_cost_whatif_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "BYTES", true, cell_bytes, NULL },
		{ "NOW A MONTH", true, NULL, "now" },
		{ "THEN", true, NULL, "then" },
		{ "SAVED", true, NULL, "saved_per_month" },
		{ "ONCE", true, NULL, "once" },
		{ "PAYS BACK", true, cost_cell_pays, NULL },
	};
	CLEANUP_JSON json_t *total = json_copy(c->result);

	if (!total || proto_set(total, "trust", json_string("total")) < 0)
		return;
	fprintf(c->out,
		"What if: %s · %s without VAT · an estimate, nothing has been "
		"changed\n",
		json_known(c->result, "policy") ? json_text(c->result, "policy")
						: "the trusts' own policies",
		json_text(c->result, "currency"));
	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "trusts"), total);
	show_texts(c, "assumptions", "");
	cost_show_unconfirmed(c);
}
