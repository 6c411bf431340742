/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves bytes between the cache and the bucket: protect, recall, evict,
 * gc. Order is everything: object first, then the transaction that names it
 * (P3); the row is durable before anything irreversible (P12, S1).
 */
#ifndef MERSEY_MOVE_MOVE_H
#define MERSEY_MOVE_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "cache/cache.h"
#include "meta/meta.h"
#include "move/fence.h"
#include "move/opts.h"
#include "pack/pack.h"
#include "store/drivers.h"

#define MOVE_TIERS_MAX 8

/* A tier, and its store as each cause sees it (same inner store, own meter
 * and retry policy). */
struct move_tier {
	const char *name;
	const char *storage_class; /* "" = the store's default */
	uint64_t object_size;	   /* target size of its packs */
	/* Tiers of one place share bucket and endpoint: between them objects
	 * can be copied inside the store. */
	unsigned place;
	bool archive;		/* objects must be restored to be read */
	uint64_t minimum_bytes; /* an object is billed as so many */
	int64_t minimum_ns;	/* and for so long */
	int64_t restore_ns[3];	/* how long a restore takes, by speed; 0 = not
				   had */
	struct store *cause[STORE_CAUSE_COUNT];
};

/* All of it borrowed. */
struct move_stores {
	/* Of the first tier, where new data goes. */
	struct store *cause[STORE_CAUSE_COUNT];
	/* All, in order; n_tiers 0: there is only the first, without terms. */
	struct move_tier tier[MOVE_TIERS_MAX];
	size_t n_tiers;
	/* Who writes there; the stores ask it. NULL: nobody else, in tests. */
	struct fence *fence;
};

struct move;

/* Starts the jobs protect, evict, reap, gc and lost (scan). */
int move_start(const struct move_opts *o, struct meta *m, struct cache *c,
	       struct pack_keyring *kr, const struct move_stores *stores,
	       struct move **out, struct err *err);
/* Stops the jobs; what was not finished goes on after the next start. */
void move_stop(struct move *mv);
DEFINE_GUARD(struct move *, move_stop);
/* The cache that it fills and empties. */
struct cache *move_cache(struct move *mv);

/*
 * Makes bytes [off, off+len) of the file present; len 0 = to the end.
 * Readers that want the same frames share a fetch. `cause` READ or RECALL.
 * 0, or:
 *   -ETIMEDOUT  the store did not answer within read_wait, or did not bring
 *               bytes back from an archive class within recall_wait (P6); that
 *               is ordered, and the next call may find them
 *   -EIO        what came is damaged, foreign or missing: logged with the
 *               object's name (P5)
 *   -EINTR      *cancel became true (NULL: never)
 */
int move_recall(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t len, enum store_cause cause,
		const volatile bool *cancel);

/* How a program waits that reads. */
struct move_patience {
	const volatile bool *cancel; /* as above */
	/* It may be gone: then a wait for an archive ends with -ETIMEDOUT.
	 * NULL: never. */
	const volatile bool *hangup;
	/* While nothing comes not beyond that, either (clock_boot_ns()); 0: as
	 * long as any. */
	int64_t until_ns;
};

/* The same for a program that reads; without waiting for it, what is missing
 * between there and `ahead` is fetched, too. */
int move_read(struct move *mv, struct cache_file *f, uint64_t off, uint64_t len,
	      uint64_t ahead, const struct move_patience *p);
/* Fetches what is missing of [off, end), without waiting for it: when threads
 * and memory have nothing better to do, and while the file is open. */
void move_ahead(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t end);

/* A program opened a file to read it: what is likely to be next is fetched,
 * and what of it lies in an archive class is ordered. Costs nothing while
 * nothing was recalled lately and there is no archive. */
void move_opened(struct move *mv, uint64_t ino);

/* What programs' reads of files that were not here have cost. */
struct move_recall_stats {
	uint64_t asked;	   /* bytes that they read */
	uint64_t fetched;  /* bytes that came for it */
	uint64_t requests; /* GETs */
};
void move_recall_stats(struct move *mv, struct move_recall_stats *out);
/* A read of such a file found so many bytes here. */
void move_asked(struct move *mv, uint64_t bytes);

/* Protect without waiting for settle: all of it, or one inode (0 = all). */
void move_protect_now(struct move *mv, uint64_t ino);
/* The same of one of many, which are to share packs: nothing happens before
 * move_protect_now() is called for the last. */
void move_protect_wish(struct move *mv, uint64_t ino);
/* An inode lost its last name or last handle: reap looks within a moment. */
void move_reap_soon(struct move *mv);
/* The same at once: somebody waits for what it gives back. */
void move_reap_now(struct move *mv);
/*
 * Asks, inside a transaction, whether an inode without a name is open; then
 * it stays. Regular files that the cache has open stay anyway. NULL: not any
 * more; no call is under way after that.
 */
void move_on_reap(struct move *mv, bool (*held)(void *arg, uint64_t ino),
		  void *arg);
void move_evict_now(struct move *mv);

/* What protect waits on, in words, and how many jobs; for jobs and status.
 * Fills at most max; returns how many there are. */
size_t move_jobs(struct move *mv, struct job_info *out, size_t max);

#endif
