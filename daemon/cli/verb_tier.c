/* SPDX-License-Identifier: Apache-2.0 */
/* mersey tier: the requests to workers. Screens: tier_screen.c. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The one trust that the call is about. */
static const struct config_trust *tier_trust(struct cli *c, bool args)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n = 0;
	int rc = cli_select(c, args, t, &n);

	if (rc == 0 && n != 1)
		rc = cli_usage(c, "'%s' is about one trust: name it",
			       c->verb->name);
	return rc < 0 ? NULL : t[0];
}

static int tier_result(struct cli *c, json_t *r)
{
	return json_object_update(c->result, r) < 0 ? -ENOMEM : 0;
}

/* With the policy that was named, if one was; steals args. */
static int tier_call(struct cli *c, const struct config_trust *t,
		     const char *verb, json_t *args, int seconds, json_t **r)
{
	int rc = args ? cli_policy(c, t, args) : -ENOMEM;

	if (rc < 0) {
		json_decref(args);
		return rc;
	}
	return cli_call(c, t, verb, args, seconds, r);
}

/* ---- plan, explain ----------------------------------------------------------
 */

static int plan_ask(struct cli *c, const struct config_trust *t, bool dry,
		    json_t **r)
{
	return tier_call(c, t, "tier_plan", json_pack("{s:b}", "dry_run", dry),
			 0, r);
}

int verb_tier_plan_run(struct cli *c)
{
	const struct config_trust *t = tier_trust(c, true);
	CLEANUP_JSON json_t *r = NULL;
	int rc = t ? plan_ask(c, t, false, &r) : -EINVAL;

	return rc < 0 ? rc : tier_result(c, r);
}

int verb_tier_explain_run(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_group_paths(c, &g);

	if (rc < 0)
		return rc;
	rc = tier_call(c, g.g[0].trust, "tier_explain",
		       json_pack("{s:O}", "paths", g.g[0].paths),
		       CLI_SLOW_SECONDS, &r);
	if (rc == 0)
		rc = cli_path_out(c, r, g.g[0].trust);
	return rc < 0 ? rc : tier_result(c, r);
}

/* ---- apply, run
 * --------------------------------------------------------------- */

/* Skipped files lie below the trust's mount. */
static int runs_paths(struct cli *c, const struct config_trust *t, json_t *r)
{
	json_t *s;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(r, "skipped"), i, s) {
		if (rc == 0)
			rc = cli_path_out(c, s, t);
	}
	return rc;
}

static int run_finish(struct cli *c, const struct config_trust *t, json_t *r,
		      const char *state)
{
	int rc = runs_paths(c, t, r);

	if (strcmp(state, "done") != 0 || json_u64(r, "skipped_files"))
		c->exit = CLI_ATTENTION;
	return rc < 0 ? rc : tier_result(c, r);
}

static int apply_call(struct cli *c, const struct config_trust *t, bool dry,
		      json_t **r)
{
	return cli_call(
		c, t, "tier_apply",
		json_pack("{s:s, s:b}", "plan", c->arg[0], "dry_run", dry), 0,
		r);
}

/* What only a trust says that has the plan. */
static bool apply_refused(int rc)
{
	return rc == -EKEYEXPIRED || rc == -EDQUOT || rc == -EALREADY;
}

/* Plans have no trust in their names: who has it? -ENOENT: nobody. */
static int apply_find(struct cli *c, const struct config_trust **out,
		      json_t **r)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	struct err why = ERR_INIT; /* what the first of them said */
	size_t n = 0, i;
	int rc = cli_select(c, false, t, &n), bad = -ENOENT;

	if (rc < 0)
		return rc;
	for (i = 0; i < n; i++) {
		rc = apply_call(c, t[i], true, r);
		if (rc == 0) {
			*out = t[i];
			return 0;
		}
		if (apply_refused(rc))
			return rc;
		/* one that is not served hides no plan of another */
		if (bad == -ENOENT) {
			bad = rc;
			why = c->err;
		}
	}
	if (bad == -ENOENT) {
		fail(&c->err, bad, "there is no plan '%s'", c->arg[0]);
		return fail_hint(&c->err, bad, "mersey tier plan");
	}
	c->err = why;
	return bad;
}

int verb_tier_apply_run(struct cli *c)
{
	const struct config_trust *t = NULL;
	CLEANUP_JSON json_t *looked = NULL;
	CLEANUP_JSON json_t *done = NULL;
	int rc = apply_find(c, &t, &looked);

	if (rc < 0)
		return rc;
	if (cli_has(c, OPT_DRY_RUN))
		return tier_result(c, looked);
	if (!cli_has(c, OPT_YES))
		tier_apply_question(c, looked);
	rc = cli_ask(c);
	if (rc == 0)
		rc = apply_call(c, t, false, &done);
	progress_end(c);
	return rc < 0 ? rc : run_finish(c, t, done, json_text(done, "state"));
}

static const char *run_state(const json_t *r)
{
	return json_text(json_array_get(json_object_get(r, "runs"), 0),
			 "state");
}

int verb_tier_run_run(struct cli *c)
{
	const struct config_trust *t = tier_trust(c, true);
	CLEANUP_JSON json_t *r = NULL;
	int rc = t ? cli_ask(c) : -EINVAL;

	if (rc < 0)
		return rc;
	rc = tier_call(c, t, "tier_run", json_object(), 0, &r);
	progress_end(c);
	return rc < 0 ? rc : run_finish(c, t, r, run_state(r));
}

/* ---- list, history, cancel
 * ------------------------------------------------------ */

/* Adds what a trust's worker says under `key` to the list. */
static int list_one(struct cli *c, const struct config_trust *t,
		    const char *verb, json_t *args, const char *key,
		    json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, verb, args, CLI_SLOW_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		return cli_offline(c, t, rc);
	if (rc < 0)
		return rc;
	return json_array_extend(list, json_object_get(r, key)) < 0 ? -ENOMEM
								    : 1;
}

static int list_tiers(struct cli *c, const struct config_trust *t, json_t *list)
{
	return list_one(c, t, "tier_list", json_object(), "tiers", list);
}

static int list_cancelled(struct cli *c, const struct config_trust *t,
			  json_t *list)
{
	return list_one(c, t, "tier_cancel", json_object(), "runs", list);
}

static int list_history(struct cli *c, const struct config_trust *t,
			json_t *list)
{
	json_t *args = json_object();

	if (args && c->opt[OPT_LIMIT] &&
	    proto_set(args, "limit",
		      json_integer(strtol(c->opt[OPT_LIMIT], NULL, 10))) < 0) {
		json_decref(args);
		return -ENOMEM;
	}
	return list_one(c, t, "tier_history", args, "runs", list);
}

static int lists(struct cli *c, const char *key, cli_one_fn one)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, key, list);

	return rc < 0 ? rc : cli_each(c, true, one, list);
}

int verb_tier_list_run(struct cli *c)
{
	return lists(c, "tiers", list_tiers);
}

int verb_tier_cancel_run(struct cli *c)
{
	return lists(c, "runs", list_cancelled);
}

int verb_tier_history_run(struct cli *c)
{
	const char *limit = c->opt[OPT_LIMIT];
	char *end;
	long n;

	if (limit) {
		errno = 0;
		n = strtol(limit, &end, 10);
		if (errno || *end || end == limit || n < 1 || n > 1000)
			return cli_usage(c,
					 "--limit is from 1 to 1000, not "
					 "'%s'",
					 limit);
	}
	return lists(c, "runs", list_history);
}
