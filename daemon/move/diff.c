/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a file that is protected again has to be sent, and what lies in its
 * packs already (S27): each frame is read and compared with the check that was
 * kept of it. A change of 4 KiB sends a block; a file that was opened for
 * writing and closed as it was sends nothing.
 *
 * The file is looked at in regions of a pack's size. Within one, blocks of
 * DIFF_BLOCK are sent or stay; a region that would come to lie in more than
 * DIFF_PIECES pieces is sent as a whole. So extents do not become many, a
 * reader of a region needs few GETs, and of what a file has in packs at most
 * about half is of no use any more.
 *
 * Holes and frames of zeros are in no pack, but for the last frame of a file:
 * so the extents tell the size that was protected.
 */
#include "move/impl.h"

#include <string.h>

#include "base/io.h"

#define DIFF_BLOCK   16u /* frames: 1 MiB */
#define DIFF_PIECES  8u
#define DIFF_EXTENTS 32 /* of a region; with more it is sent as a whole */

/* Of a frame: nothing is stored, it is sent, or it stays in extent n - STAY. */
enum { NOTHING, SEND, STAY };

struct diff {
	struct move *mv;
	const struct cache_seal *seal;
	struct plan *plan;
	struct pack_checker *checker;
	uint8_t *buf;	/* a frame */
	uint8_t *frame; /* of a region: what becomes of each */
	struct meta_extent old[DIFF_EXTENTS];
	int n_old;
	uint64_t off, end;    /* the region */
	uint64_t had, stayed; /* bytes in old extents; of these stay */
};

void plan_done(struct plan *p)
{
	while (p->keeps > 0)
		meta_extent_done(&p->keep[--p->keeps]);
	free(p->keep);
	free(p->send);
	*p = (struct plan){ 0 };
}

static int plan_send(struct plan *p, uint64_t off, uint64_t end)
{
	struct span *s = p->sends ? &p->send[p->sends - 1] : NULL;

	if (s && s->end == off) {
		s->end = end;
		return 0;
	}
	if (!p->send || p->sends == p->send_cap) {
		size_t cap = p->send_cap ? 2 * p->send_cap : 4;

		s = reallocarray(p->send, cap, sizeof(*s));
		if (!s)
			return -ENOMEM;
		p->send = s;
		p->send_cap = cap;
	}
	p->send[p->sends++] = (struct span){ .off = off, .end = end };
	return 0;
}

static struct meta_extent *plan_keep(struct plan *p)
{
	if (p->keeps == p->keep_cap) {
		size_t cap = p->keep_cap ? 2 * p->keep_cap : 4;
		struct meta_extent *e = reallocarray(p->keep, cap, sizeof(*e));

		if (!e)
			return NULL;
		p->keep = e;
		p->keep_cap = cap;
	}
	p->keep[p->keeps] = (struct meta_extent){ 0 };
	return &p->keep[p->keeps++];
}

/* ---- one frame ------------------------------------------------------- */

static uint64_t old_end(const struct meta_extent *e)
{
	return e->off + e->len;
}

/* The extent that holds the frame at `off`, or -1. */
static int diff_find(const struct diff *d, uint64_t off)
{
	int i;

	for (i = 0; i < d->n_old; i++)
		if (off >= d->old[i].off && off < old_end(&d->old[i]))
			return i;
	return -1;
}

/* Do n bytes at `off`, in d->buf, lie in that extent? 1, 0 or -errno. */
static int diff_same(struct diff *d, const struct meta_extent *e, uint64_t off,
		     size_t n)
{
	uint32_t i = (uint32_t)((off - e->off) / META_FRAME_SIZE);
	CLEANUP(move_key_wipe) struct move_key key = { 0 };
	struct pack_frame f = {
		.index = e->first_frame + i,
		.stored_len = e->table[i] & PACK_TABLE_LEN,
		.plain_len = (uint32_t)n,
		.compressed = e->table[i] & PACK_TABLE_COMPRESSED,
	};
	int rc;

	_Static_assert(META_CHECK_SIZE == PACK_CHECK_SIZE, "check");
	if (!e->check || MIN(META_FRAME_SIZE, old_end(e) - off) != n)
		return 0;
	memcpy(f.check, e->check + (size_t)i * META_CHECK_SIZE,
	       sizeof(f.check));
	rc = keys_get(d->mv, e->pack, &key);
	if (rc < 0)
		return rc == -ENOKEY ? 0 : rc;
	return pack_checker_same(d->checker, &key.key, &f,
				 e->table[i] & PACK_TABLE_LAST, d->buf);
}

/* What becomes of the frame. What cannot be read is for who sends it to see. */
static int diff_frame(struct diff *d, uint64_t off)
{
	size_t n = MIN(META_FRAME_SIZE, d->seal->size - off);
	ssize_t got = io_pread(d->seal->fd, d->buf, n, (off_t)off);
	int i, rc;

	if (got != (ssize_t)n)
		return SEND;
	if (build_zero(d->buf, n) && off + n < d->seal->size)
		return NOTHING;
	i = diff_find(d, off);
	if (i < 0)
		return SEND;
	rc = diff_same(d, &d->old[i], off, n);
	return rc == 1 ? STAY + i : rc == 0 ? SEND : rc;
}

/* ---- a region -------------------------------------------------------- */

static uint32_t region_frames(const struct diff *d)
{
	return (uint32_t)((d->end - d->off + META_FRAME_SIZE - 1) /
			  META_FRAME_SIZE);
}

/* A block of which one frame has changed is sent; no need to read the rest. */
static int diff_block(struct diff *d, uint32_t first, uint32_t end)
{
	uint32_t i;
	int what;

	for (i = first; i < end; i++) {
		if (d->frame[i] == NOTHING)
			continue;
		what = diff_frame(d, d->off + i * META_FRAME_SIZE);
		if (what < 0)
			return what;
		if (what == SEND) {
			memset(d->frame + first, SEND, end - first);
			return 0;
		}
		d->frame[i] = (uint8_t)what;
	}
	return 0;
}

/* Marks what holds data, as the filesystem says, SEND; the rest NOTHING. */
static void diff_data(struct diff *d)
{
	uint64_t off = d->off, to;

	memset(d->frame, NOTHING, region_frames(d));
	while (off < d->end && build_data(d->seal, &off, d->end, &to))
		for (; off < to; off += META_FRAME_SIZE)
			d->frame[(off - d->off) / META_FRAME_SIZE] = SEND;
	if (d->end == d->seal->size)
		d->frame[region_frames(d) - 1] = SEND;
}

static uint32_t diff_pieces(const struct diff *d)
{
	uint32_t i, n = 0;

	for (i = 0; i < region_frames(d); i++)
		if (d->frame[i] != NOTHING &&
		    (i == 0 || d->frame[i] != d->frame[i - 1]))
			n++;
	return n;
}

static int diff_compare(struct diff *d)
{
	uint32_t i, n = region_frames(d);
	int rc = 0;

	diff_data(d);
	if (d->n_old == 0 || d->n_old == DIFF_EXTENTS)
		return 0;
	for (i = 0; rc == 0 && i < n; i += DIFF_BLOCK)
		rc = diff_block(d, i, MIN(i + DIFF_BLOCK, n));
	if (rc == 0 && diff_pieces(d) > DIFF_PIECES)
		diff_data(d);
	return rc;
}

/* Frames [first, end) of the region stay in extent `e`: all of it, or a
 * part. */
static int diff_stays(struct diff *d, const struct meta_extent *e,
		      uint32_t first, uint32_t end)
{
	uint64_t off = d->off + first * META_FRAME_SIZE;
	uint32_t at = (uint32_t)((off - e->off) / META_FRAME_SIZE), i;
	uint32_t n = end - first;
	struct meta_extent *k = plan_keep(d->plan);

	if (!k)
		return -ENOMEM;
	*k = *e;
	k->table = NULL;
	k->check = NULL;
	if (at == 0 && n == e->frames) {
		d->stayed += k->len;
		return 0;
	}
	for (i = 0; i < at; i++)
		k->pack_off += e->table[i] & PACK_TABLE_LEN;
	k->off = off;
	k->len = MIN(n * META_FRAME_SIZE, old_end(e) - off);
	k->first_frame += at;
	k->frames = n;
	k->table = calloc(n, sizeof(*k->table));
	k->check = calloc(n, META_CHECK_SIZE);
	if (!k->table || !k->check)
		return -ENOMEM;
	memcpy(k->table, e->table + at, n * sizeof(*k->table));
	memcpy(k->check, e->check + (size_t)at * META_CHECK_SIZE,
	       (size_t)n * META_CHECK_SIZE);
	d->stayed += k->len;
	return 0;
}

/* Runs of frames with one fate. */
static int diff_settle(struct diff *d)
{
	uint32_t i, end, n = region_frames(d);
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i = end) {
		for (end = i + 1; end < n && d->frame[end] == d->frame[i];)
			end++;
		if (d->frame[i] == SEND)
			rc = plan_send(
				d->plan, d->off + i * META_FRAME_SIZE,
				MIN(d->off + end * META_FRAME_SIZE, d->end));
		else if (d->frame[i] >= STAY)
			rc = diff_stays(d, &d->old[d->frame[i] - STAY], i, end);
	}
	return rc;
}

static int diff_load(struct diff *d)
{
	META_TXN(t);
	int i, rc = meta_look(d->mv->m, &t);

	if (rc == 0)
		rc = meta_extent_checked(&t, cache_ino(d->seal->f), d->off,
					 d->end - d->off, d->old, DIFF_EXTENTS);
	if (rc < 0)
		return rc;
	d->n_old = rc;
	for (i = 0; i < d->n_old; i++)
		d->had += MIN(old_end(&d->old[i]), d->end) -
			  MAX(d->old[i].off, d->off);
	return 0;
}

static int diff_region(struct diff *d)
{
	int rc = diff_load(d);

	if (rc == 0)
		rc = diff_compare(d);
	if (rc == 0)
		rc = diff_settle(d);
	while (d->n_old > 0)
		meta_extent_done(&d->old[--d->n_old]);
	return rc;
}

/* ---- the file -------------------------------------------------------- */

/* Does the file have extents at or behind `off`? 1, 0 or -errno. */
static int diff_any(struct move *mv, const struct cache_seal *s, uint64_t off)
{
	struct meta_extent e;
	META_TXN(t);
	int rc = meta_look(mv->m, &t);

	return rc < 0 ? rc : meta_extent_brief(&t, cache_ino(s->f), off, &e, 1);
}

static int diff_regions(struct diff *d, struct job *job, bool sealing)
{
	uint64_t part = move_part(d->mv);
	int rc = 0;

	for (d->off = 0; rc == 0 && d->off < d->seal->size; d->off = d->end) {
		d->end = MIN(d->off + part, d->seal->size);
		if (job_stopping(job))
			return -EINTR;
		if (!sealing)
			sealing_take(d->mv);
		rc = diff_region(d);
		if (!sealing)
			sealing_give(d->mv);
	}
	if (rc == 0)
		rc = diff_any(d->mv, d->seal, d->seal->size);
	if (rc < 0)
		return rc;
	d->plan->same = d->plan->sends == 0 && d->had == d->stayed && rc == 0;
	return 0;
}

static int diff_all(struct move *mv, struct job *job,
		    const struct cache_seal *s, struct plan *p, bool sealing)
{
	struct diff *d = calloc(1, sizeof(*d));
	int rc = -ENOMEM;

	if (!d)
		return rc;
	*d = (struct diff){ .mv = mv, .seal = s, .plan = p };
	d->checker = pack_checker_new();
	d->buf = malloc(META_FRAME_SIZE);
	d->frame = malloc(move_part(mv) / META_FRAME_SIZE);
	if (d->checker && d->buf && d->frame)
		rc = diff_regions(d, job, sealing);
	pack_checker_free(d->checker);
	free(d->buf);
	free(d->frame);
	free(d);
	return rc;
}

int plan_make(struct move *mv, struct job *job, const struct cache_seal *s,
	      struct plan *p, bool sealing)
{
	int rc = s->size > 0 ? diff_any(mv, s, 0) : 0;

	if (rc > 0)
		rc = diff_all(mv, job, s, p, sealing);
	else if (rc == 0 && s->size > 0)
		rc = plan_send(p, 0, s->size);
	return rc;
}
