/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How bytes come back. A fetch is one GET: consecutive bytes of one pack, the
 * frames of one file or of several (its parts). It stands in the list from
 * before the GET until its frames are in the cache, so readers share it and
 * no frame is asked for twice.
 *
 * Who needs something now goes before what is fetched ahead, and the bytes in
 * flight have a budget. A reader opens the frames it waits for itself, as
 * soon as they have arrived; the thread that made the GET opens the others
 * when all is here.
 */
#ifndef MERSEY_MOVE_FETCH_H
#define MERSEY_MOVE_FETCH_H

#include <pthread.h>
#include <stdatomic.h>

#include <uthash.h>

#include "cache/cache.h"
#include "meta/meta.h"
#include "store/drivers.h"

struct move;

#define MOVE_FETCHERS_MAX 64
#define FETCH_BYTES	  (4ULL << 20) /* of a file, with one GET, at most */
#define FETCH_SMALL	  (1ULL << 20) /* a file up to this comes at once */

/* Consecutive frames of one file. Only `claimed`, `done` and `rc` change. */
struct part {
	uint64_t ino, version;
	struct meta_extent e; /* its table is ours */
	uint32_t first, n;    /* frames of e */
	size_t at, stored;    /* their sealed bytes in the fetch */
	bool claimed;	      /* opened by the fetch's thread, or soon */
	bool done;
	int rc; /* 0, -EIO bad for good, -ESTALE, -EAGAIN not now,
		   -ENOMEDIUM archived, others */
};

/* Fields without a note do not change, or belong to the thread that runs it;
 * the rest is guarded by the fetcher's lock. */
struct fetch {
	struct fetch *prev, *next; /* in fetcher.list until it is done */
	uint64_t pack, pack_off;
	size_t stored; /* bytes */
	enum store_cause cause;
	bool ahead;	  /* wanted also without a waiter */
	bool mates;	  /* brings more than one file, open or not */
	unsigned refs;	  /* waiters, and the list or the thread; guarded */
	unsigned waiters; /* guarded */
	bool running, running_ahead, done; /* guarded */
	int rc;				   /* when it never ran; guarded */
	pthread_cond_t changed; /* something arrived, a part is done, a reader
				   has looked */
	unsigned looking;	/* readers that look into buf; guarded */
	unsigned filling; /* those and what they put into the cache; guarded */
	uint8_t *buf;
	size_t cap;
	_Atomic size_t got;    /* bytes of buf that are there */
	_Atomic size_t notify; /* somebody waits for so many */
	struct part *part;
	size_t parts;
	size_t own; /* the part that was asked for; == parts: none */
	struct move *mv;
};

struct fetch_buf;

struct fetcher {
	pthread_mutex_t lock; /* guards all below and every fetch */
	pthread_cond_t work;  /* something to do; CLOCK_MONOTONIC */
	struct fetch *list;   /* oldest first */
	uint64_t budget;      /* of buffers, bytes */
	uint64_t bytes;	      /* in them */
	uint64_t ahead;	      /* bytes that wait in the list for nobody */
	unsigned running_ahead;
	bool stop;
	struct fetch_buf *idle; /* buffers to be used again */
	unsigned threads;
	pthread_t thread[MOVE_FETCHERS_MAX];
};

/* ---- plan.c --------------------------------------------------------- */

/* What is to be brought: bytes [off, off+len) of a file at a version. */
struct want {
	uint64_t ino, version, size;
	uint64_t off, len; /* whole frames, or to the end of the file */
	enum store_cause cause;
};

/*
 * Where the first bytes are: 1 and a new fetch of them, or 0 and *len bytes of
 * hole. -ESTALE: the file is another one by now; -EUCLEAN: rows that lie.
 */
int plan_fetch(struct move *mv, const struct want *w, struct fetch **out,
	       uint64_t *len);
/* All files of a pack that are elsewhere: 1, or 0 when there are none. */
int plan_pack(struct move *mv, uint64_t pack, struct fetch **out);
/* NULL is fine. */
void fetch_free(struct fetch *x);
DEFINE_GUARD(struct fetch *, fetch_free);
/* Where a part lies in its file. */
static inline uint64_t part_off(const struct part *p)
{
	return p->e.off + (uint64_t)p->first * META_FRAME_SIZE;
}
static inline uint64_t part_end(const struct part *p)
{
	return MIN(p->e.off + p->e.len,
		   part_off(p) + (uint64_t)p->n * META_FRAME_SIZE);
}

/* ---- mates.c -------------------------------------------------------- */

#define TRACKS 64

struct track_file {
	UT_hash_handle hh;
	uint64_t ino, bytes;
	uint32_t track;
	bool hashed, opened;
};

/* A pack that was read from lately. */
struct track {
	uint64_t pack, study; /* rows; pack 0 = free */
	int64_t used_ns;
	struct track_file *file; /* in the order of their bytes */
	size_t n, last;		 /* file that was opened last */
	bool asked;		 /* for the packs behind it */
	unsigned depth;		 /* so many */
	uint64_t end;		 /* byte behind what was touched */
	uint64_t window;	 /* brought along behind that */
};

struct mates {
	pthread_mutex_t lock; /* guards what has no atomics */
	_Atomic unsigned tracks;
	struct track track[TRACKS];
	struct track_file *files; /* by inode */
	uint64_t brought, opened; /* bytes, of late */
	int64_t waste_ns;
	_Atomic uint64_t asked, fetched, requests; /* for programs that read */
	_Atomic uint64_t rate; /* bytes per second of one GET; 0 = unknown */
};

struct mates_next {
	uint64_t study, pack;
	unsigned depth;
};

void mates_init(struct mates *ms);
void mates_done(struct mates *ms);
/* A file is fetched whose bytes are `e`: should those in [*from, *end) of its
 * pack come along? */
bool mates_wanted(struct move *mv, const struct meta_extent *e, uint64_t study,
		  uint64_t *from, uint64_t *end);
/* A GET for somebody brought so many bytes in that time, whether it failed or
 * not. */
void mates_learn(struct move *mv, uint64_t bytes, int64_t ns);
/* Bytes that one GET can bring long before its readers give up. */
uint64_t mates_room(struct move *mv);
/* Remembers what a fetch brings. */
void mates_note(struct move *mv, const struct fetch *x, uint64_t study,
		unsigned depth);

/* ---- fetcher.c ------------------------------------------------------ */

/* Memory, locks; the threads. */
void fetcher_init(struct fetcher *fr);
void fetcher_done(struct fetcher *fr);
int fetcher_start(struct move *mv);
void fetcher_stop(struct move *mv);

/* A place in a fetch for one who waits for a part of it. */
struct place {
	struct fetch *x;
	struct part *p;
};

/* The fetch that brings byte `off` of a file, with a place in it; or false,
 * and *len is cut where one begins. */
bool fetcher_join(struct move *mv, const struct want *w, uint64_t off,
		  uint64_t *len, struct place *out);
/*
 * Adds a new fetch, unless another one of its first bytes has come between;
 * in both cases with a place in it. Takes x. -EINTR: it is stopping.
 */
int fetcher_add(struct move *mv, struct fetch *x, struct place *out);
/* The same without a place. False: no room for more that nobody waits for. */
bool fetcher_add_ahead(struct move *mv, struct fetch *x);
/* May as much be queued that nobody waits for? */
bool fetcher_has_room(struct move *mv);
void fetcher_leave(struct move *mv, struct place *at);

/* ---- fetch.c -------------------------------------------------------- */

#define OPEN_BATCH (256u << 10) /* plain bytes that are filled at once */

/* Memory to open frames with. */
struct opener {
	uint8_t *plain;	  /* OPEN_BATCH */
	uint8_t *scratch; /* a frame */
};

/* GET, open, fill. Sets rc and done of each part. */
void fetch_run(struct fetch *x, struct opener *o);
/*
 * For a waiter: opens the frames of [off, end) of its part, which have
 * arrived, into the file. 0, or -errno: it waits for the thread then.
 */
int fetch_open_part(struct fetch *x, struct part *p, struct cache_file *f,
		    uint64_t off, uint64_t end);
/* Bytes of the fetch that must be there for that. */
size_t fetch_needs(const struct part *p, uint64_t end);

#endif
