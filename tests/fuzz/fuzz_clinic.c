/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a list holds: rows that say something, or an error that says what
 * is wrong. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/clinic.h"
#include "ctl/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clinic_list l = { 0 };
	struct err err = ERR_INIT;
	size_t i;
	FILE *f;
	int rc;

	if (!size)
		return 0;
	f = fmemopen((void *)data, size, "r");
	must(f != NULL);
	rc = clinic_read(f, &l, &err);
	must(rc == 0 ? l.n > 0 : rc == -EINVAL && err.msg[0]);
	must(l.n <= CLINIC_MAX);
	for (i = 0; i < l.n; i++) {
		size_t n = strlen(l.row[i].patient);

		must(n > 0 && n < sizeof(l.row[i].patient));
		must(proto_is_utf8(l.row[i].patient, n));
		must(l.row[i].at_ns >= 0 && l.row[i].line > 0);
	}
	clinic_done(&l);
	fclose(f);
	return 0;
}
