/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly: starts and stops what moves. */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"

void move_wake(struct move *mv, struct job **job)
{
	LOCK_SCOPE(&mv->jobs_lock);
	job_wake(*job);
}

void move_wake_in(struct move *mv, struct job **job, int64_t ns)
{
	LOCK_SCOPE(&mv->jobs_lock);
	job_wake_in(*job, ns);
}

static void move_pressure(void *arg)
{
	struct move *mv = arg;

	move_wake(mv, &mv->evict);
}

/* It was closed a moment ago: there is nothing to do before it has settled. */
static void move_dirty(void *arg)
{
	struct move *mv = arg;

	move_wake_in(mv, &mv->stream[0].job, mv->o.settle_ns);
}

void move_reap_now(struct move *mv)
{
	move_wake(mv, &mv->reap);
}

/* Many share a barrier, unless somebody waits for the room. */
void move_reap_soon(struct move *mv)
{
	struct cache_usage u;

	cache_usage(mv->c, &u);
	move_wake_in(mv, &mv->reap, u.over_high ? 0 : REAP_DELAY_NS);
}

void move_on_reap(struct move *mv, bool (*held)(void *arg, uint64_t ino),
		  void *arg)
{
	LOCK_SCOPE(&mv->held.lock);
	mv->held.fn = held;
	mv->held.arg = arg;
}

void move_evict_now(struct move *mv)
{
	move_wake(mv, &mv->evict);
}

static struct move *move_new(const struct move_opts *o, struct meta *m,
			     struct cache *c, struct pack_keyring *kr,
			     const struct move_stores *stores)
{
	struct move *mv = calloc(1, sizeof(*mv));

	if (!mv)
		return NULL;
	mv->o = *o;
	mv->m = m;
	mv->c = c;
	mv->kr = kr;
	mv->s = *stores;
	tiers_init(mv);
	mv->wall0_ns = clock_wall_ns();
	mv->boot0_ns = clock_boot_ns();
	mv->ghost = (struct value_ghost)VALUE_GHOST_INIT;
	keys_init(&mv->keys);
	pthread_mutex_init(&mv->now.lock, NULL);
	pthread_mutex_init(&mv->build_lock, NULL);
	sealing_init(mv);
	larges_init(mv);
	pthread_mutex_init(&mv->jobs_lock, NULL);
	pthread_mutex_init(&mv->held.lock, NULL);
	fetcher_init(&mv->fetcher);
	mates_init(&mv->mates);
	restores_init(&mv->restores);
	return mv;
}

static int move_job(struct move *mv, struct job **out, const char *name,
		    job_run_fn run, void *arg, struct err *err)
{
	LOCK_SCOPE(&mv->jobs_lock);
	*out = job_start(name, run, arg);
	return *out ? 0 : fail(err, -errno, "cannot start job %s: %m", name);
}

static int move_streams(struct move *mv, struct err *err)
{
	unsigned want = MIN(MAX(mv->o.streams, 1U), (unsigned)MOVE_STREAMS_MAX);
	char name[32] = "protect";
	unsigned i;
	int rc = 0;

	mv->streams = want;
	for (i = 0; i < want; i++) {
		mv->stream[i].mv = mv;
		mv->stream[i].index = i;
	}
	for (i = 0; rc == 0 && i < want; i++) {
		struct stream *st = &mv->stream[i];

		if (i > 0)
			snprintf(name, sizeof(name), "protect-%u", i + 1);
		rc = move_job(mv, &st->job, name, protect_run, st, err);
	}
	return rc;
}

/* What leaves the cache says where it lies. */
static void move_archives(struct move *mv)
{
	size_t i, n = 0;

	for (i = 0; i < mv->s.n_tiers; i++)
		if (mv->s.tier[i].archive)
			mv->archive[n++] = mv->s.tier[i].name;
	cache_set_archives(mv->c, mv->archive, n);
}

static int move_jobs_start(struct move *mv, struct err *err)
{
	int rc = fetcher_start(mv);

	if (rc < 0)
		return fail(err, rc, "cannot start a thread: %m");
	rc = move_streams(mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->evict, "evict", evict_run, mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->reap, "reap", reap_run, mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->restore, "restore", restoring_run, mv,
			      err);
	if (rc == 0)
		rc = move_job(mv, &mv->bring, "recall", bring_run, mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->gc, "gc", gc_run, mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->lost, "lost", lost_run, mv, err);
	if (rc == 0)
		rc = move_job(mv, &mv->copies, "open-files", copies_run, mv,
			      err);
	return rc;
}

int move_start(const struct move_opts *o, struct meta *m, struct cache *c,
	       struct pack_keyring *kr, const struct move_stores *stores,
	       struct move **out, struct err *err)
{
	CLEANUP(move_stop_guard)
	struct move *mv = move_new(o, m, c, kr, stores);
	int rc;

	if (!mv)
		return fail(err, -ENOMEM, "no memory");
	rc = gc_doubt(mv, err);
	if (rc == 0)
		rc = gc_intents(mv, err);
	if (rc == 0)
		rc = evict_load(mv, err);
	if (rc == 0)
		move_archives(mv);
	if (rc == 0)
		rc = move_jobs_start(mv, err);
	if (rc < 0)
		return rc;
	cache_on_pressure(c, move_pressure, mv);
	cache_on_dirty(c, move_dirty, mv);
	*out = take(mv);
	return 0;
}

static void move_job_stop(struct move *mv, struct job **job)
{
	struct job *j;

	pthread_mutex_lock(&mv->jobs_lock);
	j = take(*job);
	pthread_mutex_unlock(&mv->jobs_lock);
	job_stop(j);
}

struct cache *move_cache(struct move *mv)
{
	return mv->c;
}

void move_stop(struct move *mv)
{
	unsigned i;

	if (!mv)
		return;
	atomic_store(&mv->stopping, true);
	__atomic_store_n(&mv->bring_stop, true, __ATOMIC_SEQ_CST);
	cache_on_pressure(mv->c, NULL, NULL);
	cache_on_dirty(mv->c, NULL, NULL);
	for (i = 0; i < mv->streams; i++)
		move_job_stop(mv, &mv->stream[i].job);
	move_job_stop(mv, &mv->evict);
	move_job_stop(mv, &mv->reap);
	move_job_stop(mv, &mv->bring);
	move_job_stop(mv, &mv->restore);
	move_job_stop(mv, &mv->gc);
	move_job_stop(mv, &mv->lost);
	move_job_stop(mv, &mv->copies);
	fetcher_stop(mv);
	cache_set_archives(mv->c, NULL, 0);
	keys_done(&mv->keys);
	fetcher_done(&mv->fetcher);
	mates_done(&mv->mates);
	restores_done(&mv->restores);
	pthread_mutex_destroy(&mv->held.lock);
	pthread_mutex_destroy(&mv->jobs_lock);
	larges_done(mv);
	sealing_done(mv);
	pthread_mutex_destroy(&mv->build_lock);
	pthread_mutex_destroy(&mv->now.lock);
	free(mv);
}

size_t move_jobs(struct move *mv, struct job_info *out, size_t max)
{
	struct job *job[MOVE_STREAMS_MAX + 7];
	size_t n = 0, i;

	LOCK_SCOPE(&mv->jobs_lock);
	for (i = 0; i < mv->streams; i++)
		job[n++] = mv->stream[i].job;
	job[n++] = mv->evict;
	job[n++] = mv->reap;
	job[n++] = mv->restore;
	job[n++] = mv->bring;
	job[n++] = mv->gc;
	job[n++] = mv->lost;
	job[n++] = mv->copies;
	for (i = 0; i < n && i < max; i++)
		if (job[i])
			job_get(job[i], &out[i]);
		else
			memset(&out[i], 0, sizeof(out[i]));
	if (n < max)
		cache_job(mv->c, &out[n]);
	n++;
	if (!mv->s.fence)
		return n;
	if (n < max)
		fence_job(mv->s.fence, &out[n]);
	return n + 1;
}
