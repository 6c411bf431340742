/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first tier's store with its decorators, one handle per cause:
 *
 *   gate(retry(pace(limit(breaker(meter(shared(driver)))))))
 *
 * drivers.h says why in this order.
 */
#ifndef MERSEY_MAIN_STACK_H
#define MERSEY_MAIN_STACK_H

#include "cost/cost.h"
#include "main/conf.h"
#include "main/gate.h"
#include "move/move.h"
#include "store/drivers.h"
#include "store/flow.h"

struct stack {
	struct move_stores stores; /* through the gate */
	/* Cause BACKUP, past the gate: to look at the marker and the keys, for
	 * setup, and for doctor. */
	struct store *direct;
	struct gate gate;
	struct store_counts counts[STORE_CAUSE_COUNT];
	struct store_health health;
	struct store_flow flow;
	struct store_pace pace;		   /* of the trust */
	const char *tier, *store, *bucket; /* their names */
	struct store *driver;		   /* at the bottom of all of them */
};

/* `credentials`: text of the credentials file; NULL when there is none.
 * `beside`: of
 * struct store_opts. stack_close() also after a failure. */
int stack_open(struct stack *s, const struct conf_trust *ct,
	       const struct buf *credentials, bool beside, struct err *err);
void stack_close(struct stack *s);
/* From now on no call waits for its turn or makes another attempt. */
void stack_stop(struct stack *s);

/* Goes on with other credentials, of the same form. 0, or -errno, and the old
 * ones stay. Any thread. */
int stack_renew(struct stack *s, const struct conf_trust *ct,
		const struct buf *credentials, struct err *err);

/* What the meters counted: a cost_read_fn; `arg` is the stack. */
size_t stack_counts(void *arg, struct cost_counts *out, size_t max);

#endif
