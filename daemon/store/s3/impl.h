/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the S3 driver share: a store, a call that becomes one
 * signed request, and what is found out about the server.
 *
 * s3.c has the methods, exchange.c makes signed requests of calls, parts.c
 * puts large objects, copy.c copies, delete.c deletes, probe.c finds out.
 */
#ifndef MERSEY_STORE_S3_IMPL_H
#define MERSEY_STORE_S3_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/s3/endpoint.h"
#include "store/s3/errors.h"
#include "store/s3/request.h"
#include "store/s3/sign.h"

#define S3_ERROR_MAX   ((size_t)64 << 10)
#define S3_HEADERS_MAX 16
#define S3_UPLOAD_MAX  1024 /* of an upload's name, with the NUL */

/* Not known, no, yes. */
enum s3_known { S3_UNKNOWN, S3_NO, S3_YES };

/* From which size on an object goes in parts, and how large they are. For
 * tests to change, before a store is opened. */
struct s3_limits {
	uint64_t put, put_part;
	uint64_t copy, copy_part;
};
extern struct s3_limits s3_limits;

struct s3_store {
	struct store base;
	struct s3_http *http;
	char *name; /* the config's */
	char *prefix;
	bool aws, google; /* whose endpoint it is */

	pthread_mutex_t lock; /* guards what follows */
	struct s3_endpoint at;
	char *access_key, *secret_key, *session_token; /* token NULL = none */
	char region[S3_REGION_MAX];

	_Atomic int64_t ahead_ns; /* the server's clock */
	atomic_bool has_ahead;
	_Atomic int64_t sign_ahead_ns; /* requests are dated by this clock */

	/* enum s3_known */
	atomic_int create_only, create_parts, restore, versions, locks;
	atomic_int batch_delete;
	atomic_uint condition;	   /* which header makes a put create-only */
	_Atomic int64_t looked_ns; /* for leftovers, boot clock; 0 never */
};

/* One request, before it is signed. Strings are borrowed. */
struct s3_call {
	enum s3_method method;
	const char *key; /* without the prefix; NULL = the bucket */
	const char *query;
	struct s3_field header[S3_HEADERS_MAX]; /* sorted by name */
	size_t n_headers;
	const char *payload_hash;
};

static inline struct s3_store *s3_of(struct store *s)
{
	return container_of(s, struct s3_store, base);
}

/* The hash of no bytes. */
extern const char s3_empty_hash[];

#define S3_CALL(m, k)                                   \
	{                                               \
		.method = (m), .key = (k), .query = "", \
		.payload_hash = s3_empty_hash,          \
	}
/* The answer's memory goes with the scope. */
#define CLEANUP_REQUEST CLEANUP(s3_request_done)
void s3_request_done(struct s3_request *r);

/* ---- exchange.c ------------------------------------------------------- */

/* Keeps the headers sorted; there is always room. */
void s3_add_header(struct s3_call *c, const char *name, const char *value);

/* Gives it the query string of these fields, written to `room`. 0, -ENOMEM. */
int s3_set_query(struct s3_call *c, struct buf *room,
		 const struct s3_field *fields, size_t n);

/* For content-md5. Newly allocated; NULL on failure. */
char *s3_md5(const void *data, size_t len);

/* As of a put: storage class and lock. `date` is room for the lock's end.
 * 0, or -ENOTSUP when there are no locks here. */
int s3_add_put_headers(struct s3_store *s, struct s3_call *c,
		       const struct store_put_opts *opts,
		       char date[CLOCK_ISO_SIZE]);

/*
 * Signs `c` and does it. 0 when there was an answer, whatever it says. What
 * the server calls a wrong time or region is put right, and asked once more.
 */
int s3_do(struct s3_store *s, struct s3_call *c, struct s3_request *r);

/* The same, of a request that is only needed besides: counted there. */
int s3_do_besides(struct s3_store *s, struct s3_call *c, struct s3_request *r,
		  size_t *count);

/* An answer that is no success -> an error, explained. */
int s3_refused(struct s3_store *s, const struct s3_request *r,
	       struct s3_error *e);

/* The request was fine, the answer is none: -EPROTO. */
int s3_no_answer(const char *what);

/*
 * Of requests that can answer 200 and then, in the body, that they failed:
 * 0 when the body is a `root`, else the error, explained.
 */
int s3_result(struct s3_store *s, const struct s3_request *r, const char *root);

/* "bucket/prefix/key", percent-encoded, for x-amz-copy-source. 0, -ENOMEM. */
int s3_source(struct s3_store *s, const char *key, struct buf *out);

/* ---- parts.c ---------------------------------------------------------- */

/* An upload in parts, from create to complete or abort. */
struct s3_upload {
	struct s3_store *s;
	const char *key;
	char id[S3_UPLOAD_MAX]; /* "" = there is none */
	struct buf parts;	/* what to complete it with */
};

int s3_upload_create(struct s3_upload *u, struct s3_store *s, const char *key,
		     const struct store_put_opts *opts);
/* Sends `c`, a PUT of its part `number`, and notes what was answered: an
 * ETag in the header, or in a body whose root is `root`. */
int s3_upload_part(struct s3_upload *u, unsigned number, struct s3_call *c,
		   struct s3_request *r, const char *root);
/* This is the request that counts as sent. */
int s3_upload_complete(struct s3_upload *u, const struct store_put_opts *opts);
/* Aborts what was not completed. */
void s3_upload_done(struct s3_upload *u);

/* Puts an object in parts. */
int s3_put_parts(struct s3_store *s, const char *key, const void *data,
		 size_t len, const struct store_put_opts *opts);

/* ---- copy.c, delete.c, probe.c ---------------------------------------- */

int s3_copy(struct store *st, const char *from, const char *to,
	    const struct store_put_opts *opts);
int s3_restore(struct store *st, const char *key, unsigned days,
	       enum store_speed speed);

int s3_del(struct store *st, const char *const *keys, size_t n, int *rc);
int s3_del_version(struct store *st, const char *key, const char *version);

/* Makes a put create-only, by the header that was found to work. */
void s3_add_condition(struct s3_store *s, struct s3_call *c);
/* Is a put with that header create-only? Tries it when that is not known.
 * 0, -ENOTSUP or why it could not be found out. */
int s3_create_only(struct s3_store *s);
/* The same of objects in parts. */
int s3_create_parts(struct s3_store *s);
/* Does the bucket keep locks? 0, -ENOTSUP or why it is not known. */
int s3_locks(struct s3_store *s);
int s3_probe(struct store *st, struct store_caps *out);
void s3_caps(struct store *st, struct store_caps *out);

#endif
