/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames make a new pack, and which GETs bring them. Pure, but for
 * memory: a plan and what is then done come to the same. */
#include "move/work.h"

#define LOT_GAP (256ULL << 10) /* bytes of no use between two frames */

void lot_done(struct lot *b)
{
	free(b->frame);
	free(b->file);
	*b = (struct lot){ 0 };
}

uint64_t lot_stored(const struct work *w, const struct work_file *f)
{
	uint64_t sum = 0;
	uint32_t i;
	size_t k;

	for (k = 0; k < f->n; k++)
		for (i = 0; work_formed(w, &f->e[k]) && i < f->e[k].frames; i++)
			sum += f->e[k].table[i] & PACK_TABLE_LEN;
	return sum;
}

static int lot_frame(struct lot *b, const struct lot_frame *fr)
{
	if (b->frames == b->frames_cap) {
		size_t cap = b->frames_cap ? 2 * b->frames_cap : 64;
		struct lot_frame *p = reallocarray(b->frame, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->frame = p;
		b->frames_cap = cap;
	}
	b->frame[b->frames++] = *fr;
	b->stored += lot_frame_stored(fr);
	return 0;
}

static int lot_file(struct lot *b, struct work_file *f)
{
	if (!b->file || b->files == b->files_cap) {
		size_t cap = b->files_cap ? 2 * b->files_cap : 16;
		struct lot_file *p = reallocarray(b->file, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->file = p;
		b->files_cap = cap;
	}
	b->file[b->files++] = (struct lot_file){ .f = f, .first = b->frames };
	return 0;
}

/* 1: there is no room for more. */
static int lot_extent(struct lot *b, const struct meta_extent *e, uint64_t end,
		      struct lot_at *at)
{
	int rc = 0;

	if (at->frame == 0)
		at->pack_off = e->pack_off;
	while (rc == 0 && at->frame < e->frames) {
		struct lot_frame fr = { .e = e,
					.i = at->frame,
					.pack_off = at->pack_off };
		uint32_t len = lot_frame_stored(&fr);

		if (b->stored > 0 && b->stored + len > end)
			return 1;
		rc = lot_frame(b, &fr);
		at->pack_off += len;
		at->frame++;
	}
	return rc;
}

int lot_add(struct work *w, struct lot *b, struct work_file *f, uint64_t most,
	    struct lot_at *at)
{
	uint64_t end = most > UINT64_MAX - b->stored ? UINT64_MAX
						     : b->stored + most;
	size_t file = b->files;
	int rc = lot_file(b, f);

	while (rc == 0 && at->extent < f->n) {
		if (work_formed(w, &f->e[at->extent]))
			rc = lot_extent(b, &f->e[at->extent], end, at);
		if (rc != 0)
			break;
		at->extent++;
		at->frame = 0;
	}
	if (file < b->files)
		b->file[file].n = b->frames - b->file[file].first;
	return rc;
}

size_t lot_window(const struct lot *b, size_t i, size_t *len)
{
	const struct lot_frame *first = &b->frame[i];
	uint64_t end = first->pack_off + lot_frame_stored(first);

	for (i++; i < b->frames; i++) {
		const struct lot_frame *fr = &b->frame[i];
		uint64_t to = fr->pack_off + lot_frame_stored(fr);

		if (fr->e->pack != first->e->pack || fr->pack_off < end ||
		    fr->pack_off > end + LOT_GAP ||
		    to - first->pack_off > LOT_WINDOW)
			break;
		end = to;
	}
	*len = (size_t)(end - first->pack_off);
	return i;
}

size_t lot_runs(const struct lot *b, const struct lot_file *bf)
{
	uint64_t end = UINT64_MAX;
	bool full = true;
	size_t i, n = 0;

	for (i = bf->first; i < bf->first + bf->n; i++) {
		const struct lot_frame *fr = &b->frame[i];

		n += !full || lot_frame_off(fr) != end;
		end = lot_frame_off(fr) + lot_frame_len(fr);
		full = lot_frame_len(fr) == META_FRAME_SIZE;
	}
	return n;
}
