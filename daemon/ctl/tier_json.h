/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of policies share: verb_tier.c, verb_tier_run.c. */
#ifndef MERSEY_CTL_TIER_JSON_H
#define MERSEY_CTL_TIER_JSON_H

#include "ctl/verbs.h"
#include "tier/tier.h"

/* Has this worker policies? 0, or -ENOTSUP with err. */
int ctl_tier(struct ctl_call *c);
/* The policy that the call names or sends, or the trust's own; borrowed until
 * the call is answered. -EINVAL, -ENOTSUP. */
int ctl_tier_policy(struct ctl_call *c, const struct tier_policy **out);
json_t *ctl_tier_money(const struct ctl_call *c, money_t m);
/* A whole plan; NULL without memory. */
json_t *ctl_tier_plan(const struct ctl_call *c, const struct tier_plan *p);

#endif
