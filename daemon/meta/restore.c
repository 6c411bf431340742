/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to archive classes: at most one of a pack. */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

#define SPEED_MAX 2 /* of enum store_speed */

enum { PUT, GET, LIST, DELETE, FOLLOW, HELD };
#define RESTORE_COLS                                              \
	"pack, state, speed, days, ordered_ns, due_ns, until_ns," \
	" retry_ns, taken, cause, error"
static const char *const sql[] = {
	[PUT] = "INSERT INTO restore (" RESTORE_COLS ") VALUES (?1, ?2, ?3,"
		" ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (pack) DO UPDATE"
		" SET state = excluded.state, speed = excluded.speed,"
		" days = excluded.days, ordered_ns = excluded.ordered_ns,"
		" due_ns = excluded.due_ns, until_ns = excluded.until_ns,"
		" retry_ns = excluded.retry_ns, taken = excluded.taken,"
		" cause = excluded.cause, error = excluded.error",
	[GET] = "SELECT " RESTORE_COLS " FROM restore WHERE pack = ?1",
	[LIST] = "SELECT " RESTORE_COLS " FROM restore WHERE state = ?1"
		 " AND pack > ?2 ORDER BY pack LIMIT ?3",
	[DELETE] = "DELETE FROM restore WHERE pack = ?1",
	[FOLLOW] = "UPDATE restore SET pack = ?2 WHERE pack = ?1",
	[HELD] = "SELECT p.tier, p.storage_class, COUNT(*), SUM(p.length),"
		 " COALESCE(MIN(NULLIF(r.until_ns, 0)), 0)"
		 " FROM restore r JOIN pack p ON p.id = r.pack"
		 " WHERE r.state = 2 AND (r.until_ns = 0 OR r.until_ns > ?1)"
		 " GROUP BY p.tier, p.storage_class"
		 " ORDER BY p.tier, p.storage_class LIMIT ?2",
};

static bool restore_read(struct db_stmt *st, void *row)
{
	struct meta_restore *out = row;
	uint32_t state;

	memset(out, 0, sizeof(*out));
	out->pack = (uint64_t)db_int(st, 0);
	out->ordered_ns = db_int(st, 4);
	out->due_ns = db_int(st, 5);
	out->until_ns = db_int(st, 6);
	out->retry_ns = db_int(st, 7);
	out->taken = db_int(st, 8) != 0;
	if (!m_u32(st, 1, META_RESTORE_FAILED, &state) ||
	    !m_u32(st, 2, SPEED_MAX, &out->speed) ||
	    !m_u32(st, 3, UINT32_MAX, &out->days) ||
	    !m_text(st, 9, out->cause, sizeof(out->cause)) ||
	    !m_text(st, 10, out->error, sizeof(out->error)))
		return false;
	out->state = (enum meta_restore_state)state;
	return true;
}

int meta_restore_put(struct meta_txn *t, const struct meta_restore *in)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, PUT, sql);

	if (in->speed > SPEED_MAX)
		return m_fail(t, -EINVAL);
	m_bind_u64(st, 1, in->pack);
	m_bind_int(st, 2, in->state);
	m_bind_int(st, 3, in->speed);
	m_bind_int(st, 4, in->days);
	m_bind_int(st, 5, in->ordered_ns);
	m_bind_int(st, 6, in->due_ns);
	m_bind_int(st, 7, in->until_ns);
	m_bind_int(st, 8, in->retry_ns);
	m_bind_int(st, 9, in->taken);
	m_bind_text(st, 10, in->cause);
	m_bind_text(st, 11, in->error);
	return m_run_one(t, st);
}

int meta_restore_get(struct meta_txn *t, uint64_t pack,
		     struct meta_restore *out)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, GET, sql);
	int rc;

	m_bind_u64(st, 1, pack);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	if (!restore_read(st, out))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_restore_list(struct meta_txn *t, enum meta_restore_state state,
		      uint64_t after, struct meta_restore *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, LIST, sql);

	m_bind_int(st, 1, state);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list(t, st, restore_read, out, sizeof(*out), max);
}

int meta_restore_delete(struct meta_txn *t, uint64_t pack)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, DELETE, sql);

	m_bind_u64(st, 1, pack);
	return m_run_one(t, st);
}

int meta_restore_follow(struct meta_txn *t, uint64_t pack, uint64_t to)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, FOLLOW, sql);
	int rc;

	m_bind_u64(st, 1, pack);
	m_bind_u64(st, 2, to);
	rc = m_run(t, st);
	return MIN(rc, 0);
}

int meta_restore_held(struct meta_txn *t, int64_t now_ns,
		      struct meta_pack_totals *out, size_t max,
		      int64_t *ends_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_RESTORE, HELD, sql);
	size_t n = 0;
	int rc;

	*ends_ns = 0;
	m_bind_int(st, 1, now_ns);
	m_bind_u64(st, 2, max);
	while ((rc = m_step(t, st)) == 1 && n < max) {
		struct meta_pack_totals *p = &out[n++];
		int64_t ends = db_int(st, 4);

		if (ends && (!*ends_ns || ends < *ends_ns))
			*ends_ns = ends;
		p->objects = (uint64_t)db_int(st, 2);
		p->bytes = p->billed = (uint64_t)db_int(st, 3);
		if (!m_text(st, 0, p->tier, sizeof(p->tier)) ||
		    !m_text(st, 1, p->storage_class, sizeof(p->storage_class)))
			return m_unclean(t, st);
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
