/* SPDX-License-Identifier: Apache-2.0 */
/* Between dir.c and dir_list.c. */
#ifndef MERSEY_STORE_DIR_H
#define MERSEY_STORE_DIR_H

#include "store/call.h"
#include "store/drivers.h"

/* A key cannot hold '~', so a listing passes these by. */
#define DIR_TMP_PREFIX ".tmp~"

/*
 * Lists the objects below the directory `at`, whose keys all start with
 * prefix[0..base); as the method `list`. 0 or -errno of the kernel.
 */
int dir_list_tree(int at, const char *prefix, size_t base, const char *after,
		  size_t max, struct store_list *out);

#endif
