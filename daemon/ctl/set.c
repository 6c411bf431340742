/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of a request to a set of inodes. A subtree is read page by page, a
 * short transaction each (S6), with a stack of {directory, cookie}: memory
 * grows with the depth and with the files that were picked, both bounded.
 */
#include "ctl/verbs.h"

#include <string.h>
#include <sys/stat.h>

#define WALK_PAGE      64
#define WALK_DEPTH_MAX 65536U

void ctl_set_done(struct ctl_set *s)
{
	free(s->item);
	memset(s, 0, sizeof(*s));
}

static int set_add(struct ctl_set *s, uint64_t ino, uint64_t bytes)
{
	if (s->n == CTL_FILES_MAX)
		return -E2BIG;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct ctl_item *p =
			reallocarray(s->item, room, sizeof(*s->item));

		if (!p)
			return -ENOMEM;
		s->item = p;
		s->room = room;
	}
	s->item[s->n++] = (struct ctl_item){ .ino = ino, .bytes = bytes };
	return 0;
}

static int item_cmp(const void *a, const void *b)
{
	const struct ctl_item *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* A hard link, or a path that was named twice, counts once. */
static void set_unique(struct ctl_set *s)
{
	size_t i, n = 0;

	if (s->n)
		qsort(s->item, s->n, sizeof(*s->item), item_cmp);
	s->bytes = 0;
	for (i = 0; i < s->n; i++) {
		if (n && s->item[n - 1].ino == s->item[i].ino)
			continue;
		s->item[n++] = s->item[i];
		s->bytes += s->item[i].bytes;
	}
	s->n = n;
}

/* ---- the walk ------------------------------------------------------- */

struct walk_dir {
	uint64_t ino, after;
};

struct walk {
	struct ctl_call *c;
	ctl_want_fn want;
	struct ctl_set *set;
	struct walk_dir *stack;
	size_t depth, room;
	struct meta_dirent page[WALK_PAGE];
};

static int walk_push(struct walk *w, uint64_t ino)
{
	if (w->depth == WALK_DEPTH_MAX)
		return -ELOOP;
	if (w->depth == w->room) {
		size_t room = w->room ? 2 * w->room : 32;
		struct walk_dir *p =
			reallocarray(w->stack, room, sizeof(*w->stack));

		if (!p)
			return -ENOMEM;
		w->stack = p;
		w->room = room;
	}
	w->stack[w->depth++] = (struct walk_dir){ .ino = ino };
	return 0;
}

static int walk_file(struct walk *w, const struct meta_inode *in)
{
	return S_ISREG(in->mode) && w->want(in)
		       ? set_add(w->set, in->ino, in->size)
		       : 0;
}

/* One page of the directory on top; stops at a subdirectory, which is read
 * first. */
static int walk_page(struct walk *w)
{
	struct walk_dir *d = &w->stack[w->depth - 1];
	META_TXN(t);
	int rc = meta_read(w->c->w->meta, &t);
	int n, i;

	if (rc < 0)
		return rc;
	n = meta_dirent_list(&t, d->ino, d->after, w->page, WALK_PAGE);
	if (n < 0)
		return n;
	if (n == 0)
		w->depth--;
	for (i = 0; i < n; i++) {
		const struct meta_dirent *e = &w->page[i];
		struct meta_inode in = { 0 };

		d->after = e->id;
		if (S_ISDIR(e->mode))
			return walk_push(w, e->ino);
		if (!S_ISREG(e->mode))
			continue;
		rc = meta_inode_get(&t, e->ino, &in);
		if (rc == 0)
			rc = walk_file(w, &in);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int walk_tree(struct walk *w, const struct meta_inode *top)
{
	int rc;

	if (!S_ISDIR(top->mode))
		return walk_file(w, top);
	rc = walk_push(w, top->ino);
	while (rc == 0 && w->depth)
		rc = ctl_gone(w->c) ? -EINTR : walk_page(w);
	return rc;
}

/* ---- paths ---------------------------------------------------------- */

size_t ctl_paths(const struct ctl_call *c)
{
	return json_array_size(json_object_get(c->args, "paths"));
}

int ctl_path(struct ctl_call *c, size_t i, struct buf *out)
{
	const json_t *paths = json_object_get(c->args, "paths");
	int rc = proto_get_path(json_array_get(paths, i), out);

	if (rc < 0)
		return rc;
	while (out->len && out->data[out->len - 1] == '/')
		out->len--;
	while (out->len && out->data[0] == '/')
		memmove(out->data, out->data + 1, --out->len);
	return 0;
}

int ctl_inode(const struct ctl_call *c, uint64_t ino, struct meta_inode *out)
{
	META_TXN(t);
	int rc = meta_read(c->w->meta, &t);

	return rc < 0 ? rc : meta_inode_get(&t, ino, out);
}

int ctl_resolve(const struct ctl_call *c, const struct buf *path,
		struct meta_inode *out)
{
	META_TXN(t);
	uint64_t ino;
	int rc = meta_read(c->w->meta, &t);

	if (rc == 0)
		rc = meta_resolve(&t, path->len ? (char *)path->data : "",
				  path->len, &ino);
	if (rc == 0)
		rc = meta_inode_get(&t, ino, out);
	return rc;
}

static int set_path(struct walk *w, size_t i)
{
	CLEANUP_BUF struct buf path = { 0 };
	struct meta_inode in = { 0 };
	int rc = ctl_path(w->c, i, &path);

	if (rc == 0)
		rc = ctl_resolve(w->c, &path, &in);
	if (rc < 0)
		return fail(&w->c->err, rc, "'%s': %m", buf_str(&path));
	return walk_tree(w, &in);
}

static int set_paths(struct walk *w)
{
	struct meta_inode root = { 0 };
	size_t i, n = ctl_paths(w->c);
	int rc = 0;

	if (ctl_flag(w->c, "all")) {
		rc = ctl_inode(w->c, META_ROOT_INO, &root);
		return rc < 0 ? rc : walk_tree(w, &root);
	}
	if (!n)
		return fail(&w->c->err, -EINVAL, "no path was named");
	for (i = 0; i < n && rc == 0; i++)
		rc = set_path(w, i);
	return rc;
}

/* Path `at` of the call, or all of them. */
static int collect(struct ctl_call *c, const size_t *at, ctl_want_fn want,
		   struct ctl_set *out)
{
	CLEANUP_FREE struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->c = c;
	w->want = want;
	w->set = out;
	rc = at ? set_path(w, *at) : set_paths(w);
	free(w->stack);
	if (rc == -E2BIG) {
		fail(&c->err, rc, "more than %u files in one request",
		     CTL_FILES_MAX);
		return fail_hint(&c->err, rc, "name smaller directories");
	}
	set_unique(out);
	return rc;
}

int ctl_collect(struct ctl_call *c, ctl_want_fn want, struct ctl_set *out)
{
	return collect(c, NULL, want, out);
}

int ctl_collect_path(struct ctl_call *c, size_t i, ctl_want_fn want,
		     struct ctl_set *out)
{
	return collect(c, &i, want, out);
}

/* ---- skipped files -------------------------------------------------- */

int ctl_ino_path(const struct ctl_call *c, uint64_t ino, struct buf *out)
{
	META_TXN(t);
	int rc = meta_read(c->w->meta, &t);

	if (rc == 0)
		rc = meta_path(&t, ino, out);
	return rc == -ENOENT ? buf_addf(out, "(deleted)") : rc;
}

int ctl_skip(const struct ctl_call *c, struct ctl_skipped *s, uint64_t ino,
	     const char *reason)
{
	CLEANUP_BUF struct buf path = { 0 };
	json_t *o;
	int rc;

	if (!s->list)
		s->list = json_array();
	if (s->files++ >= CTL_SKIPPED_MAX)
		return 0;
	rc = ctl_ino_path(c, ino, &path);
	if (rc < 0)
		return rc;
	o = proto_path(path.data, path.len);
	if (!o || proto_set(o, "reason", json_string(reason)) < 0) {
		json_decref(o);
		return -ENOMEM;
	}
	return json_array_append_new(s->list, o) < 0 ? -ENOMEM : 0;
}

int ctl_skipped_set(struct ctl_skipped *s, json_t *result)
{
	json_t *list = s->list ? take(s->list) : json_array();
	int rc = proto_set(result, "skipped", list);

	return rc < 0 ? rc
		      : proto_set(result, "skipped_files",
				  proto_count(s->files));
}
