/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recall: the only way bytes come back.
 *
 * A reader walks over the missing frames of what it wants. A run that is
 * being fetched for somebody else is shared; the rest becomes fetches of its
 * own, some at once. A frame is either present, in a fetch of the list, or
 * nobody's: a fetch leaves the list only after its frames are in the cache,
 * and looks before its GET for what others have brought meanwhile, so none is
 * asked for twice.
 */
#include "move/impl.h"

#define RECALL_SLICE_NS	    (100 * 1000000LL)
#define RECALL_PAUSE_NS	    (100 * 1000000LL) /* doubles, up to 2 s */
#define RECALL_PAUSE_MAX_NS (2 * NSEC_PER_SEC)
/*
 * Up to this a reader opens its frames itself; more is for the threads. Of
 * what is read ahead only a little: who reads in order waits for the line, and
 * is woken less often.
 */
#define RECALL_OWN	 (1ULL << 20)
#define RECALL_OWN_AHEAD (128ULL << 10)

struct recall {
	struct move *mv;
	struct cache_file *f;
	uint64_t version, size;
	uint64_t off, end; /* what is wanted */
	uint64_t ahead;	   /* and, without waiting, up to here */
	enum store_cause cause;
	const volatile bool *cancel;
	int64_t deadline_ns; /* boot time; moves on with progress */
	const volatile bool *hangup;
	int64_t until_ns;   /* the first deadline, at the latest; 0 = none */
	int64_t archive_ns; /* until when it waits for an archive; 0 = it has
			       not begun */
	uint64_t archived;  /* pack that must be restored first */
	bool absent;	    /* the store said so */
	int64_t pause_ns;
	unsigned n;
	struct place mine[MOVE_FETCHERS_MAX]; /* oldest first */
};

static void recall_progress(struct recall *r)
{
	r->deadline_ns = clock_boot_ns() + r->mv->o.read_wait_ns;
	r->pause_ns = RECALL_PAUSE_NS;
}

static struct want recall_want(const struct recall *r, uint64_t off,
			       uint64_t len)
{
	return (struct want){ .ino = cache_ino(r->f),
			      .version = r->version,
			      .size = r->size,
			      .off = off,
			      .len = len,
			      .cause = r->cause };
}

/* A new fetch of the first bytes that are wanted; or the hole that they are
 * in is filled. 1 and a place, 0 and *len bytes of hole, or -errno. */
static int recall_fetch(struct recall *r, const struct want *w, uint64_t *len,
			struct place *at)
{
	struct fetch *x;
	int rc = plan_fetch(r->mv, w, &x, len), ready;

	if (rc == 1) {
		ready = restore_check(r->mv, x->pack);
		if (ready < 0) {
			r->archived = x->pack;
			fetch_free(x);
			return ready;
		}
		rc = fetcher_add(r->mv, x, at) < 0 ? -EINTR : 1;
	} else if (rc == 0)
		rc = cache_fill(r->f, w->version, w->off, NULL, *len);
	return rc;
}

/*
 * Takes part in the fetch of the first missing frame from *pos on, and moves
 * *pos behind it. 1, 0 when nothing more is missing, or -errno.
 */
static int recall_next(struct recall *r, uint64_t *pos)
{
	struct place *at = &r->mine[r->n];
	uint64_t off, len, end = r->end;
	struct want w;
	int rc;

	while (*pos < r->end) {
		if (r->size <= FETCH_SMALL)
			end = r->size;
		rc = cache_missing(r->f, *pos, end - *pos, &off, &len);
		if (rc <= 0 || off >= r->end)
			return MIN(rc, 0);
		w = recall_want(r, off, len);
		rc = fetcher_join(r->mv, &w, off, &w.len, at);
		if (!rc)
			rc = recall_fetch(r, &w, &len, at);
		if (rc < 0)
			return rc;
		*pos = rc ? part_end(at->p) : off + len;
		if (rc) {
			r->n++;
			return 1;
		}
	}
	return 0;
}

/* Queues what nobody waits for yet. What fails here fails again when it is
 * waited for. */
static void recall_ahead(struct recall *r, uint64_t pos)
{
	uint64_t off, len;
	struct place at;
	struct fetch *x;
	struct want w;
	int rc;

	while (pos < r->ahead && fetcher_has_room(r->mv)) {
		rc = cache_missing(r->f, pos, r->ahead - pos, &off, &len);
		if (rc <= 0)
			return;
		w = recall_want(r, off, len);
		if (fetcher_join(r->mv, &w, off, &w.len, &at)) {
			pos = part_end(at.p);
			fetcher_leave(r->mv, &at);
			continue;
		}
		rc = plan_fetch(r->mv, &w, &x, &len);
		if (rc == 1 && restore_check(r->mv, x->pack) < 0) {
			fetch_free(x); /* nobody asked for that */
			return;
		}
		if (rc < 0)
			return;
		pos = rc ? part_end(&x->part[x->own]) : off + len;
		if (rc && !fetcher_add_ahead(r->mv, x))
			return;
	}
}

static int recall_check(const struct recall *r)
{
	if (r->cancel && __atomic_load_n(r->cancel, __ATOMIC_SEQ_CST))
		return -EINTR;
	return clock_boot_ns() >= r->deadline_ns ? -ETIMEDOUT : 0;
}

/* Have the bytes arrived that are waited for, and nobody opens them? */
static bool recall_may_open_locked(struct recall *r, struct place *at)
{
	uint64_t from = MAX(r->off, part_off(at->p));
	uint64_t end = MIN(r->end, part_end(at->p));
	bool ahead = at->x->ahead && !at->x->mates;
	size_t need;

	if (at->p->claimed || !at->x->running || from >= end ||
	    end - from > (ahead ? RECALL_OWN_AHEAD : RECALL_OWN))
		return false;
	need = fetch_needs(at->p, end);
	if (need < atomic_load(&at->x->notify))
		atomic_store(&at->x->notify, need);
	return atomic_load(&at->x->got) >= need;
}

/* 0, or -errno: then the thread's word counts. */
static int recall_open_locked(struct recall *r, struct place *at)
{
	struct fetcher *fr = &r->mv->fetcher;
	int rc;

	at->x->filling++;
	pthread_mutex_unlock(&fr->lock);
	rc = fetch_open_part(at->x, at->p, r->f, r->off, r->end);
	pthread_mutex_lock(&fr->lock);
	at->x->filling--;
	pthread_cond_broadcast(&at->x->changed);
	return rc;
}

static int recall_wait_locked(struct recall *r, struct place *at)
{
	struct fetcher *fr = &r->mv->fetcher;
	bool tried = false;
	struct timespec ts;
	int rc = 0;

	while (!at->p->done && rc == 0) {
		if (!tried && recall_may_open_locked(r, at)) {
			tried = true;
			if (recall_open_locked(r, at) == 0)
				return 0;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts = clock_timespec(clock_ns(ts) + RECALL_SLICE_NS);
		pthread_cond_timedwait(&at->x->changed, &fr->lock, &ts);
		if (!at->p->done)
			rc = fr->stop ? -EINTR : recall_check(r);
	}
	return rc < 0 ? rc : at->p->rc;
}

/* Is what a place was to bring here, as far as it is wanted? */
static bool recall_there(struct recall *r, const struct part *p)
{
	uint64_t off = MAX(r->off, part_off(p));
	uint64_t end = MIN(r->end, part_end(p));
	uint64_t moff, mlen;

	return off >= end ||
	       cache_missing(r->f, off, end - off, &moff, &mlen) == 0;
}

static int recall_take_first(struct recall *r)
{
	struct place at = r->mine[0];
	unsigned i;
	int rc;

	pthread_mutex_lock(&r->mv->fetcher.lock);
	rc = recall_wait_locked(r, &at);
	pthread_mutex_unlock(&r->mv->fetcher.lock);
	if (rc == -EIO && recall_there(r, at.p))
		rc = 0; /* it was a frame of others that is bad */
	if (rc == -ENOMEDIUM && !restore_possible(r->mv, at.x->pack))
		rc = -EAGAIN;
	if (rc == -ENOMEDIUM) {
		r->archived = at.x->pack;
		r->absent = true;
	}
	if (rc == 0)
		recall_progress(r);
	fetcher_leave(r->mv, &at);
	r->n--;
	for (i = 0; i < r->n; i++)
		r->mine[i] = r->mine[i + 1];
	return rc;
}

/* Once over all that is missing. */
static int recall_round(struct recall *r)
{
	unsigned max = r->mv->fetcher.threads;
	uint64_t pos = r->off;
	int rc, more = 1;

	do {
		while (more == 1 && r->n < max)
			more = recall_next(r, &pos);
		if (more == 0 && r->ahead > pos) {
			recall_ahead(r, pos);
			r->ahead = 0;
		}
		rc = r->n > 0 ? recall_take_first(r) : MIN(more, 0);
	} while (rc == 0 && r->n > 0);
	while (r->n > 0)
		fetcher_leave(r->mv, &r->mine[--r->n]);
	return rc < 0 ? rc : MIN(more, 0);
}

/* Not now (P6): after a pause that doubles, once more; until the deadline,
 * towards which pauses are shorter again. */
static int recall_pause(struct recall *r)
{
	int64_t now = clock_boot_ns(), left = (r->deadline_ns - now) / 2;
	int64_t end = now + MIN(r->pause_ns, MAX(left, RECALL_PAUSE_NS / 2));
	int rc;

	r->pause_ns = MIN(2 * r->pause_ns, RECALL_PAUSE_MAX_NS);
	while ((rc = recall_check(r)) == 0 && clock_boot_ns() < end) {
		if (atomic_load(&r->mv->stopping))
			return -EINTR;
		clock_sleep_ns(MIN(RECALL_SLICE_NS, end - clock_boot_ns()));
	}
	return rc;
}

/*
 * In an archive class: it is ordered, and waited for as long as a program may
 * wait. `why`: -EINPROGRESS when it is ordered already.
 */
static int recall_archived(struct recall *r, int why)
{
	int64_t now = clock_boot_ns();
	int rc = 0;

	/* An order that a policy made goes slowly: who reads is no policy. */
	if (why == -ENOMEDIUM ||
	    (r->cause == STORE_CAUSE_READ && !r->archive_ns))
		rc = restore_for(r->mv, cache_ino(r->f), r->archived,
				 take(r->absent), r->cause);
	if (rc < 0)
		return rc;
	if (!r->archive_ns)
		r->archive_ns = now + r->mv->o.recall_wait_ns;
	if (r->until_ns)
		r->archive_ns = MIN(r->archive_ns, MAX(r->until_ns, now));
	rc = restore_wait(r->mv, r->archived, r->archive_ns, r->cancel,
			  r->hangup);
	recall_progress(r);
	if (rc == -ENOMEDIUM) /* its copy has gone meanwhile */
		rc = 0;
	return rc == 0 && clock_boot_ns() >= r->archive_ns ? -ETIMEDOUT : rc;
}

static int recall_loop(struct recall *r, uint64_t len)
{
	uint64_t moff, mlen;
	int rc;

	recall_progress(r);
	if (r->until_ns)
		r->deadline_ns = MIN(r->deadline_ns, r->until_ns);
	for (;;) {
		cache_version(r->f, &r->version, &r->size);
		r->end = len ? MIN(r->off + len, r->size) : r->size;
		if (r->off >= r->end)
			return 0;
		rc = recall_round(r);
		if (rc == 0)
			rc = cache_missing(r->f, r->off, r->end - r->off, &moff,
					   &mlen);
		if (rc == 0)
			return 0;
		if (rc == -ESTALE || rc == 1 || rc == -ECANCELED) {
			/* Changed by a writer, or left by another reader. */
			rc = recall_check(r);
			clock_sleep_ns(1000000);
		} else if (rc == -ENOMEDIUM || rc == -EINPROGRESS) {
			rc = recall_archived(r, rc);
		} else if (rc == -EAGAIN) {
			rc = recall_pause(r);
		}
		if (rc < 0)
			return rc;
	}
}

static int recall_run(struct recall *r, uint64_t len)
{
	int rc, end;

	if (len > UINT64_MAX - r->off)
		len = UINT64_MAX - r->off;
	rc = cache_acquire(r->f, false); /* not evicted meanwhile */
	if (rc < 0)
		return rc;
	rc = recall_loop(r, len);
	end = cache_release(r->f, false);
	return rc < 0 ? rc : end;
}

int move_recall(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t len, enum store_cause cause,
		const volatile bool *cancel)
{
	struct recall r = {
		.mv = mv, .f = f, .off = off, .cause = cause, .cancel = cancel
	};
	int rc = recall_run(&r, len);

	if (rc == 0 && cause == STORE_CAUSE_RECALL)
		rc = cache_settle_presence(f);
	return rc;
}

int move_read(struct move *mv, struct cache_file *f, uint64_t off, uint64_t len,
	      uint64_t ahead, const struct move_patience *p)
{
	struct recall r = { .mv = mv,
			    .f = f,
			    .off = off,
			    .ahead = ahead,
			    .cause = STORE_CAUSE_READ,
			    .cancel = p->cancel,
			    .hangup = p->hangup,
			    .until_ns = p->until_ns };

	return recall_run(&r, len);
}

void move_ahead(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t end)
{
	struct recall r = { .mv = mv, .f = f, .cause = STORE_CAUSE_READ };

	cache_version(f, &r.version, &r.size);
	r.ahead = MIN(end, r.size);
	recall_ahead(&r, off);
}

void move_asked(struct move *mv, uint64_t bytes)
{
	atomic_fetch_add(&mv->mates.asked, bytes);
}

void move_recall_stats(struct move *mv, struct move_recall_stats *out)
{
	out->asked = atomic_load(&mv->mates.asked);
	out->fetched = atomic_load(&mv->mates.fetched);
	out->requests = atomic_load(&mv->mates.requests);
}
