/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of daemon/vfs share.
 *
 * Locks: the handle table's lock and the hook's lock are leaves: nothing is
 * called under them. Transactions are short and contain no call of cache or
 * move (their locks come before meta's commit mutex).
 */
#ifndef MERSEY_VFS_IMPL_H
#define MERSEY_VFS_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "vfs/vfs.h"

#define VFS_BLKSIZE 131072 /* st_blksize: one request of the kernel */

enum handle_kind { HANDLE_FREE, HANDLE_FILE, HANDLE_DIR };

/* Read-ahead of one handle on an incomplete file. */
struct readahead {
	pthread_mutex_t lock; /* guards the rest */
	_Atomic bool cold;    /* something was missing; no lock needed */
	uint64_t next;	      /* where a sequential reader goes on */
	uint64_t run;	      /* bytes that it has read in order */
	uint64_t asked;	      /* up to here all is under way */
};

/* One open file or directory. Fields without a note do not change. */
struct handle {
	enum handle_kind kind; /* under the table's lock */
	uint32_t generation;   /* of this use of the place; same lock */
	uint32_t refs;	       /* same lock; 1 is the open file's own */
	uint32_t next;	       /* free list or bucket; same lock */
	bool unlinked;	       /* no name is left; same lock */
	bool tmpfile;	       /* and it never had one; same lock */
	uint64_t ino;
	struct cache_file *f; /* NULL: a directory */
	bool writable;
	struct cache_pass pass; /* how the kernel gets at it ... */
	bool passed;		/* ... once that was decided */
	_Atomic bool atime_due; /* by relatime, with the first read */
	_Atomic unsigned plain; /* PRIV_...: the inode has none of it */
	_Atomic uint64_t last;	/* of a directory: dirent id where this listing
				   ends, 0 = not begun */
	struct readahead ra;
	/* A read timed out then, clock_boot_ns(); 0 = none did. */
	_Atomic int64_t refused_ns;
};

/*
 * fh = generation << 32 | index. A place is used again with another
 * generation, so that a stale fh is refused.
 */
struct handles {
	pthread_mutex_t lock;
	struct handle *tab;
	uint32_t n;	   /* places */
	uint32_t used;	   /* places that were ever in use: tab[0..used) */
	uint32_t free;	   /* list of free ones below that */
	uint32_t *bucket;  /* by inode, chained through next */
	uint32_t nbuckets; /* a power of two */
};

struct vfs {
	struct meta *meta;
	struct cache *cache;
	struct move *move;
	struct handles handles;
	/* Directories that are known to have no default ACL. */
	_Atomic uint64_t plain_dirs[256];
	bool no_atime;
	_Atomic uint64_t reads_hit, reads_missed;
	_Atomic uint64_t opens_passed, opens_served;
	pthread_mutex_t hook_lock;
	void (*hook)(void *arg, uint64_t ino);
	void *hook_arg;
};

/* For counters that many threads add to. */
static inline void tally(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

/* ---- handle.c -------------------------------------------------------- */

/* Room for `max` handles. 0 or -ENOMEM. */
int handles_init(struct handles *hs, unsigned max);
/* Ends what is open still. */
void handles_done(struct vfs *v);

/* A new handle with one reference; nobody can find it before its fh is told.
 * -ENFILE when all places are taken. */
int handle_new(struct vfs *v, enum handle_kind kind, uint64_t ino,
	       struct handle **out, uint64_t *fh);
/* Tells the inode of a handle that was made before its file. */
void handle_set_ino(struct vfs *v, struct handle *h, uint64_t ino);
/* Another reference, or NULL: stale, never given out, or of another kind. */
struct handle *handle_get(struct vfs *v, uint64_t fh, enum handle_kind kind);
/* The last reference ends the handle. */
void handle_put(struct vfs *v, struct handle *h);
/* Is the inode open? For move_on_reap(). */
bool handles_open(void *vfs, uint64_t ino);
/* A reference to the handle of an O_TMPFILE, or NULL. */
struct handle *handle_get_tmpfile(struct vfs *v, uint64_t ino);
/* Forgets `plain` of all handles of an inode: it was given some. */
void handles_suspect(struct vfs *v, uint64_t ino);
/* Makes the fh stale and drops the open file's own reference. -EBADF. */
int handle_close(struct vfs *v, uint64_t fh, enum handle_kind kind);

/* A guarded reference; needs the vfs in scope to be named. */
struct handle_ref {
	struct vfs *v;
	struct handle *h;
};

static inline void handle_ref_guard(struct handle_ref *r)
{
	if (r->h)
		handle_put(r->v, r->h);
}

#define HANDLE_REF(name, vfs, fh, kind) \
	CLEANUP(handle_ref_guard)       \
	struct handle_ref name = { .v = (vfs), .h = handle_get(vfs, fh, kind) }

/*
 * The inode lost its last name: it is reaped soon, or when its last handle
 * is closed.
 */
void vfs_gone(struct vfs *v, uint64_t ino);

/* ---- ahead.c --------------------------------------------------------- */

void ahead_reset(struct readahead *ra);
/* A read of [off, off+len): up to where more should be fetched, without
 * waiting; 0 = nothing more now. */
uint64_t ahead_end(struct readahead *ra, uint64_t off, uint64_t len);

/* ---- quota.c --------------------------------------------------------- */

/* What one call has waited for so far; the rest starts as zero. */
struct vfs_quota {
	bool name; /* it makes one: waits whatever vfs_set_wait() says, but a
		      short time only */
	bool last; /* nothing was left to reap before the call */
	int64_t end_ns;
};

/*
 * What was unlinked and is not open gives its room back, although reap has
 * not come to it yet. true: a call that gave *rc = -EDQUOT may give something
 * else now; false: it may not, or (-EINPROGRESS in *rc) who calls will not
 * wait.
 */
bool vfs_quota_wait(struct vfs *v, struct vfs_quota *q, ssize_t *rc);

/* The result of `call`, made again while that may change an -EDQUOT. */
#define VFS_QUOTA(v, call)                              \
	({                                              \
		struct vfs_quota q_ = { 0 };            \
		ssize_t rc_;                            \
                                                        \
		do {                                    \
			rc_ = (call);                   \
		} while (vfs_quota_wait(v, &q_, &rc_)); \
		rc_;                                    \
	})

/* ---- node.c ---------------------------------------------------------- */

/* The inode of a node id; -ESTALE when there is none (any more), and for a
 * snapshot's: there are none yet. */
int node_get(struct meta_txn *t, uint64_t node, struct meta_inode *in);
/* The same outside transactions. */
int node_find(struct vfs *v, uint64_t node, struct meta_inode *in);
/* The same for a directory that has a name; -ENOTDIR, -ENOENT. */
int node_dir(struct meta_txn *t, uint64_t node, struct meta_inode *in);
/* Length of a name that an entry may have; -EINVAL, -ENAMETOOLONG. */
int name_check(const char *name, size_t *len);
/* Writes the row with a new ctime and version of its attributes. */
int node_touch(struct meta_txn *t, struct meta_inode *in, int64_t now);
/* The same for a directory whose entries changed: mtime too. */
int dir_touch(struct meta_txn *t, struct meta_inode *dir, int64_t now);
/*
 * Takes one name away from an inode: nlink and ctime. A directory goes with
 * its only name.
 */
int node_drop_link(struct meta_txn *t, struct meta_inode *in, int64_t now);
/* The inode a name leads to. */
int name_get(struct meta_txn *t, uint64_t dir, const char *name, size_t len,
	     struct meta_inode *in);

/* Row to what the kernel gets. Outside transactions. */
int entry_fill(struct vfs *v, struct meta_inode *in, struct vfs_entry *out);

/* A new object, committed; `in` is its row. */
struct make {
	const struct vfs_cred *who;
	uint64_t parent;
	uint64_t ino;	  /* to have, from cache_pool_take(); 0 = a new one */
	const char *name; /* NULL: none yet (O_TMPFILE) */
	struct handle *h; /* told the inode before others see it, or NULL */
	mode_t mode;	  /* before umask and ACL */
	uint64_t rdev;
	const char *target; /* of a symbolic link */
	bool writable;	    /* a regular file that is open for writing */
};
/* Makes it in one transaction. */
int node_make(struct vfs *v, const struct make *mk, struct meta_inode *in);

/* ---- name.c ---------------------------------------------------------- */

/* Nobody closes what was never open: starts the settle time of a new file. */
int vfs_settle(struct vfs *v, uint64_t ino);

/* ---- acl_inode.c ----------------------------------------------------- */

/* Is it the name of an ACL? */
bool acl_name(const char *name);
/* setxattr of one; changes the mode of `in`, the caller writes the row. */
int acl_set_in(struct vfs *v, struct meta_txn *t, struct meta_inode *in,
	       const char *name, const struct buf *acl);
/* The access ACL follows a new mode. */
int acl_chmod_in(struct meta_txn *t, const struct meta_inode *in);

/* The ACLs of a new object. */
struct acl_new {
	struct buf inherited, access;
};

static inline void acl_new_guard(struct acl_new *a)
{
	buf_done(&a->inherited);
	buf_done(&a->access);
}

/* Before its row is written: its mode, by its directory's default ACL, or by
 * the umask when there is none. */
int acl_plan(struct vfs *v, struct meta_txn *t, uint64_t dir, mode_t umask,
	     struct meta_inode *in, struct acl_new *acl);
/* After that. */
int acl_store(struct meta_txn *t, const struct meta_inode *in,
	      const struct acl_new *acl);

/* ---- privs.c --------------------------------------------------------- */

enum { /* what a change takes away */
       PRIV_SETID = 1 << 0,
       PRIV_CAPS = 1 << 1,
       PRIV_ALL = PRIV_SETID | PRIV_CAPS,
};

#define VFS_XATTR_CAPS "security.capability"

/* The mode without set-id bits; a directory's stay. `member`: by somebody who
 * is in the file's group. */
mode_t privs_mode(mode_t mode, bool member);
/* Takes them away inside a transaction; the caller writes the row. */
int privs_drop_in(struct meta_txn *t, struct meta_inode *in, unsigned what,
		  bool member);
/* The same in a transaction of its own, if there are any: 1 when there were.
 * `who` may not keep set-id bits; NULL may. */
int privs_drop(struct vfs *v, uint64_t ino, const struct vfs_cred *who);

/*
 * A file that got set-id bits while the kernel was writing to it by itself:
 * they go when it was written to after that. `in` with the times of its cache
 * file; ctime_ns is the row's.
 */
int privs_passed(struct vfs *v, struct meta_inode *in, int64_t ctime_ns);

/* ---- atime.c --------------------------------------------------------- */

/* Does relatime owe an access time? */
bool atime_due(struct vfs *v, const struct meta_inode *in);
/* Writes it; a failure is logged. */
void atime_write(struct vfs *v, uint64_t ino);
/* The same by the first read of a handle, when it is due. */
void atime_read(struct vfs *v, struct handle *h);
/* The kernel may read by itself from now on. */
void atime_watch(struct vfs *v, struct handle *h);
/* Has it? Then row and `in` get the time. */
void atime_seen(struct vfs *v, struct meta_inode *in);

/* ---- io.c ------------------------------------------------------------ */

/* A recall makes what it was asked for present, and an open file is not
 * evicted: more rounds than these mean that something is broken. */
#define VFS_ROUNDS_MAX 8

/* Brings bytes back as vfs_set_wait() says; len 0 = to the end of the file. */
int vfs_fetch(struct vfs *v, struct cache_file *f, uint64_t off, uint64_t len);
/* What vfs_set_wait() said; NULL = nothing. */
const struct vfs_wait *vfs_wait_how(void);

/* Changes the size of an inode that need not be open; completes it first. */
int vfs_resize(struct vfs *v, uint64_t ino, uint64_t size);

#endif
