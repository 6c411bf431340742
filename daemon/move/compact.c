/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs of which much is dead: what is alive of them is formed anew, several of
 * a tier together, when whoever counts the money says that it pays. The same
 * walk as a transfer, to the tier where they are.
 */
#include "move/work.h"

#include <stdlib.h>

#define COMPACT_PAGE	64
#define COMPACT_PACKS	256	/* of one group */
#define COMPACT_LEAST	4304ULL /* header, trailer and index of any pack */
#define COMPACT_EXTENTS 64

/* Packs of one tier that are formed anew together. */
struct group {
	uint64_t row[COMPACT_PACKS]; /* ascending */
	size_t n;
	uint64_t live; /* sealed bytes */
};

struct compact {
	struct move *mv;
	const struct move_compact *in;
	struct move_transferred *out;
	struct group group[MOVE_TIERS_MAX];
	bool waits;
};

/* ---- whose bytes are there -------------------------------------------- */

struct inos {
	uint64_t *ino;
	size_t n, cap;
};

static int inos_add(struct inos *s, uint64_t ino)
{
	if (s->n > 0 && s->ino[s->n - 1] == ino)
		return 0;
	if (!s->ino || s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		uint64_t *p = reallocarray(s->ino, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->ino = p;
		s->cap = cap;
	}
	s->ino[s->n++] = ino;
	return 0;
}

/* A page of extents; *from moves on. How many there were. */
static int inos_extents(struct meta_txn *t, struct inos *s, uint64_t row,
			uint64_t *from)
{
	struct meta_extent e[COMPACT_EXTENTS];
	int n = meta_pack_members(t, row, *from, e, COMPACT_EXTENTS), i;
	int rc = 0;

	for (i = 0; i < n; i++) {
		if (rc == 0)
			rc = inos_add(s, e[i].ino);
		*from = e[i].pack_off + 1;
		meta_extent_done(&e[i]);
	}
	return rc < 0 ? rc : n;
}

static int inos_named(struct meta_txn *t, struct inos *s, uint64_t row)
{
	uint64_t ino[COMPACT_PAGE], after = 0;
	int n, i, rc = 0;

	do {
		n = meta_naming_files(t, row, after, ino, COMPACT_PAGE);
		for (i = 0; rc == 0 && i < n; i++)
			rc = inos_add(s, after = ino[i]);
	} while (rc == 0 && n == COMPACT_PAGE);
	return n < 0 ? n : rc;
}

/* The files of a pack, some perhaps more than once. */
static int inos_pack(struct move *mv, struct inos *s, uint64_t row)
{
	uint64_t from = 0, extents = 0;
	struct meta_pack p = { 0 };
	META_TXN(t);
	int rc = meta_look(mv->m, &t), n;

	if (rc == 0)
		rc = meta_pack_get(&t, row, &p);
	do {
		n = rc < 0 ? rc : inos_extents(&t, s, row, &from);
		extents += (uint64_t)MAX(n, 0);
	} while (n == COMPACT_EXTENTS);
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	return extents < p.extents ? inos_named(&t, s, row) : 0;
}

static int ino_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int inos_group(struct move *mv, struct inos *s, const struct group *g)
{
	size_t i, n;
	int rc = 0;

	for (i = 0; rc == 0 && i < g->n; i++)
		rc = inos_pack(mv, s, g->row[i]);
	if (rc < 0 || s->n == 0)
		return rc;
	qsort(s->ino, s->n, sizeof(*s->ino), ino_order);
	for (i = n = 0; i < s->n; i++)
		if (i == 0 || s->ino[i] != s->ino[i - 1])
			s->ino[n++] = s->ino[i];
	s->n = n;
	return 0;
}

/* ---- a group ---------------------------------------------------------- */

static void use_add(struct move_use *sum, const struct move_use *u)
{
	sum->puts += u->puts;
	sum->copies += u->copies;
	sum->gets += u->gets;
	sum->deletes += u->deletes;
	sum->in_bytes += u->in_bytes;
	sum->out_bytes += u->out_bytes;
	sum->objects_gone += u->objects_gone;
	sum->bytes_gone += u->bytes_gone;
	sum->objects_new += u->objects_new;
	sum->bytes_new += u->bytes_new;
	sum->billed_gone += u->billed_gone;
	sum->billed_new += u->billed_new;
	sum->early_byte_hours += u->early_byte_hours;
	sum->restores += u->restores;
	sum->restored_bytes += u->restored_bytes;
}

static void compact_sum(struct compact *cp, const struct move_transferred *u)
{
	struct move_transferred *sum = cp->out;
	size_t i;

	sum->files += u->files;
	sum->bytes += u->bytes;
	sum->copied += u->copied;
	sum->formed += u->formed;
	sum->skipped += u->skipped;
	sum->failed += u->failed;
	for (i = 0; i < MOVE_TIERS_MAX; i++)
		use_add(&sum->use[i], &u->use[i]);
}

static int group_work(struct compact *cp, size_t tier, const struct inos *s,
		      bool estimate, struct move_transferred *out)
{
	const struct group *g = &cp->group[tier];
	const struct move_transfer in = { .to = tier,
					  .ino = s->ino,
					  .n = s->n,
					  .version = UINT64_MAX,
					  .opened_ns = INT64_MAX,
					  .speed = STORE_BULK,
					  .go_on = cp->in->go_on,
					  .arg = cp->in->arg };
	struct work w = { .mv = cp->mv,
			  .in = &in,
			  .out = out,
			  .estimate = estimate,
			  .want = g->row,
			  .wants = g->n };

	return transfer_work(&w);
}

static int group_compact(struct compact *cp, size_t tier, const struct inos *s)
{
	struct move_transferred u;
	int rc = group_work(cp, tier, s, true, &u);

	if (rc < 0 || !cp->in->pays(cp->in->arg, tier, &u))
		return rc;
	rc = group_work(cp, tier, s, false, &u);
	compact_sum(cp, &u);
	cp->waits |= rc == -EINPROGRESS;
	return rc == -EINPROGRESS ? 0 : rc;
}

/* The group is empty afterwards. */
static int group_end(struct compact *cp, size_t tier)
{
	struct group *g = &cp->group[tier];
	struct inos s = { 0 };
	int rc;

	if (g->n == 0)
		return 0;
	rc = inos_group(cp->mv, &s, g);
	if (rc == 0)
		rc = group_compact(cp, tier, &s);
	free(s.ino);
	g->n = 0;
	g->live = 0;
	return rc;
}

/* ---- all packs -------------------------------------------------------- */

static bool use_dead(const struct compact *cp, const struct meta_pack_use *u)
{
	uint64_t alive = u->live_stored + COMPACT_LEAST;

	return u->live_stored > 0 && u->length > alive &&
	       (u->length - alive) * 256 > u->length * cp->in->dead;
}

static int compact_pack(struct compact *cp, const struct meta_pack_use *u)
{
	int tier = tier_find(cp->mv, u->tier);
	const struct move_tier *at = &cp->mv->s.tier[MAX(tier, 0)];
	struct group *g = &cp->group[MAX(tier, 0)];

	if (tier < 0 || !use_dead(cp, u) ||
	    (at->archive && clock_wall_ns() < u->stored_ns + u->keep_ns))
		return 0;
	g->row[g->n++] = u->row;
	g->live += u->live_stored;
	return g->n == COMPACT_PACKS || g->live >= at->object_size
		       ? group_end(cp, (size_t)tier)
		       : 0;
}

static int compact_page(struct compact *cp, uint64_t after,
			struct meta_pack_use *u)
{
	META_TXN(t);
	int rc = meta_look(cp->mv->m, &t);

	return rc < 0 ? rc : meta_pack_uses(&t, after, u, COMPACT_PAGE);
}

static int compact_go_on(const struct compact *cp)
{
	if (atomic_load(&cp->mv->stopping) ||
	    (cp->in->go_on && !cp->in->go_on(cp->in->arg)))
		return -EINTR;
	return 0;
}

static int compact_all(struct compact *cp, struct meta_pack_use *u)
{
	uint64_t after = 0;
	size_t tier;
	int n, i, rc = 0;

	do {
		n = compact_page(cp, after, u);
		for (i = 0; rc == 0 && i < n; i++)
			rc = compact_pack(cp, &u[i]);
		if (n > 0)
			after = u[n - 1].row;
		rc = rc < 0 ? rc : compact_go_on(cp);
	} while (rc == 0 && n > 0);
	rc = n < 0 ? n : rc;
	for (tier = 0; rc == 0 && tier < MOVE_TIERS_MAX; tier++)
		rc = group_end(cp, tier);
	return rc == 0 && cp->waits ? -EINPROGRESS : rc;
}

int move_compact(struct move *mv, const struct move_compact *in,
		 struct move_transferred *out)
{
	CLEANUP_FREE struct meta_pack_use *u = calloc(COMPACT_PAGE, sizeof(*u));
	CLEANUP_FREE struct compact *cp = calloc(1, sizeof(*cp));

	*out = (struct move_transferred){ 0 };
	if (!u || !cp)
		return -ENOMEM;
	cp->mv = mv;
	cp->in = in;
	cp->out = out;
	return compact_all(cp, u);
}
