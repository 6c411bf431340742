/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Studies, and which file has which place in one.
 *
 * The place is three columns of the inode's row that the statements of
 * inode.c do not know: who works with inodes all day (creates, attributes,
 * evictions) carries none of it. NULL means that the header was not read.
 */
#include "meta/internal.h"

#include <string.h>

enum { GET, FIND, INSERT, UPDATE, PLACE_SET, PLACE_GET, FORGET, UNREAD };
#define STUDY_COLS "SELECT id, uid, patient, date, modality FROM study"
static const char *const sql[] = {
	[GET] = STUDY_COLS " WHERE id = ?1",
	[FIND] = STUDY_COLS " WHERE uid = ?1",
	[INSERT] = "INSERT INTO study (uid, patient, date, modality)"
		   " VALUES (?1, ?2, ?3, ?4)",
	[UPDATE] = "UPDATE study SET patient = ?2, date = ?3, modality = ?4"
		   " WHERE id = ?1",
	[PLACE_SET] = "UPDATE inode SET study = ?3, series = ?4, instance = ?5"
		      " WHERE ino = ?1 AND content_version = ?2"
		      " AND opened_for_write = 0",
	[PLACE_GET] = "SELECT study, series, instance, study IS NULL"
		      " FROM inode WHERE ino = ?1",
	[FORGET] = "UPDATE inode SET study = NULL, series = NULL,"
		   " instance = NULL WHERE ino = ?1 AND study IS NOT NULL",
	[UNREAD] = "SELECT ino, size, content_version FROM inode"
		   " WHERE state = 0 AND nlink > 0"
		   " AND opened_for_write = 0 AND damaged = 0"
		   " AND study IS NULL AND ino > ?1 ORDER BY ino LIMIT ?2",
};

/* ---- studies -------------------------------------------------------- */

/* The bytes of a patient's id, which may be of any character set. */
static bool study_patient(struct db_stmt *st, int i, struct meta_study *out)
{
	size_t n;
	const void *p = db_blob(st, i, &n);

	if (n >= sizeof(out->patient))
		return false;
	if (n)
		memcpy(out->patient, p, n);
	return true;
}

bool meta_study_read(struct db_stmt *st, void *row)
{
	struct meta_study *out = row;

	*out = (struct meta_study){ .row = (uint64_t)db_int(st, 0) };
	return m_text(st, 1, out->uid, sizeof(out->uid)) &&
	       study_patient(st, 2, out) &&
	       m_u32(st, 3, 99991231, &out->date) &&
	       m_text(st, 4, out->modality, sizeof(out->modality));
}

static int study_row(struct meta_txn *t, struct db_stmt *st,
		     struct meta_study *out)
{
	int rc = m_row(t, st);

	if (rc < 0)
		return rc;
	if (!meta_study_read(st, out))
		return m_unclean(t, st);
	db_reset(st);
	return 0;
}

int meta_study_get(struct meta_txn *t, uint64_t row, struct meta_study *out)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, GET, sql);

	m_bind_u64(st, 1, row);
	return study_row(t, st, out);
}

int meta_study_find(struct meta_txn *t, const char *uid, struct meta_study *out)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, FIND, sql);

	m_bind_text(st, 1, uid);
	return study_row(t, st, out);
}

static bool modality_has(const char *all, const char *one)
{
	size_t n = strlen(one);
	const char *p = all;

	while (n && (p = strstr(p, one))) {
		if ((p == all || p[-1] == '\\') &&
		    (p[n] == '\0' || p[n] == '\\'))
			return true;
		p += n;
	}
	return n == 0;
}

/* Appends it behind a backslash, as DICOM lists values; false when it is
 * there already, or has no room. */
static bool modality_add(char *all, size_t size, const char *one)
{
	size_t len = strlen(all), n = strlen(one);

	if (modality_has(all, one) || len + n + 1 >= size)
		return false;
	if (len)
		all[len++] = '\\';
	memcpy(all + len, one, n + 1);
	return true;
}

/* Takes into *old what *s knows better; false when that is nothing. */
static bool study_learn(struct meta_study *old, const struct meta_study *s)
{
	bool more =
		modality_add(old->modality, sizeof(old->modality), s->modality);

	if (!*old->patient && *s->patient) {
		memcpy(old->patient, s->patient, sizeof(old->patient));
		more = true;
	}
	if (!old->date && s->date) {
		old->date = s->date;
		more = true;
	}
	return more;
}

static void study_bind(struct db_stmt *st, const struct meta_study *s)
{
	m_bind_blob(st, 2, s->patient, strlen(s->patient));
	m_bind_int(st, 3, s->date);
	m_bind_text(st, 4, s->modality);
}

int meta_study_put(struct meta_txn *t, struct meta_study *s)
{
	struct meta_study old;
	struct db_stmt *st;
	int rc = meta_study_find(t, s->uid, &old);

	if (rc == -ENOENT) {
		st = m_stmt(t, META_G_STUDY, INSERT, sql);
		m_bind_text(st, 1, s->uid);
		study_bind(st, s);
		rc = m_run_one(t, st);
		return rc < 0 ? rc : meta_study_find(t, s->uid, s);
	}
	if (rc == 0 && study_learn(&old, s)) {
		st = m_stmt(t, META_G_STUDY, UPDATE, sql);
		m_bind_u64(st, 1, old.row);
		study_bind(st, &old);
		rc = m_run_one(t, st);
	}
	if (rc == 0)
		*s = old;
	return rc;
}

/* ---- places --------------------------------------------------------- */

int meta_instance_set(struct meta_txn *t, uint64_t ino, uint64_t version,
		      const struct meta_instance *in)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, PLACE_SET, sql);
	int rc;

	if (in->study > INT64_MAX || in->series > INT64_MAX)
		return m_fail(t, -EINVAL);
	m_bind_u64(st, 1, ino);
	m_bind_u64(st, 2, version);
	m_bind_u64(st, 3, in->study);
	m_bind_u64(st, 4, in->series);
	m_bind_int(st, 5, in->number);
	rc = m_run(t, st);
	return MIN(rc, 0);
}

int meta_instance_get(struct meta_txn *t, uint64_t ino,
		      struct meta_instance *out)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, PLACE_GET, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*out = (struct meta_instance){ .study = (uint64_t)db_int(st, 0),
				       .series = (uint64_t)db_int(st, 1) };
	if (!m_u32(st, 2, UINT32_MAX, &out->number) || db_int(st, 0) < 0 ||
	    db_int(st, 1) < 0)
		return m_unclean(t, st);
	rc = db_int(st, 3) ? -ENODATA : 0;
	db_reset(st);
	return rc;
}

int meta_instance_forget(struct meta_txn *t, uint64_t ino)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, FORGET, sql);
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_run(t, st);
	return MIN(rc, 0);
}

int meta_unread(struct meta_txn *t, uint64_t after, struct meta_unread *out,
		size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_STUDY, UNREAD, sql);
	size_t n = 0;
	int rc;

	m_bind_u64(st, 1, after);
	m_bind_u64(st, 2, max);
	while ((rc = m_step(t, st)) == 1 && n < max)
		out[n++] = (struct meta_unread){
			.ino = (uint64_t)db_int(st, 0),
			.size = (uint64_t)db_int(st, 1),
			.version = (uint64_t)db_int(st, 2),
		};
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}
