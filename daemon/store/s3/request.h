/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for the S3 driver: one thread that drives all transfers of a store,
 * and callers that block until theirs is done.
 */
#ifndef MERSEY_STORE_S3_REQUEST_H
#define MERSEY_STORE_S3_REQUEST_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"
#include "store/s3/errors.h"
#include "store/s3/socket.h"
#include "store/store.h"

struct s3_http;

struct s3_http_opts {
	const char *ca_file; /* NULL = the system's */
	bool plain;	     /* http */
	bool loopback;	     /* no proxy, whatever the environment says */
	unsigned in_flight;  /* transfers at once, >= 1 */
	int64_t connect_ns, stall_ns, request_ns; /* as struct store_opts */
};

enum s3_method { S3_GET, S3_HEAD, S3_PUT, S3_POST, S3_DELETE };

/* As HTTP writes it. */
const char *s3_method_name(enum s3_method m);

/* What x-amz-restore says of an archived object. */
struct s3_restore {
	bool said;
	bool ongoing;
	int64_t until_ns; /* the end of the copy; 0 not said */
};

/* What an answer said. Texts too long to be kept count as not said. */
struct s3_answer {
	long status;
	int64_t length; /* Content-Length; -1 not said */
	bool has_range; /* Content-Range: first-last/total */
	uint64_t first, last, total;
	int64_t modified_ns; /* Last-Modified, wall time; 0 not said */
	int64_t date_ns;     /* Date; 0 not said */
	int64_t arrived_ns;  /* by our clock, when Date was read */
	char etag[80];	     /* without quotes */
	char storage_class[STORE_CLASS_MAX];
	char version[STORE_VERSION_MAX];
	char region[S3_REGION_MAX]; /* the bucket's */
	char sha256[48];	    /* of the whole object, base64 */
	struct s3_restore restore;
	bool archived;	 /* x-amz-archive-status */
	size_t got;	 /* bytes written to dst */
	struct buf text; /* any other body */
};

struct s3_request {
	enum s3_method method;
	const char *url;
	struct curl_slist *headers;
	const void *body; /* PUT, POST */
	size_t body_len;
	void *dst; /* where the body of a 206 goes, at most dst_len bytes */
	size_t dst_len;
	void (*progress)(void *arg, size_t got); /* of dst; may be NULL */
	void *progress_arg;
	size_t text_max; /* more of any other body is -EPROTO */
	/* Bytes that the server itself has to move before it answers. */
	uint64_t work;
	struct s3_answer answer;

	/* Of its signature, see exchange.c. */
	int64_t signed_ahead_ns;
	char signed_region[S3_REGION_MAX];

	/* Of the transfer in progress. */
	struct s3_request *next;
	pthread_cond_t ended; /* it is done */
	CURL *easy;
	struct s3_sockets *sockets;
	int fd;		   /* of the connection that serves it; -1 */
	size_t sent;	   /* of body */
	unsigned requests; /* that libcurl made of it, see s3_on_request() */
	bool tls;	   /* it is not plain http */
	bool spoilt;	   /* the kept connection was not fit for it */
	int rc;		   /* why a callback gave up */
	CURLcode code;
	bool done;
};

/* Frees what the answer holds. */
void s3_answer_done(struct s3_answer *a);

/* Starts the transfer thread. 0 or -errno with a sentence in `err`. */
int s3_http_open(const struct s3_http_opts *opts, struct s3_http **out,
		 struct err *err);
/* Stops it; nothing may be in flight. NULL is fine. */
void s3_http_close(struct s3_http *h);
DEFINE_GUARD(struct s3_http *, s3_http_close);

/*
 * Does one request and waits for the whole answer, whatever its status; not
 * longer than the call's deadline. Never follows a redirect. 0, or -errno as
 * in store.h, explained; then store_call.sent says whether it left.
 */
int s3_http_do(struct s3_http *h, struct s3_request *r);

#endif
