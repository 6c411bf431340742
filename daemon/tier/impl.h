/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of daemon/tier; tier.h is its face.
 *
 * tier.c     assembly, what is asked of it
 * match.c    does a rule match? Pure
 * subject.c  a file, or a study as one, from rows
 * scan.c     all of them, page by page
 * batch.c    what goes together: estimated, and done, as one
 * price.c    what that takes, in money
 * plan.c     scan, match, batches: a plan
 * sums.c     what is shown of it
 * store.c    a plan as rows, and back
 * read.c     a stored one as of now
 * explain.c  which rule, and why not the others
 * run.c      doing it
 * act.c      one batch of it
 * limit.c    what ends a run before its end
 * compact.c  packs that are half dead
 * trigger.c  the job: when runs begin by themselves
 *
 * Memory grows with the rules, tiers and the largest study, not with files.
 * The lock of struct tier is innermost; rows are read by meta_look(), a page a
 * time, so that a plan over millions of files holds up nobody.
 */
#ifndef MERSEY_TIER_IMPL_H
#define MERSEY_TIER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/guard.h"
#include "tier/tier.h"

#define TIER_NAME	 64 /* as meta's columns */
#define TIER_MONTH_HOURS 730
#define TIER_PLAN_DAYS	 7 /* an open plan is forgotten after so many */
#define TIER_DONE_DAYS	 1 /* and one that was done */
#define TIER_BATCH_ITEMS 2048
#define TIER_BATCH_BYTES (256ULL << 20)
#define TIER_BATCH_PACKS 4 /* of the target, at least */

#define LOCAL "local"

struct tier {
	struct tier_opts o;
	struct meta *m;
	struct move *mv;
	struct job *job;
	pthread_mutex_t lock; /* guards running */
	bool running;	      /* a run is under way */
	_Atomic bool cancel;  /* it is to stop */
	_Atomic bool stopping;
	struct trigger_state {
		int64_t due_ns; /* wall; of the next schedule, 0 = not known */
		int64_t expire_ns, compact_ns; /* boot */
		int64_t cache_ns, oldest_ns;   /* boot; not before */
	} trigger;			       /* the job's own */
};

/* Tier by name: its index, -ENOENT. */
int tier_index(const struct tier *t, const char *name);
/* Marks the one run that may be under way. -EBUSY with err. */
int tier_claim(struct tier *t, struct err *err);
void tier_release(struct tier *t);

/* ---- subject.c ----------------------------------------------------------- */

/* A file, or the files of a study as one. */
struct subject {
	struct tier *t;
	bool study;
	uint64_t id;	/* row of the study, or inode */
	uint64_t first; /* inode whose path and attributes it has */
	uint64_t parent;
	struct buf path;
	char modality[33];
	uint32_t study_date;
	int64_t access_ns, modified_ns, created_ns, changed_ns;
	uid_t uid;
	uint64_t files, bytes, cached_bytes, version;
	uint64_t pack; /* of the last file; 0 = none */
	bool pinned, open, damaged;
	uint64_t unprotected; /* files without a place in a bucket */
	uint64_t empty;	      /* files that need none */
	/* Bytes by the tier they are in; of the trust's tiers. */
	uint64_t in_tier[MOVE_TIERS_MAX], files_in[MOVE_TIERS_MAX];
	uint64_t elsewhere; /* files in a tier that is not the trust's */
	uint64_t *ino;
	size_t n, room;
	/* Files that were read a moment ago, ascending by inode; borrowed. */
	const struct meta_subject *known;
	size_t n_known;
};
void subject_done(struct subject *s);
/* Forgets all but memory. */
void subject_clear(struct subject *s, struct tier *t);
/* Adds a file to an empty subject, or to one of its study. */
int subject_add(struct subject *s, const struct meta_subject *f);
/* Reads a study: from its rows, in looks of its own. -ENOENT: no file is
 * left. */
int subject_study(struct subject *s, uint64_t study);
/* Adds the inodes of what an item names, and no more of it. */
int subject_inos(struct subject *s, bool study, uint64_t id);
/* Reads what an item names. -ENOENT. */
int subject_load(struct subject *s, bool study, uint64_t id);
/* The tier that most of it is in; -1: none. */
int subject_source(const struct subject *s);
/* All of it is in that tier. */
bool subject_in(const struct subject *s, int tier);
/* It is what an action would make of it. */
bool subject_there(const struct subject *s, enum tier_action a, int target);
/* As rules see it; points into *s. */
void subject_view(struct subject *s, struct tier_subject *out);
/* When a file was last touched, by all that is known. */
int64_t subject_touched(const struct meta_subject *f);
/*
 * Why an action would change nothing, or must not: "pinned", "open", "not
 * protected yet"; NULL: it is to be done.
 */
const char *subject_left(const struct subject *s, enum tier_action a,
			 int target);

/* ---- scan.c -------------------------------------------------------------- */

struct scan {
	struct tier *t;
	/* Called for each, outside of all transactions. */
	int (*each)(void *arg, struct subject *s);
	bool (*tick)(void *arg, uint64_t files); /* may be NULL */
	void *arg, *tick_arg;
};
/* All files, and each study once. -EINTR: tick said so. */
int scan_run(const struct scan *s);

/* ---- batch.c ------------------------------------------------------------- */

/* Bands of 30 days since the last access, as in struct meta_reread. */
struct ages {
	uint64_t files[META_REREAD_AGES], bytes[META_REREAD_AGES];
};
void ages_add(struct ages *a, int64_t access_ns, int64_t now_ns, uint64_t files,
	      uint64_t bytes);

/* What goes together: the same rule from one tier to another. */
struct batch {
	uint32_t rule;
	enum tier_action action;
	int from, to; /* tiers; -1: local or none */
	struct meta_plan_item *item;
	size_t n, room;
	uint64_t *ino;
	size_t inos, ino_room;
	uint64_t files, bytes, studies, subjects;
	uint64_t absent; /* bytes that are not local, for recalls */
	uint64_t pack;	 /* of the last file */
	struct ages ages;
};
void batch_done(struct batch *b);
/* Empties it, for the next items of the same kind. */
void batch_clear(struct batch *b);
/* Is there room for one more? Always when it is empty; and what shares a pack
 * stays together, within reason: a pack that is left by halves cannot go as it
 * is, and is billed on. */
bool batch_fits(const struct tier *t, const struct batch *b, uint64_t bytes,
		const struct subject *s);
/* Is it an item of this kind? */
bool batch_takes(const struct tier *t, const struct batch *b,
		 const struct meta_plan_item *i);
int batch_add(struct batch *b, const struct meta_plan_item *i,
	      const struct subject *s, int64_t now_ns);

/* ---- price.c ------------------------------------------------------------- */

/* What something takes, summed over batches. */
struct take {
	struct move_use use[MOVE_TIERS_MAX];
	uint64_t requests, in_bytes, out_bytes, copies;
};
void take_add(struct take *sum, const struct move_transferred *u);

struct priced {
	money_t once, per_month;
	money_t early, minimum; /* parts of them */
	money_t early_of[MOVE_TIERS_MAX], minimum_of[MOVE_TIERS_MAX];
};
/* Where figures that nobody confirmed are told; NULL: nobody asks. */
struct doubts {
	char **text;
	size_t n;
	int rc;
	const char *table;
};
void doubts_done(struct doubts *d);
/* In the currency of reports. -ENOENT with err: no exchange rate. */
int price_take(const struct tier *t, const struct take *u, struct doubts *d,
	       struct priced *out, struct err *err);
/* What a batch takes, by rows alone. */
int price_estimate(struct tier *t, const struct batch *b, uint64_t version,
		   int64_t opened_ns, struct take *out);
/* Reads of files in `tier` that are to be expected in a month. */
struct expected {
	uint64_t files; /* in thousandths */
	uint64_t bytes;
	money_t cost;
};
/* What the trust has read back, per month and file, by age. */
struct rereads {
	double per_file[META_REREAD_AGES], per_byte[META_REREAD_AGES];
	unsigned months; /* that it is the mean of; 0 = nothing is known */
};
int rereads_load(struct tier *t, const struct ages *all, struct rereads *out);
int price_expected(const struct tier *t, int tier, const struct ages *moved,
		   const struct rereads *r, struct doubts *d,
		   struct expected *out, struct err *err);
/* How fast policies have an archive class bring its objects back. */
enum price_speed price_speed(const struct tier_terms *a);
/* Days until what it costs once is saved; -1: never. */
double price_break_even(money_t once, money_t per_month);

/* ---- sums.c, store.c, read.c --------------------------------------------- */

/* Sums up batches to what people are shown. */
struct sums {
	struct tier *t;
	const struct tier_policy *policy; /* NULL: it is gone */
	struct tier_plan *out;
	struct take total;
	struct sum_move {
		struct take take;
		struct ages ages;
		uint64_t subjects;
		int from, to;
	} * move; /* one for each of out->moves */
	struct doubts doubts;
	struct ages all;
	double expected; /* recalls a month */
	struct err *err;
};
void sums_done(struct sums *s);
int sums_batch(struct sums *s, const struct batch *b, const struct take *u);
/* Prices what was summed up; *out is complete then. */
int sums_finish(struct sums *s);

/* Writes the plan's row, and the items of batches. */
int store_plan(struct tier *t, struct meta_plan *p);
int store_items(struct tier *t, uint64_t plan, uint64_t *seq,
		struct meta_plan_item *item, size_t n);
int store_finish(struct tier *t, const struct meta_plan *p);
int store_find(struct tier *t, const char *name, struct meta_plan *out);
/* Removes a plan, in small steps. */
int store_delete(struct tier *t, uint64_t plan);
/* Removes those whose days are over. */
int store_expire(struct tier *t, int64_t now_ns);
/* What all files' ages were at the newest plan. */
int store_ages(struct tier *t, const struct ages *a);
int load_ages(struct tier *t, struct ages *a);

/* The items of a plan that are to do, as batches. */
struct items {
	struct tier *t;
	struct meta_plan plan;
	uint64_t after;
	struct meta_plan_item *page;
	size_t n, at;
	size_t most; /* items of a batch; 0 = what fits */
};
void items_done(struct items *i);
/* The last batch again, but half of it. */
void items_half(struct items *i, const struct batch *last);
/* Why an item of the plan cannot be done any more; NULL: it can. */
const char *item_changed(const struct meta_plan *p,
			 const struct meta_plan_item *i,
			 const struct subject *s);
/*
 * The next batch: 1, or 0 at the end. `left` is told what of it is out
 * of date, and what is done already (reason NULL).
 */
int items_batch(struct items *i, struct batch *out,
		int (*left)(void *arg, const struct meta_plan_item *i,
			    const struct subject *s, const char *reason),
		void *arg);

/* A plan as it is now, and how much it has changed. */
struct left {
	uint64_t planned, valid; /* bytes of what was to do, and still is */
};
int plan_left(struct tier *t, const struct meta_plan *p,
	      const struct tier_policy *policy, struct tier_plan *out,
	      struct left *left, struct err *err);

/* ---- compact.c ----------------------------------------------------------- */

/* Forms packs anew whose dead bytes cost more than that. 0 or -errno. */
int tier_compact(struct tier *t);

/* ---- trigger.c ------------------------------------------------------------
 */

int64_t trigger_run(struct job *job, void *tier);
/* When a schedule comes next, behind `after` (wall, local time). */
int64_t trigger_next(const struct tier_trigger *tr, int64_t after_ns);

#endif
