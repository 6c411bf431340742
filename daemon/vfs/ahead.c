/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-ahead of an open file that is not complete. A reader that goes through
 * it in order has up to AHEAD_TIMES what it has read so far on its way, at most
 * AHEAD_MAX; one that jumps has nothing. The kernel's requests of one reader
 * may overtake each other, so a little behind is neither.
 */
#include "vfs/impl.h"

#define AHEAD_TIMES 4
#define AHEAD_MAX   (64ULL << 20)
#define AHEAD_STEP  (4ULL << 20) /* one GET, when it is in full swing */
#define AHEAD_BACK  (1ULL << 20)

void ahead_reset(struct readahead *ra)
{
	ra->cold = false;
	ra->next = 0;
	ra->run = 0;
	ra->asked = 0;
}

/* Takes notice of a read; does it go on with a run? */
static bool ahead_follows(struct readahead *ra, uint64_t off, uint64_t len)
{
	if (off + AHEAD_BACK >= ra->next && off < ra->next && ra->run > len)
		return true; /* overtaken, and counted by then */
	if (ra->run == 0 || off < ra->next || off > ra->next + len) {
		ra->run = len;
		ra->next = off + len;
		ra->asked = 0;
		return false;
	}
	ra->run += off + len - ra->next;
	ra->next = off + len;
	return true;
}

uint64_t ahead_end(struct readahead *ra, uint64_t off, uint64_t len)
{
	uint64_t window, end;

	LOCK_SCOPE(&ra->lock);
	if (!ahead_follows(ra, off, len))
		return 0;
	window = MIN(ra->run * AHEAD_TIMES, AHEAD_MAX);
	end = ra->next + window;
	/* Not a little with each read: in steps, and whole GETs at last. */
	if (window >= 2 * AHEAD_STEP)
		end = end / AHEAD_STEP * AHEAD_STEP;
	if (end < ra->asked + MIN(window / 2, AHEAD_STEP))
		return 0;
	ra->asked = end;
	return end;
}
