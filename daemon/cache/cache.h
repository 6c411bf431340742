/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local copies of file data: one sparse file per inode, its presence, its
 * space. No network: what is missing is somebody else's (daemon/move) to
 * bring.
 *
 * States (meta_state) and who may move them; cache_move() is the only place:
 *
 *            change                  sealed, stored, unchanged (protect)
 *   any ────────────► DIRTY ─────────────────────────────────► LOCAL
 *   LOCAL, PARTIAL ── evict ──► REMOTE    (after the barrier: unlink)
 *   REMOTE ── first fetch made durable ──► PARTIAL ── last one ──► LOCAL
 *
 * ARCHIVED and RECALLING are REMOTE where bytes must be restored to be read.
 *
 * Invariants (cache_check()): never partial and dirty (S12): a change waits
 * until the file is complete. DIRTY and LOCAL files are complete. A file of
 * size 0 is complete without a cache file. Presence in the database is never
 * ahead of what is durable on disk; what was fetched and not recorded counts
 * as absent after a restart.
 *
 * An evicted or unlinked file's bytes go only when the row that says so is
 * durable (S1). Cache files carry {volume, inode} in the xattr
 * user.mersey.id; one without a row goes to lost+found (S3).
 *
 * Locks: cache table lock > cache_file lock > meta's commit mutex. File I/O
 * happens under the cache_file lock only where it says so below; reads and
 * writes of data happen outside it.
 */
#ifndef MERSEY_CACHE_CACHE_H
#define MERSEY_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/guard.h"
#include "cache/opts.h"
#include "meta/meta.h"

struct cache;
struct cache_file;

/*
 * Opens <dir>/cache and <dir>/lost+found (made when missing), checks that
 * the filesystem takes user xattrs, takes up what a crash left: attributes
 * of opened_for_write inodes from their cache files (then the flag is
 * cleared), dirty inodes whose cache file is missing or foreign become
 * damaged, with a log line. `volume` is the id in the xattrs.
 */
int cache_open(const struct cache_opts *o, struct meta *m,
	       const uint8_t volume[16], struct cache **out, struct err *err);
/* Makes pending presence durable and closes. No cache_file may be held. */
void cache_close(struct cache *c);
DEFINE_GUARD(struct cache *, cache_close);

/*
 * The in-memory face of a regular file; one per inode while anybody holds
 * it. Loads the row. -ENOENT, or another error of meta.
 */
int cache_get(struct cache *c, uint64_t ino, struct cache_file **out);
/* Drops a reference; the last one records presence. NULL is fine. */
void cache_put(struct cache_file *f);
DEFINE_GUARD(struct cache_file *, cache_put);

/* The inode the file belongs to. */
uint64_t cache_ino(const struct cache_file *f);

/*
 * Opens the local file for a handle. Writable: also cancels a protect that
 * is reading the file. Each successful call is matched by cache_release().
 */
int cache_acquire(struct cache_file *f, bool writable);
/*
 * A client opened the file: it is worth more now (value.h). At most once a
 * minute that changes its row. Not for what moves bytes for others.
 */
void cache_touch(struct cache_file *f);
/* Who was touched last after `since_ns` (wall) and is gone left lately. */
void cache_left(struct cache *c, int64_t since_ns);
/*
 * Ends a handle. The last writable one starts the settle time and hands a
 * changed file to the flush: a job that within a second syncs it through the
 * descriptor that saw the writes (S4), writes its final attributes (size,
 * times) to its row and clears opened_for_write. So a row without that flag
 * promises that the bytes are on the disk, and after a power cut a file that
 * is shorter than its row is damage (S10). What the last handle of an
 * incomplete file leaves is recorded by the same job, many files at once.
 */
int cache_release(struct cache_file *f, bool writable);

/* Flushes and records now all that has been closed, as a person who waits
 * wants it. */
int cache_flush(struct cache *c);
/* Records only what was fetched. */
void cache_settle(struct cache *c);
/* What the flush tells of itself. */
struct job_info;
void cache_job(struct cache *c, struct job_info *out);

/* ---- FUSE passthrough ----------------------------------------------- */

/* Registers local files with the kernel, which then reads and writes them
 * itself. */
struct cache_backing {
	/* An id > 0 for the file behind `fd` (O_RDONLY, S8), or -errno;
	 * -EOPNOTSUPP: it will never give one. Any thread. */
	int (*open)(void *arg, int fd);
	/* Gives an id back. Does not fail, waits for nobody. Any thread. */
	void (*close)(void *arg, int id);
	/* Stops who writes to the file behind `fd` with EPERM, or no more
	 * (S13). 0 or -errno; NULL: nobody can. Any thread. */
	int (*hold)(void *arg, int fd, bool on);
	void *arg;
};
/*
 * Copied. NULL: not any more; all ids are given back, and no call is under
 * way after that. While it is set some cache files are made and registered
 * before anybody wants them.
 */
void cache_set_backing(struct cache *c, const struct cache_backing *b);
/* Files that are registered now. */
unsigned cache_backing_count(struct cache *c);

/* How the kernel gets at an open file. */
struct cache_pass {
	int id;	     /* > 0: by itself, by this id; 0: the daemon serves it */
	bool direct; /* with an id: only mappings; the rest is served, past
			the kernel's pages */
	bool writable;
};
/*
 * Decides it for an open of the kernel, after cache_acquire() and O_TRUNC:
 * all opens of one inode must agree, so a file keeps its way from the first
 * to the last of them. A file that the kernel may write by itself is DIRTY
 * from here on, as by a first change. `seen`: each write must come here, for
 * what it does besides. -ENOSPC: the disk is full. Each success is matched by
 * cache_pass_end(), before cache_release().
 */
int cache_pass_begin(struct cache_file *f, bool writable, bool seen,
		     struct cache_pass *p);
void cache_pass_end(struct cache_file *f, const struct cache_pass *p);
/* Somebody who may not keep a file's set-id bits opened it for writing. */
void cache_pass_stranger(struct cache_file *f);
/* Was the last change of a file, which left this mtime, one that the kernel
 * may have made by itself, for somebody of that kind? */
bool cache_passed(struct cache *c, uint64_t ino, int64_t mtime_ns);
/*
 * Reads that the kernel makes by itself are seen by the access time of the
 * cache file. Watches for the next one, between cache_pass_begin() and _end;
 * -EOPNOTSUPP: its filesystem keeps none.
 */
int cache_read_watch(struct cache_file *f);
/* 1: it came, and nobody watches any more. *ns: when the last one was seen, by
 * whoever asked; 0: none was. */
int cache_read_seen(struct cache *c, uint64_t ino, int64_t *ns);

/*
 * The inode number of a cache file that is ready, empty and registered, for a
 * file that is about to be made; 0: there is none. The first cache_get() of a
 * file with that number takes it up; when no file was made, give it back.
 */
uint64_t cache_pool_take(struct cache *c);
void cache_pool_give(struct cache *c, uint64_t ino);

/* Handles now: is anybody using it? */
bool cache_in_use(struct cache_file *f);
/* The same without who only fills it. */
bool cache_is_open(struct cache_file *f);

/*
 * Attributes of a file as they are now: `in` is the row; for a file with
 * opened_for_write size, blocks and times come from the cache file (S11).
 * *volatile_attr says that the kernel must not keep them. Blocks of bytes
 * that are elsewhere count as if they were here. Not inside a transaction.
 */
int cache_attr(struct cache *c, struct meta_inode *in, blkcnt_t *blocks,
	       bool *volatile_attr);

/* Bytes the file has now (an open one may have grown). */
uint64_t cache_size(struct cache_file *f);

/* ---- reading and filling -------------------------------------------- */

/*
 * The first run of absent bytes in [off, off+len), in whole frames, cut at
 * the end of the file. 1 and the run, 0 when all is present, or -errno.
 */
int cache_missing(struct cache_file *f, uint64_t off, uint64_t len,
		  uint64_t *moff, uint64_t *mlen);

/* Reads present bytes; a short count only at the end of the file. -EAGAIN
 * when bytes are absent (never zeros for them), -EIO for a damaged file. */
ssize_t cache_pread(struct cache_file *f, void *dst, size_t len, uint64_t off);

/*
 * SEEK_DATA and SEEK_HOLE in a complete file: the offset, or -ENXIO behind
 * its end. -EAGAIN for an incomplete file, whose extents know.
 */
int64_t cache_seek(struct cache_file *f, uint64_t off, bool hole);

/*
 * Puts fetched bytes (whole frames, or up to the end of the file) into the
 * cache file and marks them present; what is present already is left alone.
 * `version`: the content version that was fetched; -ESTALE when the file has
 * another one by now, or is about to. NULL data means a hole. -ENOSPC when
 * neither the share but for the reserve (plus up to 64 MiB that only fetched
 * bytes may take) nor the disk has room after a few seconds. Between
 * cache_acquire and _release.
 */
int cache_fill(struct cache_file *f, uint64_t version, uint64_t off,
	       const void *data, uint64_t len);

/* The same for bytes that nobody waits for: -ENOSPC at once when they would
 * take the cache above its high mark; when they will be read `soon`, above the
 * reserve only, and eviction is asked for. */
int cache_fill_spare(struct cache_file *f, uint64_t version, uint64_t off,
		     const void *data, uint64_t len, bool soon);
/*
 * As cache_acquire() and cache_release() of a reader, for who fills a file
 * that nobody opens: it is not evicted meanwhile, but does not count as used.
 */
int cache_fill_begin(struct cache_file *f);
void cache_fill_end(struct cache_file *f);

/* The content version that a fetch is for, and the size it had. */
void cache_version(struct cache_file *f, uint64_t *version, uint64_t *size);

/* Makes what was fetched durable and records it: PARTIAL, or LOCAL. */
int cache_settle_presence(struct cache_file *f);

/* ---- changing (the file must be complete; -EAGAIN when it is not) ----
 *
 * The first change after an open or a protect commits, under the file's
 * lock, a row that says DIRTY with a new version and opened_for_write; when
 * an older row could misjudge the changed bytes after a power cut, that
 * commit is made durable first. The others cost no transaction.
 */

/* Bytes of the longest file (presence of it takes 32 MiB); -EFBIG beyond. */
#define CACHE_FILE_MAX (1ULL << 44)

/* The space rule (P9): slows, then refuses (-ENOSPC) writers. -EDQUOT, here
 * and wherever a file grows: the trust's quota has no room for all of it
 * (meta_quota_set); nothing was changed. */
ssize_t cache_pwrite(struct cache_file *f, const void *src, size_t len,
		     uint64_t off);
/* truncate(0) is always possible, completes the file, and heals a damaged
 * one: none of its old bytes is left. */
int cache_truncate(struct cache_file *f, uint64_t size);
/* Sets times on a file with opened_for_write (else in its row); NULL = leave
 * that one. The access time is always the row's. */
int cache_utimens(struct cache_file *f, const int64_t *atime_ns,
		  const int64_t *mtime_ns);
/*
 * fallocate(2): 0, FALLOC_FL_KEEP_SIZE, PUNCH_HOLE (with KEEP_SIZE) and
 * ZERO_RANGE; -EOPNOTSUPP for other modes. Space that it takes waits for room
 * as a write does.
 */
int cache_allocate(struct cache_file *f, int mode, uint64_t off, uint64_t len);
/*
 * Copies between two files inside the cache's filesystem, which shares the
 * blocks where it can. Count, 0 at the end of `from`; a short one when
 * another call should do the rest. -EAGAIN: `to` must be made complete first;
 * -EXDEV: not possible here, read and write instead (also when bytes of
 * `from` are absent).
 */
ssize_t cache_copy(struct cache_file *from, uint64_t from_off,
		   struct cache_file *to, uint64_t to_off, uint64_t len);
/*
 * fdatasync or fsync, the directory entry of a new cache file included, then
 * meta_durable(): after it all survives a power cut (P1). -EIO:
 * the disk lost writes, and the file is damaged; -EMFILE, -ENFILE: no
 * descriptor for it now.
 */
int cache_fsync(struct cache_file *f, bool data_only);

/* ---- protect (S4, S9) ----------------------------------------------- */

/* A file held still while it is sealed. */
struct cache_seal {
	struct cache_file *f;
	int fd; /* O_RDONLY, borrowed */
	uint64_t version;
	uint64_t size;
	/* Of a copy (cache_seal_copy); copied_ns 0: it is none. */
	int64_t copied_ns, protected_ns, mtime_ns;
	uint64_t copied_bytes;
};

/*
 * fdatasync through the descriptor that saw the writes, then a read lease.
 * -EBUSY: open for writing or mapped writable, or changed meanwhile; try
 * later. -EIO: the disk lost writes: the file is marked damaged and an
 * error logged.
 */
int cache_seal_begin(struct cache *c, uint64_t ino, struct cache_seal *out);
/*
 * The same for a file that is open for writing or mapped (S14): a copy of it,
 * which needs no lease and stays valid. Its commit leaves the row DIRTY, with
 * dirty_ns the time of the copy. -EBUSY: it is not open, or empty; -ENOSPC: no
 * room for a copy.
 */
int cache_seal_copy(struct cache *c, uint64_t ino, struct cache_seal *out);
/* Makes a row what it was when it was sealed. False: it is another version. */
bool cache_seal_row(const struct cache_seal *s, struct meta_inode *row);
/* Still unchanged? Cheap; ask before the index is sealed and again inside
 * the transaction that commits. */
bool cache_seal_valid(struct cache_seal *s);
/*
 * Inside the caller's write transaction `t`: the row goes to LOCAL with
 * protected_ns = now_ns, if the seal is still valid (-EBUSY otherwise). The
 * in-memory state follows in cache_seal_end(s, true) after the commit.
 */
int cache_seal_commit(struct cache_seal *s, struct meta_txn *t, int64_t now_ns);
/* Gives the lease back. `committed`: the transaction went through. */
void cache_seal_end(struct cache_seal *s, bool committed);

/*
 * A descriptor of a closed file's bytes, for a look that needs no promise: who
 * acts on it compares the version in the row, which a change moves first. The
 * caller closes it. -ENOENT: there is no cache file, -EUCLEAN: a foreign one.
 */
int cache_peek(struct cache *c, uint64_t ino);

/* Marks a file whose bytes cannot be read back as damaged, with a log line:
 * it is neither protected nor evicted. */
void cache_damage(struct cache_file *f, const char *what, int rc);

/* ---- evicting and dropping ------------------------------------------ */

/*
 * LOCAL or PARTIAL -> REMOTE, or ARCHIVED: row, barrier, unlink. -EBUSY: open
 * or being sealed; -EPERM: pinned; -ENOTRECOVERABLE: dirty (P4); 0 with *freed
 * = 0 when there was nothing local.
 */
int cache_evict(struct cache *c, uint64_t ino, uint64_t *freed);

/* The same for many, with one transaction and one barrier for up to
 * CACHE_EVICT_BATCH of them; rc and freed are set for each. */
#define CACHE_EVICT_BATCH 64
struct cache_victim {
	uint64_t ino;
	uint64_t freed;
	int rc;
};
void cache_evict_many(struct cache *c, struct cache_victim *v, size_t n);

/* Names of the tiers whose objects must be restored to be read; borrowed. None
 * by default. Before the first eviction. */
void cache_set_archives(struct cache *c, const char *const *tiers, size_t n);
/*
 * Inside the caller's write transaction: a file that has no bytes here becomes
 * REMOTE, ARCHIVED or RECALLING, by where its packs are and what is ordered of
 * them. Others are left as they are. 1: it changed, 0, or -errno; a file that
 * is gone is left, too.
 */
int cache_place(struct cache *c, struct meta_txn *t, uint64_t ino);

/* Unlinks the cache file of an inode whose nlink is 0, which nobody uses,
 * after the barrier; then the caller deletes the row. -EBUSY when in use. */
int cache_drop(struct cache *c, uint64_t ino);
void cache_drop_many(struct cache *c, struct cache_victim *v, size_t n);

/*
 * Is the account of quotas (meta_usage) what the rows say and what the files
 * in memory have beyond theirs? 1 it is, 0 it is not, -EAGAIN: too much
 * changed meanwhile to tell, or -errno. May take a second.
 */
int cache_account(struct cache *c);

struct cache_usage {
	uint64_t used;	    /* bytes of cache files on disk */
	uint64_t size;	    /* the trust's share */
	uint64_t high, low; /* bytes */
	uint64_t disk_free; /* of the filesystem */
	bool over_high;	    /* eviction should run: by share or by free disk */
	uint64_t goal;	    /* evict until used <= this ... */
	uint64_t free_goal; /* ... and disk_free >= this */
};
void cache_usage(struct cache *c, struct cache_usage *out);

/* What was evicted since the start, files in part included. */
struct cache_evicted {
	uint64_t files, bytes;
};
void cache_evicted(struct cache *c, struct cache_evicted *out);

/*
 * Gives up or takes the room that is kept for the database, as the disk is
 * (S13). For who looks after the space, now and then. 0 or -errno.
 */
int cache_ballast(struct cache *c);
/* Gives it up when the disk is full, before there is a cache: so that the
 * database can be opened. */
int cache_ballast_spare(const char *dir);

/* Called (outside locks) when usage crosses the high mark or a writer waits
 * for room. NULL: not any more; no call is under way after that. `fn` only
 * wakes somebody. */
void cache_on_pressure(struct cache *c, void (*fn)(void *arg), void *arg);
/* Called when a dirty file was closed: protect has something to wait for. */
void cache_on_dirty(struct cache *c, void (*fn)(void *arg), void *arg);

/* Moves cache files without a row to lost+found (S3), removes what an
 * interrupted eviction left; a slow scan for a background job. Count of lost
 * files or -errno (-EINTR: stopped). */
int cache_scan_lost(struct cache *c, bool (*stop)(void *arg), void *arg);

/* Asserts the invariants for one file; for tests and debug builds. */
void cache_check(struct cache_file *f);

#endif
