/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, exit statuses, the JSON envelope. */
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"

int cli_usage(struct cli *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail(&c->err, -EINVAL, "%s", text);
	fail_hint(&c->err, -EINVAL, "mersey help%s%s", c->verb ? " " : "",
		  c->verb ? c->verb->name : "");
	snprintf(c->code, sizeof(c->code), "usage");
	c->exit = CLI_USAGE;
	return -EINVAL;
}

enum cli_exit cli_exit_of(int rc)
{
	switch (rc) {
	case 0:
		return CLI_OK;
	case -EAGAIN:
	case -ETIMEDOUT:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return CLI_NOT_NOW;
	case -EPERM:
	case -EDQUOT:
	case -EKEYEXPIRED: /* a plan that is out of date */
		return CLI_REFUSED;
	default:
		return CLI_FAILED;
	}
}

int cli_problem(struct cli *c, const char *trust, const char *code,
		const char *message, const char *hint)
{
	json_t *o = json_pack("{s:o, s:s, s:o, s:o}", "trust",
			      proto_text(trust), "code", code, "message",
			      proto_text(message), "hint", proto_text(hint));

	return json_array_append_new(c->problems, o) < 0 ? -ENOMEM : 0;
}

/* ---- config --------------------------------------------------------- */

static const char *config_path(const struct cli *c)
{
	const char *env = getenv("MERSEY_CONFIG");

	if (c->opt[OPT_CONFIG])
		return c->opt[OPT_CONFIG];
	return env && *env ? env : CONFIG_DEFAULT_PATH;
}

/* The first error stands for all; `config check` lists them. */
static int config_failed(struct cli *c, const char *path, int rc,
			 const struct config_problems *ps)
{
	CLEANUP_BUF struct buf b = { 0 };
	char *nl;

	c->exit = CLI_USAGE;
	snprintf(c->code, sizeof(c->code), "config");
	if (!ps->n || config_problem_format(&ps->p[0], &b) < 0 || !buf_str(&b))
		return rc;
	nl = strchr((char *)b.data, '\n');
	if (nl)
		*nl = '\0';
	fail(&c->err, rc, "%s", (char *)b.data);
	return fail_hint(&c->err, rc, "mersey config check %s (%zu error%s)",
			 path, ps->n, ps->n == 1 ? "" : "s");
}

int cli_config(struct cli *c)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	const char *path = config_path(c);
	int rc;

	if (c->cfg)
		return 0;
	rc = config_load(path, &c->cfg, &ps, &c->err);
	return rc < 0 ? config_failed(c, path, rc, &ps) : 0;
}

/* ---- printing ------------------------------------------------------- */

void cli_print_error(FILE *f, const char *message, const char *hint)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (buf_addf(&b, "mersey: ") < 0 || text_clean(message, &b) < 0)
		return;
	if (hint && *hint &&
	    (buf_addf(&b, "\n  try: ") < 0 || text_clean(hint, &b) < 0))
		return;
	fprintf(f, "%s\n", buf_str(&b));
}

static json_t *envelope(const struct cli *c)
{
	return json_pack("{s:i, s:o, s:o}", "mersey", 1, "verb",
			 proto_text(c->verb ? c->verb->name : NULL), "at",
			 proto_time(clock_wall_ns()));
}

json_t *cli_envelope(const struct cli *c)
{
	json_t *o = envelope(c);

	if (o && (json_object_set(o, "result", c->result) < 0 ||
		  json_object_set(o, "problems", c->problems) < 0)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *cli_envelope_error(const struct cli *c, int rc)
{
	json_t *o = envelope(c);

	if (o && proto_set(o, "error",
			   proto_error(c->code[0] ? c->code : NULL, rc,
				       &c->err)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static void print_problems(const struct cli *c)
{
	const json_t *p;
	size_t i;

	json_array_foreach(c->problems, i, p) {
		CLEANUP_BUF struct buf b = { 0 };
		const char *who = json_known(p, "path") ? json_text(p, "path")
				  : json_known(p, "trust")
					  ? json_text(p, "trust")
					  : NULL;

		if (who)
			buf_addf(&b, "%s: ", who);
		buf_addf(&b, "%s", json_text(p, "message"));
		if (buf_str(&b))
			cli_print_error(c->msg, (char *)b.data,
					json_text(p, "hint"));
	}
}

static void finish_ok(struct cli *c)
{
	CLEANUP_JSON json_t *o = NULL;

	if (c->json) {
		o = cli_envelope(c);
		if (o)
			json_dumpf(o, c->out, JSON_INDENT(2));
		fputc('\n', c->out);
		return;
	}
	if (!c->quiet && c->verb->show)
		c->verb->show(c);
	fflush(c->out);
	if (!c->verb->shows_problems)
		print_problems(c);
}

int cli_finish(struct cli *c, int rc)
{
	CLEANUP_JSON json_t *o = NULL;

	if (rc == 0) {
		finish_ok(c);
	} else if (c->json) {
		o = cli_envelope_error(c, rc);
		if (o)
			json_dumpf(o, c->out, JSON_INDENT(2));
		fputc('\n', c->out);
	} else {
		cli_print_error(c->msg,
				c->err.msg[0] ? c->err.msg : strerror(-rc),
				c->err.hint);
	}
	if (rc < 0 && !c->exit)
		c->exit = (int)cli_exit_of(rc);
	/* a result that did not reach its reader is not done */
	if (fflush(c->out) != 0 || ferror(c->out)) {
		cli_print_error(c->msg, "cannot write the output", NULL);
		return CLI_FAILED;
	}
	return c->exit;
}
