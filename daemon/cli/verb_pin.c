/* SPDX-License-Identifier: Apache-2.0 */
/* mersey pin, unpin and pin list: files that stay local. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/clinic.h"
#include "cli/cost.h"
#include "cli/files.h"

/* Adds a worker's pins, with absolute paths. */
static int pins_merge(struct cli *c, const struct config_trust *t,
		      const json_t *from)
{
	json_t *all = json_object_get(c->result, "pins"), *p;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "pins"), i, p) {
		if (rc == 0)
			rc = proto_set(p, "trust", json_string(t->name));
		if (rc == 0)
			rc = cli_path_out(c, p, t);
		if (rc == 0 && json_array_append(all, p) < 0)
			rc = -ENOMEM;
	}
	return rc;
}

/* ---- list ---------------------------------------------------------------- */

static int list_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "pins", json_object(), CLI_SLOW_SECONDS, &r);

	(void)list;
	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		return cli_offline(c, t, rc);
	if (rc == 0)
		rc = pins_merge(c, t, r);
	return rc < 0 ? rc : 1;
}

int verb_pin_list_run(struct cli *c)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "pins", list);

	return rc < 0 ? rc : cli_each(c, true, list_one, list);
}

static int cell_path(const json_t *row, struct buf *out)
{
	return text_clean(json_text(row, "path"), out);
}

static int cell_until(const json_t *row, struct buf *out)
{
	return json_known(row, "until")
		       ? text_time(json_text(row, "until"), out)
		       : buf_addf(out, "unpinned");
}

static int cell_files(const json_t *row, struct buf *out)
{
	return text_count(json_u64(row, "files"), out);
}

static int cell_bytes(const json_t *row, struct buf *out)
{
	char size[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_format_size(json_u64(row, "bytes"), size));
}

void verb_pin_list_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "FILES", true, cell_files, NULL },
		{ "BYTES", true, cell_bytes, NULL },
		{ "UNTIL", false, cell_until, NULL },
		{ "BY", false, NULL, "by" },
		{ "WHY", false, NULL, "cause" },
		{ "PATH", false, cell_path, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "pins"), NULL);
}

/* ---- pin ----------------------------------------------------------------- */

static int pin_new(struct cli *c)
{
	json_t *o = json_pack("{s:[], s:b, s:n, s:i, s:n}", "pins", "dry_run",
			      cli_has(c, OPT_DRY_RUN), "cost", "archived_files",
			      0, "ready_at");
	int rc = o && json_object_update(c->result, o) == 0 ? 0 : -ENOMEM;

	json_decref(o);
	return rc;
}

static int pin_group(struct cli *c, const struct cli_group *g,
		     const char *until, bool dry)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, g->trust, "pin",
			  json_pack("{s:O, s:b, s:s*}", "paths", g->paths,
				    "dry_run", dry, "until",
				    *until ? until : NULL),
			  0, &r);

	if (rc == 0)
		rc = pins_merge(c, g->trust, r);
	if (rc == 0)
		rc = files_sum(c->result, r, "archived_files");
	if (rc == 0 && json_known(r, "cost"))
		rc = cost_money_add(c->result, r, "cost");
	if (rc == 0 && json_u64(r, "archived_files") &&
	    json_object_set(c->result, "ready_at",
			    json_object_get(r, "ready_at")) < 0)
		rc = -ENOMEM;
	return rc;
}

static int pin_groups(struct cli *c, const struct cli_groups *g,
		      const char *until, bool dry)
{
	size_t i;
	int rc = pin_new(c);

	for (i = 0; i < g->n && rc == 0; i++)
		rc = pin_group(c, &g->g[i], until, dry);
	return rc;
}

static void pin_archived(FILE *f, const json_t *r)
{
	CLEANUP_BUF struct buf when = { 0 }, cost = { 0 };

	if (text_time(json_text(r, "ready_at"), &when) < 0 ||
	    cost_show_money(r, "cost", &cost) < 0 || !buf_str(&when) ||
	    !buf_str(&cost))
		return;
	fprintf(f,
		"%" PRIu64 " of them come from an archive class: ready by %s, "
		"cost %s\n",
		json_u64(r, "archived_files"), (char *)when.data,
		json_known(r, "cost") ? (char *)cost.data : "not known");
}

static int pin_until(struct cli *c, char out[CLOCK_ISO_SIZE])
{
	int64_t at;

	if (!cli_has(c, OPT_UNTIL))
		return 0;
	if (clinic_until(c->opt[OPT_UNTIL], clock_wall_ns(), &at) < 0)
		return cli_usage(c, "--until: '%s' is no date: want 2026-12-31",
				 c->opt[OPT_UNTIL]);
	clock_iso(at, out);
	return 0;
}

int verb_pin_run(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	bool dry = cli_has(c, OPT_DRY_RUN);
	char until[CLOCK_ISO_SIZE] = "";
	int rc = pin_until(c, until);

	if (rc == 0)
		rc = cli_group_paths(c, &g);
	if (rc == 0 && !dry && !cli_has(c, OPT_YES)) {
		rc = pin_groups(c, &g, until, true);
		if (rc == 0 && json_u64(c->result, "archived_files")) {
			pin_archived(c->msg, c->result);
			rc = cli_ask(c);
		}
	}
	return rc < 0 ? rc : pin_groups(c, &g, until, dry);
}

void verb_pin_show(struct cli *c)
{
	bool dry = json_is_true(json_object_get(c->result, "dry_run"));
	char count[UNITS_SIZE], size[UNITS_SIZE];
	uint64_t files = 0, bytes = 0;
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(c->result, "pins"), i, p) {
		files += json_u64(p, "files");
		bytes += json_u64(p, "bytes");
	}
	fprintf(c->out, "%s %s file%s, %s\n", dry ? "would pin" : "pinned",
		units_format_count(files, count), files == 1 ? "" : "s",
		units_format_size(bytes, size));
	if (json_u64(c->result, "archived_files"))
		pin_archived(c->out, c->result);
}

/* ---- unpin --------------------------------------------------------------- */

int verb_unpin_run(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	bool dry = cli_has(c, OPT_DRY_RUN);
	size_t i;
	int rc = files_new(c);

	if (rc == 0)
		rc = proto_set(c->result, "dry_run", json_boolean(dry));
	if (rc == 0)
		rc = cli_group_paths(c, &g);
	for (i = 0; i < g.n && rc == 0; i++) {
		CLEANUP_JSON json_t *r = NULL;

		rc = cli_call(c, g.g[i].trust, "unpin",
			      json_pack("{s:O, s:b}", "paths", g.g[i].paths,
					"dry_run", dry),
			      0, &r);
		if (rc == 0)
			rc = files_merge(c, g.g[i].trust, r);
	}
	return rc;
}

void verb_unpin_show(struct cli *c)
{
	files_show(c, "unpinned", "would unpin");
}
