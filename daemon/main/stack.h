/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores of a trust's tiers with their decorators, one handle per tier and
 * cause:
 *
 *   gate(retry(pace(limit(breaker(meter(shared(driver)))))))
 *
 * drivers.h says why in this order. A place (endpoint, bucket and prefix) has
 * one driver, gate and health, whatever number of tiers lie there; the flow
 * belongs to the endpoint, the pace to the trust, counters to a tier and cause.
 */
#ifndef MERSEY_MAIN_STACK_H
#define MERSEY_MAIN_STACK_H

#include "cost/cost.h"
#include "main/conf.h"
#include "main/gate.h"
#include "move/move.h"
#include "store/drivers.h"
#include "store/flow.h"

struct stack_place {
	const struct conf_tier *tier; /* the first that lies there */
	const char *store, *bucket;   /* names */
	/* Cause BACKUP, past the gate: to look at the marker and the keys, for
	 * setup, and for doctor. */
	struct store *direct;
	struct gate gate;
	struct store_health health;
	/* Of `direct`: the tier's, or its own when the tier has another class
	 * than marker and keys, which are of the store's default. */
	struct store_counts own_counts, *counts;
	struct store_flow own_flow, *flow; /* own, or of an earlier place */
	struct store *driver;		   /* at the bottom of all of them */
	struct store *shared;		   /* around it */
};

struct stack {
	struct move_stores stores; /* through the gates */
	struct stack_place place[MOVE_TIERS_MAX];
	size_t n_places;
	struct store_counts counts[MOVE_TIERS_MAX][STORE_CAUSE_COUNT];
	struct store_pace pace; /* of the trust */
};

struct stack_open {
	const struct conf_trust *ct;
	const struct super_secret *secrets; /* with the stores' credentials */
	size_t n_secrets;
	bool beside; /* of struct store_opts */
};

/* Asks no store. stack_close() also after a failure. */
int stack_open(struct stack *s, const struct stack_open *in, struct err *err);
/* Who is asked before anything is written to any of the places. */
void stack_fence(struct stack *s, struct fence *f);
void stack_close(struct stack *s);
/* From now on no call waits for its turn or makes another attempt. */
void stack_stop(struct stack *s);

/*
 * Goes on with other credentials, of the same form. 0, or -errno, and the old
 * ones stay; -ENOENT: it is a secret of something else. *store is whose they
 * are. Any thread.
 */
int stack_renew(struct stack *s, const struct conf_trust *ct,
		const struct super_secret *secret, const char **store,
		struct err *err);

/* What the meters counted: a cost_read_fn; `arg` is the stack. */
size_t stack_counts(void *arg, struct cost_counts *out, size_t max);

#endif
