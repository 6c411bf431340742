/* SPDX-License-Identifier: Apache-2.0 */
/* Health of one trust: `mersey status` shows it, as a line or in detail. */
#include "ctl/look.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

static json_t *status_by_state(const struct ctl_look *s)
{
	json_t *o = json_object();
	int i;

	for (i = 0; o && i < META_STATES; i++) {
		json_t *n = json_pack("{s:o, s:o}", "files",
				      proto_count(s->t.by_state[i].files),
				      "bytes",
				      proto_count(s->t.by_state[i].bytes));

		if (proto_set(o, meta_state_name((enum meta_state)i), n) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static json_t *status_unprotected(const struct ctl_look *s)
{
	int64_t oldest = s->t.oldest_dirty_ns;

	return json_pack("{s:o, s:o, s:o, s:o}", "files",
			 proto_count(s->t.dirty_files), "bytes",
			 proto_count(s->t.dirty_bytes), "oldest_at",
			 proto_time(oldest), "oldest_seconds",
			 oldest ? json_integer(ctl_look_age(s) / NSEC_PER_SEC)
				: json_null());
}

static json_t *status_room(const struct ctl_look *s)
{
	int64_t seconds = ctl_look_room(s);

	return seconds < 0 ? json_null() : json_integer(seconds);
}

static json_t *status_quota(const struct ctl_look *s)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "bytes",
			 ctl_quota_limit(s->q.limit.bytes), "files",
			 ctl_quota_limit(s->q.limit.files), "used_bytes",
			 proto_count(s->q.used.bytes), "used_files",
			 proto_count(s->q.used.files));
}

/* What reads of files that were not here have cost (S26). */
static json_t *status_recall(const struct ctl_look *s)
{
	struct move_recall_stats r;

	move_recall_stats(s->w->move, &r);
	return json_pack(
		"{s:o, s:o, s:o, s:o}", "asked_bytes", proto_count(r.asked),
		"fetched_bytes", proto_count(r.fetched), "requests",
		proto_count(r.requests), "recall_amplification",
		r.asked ? json_real((double)r.fetched / (double)r.asked)
			: json_null());
}

/* ---- queues and stores ---------------------------------------------- */

static const char *status_reason(const struct job_info *j)
{
	return j->waiting_for[0] ? j->waiting_for : j->last_error;
}

static json_t *status_queue(const struct ctl_look *s, const struct job_info *j)
{
	struct ctl_queue q;

	ctl_look_queue(s, j, &q);
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", j->name,
			 "waiting", proto_count(q.waiting), "active",
			 proto_count(q.active), "oldest_at",
			 proto_time(q.oldest_ns), "reason",
			 proto_text(status_reason(j)));
}

/* protect always; another queue when it is at work or in trouble. */
static bool status_shows(const struct job_info *j)
{
	if (ctl_same_queue("protect", j->name))
		return strcmp(j->name, "protect") == 0;
	return status_reason(j)[0] ||
	       (j->state == JOB_RUNNING && ctl_job_left(j));
}

static json_t *status_queues(const struct ctl_look *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < s->jobs; i++) {
		const struct job_info *j = &s->job[i];

		if (!status_shows(j))
			continue;
		if (json_array_append_new(list, status_queue(s, j)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *status_stores(const struct ctl_look *s)
{
	const struct store_health *h = &s->health;
	const char *state = h->down ? "down"
			    : h->since_ns
				    ? "up"
				    : "unknown"; /* nothing was asked yet */

	return json_pack("[{s:s, s:s, s:s, s:o, s:o}]", "tier", s->w->tier,
			 "store", s->w->store_name, "state", state, "since",
			 proto_time(h->since_ns), "error",
			 h->down || h->last_error ? proto_text(h->detail)
						  : json_null());
}

/* ---- the mount ------------------------------------------------------ */

static json_t *status_requests(const struct ctl_look *s)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; o && i < s->path.n; i++)
		if (proto_set(o, s->path.request[i].name,
			      proto_count(s->path.request[i].n)) < 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}

static json_t *status_fuse(const struct ctl_look *s)
{
	if (!s->w->data_path)
		return json_null();
	return json_pack("{s:b, s:o, s:o, s:o}", "passthrough", !s->path.reason,
			 "reason",
			 s->path.reason ? proto_text(s->path.reason)
					: json_null(),
			 "registered_files",
			 proto_count(cache_backing_count(s->w->cache)),
			 "requests", status_requests(s));
}

static json_t *status_data_path(const struct ctl_look *s)
{
	return s->w->data_path
		       ? json_string(s->path.reason ? "daemon" : "passthrough")
		       : json_null();
}

/* ---- the worker ----------------------------------------------------- */

static json_t *status_worker(const struct ctl_look *s)
{
	int64_t up = (s->now - s->w->started_ns) / NSEC_PER_SEC;
	uint64_t rss = ctl_look_rss();

	return json_pack("{s:i, s:o, s:o, s:i, s:o, s:s}", "pid", getpid(),
			 "uptime_seconds", json_integer(MAX(up, (int64_t)0)),
			 "rss_bytes", rss ? proto_count(rss) : json_null(),
			 "restarts", (int)s->w->restarts, "data_path",
			 status_data_path(s), "version", s->w->version);
}

/* ---- what is wrong -------------------------------------------------- */

static int status_problem(const struct ctl_look *s, json_t *list,
			  const char *code, const char *hint, const char *fmt,
			  ...) __attribute__((format(printf, 5, 6)));

static int status_problem(const struct ctl_look *s, json_t *list,
			  const char *code, const char *hint, const char *fmt,
			  ...)
{
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	o = json_pack("{s:s, s:s, s:o, s:o}", "trust", s->w->trust, "code",
		      code, "message", proto_vtext(fmt, ap), "hint",
		      proto_text(hint));
	va_end(ap);
	return o && json_array_append_new(list, o) == 0 ? 0 : -ENOMEM;
}

static int status_fence(const struct ctl_look *s, json_t *list)
{
	char hint[256];

	if (!ctl_look_fenced(s))
		return 0;
	if (s->fence.state == FENCE_UNSAFE)
		return status_problem(
			s, list, "no_create_only",
			"another store; or, if no other gateway ever writes "
			"that bucket: single_writer: confirmed",
			"nothing is protected: %s", s->fence.why);
	snprintf(hint, sizeof(hint),
		 "mersey store unlock %s, if this gateway is to write it",
		 s->w->trust);
	return status_problem(
		s, list,
		s->fence.state == FENCE_SUPERSEDED ? "superseded"
						   : "held_elsewhere",
		hint, "nothing is protected or deleted: %s", s->fence.why);
}

static int status_problems(const struct ctl_look *s, json_t *list)
{
	const char *advice =
		store_advice(s->health.last_error, s->health.detail);
	char age[UNITS_SIZE], n[UNITS_SIZE];
	int rc = status_fence(s, list);

	if (rc < 0)
		return rc;
	if (s->health.down)
		rc = status_problem(
			s, list, "store_down",
			advice
				?: "check the network to it; work resumes by "
				   "itself",
			"store '%s' does not answer: %s", s->w->tier,
			s->health.detail);
	else if (s->health.last_error)
		rc = status_problem(
			s, list, "store_refuses",
			advice
				?: "check its credentials, certificate and "
				   "policies",
			"store '%s' refuses: %s", s->w->tier, s->health.detail);
	if (rc == 0 && s->late)
		rc = status_problem(
			s, list, "unprotected",
			"see what protect waits for: mersey jobs",
			"%s files exist only on this machine, the oldest for %s",
			units_format_count(s->t.dirty_files, n),
			units_format_duration(ctl_look_age(s), age));
	if (rc == 0 && s->t.damaged)
		rc = status_problem(s, list, "damaged",
				    "the log of merseyd names them",
				    "%s files are damaged",
				    units_format_count(s->t.damaged, n));
	return rc;
}

/* When the state began: the store's change, or when the alarm was due. */
static int64_t status_since(const struct ctl_look *s)
{
	if (s->health.down || s->health.last_error)
		return s->health.since_ns;
	if (ctl_look_fenced(s) && s->fence.held_since_ns)
		return s->fence.held_since_ns;
	if (s->late)
		return s->t.oldest_dirty_ns + s->w->alarm_unprotected_ns;
	return s->w->started_ns;
}

static int status_fill(const struct ctl_look *s, json_t *problems, json_t *r)
{
	const char *state = json_array_size(problems) ? "degraded" : "online";
	json_t *o = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:n, s:n}}",
		"trust", s->w->trust, "name", s->w->long_name, "state", state,
		"since", proto_time(status_since(s)), "files",
		proto_count(s->t.files), "logical_bytes",
		proto_count(s->t.logical_bytes), "cached_bytes",
		proto_count(s->u.used), "cache_size_bytes",
		proto_count(s->u.size), "by_state", status_by_state(s),
		"damaged_files", proto_count(s->t.damaged), "unprotected",
		status_unprotected(s), "cache_room_seconds", status_room(s),
		"quota", status_quota(s), "recall", status_recall(s), "queues",
		status_queues(s), "stores", status_stores(s), "writer",
		s->w->fence ? ctl_fence(&s->fence) : json_null(), "fuse",
		status_fuse(s), "worker", status_worker(s), "backup", "last_at",
		"lag_seconds");
	int rc = o ? 0 : -ENOMEM;

	if (rc == 0)
		rc = json_object_update(r, o) < 0 ? -ENOMEM : 0;
	json_decref(o);
	return rc;
}

int ctl_verb_status(struct ctl_call *c, json_t *result)
{
	CLEANUP_FREE struct ctl_look *s = calloc(1, sizeof(*s));
	CLEANUP_JSON json_t *problems = json_array();
	int rc;

	if (!s || !problems)
		return -ENOMEM;
	rc = ctl_look(c->w, s, &c->err);
	if (rc == 0)
		rc = status_problems(s, problems);
	if (rc == 0)
		rc = status_fill(s, problems, result);
	if (rc == 0)
		rc = proto_set(result, "problems", take(problems));
	return rc;
}
