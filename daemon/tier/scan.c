/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All files by ascending inode, a page for each look. Paths come from a table
 * of directories, so that a file costs no walk to the root; a study is judged
 * where its first file comes by, and is passed over afterwards. What is
 * created or renamed meanwhile may be seen as it was or as it is.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

#define SCAN_PAGE    1024
#define SCAN_DIRS    2048 /* in the table; a power of two */
#define SCAN_STUDIES 8192
#define SCAN_FIRSTS  16

struct scan_dir {
	uint64_t ino; /* 0 = free */
	struct buf path;
};

struct scanner {
	const struct scan *scan;
	struct tier *t;
	struct scan_dir dir[SCAN_DIRS];
	uint64_t study[SCAN_STUDIES]; /* that were judged lately */
	struct meta_subject page[SCAN_PAGE];
	struct buf path[SCAN_PAGE];
	struct subject subject;
	struct meta_subject first;
	uint64_t after, files;
};

static void scanner_free(struct scanner *s)
{
	size_t i;

	for (i = 0; i < SCAN_DIRS; i++)
		buf_done(&s->dir[i].path);
	for (i = 0; i < SCAN_PAGE; i++)
		buf_done(&s->path[i]);
	subject_done(&s->subject);
	free(s);
}
DEFINE_GUARD(struct scanner *, scanner_free);

static size_t slot(uint64_t id, size_t n)
{
	return (size_t)(id * 0x9e3779b97f4a7c15ULL >> 32) & (n - 1);
}

/* ---- paths -----------------------------------------------------------------
 */

/* "/pacs/ct/", from the table or from rows. */
static int scan_dir(struct scanner *s, struct meta_txn *x, uint64_t ino,
		    const struct buf **out)
{
	struct scan_dir *d = &s->dir[slot(ino, SCAN_DIRS)];
	int rc;

	*out = &d->path;
	if (d->ino == ino)
		return 0;
	d->ino = 0;
	d->path.len = 0;
	rc = buf_addf(&d->path, "/");
	if (rc == 0)
		rc = meta_path(x, ino, &d->path);
	if (rc == 0 && d->path.len > 1)
		rc = buf_addf(&d->path, "/");
	if (rc == 0)
		d->ino = ino;
	return rc;
}

static int scan_path(struct scanner *s, struct meta_txn *x, size_t i)
{
	const struct meta_subject *f = &s->page[i];
	const struct buf *dir;
	int rc = scan_dir(s, x, f->parent, &dir);

	s->path[i].len = 0;
	if (rc == 0)
		rc = buf_add(&s->path[i], dir->data, dir->len);
	if (rc == 0)
		rc = buf_add(&s->path[i], f->name, strlen(f->name));
	/* without a path it is left alone */
	if (rc == -ENOENT || rc == -ENAMETOOLONG)
		s->path[i].len = 0;
	else if (rc < 0)
		return rc;
	return 0;
}

/* Files, or -errno. */
static int scan_page(struct scanner *s)
{
	META_TXN(x);
	int i, n, rc = meta_look(s->t->m, &x);

	if (rc < 0)
		return rc;
	n = meta_subjects(&x, s->after, s->page, SCAN_PAGE);
	for (i = 0; i < n && rc == 0; i++)
		rc = s->page[i].study ? 0 : scan_path(s, &x, (size_t)i);
	if (n > 0)
		s->after = s->page[n - 1].ino;
	s->subject.known = s->page;
	s->subject.n_known = (size_t)MAX(n, 0);
	return rc < 0 ? rc : n;
}

/* ---- subjects --------------------------------------------------------------
 */

/* Is it the first file of its study that is still there? */
static int study_first(struct scanner *s, const struct meta_subject *f)
{
	uint64_t ino[SCAN_FIRSTS], after = 0;
	META_TXN(x);
	int i, n, rc = meta_look(s->t->m, &x);

	if (rc < 0)
		return rc;
	do {
		n = meta_study_files(&x, f->study, after, ino, SCAN_FIRSTS);
		for (i = 0; i < n; i++) {
			after = ino[i];
			if (after >= f->ino)
				return after == f->ino;
			rc = meta_subject_get(&x, after, &s->first);
			if (rc != -ENOENT)
				return rc < 0 ? rc : 0;
		}
	} while (n == SCAN_FIRSTS);
	return n < 0 ? n : 0;
}

static int scan_study(struct scanner *s, const struct meta_subject *f)
{
	uint64_t *seen = &s->study[slot(f->study, SCAN_STUDIES)];
	int rc;

	if (*seen == f->study)
		return 0;
	*seen = f->study;
	rc = study_first(s, f);
	if (rc <= 0)
		return rc;
	rc = subject_study(&s->subject, f->study);
	if (rc == -ENOENT) /* deleted meanwhile */
		return 0;
	return rc < 0 ? rc : s->scan->each(s->scan->arg, &s->subject);
}

static int scan_one(struct scanner *s, size_t i)
{
	const struct meta_subject *f = &s->page[i];
	struct subject *u = &s->subject;
	int rc;

	if (f->study)
		return scan_study(s, f);
	if (!s->path[i].len)
		return 0;
	subject_clear(u, s->t);
	rc = subject_add(u, f);
	if (rc == 0)
		rc = buf_add(&u->path, s->path[i].data, s->path[i].len);
	return rc < 0 ? rc : s->scan->each(s->scan->arg, u);
}

int scan_run(const struct scan *in)
{
	CLEANUP(scanner_free_guard)
	struct scanner *s = calloc(1, sizeof(*s));
	int n, i, rc = 0;

	if (!s)
		return -ENOMEM;
	s->scan = in;
	s->t = s->subject.t = in->t;
	for (;;) {
		n = scan_page(s);
		if (n <= 0)
			return n;
		for (i = 0; i < n && rc == 0; i++)
			rc = scan_one(s, (size_t)i);
		s->files += (uint64_t)n;
		if (rc < 0)
			return rc;
		if (in->t->stopping ||
		    (in->tick && !in->tick(in->tick_arg, s->files)))
			return -EINTR;
	}
}

/* ---- counting ---------------------------------------------------------------
 */

static int count_each(void *arg, struct subject *s)
{
	uint64_t *files = arg;
	size_t i;

	for (i = 0; i < s->t->o.n_tiers; i++)
		files[i] += s->files_in[i];
	return 0;
}

int tier_count_files(struct tier *t, uint64_t files[MOVE_TIERS_MAX])
{
	struct scan s = { .t = t, .each = count_each, .arg = files };

	return scan_run(&s);
}
