/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML text as a tree that remembers where everything stands. Only the part
 * of YAML that a person needs: one document of maps, lists and scalars; what
 * could hide a value from the reader of the file (anchors, aliases, merge
 * keys, tags, directives, repeated keys) is a problem. Bounded in size, depth
 * and number of nodes.
 */
#ifndef MERSEY_CONFIG_NODE_H
#define MERSEY_CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

#define CONFIG_TEXT_MAX	 (1U << 20) /* bytes of one file */
#define CONFIG_NODES_MAX 50000
#define CONFIG_DEPTH_MAX 16
#define CONFIG_ITEMS_MAX 1000 /* of one map or list */

struct config_diag;

enum config_node_kind {
	CONFIG_NODE_BAD, /* reported already: say nothing more about it */
	CONFIG_NODE_SCALAR,
	CONFIG_NODE_MAP,
	CONFIG_NODE_LIST,
};

struct config_node {
	enum config_node_kind kind;
	const struct config_node *parent; /* NULL: the document */
	const char *file;		  /* borrowed */
	char *key;			  /* of a map's member, else NULL */
	struct config_at key_at;
	size_t index; /* of a list's member */
	struct config_at at;
	char *text; /* of a scalar */
	bool plain; /* not quoted */
	struct config_node **child;
	size_t n;
};

/*
 * Builds the tree; `file` (for messages) must outlive it. What is wrong goes
 * to d. *out stays NULL when the text is not YAML at all. 0 or -ENOMEM.
 */
int config_node_parse(const char *file, const char *text, size_t len,
		      struct config_diag *d, struct config_node **out);
void config_node_free(struct config_node *n);
DEFINE_GUARD(struct config_node *, config_node_free);

/* The member of a map; NULL when there is none, or `n` is no map or NULL. */
const struct config_node *config_node_get(const struct config_node *n,
					  const char *key);

/* "trusts.rem.tiers[0].bucket", with `.more` unless NULL; newly allocated. */
char *config_node_path(const struct config_node *n, const char *more);

#endif
