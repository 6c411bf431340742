/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions and the barrier.
 *
 * A transaction that met an error is marked (meta.error) and cannot be
 * committed, so a caller that overlooks one loses its change, not its
 * consistency. Reads do without BEGIN: the commit mutex keeps what they see.
 */
#include "meta/internal.h"

int meta_begin_raw(struct meta *m, struct meta_txn *t)
{
	int rc = db_begin(m->conn.db);

	if (rc < 0)
		return rc;
	m->error = 0;
	m->last.ino = 0;
	m->saved = m->now;
	t->m = m;
	t->write = true;
	return 0;
}

/* The mutex reports a second transaction of the same thread. */
static int meta_lock(struct meta *m)
{
	return -pthread_mutex_lock(&m->commit);
}

int meta_begin(struct meta *m, struct meta_txn *t)
{
	int rc = meta_lock(m);

	if (rc < 0)
		return rc;
	while (!meta_ids_room(m)) {
		pthread_mutex_unlock(&m->commit);
		rc = meta_ids_refill(m);
		if (rc < 0)
			return rc;
		pthread_mutex_lock(&m->commit);
	}
	rc = meta_begin_raw(m, t);
	if (rc < 0)
		pthread_mutex_unlock(&m->commit);
	return rc;
}

int meta_read(struct meta *m, struct meta_txn *t)
{
	int rc = meta_lock(m);

	if (rc < 0)
		return rc;
	m->error = 0;
	m->last.ino = 0;
	t->m = m;
	t->write = false;
	return 0;
}

/* Ends it: unlocks, and wakes the job when there is something for it. */
static void meta_end(struct meta_txn *t)
{
	struct meta *m = t->m;
	bool wake =
		!m->checkpointing &&
		(meta_ids_low(m) || db_log_bytes(m->conn.db) > META_LOG_BYTES);

	if (wake)
		m->checkpointing = true;
	t->m = NULL;
	pthread_mutex_unlock(&m->commit);
	if (wake)
		job_wake(m->job);
}

int meta_commit(struct meta_txn *t, uint64_t *seq)
{
	struct meta *m = t->m;
	uint64_t now = atomic_load(&m->committed);
	int rc = m->error;

	if (t->write && rc == 0)
		rc = meta_counts_save(t);
	if (t->write && rc == 0)
		rc = db_commit(m->conn.db);
	if (rc < 0) {
		meta_abort(t);
		return rc;
	}
	if (t->write)
		atomic_store(&m->committed, ++now);
	if (seq)
		*seq = now;
	meta_end(t);
	return 0;
}

void meta_abort(struct meta_txn *t)
{
	struct meta *m = t->m;

	if (!m)
		return;
	if (t->write) {
		db_rollback(m->conn.db);
		m->now = m->saved;
	}
	meta_end(t);
}

/* One fsync for all that has been committed; called and returns locked. */
static int meta_sync_locked(struct meta *m)
{
	uint64_t upto;
	int rc;

	m->syncing = true;
	pthread_mutex_unlock(&m->sync);
	upto = atomic_load(&m->committed);
	rc = db_sync(m->conn.db);
	pthread_mutex_lock(&m->sync);
	m->syncing = false;
	if (rc == 0)
		m->durable = upto;
	pthread_cond_broadcast(&m->synced);
	return rc;
}

int meta_durable(struct meta *m, uint64_t seq)
{
	int rc = 0;

	if (!atomic_load(&m->barrier))
		return 0;
	if (seq > atomic_load(&m->committed))
		return -EINVAL;
	if (seq == 0)
		seq = atomic_load(&m->committed);
	LOCK_SCOPE(&m->sync);
	while (rc == 0 && m->durable < seq) {
		if (m->syncing)
			pthread_cond_wait(&m->synced, &m->sync);
		else
			rc = meta_sync_locked(m);
	}
	return rc;
}

void meta_set_barrier(struct meta *m, bool on)
{
	atomic_store(&m->barrier, on);
}
