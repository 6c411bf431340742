/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transfer finds in rows, and what it makes of it. Read by pages of
 * short looks (S6), which hold up nobody; so it is a proposal, which the
 * transactions at the end look at again.
 */
#include "move/work.h"

#include <string.h>
#include <sys/stat.h>

#include "cache/value.h"

#define WORK_PAGE    64 /* files or packs of one look */
#define WORK_EXTENTS 32

/* More than half of a pack is dead, and it is worth the trouble. */
#define WORK_DEAD (1ULL << 20)

void work_done(struct work *w)
{
	size_t i;

	for (i = 0; i < w->files; i++) {
		struct work_file *f = &w->file[i];

		while (f->n > 0)
			meta_extent_done(&f->e[--f->n]);
		free(f->e);
	}
	free(w->file);
	free(w->pack);
	free(w->user);
	w->file = NULL;
	w->pack = NULL;
	w->user = NULL;
	w->files = w->packs = w->users = 0;
}

uint64_t work_object_size(const struct work *w)
{
	uint64_t size = work_to(w)->object_size;

	return MAX(size ? size : w->mv->o.object_size, META_FRAME_SIZE);
}

int work_go_on(const struct work *w)
{
	if (atomic_load(&w->mv->stopping) ||
	    (w->in->go_on && !w->in->go_on(w->in->arg)))
		return -EINTR;
	return 0;
}

bool work_later(int rc)
{
	return store_is_transient(rc) || rc == -EACCES || rc == -ENOSPC ||
	       rc == -EPROTO || rc == -ENOMEM;
}

/* ---- files ------------------------------------------------------------ */

/* Why the file stays as it is, or NULL. */
static const char *file_left(const struct work *w, const struct meta_inode *row)
{
	if (!S_ISREG(row->mode) || row->nlink == 0)
		return "it is gone";
	if (row->content_version > w->in->version)
		return "it was changed since";
	if (row->state == META_DIRTY || row->opened_for_write)
		return "its last change is not protected yet";
	if (row->damaged)
		return "it is damaged";
	if (value_class(row->access_ns) != VALUE_FETCHED &&
	    value_time(row->access_ns) > w->in->opened_ns)
		return "it was opened since";
	return NULL;
}

static int file_extents(struct meta_txn *t, struct work_file *f)
{
	uint64_t off = 0;
	int n;

	do {
		struct meta_extent *e;

		if (f->cap < f->n + WORK_EXTENTS) {
			size_t cap = 2 * f->cap + WORK_EXTENTS;

			e = reallocarray(f->e, cap, sizeof(*e));
			if (!e)
				return -ENOMEM;
			f->e = e;
			f->cap = cap;
		}
		e = f->e + f->n;
		n = meta_extent_checked(t, f->ino, off, UINT64_MAX, e,
					WORK_EXTENTS);
		if (n <= 0)
			return n;
		f->n += (size_t)n;
		off = e[n - 1].off + e[n - 1].len;
	} while (n == WORK_EXTENTS);
	return 0;
}

static int file_load(struct work *w, struct meta_txn *t, struct work_file *f)
{
	struct meta_inode row;
	int rc = meta_inode_get(t, f->ino, &row);

	if (rc == -ENOENT) {
		f->left = "it is gone";
		return 0;
	}
	if (rc < 0)
		return rc;
	f->version = row.content_version;
	f->size = row.size;
	f->left = file_left(w, &row);
	if (f->left)
		return 0;
	rc = file_extents(t, f);
	return rc < 0 ? rc : meta_naming_get(t, f->ino, &f->namer);
}

static int files_load(struct work *w, size_t from, size_t to)
{
	META_TXN(t);
	int rc = meta_look(w->mv->m, &t);
	size_t i;

	for (i = from; rc == 0 && i < to; i++)
		rc = file_load(w, &t, &w->file[i]);
	return rc;
}

/* ---- packs ------------------------------------------------------------ */

static int pack_order(const void *a, const void *b)
{
	uint64_t x = ((const struct work_pack *)a)->at.row;
	uint64_t y = ((const struct work_pack *)b)->at.row;

	return x < y ? -1 : x > y;
}

struct work_pack *work_pack(const struct work *w, uint64_t row)
{
	const struct work_pack key = { .at.row = row };

	return bsearch(&key, w->pack, w->packs, sizeof(key), pack_order);
}

static int row_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The rows of all packs that a file names, each once. */
static int packs_collect(struct work *w)
{
	CLEANUP_FREE uint64_t *row = NULL;
	size_t i, k, n = 0;

	for (i = 0; i < w->files; i++)
		n += w->file[i].n + (w->file[i].namer != 0);
	if (n == 0)
		return 0;
	row = malloc(n * sizeof(*row));
	if (!row)
		return -ENOMEM;
	for (i = n = 0; i < w->files; i++) {
		for (k = 0; k < w->file[i].n; k++)
			row[n++] = w->file[i].e[k].pack;
		if (w->file[i].namer)
			row[n++] = w->file[i].namer;
	}
	qsort(row, n, sizeof(*row), row_order);
	for (i = k = 0; i < n; i++)
		if (i == 0 || row[i] != row[i - 1])
			row[k++] = row[i];
	w->pack = calloc(k, sizeof(*w->pack));
	if (!w->pack)
		return -ENOMEM;
	for (w->packs = 0; w->packs < k; w->packs++)
		w->pack[w->packs].at.row = row[w->packs];
	return 0;
}

static int pack_load(struct work *w, struct meta_txn *t, struct work_pack *p)
{
	uint64_t row = p->at.row;
	int rc = meta_pack_get(t, row, &p->at);

	p->at.row = row;
	p->lost = rc == -ENOENT || p->at.state != META_PACK_STORED;
	p->tier = rc < 0 ? -ENODEV : tier_find(w->mv, p->at.tier);
	return rc == -ENOENT ? 0 : rc;
}

static int packs_load(struct work *w, size_t from, size_t to)
{
	META_TXN(t);
	int rc = meta_look(w->mv->m, &t);
	size_t i;

	for (i = from; rc == 0 && i < to; i++)
		rc = pack_load(w, &t, &w->pack[i]);
	return rc;
}

/* Files of packs that nobody can move now. */
static void files_leave(struct work *w)
{
	size_t i, k;

	for (i = 0; i < w->files; i++) {
		struct work_file *f = &w->file[i];

		for (k = 0; !f->left && k <= f->n; k++) {
			uint64_t row = k < f->n ? f->e[k].pack : f->namer;
			const struct work_pack *p = row ? work_pack(w, row)
							: NULL;

			if (p && p->lost)
				f->left = "it changes just now";
			else if (p && p->tier < 0)
				f->left = "its tier is not configured";
		}
	}
}

static int work_pages(struct work *w, size_t n,
		      int (*page)(struct work *w, size_t from, size_t to))
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i += WORK_PAGE)
		rc = page(w, i, MIN(i + WORK_PAGE, n));
	return rc;
}

static int file_order(const void *a, const void *b)
{
	uint64_t x = ((const struct work_file *)a)->ino;
	uint64_t y = ((const struct work_file *)b)->ino;

	return x < y ? -1 : x > y;
}

int work_load(struct work *w)
{
	size_t i;
	int rc;

	w->file = calloc(MAX(w->in->n, (size_t)1), sizeof(*w->file));
	if (!w->file)
		return -ENOMEM;
	for (i = 0; i < w->in->n; i++)
		w->file[i].ino = w->in->ino[i];
	qsort(w->file, w->in->n, sizeof(*w->file), file_order);
	for (i = 0; i < w->in->n; i++) /* each counts once */
		if (i == 0 || w->file[i].ino != w->file[i - 1].ino)
			w->file[w->files++].ino = w->file[i].ino;
	rc = work_pages(w, w->files, files_load);
	if (rc == 0)
		rc = packs_collect(w);
	if (rc == 0)
		rc = work_pages(w, w->packs, packs_load);
	if (rc == 0)
		files_leave(w);
	return rc;
}

/* ---- what becomes of them --------------------------------------------- */

static uint64_t extent_stored(const struct meta_extent *e)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < e->frames; i++)
		sum += e->table[i] & PACK_TABLE_LEN;
	return sum;
}

/* How much of each pack is the files' that move. */
static void fates_count(struct work *w)
{
	size_t i, k;

	for (i = 0; i < w->files; i++) {
		const struct work_file *f = &w->file[i];

		for (k = 0; !f->left && k < f->n; k++) {
			struct work_pack *p = work_pack(w, f->e[k].pack);

			p->ours++;
			p->live += extent_stored(&f->e[k]);
		}
		if (!f->left && f->namer)
			work_pack(w, f->namer)->ours++;
	}
}

static bool pack_whole(const struct work_pack *p)
{
	return p->ours == p->at.extents;
}

/* Of a pack that is elsewhere. `small`: it would rather be with others. */
static enum work_fate pack_fate(const struct work *w, const struct work_pack *p,
				bool *small)
{
	const uint64_t size = work_object_size(w);
	uint64_t dead = p->at.length - MIN(p->live, p->at.length);

	if (p->live == 0) /* it only names files: a few KiB */
		return pack_whole(p) ? WORK_COPIED : WORK_STAYS;
	if (!pack_whole(p) || p->at.length > 2 * size ||
	    (dead > p->at.length / 2 && dead > WORK_DEAD))
		return WORK_FORMED;
	*small = p->at.length < size / 2;
	return WORK_COPIED;
}

/* Small packs join each other, or what is formed anyway; one alone has
 * nobody to join. */
static void fates_join(struct work *w)
{
	bool any = false;
	size_t i, n = 0;

	for (i = 0; i < w->packs; i++) {
		struct work_pack *p = &w->pack[i];
		bool small = false;

		if (p->ours == 0 || p->tier == (int)w->in->to)
			continue;
		p->fate = pack_fate(w, p, &small);
		any |= p->fate == WORK_FORMED;
		n += small;
	}
	for (i = 0; (any || n > 1) && i < w->packs; i++) {
		struct work_pack *p = &w->pack[i];
		bool small = false;

		if (p->fate == WORK_COPIED && pack_fate(w, p, &small) && small)
			p->fate = WORK_FORMED;
	}
}

static void fates_compact(struct work *w)
{
	size_t i;

	for (i = 0; i < w->wants; i++) {
		struct work_pack *p = work_pack(w, w->want[i]);

		if (p && p->ours > 0)
			p->fate = WORK_FORMED;
	}
}

/* A file is formed when some of it is; or what names it. */
static void fates_files(struct work *w)
{
	size_t i, k;

	for (i = 0; i < w->files; i++) {
		struct work_file *f = &w->file[i];

		if (f->left)
			continue;
		f->forms = f->namer &&
			   work_pack(w, f->namer)->fate == WORK_FORMED;
		for (k = 0; !f->forms && k < f->n; k++)
			f->forms = work_formed(w, &f->e[k]);
	}
}

/* What only names files that new packs will name need not go anywhere. */
static void fates_names(struct work *w)
{
	size_t i;

	for (i = 0; i < w->packs; i++)
		if (w->pack[i].live == 0 && w->pack[i].fate == WORK_COPIED)
			w->pack[i].fate = WORK_FORMED;
	for (i = 0; i < w->files; i++) {
		const struct work_file *f = &w->file[i];
		struct work_pack *p =
			f->namer && !f->left ? work_pack(w, f->namer) : NULL;

		if (p && p->live == 0 && p->fate == WORK_FORMED && !f->forms)
			p->fate = WORK_COPIED;
	}
}

static int user_order(const void *a, const void *b)
{
	const struct work_user *x = a, *y = b;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static int fates_users(struct work *w)
{
	size_t i, k, n = 0;

	for (i = 0; i < w->files; i++)
		n += w->file[i].left ? 0 : w->file[i].n;
	w->user = calloc(MAX(n, (size_t)1), sizeof(*w->user));
	if (!w->user)
		return -ENOMEM;
	for (i = 0; i < w->files; i++) {
		const struct work_file *f = &w->file[i];

		for (k = 0; !f->left && k < f->n; k++) {
			const struct work_pack *p = work_pack(w, f->e[k].pack);

			if (p->fate == WORK_COPIED &&
			    (k == 0 || f->e[k - 1].pack != p->at.row))
				w->user[w->users++] = (struct work_user){
					.pack = (size_t)(p - w->pack), .file = i
				};
		}
	}
	qsort(w->user, w->users, sizeof(*w->user), user_order);
	return 0;
}

int work_fates(struct work *w)
{
	fates_count(w);
	if (w->want)
		fates_compact(w);
	else
		fates_join(w);
	fates_files(w);
	if (!w->want)
		fates_names(w);
	return fates_users(w);
}

bool work_arrives(const struct work *w, const struct work_file *f)
{
	size_t k;

	if (f->left || f->failed || f->forms != f->formed)
		return false;
	for (k = 0; k < f->n; k++) {
		const struct work_pack *p = work_pack(w, f->e[k].pack);

		if (p->fate == WORK_COPIED && !p->moved)
			return false;
	}
	return true;
}

/* ---- what it comes to ------------------------------------------------- */

void work_count_new(struct work *w, uint64_t length)
{
	struct move_use *u = &w->out->use[w->in->to];

	u->objects_new++;
	u->bytes_new += length;
	u->billed_new += MAX(length, work_to(w)->minimum_bytes);
}

/* It is deleted after its grace period. */
void work_count_gone(struct work *w, struct work_pack *p)
{
	struct move_use *u = &w->out->use[p->tier];
	int64_t at = clock_wall_ns() + w->mv->o.delete_after_ns;
	uint64_t billed = MAX(p->at.billed, p->at.length);
	int64_t rest = p->at.stored_ns + p->at.keep_ns - at;

	p->gone = true;
	u->deletes++;
	u->objects_gone++;
	u->bytes_gone += p->at.length;
	u->billed_gone += billed;
	if (p->at.keep_ns > 0 && rest > 0)
		u->early_byte_hours +=
			(uint64_t)((unsigned __int128)billed * (uint64_t)rest /
				   (3600 * NSEC_PER_SEC));
}
