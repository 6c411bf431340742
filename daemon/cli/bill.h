/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider's bill as CSV: AWS Cost and Usage Reports (both ways of naming
 * columns), FOCUS, and a plain form; see cost reconcile in mersey(1). It comes
 * from elsewhere and may hold anything.
 */
#ifndef MERSEY_CLI_BILL_H
#define MERSEY_CLI_BILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "price/price.h"

enum bill_charge {
	BILL_STORAGE,
	BILL_REQUESTS,
	BILL_RETRIEVAL,
	BILL_TRANSFER,
	BILL_EARLY_DELETION,
	BILL_MINIMUM_SIZE,
	BILL_TAX,
	BILL_UNKNOWN, /* of the provider, but of no kind that the ledger has */
	BILL_CHARGES,
};
/* "storage", "tax"; those that the ledger has as it calls them. */
const char *bill_charge_name(enum bill_charge c);

struct bill_line {
	size_t line; /* of the file */
	char bucket[256];
	char usage[128];	/* "EUW2-TimedStorage-GIR-ByteHrs" */
	char storage_class[32]; /* "" = none: transfer, tax */
	enum bill_charge charge;
	money_t amount;
	money_t quantity; /* a decimal; 0 with has_quantity false */
	bool has_quantity;
	char currency[PRICE_CURRENCY];
	int32_t from, to; /* days, both included; 0, 0 = not said */
};

/*
 * Calls `fn` for each line; it returns 0, or -errno with err to stop. Lines of
 * other products than object storage are passed over. 0, -EINVAL with err: it
 * is no bill, or no CSV; the message names the line.
 */
typedef int (*bill_fn)(void *arg, const struct bill_line *l, struct err *err);
int bill_read(FILE *f, const char *currency, bill_fn fn, void *arg,
	      struct err *err);

/* A number as bills have it ("1.2E-7", more places than we keep), rounded.
 * -EINVAL, -ERANGE. */
int bill_number(const char *s, money_t *out);

#endif
