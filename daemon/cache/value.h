/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the local copy of a file is worth: pure functions over one number, the
 * key, which stands in the inode's row (meta_inode.access_ns).
 *
 * A key is a class and the wall time of the last touch. The classes say how
 * often a file was touched while it was here or had just left; each has a
 * weight, and the worth of a file is weight / age. As in hyperbolic caching
 * (Blankstein and others, USENIX ATC 2017) nothing has to be aged: worth falls
 * by itself, and no size or time of a cache stands in the rule. Within a class
 * the oldest is worth least, and keys of a class follow one another, so the
 * index of keys has the least worthy file of all at one of VALUE_CLASSES
 * places.
 *
 * What a one-pass scan reads is touched once, and goes before what was
 * touched twice until that is 16 times as old. A file that comes back is
 * recognised by the key in its row as long as what was evicted after it is
 * less than the cache holds (the ghost queue of S3-FIFO, SOSP 2023, but with
 * no table): a scan larger than that cannot promote itself by coming again.
 *
 * README.md has the traces that the weights come from.
 */
#ifndef MERSEY_CACHE_VALUE_H
#define MERSEY_CACHE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

enum value_class {
	VALUE_FETCHED, /* brought ahead, and nobody has opened it yet */
	VALUE_ONCE,    /* new, or come back after long */
	VALUE_TWICE,   /* also every key written before there were classes */
	VALUE_OFTEN,
	VALUE_CLASSES,
};

/* Touches closer together count as one. */
#define VALUE_STEP_NS 60000000000LL

int64_t value_key(enum value_class class, int64_t wall_ns);
enum value_class value_class(int64_t key);
int64_t value_time(int64_t key);

/* The least key of a class; of VALUE_CLASSES: INT64_MAX. */
int64_t value_first(enum value_class class);

/*
 * The key after a touch, or `key` when this one does not count. `here`: some
 * of its bytes are; else `ghost_ns` tells whether it left lately
 * (value_ghost_since).
 */
int64_t value_touched(int64_t key, bool here, int64_t ghost_ns, int64_t now_ns);
/* The key of a file that was written, and closed at now_ns. */
int64_t value_written(int64_t key, int64_t now_ns);
/* The key of a file of which the first bytes were brought; the same when it
 * was touched for that. */
int64_t value_fetched(int64_t key, int64_t ghost_ns, int64_t now_ns);

/* Is the file with key a to go before the one with key b? */
bool value_less(int64_t a, int64_t b, int64_t now_ns);

/*
 * One more round for what costs more requests to bring back than it frees:
 * the key of a file half as old. False: it has had its round.
 */
bool value_again(int64_t key, int64_t now_ns, int64_t *out);

/* ---- what has left -------------------------------------------------- */

#define VALUE_GHOSTS 16

/* Last touches of evicted files, one for each 16th of the cache. */
struct value_ghost {
	uint64_t bytes;		    /* evicted since the newest */
	int64_t time[VALUE_GHOSTS]; /* newest last; INT64_MIN = none yet */
};

#define VALUE_GHOST_INIT                                         \
	{                                                        \
		.time = { [0 ... VALUE_GHOSTS - 1] = INT64_MIN } \
	}

/* A file was evicted. True when the times moved on. */
bool value_ghost_note(struct value_ghost *g, int64_t key, uint64_t bytes,
		      uint64_t cache_size);
/* Who was touched last after this has left lately. */
int64_t value_ghost_since(const struct value_ghost *g);

#endif
