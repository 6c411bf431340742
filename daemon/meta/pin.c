/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins, and the files that each keeps. What a pin keeps is counted in its row
 * as files come and go, with their sizes when they came: a list adds up no
 * files.
 *
 * A pin ends at once by a mark in its row; its files, which may be a million,
 * go a page at a time with meta_pin_expire(), and the row is the last.
 */
#include "meta/internal.h"

#include <string.h>

#include "meta/tiering.h"

#define PIN_SWEEP 4000 /* files of ended pins that go in one call (S6) */

enum {
	ADD,
	FILE_ADD,
	COUNT,
	UNTIL,
	LIST,
	FILES,
	OF_FILE,
	FILE_DELETE,
	END,
	OVER,
	ENDED,
	ENDED_FILES,
	DELETE,
};
/* The longest first; 0 = for ever. */
#define PIN_LONGEST " ORDER BY p.until_ns <> 0, p.until_ns DESC LIMIT 1"
static const char *const sql[] = {
	[ADD] = "INSERT INTO pin (id, ino, until_ns, made_ns, uid, cause,"
		" files, bytes, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0,"
		" 0)",
	[FILE_ADD] = "INSERT INTO pin_file (ino, pin, bytes)"
		     " VALUES (?1, ?2, ?3) ON CONFLICT (ino, pin) DO NOTHING",
	[COUNT] = "UPDATE pin SET files = files + ?2, bytes = bytes + ?3,"
		  " ended = CASE WHEN files + ?2 = 0 THEN 1 ELSE ended END"
		  " WHERE id = ?1",
	[UNTIL] = "SELECT p.until_ns FROM pin_file f"
		  " JOIN pin p ON p.id = f.pin WHERE f.ino = ?1"
		  " AND p.ended = 0"
		  " AND (p.until_ns = 0 OR p.until_ns > ?2)" PIN_LONGEST,
	[LIST] = "SELECT id, ino, until_ns, made_ns, uid, cause, files, bytes"
		 " FROM pin WHERE ended = 0 AND id > ?1 ORDER BY id LIMIT ?2",
	[FILES] = "SELECT ino FROM pin_file WHERE pin = ?1 AND ino > ?2"
		  " ORDER BY ino LIMIT ?3",
	[OF_FILE] = "SELECT pin, bytes FROM pin_file WHERE ino = ?1 LIMIT 1",
	[FILE_DELETE] = "DELETE FROM pin_file WHERE ino = ?1 AND pin = ?2",
	[END] = "UPDATE pin SET ended = 1 WHERE id = ?1 AND ended = 0",
	[OVER] = "SELECT id FROM pin WHERE ended = 0 AND until_ns > 0"
		 " AND until_ns <= ?1 ORDER BY until_ns LIMIT 1",
	[ENDED] = "SELECT id FROM pin WHERE ended = 1 ORDER BY id LIMIT 1",
	[ENDED_FILES] = "SELECT ino FROM pin_file WHERE pin = ?1 LIMIT 1",
	[DELETE] = "DELETE FROM pin WHERE id = ?1",
};

int meta_pin_add(struct meta_txn *t, struct meta_pin *in)
{
	int rc = meta_serial(t, "pin.id", &in->id);
	struct db_stmt *st;

	if (rc < 0)
		return rc;
	in->files = in->bytes = 0;
	st = m_stmt(t, META_G_PIN, ADD, sql);
	m_bind_u64(st, 1, in->id);
	m_bind_u64(st, 2, in->ino);
	m_bind_int(st, 3, in->until_ns);
	m_bind_int(st, 4, in->made_ns);
	m_bind_int(st, 5, in->uid);
	m_bind_text(st, 6, in->cause);
	return m_run_one(t, st);
}

/* A pin has so many more files, or fewer; without any it ends. */
static int pin_count(struct meta_txn *t, uint64_t pin, int files,
		     uint64_t bytes)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, COUNT, sql);

	m_bind_u64(st, 1, pin);
	m_bind_int(st, 2, files);
	m_bind_int(st, 3, files * (int64_t)bytes);
	return m_run_one(t, st);
}

int meta_pin_file(struct meta_txn *t, uint64_t pin, uint64_t ino)
{
	struct db_stmt *st;
	struct meta_inode in;
	int rc = meta_inode_get(t, ino, &in);

	if (rc < 0)
		return rc;
	st = m_stmt(t, META_G_PIN, FILE_ADD, sql);
	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, pin);
	m_bind_u64(st, 3, in.size);
	rc = m_run(t, st);
	return rc <= 0 ? rc : pin_count(t, pin, 1, in.size);
}

int meta_pinned_until(struct meta_txn *t, uint64_t ino, int64_t now_ns,
		      int64_t *until_ns)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, UNTIL, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	m_bind_int(st, 2, now_ns);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*until_ns = db_int(st, 0);
	db_reset(st);
	return 0;
}

int meta_pinned(struct meta_txn *t, uint64_t ino, int64_t now_ns)
{
	int64_t until;
	int rc = meta_pinned_until(t, ino, now_ns, &until);

	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

static bool pin_read(struct db_stmt *st, void *row)
{
	struct meta_pin *out = row;

	memset(out, 0, sizeof(*out));
	out->id = (uint64_t)db_int(st, 0);
	out->ino = (uint64_t)db_int(st, 1);
	out->until_ns = db_int(st, 2);
	out->made_ns = db_int(st, 3);
	out->files = (uint64_t)db_int(st, 6);
	out->bytes = (uint64_t)db_int(st, 7);
	return m_u32(st, 4, UINT32_MAX, &out->uid) &&
	       m_text(st, 5, out->cause, sizeof(out->cause));
}

int meta_pin_list(struct meta_txn *t, uint64_t after, struct meta_pin *out,
		  size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, LIST, sql);

	m_bind_u64(st, 1, after);
	m_bind_u64(st, 2, max);
	return m_list(t, st, pin_read, out, sizeof(*out), max);
}

int meta_pin_files(struct meta_txn *t, uint64_t pin, uint64_t after,
		   uint64_t *ino, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, FILES, sql);

	m_bind_u64(st, 1, pin);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list_u64(t, st, ino, max);
}

static int pin_file_delete(struct meta_txn *t, uint64_t pin, uint64_t ino)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, FILE_DELETE, sql);

	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, pin);
	return m_run_one(t, st);
}

/* Takes the file out of one pin: 1, or 0 when it is in none. */
static int pin_unpin_one(struct meta_txn *t, uint64_t ino)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, OF_FILE, sql);
	uint64_t pin, bytes;
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pin = (uint64_t)db_int(st, 0);
	bytes = (uint64_t)db_int(st, 1);
	db_reset(st);
	rc = pin_file_delete(t, pin, ino);
	if (rc == 0)
		rc = pin_count(t, pin, -1, bytes);
	return rc < 0 ? rc : 1;
}

int meta_unpin_file(struct meta_txn *t, uint64_t ino)
{
	int rc;

	do {
		rc = pin_unpin_one(t, ino);
	} while (rc == 1);
	return rc;
}

int meta_pin_forget(struct meta_txn *t, uint64_t ino)
{
	return meta_unpin_file(t, ino);
}

int meta_pin_delete(struct meta_txn *t, uint64_t id)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, END, sql);

	m_bind_u64(st, 1, id);
	return m_run_one(t, st);
}

/* The one number that a statement gives; -ENOENT: none. */
static int pin_number(struct meta_txn *t, struct db_stmt *st, uint64_t *out)
{
	int rc = m_row(t, st);

	if (rc < 0)
		return rc;
	*out = (uint64_t)db_int(st, 0);
	db_reset(st);
	return 0;
}

/* The next file of the next ended pin goes, or the pin when it has none. */
static int pin_sweep_one(struct meta_txn *t)
{
	struct db_stmt *st = m_stmt(t, META_G_PIN, ENDED, sql);
	uint64_t pin, ino;
	int rc = pin_number(t, st, &pin);

	if (rc < 0)
		return rc;
	st = m_stmt(t, META_G_PIN, ENDED_FILES, sql);
	m_bind_u64(st, 1, pin);
	rc = pin_number(t, st, &ino);
	if (rc == 0)
		return pin_file_delete(t, pin, ino);
	if (rc != -ENOENT)
		return rc;
	st = m_stmt(t, META_G_PIN, DELETE, sql);
	m_bind_u64(st, 1, pin);
	return m_run_one(t, st);
}

int meta_pin_expire(struct meta_txn *t, int64_t now_ns, size_t max)
{
	size_t n = 0, i;
	uint64_t pin;
	int rc = 0;

	while (n < max && rc == 0) {
		struct db_stmt *st = m_stmt(t, META_G_PIN, OVER, sql);

		m_bind_int(st, 1, now_ns);
		rc = pin_number(t, st, &pin);
		if (rc == 0)
			rc = meta_pin_delete(t, pin);
		if (rc == 0)
			n++;
	}
	for (i = 0; i < PIN_SWEEP && (rc == 0 || rc == -ENOENT); i++) {
		rc = pin_sweep_one(t);
		if (rc == -ENOENT)
			break;
	}
	return rc < 0 && rc != -ENOENT ? rc : (int)n;
}
