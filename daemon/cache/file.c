/* SPDX-License-Identifier: Apache-2.0 */
/* The table of files in use, their handles, their attributes. */
#include "cache/impl.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cache/value.h"
#include "meta/tiering.h"

void cache_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- the table ------------------------------------------------------ */

static struct cache_file *cache_file_new(struct cache *c, uint64_t ino)
{
	struct cache_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->c = c;
	f->ino = ino;
	f->rfd = f->wfd = f->ffd = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->cond, NULL);
	return f;
}

static void cache_file_free(struct cache_file *f)
{
	quota_forget(f);
	if (f->backing) /* of a file that nobody came to open */
		backing_close(f->c, f->backing);
	cache_close_fd(&f->rfd);
	cache_close_fd(&f->wfd);
	cache_close_fd(&f->ffd);
	presence_done(&f->have);
	pthread_cond_destroy(&f->cond);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int cache_load_locked(struct cache_file *f)
{
	struct meta_inode row;
	int rc = meta_inode_find(f->c->m, f->ino, &row);

	if (rc < 0)
		return rc;
	if (!S_ISREG(row.mode))
		return -EINVAL;
	f->size = row.size;
	f->charged = row.size;
	cache_follow_locked(f, &row);
	f->fresh = f->opened; /* protect reads no file that is open */
	atomic_store(&f->blocks, row.cached_bytes);
	if (f->opened && f->size == 0 && atomic_load(&f->c->passing))
		pool_adopt_locked(f);
	return 0;
}

struct cache_file *cache_ref_locked(struct cache_file *f)
{
	f->refs++;
	return f;
}

struct cache_file *cache_find(struct cache *c, uint64_t ino)
{
	struct cache_file *f;

	LOCK_SCOPE(&c->lock);
	HASH_FIND(hh, c->table, &ino, sizeof(ino), f);
	return f ? cache_ref_locked(f) : NULL;
}

/* A new entry is in the table, with its lock held, before its row is read:
 * who finds it waits for the row, and nobody works on an older one. */
static struct cache_file *cache_find_or_add(struct cache *c, uint64_t ino,
					    bool *added)
{
	struct cache_file *f;

	*added = false;
	LOCK_SCOPE(&c->lock);
	HASH_FIND(hh, c->table, &ino, sizeof(ino), f);
	if (f)
		return cache_ref_locked(f);
	f = cache_file_new(c, ino);
	if (!f)
		return NULL;
	pthread_mutex_lock(&f->lock);
	HASH_ADD(hh, c->table, ino, sizeof(f->ino), f);
	f->hashed = true;
	*added = true;
	return cache_ref_locked(f);
}

static void cache_unhash(struct cache_file *f)
{
	LOCK_SCOPE(&f->c->lock);
	if (f->hashed)
		HASH_DEL(f->c->table, f);
	f->hashed = false;
}

int cache_get(struct cache *c, uint64_t ino, struct cache_file **out)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	bool added;
	int rc;

	f = cache_find_or_add(c, ino, &added);
	if (!f)
		return -ENOMEM;
	if (added)
		f->load_rc = cache_load_locked(f);
	else
		pthread_mutex_lock(&f->lock);
	rc = f->load_rc;
	pthread_mutex_unlock(&f->lock);
	if (rc < 0) {
		cache_unhash(f);
		return rc;
	}
	*out = take(f);
	return 0;
}

/* Gives the reference back, unless it is the last and presence is unsaved:
 * then false, once. */
static bool cache_put_try(struct cache_file *f, bool settled)
{
	struct cache *c = f->c;
	bool last;

	pthread_mutex_lock(&c->lock);
	last = f->refs == 1;
	if (last && !settled && presence_unsaved_locked(f)) {
		pthread_mutex_unlock(&c->lock);
		return false;
	}
	f->refs--;
	if (last && f->hashed)
		HASH_DEL(c->table, f);
	pthread_mutex_unlock(&c->lock);
	if (last)
		cache_file_free(f);
	return true;
}

void cache_put(struct cache_file *f)
{
	int rc;

	if (!f || cache_put_try(f, false))
		return;
	rc = cache_settle_presence(f);
	if (rc < 0) /* costs fetches after the next start, no data */
		log_warn("inode %llu: what was fetched is not recorded: %s",
			 (unsigned long long)f->ino, errno_name(-rc));
	cache_put_try(f, true);
}

uint64_t cache_ino(const struct cache_file *f)
{
	return f->ino;
}

/* ---- is the local file what the row says? --------------------------- */

static int cache_forget_row(struct cache_file *f, struct meta_inode *row)
{
	uint64_t seq = 0;
	META_TXN(t);
	int rc = cache_begin_row(f, &t, row);

	if (rc == 0)
		rc = cache_move_away(f->c, &t, row);
	if (rc == 0)
		rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(f->c->m, seq);
}

int cache_forget_locked(struct cache_file *f)
{
	struct meta_inode row;
	int rc = cache_forget_row(f, &row);

	if (rc < 0)
		return rc;
	cache_follow_locked(f, &row);
	presence_done(&f->have);
	if (f->filling == 0)
		cache_close_fd(&f->ffd);
	space_update(f, 0);
	return 0;
}

/* A protected file comes back from the bucket; one that exists only here is
 * damaged. */
static int cache_lost_locked(struct cache_file *f, const char *what, int why)
{
	int rc = 0;

	if (f->state == META_DIRTY) {
		cache_damage_locked(f, what, why);
	} else {
		log_warn("inode %llu: %s: will be fetched again",
			 (unsigned long long)f->ino, what);
		rc = cache_forget_locked(f);
	}
	f->checked = rc == 0;
	return rc;
}

/* Was it dropped already, and its row waits for the reaper? */
static bool cache_reaped(struct cache_file *f)
{
	struct meta_inode row;
	int rc = meta_inode_find(f->c->m, f->ino, &row);

	return rc == -ENOENT || (rc == 0 && row.nlink == 0);
}

int cache_examine_locked(struct cache_file *f)
{
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	if (f->checked)
		return 0;
	if (f->size == 0 || f->opened || f->damaged ||
	    (f->state != META_DIRTY && f->state != META_LOCAL &&
	     f->state != META_PARTIAL)) {
		f->checked = true;
		return 0;
	}
	fd = local_open(f->c, f->ino, O_RDONLY);
	if (fd == -ENOENT && cache_reaped(f)) {
		f->dropped = true;
		return -ENOENT;
	}
	if (fd == -ENOENT)
		return cache_lost_locked(f, "its cache file is missing", fd);
	if (fd == -EUCLEAN)
		return cache_lost_locked(f, "its cache file is foreign", fd);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < f->size)
		return cache_lost_locked(f, "its cache file is too short",
					 -ENODATA);
	f->entry_ok = f->checked = true;
	if (f->rfd < 0)
		f->rfd = take_fd(fd);
	return 0;
}

int cache_rfd_locked(struct cache_file *f)
{
	int fd;

	if (f->rfd >= 0)
		return 0;
	fd = local_open(f->c, f->ino, O_RDONLY);
	if (fd < 0) /* it was there a moment ago */
		return fd == -ENOENT || fd == -EUCLEAN ? -EIO : fd;
	f->rfd = fd;
	return 0;
}

int cache_written_locked(const struct cache_file *f)
{
	return f->wfd < 0 && f->unseen ? f->rfd : f->wfd;
}

/* ---- handles -------------------------------------------------------- */

bool cache_in_use_locked(const struct cache_file *f)
{
	return f->readers || f->writers || f->pins || f->changing ||
	       f->filling || f->fillers || f->settling ||
	       atomic_load(&f->seal) != SEAL_NONE;
}

bool cache_is_open(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	return f->readers || f->writers;
}

bool cache_in_use(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	return cache_in_use_locked(f);
}

void cache_wait_busy_locked(struct cache_file *f)
{
	while (f->busy)
		pthread_cond_wait(&f->cond, &f->lock);
}

#define REREAD_AGE_NS (30 * SEC_PER_DAY * NSEC_PER_SEC)

/*
 * A file that is not here is opened, or one that was brought for this: how
 * long nobody had touched it stands in the trust's own history of re-reads,
 * which plans go by. Who comes again within a day reads on.
 */
static int touch_reread(struct meta_txn *t, const struct meta_inode *row,
			int64_t now)
{
	bool brought = value_class(row->access_ns) == VALUE_FETCHED;
	struct meta_reread r = { .files = 1, .bytes = row->size };
	int64_t last = row->atime_ns;
	time_t at = (time_t)(now / NSEC_PER_SEC);
	struct tm tm;

	if (!brought && !cache_is_away(row->state))
		return 0;
	if (!brought)
		last = MAX(last, value_time(row->access_ns));
	if (now - last < SEC_PER_DAY * NSEC_PER_SEC)
		return 0;
	r.age = (uint32_t)MIN((now - last) / REREAD_AGE_NS,
			      META_REREAD_AGES - 1);
	gmtime_r(&at, &tm);
	r.month = (tm.tm_year - 70) * 12 + tm.tm_mon;
	return meta_reread_add(t, &r);
}

static int touch_row(struct cache_file *f, int64_t now)
{
	int64_t since = atomic_load(&f->c->ghost_ns);
	struct meta_inode row;
	META_TXN(t);
	int rc = cache_begin_row(f, &t, &row);

	if (rc == 0)
		rc = touch_reread(&t, &row, now);
	if (rc < 0)
		return rc;
	row.access_ns = value_touched(row.access_ns, !cache_is_away(row.state),
				      since, now);
	rc = meta_inode_update(&t, &row);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0)
		f->access_ns = row.access_ns;
	return rc;
}

void cache_touch(struct cache_file *f)
{
	int64_t now = clock_wall_ns();
	int rc;

	LOCK_SCOPE(&f->lock);
	f->touched = true;
	/* What is dirty is not evicted, and gets its key with the flush. */
	if (f->state == META_DIRTY || f->dropped ||
	    value_touched(f->access_ns, !cache_is_away(f->state), INT64_MAX,
			  now) == f->access_ns)
		return;
	rc = touch_row(f, now);
	if (rc < 0) /* on a full disk, say: files can be opened all the same */
		log_debug("inode %llu: the touch is not recorded: %s",
			  (unsigned long long)f->ino, errno_name(-rc));
}

void cache_left(struct cache *c, int64_t since_ns)
{
	atomic_store(&c->ghost_ns, since_ns);
}

int cache_acquire(struct cache_file *f, bool writable)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (f->dropped)
		return -ENOENT;
	rc = cache_examine_locked(f);
	if (rc < 0)
		return rc;
	if (!writable) {
		f->readers++;
		return 0;
	}
	cache_break_seal_locked(f);
	f->writers++;
	return 0;
}

/* 1: the file was dirty and its last writer went. */
static int cache_leave(struct cache_file *f, bool writable, bool *flush)
{
	bool last_writer;

	LOCK_SCOPE(&f->lock);
	if (writable)
		f->writers--;
	else
		f->readers--;
	last_writer = writable && f->writers == 0;
	*flush = last_writer && f->opened;
	if (*flush)
		f->settle_ns = clock_wall_ns();
	if (!cache_in_use_locked(f) && !f->unseen)
		cache_close_fd(&f->rfd);
	return last_writer && f->state == META_DIRTY;
}

int cache_release(struct cache_file *f, bool writable)
{
	struct cache *c = f->c;
	bool flush, dirty;

	dirty = cache_leave(f, writable, &flush);
	if (flush)
		flush_queue(f);
	else if (dirty)
		cache_hook_run(c, &c->on_dirty);
	if (!cache_in_use(f))
		settle_queue(f);
	return 0;
}

/* ---- attributes ----------------------------------------------------- */

void cache_row_from_stat(struct meta_inode *row, const struct stat *st)
{
	/* Not the access time: that one moves with reads of our own. And to
	 * make a file ready for a change moves its ctime, but changes
	 * nothing. */
	if (row->size != (uint64_t)st->st_size ||
	    row->mtime_ns != clock_ns(st->st_mtim))
		row->ctime_ns = MAX(row->ctime_ns, clock_ns(st->st_ctim));
	row->size = (uint64_t)st->st_size;
	row->mtime_ns = clock_ns(st->st_mtim);
}

static int cache_stat(struct cache *c, uint64_t ino, struct stat *st)
{
	CLEANUP(cache_put_guard) struct cache_file *f = cache_find(c, ino);
	char path[CACHE_PATH_SIZE];

	if (f) {
		LOCK_SCOPE(&f->lock);
		if (f->wfd >= 0)
			return fstat(f->wfd, st) < 0 ? -errno : 0;
	}
	local_path(ino, path);
	if (fstatat(c->root_fd, path, st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int cache_attr(struct cache *c, struct meta_inode *in, blkcnt_t *blocks,
	       bool *volatile_attr)
{
	struct stat st;
	int rc;

	*volatile_attr = in->opened_for_write;
	if (in->opened_for_write) {
		rc = cache_stat(c, in->ino, &st);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0) {
			cache_row_from_stat(in, &st);
			*blocks = st.st_blocks;
			return 0;
		}
	}
	/* Bytes that are elsewhere count as if they were here: programs take
	 * a file without blocks for one big hole. */
	*blocks = (blkcnt_t)(in->cached_bytes / 512);
	if (*blocks == 0 || in->state != META_LOCAL)
		*blocks = (blkcnt_t)((in->size + 511) / 512);
	return 0;
}

uint64_t cache_size(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	backing_look_locked(f);
	return f->size;
}

void cache_version(struct cache_file *f, uint64_t *version, uint64_t *size)
{
	LOCK_SCOPE(&f->lock);
	*version = f->version;
	*size = f->size;
}
