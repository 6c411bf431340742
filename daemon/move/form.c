/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames into new packs: opened, sealed again under a new id and key (S17), and
 * named by an index with what the rows say of the files now. A file of which
 * only some lies in packs that are formed has the rest named there as kept
 * runs; one that is too large for a pack goes in parts, and a pack without
 * frames names it when all of them are stored. So the packs of a version tell
 * all of it, before and after; old ones that name it too may name packs that
 * are gone by then, whose bytes the new ones hold.
 *
 * Files go by where they lie: what lay together stays together, in the order
 * it was given then, and each byte of a pack is asked for once.
 */
#include "move/work.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

/* A new pack in the making. */
struct forming {
	struct work *w;
	const struct lot *b;
	struct parcel *p; /* an item for each file of the lot */
	struct pack_writer *pw;
	size_t at; /* file of the lot */
	uint8_t *window, *plain, *scratch;
	uint64_t window_off; /* in the source pack */
	struct move_key key; /* of the source pack */
};

static void forming_done(struct forming *fm)
{
	pack_writer_free(fm->pw);
	move_key_wipe(&fm->key);
	free(fm->window);
	free(fm->plain);
	free(fm->scratch);
}

static int forming_init(struct forming *fm)
{
	fm->window = malloc(LOT_WINDOW);
	fm->plain = malloc(META_FRAME_SIZE);
	fm->scratch = malloc(PACK_FRAME_MAX);
	if (!fm->window || !fm->plain || !fm->scratch)
		return -ENOMEM;
	fm->pw = pack_writer_new(fm->w->mv->kr);
	return fm->pw ? 0 : -errno;
}

/* ---- the old bytes ---------------------------------------------------- */

/* The source of frames [i, end) cannot be had: their files stay. */
static void source_bad(struct forming *fm, size_t i, size_t end,
		       const char *what)
{
	struct work_pack *p = work_pack(fm->w, fm->b->frame[i].e->pack);
	size_t k;

	log_err("object '%s' %s: files stay in tier '%s'", p->at.object, what,
		p->at.tier);
	for (k = 0; k < fm->b->files; k++) {
		const struct lot_file *bf = &fm->b->file[k];

		if (bf->first < end && bf->first + bf->n > i)
			bf->f->failed = true;
	}
}

static ssize_t source_get(struct forming *fm, const struct lot_frame *fr,
			  size_t len)
{
	const struct move_tier *tier = fm->w->mv->s.tier;
	struct move_use *u;
	ssize_t n;

	if (fm->key.tier < 0)
		return -EAGAIN;
	fm->window_off = fr->pack_off;
	n = store_get(tier[fm->key.tier].cause[STORE_CAUSE_POLICY],
		      fm->key.object, fr->pack_off, fm->window, len);
	u = &fm->w->out->use[fm->key.tier];
	u->gets++;
	u->in_bytes += (uint64_t)MAX(n, (ssize_t)0);
	return n;
}

/* 1: it was said why its files stay. */
static int source_fetch(struct forming *fm, size_t i, size_t end, size_t len)
{
	const struct lot_frame *fr = &fm->b->frame[i];
	char why[160];
	ssize_t n;
	int rc;

	move_key_wipe(&fm->key);
	rc = keys_get(fm->w->mv, fr->e->pack, &fm->key);
	if (rc == -EUCLEAN) {
		source_bad(fm, i, end, "is not known any more");
		return 1;
	}
	if (rc < 0)
		return rc;
	n = source_get(fm, fr, len);
	if (n == -ENOENT && keys_moved(fm->w->mv, &fm->key) == 1)
		n = source_get(fm, fr, len);
	if (n == (ssize_t)len)
		return 0;
	if (n == -ENOMEDIUM) { /* the copy that was restored is over */
		rc = transfer_absent(fm->w, work_pack(fm->w, fr->e->pack));
		return rc < 0 ? rc : -ENOMEDIUM;
	}
	if (n < 0 && work_later((int)n))
		return (int)n;
	source_bad(fm, i, end,
		   n < 0 ? move_why((int)n, why, sizeof(why)) : "is too short");
	return 1;
}

static int frame_open(struct forming *fm, const struct lot_frame *fr)
{
	uint32_t entry = fr->e->table[fr->i];
	struct pack_frame f = {
		.index = fr->e->first_frame + fr->i,
		.stored_len = entry & PACK_TABLE_LEN,
		.plain_len = lot_frame_len(fr),
		.compressed = entry & PACK_TABLE_COMPRESSED,
	};

	return pack_frame_open(&fm->key.key, &f, entry & PACK_TABLE_LAST,
			       fm->window + (fr->pack_off - fm->window_off),
			       fm->plain, fm->scratch);
}

/* Are all frames [i, end) what was stored? */
static bool source_good(struct forming *fm, size_t i, size_t end)
{
	for (; i < end; i++)
		if (frame_open(fm, &fm->b->frame[i]) < 0)
			return false;
	return true;
}

/* What came is not what was stored. Perhaps it was damaged on the way. */
static int source_again(struct forming *fm, size_t i, size_t end, size_t len)
{
	int rc = source_fetch(fm, i, end, len);

	if (rc == 0 && !source_good(fm, i, end)) {
		source_bad(fm, i, end, "does not hold what was stored");
		return 1;
	}
	return rc;
}

/* ---- what the index says ---------------------------------------------- */

static int kept_order(const void *a, const void *b)
{
	const struct pack_kept *x = a, *y = b;

	return x->file_off < y->file_off ? -1 : x->file_off > y->file_off;
}

static void kept_add(struct member *mb, const struct meta_extent *e,
		     const struct meta_pack *pack)
{
	struct pack_kept *k = &mb->kept[mb->m.kepts++];

	*k = (struct pack_kept){ .file_off = e->off,
				 .len = e->len,
				 .first_frame = e->first_frame,
				 .frames = e->frames };
	memcpy(k->pack.b, pack->id, sizeof(k->pack.b));
}

static const struct meta_pack *parcel_find(const struct parcel *p, uint64_t row)
{
	size_t i;

	for (i = 0; i < p->packs; i++)
		if (p->pack[i].row == row)
			return &p->pack[i];
	return NULL;
}

/* What the file has in other packs than the one that is written: old ones, and
 * its parts. */
static int member_elsewhere(const struct forming *fm, struct member *mb,
			    const struct work_file *f, const struct item *it)
{
	size_t k;

	mb->m.part = fm->b->part;
	if (mb->m.part || f->n + it->n == 0)
		return 0;
	mb->kept = calloc(f->n + it->n, sizeof(*mb->kept));
	if (!mb->kept)
		return -ENOMEM;
	for (k = 0; k < f->n; k++)
		if (!work_formed(fm->w, &f->e[k]))
			kept_add(mb, &f->e[k],
				 &work_pack(fm->w, f->e[k].pack)->at);
	for (k = 0; k < it->n; k++)
		if (it->extent[k].pack)
			kept_add(mb, &it->extent[k],
				 parcel_find(fm->p, it->extent[k].pack));
	qsort(mb->kept, mb->m.kepts, sizeof(*mb->kept), kept_order);
	mb->m.kept = mb->kept;
	return 0;
}

/* 1: the file is named. */
static int member_write(struct forming *fm, const struct work_file *f,
			const struct item *it)
{
	CLEANUP(member_free_guard) struct member *mb = member_new();
	int rc = mb ? form_member_load(fm->w->mv, f, mb) : -ENOMEM;

	if (rc != 0)
		return MIN(rc, 0);
	rc = member_elsewhere(fm, mb, f, it);
	if (rc == 0)
		rc = pack_writer_member(fm->pw, &mb->m);
	if (member_unsayable(rc)) {
		rc = member_plain(mb);
		rc = rc < 0 ? rc : pack_writer_member(fm->pw, &mb->m);
	}
	return rc < 0 ? rc : 1;
}

/* ---- the new pack ----------------------------------------------------- */

/* Ends the current file: named, or its frames are dead. */
static int form_member(struct forming *fm)
{
	const struct lot_file *bf = &fm->b->file[fm->at];
	struct item *it = &fm->p->item[fm->at];
	int rc = bf->f->failed ? 0 : member_write(fm, bf->f, it);

	fm->at++;
	it->named = rc == 1;
	if (rc == 1 || (rc < 0 && rc != -ENOSPC && !member_unsayable(rc)))
		return MIN(rc, 0);
	bf->f->failed |= rc < 0;
	item_forget(it);
	return pack_writer_member(fm->pw, NULL);
}

/* Ends the files before frame i. */
static int form_members(struct forming *fm, size_t i)
{
	int rc = 0;

	while (rc == 0 && fm->at < fm->b->files &&
	       fm->b->file[fm->at].first + fm->b->file[fm->at].n <= i)
		rc = form_member(fm);
	return rc;
}

static int form_frame(struct forming *fm, size_t i)
{
	const struct lot_file *bf = &fm->b->file[fm->at];
	const struct lot_frame *fr = &fm->b->frame[i];
	bool last = i + 1 == bf->first + bf->n;
	struct pack_frame out;
	int rc;

	if (bf->f->failed)
		return 0;
	rc = frame_open(fm, fr);
	if (rc < 0)
		return rc;
	/* What did not shrink then does not shrink now. */
	pack_writer_hint(fm->pw, fr->e->table[fr->i] & PACK_TABLE_COMPRESSED);
	rc = pack_writer_frame(fm->pw, lot_frame_off(fr), fm->plain,
			       lot_frame_len(fr), last, &out);
	if (rc == -ENOSPC) { /* the index is full: more names than fit */
		bf->f->failed = true;
		return 0;
	}
	return rc < 0 ? rc
		      : item_frame(&fm->p->item[fm->at], lot_frame_off(fr),
				   &out, last);
}

/* What one GET brings. */
static int form_window(struct forming *fm, size_t i, size_t end, size_t len)
{
	int rc = source_fetch(fm, i, end, len);

	sealing_take(fm->w->mv);
	if (rc == 0 && !source_good(fm, i, end)) {
		sealing_give(fm->w->mv);
		rc = source_again(fm, i, end, len);
		sealing_take(fm->w->mv);
	}
	rc = MIN(rc, 0);
	for (; rc == 0 && i < end; i++) {
		rc = form_members(fm, i);
		if (rc == 0)
			rc = form_frame(fm, i);
	}
	sealing_give(fm->w->mv);
	return rc;
}

static int form_frames(struct forming *fm)
{
	size_t i, end, len;
	int rc = 0;

	for (i = 0; rc == 0 && i < fm->b->frames; i = end) {
		end = lot_window(fm->b, i, &len);
		rc = form_window(fm, i, end, len);
	}
	return rc == 0 ? form_members(fm, SIZE_MAX) : rc;
}

static bool form_wanted(const struct forming *fm)
{
	size_t i;

	for (i = 0; i < fm->p->n; i++)
		if (fm->p->item[i].named)
			return true;
	return false;
}

static int form_send(struct forming *fm)
{
	struct meta_pack *pack = parcel_pack(fm->p);
	uint8_t digest[PACK_DIGEST_SIZE];
	struct work *w = fm->w;
	const void *data;
	size_t len;
	int rc = pack ? pack_writer_seal(fm->pw, &data, &len, digest) : -ENOMEM;

	if (rc == 0)
		rc = send_describe(w->mv, work_to(w), fm->pw, len, digest,
				   pack);
	if (rc < 0)
		return rc;
	rc = send_intend(w->mv, pack);
	if (pack->row)
		fm->p->packs++;
	if (rc < 0)
		return rc;
	parcel_name(fm->p, pack->row);
	if (pack_writer_frames(fm->pw) == 0)
		fm->p->frameless = pack->row;
	form_count_put(w, len);
	return transfer_stored(
		w, send_object(work_to(w), STORE_CAUSE_POLICY, pack, data));
}

/* Seals and sends a lot as one pack. -ESTALE: nobody needs it any more. */
static int form_pack(struct work *w, struct parcel *p, const struct lot *b)
{
	CLEANUP(forming_done) struct forming fm = { .w = w, .b = b, .p = p };
	int rc = forming_init(&fm);

	if (rc == 0)
		rc = form_frames(&fm);
	if (rc == 0 && !form_wanted(&fm))
		rc = -ESTALE;
	return rc < 0 ? rc : form_send(&fm);
}

/* ---- one pack, or one large file -------------------------------------- */

/* Items without a seal: nothing is held. */
static int parcel_of(struct parcel *p, const struct lot *b)
{
	size_t i;

	p->item = calloc(b->files, sizeof(*p->item));
	if (!p->item)
		return -ENOMEM;
	p->n = p->cap = b->files;
	for (i = 0; i < b->files; i++)
		p->item[i].ino = b->file[i].f->ino;
	return 0;
}

static int form_end(struct work *w, struct parcel *p, const struct lot *b,
		    int rc)
{
	size_t i;
	int undo;

	if (rc == 0)
		rc = form_commit(w, p, b);
	for (i = 0; rc == 0 && i < p->packs; i++)
		form_count_new(w, p->pack[i].length);
	if (rc == 0 || p->packs == 0)
		return rc;
	undo = send_abandon(w->mv, p);
	if (undo < 0) /* the next start condemns them */
		log_warn("cannot condemn %zu packs: %s", p->packs,
			 errno_name(-undo));
	return rc;
}

static int form_many(struct work *w, const struct lot *b)
{
	CLEANUP(parcel_done) struct parcel p = { 0 };
	int rc;

	if (w->estimate)
		return estimate_pack(w, b, 0);
	rc = parcel_of(&p, b);
	if (rc == 0)
		rc = form_pack(w, &p, b);
	return form_end(w, &p, b, rc);
}

/* The next part, or the pack that names them all. 1: there are more parts. */
static int large_part(struct work *w, struct parcel *p, struct work_file *f,
		      struct lot_at *at, size_t *runs)
{
	CLEANUP(lot_done) struct lot b = { .part = at != NULL };
	struct lot_at end = { .extent = f->n };
	int more = lot_add(w, &b, f, work_object_size(w), at ? at : &end);
	int rc = more < 0 ? more : work_go_on(w);

	if (rc == 0)
		rc = w->estimate ? estimate_pack(w, &b, *runs)
				 : form_pack(w, p, &b);
	*runs += lot_runs(&b, &b.file[0]);
	return rc < 0 ? rc : more;
}

static int form_large(struct work *w, struct work_file *f)
{
	CLEANUP(parcel_done) struct parcel p = { 0 };
	struct lot_file bf = { .f = f };
	struct lot all = { .file = &bf, .files = 1 };
	struct lot_at at = { 0 };
	size_t runs = 0;
	int rc = w->estimate ? 0 : parcel_of(&p, &all), more;

	do {
		more = rc < 0 ? rc : large_part(w, &p, f, &at, &runs);
	} while (more == 1);
	rc = more < 0 ? more : large_part(w, &p, f, NULL, &runs);
	return w->estimate ? rc : form_end(w, &p, &all, rc);
}

/* ---- all -------------------------------------------------------------- */

/* Where the first of a file's frames lies; those without are last. */
struct place_of {
	struct work_file *f;
	uint64_t pack, off;
};

static int place_order(const void *a, const void *b)
{
	const struct place_of *x = a, *y = b;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->f->ino < y->f->ino ? -1 : 1;
}

static size_t form_places(struct work *w, struct place_of *out)
{
	size_t i, k, n = 0;

	for (i = 0; i < w->files; i++) {
		struct work_file *f = &w->file[i];
		struct place_of at = { .f = f, .pack = UINT64_MAX };

		if (!f->forms || f->left)
			continue;
		for (k = 0; k < f->n; k++)
			if (work_formed(w, &f->e[k]) &&
			    f->e[k].pack < at.pack) {
				at.pack = f->e[k].pack;
				at.off = f->e[k].pack_off;
			}
		out[n++] = at;
	}
	qsort(out, n, sizeof(*out), place_order);
	return n;
}

/* From file i on, what makes one pack; *next is behind it. */
static int form_next(struct work *w, const struct place_of *at, size_t n,
		     size_t i, size_t *next)
{
	CLEANUP(lot_done) struct lot b = { 0 };
	uint64_t size = work_object_size(w), more;
	int rc = 0;

	*next = i + 1;
	if (lot_stored(w, at[i].f) > size)
		return form_large(w, at[i].f);
	for (; rc == 0 && i < n && b.files < MOVE_ITEMS_MAX; i++) {
		struct lot_at from = { 0 };

		more = lot_stored(w, at[i].f);
		if (b.files > 0 && b.stored + more > size)
			break;
		rc = lot_add(w, &b, at[i].f, UINT64_MAX, &from);
		*next = i + 1;
	}
	return rc < 0 ? rc : form_many(w, &b);
}

/* Packs are to be filled: all of it waits for a restore of some. */
static bool form_waits(struct work *w)
{
	bool waits = false;
	size_t i;

	for (i = 0; i < w->packs; i++)
		waits |= w->pack[i].fate == WORK_FORMED && w->pack[i].waits;
	for (i = 0; waits && i < w->packs; i++)
		w->pack[i].waits |= w->pack[i].fate == WORK_FORMED;
	return waits;
}

/* -ESTALE: its files were changed, and stay what they are. */
static int form_stale(const struct place_of *at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!at[i].f->failed)
			at[i].f->left = "it was changed meanwhile";
	return 0;
}

int form_all(struct work *w)
{
	CLEANUP_FREE struct place_of *at =
		calloc(MAX(w->files, (size_t)1), sizeof(*at));
	size_t n, i, next;
	int rc = at ? 0 : -ENOMEM;

	if (rc < 0 || form_waits(w))
		return rc;
	n = form_places(w, at);
	for (i = 0; rc == 0 && i < n; i = next) {
		next = i;
		rc = work_go_on(w);
		if (rc == 0)
			rc = form_next(w, at, n, i, &next);
		if (rc == -ESTALE)
			rc = form_stale(at + i, next - i);
	}
	rc = rc == -ENOMEDIUM ? 0 : rc; /* ordered anew */
	if (rc == 0 && w->estimate)
		rc = estimate_gone(w);
	pack_writers_rest();
	return rc;
}
