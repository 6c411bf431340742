/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of keys: one per section, one row per key. The reader, `config
 * show`, the JSON Schema and the key list of mersey.yaml(5) walk them; a key
 * exists when it has a row here, and nowhere else.
 *
 * A row whose `part` is later than CONFIG_PART has only a name: it is refused
 * like any unknown key, with a better explanation.
 */
#ifndef MERSEY_CONFIG_KEYS_H
#define MERSEY_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_emit;
struct config_node;
struct config_reader;

#define CONFIG_PART 5

enum config_type {
	/* scalars; what they fill */
	CONFIG_TEXT,	   /* char *, or a char array when `chars` */
	CONFIG_PATH,	   /* char *, absolute */
	CONFIG_ACCOUNT,	   /* char * */
	CONFIG_NUMBER,	   /* unsigned, or uint64_t */
	CONFIG_BYTES,	   /* uint64_t */
	CONFIG_DURATION,   /* int64_t, nanoseconds */
	CONFIG_RATE,	   /* uint64_t, bytes a second */
	CONFIG_WHEN,	   /* struct when */
	CONFIG_PERCENT,	   /* unsigned */
	CONFIG_BOOL,	   /* bool */
	CONFIG_CHOICE,	   /* enum or bool: index into `choices` */
	CONFIG_MODE,	   /* unsigned */
	CONFIG_MONEY,	   /* money_t */
	CONFIG_AMOUNT,	   /* money_t, in the currency of reports */
	CONFIG_BUDGET,	   /* the same, of a month */
	CONFIG_BOUND_SIZE, /* struct tier_bound */
	CONFIG_BOUND_AGE,  /* the same */
	CONFIG_BOUND_DATE, /* the same */
	CONFIG_SCHEDULE,   /* of a struct tier_trigger */
	CONFIG_DATE,	   /* char[11] */
	CONFIG_STORE,	   /* const struct config_store * */
	CONFIG_POLICY,	   /* const struct tier_policy * */
	/* lists of scalars: struct config_names */
	CONFIG_PATHS,
	CONFIG_ACCOUNTS,
	CONFIG_WORDS,
	/* one scalar or a list of them: struct tier_words */
	CONFIG_ANY_WORDS,
	CONFIG_ANY_ACCOUNTS,
	/* with a section of their own */
	CONFIG_SECTION, /* one map; fills the struct at `offset` */
	CONFIG_NAMED,	/* map of named sections: pointer + count */
	CONFIG_ITEMS,	/* list of sections: pointer (or array) + count */
};

struct config_section;

#define CONFIG_ANY_MAX 200 /* items of one */

struct config_key {
	const char *name;
	unsigned part; /* 0 = 1 */
	enum config_type type;
	bool required;
	bool chars;	      /* text lies in the struct itself */
	const char *def;      /* default, as the file would have it */
	const char *computed; /* default that hangs on other keys, in words */
	const char *only;     /* only with these values of the discriminator */
	const char *help;     /* sentences */
	size_t offset, size, count_offset;
	bool has_flag; /* a bool beside the field says whether it is set */
	size_t flag_offset;
	int64_t min, max;	    /* of numbers, bytes, ns; max 0 = none */
	const char *const *choices; /* ends with NULL */
	const char *pattern;
	const char *(*check)(const char *text);
	const struct config_section *section;
};

/* Keys whose names the file chooses, in a map beside the fixed ones. */
struct config_any {
	struct config_key key; /* name is a placeholder: "<store>" */
	/* A value may be a map of these instead; NULL = no. */
	const struct config_section *map;
	const char *name_pattern;
	/* Reads one member; what is wrong is reported. */
	void (*read)(struct config_reader *r, const struct config_node *n,
		     void *base);
	void (*show)(struct config_emit *e, const void *base);
	void (*done)(void *base);
};

struct config_section {
	const struct config_key *keys;
	size_t n;
	/* More keys, whose defaults are inherited: an item starts as a copy
	 * of the root's `defaults`. */
	const struct config_section *inherited;
	const struct config_any *any;
	/* The first key, on whose value the keys with `only` depend. */
	bool has_discriminator;
	bool exactly_one; /* of the keys must be there */
	/* Of NAMED and ITEMS: one item. */
	size_t size;
	unsigned max_items; /* 0 = no limit of its own */
	bool in_place;	    /* ITEMS: an array of max_items in the struct; holds
			       nothing to be freed, so that it can be copied */
	const char *placeholder; /* "<trust>" */
	size_t name_offset;
	size_t name_size; /* 0 = char *, else a char array */
	const char *name_pattern;
	const char *(*name_check)(const char *name);
	/* Set to true when the section is there at all. */
	bool has_present;
	size_t present_offset;
};

/* For rows: the field a key fills, an array and its count, a section's
 * table. */
#define CONFIG_FIELD(type, field) \
	.offset = offsetof(type, field), .size = sizeof(((type *)0)->field)
#define CONFIG_MANY(type, array, count) \
	CONFIG_FIELD(type, array), .count_offset = offsetof(type, count)
#define CONFIG_FLAGGED(type, field, flag)            \
	CONFIG_FIELD(type, field), .has_flag = true, \
				   .flag_offset = offsetof(type, flag)
#define CONFIG_ROWS(rows) .keys = (rows), .n = sizeof(rows) / sizeof((rows)[0])

/* mersey.yaml; fills struct config. */
extern const struct config_section config_root;
/* What trusts inherit: the section `defaults`. */
extern const struct config_section config_defaults;
/* A policy; fills struct tier_policy. */
extern const struct config_section config_policy_keys;
/* A price table; fills struct price_table. */
extern const struct config_section config_price_table;

static inline bool config_key_known(const struct config_key *k)
{
	return k->part <= CONFIG_PART;
}

/* By name, also among the inherited and the later ones; NULL = none. */
const struct config_key *config_key_find(const struct config_section *s,
					 const char *name);

/* The flag beside a field. */
static inline bool *config_flag(const struct config_key *k, const void *field)
{
	return (bool *)((char *)field - k->offset + k->flag_offset);
}

/* Is the key for that value of the discriminator? */
bool config_key_fits(const struct config_key *k, const char *value);

/* Of NAMED and ITEMS: the first item in a filled struct. */
char *config_items(const struct config_key *k, const void *base);

/* The index of the discriminator in a filled struct, as text. */
const char *config_discriminator(const struct config_section *s,
				 const void *base);

/* Frees what a filled struct holds; it is empty afterwards. */
void config_section_done(const struct config_section *s, void *base);

#endif
