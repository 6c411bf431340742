/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters over the inodes, exact at each commit: changed in memory with
 * every row, written once per transaction, taken back when it is undone.
 */
#include "meta/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"

#define COUNTS	    (sizeof(struct meta_counts) / sizeof(int64_t))
#define COUNTS_SIZE (COUNTS * 8)

enum { INSERT, UPDATE, GET, OLDEST, SCAN, PACKS, PACK_TOTALS, REFS };
static const char *const sql[] = {
	[INSERT] = "INSERT INTO totals (id, data) VALUES (0, ?1)",
	[UPDATE] = "UPDATE totals SET data = ?1 WHERE id = 0",
	[GET] = "SELECT data FROM totals WHERE id = 0",
	[OLDEST] = "SELECT dirty_ns FROM inode"
		   " WHERE state = 0 AND nlink > 0 AND dirty_ns > 0"
		   " ORDER BY dirty_ns LIMIT 1",
	[SCAN] = "SELECT mode, nlink, size, state, damaged, cached_bytes"
		 " FROM inode",
	[PACKS] = "SELECT COUNT(*) FROM"
		  " (SELECT tier, storage_class, COUNT(*) AS o,"
		  " SUM(length) AS b FROM pack WHERE state IN (1, 2)"
		  " GROUP BY tier, storage_class) p"
		  " LEFT JOIN pack_total q ON q.tier = p.tier"
		  " AND q.storage_class = p.storage_class"
		  " AND q.objects = p.o AND q.bytes = p.b"
		  " WHERE q.tier IS NULL",
	[PACK_TOTALS] = "SELECT COALESCE(SUM(objects), 0) -"
			" (SELECT COUNT(*) FROM pack WHERE state IN (1, 2))"
			" FROM pack_total",
	[REFS] = "SELECT COUNT(*) FROM pack p WHERE extents <>"
		 " (SELECT COUNT(*) FROM extent e WHERE e.pack = p.id)",
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

int meta_counts_load(struct meta_txn *t)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, GET, sql);
	uint8_t data[COUNTS_SIZE];
	int rc = m_row(t, st);

	if (rc < 0)
		return rc == -ENOENT ? m_fail(t, -EUCLEAN) : rc;
	if (!m_blob(st, 0, data, sizeof(data)))
		return m_unclean(t, st);
	db_reset(st);
	counts_decode(data, &t->m->now);
	return 0;
}

int meta_counts_save(struct meta_txn *t)
{
	if (memcmp(&t->m->now, &t->m->saved, sizeof(t->m->now)) == 0)
		return 0;
	return counts_write(t, UPDATE);
}

static void counts_add(struct meta_counts *c, const struct meta_inode *in,
		       int sign)
{
	if (in->nlink > 0)
		c->inodes += sign;
	if (!S_ISREG(in->mode))
		return;
	c->cached += sign * (int64_t)in->cached_bytes;
	if (in->nlink == 0)
		return;
	c->files[in->state] += sign;
	c->bytes[in->state] += sign * (int64_t)in->size;
	c->damaged += in->damaged ? sign : 0;
}

void meta_counts_add(struct meta *m, const struct meta_inode *in, int sign)
{
	counts_add(&m->now, in, sign);
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

static int totals_scan(struct meta_txn *t, struct meta_counts *c)
{
	struct db_stmt *st = m_stmt(t, META_G_TOTALS, SCAN, sql);
	int rc;

	memset(c, 0, sizeof(*c));
	while ((rc = m_step(t, st)) == 1) {
		struct meta_inode in = {
			.mode = (uint32_t)db_int(st, 0),
			.nlink = (uint32_t)db_int(st, 1),
			.size = (uint64_t)db_int(st, 2),
			.state = (enum meta_state)db_int(st, 3),
			.damaged = db_int(st, 4) != 0,
			.cached_bytes = (uint64_t)db_int(st, 5),
		};

		if ((unsigned)in.state >= META_STATES)
			return m_unclean(t, st);
		counts_add(c, &in, 1);
	}
	return rc;
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
	struct meta_counts c;
	int rc = totals_scan(t, &c);

	if (rc < 0)
		return fail(err, rc, "cannot verify totals: %m");
	if (memcmp(&c, &t->m->now, sizeof(c)) != 0)
		return fail(err, -EUCLEAN,
			    "totals disagree with the inodes: %lld inodes "
			    "instead of %lld",
			    (long long)t->m->now.inodes, (long long)c.inodes);
	rc = totals_zero(t, PACKS, "totals of packs", err);
	if (rc == 0)
		rc = totals_zero(t, PACK_TOTALS, "totals of packs", err);
	if (rc == 0)
		rc = totals_zero(t, REFS, "extent counts of packs", err);
	return rc;
}
