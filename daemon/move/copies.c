/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that never close (S14): a database, a log, a file that somebody has
 * mapped. When such a file has changes older than max_unprotected, a copy of
 * it is sealed, sent and named as any other version; the file stays dirty.
 * Its extents are those of the copy then, which the next protect replaces.
 */
#include "move/impl.h"

#include <string.h>

#include "base/log.h"

#define COPIES_PAGE	64
#define COPIES_MIN_NS	(NSEC_PER_SEC / 4)
#define COPIES_MAX_NS	(300 * NSEC_PER_SEC)
#define COPIES_PAUSE_NS (NSEC_PER_SEC / 4)

static int copies_page(struct move *mv, uint64_t after, uint64_t *ino)
{
	META_TXN(t);
	int rc = meta_look(mv->m, &t);

	return rc < 0 ? rc : meta_opened(&t, after, ino, COPIES_PAGE);
}

static bool copy_due(struct move *mv, uint64_t ino)
{
	struct meta_inode row;

	return meta_inode_find(mv->m, ino, &row) == 0 &&
	       row.state == META_DIRTY && row.opened_for_write &&
	       !row.damaged && row.nlink > 0 && row.dirty_ns > 0 &&
	       row.dirty_ns <= clock_wall_ns() - mv->o.max_unprotected_ns;
}

static int copy_protect(struct move *mv, struct job *job, uint64_t ino)
{
	CLEANUP(parcel_done) struct parcel p = { .copies = true };
	int rc = parcel_add(mv, &p, ino);

	if (rc == 0)
		rc = protect_send(mv, job, &p);
	if (rc > 0)
		log_info("inode %llu: open for long: a copy is protected",
			 (unsigned long long)ino);
	return MIN(rc, 0);
}

/* One that is closed, changed or gone meanwhile is another job's. */
static int copy_one(struct move *mv, struct job *job, uint64_t ino)
{
	int rc = copy_protect(mv, job, ino);

	switch (rc) {
	case -EBUSY:
	case -ESTALE:
	case -ENOENT:
	case -EIO: /* damaged, and logged */
		return 0;
	case -ENOSPC:
		job_waiting(job, "there is no room for a copy of inode %llu",
			    (unsigned long long)ino);
		move_sleep(job, COPIES_PAUSE_NS);
		return 0;
	default:
		return rc;
	}
}

int64_t copies_run(struct job *job, void *arg)
{
	struct move *mv = arg;
	int64_t every = mv->o.max_unprotected_ns / 8;
	uint64_t ino[COPIES_PAGE], after = 0;
	int n, i, rc = 0;

	if (mv->o.max_unprotected_ns == 0)
		return JOB_IDLE;
	job_begin(job, 0, 0);
	do {
		n = copies_page(mv, after, ino);
		for (i = 0; rc == 0 && i < n && !job_stopping(job); i++)
			if (copy_due(mv, ino[i]))
				rc = copy_one(mv, job, ino[i]);
		if (n > 0)
			after = ino[n - 1];
	} while (rc == 0 && n == COPIES_PAGE && !job_stopping(job));
	if (n < 0 || (rc < 0 && rc != -EINTR))
		return n < 0 ? n : rc;
	return MIN(MAX(every, COPIES_MIN_NS), COPIES_MAX_NS);
}
