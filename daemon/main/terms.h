/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reports and policies are told of a trust: its tiers with their prices,
 * its policy and budget, and what the month has cost until now.
 */
#ifndef MERSEY_MAIN_TERMS_H
#define MERSEY_MAIN_TERMS_H

#include "cost/cost.h"
#include "main/conf.h"
#include "tier/opts.h"

struct terms {
	struct cost_tier cost_tier[MOVE_TIERS_MAX];
	struct cost_opts cost;
	struct tier_terms tier[MOVE_TIERS_MAX];
	struct tier_opts policies;
	const struct config *config;
	const struct config_trust *trust;
	struct meta *meta;
	/* Writes down what is new before a month is added up; NULL, until it
	 * is set: not. */
	struct cost_ledger *ledger;
};

/* Both borrowed. 0 or -ENOMEM; terms_done() also then. */
int terms_init(struct terms *t, const struct conf_trust *ct, struct meta *m);
void terms_done(struct terms *t);

/*
 * Appends the tiers that the config does not have and where objects of the
 * trust lie, as "'cool', 'cold'"; nothing: there are none. 0 or -errno.
 */
int terms_missing(const struct conf_trust *ct, struct meta *m, struct buf *out);

/* Reads a policy that stands in no config; `arg` is the terms. -EINVAL with the
 * first mistake in err. config_policy_done() frees it. */
int terms_policy(void *arg, const char *name, const char *text,
		 struct tier_policy *out, struct err *err);

#endif
