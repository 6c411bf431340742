/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recall: the only way bytes come back.
 *
 * A reader walks over the missing frames of what it wants. A run that is
 * being fetched for somebody else is shared; the rest becomes fetches of its
 * own, some at once. Under the fetcher's lock a frame is either present, in
 * a fetch of the list, or nobody's: a fetch leaves the list only after its
 * frames are in the cache, so none is asked for twice.
 */
#include "move/impl.h"

#include <utlist.h>

#define RECALL_SLICE_NS	    (100 * 1000000LL)
#define RECALL_PAUSE_NS	    (100 * 1000000LL) /* doubles, up to 2 s */
#define RECALL_PAUSE_MAX_NS (2 * NSEC_PER_SEC)

/* ---- the threads ---------------------------------------------------- */

static void fetch_unref_locked(struct fetch *x)
{
	if (--x->refs == 0)
		free(x);
}

static void fetch_end_locked(struct fetcher *fr, struct fetch *x, int rc)
{
	DL_DELETE(fr->list, x);
	fr->n--;
	x->rc = rc;
	x->done = true;
	pthread_cond_broadcast(&fr->done);
	fetch_unref_locked(x);
}

/* The oldest that waits. One that everybody gave up on is let go. */
static struct fetch *fetcher_next_locked(struct fetcher *fr)
{
	struct fetch *x, *tmp;

	DL_FOREACH_SAFE(fr->list, x, tmp)
	{
		if (x->running)
			continue;
		if (x->refs > 1)
			return x;
		fetch_end_locked(fr, x, -ECANCELED);
	}
	return NULL;
}

static void *fetcher_thread(void *arg)
{
	struct move *mv = arg;
	struct fetcher *fr = &mv->fetcher;

	pthread_mutex_lock(&fr->lock);
	while (!fr->stop) {
		struct fetch *x = fetcher_next_locked(fr);
		int rc;

		if (!x) {
			pthread_cond_wait(&fr->work, &fr->lock);
			continue;
		}
		x->running = true;
		pthread_mutex_unlock(&fr->lock);
		rc = fetch_run(mv, x);
		pthread_mutex_lock(&fr->lock);
		fetch_end_locked(fr, x, rc);
	}
	pthread_mutex_unlock(&fr->lock);
	return NULL;
}

int fetcher_start(struct move *mv)
{
	struct fetcher *fr = &mv->fetcher;
	unsigned want =
		MIN(MAX(mv->o.in_flight, 1U), (unsigned)MOVE_FETCHERS_MAX);
	int rc;

	while (fr->threads < want) {
		rc = pthread_create(&fr->thread[fr->threads], NULL,
				    fetcher_thread, mv);
		if (rc)
			return -rc;
		pthread_setname_np(fr->thread[fr->threads++], "fetch");
	}
	return 0;
}

void fetcher_stop(struct move *mv)
{
	struct fetcher *fr = &mv->fetcher;
	struct fetch *x, *tmp;
	unsigned i;

	pthread_mutex_lock(&fr->lock);
	fr->stop = true;
	pthread_cond_broadcast(&fr->work);
	pthread_cond_broadcast(&fr->done);
	pthread_mutex_unlock(&fr->lock);
	for (i = 0; i < fr->threads; i++)
		pthread_join(fr->thread[i], NULL);
	LOCK_SCOPE(&fr->lock);
	DL_FOREACH_SAFE(fr->list, x, tmp)
	fetch_end_locked(fr, x, -ECANCELED);
}

/* ---- the reader ----------------------------------------------------- */

struct recall {
	struct move *mv;
	struct cache_file *f;
	uint64_t version, size;
	uint64_t off, end; /* what is wanted */
	enum store_cause cause;
	const volatile bool *cancel;
	int64_t deadline_ns; /* boot time; moves on with progress */
	int64_t pause_ns;
	unsigned n;
	struct fetch *mine[MOVE_FETCHERS_MAX]; /* oldest first */
};

static void recall_progress(struct recall *r)
{
	r->deadline_ns = clock_boot_ns() + r->mv->o.read_wait_ns;
	r->pause_ns = RECALL_PAUSE_NS;
}

/* Shares the fetch that holds `off`, or cuts the run where one begins. */
static struct fetch *recall_share_locked(struct recall *r, uint64_t off,
					 uint64_t *len)
{
	struct fetch *x;

	DL_FOREACH(r->mv->fetcher.list, x) {
		if (x->ino != cache_ino(r->f) || x->version != r->version)
			continue;
		if (off >= x->off && off < x->off + x->len)
			return x;
		if (x->off > off && x->off < off + *len)
			*len = x->off - off;
	}
	return NULL;
}

/* Bytes of one fetch: whole small files; else the run in as many parts as
 * may be under way, of 1 to 4 MiB. */
static uint64_t recall_cut(const struct recall *r, uint64_t len)
{
	uint64_t part = (r->end - r->off) / MAX(r->mv->o.in_flight, 1U);

	part = MIN(MAX(part, FETCH_SMALL), FETCH_BYTES);
	return MIN(len, part & ~(META_FRAME_SIZE - 1));
}

static struct fetch *recall_new_locked(struct recall *r, uint64_t off,
				       uint64_t len)
{
	struct fetcher *fr = &r->mv->fetcher;
	struct fetch *x;

	if (fr->n >= FETCHES_MAX)
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	*x = (struct fetch){ .ino = cache_ino(r->f),
			     .version = r->version,
			     .off = off,
			     .len = recall_cut(r, len),
			     .cause = r->cause,
			     .refs = 1 };
	DL_APPEND(fr->list, x);
	fr->n++;
	pthread_cond_signal(&fr->work);
	return x;
}

/*
 * Takes part in the fetch of the first missing frame from *pos on, and moves
 * *pos behind it. 1, 0 when nothing more is missing (or the list is full and
 * others of ours are under way), or -errno.
 */
static int recall_next(struct recall *r, uint64_t *pos)
{
	uint64_t off, len, end = r->end;
	struct fetch *x;
	int rc;

	LOCK_SCOPE(&r->mv->fetcher.lock);
	if (r->mv->fetcher.stop)
		return -EINTR;
	if (*pos >= end)
		return 0;
	if (r->size <= FETCH_SMALL)
		end = r->size;
	rc = cache_missing(r->f, *pos, end - *pos, &off, &len);
	if (rc <= 0 || off >= r->end)
		return MIN(rc, 0);
	x = recall_share_locked(r, off, &len);
	if (!x)
		x = recall_new_locked(r, off, len);
	if (!x)
		return r->n > 0 ? 0 : -EAGAIN;
	x->refs++;
	r->mine[r->n++] = x;
	*pos = x->off + x->len;
	return 1;
}

static int recall_check(const struct recall *r)
{
	if (r->cancel && __atomic_load_n(r->cancel, __ATOMIC_SEQ_CST))
		return -EINTR;
	return clock_boot_ns() >= r->deadline_ns ? -ETIMEDOUT : 0;
}

static int recall_wait_locked(struct recall *r, struct fetch *x)
{
	struct fetcher *fr = &r->mv->fetcher;
	struct timespec ts;
	int rc = 0;

	while (!x->done && rc == 0) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts = clock_timespec(clock_ns(ts) + RECALL_SLICE_NS);
		pthread_cond_timedwait(&fr->done, &fr->lock, &ts);
		if (!x->done)
			rc = fr->stop ? -EINTR : recall_check(r);
	}
	return rc < 0 ? rc : x->rc;
}

/* Is what `x` was to bring here, as far as it is wanted? */
static bool recall_there(struct recall *r, const struct fetch *x)
{
	uint64_t off = MAX(r->off, x->off);
	uint64_t end = MIN(r->end, x->off + x->len);
	uint64_t moff, mlen;

	return off >= end ||
	       cache_missing(r->f, off, end - off, &moff, &mlen) == 0;
}

static void recall_unref(struct recall *r, unsigned i)
{
	LOCK_SCOPE(&r->mv->fetcher.lock);
	fetch_unref_locked(r->mine[i]);
}

static int recall_take_first(struct recall *r)
{
	struct fetch *x = r->mine[0];
	unsigned i;
	int rc;

	pthread_mutex_lock(&r->mv->fetcher.lock);
	rc = recall_wait_locked(r, x);
	pthread_mutex_unlock(&r->mv->fetcher.lock);
	if (rc == -EIO && recall_there(r, x))
		rc = 0; /* it was a frame of others that is bad */
	if (rc == 0)
		recall_progress(r);
	recall_unref(r, 0);
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
		rc = r->n > 0 ? recall_take_first(r) : MIN(more, 0);
		more = more == 0 ? 1 : more; /* the list may have room now */
	} while (rc == 0 && r->n > 0);
	while (r->n > 0)
		recall_unref(r, --r->n);
	return rc;
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

static int recall_loop(struct recall *r, uint64_t len)
{
	uint64_t moff, mlen;
	int rc;

	recall_progress(r);
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
		} else if (rc == -EAGAIN) {
			rc = recall_pause(r);
		}
		if (rc < 0)
			return rc;
	}
}

int move_recall(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t len, enum store_cause cause,
		const volatile bool *cancel)
{
	struct recall r = {
		.mv = mv, .f = f, .off = off, .cause = cause, .cancel = cancel
	};
	int rc, end;

	if (len > UINT64_MAX - off)
		len = UINT64_MAX - off;
	rc = cache_acquire(f, false); /* not evicted meanwhile */
	if (rc < 0)
		return rc;
	rc = recall_loop(&r, len);
	end = cache_release(f, false);
	if (rc == 0 && cause == STORE_CAUSE_RECALL)
		rc = cache_settle_presence(f);
	return rc < 0 ? rc : end;
}
