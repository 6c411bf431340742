/* SPDX-License-Identifier: Apache-2.0 */
/* The job "checkpoint": keeps the log short (S5, S6) and id blocks ready. */
#include "meta/internal.h"

#include "base/clock.h"

#define RETRY_NS 1000000000LL

int meta_checkpoint_now(struct meta *m)
{
	LOCK_SCOPE(&m->checkpoint); /* one at a time */
	return meta_tell_lost(m, db_checkpoint(m->conn.db, &m->conn.lock));
}

/*
 * Whether commits wake the job. While it retries they do not: it would turn
 * its back-off into a loop.
 */
static void checkpoint_wakes(struct meta *m, bool on)
{
	LOCK_SCOPE(&m->conn.lock);
	m->checkpointing = !on;
}

/* Copies a long log now, a short one when it has waited; *next = how long. */
static int checkpoint_due(struct meta *m, int64_t *next)
{
	int64_t bytes = db_log_bytes(m->conn.db), now = clock_boot_ns();
	int64_t age = now - m->checkpoint_ns;
	int rc;

	*next = META_CHECKPOINT_NS;
	if (bytes == 0)
		return 0;
	if (bytes <= META_LOG_BYTES && age < META_CHECKPOINT_NS) {
		*next = META_CHECKPOINT_NS - age;
		return 0;
	}
	rc = meta_checkpoint_now(m);
	if (rc == 0)
		m->checkpoint_ns = now;
	return rc;
}

int64_t meta_checkpoint_run(struct job *job, void *arg)
{
	struct meta *m = arg;
	int64_t next;
	int rc;

	(void)job;
	checkpoint_wakes(m, true);
	rc = meta_ids_refill(m);
	if (rc == 0)
		rc = checkpoint_due(m, &next);
	if (rc == 0)
		return next;
	checkpoint_wakes(m, false);
	return rc == -EBUSY ? RETRY_NS : rc; /* a reader is no failure */
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
