/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters, counted again. A cursor moves over the inodes by number; a
 * row at or below it that changes meanwhile is counted where it changes
 * (meta_counts_add), one above it when the cursor comes by. When it has
 * passed the last one, both sums are of the same moment.
 */
#include "meta/internal.h"

#include <string.h>

#include "base/clock.h"

/* Clients wait while a page is read, so it is short, and so is its share. */
#define RECOUNT_PAGE 100 /* about 0.1 ms */
#define RECOUNT_REST 9	 /* times as long as a page took */

enum { PAGE };
static const char *const sql[] = {
	[PAGE] = "SELECT ino, mode, nlink, size, state, damaged, cached_bytes"
		 " FROM inode WHERE ino > ?1 ORDER BY ino LIMIT ?2",
};

int meta_tally_page(struct meta_txn *t, struct meta_tally *y)
{
	struct db_stmt *st = m_stmt(t, META_G_RECOUNT, PAGE, sql);
	int rc, n;

	m_bind_u64(st, 1, y->cursor);
	m_bind_int(st, 2, RECOUNT_PAGE);
	for (n = 0; (rc = m_step(t, st)) == 1; n++) {
		struct meta_inode in = {
			.ino = (uint64_t)db_int(st, 0),
			.mode = (uint32_t)db_int(st, 1),
			.nlink = (uint32_t)db_int(st, 2),
			.size = (uint64_t)db_int(st, 3),
			.state = (enum meta_state)db_int(st, 4),
			.damaged = db_int(st, 5) != 0,
			.cached_bytes = (uint64_t)db_int(st, 6),
		};

		if ((unsigned)in.state >= META_STATES)
			return m_unclean(t, st);
		meta_counts_apply(&y->c, &in, 1);
		y->cursor = in.ino;
	}
	return rc < 0 ? rc : n == RECOUNT_PAGE;
}

/*
 * One page, and the sums so far. A write transaction: only that is sure to
 * see what the counters see.
 */
static int recount_page(struct meta *m, struct meta_recount *out)
{
	const struct meta_tally *y;
	META_TXN(t);
	int rc = meta_begin(m, &t), end;

	if (rc < 0)
		return rc;
	y = m->tally;
	rc = meta_tally_page(&t, m->tally);
	if (rc < 0)
		return rc;
	out->files = (uint64_t)meta_counts_files(&y->c);
	out->bytes = (uint64_t)meta_counts_bytes(&y->c);
	out->counter_files = (uint64_t)meta_counts_files(&m->now);
	out->counter_bytes = (uint64_t)meta_counts_bytes(&m->now);
	out->exact = memcmp(&y->c, &m->now, sizeof(y->c)) == 0;
	end = meta_commit(&t, NULL);
	return end < 0 ? end : rc;
}

static int recount_run(struct meta *m,
		       bool (*tick)(void *arg, const struct meta_recount *now),
		       void *arg, struct meta_recount *out)
{
	int64_t start;
	int rc;

	for (;;) {
		start = clock_boot_ns();
		rc = recount_page(m, out);
		if (rc <= 0)
			return rc;
		if (tick && !tick(arg, out))
			return -EINTR;
		clock_sleep_ns(RECOUNT_REST * (clock_boot_ns() - start));
	}
}

static int recount_attach(struct meta *m, struct meta_tally *y)
{
	LOCK_SCOPE(&m->conn.lock);
	if (m->tally)
		return -EBUSY;
	m->tally = y;
	return 0;
}

static void recount_detach(struct meta *m)
{
	LOCK_SCOPE(&m->conn.lock);
	m->tally = NULL;
}

int meta_recount(struct meta *m,
		 bool (*tick)(void *arg, const struct meta_recount *now),
		 void *arg, struct meta_recount *out)
{
	struct meta_tally y = { 0 };
	int rc = recount_attach(m, &y);

	if (rc < 0)
		return rc;
	rc = recount_run(m, tick, arg, out);
	recount_detach(m);
	return rc;
}
