/* SPDX-License-Identifier: Apache-2.0 */
/* The tiers of the trust, by name. */
#include "move/impl.h"

#include <string.h>

void tiers_init(struct move *mv)
{
	struct move_tier *first = &mv->s.tier[0];

	if (mv->s.n_tiers > 0)
		return;
	mv->one_tier = true;
	mv->s.n_tiers = 1;
	*first = (struct move_tier){ .name = mv->o.tier,
				     .storage_class = mv->o.storage_class,
				     .object_size = mv->o.object_size };
	memcpy(first->cause, mv->s.cause, sizeof(first->cause));
}

int tier_find(const struct move *mv, const char *name)
{
	size_t i;

	if (mv->one_tier)
		return 0;
	for (i = 0; i < mv->s.n_tiers; i++)
		if (strcmp(mv->s.tier[i].name, name) == 0)
			return (int)i;
	return -ENODEV;
}
