/* SPDX-License-Identifier: Apache-2.0 */
/* What forming packs comes to: counted by the same rows and the same cuts. */
#include "move/work.h"

void form_count_put(struct work *w, uint64_t length)
{
	w->out->use[w->in->to].puts++;
	w->out->use[w->in->to].out_bytes += length;
}

void form_count_new(struct work *w, uint64_t length)
{
	w->out->formed++;
	work_count_new(w, length);
}

static void count_gets(struct work *w, const struct lot *b)
{
	size_t i, end, len;

	for (i = 0; i < b->frames; i = end) {
		const struct work_pack *p = work_pack(w, b->frame[i].e->pack);

		end = lot_window(b, i, &len);
		w->out->use[p->tier].gets++;
		w->out->use[p->tier].in_bytes += len;
	}
}

/* Kept runs are only counted. `runs`: of its parts. */
static int size_member(struct work *w, struct pack_size *s, const struct lot *b,
		       const struct lot_file *bf, size_t runs)
{
	CLEANUP(member_free_guard) struct member *mb = member_new();
	size_t k;
	int rc = mb ? form_member_load(w->mv, bf->f, mb) : -ENOMEM;

	if (rc != 0)
		return MIN(rc, 0);
	mb->m.part = b->part;
	for (k = 0; !b->part && k < bf->f->n; k++)
		mb->m.kepts += !work_formed(w, &bf->f->e[k]);
	mb->m.kepts += b->part ? 0 : runs;
	rc = pack_size_member(s, &mb->m, lot_runs(b, bf));
	if (member_unsayable(rc)) {
		rc = member_plain(mb);
		rc = rc < 0 ? rc : pack_size_member(s, &mb->m, lot_runs(b, bf));
	}
	return rc;
}

int estimate_pack(struct work *w, const struct lot *b, size_t runs)
{
	struct pack_size s = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < b->frames; i++)
		pack_size_frame(&s, lot_frame_stored(&b->frame[i]));
	for (i = 0; rc == 0 && i < b->files; i++)
		rc = size_member(w, &s, b, &b->file[i], runs);
	if (rc < 0)
		return rc;
	for (i = 0; i < b->files; i++)
		b->file[i].f->formed = true;
	count_gets(w, b);
	form_count_put(w, pack_size_total(&s));
	form_count_new(w, pack_size_total(&s));
	return 0;
}

int estimate_gone(struct work *w)
{
	CLEANUP_FREE uint64_t *goes =
		calloc(MAX(w->packs, (size_t)1), sizeof(*goes));
	size_t i, k;

	if (!goes)
		return -ENOMEM;
	for (i = 0; i < w->files; i++) {
		const struct work_file *f = &w->file[i];

		for (k = 0; f->forms && k < f->n; k++)
			if (work_formed(w, &f->e[k]))
				goes[work_pack(w, f->e[k].pack) - w->pack]++;
		if (f->forms && f->namer)
			goes[work_pack(w, f->namer) - w->pack]++;
	}
	for (i = 0; i < w->packs; i++)
		if (!w->pack[i].gone && goes[i] > 0 &&
		    goes[i] == w->pack[i].at.extents)
			work_count_gone(w, &w->pack[i]);
	return 0;
}
