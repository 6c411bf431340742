/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames of partial files are in the cache. */
#include "meta/internal.h"

#include <string.h>

#define BITS_SIZE (META_PRESENCE_FRAMES / 8)

enum { GET, PUT, CLEAR };
static const char *const sql[] = {
	[GET] = "SELECT bits FROM presence WHERE ino = ?1 AND chunk = ?2",
	[PUT] = ("INSERT INTO presence (ino, chunk, bits) VALUES (?1, ?2, ?3)"
		 " ON CONFLICT (ino, chunk) DO UPDATE SET bits = excluded.bits"),
	[CLEAR] = "DELETE FROM presence WHERE ino = ?1",
};

int meta_presence_get(struct meta_txn *t, uint64_t ino, uint64_t chunk,
		      uint8_t bits[META_PRESENCE_FRAMES / 8])
{
	struct db_stmt *st = m_stmt(t, META_G_PRESENCE, GET, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, chunk);
	rc = m_row(t, st);
	if (rc == -ENOENT) {
		memset(bits, 0, BITS_SIZE);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (!m_blob(st, 0, bits, BITS_SIZE))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_presence_put(struct meta_txn *t, uint64_t ino, uint64_t chunk,
		      const uint8_t bits[META_PRESENCE_FRAMES / 8])
{
	struct db_stmt *st = m_stmt(t, META_G_PRESENCE, PUT, sql);

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, chunk);
	m_bind_blob(st, 3, bits, BITS_SIZE);
	return m_run_one(t, st);
}

int meta_presence_clear(struct meta_txn *t, uint64_t ino)
{
	struct db_stmt *st = m_stmt(t, META_G_PRESENCE, CLEAR, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_run(t, st);
	return rc < 0 ? rc : 0;
}
