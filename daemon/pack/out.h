/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing bytes of a pack. Not a struct buf: a pack is large, written
 * once and thrown away, so page faults cost a third of sealing it (measured)
 * unless its memory is mapped with huge pages. What one pack leaves behind
 * serves the thread's next: clearing it anew would be a tenth of the work.
 */
#ifndef MERSEY_PACK_OUT_H
#define MERSEY_PACK_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack_out {
	uint8_t *data;
	size_t len;
	size_t cap; /* mapped; memory is taken when bytes are written */
	bool huge;  /* huge pages were asked for */
};

/* Makes room for `more` bytes behind len, which may move. 0 or -ENOMEM. */
int pack_out_reserve(struct pack_out *o, size_t more);

/* Keeps the memory for the thread's next one, or unmaps it; fine on an empty
 * one. */
void pack_out_done(struct pack_out *o);

#endif
