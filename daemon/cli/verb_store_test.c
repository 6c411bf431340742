/* SPDX-License-Identifier: Apache-2.0 */
/* mersey store test: what the bucket of a tier can do, as it was tried. */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>

#define TEST_SECONDS 180 /* without a sign of progress */

/* TRUST/TIER of the command line; one command runs in this process. */
static const char *test_tier;

static int tier_check(struct cli *c, const struct config_trust *t)
{
	int rc;

	for (size_t i = 0; i < t->n_tiers; i++)
		if (!test_tier || strcmp(t->tiers[i].name, test_tier) == 0)
			return 0;
	c->exit = CLI_USAGE;
	snprintf(c->code, sizeof(c->code), "no_such_tier");
	rc = fail(&c->err, -ENOENT, "trust '%s' has no tier '%s'", t->name,
		  test_tier);
	return fail_hint(&c->err, rc, "mersey config show %s", t->name);
}

/* Does an earlier tier lie in the same bucket? Then that was tested. */
static bool tested_before(const struct config_trust *t, size_t tier)
{
	for (size_t i = 0; i < tier; i++)
		if (config_same_place(&t->tiers[i], &t->tiers[tier]))
			return true;
	return false;
}

/* 1 when it was tested; a worker or store that does not answer is a problem
 * of its own. */
static int test_bucket(struct cli *c, const struct config_trust *t,
		       const char *tier, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "store_test", json_pack("{s:s}", "tier", tier),
			  TEST_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		return strcmp(c->code, "unreachable") == 0
			       ? cli_offline(c, t, rc)
			       : cli_problem(c, t->name, c->code, c->err.msg,
					     c->err.hint);
	if (rc < 0)
		return rc;
	return json_array_append(list, r) < 0 ? -ENOMEM : 1;
}

/* The bucket of the tier that was asked for, or all of the trust. 1 when any
 * was tested. */
static int test_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	int rc = tier_check(c, t), tested = 0;

	for (size_t i = 0; rc >= 0 && i < t->n_tiers; i++) {
		const char *name = t->tiers[i].name;

		if (test_tier ? strcmp(name, test_tier) != 0
			      : tested_before(t, i))
			continue;
		rc = test_bucket(c, t, name, list);
		tested |= rc == 1;
		if (rc == 0 && strcmp(c->code, "unreachable") == 0)
			break; /* the worker: nor do the others */
	}
	return rc < 0 ? rc : tested;
}

/* Is it missing, and needed? */
static bool is_missing(const json_t *row)
{
	return json_is_true(json_object_get(row, "needed")) &&
	       strcmp(json_text(row, "result"), "yes") != 0;
}

static bool any_missing(const json_t *stores)
{
	const json_t *s, *row;
	size_t i, k;

	json_array_foreach(stores, i, s)
		json_array_foreach(json_object_get(s, "capabilities"), k, row)
			if (is_missing(row))
				return true;
	return false;
}

static int test_all(struct cli *c)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "stores", list);

	if (rc == 0)
		rc = cli_each(c, true, test_one, list);
	if (rc == 0 && c->exit == CLI_OK && any_missing(list))
		c->exit = CLI_ATTENTION;
	return rc;
}

int verb_store_test_run(struct cli *c)
{
	char *given = c->args ? c->arg[0] : NULL;
	CLEANUP_FREE char *trust = given ? strdup(given) : NULL;
	char *slash = trust ? strchr(trust, '/') : NULL;
	int rc;

	if (given && !trust)
		return -ENOMEM;
	test_tier = NULL;
	if (slash) {
		*slash = '\0';
		test_tier = slash + 1;
	}
	if (given)
		c->arg[0] = trust;
	rc = test_all(c);
	if (given)
		c->arg[0] = given;
	return rc;
}

/* ---- screen --------------------------------------------------------- */

/* What is needed and missing is written large. */
static int cell_result(const json_t *row, struct buf *out)
{
	char text[16];

	snprintf(text, sizeof(text), "%s", json_text(row, "result"));
	for (char *p = text; *p && is_missing(row); p++)
		*p = (char)toupper((unsigned char)*p);
	return buf_addf(out, "%s", text);
}

void verb_store_test_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "CAPABILITY", false, NULL, "name" },
		{ "RESULT", false, cell_result, NULL },
		{ "DETAIL", false, NULL, "detail" },
	};
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(c->result, "stores"), i, s) {
		fprintf(c->out, "%s%s/%s: store '%s', bucket '%s'\n",
			i ? "\n" : "", json_text(s, "trust"),
			json_text(s, "tier"), json_text(s, "store"),
			json_text(s, "bucket"));
		table_print(c->out, col, ARRAY_SIZE(col),
			    json_object_get(s, "capabilities"), NULL);
	}
}
