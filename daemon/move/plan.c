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
	struct meta_inode row = { 0 };
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

/* ---- with what lies beside it ---------------------------------------- */

#define MATES_MAX  1024		  /* files of one fetch */
#define MATES_PAGE 64		  /* extents read at once */
#define MATES_GAP  (256ULL << 10) /* bytes of no use between two */

/* What lies in bytes [from, end) of a pack and is not here, by the rows. */
struct beside {
	struct part *part; /* in the order of bytes */
	size_t n;
};

static void beside_done(struct beside *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		meta_extent_done(&b->part[i].e);
	free(b->part);
}

/* Takes e over: 1 it is of use, 0 not. */
static int beside_add(struct meta_txn *t, struct beside *b,
		      struct meta_extent *e)
{
	struct part *p = &b->part[b->n];
	struct meta_inode row;
	uint64_t skip;
	int rc = meta_inode_get(t, e->ino, &row);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (row.state == META_DIRTY || row.state == META_LOCAL)
		return 0;
	*p = (struct part){ .ino = e->ino,
			    .version = row.content_version,
			    .e = *e };
	if (!part_set(p, e->off, e->off + e->len, &skip))
		return -EUCLEAN;
	e->table = NULL;
	b->n++;
	return 1;
}

/* One page of extents; *from moves on. 1: there are more. */
static int beside_page(struct meta_txn *t, struct beside *b, uint64_t pack,
		       uint64_t *from, uint64_t end)
{
	struct meta_extent e[MATES_PAGE];
	int n = meta_pack_members(t, pack, *from, e, MATES_PAGE), i, rc = 0;

	for (i = 0; i < n; i++) {
		if (rc >= 0 && e[i].pack_off < end && b->n < MATES_MAX)
			rc = beside_add(t, b, &e[i]);
		*from = e[i].pack_off + 1;
		meta_extent_done(&e[i]);
	}
	if (n < 0 || rc < 0)
		return n < 0 ? n : rc;
	return n == MATES_PAGE && *from < end && b->n < MATES_MAX;
}

static int beside_read(struct move *mv, struct beside *b, uint64_t pack,
		       uint64_t from, uint64_t end)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	b->part = calloc(MATES_MAX, sizeof(*b->part));
	if (!b->part)
		return -ENOMEM;
	if (rc == 0)
		do {
			rc = beside_page(&t, b, pack, &from, end);
		} while (rc == 1);
	return rc;
}

/* Rows lag behind what was fetched a moment ago. */
static bool part_absent(struct move *mv, const struct part *p)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	uint64_t off, len;

	return cache_get(mv->c, p->ino, &f) == 0 &&
	       cache_missing(f, part_off(p), part_end(p) - part_off(p), &off,
			     &len) == 1;
}

static void beside_drop_present(struct move *mv, struct beside *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		if (part_absent(mv, &b->part[i]))
			b->part[n++] = b->part[i];
		else
			meta_extent_done(&b->part[i].e);
	b->n = n;
}

static uint64_t part_pack_end(const struct part *p)
{
	return p->e.pack_off + p->stored;
}

/* Bytes that one fetch may bring: what memory and the cache have room for, and
 * the line brings in time. */
static uint64_t beside_room(struct move *mv)
{
	struct cache_usage u;
	uint64_t room;

	cache_usage(mv->c, &u);
	room = u.high > u.used ? u.high - u.used : 0;
	room = MIN(room,
		   u.disk_free > u.free_goal ? u.disk_free - u.free_goal : 0);
	room = MIN(room, mates_room(mv));
	return MIN(room, mv->fetcher.budget / 2);
}

/* Parts [*lo, *hi) around *own, without large gaps, at most `room` bytes. */
static void beside_run(const struct beside *b, size_t own, uint64_t room,
		       size_t *lo, size_t *hi)
{
	const struct part *p = b->part;

	*lo = own;
	*hi = own + 1;
	while (*hi < b->n &&
	       p[*hi].e.pack_off <= part_pack_end(&p[*hi - 1]) + MATES_GAP &&
	       part_pack_end(&p[*hi]) - p[*lo].e.pack_off <= room)
		++*hi;
	while (*lo > 0 &&
	       p[*lo].e.pack_off <= part_pack_end(&p[*lo - 1]) + MATES_GAP &&
	       part_pack_end(&p[*hi - 1]) - p[*lo - 1].e.pack_off <= room)
		--*lo;
}

/* Moves parts [lo, hi) into a fetch. */
static struct fetch *beside_fetch(struct move *mv, struct beside *b, size_t lo,
				  size_t hi, enum store_cause cause)
{
	struct fetch *x = fetch_new(mv, cause, hi - lo);
	size_t i;

	if (!x)
		return NULL;
	for (i = lo; i < hi; i++) {
		struct part *p = &x->part[x->parts++];

		*p = b->part[i];
		b->part[i].e.table = NULL;
		p->at = (size_t)(p->e.pack_off - b->part[lo].e.pack_off);
	}
	x->pack = x->part[0].e.pack;
	x->pack_off = x->part[0].e.pack_off;
	x->stored =
		(size_t)(part_pack_end(&x->part[x->parts - 1]) - x->pack_off);
	x->mates = x->parts > 1;
	return x;
}

/* 1 and a fetch of the file with what lies beside it; 0: of nothing but it. */
static int plan_beside(struct move *mv, const struct want *w,
		       const struct meta_extent *e, uint64_t from, uint64_t end,
		       struct fetch **out)
{
	CLEANUP(beside_done) struct beside b = { 0 };
	size_t own, lo, hi;
	int rc = beside_read(mv, &b, e->pack, from, end);

	if (rc < 0)
		return rc;
	beside_drop_present(mv, &b);
	for (own = 0; own < b.n; own++)
		if (b.part[own].ino == w->ino && b.part[own].e.off == e->off)
			break;
	if (own == b.n || b.part[own].version != w->version)
		return 0;
	beside_run(&b, own, beside_room(mv), &lo, &hi);
	if (hi - lo < 2)
		return 0;
	*out = beside_fetch(mv, &b, lo, hi, w->cause);
	if (!*out)
		return -ENOMEM;
	(*out)->own = own - lo;
	return 1;
}

int plan_pack(struct move *mv, uint64_t pack, struct fetch **out)
{
	CLEANUP(beside_done) struct beside b = { 0 };
	uint64_t room = beside_room(mv);
	size_t lo, hi;
	int rc = beside_read(mv, &b, pack, 0, UINT64_MAX);

	if (rc < 0)
		return rc;
	beside_drop_present(mv, &b);
	if (b.n == 0 || b.part[0].stored > room)
		return 0;
	beside_run(&b, 0, room, &lo, &hi);
	*out = beside_fetch(mv, &b, lo, hi, STORE_CAUSE_READ);
	if (!*out)
		return -ENOMEM;
	(*out)->own = (*out)->parts;
	(*out)->mates = true;
	return 1;
}

/* Of a small file: what comes along? 1 with a fetch of all, 0: nothing. */
static int plan_mates(struct move *mv, const struct want *w,
		      const struct meta_extent *e, struct fetch **out)
{
	CLEANUP(move_key_wipe) struct move_key key = { 0 };
	uint64_t from, end;
	int rc;

	if (w->size > FETCH_BYTES)
		return 0;
	rc = keys_get(mv, e->pack, &key);
	if (rc < 0)
		return 0; /* the fetch says what is wrong */
	if (!mates_wanted(mv, e, key.study, &from, &end))
		return 0;
	rc = plan_beside(mv, w, e, from, end, out);
	if (rc == 1)
		mates_note(mv, *out, key.study, 0);
	return rc;
}

/* ---- a fetch ---------------------------------------------------------- */

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
	n = plan_mates(mv, w, &p->e, out);
	if (n != 0)
		return n;
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
