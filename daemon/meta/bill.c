/* SPDX-License-Identifier: Apache-2.0 */
/* What a bill has besides requests and bytes, and what was read again. */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

#define SECONDS_PER_HOUR 3600

enum { ADD, LIST, REREAD_ADD, REREADS };
static const char *const sql[] = {
	[ADD] = "INSERT INTO ledger_item (day, tier, storage_class, cause,"
		" kind, whole, rest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (day, tier, storage_class, cause, kind)"
		" DO UPDATE SET whole = ledger_item.whole + excluded.whole"
		" + (ledger_item.rest + excluded.rest) / 3600,"
		" rest = (ledger_item.rest + excluded.rest) % 3600",
	[LIST] = "SELECT day, tier, storage_class, cause, kind, whole, rest"
		 " FROM ledger_item WHERE day >= ?1 AND day < ?2"
		 " ORDER BY day, tier, storage_class, cause, kind"
		 " LIMIT ?3 OFFSET ?4",
	[REREAD_ADD] = "INSERT INTO reread (month, age, files, bytes)"
		       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (month, age)"
		       " DO UPDATE SET files = reread.files + excluded.files,"
		       " bytes = reread.bytes + excluded.bytes",
	[REREADS] = "SELECT month, age, files, bytes FROM reread"
		    " WHERE month >= ?1 ORDER BY month, age"
		    " LIMIT ?2 OFFSET ?3",
};

static bool item_is_time(enum meta_ledger_kind kind)
{
	return kind <= META_LEDGER_HELD || kind == META_LEDGER_DISK;
}

int meta_ledger_item_add(struct meta_txn *t, const struct meta_ledger_item *in)
{
	struct db_stmt *st = m_stmt(t, META_G_BILL, ADD, sql);

	if (in->kind >= META_LEDGER_KINDS ||
	    (!item_is_time(in->kind) && in->rest))
		return m_fail(t, -EINVAL);
	m_bind_int(st, 1, in->day);
	m_bind_text(st, 2, in->tier);
	m_bind_text(st, 3, in->storage_class);
	m_bind_text(st, 4, in->cause);
	m_bind_int(st, 5, in->kind);
	m_bind_u64(st, 6, in->whole + in->rest / SECONDS_PER_HOUR);
	m_bind_u64(st, 7, in->rest % SECONDS_PER_HOUR);
	return m_run_one(t, st);
}

static bool item_read(struct db_stmt *st, void *row)
{
	struct meta_ledger_item *out = row;
	uint32_t kind;

	memset(out, 0, sizeof(*out));
	out->day = (int32_t)db_int(st, 0);
	out->whole = (uint64_t)db_int(st, 5);
	out->rest = (uint64_t)db_int(st, 6);
	if (!m_text(st, 1, out->tier, sizeof(out->tier)) ||
	    !m_text(st, 2, out->storage_class, sizeof(out->storage_class)) ||
	    !m_text(st, 3, out->cause, sizeof(out->cause)) ||
	    !m_u32(st, 4, META_LEDGER_KINDS - 1, &kind))
		return false;
	out->kind = (enum meta_ledger_kind)kind;
	return out->rest < SECONDS_PER_HOUR;
}

int meta_ledger_items(struct meta_txn *t, int32_t from, int32_t to, size_t skip,
		      struct meta_ledger_item *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_BILL, LIST, sql);

	m_bind_int(st, 1, from);
	m_bind_int(st, 2, to);
	m_bind_u64(st, 3, max);
	m_bind_u64(st, 4, skip);
	return m_list(t, st, item_read, out, sizeof(*out), max);
}

int meta_reread_add(struct meta_txn *t, const struct meta_reread *in)
{
	struct db_stmt *st = m_stmt(t, META_G_BILL, REREAD_ADD, sql);

	if (in->age >= META_REREAD_AGES)
		return m_fail(t, -EINVAL);
	m_bind_int(st, 1, in->month);
	m_bind_int(st, 2, in->age);
	m_bind_u64(st, 3, in->files);
	m_bind_u64(st, 4, in->bytes);
	return m_run_one(t, st);
}

int meta_rereads(struct meta_txn *t, int32_t from_month, size_t skip,
		 struct meta_reread *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_BILL, REREADS, sql);
	size_t n = 0;
	int rc;

	m_bind_int(st, 1, from_month);
	m_bind_u64(st, 2, max);
	m_bind_u64(st, 3, skip);
	while ((rc = m_step(t, st)) == 1 && n < max) {
		struct meta_reread *r = &out[n++];

		*r = (struct meta_reread){
			.month = (int32_t)db_int(st, 0),
			.files = (uint64_t)db_int(st, 2),
			.bytes = (uint64_t)db_int(st, 3),
		};
		if (!m_u32(st, 1, META_REREAD_AGES - 1, &r->age))
			return m_unclean(t, st);
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
