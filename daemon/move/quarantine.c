/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other gateways wrote (S23). A superseded one may go on for a moment,
 * and what it knew of that we do not is in its own database only. Objects of
 * generations that this database never claimed and that no row names are
 * counted and left alone: they are another namespace's files.
 */
#include "move/fence_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

int quarantine_ours(struct fence *f, uint32_t gen)
{
	struct meta_claim row = { 0 };
	META_TXN(t);
	int rc;

	if (gen < FENCE_FIRST)
		return 1; /* from before there were claims */
	rc = meta_read(f->m, &t);
	if (rc == 0)
		rc = meta_claim_get(&t, gen, &row);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : row.held_ns != 0;
}

/* The lowest generation >= from and < end that is another's; `end`: none. */
static int quarantine_next(struct fence *f, uint32_t from, uint32_t end,
			   uint32_t *gen)
{
	int rc = 1;

	for (*gen = from; *gen < end; (*gen)++) {
		rc = quarantine_ours(f, *gen);
		if (rc != 1)
			break;
	}
	return MIN(rc, 0);
}

static int quarantine_named(struct fence *f, const char *key)
{
	uint64_t row;
	META_TXN(t);
	int rc = meta_read(f->m, &t);

	if (rc == 0)
		rc = meta_pack_find(&t, key, &row);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : 1;
}

struct quarantine {
	struct fence *f;
	struct store *s;   /* the bucket that is looked through */
	uint32_t gen, end; /* another's, looked at; ours */
	uint64_t objects, bytes;
	char after[STORE_KEY_MAX + 1];
};

static void quarantine_from(struct quarantine *q)
{
	snprintf(q->after, sizeof(q->after), "packs/%08x-", q->gen);
}

/* Goes to the next generation that is another's. 1: the listing goes on
 * elsewhere. */
static int quarantine_skip(struct quarantine *q, uint32_t of)
{
	uint32_t gen;
	int rc = quarantine_next(q->f, of, q->end, &gen);

	if (rc < 0)
		return rc;
	q->gen = gen;
	if (gen == of)
		return 0;
	quarantine_from(q);
	return 1;
}

/* 1: there is more. */
static int quarantine_page(struct quarantine *q)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };
	int rc = store_list(q->s, "packs/", q->after, 1000, &l);
	uint32_t of;
	size_t i;

	for (i = 0; rc == 0 && i < l.n; i++) {
		snprintf(q->after, sizeof(q->after), "%s", l.entry[i].key);
		of = pack_name_generation(l.entry[i].key);
		if (of > q->gen) {
			rc = quarantine_skip(q, of);
			if (rc != 0)
				return rc;
		}
		if (q->gen >= q->end)
			return 0;
		if (of != q->gen)
			continue;
		rc = quarantine_named(q->f, l.entry[i].key);
		q->objects += rc == 0;
		q->bytes += rc == 0 ? l.entry[i].size : 0;
		rc = MIN(rc, 0);
	}
	return rc < 0 ? rc : l.more;
}

/* All of a bucket, from the first generation of others on. */
static int quarantine_bucket(struct quarantine *q, struct store *s,
			     struct job *job)
{
	int rc = quarantine_next(q->f, FENCE_FIRST, q->end, &q->gen);

	if (rc < 0 || q->gen >= q->end)
		return rc;
	q->s = s;
	quarantine_from(q);
	do {
		rc = quarantine_page(q);
	} while (rc == 1 && q->gen < q->end && !job_stopping(job));
	return job_stopping(job) ? -EINTR : MIN(rc, 0);
}

int quarantine_scan(struct fence *f, struct job *job)
{
	struct quarantine q = { .f = f };
	bool all = true;
	size_t i;
	int rc;

	{
		LOCK_SCOPE(&f->lock);
		q.end = f->generation;
	}
	rc = quarantine_bucket(&q, f->s, job);
	/* A later tier that is not there is looked through another time. */
	for (i = 0; rc == 0 && i < f->o.n_others; i++)
		if (quarantine_bucket(&q, f->o.others[i], job) < 0)
			all = false;
	if (rc < 0 || job_stopping(job))
		return rc < 0 ? rc : -EINTR;
	if (!all)
		return 0;
	{
		LOCK_SCOPE(&f->lock);
		f->quarantine_known = true;
		f->quarantined = q.objects;
		f->quarantined_bytes = q.bytes;
	}
	if (q.objects)
		log_warn("%llu objects of other gateways are in quarantine: "
			 "nothing here names them, and they stay",
			 (unsigned long long)q.objects);
	return 0;
}
