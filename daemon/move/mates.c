/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pack-mates: what lies beside a file in its pack comes with the same GET,
 * when it is likely to be read next (S26).
 *
 *   a pack of one study   the first touch brings all of it; when its files
 *                         are opened in their order, the study's next packs
 *                         are fetched ahead: 1, 2, 4, as long as that goes on
 *   any other pack        a file that follows the last one that was touched
 *                         brings those behind it: 1 MiB of them, 2, 4
 *
 * A track is what is remembered of a pack. What was brought along and never
 * opened is waste; above WASTE_FREE, and more than WASTE_TIMES of what was
 * opened, nothing is brought along for a while.
 *
 * One GET ends with read_wait, and with it what it has brought: so on a slow
 * line less comes along, what takes a quarter of that.
 */
#include "move/impl.h"

#include <string.h>

#define WASTE_FREE   (256ULL << 20)
#define WASTE_TIMES  8
#define WASTE_NS     (60 * NSEC_PER_SEC) /* then half of it is forgotten */
#define TRACK_NS     (600 * NSEC_PER_SEC)
#define AHEAD_PACKS  4
#define FOLLOW_FIRST (1ULL << 20)
#define FOLLOW_GAP   (256ULL << 10) /* frames of no file between two */
#define RATE_SHARE   4		    /* of read_wait, for one GET */
#define RATE_BYTES   (256ULL << 10) /* of less it is the latency */
#define RATE_UNKNOWN (2 * FETCH_BYTES)

void mates_init(struct mates *ms)
{
	pthread_mutex_init(&ms->lock, NULL);
}

static void track_free_locked(struct mates *ms, struct track *tr)
{
	size_t i;

	if (!tr->pack)
		return;
	for (i = 0; i < tr->n; i++)
		if (tr->file[i].hashed && ms->files) /* it is not empty */
			HASH_DEL(ms->files, &tr->file[i]);
	free(tr->file);
	*tr = (struct track){ 0 };
	atomic_fetch_sub(&ms->tracks, 1);
}

void mates_done(struct mates *ms)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ms->track); i++)
		track_free_locked(ms, &ms->track[i]);
	pthread_mutex_destroy(&ms->lock);
}

static struct track *track_find_locked(struct mates *ms, uint64_t pack)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ms->track); i++)
		if (ms->track[i].pack == pack)
			return &ms->track[i];
	return NULL;
}

/* The one for this pack, or a new one in place of the oldest. */
static struct track *track_take_locked(struct mates *ms, uint64_t pack)
{
	struct track *tr = track_find_locked(ms, pack), *oldest = ms->track;
	size_t i;

	if (!tr) {
		for (i = 1; i < ARRAY_SIZE(ms->track); i++)
			if (ms->track[i].used_ns < oldest->used_ns)
				oldest = &ms->track[i];
		tr = oldest;
		track_free_locked(ms, tr);
		tr->pack = pack;
		atomic_fetch_add(&ms->tracks, 1);
	}
	tr->used_ns = clock_boot_ns();
	return tr;
}

/* Does bringing along pay? */
static bool mates_pay_locked(struct mates *ms)
{
	int64_t now = clock_boot_ns();

	if (now - ms->waste_ns > WASTE_NS) {
		ms->waste_ns = now;
		ms->brought /= 2;
		ms->opened /= 2;
	}
	return ms->brought < WASTE_FREE ||
	       ms->opened >= ms->brought / WASTE_TIMES;
}

bool mates_wanted(struct move *mv, const struct meta_extent *e, uint64_t study,
		  uint64_t *from, uint64_t *end)
{
	struct mates *ms = &mv->mates;
	uint64_t stored = 0;
	struct track *tr;
	uint32_t i;

	for (i = 0; i < e->frames; i++)
		stored += e->table[i] & PACK_TABLE_LEN;
	LOCK_SCOPE(&ms->lock);
	if (!mates_pay_locked(ms))
		return false;
	if (study) {
		*from = 0;
		*end = UINT64_MAX;
		return true;
	}
	tr = track_take_locked(ms, e->pack);
	*from = e->pack_off;
	if (!tr->end || e->pack_off < tr->end ||
	    e->pack_off > tr->end + FOLLOW_GAP)
		tr->window = 0;
	else
		tr->window = tr->window ? MIN(2 * tr->window, FETCH_BYTES)
					: FOLLOW_FIRST;
	tr->end = e->pack_off + stored;
	*end = e->pack_off + MAX(tr->window, stored);
	return tr->window > 0;
}

void mates_learn(struct move *mv, uint64_t bytes, int64_t ns)
{
	uint64_t now, old = atomic_load(&mv->mates.rate);

	if (bytes == 0 ||
	    (bytes < RATE_BYTES && ns < mv->o.read_wait_ns / RATE_SHARE))
		return;
	now = (uint64_t)((double)bytes * (double)NSEC_PER_SEC /
			 (double)MAX(ns, 1));
	/* Slower at once, faster with care. */
	now = old && now > old ? (3 * old + now) / 4 : now;
	atomic_store(&mv->mates.rate, MAX(now, 1U));
}

uint64_t mates_room(struct move *mv)
{
	uint64_t rate = atomic_load(&mv->mates.rate);

	if (!rate)
		return RATE_UNKNOWN;
	return (uint64_t)((double)rate * (double)mv->o.read_wait_ns /
			  (double)(RATE_SHARE * NSEC_PER_SEC));
}

static void track_file_locked(struct mates *ms, struct track *tr,
			      const struct part *p, bool own)
{
	struct track_file *t = &tr->file[tr->n], *old;

	*t = (struct track_file){ .ino = p->ino,
				  .bytes = part_end(p) - part_off(p),
				  .opened = own,
				  .hashed = true };
	HASH_FIND(hh, ms->files, &t->ino, sizeof(t->ino), old);
	if (old) {
		HASH_DEL(ms->files, old);
		old->hashed = false;
	}
	t->track = (uint32_t)(tr - ms->track);
	HASH_ADD(hh, ms->files, ino, sizeof(t->ino), t);
	if (own)
		tr->last = tr->n;
	else
		ms->brought += t->bytes;
	tr->n++;
}

/* `own`: the part that was asked for; x->parts: none was. */
void mates_note(struct move *mv, const struct fetch *x, uint64_t study,
		unsigned depth)
{
	struct mates *ms = &mv->mates;
	struct track_file *file = calloc(x->parts, sizeof(*file));
	uint64_t end, window;
	struct track *tr;
	size_t i;

	if (!file)
		return; /* it is not followed, that is all */
	LOCK_SCOPE(&ms->lock);
	tr = track_find_locked(ms, x->pack);
	window = tr ? tr->window : 0;
	if (tr)
		track_free_locked(ms, tr);
	end = x->pack_off + x->stored;
	tr = track_take_locked(ms, x->pack);
	tr->file = file;
	tr->study = study;
	tr->depth = depth;
	tr->end = end;
	tr->window = window;
	tr->last = SIZE_MAX;
	for (i = 0; i < x->parts; i++)
		track_file_locked(ms, tr, &x->part[i], i == x->own);
}

/* ---- what is opened --------------------------------------------------- */

/* An open of file i: should the packs behind this one be fetched now? */
static bool track_open_locked(struct mates *ms, struct track *tr, size_t i,
			      struct mates_next *next)
{
	struct track_file *t = &tr->file[i];
	bool first = !t->opened, follows = i == tr->last + 1;

	if (first) {
		t->opened = true;
		ms->opened += t->bytes;
		atomic_fetch_add(&ms->asked, t->bytes);
	}
	tr->used_ns = clock_boot_ns();
	tr->last = i;
	if (!follows || !tr->study || tr->asked)
		return false;
	tr->asked = true;
	*next = (struct mates_next){ .study = tr->study,
				     .pack = tr->pack,
				     .depth = MAX(tr->depth, 1U) };
	return mates_pay_locked(ms);
}

static bool mates_opened(struct move *mv, uint64_t ino, struct mates_next *next)
{
	struct mates *ms = &mv->mates;
	struct track_file *t;
	struct track *tr;

	if (atomic_load(&ms->tracks) == 0)
		return false;
	LOCK_SCOPE(&ms->lock);
	HASH_FIND(hh, ms->files, &ino, sizeof(ino), t);
	if (!t)
		return false;
	tr = &ms->track[t->track];
	if (clock_boot_ns() - tr->used_ns > TRACK_NS) {
		track_free_locked(ms, tr);
		return false;
	}
	return track_open_locked(ms, tr, (size_t)(t - tr->file), next);
}

static bool mates_has(struct move *mv, uint64_t pack)
{
	LOCK_SCOPE(&mv->mates.lock);
	return track_find_locked(&mv->mates, pack) != NULL;
}

/* A place was not to be had: the next file of the pack asks again. */
static void mates_again(struct move *mv, uint64_t pack)
{
	struct track *tr;

	LOCK_SCOPE(&mv->mates.lock);
	tr = track_find_locked(&mv->mates, pack);
	if (tr)
		tr->asked = false;
}

static int mates_packs(struct move *mv, const struct mates_next *next,
		       struct meta_pack *pack)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	return rc < 0 ? rc
		      : meta_pack_study(&t, next->study, next->pack, pack,
					next->depth);
}

void move_opened(struct move *mv, uint64_t ino)
{
	CLEANUP_FREE struct meta_pack *pack = NULL;
	struct mates_next next;
	struct fetch *x;
	int n, i;

	restore_opened(mv, ino);
	if (!mates_opened(mv, ino, &next))
		return;
	pack = calloc(AHEAD_PACKS, sizeof(*pack));
	n = pack ? mates_packs(mv, &next, pack) : 0;
	for (i = 0; i < n; i++) {
		if (mates_has(mv, pack[i].row) ||
		    restore_check(mv, pack[i].row) < 0)
			continue;
		if (!fetcher_has_room(mv)) {
			mates_again(mv, next.pack);
			return;
		}
		if (plan_pack(mv, pack[i].row, &x) != 1)
			continue;
		mates_note(mv, x, next.study,
			   MIN(2 * next.depth, (unsigned)AHEAD_PACKS));
		if (!fetcher_add_ahead(mv, x))
			return;
	}
}
