/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extents: which frames of which pack hold a file's bytes. While a file is
 * protected again, extents of old and new packs may lie over each other; the
 * transaction that makes it LOCAL clears the old ones. A list with a table
 * is for reading, so an overlap there is an error, never a wrong version.
 */
#include "meta/internal.h"

#include <string.h>

#include "base/bytes.h"

#define EXTENT_FRAMES_MAX (1u << 20) /* of one pack, pack.h */
#define EXTENT_BATCH	  64
#define EXTENT_END	  ((uint64_t)INT64_MAX) /* of the longest file */

enum { LIST, CHECKED, BRIEF, MEMBERS, INSERT, NEXT, REMOVE };
#define EXTENT_WHERE                                              \
	" FROM extent WHERE ino = ?1 AND off >= COALESCE((SELECT" \
	" MAX(off) FROM extent WHERE ino = ?1 AND off <= ?2), 0)" \
	" AND off < ?3 AND off + len > ?2 ORDER BY off, pack LIMIT ?4"
#define EXTENT_COLS "SELECT ino, off, len, pack, pack_off, first_frame, frames"
static const char *const sql[] = {
	[LIST] = EXTENT_COLS ", frame_table" EXTENT_WHERE,
	[CHECKED] = EXTENT_COLS ", frame_table, frame_check" EXTENT_WHERE,
	[BRIEF] = EXTENT_COLS EXTENT_WHERE,
	[MEMBERS] = EXTENT_COLS
	", frame_table FROM extent WHERE pack = ?1"
	" AND pack_off >= ?2 ORDER BY pack_off LIMIT ?3",
	[INSERT] = "INSERT INTO extent (ino, off, pack, len, pack_off,"
		   " first_frame, frames, frame_table, frame_check, born)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
	[NEXT] = "SELECT off, pack, len FROM extent WHERE ino = ?1"
		 " AND (off, pack) > (?2, ?3) ORDER BY off, pack LIMIT ?4",
	[REMOVE] = "DELETE FROM extent"
		   " WHERE ino = ?1 AND off = ?2 AND pack = ?3",
};

void meta_extent_done(struct meta_extent *e)
{
	free(e->table);
	free(e->check);
	e->table = NULL;
	e->check = NULL;
}

static uint64_t extent_frames(uint64_t len)
{
	return len / META_FRAME_SIZE + (len % META_FRAME_SIZE != 0);
}

static bool extent_valid(const struct meta_extent *e)
{
	return e->off % META_FRAME_SIZE == 0 && e->off <= EXTENT_END &&
	       e->len > 0 && e->len <= EXTENT_END - e->off &&
	       e->pack_off <= EXTENT_END && e->frames <= EXTENT_FRAMES_MAX &&
	       e->frames == extent_frames(e->len);
}

static bool extent_read(struct db_stmt *st, struct meta_extent *out)
{
	*out = (struct meta_extent){
		.ino = (uint64_t)db_int(st, 0),
		.off = (uint64_t)db_int(st, 1),
		.len = (uint64_t)db_int(st, 2),
		.pack = (uint64_t)db_int(st, 3),
		.pack_off = (uint64_t)db_int(st, 4),
	};
	return m_u32(st, 5, EXTENT_FRAMES_MAX, &out->first_frame) &&
	       m_u32(st, 6, EXTENT_FRAMES_MAX, &out->frames) &&
	       extent_valid(out);
}

static int extent_read_table(struct db_stmt *st, struct meta_extent *e)
{
	size_t n, i;
	const uint8_t *p = db_blob(st, 7, &n);

	if (n != 4ULL * e->frames)
		return -EUCLEAN;
	e->table = malloc(n);
	if (!e->table)
		return -ENOMEM;
	for (i = 0; i < e->frames; i++)
		e->table[i] = get_le32(p + 4 * i);
	return 0;
}

static int extent_read_check(struct db_stmt *st, struct meta_extent *e)
{
	size_t n;
	const void *p = db_blob(st, 8, &n);

	if (n == 0) /* older than schema 4 */
		return 0;
	if (n != (size_t)META_CHECK_SIZE * e->frames)
		return -EUCLEAN;
	e->check = malloc(n);
	if (!e->check)
		return -ENOMEM;
	memcpy(e->check, p, n);
	return 0;
}

/* Row n of statement i; those of a file must not lie over each other. */
static int extent_read_row(struct db_stmt *st, int i, struct meta_extent *out,
			   size_t n)
{
	int rc;

	if (!extent_read(st, &out[n]) ||
	    ((i == LIST || i == CHECKED) && n > 0 &&
	     out[n - 1].off + out[n - 1].len > out[n].off))
		return -EUCLEAN;
	rc = i == BRIEF ? 0 : extent_read_table(st, &out[n]);
	if (rc == 0 && i == CHECKED)
		rc = extent_read_check(st, &out[n]);
	if (rc < 0)
		meta_extent_done(&out[n]);
	return rc;
}

static int extent_rows(struct meta_txn *t, struct db_stmt *st, int i,
		       struct meta_extent *out, size_t max)
{
	size_t n = 0;
	int rc;

	while ((rc = m_step(t, st)) == 1 && n < max) {
		rc = extent_read_row(st, i, out, n);
		if (rc < 0)
			break;
		n++;
	}
	db_reset(st);
	if (rc >= 0)
		return (int)n;
	while (n > 0)
		meta_extent_done(&out[--n]);
	return m_fail(t, rc);
}

static int extent_query(struct meta_txn *t, int i, uint64_t ino, uint64_t off,
			uint64_t len, struct meta_extent *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_EXTENT, i, sql);
	uint64_t from = MIN(off, EXTENT_END);
	uint64_t end = from + MIN(len, EXTENT_END - from);

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, from);
	m_bind_u64(st, 3, end);
	m_bind_u64(st, 4, max);
	return extent_rows(t, st, i, out, max);
}

int meta_pack_members(struct meta_txn *t, uint64_t pack, uint64_t from,
		      struct meta_extent *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_EXTENT, MEMBERS, sql);

	m_bind_u64(st, 1, pack);
	m_bind_u64(st, 2, MIN(from, EXTENT_END));
	m_bind_u64(st, 3, max);
	return extent_rows(t, st, MEMBERS, out, max);
}

int meta_extent_list(struct meta_txn *t, uint64_t ino, uint64_t off,
		     uint64_t len, struct meta_extent *out, size_t max)
{
	return extent_query(t, LIST, ino, off, len, out, max);
}

int meta_extent_checked(struct meta_txn *t, uint64_t ino, uint64_t off,
			uint64_t len, struct meta_extent *out, size_t max)
{
	return extent_query(t, CHECKED, ino, off, len, out, max);
}

int meta_extent_brief(struct meta_txn *t, uint64_t ino, uint64_t off,
		      struct meta_extent *out, size_t max)
{
	return extent_query(t, BRIEF, ino, off, UINT64_MAX, out, max);
}

int meta_extent_insert(struct meta_txn *t, const struct meta_extent *in)
{
	CLEANUP_FREE uint8_t *table = NULL;
	struct db_stmt *st;
	uint32_t i;
	int rc;

	if (!extent_valid(in) || !in->table)
		return m_fail(t, -EINVAL);
	table = malloc(4ULL * in->frames);
	if (!table)
		return m_fail(t, -ENOMEM);
	for (i = 0; i < in->frames; i++)
		put_le32(table + 4ULL * i, in->table[i]);
	st = m_stmt(t, META_G_EXTENT, INSERT, sql);
	m_bind_u64(st, 1, in->ino);
	m_bind_u64(st, 2, in->off);
	m_bind_u64(st, 3, in->pack);
	m_bind_u64(st, 4, in->len);
	m_bind_u64(st, 5, in->pack_off);
	m_bind_int(st, 6, in->first_frame);
	m_bind_int(st, 7, in->frames);
	m_bind_blob(st, 8, table, 4ULL * in->frames);
	m_bind_blob(st, 9, in->check,
		    in->check ? (size_t)META_CHECK_SIZE * in->frames : 0);
	rc = m_run_one(t, st);
	return rc < 0 ? rc : meta_pack_name(t, in->pack);
}

struct extent_key {
	uint64_t off, pack, len;
};

static int extent_next(struct meta_txn *t, uint64_t ino,
		       struct extent_key after, struct extent_key *out)
{
	struct db_stmt *st = m_stmt(t, META_G_EXTENT, NEXT, sql);
	int n = 0, rc;

	m_bind_u64(st, 1, ino);
	m_bind_int(st, 2, (int64_t)after.off);
	m_bind_u64(st, 3, after.pack);
	m_bind_int(st, 4, EXTENT_BATCH);
	while ((rc = m_step(t, st)) == 1 && n < EXTENT_BATCH)
		out[n++] = (struct extent_key){
			.off = (uint64_t)db_int(st, 0),
			.pack = (uint64_t)db_int(st, 1),
			.len = (uint64_t)db_int(st, 2),
		};
	db_reset(st);
	return rc < 0 ? rc : n;
}

static int extent_remove(struct meta_txn *t, uint64_t ino, struct extent_key k,
			 int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_EXTENT, REMOVE, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, k.off);
	m_bind_u64(st, 3, k.pack);
	rc = m_run_one(t, st);
	return rc < 0 ? rc : meta_pack_unname(t, k.pack, 1, now_ns);
}

/* Removes all that `stays` does not want to keep; it sees them ascend. */
static int extent_sweep(struct meta_txn *t, uint64_t ino,
			bool (*stays)(void *arg, const struct extent_key *k),
			void *arg, int64_t now_ns)
{
	struct extent_key batch[EXTENT_BATCH], at = { .off = UINT64_MAX };
	int i, n, rc = 0;

	/* UINT64_MAX is -1 in SQL: before the first. */
	do {
		n = extent_next(t, ino, at, batch);
		for (i = 0; rc == 0 && i < n; i++) {
			at = batch[i];
			if (!stays(arg, &at))
				rc = extent_remove(t, ino, at, now_ns);
		}
	} while (rc == 0 && n == EXTENT_BATCH);
	return n < 0 ? n : rc;
}

/* ---- replacing ------------------------------------------------------- */

/* Those of the old extents that stay as they are. */
struct staying {
	const struct meta_extent *kept;
	size_t n, at; /* how many there are, and were met */
};

static bool staying_has(void *arg, const struct extent_key *k)
{
	struct staying *s = arg;
	const struct meta_extent *e;

	while (s->at < s->n && s->kept[s->at].table)
		s->at++;
	if (s->at == s->n)
		return false;
	e = &s->kept[s->at];
	if (e->off != k->off || e->pack != k->pack || e->len != k->len)
		return false;
	s->at++;
	return true;
}

/* Holds, or lets go, the packs of which a part stays: they must not be
 * condemned between the old row and the new one. */
static int extent_hold(struct meta_txn *t, const struct meta_extent *kept,
		       size_t n, bool hold, int64_t now_ns)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++)
		if (kept[i].table)
			rc = hold ? meta_pack_name(t, kept[i].pack)
				  : meta_pack_unname(t, kept[i].pack, 1,
						     now_ns);
	return rc;
}

static int extent_add(struct meta_txn *t, uint64_t ino,
		      const struct meta_extent *e, size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		struct meta_extent row = e[i];

		row.ino = ino;
		if (row.table)
			rc = meta_extent_insert(t, &row);
	}
	return rc;
}

int meta_extent_replace(struct meta_txn *t, uint64_t ino,
			const struct meta_extent *kept, size_t n_kept,
			const struct meta_extent *added, size_t n_added,
			int64_t now_ns)
{
	struct staying s = { .kept = kept, .n = n_kept };
	int rc;

	rc = extent_hold(t, kept, n_kept, true, now_ns);
	if (rc == 0)
		rc = extent_sweep(t, ino, staying_has, &s, now_ns);
	for (; rc == 0 && s.at < n_kept; s.at++)
		if (!kept[s.at].table) /* others replaced it */
			rc = m_fail(t, -ESTALE);
	if (rc == 0)
		rc = extent_add(t, ino, kept, n_kept);
	if (rc == 0)
		rc = extent_add(t, ino, added, n_added);
	return rc < 0 ? rc : extent_hold(t, kept, n_kept, false, now_ns);
}

/* ---- clearing -------------------------------------------------------- */

struct clearing {
	const uint64_t *keep; /* sorted */
	size_t n;
};

static int extent_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool clearing_keeps(void *arg, const struct extent_key *k)
{
	const struct clearing *cl = arg;

	return cl->n && bsearch(&k->pack, cl->keep, cl->n, sizeof(*cl->keep),
				extent_order);
}

int meta_extent_clear(struct meta_txn *t, uint64_t ino, const uint64_t *keep,
		      size_t nkeep, int64_t now_ns)
{
	CLEANUP_FREE uint64_t *sorted = NULL;
	struct clearing cl = { .n = nkeep };

	if (nkeep) {
		sorted = malloc(nkeep * sizeof(*sorted));
		if (!sorted)
			return m_fail(t, -ENOMEM);
		memcpy(sorted, keep, nkeep * sizeof(*sorted));
		qsort(sorted, nkeep, sizeof(*sorted), extent_order);
	}
	cl.keep = sorted;
	return extent_sweep(t, ino, clearing_keeps, &cl, now_ns);
}
