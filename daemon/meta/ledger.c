/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: sums per day, tier, class and cause. */
#include "meta/internal.h"

#include <string.h>

#define SECONDS_PER_HOUR 3600

enum { GET, SET, LIST };
#define LEDGER_COLS                                                   \
	"day, tier, storage_class, cause, puts, gets, heads, lists,"  \
	" deletes, errors, unknown, in_bytes, out_bytes, byte_hours," \
	" byte_seconds, objects_peak"
static const char *const sql[] = {
	[GET] = "SELECT " LEDGER_COLS " FROM ledger WHERE day = ?1"
		" AND tier = ?2 AND storage_class = ?3 AND cause = ?4",
	[SET] = "INSERT INTO ledger (" LEDGER_COLS ") VALUES (?1, ?2, ?3,"
		" ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
		" ?16) ON CONFLICT (day, tier, storage_class, cause)"
		" DO UPDATE SET puts = excluded.puts, gets = excluded.gets,"
		" heads = excluded.heads, lists = excluded.lists,"
		" deletes = excluded.deletes, errors = excluded.errors,"
		" unknown = excluded.unknown, in_bytes = excluded.in_bytes,"
		" out_bytes = excluded.out_bytes,"
		" byte_hours = excluded.byte_hours,"
		" byte_seconds = excluded.byte_seconds,"
		" objects_peak = excluded.objects_peak",
	[LIST] = "SELECT " LEDGER_COLS " FROM ledger"
		 " WHERE day >= ?1 AND day < ?2"
		 " ORDER BY day, tier, storage_class, cause"
		 " LIMIT ?3 OFFSET ?4",
};

static void ledger_bind_key(struct db_stmt *st, const struct meta_ledger *l)
{
	m_bind_int(st, 1, l->day);
	m_bind_text(st, 2, l->tier);
	m_bind_text(st, 3, l->storage_class);
	m_bind_text(st, 4, l->cause);
}

static void ledger_bind(struct db_stmt *st, const struct meta_ledger *l)
{
	ledger_bind_key(st, l);
	m_bind_u64(st, 5, l->puts);
	m_bind_u64(st, 6, l->gets);
	m_bind_u64(st, 7, l->heads);
	m_bind_u64(st, 8, l->lists);
	m_bind_u64(st, 9, l->deletes);
	m_bind_u64(st, 10, l->errors);
	m_bind_u64(st, 11, l->unknown);
	m_bind_u64(st, 12, l->in_bytes);
	m_bind_u64(st, 13, l->out_bytes);
	m_bind_u64(st, 14, l->byte_hours);
	m_bind_u64(st, 15, l->byte_seconds);
	m_bind_u64(st, 16, l->objects_peak);
}

static bool ledger_read(struct db_stmt *st, void *row)
{
	struct meta_ledger *out = row;

	memset(out, 0, sizeof(*out));
	out->day = (int32_t)db_int(st, 0);
	out->puts = (uint64_t)db_int(st, 4);
	out->gets = (uint64_t)db_int(st, 5);
	out->heads = (uint64_t)db_int(st, 6);
	out->lists = (uint64_t)db_int(st, 7);
	out->deletes = (uint64_t)db_int(st, 8);
	out->errors = (uint64_t)db_int(st, 9);
	out->unknown = (uint64_t)db_int(st, 10);
	out->in_bytes = (uint64_t)db_int(st, 11);
	out->out_bytes = (uint64_t)db_int(st, 12);
	out->byte_hours = (uint64_t)db_int(st, 13);
	out->byte_seconds = (uint64_t)db_int(st, 14);
	out->objects_peak = (uint64_t)db_int(st, 15);
	return m_text(st, 1, out->tier, sizeof(out->tier)) &&
	       m_text(st, 2, out->storage_class, sizeof(out->storage_class)) &&
	       m_text(st, 3, out->cause, sizeof(out->cause)) &&
	       out->byte_seconds < SECONDS_PER_HOUR;
}

/* The row of delta's key, all zero when there is none. */
static int ledger_get(struct meta_txn *t, const struct meta_ledger *delta,
		      struct meta_ledger *out)
{
	struct db_stmt *st = m_stmt(t, META_G_LEDGER, GET, sql);
	int rc;

	ledger_bind_key(st, delta);
	rc = m_row(t, st);
	if (rc == -ENOENT) {
		*out = (struct meta_ledger){ .day = delta->day };
		memcpy(out->tier, delta->tier, sizeof(out->tier));
		memcpy(out->storage_class, delta->storage_class,
		       sizeof(out->storage_class));
		memcpy(out->cause, delta->cause, sizeof(out->cause));
		return 0;
	}
	if (rc < 0)
		return rc;
	if (!ledger_read(st, out))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_ledger_add(struct meta_txn *t, const struct meta_ledger *delta)
{
	struct meta_ledger l;
	struct db_stmt *st;
	int rc = ledger_get(t, delta, &l);

	if (rc < 0)
		return rc;
	l.puts += delta->puts;
	l.gets += delta->gets;
	l.heads += delta->heads;
	l.lists += delta->lists;
	l.deletes += delta->deletes;
	l.errors += delta->errors;
	l.unknown += delta->unknown;
	l.in_bytes += delta->in_bytes;
	l.out_bytes += delta->out_bytes;
	l.byte_seconds += delta->byte_seconds;
	l.byte_hours += delta->byte_hours + l.byte_seconds / SECONDS_PER_HOUR;
	l.byte_seconds %= SECONDS_PER_HOUR;
	l.objects_peak = MAX(l.objects_peak, delta->objects_peak);
	st = m_stmt(t, META_G_LEDGER, SET, sql);
	ledger_bind(st, &l);
	return m_run_one(t, st);
}

int meta_ledger_list(struct meta_txn *t, int32_t from, int32_t to, size_t skip,
		     struct meta_ledger *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_LEDGER, LIST, sql);

	m_bind_int(st, 1, from);
	m_bind_int(st, 2, to);
	m_bind_u64(st, 3, max);
	m_bind_u64(st, 4, skip);
	return m_list(t, st, ledger_read, out, sizeof(*out), max);
}
