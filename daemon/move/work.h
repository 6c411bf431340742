/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of transfers (transfer.h).
 *
 * transfer.c  move_transfer() and its estimate: one walk, with or without
 *             doing it
 * work.c      what rows say: files, their packs, and what becomes of those
 * relocate.c  a pack as it is to another place
 * lot.c       frames of files that make a new pack, and the GETs for them
 * form.c      frames into new packs
 * commit.c    the transaction that names those
 * estimate.c  what forming them comes to
 * compact.c   move_compact()
 *
 * Nothing here holds a file, or a lock over a request. What was read from rows
 * is asked for again in the transaction that changes them: a file that was
 * changed, removed or moved meanwhile stays what it is, and what was sent for
 * it is dead weight, or is condemned.
 */
#ifndef MERSEY_MOVE_WORK_H
#define MERSEY_MOVE_WORK_H

#include "meta/tiering.h"
#include "move/impl.h"
#include "move/transfer.h"

enum work_fate {
	WORK_STAYS,
	WORK_COPIED, /* as it is, to another place */
	WORK_FORMED, /* what is alive of it goes into new packs */
};

struct work_pack {
	struct meta_pack at; /* as the row was */
	int tier;	     /* < 0: not configured */
	uint64_t ours;	     /* extents and namings of the files */
	uint64_t live;	     /* sealed bytes of those extents */
	enum work_fate fate;
	bool lost;   /* its row is not what it should be: others move it */
	bool failed; /* its bytes cannot be had, or not be stored */
	bool moved;  /* it was copied */
	bool waits;  /* for a restore */
	bool gone;   /* its old object was counted as such */
};

struct work_file {
	uint64_t ino, version, size;
	uint64_t namer;	       /* row, or 0 */
	struct meta_extent *e; /* all, with tables and checks */
	size_t n, cap;
	const char *left; /* why it stays as it is */
	bool forms;	  /* new packs are to have some of it, or name it */
	bool formed;	  /* they do */
	bool failed;
};

/* A file has bytes in a pack that goes as it is; indices. */
struct work_user {
	size_t pack, file;
};

struct work {
	struct move *mv;
	const struct move_transfer *in;
	struct move_transferred *out;
	bool estimate; /* nothing is sent or changed */
	/* These packs are formed anew, and all others stay; rows, ascending.
	 * NULL: what is in another tier moves. */
	const uint64_t *want;
	size_t wants;
	struct work_file *file;
	size_t files;
	struct work_pack *pack; /* ascending by row */
	size_t packs;
	struct work_user *user; /* ascending */
	size_t users;
	bool loaded; /* all its rows were read */
	bool waits;  /* something is to be restored */
};

/* ---- transfer.c ------------------------------------------------------- */

/* The store has no copy of the pack, whatever rows say: it is ordered. 0 or
 * -errno. */
int transfer_absent(struct work *w, struct work_pack *p);
/* What storing an object in the target came to; returns it. */
int transfer_stored(const struct work *w, int rc);
/* Does the work, or counts it; what is there is freed by work_done(). 0,
 * -EINPROGRESS or -errno, as move_transfer(). */
int transfer_work(struct work *w);

/* ---- work.c ----------------------------------------------------------- */

/* Reads the rows of in->ino[0..n). Frees with work_done(), also after an
 * error. */
int work_load(struct work *w);
/* Decides what becomes of each pack, and which files form new ones. 0 or
 * -ENOMEM. */
int work_fates(struct work *w);
void work_done(struct work *w);

/* The pack of a row; there is one for each that a file names. */
struct work_pack *work_pack(const struct work *w, uint64_t row);
static inline const struct move_tier *work_to(const struct work *w)
{
	return &w->mv->s.tier[w->in->to];
}
/* Target size of the new packs. */
uint64_t work_object_size(const struct work *w);
/* May it go on? 0 or -EINTR. */
int work_go_on(const struct work *w);
/* No word about an object: the store is away, or full, or refuses. */
bool work_later(int rc);

/* Does the extent go into a new pack? */
static inline bool work_formed(const struct work *w,
			       const struct meta_extent *e)
{
	return work_pack(w, e->pack)->fate == WORK_FORMED;
}
/* Is all of the file in the target now? */
bool work_arrives(const struct work *w, const struct work_file *f);
/* Counts an object that came, or one whose last name went. */
void work_count_new(struct work *w, uint64_t length);
void work_count_gone(struct work *w, struct work_pack *p);

/* ---- relocate.c ------------------------------------------------------- */

/* Moves all packs that go as they are. */
int relocate_all(struct work *w);

/* ---- lot.c ------------------------------------------------------------ */

/* A frame on its way into a new pack. */
struct lot_frame {
	const struct meta_extent *e;
	uint32_t i;	   /* of the extent's frames */
	uint64_t pack_off; /* where it lies now */
};

/* A file's frames of one new pack; none: it is only named there. */
struct lot_file {
	struct work_file *f;
	size_t first, n;
};

struct lot {
	struct lot_frame *frame;
	size_t frames, frames_cap;
	struct lot_file *file;
	size_t files, files_cap;
	uint64_t stored; /* sealed bytes of the frames */
	bool part;	 /* it names no version */
};

void lot_done(struct lot *b);
/* Sealed bytes of a file that go into new packs. */
uint64_t lot_stored(const struct work *w, const struct work_file *f);
/* Where a file goes on; all zero: from its beginning. */
struct lot_at {
	size_t extent;
	uint32_t frame; /* of the extent */
	uint64_t pack_off;
};
/*
 * Adds frames of a file that are to be formed, from *at on; at most `most`
 * sealed bytes of them, but one frame in an empty lot. *at moves on. 1:
 * there are more.
 */
int lot_add(struct work *w, struct lot *b, struct work_file *f, uint64_t most,
	    struct lot_at *at);

static inline uint32_t lot_frame_stored(const struct lot_frame *fr)
{
	return fr->e->table[fr->i] & PACK_TABLE_LEN;
}
static inline uint64_t lot_frame_off(const struct lot_frame *fr)
{
	return fr->e->off + (uint64_t)fr->i * META_FRAME_SIZE;
}
static inline uint32_t lot_frame_len(const struct lot_frame *fr)
{
	return (uint32_t)MIN(META_FRAME_SIZE,
			     fr->e->off + fr->e->len - lot_frame_off(fr));
}

#define LOT_WINDOW (8ULL << 20) /* bytes of one GET, at most */

/* Where the frames end that one GET brings from frame i on; *len its bytes. */
size_t lot_window(const struct lot *b, size_t i, size_t *len);
/* Runs of consecutive frames that a file has in the lot. */
size_t lot_runs(const struct lot *b, const struct lot_file *bf);

/* ---- form.c commit.c estimate.c --------------------------------------- */

/* Forms all that is to be formed. */
int form_all(struct work *w);

/* The file's row is what the work was decided by. For member_load(). */
bool form_is(const void *file, struct meta_inode *row);
/* member_load() with that. */
int form_member_load(struct move *mv, const struct work_file *f,
		     struct member *mb);
/* Names the packs of the parcel, whose items are the files of the lot. */
int form_commit(struct work *w, struct parcel *p, const struct lot *b);

/* A PUT; and a new pack that is there. */
void form_count_put(struct work *w, uint64_t length);
void form_count_new(struct work *w, uint64_t length);
/* Counts what forming the lot takes. `runs`: of the file's parts. */
int estimate_pack(struct work *w, const struct lot *b, size_t runs);
/* Counts the old packs that have no name left, when all is done. */
int estimate_gone(struct work *w);

#endif
