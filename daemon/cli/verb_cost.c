/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey cost report. Each worker prices its own ledger; the rows are put
 * together here, and the totals are exact sums of the rows.
 */
#include "cli/cli.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "price/price.h"

/* ---- the period ----------------------------------------------------- */

static void month_bounds(int year, int month, int32_t *from, int32_t *to)
{
	struct tm first = { .tm_year = year - 1900,
			    .tm_mon = month - 1,
			    .tm_mday = 1 };
	struct tm next = { .tm_year = year - 1900,
			   .tm_mon = month,
			   .tm_mday = 1 };

	*from = (int32_t)(timegm(&first) / SEC_PER_DAY);
	*to = (int32_t)(timegm(&next) / SEC_PER_DAY) - 1;
}

static int period_month(struct cli *c, const char *s, int32_t *from,
			int32_t *to)
{
	CLEANUP_FREE char *date = io_path("%s-01", s);
	int32_t day;

	if (!date)
		return -ENOMEM;
	if (units_parse_date(date, &day) < 0)
		return cli_usage(c, "--month is YYYY-MM, not '%s'", s);
	month_bounds(atoi(s), atoi(s + 5), from, to);
	return 0;
}

static int period_date(struct cli *c, enum cli_opt o, int32_t *day)
{
	if (!c->opt[o])
		return cli_usage(c, "--from and --to come together");
	if (units_parse_date(c->opt[o], day) < 0)
		return cli_usage(c, "--%s is YYYY-MM-DD, not '%s'",
				 cli_options[o].name, c->opt[o]);
	return 0;
}

/* First and last day; without options the current month in UTC. */
static int period_get(struct cli *c, int32_t *from, int32_t *to)
{
	bool days = cli_has(c, OPT_FROM) || cli_has(c, OPT_TO);
	struct tm tm;
	time_t now = (time_t)(clock_wall_ns() / NSEC_PER_SEC);
	int rc;

	if (cli_has(c, OPT_MONTH) && days)
		return cli_usage(c, "either --month, or --from and --to");
	if (cli_has(c, OPT_MONTH))
		return period_month(c, c->opt[OPT_MONTH], from, to);
	if (!days) {
		gmtime_r(&now, &tm);
		month_bounds(tm.tm_year + 1900, tm.tm_mon + 1, from, to);
		return 0;
	}
	rc = period_date(c, OPT_FROM, from);
	if (rc == 0)
		rc = period_date(c, OPT_TO, to);
	if (rc == 0 && *to < *from)
		return cli_usage(c, "--to is before --from");
	return rc;
}

static int cost_options(struct cli *c)
{
	const char *by = c->opt[OPT_BY], *f = c->opt[OPT_FORMAT];

	if (by && strcmp(by, "tier") != 0)
		return cli_usage(c, "rows stand for tiers: --by tier, not '%s'",
				 by);
	if (f && strcmp(f, "table") != 0 && strcmp(f, "csv") != 0 &&
	    strcmp(f, "json") != 0)
		return cli_usage(c, "--format is table, csv or json, not '%s'",
				 f);
	if (f && strcmp(f, "json") == 0)
		c->json = true;
	return 0;
}

/* ---- sums ----------------------------------------------------------- */

/* to[key] += from[key], exactly. */
static int money_add(json_t *to, const json_t *from, const char *key)
{
	const json_t *m = json_object_get(from, key);
	char exact[MONEY_SIZE];
	money_t a, b = 0;

	if (money_parse(json_text(m, "amount"), &a) < 0)
		return -EPROTO;
	if (json_known(to, key) &&
	    money_parse(json_text(json_object_get(to, key), "amount"), &b) < 0)
		return -EPROTO;
	return proto_set(to, key,
			 json_pack("{s:s, s:s}", "amount",
				   money_exact(a + b, exact), "currency",
				   json_text(m, "currency")));
}

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
			rc = money_add(t, f, name);
	}
	return rc;
}

/* Tables that several trusts use appear once, their doubts united. */
static int merge_table(json_t *list, json_t *table)
{
	json_t *p, *u;
	size_t i, k;

	json_array_foreach(list, i, p) {
		json_t *have = json_object_get(p, "unconfirmed");

		if (strcmp(json_text(p, "table"), json_text(table, "table")) !=
		    0)
			continue;
		json_array_foreach(json_object_get(table, "unconfirmed"), k,
				   u) {
			size_t at;
			json_t *h;
			bool known = false;

			json_array_foreach(have, at, h)
				known = known || json_equal(h, u);
			if (!known && json_array_append(have, u) < 0)
				return -ENOMEM;
		}
		return 0;
	}
	return json_array_append(list, table) < 0 ? -ENOMEM : 0;
}

static int merge_prices(json_t *to, const json_t *from)
{
	json_t *list = json_object_get(to, "prices"), *p;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "prices"), i, p) {
		if (rc == 0)
			rc = merge_table(list, p);
	}
	return rc;
}

static int merge(struct cli *c, const json_t *r)
{
	static const char *const once[] = { "period", "currency", "exchange",
					    "compared_with", "estimate" };
	static const char *const sums[] = { "totals", "projected",
					    "per_month_at_this_size" };
	size_t i;
	int rc = json_array_extend(json_object_get(c->result, "rows"),
				   json_object_get(r, "rows")) < 0
			 ? -ENOMEM
			 : 0;

	for (i = 0; i < ARRAY_SIZE(once) && rc == 0; i++)
		rc = json_object_set(c->result, once[i],
				     json_object_get(r, once[i])) < 0
			     ? -EPROTO
			     : 0;
	for (i = 0; i < ARRAY_SIZE(sums) && rc == 0; i++)
		rc = money_add_all(c->result, r, sums[i]);
	return rc < 0 ? rc : merge_prices(c->result, r);
}

/* ---- the verb ------------------------------------------------------- */

/* A report that lacks a trust says so, and is not "done". */
static int cost_one(struct cli *c, const struct config_trust *t,
		    const char *from, const char *to)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "cost",
			  json_pack("{s:s, s:s}", "from", from, "to", to),
			  CLI_SLOW_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW) {
		c->exit = CLI_NOT_NOW;
		fail_hint(&c->err, rc, "the totals lack this trust");
		return cli_offline(c, t, rc);
	}
	return rc < 0 ? rc : merge(c, r);
}

int verb_cost_report_run(struct cli *c)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	char from[UNITS_SIZE], to[UNITS_SIZE];
	int32_t first = 0, last = 0;
	size_t n, i;
	int rc = cost_options(c);

	if (rc == 0)
		rc = period_get(c, &first, &last);
	if (rc == 0)
		rc = cli_select(c, false, t, &n);
	if (rc == 0)
		rc = proto_set(c->result, "rows", json_array());
	if (rc == 0)
		rc = proto_set(c->result, "prices", json_array());
	for (i = 0; rc == 0 && i < n; i++)
		rc = cost_one(c, t[i], units_format_date(first, from),
			      units_format_date(last, to));
	if (rc == 0 && n && json_array_size(c->problems) == n) {
		fail(&c->err, -ECONNREFUSED, "no trust is served here now");
		snprintf(c->code, sizeof(c->code), "unreachable");
		return fail_hint(&c->err, -ECONNREFUSED,
				 "systemctl status mersey");
	}
	return rc;
}
