/* SPDX-License-Identifier: Apache-2.0 */
/* What a store needs to be told; config fills it, main passes it. */
#ifndef MERSEY_STORE_OPTS_H
#define MERSEY_STORE_OPTS_H

#include <stdbool.h>

enum store_kind { STORE_DIR, STORE_S3 };

/* Strings are borrowed: they must live as long as the store. */
struct store_opts {
	enum store_kind kind;
	const char *name;     /* the config's name of the endpoint */
	const char *endpoint; /* s3: http(s)://host[:port]; dir: a directory */
	const char *region;   /* s3 */
	bool virtual_style;   /* s3: bucket.host instead of host/bucket */
	const char *ca_file;  /* s3: NULL = the system's */
	unsigned in_flight;   /* s3: requests at once */
	const char *bucket;
	const char *prefix; /* "" or ends with '/' */
	/* Secrets; text of an AWS shared-credentials file is parsed by
	 * store_credentials_parse(). */
	const char *access_key;
	const char *secret_key;
	const char *session_token; /* NULL = none */
};

#endif
