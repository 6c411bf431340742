/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job "recall": files that are pinned come here and stay. What can be read
 * is fetched, what lies in an archive class is ordered first, and fetched when
 * it is there. Pins whose time is over end.
 */
#include "move/impl.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define BRING_PAGE     64
#define BRING_AGAIN_NS (600 * NSEC_PER_SEC)
#define BRING_EXPIRE   64
#define BRING_DAYS     7 /* a copy is kept, for a pin without an end */
#define BRING_DAYS_MAX 30

struct bring {
	struct move *mv;
	struct job *job;
	uint64_t archived; /* files that wait for their packs */
	uint64_t failed;
	int away;	/* what a store that is away said */
	unsigned tiers; /* those, by index */
};

static int bring_expire(struct bring *g)
{
	int n = 0, rc;

	do {
		META_TXN(t);

		rc = meta_begin(g->mv->m, &t);
		if (rc == 0)
			n = meta_pin_expire(&t, clock_wall_ns(), BRING_EXPIRE);
		if (rc == 0)
			rc = n < 0 ? n : meta_commit(&t, NULL);
	} while (rc == 0 && n == BRING_EXPIRE && !job_stopping(g->job));
	return rc;
}

/* As long as the copy of a pack is to be kept for a pin. */
static unsigned bring_days(const struct meta_pin *p)
{
	int64_t day = SEC_PER_DAY * NSEC_PER_SEC, left;

	if (!p->until_ns)
		return BRING_DAYS;
	left = (p->until_ns - clock_wall_ns()) / day + 1;
	return (unsigned)MIN(MAX(left, 1), BRING_DAYS_MAX);
}

static unsigned bring_tier(struct bring *g, struct meta_txn *t, uint64_t pack)
{
	struct meta_pack p;
	int tier = meta_pack_get(t, pack, &p);

	tier = tier < 0 ? tier : tier_find(g->mv, p.tier);
	return tier < 0 ? 0 : 1U << tier;
}

/* Can all of a file be read? What cannot is ordered. *tiers: where it lies. 0,
 * -EINPROGRESS, or -errno. */
static int bring_packs(struct bring *g, const struct meta_pin *pin,
		       uint64_t ino, unsigned *tiers)
{
	struct restore_want w = { .speed = STORE_STANDARD,
				  .days = bring_days(pin),
				  .cause = STORE_CAUSE_RECALL };
	uint64_t pack[BRING_PAGE], after = 0;
	int n, i, rc = 0, one, ready = 0;
	META_TXN(t);

	rc = meta_begin(g->mv->m, &t);
	if (rc < 0)
		return rc;
	do {
		n = meta_extent_packs(&t, ino, after, pack, BRING_PAGE);
		for (i = 0; i < n; i++) {
			w.pack = after = pack[i];
			*tiers |= bring_tier(g, &t, after);
			one = restore_want_once(&t, g->mv, &w);
			if (one < 0 && one != -EINPROGRESS)
				return one;
			ready = MIN(ready, one);
		}
	} while (n == BRING_PAGE);
	rc = n < 0 ? n : meta_commit(&t, NULL);
	if (rc == 0 && ready)
		move_wake(g->mv, &g->mv->restore);
	return rc < 0 ? rc : ready;
}

static int bring_fetch(struct bring *g, uint64_t ino)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc = cache_get(g->mv->c, ino, &f);

	return rc < 0 ? rc
		      : move_recall(g->mv, f, 0, 0, STORE_CAUSE_RECALL,
				    &g->mv->bring_stop);
}

static int bring_file(struct bring *g, const struct meta_pin *pin, uint64_t ino)
{
	struct meta_inode row;
	unsigned tiers = 0;
	int rc = meta_inode_find(g->mv->m, ino, &row);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!S_ISREG(row.mode) || row.size == 0 || row.nlink == 0 ||
	    row.state == META_DIRTY || row.state == META_LOCAL)
		return 0;
	if (atomic_load(&g->mv->full)) { /* it would not stay, but be billed */
		g->away = -ENOSPC;
		return 0;
	}
	rc = bring_packs(g, pin, ino, &tiers);
	if (rc == -EINPROGRESS) {
		g->archived++;
		return 0;
	}
	if (rc == 0 && (g->tiers & tiers)) /* it keeps no other from coming */
		return 0;
	if (rc == 0)
		rc = bring_fetch(g, ino);
	if (rc == 0)
		job_add(g->job, 1, row.size);
	if (rc == -ETIMEDOUT) {
		g->away = rc;
		g->tiers |= tiers;
	} else if (rc == -EIO) /* told by the fetch */
		g->failed++;
	return rc == -ETIMEDOUT || rc == -EIO || rc == -ENOENT ? 0 : rc;
}

static int bring_page(struct bring *g, uint64_t pin, uint64_t after,
		      uint64_t ino[BRING_PAGE])
{
	META_TXN(t);
	int rc = meta_read(g->mv->m, &t);

	return rc < 0 ? rc : meta_pin_files(&t, pin, after, ino, BRING_PAGE);
}

static int bring_pin(struct bring *g, const struct meta_pin *pin)
{
	uint64_t ino[BRING_PAGE], after = 0;
	int n, i, rc = 0;

	do {
		n = bring_page(g, pin->id, after, ino);
		for (i = 0; i < n && rc == 0 && !job_stopping(g->job); i++) {
			after = ino[i];
			rc = bring_file(g, pin, after);
		}
	} while (n == BRING_PAGE && rc == 0 && !job_stopping(g->job));
	return rc < 0 ? rc : MIN(n, 0);
}

static int bring_pins(struct bring *g, uint64_t after, struct meta_pin *p)
{
	META_TXN(t);
	int rc = meta_read(g->mv->m, &t);

	return rc < 0 ? rc : meta_pin_list(&t, after, p, BRING_PAGE);
}

static int bring_all(struct bring *g)
{
	struct meta_pin p[BRING_PAGE];
	uint64_t after = 0;
	int n, i, rc = 0;

	do {
		n = bring_pins(g, after, p);
		for (i = 0; i < n && rc == 0 && !job_stopping(g->job); i++) {
			after = p[i].id;
			rc = bring_pin(g, &p[i]);
		}
	} while (n == BRING_PAGE && rc == 0 && !job_stopping(g->job));
	return rc < 0 ? rc : MIN(n, 0);
}

int64_t bring_run(struct job *job, void *arg)
{
	struct bring g = { .mv = arg, .job = job };
	int rc;

	job_begin(job, 0, 0);
	rc = bring_expire(&g);
	if (rc == 0)
		rc = bring_all(&g);
	if (job_stopping(job))
		return JOB_IDLE;
	if (rc < 0)
		return rc;
	if (g.archived)
		job_waiting(job, "%llu pinned files from an archive",
			    (unsigned long long)g.archived);
	else
		job_waiting(job, NULL);
	if (g.away) {
		job_error(job, "pinned files cannot be fetched now: %s",
			  errno_name(-g.away));
		return g.away;
	}
	if (g.failed) {
		job_error(job,
			  "%llu pinned files cannot be read: the log "
			  "names them",
			  (unsigned long long)g.failed);
		return -EIO;
	}
	return BRING_AGAIN_NS;
}

void move_pinned(struct move *mv)
{
	move_wake(mv, &mv->bring);
}
