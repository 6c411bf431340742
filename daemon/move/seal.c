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

	if (plain < mv->o.object_size / 4) /* mostly header and tags */
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

static int seal_items(struct move *mv, struct parcel *p, struct pack_writer *w)
{
	uint64_t plain = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];
		const struct span all = { .end = it->seal.size };

		if (!seal_fits(mv, w, i, all.end))
			break;
		rc = build_item(mv, w, it, &all, all.end > 0);
		if (rc < 0)
			break;
		plain += all.end;
	}
	if (rc < 0 && (rc != -ENOSPC || i == 0))
		return rc;
	while (p->n > i) /* they go into the next */
		parcel_drop_last(p);
	sealing_learn(mv, plain, pack_writer_len(w));
	return 0;
}

int seal_parcel(struct move *mv, struct job *job, struct parcel *p)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = NULL;
	size_t i;
	int rc;

	sealing_take(mv);
	w = pack_writer_new(mv->kr);
	rc = w ? seal_items(mv, p, w) : -errno;
	sealing_give(mv);
	if (rc < 0)
		return rc;
	for (i = 0; i < p->n; i++)
		if (p->item[i].named)
			return send_pack(mv, job, p, w);
	return -ESTALE;
}
