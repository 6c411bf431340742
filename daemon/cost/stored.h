/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored, and what a time of it is billed as. */
#ifndef MERSEY_COST_STORED_H
#define MERSEY_COST_STORED_H

#include "cost/cost.h"

#define COST_STORED_MAX 32 /* tiers x storage classes */

/* At one moment: in the bucket, and on the cache disk. */
struct cost_stored {
	struct meta_pack_totals held[COST_STORED_MAX];
	size_t n;
	uint64_t cached;
};

int cost_stored_read(struct meta_txn *t, struct cost_stored *out);

/*
 * Adds to the ledger what `s` costs in the `seconds` that end at `end` (wall,
 * in seconds), with the copies that were restored: rows for each UTC day that
 * they touch. 1 when there was any, 0, or -errno.
 */
int cost_stored_add(struct meta_txn *t, const struct cost_stored *s,
		    const struct cost_tier *tiers, size_t n_tiers, int64_t end,
		    int64_t seconds);

#endif
