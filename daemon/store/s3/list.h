/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to ListObjectsV2. */
#ifndef MERSEY_STORE_S3_LIST_H
#define MERSEY_STORE_S3_LIST_H

#include "store/store.h"

struct s3_page {
	struct store_list list; /* `more` as the answer says */
	char *last; /* the last key, also when it is none of ours; NULL none */
};

/* Frees the keys. */
void s3_page_done(struct s3_page *p);

/*
 * Reads a ListBucketResult of at most `max` objects. All keys must come in
 * ascending order behind `after` and start with `strip`, which is cut off.
 * What store_key_ok() does not allow is somebody else's object and left out.
 * `out` is empty on entry and to be freed also on failure. 0, -EPROTO or
 * -ENOMEM.
 */
int s3_list_parse(const void *xml, size_t len, const char *strip,
		  const char *after, size_t max, struct s3_page *out);

/* Gets one page of keys that start with `prefix`, behind `after`; both are
 * whole keys of the bucket. 0 or -errno, explained. */
typedef int (*s3_page_fn)(void *arg, const char *prefix, const char *after,
			  size_t max, struct s3_page *out);

/*
 * Lists as struct store_ops says; `strip` is the store's own prefix. Asks for
 * more pages when one has only other people's objects.
 */
int s3_list_pages(s3_page_fn page, void *arg, const char *strip,
		  const char *prefix, const char *after, size_t max,
		  struct store_list *out);

/*
 * Undoes percent encoding in place. False when it is broken or hides a NUL.
 * '+' stands for a space, which no key of ours has.
 */
bool s3_url_decode(char *s);

#endif
