/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey metrics: what the workers tell, as Prometheus text (exposition format
 * 0.0.4). All samples of a metric stand together, in the order of the table.
 */
#include "cli/cli.h"

#include <string.h>

#include "ctl/metrics.h"

/* ---- collecting ----------------------------------------------------- */

/* {"mersey_files": {"name", "type", "help", "samples": []}, ...}: in the order
 * of the table, to find them by name. */
static json_t *families_new(void)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; o && i < metrics_n; i++) {
		const struct metric *m = &metrics[i];
		json_t *f = json_pack("{s:s, s:s, s:s, s:[]}", "name", m->name,
				      "type", metric_type_name(m->type), "help",
				      m->help, "samples");

		if (proto_set(o, m->name, f) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

/* Adds a sample of a trust, which becomes its first label. */
static int family_add(json_t *families, const char *trust, const json_t *s)
{
	json_t *f = json_object_get(families, json_text(s, "metric"));
	CLEANUP_JSON json_t *labels = json_pack("{s:s}", "trust", trust);
	json_t *copy;

	if (!f) /* a newer worker has more */
		return 0;
	copy = json_copy((json_t *)s);
	if (!labels || !copy ||
	    json_object_update(labels, json_object_get(s, "labels")) < 0 ||
	    json_object_set(copy, "labels", labels) < 0 ||
	    json_object_del(copy, "metric") < 0) {
		json_decref(copy);
		return -ENOMEM;
	}
	return json_array_append_new(json_object_get(f, "samples"), copy) < 0
		       ? -ENOMEM
		       : 0;
}

static int metrics_up(json_t *families, const struct config_trust *t, bool up)
{
	CLEANUP_JSON json_t *s = json_pack("{s:s, s:{}, s:i, s:n}", "metric",
					   "mersey_up", "labels", "value",
					   (int)up, "histogram");

	return s ? family_add(families, t->name, s) : -ENOMEM;
}

static int metrics_one(struct cli *c, const struct config_trust *t,
		       json_t *families)
{
	CLEANUP_JSON json_t *r = NULL;
	const json_t *s;
	size_t i;
	int rc = cli_call(c, t, "metrics", json_object(), CLI_LOOK_SECONDS, &r);
	int up = rc == 0;

	if (rc < 0 && cli_exit_of(rc) == CLI_NOT_NOW)
		rc = cli_offline(c, t, rc);
	if (rc == 0)
		rc = metrics_up(families, t, up);
	json_array_foreach(json_object_get(r, "samples"), i, s) {
		if (rc == 0)
			rc = family_add(families, t->name, s);
	}
	return rc < 0 ? rc : up;
}

/* ---- text ----------------------------------------------------------- */

/* Escaped as the format wants it: in a HELP line quotes stay. */
static int add_escaped(struct buf *out, const char *s, bool quotes)
{
	int rc = 0;

	for (; rc == 0 && *s; s++)
		if (*s == '\n')
			rc = buf_addf(out, "\\n");
		else if (*s == '\\' || (quotes && *s == '"'))
			rc = buf_addf(out, "\\%c", *s);
		else
			rc = buf_add(out, s, 1);
	return rc;
}

/* {a="x",b="y"}, with a last one `le` unless that is NULL. */
static int add_labels(struct buf *out, const json_t *s, const char *le)
{
	const char *name, *sep = "{";
	json_t *v;
	int rc = 0;

	json_object_foreach(json_object_get(s, "labels"), name, v) {
		if (rc == 0)
			rc = buf_addf(out, "%s%s=\"", sep, name);
		if (rc == 0)
			rc = add_escaped(out, json_string_value(v), true);
		if (rc == 0)
			rc = buf_add(out, "\"", 1);
		sep = ",";
	}
	if (rc == 0 && le)
		rc = buf_addf(out, "%sle=\"%s\"", sep, le);
	return rc < 0 ? rc : buf_add(out, "}", 1);
}

static int add_value(struct buf *out, const json_t *v)
{
	if (json_is_integer(v))
		return buf_addf(out, " %lld\n",
				(long long)json_integer_value(v));
	return buf_addf(out, " %.15g\n", json_number_value(v));
}

static int add_line(struct buf *out, const char *name, const char *suffix,
		    const json_t *s, const char *le, const json_t *value)
{
	int rc = buf_addf(out, "%s%s", name, suffix);

	if (rc == 0)
		rc = add_labels(out, s, le);
	return rc < 0 ? rc : add_value(out, value);
}

static int add_histogram(struct buf *out, const char *name, const json_t *s)
{
	const json_t *h = json_object_get(s, "histogram"), *le;
	const json_t *n = json_object_get(h, "buckets");
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(h, "le"), i, le) {
		if (rc == 0)
			rc = add_line(out, name, "_bucket", s,
				      json_string_value(le),
				      json_array_get(n, i));
	}
	if (rc == 0)
		rc = add_line(out, name, "_bucket", s, "+Inf",
			      json_object_get(h, "count"));
	if (rc == 0)
		rc = add_line(out, name, "_sum", s, NULL,
			      json_object_get(h, "sum"));
	return rc < 0 ? rc
		      : add_line(out, name, "_count", s, NULL,
				 json_object_get(h, "count"));
}

static int add_family(struct buf *out, const json_t *f)
{
	const char *name = json_text(f, "name");
	const json_t *samples = json_object_get(f, "samples"), *s;
	size_t i;
	int rc = buf_addf(out, "# HELP %s ", name);

	if (rc == 0)
		rc = add_escaped(out, json_text(f, "help"), false);
	if (rc == 0)
		rc = buf_addf(out, "\n# TYPE %s %s\n", name,
			      json_text(f, "type"));
	json_array_foreach(samples, i, s) {
		if (rc < 0)
			break;
		rc = json_known(s, "histogram")
			     ? add_histogram(out, name, s)
			     : add_line(out, name, "", s, NULL,
					json_object_get(s, "value"));
	}
	return rc;
}

static int metrics_text(const json_t *list, struct buf *out)
{
	const json_t *f;
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, f) {
		if (rc == 0 && json_array_size(json_object_get(f, "samples")))
			rc = add_family(out, f);
	}
	return rc;
}

/* ---- the verb ------------------------------------------------------- */

/* For the textfile collector, which may read at any time, as another user. */
static int metrics_write(struct cli *c)
{
	const char *file = c->opt[OPT_OUT];
	CLEANUP_BUF struct buf b = { 0 };
	int rc = metrics_text(json_object_get(c->result, "metrics"), &b);

	if (rc == 0)
		rc = io_write_file(file, 0644, b.data, b.len, false);
	if (rc == 0)
		return 0;
	c->exit = CLI_FAILED;
	return fail(&c->err, rc, "cannot write '%s': %m", file);
}

int verb_metrics_run(struct cli *c)
{
	CLEANUP_JSON json_t *families = families_new();
	json_t *list = json_array(), *f;
	const char *name;
	int rc = proto_set(c->result, "metrics", list);

	if (rc == 0)
		rc = families ? cli_each(c, true, metrics_one, families)
			      : -ENOMEM;
	json_object_foreach(families, name, f) {
		if (rc == 0 && json_array_append(list, f) < 0)
			rc = -ENOMEM;
	}
	return rc == 0 && cli_has(c, OPT_OUT) ? metrics_write(c) : rc;
}

void verb_metrics_show(struct cli *c)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (cli_has(c, OPT_OUT))
		return;
	if (metrics_text(json_object_get(c->result, "metrics"), &b) == 0)
		fwrite(b.data, b.len, 1, c->out);
}
