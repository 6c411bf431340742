/* SPDX-License-Identifier: Apache-2.0 */
/* Values of policies and budgets: bounds, amounts, starting times. As the
 * functions of struct config_value_type. */
#ifndef MERSEY_CONFIG_VALUE_TIER_H
#define MERSEY_CONFIG_VALUE_TIER_H

#include "config/value.h"

#define CONFIG_PARSES(name)                                                   \
	int config_parse_##name(const struct config_reader *r,                \
				const struct config_key *k, const char *text, \
				void *field, char why[CONFIG_WHY])
#define CONFIG_FORMATS(name)                                 \
	int config_format_##name(const struct config_key *k, \
				 const void *field, struct buf *out)

CONFIG_PARSES(bound);
CONFIG_FORMATS(bound);
CONFIG_PARSES(amount);
CONFIG_PARSES(budget);
CONFIG_FORMATS(budget);
CONFIG_PARSES(schedule);
CONFIG_FORMATS(schedule);

/* Of value.c: an exact decimal. */
CONFIG_PARSES(money);
CONFIG_FORMATS(money);
int config_value_why(char why[CONFIG_WHY], const char *text);

#endif
