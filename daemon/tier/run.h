/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a plan: inside of tier's run.c, act.c and limit.c. */
#ifndef MERSEY_TIER_RUN_H
#define MERSEY_TIER_RUN_H

#include "tier/impl.h"

#define RUN_REFUSED 2 /* per cent that bytes may differ, or cost rise */

struct run {
	struct tier *t;
	const struct tier_run_opts *o;
	const struct tier_policy *policy; /* NULL: it is gone */
	struct meta_plan plan;
	struct meta_run row;
	money_t cost, predicted;
	money_t left; /* of the budget, when there is one */
	uint64_t requests;
	/* Of what was ordered in this pass and has not come yet. */
	money_t ordered;
	uint64_t orders;
	uint64_t tried, failed; /* files */
	int64_t began_ns;	/* boot; of this process's part */
	uint64_t began_bytes;
	unsigned failing; /* batches in a row */
	bool pending;	  /* some of it must be restored first */
	bool detached;	  /* nobody waits: the job goes on with it */
	struct err *err;
};

/* May it go on? Asks who waits, too. */
bool run_go_on(struct run *r);
/* Sleeps; false when it is to stop. */
bool run_sleep(struct run *r, int64_t ns);
/* Who began it is told of a file that is left as it is. */
void run_skipped(struct run *r, uint64_t ino, const char *reason);

/* ---- act.c --------------------------------------------------------------- */

/*
 * Does a batch and writes what became of its items. 0, also when some of it
 * failed or waits; -EINTR, -errno of rows. `requests` and `once`: what it was
 * going to take.
 */
int act_batch(struct run *r, const struct batch *b, uint64_t requests,
	      money_t once);
/* Writes an item's end: 1 done, 2 skipped; and the run as it is. */
int act_end(struct run *r, struct meta_plan_item *item, size_t n);

/* ---- limit.c ------------------------------------------------------------- */

/* Why the run must end before this batch; NULL: it need not. */
const char *limit_over(const struct run *r, const struct batch *b,
		       uint64_t requests, money_t once);
/* Why it must end after what has failed; NULL: it need not. */
const char *limit_errors(const struct run *r);
/* Reads what the month's budget has left. -EDQUOT with err: nothing. */
int limit_budget(struct run *r);
/* Waits as long as the rate asks for, for what was done until now. False: it
 * is to stop. */
bool limit_pace(struct run *r);

#endif
