/* SPDX-License-Identifier: Apache-2.0 */
/* mersey wait and evict, and what verbs share that do something to files. */
#include "cli/files.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"

/* ---- several trusts make one result --------------------------------- */

int files_sum(json_t *to, const json_t *from, const char *key)
{
	uint64_t n = json_u64(to, key) + json_u64(from, key);

	return proto_set(to, key, proto_count(n));
}

/* Adds a worker's "skipped" to the result, with absolute paths. */
static int merge_skipped(struct cli *c, const struct config_trust *t,
			 json_t *from)
{
	json_t *all = json_object_get(c->result, "skipped"), *s;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "skipped"), i, s) {
		if (rc == 0)
			rc = cli_path_out(c, s, t);
		if (rc == 0 && json_array_append(all, s) < 0)
			rc = -ENOMEM;
	}
	return rc < 0 ? rc : files_sum(c->result, from, "skipped_files");
}

int files_new(struct cli *c)
{
	json_t *o = json_pack("{s:i, s:i, s:[], s:i}", "files", 0, "bytes", 0,
			      "skipped", "skipped_files", 0);
	int rc = o && json_object_update(c->result, o) == 0 ? 0 : -ENOMEM;

	json_decref(o);
	return rc;
}

int files_merge(struct cli *c, const struct config_trust *t, json_t *from)
{
	int rc = files_sum(c->result, from, "files");

	if (rc == 0)
		rc = files_sum(c->result, from, "bytes");
	return rc < 0 ? rc : merge_skipped(c, t, from);
}

/* ---- evict ----------------------------------------------- */

static int files_group(struct cli *c, const char *verb,
		       const struct cli_group *g, json_t **last)
{
	bool dry = cli_has(c, OPT_DRY_RUN);
	json_t *r = NULL;
	int rc = cli_call(
		c, g->trust, verb,
		json_pack("{s:O, s:b}", "paths", g->paths, "dry_run", dry), 0,
		&r);

	if (rc == 0)
		rc = files_merge(c, g->trust, r);
	json_decref(*last);
	*last = r;
	return rc;
}

static int files_run(struct cli *c, const char *verb, json_t **last)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	int rc = files_new(c);
	size_t i;

	if (rc == 0)
		rc = proto_set(c->result, "dry_run",
			       json_boolean(cli_has(c, OPT_DRY_RUN)));
	if (rc == 0)
		rc = cli_group_paths(c, &g);
	for (i = 0; i < g.n && rc == 0; i++)
		rc = files_group(c, verb, &g.g[i], last);
	if (rc == 0 && json_u64(c->result, "skipped_files"))
		c->exit = CLI_ATTENTION;
	return rc;
}

int verb_evict_run(struct cli *c)
{
	CLEANUP_JSON json_t *last = NULL;

	return files_run(c, "evict", &last);
}

/* "cannot evict '/a/b': not protected yet", and what to do. */
static void show_skipped(struct cli *c)
{
	uint64_t more = json_u64(c->result, "skipped_files");
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(c->result, "skipped"), i, s) {
		CLEANUP_BUF struct buf msg = { 0 }, hint = { 0 };
		bool wait = strstr(json_text(s, "reason"), "not protected");

		if (i == 10)
			break;
		if (buf_addf(&msg, "cannot %s '%s': %s", c->verb->name,
			     json_text(s, "path"),
			     json_text(s, "reason")) < 0 ||
		    buf_addf(&hint, "mersey wait %s", json_text(s, "path")) <
			    0 ||
		    !buf_str(&msg) || !buf_str(&hint))
			return;
		cli_print_error(c->msg, (char *)msg.data,
				wait ? (char *)hint.data : NULL);
	}
	if (more > i)
		fprintf(c->msg, "mersey: and %" PRIu64 " more\n", more - i);
}

void files_show(struct cli *c, const char *done, const char *would)
{
	bool dry = json_is_true(json_object_get(c->result, "dry_run"));
	uint64_t n = json_u64(c->result, "files");
	char count[UNITS_SIZE], size[UNITS_SIZE];

	fprintf(c->out, "%s %s file%s, %s\n", dry ? would : done,
		units_format_count(n, count), n == 1 ? "" : "s",
		units_format_size(json_u64(c->result, "bytes"), size));
	fflush(c->out);
	show_skipped(c);
}

void verb_evict_show(struct cli *c)
{
	files_show(c, "evicted", "would evict");
}

/* ---- wait ----------------------------------------------------------- */

static json_t *wait_args(const struct cli *c, json_t *paths)
{
	const char *until = c->opt[OPT_UNTIL];

	return json_pack("{s:s, s:O*, s:b}", "until",
			 until ? until : "protected", "paths", paths, "all",
			 paths == NULL);
}

static int wait_one(struct cli *c, const struct config_trust *t, json_t *paths)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "wait", wait_args(c, paths), 0, &r);

	if (rc == 0)
		rc = files_sum(c->result, r, "files");
	if (rc == 0)
		rc = files_sum(c->result, r, "bytes");
	return rc < 0 ? rc : files_sum(c->result, r, "seconds");
}

static int wait_all(struct cli *c)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n, i;
	int rc = cli_select(c, false, t, &n);

	for (i = 0; i < n && rc == 0; i++)
		rc = wait_one(c, t[i], NULL);
	return rc;
}

static int wait_paths(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	int rc = cli_group_paths(c, &g);
	size_t i;

	for (i = 0; i < g.n && rc == 0; i++)
		rc = wait_one(c, g.g[i].trust, g.g[i].paths);
	return rc;
}

int verb_wait_run(struct cli *c)
{
	const char *until = c->opt[OPT_UNTIL];
	bool all = cli_has(c, OPT_ALL);

	if (all == (c->args > 0))
		return cli_usage(c, "'wait' needs either PATH... or --all");
	if (until && strcmp(until, "protected") != 0 &&
	    strcmp(until, "local") != 0)
		return cli_usage(c, "--until is protected or local, not '%s'",
				 until);
	if (files_sum(c->result, NULL, "files") < 0 ||
	    files_sum(c->result, NULL, "bytes") < 0 ||
	    files_sum(c->result, NULL, "seconds") < 0)
		return -ENOMEM;
	return all ? wait_all(c) : wait_paths(c);
}

void verb_wait_show(struct cli *c)
{
	const char *until = c->opt[OPT_UNTIL];
	uint64_t n = json_u64(c->result, "files");
	char count[UNITS_SIZE], size[UNITS_SIZE];

	if (!n) {
		fprintf(c->out, "all %s already\n",
			until ? until : "protected");
		return;
	}
	fprintf(c->out, "%s file%s %s, %s, %" PRIu64 " s\n",
		units_format_count(n, count), n == 1 ? "" : "s",
		until ? until : "protected",
		units_format_size(json_u64(c->result, "bytes"), size),
		json_u64(c->result, "seconds"));
}
