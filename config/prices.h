/* SPDX-License-Identifier: Apache-2.0 */
/* Price table files. */
#ifndef MERSEY_CONFIG_PRICES_H
#define MERSEY_CONFIG_PRICES_H

#include "config/diag.h"
#include "config/node.h"

/*
 * Reads the files of cost.prices into c->prices. Problems in them are
 * reported with their own names. True when all could be read.
 */
bool config_prices_load(struct config_diag *d, struct config *c,
			const struct config_node *list);

#endif
