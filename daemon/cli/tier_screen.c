/* SPDX-License-Identifier: Apache-2.0 */
/* The screens of policies. */
#include "cli/cost.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

#define SKIPPED_SHOWN 10
#define DAYS_A_MONTH  30.4

/* ---- cells ------------------------------------------------------------------
 */

static int cell_count(const json_t *row, const char *key, struct buf *out)
{
	char n[UNITS_SIZE];

	if (!json_known(row, key))
		return buf_addf(out, "–");
	return buf_addf(out, "%s", units_format_count(json_u64(row, key), n));
}

static int cell_studies(const json_t *row, struct buf *out)
{
	return cell_count(row, "studies", out);
}

static int cell_files(const json_t *row, struct buf *out)
{
	return cell_count(row, "files", out);
}

static int cell_objects(const json_t *row, struct buf *out)
{
	return cell_count(row, "objects", out);
}

static int cell_bytes(const json_t *row, struct buf *out)
{
	char size[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_format_size(json_u64(row, "bytes"), size));
}

static int cell_money(const json_t *row, const char *key, struct buf *out)
{
	if (!json_known(row, key))
		return buf_addf(out, "–");
	return cost_show_money(row, key, out);
}

static int cell_once(const json_t *row, struct buf *out)
{
	return cell_money(row, "once", out);
}

static int cell_month(const json_t *row, struct buf *out)
{
	return cell_money(row, "per_month", out);
}

static int cell_cost(const json_t *row, struct buf *out)
{
	return cell_money(row, "cost", out);
}

static int cell_predicted(const json_t *row, struct buf *out)
{
	return cell_money(row, "predicted", out);
}

int cost_cell_pays(const json_t *row, struct buf *out)
{
	double d;

	if (!json_known(row, "break_even_days"))
		return buf_addf(out, "never");
	d = json_real_value(json_object_get(row, "break_even_days"));
	if (d <= 0)
		return buf_addf(out, "at once");
	if (d < 1)
		return buf_addf(out, "1 day");
	if (d < 2 * DAYS_A_MONTH)
		return buf_addf(out, "%.0f days", d);
	if (d < 24 * DAYS_A_MONTH)
		return buf_addf(out, "%.1f months", d / DAYS_A_MONTH);
	return buf_addf(out, "%.1f years", d / DAYS_A_MONTH / 12);
}

/* "near -> cool  (priors)" */
static int cell_move(const json_t *row, struct buf *out)
{
	const char *what = json_text(row, "do");
	CLEANUP_BUF struct buf raw = { 0 };
	int rc;

	if (!json_known(row, "do"))
		return buf_addf(out, "total");
	if (strcmp(what, "move") == 0)
		rc = buf_addf(&raw, "%s -> %s", json_text(row, "from"),
			      json_text(row, "to"));
	else
		rc = buf_addf(&raw, "%s", what);
	if (rc == 0)
		rc = buf_addf(&raw, "  (%s)",
			      json_known(row, "for") ? json_text(row, "for")
						     : "rule is gone");
	if (rc < 0 || !buf_str(&raw))
		return -ENOMEM;
	return text_clean((char *)raw.data, out);
}

/* ---- tier plan
 * --------------------------------------------------------------- */

static void show_head(struct cli *c)
{
	CLEANUP_BUF struct buf at = { 0 };

	if (text_time(json_text(c->result, "created_at"), &at) < 0 ||
	    !buf_str(&at))
		return;
	fprintf(c->out,
		"Plan %s · %s · policy %s · %s%*snothing has been "
		"changed\n",
		json_text(c->result, "plan"), json_text(c->result, "trust"),
		json_text(c->result, "policy"), (char *)at.data, 8, "");
}

static money_t penalties(const json_t *list, const char *what)
{
	const json_t *p;
	money_t sum = 0;
	size_t i;

	json_array_foreach(list, i, p)
		if (strcmp(json_text(p, "penalty"), what) == 0)
			sum += cost_money(p, "amount");
	return sum;
}

static void show_share(struct cli *c, const char **lead, money_t m,
		       const char *currency, const char *what)
{
	char text[MONEY_SIZE];

	if (!m)
		return;
	fprintf(c->out, "%s%s %s", *lead, money_show(m, currency, text), what);
	*lead = " and ";
}

/* What the amounts include; only what there is. */
static void show_includes(struct cli *c)
{
	const json_t *e = json_object_get(c->result, "expected_recalls");
	const json_t *list = json_object_get(c->result, "penalties");
	const char *currency =
		json_text(json_object_get(e, "cost"), "currency");
	const char *lead = " Includes ";
	char count[UNITS_SIZE], what[128];

	snprintf(what, sizeof(what), "a month for %s expected recalls",
		 units_format_count(json_u64(e, "count"), count));
	show_share(c, &lead, cost_money(e, "cost"), currency, what);
	show_share(c, &lead, penalties(list, "early_deletion"), currency,
		   "for leaving a class early");
	show_share(c, &lead, penalties(list, "minimum_size"), currency,
		   "a month for objects below their class's least size");
	fputs(lead[1] == 'a' ? ".\n" : "\n", c->out);
}

static void show_duration(struct cli *c)
{
	char took[UNITS_SIZE], rate[UNITS_SIZE];
	uint64_t s = json_u64(c->result, "duration_seconds");

	fprintf(c->out, "Takes about %s at %s/s.",
		units_format_duration((int64_t)MAX(s, 1U) * NSEC_PER_SEC, took),
		units_format_size(json_u64(c->result, "rate_bytes_per_second"),
				  rate));
	show_includes(c);
}

static void show_unconfirmed(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "unconfirmed"), *u;
	size_t n = json_array_size(list), i;

	if (!n)
		return;
	fprintf(c->out, "%zu price%s unconfirmed (", n,
		n == 1 ? " is" : "s are");
	json_array_foreach(list, i, u)
		fprintf(c->out, "%s%s", i ? ", " : "", json_string_value(u));
	fputs(").\n", c->out);
}

void verb_tier_plan_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "MOVE", false, cell_move, NULL },
		{ "STUDIES", true, cell_studies, NULL },
		{ "FILES", true, cell_files, NULL },
		{ "BYTES", true, cell_bytes, NULL },
		{ "ONCE", true, cell_once, NULL },
		{ "PER MONTH", true, cell_month, NULL },
		{ "PAYS BACK", true, cost_cell_pays, NULL },
	};
	const json_t *moves = json_object_get(c->result, "moves");

	show_head(c);
	if (!json_array_size(moves)) {
		fputs("Nothing to do: all files are where the policy wants "
		      "them.\n",
		      c->out);
		return;
	}
	table_print(c->out, col, ARRAY_SIZE(col), moves,
		    json_object_get(c->result, "totals"));
	show_duration(c);
	show_unconfirmed(c);
	fprintf(c->out, "To do exactly this:  mersey tier apply %s\n",
		json_text(c->result, "plan"));
}

/* ---- tier apply, run
 * ------------------------------------------------------------ */

void tier_apply_question(struct cli *c, const json_t *looked)
{
	const json_t *done = json_object_get(looked, "done");
	CLEANUP_BUF struct buf cost = { 0 };
	char n[UNITS_SIZE], size[UNITS_SIZE];

	if (cost_show_money(json_object_get(looked, "predicted"), "once",
			    &cost) < 0 ||
	    !buf_str(&cost))
		return;
	fprintf(c->msg, "Plan %s of '%s': %s files, %s, %s once.\n",
		json_text(looked, "plan"), json_text(looked, "trust"),
		units_format_count(json_u64(done, "files"), n),
		units_format_size(json_u64(done, "bytes"), size),
		(char *)cost.data);
}

static void show_skipped(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "skipped"), *s;
	uint64_t all = json_u64(c->result, "skipped_files");
	size_t i;

	fflush(c->out);
	json_array_foreach(list, i, s) {
		CLEANUP_BUF struct buf b = { 0 };

		if (i == SKIPPED_SHOWN)
			break;
		if (buf_addf(&b, "left '%s': %s", json_text(s, "path"),
			     json_text(s, "reason")) == 0 &&
		    buf_str(&b))
			cli_print_error(c->msg, (char *)b.data, NULL);
	}
	if (all > i)
		fprintf(c->msg, "mersey: and %" PRIu64 " more\n", all - i);
}

/* "done: 612,400 files, 402.6 GiB, £0.52" */
static void show_run(struct cli *c, const json_t *run, const json_t *money,
		     const char *key)
{
	CLEANUP_BUF struct buf cost = { 0 };
	char n[UNITS_SIZE], size[UNITS_SIZE];

	if (cell_money(money, key, &cost) < 0 || !buf_str(&cost))
		return;
	fprintf(c->out, "%s files, %s, %s",
		units_format_count(json_u64(run, "files"), n),
		units_format_size(json_u64(run, "bytes"), size),
		(char *)cost.data);
}

static void show_error(struct cli *c, const json_t *run)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (json_known(run, "error") &&
	    text_clean(json_text(run, "error"), &b) == 0 && buf_str(&b))
		fprintf(c->out, "; %s", (char *)b.data);
	fputc('\n', c->out);
}

void verb_tier_apply_show(struct cli *c)
{
	bool dry = json_is_true(json_object_get(c->result, "dry_run"));
	const char *state = json_text(c->result, "state");

	fprintf(c->out, "%s: %s: ", json_text(c->result, "plan"),
		dry ? "would do" : state);
	show_run(c, json_object_get(c->result, "done"),
		 json_object_get(c->result, dry ? "predicted" : "actual"),
		 "once");
	show_error(c, c->result);
	if (strcmp(state, "running") == 0)
		fputs("It goes on by itself: mersey tier history, mersey tier "
		      "cancel\n",
		      c->out);
	else if (!dry && strcmp(state, "done") != 0)
		fprintf(c->out, "To go on:  mersey tier apply %s\n",
			json_text(c->result, "plan"));
	show_skipped(c);
}

void verb_tier_run_show(struct cli *c)
{
	const json_t *run =
		json_array_get(json_object_get(c->result, "runs"), 0);

	fprintf(c->out, "plan %s: %s: ", json_text(run, "plan"),
		json_text(run, "state"));
	show_run(c, run, run, "cost");
	show_error(c, run);
	show_skipped(c);
}

void verb_tier_cancel_show(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "runs"), *r;
	size_t i;

	if (!json_array_size(list))
		fputs("no run is under way\n", c->out);
	json_array_foreach(list, i, r)
		fprintf(c->out,
			"%s: run %" PRIu64 " of plan %s stops; to go on: "
			"mersey tier apply %s\n",
			json_text(r, "trust"), json_u64(r, "run"),
			json_text(r, "plan"), json_text(r, "plan"));
}

/* ---- tier history, list
 * ------------------------------------------------------ */

static int cell_started(const json_t *row, struct buf *out)
{
	return text_time(json_text(row, "started_at"), out);
}

static int cell_took(const json_t *row, struct buf *out)
{
	char text[UNITS_SIZE];
	int64_t from, to;

	if (clock_iso_parse(json_text(row, "started_at"), &from) < 0 ||
	    clock_iso_parse(json_text(row, "ended_at"), &to) < 0)
		return buf_addf(out, "–");
	return buf_addf(out, "%s", units_format_duration(to - from, text));
}

static int cell_state(const json_t *row, struct buf *out)
{
	int rc = buf_addf(out, "%s", json_text(row, "state"));

	if (rc == 0 && json_known(row, "error")) {
		rc = buf_addf(out, ": ");
		if (rc == 0)
			rc = text_clean(json_text(row, "error"), out);
	}
	return rc;
}

void verb_tier_history_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "PLAN", false, NULL, "plan" },
		{ "POLICY", false, NULL, "policy" },
		{ "BEGUN BY", false, NULL, "trigger" },
		{ "WHO", false, NULL, "by" },
		{ "STARTED", false, cell_started, NULL },
		{ "TOOK", true, cell_took, NULL },
		{ "FILES", true, cell_files, NULL },
		{ "BYTES", true, cell_bytes, NULL },
		{ "PREDICTED", true, cell_predicted, NULL },
		{ "COST", true, cell_cost, NULL },
		{ "STATE", false, cell_state, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "runs"), NULL);
}

static int cell_days(const json_t *row, struct buf *out)
{
	return cell_count(row, "minimum_days", out);
}

static int cell_recall(const json_t *row, struct buf *out)
{
	char text[UNITS_SIZE];

	if (!json_known(row, "recall_seconds"))
		return buf_addf(out, "–");
	return buf_addf(
		out, "%s",
		units_format_duration((int64_t)json_u64(row, "recall_seconds") *
					      NSEC_PER_SEC,
				      text));
}

void verb_tier_list_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "TIER", false, NULL, "tier" },
		{ "STORE", false, NULL, "store" },
		{ "BUCKET", false, NULL, "bucket" },
		{ "CLASS", false, NULL, "storage_class" },
		{ "FILES", true, cell_files, NULL },
		{ "BYTES", true, cell_bytes, NULL },
		{ "OBJECTS", true, cell_objects, NULL },
		{ "PER MONTH", true, cell_month, NULL },
		{ "LEAST DAYS", true, cell_days, NULL },
		{ "RECALL", true, cell_recall, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "tiers"), NULL);
}

/* ---- tier explain
 * -------------------------------------------------------------- */

static void show_condition(struct cli *c, const json_t *k)
{
	CLEANUP_BUF struct buf wanted = { 0 }, value = { 0 };

	if (text_clean(json_text(k, "wanted"), &wanted) < 0 ||
	    text_clean(json_text(k, "value"), &value) < 0 ||
	    !buf_str(&wanted) || !buf_str(&value))
		return;
	fprintf(c->out, "      %s %-14s wanted %s, is %s\n",
		json_is_true(json_object_get(k, "result")) ? "yes" : "no ",
		json_text(k, "key"), (char *)wanted.data,
		value.len ? (char *)value.data : "unknown");
}

static void show_rule(struct cli *c, const json_t *r, bool first)
{
	const json_t *k;
	size_t i;

	fprintf(c->out, "%s %" PRIu64 ". for %s: %s%s%s\n", first ? "->" : "  ",
		json_u64(r, "index"), json_text(r, "for"), json_text(r, "do"),
		json_known(r, "to") ? " to " : "", json_text(r, "to"));
	json_array_foreach(json_object_get(r, "conditions"), i, k)
		show_condition(c, k);
}

void verb_tier_explain_show(struct cli *c)
{
	uint64_t matched = json_u64(c->result, "matched");
	CLEANUP_BUF struct buf path = { 0 };
	const json_t *r;
	size_t i;

	if (text_clean(json_text(c->result, "path"), &path) < 0 ||
	    !buf_str(&path))
		return;
	fprintf(c->out, "%s, policy %s", (char *)path.data,
		json_text(c->result, "policy"));
	if (json_is_true(json_object_get(c->result, "study")))
		fprintf(c->out, ", with all %" PRIu64 " files of its study",
			json_u64(c->result, "files"));
	fputc('\n', c->out);
	json_array_foreach(json_object_get(c->result, "rules"), i, r)
		show_rule(c, r, json_u64(r, "index") == matched);
	if (!matched)
		fputs("No rule matches: it is kept as it is.\n", c->out);
	else if (json_known(c->result, "unchanged"))
		fprintf(c->out, "Rule %" PRIu64 " changes nothing now: %s.\n",
			matched, json_text(c->result, "unchanged"));
}
