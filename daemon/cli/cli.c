/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <string.h>

static void cli_done(struct cli *c)
{
	config_free(c->cfg);
	json_decref(c->result);
	json_decref(c->problems);
}

static int cli_help_named(struct cli *c, const char *name)
{
	const struct cli_verb *v;
	size_t len = strlen(name);
	int found = 0;

	if (strcmp(name, "json") == 0) {
		cli_keys_print(c->out);
		return 0;
	}
	for (v = cli_verbs; v->name; v++) {
		if (strncmp(v->name, name, len) != 0 ||
		    (v->name[len] != '\0' && v->name[len] != ' '))
			continue;
		if (found++)
			fputc('\n', c->out);
		cli_help_verb(c->out, v);
	}
	return found ? 0 : cli_usage(c, "there is no verb '%s'", name);
}

/* mersey help [VERB], with one or two words. */
static int cli_help_run(struct cli *c)
{
	char name[64];

	if (c->args < 2) {
		cli_help(c->out);
		return 0;
	}
	snprintf(name, sizeof(name), "%s%s%s", c->arg[1],
		 c->args > 2 ? " " : "", c->args > 2 ? c->arg[2] : "");
	return cli_help_named(c, name);
}

static int cli_dispatch(struct cli *c)
{
	if (cli_has(c, OPT_VERSION)) {
		fprintf(c->out, "mersey %s\n", MERSEY_VERSION);
		return 0;
	}
	if (c->args && !c->verb)
		return cli_help_run(c);
	if (!c->verb && cli_has(c, OPT_HELP)) {
		cli_help(c->out);
		return 0;
	}
	if (!c->verb)
		return cli_usage(c, "which verb?");
	cli_help_verb(c->out, c->verb);
	return 0;
}

static bool cli_runs_verb(const struct cli *c)
{
	return c->verb && !cli_has(c, OPT_HELP) && !cli_has(c, OPT_VERSION);
}

/* Help and version are text, whatever else was asked for. */
static int cli_run(struct cli *c, int argc, char **argv)
{
	int rc = cli_parse(c, argc, argv);

	if (rc < 0)
		return cli_finish(c, rc);
	if (!cli_runs_verb(c)) {
		rc = cli_dispatch(c);
		return rc < 0 ? cli_finish(c, rc) : CLI_OK;
	}
	rc = c->verb->run(c);
	progress_end(c);
	return cli_finish(c, rc);
}

int cli_main(int argc, char **argv, FILE *out, FILE *msg)
{
	struct cli c = { .out = out,
			 .msg = msg,
			 .result = json_object(),
			 .problems = json_array(),
			 .err = ERR_INIT };
	CLEANUP_FREE char **arg = calloc((size_t)MAX(argc, 1), sizeof(*arg));
	int rc = CLI_FAILED;

	c.arg = arg;
	if (arg && c.result && c.problems)
		rc = cli_run(&c, argc, argv);
	else
		cli_print_error(msg, "no memory", NULL);
	cli_done(&c);
	return rc;
}
