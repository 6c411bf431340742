/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: INTENT (held_ns 0) ─► held, or gone. A held one stays for good: an
 * object of its generation is this database's own.
 */
#include "meta/internal.h"

#include <string.h>

enum { INTEND, HELD, LOST, GET, LAST };
#define CLAIM_COLS "SELECT generation, text, held_ns FROM claim"
static const char *const sql[] = {
	[INTEND] = "INSERT INTO claim (generation, text, held_ns)"
		   " VALUES (?1, ?2, 0)",
	[HELD] = "UPDATE claim SET held_ns = ?2 WHERE generation = ?1",
	[LOST] = "DELETE FROM claim WHERE generation = ?1",
	[GET] = CLAIM_COLS " WHERE generation = ?1",
	[LAST] = CLAIM_COLS " ORDER BY generation DESC LIMIT 1",
};

int meta_claim_intend(struct meta_txn *t, const struct meta_claim *in)
{
	struct db_stmt *st = m_stmt(t, META_G_CLAIM, INTEND, sql);

	if (in->len > sizeof(in->text))
		return m_fail(t, -EINVAL);
	m_bind_int(st, 1, in->generation);
	m_bind_blob(st, 2, in->text, in->len);
	return m_run_one(t, st);
}

int meta_claim_held(struct meta_txn *t, uint32_t generation, int64_t now_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_CLAIM, HELD, sql);

	m_bind_int(st, 1, generation);
	m_bind_int(st, 2, now_ns);
	return m_run_one(t, st);
}

int meta_claim_lost(struct meta_txn *t, uint32_t generation)
{
	struct db_stmt *st = m_stmt(t, META_G_CLAIM, LOST, sql);

	m_bind_int(st, 1, generation);
	return m_run_one(t, st);
}

static int claim_row(struct meta_txn *t, struct db_stmt *st,
		     struct meta_claim *out)
{
	int rc = m_row(t, st);
	const void *text;

	if (rc < 0)
		return rc;
	memset(out, 0, sizeof(*out));
	text = db_blob(st, 1, &out->len);
	if (!text || !out->len || out->len > sizeof(out->text) ||
	    !m_u32(st, 0, UINT32_MAX, &out->generation))
		return m_unclean(t, st);
	out->held_ns = db_int(st, 2);
	memcpy(out->text, text, out->len);
	db_reset(st);
	return 0;
}

int meta_claim_get(struct meta_txn *t, uint32_t generation,
		   struct meta_claim *out)
{
	struct db_stmt *st = m_stmt(t, META_G_CLAIM, GET, sql);

	m_bind_int(st, 1, generation);
	return claim_row(t, st, out);
}

int meta_claim_last(struct meta_txn *t, struct meta_claim *out)
{
	return claim_row(t, m_stmt(t, META_G_CLAIM, LAST, sql), out);
}
