/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of daemon/cache; cache.h is its face.
 *
 * file.c     the table of cache_files, handles, attributes
 * local.c    cache files on the disk: paths, identity, lost+found
 * state.c    the table of moves, first change, invariants
 * data.c     reading and changing
 * range.c    reserving, zeroing, finding and copying ranges
 * presence.c which frames of an incomplete file are here; filling
 * settle.c   which are durable: recorded
 * backing.c  FUSE passthrough: who opens how, what the kernel wrote
 * brake.c    its writers when the disk is full
 * pool.c     cache files made and registered beforehand
 * flush.c    what was written becomes durable; closed files
 * space.c    the trust's share of the disk
 * ballast.c  room on it for the database
 * quota.c    the trust's quota of bytes
 * copy.c     copies of files that never close
 * seal.c evict.c recover.c  protect's lease; dropping bytes; the start
 *
 * Who may keep a descriptor: rfd for handles and seals, and while `unseen`;
 * wfd from the first change until its bytes are known to be durable (S4); ffd
 * while an incomplete file has handles. A descriptor is closed only under the
 * file's lock and while no I/O outside it is counted in pins, changing or
 * filling.
 */
#ifndef MERSEY_CACHE_IMPL_H
#define MERSEY_CACHE_IMPL_H

#include <stdatomic.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/job.h"
#include "cache/cache.h"

#define CACHE_PATH_SIZE 24 /* "aa/bb/<12 hex digits>" */

struct presence {
	uint64_t frames;  /* of the file */
	uint64_t present; /* bits that are set */
	uint8_t *bits;	  /* NULL: not loaded */
	bool *unsaved;	  /* per chunk of META_PRESENCE_FRAMES */
};

enum seal_state { SEAL_NONE, SEAL_HELD, SEAL_BROKEN };

struct cache_file {
	struct cache *c;
	uint64_t ino;
	_Atomic uint64_t blocks; /* bytes on disk, as counted in c->used */
	_Atomic int seal;	 /* enum seal_state */

	/* Guarded by the table's lock. */
	UT_hash_handle hh;
	unsigned refs;
	bool hashed;
	bool queued; /* for the flush; counts as a reference */
	bool again;  /* and was tried before: it is mapped, say */
	int64_t queued_ns;
	struct cache_file *prev, *next;
	bool warm; /* in c->warm; counts as a reference */
	struct cache_file *warm_prev, *warm_next;
	bool watched; /* in c->watched; counts as a reference */
	struct cache_file *watch_prev, *watch_next;
	bool unsettled; /* presence is to be recorded; a reference, too */
	int64_t unsettled_ns;
	struct cache_file *settle_prev, *settle_next;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t cond;  /* pins, changing, filling, busy went down */
	int load_rc;	      /* what loading the row gave */
	/* As the row is, but size, which an open file's writes move on. */
	enum meta_state state;
	bool damaged, opened;
	uint64_t version, size;
	/* Read also without the lock, by cache_account(). */
	_Atomic uint64_t row_size; /* as the row has it */
	_Atomic uint64_t charged;  /* to the quota; quota.c */
	int64_t access_ns, settle_ns;
	bool fresh;	 /* nobody has read `version` to protect it */
	bool checked;	 /* the local file was found to be what the row says */
	bool entry_ok;	 /* the file's directory entry is durable */
	bool touched;	 /* opened since it is in memory, or was evicted */
	bool dropped;	 /* unlinked for good */
	unsigned frozen; /* > 0: fills are refused, the version will change */
	bool busy;	 /* its row is being written for an eviction, a drop or
			    a flush, outside the lock: openers wait */
	bool settling;	 /* presence is being recorded */
	unsigned readers, writers; /* handles */
	unsigned pins;	   /* other uses of descriptors outside the lock */
	unsigned changing; /* writes and truncates outside the lock */
	unsigned filling;  /* fills outside the lock */
	unsigned fillers;  /* between cache_fill_begin() and _end() */
	uint64_t changes;  /* counts changes, to see that one came between */
	int backing;	   /* the kernel's id of the cache file; 0 = none */
	unsigned passed;   /* kernel's opens by that id ... */
	unsigned passed_writers; /* ... of these for writing */
	unsigned served;	 /* kernel's opens that come here */
	int64_t mtime_ns;	 /* that our own last change left; 0 = none */
	int64_t atime_ns;    /* of the cache file when its next read was to be
				watched for; 0 = it is not */
	bool stranger;	     /* cache_pass_stranger(), while `unseen` */
	int64_t read_ns;     /* when such a read was last seen */
	bool held;	     /* immutable: the kernel's writers get EPERM */
	bool may_be_held;    /* not known: there was no answer */
	_Atomic bool unseen; /* the kernel may have changed it by itself, or
				still may: until a lease was had */
	int rfd, wfd, ffd;   /* -1 = none */
	struct presence have;
};

struct cache {
	struct cache_opts o;
	struct meta *m;
	uint8_t volume[16];
	int root_fd, lost_fd;
	bool no_atime; /* its filesystem keeps no access times */
	struct job *flusher;

	pthread_mutex_t hook_lock; /* guards the hooks; held while one runs */
	struct cache_hook {
		void (*fn)(void *arg);
		void *arg;
	} on_pressure, on_dirty;

	pthread_mutex_t backing_lock; /* guards backing; held while it is
					 called */
	struct cache_backing backing; /* open NULL: none */
	_Atomic bool passing;	      /* there is one */
	struct job *passer;	      /* pool and watch */
	_Atomic bool braking;	      /* the disk is full: writers are held */
	bool no_brake;	      /* it cannot be done, which was logged; the
				 passer's own */
	int64_t watched_ns;   /* boot time; the passer's own */
	struct buf left_held; /* inodes that the last process held; guarded by
				 backing_lock */
	struct pool *pool;

	pthread_mutex_t watch_lock; /* held by who goes over c->watched, or adds
				       to the pool */

	pthread_mutex_t flush_lock; /* held while a batch is synced */
	bool lost_writes;	    /* syncfs has failed; flush_lock */

	pthread_mutex_t lock; /* guards the table and the queue */
	struct cache_file *table;
	struct cache_file *queue; /* closed, not flushed yet; oldest first */
	unsigned queue_len, queue_again; /* all; those to try again */
	/* Registered files, and those the kernel may write by itself. */
	struct cache_file *warm, *watched;
	_Atomic unsigned n_warm, n_unseen;
	struct cache_file *unsettled; /* oldest first */
	unsigned unsettled_len;

	const char *const *archive; /* tiers; set once */
	size_t n_archives;

	_Atomic uint64_t evicted_files, evicted_bytes;
	_Atomic int64_t ghost_ns; /* who was touched after it left lately */
	_Atomic uint64_t used;	  /* sum of all files' blocks */
	_Atomic uint64_t wanted;  /* bytes that writers wait for */
	_Atomic uint64_t over;	  /* fetched bytes beyond the line */
	_Atomic int64_t pace_ns;  /* boot time when the next writer may go */
	_Atomic uint64_t disk_free;
	_Atomic int64_t disk_free_ns;	 /* boot time of that figure */
	_Atomic int64_t pressure_ns;	 /* boot time of the last call */
	_Atomic uint64_t disk_free_used; /* `used` at that time */
	pthread_mutex_t room_lock;
	pthread_cond_t room_cond; /* CLOCK_MONOTONIC; used went down */
};

/* ---- local.c -------------------------------------------------------- */

/* Path of an inode's cache file below the cache directory. */
void local_path(uint64_t ino, char out[CACHE_PATH_SIZE]);
/* Opens an inode's cache file and checks that it is this inode's: -ENOENT
 * when there is none, -EUCLEAN when it is foreign. */
int local_open(struct cache *c, uint64_t ino, int flags);
/* The same, made when missing (*made); a foreign one goes to lost+found. */
int local_create(struct cache *c, uint64_t ino, bool *made);
/* Unlinks the cache file; 0 also when there was none. */
int local_unlink(struct cache *c, uint64_t ino);
/* Makes the directory entry of an inode's cache file durable. */
int local_sync_entry(struct cache *c, uint64_t ino);
/* Renames <cache>/`path` into lost+found; never over another. */
int local_lose(struct cache *c, const char *path);

/* ---- state.c -------------------------------------------------------- */

/* A descriptor of the cache file, made when missing; then its directory entry
 * is not durable yet. */
int cache_create_locked(struct cache_file *f);
/* Starts a transaction with the file's row in hand. */
int cache_begin_row(struct cache_file *f, struct meta_txn *t,
		    struct meta_inode *row);
/*
 * The one way a row's state changes: checks the table of moves, does to the
 * other columns what the move implies, writes the row.
 */
int cache_move(struct meta_txn *t, struct meta_inode *row, enum meta_state to);
/* The same for a file whose bytes are not here any more: to what its packs say
 * (away.c). */
int cache_move_away(struct cache *c, struct meta_txn *t,
		    struct meta_inode *row);
static inline bool cache_is_away(enum meta_state s)
{
	return s == META_REMOTE || s == META_ARCHIVED || s == META_RECALLING;
}
/* Takes the committed row over into memory. Caller holds f->lock. */
void cache_follow_locked(struct cache_file *f, const struct meta_inode *row);
/* Sets a file's `damaged`, durably; logs the sentence with the inode. */
void cache_damage_locked(struct cache_file *f, const char *what, int rc);
/* Is something missing from the local copy? */
bool cache_incomplete_locked(const struct cache_file *f);
/* Asserts the invariants of cache.h. */
void cache_check_locked(struct cache_file *f);
/*
 * Before the bytes of a file change: the row says DIRTY with a version that
 * nobody has read and opened_for_write, durably where an older durable row
 * would misjudge the changed file; wfd is open. `zero`: all bytes go.
 */
int cache_dirty_locked(struct cache_file *f, bool zero);

/* ---- file.c --------------------------------------------------------- */

/* Another reference; the caller holds the table's lock. */
struct cache_file *cache_ref_locked(struct cache_file *f);
/* The loaded cache_file, or NULL; with a reference. */
struct cache_file *cache_find(struct cache *c, uint64_t ino);
/* Handles, seals, I/O outside the lock: does anybody use it? */
bool cache_in_use_locked(const struct cache_file *f);
/* Waits until no evict, drop or flush of many is going on. */
void cache_wait_busy_locked(struct cache_file *f);
/* Compares the local file with the row once; moves the state when the file
 * is not what it should be. */
int cache_examine_locked(struct cache_file *f);
/*
 * A protected file of whose bytes none is here, or will be: the row says
 * REMOTE, durably, because an older one would take what is put in their place
 * for all of them.
 */
int cache_forget_locked(struct cache_file *f);
int cache_rfd_locked(struct cache_file *f);
/* A descriptor that was open before what was written and is not flushed yet;
 * -1: nothing was. Borrowed. */
int cache_written_locked(const struct cache_file *f);
void cache_close_fd(int *fd);
/* Takes size and times that the local file has into the row. */
void cache_row_from_stat(struct meta_inode *row, const struct stat *st);

/* ---- data.c --------------------------------------------------------- */

/* A read under way. */
struct cache_read {
	int fd;
	uint64_t changes; /* cache_file.changes before it; or a change ran */
};

/* Pins the descriptor to read from. How many bytes there are, or -errno;
 * with a count a cache_read_end() has to follow. */
ssize_t cache_read_begin(struct cache_file *f, uint64_t off, size_t len,
			 struct cache_read *r);
void cache_read_end(struct cache_file *f, const struct cache_read *r,
		    uint64_t off, size_t want, ssize_t *got);
/* Before bytes change, through *fd. `zero`: no byte of the file is left;
 * `end`: the change may make the file as long as that. 0: a
 * cache_change_end() has to follow. */
int cache_change_begin(struct cache_file *f, bool zero, uint64_t end, int *fd);
/* Takes over what the file has become, also when the change failed. */
void cache_change_end(struct cache_file *f);
/* Bytes that a write may take: none where a file without holes has its own. */
uint64_t cache_change_needs(struct cache_file *f, uint64_t off, uint64_t len);

/* ---- presence.c ----------------------------------------------------- */

#define PRESENCE_CHUNK (META_PRESENCE_FRAMES / 8) /* bytes of bits in a row */

uint64_t presence_chunks(const struct presence *p);
/* Loads the bits of an incomplete file, once. 0 or -errno. */
int presence_load_locked(struct cache_file *f);
/* Forgets the bits. */
void presence_done(struct presence *p);
/* Are there bits that the database does not have? */
bool presence_unsaved_locked(const struct cache_file *f);
/* Is every frame here? */
bool presence_full_locked(const struct cache_file *f);

/* ---- settle.c ------------------------------------------------------- */

/* The last handle of a file went: what was fetched is recorded soon. */
void settle_queue(struct cache_file *f);
/* Records what is due, or all; when more will be: ns, or JOB_IDLE. */
int64_t settle_some(struct cache *c, bool all);

/* ---- flush.c -------------------------------------------------------- */

/* Queues a closed file whose bytes are not durable yet. */
void flush_queue(struct cache_file *f);
/*
 * Makes the bytes of a file that nobody changes durable, writes the final
 * attributes and clears opened_for_write. -EBUSY: changed meanwhile, or open
 * for writing; -EIO: the file is damaged now.
 */
int flush_file(struct cache_file *f);
/* The job "flush" (job_run_fn). */
int64_t flush_run(struct job *job, void *arg);
/* Empties the queue; the next start takes up what was in it. */
void flush_forget(struct cache *c);

/* ---- cache.c -------------------------------------------------------- */

/* Calls the hook, if there is one. */
void cache_hook_run(struct cache *c, const struct cache_hook *hook);

/* ---- space.c -------------------------------------------------------- */

/* Counts what the file takes now. */
void space_update(struct cache_file *f, uint64_t bytes);
void space_update_fd(struct cache_file *f, int fd);
/* The disk has more room than it had: look again. */
void space_changed(struct cache *c);
/* Is there room for `n` fetched bytes? Then they are counted. Those that
 * somebody waits for may go a little beyond the line. */
bool space_to_fill(struct cache *c, uint64_t n, bool wanted);
/* Waits for room for `n` more bytes. 0 or -ENOSPC. */
int space_wait(struct cache *c, uint64_t n, bool fill);

/* ---- quota.c -------------------------------------------------------- */

/* The file may become `end` bytes long. -EDQUOT. */
int quota_take_locked(struct cache_file *f, uint64_t end);
/* Gives back what was taken and is not used. */
void quota_settle_locked(struct cache_file *f);
/* Charges what the kernel made of the file by itself, whatever the quota
 * says. */
void quota_follow_locked(struct cache_file *f);
/* From now on the row alone stands for the file. */
void quota_forget(struct cache_file *f);

/* ---- backing.c ------------------------------------------------------ */

/* From now on the kernel may change the file by itself, or no more. */
void unseen_set_locked(struct cache_file *f, bool on);
/* An id for the cache file behind `fd`, or -errno. */
int backing_open(struct cache *c, int fd);
void backing_close(struct cache *c, int id);
/* Gives the file's id back; the caller has a reference and no lock. */
void backing_forget(struct cache_file *f);
/* Takes over the size that a file has by now, if the kernel may have changed
 * it. */
void backing_look_locked(struct cache_file *f);
/*
 * No store of the kernel's can come any more, unless the lease is broken
 * before still_end_locked(): the file is not open or mapped for writing.
 * -EBUSY: it is. Asks through rfd, closes wfd. Nothing for a file that is not
 * `unseen`.
 */
int still_begin_locked(struct cache_file *f);
bool still_valid(const struct cache_file *f);
void still_end_locked(struct cache_file *f);
/* The job "passthrough" (job_run_fn). */
int64_t backing_run(struct job *job, void *arg);
/* Watches nothing any more. */
void watch_forget(struct cache *c);

/* ---- brake.c -------------------------------------------------------- */

/* Looks at the disk: are the kernel's writers to be held? And when to look
 * again. */
int64_t brake_look(struct cache *c);
/* Holds a file that the kernel may write to, or lets it go, as was found. */
void brake_file_locked(struct cache_file *f);
/* Before anything else changes the file: lets it go. */
void brake_let_locked(struct cache_file *f);
/* The file behind `fd`, which nobody may know to be held. */
int brake_let_fd(struct cache *c, int fd);
/* At the start: is that file held? It is let go as soon as somebody can. */
void brake_left(struct cache *c, uint64_t ino, int fd);
void brake_let_left(struct cache *c);

/* ---- pool.c --------------------------------------------------------- */

int pool_init(struct cache *c);
/* Removes what nobody took, and gives all ids back. */
void pool_drain(struct cache *c);
void pool_done(struct cache *c);
/* Makes some more; ns until it wants to again, or JOB_IDLE. */
int64_t pool_fill(struct cache *c);
/* Gives f what was made for its number. True: there was something. */
bool pool_adopt_locked(struct cache_file *f);
/* Is the cache file of that number the pool's? */
bool pool_has(struct cache *c, uint64_t ino);

/* ---- seal.c --------------------------------------------------------- */

/* Lets go of the lease: what protect has read so far will not be named. */
void cache_break_seal_locked(struct cache_file *f);

/* ---- copy.c --------------------------------------------------------- */

/* cache_seal_commit() and _end() of a copy. */
int copy_commit(struct cache_seal *s, struct meta_txn *t, int64_t now_ns);
void copy_done(struct cache_seal *s);

/* ---- recover.c ------------------------------------------------------ */

/* Takes up files that were open for writing when the last process ended. */
int recover_opened(struct cache *c, struct err *err);

#endif
