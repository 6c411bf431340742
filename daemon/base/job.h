/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One named background job, visible to ops (P11): what it does, since when,
 * what it waits for, its last error.  Each job has a thread of its own, so
 * that one which waits for a store holds up no other.
 *
 * The run function is called when the job is woken or its time has come. It
 * returns the nanoseconds until it wants to run again without being woken,
 * JOB_IDLE for "only when woken", or -errno: then it is run again with a
 * back-off of 1 s doubling to 60 s with jitter, and the error is shown until
 * a run succeeds. It must look at job_stopping() at least once a second.
 */
#ifndef MERSEY_BASE_JOB_H
#define MERSEY_BASE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/guard.h"

#define JOB_IDLE INT64_MAX

struct job;

typedef int64_t (*job_run_fn)(struct job *job, void *arg);

enum job_state { JOB_SLEEPING, JOB_RUNNING, JOB_BACKING_OFF };

/* A copy of what a job tells of itself. */
struct job_info {
	char name[32];
	enum job_state state;
	int64_t started_ns; /* wall time of the current or last run, 0 never */
	int64_t next_ns;    /* wall time of the next run, 0 when only woken */
	uint64_t done_files, done_bytes;   /* of this or the last run */
	uint64_t total_files, total_bytes; /* 0 = not known */
	char waiting_for[160];		   /* "" = for nothing */
	char last_error[256];		   /* "" = the last run succeeded */
	uint64_t failures;		   /* since the start */
	unsigned failing;		   /* of them: in a row until now */
	int64_t failed_ns; /* wall time of the last one, 0 never */
};

/*
 * Starts the job's thread; the first run happens at once.  `name` is copied
 * (at most 15 bytes also become the thread's name).  NULL without memory or
 * threads, errno set.
 */
struct job *job_start(const char *name, job_run_fn run, void *arg);

/*
 * Tells the job to stop, wakes it, waits for its thread and frees it.  NULL
 * is fine.  What the run function waits on must notice job_stopping().
 */
void job_stop(struct job *job);

DEFINE_GUARD(struct job *, job_stop);

/* Asks for a run now, or for one more when it is running.  Any thread. */
void job_wake(struct job *job);

/*
 * Asks for a run within ns from now. Costs little when one is due by then
 * anyway. It does not shorten the back-off after an error.
 */
void job_wake_in(struct job *job, int64_t ns);

/* For the run function. */
bool job_stopping(struct job *job);
/* Sleeps, up to ns, until woken or stopping.  True when stopping. */
bool job_wait(struct job *job, int64_t ns);
void job_begin(struct job *job, uint64_t total_files, uint64_t total_bytes);
void job_add(struct job *job, uint64_t files, uint64_t bytes);
/* What it waits for, in words; NULL clears. */
void job_waiting(struct job *job, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The sentence shown as last_error when this run returns -errno. */
void job_error(struct job *job, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Copies what the job tells of itself. */
void job_get(struct job *job, struct job_info *out);

#endif
