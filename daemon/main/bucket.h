/* SPDX-License-Identifier: Apache-2.0 */
/* Can a bucket do what Mersey needs? Asked once, when a trust is added. */
#ifndef MERSEY_MAIN_BUCKET_H
#define MERSEY_MAIN_BUCKET_H

#include "base/err.h"
#include "meta/meta.h"
#include "store/store.h"

/* As fail(), for something that a store just refused: the message goes on
 * with what the error is, and in which words the store said it. */
int bucket_fail(struct err *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Writes, reads and deletes an object below scratch/, and tries whether
 * create-only is kept; it must be, unless there is a `single_writer`. *caps
 * is what the store was seen to do. `err` says which of it did not work.
 */
int bucket_check(struct store *s, bool single_writer, struct store_caps *caps,
		 struct err *err);

/* Does the store take objects of the class? Tried with one below scratch/. */
int bucket_check_class(struct store *s, const char *storage_class,
		       struct err *err);

/* Puts an object that must not be there: -EEXIST. A store that cannot do that
 * in one step (`create_only` is not) is asked first, which is weaker. */
int bucket_create(struct store *s, bool create_only, const char *key,
		  const void *p, size_t n);

/* Logs what a bucket can do. */
void bucket_tell(const struct store_caps *caps, const char *store,
		 const char *bucket);

/* 1 when the bucket holds packs, 0 when not, or -errno. */
int bucket_has_packs(struct store *s, struct err *err);

/* 1 when the namespace names objects that must be in a bucket: of the tier, or
 * (NULL) of any; 0 when not, or -errno. */
int bucket_is_named(struct meta *m, const char *tier, struct err *err);

#endif
