/* SPDX-License-Identifier: Apache-2.0 */
/* What a metadata service answers: one JSON object of strings. */
#ifndef MERSEY_STORE_S3_ROLE_JSON_H
#define MERSEY_STORE_S3_ROLE_JSON_H

#include <stddef.h>

#define S3_ROLE_TOKEN_MAX 8192

struct s3_role {
	char code[64];	   /* "Success", or why not; "" not said */
	char message[200]; /* "" */
	char access_key[129];
	char secret_key[257];
	char token[S3_ROLE_TOKEN_MAX];
	char expiration[40]; /* ISO 8601, "" not said */
};

/*
 * Reads a flat object: members that are not asked for are passed by, but an
 * object or list in it is none of ours. 0, or -EPROTO: not that, or a value
 * that is longer than it may be; *out is wiped then.
 */
int s3_role_parse(const char *json, size_t len, struct s3_role *out);

#endif
