/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing. The offset of an entry is its dirent id + 2 ("." is 1, ".." 2):
 * ids ascend and never come back, so a listing that goes on while names come
 * and go shows each name that stayed exactly once.
 */
#include "vfs/impl.h"

#include <fcntl.h>
#include <stdlib.h>

#define DOTS 2

/* A page is one transaction and one statement. */
#define PAGE_MAX ((size_t)256)
#define PAGE_MIN ((size_t)16)

struct page {
	int n;
	struct meta_dirent d[PAGE_MAX];
	struct meta_inode in[PAGE_MAX];
};

struct lister {
	bool plus;
	uint64_t last; /* dirent id where it ends */
	size_t left;   /* about how many entries there is room for */
	bool (*emit)(void *arg, const struct vfs_dirent *d);
	void *arg;
};

static int load_directory(struct vfs *v, uint64_t ino, struct meta_inode *in)
{
	int rc = node_find(v, ino, in);

	return rc == 0 && !S_ISDIR(in->mode) ? -ENOTDIR : rc;
}

int vfs_opendir(struct vfs *v, uint64_t ino, int flags, uint64_t *fh)
{
	struct meta_inode in = { 0 };
	struct handle *h;
	uint64_t id;
	int rc;

	/* The handle first: from here on reap leaves the inode alone. */
	rc = handle_new(v, HANDLE_DIR, VFS_INO(ino), &h, &id);
	if (rc < 0)
		return rc;
	rc = load_directory(v, ino, &in);
	if (rc < 0) {
		handle_put(v, h);
		return rc;
	}
	h->atime_due = atime_due(v, &in) && !(flags & O_NOATIME);
	*fh = id;
	return 0;
}

int vfs_releasedir(struct vfs *v, uint64_t fh)
{
	return handle_close(v, fh, HANDLE_DIR);
}

int vfs_fsyncdir(struct vfs *v, uint64_t fh)
{
	HANDLE_REF(r, v, fh, HANDLE_DIR);

	return r.h ? meta_durable(v->meta, 0) : -EBADF;
}

static int parent_of(struct vfs *v, uint64_t ino, uint64_t *parent)
{
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = meta_dirent_parent(&t, ino, parent);
	if (rc == -ENOENT) { /* removed while open */
		*parent = ino;
		rc = 0;
	}
	return rc;
}

/*
 * Names that are made after a listing began get ids behind this one, and are
 * not its business: else one that renames what it reads never ends.
 */
static int listing_end(struct vfs *v, struct handle *h, uint64_t off)
{
	uint64_t last;
	META_TXN(t);
	int rc;

	if (off > 0 && h->last > 0)
		return 0;
	rc = meta_read(v->meta, &t);
	if (rc == 0)
		rc = meta_dirent_last(&t, h->ino, &last);
	if (rc == 0)
		h->last = MAX(last, (uint64_t)1);
	return rc;
}

/* "." and ".."; 1 = go on behind them. */
static int list_dots(struct vfs *v, uint64_t ino, uint64_t off,
		     const struct lister *l)
{
	struct vfs_dirent d = {
		.name = ".", .next = 1, .ino = ino, .type = S_IFDIR
	};
	int rc;

	if (off < 1 && !l->emit(l->arg, &d))
		return 0;
	if (off >= DOTS)
		return 1;
	rc = parent_of(v, ino, &d.ino);
	if (rc < 0)
		return rc;
	d.name = "..";
	d.next = DOTS;
	return l->emit(l->arg, &d);
}

static int load_page(struct vfs *v, uint64_t ino, uint64_t after,
		     const struct lister *l, struct page *p)
{
	size_t max = MIN(MAX(l->left, PAGE_MIN), PAGE_MAX);
	META_TXN(t);
	int rc;

	rc = meta_read(v->meta, &t);
	if (rc < 0)
		return rc;
	rc = l->plus ? meta_dirent_list_plus(&t, ino, after, p->d, p->in, max)
		     : meta_dirent_list(&t, ino, after, p->d, max);
	if (rc < 0)
		return rc;
	p->n = rc;
	return 0;
}

/* 1 = the page was taken, 0 = the caller has enough. */
static int emit_page(struct vfs *v, struct page *p, struct lister *l)
{
	struct vfs_entry e;
	int rc, i;

	for (i = 0; i < p->n; i++) {
		struct vfs_dirent d = { .name = p->d[i].name,
					.next = p->d[i].id + DOTS,
					.ino = p->d[i].ino,
					.type = p->d[i].mode & S_IFMT };

		if (l->plus) {
			rc = entry_fill(v, &p->in[i], &e);
			if (rc < 0)
				return rc;
			d.e = &e;
		}
		if (p->d[i].id > l->last || !l->emit(l->arg, &d))
			return 0;
		if (l->left > 0)
			l->left--;
	}
	return 1;
}

int vfs_readdir(struct vfs *v, uint64_t fh, uint64_t off, bool plus,
		size_t room,
		bool (*emit)(void *arg, const struct vfs_dirent *d), void *arg)
{
	struct lister l = {
		.plus = plus,
		.left = room,
		.emit = emit,
		.arg = arg,
	};
	HANDLE_REF(r, v, fh, HANDLE_DIR);
	CLEANUP_FREE struct page *p = NULL;
	uint64_t after = off > DOTS ? off - DOTS : 0;
	int rc;

	if (!r.h)
		return -EBADF;
	atime_read(v, r.h);
	rc = listing_end(v, r.h, off);
	if (rc < 0)
		return rc;
	l.last = r.h->last;
	rc = list_dots(v, r.h->ino, off, &l);
	if (rc <= 0)
		return rc;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	do {
		rc = load_page(v, r.h->ino, after, &l, p);
		if (rc < 0)
			return rc;
		rc = emit_page(v, p, &l);
		if (p->n > 0)
			after = p->d[p->n - 1].id;
	} while (rc > 0 && p->n > 0);
	return rc < 0 ? rc : 0;
}
