/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey cost reconcile: a provider's bill beside the ledger. Lines of both
 * are added up by bucket, class and charge, for a bill has a line an hour and
 * the ledger one a day; then each sum has its difference and a reason.
 */
#include "cli/bill.h"
#include "cli/cost.h"

#include <string.h>

#include "base/units.h"

#define RECONCILE_GROUPS_MAX 4096
#define RECONCILE_DAYS_MAX   1830
/* What rounding and the edges of days make up. */
#define RECONCILE_NEAR	    (MONEY_UNIT / 100)
#define RECONCILE_PER_MILLE 5

struct sum {
	char bucket[256], storage_class[32];
	enum bill_charge charge;
	const struct config_store *store; /* NULL: the bucket is no trust's */
	size_t line;			  /* of the bill: the first */
	money_t bill, ledger;		  /* currency of reports */
	money_t bill_n, ledger_n;	  /* quantities */
	bool in_bill, in_ledger, counted, doubtful;
};

struct reconcile {
	struct cli *c;
	struct sum *sum;
	size_t n;
	struct cost_days days; /* of the report */
	bool given;	       /* by options */
	bool dated;	       /* days are those of the bill */
	money_t outside;       /* of the bill, beyond the days */
};

static void reconcile_done(struct reconcile *r)
{
	free(r->sum);
}

/* ---- sums ----------------------------------------------------------- */

static const struct config_store *bucket_store(const struct config *cfg,
					       const char *bucket)
{
	size_t i, k;

	for (i = 0; i < cfg->n_trusts; i++)
		for (k = 0; k < cfg->trusts[i].n_tiers; k++)
			if (strcmp(cfg->trusts[i].tiers[k].bucket, bucket) == 0)
				return cfg->trusts[i].tiers[k].store;
	return NULL;
}

static struct sum *sum_of(struct reconcile *r, const char *bucket,
			  const char *cls, enum bill_charge charge)
{
	struct sum *s;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->sum[i].charge == charge &&
		    strcmp(r->sum[i].bucket, bucket) == 0 &&
		    strcmp(r->sum[i].storage_class, cls) == 0)
			return &r->sum[i];
	if (r->n == RECONCILE_GROUPS_MAX)
		return NULL;
	s = reallocarray(r->sum, r->n + 1, sizeof(*s));
	if (!s)
		return NULL;
	r->sum = s;
	s += r->n++;
	*s = (struct sum){ .charge = charge,
			   .store = bucket_store(r->c->cfg, bucket) };
	snprintf(s->bucket, sizeof(s->bucket), "%s", bucket);
	snprintf(s->storage_class, sizeof(s->storage_class), "%s", cls);
	return s;
}

/* Is the line of the days that are looked at? Without options they become
 * what the bill says. */
static bool bill_inside(struct reconcile *r, const struct bill_line *l)
{
	if (!l->from && !l->to)
		return true;
	if (r->given)
		return l->from >= r->days.from && l->from <= r->days.to;
	if (!r->dated)
		r->days = (struct cost_days){ l->from, l->from };
	r->dated = true;
	r->days.from = MIN(r->days.from, l->from);
	r->days.to = MAX(r->days.to, l->from);
	r->days.to = MAX(r->days.to, l->to);
	return true;
}

static int bill_add(void *arg, const struct bill_line *l, struct err *err)
{
	struct reconcile *r = arg;
	struct sum *s;
	money_t amount;

	if (price_convert(&r->c->cfg->exchange, l->currency, l->amount,
			  &amount) < 0) {
		fail(err, -ENOENT, "line %zu: there is no rate from %s to %s",
		     l->line, l->currency, r->c->cfg->currency);
		return fail_hint(err, -ENOENT, "add it under cost.exchange");
	}
	if (!bill_inside(r, l)) {
		r->outside += amount;
		return 0;
	}
	s = sum_of(r, l->bucket, l->storage_class, l->charge);
	if (!s)
		return fail(err, -E2BIG,
			    "line %zu: more than %d buckets, classes and "
			    "charges",
			    l->line, RECONCILE_GROUPS_MAX);
	s->line = s->line ? s->line : l->line;
	s->counted = l->has_quantity && (!s->in_bill || s->counted);
	s->in_bill = true;
	s->bill += amount;
	s->bill_n += l->quantity;
	return 0;
}

static int bill_load(struct reconcile *r, const char *path)
{
	struct cli *c = r->c;
	struct err why = ERR_INIT;
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return fail(&c->err, -errno, "cannot open '%s': %m", path);
	rc = bill_read(f, c->cfg->currency, bill_add, r, &why);
	fclose(f);
	if (rc == 0 && r->days.to - r->days.from > RECONCILE_DAYS_MAX)
		rc = fail(&why, -EINVAL,
			  "its days reach over more than five years");
	if (rc == 0)
		return 0;
	c->exit = rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	fail(&c->err, rc, "'%s': %s", path, why.msg);
	return fail_hint(&c->err, rc, "%s", why.hint);
}

/* ---- the ledger's side ---------------------------------------------- */

static const char *line_bucket(const struct reconcile *r, const json_t *line)
{
	const struct config_trust *t =
		config_trust_find(r->c->cfg, json_text(line, "trust"));
	size_t i;

	for (i = 0; t && i < t->n_tiers; i++)
		if (strcmp(t->tiers[i].name, json_text(line, "tier")) == 0)
			return t->tiers[i].bucket;
	return NULL; /* the local disk: on no provider's bill */
}

/*
 * Providers bill what the ledger tells apart as storage: the overhead of
 * objects in their class, and what is kept beside archives as STANDARD.
 */
static bool line_is(const json_t *line, const char *item)
{
	return strcmp(json_text(line, "item"), item) == 0;
}

static const char *line_class(const json_t *line)
{
	if (line_is(line, "egress"))
		return "";
	if (line_is(line, "overhead_standard") ||
	    line_is(line, "restored_copy"))
		return "STANDARD";
	return json_text(line, "storage_class");
}

static enum bill_charge line_charge(const json_t *line)
{
	int i;

	if (line_is(line, "overhead") || line_is(line, "overhead_standard") ||
	    line_is(line, "restored_copy"))
		return BILL_STORAGE;

	for (i = 0; i < BILL_UNKNOWN; i++)
		if (strcmp(bill_charge_name((enum bill_charge)i),
			   json_text(line, "charge")) == 0)
			break;
	return (enum bill_charge)i;
}

static int ledger_add(struct reconcile *r, const json_t *line)
{
	enum bill_charge charge = line_charge(line);
	const char *bucket = line_bucket(r, line);
	const char *n = json_text(line, charge == BILL_REQUESTS ? "consumed"
								: "quantity");
	money_t quantity = 0;
	struct sum *s;

	if (!bucket)
		return 0;
	s = sum_of(r, bucket, line_class(line), charge);
	if (!s || bill_number(n, &quantity) < 0)
		return s ? -EPROTO : -ENOMEM;
	s->in_ledger = true;
	s->ledger += cost_money(line, "amount");
	s->ledger_n += quantity;
	s->doubtful |= !json_is_true(json_object_get(line, "confirmed"));
	return 0;
}

static int ledger_one(struct cli *c, const struct config_trust *t, void *arg)
{
	struct reconcile *r = arg;
	CLEANUP_JSON json_t *report = json_object();
	int rc = report ? cost_ask(c, t, "tier", r->days, report) : -ENOMEM;
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(report, "lines"), i, line) {
		if (rc == 0)
			rc = ledger_add(r, line);
	}
	return rc;
}

/* ---- reasons -------------------------------------------------------- */

/* Does the bill speak of that store at all? */
static bool store_billed(const struct reconcile *r, const struct sum *s)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->sum[i].in_bill && r->sum[i].store == s->store)
			return true;
	return false;
}

static money_t money_abs(money_t m)
{
	return m < 0 ? -m : m;
}

static bool near(money_t a, money_t b, money_t least)
{
	money_t off = money_abs(a - b);

	return off <= least ||
	       off <= money_muldiv(money_abs(a), RECONCILE_PER_MILLE, 1000);
}

static const char *number_show(money_t n, char out[32])
{
	snprintf(out, 32, "%.6g", (double)n / (double)MONEY_UNIT);
	return out;
}

/* Why a sum differs, where something explains it; else NULL. */
static const char *sum_explained(const struct sum *s)
{
	if (s->charge == BILL_TAX)
		return "tax, which the ledger does not have";
	if (s->in_bill && !s->store)
		return "no trust has this bucket";
	if (s->charge == BILL_UNKNOWN)
		return "the ledger does not count this";
	if (s->bill == s->ledger)
		return "the same";
	if (near(s->bill, s->ledger, RECONCILE_NEAR))
		return "agrees";
	if (!s->in_bill)
		return "not in the bill";
	if (!s->counted || !s->in_ledger || !near(s->bill_n, s->ledger_n, 0))
		return NULL;
	return s->doubtful ? "the price is another; ours is unconfirmed"
			   : "the price is another";
}

/* What can be said of a sum that nothing explains. */
static const char *sum_seen(const struct sum *s, char out[160])
{
	char a[32], b[32];

	if (!s->in_ledger)
		return "not in the ledger";
	if (!s->counted)
		return "unexplained";
	snprintf(out, 160,
		 "the quantity is another: %s in the bill, %s in the ledger",
		 number_show(s->bill_n, a), number_show(s->ledger_n, b));
	return out;
}

static json_t *sum_quantity(bool there, money_t n)
{
	char exact[MONEY_SIZE];

	return there ? json_string(money_exact(n, exact)) : json_null();
}

static json_t *sum_json(const struct reconcile *r, const struct sum *s)
{
	const char *known = sum_explained(s);
	char seen[160];
	const char *currency = r->c->cfg->currency;
	const char *charge = bill_charge_name(s->charge);
	CLEANUP_FREE char *name = io_path(
		"%s%s%s%s%s", s->bucket, s->bucket[0] ? " " : "",
		s->storage_class, s->storage_class[0] ? " " : "", charge);
	CLEANUP_BUF struct buf clean = { 0 };

	if (!name || proto_utf8(name, strlen(name), &clean) < 0 ||
	    !buf_str(&clean))
		return NULL;
	return json_pack(
		"{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, "
		"s:b}",
		"line", (char *)clean.data, "at_line",
		s->line ? proto_count(s->line) : json_null(), "storage_class",
		proto_text(s->storage_class), "charge", charge, "bill",
		cost_money_json(s->bill, currency), "ledger",
		cost_money_json(s->ledger, currency), "difference",
		cost_money_json(s->bill - s->ledger, currency), "bill_quantity",
		sum_quantity(s->in_bill && s->counted, s->bill_n),
		"ledger_quantity", sum_quantity(s->in_ledger, s->ledger_n),
		"reason", known ? known : sum_seen(s, seen), "explained",
		known != NULL);
}

/* ---- the verb ------------------------------------------------------- */

static int reconcile_json(struct reconcile *r)
{
	const char *currency = r->c->cfg->currency;
	money_t bill = 0, ledger = 0, unexplained = 0;
	json_t *lines = json_array();
	char from[UNITS_SIZE], to[UNITS_SIZE];
	CLEANUP_JSON json_t *o = NULL;
	size_t i;
	int rc = proto_set(r->c->result, "lines", lines);

	for (i = 0; i < r->n && rc == 0; i++) {
		const struct sum *s = &r->sum[i];

		if (!s->in_bill && !store_billed(r, s))
			continue; /* another provider's */
		bill += s->bill;
		ledger += s->ledger;
		if (!sum_explained(s))
			unexplained += money_abs(s->bill - s->ledger);
		if (json_array_append_new(lines, sum_json(r, s)) < 0)
			rc = -ENOMEM;
	}
	if (rc < 0)
		return rc;
	if (unexplained && !r->c->exit)
		r->c->exit = CLI_ATTENTION;
	o = json_pack("{s:{s:s, s:s}, s:s, s:o, s:o, s:o, s:o, s:o}", "period",
		      "from", units_format_date(r->days.from, from), "to",
		      units_format_date(r->days.to, to), "currency", currency,
		      "bill", cost_money_json(bill, currency), "ledger",
		      cost_money_json(ledger, currency), "difference",
		      cost_money_json(bill - ledger, currency), "outside",
		      cost_money_json(r->outside, currency), "unexplained",
		      cost_money_json(unexplained, currency));
	return o && json_object_update(r->c->result, o) == 0 ? 0 : -ENOMEM;
}

int verb_cost_reconcile_run(struct cli *c)
{
	CLEANUP(reconcile_done)
	struct reconcile r = {
		.c = c,
		.given = cli_has(c, OPT_MONTH) || cli_has(c, OPT_FROM) ||
			 cli_has(c, OPT_TO),
	};
	int rc = cost_period(c, &r.days);

	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = bill_load(&r, c->arg[0]);
	if (rc == 0)
		rc = cost_each(c, ledger_one, &r);
	return rc < 0 ? rc : reconcile_json(&r);
}

void verb_cost_reconcile_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "LINE", false, NULL, "line" },
		{ "BILL", true, NULL, "bill" },
		{ "LEDGER", true, NULL, "ledger" },
		{ "DIFFERENCE", true, NULL, "difference" },
		{ "REASON", false, NULL, "reason" },
	};
	const json_t *p = json_object_get(c->result, "period");
	CLEANUP_JSON json_t *total = json_copy(c->result);
	CLEANUP_BUF struct buf b = { 0 }, outside = { 0 };

	if (!total || proto_set(total, "line", json_string("total")) < 0 ||
	    cost_show_money(c->result, "unexplained", &b) < 0 ||
	    cost_show_money(c->result, "outside", &outside) < 0)
		return;
	fprintf(c->out, "Bill and ledger · %s to %s · %s without VAT\n",
		json_text(p, "from"), json_text(p, "to"),
		json_text(c->result, "currency"));
	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "lines"), total);
	fprintf(c->out, "Unexplained: %s.", buf_str(&b));
	if (cost_money(c->result, "outside"))
		fprintf(c->out, " Of other days in the bill: %s.",
			buf_str(&outside));
	fputc('\n', c->out);
}
