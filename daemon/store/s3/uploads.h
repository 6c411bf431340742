/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to ListMultipartUploads. */
#ifndef MERSEY_STORE_S3_UPLOADS_H
#define MERSEY_STORE_S3_UPLOADS_H

#include <stddef.h>
#include <stdint.h>

/* Begun and neither completed nor aborted. */
struct s3_leftover {
	char *key; /* without the prefix */
	char *id;
	int64_t started_ns; /* by the store's clock */
};

struct s3_uploads {
	struct s3_leftover *upload;
	size_t n;
};

void s3_uploads_done(struct s3_uploads *l);

/*
 * Reads a ListMultipartUploadsResult. What does not start with `strip`, is no
 * key of ours behind it or does not say when it was started is left out.
 * `out` is empty on entry and to be freed also on failure. 0, -EPROTO or
 * -ENOMEM.
 */
int s3_uploads_parse(const void *xml, size_t len, const char *strip,
		     struct s3_uploads *out);

#endif
