/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, for requests that carry it in the Authorization
 * header. Source: "Authenticating Requests (AWS Signature Version 4)", Amazon
 * S3 API Reference. Nothing here knows of a network.
 */
#ifndef MERSEY_STORE_S3_SIGN_H
#define MERSEY_STORE_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define S3_SHA256_HEX 65 /* with the NUL */
#define S3_DATE_SIZE  17 /* "20130524T000000Z" and the NUL */

/* A header (name in lower case) or a query parameter, neither encoded. */
struct s3_field {
	const char *name;
	const char *value;
};

struct s3_signer {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service; /* "s3" */
};

struct s3_signable {
	const char *method;
	const char *path;		/* encoded, as it is sent */
	const char *query;		/* of s3_query(), as it is sent */
	const struct s3_field *headers; /* sorted by name, values trimmed */
	size_t n_headers;
	const char *payload_hash; /* x-amz-content-sha256 */
	const char *date;	  /* x-amz-date */
};

/* Writes the value of the Authorization header to `out`. 0 or -errno. */
int s3_sign(const struct s3_signer *signer, const struct s3_signable *what,
	    struct buf *out);

/* The hash of a payload, in hex. 0 or -EIO. */
int s3_sha256_hex(const void *data, size_t len, char out[S3_SHA256_HEX]);

/* The time as S3 writes it. Returns `out`. */
const char *s3_date(int64_t wall_ns, char out[S3_DATE_SIZE]);

/* Appends `s` percent-encoded as S3 wants it; '/' stays if `path`. */
int s3_encode(struct buf *out, const char *s, bool path);

/* Appends the query string of n (<= 16) fields: encoded, then sorted. */
int s3_query(struct buf *out, const struct s3_field *fields, size_t n);

#endif
