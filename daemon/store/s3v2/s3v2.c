/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3 with Signature V2, for appliances that know no other, on libs3.
 *
 * Acknowledged means: the server answered 200 to a PUT with the Content-MD5
 * of its bytes, and named the same MD5 as ETag; where the ETag is another,
 * the object was read back and compared.
 *
 * There is no atomic create-only PUT: if_absent looks before it puts.
 */
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/s3/answer.h"
#include "store/s3/endpoint.h"
#include "store/s3/errors.h"
#include "store/s3/list.h"
#include "store/s3v2/transfer.h"

#define IN_FLIGHT_DEFAULT 8
#define IN_FLIGHT_MAX	  256
#define ERROR_MAX	  ((size_t)64 << 10)
/* 1000 keys of 1 KiB, each byte encoded, and what stands around them. */
#define LIST_MAX ((size_t)8 << 20)
/* libs3 cuts off what does not fit into its buffer for the header. */
#define ACCESS_KEY_MAX 76
#define MD5_SIZE       16

struct s3v2_store {
	struct store base;
	struct s3v2_pool *pool;
	struct s3_endpoint at;
	char *bucket, *prefix;
	_Atomic int64_t ahead_ns; /* the server's clock */
	atomic_bool has_ahead;
};

static struct s3v2_store *s3v2(struct store *s)
{
	return container_of(s, struct s3v2_store, base);
}

/* --- from a request to an answer ---------------------------------------- */

/* The answer's memory goes with the scope. */
#define CLEANUP_REQUEST CLEANUP(request_done)

static void request_done(struct s3v2_request *r)
{
	s3_answer_done(&r->s3.answer);
}

static void note_clock(struct s3v2_store *s, const struct s3_answer *a)
{
	if (a->date_ns <= 0)
		return;
	/* Date has whole seconds: half of one off on average. */
	atomic_store(&s->ahead_ns,
		     a->date_ns + NSEC_PER_SEC / 2 - a->arrived_ns);
	atomic_store(&s->has_ahead, true);
}

/* Does r, of the object `key` unless that is NULL. 0 when there was an answer,
 * whatever it says. */
static int perform(struct s3v2_store *s, const char *key,
		   struct s3v2_request *r)
{
	CLEANUP_FREE char *full = key ? io_path("%s%s", s->prefix, key) : NULL;
	int rc = key && !full ? -ENOMEM : 0;

	if (rc < 0)
		return rc;
	r->key = full;
	rc = s3v2_do(s->pool, r);
	r->key = NULL;
	if (rc == 0)
		note_clock(s, &r->s3.answer);
	return rc;
}

/* An answer that is no success -> an error, explained. */
static int refused(const struct s3v2_request *r)
{
	const struct s3_answer *a = &r->s3.answer;
	struct s3_error e;
	int rc;

	s3_error_parse(a->text.data, a->text.len, &e);
	rc = s3_error_errno(a->status, e.code, r->s3.method == S3_HEAD);
	store_call.throttled = s3_error_slows(a->status, e.code);
	if (e.code[0])
		return store_explain(rc, "%s%s%s (HTTP %ld)", e.code,
				     e.message[0] ? ": " : "", e.message,
				     a->status);
	return store_explain(rc, "HTTP status %ld", a->status);
}

/* The request was fine, the answer is none. */
static int no_answer(const char *what)
{
	return store_explain(-EPROTO, "%s", what);
}

/* --- the methods -------------------------------------------------------- */

static int md5_of(const void *data, size_t len, uint8_t out[MD5_SIZE])
{
	unsigned n = MD5_SIZE;

	if (!EVP_Digest(data, len, out, &n, EVP_md5(), NULL))
		return store_explain(-ENOTSUP, "OpenSSL has no MD5 here");
	return 0;
}

static int put_it(struct s3v2_store *s, const char *key, const void *data,
		  size_t len)
{
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_PUT,
			.body = data,
			.body_len = len,
			.text_max = ERROR_MAX },
	};
	uint8_t md5[MD5_SIZE];
	char base64[4 * ((MD5_SIZE + 2) / 3) + 1];
	char hex[2 * MD5_SIZE + 1];
	int rc = md5_of(data, len, md5);

	if (rc < 0)
		return rc;
	EVP_EncodeBlock((unsigned char *)base64, md5, MD5_SIZE);
	hex_encode(md5, MD5_SIZE, hex);
	r.md5 = base64;
	rc = perform(s, key, &r);
	if (rc < 0)
		return rc;
	if (r.s3.answer.status != 200)
		return refused(&r);
	return strcmp(r.s3.answer.etag, hex) != 0;
}

/* After a PUT whose answer proves nothing. */
static int read_back(struct store *st, const char *key, const void *data,
		     size_t len, const struct store_put_opts *opts)
{
	size_t sent = store_call.sent, heads = store_call.besides.heads;
	int rc = store_compare(st, key, data, len, opts);

	store_call.sent = sent;
	store_call.besides.heads += heads;
	if (rc == -EEXIST || rc == -ENOENT)
		return store_explain(-EAGAIN,
				     "it kept other bytes than were sent");
	return rc;
}

static int s3v2_head(struct store *st, const char *key, struct store_info *out);

static int s3v2_put(struct store *st, const char *key, const void *data,
		    size_t len, const struct store_put_opts *opts)
{
	struct store_info info;
	int rc = -ENOENT;

	store_call.sent = 0;
	if (opts->storage_class && strcmp(opts->storage_class, "STANDARD") != 0)
		return store_explain(-ENOTSUP,
				     "libs3 cannot set the storage class '%s'",
				     opts->storage_class);
	if (opts->lock != STORE_UNLOCKED)
		return store_explain(-ENOTSUP, "libs3 cannot lock objects");
	if (opts->if_absent) {
		rc = s3v2_head(st, key, &info);
		store_call.besides.heads += store_call.sent;
		store_call.sent = 0;
	}
	if (rc != -ENOENT)
		return rc == 0 ? -EEXIST : rc;
	rc = put_it(s3v2(st), key, data, len);
	return rc > 0 ? read_back(st, key, data, len, opts) : rc;
}

static ssize_t s3v2_get(struct store *st, const char *key, uint64_t off,
			void *dst, size_t len)
{
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_GET,
			.dst = dst,
			.dst_len = len,
			.progress = store_call.progress,
			.progress_arg = store_call.progress_arg,
			.text_max = ERROR_MAX },
		.off = off,
	};
	const struct s3_answer *a = &r.s3.answer;
	int rc;

	store_call.sent = 0;
	rc = perform(s3v2(st), key, &r);
	if (rc < 0)
		return rc;
	if (a->status >= 200 && a->status < 300 && a->status != 206)
		return no_answer("it did not answer with the range");
	if (a->status != 206)
		return refused(&r);
	if (!s3_answer_is_range(a, off, len))
		return no_answer("it answered with another range");
	return (ssize_t)a->got;
}

/* The answer to a HEAD has no body that could say why: a GET is refused for
 * the same reason, and says it. */
static int head_refused(struct s3v2_store *s, const char *key,
			const struct s3v2_request *head)
{
	char byte;
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_GET,
			.dst = &byte,
			.dst_len = sizeof(byte),
			.text_max = ERROR_MAX },
	};
	size_t sent = store_call.sent;
	int rc;

	if (head->s3.answer.status != 403)
		return refused(head);
	rc = perform(s, key, &r);
	store_call.besides.gets += store_call.sent - sent;
	store_call.sent = sent;
	return rc < 0 || r.s3.answer.status != 403 ? refused(head)
						   : refused(&r);
}

static int s3v2_head(struct store *st, const char *key, struct store_info *out)
{
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_HEAD, .text_max = ERROR_MAX },
	};
	const struct s3_answer *a = &r.s3.answer;
	int rc;

	store_call.sent = 0;
	rc = perform(s3v2(st), key, &r);
	if (rc < 0)
		return rc;
	if (a->status != 200)
		return head_refused(s3v2(st), key, &r);
	if (a->length < 0)
		return no_answer("it did not say how long the object is");
	s3_answer_info(a, out);
	return 0;
}

static int del_one(struct s3v2_store *s, const char *key)
{
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_DELETE, .text_max = ERROR_MAX },
	};
	int rc = perform(s, key, &r);

	if (rc < 0)
		return rc;
	if (r.s3.answer.status == 204 || r.s3.answer.status == 200)
		return 0;
	rc = refused(&r);
	return rc == -ENOENT ? 0 : rc;
}

static int s3v2_del(struct store *st, const char *const *keys, size_t n,
		    int *rc)
{
	int first = 0;

	store_call.sent = 0;
	for (size_t i = 0; i < n; i++) {
		rc[i] = del_one(s3v2(st), keys[i]);
		first = first ? first : rc[i];
	}
	return first;
}

/* One page of keys that start with `prefix`, behind `after`; both are whole
 * keys of the bucket. */
static int list_page(void *arg, const char *prefix, const char *after,
		     size_t max, struct s3_page *out)
{
	struct s3v2_store *s = arg;
	CLEANUP_REQUEST struct s3v2_request r = {
		.s3 = { .method = S3_GET, .text_max = LIST_MAX },
		.prefix = prefix,
		.marker = after,
		.max = (int)max,
	};
	const struct s3_answer *a = &r.s3.answer;
	int rc = perform(s, NULL, &r);

	if (rc < 0)
		return rc;
	if (a->status != 200)
		return refused(&r);
	rc = s3_list_parse(a->text.data, a->text.len, s->prefix, after, max,
			   out);
	return rc == -EPROTO ? no_answer("the listing is malformed") : rc;
}

static int s3v2_list(struct store *st, const char *prefix, const char *after,
		     size_t max, struct store_list *out)
{
	struct s3v2_store *s = s3v2(st);

	store_call.sent = 0;
	return s3_list_pages(list_page, s, s->prefix, prefix, after, max, out);
}

static void s3v2_caps(struct store *st, struct store_caps *out)
{
	(void)st;
	*out = (struct store_caps){ 0 };
}

static int s3v2_skew(struct store *st, int64_t *ahead_ns)
{
	struct s3v2_store *s = s3v2(st);

	if (!atomic_load(&s->has_ahead))
		return -ENODATA;
	*ahead_ns = atomic_load(&s->ahead_ns);
	return 0;
}

static void s3v2_free(struct store *st)
{
	struct s3v2_store *s = s3v2(st);

	s3v2_pool_close(s->pool);
	s3_endpoint_done(&s->at);
	free(s->bucket);
	free(s->prefix);
	free(s);
}

static const struct store_ops s3v2_ops = {
	.put = s3v2_put,
	.get = s3v2_get,
	.head = s3v2_head,
	.del = s3v2_del,
	.list = s3v2_list,
	.caps = s3v2_caps,
	.skew = s3v2_skew,
	.free = s3v2_free,
};

/* --- opening ------------------------------------------------------------ */

static int check_prefix(const struct store_opts *o, struct err *err)
{
	if (!store_prefix_ok(o->prefix) ||
	    (*o->prefix && o->prefix[strlen(o->prefix) - 1] != '/') ||
	    strlen(o->prefix) + STORE_KEY_MAX > S3_MAX_KEY_SIZE)
		return fail(err, -EINVAL, "'%s' cannot be a prefix",
			    o->prefix ? o->prefix : "");
	return 0;
}

static int check_keys(const struct store_opts *o, struct err *err)
{
	if (!o->access_key || !*o->access_key || !o->secret_key ||
	    !*o->secret_key)
		return fail(err, -EINVAL, "store '%s' has no credentials",
			    o->name);
	if (strlen(o->access_key) > ACCESS_KEY_MAX)
		return fail(err, -EINVAL,
			    "store '%s': libs3 takes access keys of at most "
			    "%d characters",
			    o->name, ACCESS_KEY_MAX);
	if (o->session_token)
		return fail(err, -EINVAL,
			    "store '%s': Signature V2 has no session tokens",
			    o->name);
	return 0;
}

/* What libs3 is told of the bucket; it puts the bucket before the host. */
static int take_endpoint(struct s3v2_store *s, const struct store_opts *o,
			 S3BucketContext *out, struct err *err)
{
	struct store_opts path_style = *o;
	int rc = s3_endpoint_init(&s->at, o, err); /* as it is used */

	path_style.virtual_style = false;
	if (rc == 0 && o->virtual_style) {
		s3_endpoint_done(&s->at);
		rc = s3_endpoint_init(&s->at, &path_style, err);
	}
	if (rc < 0)
		return rc;
	if (!s->at.plain && !o->accept_unverified_peer) {
		rc = fail(err, -EACCES,
			  "nobody checks the certificate of '%s': libs3 cannot",
			  o->endpoint);
		return fail_hint(err, rc,
				 "say who accepts that: "
				 "accept_unverified_peer: \"...\"");
	}
	*out = (S3BucketContext){
		.hostName = s->at.host,
		.bucketName = s->bucket,
		.protocol = s->at.plain ? S3ProtocolHTTP : S3ProtocolHTTPS,
		.uriStyle = o->virtual_style ? S3UriStyleVirtualHost
					     : S3UriStylePath,
		.accessKeyId = o->access_key,
		.secretAccessKey = o->secret_key,
	};
	if (S3_validate_bucket_name(s->bucket, out->uriStyle) != S3StatusOK)
		return fail(err, -EINVAL,
			    "libs3 does not take '%s' for a bucket's name",
			    s->bucket);
	return 0;
}

int store_s3v2_open(const struct store_opts *o, struct store **out,
		    struct err *err)
{
	CLEANUP(store_free_guard) struct store *guard = NULL;
	struct s3v2_limits limits = {
		.in_flight =
			MIN(o->in_flight ? o->in_flight : IN_FLIGHT_DEFAULT,
			    (unsigned)IN_FLIGHT_MAX),
		.stall_ns = o->stall_ns ?: STORE_STALL_NS,
		.request_ns = o->request_ns ?: STORE_REQUEST_NS,
	};
	S3BucketContext bucket;
	struct s3v2_store *s;
	int rc = check_keys(o, err);

	if (rc == 0)
		rc = check_prefix(o, err);
	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(err, -ENOMEM, "no memory");
	guard = &s->base;
	s->base.ops = &s3v2_ops;
	s->bucket = strdup(o->bucket ? o->bucket : "");
	s->prefix = strdup(o->prefix);
	if (!s->bucket || !s->prefix)
		return fail(err, -ENOMEM, "no memory");
	rc = take_endpoint(s, o, &bucket, err);
	if (rc == 0)
		rc = s3v2_pool_open(&bucket, &limits, &s->pool, err);
	if (rc == 0)
		*out = take(guard);
	return rc;
}

int store_s3v2_renew(struct store *driver, const struct store_opts *o)
{
	int rc = check_keys(o, NULL);

	return rc < 0 ? rc
		      : s3v2_pool_keys(s3v2(driver)->pool, o->access_key,
				       o->secret_key);
}
