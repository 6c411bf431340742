/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as policies see them. A page is one walk along the inodes: names,
 * first extents and pins lie in the order of inodes as well, so that a million
 * of them are read once, from front to back.
 */
#include "meta/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "meta/tiering.h"

#define SUBJECT_PAGE_NS 150000000LL /* less than the 200 ms of S6 */
#define SUBJECT_LOOK	64	    /* files between two looks at the clock */

enum { LIST, GET, NAME, TIER, STUDY_FILES, PATIENT };
#define SUBJECT_SELECT                                                       \
	"SELECT i.ino, i.size, i.cached_bytes, i.content_version, i.mode,"   \
	" i.uid, i.gid, i.state, i.damaged, i.opened_for_write, i.atime_ns," \
	" i.mtime_ns, i.ctime_ns, i.btime_ns, i.access_ns, i.protected_ns,"  \
	" COALESCE(i.study, 0),"                                             \
	" COALESCE((SELECT e.pack FROM extent e WHERE e.ino = i.ino"         \
	" ORDER BY e.off, e.pack LIMIT 1), 0),"                              \
	" EXISTS (SELECT 1 FROM pin_file f JOIN pin p ON p.id = f.pin"       \
	" WHERE f.ino = i.ino AND p.ended = 0"                               \
	" AND (p.until_ns = 0 OR p.until_ns > ?1))"                          \
	" FROM inode i WHERE i.nlink > 0 AND (i.mode & 61440) = 32768"
static const char *const sql[] = {
	[LIST] = SUBJECT_SELECT " AND i.ino > ?2 ORDER BY i.ino LIMIT ?3",
	[GET] = SUBJECT_SELECT " AND i.ino = ?2",
	[NAME] = "SELECT parent, name FROM dirent WHERE ino = ?1"
		 " ORDER BY parent, name LIMIT 1",
	[TIER] = "SELECT tier FROM pack WHERE id = ?1",
	[STUDY_FILES] = "SELECT ino FROM inode WHERE study = ?1 AND study > 0"
			" AND nlink > 0 AND ino > ?2 ORDER BY ino LIMIT ?3",
	[PATIENT] = "SELECT id, uid, patient, date, modality FROM study"
		    " WHERE patient = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
};

/* The tier of the pack that was asked for last: files lie there together. */
struct subject_tier {
	uint64_t pack;
	char tier[64];
};

static bool subject_read(struct db_stmt *st, struct meta_subject *out)
{
	uint32_t state;

	out->ino = (uint64_t)db_int(st, 0);
	out->size = (uint64_t)db_int(st, 1);
	out->cached_bytes = (uint64_t)db_int(st, 2);
	out->content_version = (uint64_t)db_int(st, 3);
	out->damaged = db_int(st, 8) != 0;
	out->opened_for_write = db_int(st, 9) != 0;
	out->atime_ns = db_int(st, 10);
	out->mtime_ns = db_int(st, 11);
	out->ctime_ns = db_int(st, 12);
	out->btime_ns = db_int(st, 13);
	out->access_ns = db_int(st, 14);
	out->protected_ns = db_int(st, 15);
	out->study = (uint64_t)db_int(st, 16);
	out->pack = (uint64_t)db_int(st, 17);
	out->pinned = db_int(st, 18) != 0;
	if (!m_u32(st, 4, UINT32_MAX, &out->mode) ||
	    !m_u32(st, 5, UINT32_MAX, &out->uid) ||
	    !m_u32(st, 6, UINT32_MAX, &out->gid) ||
	    !m_u32(st, 7, META_STATES - 1, &state))
		return false;
	out->state = (enum meta_state)state;
	return db_int(st, 1) >= 0 && db_int(st, 2) >= 0;
}

static int subject_name(struct meta_txn *t, struct meta_subject *s)
{
	struct db_stmt *st = m_stmt(t, META_G_SUBJECT, NAME, sql);
	const void *name;
	size_t len;
	int rc;

	m_bind_u64(st, 1, s->ino);
	rc = m_row(t, st);
	if (rc < 0) /* nlink > 0, so it has a name */
		return rc == -ENOENT ? m_fail(t, -EUCLEAN) : rc;
	s->parent = (uint64_t)db_int(st, 0);
	name = db_blob(st, 1, &len);
	if (!name || len > META_NAME_MAX)
		return m_unclean(t, st);
	memcpy(s->name, name, len);
	s->name[len] = '\0';
	db_reset(st);
	return 0;
}

static int subject_tier(struct meta_txn *t, struct subject_tier *last,
			struct meta_subject *s)
{
	struct db_stmt *st;
	int rc;

	s->tier[0] = '\0';
	if (!s->pack)
		return 0;
	if (s->pack != last->pack) {
		st = m_stmt(t, META_G_SUBJECT, TIER, sql);
		m_bind_u64(st, 1, s->pack);
		rc = m_row(t, st);
		if (rc < 0)
			return rc == -ENOENT ? m_fail(t, -EUCLEAN) : rc;
		if (!m_text(st, 0, last->tier, sizeof(last->tier)))
			return m_unclean(t, st);
		db_reset(st);
		last->pack = s->pack;
	}
	memcpy(s->tier, last->tier, sizeof(s->tier));
	return 0;
}

/* The row of `st`, and what it takes of other tables. */
static int subject_fill(struct meta_txn *t, struct db_stmt *st,
			struct subject_tier *last, struct meta_subject *out)
{
	int rc;

	if (!subject_read(st, out))
		return m_fail(t, -EUCLEAN);
	rc = subject_name(t, out);
	return rc < 0 ? rc : subject_tier(t, last, out);
}

int meta_subjects(struct meta_txn *t, uint64_t after, struct meta_subject *out,
		  size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_SUBJECT, LIST, sql);
	int64_t until = clock_boot_ns() + SUBJECT_PAGE_NS;
	struct subject_tier last = { 0 };
	size_t n = 0;
	int rc = 0;

	m_bind_int(st, 1, clock_wall_ns());
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	while (n < max && (rc = m_step(t, st)) == 1) {
		rc = subject_fill(t, st, &last, &out[n]);
		if (rc < 0)
			break;
		if (++n % SUBJECT_LOOK == 0 && clock_boot_ns() > until)
			break;
	}
	db_reset(st);
	return rc < 0 ? rc : (int)n;
}

int meta_subject_get(struct meta_txn *t, uint64_t ino, struct meta_subject *out)
{
	struct db_stmt *st = m_stmt(t, META_G_SUBJECT, GET, sql);
	struct subject_tier last = { 0 };
	int rc;

	m_bind_int(st, 1, clock_wall_ns());
	m_bind_u64(st, 2, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	rc = subject_fill(t, st, &last, out);
	db_reset(st);
	return rc;
}

int meta_study_files(struct meta_txn *t, uint64_t study, uint64_t after,
		     uint64_t *ino, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_SUBJECT, STUDY_FILES, sql);

	m_bind_u64(st, 1, study);
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list_u64(t, st, ino, max);
}

int meta_patient_studies(struct meta_txn *t, const char *patient,
			 uint64_t after, struct meta_study *out, size_t max)
{
	struct db_stmt *st = m_stmt(t, META_G_SUBJECT, PATIENT, sql);

	m_bind_blob(st, 1, patient, strlen(patient));
	m_bind_u64(st, 2, after);
	m_bind_u64(st, 3, max);
	return m_list(t, st, meta_study_read, out, sizeof(*out), max);
}
