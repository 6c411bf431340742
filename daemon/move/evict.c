/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evict: from the high to the low watermark, the least recently opened
 * first. When what is protected is not enough, protect is asked to hurry.
 */
#include "move/impl.h"

#define EVICT_PAGE     CACHE_EVICT_BATCH
#define EVICT_CHECK_NS (5 * NSEC_PER_SEC) /* others fill the disk too */
#define EVICT_AGAIN_NS (NSEC_PER_SEC / 4)

static bool evict_enough(struct cache *c)
{
	struct cache_usage u;

	cache_usage(c, &u);
	return u.used <= u.goal && u.disk_free >= u.free_goal;
}

static int evict_page(struct move *mv, const struct meta_victim *last,
		      struct meta_victim *v)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	return rc < 0 ? rc
		      : meta_evictable(&t, last->access_ns, last->ino, v,
				       EVICT_PAGE);
}

/* As many of the page as it takes. */
static void evict_some(struct move *mv, struct job *job,
		       const struct meta_victim *v, size_t n)
{
	struct cache_victim batch[EVICT_PAGE] = { 0 };
	struct cache_usage u;
	uint64_t sum = 0, need;
	size_t i, k = 0;

	cache_usage(mv->c, &u);
	need = u.used > u.goal ? u.used - u.goal : 0;
	if (u.free_goal > u.disk_free)
		need = MAX(need, u.free_goal - u.disk_free);
	for (i = 0; i < n && sum < need; i++) {
		batch[k++].ino = v[i].ino;
		sum += v[i].cached_bytes;
	}
	cache_evict_many(mv->c, batch, k);
	for (i = 0; i < k; i++)
		if (batch[i].rc == 0)
			job_add(job, 1, batch[i].freed);
}

/* True when the goal is reached. */
static int evict_pass(struct move *mv, struct job *job)
{
	struct meta_victim v[EVICT_PAGE], last = { .access_ns = INT64_MIN };
	int n;

	while (!evict_enough(mv->c)) {
		if (job_stopping(job))
			return true;
		n = evict_page(mv, &last, v);
		if (n <= 0)
			return n;
		evict_some(mv, job, v, (size_t)n);
		last = v[n - 1];
	}
	return true;
}

int64_t evict_run(struct job *job, void *arg)
{
	struct move *mv = arg;
	struct cache_usage u;
	int rc;

	cache_usage(mv->c, &u);
	if (!u.over_high)
		return EVICT_CHECK_NS;
	job_begin(job, 0, u.used > u.goal ? u.used - u.goal : 0);
	rc = evict_pass(mv, job);
	if (rc < 0)
		return rc;
	if (rc)
		return EVICT_CHECK_NS;
	job_waiting(job, "the cache is full of files that are not protected "
			 "yet or in use");
	move_protect_now(mv, 0);
	move_sleep(job, EVICT_AGAIN_NS);
	return EVICT_AGAIN_NS;
}
