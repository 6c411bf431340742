/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of policies. A client that leaves does not stop one: the job goes on
 * with it, and `tier cancel` ends it.
 */
#include "ctl/tier_json.h"

#include <string.h>

#define HISTORY_PAGE 32
#define HISTORY_MAX  1000U
#define HISTORY	     20U /* when nothing was said */

struct running {
	struct ctl_call *c;
	struct tier_run_opts o;
	char by[64];
	struct meta_run run;
	json_t *skipped;
	uint64_t skipped_files;
	uint64_t files, bytes; /* of the plan */
};

static void running_done(struct running *r)
{
	json_decref(r->skipped);
}

static const char *run_state_name(enum meta_run_state s)
{
	static const char *const name[] = {
		[META_RUN_RUNNING] = "running",
		[META_RUN_DONE] = "done",
		[META_RUN_CANCELLED] = "cancelled",
		[META_RUN_STOPPED] = "stopped",
		[META_RUN_FAILED] = "failed",
	};

	return name[s];
}

static json_t *run_money(const struct ctl_call *c, const char *exact)
{
	money_t m = 0;

	return money_parse(exact, &m) < 0 ? json_null() : ctl_tier_money(c, m);
}

static json_t *run_json(const struct ctl_call *c, const struct meta_run *r)
{
	return json_pack(
		"{s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o, s:s, s:o}",
		"run", proto_count(r->id), "trust", c->w->trust, "plan",
		proto_text(r->plan_name), "policy", r->policy, "trigger",
		r->trigger, "by", proto_text(r->by), "started_at",
		proto_time(r->started_ns), "ended_at", proto_time(r->ended_ns),
		"files", proto_count(r->files), "bytes", proto_count(r->bytes),
		"skipped", proto_count(r->skipped), "cost",
		run_money(c, r->cost), "predicted", run_money(c, r->predicted),
		"errors", proto_count(r->errors), "state",
		run_state_name(r->state), "error", proto_text(r->error));
}

/* ---- while it runs
 * ------------------------------------------------------------ */

static void running_skipped(void *arg, const char *path, const char *reason)
{
	struct running *r = arg;
	json_t *o;

	if (r->skipped_files++ >= CTL_SKIPPED_MAX)
		return;
	o = proto_path(path, strlen(path));
	if (!o || proto_set(o, "reason", json_string(reason)) < 0)
		json_decref(o);
	else
		json_array_append_new(r->skipped, o);
}

static bool running_tick(void *arg, const struct meta_run *now)
{
	struct running *r = arg;
	json_t *p;

	if (ctl_gone(r->c))
		return false;
	p = json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "files", proto_count(now->files),
		"bytes", proto_count(now->bytes), "total_files",
		r->files ? proto_count(r->files) : json_null(), "total_bytes",
		r->bytes ? proto_count(r->bytes) : json_null(), "waiting_for",
		proto_text(now->error));
	return ctl_progress(r->c, p) == 0;
}

static int running_begin(struct running *r, struct ctl_call *c,
			 const char *trigger)
{
	*r = (struct running){ .c = c, .skipped = json_array() };
	snprintf(r->by, sizeof(r->by), "uid %u", (unsigned)c->peer->uid);
	r->o = (struct tier_run_opts){
		.trigger = trigger,
		.by = r->by,
		.skipped = running_skipped,
		.tick = running_tick,
		.arg = r,
	};
	return r->skipped ? 0 : -ENOMEM;
}

static int running_list(struct running *r, json_t *result)
{
	int rc = proto_set(result, "skipped", take(r->skipped));

	return rc < 0 ? rc
		      : proto_set(result, "skipped_files",
				  proto_count(r->skipped_files));
}

/* ---- tier apply
 * --------------------------------------------------------------- */

static int apply_result(struct running *r, bool dry, json_t *predicted,
			json_t *result)
{
	const struct meta_run *n = &r->run;
	CLEANUP_JSON json_t *o = json_pack(
		"{s:o, s:s, s:s, s:{s:o, s:o}, s:{s:o}, s:{s:o}, s:o, s:o, s:s,"
		" s:b}",
		"run", dry ? json_null() : proto_count(n->id), "plan",
		ctl_text(r->c, "plan"), "trust", r->c->w->trust, "done",
		"files", proto_count(n->files), "bytes", proto_count(n->bytes),
		"actual", "once", dry ? json_null() : run_money(r->c, n->cost),
		"predicted", "once", predicted, "errors",
		proto_count(n->errors), "error", proto_text(n->error), "state",
		dry ? "not_run" : run_state_name(n->state), "dry_run", dry);

	if (!o || json_object_update(result, o) < 0)
		return -ENOMEM;
	return running_list(r, result);
}

/* What is left of the plan, and would not be refused. */
static int apply_look(struct running *r, const char *plan, money_t *once)
{
	CLEANUP(tier_plan_done) struct tier_plan p = { .n_moves = 0 };
	int rc = tier_apply_look(r->c->w->policies, plan, &p, &r->c->err);

	if (rc < 0)
		return rc;
	r->files = p.files;
	r->bytes = p.bytes;
	*once = p.once;
	return 0;
}

static int apply_dry(struct running *r, const char *plan, json_t *result)
{
	money_t once = 0;
	int rc = apply_look(r, plan, &once);

	if (rc < 0)
		return rc;
	r->run.files = r->files;
	r->run.bytes = r->bytes;
	return apply_result(r, true, ctl_tier_money(r->c, once), result);
}

int ctl_verb_tier_apply(struct ctl_call *c, json_t *result)
{
	CLEANUP(running_done) struct running r = { .c = c };
	const char *plan = ctl_text(c, "plan");
	int rc = ctl_tier(c);

	if (rc == 0 && !plan)
		rc = fail(&c->err, -EINVAL, "no plan was named");
	if (rc == 0)
		rc = running_begin(&r, c, "apply");
	if (rc == 0 && ctl_flag(c, "dry_run"))
		return apply_dry(&r, plan, result);
	if (rc == 0)
		rc = tier_apply(c->w->policies, plan, &r.o, &r.run, &c->err);
	if (rc < 0)
		return rc;
	return apply_result(&r, false, run_money(c, r.run.predicted), result);
}

/* ---- tier run, cancel, history
 * -------------------------------------------------- */

int ctl_verb_tier_run(struct ctl_call *c, json_t *result)
{
	CLEANUP(running_done) struct running r = { .c = c };
	const struct tier_policy *policy = NULL;
	CLEANUP_JSON json_t *runs = json_array();
	int rc = ctl_tier(c);

	if (rc == 0)
		rc = ctl_tier_policy(c, &policy);
	/* A run outlives its client, and must find its limits again. */
	if (rc == 0 && policy == c->policy) {
		rc = fail(&c->err, -EINVAL,
			  "a run takes a policy of the config, not a file");
		fail_hint(&c->err, rc,
			  "tier plan --policy FILE, then tier "
			  "apply");
	}
	if (rc == 0)
		rc = running_begin(&r, c, "run");
	if (rc == 0)
		rc = tier_run(c->w->policies, policy, &r.o, &r.run, &c->err);
	if (rc == 0 && json_array_append_new(runs, run_json(c, &r.run)) < 0)
		rc = -ENOMEM;
	if (rc == 0)
		rc = proto_set(result, "runs", take(runs));
	return rc < 0 ? rc : running_list(&r, result);
}

static int history_page(struct ctl_call *c, uint64_t before,
			struct meta_run *page, size_t max)
{
	META_TXN(t);
	int rc = meta_look(c->w->meta, &t);

	return rc < 0 ? rc : meta_run_list(&t, before, page, max);
}

/* The newest first; at most `max`. */
static int history(struct ctl_call *c, size_t max, json_t *list)
{
	CLEANUP_FREE struct meta_run *page =
		calloc(HISTORY_PAGE, sizeof(*page));
	uint64_t before = 0;
	size_t want;
	int n, i;

	if (!page)
		return -ENOMEM;
	do {
		want = MIN(max - json_array_size(list), (size_t)HISTORY_PAGE);
		n = want ? history_page(c, before, page, want) : 0;
		for (i = 0; i < n; i++) {
			before = page[i].id;
			if (json_array_append_new(list, run_json(c, &page[i])) <
			    0)
				return -ENOMEM;
		}
	} while (n > 0 && (size_t)n == want);
	return MIN(n, 0);
}

static int runs_result(struct ctl_call *c, size_t max, json_t *result)
{
	json_t *list = json_array();
	int rc = list ? history(c, max, list) : -ENOMEM;

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	return proto_set(result, "runs", list);
}

int ctl_verb_tier_history(struct ctl_call *c, json_t *result)
{
	const json_t *limit = json_object_get(c->args, "limit");
	json_int_t max = limit ? json_integer_value(limit) : HISTORY;
	int rc = ctl_tier(c);

	if (rc == 0 && (max < 1 || max > (json_int_t)HISTORY_MAX))
		rc = fail(&c->err, -EINVAL, "limit is from 1 to %u",
			  HISTORY_MAX);
	return rc < 0 ? rc : runs_result(c, (size_t)max, result);
}

/* Answers with the run that it told to stop, or with none. */
int ctl_verb_tier_cancel(struct ctl_call *c, json_t *result)
{
	int rc = ctl_tier(c);

	if (rc < 0)
		return rc;
	rc = tier_cancel(c->w->policies);
	if (rc == -ENOENT)
		return proto_set(result, "runs", json_array());
	return rc < 0 ? rc : runs_result(c, 1, result);
}
