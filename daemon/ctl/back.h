/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside ctl: what it takes to bring files back, by their packs. Each pack is
 * counted and ordered once, whoever needs it, at the cheapest speed that is
 * fast enough for all of them.
 */
#ifndef MERSEY_CTL_BACK_H
#define MERSEY_CTL_BACK_H

#include <uthash.h>

#include "ctl/verbs.h"
#include "move/restore.h"

struct back_pack {
	UT_hash_handle hh;
	uint64_t row, length;
	size_t tier; /* index of ctl_worker; == n_tiers: it is not known */
	bool order;  /* it must be restored, and is not ordered as fast */
	enum store_speed speed;
	int64_t ready_ns; /* wall */
};

struct back {
	struct ctl_call *c;
	int64_t now_ns; /* wall */
	struct back_pack *packs;
	/* By tier: GETs and bytes of files that are read then. */
	uint64_t gets[MOVE_TIERS_MAX], bytes[MOVE_TIERS_MAX];
	uint64_t orders, order_bytes; /* packs */
	unsigned days;		      /* that copies are to be kept */
};
void back_done(struct back *b);

/* How fast. */
struct back_want {
	bool has_speed;
	enum store_speed speed; /* of all, when it was said */
	int64_t by_ns;		/* wall; else as slow as it may be; 0 = none,
				   then STANDARD */
};

/*
 * Adds what is missing of a file. *ready_ns: when its packs can be read; now,
 * if they can. 1: some of it must be restored first, 0, or -errno.
 */
int back_add(struct back *b, uint64_t ino, uint64_t missing,
	     const struct back_want *w, int64_t *ready_ns);
/* "bulk", "standard", "expedited" of the call. 0, or -EINVAL with err. */
int back_speed(struct ctl_call *c, struct back_want *w);
/* Sets requests, cost, cost_confirmed. *amount may be NULL. */
int back_cost(struct back *b, json_t *result, money_t *amount);
/*
 * -EDQUOT with err when so much more is beyond the month's budget; `clinical`:
 * 0 in spite of that. Both are logged.
 */
int back_budget(struct back *b, money_t amount, const char *clinical);
/* Makes the orders. */
int back_order(struct back *b);

/* ---- pins ------------------------------------------------------------- */

/* Makes a pin of n files and has them brought here. */
int ctl_pin(struct ctl_call *c, struct meta_pin *pin,
	    const struct ctl_item *item, size_t n);

#endif
