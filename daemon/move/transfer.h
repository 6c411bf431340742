/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between tiers. Object first, then the transaction that names it (P3); what
 * was there before is condemned (P7). Killed at any step, it goes on with the
 * next call, and no byte is lost: files keep their old place until the
 * transaction, and have the new one from then on.
 *
 * A pack whose live files all move, and that is as large as the target wants
 * it, goes as it is: by a copy inside the store where source and target share
 * a bucket, else by GET and PUT of the same sealed bytes (S17 allows it: the
 * bytes are the same). All else is formed anew: frames are opened and sealed
 * into new packs of the target's size. What lies in an archive class is
 * restored first.
 */
#ifndef MERSEY_MOVE_TRANSFER_H
#define MERSEY_MOVE_TRANSFER_H

#include "move/move.h"

#define MOVE_RESTORE_DAYS 3 /* that what it has restored stays readable */

/* What a transfer takes, or would take, of a tier. Indices are those of
 * struct move_stores. */
struct move_use {
	uint64_t puts, copies, gets, deletes; /* requests */
	uint64_t in_bytes, out_bytes;	      /* got, put */
	/* Objects and bytes that leave, or come to stay, there. */
	uint64_t objects_gone, bytes_gone, objects_new, bytes_new;
	/* bytes_new and bytes_gone as they are billed: the class's least */
	uint64_t billed_gone, billed_new;
	uint64_t early_byte_hours; /* of minimum days that are paid anyway */
	uint64_t restores, restored_bytes;
};

struct move_transferred {
	uint64_t files, bytes;	 /* that are in the target now, or were going to
				    be */
	uint64_t copied, formed; /* packs */
	uint64_t skipped, failed; /* files */
	struct move_use use[MOVE_TIERS_MAX];
};

struct move_transfer {
	size_t to;	     /* tier */
	const uint64_t *ino; /* of a study, or of files that belong together */
	size_t n;
	/* Files with a newer content version, or opened since, are left where
	 * they are; UINT64_MAX and INT64_MAX: no such limit. */
	uint64_t version;
	int64_t opened_ns;
	unsigned speed; /* of restores; enum store_speed */
	/* Called for each file that is left; NULL: nobody asks. */
	void (*skipped)(void *arg, uint64_t ino, const char *reason);
	/* Between objects; false: stop (then -EINTR). NULL: never. */
	bool (*go_on)(void *arg);
	void *arg;
};

/*
 * Moves. 0 also when files were skipped; -EINPROGRESS: some of it must be
 * restored first, which is ordered now (the rest is moved): call again;
 * -EINTR, or -errno of a store ("not now"). *out is what was done, also then.
 */
int move_transfer(struct move *mv, const struct move_transfer *in,
		  struct move_transferred *out);
/* The same, with rows alone: nothing is sent or changed. */
int move_transfer_estimate(struct move *mv, const struct move_transfer *in,
			   struct move_transferred *out);

/*
 * Packs with more dead bytes than `dead` of 256, which are formed anew when
 * pays() says so of it; not in archive classes inside their minimum days.
 */
struct move_compact {
	unsigned dead;
	bool (*pays)(void *arg, size_t tier, const struct move_transferred *u);
	bool (*go_on)(void *arg);
	void *arg;
};
int move_compact(struct move *mv, const struct move_compact *in,
		 struct move_transferred *out);

#endif
