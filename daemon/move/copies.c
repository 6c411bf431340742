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
#define COPIES_FAILED	8 /* files, then a pass ends */
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
	int rc = atomic_load(&mv->full) ? -ENOSPC : parcel_add(mv, &p, ino);

	if (rc == 0)
		rc = protect_send(mv, job, &p);
	if (rc > 0)
		log_info("inode %llu: open for long: a copy is protected",
			 (unsigned long long)ino);
	if (rc < 0 && rc != -EINTR)
		job_error(job, "inode %llu: no copy of it is protected: %s",
			  (unsigned long long)ino,
			  *p.why ? p.why : strerror(-rc));
	return MIN(rc, 0);
}

/* One that is closed, changed, gone or damaged meanwhile is another job's. */
static int copy_one(struct move *mv, struct job *job, uint64_t ino)
{
	int rc = copy_protect(mv, job, ino);

	switch (rc) {
	case -EBUSY:
	case -ESTALE:
	case -ENOENT:
		return 0;
	case -EIO:
		return copy_due(mv, ino) ? rc : 0;
	case -ENOSPC:
		job_waiting(job, "there is no room for a copy of inode %llu",
			    (unsigned long long)ino);
		move_sleep(job, COPIES_PAUSE_NS);
		return 0;
	default:
		return rc;
	}
}

/* A file that fails holds up no other. After COPIES_FAILED the next run goes
 * on behind them: it may be the store. The first error, or 0. */
static int copies_pass(struct move *mv, struct job *job)
{
	uint64_t ino[COPIES_PAGE], after = mv->copies_after;
	int n, i, one, rc = 0, failed = 0;

	do {
		n = copies_page(mv, after, ino);
		for (i = 0; i < n && failed < COPIES_FAILED; i++) {
			if (job_stopping(job))
				return 0;
			after = ino[i];
			if (!copy_due(mv, after))
				continue;
			one = copy_one(mv, job, after);
			failed += one < 0;
			rc = rc ? rc : one;
		}
	} while (n == COPIES_PAGE && failed < COPIES_FAILED);
	mv->copies_after = failed < COPIES_FAILED ? 0 : after;
	return n < 0 ? n : rc;
}

int64_t copies_run(struct job *job, void *arg)
{
	struct move *mv = arg;
	int64_t every = mv->o.max_unprotected_ns / 8;
	uint32_t gen;
	int rc;

	if (mv->o.max_unprotected_ns == 0)
		return JOB_IDLE;
	if (fence_generation(mv->s.fence, &gen, NULL) < 0)
		return MIN(MAX(every, COPIES_MIN_NS), COPIES_MAX_NS);
	job_begin(job, 0, 0);
	rc = copies_pass(mv, job);
	if (rc < 0 && rc != -EINTR)
		return rc;
	return MIN(MAX(every, COPIES_MIN_NS), COPIES_MAX_NS);
}
