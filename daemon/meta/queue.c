/* SPDX-License-Identifier: Apache-2.0 */
/* What waits: to be protected, evicted, reaped, looked at after a crash. */
#include "meta/internal.h"

/* Of the oldest dirty files, how many a search for mates looks at (S6). */
#define QUEUE_SCAN_MAX 20000
/* Of the files open or closed last, how many a search for one looks at. */
#define QUEUE_RECENT_MAX 2000

enum {
	ORPHANS,
	OPENED,
	PROTECTABLE,
	STUDY,
	STUDY_SIZES,
	HAS_PARENT,
	A_PARENT,
	NEXT_SETTLE,
	LATEST,
	NEXT,
	EVICTABLE,
};
#define TODO_COLS                                                        \
	"SELECT ino, size, dirty_ns, settle_ns, study, series, instance" \
	" FROM inode WHERE state = 0 AND nlink > 0"                      \
	" AND opened_for_write = 0 AND damaged = 0"
#define RECENT                                                \
	"SELECT ino FROM inode WHERE state = 0 AND nlink > 0" \
	" AND opened_for_write = 0 AND damaged = 0"           \
	" AND COALESCE(study, 0) = 0 AND settle_ns >= ?1"
static const char *const sql[] = {
	[ORPHANS] = "SELECT ino FROM inode WHERE nlink = 0 AND ino > ?1"
		    " ORDER BY ino LIMIT ?2",
	[OPENED] = "SELECT ino FROM inode WHERE opened_for_write = 1"
		   " AND ino > ?1 ORDER BY ino LIMIT ?2",
	[PROTECTABLE] = TODO_COLS " AND settle_ns < ?1"
				  " AND (dirty_ns, ino) > (?2, ?3)"
				  " ORDER BY dirty_ns, ino",
	[STUDY] = TODO_COLS " AND study > 0 AND study = ?1 AND settle_ns < ?2"
			    " AND (series, instance, ino) > (?3, ?4, ?5)"
			    " ORDER BY series, instance, ino",
	[STUDY_SIZES] = TODO_COLS " AND study > 0 AND study = ?1",
	[HAS_PARENT] = "SELECT parent FROM dirent WHERE ino = ?1"
		       " AND parent = ?2 LIMIT 1",
	[A_PARENT] = "SELECT parent FROM dirent WHERE ino = ?1"
		     " ORDER BY parent LIMIT 1",
	[NEXT_SETTLE] = "SELECT settle_ns FROM inode"
			" WHERE state = 0 AND nlink > 0"
			" AND opened_for_write = 0 AND damaged = 0"
			" ORDER BY settle_ns LIMIT 1",
	[LATEST] = RECENT " ORDER BY settle_ns DESC LIMIT ?2",
	[NEXT] = RECENT " ORDER BY settle_ns LIMIT ?2",
	[EVICTABLE] = "SELECT ino, access_ns, cached_bytes FROM inode"
		      " WHERE state IN (1, 2) AND cached_bytes > 0"
		      " AND damaged = 0 AND (access_ns, ino) > (?1, ?2)"
		      " AND access_ns < ?4"
		      " ORDER BY access_ns, ino LIMIT ?3",
};

static int queue_inos(struct meta_txn *t, int i, uint64_t after, uint64_t *ino,
		      size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, i, sql);

	m_bind_u64(st, 1, after);
	m_bind_u64(st, 2, max);
	return m_list_u64(t, st, ino, max);
}

int meta_orphans(struct meta_txn *t, uint64_t after, uint64_t *ino, size_t max)
{
	return queue_inos(t, ORPHANS, after, ino, max);
}

int meta_opened(struct meta_txn *t, uint64_t after, uint64_t *ino, size_t max)
{
	return queue_inos(t, OPENED, after, ino, max);
}

/*
 * A directory of the inode: `want`, or any when that is 0. *parent = 0 when
 * there is none.
 */
static int queue_parent(struct meta_txn *t, uint64_t ino, uint64_t want,
			uint64_t *parent)
{
	struct db_stmt *st =
		m_stmt(t, META_G_QUEUE, want ? HAS_PARENT : A_PARENT, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	if (want)
		m_bind_u64(st, 2, want);
	*parent = 0;
	rc = m_row(t, st);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	*parent = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}

static struct meta_todo queue_row(struct db_stmt *st)
{
	return (struct meta_todo){
		.ino = (uint64_t)db_int(st, 0),
		.size = (uint64_t)db_int(st, 1),
		.dirty_ns = db_int(st, 2),
		.settle_ns = db_int(st, 3),
		.at = { .study = (uint64_t)db_int(st, 4),
			.series = (uint64_t)db_int(st, 5),
			.number = (uint32_t)db_int(st, 6) },
	};
}

/* The row of `st`; 1, or 0 when it is not one of the directory `parent`. */
static int queue_todo(struct meta_txn *t, struct db_stmt *st, uint64_t parent,
		      struct meta_todo *out)
{
	int rc;

	*out = queue_row(st);
	if (out->at.study)
		return !parent;
	rc = queue_parent(t, out->ino, parent, &out->parent);
	if (rc < 0)
		return rc;
	return !parent || out->parent;
}

static struct db_stmt *queue_protectable(struct meta_txn *t, int64_t before_ns,
					 const struct meta_todo *after)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, PROTECTABLE, sql);

	m_bind_int(st, 1, before_ns);
	m_bind_int(st, 2, after ? after->dirty_ns : INT64_MIN);
	m_bind_u64(st, 3, after ? after->ino : 0);
	return st;
}

int meta_protectable(struct meta_txn *t, uint64_t parent, int64_t before_ns,
		     const struct meta_todo *after, struct meta_todo *out,
		     size_t max)
{
	struct db_stmt *st = queue_protectable(t, before_ns, after);
	size_t looks = parent ? QUEUE_SCAN_MAX : SIZE_MAX, n = 0;
	int rc = 0;

	while (n < max && looks-- > 0 && (rc = m_step(t, st)) == 1) {
		rc = queue_todo(t, st, parent, &out[n]);
		if (rc < 0)
			break;
		if (rc == 1)
			n++;
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

int meta_protectable_study(struct meta_txn *t, uint64_t study,
			   int64_t before_ns, const struct meta_todo *after,
			   struct meta_todo *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, STUDY, sql);
	size_t n = 0;
	int rc = 0;

	m_bind_u64(st, 1, study);
	m_bind_int(st, 2, before_ns);
	m_bind_int(st, 3, after ? (int64_t)after->at.series : -1);
	m_bind_int(st, 4, after ? after->at.number : 0);
	m_bind_u64(st, 5, after ? after->ino : 0);
	while (n < max && (rc = m_step(t, st)) == 1)
		out[n++] = queue_row(st);
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

/* 1 when one of the inodes that `st` lists lies in the directory. */
static int queue_any_in(struct meta_txn *t, struct db_stmt *st, uint64_t parent)
{
	uint64_t found = 0;
	int rc = 0;

	m_bind_u64(st, 2, QUEUE_RECENT_MAX);
	while (!found && (rc = m_step(t, st)) == 1) {
		rc = queue_parent(t, (uint64_t)db_int(st, 0), parent, &found);
		if (rc < 0)
			break;
	}
	db_reset(st);
	return found ? 1 : MIN(rc, 0);
}

static int queue_recent(struct meta_txn *t, int i, uint64_t parent,
			int64_t since_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, i, sql);

	m_bind_int(st, 1, since_ns);
	return queue_any_in(t, st, parent);
}

/* Of many files those that settle next are asked, as they end what was begun,
 * and the latest; and those that are open. */
static int queue_active(struct meta_txn *t, uint64_t parent, int64_t since_ns)
{
	int rc = queue_recent(t, NEXT, parent, since_ns);

	if (rc == 0)
		rc = queue_recent(t, LATEST, parent, since_ns);
	return rc ? rc : queue_recent(t, OPENED, parent, 0);
}

int meta_directory_fills(struct meta_txn *t, uint64_t parent, int64_t before_ns,
			 uint64_t bytes, size_t files)
{
	size_t looks = QUEUE_SCAN_MAX, n = 0;
	struct meta_todo todo;
	uint64_t sum = 0;
	struct db_stmt *st;
	int rc = queue_active(t, parent, before_ns);

	if (rc != 1)
		return rc;
	st = queue_protectable(t, before_ns, NULL);
	while (sum < bytes && n < files && looks-- > 0 &&
	       (rc = m_step(t, st)) == 1) {
		rc = queue_todo(t, st, parent, &todo);
		if (rc < 0)
			break;
		if (rc == 1) {
			sum += todo.size;
			n++;
		}
	}
	db_reset(st);
	return rc < 0 ? rc : sum < bytes && n < files;
}

int meta_study_fills(struct meta_txn *t, uint64_t study, int64_t before_ns,
		     uint64_t bytes, size_t files)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, STUDY_SIZES, sql);
	size_t looks = QUEUE_SCAN_MAX, n = 0;
	uint64_t sum = 0;
	bool active = false;
	int rc = 0;

	m_bind_u64(st, 1, study);
	while (sum < bytes && n < files && looks-- > 0 &&
	       (rc = m_step(t, st)) == 1) {
		struct meta_todo todo = queue_row(st);

		if (todo.settle_ns >= before_ns) {
			active = true;
		} else {
			sum += todo.size;
			n++;
		}
	}
	db_reset(st);
	return rc < 0 ? rc : active && sum < bytes && n < files;
}

int meta_next_settle(struct meta_txn *t, int64_t *settle_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, NEXT_SETTLE, sql);
	int rc = m_row(t, st);

	if (rc < 0)
		return rc;
	*settle_ns = db_int(st, 0);
	db_reset(st);
	return 0;
}

int meta_evictable(struct meta_txn *t, int64_t after_ns, uint64_t after_ino,
		   int64_t before_ns, struct meta_victim *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_QUEUE, EVICTABLE, sql);
	size_t n = 0;
	int rc;

	m_bind_int(st, 1, after_ns);
	m_bind_u64(st, 2, after_ino);
	m_bind_u64(st, 3, max);
	m_bind_int(st, 4, before_ns);
	while ((rc = m_step(t, st)) == 1 && n < max)
		out[n++] = (struct meta_victim){
			.ino = (uint64_t)db_int(st, 0),
			.access_ns = db_int(st, 1),
			.cached_bytes = (uint64_t)db_int(st, 2),
		};
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
