/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes files of a pack below a directory. Paths in a pack are foreign:
 * nothing is ever written outside, whatever they say and whatever symlinks
 * lie there.
 */
#ifndef MERSEY_CLI_EXTRACT_H
#define MERSEY_CLI_EXTRACT_H

#include "base/err.h"
#include "pack/pack.h"

/* May this member path be used? Relative, no empty, "." or ".." parts, no
 * NUL, each part at most 255 bytes. */
bool extract_path_ok(const void *path, size_t len);

struct extract {
	struct pack_reader *reader;
	int dir; /* descriptor; everything lands below it */
	bool force;
};

/*
 * Writes one member: its directories, its bytes in this pack (what lies
 * between them stays a hole), mode, times and user xattrs. The owner is
 * whoever calls. *attrs_lost says that some of the latter could not be set.
 *
 * A file that exists is -EEXIST; with force it is replaced, or, when it is of
 * this size and time, taken for the rest of the same file from another pack
 * and completed. A file that cannot be written whole is removed again.
 */
int extract_member(const struct extract *x, size_t i, bool *attrs_lost,
		   struct err *err);

#endif
