/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States. Who moves them:
 *
 *   from \ to   DIRTY             LOCAL            PARTIAL       away
 *   DIRTY       changed again     protected        -             -
 *   LOCAL       changed           -                -             evicted, lost
 *   PARTIAL     truncated to 0    all frames here  more frames   evicted, lost
 *   away        truncated to 0    all frames here  some frames   left-overs;
 *                                                                moved, ordered
 *
 * Away: REMOTE, or in a class that must be restored to be read: ARCHIVED, and
 * RECALLING while that is ordered. Which of them, its packs say (away.c); in
 * memory they are the same, and may differ from the row.
 *
 * A protected file that changes is made whole first (S12), so PARTIAL and
 * what is away become DIRTY only when no byte of theirs is left.
 */
#include "cache/impl.h"

#include <assert.h>
#include <sys/stat.h>

#include "base/log.h"

#define TO(s)	  (1U << (s))
#define AWAY	  (TO(META_REMOTE) | TO(META_ARCHIVED) | TO(META_RECALLING))
#define FROM_AWAY (TO(META_DIRTY) | TO(META_LOCAL) | TO(META_PARTIAL) | AWAY)

static const unsigned cache_moves[META_STATES] = {
	[META_DIRTY] = TO(META_DIRTY) | TO(META_LOCAL),
	[META_LOCAL] = TO(META_DIRTY) | AWAY,
	[META_PARTIAL] = TO(META_DIRTY) | TO(META_LOCAL) | TO(META_PARTIAL) |
			 AWAY,
	[META_REMOTE] = FROM_AWAY,
	[META_ARCHIVED] = FROM_AWAY,
	[META_RECALLING] = FROM_AWAY,
};

int cache_begin_row(struct cache_file *f, struct meta_txn *t,
		    struct meta_inode *row)
{
	int rc = meta_begin(f->c->m, t);

	return rc < 0 ? rc : meta_inode_get(t, f->ino, row);
}

static int cache_move_to_dirty(struct meta_txn *t, struct meta_inode *row)
{
	int rc = meta_new_version(t, &row->content_version);

	row->opened_for_write = true;
	row->meta_version = row->content_version;
	if (!row->dirty_ns)
		row->dirty_ns = clock_wall_ns();
	return rc;
}

int cache_move(struct meta_txn *t, struct meta_inode *row, enum meta_state to)
{
	int rc = 0;

	if (!(cache_moves[row->state] & TO(to)))
		return -EUCLEAN;
	if (row->state != META_DIRTY && to != META_PARTIAL)
		rc = meta_presence_clear(t, row->ino);
	if (rc == 0 && to == META_DIRTY) {
		rc = cache_move_to_dirty(t, row);
	} else if (to == META_LOCAL) {
		row->dirty_ns = 0;
	} else if (cache_is_away(to)) {
		row->cached_bytes = 0;
	}
	if (rc < 0)
		return rc;
	row->state = to;
	return meta_inode_update(t, row);
}

void cache_follow_locked(struct cache_file *f, const struct meta_inode *row)
{
	f->state = row->state;
	f->damaged = row->damaged;
	f->opened = row->opened_for_write;
	f->version = row->content_version;
	f->access_ns = row->access_ns;
	f->settle_ns = row->settle_ns;
	f->row_size = row->size;
	if (!f->opened)
		f->size = row->size;
	if (!cache_incomplete_locked(f)) {
		presence_done(&f->have);
		if (f->filling == 0) /* else the last fill closes it */
			cache_close_fd(&f->ffd);
	}
}

static int cache_damage_row(struct cache_file *f)
{
	struct meta_inode row;
	uint64_t seq = 0;
	META_TXN(t);
	int rc = cache_begin_row(f, &t, &row);

	if (rc < 0)
		return rc;
	row.damaged = true;
	rc = meta_inode_update(&t, &row);
	if (rc == 0)
		rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(f->c->m, seq);
}

void cache_damage_locked(struct cache_file *f, const char *what, int rc)
{
	cache_break_seal_locked(f);
	f->damaged = true;
	log_err("inode %llu is damaged: %s (%s); it is not protected",
		(unsigned long long)f->ino, what, errno_name(-rc));
	rc = cache_damage_row(f);
	if (rc < 0)
		log_err("inode %llu: cannot record the damage: %s",
			(unsigned long long)f->ino, errno_name(-rc));
}

void cache_damage(struct cache_file *f, const char *what, int rc)
{
	LOCK_SCOPE(&f->lock);
	if (!f->damaged)
		cache_damage_locked(f, what, rc);
}

bool cache_incomplete_locked(const struct cache_file *f)
{
	return f->size > 0 && f->state != META_DIRTY && f->state != META_LOCAL;
}

/* ---- the first change ----------------------------------------------- */

int cache_create_locked(struct cache_file *f)
{
	bool made;
	int fd = local_create(f->c, f->ino, &made);

	if (fd >= 0 && made)
		f->entry_ok = false;
	return fd;
}

static int cache_wfd_locked(struct cache_file *f)
{
	int fd;

	if (f->wfd >= 0)
		return 0;
	fd = cache_create_locked(f);
	if (fd < 0)
		return fd;
	f->wfd = fd;
	return 0;
}

/*
 * From now on size and time are the local file's: gives it those of the row.
 * Bytes behind the row's size are of writes that a power cut undid.
 */
static int cache_attr_to_file(struct cache_file *f,
			      const struct meta_inode *row)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  clock_timespec(row->mtime_ns) };
	struct stat st;

	if (fstat(f->wfd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != row->size && !f->unseen &&
	    ftruncate(f->wfd, (off_t)row->size) < 0)
		return -errno;
	return futimens(f->wfd, ts) < 0 ? -errno : 0;
}

static int cache_dirty_row(struct cache_file *f, bool zero,
			   struct meta_inode *row, bool *barrier, uint64_t *seq)
{
	META_TXN(t);
	int rc = cache_begin_row(f, &t, row);

	if (rc < 0)
		return rc;
	/* After a power cut an older row would take the changed file for
	 * protected, or for too short. An empty one has nothing to lose. */
	*barrier = row->size > 0 && (row->state != META_DIRTY || !f->opened);
	if (zero)
		row->damaged = false;
	rc = cache_move(&t, row, META_DIRTY);
	return rc < 0 ? rc : meta_commit(&t, seq);
}

/*
 * The start takes what a file that was open for writing holds for its
 * content. The holes of an incomplete file and the bytes of a damaged one are
 * none: they are gone, on the disk too, before the row is DIRTY and good. Who
 * dies in between has a REMOTE file, or a damaged one.
 */
static int cache_empty_locked(struct cache_file *f)
{
	int rc = f->state == META_PARTIAL ? cache_forget_locked(f) : 0;

	if (rc < 0)
		return rc;
	presence_done(&f->have);
	cache_close_fd(&f->ffd);
	if (ftruncate(f->wfd, 0) < 0 || fsync(f->wfd) < 0)
		return -errno;
	rc = f->entry_ok ? 0 : local_sync_entry(f->c, f->ino);
	f->entry_ok = rc == 0;
	return rc;
}

/*
 * The first change of a file that was made open: its row says all already,
 * but for the times, which the change sets.
 */
static int cache_first_bytes(struct cache_file *f)
{
	struct stat st;
	int rc = cache_wfd_locked(f);

	if (rc < 0)
		return rc;
	if (fstat(f->wfd, &st) < 0)
		rc = -errno;
	else if ((uint64_t)st.st_size != f->size && !f->unseen &&
		 ftruncate(f->wfd, (off_t)f->size) < 0)
		rc = -errno; /* of an earlier process */
	if (rc < 0)
		cache_close_fd(&f->wfd);
	return rc;
}

static int cache_first_change(struct cache_file *f, bool zero)
{
	struct meta_inode row;
	bool barrier;
	uint64_t seq;
	int rc;

	rc = cache_wfd_locked(f);
	if (rc == 0 && zero && (cache_incomplete_locked(f) || f->damaged))
		rc = cache_empty_locked(f);
	if (rc < 0)
		return rc;
	rc = cache_dirty_row(f, zero, &row, &barrier, &seq);
	if (rc < 0)
		return rc;
	if (barrier)
		rc = meta_durable(f->c->m, seq);
	if (rc < 0)
		return rc;
	if (!zero)
		rc = cache_attr_to_file(f, &row);
	/* The row says so, whatever became of the file: the flush sees it. */
	cache_follow_locked(f, &row);
	f->fresh = rc == 0;
	return rc;
}

int cache_dirty_locked(struct cache_file *f, bool zero)
{
	int rc = 0;

	f->changes++;
	if (f->opened && f->fresh && !f->damaged)
		return f->wfd >= 0 ? 0 : cache_first_bytes(f);
	if (atomic_load(&f->seal) == SEAL_HELD)
		cache_break_seal_locked(f);
	f->frozen++;
	while (f->filling > 0 || f->settling)
		pthread_cond_wait(&f->cond, &f->lock);
	if (!f->opened || !f->fresh || f->damaged)
		rc = cache_first_change(f, zero);
	f->frozen--;
	return rc;
}

/* ---- invariants ----------------------------------------------------- */

void cache_check_locked(struct cache_file *f)
{
	const struct presence *p = &f->have;
	uint64_t i, n = 0;

	assert(f->state < META_STATES);
	assert(!f->opened || f->state == META_DIRTY);
	assert(atomic_load(&f->seal) != SEAL_HELD ||
	       (f->writers == 0 && (!f->opened || f->unseen) && !f->damaged));
	assert(!f->unseen || (f->opened && f->rfd >= 0) || f->dropped);
	assert(f->passed == 0 || f->backing > 0);
	assert(f->passed_writers <= f->passed);
	assert(f->changing > 0 || f->dropped || f->charged == f->size);
	assert(!p->bits || cache_incomplete_locked(f));
	assert(f->ffd < 0 || f->filling > 0 || cache_incomplete_locked(f));
	if (!p->bits)
		return;
	assert(p->frames == (f->size + META_FRAME_SIZE - 1) / META_FRAME_SIZE);
	for (i = 0; i < p->frames; i++)
		n += p->bits[i / 8] >> (i % 8) & 1;
	assert(n == p->present);
}

void cache_check(struct cache_file *f)
{
	LOCK_SCOPE(&f->lock);
	cache_check_locked(f);
}
