/* SPDX-License-Identifier: Apache-2.0 */
/* What a pack's index says of a file: from its rows. */
#include "move/impl.h"

#include <string.h>

#include "base/log.h"

struct member *member_new(void)
{
	return calloc(1, sizeof(struct member));
}

void member_free(struct member *mb)
{
	if (!mb)
		return;
	buf_done(&mb->path);
	buf_done(&mb->names);
	buf_done(&mb->values);
	free(mb->kept);
	free(mb);
}

static int member_xattrs(struct member *mb, struct meta_txn *t, uint64_t ino)
{
	const char *name, *end;
	size_t n = 0, i;
	int rc = meta_xattr_list(t, ino, &mb->names);

	if (rc < 0 || mb->names.len == 0)
		return rc;
	name = (const char *)mb->names.data;
	end = name + mb->names.len;
	for (; name < end; name += strlen(name) + 1, n++) {
		if (n == MEMBER_XATTRS)
			return -E2BIG;
		mb->at[n] = mb->values.len;
		mb->xattr[n].name = name;
		rc = meta_xattr_get(t, ino, name, &mb->values);
		if (rc < 0)
			return rc;
		mb->xattr[n].len = mb->values.len - mb->at[n];
	}
	for (i = 0; i < n; i++) /* the buffer moves no more */
		mb->xattr[i].value = mb->values.data + mb->at[i];
	mb->m.xattr = mb->xattr;
	mb->m.xattrs = n;
	return 0;
}

static void member_row(struct member *mb, const struct meta_inode *row)
{
	mb->m = (struct pack_member){
		.inode = row->ino,
		.content_version = row->content_version,
		.meta_version = row->meta_version,
		.mode = row->mode,
		.uid = row->uid,
		.gid = row->gid,
		.size = row->size,
		.atime_ns = row->atime_ns,
		.mtime_ns = row->mtime_ns,
		.ctime_ns = row->ctime_ns,
		.btime_ns = row->btime_ns,
	};
}

int member_load(struct meta_txn *t, uint64_t ino,
		bool (*is)(const void *arg, struct meta_inode *row),
		const void *arg, struct member *mb)
{
	struct meta_inode row;
	int rc = meta_inode_get(t, ino, &row);

	if (rc == -ENOENT)
		return 1;
	if (rc < 0)
		return rc;
	if (!is(arg, &row))
		return 1;
	member_row(mb, &row);
	rc = meta_path(t, ino, &mb->path);
	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	mb->m.path = mb->path.data;
	mb->m.path_len = mb->path.len;
	return member_xattrs(mb, t, ino);
}

/*
 * What an index cannot say (a path or xattrs beyond its limits) must not
 * keep the bytes unprotected: they get a name by inode there. The database
 * knows the real one.
 */
int member_plain(struct member *mb)
{
	log_warn("inode %llu: its path or xattrs are too long for a pack's "
		 "index, which names it by number",
		 (unsigned long long)mb->m.inode);
	mb->path.len = 0;
	mb->m.xattrs = 0;
	if (buf_addf(&mb->path, ".mersey-inode-%llx",
		     (unsigned long long)mb->m.inode) < 0)
		return -ENOMEM;
	mb->m.path = mb->path.data;
	mb->m.path_len = mb->path.len;
	return 0;
}
