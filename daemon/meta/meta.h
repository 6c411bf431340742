/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace and all other state of one trust, as rows. The only SQL.
 *
 * All calls happen inside a transaction (struct meta_txn), which holds the
 * one commit mutex: keep it short, do no I/O but the database's under it.
 * Values go in and come out as plain structs; nothing points into the
 * database. A change is seen by everybody after meta_commit(), survives
 * kill -9 then (P2), and a power cut after meta_durable() (S1).
 *
 * Errors: -ENOENT no such row, -EEXIST, -EDQUOT, -ENOSPC, -EIO, -EUCLEAN,
 * -ENOMEM. After any other error than the first three the caller aborts; a
 * transaction that met one cannot be committed. A change in a transaction of
 * meta_read() is -EROFS.
 */
#ifndef MERSEY_META_META_H
#define MERSEY_META_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/job.h"

#define META_ROOT_INO	1ULL
#define META_NAME_MAX	255
#define META_INO_BITS	48
#define META_PATH_MAX	65536	 /* longest path that meta_path() gives */
#define META_TXN_IDS	1024	 /* of each kind, for one transaction */
#define META_FRAME_SIZE 65536ULL /* unit of presence; = PACK_FRAME_MAX */

struct meta;

struct meta_opts {
	const char *path; /* the database file; its directory must exist */
	/* Written when the database is made: */
	uint8_t volume[16];
	uint32_t root_mode, root_uid, root_gid;
};

/* Makes a new database with a root directory. -EEXIST when there is one. */
int meta_create(const struct meta_opts *o, struct err *err);

/*
 * Opens the database, migrates an older schema (a copy of it stays beside it
 * as <path>.schemaN), refuses a newer one, and starts the checkpoint thread.
 * `volume` receives the volume id.
 */
int meta_open(const char *path, struct meta **out, uint8_t volume[16],
	      struct err *err);
void meta_close(struct meta *m);
/* Memory for rows and pages of the database; some 20 MiB by default. Before
 * anybody else uses it. 0 or -ENOMEM. */
int meta_set_memory(struct meta *m, uint64_t bytes);
DEFINE_GUARD(struct meta *, meta_close);

/* ---- transactions --------------------------------------------------- */

struct meta_conn;

struct meta_txn {
	struct meta *m; /* NULL when ended */
	struct meta_conn *conn;
	bool write;
	int error;	  /* that makes it impossible to commit */
	unsigned changes; /* statements that changed something */
};

/*
 * Starts a transaction that may change rows; waits for the commit mutex.
 * -EDEADLK when this thread is in a transaction already.
 */
int meta_begin(struct meta *m, struct meta_txn *t);
/* Starts one that only reads. */
int meta_read(struct meta *m, struct meta_txn *t);
/*
 * Starts one that only reads, beside the others: it sees what was committed
 * when it began, and holds up nobody but other looks. For background work
 * that goes through many rows. Keep it below 200 ms all the same: the log
 * grows as long as it lives (S6).
 */
int meta_look(struct meta *m, struct meta_txn *t);
/*
 * Commits and ends. *seq (may be NULL) is what meta_durable() takes. On
 * failure everything is undone.
 */
int meta_commit(struct meta_txn *t, uint64_t *seq);
/* Undoes and ends; fine on one that has ended. For CLEANUP(meta_abort). */
void meta_abort(struct meta_txn *t);

/*
 * Runs `fn` in a transaction that it may share with others who come at the
 * same time (group commit), and returns after the commit: what fn returned
 * (>= 0), or -errno, and then nothing of it has happened. fn may be run by
 * another thread, and twice; it does no I/O but the database's, needs few ids
 * (32) and does not end the transaction. -EDEADLK inside a transaction.
 */
int meta_run(struct meta *m, int (*fn)(struct meta_txn *t, void *arg),
	     void *arg, uint64_t *seq);

#define META_TXN(t)         \
	CLEANUP(meta_abort) \
	struct meta_txn t = { 0 }

/*
 * Returns when all transactions up to `seq` survive a power cut; calls that
 * come together share one fsync. 0 = everything committed so far. Not inside
 * a transaction.
 */
int meta_durable(struct meta *m, uint64_t seq);

/*
 * What to do when an fsync of the log or the database has failed: nothing
 * becomes durable any more, so whoever serves should end, and start again
 * from what there is. Called with the error when it is seen, each time, at
 * once when it was seen before; it calls nothing of meta.
 */
void meta_on_lost(struct meta *m, void (*fn)(void *arg, int rc), void *arg);

/* For the power-cut control test only: meta_durable() returns at once. */
void meta_set_barrier(struct meta *m, bool on);

/* Bytes in the write-ahead log. */
int64_t meta_log_bytes(struct meta *m);
/* Empties the log now, and waits for it. -EBUSY beside a reader. */
int meta_checkpoint_now(struct meta *m);
/* The job "checkpoint", for `jobs`. */
void meta_job(struct meta *m, struct job_info *out);
/* integrity_check; commits go on meanwhile. Not inside a transaction. */
int meta_check(struct meta *m, struct err *err);

/* ---- ids (S3): never come back, also after a power cut --------------- */

/*
 * A transaction has room for META_TXN_IDS ids of each kind (inode, dirent,
 * version, pack), made durable before it begins; -ENOBUFS beyond. New blocks
 * are made in the background: meta_begin() waits for an fsync only when that
 * cannot keep up.
 */
int meta_new_ino(struct meta_txn *t, uint64_t *ino);
/* The same outside of a transaction, for `n` of them in a row, at most
 * META_TXN_IDS. Those that are not used are lost. */
int meta_take_inos(struct meta *m, unsigned n, uint64_t *first);
/* Content versions: greater for later changes, over all inodes. */
int meta_new_version(struct meta_txn *t, uint64_t *version);

/* ---- inodes --------------------------------------------------------- */

/* Where the bytes of a regular file are; other types are always LOCAL. */
enum meta_state {
	META_DIRTY,	/* newer than the cloud; complete in the cache */
	META_LOCAL,	/* protected, and complete in the cache */
	META_PARTIAL,	/* protected, some frames in the cache */
	META_REMOTE,	/* protected, nothing in the cache */
	META_ARCHIVED,	/* protected, in a class that must be recalled */
	META_RECALLING, /* as ARCHIVED, recall ordered */
	META_STATES,
};

/* "dirty", "local", ...; for people and for user.mersey.state. */
const char *meta_state_name(enum meta_state s);

struct meta_inode {
	uint64_t ino;
	uint64_t born;	     /* snapshot number that saw this row first; 0 */
	uint32_t generation; /* for NFS; fixed at creation */
	uint32_t mode, uid, gid, nlink;
	uint64_t rdev;
	uint64_t size;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	enum meta_state state;
	bool damaged;	       /* local or stored bytes are known to be bad */
	bool opened_for_write; /* attributes: the cache file's are newer (S10)
				*/
	uint64_t content_version; /* of the newest change of the bytes */
	uint64_t meta_version;	  /* of the newest change of attributes */
	int64_t dirty_ns;	  /* wall time of the oldest unprotected change,
				     0 = none */
	int64_t settle_ns;	  /* wall time of the last close for writing */
	int64_t protected_ns;	  /* wall time of the last protect, 0 = never */
	int64_t access_ns;	  /* worth of the cached bytes, and last open to
				     the minute: cache/value.h */
	uint64_t cached_bytes;	  /* on the cache disk, when last looked */
};

/* The row; -ENOENT. */
int meta_inode_get(struct meta_txn *t, uint64_t ino, struct meta_inode *out);
/* The same outside a transaction: does not wait for one when the row is in
 * memory. */
int meta_inode_find(struct meta *m, uint64_t ino, struct meta_inode *out);
/* Inodes that are no regular files are always written as LOCAL. -EDQUOT, with
 * nothing done: the quota of files is used up. */
int meta_inode_insert(struct meta_txn *t, const struct meta_inode *in);
/* Writes all columns; the row must exist. */
int meta_inode_update(struct meta_txn *t, const struct meta_inode *in);
/* Removes row, xattrs, presence, symlink target and extents. */
int meta_inode_delete(struct meta_txn *t, uint64_t ino);

/* Sets the target of a symbolic link; -ENOENT without the inode. */
int meta_symlink_set(struct meta_txn *t, uint64_t ino, const char *target);
/* Appends the target to `out`. */
int meta_symlink_get(struct meta_txn *t, uint64_t ino, struct buf *out);

/* Inodes with nlink 0, ascending, after `after`. Count or -errno. */
int meta_orphans(struct meta_txn *t, uint64_t after, uint64_t *ino, size_t max);

/* Inodes with opened_for_write, ascending (start after a crash). */
int meta_opened(struct meta_txn *t, uint64_t after, uint64_t *ino, size_t max);

/* The place of a file's bytes in a study; see below, studies. */
struct meta_instance {
	uint64_t study;	 /* row; 0 = the file is no DICOM */
	uint64_t series; /* the files of one, together and in their order; up
			    to INT64_MAX */
	uint32_t number; /* within it */
};

/*
 * Which dirty regular files may be protected: settled before `before_ns`
 * (wall), not opened_for_write, not damaged, nlink > 0. The oldest first
 * (dirty_ns, ino), behind `after` (NULL = from the start); with parent != 0
 * only those in that directory that belong to no study, among the next
 * 20,000. A file whose header was not read yet counts as one of no study.
 */
struct meta_todo {
	uint64_t ino;
	uint64_t parent; /* one of its directories; 0 = none, or in a study */
	struct meta_instance at;
	uint64_t size;
	int64_t dirty_ns, settle_ns;
};
int meta_protectable(struct meta_txn *t, uint64_t parent, int64_t before_ns,
		     const struct meta_todo *after, struct meta_todo *out,
		     size_t max);
/* The same of one study, whatever the directories, in the order of their
 * places. */
int meta_protectable_study(struct meta_txn *t, uint64_t study,
			   int64_t before_ns, const struct meta_todo *after,
			   struct meta_todo *out, size_t max);
/*
 * Is directory `parent` still being filled? 1 when a dirty file in it is
 * opened_for_write, or was closed at or after before_ns (wall), and those
 * that settled before are fewer than `files` and hold less than `bytes`;
 * else 0. Those of studies do not count. It looks at a bounded number of files:
 * a wrong 0 costs a smaller pack.
 */
int meta_directory_fills(struct meta_txn *t, uint64_t parent, int64_t before_ns,
			 uint64_t bytes, size_t files);
/* The same of a study, by the files whose header was read. */
int meta_study_fills(struct meta_txn *t, uint64_t study, int64_t before_ns,
		     uint64_t bytes, size_t files);
/* Wall time when the next dirty file will have settled for `settle_ns`:
 * its settle_ns column, or -ENOENT when nothing waits. */
int meta_next_settle(struct meta_txn *t, int64_t *settle_ns);

/*
 * LOCAL and PARTIAL regular files with cached bytes, not damaged, ascending by
 * access_ns, behind (access_ns, ino) and before before_ns. Count or -errno.
 */
struct meta_victim {
	uint64_t ino;
	int64_t access_ns;
	uint64_t cached_bytes;
};
int meta_evictable(struct meta_txn *t, int64_t after_ns, uint64_t after_ino,
		   int64_t before_ns, struct meta_victim *out, size_t max);

/*
 * Totals, kept exact with every change. by_state, logical_bytes, damaged and
 * the dirty ones are over regular files with a name (nlink > 0): nobody waits
 * for the protection of an unlinked one. cached_bytes counts those too.
 */
struct meta_totals {
	struct {
		uint64_t files, bytes;
	} by_state[META_STATES];
	uint64_t files;		/* all inodes with nlink > 0 */
	uint64_t logical_bytes; /* regular files */
	uint64_t cached_bytes;
	uint64_t damaged;
	uint64_t dirty_files, dirty_bytes; /* damaged ones included */
	int64_t oldest_dirty_ns;	   /* 0 = none */
};
int meta_totals(struct meta_txn *t, struct meta_totals *out);
/* Counts everything again and compares: -EUCLEAN when it differs. Reads all
 * of the database under the commit mutex: for tests and fsck. */
int meta_totals_verify(struct meta_txn *t, struct err *err);

/* Counting again while others work; files and bytes as in meta_usage. */
struct meta_recount {
	uint64_t files, bytes;		       /* by the rows */
	uint64_t counter_files, counter_bytes; /* as they are kept */
	bool exact; /* these, and all other counters of inodes, agree */
};
/*
 * Reads the inodes a page per short transaction (S6) and pauses four times as
 * long as each took, so that lookups go on; what changes behind it is counted
 * as it changes, so both sides are of one moment in the end. `tick` (may be
 * NULL) is called outside of all locks with what was counted so far; when it
 * returns false: -EINTR. -EBUSY: another one is under way. Not inside a
 * transaction.
 */
int meta_recount(struct meta *m,
		 bool (*tick)(void *arg, const struct meta_recount *now),
		 void *arg, struct meta_recount *out);

/* ---- quotas --------------------------------------------------------- */

struct meta_quota {
	uint64_t bytes, files; /* 0 = no limit */
};
/*
 * From now on; any thread. Who is over a limit already may do everything but
 * grow.
 */
void meta_quota_set(struct meta *m, const struct meta_quota *q);
void meta_quota_get(struct meta *m, struct meta_quota *out);

/*
 * What quotas limit. Bytes: the sizes of all regular files, wherever their
 * bytes are, as large as they are now: the row of a file that is
 * opened_for_write lags behind it (S11), so who writes such a file tells here
 * how it grows, before it does. A row of that kind therefore changes no sum
 * when its size follows; all other rows do. Files: all inodes but the root.
 * Both count what has no name any more until its row is deleted.
 */
struct meta_usage {
	uint64_t bytes, files;
	uint64_t unlinked;  /* of the files: without a name */
	uint64_t row_bytes; /* as `bytes`, but as the rows have them */
};
void meta_usage(struct meta_txn *t, struct meta_usage *out);

/* Bytes that the quota has left; UINT64_MAX without one. Any thread. */
uint64_t meta_quota_left(struct meta *m);
/* A file is about to grow by so much. -EDQUOT when there is no quota for all
 * of it. Any thread, no lock needed. */
int meta_grow(struct meta *m, uint64_t bytes);
/* Files are larger (or smaller) by so much than was told before. Also what
 * was not used of meta_grow(). */
void meta_grown(struct meta *m, int64_t bytes);

/* ---- names ---------------------------------------------------------- */

struct meta_dirent {
	uint64_t id; /* cookie for readdir: stable, ascending, never reused */
	uint64_t ino;
	uint32_t mode; /* type and mode of the inode */
	uint16_t len;
	char name[META_NAME_MAX + 1]; /* raw bytes, NUL behind */
};

/* The inode that the name leads to; -ENOENT. */
int meta_dirent_get(struct meta_txn *t, uint64_t parent, const char *name,
		    size_t len, uint64_t *ino);
/* -EEXIST when the name is taken. */
int meta_dirent_insert(struct meta_txn *t, uint64_t parent, const char *name,
		       size_t len, uint64_t ino);
int meta_dirent_remove(struct meta_txn *t, uint64_t parent, const char *name,
		       size_t len);
/* Entries with id > after, ascending by id. Count or -errno. */
int meta_dirent_list(struct meta_txn *t, uint64_t parent, uint64_t after,
		     struct meta_dirent *out, size_t max);
/* The same with the row of each inode. */
int meta_dirent_list_plus(struct meta_txn *t, uint64_t parent, uint64_t after,
			  struct meta_dirent *out, struct meta_inode *in,
			  size_t max);
/* The id of the newest entry, 0 in an empty directory. */
int meta_dirent_last(struct meta_txn *t, uint64_t parent, uint64_t *id);
/* 1 when the directory has an entry, 0 when not, -errno. */
int meta_dirent_any(struct meta_txn *t, uint64_t parent);
/* One of the directories an inode lies in; root for the root. */
int meta_dirent_parent(struct meta_txn *t, uint64_t ino, uint64_t *parent);
/*
 * Appends one path of the inode, raw bytes below the mount, no leading '/'
 * (the root is ""). -ENOENT when it has none (unlinked), -ENAMETOOLONG when
 * it is longer than META_PATH_MAX, -ELOOP.
 */
int meta_path(struct meta_txn *t, uint64_t ino, struct buf *out);
/* The inode of such a path ("" = root; no "." or ".." are resolved). */
int meta_resolve(struct meta_txn *t, const char *path, size_t len,
		 uint64_t *ino);

/* ---- extended attributes -------------------------------------------- */

/* Appends the value. -ENODATA when there is none. */
int meta_xattr_get(struct meta_txn *t, uint64_t ino, const char *name,
		   struct buf *out);
int meta_xattr_set(struct meta_txn *t, uint64_t ino, const char *name,
		   const void *value, size_t len);
/* -ENODATA when there is none. */
int meta_xattr_remove(struct meta_txn *t, uint64_t ino, const char *name);
/* Appends the names, each with its NUL. */
int meta_xattr_list(struct meta_txn *t, uint64_t ino, struct buf *out);

/* ---- packs ---------------------------------------------------------- */

#define META_VERSION_SIZE 128

enum meta_pack_state {
	META_PACK_INTENT, /* row before the PUT (S23) */
	META_PACK_STORED,
	META_PACK_CONDEMNED, /* nobody names it; waits for its grace period */
};

struct meta_pack {
	uint64_t row; /* never reused */
	uint8_t id[16];
	char object[128]; /* key in the store */
	uint32_t generation;
	uint8_t salt[32];
	uint8_t digest[32];
	uint64_t length;
	char tier[64];
	char storage_class[32];
	enum meta_pack_state state;
	int64_t created_ns, condemned_ns;
	uint64_t extents; /* that name it, and namings of no bytes */
	uint64_t study;	  /* row, when all its files were of that; 0 = not */
	/* Of the object, where the bucket keeps versions; "" = it does not, or
	 * the PUT's answer did not say. */
	char version[META_VERSION_SIZE];
	/* By the terms of its class: billed as so many bytes, since when, and
	 * paid for until when at least (0 = as long as it is there). */
	uint64_t billed;
	int64_t stored_ns, keep_ns;
};

/* Inserts as INTENT; sets in->row. An intent that is condemned is billed by
 * what is said here of billed, stored_ns and keep_ns. */
int meta_pack_intend(struct meta_txn *t, struct meta_pack *in);
/* INTENT -> STORED (-EINVAL from another state); writes length, digest,
 * study, version, billed (at least the length), stored_ns (0 = created_ns) and
 * keep_ns. */
int meta_pack_stored(struct meta_txn *t, const struct meta_pack *in);
int meta_pack_get(struct meta_txn *t, uint64_t row, struct meta_pack *out);
/* The row of an object, in whatever state; -ENOENT. */
int meta_pack_find(struct meta_txn *t, const char *object, uint64_t *row);
/* The lowest rows > after in `state`, condemned (or created) before
 * `before_ns`. Count or -errno. */
int meta_pack_list(struct meta_txn *t, enum meta_pack_state state,
		   uint64_t after, int64_t before_ns, struct meta_pack *out,
		   size_t max);
/* The STORED packs of one study with rows > after, ascending: as they were
 * made. Count or -errno. */
int meta_pack_study(struct meta_txn *t, uint64_t study, uint64_t after,
		    struct meta_pack *out, size_t max);
/* To CONDEMNED, from any state, when no extent names it; -EBUSY otherwise. */
int meta_pack_condemn(struct meta_txn *t, uint64_t row, int64_t now_ns);
/* The grace of a CONDEMNED pack (else -EINVAL) begins at now_ns. */
int meta_pack_renew(struct meta_txn *t, uint64_t row, int64_t now_ns);
/* Forgets a CONDEMNED pack, or an INTENT that was never sent; -EBUSY
 * otherwise. */
int meta_pack_delete(struct meta_txn *t, uint64_t row);

struct meta_pack_totals {
	char tier[64], storage_class[32];
	uint64_t objects, bytes; /* stored and condemned: what is billed */
	uint64_t billed;	 /* as so many bytes */
};
/* One per tier and class. Count or -errno. */
int meta_pack_totals(struct meta_txn *t, struct meta_pack_totals *out,
		     size_t max);

/* ---- claims: which generations of the bucket are this database's (S22) -- */

#define META_CLAIM_MAX 1024

struct meta_claim {
	uint32_t generation;
	int64_t held_ns; /* wall time when the store said so; 0 = not yet */
	size_t len;
	char text[META_CLAIM_MAX]; /* the claim's object, to be sent */
};

/* Before the claim is sent. -EEXIST: that generation has a row. */
int meta_claim_intend(struct meta_txn *t, const struct meta_claim *in);
/* It is ours. -ENOENT: there is no such row. */
int meta_claim_held(struct meta_txn *t, uint32_t generation, int64_t now_ns);
/* Somebody else has it. */
int meta_claim_lost(struct meta_txn *t, uint32_t generation);
int meta_claim_get(struct meta_txn *t, uint32_t generation,
		   struct meta_claim *out);
/* The highest; -ENOENT when there is none. */
int meta_claim_last(struct meta_txn *t, struct meta_claim *out);

/* ---- extents -------------------------------------------------------- */

/*
 * Bytes [off, off+len) of a file lie in consecutive frames of one pack;
 * `off` is a multiple of META_FRAME_SIZE. Bytes of no extent are a hole.
 */
struct meta_extent {
	uint64_t ino, off, len;
	uint64_t pack;	      /* row */
	uint64_t pack_off;    /* of the first frame's first byte */
	uint32_t first_frame; /* its index in the pack */
	uint32_t frames;
	uint32_t *table; /* frame table (pack.h), `frames` entries in host
			    order; malloc'ed */
	uint8_t *check;	 /* META_CHECK_SIZE bytes for each frame (pack.h), or
			    NULL; malloc'ed */
};
#define META_CHECK_SIZE 12 /* = PACK_CHECK_SIZE */
void meta_extent_done(struct meta_extent *e);

/*
 * Extents that overlap [off, off+len), ascending. Fills at most max, the
 * caller frees each. Count or -errno; -EUCLEAN when two lie over each other
 * (a file that is half protected has no bytes to be read from packs).
 */
int meta_extent_list(struct meta_txn *t, uint64_t ino, uint64_t off,
		     uint64_t len, struct meta_extent *out, size_t max);
/* The same with the checks, where there are any: to tell what changed. */
int meta_extent_checked(struct meta_txn *t, uint64_t ino, uint64_t off,
			uint64_t len, struct meta_extent *out, size_t max);
/* The same without the tables (table = NULL): for `info`. */
int meta_extent_brief(struct meta_txn *t, uint64_t ino, uint64_t off,
		      struct meta_extent *out, size_t max);
/*
 * What lies in a pack, in the order of its bytes: extents with pack_off >=
 * from. Fills at most max, the caller frees each; the next page begins at the
 * last one's pack_off + 1. Count or -errno. A file may have more than one
 * (holes), and may have become another version meanwhile: its row says that.
 */
int meta_pack_members(struct meta_txn *t, uint64_t pack, uint64_t from,
		      struct meta_extent *out, size_t max);
/*
 * The pack must be STORED (P3): meta_pack_stored() comes first, in the same
 * transaction or earlier. frames = len / META_FRAME_SIZE, rounded up; -EINVAL
 * otherwise. Old extents at the same place may stay until meta_extent_clear().
 */
int meta_extent_insert(struct meta_txn *t, const struct meta_extent *in);
/*
 * The file's extents become n_kept of the old ones and n_added new ones; packs
 * that nobody names any more become CONDEMNED at now_ns. kept[] ascends; one
 * without a table is there already, exactly so (-ESTALE when not), with a
 * table it is a part of one that is there. What is in none of both goes.
 */
int meta_extent_replace(struct meta_txn *t, uint64_t ino,
			const struct meta_extent *kept, size_t n_kept,
			const struct meta_extent *added, size_t n_added,
			int64_t now_ns);
/*
 * Removes all extents of an inode but those of the `keep` packs; packs that
 * nobody names any more become CONDEMNED at now_ns.
 */
int meta_extent_clear(struct meta_txn *t, uint64_t ino, const uint64_t *keep,
		      size_t nkeep, int64_t now_ns);

/*
 * The file's newest version is named by `pack` (a row, STORED), which holds
 * none of its bytes, or by one that does: 0. A pack that is not named any
 * more becomes CONDEMNED at now_ns.
 */
int meta_naming_set(struct meta_txn *t, uint64_t ino, uint64_t pack,
		    int64_t now_ns);
/* That pack's row, or 0: one that holds some of its bytes names it. */
int meta_naming_get(struct meta_txn *t, uint64_t ino, uint64_t *pack);
/* Files with ino > after that the pack names without having bytes of them,
 * ascending; looks at all such files. Count or -errno. */
int meta_naming_files(struct meta_txn *t, uint64_t pack, uint64_t after,
		      uint64_t *ino, size_t max);

/* ---- presence: which frames of a PARTIAL file are in the cache ------- */

#define META_PRESENCE_FRAMES 8192ULL /* frames per row: 512 MiB of file */

/* The bitmap of chunk `chunk` (all zero when there is no row). */
int meta_presence_get(struct meta_txn *t, uint64_t ino, uint64_t chunk,
		      uint8_t bits[META_PRESENCE_FRAMES / 8]);
int meta_presence_put(struct meta_txn *t, uint64_t ino, uint64_t chunk,
		      const uint8_t bits[META_PRESENCE_FRAMES / 8]);
int meta_presence_clear(struct meta_txn *t, uint64_t ino);

/* ---- studies: what DICOM headers say --------------------------------- */

struct meta_study {
	uint64_t row;	  /* never 0 */
	char uid[65];	  /* StudyInstanceUID; one row for each */
	char patient[65]; /* PatientID, raw bytes; "" = not known */
	uint32_t date;	  /* StudyDate, as the number yyyymmdd; 0 = not known */
	char modality[33]; /* of all its files, as in "CT\SR" */
};

/*
 * Makes the study `s->uid`, or adds to it what it did not know yet: a
 * modality; patient and date when it had none. *s becomes the row.
 */
int meta_study_put(struct meta_txn *t, struct meta_study *s);
/* -ENOENT. A study stays when its last file is gone. */
int meta_study_get(struct meta_txn *t, uint64_t row, struct meta_study *out);
int meta_study_find(struct meta_txn *t, const char *uid,
		    struct meta_study *out);

/*
 * A file's place is not in the inode's row in memory, as only protect and
 * people ask for it. A new content version has none until its header is read.
 */
/* 0 also when the file is another version by now, or is gone. */
int meta_instance_set(struct meta_txn *t, uint64_t ino, uint64_t version,
		      const struct meta_instance *in);
/* -ENODATA: not read yet, -ENOENT: no such inode. */
int meta_instance_get(struct meta_txn *t, uint64_t ino,
		      struct meta_instance *out);

/* Files that wait for protect and have no place yet, with ino > after,
 * ascending; not those that are open for writing. Count or -errno. */
struct meta_unread {
	uint64_t ino, size, version;
};
int meta_unread(struct meta_txn *t, uint64_t after, struct meta_unread *out,
		size_t max);

/* ---- ledger --------------------------------------------------------- */

/* Sums of one UTC day, tier, class and cause. Storage has cause "". */
struct meta_ledger {
	int32_t day; /* days since 1970-01-01 UTC */
	char tier[64], storage_class[32], cause[16];
	uint64_t puts, gets, heads, lists, deletes, errors, unknown;
	uint64_t in_bytes, out_bytes;
	uint64_t byte_hours;   /* whole ones */
	uint64_t byte_seconds; /* the rest, below 3600 x the bytes; kept
				  normalised: < 3600 */
	uint64_t objects_peak;
};

/* Adds to the row of (day, tier, class, cause), normalising byte_seconds. */
int meta_ledger_add(struct meta_txn *t, const struct meta_ledger *delta);
/* Rows with from <= day < to, in order, from row number `skip` on. */
int meta_ledger_list(struct meta_txn *t, int32_t from, int32_t to, size_t skip,
		     struct meta_ledger *out, size_t max);

/* ---- small values --------------------------------------------------- */

/* Appends the value; -ENOENT when never set. */
int meta_value_get(struct meta_txn *t, const char *name, struct buf *out);
int meta_value_set(struct meta_txn *t, const char *name, const void *v,
		   size_t len);

#endif
