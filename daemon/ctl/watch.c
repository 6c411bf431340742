/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "ctl/look.h"
#include "move/restore.h"

#define LOG_LONG    (256LL << 20)
#define JOB_FAILS   5 /* in a row */
#define CLOCK_APART (60 * NSEC_PER_SEC)
#define QUOTA_NEAR  95U /* per cent */
#define QUOTA_FAR   90U

static enum alarm_sign sign(bool on, bool off)
{
	return on ? ALARM_ON : off ? ALARM_OFF : ALARM_KEEP;
}

/* Which bucket an alarm is of; none, where there is one: it is the store. */
static const char *store_subject(const struct ctl_look *s, size_t place,
				 char out[sizeof(((struct alarm *)0)->subject)])
{
	if (place == 0)
		return NULL;
	snprintf(out, sizeof(((struct alarm *)0)->subject), "%s",
		 s->w->places[place].tier);
	return out;
}

static void watch_clock(const struct ctl_look *s, size_t place,
			const char *subject)
{
	const struct ctl_place *p = &s->w->places[place];
	int64_t ahead;

	if (store_skew(p->direct, &ahead) < 0)
		return;
	alarms_set(s->w->alarms, ALARM_CLOCK, subject,
		   sign(llabs(ahead) > CLOCK_APART,
			llabs(ahead) < CLOCK_APART / 2),
		   "the clock of store '%s' is %lld s %s this machine's",
		   p->tier, (long long)(llabs(ahead) / NSEC_PER_SEC),
		   ahead > 0 ? "ahead of" : "behind");
}

static void watch_place(const struct ctl_look *s, size_t place)
{
	const struct store_health *h = &s->health[place];
	const char *advice = ctl_look_advice(s, place);
	const char *tier = s->w->places[place].tier;
	bool refuses = !h->down && h->last_error;
	char name[sizeof(((struct alarm *)0)->subject)];
	const char *subject = store_subject(s, place, name);

	alarms_set(s->w->alarms, ALARM_STORE_DOWN, subject, sign(h->down, true),
		   "store '%s' does not answer: %s", tier, h->detail);
	alarms_set(s->w->alarms, ALARM_STORE_REFUSES, subject,
		   sign(refuses, !h->down), "store '%s' refuses: %s%s%s", tier,
		   h->detail, advice ? "; " : "", advice ? advice : "");
	watch_clock(s, place, subject);
}

static void watch_stores(const struct ctl_look *s)
{
	if (!ctl_look_well(s, 0) && s->w->fence)
		fence_ask(s->w->fence); /* perhaps nobody else does */
	for (size_t i = 0; i < s->w->n_places; i++)
		watch_place(s, i);
	alarms_set(s->w->alarms, ALARM_STORE_REFUSES, "config",
		   sign(s->w->missing, true),
		   "objects lie in tier %s, which the config does not have; "
		   "%s",
		   s->w->missing ? s->w->missing : "", CTL_MISSING);
}

static void watch_writer(const struct ctl_look *s)
{
	static const enum alarm_code codes[] = { ALARM_SUPERSEDED,
						 ALARM_HELD_ELSEWHERE,
						 ALARM_NO_CREATE_ONLY };
	enum alarm_code now;
	bool fenced = ctl_look_fenced(s, &now);
	size_t i;

	/* Until the bucket was seen nothing is known. */
	if (!s->w->fence || s->fence.state == FENCE_WAITING)
		return;
	for (i = 0; i < ARRAY_SIZE(codes); i++)
		alarms_set(s->w->alarms, codes[i], NULL,
			   sign(fenced && now == codes[i], true),
			   "nothing is protected or deleted: %s", s->fence.why);
}

static void watch_files(const struct ctl_look *s)
{
	char age[UNITS_SIZE], n[UNITS_SIZE];

	alarms_set(s->w->alarms, ALARM_UNPROTECTED, NULL, sign(s->late, true),
		   "%s files exist only on this machine, the oldest for %s",
		   units_format_count(s->t.dirty_files, n),
		   units_format_duration(ctl_look_age(s), age));
	alarms_set(s->w->alarms, ALARM_DAMAGED, NULL, sign(s->t.damaged, true),
		   "%s files are damaged", units_format_count(s->t.damaged, n));
}

/* A busy hour also fills a cache fast; but then it is emptied as well. */
static void watch_cache(const struct ctl_look *s)
{
	int64_t room = ctl_look_room(s);
	int64_t limit = s->w->alarm_room_ns / NSEC_PER_SEC;
	bool stuck = s->late || !ctl_look_well(s, 0);
	char left[UNITS_SIZE], size[UNITS_SIZE];

	alarms_set(s->w->alarms, ALARM_CACHE_ROOM, NULL,
		   sign(stuck && room >= 0 && room < limit,
			!stuck || room < 0 || room >= limit + limit / 4),
		   "at the present rate the cache takes writes for %s more",
		   units_format_duration(MIN(MAX(room, INT64_C(0)),
					     INT64_MAX / NSEC_PER_SEC) *
						 NSEC_PER_SEC,
					 left));
	alarms_set(s->w->alarms, ALARM_DISK_RESERVE, NULL,
		   sign(s->u.disk_free < s->w->disk_reserve / 2,
			s->u.disk_free >= s->w->disk_reserve / 4 * 3),
		   "the disk of the cache has %s left",
		   units_format_size(s->u.disk_free, size));
}

/* limit 0: there is none. */
static bool over(uint64_t used, uint64_t limit, unsigned per_cent)
{
	return limit && (unsigned __int128)used * 100 >=
				(unsigned __int128)limit * per_cent;
}

static bool quota_over(const struct ctl_quota *q, unsigned per_cent)
{
	return over(q->used.bytes, q->limit.bytes, per_cent) ||
	       over(q->used.files, q->limit.files, per_cent);
}

static void watch_quota(const struct ctl_look *s)
{
	bool bytes = over(s->q.used.bytes, s->q.limit.bytes, QUOTA_NEAR);

	alarms_set(s->w->alarms, ALARM_QUOTA, NULL,
		   sign(quota_over(&s->q, QUOTA_NEAR),
			!quota_over(&s->q, QUOTA_FAR)),
		   "more than %u %% of the quota's %s are used", QUOTA_NEAR,
		   bytes ? "bytes" : "files");
}

static void watch_job(const struct ctl_look *s, const struct job_info *j)
{
	alarms_set(s->w->alarms, ALARM_JOB_FAILING, j->name,
		   sign(j->failing >= JOB_FAILS && ctl_look_all_well(s),
			!j->failing),
		   "job '%s' has failed %u times in a row: %s", j->name,
		   j->failing, j->last_error);
}

static void watch_jobs(const struct ctl_look *s)
{
	int64_t log = meta_log_bytes(s->w->meta);
	char size[UNITS_SIZE];
	size_t i;

	for (i = 0; i < s->jobs; i++)
		watch_job(s, &s->job[i]);
	alarms_set(s->w->alarms, ALARM_LOG_LONG, NULL,
		   sign(log > LOG_LONG, log < LOG_LONG / 2),
		   "the log of the database is %s long",
		   units_format_size((uint64_t)log, size));
}

static void watch_restores(const struct ctl_look *s)
{
	struct move_restores r;

	move_restores(s->w->move, &r);
	alarms_set(s->w->alarms, ALARM_RECALL_LATE, NULL, sign(r.failed, true),
		   "%llu objects do not come back from an archive class: %s",
		   (unsigned long long)r.failed, r.error);
}

/* Who wants none, or cannot have it, misses nothing. */
static void watch_mount(const struct ctl_look *s)
{
	const char *why = s->path.reason;
	bool lost = why && (strcmp(why, "broker") == 0 ||
			    strcmp(why, "filesystem") == 0);

	alarms_set(s->w->alarms, ALARM_PASSTHROUGH, NULL, sign(lost, true),
		   "files are read and written by the worker, not by the "
		   "kernel itself: %s",
		   why ? why : "");
}

int ctl_watch(void *arg)
{
	const struct ctl_worker *w = arg;
	CLEANUP_FREE struct ctl_look *s = calloc(1, sizeof(*s));
	int rc = s ? ctl_look(w, s, NULL) : -ENOMEM;

	if (rc < 0)
		return rc;
	watch_stores(s);
	watch_writer(s);
	watch_files(s);
	watch_cache(s);
	watch_quota(s);
	watch_jobs(s);
	watch_restores(s);
	watch_mount(s);
	return 0;
}
