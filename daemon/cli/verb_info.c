/* SPDX-License-Identifier: Apache-2.0 */
/* mersey info: where a file's bytes are. */
#include "cli/cost.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

static int info_group(struct cli *c, const struct cli_group *g, json_t *files)
{
	CLEANUP_JSON json_t *r = NULL;
	json_t *f;
	size_t i;
	int rc = cli_call(c, g->trust, "info",
			  json_pack("{s:O}", "paths", g->paths),
			  CLI_SLOW_SECONDS, &r);

	if (rc == 0)
		rc = cli_take_problems(c, g->trust, r);
	json_array_foreach(json_object_get(r, "files"), i, f) {
		if (rc == 0)
			rc = cli_path_out(c, f, g->trust);
		if (rc == 0 && json_array_append(files, f) < 0)
			rc = -ENOMEM;
	}
	return rc;
}

int verb_info_run(struct cli *c)
{
	CLEANUP(cli_groups_done) struct cli_groups g = { .n = 0 };
	json_t *files = json_array();
	int rc = proto_set(c->result, "files", files);
	size_t i;

	if (rc == 0)
		rc = cli_group_paths(c, &g);
	for (i = 0; i < g.n && rc == 0; i++)
		rc = info_group(c, &g.g[i], files);
	if (rc == 0 && json_array_size(c->problems))
		c->exit = CLI_FAILED;
	return rc;
}

/* ---- screen --------------------------------------------------------- */

static int cell_offset(const json_t *e, struct buf *out)
{
	return buf_addf(out, "%" PRIu64, json_u64(e, "offset"));
}

static int cell_bytes(const json_t *e, struct buf *out)
{
	char size[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_format_size(json_u64(e, "bytes"), size));
}

static int cell_cached(const json_t *e, struct buf *out)
{
	char size[UNITS_SIZE];

	if (json_is_true(json_object_get(e, "cached")))
		return buf_addf(out, "yes");
	if (!json_u64(e, "cached_bytes"))
		return buf_addf(out, "no");
	return buf_addf(out, "%s",
			units_format_size(json_u64(e, "cached_bytes"), size));
}

static void info_line(struct cli *c, const char *label, const char *text)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (text_clean(text, &b) == 0 && buf_str(&b))
		fprintf(c->out, "%8s: %s\n", label, (char *)b.data);
}

static void info_state(struct cli *c, const json_t *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = buf_addf(&b, "%s, ", json_text(f, "state"));

	if (rc == 0 && json_known(f, "protected_at")) {
		rc = buf_addf(&b, "protected ");
		if (rc == 0)
			rc = text_time(json_text(f, "protected_at"), &b);
	} else if (rc == 0) {
		rc = buf_addf(&b, "never protected");
	}
	if (rc == 0 && buf_str(&b))
		info_line(c, "state", (char *)b.data);
}

static void info_size(struct cli *c, const json_t *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	char size[UNITS_SIZE], exact[UNITS_SIZE], cached[UNITS_SIZE];
	uint64_t n = json_u64(f, "size_bytes");

	if (buf_addf(&b, "%s (%s bytes), %s of it local",
		     units_format_size(n, size), units_format_count(n, exact),
		     units_format_size(json_u64(f, "cached_bytes"), cached)) ==
		    0 &&
	    buf_str(&b))
		info_line(c, "size", (char *)b.data);
}

static void info_where(struct cli *c, const json_t *f)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (json_known(f, "tier") &&
	    buf_addf(&b, "%s (%s)", json_text(f, "tier"),
		     json_text(f, "storage_class")) == 0 &&
	    buf_str(&b))
		info_line(c, "tier", (char *)b.data);
}

static void info_study(struct cli *c, const json_t *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = -ENOENT;

	if (json_known(f, "study_uid"))
		rc = buf_addf(&b, "%s", json_text(f, "study_uid"));
	if (rc == 0 && json_known(f, "modality"))
		rc = buf_addf(&b, " (%s)", json_text(f, "modality"));
	if (rc == 0 && buf_str(&b))
		info_line(c, "study", (char *)b.data);
}

static void info_pinned(struct cli *c, const json_t *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	const char *until = json_text(f, "pinned_until");
	int rc;

	if (!json_known(f, "pinned_until"))
		return;
	rc = buf_addf(&b, "until ");
	if (rc == 0 && strncmp(until, "2262", 4) == 0)
		rc = buf_addf(&b, "it is unpinned");
	else if (rc == 0)
		rc = text_time(until, &b);
	if (rc == 0 && buf_str(&b))
		info_line(c, "pinned", (char *)b.data);
}

/* "move to cool (2. priors, policy imaging)" */
static void info_rule(struct cli *c, const json_t *f)
{
	const json_t *r = json_object_get(f, "rule");
	CLEANUP_BUF struct buf b = { 0 };

	if (json_known(f, "rule") &&
	    buf_addf(&b, "%s%s%s (%" PRIu64 ". %s, policy %s)",
		     json_text(r, "do"), json_known(r, "to") ? " to " : "",
		     json_text(r, "to"), json_u64(r, "index"),
		     json_text(r, "for"), json_text(r, "policy")) == 0 &&
	    buf_str(&b))
		info_line(c, "rule", (char *)b.data);
}

/* "can be read in 12 h 0 min, for £0.41". */
static void info_recall(struct cli *c, const json_t *f)
{
	const json_t *r = json_object_get(f, "recall");
	CLEANUP_BUF struct buf b = { 0 };
	char takes[UNITS_SIZE];
	int rc;

	if (!json_known(f, "recall"))
		return;
	rc = buf_addf(&b, "can be read in %s",
		      units_format_duration((int64_t)json_u64(r, "seconds") *
						    NSEC_PER_SEC,
					    takes));
	if (rc == 0 && json_known(r, "cost"))
		rc = buf_addf(&b, ", for ");
	if (rc == 0 && json_known(r, "cost"))
		rc = cost_show_money(r, "cost", &b);
	if (rc == 0 && buf_str(&b))
		info_line(c, "recall", (char *)b.data);
}

static void info_show_file(struct cli *c, const json_t *f)
{
	static const struct table_col col[] = {
		{ "OFFSET", true, cell_offset, NULL },
		{ "BYTES", true, cell_bytes, NULL },
		{ "LOCAL", false, cell_cached, NULL },
		{ "OBJECT", false, NULL, "object" },
	};
	CLEANUP_BUF struct buf path = { 0 };
	const json_t *extents = json_object_get(f, "extents");

	if (text_clean(json_text(f, "path"), &path) < 0 || !buf_str(&path))
		return;
	fprintf(c->out, "%s\n", (char *)path.data);
	info_state(c, f);
	info_size(c, f);
	info_where(c, f);
	info_study(c, f);
	info_pinned(c, f);
	info_rule(c, f);
	info_recall(c, f);
	if (json_array_size(extents))
		table_print(c->out, col, ARRAY_SIZE(col), extents, NULL);
}

void verb_info_show(struct cli *c)
{
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(c->result, "files"), i, f) {
		if (i)
			fputc('\n', c->out);
		info_show_file(c, f);
	}
}
