/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each file has in the account of the trust (meta_usage). Who is about
 * to make a file longer takes the difference first, so what is charged for a
 * file is never less than what it holds, and the sum of all never passes the
 * quota. While no change is under way it is exactly the file's size: no row
 * is written for that, and no lock but the file's is taken.
 */
#include "cache/impl.h"

int quota_take_locked(struct cache_file *f, uint64_t end)
{
	int rc;

	if (end <= f->charged)
		return 0;
	rc = meta_grow(f->c->m, end - f->charged);
	if (rc == 0)
		f->charged = end;
	return rc;
}

void quota_settle_locked(struct cache_file *f)
{
	if (f->changing > 0 || f->charged == f->size)
		return;
	meta_grown(f->c->m, (int64_t)(f->size - f->charged));
	f->charged = f->size;
}

void quota_forget(struct cache_file *f)
{
	if (f->charged != f->row_size)
		meta_grown(f->c->m, (int64_t)(f->row_size - f->charged));
	f->charged = f->row_size;
}
