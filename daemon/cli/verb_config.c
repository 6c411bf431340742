/* SPDX-License-Identifier: Apache-2.0 */
/* mersey config check | show | schema. */
#include "cli/cli.h"

#include <string.h>

/* ---- check ---------------------------------------------------------- */

static json_t *problem_json(const struct config_problem *p)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o}", "file", proto_text(p->file),
		"line", p->line ? json_integer(p->line) : json_null(), "column",
		p->column ? json_integer(p->column) : json_null(), "key",
		proto_text(p->key), "message", proto_text(p->message),
		"suggestion", proto_text(p->suggestion));
}

static int check_list(struct cli *c, const struct config_problems *ps)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "errors", list);
	size_t i;

	for (i = 0; i < ps->n && rc == 0; i++)
		if (json_array_append_new(list, problem_json(&ps->p[i])) < 0)
			rc = -ENOMEM;
	if (rc == 0 && ps->n)
		c->exit = CLI_USAGE;
	return rc;
}

int verb_config_check_run(struct cli *c)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	const char *env = getenv("MERSEY_CONFIG");
	const char *path = c->args		? c->arg[0]
			   : c->opt[OPT_CONFIG] ? c->opt[OPT_CONFIG]
			   : env && *env	? env
						: CONFIG_DEFAULT_PATH;
	int rc = config_load(path, &c->cfg, &ps, &c->err);

	if (rc < 0 && !ps.n) {
		c->exit = CLI_USAGE;
		return rc;
	}
	rc = check_list(c, &ps);
	if (rc == 0)
		rc = proto_set(c->result, "file", json_string(path));
	return rc;
}

static void check_show_one(struct cli *c, const json_t *e)
{
	CLEANUP_BUF struct buf b = { 0 };
	bool at = json_known(e, "line");

	if (buf_addf(&b, "%s", json_text(e, "file")) < 0 ||
	    (at &&
	     buf_addf(&b, ":%llu:%llu", (unsigned long long)json_u64(e, "line"),
		      (unsigned long long)json_u64(e, "column")) < 0) ||
	    buf_addf(&b, ": %s", json_text(e, "message")) < 0 ||
	    (json_known(e, "suggestion") &&
	     buf_addf(&b, " (%s)", json_text(e, "suggestion")) < 0) ||
	    !buf_str(&b))
		return;
	fprintf(c->out, "%s\n", (char *)b.data);
}

void verb_config_check_show(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "errors"), *e;
	size_t i;

	json_array_foreach(list, i, e)
		check_show_one(c, e);
	if (!json_array_size(list))
		fprintf(c->out, "%s: no errors\n",
			json_text(c->result, "file"));
}

/* ---- show and schema ------------------------------------------------ */

/* Text from config is its own JSON; it becomes the result. */
static int take_json(struct cli *c, const struct buf *text)
{
	json_t *o = NULL;
	int rc = proto_parse((const char *)text->data, text->len, &o, &c->err);

	if (rc < 0)
		return fail_prefix(&c->err, -EIO, "config");
	json_decref(c->result);
	c->result = o;
	return 0;
}

int verb_config_show_run(struct cli *c)
{
	CLEANUP_BUF struct buf b = { 0 };
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n;
	int rc = cli_select(c, true, t, &n);

	if (rc == 0)
		rc = config_show_json(c->cfg, c->args ? c->arg[0] : NULL, &b);
	return rc < 0 ? rc : take_json(c, &b);
}

void verb_config_show_show(struct cli *c)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (config_show_yaml(c->cfg, c->args ? c->arg[0] : NULL, &b) == 0 &&
	    b.len)
		fwrite(b.data, b.len, 1, c->out);
}

int verb_config_schema_run(struct cli *c)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = config_schema(&b);

	return rc < 0 ? rc : take_json(c, &b);
}

void verb_config_schema_show(struct cli *c)
{
	json_dumpf(c->result, c->out, JSON_INDENT(2));
	fputc('\n', c->out);
}
