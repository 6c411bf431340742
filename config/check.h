/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no single key shows: values that must fit each other, within a trust
 * and between trusts. All look at a config that may have holes (NULL) where
 * keys were wrong, and say nothing about those.
 */
#ifndef MERSEY_CONFIG_CHECK_H
#define MERSEY_CONFIG_CHECK_H

#include "config/diag.h"
#include "config/node.h"

struct config_check {
	struct config_diag *diag;
	const struct config *config;
	const struct config_node *root; /* of the main file */
	bool prices_known;		/* every price table could be read */
};

/* Each section for itself, and what it refers to. */
void config_check_all(const struct config_check *k);
/* Trusts against each other: service accounts, buckets. */
void config_check_trusts(const struct config_check *k);
/* Directories, mount points and secrets against each other. */
void config_check_paths(const struct config_check *k);

/* The map of a store or a trust. */
static inline const struct config_node *
config_check_node(const struct config_check *k, const char *section, size_t i)
{
	return config_node_get(k->root, section)->child[i];
}

#endif
