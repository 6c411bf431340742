/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account of a trust, exact at each moment: what the counters of the rows
 * say, plus what files that are open for writing have grown beyond their
 * rows. Files are counted under the commit mutex, where inodes come and go;
 * bytes in one number that any writer moves without a lock or transaction. A
 * commit moves it too, but not for growth that it holds already (meta.told).
 */
#include "meta/internal.h"

void meta_quota_set(struct meta *m, const struct meta_quota *q)
{
	atomic_store(&m->quota_bytes, q->bytes);
	atomic_store(&m->quota_files, q->files);
}

void meta_quota_get(struct meta *m, struct meta_quota *out)
{
	out->bytes = atomic_load(&m->quota_bytes);
	out->files = atomic_load(&m->quota_files);
}

void meta_usage(struct meta_txn *t, struct meta_usage *out)
{
	struct meta *m = t->m;

	out->bytes = (uint64_t)MAX(atomic_load(&m->bytes), (int64_t)0);
	out->files = (uint64_t)meta_counts_files(&m->now);
	out->unlinked = (uint64_t)m->now.orphans;
	out->row_bytes = (uint64_t)meta_counts_bytes(&m->now);
}

int meta_quota_file(const struct meta *m)
{
	uint64_t limit = atomic_load(&m->quota_files);

	if (limit && meta_counts_files(&m->now) >= (int64_t)limit)
		return -EDQUOT;
	return 0;
}

uint64_t meta_quota_left(struct meta *m)
{
	int64_t limit = (int64_t)atomic_load(&m->quota_bytes);
	int64_t now = atomic_load(&m->bytes);

	if (!limit)
		return UINT64_MAX;
	return now < limit ? (uint64_t)(limit - now) : 0;
}

int meta_grow(struct meta *m, uint64_t bytes)
{
	int64_t now = atomic_load(&m->bytes), limit;

	do {
		limit = (int64_t)atomic_load(&m->quota_bytes);
		if (limit && (now > limit || bytes > (uint64_t)(limit - now)))
			return -EDQUOT;
	} while (!atomic_compare_exchange_weak(&m->bytes, &now,
					       now + (int64_t)bytes));
	return 0;
}

void meta_grown(struct meta *m, int64_t bytes)
{
	atomic_fetch_add(&m->bytes, bytes);
}
