/* SPDX-License-Identifier: Apache-2.0 */
/* Fills structs from a tree, as the tables of keys say. */
#ifndef MERSEY_CONFIG_READ_H
#define MERSEY_CONFIG_READ_H

#include "config/diag.h"
#include "config/keys.h"
#include "config/node.h"

struct config_reader {
	struct config_diag *diag;
	const char *dir;	     /* of the file: relative paths */
	const struct config *config; /* stores, defaults; NULL: a price table */
};

/*
 * Fills `base` (zeroed) from a map; what is not there gets its default.
 * `n` may be NULL: all defaults. Everything wrong is reported.
 */
void config_read_section(struct config_reader *r,
			 const struct config_section *s,
			 const struct config_node *n, void *base);

/* One scalar into `field`; false when it was wrong (and reported). */
bool config_read_scalar(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field);

#endif
