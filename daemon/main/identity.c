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

/* Of one place. */
struct identity_place {
	struct identity *id;
	struct stack_place *place;
	struct job *job;
};

struct identity {
	pthread_cond_t cond;  /* CLOCK_MONOTONIC */
	pthread_mutex_t lock; /* guards the next five, of the first place */
	bool asked; /* there was no answer: the next look comes too late */
	bool known;
	bool waited; /* the start has its answer, or did not wait for it */
	int rc;
	struct err err;

	struct identity_opts o;
	struct identity_place place[MOVE_TIERS_MAX];
	size_t n_places;
};

int identity_look(struct store *s, const struct pack_volume_id *volume,
		  const struct pack_root *root, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_volume_id found;
	int rc = kept_fetch(s, PACK_MARKER_NAME, &text);

	if (rc == -ENOENT)
		return fail(err, rc, "the bucket holds no %s",
			    PACK_MARKER_NAME);
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

/* Where new data and the claim of the bucket lie. */
static bool is_first(const struct identity_place *p)
{
	return p == p->id->place;
}

/* Calls may pass; whose claim lies there may be asked for. */
static void let_in(struct identity_place *p)
{
	struct gate *g = &p->place->gate;

	gate_open(g);
	if (is_first(p) && g->fence)
		fence_open(g->fence);
}

/* The first place has a marker. */
static void settle(struct identity *id, int rc, const struct err *err)
{
	bool late;

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

/* Is it over, one way or the other? */
static bool settles(const struct identity_place *p, int rc)
{
	return rc == 0 || (is_first(p) && !goes_away(rc));
}

/* `said`: the log was told that it was not. */
static void finish(struct identity_place *p, int rc, struct err *err, bool said)
{
	struct identity *id = p->id;

	if (rc < 0 && !err->hint[0])
		fail_hint(err, rc,
			  "if it is the right bucket: mersey trust add %s",
			  id->o.trust);
	if (rc == 0)
		let_in(p);
	if (is_first(p))
		settle(id, rc, err);
	else if (said)
		log_info("tier '%s': its bucket answers, and is this trust's "
			 "own",
			 p->place->tier->terms.name);
}

/* Not now. An answer, but not that of a bucket of ours, is its health. */
static void note_trouble(struct identity_place *p, int rc,
			 const struct err *err)
{
	if (rc == -ENOENT || !goes_away(rc))
		store_health_refuse(&p->place->health, rc, err->msg);
	if (is_first(p))
		note_asked(p->id);
}

static void log_trouble(const struct identity_place *p, const struct err *err)
{
	const char *tier = p->place->tier->terms.name;

	log_warn("tier '%s': %s; going on without it%s%s", tier, err->msg,
		 err->hint[0] ? "; try: " : "", err->hint);
}

/* Until it is settled, or stopped. 0 or what it is. */
static int ask(struct job *job, struct identity_place *p)
{
	struct identity *id = p->id;
	int said = 0; /* what the log was told of last */

	while (!job_stopping(job)) {
		struct err err = ERR_INIT;
		int rc = identity_look(p->place->direct, id->o.volume,
				       id->o.root, &err);

		if (settles(p, rc)) {
			finish(p, rc, &err, said != 0);
			return rc;
		}
		if (rc != said)
			log_trouble(p, &err);
		said = rc;
		note_trouble(p, rc, &err);
		job_waiting(job, "%s", err.msg);
		job_wait(job, id->o.again_ns);
	}
	return -EINTR;
}

/* Is it as its last request left it? */
static void ask_after(struct identity_place *p)
{
	struct identity *id = p->id;
	struct err err = ERR_INIT;
	struct store_health h;
	int rc;

	store_health_read(&p->place->health, &h);
	if (!h.down && !h.last_error)
		return;
	rc = identity_look(p->place->direct, id->o.volume, id->o.root, &err);
	if (rc < 0)
		note_trouble(p, rc, &err);
}

static int64_t identity_run(struct job *job, void *arg)
{
	struct identity_place *p = arg;

	if (gate_is_open(&p->place->gate))
		ask_after(p);
	else if (ask(job, p) < 0)
		return JOB_IDLE;
	return is_first(p) ? JOB_IDLE : p->id->o.again_ns;
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

static int start_jobs(struct identity *id, struct stack *stack)
{
	for (size_t i = 0; i < stack->n_places; i++) {
		struct identity_place *p = &id->place[i];

		*p = (struct identity_place){ .id = id,
					      .place = &stack->place[i] };
		id->n_places++;
		p->job = job_start("identity", identity_run, p);
		if (!p->job)
			return -errno;
	}
	return 0;
}

int identity_start(struct stack *stack, const struct identity_opts *o,
		   struct identity **out, struct err *err)
{
	struct identity *id = calloc(1, sizeof(*id));
	pthread_condattr_t attr;
	int rc;

	if (!id)
		return fail(err, -ENOMEM, "%m");
	id->o = *o;
	if (!id->o.again_ns)
		id->o.again_ns = ASK_AGAIN_NS;
	pthread_mutex_init(&id->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&id->cond, &attr);
	pthread_condattr_destroy(&attr);
	rc = start_jobs(id, stack);
	rc = rc < 0 ? fail(err, rc, "cannot start a thread: %m")
		    : await(id, o->wait_ns, err);
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
	for (size_t i = 0; i < id->n_places; i++)
		job_stop(id->place[i].job);
	pthread_cond_destroy(&id->cond);
	pthread_mutex_destroy(&id->lock);
	free(id);
}
