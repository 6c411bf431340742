/* SPDX-License-Identifier: Apache-2.0 */
/* mersey quota show and check: limits, use, and whether it was counted right.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/units.h"

/* 1 when the trust answered; one that does not is a problem of its own. */
static int quota_one(struct cli *c, const struct config_trust *t,
		     const char *verb, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, verb, json_object(), CLI_SLOW_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		return cli_offline(c, t, rc);
	if (rc == 0)
		rc = cli_take_problems(c, t, r);
	if (rc < 0)
		return rc;
	return json_array_append(list, r) < 0 ? -ENOMEM : 1;
}

static int show_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	return quota_one(c, t, "quota", list);
}

static int check_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	return quota_one(c, t, "quota_check", list);
}

static int quota_run(struct cli *c, cli_one_fn one)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "trusts", list);

	return rc < 0 ? rc : cli_each(c, true, one, list);
}

int verb_quota_show_run(struct cli *c)
{
	return quota_run(c, show_one);
}

int verb_quota_check_run(struct cli *c)
{
	return quota_run(c, check_one);
}

/* ---- screen --------------------------------------------------------- */

/* Member `key` of the pair `name`; "–" when it is not known. */
static int cell_pair(const json_t *row, const char *name, const char *key,
		     struct buf *out)
{
	const json_t *o = json_object_get(row, name);
	char size[UNITS_SIZE];

	if (!json_known(o, key))
		return buf_addf(out, "–");
	if (strcmp(key, "files") == 0)
		return text_count(json_u64(o, key), out);
	return buf_addf(out, "%s", units_format_size(json_u64(o, key), size));
}

static int cell_percent(const json_t *row, const char *key, struct buf *out)
{
	uint64_t limit = json_u64(json_object_get(row, "quota"), key);
	unsigned __int128 used = json_u64(json_object_get(row, "used"), key);

	if (!limit)
		return buf_addf(out, "–");
	/* Rounded up: 100 % is full, and 99 % is not. */
	return buf_addf(out, "%llu%%",
			(unsigned long long)((used * 100 + limit - 1) / limit));
}

#define CELL_PAIR(fn, name, key)                          \
	static int fn(const json_t *row, struct buf *out) \
	{                                                 \
		return cell_pair(row, name, key, out);    \
	}

CELL_PAIR(cell_used_bytes, "used", "bytes")
CELL_PAIR(cell_quota_bytes, "quota", "bytes")
CELL_PAIR(cell_left_bytes, "left", "bytes")
CELL_PAIR(cell_used_files, "used", "files")
CELL_PAIR(cell_quota_files, "quota", "files")
CELL_PAIR(cell_left_files, "left", "files")
CELL_PAIR(cell_counted_bytes, "counted", "bytes")
CELL_PAIR(cell_counted_files, "counted", "files")
CELL_PAIR(cell_counters_bytes, "counters", "bytes")
CELL_PAIR(cell_counters_files, "counters", "files")

static int cell_percent_bytes(const json_t *row, struct buf *out)
{
	return cell_percent(row, "bytes", out);
}

static int cell_percent_files(const json_t *row, struct buf *out)
{
	return cell_percent(row, "files", out);
}

static int cell_exact(const json_t *row, struct buf *out)
{
	return buf_addf(out, "%s",
			json_is_true(json_object_get(row, "exact"))
				? "exact"
				: "DIFFERS");
}

static void quota_problems(struct cli *c)
{
	const json_t *p;
	size_t i;

	json_array_foreach(c->problems, i, p)
		fprintf(c->out, "%s%s: %s\n", i ? "" : "\n",
			json_text(p, "trust"), json_text(p, "message"));
}

void verb_quota_show_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "BYTES", true, cell_used_bytes, NULL },
		{ "QUOTA", true, cell_quota_bytes, NULL },
		{ "LEFT", true, cell_left_bytes, NULL },
		{ "USED", true, cell_percent_bytes, NULL },
		{ "FILES", true, cell_used_files, NULL },
		{ "QUOTA", true, cell_quota_files, NULL },
		{ "LEFT", true, cell_left_files, NULL },
		{ "USED", true, cell_percent_files, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "trusts"), NULL);
	quota_problems(c);
}

void verb_quota_check_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "COUNTED BYTES", true, cell_counted_bytes, NULL },
		{ "COUNTER", true, cell_counters_bytes, NULL },
		{ "COUNTED FILES", true, cell_counted_files, NULL },
		{ "COUNTER", true, cell_counters_files, NULL },
		{ "RESULT", false, cell_exact, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "trusts"), NULL);
	quota_problems(c);
}
