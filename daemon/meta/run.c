/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of tiering: the history that people look at. */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

enum { ADD, UPDATE, LIST };
#define RUN_COLS                                                           \
	"id, plan, plan_name, policy, started_by, who, state, started_ns," \
	" ended_ns, files, bytes, skipped, errors, cost, predicted, error"
static const char *const sql[] = {
	[ADD] = "INSERT INTO tier_run (" RUN_COLS ") VALUES (?1, ?2, ?3, ?4,"
		" ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	[UPDATE] = "UPDATE tier_run SET plan = ?2, plan_name = ?3,"
		   " policy = ?4, started_by = ?5, who = ?6, state = ?7,"
		   " started_ns = ?8, ended_ns = ?9, files = ?10,"
		   " bytes = ?11, skipped = ?12, errors = ?13, cost = ?14,"
		   " predicted = ?15, error = ?16 WHERE id = ?1",
	[LIST] = "SELECT " RUN_COLS " FROM tier_run WHERE id < ?1"
		 " ORDER BY id DESC LIMIT ?2",
};

static void run_bind(struct db_stmt *st, const struct meta_run *r)
{
	m_bind_u64(st, 1, r->id);
	m_bind_u64(st, 2, r->plan);
	m_bind_text(st, 3, r->plan_name);
	m_bind_text(st, 4, r->policy);
	m_bind_text(st, 5, r->trigger);
	m_bind_text(st, 6, r->by);
	m_bind_int(st, 7, r->state);
	m_bind_int(st, 8, r->started_ns);
	m_bind_int(st, 9, r->ended_ns);
	m_bind_u64(st, 10, r->files);
	m_bind_u64(st, 11, r->bytes);
	m_bind_u64(st, 12, r->skipped);
	m_bind_u64(st, 13, r->errors);
	m_bind_text(st, 14, r->cost);
	m_bind_text(st, 15, r->predicted);
	m_bind_text(st, 16, r->error);
}

static bool run_words(struct db_stmt *st, struct meta_run *out)
{
	return m_text(st, 2, out->plan_name, sizeof(out->plan_name)) &&
	       m_text(st, 3, out->policy, sizeof(out->policy)) &&
	       m_text(st, 4, out->trigger, sizeof(out->trigger)) &&
	       m_text(st, 5, out->by, sizeof(out->by)) &&
	       m_text(st, 13, out->cost, sizeof(out->cost)) &&
	       m_text(st, 14, out->predicted, sizeof(out->predicted)) &&
	       m_text(st, 15, out->error, sizeof(out->error));
}

static bool run_read(struct db_stmt *st, void *row)
{
	struct meta_run *out = row;
	uint32_t state;

	memset(out, 0, sizeof(*out));
	out->id = (uint64_t)db_int(st, 0);
	out->plan = (uint64_t)db_int(st, 1);
	out->started_ns = db_int(st, 7);
	out->ended_ns = db_int(st, 8);
	out->files = (uint64_t)db_int(st, 9);
	out->bytes = (uint64_t)db_int(st, 10);
	out->skipped = (uint64_t)db_int(st, 11);
	out->errors = (uint64_t)db_int(st, 12);
	if (!m_u32(st, 6, META_RUN_FAILED, &state) || !run_words(st, out))
		return false;
	out->state = (enum meta_run_state)state;
	return true;
}

int meta_run_add(struct meta_txn *t, struct meta_run *in)
{
	int rc = meta_serial(t, "run.id", &in->id);
	struct db_stmt *st;

	if (rc < 0)
		return rc;
	st = m_stmt(t, META_G_RUN, ADD, sql);
	run_bind(st, in);
	return m_run_one(t, st);
}

int meta_run_update(struct meta_txn *t, const struct meta_run *in)
{
	struct db_stmt *st = m_stmt(t, META_G_RUN, UPDATE, sql);

	run_bind(st, in);
	return m_run_one(t, st);
}

int meta_run_list(struct meta_txn *t, uint64_t before, struct meta_run *out,
		  size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_RUN, LIST, sql);

	m_bind_int(st, 1, before ? (int64_t)before : INT64_MAX);
	m_bind_u64(st, 2, max);
	return m_list(t, st, run_read, out, sizeof(*out), max);
}
