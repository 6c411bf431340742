/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction that names packs which were formed: each file is looked at
 * again, and gets its new extents when it is what it was; or stays.
 */
#include "move/work.h"

#include <sys/stat.h>

bool form_is(const void *file, struct meta_inode *row)
{
	const struct work_file *f = file;

	return S_ISREG(row->mode) && row->nlink > 0 &&
	       row->content_version == f->version && row->state != META_DIRTY &&
	       !row->opened_for_write;
}

int form_member_load(struct move *mv, const struct work_file *f,
		     struct member *mb)
{
	META_TXN(t);
	int rc = meta_look(mv->m, &t);

	return rc < 0 ? rc : member_load(&t, f->ino, form_is, f, mb);
}

/* Of an old pack, when the transaction was through. */
enum gone { GONE_UNKNOWN, GONE_NOT, GONE };

static bool extent_same(const struct meta_extent *a,
			const struct meta_extent *b)
{
	return a->off == b->off && a->len == b->len && a->pack == b->pack &&
	       a->first_frame == b->first_frame;
}

/* Does the file have the extents that it had? 1, 0 or -errno. */
static int commit_same(struct meta_txn *t, const struct work_file *f)
{
	struct meta_extent e[32];
	uint64_t off = 0;
	size_t k = 0;
	int n, i;

	do {
		n = meta_extent_brief(t, f->ino, off, e, ARRAY_SIZE(e));
		for (i = 0; i < n; i++, k++)
			if (k == f->n || !extent_same(&e[i], &f->e[k]))
				return 0;
		if (n > 0)
			off = e[n - 1].off + e[n - 1].len;
	} while (n == ARRAY_SIZE(e));
	return n < 0 ? n : k == f->n;
}

/* Those that stay as they are; without tables. */
static int commit_kept(const struct work *w, const struct work_file *f,
		       struct meta_extent **out, size_t *n)
{
	size_t k;

	*n = 0;
	*out = calloc(MAX(f->n, (size_t)1), sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (k = 0; k < f->n; k++) {
		if (work_formed(w, &f->e[k]))
			continue;
		(*out)[*n] = f->e[k];
		(*out)[*n].table = NULL;
		(*out)[*n].check = NULL;
		++*n;
	}
	return 0;
}

/* 1: the file is in the new pack; 0: it is not what it was, and stays. */
static int commit_file(struct work *w, struct meta_txn *t,
		       const struct work_file *f, struct item *it, int64_t now)
{
	CLEANUP_FREE struct meta_extent *kept = NULL;
	struct meta_inode row;
	size_t n;
	int rc;

	if (!it->named)
		return 0;
	rc = meta_inode_get(t, f->ino, &row);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!form_is(f, &row))
		return 0;
	rc = commit_same(t, f);
	if (rc <= 0)
		return rc;
	rc = commit_kept(w, f, &kept, &n);
	if (rc == 0)
		rc = meta_extent_replace(t, f->ino, kept, n, it->extent, it->n,
					 now);
	if (rc == 0)
		rc = meta_naming_set(t, f->ino, it->namer, now);
	if (rc == 0)
		rc = cache_place(w->mv->c, t, f->ino);
	it->committed = rc >= 0;
	return rc < 0 ? rc : 1;
}

/* Which packs that had something of the file have no name left? */
static int commit_gone(const struct work *w, struct meta_txn *t,
		       const struct work_file *f, enum gone *gone)
{
	struct meta_pack now;
	size_t k;
	int rc = 0;

	for (k = 0; rc >= 0 && k <= f->n; k++) {
		uint64_t row = k < f->n ? f->e[k].pack : f->namer;
		const struct work_pack *p = row ? work_pack(w, row) : NULL;

		if (!p || gone[p - w->pack] != GONE_UNKNOWN)
			continue;
		rc = meta_pack_get(t, row, &now);
		gone[p - w->pack] = rc == 0 && now.state == META_PACK_CONDEMNED
					    ? GONE
					    : GONE_NOT;
		rc = rc == -ENOENT ? 0 : rc;
	}
	return MIN(rc, 0);
}

static int commit_rows(struct work *w, struct meta_txn *t, struct parcel *p,
		       const struct lot *b, enum gone *gone)
{
	int64_t now = clock_wall_ns();
	uint64_t study;
	int rc = study_of_parcel(t, p, &study);
	size_t i;

	for (i = 0; rc >= 0 && i < p->packs; i++) {
		p->pack[i].study = p->pack[i].row == p->frameless ? 0 : study;
		p->pack[i].stored_ns = now;
		rc = meta_pack_stored(t, &p->pack[i]);
	}
	for (i = 0; rc >= 0 && i < p->n; i++)
		rc = commit_file(w, t, b->file[i].f, &p->item[i], now);
	for (i = 0; rc >= 0 && i < p->packs; i++) {
		rc = meta_pack_condemn(t, p->pack[i].row, now);
		rc = rc == -EBUSY ? 0 : rc;
	}
	for (i = 0; rc >= 0 && i < p->n; i++)
		rc = commit_gone(w, t, b->file[i].f, gone);
	return MIN(rc, 0);
}

int form_commit(struct work *w, struct parcel *p, const struct lot *b)
{
	CLEANUP_FREE enum gone *gone =
		calloc(MAX(w->packs, (size_t)1), sizeof(*gone));
	META_TXN(t);
	int rc = gone ? meta_begin(w->mv->m, &t) : -ENOMEM;
	size_t i;

	if (rc == 0)
		rc = commit_rows(w, &t, p, b, gone);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc < 0)
		return rc;
	for (i = 0; i < p->n; i++) {
		b->file[i].f->formed = p->item[i].committed;
		if (!p->item[i].committed && !b->file[i].f->failed)
			b->file[i].f->left = "it was changed meanwhile";
	}
	for (i = 0; i < w->packs; i++)
		if (gone[i] == GONE && !w->pack[i].gone)
			work_count_gone(w, &w->pack[i]);
	return 0;
}
