/* SPDX-License-Identifier: Apache-2.0 */
#include "price/price.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void price_table_done(struct price_table *t)
{
	free(t->classes);
	*t = (struct price_table){ 0 };
}

const struct price_class *price_table_class(const struct price_table *t,
					    const char *name)
{
	size_t i;

	if (!name || !*name)
		name = "STANDARD";
	for (i = 0; i < t->n_classes; i++)
		if (strcmp(t->classes[i].name, name) == 0)
			return &t->classes[i];
	return NULL;
}

int price_convert(const struct price_exchange *x, const char *from, money_t in,
		  money_t *out)
{
	size_t i;

	if (strcmp(from, x->currency) == 0) {
		*out = in;
		return 0;
	}
	for (i = 0; i < x->n_rates; i++) {
		const struct price_rate *r = &x->rates[i];

		if (strcmp(r->from, from) != 0)
			continue;
		*out = money_scale(in, (unsigned __int128)r->per_unit,
				   MONEY_UNIT);
		return 0;
	}
	return -ENOENT;
}
