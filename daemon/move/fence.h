/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bucket, one writer (S22). Who has made the newest object gen/<n>, the
 * holder, writes and deletes below a prefix, and nobody else: see
 * mersey-pack(5). A start claims the next generation by itself only when the
 * newest claim is this database's, made on this machine for this directory;
 * else it serves without writing until a person takes the bucket over.
 *
 *   WAITING ──► HOLDER ──► SUPERSEDED
 *      ├──────► ELSEWHERE      │  a newer claim was seen: read-only
 *      └──────► UNSAFE         │
 *   ELSEWHERE, SUPERSEDED ──► HOLDER: fence_take()
 *
 * What a superseded holder still sends before it knows harms nobody: its
 * keys carry its own generation, and are never overwritten, deleted or used
 * by its successor (they are in quarantine). So a PUT may go by a look that
 * is `glance_ns` old when it is asked for, and may wait for its turn after
 * that; a DELETE is asked for again when it has waited.
 *
 * What that costs: one HEAD at most every two seconds while something is
 * written (`glance_ns`), one LIST for each batch of DELETEs (those within a
 * second are one: `batch_ns`), and one LIST each ten minutes (`look_ns`). At
 * $0.0004 and $0.005 for a thousand: at most $0.52 a month for who writes day
 * and night, $0.02 for who does nothing.
 */
#ifndef MERSEY_MOVE_FENCE_H
#define MERSEY_MOVE_FENCE_H

#include "base/err.h"
#include "base/job.h"
#include "meta/meta.h"
#include "pack/pack.h"
#include "store/store.h"

enum fence_state {
	FENCE_WAITING,	  /* the bucket has not been seen yet */
	FENCE_HOLDER,	  /* we write it */
	FENCE_ELSEWHERE,  /* another gateway did when we started, or our claims
			     lie elsewhere */
	FENCE_SUPERSEDED, /* another gateway took it from us */
	FENCE_UNSAFE,	  /* claims are not safe there: no create-only PUT */
};

struct fence_opts {
	const char *trust, *gateway; /* for people; borrowed */
	const char *machine, *dir;   /* what makes an owner; borrowed */
	/* A person vouches for it: claims without create-only PUT will do. */
	bool single_writer;
	/* Told what the bucket can do, when that was tried. NULL: nobody. */
	void (*probed)(void *arg, const struct store_caps *caps);
	void *arg;
	/* The buckets of later tiers, through their gates: looked through for
	 * what other gateways left there, too. Borrowed. */
	struct store *const *others;
	size_t n_others;
	int64_t glance_ns, batch_ns, look_ns; /* 0 = as above */
	int64_t ask_ns; /* least time between answers to fence_ask(); 0 = 30 s
			 */
	int64_t settle_ns; /* a claim that others may overwrite is looked at
			      again after this; 0 = 5 s */
};

struct fence;

/* `s`: the bucket, past the gate, cause BACKUP. Nothing is asked of it before
 * fence_open(). All borrowed. */
int fence_start(const struct fence_opts *o, struct meta *m, struct store *s,
		const struct pack_volume_id *volume,
		const struct pack_root *root, struct fence **out,
		struct err *err);
void fence_stop(struct fence *f);
DEFINE_GUARD(struct fence *, fence_stop);

/* The bucket is the trust's own (S20): it may be claimed. */
void fence_open(struct fence *f);

/*
 * By its last request the store does not answer, or refuses. When nobody has
 * anything to ask of it, that would be all that is known for ten minutes: the
 * writer looks now, unless it did a moment ago.
 */
void fence_ask(struct fence *f);

#define FENCE_WHY_SIZE 256

/*
 * May this key be put, these be deleted? 0, or -EAGAIN: not known yet, -EROFS:
 * another gateway writes the bucket, -ESTALE: the key is of a generation of
 * ours that is over, -EPERM: a key is of another gateway's generation; why[]
 * says so in words. Or an error of the store, and why[] is "". They ask the
 * bucket as the top says; call them right before.
 */
int fence_put(struct fence *f, const char *key, char why[FENCE_WHY_SIZE]);
int fence_del(struct fence *f, const char *const *keys, size_t n,
	      char why[FENCE_WHY_SIZE]);

/*
 * The generation that names of new objects carry. 0, -EAGAIN or -EROFS with
 * the reason in `why` (which may be NULL). Asks nobody. NULL: there is no
 * fence, in tests; 1.
 */
int fence_generation(struct fence *f, uint32_t *gen, char why[FENCE_WHY_SIZE]);

/* Whose, and what else is known of it. */
struct fence_info {
	enum fence_state state;
	uint32_t generation;	    /* the newest; 0 = none is known */
	char held_by[65], host[65]; /* "" = not known */
	int64_t held_since_ns;	    /* wall time, by its maker's clock; 0 */
	char why[FENCE_WHY_SIZE];   /* why we do not write; "" = we do */
	/* Objects of other gateways' generations that our rows do not name:
	 * seen when this worker became the holder. */
	uint64_t quarantined, quarantined_bytes;
	bool quarantine_known;
};
void fence_info(struct fence *f, struct fence_info *out);
/* "waiting", "holder", "elsewhere", ... */
const char *fence_state_name(enum fence_state s);

/*
 * Looks again who holds the bucket, or claims it whoever does; waits up to a
 * minute. *was is how it was before. 0 also when we hold it already.
 * -EAGAIN: the bucket has not been seen yet, or an error of the store.
 */
int fence_look(struct fence *f, struct fence_info *was, struct err *err);
int fence_take(struct fence *f, struct fence_info *was, struct err *err);

/* The job "writer", for `jobs`. */
void fence_job(struct fence *f, struct job_info *out);

#endif
