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

	for (i = 0; list && i < s->movers; i++) {
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

static json_t *status_rate(uint64_t rate)
{
	return rate ? proto_count(rate) : json_null();
}

/* Of the timetable, at this time of the day. */
static json_t *status_bandwidth(const struct ctl_look *s)
{
	struct store_rates r = store_pace_now(s->w->pace);

	return json_pack("{s:o, s:o}", "up_bytes_per_second", status_rate(r.up),
			 "down_bytes_per_second", status_rate(r.down));
}

/* How the load on it is kept within bounds, beside how it is. */
static int status_flow(const struct ctl_place *p, json_t *store)
{
	struct store_limiter_info l;
	struct store_breaker_info b;
	json_t *o;
	int rc;

	store_limiter_read(&p->flow->limiter, &l);
	store_breaker_read(&p->flow->breaker, &b);
	o = json_pack("{s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:i}", "breaker",
		      store_breaker_name(b.state), "breaker_since",
		      proto_time(b.since_ns), "next_probe_at",
		      proto_time(b.probe_ns), "in_flight", (int)l.busy,
		      "in_flight_limit", (int)l.allowed, "in_flight_max",
		      (int)l.max, "waiting", (int)l.waiting, "retries_left",
		      (int)store_budget_left(&p->flow->budget));
	rc = o && json_object_update(store, o) == 0 ? 0 : -ENOMEM;
	json_decref(o);
	return rc;
}

/* "unknown": nothing was asked yet. */
static const char *status_store_state(const struct store_health *h)
{
	return h->down ? "down" : h->since_ns ? "up" : "unknown";
}

static json_t *status_store(const struct ctl_look *s, const struct ctl_tier *t)
{
	const struct ctl_place *p = &s->w->places[t->place];
	const struct store_health *h = &s->health[t->place];
	CLEANUP_JSON json_t *o = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "tier", t->name, "store",
		p->store, "bucket", p->bucket, "storage_class",
		*t->storage_class ? t->storage_class : "STANDARD", "state",
		status_store_state(h), "since", proto_time(h->since_ns),
		"error",
		h->down || h->last_error ? proto_text(h->detail) : json_null());

	return o && status_flow(p, o) == 0 ? take(o) : NULL;
}

static json_t *status_stores(const struct ctl_look *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->w->n_tiers; i++)
		if (json_array_append_new(
			    list, status_store(s, &s->w->tiers[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
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

/* `hint` NULL: what the table of alarms says. */
static int status_problem(const struct ctl_look *s, json_t *list,
			  enum alarm_code code, const char *hint,
			  const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static int status_problem(const struct ctl_look *s, json_t *list,
			  enum alarm_code code, const char *hint,
			  const char *fmt, ...)
{
	const struct alarm_kind *k = &alarm_kinds[code];
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	o = json_pack("{s:s, s:s, s:o, s:s}", "trust", s->w->trust, "code",
		      k->name, "message", proto_vtext(fmt, ap), "hint",
		      hint ? hint : k->action);
	va_end(ap);
	return o && json_array_append_new(list, o) == 0 ? 0 : -ENOMEM;
}

static int status_fence(const struct ctl_look *s, json_t *list)
{
	enum alarm_code code;
	char hint[256];

	if (!ctl_look_fenced(s, &code))
		return 0;
	if (code == ALARM_NO_CREATE_ONLY)
		return status_problem(s, list, code, NULL,
				      "nothing is protected: %s", s->fence.why);
	snprintf(hint, sizeof(hint),
		 "mersey store unlock %s, if this gateway is to write it",
		 s->w->trust);
	return status_problem(s, list, code, hint,
			      "nothing is protected or deleted: %s",
			      s->fence.why);
}

static int status_place(const struct ctl_look *s, size_t place, json_t *list)
{
	const struct store_health *h = &s->health[place];
	const char *advice = ctl_look_advice(s, place);
	const char *tier = s->w->places[place].tier;

	if (h->down)
		return status_problem(s, list, ALARM_STORE_DOWN, advice,
				      "store '%s' does not answer: %s", tier,
				      h->detail);
	if (h->last_error)
		return status_problem(s, list, ALARM_STORE_REFUSES, advice,
				      "store '%s' refuses: %s", tier,
				      h->detail);
	return 0;
}

/* What is shown at once, before it lasts long enough for an alarm. */
static int status_now(const struct ctl_look *s, json_t *list)
{
	char age[UNITS_SIZE], n[UNITS_SIZE];
	int rc = status_fence(s, list);

	if (rc == 0 && s->w->missing)
		rc = status_problem(s, list, ALARM_STORE_REFUSES, CTL_MISSING,
				    "objects lie in tier %s, which the config "
				    "does not have: their files cannot be read",
				    s->w->missing);
	for (size_t i = 0; rc == 0 && i < s->w->n_places; i++)
		rc = status_place(s, i, list);
	if (rc == 0 && s->late)
		rc = status_problem(
			s, list, ALARM_UNPROTECTED, NULL,
			"%s files exist only on this machine, the oldest for %s",
			units_format_count(s->t.dirty_files, n),
			units_format_duration(ctl_look_age(s), age));
	if (rc == 0 && s->t.damaged)
		rc = status_problem(s, list, ALARM_DAMAGED, NULL,
				    "%s files are damaged",
				    units_format_count(s->t.damaged, n));
	return rc;
}

/* Those that status_now() judges: an alarm is cleared some time later. */
static bool status_judges(enum alarm_code code)
{
	switch (code) {
	case ALARM_STORE_DOWN:
	case ALARM_STORE_REFUSES:
	case ALARM_SUPERSEDED:
	case ALARM_HELD_ELSEWHERE:
	case ALARM_NO_CREATE_ONLY:
	case ALARM_UNPROTECTED:
	case ALARM_DAMAGED:
		return true;
	default:
		return false;
	}
}

static int status_alarms(const struct ctl_look *s, json_t *list)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->alarms; i++) {
		const struct alarm *a = &s->alarm[i];

		if (!status_judges(a->code))
			rc = status_problem(s, list, a->code, NULL, "%s",
					    a->message);
	}
	return rc;
}

/* When the first alarm was raised by which it does less than it should, 0 =
 * there is none. Warnings are no such thing. */
static int64_t status_critical(const struct ctl_look *s)
{
	int64_t since = INT64_MAX;
	size_t i;

	for (i = 0; i < s->alarms; i++) {
		const struct alarm *a = &s->alarm[i];

		if (!status_judges(a->code) &&
		    alarm_kinds[a->code].severity == ALARM_CRITICAL)
			since = MIN(since, a->raised_ns);
	}
	return since == INT64_MAX ? 0 : since;
}

static int status_problems(const struct ctl_look *s, json_t *list,
			   bool *degraded)
{
	int rc = status_now(s, list);

	*degraded = json_array_size(list) > 0 || status_critical(s);
	return rc < 0 ? rc : status_alarms(s, list);
}

static json_t *status_alarm_counts(const struct ctl_look *s)
{
	json_int_t unseen = 0;
	size_t i;

	for (i = 0; i < s->alarms; i++)
		unseen += !s->alarm[i].acked_ns;
	return json_pack("{s:o, s:I}", "active", proto_count(s->alarms),
			 "unacknowledged", unseen);
}

/* When the state began: the store's change, or when an alarm was due. */
static int64_t status_since(const struct ctl_look *s)
{
	enum alarm_code code;

	for (size_t i = 0; i < s->w->n_places; i++)
		if (!ctl_look_well(s, i))
			return s->health[i].since_ns;
	if (ctl_look_fenced(s, &code) && s->fence.held_since_ns)
		return s->fence.held_since_ns;
	if (s->late)
		return s->t.oldest_dirty_ns + s->w->alarm_unprotected_ns;
	return status_critical(s) ? status_critical(s) : s->w->started_ns;
}

static int status_fill(const struct ctl_look *s, bool degraded, json_t *r)
{
	const char *state = degraded ? "degraded" : "online";
	json_t *o = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:{s:n, s:n}}",
		"trust", s->w->trust, "name", s->w->long_name, "state", state,
		"since", proto_time(status_since(s)), "files",
		proto_count(s->t.files), "logical_bytes",
		proto_count(s->t.logical_bytes), "cached_bytes",
		proto_count(s->u.used), "cache_size_bytes",
		proto_count(s->u.size), "by_state", status_by_state(s),
		"damaged_files", proto_count(s->t.damaged), "unprotected",
		status_unprotected(s), "cache_room_seconds", status_room(s),
		"quota", status_quota(s), "recall", status_recall(s), "alarms",
		status_alarm_counts(s), "queues", status_queues(s), "stores",
		status_stores(s), "writer",
		s->w->fence ? ctl_fence(&s->fence) : json_null(), "bandwidth",
		status_bandwidth(s), "fuse", status_fuse(s), "worker",
		status_worker(s), "backup", "last_at", "lag_seconds");
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
	bool degraded = false;
	int rc;

	if (!s || !problems)
		return -ENOMEM;
	rc = ctl_look(c->w, s, &c->err);
	if (rc == 0)
		rc = status_problems(s, problems, &degraded);
	if (rc == 0)
		rc = status_fill(s, degraded, result);
	if (rc == 0)
		rc = proto_set(result, "problems", take(problems));
	return rc;
}
