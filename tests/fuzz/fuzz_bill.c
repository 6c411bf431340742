/* SPDX-License-Identifier: Apache-2.0 */
/* A provider's bill: what is taken is in range, what is not says why. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int look(void *arg, const struct bill_line *l, struct err *err)
{
	const money_t most = (money_t)MONEY_UNIT * 10000000000000000LL;

	must(l->line > 1);
	must(l->charge >= 0 && l->charge < BILL_CHARGES);
	must(bill_charge_name(l->charge) != NULL);
	must(strlen(l->currency) == 3);
	must(l->amount <= most && l->amount >= -most);
	must(l->has_quantity || l->quantity == 0);
	must(strlen(l->bucket) < sizeof(l->bucket));
	must(!strchr(l->bucket, ':'));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	FILE *f = size ? fmemopen((void *)data, size, "r") : NULL;
	int rc;

	if (!f)
		return 0;
	rc = bill_read(f, "GBP", look, NULL, &err);
	must(rc == 0 || (rc == -EINVAL && err.msg[0]));
	fclose(f);
	return 0;
}
