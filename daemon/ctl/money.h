/* SPDX-License-Identifier: Apache-2.0 */
/* Inside ctl: what the verbs of money say in JSON. */
#ifndef MERSEY_CTL_MONEY_H
#define MERSEY_CTL_MONEY_H

#include "ctl/verbs.h"

/* {amount, currency}. NULL without memory. */
json_t *ctl_money(money_t m, const char *currency);
/* n/d as text, cut behind the 18th place. NULL without memory. */
json_t *ctl_decimal(unsigned __int128 n, uint64_t d);
/* {from, to}: dates, both included; `to` is a day that is exclusive. */
json_t *ctl_days(int32_t from, int32_t to);
/* Texts that may be NULL-ended or counted; NULL without memory. */
json_t *ctl_texts(char *const *text, size_t n);

/* So much of an item was charged. */
struct ctl_counted {
	enum price_item item;
	unsigned __int128 quantity;
	struct price_figure figure;
	const char *currency; /* of the figure */
	money_t amount;	      /* in the currency of reports */
};
/* Adds to o: charge, item, meter, unit, quantity, consumed_unit, consumed,
 * price, amount, as_of, confirmed. */
int ctl_counted(json_t *o, const struct price_exchange *x,
		const struct ctl_counted *n);

#endif
