/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of inodes in memory, above SQL: what was read or written lately, as
 * it is committed. Of a fixed size; the one that was not asked for longest
 * gives way (CLOCK). Its lock is a leaf, so that attributes are answered
 * beside a transaction.
 *
 * Rows come in and go out under the commit mutex only:
 *   - a change of a row takes it out at once, and the new one comes in after
 *     the commit (meta_touched); what is undone leaves a gap;
 *   - a row that was read comes in unless the transaction has changed rows
 *     that it does not remember any more.
 * So what is here is committed, and who does not find a row waits for the
 * transaction that changes it.
 */
#include "meta/internal.h"

#include <string.h>

#define NONE UINT32_MAX

struct rows_entry {
	struct meta_inode row; /* ino 0: free */
	uint32_t next;
	bool asked; /* since the hand went by */
};

struct meta_rows {
	pthread_mutex_t lock; /* guards all below */
	uint32_t n, hand;
	uint32_t mask; /* of buckets, whose number is a power of two */
	uint32_t *bucket;
	struct rows_entry *tab;
};

static uint32_t *rows_bucket(struct meta_rows *r, uint64_t ino)
{
	return &r->bucket[(ino * 0x9e3779b97f4a7c15ULL) >> 32 & r->mask];
}

struct meta_rows *meta_rows_new(uint64_t bytes)
{
	struct meta_rows *r = calloc(1, sizeof(*r));
	uint32_t buckets = 16, i;

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->n = (uint32_t)MIN(bytes / (sizeof(struct rows_entry) + 8),
			     (uint64_t)1 << 28);
	while (buckets < r->n)
		buckets *= 2;
	r->mask = buckets - 1;
	/* Memory that is not used is not touched. */
	r->tab = calloc(MAX(r->n, 1U), sizeof(*r->tab));
	r->bucket = malloc(buckets * sizeof(*r->bucket));
	if (!r->tab || !r->bucket) {
		meta_rows_free(r);
		return NULL;
	}
	for (i = 0; i < buckets; i++)
		r->bucket[i] = NONE;
	return r;
}

void meta_rows_free(struct meta_rows *r)
{
	if (!r)
		return;
	free(r->tab);
	free(r->bucket);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Where the number of the inode's entry stands; NONE behind the last. */
static uint32_t *rows_find(struct meta_rows *r, uint64_t ino)
{
	uint32_t *at = rows_bucket(r, ino);

	while (*at != NONE && r->tab[*at].row.ino != ino)
		at = &r->tab[*at].next;
	return at;
}

bool meta_rows_get(struct meta_rows *r, uint64_t ino, struct meta_inode *out)
{
	uint32_t at;

	LOCK_SCOPE(&r->lock);
	at = *rows_find(r, ino);
	if (at == NONE)
		return false;
	r->tab[at].asked = true;
	*out = r->tab[at].row;
	return true;
}

static void rows_remove(struct meta_rows *r, uint32_t *at)
{
	struct rows_entry *e = &r->tab[*at];

	*at = e->next;
	e->row.ino = 0;
}

void meta_rows_drop(struct meta_rows *r, uint64_t ino)
{
	uint32_t *at;

	LOCK_SCOPE(&r->lock);
	at = rows_find(r, ino);
	if (*at != NONE)
		rows_remove(r, at);
}

/* A free place, or that of the row which nobody asked for lately. */
static uint32_t rows_place(struct meta_rows *r)
{
	struct rows_entry *e;
	uint32_t i;

	for (;;) {
		i = r->hand;
		r->hand = i + 1 < r->n ? i + 1 : 0;
		e = &r->tab[i];
		if (e->row.ino == 0)
			return i;
		if (!e->asked) {
			rows_remove(r, rows_find(r, e->row.ino));
			return i;
		}
		e->asked = false;
	}
}

void meta_rows_put(struct meta_rows *r, const struct meta_inode *row)
{
	uint32_t *head, at;

	LOCK_SCOPE(&r->lock);
	if (r->n == 0)
		return;
	at = *rows_find(r, row->ino);
	if (at == NONE) {
		at = rows_place(r);
		head = rows_bucket(r, row->ino);
		r->tab[at].next = *head;
		*head = at;
	}
	r->tab[at].row = *row;
	r->tab[at].asked = false;
}
