/* SPDX-License-Identifier: Apache-2.0 */
/* evict: drop local bytes of protected files. And what verbs that do something
 * to files share. */
#include "ctl/files.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "meta/tiering.h"

void ctl_files_done(struct ctl_files *f)
{
	ctl_set_done(&f->set);
	json_decref(f->skipped.list);
}

json_t *ctl_files_progress(const struct ctl_files *f, size_t at)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "files", proto_count(at),
			 "bytes", proto_count(f->looked), "total_files",
			 proto_count(f->set.n), "total_bytes",
			 proto_count(f->set.bytes));
}

int ctl_files_result(struct ctl_files *f, json_t *r)
{
	int rc = proto_set(r, "files", proto_count(f->files));

	if (rc == 0)
		rc = proto_set(r, "bytes", proto_count(f->bytes));
	if (rc == 0)
		rc = proto_set(r, "dry_run", json_boolean(f->dry_run));
	return rc < 0 ? rc : ctl_skipped_set(&f->skipped, r);
}

void ctl_files_tell(const struct ctl_files *f, uint64_t ino)
{
	if (f->c->w->vfs && !f->dry_run)
		vfs_invalidate(f->c->w->vfs, ino);
}

int ctl_pinned(const struct ctl_call *c, uint64_t ino, int64_t *until_ns)
{
	int64_t until;
	META_TXN(t);
	int rc = meta_read(c->w->meta, &t);

	if (rc == 0)
		rc = meta_pinned_until(&t, ino, clock_wall_ns(), &until);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (until_ns)
		*until_ns = until;
	return 1;
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

static int evict_skip(struct ctl_files *f, uint64_t ino, int rc)
{
	switch (rc) {
	case -ENOTRECOVERABLE:
		return ctl_skip(f->c, &f->skipped, ino, "not protected yet");
	case -EBUSY:
		return ctl_skip(f->c, &f->skipped, ino, "open");
	case -EPERM:
		return ctl_skip(f->c, &f->skipped, ino, "pinned");
	case -EIO:
		return ctl_skip(f->c, &f->skipped, ino, "damaged");
	case -ENOENT: /* deleted meanwhile: nothing is left to evict */
		return 0;
	default:
		return fail(&f->c->err, rc, "cannot evict inode %llu: %m",
			    (unsigned long long)ino);
	}
}

static int evict_dry(struct ctl_files *f, uint64_t ino, uint64_t *freed)
{
	struct meta_inode in;
	int rc = ctl_inode(f->c, ino, &in);

	if (rc < 0)
		return rc;
	if (in.state == META_DIRTY)
		return -ENOTRECOVERABLE;
	*freed = in.cached_bytes;
	rc = ctl_pinned(f->c, ino, NULL);
	return rc == 1 ? -EPERM : rc;
}

static int evict_count(struct ctl_files *f, const struct cache_victim *v)
{
	if (v->rc < 0)
		return evict_skip(f, v->ino, v->rc);
	if (!v->freed)
		return 0;
	f->files++;
	f->bytes += v->freed;
	ctl_files_tell(f, v->ino);
	return 0;
}

/* Up to CACHE_EVICT_BATCH files, for which the cache needs one barrier. */
static int evict_batch(struct ctl_files *f, const struct ctl_item *item,
		       size_t n)
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

static int evict_all(struct ctl_files *f)
{
	size_t at, n;
	int rc = 0;

	for (at = 0; at < f->set.n && rc == 0; at += n) {
		if (ctl_gone(f->c))
			return -EINTR;
		n = MIN(f->set.n - at, (size_t)CACHE_EVICT_BATCH);
		rc = evict_batch(f, &f->set.item[at], n);
		if (rc == 0)
			rc = ctl_progress(f->c, ctl_files_progress(f, at + n));
	}
	return rc;
}

int ctl_verb_evict(struct ctl_call *c, json_t *result)
{
	CLEANUP(ctl_files_done)
	struct ctl_files f = { .c = c, .dry_run = ctl_flag(c, "dry_run") };
	int rc;

	cache_settle(c->w->cache); /* what was read a moment ago, too */
	rc = ctl_collect(c, evict_want, &f.set);
	if (rc == 0)
		rc = evict_all(&f);
	return rc < 0 ? rc : ctl_files_result(&f, result);
}
