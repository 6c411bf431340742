/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access times, as relatime keeps them: written by the first read after a
 * change, else once a day. With the read and not with the close, which comes
 * late: who sets the times after reading (tar, rsync) must win.
 */
#include "vfs/impl.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"

#define ATIME_AGE (24 * 3600 * NSEC_PER_SEC)

bool atime_due(struct vfs *v, const struct meta_inode *in)
{
	struct meta_inode now = *in;
	bool volatile_attr;
	blkcnt_t blocks;

	if (v->no_atime)
		return false;
	/* The times of a file that is being written are its cache file's. */
	if (in->opened_for_write &&
	    cache_attr(v->cache, &now, &blocks, &volatile_attr) < 0)
		return false;
	return now.atime_ns <= now.mtime_ns || now.atime_ns <= now.ctime_ns ||
	       clock_wall_ns() - now.atime_ns >= ATIME_AGE;
}

struct atime {
	uint64_t ino;
	int64_t ns;
};

static int atime_in(struct meta_txn *t, void *arg)
{
	const struct atime *a = arg;
	struct meta_inode in = { 0 };
	int rc = meta_inode_get(t, a->ino, &in);

	in.atime_ns = a->ns;
	return rc < 0 ? rc : meta_inode_update(t, &in);
}

static void atime_set(struct vfs *v, uint64_t ino, int64_t ns)
{
	struct atime a = { .ino = ino, .ns = ns };
	int rc = meta_run(v->meta, atime_in, &a, NULL);

	if (rc < 0) /* not worth failing a read for */
		log_warn("cannot write the access time of inode %llu: %s",
			 (unsigned long long)ino, errno_name(rc));
}

void atime_write(struct vfs *v, uint64_t ino)
{
	atime_set(v, ino, clock_wall_ns());
}

void atime_watch(struct vfs *v, struct handle *h)
{
	int rc = h->atime_due ? cache_read_watch(h->f) : 0;

	if (rc < 0) /* then with the open: what comes next is not seen */
		atime_read(v, h);
}

void atime_seen(struct vfs *v, struct meta_inode *in)
{
	int64_t ns;

	int rc = cache_read_seen(v->cache, in->ino, &ns);

	if (rc == 1) {
		in->atime_ns = ns;
		atime_set(v, in->ino, ns);
	} else if (ns > MAX(in->atime_ns, in->ctime_ns)) {
		/* Somebody else saw it, and the row is older than that. */
		in->atime_ns = ns;
	}
}

void atime_read(struct vfs *v, struct handle *h)
{
	if (h->atime_due && atomic_exchange(&h->atime_due, false))
		atime_write(v, h->ino);
}

bool vfs_atime_due(struct vfs *v, uint64_t fh)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);

	return r.h && r.h->atime_due;
}
