/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs between tiers: a pack's row stays and gets another place, so that no
 * extent changes; and what of a pack is alive.
 */
#include "meta/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "meta/tiering.h"

#define TABLE_LEN 0x00ffffffu /* = PACK_TABLE_LEN: sealed bytes of a frame */

enum { PLACED, ASIDE, PLACE, OLD_PLACE, TIERS, PACKS, USES, LIVE, SHARES };
static const char *const sql[] = {
	[PLACED] = "UPDATE pack SET length = ?2, version = ?3, billed = ?4,"
		   " stored_ns = ?5, keep_ns = ?6"
		   " WHERE id = ?1 AND state = 0",
	/* No two rows have one object, not even between two statements. */
	[ASIDE] = "UPDATE pack SET object = '#' || id WHERE id = ?1",
	[PLACE] = "UPDATE pack SET object = ?2, tier = ?3, storage_class = ?4,"
		  " version = ?5, billed = ?6, stored_ns = ?7, keep_ns = ?8"
		  " WHERE id = ?1",
	[OLD_PLACE] = "UPDATE pack SET object = ?2, tier = ?3,"
		      " storage_class = ?4, version = ?5, billed = ?6,"
		      " stored_ns = ?7, keep_ns = ?8, state = 2,"
		      " condemned_ns = ?9 WHERE id = ?1",
	[TIERS] = "SELECT DISTINCT p.tier FROM extent e"
		  " JOIN pack p ON p.id = e.pack WHERE e.ino = ?1",
	[PACKS] = "SELECT DISTINCT pack FROM extent"
		  " WHERE ino = ?1 AND pack > ?2 ORDER BY pack LIMIT ?3",
	[USES] = "SELECT id, length, tier, storage_class, stored_ns, keep_ns"
		 " FROM pack WHERE state = 1 AND id > ?1 ORDER BY id LIMIT ?2",
	[LIVE] = "SELECT ino, frame_table FROM extent WHERE pack = ?1"
		 " ORDER BY pack_off",
	[SHARES] = "SELECT COALESCE(i.study, 0) AS s, SUM(e.len) AS n"
		   " FROM extent e JOIN inode i ON i.ino = e.ino"
		   " WHERE e.pack = ?1 GROUP BY s ORDER BY n DESC, s LIMIT ?2",
};

int meta_pack_placed(struct meta_txn *t, const struct meta_pack *in)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, PLACED, sql);
	int rc;

	if (in->length > INT64_MAX || in->billed > INT64_MAX)
		return m_fail(t, -EINVAL);
	m_bind_u64(st, 1, in->row);
	m_bind_u64(st, 2, in->length);
	m_bind_text(st, 3, in->version);
	m_bind_u64(st, 4, MAX(in->billed, in->length));
	m_bind_int(st, 5, in->stored_ns ? in->stored_ns : in->created_ns);
	m_bind_int(st, 6, in->keep_ns);
	rc = m_run_one(t, st);
	return rc == -ENOENT ? m_fail(t, -EINVAL) : rc;
}

/* Row `row` gets the place of `at`. */
static int relocate_place(struct meta_txn *t, int i, uint64_t row,
			  const struct meta_pack *at, int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, i, sql);

	m_bind_u64(st, 1, row);
	m_bind_text(st, 2, at->object);
	m_bind_text(st, 3, at->tier);
	m_bind_text(st, 4, at->storage_class);
	m_bind_text(st, 5, at->version);
	m_bind_u64(st, 6, at->billed);
	m_bind_int(st, 7, at->stored_ns);
	m_bind_int(st, 8, at->keep_ns);
	if (i == OLD_PLACE)
		m_bind_int(st, 9, now_ns);
	return m_run_one(t, st);
}

static int relocate_swap(struct meta_txn *t, const struct meta_pack *p,
			 const struct meta_pack *to, int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, ASIDE, sql);
	int rc;

	m_bind_u64(st, 1, to->row);
	rc = m_run_one(t, st);
	if (rc == 0)
		rc = relocate_place(t, PLACE, p->row, to, now_ns);
	if (rc == 0)
		rc = relocate_place(t, OLD_PLACE, to->row, p, now_ns);
	if (rc == 0)
		rc = meta_restore_follow(t, p->row, to->row);
	/* The old place is billed as before; the new one as well from now on.
	 */
	return rc < 0 ? rc : meta_pack_count(t, to, 1);
}

int meta_pack_relocate(struct meta_txn *t, uint64_t row, uint64_t to,
		       int64_t now_ns)
{
	struct meta_pack p, q = { 0 };
	int rc = meta_pack_get(t, row, &p);

	if (rc == -ENOENT)
		return -ESTALE;
	if (rc == 0)
		rc = meta_pack_get(t, to, &q);
	if (rc < 0)
		return m_fail(t, rc);
	if (p.state == META_PACK_CONDEMNED ||
	    (p.state == META_PACK_STORED && p.extents == 0))
		return -ESTALE;
	/* The same bytes. */
	if (p.state != META_PACK_STORED || q.state != META_PACK_INTENT ||
	    p.length != q.length)
		return m_fail(t, -EINVAL);
	return relocate_swap(t, &p, &q, now_ns);
}

int meta_extent_in_tier(struct meta_txn *t, uint64_t ino,
			const char *const *tiers, size_t n)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, TIERS, sql);
	bool found = false;
	char tier[64];
	size_t i;
	int rc;

	m_bind_u64(st, 1, ino);
	while (!found && (rc = m_step(t, st)) == 1) {
		if (!m_text(st, 0, tier, sizeof(tier)))
			return m_unclean(t, st);
		for (i = 0; i < n; i++)
			found = found || strcmp(tier, tiers[i]) == 0;
	}
	db_reset(st);
	return found ? 1 : rc;
}

int meta_extent_packs(struct meta_txn *t, uint64_t ino, uint64_t after,
		      uint64_t *row, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, PACKS, sql);

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list_u64(t, st, row, max);
}

/* ---- what is alive ---------------------------------------------------- */

static uint64_t use_sealed(const uint8_t *table, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4)
		sum += get_le32(table + i) & TABLE_LEN;
	return sum;
}

/* Extents of a file follow each other in a pack, as it was written. */
static int use_live(struct meta_txn *t, struct meta_pack_use *u)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, LIVE, sql);
	uint64_t last = 0;
	int rc;

	m_bind_u64(st, 1, u->row);
	while ((rc = m_step(t, st)) == 1) {
		uint64_t ino = (uint64_t)db_int(st, 0);
		size_t n;
		const uint8_t *table = db_blob(st, 1, &n);

		u->live_stored += use_sealed(table, n);
		u->live_files += ino != last;
		last = ino;
	}
	db_reset(st);
	return rc;
}

static bool use_read(struct db_stmt *st, struct meta_pack_use *u)
{
	*u = (struct meta_pack_use){
		.row = (uint64_t)db_int(st, 0),
		.length = (uint64_t)db_int(st, 1),
		.stored_ns = db_int(st, 4),
		.keep_ns = db_int(st, 5),
	};
	return m_text(st, 2, u->tier, sizeof(u->tier)) &&
	       m_text(st, 3, u->storage_class, sizeof(u->storage_class));
}

int meta_pack_uses(struct meta_txn *t, uint64_t after,
		   struct meta_pack_use *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, USES, sql);
	size_t n = 0, i;
	int rc;

	m_bind_u64(st, 1, after);
	m_bind_u64(st, 2, max);
	while ((rc = m_step(t, st)) == 1 && n < max)
		if (!use_read(st, &out[n++]))
			return m_unclean(t, st);
	db_reset(st);
	for (i = 0; rc >= 0 && i < n; i++)
		rc = use_live(t, &out[i]);
	return rc < 0 ? rc : (int)n;
}

int meta_pack_shares(struct meta_txn *t, uint64_t pack,
		     struct meta_pack_share *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_RELOCATE, SHARES, sql);
	size_t n = 0;
	int rc;

	m_bind_u64(st, 1, pack);
	m_bind_u64(st, 2, max);
	while ((rc = m_step(t, st)) == 1 && n < max)
		out[n++] = (struct meta_pack_share){
			.study = (uint64_t)db_int(st, 0),
			.bytes = (uint64_t)db_int(st, 1),
		};
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
