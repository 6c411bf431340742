/* SPDX-License-Identifier: Apache-2.0 */
/* What an S3 server says in header lines: one line for each of the input. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "store/s3/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

#define ENDS(text) (memchr(text, '\0', sizeof(text)) != NULL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct s3_request r = { .answer.length = -1 };
	const struct s3_answer *a = &r.answer;
	CLEANUP_FREE char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		size_t n = (size_t)(end + 1 - p);

		/* It asks libcurl for the status, which there is none of. */
		if (strncmp(p, "HTTP/", 5) == 0)
			continue;
		must(s3_on_header(p, 1, n, &r) == n);
	}
	must(ENDS(a->etag) && ENDS(a->storage_class) && ENDS(a->version) &&
	     ENDS(a->region) && ENDS(a->sha256));
	must(a->length >= -1);
	must(!a->has_range || (a->first <= a->last && a->last < a->total));
	must(a->restore.until_ns >= 0 && a->modified_ns >= 0);
	must(!a->restore.ongoing || a->restore.until_ns == 0);
	return 0;
}
