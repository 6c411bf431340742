/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that never come back (S3): the upper bound of a block is committed
 * and fsynced before a number of it is given out, so what a power cut undoes
 * is never a bound that was used. A restart skips the rest of the block.
 */
#include "meta/internal.h"

#define META_ID_BLOCK 16384
#define META_ID_LOW   8192 /* left: the job makes the next block durable */

enum { INSERT, UPDATE, LIST };
static const char *const sql[] = {
	[INSERT] = "INSERT INTO idblock (kind, upper) VALUES (?1, ?2)",
	[UPDATE] = "UPDATE idblock SET upper = ?2 WHERE kind = ?1",
	[LIST] = "SELECT kind, upper FROM idblock ORDER BY kind",
};

static int meta_ids_write(struct meta_txn *t, int i, int kind, uint64_t upper)
{
	struct db_stmt *st = m_stmt(t, META_G_IDS, i, sql);

	m_bind_int(st, 1, kind);
	m_bind_u64(st, 2, upper);
	return m_run_one(t, st);
}

int meta_ids_create(struct meta_txn *t)
{
	int kind, rc = 0;

	for (kind = 0; rc == 0 && kind < META_IDS; kind++)
		rc = meta_ids_write(t, INSERT, kind, META_ROOT_INO + 1);
	return rc;
}

int meta_ids_load(struct meta_txn *t)
{
	struct db_stmt *st = m_stmt(t, META_G_IDS, LIST, sql);
	struct meta_id_block *b;
	int kind = 0, rc;

	while ((rc = m_step(t, st)) == 1) {
		if (kind >= META_IDS || db_int(st, 0) != kind ||
		    db_int(st, 1) <= (int64_t)META_ROOT_INO)
			return m_unclean(t, st);
		b = &t->m->ids[kind++];
		b->next = b->limit = b->reserved = (uint64_t)db_int(st, 1);
	}
	if (rc == 0 && kind != META_IDS)
		rc = m_fail(t, -EUCLEAN);
	return rc;
}

static bool meta_ids_all(const struct meta *m, uint64_t left)
{
	int kind;

	for (kind = 0; kind < META_IDS; kind++)
		if (m->ids[kind].limit - m->ids[kind].next < left)
			return false;
	return true;
}

static bool meta_ids_room(const struct meta *m)
{
	return meta_ids_all(m, META_TXN_IDS);
}

bool meta_ids_low(const struct meta *m)
{
	return !meta_ids_all(m, META_ID_LOW);
}

/* Commits new upper bounds, not yet durable, for what runs low. */
static int meta_ids_reserve(struct meta *m)
{
	META_TXN(t);
	struct meta_id_block *b;
	uint64_t upper[META_IDS];
	int kind, rc;

	pthread_mutex_lock(&m->conn.lock);
	rc = meta_begin_locked(m, &t);
	if (rc < 0) {
		pthread_mutex_unlock(&m->conn.lock);
		return rc;
	}
	for (kind = 0; kind < META_IDS; kind++) {
		b = &m->ids[kind];
		upper[kind] = b->reserved;
		if (b->reserved - b->next < META_ID_LOW)
			upper[kind] += META_ID_BLOCK;
		rc = meta_ids_write(&t, UPDATE, kind, upper[kind]);
		if (rc < 0)
			return rc;
	}
	rc = meta_commit(&t, NULL);
	if (rc < 0)
		return rc;
	LOCK_SCOPE(&m->conn.lock);
	for (kind = 0; kind < META_IDS; kind++)
		m->ids[kind].reserved = upper[kind];
	return 0;
}

int meta_ids_refill(struct meta *m)
{
	uint64_t upper[META_IDS];
	bool low;
	int kind, rc;

	LOCK_SCOPE(&m->refill);
	pthread_mutex_lock(&m->conn.lock);
	low = meta_ids_low(m);
	pthread_mutex_unlock(&m->conn.lock);
	if (!low)
		return 0; /* somebody else did it while we waited */
	rc = meta_ids_reserve(m);
	if (rc < 0)
		return rc;
	for (kind = 0; kind < META_IDS; kind++)
		upper[kind] = m->ids[kind].reserved; /* changes under refill */
	rc = meta_sync(m);
	if (rc < 0)
		return rc;
	LOCK_SCOPE(&m->conn.lock);
	for (kind = 0; kind < META_IDS; kind++)
		m->ids[kind].limit = upper[kind];
	return 0;
}

int meta_ids_ensure(struct meta *m)
{
	int rc = 0;

	while (rc == 0 && !meta_ids_room(m)) {
		pthread_mutex_unlock(&m->conn.lock);
		rc = meta_ids_refill(m);
		pthread_mutex_lock(&m->conn.lock);
	}
	return rc;
}

int meta_id_next(struct meta_txn *t, enum meta_id_kind kind, uint64_t *id)
{
	struct meta_id_block *b = &t->m->ids[kind];

	if (!t->write)
		return m_fail(t, -EROFS);
	if (b->next >= b->limit)
		return m_fail(t, -ENOBUFS);
	if (kind == META_ID_INO && b->next >> META_INO_BITS)
		return m_fail(t, -ENOSPC);
	*id = b->next++;
	return 0;
}

int meta_new_ino(struct meta_txn *t, uint64_t *ino)
{
	return meta_id_next(t, META_ID_INO, ino);
}

int meta_new_version(struct meta_txn *t, uint64_t *version)
{
	return meta_id_next(t, META_ID_VERSION, version);
}

int meta_take_inos(struct meta *m, unsigned n, uint64_t *first)
{
	struct meta_id_block *b = &m->ids[META_ID_INO];
	META_TXN(t);
	int rc;

	if (n > META_TXN_IDS)
		return -EINVAL;
	rc = meta_begin(m, &t);
	if (rc < 0)
		return rc;
	*first = b->next;
	while (rc == 0 && n-- > 0)
		rc = meta_new_ino(&t, &(uint64_t){ 0 });
	return rc; /* what was taken stays taken, whatever becomes of it */
}
