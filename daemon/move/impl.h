/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of daemon/move; move.h is its face.
 *
 * move.c     assembly, jobs
 * recall.c   what a reader does: share, wait, open its own frames
 * plan.c     what one GET brings
 * mates.c    what comes along with a file
 * fetcher.c  the list of fetches, its threads and buffers (fetch.h)
 * fetch.c    one of them: GET, open frames, fill
 * keys.c     packs' names, tiers and data keys, the recently used
 * tiers.c    the tiers of the trust
 * protect.c  the job: which files, when
 * study.c    which study files belong to
 * seal.c     what was chosen becomes a pack: beside the other streams
 * large.c    a large file: its parts by all streams
 * diff.c     what of a file changed since it was protected
 * copies.c   files that never close
 * build.c    files into a pack
 * member.c   what its index says of them
 * send.c     intent, PUT, commit
 * restore.c   orders to archive classes, and who waits for them
 * restoring.c the job that looks after them
 * bring.c     what is pinned comes here
 * evict.c reap.c gc.c   the other jobs
 * fence.c claim.c quarantine.c   who writes the bucket (fence_impl.h)
 *
 * Locks: build_lock > now.lock; fetcher.lock, keys.lock, jobs_lock,
 * sealing.lock, larges.lock and restores.lock are innermost. None is held over
 * a call of a store.
 */
#ifndef MERSEY_MOVE_IMPL_H
#define MERSEY_MOVE_IMPL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "cache/value.h"
#include "move/fetch.h"
#include "move/move.h"
#include "move/restore.h"

#define MOVE_STREAMS_MAX 8
#define MOVE_ITEMS_MAX	 1024 /* files of one pack: each holds a lease */
#define MOVE_LEASES_MAX	 2048 /* of all packs in the making */
#define MOVE_NOW_MAX	 256
#define REAP_DELAY_NS	 (NSEC_PER_SEC / 5)

/* ---- keys ----------------------------------------------------------- */

#define KEYS_MAX 64

struct move_key {
	uint64_t row; /* 0 = free */
	uint64_t used;
	uint64_t study; /* that all of the pack is of, or 0 */
	int tier;	/* index in struct move_stores; < 0: not configured */
	bool guess;	/* the only one, by another name: was it renamed? */
	char object[128];
	struct pack_key key;
};

struct move_keys {
	pthread_mutex_t lock; /* guards all below */
	uint64_t clock;
	uint64_t moved; /* packs that went to another place */
	struct move_key key[KEYS_MAX];
};

/* ---- protect -------------------------------------------------------- */

/* Bytes [off, end) of a file: whole frames, or up to its end. */
struct span {
	uint64_t off, end;
};

/* What becomes of a file's bytes; both ascend. */
struct plan {
	struct span *send;
	size_t sends, send_cap;
	struct meta_extent *keep; /* for meta_extent_replace() */
	size_t keeps, keep_cap;
	bool same; /* all is as it was: there is nothing to send */
};

/* A file on its way into packs. */
struct item {
	struct cache_seal seal; /* f NULL: given back, or not held at all */
	uint64_t ino;		/* of one that is not held */
	struct plan plan;
	struct meta_extent *extent; /* of what was sent */
	size_t n, cap;
	bool part;	/* its packs do not name the version */
	bool named;	/* its member stands in the index, or need not */
	uint64_t namer; /* row of the pack that does it without bytes, or 0 */
	bool committed;
};

/* Packs that are committed in one transaction: one pack of many files, or
 * the segments of a large one. */
struct parcel {
	struct item *item;
	size_t n, cap;
	struct meta_pack *pack; /* whose intent is a row */
	size_t packs, packs_cap;
	uint64_t frameless;	   /* the one of them that only names, or 0 */
	_Atomic unsigned *leases;  /* counts the items */
	const _Atomic int *failed; /* others gave up; NULL: there are none */
	char why[160];		   /* what the store said last */
	bool copies;		   /* of files that are open (S14) */
};

struct large; /* large.c */

/* ---- restore -------------------------------------------------------- */

/* Somebody waits for a pack. */
struct restore_waiter {
	struct restore_waiter *next;
	uint64_t pack;
	int64_t look_ns, pause_ns; /* boot time of the next look */
};

struct restores {
	pthread_mutex_t lock;	/* guards all below */
	pthread_cond_t changed; /* one can be read; CLOCK_MONOTONIC */
	struct restore_waiter *waiting;
	unsigned waiters;
	struct move_restores now; /* as the job saw it */
};

/* What is to be ordered. */
struct restore_want {
	uint64_t pack;
	enum store_speed speed;
	unsigned days;
	enum store_cause cause;
	bool absent;	/* the store said so, whatever the rows say */
	unsigned *made; /* counts new orders; NULL: nobody does */
};

struct protect_now {
	pthread_mutex_t lock; /* guards all below */
	bool all;
	unsigned n;
	uint64_t ino[MOVE_NOW_MAX];
};

struct stream {
	struct move *mv;
	struct job *job;
	unsigned index;
	_Atomic bool all; /* the one before it does not wait for settle */
};

struct move {
	struct move_opts o;
	struct meta *m;
	struct cache *c;
	struct pack_keyring *kr;
	struct move_stores s; /* n_tiers > 0 */
	bool one_tier;
	_Atomic bool away[MOVE_TIERS_MAX]; /* could not store there lately */
	_Atomic bool stopping;
	struct move_keys keys;
	struct fetcher fetcher;
	struct mates mates;
	struct restores restores;
	struct protect_now now;
	pthread_mutex_t build_lock; /* one stream chooses files at a time */
	_Atomic unsigned leases;    /* files that are held */
	_Atomic unsigned density; /* bytes stored of 256, in the latest packs */
	struct {
		pthread_mutex_t lock; /* guards all below */
		pthread_cond_t left;
		unsigned free; /* cores that nobody seals on */
	} sealing;
	struct {
		pthread_mutex_t lock; /* guards the list and all in it */
		pthread_cond_t done;  /* a part is */
		struct large *list;
	} larges;
	struct {
		uint64_t group;
		int64_t boot_ns;
	} packed[64]; /* groups that got packs lately; by build_lock */
	unsigned streams;

	pthread_mutex_t jobs_lock; /* guards the pointers to jobs */
	struct stream stream[MOVE_STREAMS_MAX];
	struct job *evict, *reap, *gc, *lost, *copies, *restore, *bring;
	bool bring_stop;		     /* what it waits for ends */
	const char *archive[MOVE_TIERS_MAX]; /* names of tiers */
	struct {
		pthread_mutex_t lock; /* held while it runs */
		bool (*fn)(void *arg, uint64_t ino);
		void *arg;
	} held;
	struct value_ghost ghost; /* evict's own */
	_Atomic bool full;     /* over the mark, and nothing can be evicted */
	uint64_t copies_after; /* inode; where copies go on, its own */
	unsigned reap_busy;    /* files in use when it last looked; its own */
	int64_t reap_pause_ns; /* between looks at those; its own */
	/* Clocks at the start, to notice that one was set (S24). */
	int64_t wall0_ns, boot0_ns;
	bool gc_doubt, gc_agreed; /* gc's own */
};

/* ---- keys.c --------------------------------------------------------- */

void keys_init(struct move_keys *k);
void keys_done(struct move_keys *k);
static inline void move_key_wipe(struct move_key *k)
{
	pack_key_done(&k->key);
}
/* Copies the name and key of a pack; for CLEANUP(move_key_wipe). */
int keys_get(struct move *mv, uint64_t row, struct move_key *out);
/* Is the pack elsewhere than `key` says? Then 1, and key says where. */
int keys_moved(struct move *mv, struct move_key *key);
/* A pack has another place now. What was read before says nothing of it. */
void keys_forget(struct move *mv, uint64_t row);

/* ---- tiers.c -------------------------------------------------------- */

/* Fills mv->s.tier when there is only the first one. */
void tiers_init(struct move *mv);
/* Index of the tier of that name, or -ENODEV: it is not configured (any more).
 * Where there is only the first one all packs lie there. */
int tier_find(const struct move *mv, const char *name);

/* ---- protect.c seal.c large.c diff.c build.c send.c ------------------ */

/* The job of one upload stream (job_run_fn). */
int64_t protect_run(struct job *job, void *stream);
/* There is work for all streams; but for those that rest after an error. */
void protect_ask(struct move *mv);
/* move_protect_now() of all, with the same exception. */
void protect_hurry(struct move *mv);
/* Sleeps; true when the job is stopping. Not ended by job_wake(). */
bool move_sleep(struct job *job, int64_t ns);

/* Seals, sends and commits what the parcel holds. How many files became
 * protected, or -errno; then its packs are condemned. */
int protect_send(struct move *mv, struct job *job, struct parcel *p);
/* The job "open-files" (job_run_fn): what never closes. */
int64_t copies_run(struct job *job, void *mv);

/* Frees the parcel; files that were not protected are given back. */
void parcel_done(struct parcel *p);
/* Gives the last file back, unprotected. */
void parcel_drop_last(struct parcel *p);
/* Seals a file and adds it. -EBUSY, -EIO and others of cache_seal_begin. */
int parcel_add(struct move *mv, struct parcel *p, uint64_t ino);
/*
 * Finds out what of a file has to be sent. `sealing`: the caller has a core
 * for it already. An empty plan for an empty file.
 */
int plan_make(struct move *mv, struct job *job, const struct cache_seal *s,
	      struct plan *p, bool sealing);
void plan_done(struct plan *p);

/*
 * Reads spans of an item, which ascend, into the writer and ends the member:
 * named when the file is proven unchanged, else its frames are dead. It also
 * names what the item's plan keeps, and what of its extents is in packs that
 * have a row. 1: named, 0: not, -ENOSPC: not, the pack takes no more, -errno:
 * the writer is of no use any more.
 */
int build_item(struct move *mv, struct pack_writer *w, struct item *it,
	       const struct span *span, size_t n);
/* Is there nothing but zeros in n > 0 bytes? */
bool build_zero(const uint8_t *p, size_t n);
/*
 * Where data begins in [*off, end), in whole frames, and where it ends.
 * False: there is none; *off is behind `end` then, where the next is.
 */
bool build_data(const struct cache_seal *s, uint64_t *off, uint64_t end,
		uint64_t *to);

/* A frame was written that holds the item's bytes at `off`. */
int item_frame(struct item *it, uint64_t off, const struct pack_frame *frame,
	       bool last);

#define MEMBER_XATTRS 256

/* What the index says of a file; the bytes lie in the buffers. */
struct member {
	struct pack_member m;
	struct buf path, names, values;
	struct pack_kept *kept;
	struct pack_xattr xattr[MEMBER_XATTRS];
	size_t at[MEMBER_XATTRS]; /* of each value in `values` */
};

/* Empty; NULL without memory. */
struct member *member_new(void);
/*
 * What the rows say; kept runs are the caller's to add. `is` may refuse the
 * inode's row, or change what is to be said of it. 1: it did, or the file has
 * no name any more. member_unsayable(): see member_plain().
 */
int member_load(struct meta_txn *t, uint64_t ino,
		bool (*is)(const void *arg, struct meta_inode *row),
		const void *arg, struct member *mb);
static inline bool member_unsayable(int rc)
{
	return rc == -EINVAL || rc == -ENAMETOOLONG || rc == -E2BIG;
}
/* Names it by its number instead. */
int member_plain(struct member *mb);
/* NULL is fine. */
void member_free(struct member *mb);
DEFINE_GUARD(struct member *, member_free);

void sealing_init(struct move *mv);
void sealing_done(struct move *mv);
void larges_init(struct move *mv);
void larges_done(struct move *mv);

/* Sealing takes a core: as many at a time as there are. */
void sealing_take(struct move *mv);
void sealing_give(struct move *mv);
/* Bytes of a large file that make a pack: whole frames. */
static inline uint64_t move_part(const struct move *mv)
{
	return MAX(mv->o.object_size & ~(META_FRAME_SIZE - 1), META_FRAME_SIZE);
}
/* How many plain bytes are likely to fill a pack. */
uint64_t sealing_room(struct move *mv);
/* Seals the files of a parcel into a pack and sends it. Those that it has no
 * room for are given back. -ESTALE: none of them is what it was. */
int seal_parcel(struct move *mv, struct job *job, struct parcel *p);
/* The same for a parcel of one large file: packs of its own. */
int large_protect(struct move *mv, struct job *job, struct parcel *p);
/* Does one part of another stream's large file, if there is any left. 1: it
 * did, 0: there was none. */
int large_help(struct move *mv, struct job *job);

static inline uint64_t item_ino(const struct item *it)
{
	return it->seal.f ? cache_ino(it->seal.f) : it->ino;
}
/* The frames written since the last pack lie in this one. A file that has none
 * there is named by it all the same. */
void parcel_name(struct parcel *p, uint64_t row);
/* Makes room for one more pack; it is counted by parcel->packs++. */
struct meta_pack *parcel_pack(struct parcel *p);
/* Adds an empty extent to an item. */
struct meta_extent *item_extent(struct item *it);
/* Forgets an item's extents. */
void item_forget(struct item *it);

/* Seals the pack, writes its intent, puts it. On -errno nothing names it. */
int send_pack(struct move *mv, struct job *job, struct parcel *p,
	      struct pack_writer *w);
/* Where a pack of known length goes in a tier, by its id and the writer's
 * generation; and what its class makes of it. */
int send_place(struct move *mv, const struct move_tier *tier,
	       struct meta_pack *pack);
/* What a row says of a pack that was written, with its place. */
int send_describe(struct move *mv, const struct move_tier *tier,
		  const struct pack_writer *w, size_t len,
		  const uint8_t digest[PACK_DIGEST_SIZE],
		  struct meta_pack *pack);
/* Its intent becomes a row, durable (S23). */
int send_intend(struct move *mv, struct meta_pack *pack);
/* The PUT, once; what it left may be there also after an error. */
int send_object(const struct move_tier *tier, enum store_cause cause,
		struct meta_pack *pack, const void *data);
/* The transaction that names it all. How many files it moved, or -errno. */
int send_commit(struct move *mv, struct job *job, struct parcel *p);
/* Condemns the parcel's packs. */
int send_abandon(struct move *mv, struct parcel *p);

/* ---- study.c -------------------------------------------------------- */

struct dicom_header;

/* Reads the headers of all files that were closed since the last time and
 * writes which study each belongs to. -EINTR: the job is stopping. */
int study_read_headers(struct move *mv, struct job *job);
/* The study of all that a parcel may name; 0 when it is not one. */
int study_of_parcel(struct meta_txn *t, const struct parcel *p,
		    uint64_t *study);
/* What the file behind `fd` says of itself; empty when it is no DICOM. */
int dicom_header_read(int fd, uint64_t size, struct dicom_header *out);

/* ---- restore.c restoring.c ------------------------------------------ */

void restores_init(struct restores *rs);
void restores_done(struct restores *rs);
/* The tier of that name, or NULL. */
const struct move_tier *restore_tier(const struct move *mv, const char *name);
/* How long a restore takes, by the class's terms. */
int64_t restore_takes(const struct move_tier *tier, enum store_speed speed);
/* Can a pack be read, as far as is known? 0; -EINPROGRESS: it is ordered;
 * -ENOMEDIUM: it must be, or -errno. */
int restore_check(struct move *mv, uint64_t pack);
/* Is there anything that could be asked to restore a pack? Else who said that
 * it must be is not to be believed. */
bool restore_possible(struct move *mv, uint64_t pack);
/* The same for who waits: an order counts in each tier. */
int restore_arrived(struct move *mv, uint64_t pack);
/* Inside a write transaction: makes an order if there is none that does. 0:
 * it can be read, -EINPROGRESS, or -errno. */
int restore_want(struct meta_txn *t, struct move *mv,
		 const struct restore_want *w);
/* The same in a transaction of its own. */
int restore_order(struct move *mv, const struct restore_want *w);
/* Orders a pack for who reads a file, with the rest of the file and of its
 * study. 0 or -errno. */
int restore_for(struct move *mv, uint64_t ino, uint64_t pack, bool absent,
		enum store_cause cause);
/* A program opened a file to read it: what of it is archived is ordered. */
void restore_opened(struct move *mv, uint64_t ino);
/* Waits up to until_ns (boot time) for a pack: 0, -ETIMEDOUT, also when
 * *hangup is true or too many wait already, -EINTR, or as restore_check(). */
int restore_wait(struct move *mv, uint64_t pack, int64_t until_ns,
		 const volatile bool *cancel, const volatile bool *hangup);
/* The same, but an order that is there always does. */
int restore_want_once(struct meta_txn *t, struct move *mv,
		      const struct restore_want *w);
/* The jobs "restore" and "recall" (job_run_fn). */
int64_t restoring_run(struct job *job, void *mv);
int64_t bring_run(struct job *job, void *mv);

/* ---- evict.c reap.c gc.c -------------------------------------------- */

/* The jobs "evict", "reap" and "gc" (job_run_fn). */
int64_t evict_run(struct job *job, void *mv);
/* Takes up what the last process knew of files that have left. */
int evict_load(struct move *mv, struct err *err);
int64_t reap_run(struct job *job, void *mv);
int64_t gc_run(struct job *job, void *mv);
/* Condemns the intents of the last process. */
int gc_intents(struct move *mv, struct err *err);
/* Was the last process sure of its clock? And that this one is not yet. */
int gc_doubt(struct move *mv, struct err *err);
int64_t lost_run(struct job *job, void *mv);

/* Wakes one of mv's jobs, if it is there; or makes it run within ns. */
void move_wake(struct move *mv, struct job **job);
void move_wake_in(struct move *mv, struct job **job, int64_t ns);

/* What a store said, in words. */
const char *move_why(int rc, char *out, size_t size);

#endif
