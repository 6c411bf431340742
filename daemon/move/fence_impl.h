/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the fence: fence.c its state, questions and job, claim.c the
 * claims in the bucket, quarantine.c what others left there. Only the job
 * claims. `lock` is a leaf: no store or transaction under it.
 */
#ifndef MERSEY_MOVE_FENCE_IMPL_H
#define MERSEY_MOVE_FENCE_IMPL_H

#include <pthread.h>

#include "base/clock.h"
#include "move/fence.h"

#define FENCE_FIRST 2u /* see mersey-pack(5) */

/* What the job is asked to do besides. */
enum fence_wish { WISH_NOTHING, WISH_LOOK, WISH_TAKE };

struct fence {
	struct fence_opts o;
	struct meta *m;
	struct store *s;
	const struct pack_volume_id *volume;
	uint8_t owner[16];
	struct job *job;
	bool claims_safe; /* create-only PUT was seen to work; the job's own */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t told;
	bool open, stopping;
	enum fence_state state;
	uint32_t generation; /* ours, when we have or had one */
	uint32_t newest;
	bool known;		  /* the newest claim's content is */
	struct pack_claim holder; /* that content */
	int64_t seen_ns;	  /* boot time: nobody had a newer one then */
	int64_t listed_ns;	  /* the same, by a LIST before a DELETE */
	bool glancing;		  /* somebody asks by a HEAD */
	enum fence_wish wish;
	unsigned wishes, done; /* tickets */
	int rc;		       /* of the latest */
	struct err err;
	int64_t ran_ns; /* clock_boot_ns(), when the job last asked */
	bool quarantine_known;
	uint64_t quarantined, quarantined_bytes;
};

/* ---- fence.c -------------------------------------------------------- */

/* The state becomes another: said in the log, once. `claim` NULL: there is
 * none, or it cannot be read. */
void fence_become(struct fence *f, enum fence_state s, uint32_t newest,
		  const struct pack_claim *claim);

/* ---- claim.c -------------------------------------------------------- */

/* The highest generation > after that was claimed; `after` when none was. */
int claim_newest(struct fence *f, uint32_t after, uint32_t *newest);
/* What its maker wrote. -EBADMSG: nothing that we know. */
int claim_read(struct fence *f, uint32_t gen, struct pack_claim *out);
/*
 * Claims the next generation, if that may be: 0, and the fence has become
 * HOLDER, ELSEWHERE or UNSAFE; or -errno. `take`: whoever has it.
 */
int claim_run(struct fence *f, struct job *job, bool take, struct err *err);

/* ---- quarantine.c --------------------------------------------------- */

/* Was this generation claimed by this database? 1, 0, -errno. */
int quarantine_ours(struct fence *f, uint32_t gen);
/* Counts what others have left; as the holder. */
int quarantine_scan(struct fence *f, struct job *job);

#endif
