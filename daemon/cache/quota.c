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

void quota_follow_locked(struct cache_file *f)
{
	if (f->size > f->charged) {
		meta_grown(f->c->m, (int64_t)(f->size - f->charged));
		f->charged = f->size;
	}
	quota_settle_locked(f);
}

void quota_forget(struct cache_file *f)
{
	if (f->charged != f->row_size)
		meta_grown(f->c->m, (int64_t)(f->row_size - f->charged));
	f->charged = f->row_size;
}

/* ---- is it so? ------------------------------------------------------ */

#define ACCOUNT_TRIES 100
#define ACCOUNT_PAUSE 5000000 /* ns */

/* Charged for files in memory beyond what their rows have. */
static int64_t account_memory(struct cache *c)
{
	struct cache_file *f, *next;
	int64_t sum = 0;

	LOCK_SCOPE(&c->lock);
	HASH_ITER(hh, c->table, f, next)
		sum += (int64_t)(f->charged - f->row_size);
	return sum;
}

/* The same as the account says. */
static int account_meta(struct cache *c, int64_t *sum)
{
	struct meta_usage u;
	META_TXN(t);
	int rc = meta_read(c->m, &t);

	if (rc < 0)
		return rc;
	meta_usage(&t, &u);
	*sum = (int64_t)(u.bytes - u.row_bytes);
	return 0;
}

/* Two numbers that move are equal when both are looked at while neither does,
 * which a busy trust lets happen soon. */
int cache_account(struct cache *c)
{
	int64_t before = 0, after = 0, memory, differs = 0;
	bool steady = true;
	int i, rc;

	for (i = 0; i < ACCOUNT_TRIES; i++) {
		rc = account_meta(c, &before);
		memory = account_memory(c);
		if (rc == 0)
			rc = account_meta(c, &after);
		if (rc < 0)
			return rc;
		if (before == memory && after == memory)
			return 1;
		steady = steady && before == after &&
			 (i == 0 || before - memory == differs);
		differs = before - memory;
		clock_sleep_ns(ACCOUNT_PAUSE);
	}
	return steady ? 0 : -EAGAIN;
}
