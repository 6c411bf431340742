/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evict: from the high to the low watermark, what is worth least first
 * (cache/value.h). The least of all stands at the head of one of the classes,
 * so a page of each is looked at and no more. When what is protected is not
 * enough, protect is asked to hurry.
 *
 * Open files stay, and pinned ones (cache_evict_many). What costs more to
 * bring back than its bytes say, as from an archive class, is to be dear in
 * evict_dear().
 */
#include "move/impl.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

#define EVICT_PAGE     CACHE_EVICT_BATCH
#define EVICT_CHECK_NS (5 * NSEC_PER_SEC) /* others fill the disk too */
#define EVICT_AGAIN_NS (NSEC_PER_SEC / 4)
#define EVICT_CHEAP    (256ULL << 10) /* bytes that are worth a GET */
#define EVICT_GHOST    "evict.ghost"

/* ---- what has left -------------------------------------------------- */

#define GHOST_SIZE (8 * VALUE_GHOSTS)

int evict_load(struct move *mv, struct err *err)
{
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc == 0)
		rc = meta_value_get(&t, EVICT_GHOST, &b);
	if (rc < 0 && rc != -ENOENT)
		return fail(err, rc, "cannot read what was evicted: %m");
	for (i = 0; b.len == GHOST_SIZE && i < VALUE_GHOSTS; i++)
		mv->ghost.time[i] = (int64_t)get_le64(b.data + 8 * i);
	cache_left(mv->c, value_ghost_since(&mv->ghost));
	return 0;
}

static int ghost_save(struct move *mv)
{
	uint8_t v[GHOST_SIZE];
	size_t i;
	META_TXN(t);
	int rc = meta_begin(mv->m, &t);

	for (i = 0; i < VALUE_GHOSTS; i++)
		put_le64(v + 8 * i, (uint64_t)mv->ghost.time[i]);
	if (rc == 0)
		rc = meta_value_set(&t, EVICT_GHOST, v, sizeof(v));
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* ---- choosing ------------------------------------------------------- */

/* The least worthy of each class, a page at a time. */
struct heads {
	struct head {
		struct meta_victim v[EVICT_PAGE], last;
		int at, n;
		bool end;
	} of[VALUE_CLASSES];
	int64_t now_ns;
};

static void heads_init(struct heads *h)
{
	int c;

	memset(h, 0, sizeof(*h));
	for (c = 0; c < VALUE_CLASSES; c++)
		h->of[c].last.access_ns = value_first(c) - (c > 0);
}

/* What came since a class was at its end must go before what is worth more. */
static void heads_renew(struct heads *h)
{
	int c;

	h->now_ns = clock_wall_ns();
	for (c = 0; c < VALUE_CLASSES; c++)
		h->of[c].end = false;
}

static int head_load(struct move *mv, struct head *h, int class)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc == 0)
		rc = meta_evictable(&t, h->last.access_ns, h->last.ino,
				    value_first(class + 1), h->v, EVICT_PAGE);
	if (rc < 0)
		return rc;
	h->at = 0;
	h->n = rc;
	h->end = rc < EVICT_PAGE;
	if (rc > 0)
		h->last = h->v[rc - 1];
	return 0;
}

/* The next one to go. 1, 0 when there are no more, or -errno. */
static int heads_next(struct move *mv, struct heads *hs,
		      struct meta_victim *out)
{
	struct head *least = NULL, *h;
	int c, rc;

	for (c = 0; c < VALUE_CLASSES; c++) {
		h = &hs->of[c];
		rc = h->at == h->n && !h->end ? head_load(mv, h, c) : 0;
		if (rc < 0)
			return rc;
		if (h->at < h->n &&
		    (!least ||
		     value_less(h->v[h->at].access_ns,
				least->v[least->at].access_ns, hs->now_ns)))
			least = h;
	}
	if (least)
		*out = least->v[least->at++];
	return least != NULL;
}

/* ---- dear ones ------------------------------------------------------ */

/*
 * Of those that would go together: one that frees little beside the others,
 * but takes a GET of its own to come back.
 */
static bool evict_dear(const struct meta_victim *v, uint64_t mean)
{
	return v->cached_bytes < EVICT_CHEAP && v->cached_bytes < mean / 8;
}

static int evict_again(struct move *mv, const struct meta_victim *v, size_t n,
		       int64_t now)
{
	struct meta_inode row;
	size_t i;
	META_TXN(t);
	int rc = n > 0 ? meta_begin(mv->m, &t) : 0;

	for (i = 0; rc == 0 && i < n; i++) {
		rc = meta_inode_get(&t, v[i].ino, &row);
		if (rc == -ENOENT)
			rc = 0;
		else if (rc == 0 && row.access_ns == v[i].access_ns &&
			 value_again(v[i].access_ns, now, &row.access_ns))
			rc = meta_inode_update(&t, &row);
	}
	return rc < 0 || n == 0 ? rc : meta_commit(&t, NULL);
}

/* Takes the dear ones out, for one more round. How many stay. */
static size_t evict_sift(struct move *mv, struct meta_victim *v, size_t n,
			 int64_t now)
{
	struct meta_victim dear[EVICT_PAGE];
	uint64_t sum = 0;
	size_t i, k = 0, d = 0;
	int64_t key;
	int rc;

	for (i = 0; i < n; i++)
		sum += v[i].cached_bytes;
	for (i = 0; i < n; i++)
		if (evict_dear(&v[i], sum / n) &&
		    value_again(v[i].access_ns, now, &key))
			dear[d++] = v[i];
		else
			v[k++] = v[i];
	rc = evict_again(mv, dear, d, now);
	if (rc < 0) /* they stay for this pass */
		log_debug("evict: no second round: %s", errno_name(-rc));
	return k;
}

/* ---- the job -------------------------------------------------------- */

static bool evict_enough(struct cache *c)
{
	struct cache_usage u;

	cache_usage(c, &u);
	return u.used <= u.goal && u.disk_free >= u.free_goal;
}

static uint64_t evict_need(struct cache *c)
{
	struct cache_usage u;
	uint64_t need;

	cache_usage(c, &u);
	need = u.used > u.goal ? u.used - u.goal : 0;
	return u.free_goal > u.disk_free ? MAX(need, u.free_goal - u.disk_free)
					 : need;
}

static int evict_batch(struct move *mv, struct job *job,
		       const struct meta_victim *v, size_t n)
{
	struct cache_victim batch[EVICT_PAGE] = { 0 };
	struct cache_usage u;
	bool moved = false;
	size_t i;

	cache_usage(mv->c, &u);
	for (i = 0; i < n; i++)
		batch[i].ino = v[i].ino;
	cache_evict_many(mv->c, batch, n);
	for (i = 0; i < n; i++) {
		if (batch[i].rc != 0)
			continue;
		job_add(job, 1, batch[i].freed);
		moved |= value_ghost_note(&mv->ghost, v[i].access_ns,
					  batch[i].freed, u.size);
	}
	if (!moved)
		return 0;
	cache_left(mv->c, value_ghost_since(&mv->ghost));
	return ghost_save(mv);
}

/* As many as it takes, of one page. > 0: there may be more. */
static int evict_some(struct move *mv, struct job *job, struct heads *h)
{
	struct meta_victim v[EVICT_PAGE];
	uint64_t sum = 0, need = evict_need(mv->c);
	size_t n = 0;
	int rc = 1;

	/* What came a moment ago may be worth least, and has no row yet. */
	cache_settle(mv->c);
	heads_renew(h);
	while (sum < need && n < EVICT_PAGE &&
	       (rc = heads_next(mv, h, &v[n])) > 0)
		sum += v[n++].cached_bytes;
	if (rc < 0 || n == 0)
		return rc;
	n = evict_sift(mv, v, n, h->now_ns);
	rc = evict_batch(mv, job, v, n);
	return rc < 0 ? rc : 1;
}

/* True when the goal is reached. */
static int evict_pass(struct move *mv, struct job *job)
{
	struct heads *h = malloc(sizeof(*h));
	int rc = h ? 1 : -ENOMEM;

	if (h)
		heads_init(h);
	while (rc > 0 && !job_stopping(job) && !evict_enough(mv->c))
		rc = evict_some(mv, job, h);
	free(h);
	return rc;
}

int64_t evict_run(struct job *job, void *arg)
{
	struct move *mv = arg;
	struct cache_usage u;
	int rc = cache_ballast(mv->c);

	if (rc < 0) /* evicting helps, if anything does */
		log_warn("the room for the database: %s", errno_name(-rc));
	cache_usage(mv->c, &u);
	if (!u.over_high) {
		atomic_store(&mv->full, false);
		return EVICT_CHECK_NS;
	}
	job_begin(job, 0, u.used > u.goal ? u.used - u.goal : 0);
	rc = evict_pass(mv, job);
	if (rc < 0)
		return rc;
	atomic_store(&mv->full, rc == 0);
	if (rc)
		return EVICT_CHECK_NS;
	job_waiting(job, "the cache is full of files that are not protected "
			 "yet, in use or pinned");
	protect_hurry(mv);
	move_sleep(job, EVICT_AGAIN_NS);
	return EVICT_AGAIN_NS;
}
