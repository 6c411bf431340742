/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pack as it is to another place: the same sealed bytes (S17 allows it), so
 * its row stays, with its key and all that names it, and gets another object.
 *
 *  1 bytes    between places: GET, and a look at the digest
 *  2 intent   a row of the new object, durable: what a kill leaves is condemned
 *             by the next start
 *  3 object   COPY inside a place, or PUT; always a new key, so nothing is
 *             overwritten (S22)
 *  4 swap     one transaction: the pack is there, the intent's row has the old
 *             object and is condemned
 *  5 gc       deletes it after its grace, by its version's name where the
 *             bucket keeps versions (S25)
 *
 * So in a bucket with versions nothing is left behind under the old key, and a
 * change of class needs neither a tag nor a lifecycle rule, which would act
 * when the provider likes and on a key that a row names. What a lock keeps is
 * billed twice until the lock ends: gc asks for it again and again, and says
 * why it is refused.
 */
#include "move/work.h"

#include <string.h>

#include "base/io.h"
#include "base/log.h"

#define RELOCATE_PAGE 128 /* files of one transaction */

/* ---- the object ------------------------------------------------------- */

static struct store *tier_store(const struct move_tier *tier)
{
	return tier->cause[STORE_CAUSE_POLICY];
}

/* Can the store copy it by itself? */
static bool relocate_inside(const struct work *w, const struct work_pack *p)
{
	const struct move_tier *to = work_to(w);
	struct store_caps caps;

	if (w->mv->s.tier[p->tier].place != to->place)
		return false;
	store_caps(tier_store(to), &caps);
	return caps.copy;
}

static int relocate_copy(const struct work *w, const struct work_pack *p,
			 struct meta_pack *to)
{
	const struct move_tier *tier = work_to(w);
	struct store_put_opts o = { .version = to->version };

	if (*tier->storage_class)
		o.storage_class = tier->storage_class;
	return store_copy(tier_store(tier), p->at.object, to->object, &o);
}

/* 0: the bytes are what was stored; -EIO: they are not. */
static int relocate_get(struct store *s, const struct work_pack *p,
			uint8_t *data)
{
	uint8_t digest[PACK_DIGEST_SIZE];
	ssize_t n = store_get(s, p->at.object, 0, data, p->at.length);
	int rc = n < 0 ? (int)n : 0;

	if (rc == 0 && (uint64_t)n == p->at.length)
		rc = pack_digest(data, (size_t)n, digest);
	else if (rc == 0)
		rc = -EIO;
	if (rc == 0 && memcmp(digest, p->at.digest, sizeof(digest)) != 0)
		rc = -EIO;
	return rc;
}

/* Perhaps it was damaged on the way: that is not the object's fault. */
static int relocate_get_again(struct store *s, const struct work_pack *p,
			      uint8_t *data)
{
	int rc = relocate_get(s, p, data);

	return rc == -EIO ? relocate_get(s, p, data) : rc;
}

static int relocate_fetch(const struct work *w, const struct work_pack *p,
			  uint8_t **data)
{
	*data = malloc(p->at.length);
	return *data ? relocate_get_again(tier_store(&w->mv->s.tier[p->tier]),
					  p, *data)
		     : -ENOMEM;
}

/* ---- rows ------------------------------------------------------------- */

/* Its place is named by the pack's own id, as the format wants it; its row has
 * another one, since no two rows have the same. */
static int relocate_intend(const struct work *w, const struct work_pack *p,
			   struct meta_pack *to)
{
	int rc;

	*to = p->at;
	to->row = 0;
	rc = send_place(w->mv, work_to(w), to);
	if (rc == 0)
		rc = io_random(to->id, sizeof(to->id));
	if (rc < 0)
		return rc;
	return send_intend(w->mv, to);
}

/* Says of a page of files that have bytes in the pack where they are now; *at
 * moves on. 1: there are more. */
static int relocate_page(const struct work *w, struct meta_txn *t,
			 const struct work_pack *p, size_t *at)
{
	size_t pack = (size_t)(p - w->pack), end;
	int rc = 0;

	while (*at < w->users && w->user[*at].pack < pack)
		++*at;
	end = *at + RELOCATE_PAGE;
	for (; rc >= 0 && *at < w->users && w->user[*at].pack == pack; ++*at) {
		if (*at == end)
			return 1;
		rc = cache_place(w->mv->c, t, w->file[w->user[*at].file].ino);
	}
	return MIN(rc, 0);
}

/* The rest of them, if there are many. What a row says of it is for people: a
 * kill in between costs nobody a byte. */
static int relocate_pages(const struct work *w, const struct work_pack *p,
			  size_t *at)
{
	int rc;

	do {
		META_TXN(t);

		rc = meta_begin(w->mv->m, &t);
		if (rc == 0)
			rc = relocate_page(w, &t, p, at);
		if (rc >= 0 && meta_commit(&t, NULL) < 0)
			rc = -EIO;
	} while (rc == 1);
	return rc;
}

static int relocate_commit(const struct work *w, const struct work_pack *p,
			   struct meta_pack *to, size_t *at)
{
	META_TXN(t);
	int rc = meta_begin(w->mv->m, &t), more = 0;

	to->stored_ns = clock_wall_ns();
	if (rc == 0)
		rc = meta_pack_placed(&t, to);
	if (rc == 0)
		rc = meta_pack_relocate(&t, p->at.row, to->row,
					clock_wall_ns());
	if (rc == 0)
		rc = more = relocate_page(w, &t, p, at);
	if (rc >= 0)
		rc = meta_commit(&t, NULL);
	if (rc < 0)
		return rc;
	keys_forget(w->mv, p->at.row);
	if (more == 1 && relocate_pages(w, p, at) < 0)
		log_warn("object '%s': not all rows of its files say where it "
			 "is",
			 to->object);
	return 0;
}

static int relocate_abandon(const struct work *w, const struct meta_pack *to)
{
	META_TXN(t);
	int rc = meta_begin(w->mv->m, &t);

	if (rc == 0)
		rc = meta_pack_condemn(&t, to->row, clock_wall_ns());
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* ---- one pack --------------------------------------------------------- */

static void relocate_count(struct work *w, struct work_pack *p, bool inside)
{
	struct move_use *to = &w->out->use[w->in->to];
	struct move_use *from = &w->out->use[p->tier];

	if (inside) {
		to->copies++;
	} else {
		from->gets++;
		from->in_bytes += p->at.length;
		to->puts++;
		to->out_bytes += p->at.length;
	}
	w->out->copied++;
	p->moved = true;
	work_count_new(w, p->at.length);
	work_count_gone(w, p);
}

static int relocate_do(struct work *w, const struct work_pack *p, bool inside,
		       size_t *at)
{
	CLEANUP_FREE uint8_t *data = NULL;
	struct meta_pack to = { 0 };
	/* What cannot be had leaves no intent, which might be billed. */
	int rc = inside ? 0 : relocate_fetch(w, p, &data), undo;

	if (rc == 0)
		rc = relocate_intend(w, p, &to);
	if (rc == 0)
		rc = transfer_stored(w, inside ? relocate_copy(w, p, &to)
					       : send_object(work_to(w),
							     STORE_CAUSE_POLICY,
							     &to, data));
	if (rc == 0)
		rc = relocate_commit(w, p, &to, at);
	if (rc == 0 || to.row == 0)
		return rc;
	undo = relocate_abandon(w, &to);
	if (undo < 0 && undo != -ENOENT) /* the next start condemns it */
		log_warn("cannot condemn object '%s': %s", to.object,
			 errno_name(-undo));
	return rc;
}

/* What says something about this pack only keeps no other from its way. */
static int relocate_one(struct work *w, struct work_pack *p, size_t *at)
{
	bool inside = relocate_inside(w, p);
	char why[160];
	int rc = w->estimate ? 0 : relocate_do(w, p, inside, at);

	if (rc == 0) {
		relocate_count(w, p, inside);
		return 0;
	}
	if (rc == -ENOMEDIUM) /* the copy that was restored is over */
		return transfer_absent(w, p);
	if (rc == -ESTALE) { /* nobody's any more */
		p->failed = true;
		return 0;
	}
	if (rc != -ENOENT && rc != -EIO && rc != -ERANGE && rc != -EEXIST)
		return rc;
	log_err("object '%s' cannot be moved to tier '%s': %s", p->at.object,
		work_to(w)->name, move_why(rc, why, sizeof(why)));
	p->failed = true;
	return 0;
}

int relocate_all(struct work *w)
{
	size_t i, at = 0; /* users of the packs before it */
	int rc = 0;

	for (i = 0; rc == 0 && i < w->packs; i++) {
		struct work_pack *p = &w->pack[i];

		if (p->fate != WORK_COPIED || p->waits)
			continue;
		rc = work_go_on(w);
		if (rc == 0)
			rc = relocate_one(w, p, &at);
	}
	return rc;
}
