/* SPDX-License-Identifier: Apache-2.0 */
/* Who writes the bucket: the state, the questions before a request, the job. */
#include "move/fence_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define FENCE_GLANCE_NS (2 * NSEC_PER_SEC)
#define FENCE_LOOK_NS	(600 * NSEC_PER_SEC)
#define FENCE_ASK_AGAIN (5 * NSEC_PER_SEC)
#define FENCE_ASK_NS	(30 * NSEC_PER_SEC)
#define FENCE_BATCH_NS	NSEC_PER_SEC
#define FENCE_PATIENCE	(60 * NSEC_PER_SEC) /* of who asks for a claim */

/* ---- state ----------------------------------------------------------- */

const char *fence_state_name(enum fence_state s)
{
	static const char *const name[] = {
		[FENCE_WAITING] = "waiting",
		[FENCE_HOLDER] = "holder",
		[FENCE_ELSEWHERE] = "elsewhere",
		[FENCE_SUPERSEDED] = "superseded",
		[FENCE_UNSAFE] = "unsafe",
	};

	return name[s];
}

static const bool fence_moves[FENCE_UNSAFE + 1][FENCE_UNSAFE + 1] = {
	[FENCE_WAITING] = { [FENCE_HOLDER] = true,
			    [FENCE_ELSEWHERE] = true,
			    [FENCE_UNSAFE] = true },
	[FENCE_HOLDER] = { [FENCE_SUPERSEDED] = true },
	[FENCE_ELSEWHERE] = { [FENCE_HOLDER] = true, [FENCE_UNSAFE] = true },
	[FENCE_SUPERSEDED] = { [FENCE_HOLDER] = true, [FENCE_UNSAFE] = true },
	[FENCE_UNSAFE] = { [FENCE_HOLDER] = true, [FENCE_ELSEWHERE] = true },
};

static void why_locked(const struct fence *f, char out[FENCE_WHY_SIZE])
{
	const size_t size = FENCE_WHY_SIZE;
	const struct pack_claim *c = &f->holder;

	switch (f->state) {
	case FENCE_WAITING:
		snprintf(out, size, "the bucket was not claimed yet");
		break;
	case FENCE_HOLDER:
		*out = '\0';
		break;
	case FENCE_UNSAFE:
		snprintf(out, size,
			 "the store has no create-only PUT: two gateways could "
			 "destroy each other's data");
		break;
	case FENCE_ELSEWHERE:
	case FENCE_SUPERSEDED:
		if (f->known)
			snprintf(out, size,
				 "gateway '%s' on '%s' writes the bucket since "
				 "%s",
				 c->gateway, c->host, c->claimed_at);
		else if (f->newest == 0)
			snprintf(
				out, size,
				"the bucket has none of this gateway's claims: "
				"it may be another than the first tier's");
		else
			snprintf(out, size,
				 "another gateway writes the bucket "
				 "(generation %u)",
				 f->newest);
	}
}

static void fence_say(const struct fence *f, enum fence_state s,
		      const char *why, uint32_t newest)
{
	switch (s) {
	case FENCE_HOLDER:
		log_info("this gateway writes the bucket, as generation %u",
			 newest);
		return;
	case FENCE_SUPERSEDED:
		log_err("%s: it was taken over; nothing is written there or "
			"deleted any more, changes are kept here",
			why);
		break;
	case FENCE_ELSEWHERE:
		log_err("%s: nothing is written there or deleted, changes are "
			"kept here",
			why);
		break;
	case FENCE_UNSAFE:
		log_err("%s; nothing is written there", why);
		log_err("  try: another store, or, if no other gateway ever "
			"writes that bucket: single_writer: confirmed");
		return;
	case FENCE_WAITING:
		return;
	}
	log_err("  try: mersey store unlock %s, if this gateway is to write it",
		f->o.trust);
}

void fence_become(struct fence *f, enum fence_state s, uint32_t newest,
		  const struct pack_claim *claim)
{
	bool news;
	char why[FENCE_WHY_SIZE];

	{
		LOCK_SCOPE(&f->lock);
		news = f->state != s && fence_moves[f->state][s];
		if (f->state != s && !news)
			return; /* superseded, and elsewhere as well */
		if (s == FENCE_SUPERSEDED && newest <= f->generation)
			return; /* we took it back meanwhile */
		f->state = s;
		f->newest = newest;
		f->known = claim != NULL;
		if (claim)
			f->holder = *claim;
		if (s == FENCE_HOLDER) {
			f->generation = newest;
			f->seen_ns = clock_boot_ns();
			f->listed_ns = 0;
			f->quarantine_known = false;
		}
		why_locked(f, why);
		pthread_cond_broadcast(&f->told);
	}
	if (news)
		fence_say(f, s, why, newest);
}

void fence_info(struct fence *f, struct fence_info *out)
{
	LOCK_SCOPE(&f->lock);
	*out = (struct fence_info){
		.state = f->state,
		.generation = f->newest,
		.quarantined = f->quarantined,
		.quarantined_bytes = f->quarantined_bytes,
		.quarantine_known = f->quarantine_known,
	};
	why_locked(f, out->why);
	if (!f->known)
		return;
	snprintf(out->held_by, sizeof(out->held_by), "%s", f->holder.gateway);
	snprintf(out->host, sizeof(out->host), "%s", f->holder.host);
	if (clock_iso_parse(f->holder.claimed_at, &out->held_since_ns) < 0)
		out->held_since_ns = 0;
}

/* ---- before a request ------------------------------------------------- */

static int answer_locked(const struct fence *f, char why[FENCE_WHY_SIZE])
{
	if (why)
		why_locked(f, why);
	if (f->state == FENCE_HOLDER)
		return 0;
	return f->state == FENCE_WAITING ? -EAGAIN : -EROFS;
}

int fence_generation(struct fence *f, uint32_t *gen, char why[FENCE_WHY_SIZE])
{
	int rc;

	*gen = 1;
	if (!f)
		return 0;
	LOCK_SCOPE(&f->lock);
	rc = answer_locked(f, why);
	if (rc == 0)
		*gen = f->generation;
	return rc;
}

/* A newer claim was seen; the job looks whose it is. */
static int superseded(struct fence *f, uint32_t newest,
		      char why[FENCE_WHY_SIZE])
{
	fence_become(f, FENCE_SUPERSEDED, newest, NULL);
	job_wake(f->job);
	snprintf(why, FENCE_WHY_SIZE, "another gateway took the bucket over");
	return -EROFS;
}

static void fence_saw(struct fence *f, uint32_t gen, int64_t at_ns)
{
	LOCK_SCOPE(&f->lock);
	if (f->generation == gen)
		f->seen_ns = MAX(f->seen_ns, at_ns);
}

/* Claims have no gaps, so a newer one has the next number. */
static int fence_glance(struct fence *f, uint32_t gen, char why[FENCE_WHY_SIZE])
{
	int64_t at = clock_boot_ns();
	char key[PACK_CLAIM_NAME_SIZE];
	struct store_info info;
	int rc;

	pack_claim_name(gen + 1, key);
	rc = store_head(f->s, key, &info);
	{
		LOCK_SCOPE(&f->lock);
		f->glancing = false;
	}
	if (rc == 0)
		return superseded(f, gen + 1, why);
	if (rc != -ENOENT)
		return rc;
	fence_saw(f, gen, at);
	return 0;
}

/* While one stream asks, the others go by the answer before. */
static bool fence_glance_due(struct fence *f)
{
	int64_t glance = f->o.glance_ns ? f->o.glance_ns : FENCE_GLANCE_NS;
	int64_t age;

	LOCK_SCOPE(&f->lock);
	age = clock_boot_ns() - f->seen_ns;
	if (age < (f->glancing ? 2 : 1) * glance)
		return false;
	f->glancing = true;
	return true;
}

int fence_put(struct fence *f, const char *key, char why[FENCE_WHY_SIZE])
{
	uint32_t gen, of = pack_name_generation(key);
	int rc = fence_generation(f, &gen, why);

	if (rc < 0)
		return rc;
	if (of && of != gen) {
		snprintf(why, FENCE_WHY_SIZE, "generation %u is over", of);
		return -ESTALE;
	}
	return fence_glance_due(f) ? fence_glance(f, gen, why) : 0;
}

/* Is there a newer claim than ours? By a LIST: one that was made in whatever
 * way is seen. */
static int fence_list(struct fence *f, uint32_t gen, char why[FENCE_WHY_SIZE])
{
	int64_t at = clock_boot_ns();
	uint32_t newest;
	int rc = claim_newest(f, gen, &newest);

	if (rc < 0)
		return rc;
	if (newest > gen)
		return superseded(f, newest, why);
	LOCK_SCOPE(&f->lock);
	if (f->generation == gen) {
		f->seen_ns = MAX(f->seen_ns, at);
		f->listed_ns = MAX(f->listed_ns, at);
	}
	return 0;
}

/* Of the batch that was asked for last? A process that was paused sees that
 * time has passed. */
static bool fence_listed(struct fence *f)
{
	int64_t batch = f->o.batch_ns ? f->o.batch_ns : FENCE_BATCH_NS;

	LOCK_SCOPE(&f->lock);
	return f->listed_ns && clock_boot_ns() - f->listed_ns < batch;
}

/* 0, or -EPERM. */
static int fence_ours(struct fence *f, const char *key,
		      char why[FENCE_WHY_SIZE])
{
	uint32_t of = pack_name_generation(key);
	int rc = of ? quarantine_ours(f, of) : 1;

	if (rc != 0)
		return MIN(rc, 0);
	snprintf(why, FENCE_WHY_SIZE,
		 "'%s' is another gateway's, and stays in quarantine", key);
	return -EPERM;
}

int fence_del(struct fence *f, const char *const *keys, size_t n,
	      char why[FENCE_WHY_SIZE])
{
	uint32_t gen;
	int rc = fence_generation(f, &gen, why);
	size_t i;

	for (i = 0; rc == 0 && i < n; i++)
		rc = fence_ours(f, keys[i], why);
	if (rc < 0)
		return rc;
	return fence_listed(f) ? 0 : fence_list(f, gen, why);
}

/* ---- the job ---------------------------------------------------------- */

/* What is in force is looked at again: a newer claim, and whose it is. */
static int fence_refresh(struct fence *f, enum fence_state s, uint32_t newest,
			 struct err *err)
{
	int64_t at = clock_boot_ns();
	struct pack_claim claim;
	uint32_t found;
	int rc = claim_newest(f, newest, &found);

	if (rc < 0)
		return fail(err, rc, "cannot list '%s' in the bucket: %m%s%s",
			    PACK_CLAIM_PREFIX, *store_detail() ? ": " : "",
			    store_detail());
	if (s == FENCE_HOLDER && found == newest) {
		fence_saw(f, newest, at);
		return 0;
	}
	if (!found) /* there still are none */
		return 0;
	rc = claim_read(f, found, &claim);
	if (rc < 0 && rc != -EBADMSG)
		return fail(err, rc, "cannot read a claim: %m");
	fence_become(f, s == FENCE_HOLDER ? FENCE_SUPERSEDED : s, found,
		     rc == 0 ? &claim : NULL);
	return 0;
}

/* Who waits for it is told. */
static void fence_answer(struct fence *f, unsigned ticket, int rc,
			 const struct err *err)
{
	LOCK_SCOPE(&f->lock);
	f->done = ticket;
	f->rc = rc;
	f->err = *err;
	pthread_cond_broadcast(&f->told);
}

static int fence_step(struct fence *f, struct job *job, bool take,
		      struct err *err)
{
	enum fence_state s;
	uint32_t newest;

	{
		LOCK_SCOPE(&f->lock);
		s = f->state;
		newest = f->newest;
	}
	if (s == FENCE_WAITING || s == FENCE_UNSAFE ||
	    (take && s != FENCE_HOLDER))
		return claim_run(f, job, take, err);
	return fence_refresh(f, s, newest, err);
}

/* Once for each claim of ours. */
static int fence_quarantine(struct fence *f, struct job *job)
{
	bool due;

	{
		LOCK_SCOPE(&f->lock);
		due = f->state == FENCE_HOLDER && !f->quarantine_known;
	}
	return due ? quarantine_scan(f, job) : 0;
}

static int64_t fence_run(struct job *job, void *arg)
{
	struct fence *f = arg;
	struct err err = ERR_INIT;
	enum fence_wish wish;
	unsigned ticket;
	bool open;
	int rc;

	{
		LOCK_SCOPE(&f->lock);
		open = f->open;
		wish = f->wish;
		ticket = f->wishes;
		f->wish = WISH_NOTHING;
		f->ran_ns = clock_boot_ns();
	}
	if (!open)
		return JOB_IDLE;
	job_begin(job, 0, 0);
	rc = fence_step(f, job, wish == WISH_TAKE, &err);
	fence_answer(f, ticket, rc, &err);
	if (rc == 0)
		rc = fence_quarantine(f, job);
	if (rc == -EINTR)
		return JOB_IDLE;
	if (rc < 0) {
		job_waiting(job, "%s", err.msg[0] ? err.msg : strerror(-rc));
		return FENCE_ASK_AGAIN;
	}
	job_waiting(job, NULL);
	return f->o.look_ns ? f->o.look_ns : FENCE_LOOK_NS;
}

/* ---- what people ask for ---------------------------------------------- */

static int fence_wish(struct fence *f, enum fence_wish wish,
		      struct fence_info *was, struct err *err)
{
	struct timespec ts;
	unsigned ticket;

	fence_info(f, was);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + FENCE_PATIENCE);
	LOCK_SCOPE(&f->lock);
	if (!f->open)
		return fail(err, -EAGAIN, "the bucket has not answered yet");
	f->wish = MAX(f->wish, wish);
	ticket = ++f->wishes;
	job_wake(f->job);
	while ((int)(f->done - ticket) < 0 && !f->stopping)
		if (pthread_cond_timedwait(&f->told, &f->lock, &ts))
			return fail(err, -ETIMEDOUT,
				    "the bucket does not answer");
	if (f->stopping)
		return fail(err, -EAGAIN, "the worker stops");
	*err = f->err;
	return f->rc;
}

int fence_look(struct fence *f, struct fence_info *was, struct err *err)
{
	int rc = fence_wish(f, WISH_LOOK, was, err);

	fence_info(f, was);
	return rc;
}

int fence_take(struct fence *f, struct fence_info *was, struct err *err)
{
	/* Who has it now, and not who had it ten minutes ago. */
	int rc = fence_look(f, was, err);
	struct fence_info now;

	if (rc == 0 && was->state != FENCE_HOLDER)
		rc = fence_wish(f, WISH_TAKE, &now, err);
	return rc;
}

/* ---- life ------------------------------------------------------------- */

static int fence_owner(struct fence *f, const struct pack_root *root)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = buf_addf(&b, "%s%s", f->o.machine, f->o.dir);

	return rc < 0 ? rc : pack_claim_owner(root, b.data, b.len, f->owner);
}

int fence_start(const struct fence_opts *o, struct meta *m, struct store *s,
		const struct pack_volume_id *volume,
		const struct pack_root *root, struct fence **out,
		struct err *err)
{
	CLEANUP(fence_stop_guard) struct fence *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;
	int rc;

	if (!f)
		return fail(err, -ENOMEM, "%m");
	f->o = *o;
	f->m = m;
	f->s = s;
	f->volume = volume;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->told, &attr);
	pthread_condattr_destroy(&attr);
	rc = fence_owner(f, root);
	if (rc < 0)
		return fail(err, rc, "cannot tell this gateway's name: %m");
	f->job = job_start("writer", fence_run, f);
	if (!f->job)
		return fail(err, -errno, "cannot start job writer: %m");
	*out = take(f);
	return 0;
}

void fence_stop(struct fence *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
	job_stop(f->job);
	pthread_cond_destroy(&f->told);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void fence_open(struct fence *f)
{
	{
		LOCK_SCOPE(&f->lock);
		f->open = true;
	}
	job_wake(f->job);
}

void fence_ask(struct fence *f)
{
	int64_t least = f->o.ask_ns ? f->o.ask_ns : FENCE_ASK_NS;
	bool due;

	{
		LOCK_SCOPE(&f->lock);
		due = f->open && clock_boot_ns() - f->ran_ns >= least;
	}
	if (due)
		job_wake(f->job);
}

void fence_job(struct fence *f, struct job_info *out)
{
	job_get(f->job, out);
}
