/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to DeleteObjects. */
#ifndef MERSEY_STORE_S3_DELETED_H
#define MERSEY_STORE_S3_DELETED_H

#include <stddef.h>

/*
 * Reads a DeleteResult: rc[i] of keys[0..n), which are in ascending order and
 * stand behind `prefix` there, becomes 0 for what was deleted or was not
 * there, or -errno; -EPROTO for what it does not speak of. Returns 0, or
 * -EPROTO when it is none, or -ENOMEM; then all rc are that.
 */
int s3_deleted_parse(const void *xml, size_t len, const char *prefix,
		     const char *const *keys, size_t n, int *rc);

#endif
