/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a metadata service. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3/role_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST_END(text)                                 \
	do {                                           \
		if (!memchr(text, '\0', sizeof(text))) \
			abort();                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct s3_role r;
	char *exact = malloc(size + 1); /* its end is what it may read */
	int rc;

	if (!exact)
		return 0;
	memcpy(exact + 1, data, size);
	rc = s3_role_parse(exact + 1, size, &r);
	free(exact);
	if (rc != 0 && rc != -EPROTO)
		abort();
	MUST_END(r.code);
	MUST_END(r.message);
	MUST_END(r.access_key);
	MUST_END(r.secret_key);
	MUST_END(r.token);
	MUST_END(r.expiration);
	if (rc < 0 && (r.secret_key[0] || r.token[0]))
		abort();
	return 0;
}
