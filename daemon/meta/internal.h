/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of daemon/meta share.
 *
 * Lock order: checkpoint, refill > commit; sync and the job's own lock are
 * leaves. The commit mutex guards the connection and everything that says so
 * below.
 *
 * SQL is portable: INTEGER is 64 bits wide and BLOB holds bytes (a driver
 * for another database translates the two words and the WITHOUT ROWID of the
 * schema); unsigned 64-bit values are stored as their two's complement.
 */
#ifndef MERSEY_META_INTERNAL_H
#define MERSEY_META_INTERNAL_H

#include <stdatomic.h>

#include "db/db.h"
#include "meta/meta.h"

#define META_SCHEMA	   1	      /* version of the tables, schema.c */
#define META_LOG_BYTES	   (32 << 20) /* wakes the checkpoint */
#define META_CHECKPOINT_NS (30 * 1000000000LL)

/* The statements of one file; each file has an enum of its own. */
enum meta_group {
	META_G_INODE,
	META_G_QUEUE,
	META_G_DIRENT,
	META_G_PATH,
	META_G_XATTR,
	META_G_PACK,
	META_G_EXTENT,
	META_G_PRESENCE,
	META_G_LEDGER,
	META_G_VALUE,
	META_G_TOTALS,
	META_G_IDS,
	META_GROUPS,
};
#define META_STMTS_MAX 12

/*
 * A connection with its statements, prepared when first used. Now there is
 * one, and reads share it; a second one for reads goes here.
 */
struct meta_conn {
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
};

struct meta {
	pthread_mutex_t commit; /* held by a transaction; guards to the gap */
	struct meta_conn conn;
	struct meta_counts now, saved; /* with and without this transaction */
	struct meta_id_block ids[META_IDS];
	/*
	 * The row that was read or written last in this transaction; ino 0 =
	 * none. A change needs the row as it was, which is mostly this one.
	 */
	struct meta_inode last;
	int error; /* that makes this transaction impossible to commit */
	bool checkpointing; /* the job was woken for the log or for ids */

	pthread_mutex_t checkpoint; /* one checkpoint at a time */
	pthread_mutex_t refill; /* one at a time makes new id blocks durable */

	_Atomic uint64_t committed; /* sequence of the newest commit */
	_Atomic bool barrier;

	pthread_mutex_t sync; /* guards to the end of this group */
	pthread_cond_t synced;
	bool syncing;
	uint64_t durable; /* sequence that survives a power cut */

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

/* schema.c */
int meta_schema_create(struct meta_txn *t);
int meta_schema_check(struct meta *m, const char *path, struct err *err);

/* txn.c: begin without asking for ids. */
int meta_begin_raw(struct meta *m, struct meta_txn *t);

/* ids.c */
int meta_ids_create(struct meta_txn *t);
int meta_ids_load(struct meta_txn *t);
bool meta_ids_room(const struct meta *m);
bool meta_ids_low(const struct meta *m);
int meta_ids_refill(struct meta *m);
int meta_id_next(struct meta_txn *t, enum meta_id_kind kind, uint64_t *id);

/* totals.c */
int meta_counts_create(struct meta_txn *t);
int meta_counts_load(struct meta_txn *t);
int meta_counts_save(struct meta_txn *t);
void meta_counts_add(struct meta *m, const struct meta_inode *in, int sign);

/* xattr.c, presence.c, extent.c: all rows of an inode */
int meta_xattr_clear(struct meta_txn *t, uint64_t ino);

/* pack.c: n extents more or fewer name the pack */
int meta_pack_name(struct meta_txn *t, uint64_t row);
int meta_pack_unname(struct meta_txn *t, uint64_t row, uint64_t n,
		     int64_t now_ns);

/* checkpoint.c */
int64_t meta_checkpoint_run(struct job *job, void *arg);

#endif
