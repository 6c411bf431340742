/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer that dies with each of its requests, before and after it was
 * served; and one beside which files are changed at each of them. What files
 * have is there at any time, also by the packs alone, and the next transfer
 * goes on.
 */
#include "tests/unit/move/transfer.h"

#define LARGE (2 * OBJECT + 12345)

/* A store that does something at one of its calls. All of them count. */
struct stepped {
	struct store base;
	struct store *inner;
};

static struct {
	int left; /* calls until it happens; < 0: it does not */
	bool after;
	void (*fn)(void);
} step = { .left = -1 };

static struct stepped stepped[2];

static struct store *inner_of(struct store *s)
{
	return container_of(s, struct stepped, base)->inner;
}

static void step_now(bool after)
{
	if (after)
		step.left--;
	if (step.left == 0 && step.after == after)
		step.fn();
}

/* Is this call the one? Counted at its end. */
#define STEP(call)               \
	({                       \
		typeof(call) rc_; \
		step_now(false); \
		rc_ = (call);    \
		step_now(true);  \
		rc_;             \
	})
