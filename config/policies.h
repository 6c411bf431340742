/* SPDX-License-Identifier: Apache-2.0 */
/* Policies after they were read: what their rules refer to. */
#ifndef MERSEY_CONFIG_POLICIES_H
#define MERSEY_CONFIG_POLICIES_H

#include "config/check.h"

/* Resolves the class of each rule; `n` is the policy's map. */
void config_policy_resolve(struct config_diag *d, struct tier_policy *p,
			   const struct config_node *n);
/* Frees what config_policy_owners() filled. */
void config_policy_owners_done(struct tier_policy *p);
/* Each tier that a policy names is one of each trust that uses it; of one that
 * nobody uses, of any trust. */
void config_check_policies(const struct config_check *k);

#endif
