/* SPDX-License-Identifier: Apache-2.0 */
/* The job "checkpoint": keeps the log short (S5, S6) and id blocks ready. */
#include "meta/internal.h"

#define RETRY_NS 1000000000LL

int meta_checkpoint_now(struct meta *m)
{
	LOCK_SCOPE(&m->checkpoint); /* one at a time */
	return db_checkpoint(m->conn.db, &m->commit);
}

int64_t meta_checkpoint_run(struct job *job, void *arg)
{
	struct meta *m = arg;
	int rc;

	pthread_mutex_lock(&m->commit);
	m->checkpointing = false; /* what comes from here on wakes us again */
	pthread_mutex_unlock(&m->commit);
	rc = meta_ids_refill(m);
	if (rc < 0)
		return rc;
	if (db_log_bytes(m->conn.db) == 0)
		return META_CHECKPOINT_NS;
	rc = meta_checkpoint_now(m);
	if (rc == -EBUSY) {
		job_waiting(job, "a reader of the database");
		return RETRY_NS;
	}
	return rc < 0 ? rc : META_CHECKPOINT_NS;
}

int64_t meta_log_bytes(struct meta *m)
{
	return db_log_bytes(m->conn.db);
}

void meta_job(struct meta *m, struct job_info *out)
{
	job_get(m->job, out);
}

int meta_check(struct meta *m, struct err *err)
{
	CLEANUP(db_close_guard) struct db *db = NULL;
	/* Its own connection: commits go on meanwhile. */
	int rc = db_open_again(m->conn.db, &db);

	if (rc < 0)
		return fail(err, rc, "cannot open the database again: %m");
	return db_check(db, err);
}
