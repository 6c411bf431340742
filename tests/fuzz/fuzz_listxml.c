/* SPDX-License-Identifier: Apache-2.0 */
/* What an S3 server says in XML: a listing, or an error. */
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "store/s3/errors.h"
#include "store/s3/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void list(const uint8_t *data, size_t size, const char *strip)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };
	int rc = s3_list_parse(data, size, strip, "", 1000, &p);

	must(rc == 0 || rc == -EPROTO || rc == -ENOMEM);
	must(p.list.n <= 1000);
	for (size_t i = 0; rc == 0 && i < p.list.n; i++) {
		must(store_key_ok(p.list.entry[i].key));
		must(i == 0 ||
		     strcmp(p.list.entry[i - 1].key, p.list.entry[i].key) < 0);
	}
	must(rc < 0 || p.list.n == 0 || p.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct s3_error e;

	list(data, size, "");
	list(data, size, "p/");
	s3_error_parse(data, size, &e);
	must(strlen(e.code) < sizeof(e.code));
	must(strlen(e.message) < sizeof(e.message));
	return 0;
}
