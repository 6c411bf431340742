/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting what is wrong: problems of the main file in the order of the
 * file, then those of other files. What is to be said about a node takes
 * file, line, column and the name of the key from it.
 */
#ifndef MERSEY_CONFIG_DIAG_H
#define MERSEY_CONFIG_DIAG_H

#include "config/config.h"
#include "config/node.h"

/* No more than these are kept; a last one says so. */
#define CONFIG_PROBLEMS_MAX 200

struct config_diag {
	struct config_problems *problems;
	const char *file; /* the main file, whose problems come first */
	size_t added;	  /* by this collector */
	size_t last;	  /* index of the newest, for config_suggest() */
	int rc;		  /* -ENOMEM once memory ran out */
};

/* About the value of a node. */
void config_report(struct config_diag *d, const struct config_node *n,
		   const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* About a node's key: unknown, repeated. */
void config_report_key(struct config_diag *d, const struct config_node *n,
		       const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* About the value of `key` in a map; without it (or NULL), about the map. */
void config_report_in(struct config_diag *d, const struct config_node *map,
		      const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* About a place without a node; `key` may be NULL. */
void config_report_at(struct config_diag *d, const char *file,
		      struct config_at at, const char *key, const char *fmt,
		      ...) __attribute__((format(printf, 5, 6)));

/* Says that the newest problem is a clash of two trusts. */
void config_shared(struct config_diag *d);

/* What to do about the newest problem. */
void config_suggest(struct config_diag *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Of `n` candidates the one that `word` was probably meant to be, or NULL.
 */
const char *config_nearest(const char *word, const char *const *candidate,
			   size_t n);

#endif
