// SPDX-License-Identifier: Apache-2.0
#include "main/identity.h"

#include <string.h>

#include "base/clock.h"
#include "base/job.h"
#include "base/log.h"
#include "main/bucket.h"
#include "main/ending.h"
#include "main/kept.h"
#include "store/drivers.h"

#define ASK_AGAIN_NS (5 * NSEC_PER_SEC)

struct identity {
	pthread_cond_t cond;  /* CLOCK_MONOTONIC */
	pthread_mutex_t lock; /* guards the next five */
	bool asked; /* there was no answer: the next look comes too late */
	bool known;
	bool waited; /* the start has its answer, or did not wait for it */
	int rc;
	struct err err;

	struct stack *stack;
	const char *trust;
	const struct pack_volume_id *volume;
	const struct pack_root *root;
	struct job *job;
};

int identity_look(struct store *s, const struct pack_volume_id *volume,
		  const struct pack_root *root, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_volume_id found;
	int rc = kept_fetch(s, PACK_MARKER_NAME, &text);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot read %s from the bucket",
				   PACK_MARKER_NAME);
	rc = pack_marker_check(text.data, text.len, root, &found, err);
	if (rc < 0)
		return rc;
	if (memcmp(&found, volume, sizeof(found)) != 0)
		return fail(err, -EREMCHG,
			    "the bucket belongs to another volume");
	return 0;
}

/*
 * Worth asking again: the store is away, or refuses (credentials, a
 * certificate, a bucket that is being made), or shows no marker: a share that
 * is not mounted looks like an empty bucket, and cached reads and writes go
 * on meanwhile (P10). Only a marker that is not ours ends the worker.
 */
static bool goes_away(int rc)
{
	return store_is_transient(rc) || rc == -ENOENT || rc == -EACCES ||
	       rc == -EPROTO || rc == -EIO || rc == -ENOMEM;
}

static void settle(struct identity *id, int rc, const struct err *err)
{
	bool late;

	if (rc == 0) {
		gate_open(&id->stack->gate);
		if (id->stack->gate.fence)
			fence_open(id->stack->gate.fence);
	}
	pthread_mutex_lock(&id->lock);
	id->known = true;
	id->rc = rc;
	id->err = *err;
	late = id->waited;
	pthread_cond_broadcast(&id->cond);
	pthread_mutex_unlock(&id->lock);

	if (!late)
		return;
	if (rc == 0) {
		log_info("the bucket answers, and is this trust's own");
	} else {
		log_err("%s; stopping", err->msg);
		log_err("  try: %s", err->hint);
		ending_fail();
	}
}

/* Who waits need not wait any more. */
static void note_asked(struct identity *id)
{
	LOCK_SCOPE(&id->lock);
	id->asked = true;
	pthread_cond_broadcast(&id->cond);
}

static int64_t identity_run(struct job *job, void *arg)
{
	struct identity *id = arg;
	bool said = false;

	while (!job_stopping(job)) {
		struct err err = ERR_INIT;
		int rc = identity_look(id->stack->direct, id->volume, id->root,
				       &err);

		if (!goes_away(rc)) {
			if (rc < 0 && !err.hint[0])
				fail_hint(&err, rc,
					  "if it is the right bucket: mersey "
					  "trust add %s",
					  id->trust);
			settle(id, rc, &err);
			return JOB_IDLE;
		}
		if (rc == -ENOENT) /* an answer, but not the right one */
			store_health_refuse(&id->stack->health, rc, err.msg);
		if (!said)
			log_warn("%s; going on without it%s%s", err.msg,
				 err.hint[0] ? "; try: " : "", err.hint);
		said = true;
		note_asked(id);
		job_waiting(job, "%s", err.msg);
		job_wait(job, ASK_AGAIN_NS);
	}
	return JOB_IDLE;
}

/* The answer, if it comes in time. */
static int await(struct identity *id, int64_t wait_ns, struct err *err)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + wait_ns);
	LOCK_SCOPE(&id->lock);
	while (!id->known && !id->asked)
		if (pthread_cond_timedwait(&id->cond, &id->lock, &ts))
			break;
	id->waited = true;
	if (!id->known || id->rc == 0)
		return 0;
	if (err)
		*err = id->err;
	return id->rc;
}

int identity_start(struct stack *stack, const char *trust,
		   const struct pack_volume_id *volume,
		   const struct pack_root *root, int64_t wait_ns,
		   struct identity **out, struct err *err)
{
	struct identity *id = calloc(1, sizeof(*id));
	pthread_condattr_t attr;
	int rc;

	if (!id)
		return fail(err, -ENOMEM, "%m");
	id->stack = stack;
	id->trust = trust;
	id->volume = volume;
	id->root = root;
	pthread_mutex_init(&id->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&id->cond, &attr);
	pthread_condattr_destroy(&attr);
	id->job = job_start("identity", identity_run, id);
	rc = id->job ? await(id, wait_ns, err)
		     : fail(err, -errno, "cannot start a thread: %m");
	if (rc < 0) {
		identity_stop(id);
		return rc;
	}
	*out = id;
	return 0;
}

void identity_stop(struct identity *id)
{
	if (!id)
		return;
	job_stop(id->job);
	pthread_cond_destroy(&id->cond);
	pthread_mutex_destroy(&id->lock);
	free(id);
}
