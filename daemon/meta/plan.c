/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of tiering: a row each, and a row for each subject that moves. */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

enum {
	ADD,
	UPDATE,
	FIND,
	GET,
	LIST,
	DELETE,
	ITEM_ADD,
	ITEM_SET,
	ITEMS,
	ITEMS_TODO,
	ITEM_FIRST,
	ITEMS_DELETE,
};
#define PLAN_COLS                                                  \
	"id, name, policy, state, made_ns, version, files, bytes," \
	" items, once, per_month"
#define ITEM_COLS                                                       \
	"id, seq, study, subject, rule, action, target, source, files," \
	" bytes, state, reason"
static const char *const sql[] = {
	[ADD] = "INSERT INTO tier_plan (" PLAN_COLS ") VALUES (?1, ?2, ?3,"
		" ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[UPDATE] = "UPDATE tier_plan SET name = ?2, policy = ?3, state = ?4,"
		   " made_ns = ?5, version = ?6, files = ?7, bytes = ?8,"
		   " items = ?9, once = ?10, per_month = ?11 WHERE id = ?1",
	[FIND] = "SELECT " PLAN_COLS " FROM tier_plan WHERE name = ?1",
	[GET] = "SELECT " PLAN_COLS " FROM tier_plan WHERE id = ?1",
	[LIST] = "SELECT " PLAN_COLS " FROM tier_plan WHERE id > ?1"
		 " ORDER BY id LIMIT ?2",
	[DELETE] = "DELETE FROM tier_plan WHERE id = ?1",
	[ITEM_ADD] = "INSERT INTO tier_item (" ITEM_COLS ") VALUES (?1, ?2,"
		     " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[ITEM_SET] = "UPDATE tier_item SET state = ?3, reason = ?4"
		     " WHERE id = ?1 AND seq = ?2",
	[ITEMS] = "SELECT " ITEM_COLS " FROM tier_item WHERE id = ?1"
		  " AND seq > ?2 ORDER BY seq LIMIT ?3",
	[ITEMS_TODO] = "SELECT " ITEM_COLS " FROM tier_item WHERE id = ?1"
		       " AND seq > ?2 AND state = 0 ORDER BY seq LIMIT ?3",
	[ITEM_FIRST] = "SELECT seq FROM tier_item WHERE id = ?1"
		       " ORDER BY seq LIMIT 1",
	[ITEMS_DELETE] = "DELETE FROM tier_item WHERE id = ?1 AND seq < ?2",
};

/* ---- plans ------------------------------------------------------------ */

static void plan_bind(struct db_stmt *st, const struct meta_plan *p)
{
	m_bind_u64(st, 1, p->id);
	m_bind_text(st, 2, p->name);
	m_bind_text(st, 3, p->policy);
	m_bind_int(st, 4, p->state);
	m_bind_int(st, 5, p->made_ns);
	m_bind_u64(st, 6, p->version);
	m_bind_u64(st, 7, p->files);
	m_bind_u64(st, 8, p->bytes);
	m_bind_u64(st, 9, p->items);
	m_bind_text(st, 10, p->once);
	m_bind_text(st, 11, p->per_month);
}

static bool plan_read(struct db_stmt *st, void *row)
{
	struct meta_plan *out = row;
	uint32_t state;

	memset(out, 0, sizeof(*out));
	out->id = (uint64_t)db_int(st, 0);
	out->made_ns = db_int(st, 4);
	out->version = (uint64_t)db_int(st, 5);
	out->files = (uint64_t)db_int(st, 6);
	out->bytes = (uint64_t)db_int(st, 7);
	out->items = (uint64_t)db_int(st, 8);
	if (!m_text(st, 1, out->name, sizeof(out->name)) ||
	    !m_text(st, 2, out->policy, sizeof(out->policy)) ||
	    !m_u32(st, 3, META_PLAN_CANCELLED, &state) ||
	    !m_text(st, 9, out->once, sizeof(out->once)) ||
	    !m_text(st, 10, out->per_month, sizeof(out->per_month)))
		return false;
	out->state = (enum meta_plan_state)state;
	return true;
}

int meta_plan_add(struct meta_txn *t, struct meta_plan *in)
{
	int rc = meta_serial(t, "plan.id", &in->id);
	struct db_stmt *st;

	if (rc < 0)
		return rc;
	st = m_stmt(t, META_G_PLAN, ADD, sql);
	plan_bind(st, in);
	return m_run_one(t, st);
}

int meta_plan_update(struct meta_txn *t, const struct meta_plan *in)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, UPDATE, sql);

	plan_bind(st, in);
	return m_run_one(t, st);
}

static int plan_row(struct meta_txn *t, struct db_stmt *st,
		    struct meta_plan *out)
{
	int rc = m_row(t, st);

	if (rc < 0)
		return rc;
	if (!plan_read(st, out))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_plan_find(struct meta_txn *t, const char *name, struct meta_plan *out)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, FIND, sql);

	m_bind_text(st, 1, name);
	return plan_row(t, st, out);
}

int meta_plan_get(struct meta_txn *t, uint64_t id, struct meta_plan *out)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, GET, sql);

	m_bind_u64(st, 1, id);
	return plan_row(t, st, out);
}

int meta_plan_list(struct meta_txn *t, uint64_t after, struct meta_plan *out,
		   size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, LIST, sql);

	m_bind_u64(st, 1, after);
	m_bind_u64(st, 2, max);
	return m_list(t, st, plan_read, out, sizeof(*out), max);
}

/* The items from the first one on, which are numbered in a row. */
static int plan_delete_items(struct meta_txn *t, uint64_t id, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, ITEM_FIRST, sql);
	uint64_t first;
	int rc;

	m_bind_u64(st, 1, id);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	first = (uint64_t)db_int(st, 0);
	db_reset(st);
	st = m_stmt(t, META_G_PLAN, ITEMS_DELETE, sql);
	m_bind_u64(st, 1, id);
	m_bind_u64(st, 2, first + MIN(max, (size_t)INT32_MAX));
	return m_run(t, st);
}

int meta_plan_delete(struct meta_txn *t, uint64_t id, size_t max)
{
	struct db_stmt *st;
	int rc = plan_delete_items(t, id, max);

	if (rc != -ENOENT)
		return MIN(rc, 1);
	st = m_stmt(t, META_G_PLAN, DELETE, sql);
	m_bind_u64(st, 1, id);
	return m_run_one(t, st);
}

/* ---- items ------------------------------------------------------------ */

static bool item_read(struct db_stmt *st, void *row)
{
	struct meta_plan_item *out = row;

	memset(out, 0, sizeof(*out));
	out->plan = (uint64_t)db_int(st, 0);
	out->seq = (uint64_t)db_int(st, 1);
	out->study = db_int(st, 2) != 0;
	out->subject = (uint64_t)db_int(st, 3);
	out->files = (uint64_t)db_int(st, 8);
	out->bytes = (uint64_t)db_int(st, 9);
	return m_u32(st, 4, UINT32_MAX, &out->rule) &&
	       m_u32(st, 5, UINT32_MAX, &out->action) &&
	       m_text(st, 6, out->target, sizeof(out->target)) &&
	       m_text(st, 7, out->source, sizeof(out->source)) &&
	       m_u32(st, 10, 2, &out->state) &&
	       m_text(st, 11, out->reason, sizeof(out->reason));
}

int meta_plan_item_add(struct meta_txn *t, const struct meta_plan_item *in)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, ITEM_ADD, sql);

	m_bind_u64(st, 1, in->plan);
	m_bind_u64(st, 2, in->seq);
	m_bind_int(st, 3, in->study);
	m_bind_u64(st, 4, in->subject);
	m_bind_int(st, 5, in->rule);
	m_bind_int(st, 6, in->action);
	m_bind_text(st, 7, in->target);
	m_bind_text(st, 8, in->source);
	m_bind_u64(st, 9, in->files);
	m_bind_u64(st, 10, in->bytes);
	m_bind_int(st, 11, in->state);
	m_bind_text(st, 12, in->reason);
	return m_run_one(t, st);
}

int meta_plan_item_set(struct meta_txn *t, const struct meta_plan_item *in)
{
	struct db_stmt *st = m_stmt(t, META_G_PLAN, ITEM_SET, sql);

	m_bind_u64(st, 1, in->plan);
	m_bind_u64(st, 2, in->seq);
	m_bind_int(st, 3, in->state);
	m_bind_text(st, 4, in->reason);
	return m_run_one(t, st);
}

int meta_plan_items(struct meta_txn *t, uint64_t plan, uint64_t after,
		    bool todo, struct meta_plan_item *out, size_t max)
{
	struct db_stmt *st =
		m_stmt(t, META_G_PLAN, todo ? ITEMS_TODO : ITEMS, sql);

	m_bind_u64(st, 1, plan);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list(t, st, item_read, out, sizeof(*out), max);
}
