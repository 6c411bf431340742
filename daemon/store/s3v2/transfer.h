/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests through libs3. It has no thread of its own: who makes a request
 * drives it, in one of the store's contexts, each of which keeps a connection.
 */
#ifndef MERSEY_STORE_S3V2_TRANSFER_H
#define MERSEY_STORE_S3V2_TRANSFER_H

#include "store/s3v2/seams.h"

struct s3v2_pool;

struct s3v2_limits {
	unsigned in_flight;	      /* requests at once, >= 1 */
	int64_t stall_ns, request_ns; /* as struct store_opts */
};

/* Sets libs3 up. What `bucket` points to is borrowed, but for the keys. 0 or
 * -errno with a sentence. */
int s3v2_pool_open(const S3BucketContext *bucket,
		   const struct s3v2_limits *limits, struct s3v2_pool **out,
		   struct err *err);
/* Nothing may be in flight. NULL is fine. */
void s3v2_pool_close(struct s3v2_pool *p);
DEFINE_GUARD(struct s3v2_pool *, s3v2_pool_close);

/* Signs with these from now on; copies. 0 or -ENOMEM. */
int s3v2_pool_keys(struct s3v2_pool *p, const char *access_key,
		   const char *secret_key);

/*
 * Does one request and waits for the whole answer, whatever its status; not
 * longer than the call's deadline. 0, or -errno as in store.h, explained;
 * store_call.sent says whether it left.
 */
int s3v2_do(struct s3v2_pool *p, struct s3v2_request *r);

#endif
