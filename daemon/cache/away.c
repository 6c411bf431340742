/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that have no bytes here: can they be read at once, or must their
 * objects be restored first? What rows say about it is for people; who reads
 * asks the packs.
 */
#include "cache/impl.h"

#include <sys/stat.h>

#include "meta/tiering.h"

#define AWAY_PAGE 64

void cache_set_archives(struct cache *c, const char *const *tiers, size_t n)
{
	c->archive = tiers;
	c->n_archives = n;
}

/* Is a restore of any of its packs under way, or readable? */
static int away_ordered(struct meta_txn *t, uint64_t ino)
{
	uint64_t pack[AWAY_PAGE], after = 0;
	struct meta_restore r;
	int n, i, rc;

	do {
		n = meta_extent_packs(t, ino, after, pack, AWAY_PAGE);
		for (i = 0; i < n; i++) {
			rc = meta_restore_get(t, pack[i], &r);
			if (rc == 0 && r.state != META_RESTORE_FAILED)
				return 1;
			if (rc < 0 && rc != -ENOENT)
				return rc;
			after = pack[i];
		}
	} while (n == AWAY_PAGE);
	return MIN(n, 0);
}

static int away_state(struct cache *c, struct meta_txn *t, uint64_t ino,
		      enum meta_state *out)
{
	int rc = 0;

	*out = META_REMOTE;
	if (c->n_archives)
		rc = meta_extent_in_tier(t, ino, c->archive, c->n_archives);
	if (rc <= 0)
		return rc;
	rc = away_ordered(t, ino);
	*out = rc == 1 ? META_RECALLING : META_ARCHIVED;
	return MIN(rc, 0);
}

int cache_move_away(struct cache *c, struct meta_txn *t, struct meta_inode *row)
{
	enum meta_state to;
	int rc = away_state(c, t, row->ino, &to);

	return rc < 0 ? rc : cache_move(t, row, to);
}

int cache_place(struct cache *c, struct meta_txn *t, uint64_t ino)
{
	struct meta_inode row;
	enum meta_state to;
	int rc = meta_inode_get(t, ino, &row);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!S_ISREG(row.mode) || row.size == 0 || !cache_is_away(row.state))
		return 0;
	rc = away_state(c, t, ino, &to);
	if (rc < 0 || to == row.state)
		return rc;
	rc = cache_move(t, &row, to);
	return rc < 0 ? rc : 1;
}
