/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the directory store. */
#ifndef MERSEY_STORE_DIR_H
#define MERSEY_STORE_DIR_H

#include "store/call.h"
#include "store/drivers.h"

/* A key cannot hold '~', so a listing passes these by. */
#define DIR_TMP	  ".tmp~"  /* directory of files that get their name later */
#define DIR_CLAIM ".lock~" /* who uses the store */

/* --- dir_walk.c: directories, by descriptors -------------------------- */

/* fsyncs; EINVAL is a filesystem that has nothing to do for directories. */
int dir_sync(int fd);
int dir_open_sub(int at, const char *name);
/*
 * Opens the directory that path[0..len) names, below `at`, which it closes;
 * with `make` what is missing is made and all of it is made durable.
 * Descriptor or -errno.
 */
int dir_walk(int at, const char *path, size_t len, bool make);

/* --- dir_root.c: the directory that is the store ----------------------- */

struct dir_root {
	char *endpoint, *path; /* the store is <endpoint>/<path> */
	bool beside;	       /* see store_opts */
	_Atomic bool settled;  /* an object was seen in it */
	pthread_mutex_t lock;  /* guards what follows */
	int fd;		       /* -1 = it was not there yet */
	int claim;	       /* see dir_claim() */
};

/* Finds the directory, if it is there. *r is to be closed also on failure. */
int dir_root_open(struct dir_root *r, const struct store_opts *o,
		  struct err *err);
void dir_root_close(struct dir_root *r);
/*
 * A new descriptor of the directory. When it is not there it is made, or (not
 * with `make`) that is -EAGAIN: perhaps it is not mounted. An error of
 * store.h, explained.
 */
int dir_root_get(struct dir_root *r, bool make);

/* --- dir_claim.c: one gateway for one directory ------------------------- */

/*
 * Takes the lock of the directory `root`. Returns its descriptor, -1 when there
 * can be none (nothing can be written there, or its filesystem has no locks),
 * or -EBUSY with a sentence that names who has it.
 */
int dir_claim(int root, const char *where, int *out, struct err *err);
/* Gives it back; -1 is fine. */
void dir_unclaim(int root, int claim);
/* Removes what a gateway that ended in the middle of a put left behind. */
void dir_clean(int root);

/* --- dir_list.c --------------------------------------------------------- */

/*
 * Lists the objects below the directory `at`, whose keys all start with
 * prefix[0..base); as the method `list`. 0 or -errno of the kernel.
 */
int dir_list_tree(int at, const char *prefix, size_t base, const char *after,
		  size_t max, struct store_list *out);

#endif
