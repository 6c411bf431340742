/* SPDX-License-Identifier: Apache-2.0 */
/* What may be there, and whether it is. */
#include "tests/unit/vfs/faults.h"

#include <fcntl.h>

#define GEN(v) (1U << (v)) /* as a bit; 0: zeros */

static struct node file_node(int ident, mode_t mode, int n, int v)
{
	struct node node = { .ident = ident, .mode = mode, .lo = n, .hi = n };
	int i;

	for (i = 0; i < BLOCKS; i++)
		node.v[i] = GEN(i < n ? v : 0);
	return node;
}

void worlds_start(struct worlds *ws, unsigned group)
{
	unsigned i;

	memset(ws, 0, sizeof(*ws));
	ws->n = 1;
	for (i = 0; i < starts_n; i++)
		if (starts[i].group == group)
			ws->w[0].slot[starts[i].slot] =
				file_node(1 + starts[i].slot, S_IFREG | 0644,
					  starts[i].n, starts[i].v);
}

/* ---- what an operation makes of a world ------------------------------ */

static void resize(struct node *node, int n)
{
	int i;

	for (i = n; i < BLOCKS; i++)
		node->v[i] = GEN(0);
	node->lo = node->hi = n;
}

/* New bytes; `torn`: or some of them. To a file without a name it is lost. */
static void change(struct node *node, const struct op *op,
		   const struct node *from, bool torn)
{
	int i, end = op->kind == PUNCH ? 0 : op->at + op->n;
	unsigned v;

	if (!node->ident)
		return;
	node->hi = MAX(node->hi, end);
	node->lo = torn ? node->lo : MAX(node->lo, end);
	for (i = op->at; i < op->at + op->n; i++) {
		v = from ? from->v[i] : GEN(op->kind == PUNCH ? 0 : op->v);
		node->v[i] = torn ? node->v[i] | v | GEN(0) : v;
	}
}

static bool move(struct world *w, const struct op *op)
{
	struct node old = w->slot[op->b];

	if (!w->slot[op->a].ident || (op->kind == EXCHANGE && !old.ident))
		return false;
	w->slot[op->b] = w->slot[op->a];
	w->slot[op->a] = op->kind == EXCHANGE ? old : (struct node){ 0 };
	return true;
}

/* A new object; false where there is one. */
static bool make(struct world *w, const struct op *op, mode_t mode)
{
	struct node *node = &w->slot[op->a];
	bool free = node->ident == 0;

	*node = file_node(100 + (int)(op - ops), mode, 0, 0);
	return free;
}

static bool apply_name(struct world *w, const struct op *op)
{
	struct node *a = &w->slot[op->a];
	bool there = a->ident != 0;

	switch (op->kind) {
	case CREATE:
		return make(w, op, S_IFREG | 0644);
	case MKDIR:
		return make(w, op, S_IFDIR | 0755);
	case SYMLINK:
		return make(w, op, S_IFLNK | 0777);
	case LINK:
		there = there && !w->slot[op->b].ident;
		w->slot[op->b] = *a;
		return there;
	case UNLINK:
	case RMDIR:
		*a = (struct node){ 0 };
		return there;
	default:
		return move(w, op);
	}
}

/* False: it cannot have happened in this world. */
static bool apply(struct world *w, const struct op *op)
{
	struct node *a = &w->slot[op->a];

	switch (op->kind) {
	case OPEN:
		if (op->v & O_TRUNC)
			resize(a, 0);
		return a->ident != 0;
	case WRITE:
	case PUNCH:
		change(a, op, NULL, false);
		return true;
	case COPY:
		change(&w->slot[op->b], op, a, false);
		return true;
	case RESIZE:
		resize(a, op->n);
		return a->ident != 0;
	case CHMOD:
		a->mode = S_IFREG | (mode_t)op->v;
		return a->ident != 0;
	case MARK:
		a->mark = op->v;
		return a->ident != 0;
	case READ:
	case FSYNC:
	case CLOSE:
	case EVICT:
	case FLUSH:
	case CHECKPOINT:
		return true;
	default:
		return apply_name(w, op);
	}
}

static bool is_data(const struct op *op)
{
	return op->kind == WRITE || op->kind == PUNCH || op->kind == COPY;
}

/* A change of bytes that failed may have come to any of them. */
static void tear(struct world *w, const struct op *op)
{
	struct node *a = &w->slot[op->a];

	if (op->kind == COPY)
		change(&w->slot[op->b], op, a, true);
	else
		change(a, op, NULL, true);
}

static bool worlds_add(struct worlds *ws, const struct world *w)
{
	unsigned i;

	for (i = 0; i < ws->n; i++)
		if (memcmp(&ws->w[i], w, sizeof(*w)) == 0)
			return true;
	if (ws->n == WORLDS_MAX)
		return false;
	ws->w[ws->n++] = *w;
	return true;
}

bool worlds_op(struct worlds *ws, const struct op *op, int rc)
{
	unsigned i, n = ws->n, kept = 0;
	struct world w;

	if (rc == SKIPPED)
		return true;
	for (i = 0; i < n; i++) {
		w = ws->w[i];
		if (rc == 0) {
			if (apply(&w, op))
				ws->w[kept++] = w;
		} else if (is_data(op)) {
			tear(&ws->w[i], op);
		} else if (apply(&w, op) && !worlds_add(ws, &w)) {
			return false;
		}
	}
	if (rc == 0)
		ws->n = kept;
	return ws->n > 0;
}

/* ---- what is there --------------------------------------------------- */

struct found {
	bool there;
	struct stat st;
	int mark;
	ssize_t n; /* bytes, or -errno */
	uint8_t data[BLOCKS * BLOCK + 1];
};

static void look(struct env *e, unsigned group, int slot, struct found *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	const char name[2] = { (char)('a' + slot) };
	struct vfs_entry out;
	uint64_t fh;
	int rc = vfs_lookup(e->v, group_dir[group], name, &out);

	f->there = rc == 0;
	if (rc == -ENOENT)
		return;
	assert_ok(rc);
	f->st = out.attr;
	rc = vfs_getxattr(e->v, out.ino, "user.mark", &b);
	f->mark = rc == 0 && b.len == 1 ? b.data[0] : 0;
	f->n = 0;
	if (!S_ISREG(out.attr.st_mode))
		return;
	f->n = vfs_open(e->v, out.ino, O_RDONLY, &fh);
	if (f->n < 0)
		return;
	f->n = vfs_read(e->v, fh, f->data, sizeof(f->data), 0);
	assert_ok(vfs_release(e->v, fh));
}

/* Each byte is of one of the generations. */
static bool same_block(const struct node *node, const struct found *f, int i)
{
	static uint8_t want[BLOCK];
	static bool ok[BLOCK];
	const uint8_t *p = f->data + (size_t)i * BLOCK;
	int o, v, n = (int)MIN(f->n - (ssize_t)i * BLOCK, (ssize_t)BLOCK);

	memset(ok, 0, sizeof(ok));
	for (v = 0; v < 32; v++) {
		if (!(node->v[i] & GEN(v)))
			continue;
		block_fill(want, i, v);
		for (o = 0; o < n; o++)
			ok[o] |= p[o] == want[o];
	}
	return !memchr(ok, 0, (size_t)n);
}

static bool same_bytes(const struct node *node, const struct found *f)
{
	int i;

	if (f->n < (ssize_t)node->lo * BLOCK ||
	    f->n > (ssize_t)node->hi * BLOCK || f->n != f->st.st_size)
		return false;
	for (i = 0; (ssize_t)i * BLOCK < f->n; i++)
		if (!same_block(node, f, i))
			return false;
	return true;
}

static unsigned links(const struct world *w, int slot)
{
	unsigned n = 0;
	int i;

	if (S_ISDIR(w->slot[slot].mode))
		return 2;
	for (i = 0; i < SLOTS; i++)
		n += w->slot[i].ident == w->slot[slot].ident;
	return n;
}

/* NULL, or in what they differ. */
static const char *differs(const struct world *w, int slot,
			   const struct found *f, bool damaged)
{
	const struct node *node = &w->slot[slot];

	if (f->there != (node->ident != 0))
		return f->there ? "is there" : "is not there";
	if (!f->there)
		return NULL;
	if (f->st.st_mode != node->mode)
		return "mode";
	if (f->st.st_nlink != links(w, slot))
		return "link count";
	if (f->mark != node->mark)
		return "xattr";
	if (!S_ISREG(node->mode) || (damaged && f->n == -EIO))
		return NULL;
	if (f->n < 0)
		return errno_name((int)-f->n);
	return same_bytes(node, f) ? NULL : "bytes";
}

static bool count_entry(void *arg, const struct vfs_dirent *d)
{
	int *n = arg;

	(*n)++;
	return true;
}

static int count(struct env *e, unsigned group)
{
	uint64_t fh;
	int n = 0;

	assert_ok(vfs_opendir(e->v, group_dir[group], O_RDONLY, &fh));
	assert_ok(vfs_readdir(e->v, fh, 0, false, 0, count_entry, &n));
	assert_ok(vfs_releasedir(e->v, fh));
	return n - 2;
}

bool worlds_match(struct env *e, const struct worlds *ws, unsigned group,
		  bool damaged, char *why, size_t size)
{
	static struct found found[SLOTS];
	const char *what = NULL;
	int i, n = 0;
	unsigned k;

	for (i = 0; i < SLOTS; i++) {
		look(e, group, i, &found[i]);
		n += found[i].there;
	}
	if (n != count(e, group)) {
		snprintf(why, size, "names that nobody made");
		return false;
	}
	for (k = 0; k < ws->n; k++) {
		for (i = 0; i < SLOTS; i++) {
			what = differs(&ws->w[k], i, &found[i], damaged);
			if (what)
				break;
		}
		if (!what)
			return true;
		snprintf(why, size, "%c: %s (of %u)", 'a' + i, what, ws->n);
	}
	return false;
}
