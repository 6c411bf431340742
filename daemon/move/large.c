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

#define PART_SPANS 256

/* What one pack is to hold. */
struct segment {
	struct span span[PART_SPANS];
	size_t n;
	const struct plan *kept; /* this one names what stays elsewhere */
	bool always;		 /* a pack also when all of it is zeros */
};

struct large {
	struct large *prev, *next;
	struct parcel *p; /* its one item and all packs */
	uint64_t part;	  /* bytes of one */
	size_t at;	  /* span of the plan where the next begins ... */
	uint64_t off;	  /* ... there, or at its beginning */
	bool kept;	  /* a part names what is kept */
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

/* Named or not, as build_item(). */
static int part_seal(struct move *mv, struct parcel *p,
		     const struct segment *part, struct pack_writer **w)
{
	size_t i;
	int rc;

	for (i = 0; i < part->n; i++) /* others read elsewhere in it */
		posix_fadvise(p->item[0].seal.fd, (off_t)part->span[i].off,
			      (off_t)(part->span[i].end - part->span[i].off),
			      POSIX_FADV_WILLNEED);
	sealing_take(mv);
	*w = pack_writer_new(mv->kr);
	rc = *w ? build_item(mv, *w, &p->item[0], part->span, part->n,
			     part->kept)
		: -errno;
	sealing_give(mv);
	return rc;
}

static int part_send(struct move *mv, struct job *job, struct parcel *p,
		     const struct segment *part)
{
	CLEANUP(pack_writer_free_guard) struct pack_writer *w = NULL;
	int rc = part_seal(mv, p, part, &w);

	if (rc <= 0)
		return rc == 0 ? -ESTALE : rc;
	if (pack_writer_frames(w) == 0 && !part->always)
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
		part->extent[i].check = NULL;
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
		     const struct segment *part)
{
	CLEANUP(part_done) struct parcel p = { 0 };
	int rc = part_init(&p, lg);

	if (rc == 0)
		rc = part_send(mv, job, &p, part);
	LOCK_SCOPE(&mv->larges.lock);
	part_end_locked(lg, &p, rc);
	lg->active--;
	pthread_cond_broadcast(&mv->larges.done);
}

/* ---- sharing --------------------------------------------------------- */

/* Where data goes on in what is left of a span, in whole frames. The last
 * frame of the file counts as data. */
static bool large_data(const struct cache_seal *s, uint64_t *off, uint64_t end,
		       uint64_t *to)
{
	uint64_t last = (s->size - 1) & ~(META_FRAME_SIZE - 1);

	if (build_data(s, off, end, to)) {
		*to += META_FRAME_SIZE - 1;
		*to = MIN(end, *to & ~(META_FRAME_SIZE - 1));
		return true;
	}
	*off = last;
	*to = end;
	return end == s->size;
}

/* Cuts the next piece of at most `most` bytes off the plan. Holes are skipped
 * at once, and what lies between them shares packs. */
static bool large_cut_locked(struct large *lg, uint64_t most, struct span *out)
{
	const struct item *it = &lg->p->item[0];
	bool any = false;

	while (!any && lg->at < it->plan.sends) {
		const struct span *s = &it->plan.send[lg->at];
		uint64_t off = MAX(lg->off, s->off), to;

		any = large_data(&it->seal, &off, s->end, &to);
		if (any) {
			*out = (struct span){ .off = off,
					      .end = MIN(to, off + most) };
			lg->off = out->end;
		}
		if (!any || lg->off == s->end)
			lg->at++;
	}
	return any;
}

static bool large_claim_locked(struct large *lg, struct segment *part)
{
	uint64_t room = lg->part;

	*part = (struct segment){ 0 };
	while (atomic_load(&lg->rc) == 0 && part->n < PART_SPANS && room > 0 &&
	       large_cut_locked(lg, room, &part->span[part->n])) {
		room -= part->span[part->n].end - part->span[part->n].off;
		part->n++;
	}
	if (part->n == 0)
		return false;
	if (!lg->kept && lg->p->item[0].plan.keeps > 0) {
		part->kept = &lg->p->item[0].plan;
		part->always = lg->kept = true;
	}
	lg->active++;
	return true;
}

static struct large *larges_claim(struct move *mv, struct segment *part)
{
	struct large *lg;

	LOCK_SCOPE(&mv->larges.lock);
	DL_FOREACH(mv->larges.list, lg)
		if (large_claim_locked(lg, part))
			return lg;
	return NULL;
}

int large_help(struct move *mv, struct job *job)
{
	struct segment part;
	struct large *lg = larges_claim(mv, &part);

	if (!lg)
		return 0;
	part_run(mv, job, lg, &part);
	return 1;
}

/* ---- the stream that chose it ----------------------------------------- */

static void large_share(struct move *mv, struct large *lg)
{
	pthread_mutex_lock(&mv->larges.lock);
	DL_APPEND(mv->larges.list, lg);
	pthread_mutex_unlock(&mv->larges.lock);
	protect_ask(mv);
}

static bool large_claim(struct move *mv, struct large *lg, struct segment *part)
{
	LOCK_SCOPE(&mv->larges.lock);
	return large_claim_locked(lg, part);
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

/* Nothing is new, but the file is shorter or has a hole more: a pack's index
 * says so. It is what the file is rebuilt from. */
static int large_index_only(struct move *mv, struct job *job, struct large *lg)
{
	const struct segment part = { .kept = &lg->p->item[0].plan,
				      .always = true };

	lg->active++;
	part_run(mv, job, lg, &part);
	return atomic_load(&lg->rc);
}

static int large_parts(struct move *mv, struct job *job, struct large *lg)
{
	struct segment part;
	int rc;

	large_share(mv, lg);
	while (large_claim(mv, lg, &part)) {
		if (job_stopping(job))
			large_fail(mv, lg, -EINTR);
		part_run(mv, job, lg, &part);
	}
	rc = large_unshare(mv, lg);
	return rc == 0 && lg->p->packs == 0 ? large_index_only(mv, job, lg)
					    : rc;
}

int large_protect(struct move *mv, struct job *job, struct parcel *p)
{
	struct large lg = { .p = p, .part = move_part(mv) };
	struct item *it = &p->item[0];
	int rc = plan_make(mv, job, &it->seal, &it->plan, false);

	if (rc == 0 && it->plan.same)
		it->named = true;
	else if (rc == 0)
		rc = large_parts(mv, job, &lg);
	if (rc < 0 && *p->why)
		job_error(job, "tier '%s': %s", mv->o.tier, p->why);
	return rc;
}
