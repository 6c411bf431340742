/* SPDX-License-Identifier: Apache-2.0 */
/* mersey status: a line for each trust, or some in detail. */
#include "cli/cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

/* What a trust that does not answer cannot tell. */
static const char *const status_unknown[] = {
	"since",
	"files",
	"logical_bytes",
	"cached_bytes",
	"by_state",
	"damaged_files",
	"cache_size_bytes",
	"unprotected",
	"cache_room_seconds",
	"quota",
	"alarms",
	"queues",
	"recall",
	"stores",
	"writer",
	"bandwidth",
	"fuse",
	"worker",
	"backup",
};

static json_t *status_offline(const struct config_trust *t)
{
	json_t *o = json_pack("{s:s, s:o, s:s}", "trust", t->name, "name",
			      proto_text(t->long_name), "state", "offline");
	size_t i;

	for (i = 0; o && i < ARRAY_SIZE(status_unknown); i++)
		if (proto_set(o, status_unknown[i], json_null()) < 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}

/* One trust into the list. 1 when it answered, 0 when not, -errno. */
static int status_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	json_t *r = NULL;
	int rc = cli_call(c, t, "status", json_object(), CLI_LOOK_SECONDS, &r);

	if (rc < 0 && cli_exit_of(rc) != CLI_NOT_NOW)
		return rc;
	if (rc < 0) {
		rc = cli_offline(c, t, rc);
		if (rc < 0)
			return rc;
		r = status_offline(t);
		rc = 0;
	} else {
		rc = cli_take_problems(c, t, r);
		rc = rc < 0 ? rc : 1;
	}
	if (rc < 0) {
		json_decref(r);
		return rc;
	}
	return json_array_append_new(list, r) < 0 ? -ENOMEM : rc;
}

int verb_status_run(struct cli *c)
{
	json_t *list = json_array();
	int rc = proto_set(c->result, "trusts", list);

	return rc < 0 ? rc : cli_each(c, true, status_one, list);
}

/* ---- cells ---------------------------------------------------------- */

static int cell_state(const json_t *t, struct buf *out)
{
	const char *s = json_text(t, "state");
	int rc = 0;

	if (strcmp(s, "online") == 0)
		return buf_addf(out, "online");
	for (; *s && rc == 0; s++)
		rc = buf_addf(out, "%c", toupper((unsigned char)*s));
	return rc;
}

static int cell_files(const json_t *t, struct buf *out)
{
	if (!json_known(t, "files"))
		return buf_addf(out, "–");
	return text_count(json_u64(t, "files"), out);
}

static int cell_cache(const json_t *t, struct buf *out)
{
	if (!json_known(t, "cached_bytes"))
		return buf_addf(out, "–");
	return text_of(json_u64(t, "cached_bytes"),
		       json_u64(t, "cache_size_bytes"), out);
}

static int cell_unprotected(const json_t *t, struct buf *out)
{
	const json_t *u = json_object_get(t, "unprotected");
	char size[UNITS_SIZE], age[UNITS_SIZE];

	if (!json_u64(u, "files"))
		return buf_addf(out, "–");
	return buf_addf(
		out, "%s, %s", units_format_size(json_u64(u, "bytes"), size),
		units_format_duration((int64_t)json_u64(u, "oldest_seconds") *
					      NSEC_PER_SEC,
				      age));
}

static int cell_stores(const json_t *t, struct buf *out)
{
	const json_t *s;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(t, "stores"), i, s) {
		bool down = strcmp(json_text(s, "state"), "down") == 0;

		if (rc == 0)
			rc = buf_addf(out, "%s%s%s", i ? ", " : "",
				      json_text(s, "tier"),
				      down ? " DOWN" : "");
	}
	return rc;
}

static void status_list(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "NAME", false, NULL, "name" },
		{ "STATE", false, cell_state, NULL },
		{ "FILES", true, cell_files, NULL },
		{ "CACHE", false, cell_cache, NULL },
		{ "UNPROTECTED", false, cell_unprotected, NULL },
		{ "STORES", false, cell_stores, NULL },
	};
	const json_t *p;
	size_t i;

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "trusts"), NULL);
	json_array_foreach(c->problems, i, p)
		fprintf(c->out, "%s%s: %s. Details: mersey status %s\n",
			i ? "" : "\n", json_text(p, "trust"),
			json_text(p, "message"), json_text(p, "trust"));
}

/* ---- detail --------------------------------------------------------- */

static void line(struct cli *c, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void line(struct cli *c, const char *label, const char *fmt, ...)
{
	CLEANUP_BUF struct buf clean = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (text_clean(text, &clean) == 0 && buf_str(&clean))
		fprintf(c->out, "%7s%s %s\n", label, label[0] ? ":" : " ",
			(char *)clean.data);
}

static void detail_state(struct cli *c, const json_t *t)
{
	CLEANUP_BUF struct buf state = { 0 }, since = { 0 };
	char age[UNITS_SIZE];
	int64_t ns = 0;

	if (cell_state(t, &state) < 0 || !buf_str(&state))
		return;
	if (!json_known(t, "since") ||
	    clock_iso_parse(json_text(t, "since"), &ns) < 0 ||
	    text_time(json_text(t, "since"), &since) < 0 || !buf_str(&since)) {
		line(c, "state", "%s", (char *)state.data);
		return;
	}
	line(c, "state", "%s since %s (%s)", (char *)state.data,
	     (char *)since.data,
	     units_format_duration(clock_wall_ns() - ns, age));
}

/* What is wrong, then what to do about it. */
static void detail_problems(struct cli *c, const json_t *t)
{
	static const char *const label[2] = { "status", "action" };
	static const char *const key[2] = { "message", "hint" };
	const json_t *p;
	size_t i;
	int k;

	for (k = 0; k < 2; k++) {
		const char *name = label[k];

		json_array_foreach(c->problems, i, p) {
			if (strcmp(json_text(p, "trust"),
				   json_text(t, "trust")) != 0 ||
			    !json_known(p, key[k]))
				continue;
			line(c, name, "%s.", json_text(p, key[k]));
			name = "";
		}
	}
}

static void detail_files(struct cli *c, const json_t *t)
{
	CLEANUP_BUF struct buf b = { 0 };
	char n[UNITS_SIZE], size[UNITS_SIZE];
	const char *state;
	json_t *s;

	if (buf_addf(&b, "%s, %s", units_format_count(json_u64(t, "files"), n),
		     units_format_size(json_u64(t, "logical_bytes"), size)) < 0)
		return;
	json_object_foreach(json_object_get(t, "by_state"), state, s) {
		if (json_u64(s, "files") &&
		    buf_addf(&b, "; %s %s", state,
			     units_format_count(json_u64(s, "files"), n)) < 0)
			return;
	}
	if (buf_str(&b))
		line(c, "files", "%s", (char *)b.data);
}

static void detail_cache(struct cli *c, const json_t *t)
{
	CLEANUP_BUF struct buf b = { 0 };
	char room[UNITS_SIZE];

	if (cell_cache(t, &b) < 0 || !buf_str(&b))
		return;
	line(c, "cache", "%s", (char *)b.data);
	if (json_known(t, "cache_room_seconds"))
		line(c, "",
		     "At the present rate it takes writes for another %s,"
		     " then writers are slowed.",
		     units_format_duration(
			     (int64_t)json_u64(t, "cache_room_seconds") *
				     NSEC_PER_SEC,
			     room));
}

/* "3 of 200 TiB", "1,234 of 50 M files"; nothing without a limit. */
static void detail_quota(struct cli *c, const json_t *t)
{
	const json_t *q = json_object_get(t, "quota");
	CLEANUP_BUF struct buf b = { 0 };
	char n[UNITS_SIZE], of[UNITS_SIZE];
	int rc = 0;

	if (json_known(q, "bytes"))
		rc = text_of(json_u64(q, "used_bytes"), json_u64(q, "bytes"),
			     &b);
	if (rc == 0 && json_known(q, "files"))
		rc = buf_addf(&b, "%s%s / %s files", b.len ? ", " : "",
			      units_format_count(json_u64(q, "used_files"), n),
			      units_format_count(json_u64(q, "files"), of));
	if (rc == 0 && b.len && buf_str(&b))
		line(c, "quota", "%s", (char *)b.data);
}

static void detail_unprotected(struct cli *c, const json_t *t)
{
	const json_t *u = json_object_get(t, "unprotected");
	char n[UNITS_SIZE], size[UNITS_SIZE], age[UNITS_SIZE];

	if (!json_u64(u, "files")) {
		line(c, "protect",
		     "nothing waits: every file is in the bucket");
		return;
	}
	line(c, "protect",
	     "%s in %s files exist only on this machine, the oldest for %s",
	     units_format_size(json_u64(u, "bytes"), size),
	     units_format_count(json_u64(u, "files"), n),
	     units_format_duration((int64_t)json_u64(u, "oldest_seconds") *
					   NSEC_PER_SEC,
				   age));
}

/* What keeps requests back from it. */
static void detail_flow(struct cli *c, const json_t *s)
{
	CLEANUP_BUF struct buf since = { 0 };
	uint64_t limit = json_u64(s, "in_flight_limit");
	const char *breaker = json_text(s, "breaker");

	if (json_known(s, "breaker_since") &&
	    text_time(json_text(s, "breaker_since"), &since) == 0 &&
	    buf_str(&since))
		line(c, "", "no answer since %s: %s", (char *)since.data,
		     strcmp(breaker, "open") == 0
			     ? "it is asked again every few seconds"
			     : "it is being asked now");
	if (limit < json_u64(s, "in_flight_max"))
		line(c, "",
		     "it asked for less: %" PRIu64 " of %" PRIu64
		     " requests at once",
		     limit, json_u64(s, "in_flight_max"));
	if (json_u64(s, "waiting"))
		line(c, "", "%" PRIu64 " calls wait for their turn",
		     json_u64(s, "waiting"));
}

static void detail_stores(struct cli *c, const json_t *t)
{
	const char *label = "stores";
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(t, "stores"), i, s) {
		bool err = json_known(s, "error");

		line(c, label, "%s (%s) %s%s%s", json_text(s, "tier"),
		     json_text(s, "store"), json_text(s, "state"),
		     err ? ": " : "", json_text(s, "error"));
		detail_flow(c, s);
		label = "";
	}
}

/* Who writes the bucket stands in the problems when it is not us. */
static void detail_writer(struct cli *c, const json_t *t)
{
	const json_t *q =
		json_object_get(json_object_get(t, "writer"), "quarantined");
	char n[UNITS_SIZE], size[UNITS_SIZE];

	if (json_u64(q, "objects"))
		line(c, "others",
		     "%s objects of %s that other gateways wrote are in "
		     "quarantine: they stay",
		     units_format_count(json_u64(q, "objects"), n),
		     units_format_size(json_u64(q, "bytes"), size));
}

static const char *rate(const json_t *b, const char *key, char *out)
{
	return json_known(b, key) ? units_config_rate(json_u64(b, key), out)
				  : "any";
}

static void detail_bandwidth(struct cli *c, const json_t *t)
{
	const json_t *b = json_object_get(t, "bandwidth");
	char up[UNITS_SIZE], down[UNITS_SIZE];

	if (json_known(b, "up_bytes_per_second") ||
	    json_known(b, "down_bytes_per_second"))
		line(c, "line", "now at most %s up, %s down",
		     rate(b, "up_bytes_per_second", up),
		     rate(b, "down_bytes_per_second", down));
}

static void detail_queues(struct cli *c, const json_t *t)
{
	const char *label = "jobs";
	const json_t *q;
	size_t i;

	json_array_foreach(json_object_get(t, "queues"), i, q) {
		CLEANUP_BUF struct buf since = { 0 };
		char n[UNITS_SIZE];
		bool why = json_known(q, "reason");

		if (json_known(q, "oldest_at") &&
		    (buf_addf(&since, "   oldest from ") < 0 ||
		     text_time(json_text(q, "oldest_at"), &since) < 0))
			return;
		if (!buf_str(&since))
			return;
		line(c, label, "%-9s %s files waiting%s%s%s",
		     json_text(q, "name"),
		     units_format_count(json_u64(q, "waiting"), n),
		     (char *)since.data, why ? "   " : "",
		     json_text(q, "reason"));
		label = "";
	}
}

static const char *passthrough_reason(const json_t *fuse)
{
	static const char *const text[][2] = {
		{ "off", "cache.passthrough is off" },
		{ "not_root", "root did not mount it" },
		{ "kernel", "this kernel has no FUSE passthrough" },
		{ "filesystem", "not on the filesystem of its cache" },
		{ "broker", "the process that registers files ended; the log "
			    "of merseyd says why" },
	};
	const char *code = json_text(fuse, "reason");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(text); i++)
		if (strcmp(code, text[i][0]) == 0)
			return text[i][1];
	return code;
}

static void detail_fuse(struct cli *c, const json_t *t)
{
	const json_t *fuse = json_object_get(t, "fuse");
	char n[UNITS_SIZE];

	if (!json_is_object(fuse))
		return;
	if (json_is_true(json_object_get(fuse, "passthrough")))
		line(c, "data",
		     "read and written by the kernel itself, %s files are "
		     "registered for that",
		     units_format_count(json_u64(fuse, "registered_files"), n));
	else
		line(c, "data", "read and written by the worker: %s",
		     passthrough_reason(fuse));
}

static void detail_worker(struct cli *c, const json_t *t)
{
	const json_t *w = json_object_get(t, "worker");
	char up[UNITS_SIZE], rss[UNITS_SIZE];

	line(c, "worker",
	     "pid %" PRIu64 ", up %s, %s of memory, %" PRIu64 " restarts",
	     json_u64(w, "pid"),
	     units_format_duration(
		     (int64_t)json_u64(w, "uptime_seconds") * NSEC_PER_SEC, up),
	     units_format_size(json_u64(w, "rss_bytes"), rss),
	     json_u64(w, "restarts"));
}

static void status_detail(struct cli *c, const json_t *t)
{
	line(c, "trust", "%s  %s", json_text(t, "trust"), json_text(t, "name"));
	detail_state(c, t);
	detail_problems(c, t);
	if (!json_known(t, "worker"))
		return;
	detail_files(c, t);
	detail_cache(c, t);
	detail_quota(c, t);
	detail_unprotected(c, t);
	detail_stores(c, t);
	detail_writer(c, t);
	detail_bandwidth(c, t);
	detail_queues(c, t);
	detail_fuse(c, t);
	detail_worker(c, t);
}

void verb_status_show(struct cli *c)
{
	const json_t *t;
	size_t i;

	if (!c->args) {
		status_list(c);
		return;
	}
	json_array_foreach(json_object_get(c->result, "trusts"), i, t) {
		if (i)
			fputc('\n', c->out);
		status_detail(c, t);
	}
}
