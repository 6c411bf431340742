/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is. */
#ifndef MERSEY_STORE_S3_ENDPOINT_H
#define MERSEY_STORE_S3_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "store/opts.h"

struct s3_endpoint {
	char *origin; /* "https://host[:port]" */
	char *host;   /* as the Host header has it: "host[:port]" */
	char *root;   /* path of the bucket, encoded: "/bucket" or "" */
	char *bucket;
	size_t own; /* where in `host` the endpoint's own name starts */
	bool plain;
	bool loopback;
};

/* Frees the strings. */
void s3_endpoint_done(struct s3_endpoint *e);

/*
 * Reads endpoint, bucket and style. Plain http is only for this machine,
 * unless the opts allow it.
 * 0 or -errno with a sentence; *out is to be freed in any case.
 */
int s3_endpoint_init(struct s3_endpoint *out, const struct store_opts *o,
		     struct err *err);

/*
 * The same endpoint in another region: "s3.REGION.DOMAIN" gets the other
 * region's name, "s3.amazonaws.com" gets one. Any other host has no region in
 * its name and stays. 0 or -ENOMEM.
 */
int s3_endpoint_move(struct s3_endpoint *e, const char *from, const char *to);

#endif
