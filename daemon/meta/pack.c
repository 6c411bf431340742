/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs: INTENT ─► STORED ─► CONDEMNED ─► gone; INTENT ─► CONDEMNED or gone.
 *
 * Sums per tier and class are a small table of their own, changed with the
 * pack rows: cost asks for them every few seconds, and a scan of the packs
 * (hundreds of thousands at 10 TB) would hold the commit mutex too long.
 */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

enum {
	INTEND,
	STORED,
	GET,
	FIND,
	LIST_CREATED,
	LIST_CONDEMNED,
	LIST_STUDY,
	CONDEMN,
	DELETE,
	NAME,
	UNNAME,
	TOTAL_ADD,
	TOTALS,
};
#define PACK_COLS                                                             \
	"SELECT id, pack_id, object, generation, salt, digest, length, tier," \
	" storage_class, state, created_ns, condemned_ns, extents, study,"    \
	" version, billed, stored_ns, keep_ns FROM pack"
static const char *const sql[] = {
	[INTEND] = "INSERT INTO pack (id, pack_id, object, generation, salt,"
		   " digest, length, tier, storage_class, state, created_ns,"
		   " condemned_ns, extents, billed, stored_ns, keep_ns)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, 0,"
		   " 0, ?11, ?12, ?13)",
	[STORED] = "UPDATE pack SET state = 1, length = ?2, digest = ?3,"
		   " study = ?4, version = ?5, billed = ?6,"
		   " stored_ns = ?7, keep_ns = ?8"
		   " WHERE id = ?1 AND state = 0",
	[GET] = PACK_COLS " WHERE id = ?1",
	[FIND] = "SELECT id FROM pack WHERE object = ?1",
	[LIST_CREATED] = PACK_COLS " WHERE state = ?1 AND id > ?2"
				   " AND created_ns < ?3 ORDER BY id LIMIT ?4",
	[LIST_CONDEMNED] = PACK_COLS " WHERE state = ?1 AND id > ?2"
				     " AND condemned_ns < ?3"
				     " ORDER BY id LIMIT ?4",
	[LIST_STUDY] = PACK_COLS " WHERE study = ?1 AND study > 0"
				 " AND state = 1 AND id > ?2"
				 " ORDER BY id LIMIT ?3",
	[CONDEMN] = "UPDATE pack SET state = 2, condemned_ns = ?2"
		    " WHERE id = ?1",
	[DELETE] = "DELETE FROM pack WHERE id = ?1",
	/* Only what is stored can be named (P3). */
	[NAME] = "UPDATE pack SET extents = extents + 1"
		 " WHERE id = ?1 AND state = 1",
	[UNNAME] = "UPDATE pack SET extents = extents - ?2"
		   " WHERE id = ?1 AND extents >= ?2",
	[TOTAL_ADD] = "INSERT INTO pack_total"
		      " (tier, storage_class, objects, bytes, billed)"
		      " VALUES (?1, ?2, ?3, ?4, ?5)"
		      " ON CONFLICT (tier, storage_class) DO UPDATE"
		      " SET objects = pack_total.objects + excluded.objects,"
		      " bytes = pack_total.bytes + excluded.bytes,"
		      " billed = pack_total.billed + excluded.billed",
	[TOTALS] = "SELECT tier, storage_class, objects, bytes, billed"
		   " FROM pack_total WHERE objects > 0"
		   " ORDER BY tier, storage_class LIMIT ?1",
};

static bool pack_read(struct db_stmt *st, struct meta_pack *out)
{
	uint32_t state;

	memset(out, 0, sizeof(*out));
	out->row = (uint64_t)db_int(st, 0);
	out->length = (uint64_t)db_int(st, 6);
	out->created_ns = db_int(st, 10);
	out->condemned_ns = db_int(st, 11);
	out->extents = (uint64_t)db_int(st, 12);
	out->study = (uint64_t)db_int(st, 13);
	out->billed = (uint64_t)db_int(st, 15);
	out->stored_ns = db_int(st, 16);
	out->keep_ns = db_int(st, 17);
	if (!m_blob(st, 1, out->id, sizeof(out->id)) ||
	    !m_text(st, 2, out->object, sizeof(out->object)) ||
	    !m_u32(st, 3, UINT32_MAX, &out->generation) ||
	    !m_blob(st, 4, out->salt, sizeof(out->salt)) ||
	    !m_blob(st, 5, out->digest, sizeof(out->digest)) ||
	    !m_text(st, 7, out->tier, sizeof(out->tier)) ||
	    !m_text(st, 8, out->storage_class, sizeof(out->storage_class)) ||
	    !m_u32(st, 9, META_PACK_CONDEMNED, &state) ||
	    !m_text(st, 14, out->version, sizeof(out->version)))
		return false;
	out->state = (enum meta_pack_state)state;
	return db_int(st, 6) >= 0 && db_int(st, 12) >= 0 &&
	       db_int(st, 13) >= 0 && db_int(st, 15) >= 0;
}

/* What is billed: objects that are, or may be, in the store. */
int meta_pack_count(struct meta_txn *t, const struct meta_pack *p, int sign)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, TOTAL_ADD, sql);

	m_bind_text(st, 1, p->tier);
	m_bind_text(st, 2, p->storage_class);
	m_bind_int(st, 3, sign);
	m_bind_int(st, 4, sign * (int64_t)p->length);
	m_bind_int(st, 5, sign * (int64_t)p->billed);
	return m_run_one(t, st);
}

int meta_pack_intend(struct meta_txn *t, struct meta_pack *in)
{
	struct db_stmt *st;
	int rc = meta_id_next(t, META_ID_PACK, &in->row);

	if (rc < 0)
		return rc;
	in->state = META_PACK_INTENT;
	in->condemned_ns = 0;
	in->extents = 0;
	in->study = 0;
	in->version[0] = '\0';
	in->billed = MAX(in->billed, in->length);
	if (!in->stored_ns)
		in->stored_ns = in->created_ns;
	st = m_stmt(t, META_G_PACK, INTEND, sql);
	m_bind_u64(st, 1, in->row);
	m_bind_blob(st, 2, in->id, sizeof(in->id));
	m_bind_text(st, 3, in->object);
	m_bind_int(st, 4, in->generation);
	m_bind_blob(st, 5, in->salt, sizeof(in->salt));
	m_bind_blob(st, 6, in->digest, sizeof(in->digest));
	m_bind_u64(st, 7, in->length);
	m_bind_text(st, 8, in->tier);
	m_bind_text(st, 9, in->storage_class);
	m_bind_int(st, 10, in->created_ns);
	m_bind_u64(st, 11, in->billed);
	m_bind_int(st, 12, in->stored_ns);
	m_bind_int(st, 13, in->keep_ns);
	return m_run_one(t, st);
}

int meta_pack_stored(struct meta_txn *t, const struct meta_pack *in)
{
	struct db_stmt *st;
	struct meta_pack p;
	int rc = meta_pack_get(t, in->row, &p);

	if (rc < 0)
		return rc;
	if (p.state != META_PACK_INTENT || in->length > INT64_MAX ||
	    in->billed > INT64_MAX || in->study > INT64_MAX)
		return m_fail(t, -EINVAL);
	p.length = in->length;
	p.billed = MAX(in->billed, in->length);
	st = m_stmt(t, META_G_PACK, STORED, sql);
	m_bind_u64(st, 1, in->row);
	m_bind_u64(st, 2, in->length);
	m_bind_blob(st, 3, in->digest, sizeof(in->digest));
	m_bind_u64(st, 4, in->study);
	m_bind_text(st, 5, in->version);
	m_bind_u64(st, 6, p.billed);
	m_bind_int(st, 7, in->stored_ns ? in->stored_ns : p.created_ns);
	m_bind_int(st, 8, in->keep_ns);
	rc = m_run_one(t, st);
	return rc < 0 ? rc : meta_pack_count(t, &p, 1);
}

int meta_pack_get(struct meta_txn *t, uint64_t row, struct meta_pack *out)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, GET, sql);
	int rc;

	m_bind_u64(st, 1, row);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	if (!pack_read(st, out))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_pack_find(struct meta_txn *t, const char *object, uint64_t *row)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, FIND, sql);
	int rc;

	m_bind_text(st, 1, object);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*row = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}

static int pack_rows(struct meta_txn *t, struct db_stmt *st,
		     struct meta_pack *out, size_t max)
{
	size_t n = 0;
	int rc;

	while ((rc = m_step(t, st)) == 1 && n < max)
		if (!pack_read(st, &out[n++]))
			return m_unclean(t, st);
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

int meta_pack_list(struct meta_txn *t, enum meta_pack_state state,
		   uint64_t after, int64_t before_ns, struct meta_pack *out,
		   size_t max)
{
	struct db_stmt *st = m_stmt(
		t, META_G_PACK,
		state == META_PACK_CONDEMNED ? LIST_CONDEMNED : LIST_CREATED,
		sql);

	m_bind_int(st, 1, state);
	m_bind_u64(st, 2, after);
	m_bind_int(st, 3, before_ns);
	m_bind_u64(st, 4, max);
	return pack_rows(t, st, out, max);
}

int meta_pack_study(struct meta_txn *t, uint64_t study, uint64_t after,
		    struct meta_pack *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, LIST_STUDY, sql);

	m_bind_u64(st, 1, study);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return pack_rows(t, st, out, max);
}

static int pack_condemn(struct meta_txn *t, const struct meta_pack *p,
			int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, CONDEMN, sql);
	int rc;

	m_bind_u64(st, 1, p->row);
	m_bind_int(st, 2, now_ns);
	rc = m_run_one(t, st);
	/* The PUT of an intent may have succeeded. */
	if (rc == 0 && p->state == META_PACK_INTENT)
		rc = meta_pack_count(t, p, 1);
	return rc;
}

int meta_pack_condemn(struct meta_txn *t, uint64_t row, int64_t now_ns)
{
	struct meta_pack p;
	int rc = meta_pack_get(t, row, &p);

	if (rc < 0)
		return rc;
	if (p.extents > 0)
		return -EBUSY;
	if (p.state == META_PACK_CONDEMNED)
		return 0;
	return pack_condemn(t, &p, now_ns);
}

int meta_pack_renew(struct meta_txn *t, uint64_t row, int64_t now_ns)
{
	struct meta_pack p;
	int rc = meta_pack_get(t, row, &p);

	if (rc < 0)
		return rc;
	return p.state == META_PACK_CONDEMNED ? pack_condemn(t, &p, now_ns)
					      : m_fail(t, -EINVAL);
}

int meta_pack_delete(struct meta_txn *t, uint64_t row)
{
	struct db_stmt *st;
	struct meta_pack p;
	int rc = meta_pack_get(t, row, &p);

	if (rc < 0)
		return rc;
	if (p.extents > 0 || p.state == META_PACK_STORED)
		return -EBUSY;
	st = m_stmt(t, META_G_PACK, DELETE, sql);
	m_bind_u64(st, 1, row);
	rc = m_run_one(t, st);
	if (rc == 0 && p.state == META_PACK_CONDEMNED)
		rc = meta_pack_count(t, &p, -1);
	if (rc == 0)
		rc = meta_restore_delete(t, row);
	return rc == -ENOENT ? 0 : rc;
}

int meta_pack_name(struct meta_txn *t, uint64_t row)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, NAME, sql);
	int rc;

	m_bind_u64(st, 1, row);
	rc = m_run_one(t, st);
	return rc == -ENOENT ? m_fail(t, -EINVAL) : rc;
}

int meta_pack_unname(struct meta_txn *t, uint64_t row, uint64_t n,
		     int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, UNNAME, sql);
	struct meta_pack p;
	int rc;

	m_bind_u64(st, 1, row);
	m_bind_u64(st, 2, n);
	rc = m_run_one(t, st);
	if (rc == 0)
		rc = meta_pack_get(t, row, &p);
	if (rc == -ENOENT)
		return m_fail(t, -EUCLEAN);
	if (rc != 0)
		return rc;
	if (p.extents > 0 || p.state != META_PACK_STORED)
		return 0;
	return pack_condemn(t, &p, now_ns);
}

int meta_pack_totals(struct meta_txn *t, struct meta_pack_totals *out,
		     size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PACK, TOTALS, sql);
	size_t n = 0;
	int rc;

	m_bind_u64(st, 1, max);
	while ((rc = m_step(t, st)) == 1 && n < max) {
		struct meta_pack_totals *p = &out[n++];

		p->objects = (uint64_t)db_int(st, 2);
		p->bytes = (uint64_t)db_int(st, 3);
		p->billed = (uint64_t)db_int(st, 4);
		if (!m_text(st, 0, p->tier, sizeof(p->tier)) ||
		    !m_text(st, 1, p->storage_class, sizeof(p->storage_class)))
			return m_unclean(t, st);
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
