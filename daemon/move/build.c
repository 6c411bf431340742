/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files into a pack. Holes have no frames, nor have frames of zeros, but for
 * the last one of a file; the others become extents: runs of frames that follow
 * one another in the file and in the pack. A member is named only when its file
 * was proven unchanged after the last frame was read (S18).
 */
#include "move/impl.h"

#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "dicom/dicom.h"

void item_forget(struct item *it)
{
	while (it->n > 0)
		meta_extent_done(&it->extent[--it->n]);
}

void parcel_drop_last(struct parcel *p)
{
	struct item *it = &p->item[--p->n];

	if (it->seal.f)
		atomic_fetch_sub(p->leases, 1);
	cache_seal_end(&it->seal, it->committed);
	item_forget(it);
	free(it->extent);
	plan_done(&it->plan);
}

void parcel_done(struct parcel *p)
{
	while (p->n > 0)
		parcel_drop_last(p);
	free(p->item);
	free(p->pack);
	*p = (struct parcel){ 0 };
}

int parcel_add(struct move *mv, struct parcel *p, uint64_t ino)
{
	int rc;

	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		struct item *item = realloc(p->item, cap * sizeof(*item));

		if (!item)
			return -ENOMEM;
		p->item = item;
		p->cap = cap;
	}
	p->item[p->n] = (struct item){ 0 };
	rc = p->copies ? cache_seal_copy(mv->c, ino, &p->item[p->n].seal)
		       : cache_seal_begin(mv->c, ino, &p->item[p->n].seal);
	if (rc < 0)
		return rc;
	p->n++;
	p->leases = &mv->leases;
	atomic_fetch_add(p->leases, 1);
	return 0;
}

/* ---- extents -------------------------------------------------------- */

struct meta_extent *item_extent(struct item *it)
{
	if (!it->extent || it->n == it->cap) {
		size_t cap = it->cap ? 2 * it->cap : 4;
		struct meta_extent *e = realloc(it->extent, cap * sizeof(*e));

		if (!e)
			return NULL;
		it->extent = e;
		it->cap = cap;
	}
	it->extent[it->n] = (struct meta_extent){ 0 };
	return &it->extent[it->n++];
}

/* Does the frame go on where the extent ends, in file and pack? A pack that
 * has its row already is another one. */
static bool extent_goes_on(const struct meta_extent *e, uint64_t off,
			   const struct pack_frame *frame)
{
	return e->pack == 0 && e->off + e->len == off &&
	       e->len % META_FRAME_SIZE == 0 &&
	       e->first_frame + e->frames == frame->index;
}

/* Table and checks grow when their length reaches a power of two. */
static int extent_add(struct meta_extent *e, const struct pack_frame *frame,
		      bool last)
{
	if ((e->frames & (e->frames - 1)) == 0) {
		size_t cap = e->frames ? 2 * (size_t)e->frames : 1;
		uint32_t *table = realloc(e->table, cap * sizeof(*table));
		uint8_t *check;

		if (!table)
			return -ENOMEM;
		e->table = table;
		check = realloc(e->check, cap * META_CHECK_SIZE);
		if (!check)
			return -ENOMEM;
		e->check = check;
	}
	memcpy(e->check + (size_t)e->frames * META_CHECK_SIZE, frame->check,
	       META_CHECK_SIZE);
	e->table[e->frames++] =
		frame->stored_len |
		(frame->compressed ? PACK_TABLE_COMPRESSED : 0) |
		(last ? PACK_TABLE_LAST : 0);
	e->len += frame->plain_len;
	return 0;
}

int item_frame(struct item *it, uint64_t off, const struct pack_frame *frame,
	       bool last)
{
	struct meta_extent *e = it->n > 0 ? &it->extent[it->n - 1] : NULL;

	if (!e || !extent_goes_on(e, off, frame)) {
		e = item_extent(it);
		if (!e)
			return -ENOMEM;
		e->off = off;
		e->pack_off = frame->offset;
		e->first_frame = frame->index;
	}
	return extent_add(e, frame, last);
}

/* ---- reading -------------------------------------------------------- */

/* One frame is held back until it is known whether it is the last. */
struct building {
	struct pack_writer *w;
	struct item *it;
	uint8_t *buf[2];
	int cur;      /* the buffer that is read into */
	uint64_t off; /* of the frame held back */
	size_t len;   /* 0 = none */
};

static int build_emit(struct building *b, bool last)
{
	struct pack_frame frame;
	int rc;

	if (b->len == 0)
		return 0;
	rc = pack_writer_frame(b->w, b->off, b->buf[!b->cur], b->len, last,
			       &frame);
	if (rc == 0)
		rc = item_frame(b->it, b->off, &frame, last);
	b->len = 0;
	return rc;
}

bool build_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/*
 * What was to be read cannot be, or is not there. Who changes a file breaks its
 * seal first; with a good one it is the disk, and would be so each time the
 * file's turn comes. A copy is made again. The other files of the pack go on.
 */
static void build_bad(const struct building *b, const char *what, int rc)
{
	struct cache_seal *s = &b->it->seal;

	if (!s->copied_ns && cache_seal_valid(s))
		cache_damage(s->f, what, rc);
}

/* 1: the file is not what was sealed. */
static int build_frame(struct building *b, uint64_t off, size_t n)
{
	uint8_t *p = b->buf[b->cur];
	ssize_t got = io_pread(b->it->seal.fd, p, n, (off_t)off);
	int rc;

	if (got < 0 || (size_t)got != n) {
		build_bad(b, got < 0 ? "it cannot be read" : "it was cut short",
			  got < 0 ? (int)got : -EIO);
		return 1;
	}
	/* The last one says how long the file is. */
	if (build_zero(p, n) && off + n < b->it->seal.size)
		return 0;
	rc = build_emit(b, false);
	b->cur = !b->cur;
	b->off = off;
	b->len = n;
	return rc;
}

bool build_data(const struct cache_seal *s, uint64_t *off, uint64_t end,
		uint64_t *to)
{
	off_t data = s->fd < 0 ? -1 : lseek(s->fd, (off_t)*off, SEEK_DATA);
	off_t hole;

	*to = end;
	if (data < 0 && (s->fd < 0 || errno == ENXIO)) {
		*off = MAX(*off, s->size);
		return false;
	}
	if (data < 0) /* the filesystem cannot tell */
		return true;
	*off = MAX(*off, (uint64_t)data & ~(META_FRAME_SIZE - 1));
	if (*off >= end)
		return false;
	hole = lseek(s->fd, data, SEEK_HOLE);
	*to = hole < 0 ? end : MIN(end, (uint64_t)hole);
	return true;
}

/* The last frame of a file, which lies in a hole. */
static int build_last(struct building *b, uint64_t end)
{
	uint64_t off = (end - 1) & ~(META_FRAME_SIZE - 1);

	return build_frame(b, off, end - off);
}

static int build_frames(struct building *b, uint64_t off, uint64_t end)
{
	uint64_t to;
	int rc = 0;

	while (rc == 0 && off < end &&
	       build_data(&b->it->seal, &off, end, &to)) {
		for (; rc == 0 && off < to; off += META_FRAME_SIZE)
			rc = build_frame(b, off,
					 MIN(META_FRAME_SIZE, end - off));
		if (rc == 0 && !cache_seal_valid(&b->it->seal))
			rc = 1;
	}
	if (rc == 0 && end == b->it->seal.size &&
	    (b->len == 0 || b->off + b->len < end))
		rc = build_last(b, end);
	return rc;
}

/* ---- members -------------------------------------------------------- */

static bool member_is(const void *seal, struct meta_inode *row)
{
	return cache_seal_row(seal, row);
}

/* 1: the file has no name any more, or is another version. */
static int member_of(struct move *mv, const struct cache_seal *s,
		     struct member *mb)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	return rc < 0 ? rc : member_load(&t, cache_ino(s->f), member_is, s, mb);
}

/* Those of the extents that lie in other packs, by their ids. */
static int member_kept(struct move *mv, struct member *mb,
		       const struct meta_extent *e, size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		CLEANUP(move_key_wipe) struct move_key key = { 0 };

		if (e[i].pack == 0) /* in the one that is being written */
			continue;
		rc = keys_get(mv, e[i].pack, &key);
		mb->kept[mb->m.kepts++] =
			(struct pack_kept){ .file_off = e[i].off,
					    .len = e[i].len,
					    .pack = key.key.id,
					    .first_frame = e[i].first_frame,
					    .frames = e[i].frames };
	}
	return rc;
}

static int kept_order(const void *a, const void *b)
{
	const struct pack_kept *x = a, *y = b;

	return x->file_off < y->file_off ? -1 : x->file_off > y->file_off;
}

/* What did not change, and what the parts of a large file have. */
static int member_elsewhere(struct move *mv, struct member *mb,
			    const struct item *it)
{
	int rc;

	mb->m.part = it->part;
	if (it->part || it->plan.keeps + it->n == 0)
		return 0;
	mb->kept = calloc(it->plan.keeps + it->n, sizeof(*mb->kept));
	if (!mb->kept)
		return -ENOMEM;
	rc = member_kept(mv, mb, it->plan.keep, it->plan.keeps);
	if (rc == 0)
		rc = member_kept(mv, mb, it->extent, it->n);
	qsort(mb->kept, mb->m.kepts, sizeof(*mb->kept), kept_order);
	mb->m.kept = mb->kept;
	return rc;
}

/* 1: named; 0: it changed, or has no name. */
static int build_member(struct move *mv, struct pack_writer *w, struct item *it)
{
	CLEANUP(member_free_guard) struct member *mb = member_new();
	int rc = mb ? member_of(mv, &it->seal, mb) : -ENOMEM;
	bool named = rc == 0 && cache_seal_valid(&it->seal);

	if (rc == 0 && named)
		rc = member_elsewhere(mv, mb, it);
	if (rc == 0 && named)
		rc = pack_writer_member(w, &mb->m);
	if (member_unsayable(rc)) {
		rc = member_plain(mb);
		rc = rc < 0 ? rc : pack_writer_member(w, &mb->m);
	}
	return rc < 0 ? rc : rc == 0 && named;
}

/* The member ends without a name. */
static int build_dead(struct pack_writer *w, struct item *it)
{
	item_forget(it);
	return pack_writer_member(w, NULL);
}

/* An image that its transfer syntax has compressed does not shrink again. */
static bool build_compressed(const struct cache_seal *s)
{
	struct dicom_header h;

	return s->fd >= 0 && dicom_header_read(s->fd, s->size, &h) == 0 &&
	       h.compressed;
}

static int build_spans(struct building *b, const struct span *span, size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++)
		rc = build_frames(b, span[i].off, span[i].end);
	return rc;
}

int build_item(struct move *mv, struct pack_writer *w, struct item *it,
	       const struct span *span, size_t n)
{
	CLEANUP_FREE uint8_t *buf = malloc(2 * META_FRAME_SIZE);
	struct building b = { .w = w,
			      .it = it,
			      .buf = { buf, buf + META_FRAME_SIZE } };
	int rc, dead;

	pack_writer_hint(w, !build_compressed(&it->seal));
	rc = buf ? build_spans(&b, span, n) : -ENOMEM;
	if (rc == 0)
		rc = build_emit(&b, true);
	if (rc == 0)
		rc = build_member(mv, w, it);
	else if (rc == 1)
		rc = 0;
	it->named = rc == 1;
	if (rc == 1 || (rc < 0 && rc != -ENOSPC))
		return rc;
	dead = build_dead(w, it);
	return dead < 0 ? dead : rc;
}
