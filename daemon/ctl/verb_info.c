/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a file's bytes are. A path that cannot be looked at is a problem of
 * its own and hides no other.
 */
#include "ctl/verbs.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hex.h"
#include "tier/tier.h"
#include "ctl/back.h"
#include "ctl/files.h"

#define INFO_PAGE	 64
#define INFO_EXTENTS_MAX 100000U /* of one file */

struct info {
	struct ctl_call *c;
	struct meta_inode in;
	struct buf path;
	struct cache_file *f;	 /* NULL: no regular file, or not to be had */
	struct meta_pack pack;	 /* of the last extent looked at */
	struct meta_study study; /* row 0: none, or not known yet */
	json_t *extents;
	uint64_t cached_bytes;
};

static void info_done(struct info *i)
{
	cache_put(i->f);
	buf_done(&i->path);
	json_decref(i->extents);
}

static int info_study(struct info *i, struct meta_txn *t)
{
	struct meta_instance at;
	int rc = meta_instance_get(t, i->in.ino, &at);

	if (rc < 0 || at.study == 0)
		return rc == -ENODATA ? 0 : rc;
	return meta_study_get(t, at.study, &i->study);
}

static int info_find(struct info *i)
{
	META_TXN(t);
	uint64_t ino;
	int rc = meta_read(i->c->w->meta, &t);

	if (rc == 0)
		rc = meta_resolve(&t, i->path.len ? (char *)i->path.data : "",
				  i->path.len, &ino);
	if (rc == 0)
		rc = meta_inode_get(&t, ino, &i->in);
	return rc < 0 ? rc : info_study(i, &t);
}

/* Bytes of [off, off + len) that are in the cache. */
static uint64_t info_cached(struct info *i, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, have = len, moff, mlen;

	if (!i->f)
		return 0;
	while (off < end &&
	       cache_missing(i->f, off, end - off, &moff, &mlen) > 0) {
		uint64_t stop = MIN(moff + mlen, end);

		if (stop <= moff) /* outside: nothing more is missing */
			break;
		have -= MIN(stop - moff, have);
		off = stop;
	}
	return have;
}

/* ---- extents -------------------------------------------------------- */

static int info_pack(struct info *i, uint64_t row)
{
	META_TXN(t);
	int rc;

	if (row == i->pack.row)
		return 0;
	rc = meta_read(i->c->w->meta, &t);
	return rc < 0 ? rc : meta_pack_get(&t, row, &i->pack);
}

static int info_extent(struct info *i, const struct meta_extent *e)
{
	char id[2 * sizeof(i->pack.id) + 1];
	uint64_t cached;
	json_t *o;
	int rc = info_pack(i, e->pack);

	if (rc < 0)
		return rc;
	hex_encode(i->pack.id, sizeof(i->pack.id), id);
	cached = info_cached(i, e->off, e->len);
	o = json_pack("{s:o, s:o, s:s, s:s, s:b, s:o}", "offset",
		      proto_count(e->off), "bytes", proto_count(e->len), "pack",
		      id, "object", i->pack.object, "cached", cached == e->len,
		      "cached_bytes", proto_count(cached));
	return o && json_array_append_new(i->extents, o) == 0 ? 0 : -ENOMEM;
}

static int info_list(struct info *i, uint64_t off,
		     struct meta_extent page[INFO_PAGE])
{
	META_TXN(t);
	int rc = meta_read(i->c->w->meta, &t);

	return rc < 0 ? rc
		      : meta_extent_brief(&t, i->in.ino, off, page, INFO_PAGE);
}

/*
 * One page from *off on; moves *off behind it. Extents, or -errno. The cache
 * is asked outside the transaction: its locks come before meta's.
 */
static int info_page(struct info *i, uint64_t *off)
{
	struct meta_extent page[INFO_PAGE];
	int n = info_list(i, *off, page), k, rc = 0;

	for (k = 0; k < n; k++) {
		if (rc == 0)
			rc = info_extent(i, &page[k]);
		*off = page[k].off + page[k].len;
		meta_extent_done(&page[k]);
	}
	return rc < 0 ? rc : n;
}

static int info_extents(struct info *i)
{
	uint64_t off = 0;
	int n;

	do {
		n = info_page(i, &off);
		if (json_array_size(i->extents) > INFO_EXTENTS_MAX)
			return fail(&i->c->err, -E2BIG, "more than %u extents",
				    INFO_EXTENTS_MAX);
	} while (n == INFO_PAGE);
	return n < 0 ? n : 0;
}

/* ---- one file ------------------------------------------------------- */

/* A patient's id is of the file's character set; what is no UTF-8 is not
 * shown. */
static json_t *info_text(const char *s)
{
	json_t *o = *s ? json_string(s) : NULL;

	return o ? o : json_null();
}

/* Until when; "for ever" is a time that never comes. */
static json_t *info_pinned(struct info *i)
{
	int64_t until;

	if (ctl_pinned(i->c, i->in.ino, &until) != 1)
		return json_null();
	return proto_time(until ? until : INT64_MAX);
}

/* What it takes to have all of it here; null when it is, or can be read. */
static json_t *info_recall(struct info *i)
{
	CLEANUP(back_done)
	struct back b = { .c = i->c, .now_ns = clock_wall_ns(), .days = 1 };
	CLEANUP_JSON json_t *cost = json_object();
	struct back_want w = { .by_ns = 0 };
	int64_t ready;

	if (!i->f || i->in.state == META_DIRTY || i->in.state == META_LOCAL ||
	    back_add(&b, i->in.ino,
		     i->in.size - MIN(i->cached_bytes, i->in.size), &w,
		     &ready) != 1 ||
	    !cost || back_cost(&b, cost, NULL) < 0)
		return json_null();
	return json_pack(
		"{s:o, s:O}", "seconds",
		proto_count((uint64_t)(ready - b.now_ns) / NSEC_PER_SEC),
		"cost", json_object_get(cost, "cost"));
}

/* The rule of the trust's own policy; null: none matches, or there is none. */
static json_t *info_rule(struct info *i)
{
	CLEANUP(tier_explained_done) struct tier_explained e = { .files = 0 };
	const struct tier_explained_rule *r;

	if (!i->c->w->policies || !S_ISREG(i->in.mode) ||
	    tier_explain(i->c->w->policies, NULL, i->in.ino, &e, NULL) < 0 ||
	    e.matched < 0)
		return json_null();
	r = &e.rule[e.matched];
	return json_pack("{s:s, s:i, s:s, s:s, s:o}", "policy", e.policy,
			 "index", e.matched + 1, "for", r->class_name, "do",
			 tier_action_name(r->action), "to", proto_text(r->to));
}

static json_t *info_json(struct info *i)
{
	bool stored = i->pack.row != 0;
	const char *state = i->in.damaged ? "damaged"
					  : meta_state_name(i->in.state);
	json_t *o = proto_path(i->path.data, i->path.len);
	CLEANUP_JSON json_t *more = json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:n, s:O, s:o, s:o, s:o, s:o,"
		" s:o, s:n, s:n, s:o, s:o}",
		"inode", proto_count(i->in.ino), "size_bytes",
		proto_count(i->f ? cache_size(i->f) : i->in.size), "state",
		state, "tier", stored ? json_string(i->pack.tier) : json_null(),
		"storage_class",
		stored ? json_string(i->pack.storage_class[0]
					     ? i->pack.storage_class
					     : "STANDARD")
		       : json_null(),
		"protected_at", proto_time(i->in.protected_ns), "versions",
		"extents", i->extents, "cached_bytes",
		proto_count(i->cached_bytes), "study_uid",
		info_text(i->study.uid), "patient_id",
		info_text(i->study.patient), "modality",
		info_text(i->study.modality), "pinned_until", info_pinned(i),
		"hold", "quota_dir", "rule", info_rule(i), "recall",
		info_recall(i));

	if (!o || !more || json_object_update(o, more) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int info_file(struct info *i, json_t *files)
{
	int rc = info_find(i);

	i->extents = json_array();
	if (!i->extents)
		return -ENOMEM;
	if (rc == 0 && S_ISREG(i->in.mode)) {
		rc = cache_get(i->c->w->cache, i->in.ino, &i->f);
		if (rc == 0)
			rc = info_extents(i);
		if (rc == 0)
			i->cached_bytes = info_cached(i, 0, cache_size(i->f));
	}
	if (rc < 0)
		return rc;
	return json_array_append_new(files, info_json(i)) < 0 ? -ENOMEM : 0;
}

static int info_problem(struct info *i, int rc, json_t *problems)
{
	CLEANUP_JSON json_t *e = NULL;
	json_t *o = proto_path(i->path.data, i->path.len);

	if (!i->c->err.msg[0])
		fail(&i->c->err, rc, "%m");
	e = proto_error(NULL, rc, &i->c->err);
	i->c->err = (struct err)ERR_INIT;
	if (!o || !e || json_object_update(o, e) < 0) {
		json_decref(o);
		return -ENOMEM;
	}
	return json_array_append_new(problems, o) < 0 ? -ENOMEM : 0;
}

static int info_one(struct ctl_call *c, size_t at, json_t *files,
		    json_t *problems)
{
	CLEANUP(info_done) struct info i = { .c = c };
	int rc = ctl_path(c, at, &i.path);

	if (rc < 0)
		return rc;
	rc = info_file(&i, files);
	return rc == 0 || rc == -ENOMEM ? rc : info_problem(&i, rc, problems);
}

int ctl_verb_info(struct ctl_call *c, json_t *result)
{
	CLEANUP_JSON json_t *files = json_array();
	CLEANUP_JSON json_t *problems = json_array();
	size_t i, n = ctl_paths(c);
	int rc = 0;

	if (!files || !problems)
		return -ENOMEM;
	if (!n)
		return fail(&c->err, -EINVAL, "no path was named");
	cache_settle(c->w->cache); /* people ask about what they just read */
	for (i = 0; i < n && rc == 0; i++)
		rc = ctl_gone(c) ? -EINTR : info_one(c, i, files, problems);
	if (rc == 0)
		rc = proto_set(result, "files", take(files));
	if (rc == 0)
		rc = proto_set(result, "problems", take(problems));
	return rc;
}
