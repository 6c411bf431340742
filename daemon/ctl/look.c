/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a trust as status, metrics and alarms read it. */
#include "ctl/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "tier/tier.h"

#define LOOK_RATE_MIN (60 * NSEC_PER_SEC)

size_t ctl_jobs(const struct ctl_worker *w, struct job_info out[LOOK_JOBS],
		size_t *movers)
{
	size_t room = LOOK_JOBS - 4, n;

	*movers = MIN(move_jobs(w->move, out, room), room);
	n = *movers;
	meta_job(w->meta, &out[n++]);
	if (w->ledger)
		job_get(cost_ledger_job(w->ledger), &out[n++]);
	if (w->policies)
		tier_job(w->policies, &out[n++]);
	n += alarms_job(w->alarms, &out[n]);
	return n;
}

static size_t active(struct alarms *a, struct alarm *out)
{
	size_t n = alarms_list(a, out, ALARMS_MAX), i;

	for (i = 0; i < n && !out[i].cleared_ns; i++)
		;
	return i;
}

int ctl_look(const struct ctl_worker *w, struct ctl_look *s, struct err *err)
{
	META_TXN(t);
	int rc = meta_read(w->meta, &t);

	s->w = w;
	if (rc == 0)
		rc = meta_totals(&t, &s->t);
	if (rc < 0)
		return fail(err, rc, "cannot read the totals: %m");
	meta_abort(&t);
	rc = ctl_quota_read(w, &s->q);
	if (rc < 0)
		return fail(err, rc, "cannot read the quota: %m");
	s->now = clock_wall_ns();
	cache_usage(w->cache, &s->u);
	for (size_t i = 0; i < w->n_places; i++)
		store_health_read(w->places[i].health, &s->health[i]);
	if (w->data_path)
		w->data_path(w->data_path_arg, &s->path);
	if (w->fence)
		fence_info(w->fence, &s->fence);
	s->jobs = ctl_jobs(w, s->job, &s->movers);
	s->alarms = active(w->alarms, s->alarm);
	s->late = w->alarm_unprotected_ns && s->t.oldest_dirty_ns &&
		  s->now - s->t.oldest_dirty_ns > w->alarm_unprotected_ns;
	return 0;
}

int64_t ctl_look_age(const struct ctl_look *s)
{
	return MAX(s->now - s->t.oldest_dirty_ns, (int64_t)0);
}

bool ctl_look_fenced(const struct ctl_look *s, enum alarm_code *code)
{
	if (!s->w->fence)
		return false;
	switch (s->fence.state) {
	case FENCE_ELSEWHERE:
		*code = ALARM_HELD_ELSEWHERE;
		return true;
	case FENCE_SUPERSEDED:
		*code = ALARM_SUPERSEDED;
		return true;
	case FENCE_UNSAFE:
		*code = ALARM_NO_CREATE_ONLY;
		return true;
	default:
		return false;
	}
}

const char *ctl_look_advice(const struct ctl_look *s, size_t place)
{
	const struct store_health *h = &s->health[place];
	const char *advice = store_advice(h->last_error, h->detail);

	if (advice)
		return advice;
	switch (h->last_error) {
	case -ENOENT: /* no marker, or one that is not ours */
	case -EREMCHG:
	case -EBADMSG:
	case -EKEYREJECTED:
		return "is it the right bucket and prefix? Then stop the "
		       "trust, and: mersey trust add";
	default:
		return NULL;
	}
}

bool ctl_look_well(const struct ctl_look *s, size_t place)
{
	return !s->health[place].down && !s->health[place].last_error;
}

bool ctl_look_all_well(const struct ctl_look *s)
{
	for (size_t i = 0; i < s->w->n_places; i++)
		if (!ctl_look_well(s, i))
			return false;
	return true;
}

int64_t ctl_look_room(const struct ctl_look *s)
{
	uint64_t held = s->t.dirty_bytes, room;
	int64_t age = s->t.oldest_dirty_ns ? ctl_look_age(s) : 0;
	unsigned __int128 seconds;

	if (age < LOOK_RATE_MIN || !held)
		return -1;
	room = s->u.size > held ? s->u.size - held : 0;
	room = MIN(room,
		   s->u.disk_free + (s->u.used > held ? s->u.used - held : 0));
	seconds =
		(unsigned __int128)room * (uint64_t)(age / NSEC_PER_SEC) / held;
	return (int64_t)MIN(seconds, (unsigned __int128)INT64_MAX);
}

/* ---- queues --------------------------------------------------------- */

bool ctl_same_queue(const char *queue, const char *job)
{
	size_t n = strlen(queue);

	return strncmp(queue, job, n) == 0 && (!job[n] || job[n] == '-');
}

uint64_t ctl_job_left(const struct job_info *j)
{
	return j->total_files - MIN(j->done_files, j->total_files);
}

void ctl_look_queue(const struct ctl_look *s, const struct job_info *j,
		    struct ctl_queue *q)
{
	bool protect = strcmp(j->name, "protect") == 0;
	size_t i;

	*q = (struct ctl_queue){
		.waiting = protect ? s->t.dirty_files : ctl_job_left(j),
		.oldest_ns = protect ? s->t.oldest_dirty_ns : 0,
	};
	for (i = 0; i < s->movers; i++)
		q->active += s->job[i].state == JOB_RUNNING &&
			     ctl_same_queue(j->name, s->job[i].name);
}

/* ---- this process --------------------------------------------------- */

uint64_t ctl_look_rss(void)
{
	CLEANUP_BUF struct buf b = { 0 };
	uint64_t pages;

	if (io_read_file("/proc/self/statm", 4096, &b) < 0 || !buf_str(&b) ||
	    sscanf((char *)b.data, "%*u %" SCNu64, &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
