/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files. An incomplete file is opened without a recall; what a read
 * misses is recalled then, and the first change completes the file (S12).
 */
#include "vfs/impl.h"

#include <fcntl.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"

#define REFUSED_NS NSEC_PER_SEC

static _Thread_local const struct vfs_wait *wait_how;

void vfs_set_wait(const struct vfs_wait *w)
{
	wait_how = w;
}

const struct vfs_wait *vfs_wait_how(void)
{
	return wait_how;
}

int vfs_fetch(struct vfs *v, struct cache_file *f, uint64_t off, uint64_t len)
{
	const struct vfs_wait *w = wait_how;

	if (w && w->never)
		return -EINPROGRESS;
	return move_recall(v->move, f, off, len, STORE_CAUSE_READ,
			   w ? w->cancel : NULL);
}

/* ---- open, create, release ------------------------------------------ */

static int regular(const struct meta_inode *in)
{
	if (S_ISREG(in->mode))
		return 0;
	if (S_ISDIR(in->mode))
		return -EISDIR;
	return S_ISLNK(in->mode) ? -ELOOP : -ENXIO;
}

static int load_regular(struct vfs *v, uint64_t ino, struct meta_inode *in)
{
	int rc = node_find(v, ino, in);

	return rc < 0 ? rc : regular(in);
}

/*
 * What the kernel does by itself is not seen here. What O_SYNC promises for
 * each write, that its name is durable, is true before the first (S2). Writes
 * that clear set-id bits come here.
 */
static int open_pass(struct vfs *v, struct handle *h, int flags,
		     const struct meta_inode *in)
{
	bool setid = in->mode & (S_ISUID | S_ISGID);
	int rc = cache_pass_begin(h->f, h->writable, setid, &h->pass);

	if (rc < 0)
		return rc;
	h->passed = true;
	tally(h->pass.id ? &v->opens_passed : &v->opens_served);
	if (!h->pass.id)
		return 0;
	if (!h->pass.direct)
		atime_watch(v, h);
	return h->writable && flags & (O_SYNC | O_DSYNC)
		       ? meta_durable(v->meta, 0)
		       : 0;
}

static int open_file(struct vfs *v, struct handle *h, int flags,
		     const struct meta_inode *in)
{
	bool writable = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc;

	rc = cache_get(v->cache, in->ino, &f);
	if (rc == 0)
		rc = cache_acquire(f, writable);
	if (rc < 0)
		return rc;
	if (!(flags & O_NOATIME)) /* as a backup that leaves no trace does */
		cache_touch(f);
	h->writable = writable;
	if ((flags & O_ACCMODE) != O_WRONLY && !(flags & O_NOATIME))
		h->atime_due = atime_due(v, in);
	h->f = take(f);
	if (!writable)
		move_opened(v->move, in->ino);
	if (in->nlink == 0) /* by its node id, from another descriptor */
		vfs_gone(v, in->ino);
	rc = flags & O_TRUNC ? cache_truncate(h->f, 0) : 0;
	return rc < 0 ? rc : open_pass(v, h, flags, in);
}

int vfs_open(struct vfs *v, uint64_t ino, int flags, uint64_t *fh)
{
	struct meta_inode in = { 0 };
	struct handle *h;
	uint64_t id;
	int rc;

	/* The handle first: an unlink from here on finds it. */
	rc = handle_new(v, HANDLE_FILE, VFS_INO(ino), &h, &id);
	if (rc < 0)
		return rc;
	rc = load_regular(v, ino, &in);
	if (rc == 0)
		rc = open_file(v, h, flags, &in);
	if (rc < 0) {
		handle_put(v, h);
		return rc;
	}
	*fh = id;
	return 0;
}

/* Makes the file, or finds the one that came between. */
static int make_or_find(struct vfs *v, const struct make *mk, int *flags,
			struct meta_inode *in, unsigned *plain)
{
	struct vfs_entry e;
	int rc = node_make(v, mk, in);

	if (rc < 0)
		cache_pool_give(v->cache, mk->ino);
	*plain = 0;
	if (rc == 0) {
		*flags &= ~O_TRUNC;
		*plain = mk->mode & (S_ISUID | S_ISGID) ? PRIV_CAPS : PRIV_ALL;
	}
	if (rc != -EEXIST || *flags & O_EXCL)
		return rc;
	rc = vfs_lookup(v, mk->parent, mk->name, &e);
	return rc < 0 ? rc : load_regular(v, e.ino, in);
}

/* Its row says opened_for_write, and no handle will be closed. */
static void create_failed(struct vfs *v, uint64_t ino)
{
	int rc = vfs_settle(v, ino);

	if (rc < 0)
		log_warn("inode %llu is not protected before the next start: "
			 "%s",
			 (unsigned long long)ino, errno_name(-rc));
}

/* Opens what was made. */
static int create_open(struct vfs *v, struct handle *h, const struct make *mk,
		       int flags, struct vfs_entry *out)
{
	struct meta_inode in = { 0 };
	unsigned plain;
	int rc = make_or_find(v, mk, &flags, &in, &plain);

	if (rc < 0)
		return rc;
	h->plain = plain;
	if (h->ino != in.ino)
		handle_set_ino(v, h, in.ino);
	rc = open_file(v, h, flags, &in);
	if (rc < 0 && in.opened_for_write)
		create_failed(v, in.ino);
	if (rc < 0)
		return rc;
	/* What O_TRUNC has made of it is not in the row. */
	return flags & O_TRUNC ? vfs_getattr(v, in.ino, out)
			       : entry_fill(v, &in, out);
}

static int create(struct vfs *v, struct make *mk, int flags,
		  struct vfs_entry *out, uint64_t *fh)
{
	struct handle *h;
	uint64_t id;
	int rc;

	rc = handle_new(v, HANDLE_FILE, 0, &h, &id);
	if (rc < 0)
		return rc;
	if (mk->writable)
		mk->ino = cache_pool_take(v->cache);
	if (!mk->name) { /* reap must not find it */
		h->tmpfile = true;
		mk->h = h;
	}
	rc = create_open(v, h, mk, flags, out);
	if (rc < 0) {
		handle_put(v, h);
		return rc;
	}
	*fh = id;
	return 0;
}

int vfs_create(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name, mode_t mode, int flags, struct vfs_entry *out,
	       uint64_t *fh)
{
	struct make mk = { .who = who,
			   .parent = parent,
			   .name = name,
			   .mode = S_IFREG | (mode & 07777),
			   .writable = (flags & O_ACCMODE) != O_RDONLY };

	return create(v, &mk, flags, out, fh);
}

int vfs_tmpfile(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
		mode_t mode, int flags, struct vfs_entry *out, uint64_t *fh)
{
	struct make mk = { .who = who,
			   .parent = parent,
			   .mode = S_IFREG | (mode & 07777),
			   .writable = (flags & O_ACCMODE) != O_RDONLY };

	return create(v, &mk, flags & ~(O_EXCL | O_TRUNC), out, fh);
}

/* What the kernel did by itself may end set-id bits, or move the access time,
 * and nobody asked for them since. */
static int release_passed(struct vfs *v, uint64_t fh)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	struct meta_inode in = { 0 };
	struct vfs_entry e;
	int rc;

	if (!r.h || !r.h->pass.id || !(r.h->writable || r.h->atime_due))
		return 0;
	rc = node_find(v, r.h->ino, &in);
	if (rc == 0 && (in.mode & (S_ISUID | S_ISGID) || r.h->atime_due))
		rc = entry_fill(v, &in, &e);
	return rc;
}

int vfs_release(struct vfs *v, uint64_t fh)
{
	int rc = release_passed(v, fh), end = handle_close(v, fh, HANDLE_FILE);

	return rc < 0 ? rc : end;
}

/* ---- reading --------------------------------------------------------- */

/*
 * When a read-ahead fails the kernel asks once more at once, for the page that
 * a program wants: one read of a program, which has waited for read_wait. So
 * who comes soon after a read that timed out does not wait again. Where it
 * reads does not matter: read-ahead comes in pieces, which fail in any order.
 */
static bool was_refused(const struct handle *h)
{
	int64_t then = atomic_load(&h->refused_ns);

	return then && clock_boot_ns() - then < REFUSED_NS;
}

static int wait_for_range(struct vfs *v, struct handle *h, uint64_t off,
			  uint64_t len, const struct vfs_wait *w)
{
	struct move_patience p = { 0 };

	if (w && w->until_ns && clock_boot_ns() >= w->until_ns)
		return -ETIMEDOUT;
	if (w)
		p = (struct move_patience){ .cancel = w->cancel,
					    .hangup = w->hangup,
					    .until_ns = w->until_ns };
	return move_read(v->move, h->f, off, len, ahead_end(&h->ra, off, len),
			 &p);
}

/* Brings what is missing of [off, off+len), and sets what follows going. */
static int complete_range(struct vfs *v, struct handle *h, uint64_t off,
			  uint64_t len)
{
	const struct vfs_wait *w = wait_how;
	int rc;

	if (was_refused(h))
		return -ETIMEDOUT;
	if (w && w->never)
		return -EINPROGRESS;
	tally(&v->reads_missed);
	h->ra.cold = true;
	rc = wait_for_range(v, h, off, len, w);
	if (rc == -ETIMEDOUT)
		atomic_store(&h->refused_ns, clock_boot_ns());
	return rc;
}

/* It was here already: of a file that was incomplete, more is set going. */
static void read_on(struct vfs *v, struct handle *h, uint64_t off, uint64_t len)
{
	uint64_t end = 0;

	if (h->ra.cold) {
		move_asked(v->move, len);
		end = ahead_end(&h->ra, off, len);
	}
	if (end)
		move_ahead(v->move, h->f, off + len, end);
}

ssize_t vfs_read(struct vfs *v, uint64_t fh, void *dst, size_t len,
		 uint64_t off)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	ssize_t n;
	int rc, i;

	if (!r.h)
		return -EBADF;
	if (off > INT64_MAX || len > INT64_MAX - off)
		return -EINVAL;
	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		n = cache_pread(r.h->f, dst, len, off);
		if (n >= 0)
			atime_read(v, r.h);
		if (n > 0)
			read_on(v, r.h, off, (uint64_t)n);
		if (n >= 0 && i == 0)
			tally(&v->reads_hit);
		if (n != -EAGAIN)
			return n;
		rc = complete_range(v, r.h, off, len);
		if (rc < 0)
			return rc;
	}
	return -EIO;
}

/* ---- passthrough ----------------------------------------------------- */

void vfs_set_backing(struct vfs *v, const struct cache_backing *b)
{
	cache_set_backing(v->cache, b);
}

void vfs_opened_by(struct vfs *v, uint64_t fh, const struct vfs_cred *who)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);

	if (r.h && r.h->writable && r.h->pass.id && who->uid != 0)
		cache_pass_stranger(r.h->f);
}

int vfs_backing(struct vfs *v, uint64_t fh, bool *direct)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);

	*direct = r.h && r.h->pass.direct;
	return r.h ? r.h->pass.id : 0;
}

/* ---- changing -------------------------------------------------------- */

ssize_t vfs_write(struct vfs *v, uint64_t fh, const void *src, size_t len,
		  uint64_t off)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);
	ssize_t n;
	int rc, i;

	if (!r.h || !r.h->writable)
		return -EBADF;
	if (off > INT64_MAX || len > INT64_MAX - off)
		return -EFBIG;
	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		n = VFS_QUOTA(v, cache_pwrite(r.h->f, src, len, off));
		if (n != -EAGAIN)
			return n;
		rc = vfs_fetch(v, r.h->f, 0, 0);
		if (rc < 0)
			return rc;
	}
	return -EIO;
}

static int resize(struct vfs *v, struct cache_file *f, uint64_t size)
{
	int rc, i;

	for (i = 0; i < VFS_ROUNDS_MAX; i++) {
		rc = (int)VFS_QUOTA(v, cache_truncate(f, size));
		if (rc != -EAGAIN)
			return rc;
		rc = vfs_fetch(v, f, 0, 0);
		if (rc < 0)
			return rc;
	}
	return -EIO;
}

int vfs_resize(struct vfs *v, uint64_t ino, uint64_t size)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	struct meta_inode in = { 0 };
	int rc, end;

	if (size > INT64_MAX)
		return -EINVAL;
	rc = load_regular(v, ino, &in);
	if (rc < 0)
		return rc == -ENXIO || rc == -ELOOP ? -EINVAL : rc;
	rc = cache_get(v->cache, in.ino, &f);
	if (rc == 0)
		rc = cache_acquire(f, true);
	if (rc < 0)
		return rc;
	rc = resize(v, f, size);
	end = cache_release(f, true);
	return rc < 0 ? rc : end;
}

bool vfs_writes_wait(struct vfs *v, uint64_t bytes)
{
	struct cache_usage u;

	cache_usage(v->cache, &u);
	return u.over_high || u.used + bytes > u.size ||
	       u.disk_free < u.free_goal + bytes;
}

/* Writes are in the cache file when they are answered: nothing to flush. */
int vfs_flush(struct vfs *v, uint64_t fh)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);

	return r.h ? 0 : -EBADF;
}

/* The bytes, the row, and all that was committed before: so the names under
 * which they are found after a power cut, too. */
int vfs_fsync(struct vfs *v, uint64_t fh, bool data_only)
{
	HANDLE_REF(r, v, fh, HANDLE_FILE);

	return r.h ? cache_fsync(r.h->f, data_only) : -EBADF;
}
