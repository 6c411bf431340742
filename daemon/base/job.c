/* SPDX-License-Identifier: Apache-2.0 */
#include "base/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

struct job {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t cond;  /* CLOCK_MONOTONIC */
	bool woken;
	bool stopping;
	int64_t asked_ns; /* monotonic: a run is wanted by then, or JOB_IDLE */
	bool error_said;  /* job_error() was called in this run */
	struct job_info info;

	job_run_fn run;
	void *arg;
	pthread_t thread;
};

static int64_t job_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return clock_ns(ts);
}

/* The time that is `ns` from now. */
static int64_t job_time_in(int64_t ns)
{
	return ns == JOB_IDLE ? JOB_IDLE : job_now() + MAX(ns, 0);
}

/* Sleeps until woken, stopping, or until `end`. False at `end`. */
static bool job_sleep_locked(struct job *job, int64_t end)
{
	struct timespec ts;

	if (end == JOB_IDLE)
		return pthread_cond_wait(&job->cond, &job->lock) == 0;
	ts = clock_timespec(end);
	return pthread_cond_timedwait(&job->cond, &job->lock, &ts) == 0;
}

/* Between two runs: what was asked for meanwhile may shorten it. */
static void job_rest_locked(struct job *job, int64_t ns)
{
	bool shorter = job->info.state != JOB_BACKING_OFF;
	int64_t end = job_time_in(ns);

	while (!job->woken && !job->stopping)
		if (!job_sleep_locked(job,
				      shorter ? MIN(end, job->asked_ns) : end))
			break;
}

/* 1 s doubling to 60 s, each shortened at random by up to a half. */
static int64_t job_backoff(unsigned failures)
{
	int64_t ns = NSEC_PER_SEC << MIN(failures - 1, 6U);

	return clock_jitter(MIN(ns, 60 * NSEC_PER_SEC));
}

static int64_t job_finish_locked(struct job *job, int64_t rc)
{
	if (rc >= 0) {
		job->info.failing = 0;
		job->info.last_error[0] = '\0';
		job->info.waiting_for[0] = '\0';
		job->info.state = JOB_SLEEPING;
	} else {
		job->info.failures++;
		job->info.failing++;
		job->info.failed_ns = clock_wall_ns();
		if (!job->error_said)
			snprintf(job->info.last_error,
				 sizeof(job->info.last_error), "%s",
				 strerror((int)-rc));
		rc = job_backoff(job->info.failing);
		job->info.state = JOB_BACKING_OFF;
	}
	job->info.next_ns = rc == JOB_IDLE ? 0 : clock_wall_ns() + rc;
	return rc;
}

static void *job_thread(void *arg)
{
	struct job *job = arg;

	pthread_mutex_lock(&job->lock);
	while (!job->stopping) {
		int64_t rc;

		job->woken = false;
		job->asked_ns = JOB_IDLE;
		job->error_said = false;
		job->info.state = JOB_RUNNING;
		job->info.started_ns = clock_wall_ns();
		pthread_mutex_unlock(&job->lock);
		rc = job->run(job, job->arg);
		pthread_mutex_lock(&job->lock);
		rc = job_finish_locked(job, rc);
		job_rest_locked(job, rc);
	}
	pthread_mutex_unlock(&job->lock);
	return NULL;
}

static void job_free(struct job *job)
{
	pthread_cond_destroy(&job->cond);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

struct job *job_start(const char *name, job_run_fn run, void *arg)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_condattr_t attr;
	char tname[16];
	int rc;

	if (!job)
		return NULL;
	pthread_mutex_init(&job->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&job->cond, &attr);
	pthread_condattr_destroy(&attr);
	snprintf(job->info.name, sizeof(job->info.name), "%s", name);
	job->run = run;
	job->arg = arg;
	job->asked_ns = JOB_IDLE;
	rc = pthread_create(&job->thread, NULL, job_thread, job);
	if (rc) {
		job_free(job);
		errno = rc;
		return NULL;
	}
	snprintf(tname, sizeof(tname), "%.15s", name);
	pthread_setname_np(job->thread, tname);
	return job;
}

void job_stop(struct job *job)
{
	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	job->stopping = true;
	pthread_cond_broadcast(&job->cond);
	pthread_mutex_unlock(&job->lock);
	pthread_join(job->thread, NULL);
	job_free(job);
}

void job_wake(struct job *job)
{
	if (!job)
		return;
	LOCK_SCOPE(&job->lock);
	job->woken = true;
	pthread_cond_broadcast(&job->cond);
}

void job_wake_in(struct job *job, int64_t ns)
{
	int64_t by = job_time_in(ns);

	if (!job)
		return;
	LOCK_SCOPE(&job->lock);
	if (by >= job->asked_ns)
		return;
	job->asked_ns = by;
	pthread_cond_broadcast(&job->cond);
}

bool job_stopping(struct job *job)
{
	LOCK_SCOPE(&job->lock);
	return job->stopping;
}

bool job_wait(struct job *job, int64_t ns)
{
	int64_t end = job_time_in(ns);

	LOCK_SCOPE(&job->lock);
	while (!job->woken && !job->stopping)
		if (!job_sleep_locked(job, end))
			break;
	return job->stopping;
}

void job_begin(struct job *job, uint64_t total_files, uint64_t total_bytes)
{
	LOCK_SCOPE(&job->lock);
	job->info.done_files = job->info.done_bytes = 0;
	job->info.total_files = total_files;
	job->info.total_bytes = total_bytes;
}

void job_add(struct job *job, uint64_t files, uint64_t bytes)
{
	LOCK_SCOPE(&job->lock);
	job->info.done_files += files;
	job->info.done_bytes += bytes;
}

void job_waiting(struct job *job, const char *fmt, ...)
{
	va_list ap;

	LOCK_SCOPE(&job->lock);
	job->info.waiting_for[0] = '\0';
	if (!fmt)
		return;
	va_start(ap, fmt);
	vsnprintf(job->info.waiting_for, sizeof(job->info.waiting_for), fmt,
		  ap);
	va_end(ap);
}

void job_error(struct job *job, const char *fmt, ...)
{
	va_list ap;

	LOCK_SCOPE(&job->lock);
	job->error_said = true;
	va_start(ap, fmt);
	vsnprintf(job->info.last_error, sizeof(job->info.last_error), fmt, ap);
	va_end(ap);
}

void job_get(struct job *job, struct job_info *out)
{
	int64_t asked;

	LOCK_SCOPE(&job->lock);
	*out = job->info;
	if (job->info.state != JOB_SLEEPING || job->asked_ns == JOB_IDLE)
		return;
	asked = clock_wall_ns() + MAX(job->asked_ns - job_now(), 0);
	if (out->next_ns == 0 || asked < out->next_ns)
		out->next_ns = asked;
}
