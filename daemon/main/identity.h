/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the bucket this trust's own (S20)? For each place of the stack a job reads
 * the marker until there is one. The right one opens the gate. A wrong one in
 * the first place ends the process with a sentence that says what is wrong:
 * reading or writing there could mix up two trusts. A bucket that shows none is
 * like a store that is away: the gate stays closed, and the job asks again.
 *
 * A later place is "not now" whatever is wrong with it: its gate stays closed,
 * `status` says why, and the trust serves what the others have. Its job goes on
 * for as long as the process: when a request was refused or not answered, it
 * asks until that is over, as the fence does in the first place; else nobody
 * might, and the trouble would be shown for ever.
 */
#ifndef MERSEY_MAIN_IDENTITY_H
#define MERSEY_MAIN_IDENTITY_H

#include "main/stack.h"
#include "pack/pack.h"

struct identity;

struct identity_opts {
	const char *trust;
	const struct pack_volume_id *volume;
	const struct pack_root *root;
	int64_t wait_ns;
	int64_t again_ns; /* between questions; 0 = 5 s */
};

/*
 * Starts asking and waits for an answer of the first place for `wait_ns`: 0 =
 * it is ours, or no marker was seen yet (the job goes on); -errno = it is not.
 * All borrowed.
 */
int identity_start(struct stack *stack, const struct identity_opts *o,
		   struct identity **out, struct err *err);
void identity_stop(struct identity *id);

/*
 * One look: 0, or what is wrong with the bucket (-EBADMSG, -EKEYREJECTED,
 * -EREMCHG another volume, -ENOENT no marker), or a transient error.
 */
int identity_look(struct store *s, const struct pack_volume_id *volume,
		  const struct pack_root *root, struct err *err);

#endif
