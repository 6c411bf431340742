/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at the state of a trust: what status shows, metrics count and
 * alarms judge.
 */
#ifndef MERSEY_CTL_LOOK_H
#define MERSEY_CTL_LOOK_H

#include "base/clock.h"
#include "ctl/verbs.h"

/* What to do about tiers that are missing. */
#define CTL_MISSING                                                      \
	"put the tier back into the config; where objects lie in it, a " \
	"tier keeps its name and its bucket"
#define LOOK_JOBS 36 /* room for those that are not of move, too */

struct ctl_look {
	const struct ctl_worker *w;
	int64_t now; /* wall */
	struct meta_totals t;
	struct cache_usage u;
	struct ctl_quota q;
	struct store_health health[MOVE_TIERS_MAX]; /* of the places */
	struct ctl_data_path path;
	struct fence_info fence; /* of a worker that has one */
	struct job_info job[LOOK_JOBS];
	size_t movers, jobs;		/* those of move come first */
	struct alarm alarm[ALARMS_MAX]; /* the active ones */
	size_t alarms;
	bool late; /* the oldest unprotected change is beyond the alarm */
};

/* All background jobs, those of move first: *movers of them. How many. */
size_t ctl_jobs(const struct ctl_worker *w, struct job_info out[LOOK_JOBS],
		size_t *movers);
/* Fills *s, which is zeroed. 0 or -errno. */
int ctl_look(const struct ctl_worker *w, struct ctl_look *s, struct err *err);

/* Age of the oldest unprotected change, when there is one. */
int64_t ctl_look_age(const struct ctl_look *s);
/*
 * How many seconds writes find room if unprotected data goes on growing as it
 * did since the oldest of it; -1: unknown, that is less than a minute.
 */
int64_t ctl_look_room(const struct ctl_look *s);
/*
 * Another gateway has the bucket, or nobody can have it safely: nothing is
 * written there. Not before the bucket has answered: until then the store is
 * the trouble. *code is the alarm that it is.
 */
bool ctl_look_fenced(const struct ctl_look *s, enum alarm_code *code);
/* What to do about a place that is not well; NULL: nothing special. */
const char *ctl_look_advice(const struct ctl_look *s, size_t place);
/* Does all answer as it should, as far as the last requests say? One place
 * (index), or all. */
bool ctl_look_well(const struct ctl_look *s, size_t place);
bool ctl_look_all_well(const struct ctl_look *s);
/* Memory of this process in bytes, 0: unknown. */
uint64_t ctl_look_rss(void);

/* "protect-2" works on the queue of "protect". */
bool ctl_same_queue(const char *queue, const char *job);
/* Files that a job has not done yet. */
uint64_t ctl_job_left(const struct job_info *j);

struct ctl_queue {
	uint64_t waiting, active;
	int64_t oldest_ns; /* wall, 0 unknown */
};
/* The queue that a job works on. */
void ctl_look_queue(const struct ctl_look *s, const struct job_info *j,
		    struct ctl_queue *q);

#endif
