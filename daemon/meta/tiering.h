/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that tiering needs: where packs move, what archive classes were asked
 * for, pins, plans and runs, and what a bill has besides requests. The rules
 * of meta.h hold.
 */
#ifndef MERSEY_META_TIERING_H
#define MERSEY_META_TIERING_H

#include "meta/meta.h"

/* ---- packs on their way between tiers -------------------------------- */

/*
 * The bytes of an INTENT are stored, but are not its own: writes length,
 * version, billed, stored_ns and keep_ns as meta_pack_stored() does, and it
 * stays an INTENT. For meta_pack_relocate(), in one transaction with it.
 */
int meta_pack_placed(struct meta_txn *t, const struct meta_pack *in);
/*
 * A pack whose sealed bytes were stored once more, in another place: `to` is
 * an INTENT (its row was made before the copy was sent, its pack_id is a
 * placeholder), `row` is STORED. The two rows swap object, tier, class,
 * version, billed, stored_ns and keep_ns: then `row`, which extents name, is
 * there, and `to` has the old place, CONDEMNED at now_ns, with the order of
 * meta_restore_put() if there is one. -EINVAL from other states. -ESTALE, with
 * nothing done: `row` is nobody's any more.
 */
int meta_pack_relocate(struct meta_txn *t, uint64_t row, uint64_t to,
		       int64_t now_ns);

/* Does any extent of the file lie in a pack of one of these tiers (by name)?
 * 1, 0 or -errno. For the state of a file that leaves the cache. */
int meta_extent_in_tier(struct meta_txn *t, uint64_t ino,
			const char *const *tiers, size_t n);
/* Rows of the packs that hold bytes of a file, ascending, each once, behind
 * `after`. Count or -errno. */
int meta_extent_packs(struct meta_txn *t, uint64_t ino, uint64_t after,
		      uint64_t *row, size_t max);

/* How much of a STORED pack is alive. */
struct meta_pack_use {
	uint64_t row;
	uint64_t length;      /* of the object */
	uint64_t live_stored; /* sealed bytes of frames that extents name */
	uint64_t live_files;  /* files that have bytes there */
	char tier[64], storage_class[32];
	int64_t stored_ns, keep_ns;
};
/* STORED packs with row > after, ascending. Count or -errno. */
int meta_pack_uses(struct meta_txn *t, uint64_t after,
		   struct meta_pack_use *out, size_t max);

/* Bytes of files in a pack, by the study that they belong to (row; 0 = none).
 * The largest shares, of at most max studies. Count or -errno. */
struct meta_pack_share {
	uint64_t study, bytes;
};
int meta_pack_shares(struct meta_txn *t, uint64_t pack,
		     struct meta_pack_share *out, size_t max);

/* ---- files as policies see them --------------------------------------- */

/* A regular file with a name. */
struct meta_subject {
	uint64_t ino, parent; /* one of its directories */
	uint64_t size, cached_bytes, content_version;
	uint32_t mode, uid, gid;
	enum meta_state state;
	bool damaged, opened_for_write, pinned;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns, access_ns;
	int64_t protected_ns;
	uint64_t study; /* row, 0 = none or not known */
	uint64_t pack;	/* row of the pack of its first extent, 0 = none */
	char name[META_NAME_MAX + 1];
	char tier[64]; /* of that pack, "" = none */
};
/*
 * Those with ino > after, ascending by ino: for plans over all files. Some
 * microseconds each; at most as many as fit into 200 ms (S6), so fewer than
 * max does not mean that it was the last page: 0 does. Count or -errno.
 */
int meta_subjects(struct meta_txn *t, uint64_t after, struct meta_subject *out,
		  size_t max);
/* One file; -ENOENT. */
int meta_subject_get(struct meta_txn *t, uint64_t ino,
		     struct meta_subject *out);
/* The files of a study with ino > after, ascending. Count or -errno. */
int meta_study_files(struct meta_txn *t, uint64_t study, uint64_t after,
		     uint64_t *ino, size_t max);
/* The studies of a patient (raw bytes of PatientID) with row > after. */
int meta_patient_studies(struct meta_txn *t, const char *patient,
			 uint64_t after, struct meta_study *out, size_t max);

/* ---- orders to archive classes ---------------------------------------- */

enum meta_restore_state {
	META_RESTORE_WANTED,  /* not yet asked for (before the request) */
	META_RESTORE_ORDERED, /* the store said yes */
	META_RESTORE_READY,   /* readable until until_ns */
	META_RESTORE_FAILED,  /* see error; asked again at retry_ns */
};
struct meta_restore {
	uint64_t pack; /* row */
	enum meta_restore_state state;
	uint32_t speed; /* enum store_speed */
	uint32_t days;
	int64_t ordered_ns, due_ns; /* wall; due: by the class's terms */
	int64_t until_ns;	    /* of the copy; 0 = not known */
	int64_t retry_ns;
	bool taken;	/* the store said yes to it, and that was billed */
	char cause[16]; /* "read", "recall", "policy" */
	char error[128];
};
/* Makes or replaces the order of a pack. */
int meta_restore_put(struct meta_txn *t, const struct meta_restore *in);
int meta_restore_get(struct meta_txn *t, uint64_t pack,
		     struct meta_restore *out);
/* Orders with pack > after in `state`, ascending. Count or -errno. */
int meta_restore_list(struct meta_txn *t, enum meta_restore_state state,
		      uint64_t after, struct meta_restore *out, size_t max);
int meta_restore_delete(struct meta_txn *t, uint64_t pack);
/* The copies that are there at now_ns, by tier and class of their packs;
 * *ends_ns is when the first of them ends (0 = nobody knows). Count or -errno.
 */
int meta_restore_held(struct meta_txn *t, int64_t now_ns,
		      struct meta_pack_totals *out, size_t max,
		      int64_t *ends_ns);

/* ---- pins --------------------------------------------------------------- */

struct meta_pin {
	uint64_t id;
	uint64_t ino;	  /* what was asked for: a file, or a directory and
			     all that was in it then */
	int64_t until_ns; /* wall; 0 = until it is unpinned */
	int64_t made_ns;
	uint32_t uid;	       /* who asked */
	char cause[32];	       /* "pin", "clinic-list", "policy" */
	uint64_t files, bytes; /* filled by the list; as large as they were */
};
/* Makes a pin; sets in->id. */
int meta_pin_add(struct meta_txn *t, struct meta_pin *in);
/* A file belongs to a pin. No error when it did already. */
int meta_pin_file(struct meta_txn *t, uint64_t pin, uint64_t ino);
/* Is the file kept by any pin at now_ns? 1, 0 or -errno. */
int meta_pinned(struct meta_txn *t, uint64_t ino, int64_t now_ns);
/* Until when, by the longest; 0 = for ever. -ENOENT: it is not. */
int meta_pinned_until(struct meta_txn *t, uint64_t ino, int64_t now_ns,
		      int64_t *until_ns);
/* Pins with id > after, ascending. Count or -errno. */
int meta_pin_list(struct meta_txn *t, uint64_t after, struct meta_pin *out,
		  size_t max);
/* Files of a pin with ino > after, ascending. Count or -errno. */
int meta_pin_files(struct meta_txn *t, uint64_t pin, uint64_t after,
		   uint64_t *ino, size_t max);
/* Takes a file out of all pins. A pin whose last file goes ends. */
int meta_unpin_file(struct meta_txn *t, uint64_t ino);
/* It keeps nothing any more; -ENOENT when there is none. */
int meta_pin_delete(struct meta_txn *t, uint64_t id);
/* Ends at most max pins whose time is over, and removes some rows of those
 * that have ended: to be called now and then. Count of the first, or -errno. */
int meta_pin_expire(struct meta_txn *t, int64_t now_ns, size_t max);

/* ---- plans and runs ------------------------------------------------------ */

enum meta_plan_state {
	META_PLAN_NEW,	   /* nothing was done of it */
	META_PLAN_RUNNING, /* a run is doing it, or was when it was killed */
	META_PLAN_DONE,
	META_PLAN_CANCELLED,
};
struct meta_plan {
	uint64_t id;
	char name[17]; /* hex; what people type */
	char policy[64];
	enum meta_plan_state state;
	int64_t made_ns;  /* wall */
	uint64_t version; /* content versions above it are changes since */
	uint64_t files, bytes, items;
	/* Exact decimal text in the currency of reports. */
	char once[48], per_month[48];
};
struct meta_plan_item {
	uint64_t plan, seq; /* from 1 on */
	bool study;	    /* else a file */
	uint64_t subject;   /* row of the study, or inode */
	uint32_t rule;	    /* index in the policy */
	uint32_t action;    /* enum tier_action */
	char target[64];    /* tier; "" = none */
	char source[64];    /* tier that most of it is in; "" = none */
	uint64_t files, bytes;
	uint32_t state;	 /* 0 = to do, 1 = done, 2 = skipped */
	char reason[64]; /* of a skip */
};
/* A plan without items; sets in->id. */
int meta_plan_add(struct meta_txn *t, struct meta_plan *in);
/* All columns but the id. */
int meta_plan_update(struct meta_txn *t, const struct meta_plan *in);
int meta_plan_find(struct meta_txn *t, const char *name, struct meta_plan *out);
int meta_plan_get(struct meta_txn *t, uint64_t id, struct meta_plan *out);
/* With id > after, ascending. Count or -errno. */
int meta_plan_list(struct meta_txn *t, uint64_t after, struct meta_plan *out,
		   size_t max);
/* At most max items go, then the plan: 1 while some are left, 0 at the end. */
int meta_plan_delete(struct meta_txn *t, uint64_t id, size_t max);
int meta_plan_item_add(struct meta_txn *t, const struct meta_plan_item *in);
/* Writes state and reason. */
int meta_plan_item_set(struct meta_txn *t, const struct meta_plan_item *in);
/* With seq > after, ascending; all, or those that are still to do. */
int meta_plan_items(struct meta_txn *t, uint64_t plan, uint64_t after,
		    bool todo, struct meta_plan_item *out, size_t max);

enum meta_run_state {
	META_RUN_RUNNING,
	META_RUN_DONE,
	META_RUN_CANCELLED,
	META_RUN_STOPPED, /* by a limit, a budget or stop_on: see error */
	META_RUN_FAILED,
};
struct meta_run {
	uint64_t id, plan;
	char plan_name[17], policy[64];
	char trigger[16]; /* "apply", "run", "schedule", "cache", "oldest" */
	char by[64];	  /* who, in words: "uid 1000" */
	enum meta_run_state state;
	int64_t started_ns, ended_ns; /* wall; 0 = not yet */
	uint64_t files, bytes, skipped, errors;
	char cost[48], predicted[48]; /* exact decimal text */
	char error[160];
};
/* Sets in->id. */
int meta_run_add(struct meta_txn *t, struct meta_run *in);
int meta_run_update(struct meta_txn *t, const struct meta_run *in);
/* The newest first, with id < before (0 = from the newest). */
int meta_run_list(struct meta_txn *t, uint64_t before, struct meta_run *out,
		  size_t max);

/* ---- the ledger, beside requests ----------------------------------------- */

/* In byte-time: `whole` byte-hours, `rest` byte-seconds (< 3600). Counts and
 * bytes: `whole`. */
enum meta_ledger_kind {
	META_LEDGER_EARLY,    /* byte-time: rest of the minimum days of what was
				 deleted, at the day of the deletion */
	META_LEDGER_SMALL,    /* byte-time: billed beyond the bytes, because
				 objects are below the class's minimum */
	META_LEDGER_OVERHEAD, /* byte-time: the class's overhead for objects */
	META_LEDGER_OVERHEAD_STANDARD, /* the part billed as STANDARD */
	META_LEDGER_HELD, /* byte-time: restored copies, billed as STANDARD */
	META_LEDGER_RESTORED,				 /* + speed: bytes */
	META_LEDGER_RESTORES = META_LEDGER_RESTORED + 3, /* + speed: requests */
	META_LEDGER_DISK = META_LEDGER_RESTORES + 3, /* byte-time: the cache;
							tier "local" */
	META_LEDGER_KINDS,
};
struct meta_ledger_item {
	int32_t day;
	char tier[64], storage_class[32], cause[16];
	enum meta_ledger_kind kind;
	uint64_t whole, rest;
};
/* Adds; byte-time is normalised. */
int meta_ledger_item_add(struct meta_txn *t, const struct meta_ledger_item *in);
/* Rows with from <= day < to, in order, from row number `skip` on. */
int meta_ledger_items(struct meta_txn *t, int32_t from, int32_t to, size_t skip,
		      struct meta_ledger_item *out, size_t max);

/*
 * What was read back, by how long it had not been touched: the trust's own
 * re-reads. `age` is a band of 30 days, at most META_REREAD_AGES - 1.
 */
#define META_REREAD_AGES 64
struct meta_reread {
	int32_t month; /* months since 1970-01 */
	uint32_t age;
	uint64_t files, bytes;
};
int meta_reread_add(struct meta_txn *t, const struct meta_reread *in);
int meta_rereads(struct meta_txn *t, int32_t from_month, size_t skip,
		 struct meta_reread *out, size_t max);

#endif
