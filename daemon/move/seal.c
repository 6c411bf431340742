/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was chosen becomes a pack. Streams read, seal and send beside each
 * other: while some wait for the store, as many seal as there are cores.
 */
#include "move/impl.h"

#include <sched.h>

#define DENSITY_WHOLE 256u
/* Never more files than this many times the room are held for one pack. */
#define DENSITY_LEAST (DENSITY_WHOLE / 4)

void sealing_init(struct move *mv)
{
	cpu_set_t set;

	pthread_mutex_init(&mv->sealing.lock, NULL);
	pthread_cond_init(&mv->sealing.left, NULL);
	mv->sealing.free = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		mv->sealing.free = (unsigned)MAX(CPU_COUNT(&set), 1);
	atomic_store(&mv->density, DENSITY_WHOLE);
}

void sealing_done(struct move *mv)
{
	pthread_cond_destroy(&mv->sealing.left);
	pthread_mutex_destroy(&mv->sealing.lock);
}

void sealing_take(struct move *mv)
{
	LOCK_SCOPE(&mv->sealing.lock);
	while (mv->sealing.free == 0)
		pthread_cond_wait(&mv->sealing.left, &mv->sealing.lock);
	mv->sealing.free--;
}

void sealing_give(struct move *mv)
{
	LOCK_SCOPE(&mv->sealing.lock);
	mv->sealing.free++;
	pthread_cond_signal(&mv->sealing.left);
}

uint64_t sealing_room(struct move *mv)
{
	return mv->o.object_size * DENSITY_WHOLE / atomic_load(&mv->density);
}

/* What was written tells how dense the next is likely to be. */
static void sealing_learn(struct move *mv, uint64_t plain, uint64_t stored)
{
	unsigned now, old = atomic_load(&mv->density);

	if (plain == 0 ||
	    plain < mv->o.object_size / 4) /* mostly header and tags */
		return;
	now = (unsigned)MIN(stored * DENSITY_WHOLE / plain,
			    (uint64_t)DENSITY_WHOLE);
	atomic_store(&mv->density, MAX((3 * old + now) / 4, DENSITY_LEAST));
}

/* ---- a pack of many files -------------------------------------------- */

/* Whether file i, of so many bytes, may still go into the pack. */
static bool seal_fits(const struct move *mv, const struct pack_writer *w,
		      size_t i, uint64_t size)
{
	return i == 0 || pack_writer_len(w) + size <= mv->o.object_size;
}

/* 1: its member stands in the pack, 0: there is none, or it needs none. */
static int seal_item(struct move *mv, struct job *job, struct item *it,
		     struct pack_writer *w, uint64_t *plain)
{
	const struct plan *plan = &it->plan;
	size_t i;
	int rc = plan_make(mv, job, &it->seal, &it->plan, true);

	if (rc < 0)
		return rc;
	if (plan->same) { /* the commit asks whether it still is */
		it->named = true;
		return 0;
	}
	for (i = 0; i < plan->sends; i++)
		*plain += plan->send[i].end - plan->send[i].off;
	return build_item(mv, w, it, plan->send, plan->sends);
}

/* How many members the pack has. */
static int seal_items(struct move *mv, struct job *job, struct parcel *p,
		      struct pack_writer *w)
{
	uint64_t plain = 0;
	size_t i;
	int rc = 0, members = 0;

	for (i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];

		if (!seal_fits(mv, w, i, it->seal.size))
			break;
		rc = seal_item(mv, job, it, w, &plain);
		if (rc < 0)
			break;
		members += rc;
	}
	if (rc < 0 && (rc != -ENOSPC || i == 0))
		return rc;
	while (p->n > i) /* they go into the next */
		parcel_drop_last(p);
	sealing_learn(mv, plain, pack_writer_len(w));
	return members;
}

int seal_parcel(struct move *mv, struct job *job, struct parcel *p)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = NULL;
	size_t i;
	int rc;

	sealing_take(mv);
	w = pack_writer_new(mv->kr);
	rc = w ? seal_items(mv, job, p, w) : -errno;
	sealing_give(mv);
	if (rc > 0)
		return send_pack(mv, job, p, w);
	for (i = 0; rc == 0 && i < p->n; i++)
		if (p->item[i].named) /* they are what they were */
			return 0;
	return rc < 0 ? rc : -ESTALE;
}
