/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recall: bring bytes back. What can be read is fetched while the client
 * waits; what lies in an archive class is ordered, with what it costs and when
 * it is there, and pinned until it has come.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ctl/back.h"
#include "ctl/files.h"

#define RECALL_DAYS	7 /* that a copy, and then its files, stay */
#define RECALL_PAUSE_NS (NSEC_PER_SEC / 5)
#define RECALL_PAGE	64

struct recall {
	struct ctl_files f;
	struct back back;
	struct back_want want;
	struct ctl_item *later; /* must be restored first */
	size_t n_later;
	uint64_t later_bytes;
	json_t *at_risk; /* [{path}] */
	uint64_t at_risk_files;
	int64_t ready_ns; /* wall, of the last one */
};

static void recall_done(struct recall *r)
{
	ctl_files_done(&r->f);
	back_done(&r->back);
	free(r->later);
	json_decref(r->at_risk);
}

static bool recall_want(const struct meta_inode *in)
{
	return in->state != META_DIRTY && in->state != META_LOCAL &&
	       in->size > 0;
}

/* ---- what it takes ---------------------------------------------------- */

static int recall_args(struct recall *r)
{
	struct ctl_call *c = r->f.c;
	const char *by = ctl_text(c, "by");
	int rc = back_speed(c, &r->want);

	if (rc == 0 && by && clock_iso_parse(by, &r->want.by_ns) < 0)
		rc = fail(&c->err, -EINVAL, "'%s' is no time", by);
	r->at_risk = json_array();
	return rc == 0 && !r->at_risk ? -ENOMEM : rc;
}

static int recall_risk(struct recall *r, uint64_t ino)
{
	CLEANUP_BUF struct buf path = { 0 };
	int rc;

	if (r->at_risk_files++ >= CTL_SKIPPED_MAX)
		return 0;
	rc = ctl_ino_path(r->f.c, ino, &path);
	if (rc < 0)
		return rc;
	return json_array_append_new(r->at_risk,
				     proto_path(path.data, path.len)) < 0
		       ? -ENOMEM
		       : 0;
}

static int recall_look_one(struct recall *r, const struct ctl_item *i)
{
	int64_t ready;
	int rc = back_add(&r->back, i->ino, i->bytes, &r->want, &ready), risk;

	if (rc == -ENOENT) /* deleted meanwhile */
		return 0;
	if (rc < 0)
		return rc;
	r->ready_ns = MAX(r->ready_ns, ready);
	if (rc == 1) {
		r->later[r->n_later++] = *i;
		r->later_bytes += i->bytes;
	}
	risk = r->want.by_ns && ready > r->want.by_ns;
	return risk ? recall_risk(r, i->ino) : 0;
}

/* Those to be read now stay in the set. */
static int recall_look(struct recall *r)
{
	struct ctl_set *s = &r->f.set;
	size_t i, n = 0, before;
	int rc = 0;

	r->later = calloc(s->n + 1, sizeof(*r->later));
	if (!r->later)
		return -ENOMEM;
	for (i = 0; i < s->n && rc == 0; i++) {
		before = r->n_later;
		rc = ctl_gone(r->f.c) ? -EINTR
				      : recall_look_one(r, &s->item[i]);
		if (r->n_later == before)
			s->item[n++] = s->item[i];
	}
	s->n = n;
	s->bytes -= r->later_bytes;
	return rc;
}

/* ---- fetching ---------------------------------------------------------- */

static int recall_skip(struct recall *r, uint64_t ino, int rc)
{
	struct ctl_call *c = r->f.c;

	switch (rc) {
	case -EIO:
		return ctl_skip(c, &r->f.skipped, ino,
				"damaged, or missing in the store");
	case -ENOENT: /* deleted meanwhile */
		return 0;
	case -ETIMEDOUT:
		fail(&c->err, rc, "store '%s' does not answer",
		     c->w->tiers[0].name);
		return fail_hint(&c->err, rc, "mersey status %s", c->w->trust);
	default:
		return rc;
	}
}

static int recall_file(struct recall *r, uint64_t ino)
{
	const struct ctl_worker *w = r->f.c->w;
	struct cache_file *file CLEANUP(cache_put_guard) = NULL;
	int rc = cache_get(w->cache, ino, &file);

	if (rc == 0)
		rc = cache_acquire(file, false);
	if (rc < 0)
		return rc;
	rc = move_recall(w->move, file, 0, 0, STORE_CAUSE_RECALL,
			 &r->f.c->peer->gone);
	if (rc == 0)
		rc = cache_settle_presence(file);
	cache_release(file, false);
	return rc;
}

static int recall_came(struct recall *r, const struct ctl_item *i, int rc)
{
	if (rc < 0)
		return recall_skip(r, i->ino, rc);
	ctl_files_tell(&r->f, i->ino);
	r->f.files++;
	r->f.bytes += i->bytes;
	return 0;
}

static int recall_now(struct recall *r)
{
	struct ctl_set *s = &r->f.set;
	size_t i;
	int rc = 0;

	for (i = 0; i < s->n && rc == 0; i++) {
		if (ctl_gone(r->f.c))
			return -EINTR;
		rc = r->f.dry_run ? 0 : recall_file(r, s->item[i].ino);
		rc = recall_came(r, &s->item[i], rc);
		r->f.looked += s->item[i].bytes;
		if (rc == 0)
			rc = ctl_progress(r->f.c,
					  ctl_files_progress(&r->f, i + 1));
	}
	return rc;
}

/* ---- waiting for an archive --------------------------------------------- */

/* Is a pack of the file on its way? 1, 0, or -errno; *why: one failed. */
static int recall_coming(struct recall *r, uint64_t ino, char why[128])
{
	uint64_t row[RECALL_PAGE], after = 0;
	struct meta_restore o;
	bool coming = false;
	int n, i, rc;
	META_TXN(t);

	why[0] = '\0';
	rc = meta_look(r->f.c->w->meta, &t);
	if (rc < 0)
		return rc;
	do {
		n = meta_extent_packs(&t, ino, after, row, RECALL_PAGE);
		for (i = 0; i < n; i++) {
			after = row[i];
			rc = meta_restore_get(&t, after, &o);
			if (rc < 0)
				continue;
			coming |= o.state != META_RESTORE_READY;
			if (o.error[0])
				snprintf(why, 128, "%s", o.error);
		}
	} while (n == RECALL_PAGE);
	return n < 0 ? n : coming;
}

static int recall_wait_one(struct recall *r, const struct ctl_item *i)
{
	char why[128];
	int rc, coming;

	for (;;) {
		rc = recall_file(r, i->ino);
		if (rc != -ETIMEDOUT)
			return recall_came(r, i, rc);
		coming = recall_coming(r, i->ino, why);
		if (coming <= 0)
			return coming < 0 ? coming : recall_came(r, i, rc);
		if (why[0])
			return ctl_skip(r->f.c, &r->f.skipped, i->ino, why);
		if (ctl_gone(r->f.c))
			return -EINTR;
		rc = ctl_progress(r->f.c,
				  ctl_files_progress(&r->f, r->f.files));
		if (rc < 0)
			return rc;
		clock_sleep_ns(RECALL_PAUSE_NS);
	}
}

static int recall_wait(struct recall *r)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < r->n_later && rc == 0; i++)
		rc = recall_wait_one(r, &r->later[i]);
	return rc;
}

/* ---- ordering ----------------------------------------------------------- */

/* The files are wanted here: whoever waits or not, they are fetched when their
 * packs can be read. */
static int recall_pin(struct recall *r)
{
	int64_t day = SEC_PER_DAY * NSEC_PER_SEC;
	struct meta_pin pin = { .made_ns = r->back.now_ns,
				.until_ns = r->ready_ns + RECALL_DAYS * day,
				.uid = r->f.c->peer->uid,
				.cause = "recall" };
	CLEANUP_BUF struct buf path = { 0 };
	struct meta_inode in = { 0 };
	int rc = ctl_path(r->f.c, 0, &path);

	if (rc == 0)
		rc = ctl_resolve(r->f.c, &path, &in);
	pin.ino = rc == 0 ? in.ino : r->later[0].ino;
	return ctl_pin(r->f.c, &pin, r->later, r->n_later);
}

static int recall_order(struct recall *r)
{
	int rc;

	if (r->f.dry_run || !r->n_later)
		return 0;
	rc = back_order(&r->back);
	return rc < 0 ? rc : recall_pin(r);
}

/* ---- the verb ----------------------------------------------------------- */

static int recall_result(struct recall *r, json_t *result)
{
	int rc = ctl_files_result(&r->f, result);

	if (rc == 0)
		rc = proto_set(result, "archived_files",
			       proto_count(r->n_later));
	if (rc == 0)
		rc = proto_set(result, "archived_bytes",
			       proto_count(r->later_bytes));
	if (rc == 0)
		rc = proto_set(result, "ready_at",
			       proto_time(MIN(r->ready_ns, INT64_MAX - 1)));
	if (rc == 0)
		rc = proto_set(result, "at_risk_files",
			       proto_count(r->at_risk_files));
	return rc < 0 ? rc : proto_set(result, "at_risk", take(r->at_risk));
}

int ctl_verb_recall(struct ctl_call *c, json_t *result)
{
	CLEANUP(recall_done)
	struct recall r = {
		.f = { .c = c, .dry_run = ctl_flag(c, "dry_run") },
		.back = { .c = c,
			  .now_ns = clock_wall_ns(),
			  .days = RECALL_DAYS },
		.ready_ns = clock_wall_ns(),
	};
	money_t amount = 0;
	int rc = recall_args(&r);

	if (rc == 0)
		rc = ctl_collect(c, recall_want, &r.f.set);
	if (rc == 0)
		rc = recall_look(&r);
	if (rc == 0)
		rc = back_cost(&r.back, result, &amount);
	if (rc == 0 && !r.f.dry_run)
		rc = back_budget(&r.back, amount, NULL);
	if (rc == 0)
		rc = recall_order(&r);
	if (rc == 0)
		rc = recall_now(&r);
	if (rc == 0 && ctl_flag(c, "wait") && !r.f.dry_run)
		rc = recall_wait(&r);
	return rc < 0 ? rc : recall_result(&r, result);
}
