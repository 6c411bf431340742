/* SPDX-License-Identifier: Apache-2.0 */
/* evict and recall: drop local bytes of protected files, bring them back. */
#include "ctl/verbs.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

struct files {
	struct ctl_call *c;
	struct ctl_set set;
	struct ctl_skipped skipped;
	uint64_t files, bytes; /* done */
	uint64_t looked;       /* of the set's bytes, for progress */
	bool dry_run;
};

static void files_done(struct files *f)
{
	ctl_set_done(&f->set);
	json_decref(f->skipped.list);
}

static json_t *files_progress(const struct files *f, size_t at)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "files", proto_count(at),
			 "bytes", proto_count(f->looked), "total_files",
			 proto_count(f->set.n), "total_bytes",
			 proto_count(f->set.bytes));
}

static int files_result(struct files *f, json_t *r)
{
	int rc = proto_set(r, "files", proto_count(f->files));

	if (rc == 0)
		rc = proto_set(r, "bytes", proto_count(f->bytes));
	if (rc == 0)
		rc = proto_set(r, "dry_run", json_boolean(f->dry_run));
	return rc < 0 ? rc : ctl_skipped_set(&f->skipped, r);
}

/* What it keeps of the file is out of date: clients see the new state at
 * once, not when the kernel's hour is over. */
static void tell_kernel(const struct files *f, uint64_t ino)
{
	if (f->c->w->vfs && !f->dry_run)
		vfs_invalidate(f->c->w->vfs, ino);
}

/* ---- evict ---------------------------------------------------------- */

/* Dirty ones too: they are named among the skipped. */
static bool evict_want(const struct meta_inode *in)
{
	switch (in->state) {
	case META_DIRTY:
	case META_PARTIAL:
		return true;
	case META_LOCAL:
		return in->size > 0;
	default:
		return false;
	}
}

static int evict_skip(struct files *f, uint64_t ino, int rc)
{
	switch (rc) {
	case -ENOTRECOVERABLE:
		return ctl_skip(f->c, &f->skipped, ino, "not protected yet");
	case -EBUSY:
		return ctl_skip(f->c, &f->skipped, ino, "open");
	case -EIO:
		return ctl_skip(f->c, &f->skipped, ino, "damaged");
	case -ENOENT: /* deleted meanwhile: nothing is left to evict */
		return 0;
	default:
		return fail(&f->c->err, rc, "cannot evict inode %llu: %m",
			    (unsigned long long)ino);
	}
}

static int evict_dry(struct files *f, uint64_t ino, uint64_t *freed)
{
	struct meta_inode in;
	int rc = ctl_inode(f->c, ino, &in);

	if (rc < 0)
		return rc;
	if (in.state == META_DIRTY)
		return -ENOTRECOVERABLE;
	*freed = in.cached_bytes;
	return 0;
}

static int evict_count(struct files *f, const struct cache_victim *v)
{
	if (v->rc < 0)
		return evict_skip(f, v->ino, v->rc);
	if (!v->freed)
		return 0;
	f->files++;
	f->bytes += v->freed;
	tell_kernel(f, v->ino);
	return 0;
}

/* Up to CACHE_EVICT_BATCH files, for which the cache needs one barrier. */
static int evict_batch(struct files *f, const struct ctl_item *item, size_t n)
{
	struct cache_victim v[CACHE_EVICT_BATCH] = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < n; i++) {
		v[i].ino = item[i].ino;
		f->looked += item[i].bytes;
		if (f->dry_run)
			v[i].rc = evict_dry(f, v[i].ino, &v[i].freed);
	}
	if (!f->dry_run)
		cache_evict_many(f->c->w->cache, v, n);
	for (i = 0; i < n && rc == 0; i++)
		rc = evict_count(f, &v[i]);
	return rc;
}

static int evict_all(struct files *f)
{
	size_t at, n;
	int rc = 0;

	for (at = 0; at < f->set.n && rc == 0; at += n) {
		if (ctl_gone(f->c))
			return -EINTR;
		n = MIN(f->set.n - at, (size_t)CACHE_EVICT_BATCH);
		rc = evict_batch(f, &f->set.item[at], n);
		if (rc == 0)
			rc = ctl_progress(f->c, files_progress(f, at + n));
	}
	return rc;
}

int ctl_verb_evict(struct ctl_call *c, json_t *result)
{
	CLEANUP(files_done)
	struct files f = { .c = c, .dry_run = ctl_flag(c, "dry_run") };
	int rc;

	cache_settle(c->w->cache); /* what was read a moment ago, too */
	rc = ctl_collect(c, evict_want, &f.set);
	if (rc == 0)
		rc = evict_all(&f);
	return rc < 0 ? rc : files_result(&f, result);
}

/* ---- recall --------------------------------------------------------- */

static bool recall_want(const struct meta_inode *in)
{
	return in->state != META_DIRTY && in->state != META_LOCAL &&
	       in->size > 0;
}

static int recall_skip(struct files *f, uint64_t ino, int rc)
{
	switch (rc) {
	case -EIO:
		return ctl_skip(f->c, &f->skipped, ino,
				"damaged, or missing in the store");
	case -ENOENT: /* deleted meanwhile */
		return 0;
	case -ETIMEDOUT:
		fail(&f->c->err, rc, "the store does not answer");
		return fail_hint(&f->c->err, rc, "mersey status %s",
				 f->c->w->trust);
	default:
		return rc;
	}
}

static int recall_file(struct files *f, uint64_t ino)
{
	struct cache_file *file CLEANUP(cache_put_guard) = NULL;
	int rc = cache_get(f->c->w->cache, ino, &file);

	if (rc == 0)
		rc = cache_acquire(file, false);
	if (rc < 0)
		return rc;
	rc = move_recall(f->c->w->move, file, 0, 0, STORE_CAUSE_RECALL,
			 &f->c->peer->gone);
	if (rc == 0)
		rc = cache_settle_presence(file);
	cache_release(file, false);
	return rc;
}

static int recall_one(struct files *f, const struct ctl_item *i)
{
	int rc = f->dry_run ? 0 : recall_file(f, i->ino);

	if (rc < 0)
		return recall_skip(f, i->ino, rc);
	tell_kernel(f, i->ino);
	f->files++;
	f->bytes += i->bytes;
	return 0;
}

static int recall_all(struct files *f)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < f->set.n && rc == 0; i++) {
		if (ctl_gone(f->c))
			return -EINTR;
		rc = recall_one(f, &f->set.item[i]);
		f->looked += f->set.item[i].bytes;
		if (rc == 0)
			rc = ctl_progress(f->c, files_progress(f, i + 1));
	}
	return rc;
}

int ctl_verb_recall(struct ctl_call *c, json_t *result)
{
	CLEANUP(files_done)
	struct files f = { .c = c, .dry_run = ctl_flag(c, "dry_run") };
	int rc = ctl_collect(c, recall_want, &f.set);

	if (rc == 0)
		rc = recall_all(&f);
	if (rc == 0)
		rc = files_result(&f, result);
	if (rc == 0)
		rc = proto_set(result, "requests", json_null());
	if (rc == 0)
		rc = proto_set(result, "cost", json_null());
	if (rc == 0)
		rc = proto_set(result, "ready_at", proto_time(clock_wall_ns()));
	return rc < 0 ? rc : proto_set(result, "at_risk", json_array());
}
