/* SPDX-License-Identifier: Apache-2.0 */
/* The list of fetches, and the threads that run them. */
#include "move/impl.h"

#include <utlist.h>

#define BUF_STEP     (64u << 10)	/* sizes of buffers that are kept */
#define BUF_KEEP_MIN (256u << 10)	/* smaller ones malloc keeps */
#define IDLE_NS	     (2 * NSEC_PER_SEC) /* then the kernel gets them back */

void fetcher_init(struct fetcher *fr)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&fr->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&fr->work, &attr);
	pthread_condattr_destroy(&attr);
}

void fetcher_done(struct fetcher *fr)
{
	pthread_cond_destroy(&fr->work);
	pthread_mutex_destroy(&fr->lock);
}

/* ---- buffers -------------------------------------------------------- */

/*
 * New memory of megabytes costs a page fault for each page, more than opening
 * the frames in it: buffers are kept while there is work.
 */
struct fetch_buf { /* at the start of one that is idle */
	struct fetch_buf *next;
	size_t cap;
};

static uint8_t *buf_take_locked(struct fetcher *fr, size_t need, size_t *cap)
{
	struct fetch_buf **at, *b;

	for (at = &fr->idle; (b = *at); at = &b->next) {
		if (b->cap < need || b->cap > 2 * need)
			continue;
		*at = b->next;
		*cap = b->cap;
		return (uint8_t *)b;
	}
	return NULL;
}

static void buf_trim_locked(struct fetcher *fr)
{
	struct fetch_buf *b;

	while ((b = fr->idle)) {
		fr->idle = b->next;
		free(b);
	}
}

static void buf_give_locked(struct fetcher *fr, struct fetch *x)
{
	struct fetch_buf *b = (struct fetch_buf *)x->buf;

	if (!b)
		return;
	x->buf = NULL;
	fr->bytes -= x->cap;
	if (x->cap < BUF_KEEP_MIN || fr->stop) {
		free(b);
	} else {
		b->cap = x->cap;
		b->next = fr->idle;
		fr->idle = b;
	}
	pthread_cond_signal(&fr->work);
}

static size_t buf_size(size_t need)
{
	return need < BUF_KEEP_MIN
		       ? MAX(need, sizeof(struct fetch_buf))
		       : (need + BUF_STEP - 1) / BUF_STEP * BUF_STEP;
}

/* What is idle counts too, and goes first. */
static bool buf_fits_locked(const struct fetcher *fr, const struct fetch *x,
			    uint64_t budget)
{
	return fr->bytes == 0 || fr->bytes + buf_size(x->stored) <= budget;
}

static uint64_t buf_idle_locked(const struct fetcher *fr)
{
	const struct fetch_buf *b;
	uint64_t sum = 0;

	for (b = fr->idle; b; b = b->next)
		sum += b->cap;
	return sum;
}

/* False: no memory. */
static bool buf_make_locked(struct fetcher *fr, struct fetch *x)
{
	x->cap = buf_size(x->stored);
	x->buf = buf_take_locked(fr, x->stored, &x->cap);
	if (!x->buf && fr->bytes + buf_idle_locked(fr) + x->cap > fr->budget)
		buf_trim_locked(fr);
	if (!x->buf)
		x->buf = malloc(x->cap);
	if (x->buf)
		fr->bytes += x->cap;
	return x->buf != NULL;
}

/* ---- fetches -------------------------------------------------------- */

static void fetch_unref_locked(struct fetch *x)
{
	if (--x->refs == 0)
		fetch_free(x);
}

static void fetch_end_locked(struct fetcher *fr, struct fetch *x, int rc)
{
	size_t i;

	DL_DELETE(fr->list, x);
	if (!x->running && x->ahead)
		fr->ahead -= x->stored;
	if (x->running_ahead)
		fr->running_ahead--;
	for (i = 0; i < x->parts; i++)
		if (!x->part[i].done) {
			x->part[i].done = true;
			x->part[i].rc = rc;
		}
	x->done = true;
	/* Nobody looks into it any more (parts_claim), and who waited for a
	 * part may be long in coming for it. */
	buf_give_locked(fr, x);
	pthread_cond_broadcast(&x->changed);
	fetch_unref_locked(x);
}

/* So many may run for nobody: a reader's own need finds a thread. */
static bool ahead_may_run_locked(const struct fetcher *fr,
				 const struct fetch *x)
{
	unsigned keep = fr->threads > 3 ? fr->threads / 4 : fr->threads / 2;

	return fr->running_ahead < fr->threads - keep &&
	       buf_fits_locked(fr, x, fr->budget / 4 * 3);
}

/* The oldest that somebody waits for, else the oldest of the others. One
 * that everybody gave up on is let go. */
static struct fetch *fetcher_next_locked(struct fetcher *fr)
{
	struct fetch *x, *tmp, *ahead = NULL;

	DL_FOREACH_SAFE(fr->list, x, tmp)
	{
		if (x->running)
			continue;
		if (x->waiters)
			return buf_fits_locked(fr, x, fr->budget) ? x : NULL;
		if (!x->ahead)
			fetch_end_locked(fr, x, -ECANCELED);
		else if (!ahead)
			ahead = x;
	}
	return ahead && ahead_may_run_locked(fr, ahead) ? ahead : NULL;
}

static void fetcher_run_locked(struct fetcher *fr, struct fetch *x,
			       struct opener *o)
{
	x->running = true;
	if (x->ahead) {
		fr->ahead -= x->stored;
		x->running_ahead = x->waiters == 0;
		fr->running_ahead += x->running_ahead;
	}
	if (!o->plain)
		o->plain = malloc(OPEN_BATCH);
	if (!o->scratch)
		o->scratch = malloc(PACK_FRAME_MAX);
	if (!o->plain || !o->scratch || !buf_make_locked(fr, x)) {
		fetch_end_locked(fr, x, -ENOMEM);
		return;
	}
	pthread_mutex_unlock(&fr->lock);
	fetch_run(x, o);
	pthread_mutex_lock(&fr->lock);
	fetch_end_locked(fr, x, -EUCLEAN); /* of parts: none is left */
}

static void opener_done(struct opener *o)
{
	free(o->plain);
	free(o->scratch);
	*o = (struct opener){ 0 };
}

/* Nothing to do: for long, and the memory goes. */
static void fetcher_idle_locked(struct fetcher *fr, struct opener *o)
{
	struct timespec ts;

	if (!o->plain && !fr->idle) {
		pthread_cond_wait(&fr->work, &fr->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + IDLE_NS);
	if (pthread_cond_timedwait(&fr->work, &fr->lock, &ts) == 0)
		return;
	opener_done(o);
	if (fr->bytes == 0)
		buf_trim_locked(fr);
}

static void *fetcher_thread(void *arg)
{
	struct fetcher *fr = &((struct move *)arg)->fetcher;
	struct opener o = { 0 };
	struct fetch *x;

	pthread_mutex_lock(&fr->lock);
	while (!fr->stop) {
		x = fetcher_next_locked(fr);
		if (x)
			fetcher_run_locked(fr, x, &o);
		else
			fetcher_idle_locked(fr, &o);
	}
	pthread_mutex_unlock(&fr->lock);
	opener_done(&o);
	return NULL;
}

int fetcher_start(struct move *mv)
{
	struct fetcher *fr = &mv->fetcher;
	unsigned want =
		MIN(MAX(mv->o.in_flight, 1U), (unsigned)MOVE_FETCHERS_MAX);
	int rc;

	fr->budget = MAX(mv->o.recall_bytes, (uint64_t)FETCH_BYTES);
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
	pthread_mutex_unlock(&fr->lock);
	for (i = 0; i < fr->threads; i++)
		pthread_join(fr->thread[i], NULL);
	LOCK_SCOPE(&fr->lock);
	DL_FOREACH_SAFE(fr->list, x, tmp)
	fetch_end_locked(fr, x, -ECANCELED);
	buf_trim_locked(fr);
}

/* ---- sharing -------------------------------------------------------- */

static struct part *fetch_part(struct fetch *x, const struct want *w,
			       uint64_t off, uint64_t *len)
{
	size_t i;

	for (i = 0; i < x->parts; i++) {
		struct part *p = &x->part[i];

		if (p->ino != w->ino || p->version != w->version || p->done)
			continue;
		if (off >= part_off(p) && off < part_end(p))
			return p;
		if (part_off(p) > off && part_off(p) < off + *len)
			*len = part_off(p) - off;
	}
	return NULL;
}

static bool fetcher_find_locked(struct fetcher *fr, const struct want *w,
				uint64_t off, uint64_t *len, struct place *out)
{
	struct fetch *x;

	DL_FOREACH(fr->list, x) {
		out->p = fetch_part(x, w, off, len);
		out->x = x;
		if (out->p)
			return true;
	}
	return false;
}

static void fetcher_enter_locked(struct fetcher *fr, struct fetch *x)
{
	x->refs++;
	x->waiters++;
	if (!x->running) /* it may go before others now */
		pthread_cond_signal(&fr->work);
}

bool fetcher_join(struct move *mv, const struct want *w, uint64_t off,
		  uint64_t *len, struct place *out)
{
	struct fetcher *fr = &mv->fetcher;

	LOCK_SCOPE(&fr->lock);
	if (!fetcher_find_locked(fr, w, off, len, out))
		return false;
	fetcher_enter_locked(fr, out->x);
	return true;
}

static bool fetcher_find_same_locked(struct fetcher *fr, const struct fetch *x,
				     struct place *out)
{
	const struct part *p = &x->part[x->own < x->parts ? x->own : 0];
	struct want w = { .ino = p->ino, .version = p->version };
	uint64_t len = 1;

	return fetcher_find_locked(fr, &w, part_off(p), &len, out);
}

int fetcher_add(struct move *mv, struct fetch *x, struct place *out)
{
	CLEANUP(fetch_free_guard) struct fetch *guard = x;
	struct fetcher *fr = &mv->fetcher;

	LOCK_SCOPE(&fr->lock);
	if (fr->stop)
		return -EINTR;
	if (!fetcher_find_same_locked(fr, x, out)) {
		guard = NULL;
		DL_APPEND(fr->list, x);
		*out = (struct place){ .x = x, .p = &x->part[x->own] };
	}
	fetcher_enter_locked(fr, out->x);
	return 0;
}

bool fetcher_has_room(struct move *mv)
{
	struct fetcher *fr = &mv->fetcher;

	LOCK_SCOPE(&fr->lock);
	return !fr->stop && fr->ahead < fr->budget;
}

bool fetcher_add_ahead(struct move *mv, struct fetch *x)
{
	CLEANUP(fetch_free_guard) struct fetch *guard = x;
	struct fetcher *fr = &mv->fetcher;
	struct place at;

	LOCK_SCOPE(&fr->lock);
	if (fr->stop || fr->ahead >= fr->budget)
		return false;
	if (fetcher_find_same_locked(fr, x, &at))
		return true;
	x->ahead = true;
	fr->ahead += x->stored;
	guard = NULL;
	DL_APPEND(fr->list, x);
	pthread_cond_signal(&fr->work);
	return true;
}

void fetcher_leave(struct move *mv, struct place *at)
{
	struct fetcher *fr = &mv->fetcher;

	LOCK_SCOPE(&fr->lock);
	at->x->waiters--;
	fetch_unref_locked(take(at->x));
}
