/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study is written, read and moved together, so it is one subject: the path
 * of its first file, the newest times, the sum of the sizes, pinned when any
 * file is.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

#include "cache/value.h"

#define SUBJECT_PAGE 256

void subject_done(struct subject *s)
{
	buf_done(&s->path);
	free(s->ino);
	memset(s, 0, sizeof(*s));
}

void subject_clear(struct subject *s, struct tier *t)
{
	struct subject old = *s;

	*s = (struct subject){ .t = t,
			       .path = old.path,
			       .ino = old.ino,
			       .room = old.room,
			       .known = old.known,
			       .n_known = old.n_known,
			       .created_ns = INT64_MIN,
			       .modified_ns = INT64_MIN,
			       .changed_ns = INT64_MIN,
			       .access_ns = INT64_MIN };
	s->path.len = 0;
}

static int subject_ino(struct subject *s, uint64_t ino)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		uint64_t *p = reallocarray(s->ino, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->ino = p;
		s->room = room;
	}
	s->ino[s->n++] = ino;
	return 0;
}

int64_t subject_touched(const struct meta_subject *f)
{
	/* What was brought ahead and never opened was not touched then. */
	int64_t opened = value_class(f->access_ns) == VALUE_FETCHED
				 ? INT64_MIN
				 : value_time(f->access_ns);

	return MAX(f->atime_ns, opened);
}

static void subject_place(struct subject *s, const struct meta_subject *f)
{
	int i = tier_index(s->t, f->tier);

	if (!f->size)
		s->empty++;
	else if (!f->tier[0])
		s->unprotected++;
	else if (i >= 0) {
		s->in_tier[i] += f->size;
		s->files_in[i]++;
	} else
		s->elsewhere++;
}

int subject_add(struct subject *s, const struct meta_subject *f)
{
	if (s->n == 0) {
		s->study = f->study != 0;
		s->id = f->study ? f->study : f->ino;
		s->first = f->ino;
		s->parent = f->parent;
		s->uid = f->uid;
	}
	s->access_ns = MAX(s->access_ns, subject_touched(f));
	s->modified_ns = MAX(s->modified_ns, f->mtime_ns);
	s->created_ns = MAX(s->created_ns, f->btime_ns);
	s->changed_ns = MAX(s->changed_ns, f->ctime_ns);
	s->version = MAX(s->version, f->content_version);
	s->pack = f->pack;
	s->files++;
	s->bytes += f->size;
	s->cached_bytes += f->cached_bytes;
	s->pinned |= f->pinned;
	s->open |= f->opened_for_write;
	s->damaged |= f->damaged;
	if (f->state == META_DIRTY && f->tier[0] && f->size)
		s->unprotected++; /* newer than what is in the bucket */
	subject_place(s, f);
	return subject_ino(s, f->ino);
}

/* ---- studies --------------------------------------------------------------
 */

static int known_cmp(const void *key, const void *item)
{
	uint64_t ino = *(const uint64_t *)key;
	const struct meta_subject *f = item;

	return ino < f->ino ? -1 : ino > f->ino;
}

/* One file of it, from what was read already or from its row. */
static int study_file(struct subject *s, struct meta_txn *x, uint64_t study,
		      uint64_t ino, struct meta_subject *room)
{
	const struct meta_subject *f =
		s->n_known ? bsearch(&ino, s->known, s->n_known, sizeof(*f),
				     known_cmp)
			   : NULL;
	int rc = 0;

	if (!f) {
		rc = meta_subject_get(x, ino, room);
		f = room;
	}
	return rc == 0 && f->study == study ? subject_add(s, f) : rc;
}

/* One page of its files, which begin behind `after`. 1: there may be more. */
static int study_page(struct subject *s, uint64_t study, uint64_t *after)
{
	uint64_t ino[SUBJECT_PAGE];
	CLEANUP_FREE struct meta_subject *f = malloc(sizeof(*f));
	META_TXN(x);
	int i, n, rc = f ? meta_look(s->t->m, &x) : -ENOMEM;

	if (rc < 0)
		return rc;
	n = meta_study_files(&x, study, *after, ino, SUBJECT_PAGE);
	for (i = 0; i < n; i++) {
		*after = ino[i];
		rc = study_file(s, &x, study, ino[i], f);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return n < 0 ? n : n == SUBJECT_PAGE;
}

/* Path and what the headers say. */
static int study_head(struct subject *s)
{
	struct meta_study st = { 0 };
	META_TXN(x);
	int rc = meta_look(s->t->m, &x);

	if (rc == 0)
		rc = meta_study_get(&x, s->id, &st);
	if (rc == 0)
		rc = buf_addf(&s->path, "/");
	if (rc == 0)
		rc = meta_path(&x, s->first, &s->path);
	s->study_date = st.date;
	memcpy(s->modality, st.modality, sizeof(s->modality));
	return rc;
}

int subject_study(struct subject *s, uint64_t study)
{
	uint64_t after = 0;
	int rc;

	subject_clear(s, s->t);
	do {
		rc = study_page(s, study, &after);
	} while (rc == 1);
	if (rc < 0)
		return rc;
	return s->n ? study_head(s) : -ENOENT;
}

static int subject_file(struct subject *s, uint64_t ino)
{
	CLEANUP_FREE struct meta_subject *f = malloc(sizeof(*f));
	META_TXN(x);
	int rc = f ? meta_look(s->t->m, &x) : -ENOMEM;

	subject_clear(s, s->t);
	if (rc == 0)
		rc = meta_subject_get(&x, ino, f);
	if (rc == 0)
		rc = subject_add(s, f);
	if (rc < 0)
		return rc;
	s->study = false; /* as what it was asked for */
	s->id = ino;
	rc = buf_addf(&s->path, "/");
	return rc < 0 ? rc : meta_path(&x, ino, &s->path);
}

static int inos_page(struct subject *s, uint64_t study, uint64_t *after)
{
	uint64_t ino[SUBJECT_PAGE];
	META_TXN(x);
	int i, n, rc = meta_look(s->t->m, &x);

	if (rc < 0)
		return rc;
	n = meta_study_files(&x, study, *after, ino, SUBJECT_PAGE);
	for (i = 0; i < n && rc == 0; i++)
		rc = subject_ino(s, *after = ino[i]);
	return rc < 0 ? rc : n < 0 ? n : n == SUBJECT_PAGE;
}

int subject_inos(struct subject *s, bool study, uint64_t id)
{
	uint64_t after = 0;
	int rc;

	if (!study)
		return subject_ino(s, id);
	do {
		rc = inos_page(s, id, &after);
	} while (rc == 1);
	return rc;
}

int subject_load(struct subject *s, bool study, uint64_t id)
{
	return study ? subject_study(s, id) : subject_file(s, id);
}

/* ---- what is asked of it ---------------------------------------------------
 */

int subject_source(const struct subject *s)
{
	int i, best = -1;

	for (i = 0; i < (int)s->t->o.n_tiers; i++)
		if (s->files_in[i] &&
		    (best < 0 || s->in_tier[i] > s->in_tier[best]))
			best = i;
	return best;
}

bool subject_in(const struct subject *s, int tier)
{
	return tier >= 0 && s->files_in[tier] + s->empty == s->files;
}

bool subject_there(const struct subject *s, enum tier_action a, int target)
{
	switch (a) {
	case TIER_MOVE:
		return subject_in(s, target);
	case TIER_EVICT:
		return s->cached_bytes == 0;
	case TIER_RECALL:
		return s->cached_bytes >= s->bytes;
	default:
		return s->pinned;
	}
}

static int subject_xattr(void *arg, const char *name, struct buf *out)
{
	struct subject *s = arg;
	META_TXN(x);
	int rc = meta_look(s->t->m, &x);

	return rc < 0 ? rc : meta_xattr_get(&x, s->first, name, out);
}

void subject_view(struct subject *s, struct tier_subject *out)
{
	int source = subject_source(s);

	*out = (struct tier_subject){
		.path = buf_str(&s->path),
		.size = s->bytes,
		.access_ns = s->access_ns,
		.modified_ns = s->modified_ns,
		.created_ns = s->created_ns,
		.uid = s->uid,
		.modality = s->modality,
		.study_date = s->study_date,
		.tier = source < 0 ? "" : s->t->o.tier[source].name,
		.cached = s->cached_bytes > 0,
		.study = s->study,
		.xattr = subject_xattr,
		.arg = s,
	};
}

static const char *left_move(const struct subject *s, int target)
{
	if (!s->bytes)
		return "empty";
	if (subject_in(s, target))
		return "in that tier already";
	if (s->pinned)
		return "pinned";
	return s->unprotected ? "not protected yet" : NULL;
}

const char *subject_left(const struct subject *s, enum tier_action a,
			 int target)
{
	if (a == TIER_KEEP)
		return "to be kept as it is";
	if (s->damaged)
		return "damaged";
	if (s->open)
		return "open for writing";
	switch (a) {
	case TIER_MOVE:
		return left_move(s, target);
	case TIER_EVICT:
		return s->pinned	 ? "pinned"
		       : s->unprotected	 ? "not protected yet"
		       : s->cached_bytes ? NULL
					 : "not in the cache";
	case TIER_RECALL:
		return s->cached_bytes >= s->bytes ? "local already" : NULL;
	default:
		return s->pinned ? "pinned already" : NULL;
	}
}
