/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fetch: frames [off, off+len) of one version of a file come from the
 * packs that its extents name, are opened (P5), and go into the cache file.
 * One bad frame spoils only itself: the others are kept.
 */
#include "move/impl.h"

#include <string.h>

#include "base/log.h"

#define FETCH_EXTENTS 16
#define FETCH_BATCH   (1ULL << 20) /* plain bytes opened, then filled */

struct fetching {
	struct move *mv;
	const struct fetch *x;
	struct cache_file *f;
	uint8_t *plain;	  /* FETCH_BATCH */
	uint8_t *scratch; /* PACK_FRAME_MAX */
	bool bad;	  /* something was, and was logged */
};

static void fetch_bad(struct fetching *g, const char *object, const char *what)
{
	g->bad = true;
	log_err("inode %llu: cannot be read: object '%s' %s",
		(unsigned long long)g->x->ino, object, what);
}

/* What an error of a store means for the reader. */
static int fetch_error(struct fetching *g, const char *object, int rc)
{
	char why[160];

	if (store_is_transient(rc) || rc == -EACCES)
		return -EAGAIN; /* P6: it says nothing about the object */
	if (rc == -ENOMEM)
		return rc;
	if (rc == -ENOENT)
		fetch_bad(g, object, "is missing");
	else if (rc == -ERANGE)
		fetch_bad(g, object, "is too short");
	else
		fetch_bad(g, object, move_why(rc, why, sizeof(why)));
	return 0;
}

/* Consecutive frames of an extent, as one GET brings them. */
struct piece {
	const struct meta_extent *e;
	uint32_t first, n; /* frames of the extent */
	uint64_t pack_off; /* of their first byte */
	size_t stored;	   /* bytes */
};

static uint32_t piece_stored(const struct meta_extent *e, uint32_t i)
{
	return e->table[i] & PACK_TABLE_LEN;
}

/* The frames of `e` that [off, end) touches. False: a table that lies. */
static bool piece_set(struct piece *p, const struct meta_extent *e,
		      uint64_t off, uint64_t end)
{
	uint32_t i, last;

	p->e = e;
	p->first = (uint32_t)((off - e->off) / META_FRAME_SIZE);
	last = (uint32_t)((end - 1 - e->off) / META_FRAME_SIZE);
	p->n = last - p->first + 1;
	p->pack_off = e->pack_off;
	p->stored = 0;
	for (i = 0; i <= last; i++) {
		uint32_t len = piece_stored(e, i);

		if (len <= PACK_TAG_SIZE ||
		    len > PACK_FRAME_MAX + PACK_TAG_SIZE)
			return false;
		if (i < p->first)
			p->pack_off += len;
		else
			p->stored += len;
	}
	return p->stored > 0;
}

static uint64_t frame_off(const struct piece *p, uint32_t i)
{
	return p->e->off + (uint64_t)(p->first + i) * META_FRAME_SIZE;
}

static uint32_t frame_len(const struct piece *p, uint32_t i)
{
	uint64_t end = p->e->off + p->e->len;

	return (uint32_t)MIN(META_FRAME_SIZE, end - frame_off(p, i));
}

static int frame_open(struct fetching *g, const struct piece *p,
		      const struct move_key *key, uint32_t i,
		      const uint8_t *sealed, uint8_t *dst)
{
	uint32_t entry = p->e->table[p->first + i];
	struct pack_frame frame = {
		.index = p->e->first_frame + p->first + i,
		.stored_len = entry & PACK_TABLE_LEN,
		.plain_len = frame_len(p, i),
		.compressed = entry & PACK_TABLE_COMPRESSED,
	};

	return pack_frame_open(&key->key, &frame, entry & PACK_TABLE_LAST,
			       sealed, dst, g->scratch);
}

/* A run of opened frames that waits in g->plain. */
struct run {
	uint64_t off;
	size_t len;
};

static int run_flush(struct fetching *g, struct run *r)
{
	int rc = 0;

	if (r->len > 0)
		rc = cache_fill(g->f, g->x->version, r->off, g->plain, r->len);
	r->len = 0;
	return rc == -ENOSPC ? -EAGAIN : rc; /* no room now */
}

static int piece_open(struct fetching *g, const struct piece *p,
		      const struct move_key *key, const uint8_t *sealed)
{
	struct run r = { 0 };
	uint32_t i, n;
	bool bad = false;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n; i++, sealed += n) {
		n = piece_stored(p->e, p->first + i);
		if (r.len + META_FRAME_SIZE > FETCH_BATCH)
			rc = run_flush(g, &r);
		if (rc < 0)
			break;
		if (r.len == 0)
			r.off = frame_off(p, i);
		rc = frame_open(g, p, key, i, sealed, g->plain + r.len);
		if (rc == 0) {
			r.len += frame_len(p, i);
		} else if (rc == -EBADMSG) {
			bad = true;
			rc = run_flush(g, &r);
		}
	}
	if (bad)
		fetch_bad(g, key->object, "does not hold what was stored");
	return rc < 0 ? rc : run_flush(g, &r);
}

static int piece_get(struct fetching *g, const struct piece *p)
{
	struct store *s = g->mv->s.cause[g->x->cause];
	CLEANUP_FREE uint8_t *sealed = NULL;
	CLEANUP(move_key_wipe) struct move_key key = { 0 };
	ssize_t n;
	int rc;

	rc = keys_get(g->mv, p->e->pack, &key);
	if (rc == -ENOKEY)
		fetch_bad(g, key.object, "needs a key that is not here");
	if (rc < 0)
		return rc == -ENOKEY ? 0 : rc;
	sealed = malloc(p->stored);
	if (!sealed)
		return -ENOMEM;
	n = store_get(s, key.object, p->pack_off, sealed, p->stored);
	if (n < 0)
		rc = fetch_error(g, key.object, (int)n);
	else if ((size_t)n != p->stored)
		fetch_bad(g, key.object, "is too short");
	else
		rc = piece_open(g, p, &key, sealed);
	return rc;
}

static int fetch_extent(struct fetching *g, const struct meta_extent *e,
			uint64_t off, uint64_t end)
{
	struct piece p;

	if (!piece_set(&p, e, off, end))
		return -EUCLEAN;
	return piece_get(g, &p);
}

static int fetch_hole(struct fetching *g, uint64_t off, uint64_t end)
{
	int rc = 0;

	if (off < end)
		rc = cache_fill(g->f, g->x->version, off, NULL, end - off);
	return rc;
}

/* The extents from `off` on, if the file is still what is fetched. */
static int fetch_list(struct fetching *g, uint64_t off, uint64_t end,
		      struct meta_extent *e)
{
	struct meta_inode row;
	META_TXN(t);
	int rc = meta_read(g->mv->m, &t);

	if (rc < 0)
		return rc;
	rc = meta_inode_get(&t, g->x->ino, &row);
	if (rc < 0)
		return rc;
	if (row.content_version != g->x->version || row.state == META_DIRTY)
		return -ESTALE;
	return meta_extent_list(&t, g->x->ino, off, end - off, e,
				FETCH_EXTENTS);
}

static int fetch_extents(struct fetching *g, uint64_t *off, uint64_t end)
{
	struct meta_extent e[FETCH_EXTENTS];
	int n, i, rc = 0;

	n = fetch_list(g, *off, end, e);
	if (n < 0)
		return n;
	for (i = 0; i < n; i++) {
		uint64_t from = MAX(*off, e[i].off);
		uint64_t to = MIN(end, e[i].off + e[i].len);

		if (rc == 0)
			rc = fetch_hole(g, *off, from);
		if (rc == 0)
			rc = fetch_extent(g, &e[i], from, to);
		if (rc == 0)
			*off = to;
		meta_extent_done(&e[i]);
	}
	if (rc < 0 || n == FETCH_EXTENTS)
		return rc;
	rc = fetch_hole(g, *off, end);
	*off = end;
	return rc;
}

static int fetch_all(struct fetching *g)
{
	uint64_t off = g->x->off, end = off + g->x->len;
	int rc = 0;

	g->plain = malloc(FETCH_BATCH);
	g->scratch = malloc(PACK_FRAME_MAX);
	if (!g->plain || !g->scratch)
		rc = -ENOMEM;
	while (rc == 0 && off < end)
		rc = fetch_extents(g, &off, end);
	free(g->plain);
	free(g->scratch);
	return rc == 0 && g->bad ? -EIO : rc;
}

int fetch_run(struct move *mv, const struct fetch *x)
{
	struct fetching g = { .mv = mv, .x = x };
	int rc, end;

	rc = cache_get(mv->c, x->ino, &g.f);
	if (rc < 0)
		return rc;
	rc = cache_acquire(g.f, false);
	if (rc == 0) {
		rc = fetch_all(&g);
		end = cache_release(g.f, false);
		rc = rc < 0 ? rc : end;
	}
	cache_put(g.f);
	return rc;
}
