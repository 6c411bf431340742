/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3 with Signature V4, on what AWS, Ceph RGW and MinIO have in common.
 *
 * Acknowledged means: the server answered 200 to a PUT whose signed
 * x-amz-content-sha256 it had to compare with the bytes that it got, and named
 * what it stored (ETag, and where it says one its digest), or HEAD finds it: a
 * proxy or a balancer that answers 200 to everything stores nothing. A ranged
 * GET must be answered with exactly the range; anything else is no answer.
 * Redirects are not followed: they would carry the signature, and the data, to
 * a host that nobody configured (exchange.c has what is done).
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/secret.h"
#include "store/s3/answer.h"
#include "store/s3/impl.h"
#include "store/s3/list.h"

#define IN_FLIGHT_DEFAULT 8
#define IN_FLIGHT_MAX	  256
/* 1000 keys of 1 KiB, each byte encoded, and what stands around them. */
#define LIST_MAX ((size_t)8 << 20)

/* An SHA-256 as S3's checksum headers have it. Newly allocated. */
static char *checksum_of_hex(const char hash[S3_SHA256_HEX])
{
	uint8_t md[(S3_SHA256_HEX - 1) / 2];

	return hex_decode(hash, md, sizeof(md)) == 0
		       ? base64_encode(md, sizeof(md))
		       : NULL;
}

/* Was it stored, by an answer of 200? */
static int check_stored(struct s3_store *s, const char *key, size_t len,
			const char *checksum, const struct s3_answer *put)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_HEAD, key);
	int rc;

	if (put->sha256[0] && strcmp(put->sha256, checksum) != 0)
		return store_explain(-EAGAIN, "it has a digest of other bytes "
					      "than were sent");
	if (put->etag[0])
		return 0;
	rc = s3_do_besides(s, &c, &r, &store_call.besides.heads);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200 && r.answer.status != 404)
		return s3_refused(s, &r, NULL);
	return r.answer.status == 200 && r.answer.length == (int64_t)len
		       ? 0
		       : s3_no_answer("it answered, but has not stored it");
}

static int put_whole(struct s3_store *s, const char *key, const void *data,
		     size_t len, const char hash[S3_SHA256_HEX],
		     const struct store_put_opts *opts)
{
	CLEANUP_REQUEST struct s3_request r = { .body = data,
						.body_len = len,
						.text_max = S3_ERROR_MAX };
	CLEANUP_FREE char *checksum = checksum_of_hex(hash);
	struct s3_call c = S3_CALL(S3_PUT, key);
	char date[CLOCK_ISO_SIZE];
	struct s3_error e;
	int rc = checksum ? s3_add_put_headers(s, &c, opts, date) : -ENOMEM;

	if (rc < 0)
		return rc;
	c.payload_hash = hash;
	/* Kept with the object, and wanted for one that is locked. */
	if (s->aws || opts->lock != STORE_UNLOCKED)
		s3_add_header(&c, "x-amz-checksum-sha256", checksum);
	if (opts->if_absent)
		s3_add_condition(s, &c);
	rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200) {
		rc = s3_refused(s, &r, &e);
		return rc == -EIO && opts->storage_class &&
				       strcmp(e.code, "InvalidArgument") == 0
			       ? -ENOTSUP /* RGW: no such class */
			       : rc;
	}
	rc = check_stored(s, key, len, checksum, &r.answer);
	if (rc == 0 && opts->version)
		memcpy(opts->version, r.answer.version, STORE_VERSION_MAX);
	return rc;
}

/* May this object go in parts? What is to be created only goes in one, where
 * the server completes an upload over what is there; that has a limit. */
static int in_parts(struct s3_store *s, size_t len,
		    const struct store_put_opts *opts)
{
	int rc;

	if (len <= s3_limits.put)
		return 0;
	rc = opts->if_absent ? s3_create_parts(s) : 0;
	return rc == -ENOTSUP ? 0 : rc < 0 ? rc : 1;
}

/* For a server without create-only PUT: not atomic, and caps says so. */
static int look_first(struct s3_store *s, const char *key)
{
	struct store_info info;
	int rc = s->base.ops->head(&s->base, key, &info);

	store_call.besides.heads += store_call.sent;
	store_call.sent = 0;
	if (rc == 0)
		return -EEXIST;
	return rc == -ENOENT ? 0 : rc;
}

static int s3_put(struct store *st, const char *key, const void *data,
		  size_t len, const struct store_put_opts *asked)
{
	struct s3_store *s = s3_of(st);
	struct store_put_opts o = *asked;
	char hash[S3_SHA256_HEX];
	int rc = 0;

	store_call.sent = 0;
	if (o.if_absent)
		rc = s3_create_only(s);
	if (rc == -ENOTSUP) {
		o.if_absent = false;
		rc = look_first(s, key);
	}
	if (rc == 0)
		rc = in_parts(s, len, &o);
	if (rc < 0)
		return rc;
	if (rc > 0)
		return s3_put_parts(s, key, data, len, &o);
	if (o.sha256)
		hex_encode(o.sha256, (S3_SHA256_HEX - 1) / 2, hash);
	else
		rc = s3_sha256_hex(data, len, hash);
	return rc < 0 ? rc : put_whole(s, key, data, len, hash, &o);
}

/* Where the store keeps a digest and all of the object is here, they agree. */
static int check_digest(const struct s3_answer *a, const void *data)
{
	CLEANUP_FREE char *ours = NULL;
	char hash[S3_SHA256_HEX];
	int rc;

	/* That of an object in parts has their number behind it. */
	if (strlen(a->sha256) != 44 || a->got != a->total)
		return 0;
	rc = s3_sha256_hex(data, a->got, hash);
	ours = rc == 0 ? checksum_of_hex(hash) : NULL;
	if (!ours)
		return rc < 0 ? rc : -ENOMEM;
	return strcmp(ours, a->sha256) == 0
		       ? 0
		       : store_explain(-EAGAIN, "the bytes are not those that "
						"the store has a digest of");
}

static ssize_t s3_get(struct store *st, const char *key, uint64_t off,
		      void *dst, size_t len)
{
	struct s3_store *s = s3_of(st);
	CLEANUP_REQUEST struct s3_request r = { .dst = dst,
						.dst_len = len,
						.progress = store_call.progress,
						.progress_arg =
							store_call.progress_arg,
						.text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_GET, key);
	uint64_t last = off + len - 1;
	char range[64];
	int rc;

	store_call.sent = 0;
	snprintf(range, sizeof(range), "bytes=%llu-%llu",
		 (unsigned long long)off, (unsigned long long)last);
	s3_add_header(&c, "range", range);
	if (s->aws)
		s3_add_header(&c, "x-amz-checksum-mode", "ENABLED");
	rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status >= 200 && r.answer.status < 300 &&
	    r.answer.status != 206)
		return s3_no_answer("it did not answer with the range");
	if (r.answer.status != 206)
		return s3_refused(s, &r, NULL);
	if (!s3_answer_is_range(&r.answer, off, len))
		return s3_no_answer("it answered with another range");
	rc = check_digest(&r.answer, dst);
	return rc < 0 ? rc : (ssize_t)r.answer.got;
}

/* Some servers have archive classes in name only: nothing is to be restored,
 * and nothing can be. */
static enum store_archive archive_of(struct s3_store *s,
				     const struct s3_answer *a)
{
	if (a->restore.said)
		return a->restore.ongoing ? STORE_RESTORING : STORE_READY;
	if (a->archived)
		return STORE_ARCHIVED;
	if (strcmp(a->storage_class, "GLACIER") != 0 &&
	    strcmp(a->storage_class, "DEEP_ARCHIVE") != 0)
		return STORE_READY;
	return atomic_load(&s->restore) == S3_NO ? STORE_READY : STORE_ARCHIVED;
}

/* The answer to a HEAD has no body that could say why: a GET is refused for
 * the same reason, and says it. */
static int head_refused(struct s3_store *s, const char *key,
			const struct s3_request *head)
{
	char byte;
	CLEANUP_REQUEST struct s3_request r = { .dst = &byte,
						.dst_len = sizeof(byte),
						.text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_GET, key);

	if (head->answer.status != 403)
		return s3_refused(s, head, NULL);
	s3_add_header(&c, "range", "bytes=0-0");
	if (s3_do_besides(s, &c, &r, &store_call.besides.gets) < 0 ||
	    r.answer.status != 403)
		return s3_refused(s, head, NULL);
	return s3_refused(s, &r, NULL);
}

static int s3_head(struct store *st, const char *key, struct store_info *out)
{
	struct s3_store *s = s3_of(st);
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_HEAD, key);
	const struct s3_answer *a = &r.answer;
	int rc;

	store_call.sent = 0;
	rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (a->status != 200)
		return head_refused(s, key, &r);
	if (a->length < 0)
		return s3_no_answer("it did not say how long the object is");
	s3_answer_info(a, out);
	memcpy(out->version, a->version, sizeof(out->version));
	out->archive = archive_of(s, a);
	if (out->archive == STORE_READY)
		out->restored_until_ns = a->restore.until_ns;
	return 0;
}

/* One page of keys that start with `prefix`, behind `after`; both are whole
 * keys of the bucket. */
static int list_page(void *arg, const char *prefix, const char *after,
		     size_t max, struct s3_page *out)
{
	struct s3_store *s = arg;
	CLEANUP_REQUEST struct s3_request r = { .text_max = LIST_MAX };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_GET, NULL);
	char max_text[24];
	struct s3_field field[] = {
		{ "list-type", "2" },	  { "encoding-type", "url" },
		{ "prefix", prefix },	  { "max-keys", max_text },
		{ "start-after", after },
	};
	int rc;

	snprintf(max_text, sizeof(max_text), "%zu", max);
	rc = s3_set_query(&c, &query, field,
			  ARRAY_SIZE(field) - (*after ? 0 : 1));
	if (rc == 0)
		rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200)
		return s3_refused(s, &r, NULL);
	rc = s3_list_parse(r.answer.text.data, r.answer.text.len, s->prefix,
			   after, max, out);
	return rc == -EPROTO ? s3_no_answer("the listing is malformed") : rc;
}

static int s3_list(struct store *st, const char *prefix, const char *after,
		   size_t max, struct store_list *out)
{
	struct s3_store *s = s3_of(st);

	store_call.sent = 0;
	return s3_list_pages(list_page, s, s->prefix, prefix, after, max, out);
}

static int s3_skew(struct store *st, int64_t *ahead_ns)
{
	struct s3_store *s = s3_of(st);

	if (!atomic_load(&s->has_ahead))
		return -ENODATA;
	*ahead_ns = atomic_load(&s->ahead_ns);
	return 0;
}

static void s3_free(struct store *st)
{
	struct s3_store *s = s3_of(st);

	s3_http_close(s->http);
	s3_endpoint_done(&s->at);
	secret_text_done(&s->access_key);
	secret_text_done(&s->secret_key);
	secret_text_done(&s->session_token);
	free(s->prefix);
	free(s->name);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_ops s3_ops = {
	.put = s3_put,
	.get = s3_get,
	.head = s3_head,
	.del = s3_del,
	.list = s3_list,
	.copy = s3_copy,
	.restore = s3_restore,
	.del_version = s3_del_version,
	.caps = s3_caps,
	.probe = s3_probe,
	.skew = s3_skew,
	.free = s3_free,
};

static int check_opts(const struct store_opts *o, struct err *err)
{
	if (!o->region || !*o->region || strlen(o->region) >= S3_REGION_MAX)
		return fail(err, -EINVAL, "store '%s' has no region", o->name);
	if (!store_prefix_ok(o->prefix) ||
	    (*o->prefix && o->prefix[strlen(o->prefix) - 1] != '/'))
		return fail(err, -EINVAL, "'%s' cannot be a prefix",
			    o->prefix ? o->prefix : "");
	return 0;
}

static int copy_secret(char **out, const char *secret)
{
	*out = secret ? secret_text(secret, strlen(secret)) : NULL;
	return *out || !secret ? 0 : -ENOMEM;
}

int store_s3_credentials(struct store *st, const char *access_key,
			 const char *secret_key, const char *session_token)
{
	struct s3_store *s = s3_of(st);
	char **const to[] = { &s->access_key, &s->secret_key,
			      &s->session_token };
	char *secret[ARRAY_SIZE(to)] = { NULL };
	int rc;

	if (!access_key || !*access_key || !secret_key || !*secret_key)
		return -EINVAL;
	rc = copy_secret(&secret[0], access_key);
	if (rc == 0)
		rc = copy_secret(&secret[1], secret_key);
	if (rc == 0)
		rc = copy_secret(&secret[2], session_token);
	if (rc == 0) {
		LOCK_SCOPE(&s->lock);
		for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
			char *old = *to[i];

			*to[i] = secret[i];
			secret[i] = old;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
		secret_text_done(&secret[i]);
	return rc;
}

/* Is the endpoint one of this domain's? */
static bool is_at(const struct s3_endpoint *at, const char *domain)
{
	size_t n = strcspn(at->host, ":"), len = strlen(domain);

	return n > len && at->host[n - len - 1] == '.' &&
	       strncmp(at->host + n - len, domain, len) == 0;
}

static int open_parts(struct s3_store *s, const struct store_opts *o,
		      struct err *err)
{
	struct s3_http_opts http = { .ca_file = o->ca_file };
	int rc = store_s3_credentials(&s->base, o->access_key, o->secret_key,
				      o->session_token);

	if (rc == -EINVAL)
		return fail(err, rc, "store '%s' has no credentials", o->name);
	s->prefix = strdup(o->prefix);
	s->name = strdup(o->name);
	if (rc < 0 || !s->prefix || !s->name)
		return fail(err, -ENOMEM, "no memory");
	snprintf(s->region, sizeof(s->region), "%s", o->region);
	rc = s3_endpoint_init(&s->at, o, err);
	if (rc < 0)
		return rc;
	s->aws = is_at(&s->at, "amazonaws.com") ||
		 is_at(&s->at, "amazonaws.com.cn");
	s->google = is_at(&s->at, "googleapis.com");
	http.plain = s->at.plain;
	http.loopback = s->at.loopback;
	http.connect_ns = o->connect_ns ?: STORE_CONNECT_NS;
	http.stall_ns = o->stall_ns ?: STORE_STALL_NS;
	http.request_ns = o->request_ns ?: STORE_REQUEST_NS;
	http.in_flight = MIN(o->in_flight ? o->in_flight : IN_FLIGHT_DEFAULT,
			     (unsigned)IN_FLIGHT_MAX);
	return s3_http_open(&http, &s->http, err);
}

int store_s3_open(const struct store_opts *o, struct store **out,
		  struct err *err)
{
	CLEANUP(store_free_guard) struct store *guard = NULL;
	struct s3_store *s;
	int rc = check_opts(o, err);

	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(err, -ENOMEM, "no memory");
	s->base.ops = &s3_ops;
	pthread_mutex_init(&s->lock, NULL);
	guard = &s->base;
	rc = open_parts(s, o, err);
	if (rc == 0)
		*out = take(guard);
	return rc;
}
