/* SPDX-License-Identifier: Apache-2.0 */
/* What one GET brings: from the rows of extents to a fetch. */
#include "move/impl.h"

void fetch_free(struct fetch *x)
{
	size_t i;

	if (!x)
		return;
	for (i = 0; i < x->parts; i++)
		meta_extent_done(&x->part[i].e);
	pthread_cond_destroy(&x->changed);
	free(x->part);
	free(x);
}

static struct fetch *fetch_new(struct move *mv, enum store_cause cause,
			       size_t parts)
{
	struct fetch *x = calloc(1, sizeof(*x));
	pthread_condattr_t attr;

	if (!x)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&x->changed, &attr);
	pthread_condattr_destroy(&attr);
	x->mv = mv;
	x->cause = cause;
	x->notify = SIZE_MAX;
	x->refs = 1;
	x->part = calloc(parts, sizeof(*x->part));
	if (x->part)
		return x;
	fetch_free(x);
	return NULL;
}

/*
 * The frames of `e` that [off, end) touches, behind `skip` bytes of earlier
 * frames in the pack. False: a table that lies.
 */
static bool part_set(struct part *p, uint64_t off, uint64_t end, uint64_t *skip)
{
	const struct meta_extent *e = &p->e;
	uint32_t i, last;

	p->first = (uint32_t)((off - e->off) / META_FRAME_SIZE);
	last = (uint32_t)((end - 1 - e->off) / META_FRAME_SIZE);
	p->n = last - p->first + 1;
	*skip = 0;
	for (i = 0; i <= last; i++) {
		uint32_t len = e->table[i] & PACK_TABLE_LEN;

		if (len <= PACK_TAG_SIZE ||
		    len > PACK_FRAME_MAX + PACK_TAG_SIZE)
			return false;
		if (i < p->first)
			*skip += len;
		else
			p->stored += len;
	}
	return true;
}

/* The first extent from `off` on, if the file is still what is wanted. */
static int plan_extent(struct move *mv, const struct want *w,
		       struct meta_extent *e)
{
	struct meta_inode row;
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc == 0)
		rc = meta_inode_get(&t, w->ino, &row);
	if (rc < 0)
		return rc;
	if (row.content_version != w->version || row.state == META_DIRTY)
		return -ESTALE;
	return meta_extent_list(&t, w->ino, w->off, w->len, e, 1);
}

/* Bytes of one GET: a small file whole; else up to where a multiple of
 * FETCH_BYTES ends, so that the next ones are whole. */
static uint64_t plan_cut(const struct want *w, const struct meta_extent *e)
{
	uint64_t end = MIN(w->off + w->len, e->off + e->len);

	return MIN(end, (w->off / FETCH_BYTES + 1) * FETCH_BYTES);
}

int plan_fetch(struct move *mv, const struct want *w, struct fetch **out,
	       uint64_t *len)
{
	CLEANUP(fetch_free_guard) struct fetch *x = NULL;
	struct part *p;
	uint64_t skip;
	int n;

	x = fetch_new(mv, w->cause, 1);
	if (!x)
		return -ENOMEM;
	p = x->part;
	n = plan_extent(mv, w, &p->e);
	if (n < 0)
		return n;
	x->parts = (size_t)n;
	if (n == 0 || p->e.off > w->off) {
		*len = n == 0 ? w->len : p->e.off - w->off;
		return 0;
	}
	p->ino = w->ino;
	p->version = w->version;
	if (!part_set(p, w->off, plan_cut(w, &p->e), &skip))
		return -EUCLEAN;
	x->pack = p->e.pack;
	x->pack_off = p->e.pack_off + skip;
	x->stored = p->stored;
	*out = take(x);
	return 1;
}
