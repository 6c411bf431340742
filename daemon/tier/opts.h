/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as config reads it and tier matches it, and what tiering is told
 * of a trust's tiers. Strings and arrays belong to who filled it.
 */
#ifndef MERSEY_TIER_OPTS_H
#define MERSEY_TIER_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "price/price.h"

enum tier_action { TIER_KEEP, TIER_PIN, TIER_EVICT, TIER_RECALL, TIER_MOVE };

enum tier_compare { TIER_ANY, TIER_LT, TIER_LE, TIER_EQ, TIER_GE, TIER_GT };

/* "> 90d", ">= 64KiB", "< 2020-01-31". Bytes, ns or days since 1970. */
struct tier_bound {
	enum tier_compare op; /* TIER_ANY: no condition */
	int64_t value;
};

#define TIER_GLOB_MAX 512 /* bytes */

struct tier_words {
	char **word;
	size_t n;
};

/* A file class: all that is set must hold; of a list, any item. */
struct tier_class {
	char *name;
	struct tier_words path; /* globs: *, ?, [..], ** over slashes;
				   each at most TIER_GLOB_MAX long */
	struct tier_bound size;
	struct tier_bound last_access, last_modified, created; /* ages, ns */
	struct tier_words owner;      /* users, by name or number */
	uid_t *uid;		      /* of owner, in its order; NULL: not
					 resolved yet (config_policy_owners) */
	struct tier_words modality;   /* any of the study's */
	struct tier_bound study_date; /* a date */
	struct tier_bound study_age;  /* an age, ns */
	struct tier_words tier;	      /* where it is now; "local": cached */
	struct tier_words xattr;      /* "user.name" or "user.name=value" */
};

struct tier_rule {
	char *class_name; /* `for` */
	size_t class;	  /* index */
	enum tier_action action;
	char *to;	/* tier; TIER_MOVE only */
	int64_t for_ns; /* TIER_PIN: so long; 0 = until it is unpinned */
};

/* When `tier run` starts by itself; exactly one is set. */
struct tier_trigger {
	bool scheduled;
	uint8_t days;		/* as in struct when; local time */
	uint16_t minute;	/* of the day */
	unsigned cache_above;	/* per cent; 0 = not set */
	int64_t unprotected_ns; /* oldest unprotected byte; 0 = not set */
};

struct tier_limits {			       /* of one run; 0 = none */
	uint64_t bytes, files, requests, rate; /* rate: bytes a second */
	money_t money;
	bool has_money;
};

struct tier_policy {
	char *name;
	struct tier_class *classes;
	size_t n_classes;
	struct tier_rule *rules;
	size_t n_rules;
	struct tier_trigger *triggers;
	size_t n_triggers;
	struct tier_limits limits;
	unsigned stop_errors;  /* per cent of files; 0 = never */
	uint64_t stop_minimum; /* files, before that counts */
};

/* One tier of the trust, in order; the cache is not one of them. */
struct tier_terms {
	const char *name, *store, *bucket, *storage_class;
	unsigned place; /* tiers of one place share bucket and endpoint */
	uint64_t object_size;
	const struct price_table *prices; /* NULL: unpriced */
	const struct price_class *class;  /* NULL: unpriced */
	bool archive;			  /* reads need a restore first */
};

struct tier_opts {
	const struct tier_policy *policy;   /* of the trust; NULL = none */
	const struct tier_policy *policies; /* all, by name: --policy */
	size_t n_policies;
	const struct tier_terms *tier;
	size_t n_tiers;
	const struct price_exchange *exchange;
	money_t budget; /* a month, in the currency of reports */
	bool has_budget;
	/* What this month cost until now, as the cost report has it, in that
	 * currency; 0 or -errno. NULL: not known, and no budget holds. */
	int (*spent)(void *arg, money_t *out);
	void *spent_arg;
	int64_t recall_wait_ns;
	int64_t delete_after_ns; /* what is replaced is billed so long */
	uint64_t cache_size;
};

#endif
