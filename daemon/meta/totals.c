/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters over the inodes, exact at each commit: changed in memory with
 * every row, written once per transaction, taken back when it is undone.
 */
#include "meta/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"

#define COUNTS	       (sizeof(struct meta_counts) / sizeof(int64_t))
#define COUNTS_SIZE    (COUNTS * 8)
#define COUNTS_SIZE_V1 120 /* up to `damaged` */

enum { INSERT, UPDATE, GET, OLDEST, ORPHANS, PACKS, PACK_TOTALS, REFS };
static const char *const sql[] = {
	[INSERT] = "INSERT INTO totals (id, data) VALUES (0, ?1)",
	[UPDATE] = "UPDATE totals SET data = ?1 WHERE id = 0",
	[GET] = "SELECT data FROM totals WHERE id = 0",
	[OLDEST] = "SELECT dirty_ns FROM inode"
		   " WHERE state = 0 AND nlink > 0 AND dirty_ns > 0"
		   " ORDER BY dirty_ns LIMIT 1",
	[ORPHANS] = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN"
		    " (mode & 61440) = 32768 THEN size ELSE 0 END), 0)"
		    " FROM inode WHERE nlink = 0",
	[PACKS] = "SELECT COUNT(*) FROM"
		  " (SELECT tier, storage_class, COUNT(*) AS o,"
		  " SUM(length) AS b, SUM(billed) AS c"
		  " FROM pack WHERE state IN (1, 2)"
		  " GROUP BY tier, storage_class) p"
		  " LEFT JOIN pack_total q ON q.tier = p.tier"
		  " AND q.storage_class = p.storage_class"
		  " AND q.objects = p.o AND q.bytes = p.b"
		  " AND q.billed = p.c"
		  " WHERE q.tier IS NULL",
	[PACK_TOTALS] = "SELECT COALESCE(SUM(objects), 0) -"
			" (SELECT COUNT(*) FROM pack WHERE state IN (1, 2))"
			" FROM pack_total",
	[REFS] = "SELECT COUNT(*) FROM pack p WHERE extents <>"
		 " (SELECT COUNT(*) FROM extent e"
		 " WHERE e.pack = p.id) +"
		 " (SELECT COUNT(*) FROM naming n"
		 " WHERE n.pack = p.id)",
};

static void counts_encode(const struct meta_counts *c, uint8_t out[COUNTS_SIZE])
{
	int64_t v[COUNTS];
	size_t i;

	memcpy(v, c, sizeof(v));
	for (i = 0; i < COUNTS; i++)
		put_le64(out + 8 * i, (uint64_t)v[i]);
}

static void counts_decode(const uint8_t in[COUNTS_SIZE], struct meta_counts *c)
{
	int64_t v[COUNTS];
	size_t i;

	for (i = 0; i < COUNTS; i++)
		v[i] = (int64_t)get_le64(in + 8 * i);
	memcpy(c, v, sizeof(v));
}

static int counts_write(struct meta_txn *t, int i)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, i, sql);
	uint8_t data[COUNTS_SIZE];

	counts_encode(&t->m->now, data);
	m_bind_blob(st, 1, data, sizeof(data));
	return m_run_one(t, st);
}

int meta_counts_create(struct meta_txn *t)
{
	return counts_write(t, INSERT);
}

static int counts_read(struct meta_txn *t, size_t size, struct meta_counts *out)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, GET, sql);
	uint8_t data[COUNTS_SIZE] = { 0 };
	int rc = m_row(t, st);

	if (rc < 0)
		return rc;
	if (!m_blob(st, 0, data, size))
		return m_unclean(t, st);
	db_reset(st);
	counts_decode(data, out);
	return 0;
}

int meta_counts_load(struct meta_txn *t)
{
	struct meta *m = t->m;
	int rc = counts_read(t, COUNTS_SIZE, &m->now);

	if (rc < 0)
		return rc == -ENOENT ? m_fail(t, -EUCLEAN) : rc;
	atomic_store(&m->bytes, meta_counts_bytes(&m->now));
	return 0;
}

/* The step to schema 2: the rest of the row, from those without a name. */
int meta_counts_widen(struct meta_txn *t)
{
	struct db_stmt *st;
	struct meta_counts c;
	int rc = counts_read(t, COUNTS_SIZE_V1, &c);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc; /* a new database */
	st = m_stmt(t, META_G_TOTALS, ORPHANS, sql);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	c.orphans = db_int(st, 0);
	c.orphan_bytes = db_int(st, 1);
	db_reset(st);
	t->m->now = c; /* written with the commit */
	return 0;
}

void meta_counts_begin(struct meta *m)
{
	m->saved = m->now;
	m->told = 0;
	if (m->tally)
		m->tally_saved = *m->tally;
}

int meta_counts_save(struct meta_txn *t)
{
	if (memcmp(&t->m->now, &t->m->saved, sizeof(t->m->now)) == 0)
		return 0;
	return counts_write(t, UPDATE);
}

void meta_counts_committed(struct meta *m)
{
	int64_t more = meta_counts_bytes(&m->now) -
		       meta_counts_bytes(&m->saved) - m->told;

	if (more)
		meta_grown(m, more);
}

void meta_counts_undo(struct meta *m)
{
	m->now = m->saved;
	if (m->tally)
		*m->tally = m->tally_saved;
}

int64_t meta_counts_files(const struct meta_counts *c)
{
	return c->inodes + c->orphans - 1;
}

int64_t meta_counts_bytes(const struct meta_counts *c)
{
	int64_t sum = c->orphan_bytes;
	int s;

	for (s = 0; s < META_STATES; s++)
		sum += c->bytes[s];
	return sum;
}

void meta_counts_apply(struct meta_counts *c, const struct meta_inode *in,
		       int sign)
{
	bool file = S_ISREG(in->mode);

	if (file)
		c->cached += sign * (int64_t)in->cached_bytes;
	if (in->nlink == 0) {
		c->orphans += sign;
		c->orphan_bytes += file ? sign * (int64_t)in->size : 0;
		return;
	}
	c->inodes += sign;
	if (!file)
		return;
	c->files[in->state] += sign;
	c->bytes[in->state] += sign * (int64_t)in->size;
	c->damaged += in->damaged ? sign : 0;
}

void meta_counts_add(struct meta *m, const struct meta_inode *in, int sign)
{
	meta_counts_apply(&m->now, in, sign);
	if (m->tally && in->ino <= m->tally->cursor)
		meta_counts_apply(&m->tally->c, in, sign);
}

void meta_counts_change(struct meta *m, const struct meta_inode *old,
			const struct meta_inode *row)
{
	meta_counts_add(m, old, -1);
	meta_counts_add(m, row, 1);
	if (old->opened_for_write)
		m->told += (int64_t)(row->size - old->size);
}

static int totals_oldest(struct meta_txn *t, int64_t *ns)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, OLDEST, sql);
	int rc = m_row(t, st);

	*ns = 0;
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	*ns = db_int(st, 0);
	db_reset(st);
	return 0;
}

int meta_totals(struct meta_txn *t, struct meta_totals *out)
{
	const struct meta_counts *c = &t->m->now;
	int s;

	memset(out, 0, sizeof(*out));
	for (s = 0; s < META_STATES; s++) {
		out->by_state[s].files = (uint64_t)c->files[s];
		out->by_state[s].bytes = (uint64_t)c->bytes[s];
		out->logical_bytes += (uint64_t)c->bytes[s];
	}
	out->files = (uint64_t)c->inodes;
	out->cached_bytes = (uint64_t)c->cached;
	out->damaged = (uint64_t)c->damaged;
	out->dirty_files = out->by_state[META_DIRTY].files;
	out->dirty_bytes = out->by_state[META_DIRTY].bytes;
	return totals_oldest(t, &out->oldest_dirty_ns);
}

/* Statement i selects a number that must be 0. */
static int totals_zero(struct meta_txn *t, int i, const char *what,
		       struct err *err)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, i, sql);
	int64_t n;
	int rc = m_row(t, st);

	if (rc < 0)
		return fail(err, rc, "cannot verify totals: %m");
	n = db_int(st, 0);
	db_reset(st);
	if (n)
		return fail(err, -EUCLEAN, "%s disagree with the rows by %lld",
			    what, (long long)n);
	return 0;
}

int meta_totals_verify(struct meta_txn *t, struct err *err)
{
	const struct meta_counts *now = &t->m->now;
	struct meta_tally y = { 0 };
	int rc;

	do {
		rc = meta_tally_page(t, &y);
	} while (rc > 0);
	if (rc < 0)
		return fail(err, rc, "cannot verify totals: %m");
	if (memcmp(&y.c, now, sizeof(y.c)) != 0)
		return fail(err, -EUCLEAN,
			    "totals disagree with the inodes: %lld files "
			    "instead of %lld, %lld bytes instead of %lld",
			    (long long)meta_counts_files(now),
			    (long long)meta_counts_files(&y.c),
			    (long long)meta_counts_bytes(now),
			    (long long)meta_counts_bytes(&y.c));
	rc = totals_zero(t, PACKS, "totals of packs", err);
	if (rc == 0)
		rc = totals_zero(t, PACK_TOTALS, "totals of packs", err);
	if (rc == 0)
		rc = totals_zero(t, REFS, "extent counts of packs", err);
	return rc;
}
