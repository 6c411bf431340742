/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests of each kind came: what the kernel did not do itself. */
#include "fuse/impl.h"

#include <string.h>

#include "fuse/abi.h"

/* Neighbours may share a name. */
static const struct {
	uint32_t opcode;
	const char *name;
} count_name[] = {
	{ FUSE_LOOKUP, "lookup" },
	{ FUSE_FORGET, "forget" },
	{ FUSE_BATCH_FORGET, "forget" },
	{ FUSE_GETATTR, "getattr" },
	{ FUSE_SETATTR, "setattr" },
	{ FUSE_READLINK, "readlink" },
	{ FUSE_SYMLINK, "symlink" },
	{ FUSE_MKNOD, "mknod" },
	{ FUSE_MKDIR, "mkdir" },
	{ FUSE_UNLINK, "unlink" },
	{ FUSE_RMDIR, "rmdir" },
	{ FUSE_RENAME, "rename" },
	{ FUSE_RENAME2, "rename" },
	{ FUSE_LINK, "link" },
	{ FUSE_CREATE, "create" },
	{ FUSE_TMPFILE, "create" },
	{ FUSE_OPEN, "open" },
	{ FUSE_READ, "read" },
	{ FUSE_WRITE, "write" },
	{ FUSE_FALLOCATE, "fallocate" },
	{ FUSE_COPY_FILE_RANGE, "copy_file_range" },
	{ FUSE_LSEEK, "lseek" },
	{ FUSE_FLUSH, "flush" },
	{ FUSE_FSYNC, "fsync" },
	{ FUSE_RELEASE, "release" },
	{ FUSE_OPENDIR, "opendir" },
	{ FUSE_READDIR, "readdir" },
	{ FUSE_READDIRPLUS, "readdir" },
	{ FUSE_RELEASEDIR, "releasedir" },
	{ FUSE_FSYNCDIR, "fsyncdir" },
	{ FUSE_SETXATTR, "setxattr" },
	{ FUSE_GETXATTR, "getxattr" },
	{ FUSE_LISTXATTR, "listxattr" },
	{ FUSE_REMOVEXATTR, "removexattr" },
	{ FUSE_STATFS, "statfs" },
};

void count_request(struct slot *sl)
{
	_Atomic uint64_t *n = &sl->requests[MIN(sl->opcode, OPCODES - 1U)];

	/* Nobody else writes it. */
	atomic_store_explicit(n,
			      atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static uint64_t count_of(const struct fuse_server *s, uint32_t opcode)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->nslots; i++)
		n += atomic_load_explicit(&s->slots[i].requests[opcode],
					  memory_order_relaxed);
	return n;
}

size_t fuse_server_requests(const struct fuse_server *s,
			    struct fuse_requests *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(count_name); i++) {
		const char *name = count_name[i].name;
		bool same = n && strcmp(out[n - 1].name, name) == 0;

		if (!same && n == max)
			break;
		if (!same)
			out[n++] = (struct fuse_requests){ .name = name };
		out[n - 1].n += count_of(s, count_name[i].opcode);
	}
	return n;
}
