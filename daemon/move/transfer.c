/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a transfer: rows, what becomes of them, restores, packs that go
 * as they are, packs that are formed. An estimate is the same walk, which
 * counts where the other one sends.
 */
#include "move/restore.h"
#include "move/work.h"

#define RESTORE_LASTS (3600 * NSEC_PER_SEC) /* as move_restore() wants it */

/* ---- archive classes -------------------------------------------------- */

/* Must a restore of the pack be paid? 1, 0 or -errno. */
static int restore_needed(const struct work *w, const struct work_pack *p)
{
	struct meta_restore r = { 0 };
	META_TXN(t);
	int rc = meta_look(w->mv->m, &t);

	if (rc == 0)
		rc = meta_restore_get(&t, p->at.row, &r);
	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	/* What failed is asked for again by itself. */
	return (r.state == META_RESTORE_FAILED && w->estimate && !r.taken) ||
	       (r.state == META_RESTORE_READY && r.until_ns &&
		r.until_ns < clock_wall_ns() + RESTORE_LASTS);
}

static int restore_pack(struct work *w, struct work_pack *p)
{
	struct move_use *u = &w->out->use[p->tier];
	int rc = restore_needed(w, p), need = rc;

	if (rc >= 0 && !w->estimate) {
		rc = move_restore(w->mv, p->at.row,
				  (enum store_speed)w->in->speed,
				  MOVE_RESTORE_DAYS, STORE_CAUSE_POLICY);
		p->waits = rc == -EINPROGRESS;
		w->waits |= p->waits;
		rc = p->waits ? 0 : rc;
	}
	if (rc >= 0 && need == 1) {
		u->restores++;
		u->restored_bytes += p->at.length;
	}
	return MIN(rc, 0);
}

/* Of a tier that is no archive: a store's own rule may have moved an object
 * behind our back, and then it was ordered. */
static int restore_found(struct work *w, struct work_pack *p)
{
	int rc = w->estimate ? 0 : restore_arrived(w->mv, p->at.row);

	p->waits = rc == -EINPROGRESS;
	w->waits |= p->waits;
	return rc == -EINPROGRESS || rc == -ENOMEDIUM ? 0 : rc;
}

/* Has the pack bytes that are to be read? What only names files goes as it
 * is, or not at all. */
static bool restore_wanted(const struct work_pack *p)
{
	return p->tier >= 0 && (p->fate == WORK_COPIED ||
				(p->fate == WORK_FORMED && p->live > 0));
}

static int restore_all(struct work *w)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < w->packs; i++) {
		struct work_pack *p = &w->pack[i];

		if (restore_wanted(p))
			rc = w->mv->s.tier[p->tier].archive
				     ? restore_pack(w, p)
				     : restore_found(w, p);
	}
	return rc;
}

int transfer_absent(struct work *w, struct work_pack *p)
{
	const struct restore_want want = {
		.pack = p->at.row,
		.speed = (enum store_speed)w->in->speed,
		.days = MOVE_RESTORE_DAYS,
		.cause = STORE_CAUSE_POLICY,
		.absent = true,
	};
	int rc = restore_order(w->mv, &want);

	p->waits = w->waits = true;
	w->out->use[p->tier].restores++;
	w->out->use[p->tier].restored_bytes += p->at.length;
	return rc == -EINPROGRESS ? 0 : rc;
}

/* ---- what was done ---------------------------------------------------- */

/* Could something of the file not be had? */
static bool file_failed(const struct work *w, const struct work_file *f)
{
	bool failed = f->failed;
	size_t k;

	for (k = 0; !failed && k < f->n; k++)
		failed = work_pack(w, f->e[k].pack)->failed;
	return failed;
}

static void transfer_end(struct work *w)
{
	struct move_transferred *out = w->out;
	size_t i;

	for (i = 0; i < w->files; i++) {
		const struct work_file *f = &w->file[i];

		if (f->left) {
			out->skipped++;
			if (w->in->skipped)
				w->in->skipped(w->in->arg, f->ino, f->left);
		} else if (file_failed(w, f)) {
			out->failed++;
		} else if (work_arrives(w, f)) {
			out->files++;
			out->bytes += f->size;
		}
	}
}

/* ---- a target that is away ---------------------------------------------- */

int transfer_stored(const struct work *w, int rc)
{
	if (store_is_transient(rc))
		atomic_store(&w->mv->away[w->in->to], true);
	return rc;
}

/* Where nothing could be stored lately is asked first: what is fetched for it
 * is billed. */
static int transfer_target(const struct work *w)
{
	_Atomic bool *away = &w->mv->away[w->in->to];
	struct store_info info;
	int rc;

	if (w->estimate || !atomic_load(away))
		return 0;
	rc = store_head(work_to(w)->cause[STORE_CAUSE_POLICY], PACK_MARKER_NAME,
			&info);
	if (store_is_transient(rc))
		return rc;
	atomic_store(away, false);
	return 0;
}

static int transfer_walk(struct work *w)
{
	int rc = work_load(w);

	if (rc < 0)
		return rc;
	w->loaded = true;
	rc = work_fates(w);
	if (rc == 0)
		rc = transfer_target(w);
	if (rc == 0)
		rc = restore_all(w);
	if (rc == 0)
		rc = relocate_all(w);
	if (rc == 0)
		rc = form_all(w);
	return rc;
}

int transfer_work(struct work *w)
{
	int rc;

	*w->out = (struct move_transferred){ 0 };
	rc = transfer_walk(w);
	if (w->loaded)
		transfer_end(w);
	work_done(w);
	return rc == 0 && w->waits ? -EINPROGRESS : rc;
}

static int transfer(struct move *mv, const struct move_transfer *in,
		    bool estimate, struct move_transferred *out)
{
	struct work w = {
		.mv = mv, .in = in, .out = out, .estimate = estimate
	};

	return in->to < mv->s.n_tiers ? transfer_work(&w) : -EINVAL;
}

int move_transfer(struct move *mv, const struct move_transfer *in,
		  struct move_transferred *out)
{
	return transfer(mv, in, false, out);
}

int move_transfer_estimate(struct move *mv, const struct move_transfer *in,
			   struct move_transferred *out)
{
	return transfer(mv, in, true, out);
}
