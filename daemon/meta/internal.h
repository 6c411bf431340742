/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of daemon/meta share.
 *
 * Lock order: checkpoint, refill > commit; look.lock is beside it, never with
 * it; sync, lost_lock, calls_lock, those of rows and of the job are leaves.
 * The commit mutex guards the connection and everything that says so below.
 *
 * SQL is portable: INTEGER is 64 bits wide and BLOB holds bytes (a driver
 * for another database translates the two words and the WITHOUT ROWID of the
 * schema); unsigned 64-bit values are stored as their two's complement.
 */
#ifndef MERSEY_META_INTERNAL_H
#define MERSEY_META_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/db.h"
#include "meta/meta.h"

#define META_SCHEMA	   7	      /* version of the tables, schema.c */
#define META_LOG_BYTES	   (32 << 20) /* wakes the checkpoint */
#define META_CHECKPOINT_NS (30 * 1000000000LL)
#define META_ROWS_DEFAULT  (2 << 20) /* bytes */

/* The statements of one file; each file has an enum of its own. */
enum meta_group {
	META_G_INODE,
	META_G_QUEUE,
	META_G_STUDY,
	META_G_DIRENT,
	META_G_PATH,
	META_G_XATTR,
	META_G_PACK,
	META_G_RELOCATE,
	META_G_RESTORE,
	META_G_PIN,
	META_G_PLAN,
	META_G_RUN,
	META_G_SUBJECT,
	META_G_CLAIM,
	META_G_EXTENT,
	META_G_NAMING,
	META_G_PRESENCE,
	META_G_LEDGER,
	META_G_BILL,
	META_G_VALUE,
	META_G_TOTALS,
	META_G_RECOUNT,
	META_G_IDS,
	META_GROUPS,
};
#define META_STMTS_MAX 13

/*
 * A connection with its statements, prepared when first used: one that
 * changes rows, whose reads see them at once, and one for looks
 * (meta_look()).
 */
struct meta_conn {
	pthread_mutex_t lock; /* held by a transaction; guards all below */
	struct db *db;
	struct db_stmt *st[META_GROUPS][META_STMTS_MAX];
};

enum meta_id_kind {
	META_ID_INO,
	META_ID_DIRENT,
	META_ID_VERSION,
	META_ID_PACK,
	META_IDS,
};

/* next <= limit <= reserved; the last is what the database says. */
struct meta_id_block {
	uint64_t next;	   /* the next one to be given out */
	uint64_t limit;	   /* durable: ids below may be given out */
	uint64_t reserved; /* committed, perhaps not yet durable */
};

/* The counters of the row in table totals. */
struct meta_counts {
	int64_t files[META_STATES], bytes[META_STATES];
	int64_t inodes, cached, damaged;
	/* Without a name; bytes of the regular ones. Not in any of the above,
	 * but for `cached`. Since schema 2. */
	int64_t orphans, orphan_bytes;
};

/* Inodes up to the cursor, counted again; 0 = none yet. */
struct meta_tally {
	uint64_t cursor;
	struct meta_counts c;
};

/* Rows that a transaction has written, as they are now in it. */
#define META_TOUCHED_MAX 64

struct meta_touched {
	unsigned n;
	bool more; /* and others, which the table had no room for */
	struct meta_inode row[META_TOUCHED_MAX];
};

/* What waits to run in a transaction with others; group.c. */
struct meta_call {
	struct meta_call *next;
	int (*fn)(struct meta_txn *t, void *arg);
	void *arg;
	int rc;
	uint64_t seq;
	bool done; /* guarded by the commit mutex */
};

struct meta {
	/* conn.lock is the commit mutex; it guards to the gap. */
	struct meta_conn conn;
	struct meta_counts now, saved; /* with and without this transaction */
	struct meta_tally *tally, tally_saved; /* of meta_recount(), or NULL */
	int64_t told; /* bytes of this transaction that meta_grow() counted */
	struct meta_id_block ids[META_IDS];
	struct meta_touched touched;
	bool checkpointing; /* the job was woken for the log or for ids */

	pthread_mutex_t checkpoint; /* one checkpoint at a time */
	pthread_mutex_t refill; /* one at a time makes new id blocks durable */

	struct meta_conn look;

	struct meta_rows *rows; /* has its own lock */

	pthread_mutex_t calls_lock; /* guards the queue; a leaf */
	struct meta_call *calls, **calls_tail;

	_Atomic uint64_t committed; /* sequence of the newest commit */
	_Atomic bool barrier;

	pthread_mutex_t sync; /* guards to the end of this group */
	pthread_cond_t synced;
	bool syncing;
	uint64_t durable; /* sequence that survives a power cut */

	pthread_mutex_t lost_lock; /* guards the hook; held while it runs */
	void (*lost_fn)(void *arg, int rc);
	void *lost_arg;

	/* quota.c */
	_Atomic uint64_t quota_bytes, quota_files; /* 0 = no limit */
	_Atomic int64_t bytes; /* of regular files, as large as they are now */

	struct job *job;       /* "checkpoint" */
	int64_t checkpoint_ns; /* boot time of its last one; the job's own */
};

/* ---- statements (stmt.c) ------------------------------------------- */

/*
 * Statement `i` of a group, ready for binding; text sql[i]. NULL on failure:
 * then the m_...() functions below return its error.
 */
struct db_stmt *m_stmt(struct meta_txn *t, enum meta_group g, int i,
		       const char *const *sql);
/* 1 = a row, 0 = no more, -errno. */
int m_step(struct meta_txn *t, struct db_stmt *st);
/* Expects a row: 0, -ENOENT or -errno. The caller resets after reading. */
int m_row(struct meta_txn *t, struct db_stmt *st);
/* Runs a change: rows changed or -errno; -EEXIST leaves all as it was. */
int m_run(struct meta_txn *t, struct db_stmt *st);
/* The same where exactly one row must change: 0, -ENOENT or -errno. */
int m_run_one(struct meta_txn *t, struct db_stmt *st);
/*
 * Passes rc on, and when it is negative makes the transaction impossible to
 * commit.
 */
int m_fail(struct meta_txn *t, int rc);
/* The database holds what this code never writes: -EUCLEAN. */
static inline int m_unclean(struct meta_txn *t, struct db_stmt *st)
{
	db_reset(st);
	m_fail(t, -EUCLEAN);
	return -EUCLEAN;
}

/* Reads a row into *out; false when there is what this code never writes. */
typedef bool (*m_read_fn)(struct db_stmt *st, void *out);
/* The rows of a statement, at most max elements of `size` bytes. Count or
 * -errno. */
int m_list(struct meta_txn *t, struct db_stmt *st, m_read_fn read, void *out,
	   size_t size, size_t max);
/* The same of the first column: ids. */
int m_list_u64(struct meta_txn *t, struct db_stmt *st, uint64_t *out,
	       size_t max);

/* Bind parameter `i` (from 1); nothing happens when st is NULL. */
void m_bind_u64(struct db_stmt *st, int i, uint64_t v);
void m_bind_int(struct db_stmt *st, int i, int64_t v);
void m_bind_blob(struct db_stmt *st, int i, const void *p, size_t n);
void m_bind_text(struct db_stmt *st, int i, const char *s);

/* Copies a blob of exactly n bytes. false when it has another length. */
bool m_blob(struct db_stmt *st, int i, void *out, size_t n);
/* Appends a blob. 0 or -ENOMEM. */
int m_append(struct db_stmt *st, int i, struct buf *out);
/* Copies text with its NUL into size bytes. false when it does not fit. */
bool m_text(struct db_stmt *st, int i, char *out, size_t size);
/* false when it is not in 0..max. */
bool m_u32(struct db_stmt *st, int i, uint32_t max, uint32_t *out);

/* Finishes the statements and closes the database. */
void meta_conn_done(struct meta_conn *c);

/* ---- between the files --------------------------------------------- */

/* inode.c: the columns of a row of `inode i`, and what reads them from
 * column `at` on; false when there is what this code never writes. */
#define META_INODE_COLS                                                \
	"i.ino, i.born, i.generation, i.mode, i.uid, i.gid, i.rdev,"   \
	" i.size, i.atime_ns, i.mtime_ns, i.ctime_ns, i.btime_ns,"     \
	" i.content_version, i.meta_version, i.protected_ns, i.nlink," \
	" i.state, i.damaged, i.opened_for_write, i.dirty_ns,"         \
	" i.settle_ns, i.access_ns, i.cached_bytes"
bool meta_inode_read(struct db_stmt *st, int at, struct meta_inode *out);

/* schema.c: the steps from version `from` to META_SCHEMA. */
int meta_schema_create(struct meta_txn *t);
int meta_schema_run(struct meta_txn *t, int from);

/* migrate.c: an older database becomes one of META_SCHEMA, a newer is
 * refused. */
int meta_schema_check(struct meta *m, const char *path, struct err *err);

/* meta.c: a transaction of who works alone at the start. */
int meta_begin_alone(struct meta *m, struct meta_txn *t);

/* txn.c: begin without asking for ids; the mutex is held, and stays so when
 * this fails. */
int meta_begin_locked(struct meta *m, struct meta_txn *t);
/* The same two steps without giving the mutex back. */
int meta_commit_locked(struct meta_txn *t, uint64_t *seq);
void meta_abort_locked(struct meta_txn *t);
/* Gives it back, and wakes the job when there is something for it. */
void meta_unlock(struct meta *m);

/* An fsync of the log, for the barrier and for ids. */
int meta_sync(struct meta *m);
/* Passes rc on; tells the hook when the database's durability is lost. */
int meta_tell_lost(struct meta *m, int rc);

/* rows.c; meta_rows_new: NULL without memory. */
struct meta_rows;
struct meta_rows *meta_rows_new(uint64_t bytes);
void meta_rows_free(struct meta_rows *r);
bool meta_rows_get(struct meta_rows *r, uint64_t ino, struct meta_inode *out);
void meta_rows_put(struct meta_rows *r, const struct meta_inode *row);
void meta_rows_drop(struct meta_rows *r, uint64_t ino);

/* ids.c */
int meta_ids_create(struct meta_txn *t);
int meta_ids_load(struct meta_txn *t);
bool meta_ids_low(const struct meta *m);
int meta_ids_refill(struct meta *m);
/* With the commit mutex held, which is given up when it has to wait: room
 * for a transaction. */
int meta_ids_ensure(struct meta *m);
int meta_id_next(struct meta_txn *t, enum meta_id_kind kind, uint64_t *id);

/* totals.c */
int meta_counts_create(struct meta_txn *t);
int meta_counts_load(struct meta_txn *t);
int meta_counts_widen(struct meta_txn *t);
/* A transaction begins; its counters are written; it was committed, or not. */
void meta_counts_begin(struct meta *m);
int meta_counts_save(struct meta_txn *t);
void meta_counts_committed(struct meta *m);
void meta_counts_undo(struct meta *m);
/* A row came or went, or became another. */
void meta_counts_add(struct meta *m, const struct meta_inode *in, int sign);
void meta_counts_change(struct meta *m, const struct meta_inode *old,
			const struct meta_inode *row);
void meta_counts_apply(struct meta_counts *counts, const struct meta_inode *in,
		       int sign);
/* As quotas count them: all inodes but the root; regular files' sizes. */
int64_t meta_counts_files(const struct meta_counts *counts);
int64_t meta_counts_bytes(const struct meta_counts *counts);

/* recount.c: the next inodes behind the cursor. 1, 0 at the end, -errno. */
int meta_tally_page(struct meta_txn *t, struct meta_tally *y);

/* quota.c: -EDQUOT when no inode may be added. */
int meta_quota_file(const struct meta *m);

/* xattr.c, presence.c, extent.c: all rows of an inode */
int meta_xattr_clear(struct meta_txn *t, uint64_t ino);

/* study.c: a row of id, uid, patient, date, modality. */
bool meta_study_read(struct db_stmt *st, void *row);

/* study.c: the file's bytes change, and with them what its header says. */
int meta_instance_forget(struct meta_txn *t, uint64_t ino);

/* value.c: 1, 2, ... under a name: an id that no row ever had before. */
int meta_serial(struct meta_txn *t, const char *name, uint64_t *id);

/* pin.c: the inode goes. */
int meta_pin_forget(struct meta_txn *t, uint64_t ino);

/* restore.c: the order is one of another row now. */
int meta_restore_follow(struct meta_txn *t, uint64_t pack, uint64_t to);

/* pack.c: one more, or one less, of what is billed. */
int meta_pack_count(struct meta_txn *t, const struct meta_pack *p, int sign);

/* pack.c: n extents, or namings, more or fewer name the pack */
int meta_pack_name(struct meta_txn *t, uint64_t row);
int meta_pack_unname(struct meta_txn *t, uint64_t row, uint64_t n,
		     int64_t now_ns);

/* checkpoint.c */
int64_t meta_checkpoint_run(struct job *job, void *arg);

#endif
