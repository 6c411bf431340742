/* SPDX-License-Identifier: Apache-2.0 */
/* Reports in pounds, at 79 pence for a dollar; dates; exact amounts. */
#ifndef MERSEY_TESTS_COST_POUNDS_H
#define MERSEY_TESTS_COST_POUNDS_H

#include "tests/unit/cost/util.h"

#include "base/units.h"

static struct price_rate rates[] = { { "USD", 7900000000LL } };
static const struct price_exchange pounds = { .currency = "GBP",
					      .rates = rates,
					      .n_rates = 1 };

static inline int32_t day(const char *s)
{
	int32_t d = -1;

	assert_int_equal(units_parse_date(s, &d), 0);
	return d;
}

static inline int64_t at(const char *date, int hour)
{
	return ((int64_t)day(date) * 86400 + hour * 3600) * NSEC_PER_SEC;
}

/* A table in dollars, with 9 cents for a GB that leaves. */
#define DOLLAR_TABLE(list)                                           \
	{                                                            \
		.name = "aws", .currency = "USD", .classes = (list), \
		.n_classes = ARRAY_SIZE(list), .egress_gb = {        \
			true,                                        \
			true,                                        \
			900000000                                    \
		}                                                    \
	}

#endif
