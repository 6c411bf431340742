/* SPDX-License-Identifier: Apache-2.0 */
/* mersey jobs: background work of all trusts. */
#include "cli/cli.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/units.h"

#define JOBS_EVERY (2 * NSEC_PER_SEC)

/* 1 when the trust answered; one that does not is a problem of its own. */
static int jobs_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "jobs", json_object(), CLI_LOOK_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW) {
		rc = cli_offline(c, t, rc);
		return rc;
	}
	if (rc < 0)
		return rc;
	return json_array_extend(list, json_object_get(r, "jobs")) < 0 ? -ENOMEM
								       : 1;
}

static int jobs_look(struct cli *c)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "jobs", list);

	json_array_clear(c->problems);
	return rc < 0 ? rc : cli_each(c, false, jobs_one, list);
}

/* Until interrupted: a screen, or one envelope a line. */
static int jobs_watch(struct cli *c)
{
	for (;;) {
		CLEANUP_JSON json_t *o = NULL;
		CLEANUP_BUF struct buf b = { 0 };
		int rc = jobs_look(c);

		if (rc < 0)
			return rc;
		if (c->json) {
			o = cli_envelope(c);
			rc = o ? proto_line(o, &b) : -ENOMEM;
			if (rc < 0)
				return rc;
			fwrite(b.data, b.len, 1, c->out);
		} else {
			if (isatty(fileno(c->out)))
				fputs("\033[H\033[J", c->out);
			verb_jobs_show(c);
		}
		if (fflush(c->out) != 0)
			return -EPIPE;
		clock_sleep_ns(JOBS_EVERY);
	}
}

int verb_jobs_run(struct cli *c)
{
	return cli_has(c, OPT_WATCH) ? jobs_watch(c) : jobs_look(c);
}

/* ---- screen --------------------------------------------------------- */

static int cell_since(const json_t *j, struct buf *out)
{
	if (!json_known(j, "started_at"))
		return buf_addf(out, "–");
	return text_time(json_text(j, "started_at"), out);
}

static int amount(const json_t *o, struct buf *out)
{
	char n[UNITS_SIZE], size[UNITS_SIZE];

	return buf_addf(out, "%s, %s",
			units_format_count(json_u64(o, "files"), n),
			units_format_size(json_u64(o, "bytes"), size));
}

static int cell_done(const json_t *j, struct buf *out)
{
	const json_t *total = json_object_get(j, "total");
	int rc = amount(json_object_get(j, "done"), out);

	if (rc == 0 && json_is_object(total)) {
		rc = buf_addf(out, " of ");
		if (rc == 0)
			rc = amount(total, out);
	}
	return rc;
}

static int cell_rate(const json_t *j, struct buf *out)
{
	char size[UNITS_SIZE];

	if (!json_known(j, "rate_bytes_per_second"))
		return buf_addf(out, "–");
	return buf_addf(
		out, "%s/s",
		units_format_size(json_u64(j, "rate_bytes_per_second"), size));
}

static int cell_why(const json_t *j, struct buf *out)
{
	int rc = 0;

	if (json_known(j, "waiting_for"))
		rc = buf_addf(out, "waits for %s", json_text(j, "waiting_for"));
	else if (json_known(j, "last_error"))
		rc = buf_addf(out, "%s", json_text(j, "last_error"));
	if (rc == 0 && json_known(j, "next_at") &&
	    json_known(j, "last_error")) {
		rc = buf_addf(out, ", next try ");
		if (rc == 0)
			rc = text_time(json_text(j, "next_at"), out);
	}
	return rc;
}

void verb_jobs_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "JOB", false, NULL, "job" },
		{ "STATE", false, NULL, "state" },
		{ "SINCE", false, cell_since, NULL },
		{ "DONE", true, cell_done, NULL },
		{ "RATE", true, cell_rate, NULL },
		{ "WHY", false, cell_why, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "jobs"), NULL);
}
