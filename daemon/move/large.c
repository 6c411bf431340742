/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is larger than a pack. The stream that chose it shares its
 * parts with the others, which take one each time they look for work; so a
 * file that takes hours holds up no other. Each part is a pack; all are named
 * in one transaction of the stream that chose it, or condemned when one of
 * them failed.
 *
 * larges.lock guards the list and all that is in it; the filesystem is asked
 * where data lies while it is held, and nothing else.
 */
#include "move/impl.h"

#include <fcntl.h>
#include <string.h>

#include <utlist.h>

struct large {
	struct large *prev, *next;
	struct parcel *p; /* its one item and all packs */
	uint64_t part;	  /* bytes of one */
	uint64_t off;	  /* where the next begins */
	unsigned active;  /* parts under way */
	_Atomic int rc;	  /* of the first that failed; read without the lock */
};

void larges_init(struct move *mv)
{
	pthread_mutex_init(&mv->larges.lock, NULL);
	pthread_cond_init(&mv->larges.done, NULL);
}

void larges_done(struct move *mv)
{
	pthread_cond_destroy(&mv->larges.done);
	pthread_mutex_destroy(&mv->larges.lock);
}

/* ---- one part -------------------------------------------------------- */

/* A parcel whose item is the large file's, with extents of its own. */
static void part_done(struct parcel *p)
{
	if (p->n > 0)
		p->item[0].seal.f = NULL; /* not the part's to give back */
	parcel_done(p);
}

static int part_init(struct parcel *p, const struct large *lg)
{
	p->item = calloc(1, sizeof(*p->item));
	if (!p->item)
		return -ENOMEM;
	p->n = p->cap = 1;
	p->item[0].seal = lg->p->item[0].seal;
	p->failed = &lg->rc;
	return 0;
}

/* 1: named, and whether it is worth a pack is for the caller to say. */
static int part_seal(struct move *mv, struct parcel *p, const struct span *span,
		     struct pack_writer **w)
{
	int rc;

	if (span->end > span->off) /* others read elsewhere in it */
		posix_fadvise(p->item[0].seal.fd, (off_t)span->off,
			      (off_t)(span->end - span->off),
			      POSIX_FADV_WILLNEED);
	sealing_take(mv);
	*w = pack_writer_new(mv->kr);
	rc = *w ? build_item(mv, *w, &p->item[0], span, 1) : -errno;
	sealing_give(mv);
	return rc;
}

/* Frames of zeros only need no pack, unless they are asked for. */
static int part_send(struct move *mv, struct job *job, struct parcel *p,
		     const struct span *span, bool empty_too)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = NULL;
	int rc = part_seal(mv, p, span, &w);

	if (rc <= 0)
		return rc == 0 ? -ESTALE : rc;
	if (pack_writer_frames(w) == 0 && !empty_too)
		return 0;
	return send_pack(mv, job, p, w);
}

/* Moves what the part has made over to the file's parcel. */
static int part_merge(struct large *lg, struct parcel *from)
{
	struct item *it = &lg->p->item[0], *part = &from->item[0];
	size_t i;

	for (i = 0; i < from->packs; i++) {
		struct meta_pack *pack = parcel_pack(lg->p);

		if (!pack)
			return -ENOMEM;
		*pack = from->pack[i];
		lg->p->packs++;
	}
	for (i = 0; i < part->n; i++) {
		struct meta_extent *e = item_extent(it);

		if (!e)
			return -ENOMEM;
		*e = part->extent[i];
		part->extent[i].table = NULL;
	}
	it->named |= part->named;
	return 0;
}

/* What a part that cannot be remembered leaves behind, the next start
 * condemns: nothing names it. */
static void part_end_locked(struct large *lg, struct parcel *part, int rc)
{
	int merge = part->n > 0 ? part_merge(lg, part) : 0;

	rc = rc < 0 ? rc : merge;
	if (rc < 0 && atomic_load(&lg->rc) == 0) {
		atomic_store(&lg->rc, rc);
		memcpy(lg->p->why, part->why, sizeof(part->why));
	}
}

/* Does a part that was claimed. */
static void part_run(struct move *mv, struct job *job, struct large *lg,
		     const struct span *span, bool empty_too)
{
	CLEANUP(part_done) struct parcel part = { 0 };
	int rc = part_init(&part, lg);

	if (rc == 0)
		rc = part_send(mv, job, &part, span, empty_too);
	LOCK_SCOPE(&mv->larges.lock);
	part_end_locked(lg, &part, rc);
	lg->active--;
	pthread_cond_broadcast(&mv->larges.done);
}

/* ---- sharing --------------------------------------------------------- */

static bool large_left_locked(const struct large *lg)
{
	return atomic_load(&lg->rc) == 0 && lg->off < lg->p->item[0].seal.size;
}

/* The next part that holds data; holes are not even looked at one by one. */
static bool large_claim_locked(struct large *lg, struct span *span)
{
	const struct cache_seal *s = &lg->p->item[0].seal;

	while (large_left_locked(lg)) {
		uint64_t end = MIN(lg->off + lg->part, s->size);
		uint64_t data = lg->off, to;
		bool any = build_data(s, &data, end, &to);

		*span = (struct span){ .off = lg->off, .end = end };
		lg->off = MAX(end, data / lg->part * lg->part);
		if (any) {
			lg->active++;
			return true;
		}
	}
	return false;
}

static struct large *larges_claim(struct move *mv, struct span *span)
{
	struct large *lg;

	LOCK_SCOPE(&mv->larges.lock);
	DL_FOREACH(mv->larges.list, lg)
		if (large_claim_locked(lg, span))
			return lg;
	return NULL;
}

int large_help(struct move *mv, struct job *job)
{
	struct span span;
	struct large *lg = larges_claim(mv, &span);

	if (!lg)
		return 0;
	part_run(mv, job, lg, &span, false);
	return 1;
}

/* ---- the stream that chose it ----------------------------------------- */

static void large_share(struct move *mv, struct large *lg)
{
	unsigned i;

	pthread_mutex_lock(&mv->larges.lock);
	DL_APPEND(mv->larges.list, lg);
	pthread_mutex_unlock(&mv->larges.lock);
	for (i = 0; i < mv->streams; i++)
		move_wake(mv, &mv->stream[i].job);
}

static bool large_claim(struct move *mv, struct large *lg, struct span *span)
{
	LOCK_SCOPE(&mv->larges.lock);
	return large_claim_locked(lg, span);
}

static void large_fail(struct move *mv, struct large *lg, int rc)
{
	LOCK_SCOPE(&mv->larges.lock);
	if (atomic_load(&lg->rc) == 0)
		atomic_store(&lg->rc, rc);
}

/* Waits for those who help. */
static int large_unshare(struct move *mv, struct large *lg)
{
	LOCK_SCOPE(&mv->larges.lock);
	DL_DELETE(mv->larges.list, lg);
	while (lg->active > 0)
		pthread_cond_wait(&mv->larges.done, &mv->larges.lock);
	return atomic_load(&lg->rc);
}

/* A file of holes has a pack as well: its index is what it is rebuilt from. */
static int large_all_hole(struct move *mv, struct job *job, struct large *lg)
{
	const struct span none = { 0 };

	lg->active++;
	part_run(mv, job, lg, &none, true);
	return atomic_load(&lg->rc);
}

int large_protect(struct move *mv, struct job *job, struct parcel *p)
{
	struct large lg = { .p = p,
			    .part = MAX(mv->o.object_size &
						~(META_FRAME_SIZE - 1),
					META_FRAME_SIZE) };
	struct span span;
	int rc;

	large_share(mv, &lg);
	while (large_claim(mv, &lg, &span)) {
		if (job_stopping(job))
			large_fail(mv, &lg, -EINTR);
		part_run(mv, job, &lg, &span, false);
	}
	rc = large_unshare(mv, &lg);
	if (rc == 0 && p->packs == 0)
		rc = large_all_hole(mv, job, &lg);
	if (rc < 0 && *p->why)
		job_error(job, "tier '%s': %s", mv->o.tier, p->why);
	return rc;
}
