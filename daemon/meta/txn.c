/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions and the barrier.
 *
 * A transaction that met an error is marked (meta_txn.error) and cannot be
 * committed, so a caller that overlooks one loses its change, not its
 * consistency. Reads do without BEGIN: the commit mutex keeps what they see.
 */
#include "meta/internal.h"

int meta_begin_locked(struct meta *m, struct meta_txn *t)
{
	int rc = db_begin(m->conn.db);

	if (rc < 0)
		return rc;
	meta_counts_begin(m);
	m->touched.n = 0;
	m->touched.more = false;
	*t = (struct meta_txn){ .m = m, .conn = &m->conn, .write = true };
	return 0;
}

/* The mutex reports a second transaction of the same thread. */
static int meta_lock(struct meta_conn *c)
{
	return -pthread_mutex_lock(&c->lock);
}

int meta_begin(struct meta *m, struct meta_txn *t)
{
	int rc = meta_lock(&m->conn);

	if (rc < 0)
		return rc;
	rc = meta_ids_ensure(m);
	if (rc == 0)
		rc = meta_begin_locked(m, t);
	if (rc < 0)
		pthread_mutex_unlock(&m->conn.lock);
	return rc;
}

int meta_read(struct meta *m, struct meta_txn *t)
{
	int rc = meta_lock(&m->conn);

	if (rc < 0)
		return rc;
	m->touched.n = 0;
	m->touched.more = false;
	*t = (struct meta_txn){ .m = m, .conn = &m->conn };
	return 0;
}

int meta_look(struct meta *m, struct meta_txn *t)
{
	int rc = meta_lock(&m->look);

	if (rc < 0)
		return rc;
	if (!m->look.db)
		rc = db_open_again(m->conn.db, &m->look.db);
	if (rc == 0)
		rc = db_begin_read(m->look.db);
	if (rc < 0) {
		pthread_mutex_unlock(&m->look.lock);
		return rc;
	}
	*t = (struct meta_txn){ .m = m, .conn = &m->look };
	return 0;
}

static void meta_look_end(struct meta *m)
{
	db_rollback(m->look.db);
	pthread_mutex_unlock(&m->look.lock);
}

void meta_unlock(struct meta *m)
{
	bool wake =
		!m->checkpointing &&
		(meta_ids_low(m) || db_log_bytes(m->conn.db) > META_LOG_BYTES);

	if (wake)
		m->checkpointing = true;
	pthread_mutex_unlock(&m->conn.lock);
	if (wake)
		job_wake(m->job);
}

/* What the transaction has written is what everybody sees now. */
static void meta_publish(struct meta *m)
{
	unsigned i;

	for (i = 0; i < m->touched.n; i++)
		if (m->touched.row[i].ino)
			meta_rows_put(m->rows, &m->touched.row[i]);
}

int meta_commit_locked(struct meta_txn *t, uint64_t *seq)
{
	struct meta *m = t->m;
	uint64_t now = atomic_load(&m->committed);
	int rc = t->error;

	if (t->write && rc == 0)
		rc = meta_counts_save(t);
	if (t->write && rc == 0)
		rc = db_commit(m->conn.db);
	if (rc < 0) {
		meta_abort_locked(t);
		return rc;
	}
	if (t->write) {
		meta_counts_committed(m);
		atomic_store(&m->committed, ++now);
		meta_publish(m);
	}
	if (seq)
		*seq = now;
	t->m = NULL;
	return 0;
}

void meta_abort_locked(struct meta_txn *t)
{
	if (t->write) {
		db_rollback(t->m->conn.db);
		meta_counts_undo(t->m);
	}
	t->m = NULL;
}

int meta_commit(struct meta_txn *t, uint64_t *seq)
{
	struct meta *m = t->m;
	int rc;

	if (t->conn == &m->look) {
		rc = t->error;
		meta_abort(t);
		return rc;
	}
	rc = meta_commit_locked(t, seq);
	meta_unlock(m);
	return rc;
}

void meta_abort(struct meta_txn *t)
{
	struct meta *m = t->m;

	if (!m)
		return;
	if (t->conn == &m->look) {
		t->m = NULL;
		meta_look_end(m);
		return;
	}
	meta_abort_locked(t);
	meta_unlock(m);
}

int meta_tell_lost(struct meta *m, int rc)
{
	int lost = rc < 0 ? db_lost(m->conn.db) : 0;

	if (lost == 0)
		return rc;
	LOCK_SCOPE(&m->lost_lock);
	if (m->lost_fn)
		m->lost_fn(m->lost_arg, lost);
	return rc;
}

void meta_on_lost(struct meta *m, void (*fn)(void *arg, int rc), void *arg)
{
	pthread_mutex_lock(&m->lost_lock);
	m->lost_fn = fn;
	m->lost_arg = arg;
	pthread_mutex_unlock(&m->lost_lock);
	meta_tell_lost(m, db_lost(m->conn.db));
}

int meta_sync(struct meta *m)
{
	return meta_tell_lost(m, db_sync(m->conn.db));
}

/* One fsync for all that has been committed; called and returns locked. */
static int meta_sync_locked(struct meta *m)
{
	uint64_t upto;
	int rc;

	m->syncing = true;
	pthread_mutex_unlock(&m->sync);
	upto = atomic_load(&m->committed);
	rc = meta_sync(m);
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
