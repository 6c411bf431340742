/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where libs3 is opened up. It signs a request and hands it to libcurl, which
 * it does well; what it makes of the answer cannot be relied upon: it takes an
 * answer that was cut off for a whole one, and a PUT that was refused without
 * a text for one that was stored; it says neither status, range nor date; and
 * it writes headers of a hostile server behind its own buffers.
 *
 * So the linker puts our functions in the place of three of its own
 * (--wrap, see store/meson.build): what takes a header line, what parses XML,
 * what judges libcurl's result. They feed the parsers of store/s3. libs3's XML
 * parser, and libxml2 with it, are not even linked.
 *
 * Source: libs3 2.0 (Debian 2.0-4), request.c, simplexml.c.
 */
#ifndef MERSEY_STORE_S3V2_SEAMS_H
#define MERSEY_STORE_S3V2_SEAMS_H

#include <libs3.h>

#include "store/s3/request.h"

/* One request and what came back. */
struct s3v2_request {
	struct s3_request s3; /* method, body, destination, answer */
	const char *key;      /* whole; NULL = list */
	uint64_t off;	      /* GET: from where; s3.dst_len says how much */
	const char *md5;      /* PUT: of the body, base64 */
	const char *prefix, *marker; /* list */
	int max;

	/* Of the transfer in progress. */
	bool redirected;
	int64_t moved_ns; /* clock_boot_ns() of the last sign of life */
	S3Status status;  /* libs3's own; s3.done says when */
};

/*
 * From here on libs3's callbacks in this thread are for `r`, until NULL: a
 * context is driven by one thread and has one request.
 */
void s3v2_seams_for(struct s3v2_request *r);

/* libs3's own callbacks; the data is the request. */
S3Status s3v2_on_properties(const S3ResponseProperties *p, void *arg);
void s3v2_on_complete(S3Status status, const S3ErrorDetails *e, void *arg);
int s3v2_on_send(int room, char *p, void *arg);
S3Status s3v2_on_data(int n, const char *p, void *arg);

#endif
