/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey recall: of paths, or of the patients of a clinic list. What must come
 * from an archive class is shown with cost and time before it is ordered.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/clinic.h"
#include "cli/cost.h"
#include "cli/files.h"

#define SHOWN_MAX 10 /* at risk, on the screen */

/* ---- several trusts make one result ------------------------------------- */

static int recall_new(struct cli *c)
{
	json_t *o = json_pack("{s:b, s:i, s:n, s:b, s:i, s:i, s:n, s:[], s:i,"
			      " s:[]}",
			      "dry_run", cli_has(c, OPT_DRY_RUN), "requests", 0,
			      "cost", "cost_confirmed", true, "archived_files",
			      0, "archived_bytes", 0, "ready_at", "at_risk",
			      "at_risk_files", 0, "patients");
	int rc = files_new(c);

	if (rc == 0 && (!o || json_object_update(c->result, o) < 0))
		rc = -ENOMEM;
	json_decref(o);
	return rc;
}

/* The later one; ISO 8601 sorts as text. */
static int merge_ready(json_t *to, const json_t *from)
{
	if (!json_known(from, "ready_at") ||
	    (json_known(to, "ready_at") &&
	     strcmp(json_text(to, "ready_at"), json_text(from, "ready_at")) >=
		     0))
		return 0;
	return json_object_set(to, "ready_at",
			       json_object_get(from, "ready_at")) < 0
		       ? -ENOMEM
		       : 0;
}

static int merge_cost(json_t *to, const json_t *from)
{
	int rc = files_sum(to, from, "requests");

	if (rc == 0)
		rc = files_sum(to, from, "archived_files");
	if (rc == 0)
		rc = files_sum(to, from, "archived_bytes");
	if (rc == 0 && json_known(from, "cost"))
		rc = cost_money_add(to, from, "cost");
	if (rc == 0 && !(json_known(from, "cost") &&
			 json_is_true(json_object_get(from, "cost_confirmed"))))
		rc = proto_set(to, "cost_confirmed", json_false());
	return rc < 0 ? rc : merge_ready(to, from);
}

static int merge_risk(struct cli *c, const struct config_trust *t,
		      const json_t *from)
{
	json_t *all = json_object_get(c->result, "at_risk"), *p;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(from, "at_risk"), i, p) {
		if (rc == 0)
			rc = cli_path_out(c, p, t);
		if (rc == 0 && json_array_append(all, p) < 0)
			rc = -ENOMEM;
	}
	return rc < 0 ? rc : files_sum(c->result, from, "at_risk_files");
}

/* ---- the question ------------------------------------------------------- */

static void show_when(FILE *f, const json_t *r, const char *key)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (json_known(r, key) && text_time(json_text(r, key), &b) == 0 &&
	    buf_str(&b))
		fprintf(f, "%s", (char *)b.data);
}

static void show_cost(FILE *f, const json_t *r)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (!json_known(r, "cost"))
		fprintf(f, "cost not known");
	else if (cost_show_money(r, "cost", &b) == 0 && buf_str(&b))
		fprintf(f, "cost %s%s", (char *)b.data,
			json_is_true(json_object_get(r, "cost_confirmed"))
				? ""
				: " (a price is unconfirmed)");
}

/* "1,204 files, 31 GiB from an archive class: ready by 09:14, cost £4.11". */
static void show_archived(FILE *f, const json_t *r)
{
	uint64_t n = json_u64(r, "archived_files");
	char count[UNITS_SIZE], size[UNITS_SIZE];

	fprintf(f, "%s file%s, %s from an archive class: ready by ",
		units_format_count(n, count), n == 1 ? "" : "s",
		units_format_size(json_u64(r, "archived_bytes"), size));
	show_when(f, r, "ready_at");
	fprintf(f, ", ");
	show_cost(f, r);
	fprintf(f, "\n");
}

/* What was looked at is kept from the result. */
static int recall_ask(struct cli *c)
{
	if (json_u64(c->result, "archived_files") == 0)
		return 0;
	show_archived(c->msg, c->result);
	return cli_ask(c);
}

/* ---- paths -------------------------------------------------------------- */

/* When it is to be there, as UTC. */
static int recall_by(struct cli *c, char out[CLOCK_ISO_SIZE])
{
	int64_t at;

	if (!cli_has(c, OPT_BY))
		return 0;
	if (clinic_next(c->opt[OPT_BY], clock_wall_ns(), &at) < 0)
		return cli_usage(c,
				 "--by: '%s' is no time: want 09:00 or "
				 "\"2026-11-30 09:00\"",
				 c->opt[OPT_BY]);
	clock_iso(at, out);
	return 0;
}

static int recall_group(struct cli *c, const struct cli_group *g,
			const char *by, bool dry)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, g->trust, "recall",
			  json_pack("{s:O, s:b, s:b, s:s*, s:s*}", "paths",
				    g->paths, "dry_run", dry, "wait",
				    cli_has(c, OPT_WAIT), "speed",
				    c->opt[OPT_SPEED], "by", *by ? by : NULL),
			  0, &r);

	if (rc == 0)
		rc = files_merge(c, g->trust, r);
	if (rc == 0)
		rc = merge_cost(c->result, r);
	return rc < 0 ? rc : merge_risk(c, g->trust, r);
}

static int recall_groups(struct cli *c, const struct cli_groups *g,
			 const char *by, bool dry)
{
	size_t i;
	int rc = recall_new(c);

	for (i = 0; i < g->n && rc == 0; i++)
		rc = recall_group(c, &g->g[i], by, dry);
	return rc;
}

static int recall_paths(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	bool dry = cli_has(c, OPT_DRY_RUN);
	char by[CLOCK_ISO_SIZE] = "";
	int rc = recall_by(c, by);

	if (rc == 0)
		rc = cli_group_paths(c, &g);
	if (rc == 0 && !dry && !cli_has(c, OPT_YES)) {
		rc = recall_groups(c, &g, by, true);
		if (rc == 0)
			rc = recall_ask(c);
	}
	if (rc == 0)
		rc = recall_groups(c, &g, by, dry);
	if (rc == 0 && (json_u64(c->result, "skipped_files") ||
			json_u64(c->result, "at_risk_files")))
		c->exit = CLI_ATTENTION;
	return rc;
}

/* ---- clinic lists -------------------------------------------------------- */

static int clinic_load(struct cli *c, struct clinic_list *l)
{
	const char *path = c->opt[OPT_CLINIC_LIST];
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return fail(&c->err, -errno, "cannot read '%s': %m", path);
	rc = clinic_read(f, l, &c->err);
	fclose(f);
	if (rc == -EINVAL)
		c->exit = CLI_USAGE;
	return rc < 0 ? fail_prefix(&c->err, rc, "'%s'", path) : 0;
}

static json_t *clinic_patients(const struct clinic_list *l)
{
	json_t *list = json_array();
	char at[CLOCK_ISO_SIZE];
	size_t i;

	for (i = 0; list && i < l->n; i++) {
		json_t *o = json_pack("{s:s, s:s}", "patient_id",
				      l->row[i].patient, "appointment_at",
				      clock_iso(l->row[i].at_ns, at));

		if (json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int clinic_call(struct cli *c, const struct config_trust *t,
		       json_t *patients, bool dry)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = recall_new(c);

	if (rc == 0)
		rc = cli_call(c, t, "clinic",
			      json_pack("{s:O, s:b, s:s*}", "patients",
					patients, "dry_run", dry, "speed",
					c->opt[OPT_SPEED]),
			      0, &r);
	if (rc == 0)
		rc = merge_cost(c->result, r);
	if (rc == 0 && json_object_set(c->result, "patients",
				       json_object_get(r, "patients")) < 0)
		rc = -ENOMEM;
	return rc;
}

struct clinic_sum {
	size_t known, in_time;
	const char *first, *last; /* appointments */
};

static struct clinic_sum clinic_sum(const json_t *r)
{
	struct clinic_sum s = { 0 };
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(r, "patients"), i, p) {
		const char *state = json_text(p, "state");
		const char *at = json_text(p, "appointment_at");

		if (!s.first || strcmp(at, s.first) < 0)
			s.first = at;
		if (!s.last || strcmp(at, s.last) > 0)
			s.last = at;
		if (strcmp(state, "unknown") == 0)
			continue;
		s.known++;
		s.in_time += strcmp(state, "at_risk") != 0;
	}
	return s;
}

static void clinic_at(FILE *f, const char *iso)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (text_time(iso, &b) == 0 && buf_str(&b))
		fprintf(f, "%s", (char *)b.data);
}

static void clinic_risk(FILE *f, const json_t *r)
{
	size_t i, n = 0;
	const json_t *p;

	json_array_foreach(json_object_get(r, "patients"), i, p) {
		CLEANUP_BUF struct buf id = { 0 };

		if (strcmp(json_text(p, "state"), "at_risk") != 0)
			continue;
		if (n++ >= SHOWN_MAX)
			continue;
		if (text_clean(json_text(p, "patient_id"), &id) < 0 ||
		    !buf_str(&id))
			return;
		fprintf(f, "%s%s at ",
			n > 1 ? ", " : ", at risk: ", (char *)id.data);
		clinic_at(f, json_text(p, "appointment_at"));
		if (!json_known(p, "ready_at")) {
			fprintf(f, " (over)");
			continue;
		}
		fprintf(f, " (ready ");
		show_when(f, p, "ready_at");
		fprintf(f, ")");
	}
	if (n > SHOWN_MAX)
		fprintf(f, " and %zu more", n - SHOWN_MAX);
}

/* "ready by 09:00: 412 of 430, cost £4.11, at risk: ...". */
static void clinic_show(FILE *f, const json_t *r)
{
	struct clinic_sum s = clinic_sum(r);
	size_t all = json_array_size(json_object_get(r, "patients"));

	if (!s.first || !s.last)
		return;
	fprintf(f, "ready by ");
	clinic_at(f, s.first);
	if (strcmp(s.first, s.last) != 0) {
		fprintf(f, " to ");
		clinic_at(f, s.last);
	}
	fprintf(f, ": %zu of %zu, ", s.in_time, s.known);
	show_cost(f, r);
	clinic_risk(f, r);
	fprintf(f, "\n");
	if (all > s.known)
		fprintf(f, "%zu of the list have no studies here\n",
			all - s.known);
}

static int clinic_trust(struct cli *c, const struct config_trust **t)
{
	const struct config_trust *all[CLI_TRUSTS_MAX];
	size_t n;
	int rc = cli_select(c, false, all, &n);

	if (rc < 0)
		return rc;
	if (n != 1) /* no trust is told of another one's patients */
		return cli_usage(c, "whose list is it? Say --trust NAME");
	*t = all[0];
	return 0;
}

static int recall_clinic(struct cli *c)
{
	CLEANUP(clinic_done) struct clinic_list l = { 0 };
	CLEANUP_JSON json_t *patients = NULL;
	const struct config_trust *t = NULL;
	bool dry = cli_has(c, OPT_DRY_RUN);
	struct clinic_sum s;
	int rc = clinic_trust(c, &t);

	if (rc == 0)
		rc = clinic_load(c, &l);
	if (rc < 0)
		return rc;
	patients = clinic_patients(&l);
	if (!patients)
		return -ENOMEM;
	if (!dry && !cli_has(c, OPT_YES)) {
		rc = clinic_call(c, t, patients, true);
		if (rc == 0 && json_u64(c->result, "archived_files")) {
			clinic_show(c->msg, c->result);
			rc = cli_ask(c);
		}
	}
	if (rc == 0)
		rc = clinic_call(c, t, patients, dry);
	if (rc < 0)
		return rc;
	s = clinic_sum(c->result);
	if (s.in_time < s.known)
		c->exit = CLI_ATTENTION;
	return 0;
}

/* ---- the verb ------------------------------------------------------------ */

static int recall_usage(struct cli *c)
{
	const char *s = c->opt[OPT_SPEED];
	bool list = cli_has(c, OPT_CLINIC_LIST);

	if (list == (c->args > 0))
		return cli_usage(c, "'recall' needs either PATH... or "
				    "--clinic-list FILE");
	if (list && (cli_has(c, OPT_BY) || cli_has(c, OPT_WAIT)))
		return cli_usage(c, "a clinic list says when: it takes neither "
				    "--by nor --wait");
	if (s && strcmp(s, "bulk") != 0 && strcmp(s, "standard") != 0 &&
	    strcmp(s, "expedited") != 0)
		return cli_usage(c,
				 "--speed is bulk, standard or expedited, "
				 "not '%s'",
				 s);
	return 0;
}

int verb_recall_run(struct cli *c)
{
	int rc = recall_usage(c);

	if (rc < 0)
		return rc;
	return cli_has(c, OPT_CLINIC_LIST) ? recall_clinic(c) : recall_paths(c);
}

static void show_risk(struct cli *c)
{
	uint64_t n = json_u64(c->result, "at_risk_files");
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(c->result, "at_risk"), i, p) {
		CLEANUP_BUF struct buf path = { 0 };

		if (i == SHOWN_MAX)
			break;
		if (text_clean(json_text(p, "path"), &path) < 0 ||
		    !buf_str(&path))
			return;
		fprintf(c->msg, "mersey: not in time: '%s'\n",
			(char *)path.data);
	}
	if (n > i)
		fprintf(c->msg, "mersey: and %" PRIu64 " more\n", n - i);
}

void verb_recall_show(struct cli *c)
{
	if (json_array_size(json_object_get(c->result, "patients"))) {
		clinic_show(c->out, c->result);
		return;
	}
	files_show(c, "recalled", "would recall");
	if (json_u64(c->result, "archived_files"))
		show_archived(c->out, c->result);
	show_risk(c);
}
