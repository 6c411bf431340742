/* SPDX-License-Identifier: Apache-2.0 */
/* Reap: inodes that lost their last name and are no longer open. */
#include "move/impl.h"

#include <sys/stat.h>

#define REAP_PAGE     64		  /* rows of one transaction */
#define REAP_BATCH    512		  /* files of one barrier */
#define REAP_AGAIN_NS (60 * NSEC_PER_SEC) /* in case a wake was missed */
#define REAP_BUSY_NS  (NSEC_PER_SEC / 10) /* doubles, up to the above */

static bool reap_held(struct move *mv, uint64_t ino)
{
	LOCK_SCOPE(&mv->held.lock);
	return mv->held.fn && mv->held.fn(mv->held.arg, ino);
}

/* Regular files have bytes to drop first; rc 1: not regular. */
static int reap_page(struct move *mv, uint64_t after, struct cache_victim *v)
{
	uint64_t ino[REAP_PAGE];
	struct meta_inode row;
	int n, i, rc;
	META_TXN(t);

	rc = meta_read(mv->m, &t);
	if (rc < 0)
		return rc;
	n = meta_orphans(&t, after, ino, REAP_PAGE);
	for (i = 0; i < n; i++) {
		rc = meta_inode_get(&t, ino[i], &row);
		if (rc < 0)
			return rc;
		v[i] = (struct cache_victim){ .ino = ino[i],
					      .rc = !S_ISREG(row.mode) };
		if (reap_held(mv, ino[i]))
			v[i].rc = -EBUSY;
	}
	return n;
}

/* Up to REAP_BATCH of them. Count or -errno. */
static int reap_batch(struct move *mv, uint64_t after, struct cache_victim *v)
{
	int n, total = 0;

	do {
		n = reap_page(mv, after, v + total);
		if (n < 0)
			return n;
		total += n;
		if (n > 0)
			after = v[total - 1].ino;
	} while (n == REAP_PAGE && total + REAP_PAGE <= REAP_BATCH);
	return total;
}

/* Drops the bytes of those that have some, with one barrier. */
static void reap_drop(struct move *mv, struct cache_victim *v, int n)
{
	struct cache_victim file[REAP_BATCH];
	size_t k = 0;
	int i;

	for (i = 0; i < n; i++)
		if (v[i].rc == 0)
			file[k++] = v[i];
	if (k > 0)
		cache_drop_many(mv->c, file, k);
	for (i = 0, k = 0; i < n; i++)
		if (v[i].rc == 0)
			v[i] = file[k++];
}

/* Those in use stay, and are counted. */
static int reap_rows(struct move *mv, struct job *job,
		     const struct cache_victim *v, int n, unsigned *busy)
{
	META_TXN(t);
	int i, rc = meta_begin(mv->m, &t);

	for (i = 0; rc == 0 && i < n; i++) {
		if (v[i].rc < 0) {
			*busy += v[i].rc == -EBUSY;
			continue;
		}
		rc = meta_inode_delete(&t, v[i].ino);
		if (rc == 0)
			job_add(job, 1, v[i].freed);
	}
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static int reap_all(struct move *mv, struct job *job, struct cache_victim *v,
		    unsigned *busy)
{
	uint64_t after = 0;
	int n, i, rc = 0;

	do {
		n = reap_batch(mv, after, v);
		if (n <= 0)
			return n;
		after = v[n - 1].ino;
		reap_drop(mv, v, n);
		for (i = 0; rc == 0 && i < n; i += REAP_PAGE)
			rc = reap_rows(mv, job, v + i, MIN(n - i, REAP_PAGE),
				       busy);
	} while (rc == 0 && n == REAP_BATCH && !job_stopping(job));
	return rc;
}

/*
 * When to look again. The last close of a file wakes us, but not who seals,
 * flushes or evicts it: their turn is short, so the first looks come soon.
 */
static int64_t reap_next(struct move *mv, unsigned busy)
{
	if (busy == 0 || busy != mv->reap_busy)
		mv->reap_pause_ns = REAP_BUSY_NS;
	else
		mv->reap_pause_ns = MIN(2 * mv->reap_pause_ns, REAP_AGAIN_NS);
	mv->reap_busy = busy;
	return busy ? mv->reap_pause_ns : REAP_AGAIN_NS;
}

int64_t reap_run(struct job *job, void *arg)
{
	CLEANUP_FREE struct cache_victim *v = calloc(REAP_BATCH, sizeof(*v));
	struct move *mv = arg;
	unsigned busy = 0;
	int rc;

	if (!v)
		return -ENOMEM;
	job_begin(job, 0, 0);
	rc = reap_all(mv, job, v, &busy);
	return rc < 0 ? rc : reap_next(mv, busy);
}

static bool lost_stop(void *job)
{
	return job_stopping(job);
}

int64_t lost_run(struct job *job, void *arg)
{
	struct move *mv = arg;
	int n;

	job_begin(job, 0, 0);
	n = cache_scan_lost(mv->c, lost_stop, job);
	if (n > 0)
		job_add(job, (uint64_t)n, 0);
	return n < 0 && n != -EINTR ? n : 24 * 3600 * NSEC_PER_SEC;
}
