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

bool price_class_archive(const struct price_class *c)
{
	size_t i;

	for (i = 0; i < PRICE_SPEEDS; i++)
		if (c->recall[i].known)
			return true;
	return false;
}

int price_rate_of(const struct price_exchange *x, const char *from,
		  money_t *out)
{
	size_t i;

	if (strcmp(from, x->currency) == 0) {
		*out = MONEY_UNIT;
		return 0;
	}
	for (i = 0; i < x->n_rates; i++)
		if (strcmp(x->rates[i].from, from) == 0) {
			*out = x->rates[i].per_unit;
			return 0;
		}
	return -ENOENT;
}

int price_convert(const struct price_exchange *x, const char *from, money_t in,
		  money_t *out)
{
	money_t rate;
	int rc = price_rate_of(x, from, &rate);

	if (rc < 0)
		return rc;
	*out = rate == MONEY_UNIT
		       ? in
		       : money_scale(in, (unsigned __int128)rate, MONEY_UNIT);
	return 0;
}
