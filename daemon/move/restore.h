/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of archive classes: asked for, waited for, and readable for some
 * days. An order is a row before it is a request, so a kill forgets none; the
 * job "restore" asks, looks after those that are under way, and says what
 * failed.
 */
#ifndef MERSEY_MOVE_RESTORE_H
#define MERSEY_MOVE_RESTORE_H

#include "meta/tiering.h"
#include "move/move.h"

/*
 * Can a pack be read? 0: now, and for at least an hour more. -EINPROGRESS: it
 * was ordered, by this call or before. A faster order replaces a slower one.
 * Other: -errno of rows; what the store said to an order stands in its row.
 */
int move_restore(struct move *mv, uint64_t pack, enum store_speed speed,
		 unsigned days, enum store_cause cause);

/* Waits until a pack can be read: 0, or -ETIMEDOUT after wait_ns, -EINTR when
 * *cancel is true (NULL: never). */
int move_restore_wait(struct move *mv, uint64_t pack, int64_t wait_ns,
		      const volatile bool *cancel);

/* Files were pinned: they are brought here. */
void move_pinned(struct move *mv);

/* How long a restore takes, by the terms of the tier's class; 0: the tier is
 * no archive. *speed becomes the one that the class has. */
int64_t move_restore_takes(struct move *mv, const char *tier,
			   enum store_speed *speed);

/* Orders, as the job saw them a moment ago. */
struct move_restores {
	uint64_t ordered, ready; /* packs: not yet to be read; to be read */
	uint64_t failed;	 /* of those ordered: refused, or late */
	int64_t due_ns;		 /* wall: when the first should come, or 0 */
	char error[128];	 /* of one that failed */
};
void move_restores(struct move *mv, struct move_restores *out);

#endif
