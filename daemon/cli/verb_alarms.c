/* SPDX-License-Identifier: Apache-2.0 */
/* mersey alarms: what needs a person, of all trusts; and who has seen it. */
#include "cli/cli.h"

#include <string.h>

static int alarms_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	int rc = cli_call(c, t, "alarms", json_object(), CLI_LOOK_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		return cli_offline(c, t, rc);
	if (rc < 0)
		return rc;
	return json_array_extend(list, json_object_get(r, "alarms")) < 0
		       ? -ENOMEM
		       : 1;
}

static bool is_active(const json_t *a)
{
	return !json_known(a, "cleared_at");
}

static bool is_unseen(const json_t *a)
{
	return is_active(a) && !json_known(a, "acked_by");
}

/* Active ones of all trusts before those that were. */
static int alarms_sort(json_t *list)
{
	CLEANUP_JSON json_t *all = json_copy(list);
	const int pass[] = { true, false };
	json_t *a;
	size_t i, p;
	int rc = all ? json_array_clear(list) : -1;

	for (p = 0; p < ARRAY_SIZE(pass); p++)
		json_array_foreach(all, i, a) {
			if (rc == 0 && is_active(a) == pass[p])
				rc = json_array_append(list, a);
		}
	return rc < 0 ? -ENOMEM : 0;
}

int verb_alarms_run(struct cli *c)
{
	json_t *list = json_array();
	const json_t *a;
	size_t i;
	int rc = proto_set(c->result, "alarms", list);

	if (rc == 0)
		rc = cli_each(c, true, alarms_one, list);
	if (rc == 0)
		rc = alarms_sort(list);
	json_array_foreach(list, i, a) {
		if (rc == 0 && c->exit == CLI_OK && is_unseen(a))
			c->exit = CLI_ATTENTION;
	}
	return rc;
}

/* ---- acknowledging -------------------------------------------------- */

/* The trust that an id "rem-3" names, and its number; the name may have
 * dashes itself. */
static int ack_parse(struct cli *c, const char *id,
		     const struct config_trust **t, long long *number)
{
	const char *dash = strrchr(id, '-');
	size_t i, n = dash ? (size_t)(dash - id) : 0;
	char *end = NULL;

	*number = dash ? strtoll(dash + 1, &end, 10) : 0;
	for (i = 0; i < c->cfg->n_trusts; i++) {
		*t = &c->cfg->trusts[i];
		if (strncmp((*t)->name, id, n) == 0 && !(*t)->name[n])
			break;
	}
	if (!n || i == c->cfg->n_trusts || *end || *number <= 0)
		return cli_usage(c, "'%s' is not the id of an alarm: TRUST-N",
				 id);
	return 0;
}

static int ack_one(struct cli *c, const char *id, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	const struct config_trust *t = NULL;
	long long number;
	int rc = ack_parse(c, id, &t, &number);

	if (rc == 0)
		rc = cli_call(c, t, "alarms_ack",
			      json_pack("{s:I}", "alarm", (json_int_t)number),
			      CLI_LOOK_SECONDS, &r);
	if (rc < 0)
		return rc;
	return json_array_extend(list, json_object_get(r, "alarms")) < 0
		       ? -ENOMEM
		       : 0;
}

int verb_alarms_ack_run(struct cli *c)
{
	json_t *list = json_array();
	int i, rc = proto_set(c->result, "alarms", list);

	if (rc == 0)
		rc = cli_config(c);
	for (i = 0; rc == 0 && i < c->args; i++)
		rc = ack_one(c, c->arg[i], list);
	return rc;
}

/* ---- the screen ----------------------------------------------------- */

static int cell_time(const json_t *a, const char *key, struct buf *out)
{
	if (!json_known(a, key))
		return buf_addf(out, "–");
	return text_time(json_text(a, key), out);
}

static int cell_raised(const json_t *a, struct buf *out)
{
	return cell_time(a, "raised_at", out);
}

static int cell_cleared(const json_t *a, struct buf *out)
{
	return cell_time(a, "cleared_at", out);
}

static int cell_seen(const json_t *a, struct buf *out)
{
	if (!json_known(a, "acked_by"))
		return buf_addf(out, "–");
	return text_clean(json_text(a, "acked_by"), out);
}

static int cell_message(const json_t *a, struct buf *out)
{
	return text_clean(json_text(a, "message"), out);
}

void verb_alarms_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "ID", false, NULL, "id" },
		{ "SEVERITY", false, NULL, "severity" },
		{ "CODE", false, NULL, "code" },
		{ "RAISED", false, cell_raised, NULL },
		{ "CLEARED", false, cell_cleared, NULL },
		{ "SEEN BY", false, cell_seen, NULL },
		{ "MESSAGE", false, cell_message, NULL },
	};
	const json_t *list = json_object_get(c->result, "alarms"), *a;
	size_t i;

	if (!json_array_size(list)) {
		fputs("no alarms\n", c->out);
		return;
	}
	table_print(c->out, col, ARRAY_SIZE(col), list, NULL);
	json_array_foreach(list, i, a) {
		if (is_unseen(a))
			fprintf(c->out, "%s%s: %s\n", i ? "" : "\n",
				json_text(a, "id"), json_text(a, "action"));
	}
}

void verb_alarms_ack_show(struct cli *c)
{
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(c->result, "alarms"), i, a)
		fprintf(c->out, "%s: seen by %s\n", json_text(a, "id"),
			json_text(a, "acked_by"));
}
