/* SPDX-License-Identifier: Apache-2.0 */
/* The types of scalar values: text to field, field to text, and in words. */
#ifndef MERSEY_CONFIG_VALUE_H
#define MERSEY_CONFIG_VALUE_H

#include "base/buf.h"
#include "base/units.h"
#include "config/emit.h"
#include "config/keys.h"
#include "config/read.h"

#define CONFIG_WHY 200

enum config_quoting { CONFIG_ANY_QUOTES, CONFIG_NO_QUOTES, CONFIG_QUOTES };

struct config_value_type {
	const char *name; /* "size", for people */
	const char *want; /* "write …" */
	enum config_quoting quoting;
	enum emit_style style; /* in config show */
	const char *json;      /* JSON Schema: the members of its type */
	/* 0, -EINVAL with why ("must …"), -ENOMEM. `field` is untouched on
	 * failure. */
	int (*parse)(const struct config_reader *r, const struct config_key *k,
		     const char *text, void *field, char why[CONFIG_WHY]);
	/* Appends the text of a field that is set. 0, -ENOMEM. */
	int (*format)(const struct config_key *k, const void *field,
		      struct buf *out);
};

/* Of a scalar type, or of the members of a list. */
const struct config_value_type *config_value_type(enum config_type t);
/* Of the members of a list of scalars; other types are their own. */
enum config_type config_member_type(enum config_type t);
/* A limit of a key (min, max), as the file would have it. */
void config_value_limit(const struct config_key *k, int64_t v,
			char out[UNITS_SIZE]);
/* Does a field of a scalar type hold anything? */
bool config_value_is_set(const struct config_key *k, const void *field);
/* Is it money in the currency of reports, whose sign stands before it? */
static inline bool config_type_is_amount(enum config_type t)
{
	return t == CONFIG_AMOUNT || t == CONFIG_BUDGET;
}
/* "list of …" included. */
const char *config_type_name(const struct config_key *k);

#endif
