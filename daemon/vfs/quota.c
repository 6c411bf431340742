/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At the limit of a quota. Whether there is room is decided where the account
 * is (meta, and cache for bytes); here is what may still give some back:
 * removed files count until reap has dropped them, a moment later.
 */
#include "vfs/impl.h"

#include "base/clock.h"

#define QUOTA_WAIT_NS  (5 * NSEC_PER_SEC) /* as for room in the cache */
#define QUOTA_NAME_NS  NSEC_PER_SEC
#define QUOTA_PAUSE_NS 1000000

#define QUOTA_PAGE 64

/* Is there an inode that reap can drop: without a name, and not open? */
static bool reapable(struct vfs *v)
{
	uint64_t ino[QUOTA_PAGE], after = 0;
	META_TXN(t);
	int n, i;

	if (meta_read(v->meta, &t) < 0)
		return false;
	do {
		n = meta_orphans(&t, after, ino, QUOTA_PAGE);
		for (i = 0; i < n; i++)
			if (!handles_open(v, ino[i]))
				return true;
		after = n > 0 ? ino[n - 1] : 0;
	} while (n == QUOTA_PAGE);
	return false;
}

static bool cancelled(const struct vfs_wait *w)
{
	return w && w->cancel && __atomic_load_n(w->cancel, __ATOMIC_RELAXED);
}

bool vfs_quota_wait(struct vfs *v, struct vfs_quota *q, ssize_t *rc)
{
	const struct vfs_wait *w = vfs_wait_how();
	int64_t now;

	if (*rc != -EDQUOT)
		return false;
	if (!reapable(v)) {
		/* Perhaps it was a moment ago, and gave its room back after
		 * the call: one that comes now sees all there is. */
		q->last = !q->last;
		return q->last;
	}
	q->last = false;
	if (w && w->never && !q->name) {
		*rc = -EINPROGRESS;
		return false;
	}
	now = clock_boot_ns();
	if (!q->end_ns)
		q->end_ns = now + (q->name ? QUOTA_NAME_NS : QUOTA_WAIT_NS);
	if (now >= q->end_ns || cancelled(w))
		return false;
	move_reap_now(v->move);
	clock_sleep_ns(QUOTA_PAUSE_NS);
	return true;
}
