/* SPDX-License-Identifier: Apache-2.0 */
/* What one trust's data will cost, and what they would cost elsewhere. */
#include "ctl/money.h"
#include "ctl/tier_json.h"

#include <string.h>

#include "base/clock.h"

#define FORECAST_MONTHS_MAX 60

/* Shared beginning: the ledger is up to date. */
static int forecast_ready(struct ctl_call *c)
{
	int rc;

	if (!c->w->cost || !c->w->ledger)
		return fail(&c->err, -ENOTSUP, "this worker keeps no ledger");
	rc = cost_ledger_flush(c->w->ledger);
	return rc < 0 ? fail(&c->err, rc, "cannot write the ledger: %m") : 0;
}

static const char *forecast_currency(const struct ctl_call *c)
{
	return c->w->cost->exchange->currency;
}

json_t *ctl_texts(char *const *text, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < n; i++)
		if (json_array_append_new(list, json_string(text[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- forecast ------------------------------------------------------- */

static json_t *forecast_months(const struct ctl_call *c,
			       const struct cost_forecast *f)
{
	const char *currency = forecast_currency(c);
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < f->n_months; i++) {
		const struct cost_month *m = &f->months[i];
		char name[32];

		snprintf(name, sizeof(name), "%04d-%02d", m->year, m->month);
		if (json_array_append_new(
			    list,
			    json_pack("{s:s, s:o, s:o, s:o}", "month", name,
				      "low", ctl_money(m->low, currency),
				      "expected",
				      ctl_money(m->expected, currency), "high",
				      ctl_money(m->high, currency))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int ctl_verb_cost_forecast(struct ctl_call *c, json_t *result)
{
	CLEANUP(cost_forecast_done) struct cost_forecast f = { 0 };
	json_int_t months =
		json_integer_value(json_object_get(c->args, "months"));
	CLEANUP_JSON json_t *o = NULL;
	int rc = forecast_ready(c);

	if (rc < 0)
		return rc;
	if (months < 1 || months > FORECAST_MONTHS_MAX)
		return fail(&c->err, -EINVAL, "months must be 1 to %d",
			    FORECAST_MONTHS_MAX);
	rc = cost_forecast(c->w->meta, c->w->cost, clock_wall_ns(),
			   (unsigned)months, &f, &c->err);
	if (rc < 0)
		return rc;
	o = json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:I, s:o, s:o}", "trust",
		      c->w->trust, "currency", forecast_currency(c), "months",
		      forecast_months(c, &f), "days", f.days, "per_day",
		      ctl_money(f.per_day, forecast_currency(c)),
		      "trend_per_day", ctl_money(f.trend, forecast_currency(c)),
		      "growth_bytes", (json_int_t)f.growth_bytes, "method",
		      proto_text(f.method), "unconfirmed",
		      ctl_texts(f.unconfirmed, f.n_unconfirmed));
	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

/* ---- what if -------------------------------------------------------- */

struct whatif {
	const char *name;
	money_t now, then, once, saved;
	double break_even_days;
	uint64_t bytes;
	char *const *assumptions, *const *unconfirmed;
	size_t n_assumptions, n_unconfirmed;
};

static int whatif_json(const struct ctl_call *c, const struct whatif *w,
		       json_t *result)
{
	const char *currency = forecast_currency(c);
	CLEANUP_JSON json_t *o = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"trust", c->w->trust, "currency", currency, "policy", w->name,
		"now", ctl_money(w->now, currency), "then",
		ctl_money(w->then, currency), "once",
		ctl_money(w->once, currency), "saved_per_month",
		ctl_money(w->saved, currency), "break_even_days",
		w->break_even_days < 0 ? json_null()
				       : json_real(w->break_even_days),
		"bytes", proto_count(w->bytes), "assumptions",
		ctl_texts(w->assumptions, w->n_assumptions), "unconfirmed",
		ctl_texts(w->unconfirmed, w->n_unconfirmed));

	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

static int whatif_scenario(struct ctl_call *c, enum cost_scenario scenario,
			   json_t *result)
{
	CLEANUP(cost_whatif_done) struct cost_whatif w = { 0 };
	int rc = cost_whatif(c->w->meta, c->w->cost, scenario, clock_wall_ns(),
			     &w, &c->err);
	const struct whatif out = {
		.name = w.name,
		.now = w.now,
		.then = w.then,
		.once = w.once,
		.saved = w.saved_per_month,
		.break_even_days = w.break_even_days,
		.bytes = w.bytes,
		.assumptions = w.assumptions,
		.n_assumptions = w.n_assumptions,
		.unconfirmed = w.unconfirmed,
		.n_unconfirmed = w.n_unconfirmed,
	};

	return rc < 0 ? rc : whatif_json(c, &out, result);
}

/* Says each second how many files were looked at. */
static bool whatif_tick(void *arg, uint64_t files)
{
	struct ctl_call *c = arg;

	if (ctl_gone(c))
		return false;
	return ctl_progress(c, json_pack("{s:{s:o}}", "done", "files",
					 proto_count(files))) == 0;
}

/* A plan that is not kept says what a policy would change. */
static int whatif_policy(struct ctl_call *c, json_t *result)
{
	CLEANUP(tier_plan_done) struct tier_plan p = { .n_moves = 0 };
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	const struct tier_policy *policy = NULL;
	int32_t today = (int32_t)(clock_wall_ns() / NSEC_PER_SEC / SEC_PER_DAY);
	struct whatif out = { .break_even_days = 0 };
	int rc = ctl_tier(c);

	if (rc == 0)
		rc = ctl_tier_policy(c, &policy);
	if (rc == 0)
		rc = tier_plan_ask(c->w->policies, policy, whatif_tick, c, &p,
				   &c->err);
	if (rc == 0)
		rc = cost_report(c->w->meta, c->w->cost, COST_BY_TIER, today,
				 today + 1, clock_wall_ns(), &r, &c->err);
	if (rc < 0)
		return rc;
	out.name = p.policy;
	out.now = r.per_month;
	out.then = r.per_month + p.per_month;
	out.once = p.once;
	out.saved = -p.per_month;
	out.break_even_days = p.break_even_days;
	out.bytes = p.bytes;
	out.assumptions = p.assumptions;
	out.n_assumptions = p.n_assumptions;
	out.unconfirmed = p.unconfirmed;
	out.n_unconfirmed = p.n_unconfirmed;
	return whatif_json(c, &out, result);
}

int ctl_verb_cost_whatif(struct ctl_call *c, json_t *result)
{
	const char *name = ctl_text(c, "policy");
	int rc = forecast_ready(c);

	if (rc < 0)
		return rc;
	if (name && strcmp(name, "all-hot") == 0)
		return whatif_scenario(c, COST_ALL_HOT, result);
	if (name && strcmp(name, "all-local") == 0)
		return whatif_scenario(c, COST_ALL_LOCAL, result);
	return whatif_policy(c, result);
}
