/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: from an inode to a path, and back. */
#include "meta/internal.h"

#include <string.h>

/* A path of the longest length has no more names. */
#define PATH_DEPTH_MAX (META_PATH_MAX / 2 + 1)

enum { NAME };
static const char *const sql[] = {
	[NAME] = "SELECT parent, name FROM dirent WHERE ino = ?1"
		 " ORDER BY parent, name LIMIT 1",
};

static void path_reverse(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		uint8_t c = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = c;
	}
}

/* Appends one name of `ino`, backwards; *parent is its directory. */
static int path_climb(struct meta_txn *t, uint64_t ino, struct buf *out,
		      uint64_t *parent)
{
	struct db_stmt *st = m_stmt(t, META_G_PATH, NAME, sql);
	size_t start = out->len;
	int rc;

	m_bind_u64(st, 1, ino);
	rc = m_row(t, st);
	if (rc < 0)
		return rc;
	*parent = (uint64_t)db_int(st, 0);
	rc = m_append(st, 1, out);
	db_reset(st);
	if (rc == 0)
		path_reverse(out->data + start, out->len - start);
	return rc;
}

int meta_path(struct meta_txn *t, uint64_t ino, struct buf *out)
{
	size_t start = out->len, depth = 0;
	int rc = 0;

	while (ino != META_ROOT_INO) {
		if (depth > 0)
			rc = buf_add_u8(out, '/');
		if (rc == 0)
			rc = path_climb(t, ino, out, &ino);
		if (rc == 0 && ++depth > PATH_DEPTH_MAX)
			rc = -ELOOP;
		if (rc == 0 && out->len - start > META_PATH_MAX)
			rc = -ENAMETOOLONG;
		if (rc < 0) {
			out->len = start;
			return rc;
		}
	}
	path_reverse(out->data + start, out->len - start);
	return 0;
}

int meta_resolve(struct meta_txn *t, const char *path, size_t len,
		 uint64_t *ino)
{
	const char *end = path + len;
	uint64_t at = META_ROOT_INO;
	int rc;

	while (path < end) {
		const char *s = memchr(path, '/', (size_t)(end - path));
		size_t n = (size_t)((s ? s : end) - path);

		if (n > META_NAME_MAX)
			return -ENAMETOOLONG;
		if (n > 0) {
			rc = meta_dirent_get(t, at, path, n, &at);
			if (rc < 0)
				return rc;
		}
		path += n + 1;
	}
	*ino = at;
	return 0;
}
