/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job "tier": runs that begin by themselves, and those that nobody waits
 * for any more. A schedule that came by while nothing ran is not made up for.
 */
#include "tier/impl.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

#define LOOK_NS	      (10 * NSEC_PER_SEC)
#define REST_NS	      (15 * 60 * NSEC_PER_SEC) /* between runs for one reason */
#define HOUR_NS	      (3600 * NSEC_PER_SEC)
#define TRIGGER_PLANS 16

int64_t trigger_next(const struct tier_trigger *tr, int64_t after_ns)
{
	time_t after = (time_t)(after_ns / NSEC_PER_SEC), at;
	struct tm day, tm;
	int i;

	localtime_r(&after, &day);
	for (i = 0; i <= 8; i++) {
		tm = day;
		tm.tm_mday += i;
		tm.tm_hour = tr->minute / 60;
		tm.tm_min = tr->minute % 60;
		tm.tm_sec = 0;
		tm.tm_isdst = -1;
		at = mktime(&tm); /* sets tm_wday, too */
		if (at > after && tr->days & 1U << tm.tm_wday)
			return (int64_t)at * NSEC_PER_SEC;
	}
	return INT64_MAX;
}

/* ---- reasons ----------------------------------------------------------------
 */

static bool due_schedule(struct tier *t, const struct tier_policy *p,
			 int64_t now_ns)
{
	int64_t due = t->trigger.due_ns, next = INT64_MAX;
	size_t i;

	for (i = 0; i < p->n_triggers; i++)
		if (p->triggers[i].scheduled)
			next = MIN(next, trigger_next(&p->triggers[i], now_ns));
	t->trigger.due_ns = next;
	return due && due <= now_ns;
}

static int totals(struct tier *t, struct meta_totals *out)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_totals(&x, out);
}

static bool rested(int64_t *last_ns)
{
	int64_t now = clock_boot_ns();

	if (*last_ns && now - *last_ns < REST_NS)
		return false;
	*last_ns = now;
	return true;
}

static bool due_cache(const struct tier *t, const struct tier_trigger *tr,
		      const struct meta_totals *now)
{
	return tr->cache_above && t->o.cache_size &&
	       now->cached_bytes / 100 * 100 >=
		       t->o.cache_size / 100 * tr->cache_above;
}

static bool due_oldest(const struct tier_trigger *tr,
		       const struct meta_totals *now)
{
	return tr->unprotected_ns && now->oldest_dirty_ns &&
	       clock_wall_ns() - now->oldest_dirty_ns >= tr->unprotected_ns;
}

/* Why a run is to begin now; NULL: it is not. */
static const char *trigger_due(struct tier *t)
{
	const struct tier_policy *p = t->o.policy;
	struct meta_totals now;
	size_t i;

	if (!p || !p->n_triggers)
		return NULL;
	if (due_schedule(t, p, clock_wall_ns()))
		return "schedule";
	if (totals(t, &now) < 0)
		return NULL;
	for (i = 0; i < p->n_triggers; i++) {
		if (due_cache(t, &p->triggers[i], &now) &&
		    rested(&t->trigger.cache_ns))
			return "cache";
		if (due_oldest(&p->triggers[i], &now) &&
		    rested(&t->trigger.oldest_ns))
			return "oldest";
	}
	return NULL;
}

/* ---- runs -------------------------------------------------------------------
 */

struct watched {
	struct tier *t;
	struct job *job;
	uint64_t files, bytes;
};

static bool watch_tick(void *arg, const struct meta_run *now)
{
	struct watched *w = arg;

	job_add(w->job, now->files - MIN(w->files, now->files),
		now->bytes - MIN(w->bytes, now->bytes));
	w->files = now->files;
	w->bytes = now->bytes;
	if (now->error[0])
		job_waiting(w->job, "%s", now->error);
	else
		job_waiting(w->job, NULL);
	return !job_stopping(w->job);
}

/* What a run that nobody waited for came to; each is in the history, too. */
static void trigger_said(const struct meta_run *run, int rc,
			 const struct err *err)
{
	bool well = run->state == META_RUN_DONE ||
		    run->state == META_RUN_CANCELLED;

	if (rc < 0 && rc != -EBUSY && rc != -EINTR && rc != -EALREADY)
		log_warn("policy run: %s",
			 err->msg[0] ? err->msg : strerror(-rc));
	else if (rc == 0 && run->state != META_RUN_RUNNING)
		log_line(well ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
			 "policy '%s', plan %s: %llu files, %llu bytes%s%s",
			 run->policy, run->plan_name,
			 (unsigned long long)run->files,
			 (unsigned long long)run->bytes,
			 run->error[0] ? "; " : "", run->error);
}

static void trigger_go(struct tier *t, struct job *job, const char *plan,
		       const char *why)
{
	struct watched w = { .t = t, .job = job };
	struct tier_run_opts o = {
		.trigger = why, .by = "merseyd", .tick = watch_tick, .arg = &w
	};
	struct meta_run run = { 0 };
	struct err err = ERR_INIT;
	int rc;

	job_begin(job, 0, 0);
	rc = plan ? tier_apply(t, plan, &o, &run, &err)
		  : tier_run(t, NULL, &o, &run, &err);
	job_waiting(job, NULL);
	trigger_said(&run, rc, &err);
}

static int plans_page(struct tier *t, uint64_t after, struct meta_plan *page)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_plan_list(&x, after, page, TRIGGER_PLANS);
}

/* Goes on with what nobody does: after a kill, or when its client left. */
static void trigger_resume(struct tier *t, struct job *job)
{
	CLEANUP_FREE struct meta_plan *page =
		calloc(TRIGGER_PLANS, sizeof(*page));
	uint64_t after = 0;
	int n, i;

	do {
		n = page ? plans_page(t, after, page) : 0;
		for (i = 0; i < n && !job_stopping(job); i++) {
			after = page[i].id;
			if (page[i].state == META_PLAN_RUNNING)
				trigger_go(t, job, page[i].name, "apply");
		}
	} while (n == TRIGGER_PLANS && !job_stopping(job));
}

/* Is it time again? The first time: `first` after the start. */
static bool time_again(int64_t *last_ns, int64_t first_ns, int64_t every_ns)
{
	int64_t now = clock_boot_ns();

	if (!*last_ns)
		*last_ns = now - every_ns + first_ns;
	if (now - *last_ns < every_ns)
		return false;
	*last_ns = now;
	return true;
}

/* What is done now and then. */
static int trigger_tidy(struct tier *t, struct job *job)
{
	int rc = 0;

	if (time_again(&t->trigger.expire_ns, 0, HOUR_NS))
		rc = store_expire(t, clock_wall_ns());
	if (rc < 0) {
		job_error(job, "cannot remove old plans: %s", strerror(-rc));
		return rc;
	}
	if (time_again(&t->trigger.compact_ns, HOUR_NS, 24 * HOUR_NS))
		rc = tier_compact(t);
	if (rc < 0)
		job_error(job, "cannot form packs anew: %s", strerror(-rc));
	return rc;
}

int64_t trigger_run(struct job *job, void *tier)
{
	struct tier *t = tier;
	const char *why;
	int rc;

	trigger_resume(t, job);
	rc = trigger_tidy(t, job);
	why = job_stopping(job) ? NULL : trigger_due(t);
	if (why)
		trigger_go(t, job, NULL, why);
	return rc < 0 ? rc : LOOK_NS;
}
