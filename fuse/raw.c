/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the protocol that libfuse 3.14 does not know: they are taken from
 * the request as the kernel sent it, before libfuse sees it.
 */
#include "fuse/impl.h"

#include <string.h>

#include "fuse/abi.h"

/* What is asked for in INIT when the kernel offers it. libfuse 3.14.0 never
 * asks for PARALLEL_DIROPS, though it is in conn->want: without it, lookups
 * in one directory wait for each other. */
#define ASK (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT)

/* The request's arguments, or NULL when they are shorter than `size`. */
static void *raw_args(const struct slot *sl, size_t size)
{
	const size_t head = sizeof(struct fuse_in_header);

	return sl->buf.size >= head + size ? (char *)sl->buf.mem + head : NULL;
}

#define RAW_ARGS(sl, type) ((struct type *)raw_args(sl, sizeof(struct type)))

static bool write_request(const struct slot *sl)
{
	const struct fuse_write_in *in = RAW_ARGS(sl, fuse_write_in);

	return in && in->write_flags & FUSE_WRITE_KILL_SUIDGID;
}

static bool setattr_request(const struct slot *sl)
{
	const struct fuse_setattr_in *in = RAW_ARGS(sl, fuse_setattr_in);

	return in && in->valid & FATTR_KILL_SUIDGID;
}

/* Of OPEN and CREATE, for O_TRUNC. A kernel that does not say it does not
 * clear the bits itself either: only root keeps them. */
static bool open_flag(const struct slot *sl, uint32_t open_flags)
{
	const struct fuse_in_header *h = sl->buf.mem;

	if (!(sl->s->offered & FUSE_HANDLE_KILLPRIV_V2))
		return h->uid != 0;
	return open_flags & FUSE_OPEN_KILL_SUIDGID;
}

static bool open_request(const struct slot *sl)
{
	const struct fuse_open_in *in = RAW_ARGS(sl, fuse_open_in);

	return in && open_flag(sl, in->open_flags);
}

static bool create_request(const struct slot *sl)
{
	const struct fuse_create_in *in = RAW_ARGS(sl, fuse_create_in);

	return in && open_flag(sl, in->open_flags);
}

/*
 * With FUSE_SETXATTR_EXT the arguments are longer than libfuse knows: the
 * rest is moved to where it looks. Without, nobody says who is in the group:
 * only root keeps the bit.
 */
static void raw_setxattr(struct slot *sl)
{
	struct fuse_in_header *h = sl->buf.mem;
	struct fuse_setxattr_in *in = RAW_ARGS(sl, fuse_setxattr_in);
	const size_t more = sizeof(*in) - FUSE_COMPAT_SETXATTR_IN_SIZE;

	if (!(sl->s->offered & FUSE_SETXATTR_EXT)) {
		sl->no_setgid = h->uid != 0;
		return;
	}
	if (!in)
		return; /* no kernel sends that */
	sl->no_setgid = in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID;
	memmove((char *)in + FUSE_COMPAT_SETXATTR_IN_SIZE, in + 1,
		sl->buf.size - sizeof(*h) - sizeof(*in));
	sl->buf.size -= more;
	h->len -= (uint32_t)more;
}

/*
 * TMPFILE looks like CREATE, and is answered like it; its name says nothing.
 * libfuse refuses what is no whole request here.
 */
static void raw_tmpfile(struct slot *sl)
{
	struct fuse_in_header *h = sl->buf.mem;
	const struct fuse_create_in *in = RAW_ARGS(sl, fuse_create_in);
	size_t name = sl->buf.size - sizeof(*h) - sizeof(*in);

	if (!in || !memchr(in + 1, '\0', name))
		return;
	sl->tmpfile = true;
	h->opcode = FUSE_CREATE;
}

/*
 * The trust's root has two nodes when it has a name: the mount's own, which
 * is asked for that name only, and the one it leads to. Inode numbers do not
 * come this far.
 */
#define ROOT_NODE ((1ULL << META_INO_BITS) - 1)

uint64_t raw_node(const struct fuse_server *s, uint64_t ino)
{
	return s->root_name && ino == META_ROOT_INO ? ROOT_NODE : ino;
}

/* LOOKUP of the name becomes one of ".", which libfuse hands on. */
static void root_lookup(struct slot *sl)
{
	struct fuse_in_header *h = sl->buf.mem;
	size_t len = strlen(sl->s->root_name) + 1;
	char *name = raw_args(sl, len);

	if (!name || memcmp(name, sl->s->root_name, len) != 0)
		return;
	memcpy(name, ".", 2);
	sl->buf.size -= len - 2;
	h->len -= (uint32_t)(len - 2);
}

static void root_node(uint64_t *node)
{
	if (*node == ROOT_NODE)
		*node = FUSE_ROOT_ID;
}

static void raw_root(struct slot *sl)
{
	struct fuse_in_header *h = sl->buf.mem;
	struct fuse_rename_in *in;

	if (h->nodeid == FUSE_ROOT_ID && h->opcode == FUSE_LOOKUP)
		root_lookup(sl);
	root_node(&h->nodeid);
	if (h->opcode != FUSE_RENAME && h->opcode != FUSE_RENAME2)
		return;
	in = RAW_ARGS(sl, fuse_rename_in); /* RENAME2's begins alike */
	if (in)
		root_node(&in->newdir);
}

static void raw_init(struct slot *sl)
{
	const size_t short_size = offsetof(struct abi_init_in, flags2);
	const struct abi_init_in *in = raw_args(sl, short_size);
	bool whole = raw_args(sl, sizeof(*in));

	sl->s->offered = in ? in->flags : 0;
	sl->s->offered2 = whole && in->flags & FUSE_INIT_EXT ? in->flags2 : 0;
}

void raw_request(struct slot *sl)
{
	const struct fuse_in_header *h = sl->buf.mem;

	sl->no_setid = false;
	sl->no_setgid = false;
	sl->tmpfile = false;
	if (sl->s->root_name)
		raw_root(sl);
	switch (h->opcode) {
	case FUSE_INIT:
		raw_init(sl);
		break;
	case FUSE_WRITE:
		sl->no_setid = write_request(sl);
		break;
	case FUSE_SETATTR:
		sl->no_setid = setattr_request(sl);
		break;
	case FUSE_OPEN:
		sl->no_setid = open_request(sl);
		break;
	case FUSE_CREATE:
		sl->no_setid = create_request(sl);
		break;
	case FUSE_TMPFILE:
		raw_tmpfile(sl);
		break;
	case FUSE_SETXATTR:
		raw_setxattr(sl);
		break;
	}
}

/* Files behind are of plain filesystems, on which nothing is stacked. */
static void raw_passthrough(struct fuse_server *s, struct abi_init_out *out)
{
	s->passthrough = s->backing && s->offered2 & ABI_PASSTHROUGH;
	if (!s->passthrough)
		return;
	out->flags |= FUSE_INIT_EXT;
	out->flags2 |= ABI_PASSTHROUGH;
	out->max_stack_depth = 1;
}

void raw_init_reply(struct slot *sl, struct iovec *iov, int count)
{
	const struct fuse_out_header *h = iov[0].iov_base;
	struct abi_init_out *out;

	if (sl->opcode != FUSE_INIT || h->unique != sl->unique ||
	    h->error != 0 || count != 2 || iov[1].iov_len < sizeof(*out))
		return;
	out = iov[1].iov_base;
	out->flags |= sl->s->offered & ASK;
	raw_passthrough(sl->s, out);
}
