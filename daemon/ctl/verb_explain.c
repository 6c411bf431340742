/* SPDX-License-Identifier: Apache-2.0 */
/* What a file cost so far; of a study, all its files. */
#include "ctl/money.h"

#include <string.h>

#include "base/clock.h"

#define EXPLAIN_PAGE 512

struct explain {
	struct meta_study study; /* row 0: none */
	uint64_t *ino;
	size_t n, room;
};

static void explain_done(struct explain *x)
{
	free(x->ino);
}

static bool explain_any(const struct meta_inode *in)
{
	return S_ISREG(in->mode);
}

static int explain_add(struct explain *x, uint64_t ino)
{
	size_t room = x->room ? x->room * 2 : EXPLAIN_PAGE;
	uint64_t *grown;

	if (x->n == CTL_FILES_MAX)
		return -E2BIG;
	if (x->n == x->room) {
		grown = reallocarray(x->ino, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		x->ino = grown;
		x->room = room;
	}
	x->ino[x->n++] = ino;
	return 0;
}

/* The study that a file belongs to, if any. */
static int explain_study(struct ctl_call *c, uint64_t ino, struct explain *x)
{
	struct meta_subject s;
	META_TXN(t);
	int rc = meta_read(c->w->meta, &t);

	if (rc == 0)
		rc = meta_subject_get(&t, ino, &s);
	if (rc == 0 && s.study)
		rc = meta_study_get(&t, s.study, &x->study);
	return rc;
}

static int explain_page(struct ctl_call *c, struct explain *x, uint64_t after)
{
	uint64_t page[EXPLAIN_PAGE];
	META_TXN(t);
	int rc = meta_read(c->w->meta, &t), n, i;

	if (rc < 0)
		return rc;
	n = meta_study_files(&t, x->study.row, after, page, EXPLAIN_PAGE);
	for (i = 0; i < n && rc == 0; i++)
		rc = explain_add(x, page[i]);
	return rc < 0 ? rc : n;
}

/* All files of the study. */
static int explain_files(struct ctl_call *c, struct explain *x)
{
	int n;

	do {
		n = explain_page(c, x, x->n ? x->ino[x->n - 1] : 0);
	} while (n > 0);
	return n;
}

/* What is explained: below a directory all files, of a study all its own. */
static int explain_set(struct ctl_call *c, struct explain *x)
{
	CLEANUP(ctl_set_done) struct ctl_set set = { 0 };
	size_t i;
	int rc = ctl_collect(c, explain_any, &set);

	if (rc < 0)
		return rc;
	if (set.n == 1)
		rc = explain_study(c, set.item[0].ino, x);
	if (rc == 0 && x->study.row)
		return explain_files(c, x);
	for (i = 0; rc == 0 && i < set.n; i++)
		rc = explain_add(x, set.item[i].ino);
	return rc;
}

/* ---- JSON ----------------------------------------------------------- */

static json_t *explain_event(const struct ctl_call *c,
			     const struct cost_event *e)
{
	const struct ctl_counted n = { e->item, e->quantity, e->figure,
				       e->currency, e->amount };
	json_t *o = json_pack("{s:o, s:o, s:o}", "at", proto_time(e->at_ns),
			      "tier", proto_text(e->tier), "storage_class",
			      proto_text(e->storage_class));

	if (!o || ctl_counted(o, c->w->cost->exchange, &n) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *explain_events(const struct ctl_call *c,
			      const struct cost_explained *e)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < e->n_events; i++)
		if (json_array_append_new(
			    list, explain_event(c, &e->events[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int explain_json(const struct ctl_call *c, const struct explain *x,
			const struct cost_explained *e, json_t *result)
{
	const char *currency = c->w->cost->exchange->currency;
	CLEANUP_JSON json_t *o = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "trust",
		c->w->trust, "currency", currency, "study_uid",
		proto_text(x->study.uid), "files", proto_count(e->files),
		"bytes", proto_count(e->bytes), "events", explain_events(c, e),
		"total", ctl_money(e->total, currency), "per_month",
		ctl_money(e->per_month, currency), "basis",
		proto_text(e->basis), "unconfirmed",
		ctl_texts(e->unconfirmed, e->n_unconfirmed));

	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

int ctl_verb_cost_explain(struct ctl_call *c, json_t *result)
{
	CLEANUP(explain_done) struct explain x = { 0 };
	CLEANUP(cost_explained_done) struct cost_explained e = { 0 };
	int rc;

	if (!c->w->cost)
		return fail(&c->err, -ENOTSUP, "this worker has no prices");
	rc = explain_set(c, &x);
	if (rc < 0)
		return rc;
	rc = cost_explain(c->w->meta, c->w->cost, x.ino, x.n, clock_wall_ns(),
			  &e, &c->err);
	return rc < 0 ? rc : explain_json(c, &x, &e, result);
}
