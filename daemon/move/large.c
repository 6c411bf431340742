/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is larger than a pack. The stream that chose it shares its
 * parts with the others, which take one each time they look for work; so a
 * file that takes hours holds up no other. Each part is a pack that names no
 * version. When all are stored, a pack without frames does, so that whoever
 * has nothing but packs never takes half a version for one; then one
 * transaction of the stream that chose it names them all. When one of them
 * failed they are condemned. What fits into one pack needs none of that.
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
};

/* How far the plan was cut into segments. */
struct cut {
	size_t at;    /* span of the plan where the next begins ... */
	uint64_t off; /* ... there, or at its beginning */
};

struct large {
	struct large *prev, *next;
	struct parcel *p; /* its one item and all packs */
	uint64_t part;	  /* bytes of one */
	struct cut cut;	  /* all before it was claimed */
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
	p->item[0].part = true;
	p->failed = &lg->rc;
	p->copies = lg->p->copies;
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
	rc = *w ? build_item(mv, *w, &p->item[0], part->span, part->n) : -errno;
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
	if (p->item[0].part && pack_writer_frames(w) == 0)
		return 0; /* zeros */
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
static bool cut_span(struct cut *c, const struct item *it, uint64_t most,
		     struct span *out)
{
	bool any = false;

	while (!any && c->at < it->plan.sends) {
		const struct span *s = &it->plan.send[c->at];
		uint64_t off = MAX(c->off, s->off), to;

		any = large_data(&it->seal, &off, s->end, &to);
		if (any) {
			*out = (struct span){ .off = off,
					      .end = MIN(to, off + most) };
			c->off = out->end;
		}
		if (!any || c->off == s->end)
			c->at++;
	}
	return any;
}

/* False: there is nothing left. */
static bool cut_segment(struct cut *c, const struct large *lg,
			struct segment *part)
{
	uint64_t room = lg->part;

	*part = (struct segment){ 0 };
	while (part->n < PART_SPANS && room > 0 &&
	       cut_span(c, &lg->p->item[0], room, &part->span[part->n])) {
		room -= part->span[part->n].end - part->span[part->n].off;
		part->n++;
	}
	return part->n > 0;
}

static bool large_claim_locked(struct large *lg, struct segment *part)
{
	if (atomic_load(&lg->rc) < 0 || !cut_segment(&lg->cut, lg, part))
		return false;
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

/* With all of them stored, the last pack names the version. */
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
	part.n = 0;
	return rc < 0 ? rc : part_send(mv, job, lg->p, &part);
}

static int large_packs(struct move *mv, struct job *job, struct large *lg)
{
	struct segment own, more;
	struct cut c = { 0 };

	cut_segment(&c, lg, &own);
	if (cut_segment(&c, lg, &more))
		return large_parts(mv, job, lg);
	return part_send(mv, job, lg->p, &own);
}

int large_protect(struct move *mv, struct job *job, struct parcel *p)
{
	struct large lg = { .p = p, .part = move_part(mv) };
	struct item *it = &p->item[0];
	int rc = plan_make(mv, job, &it->seal, &it->plan, false);

	if (rc == 0 && it->plan.same)
		it->named = true;
	else if (rc == 0)
		rc = large_packs(mv, job, &lg);
	if (rc < 0 && *p->why)
		job_error(job, "tier '%s': %s", mv->s.tier[0].name, p->why);
	return rc;
}
