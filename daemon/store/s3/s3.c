/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3 with Signature V4, on what AWS, Ceph RGW and MinIO have in common.
 *
 * Acknowledged means: the server answered 200 to a PUT whose signed
 * x-amz-content-sha256 it had to compare with the bytes that it got. A
 * ranged GET must be answered with exactly the range; anything else is no
 * answer. Redirects are not followed: they would carry the signature, and
 * the data, to a host that nobody configured.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "store/call.h"
#include "store/drivers.h"
#include "store/s3/endpoint.h"
#include "store/s3/errors.h"
#include "store/s3/list.h"
#include "store/s3/request.h"
#include "store/s3/sign.h"

#define IN_FLIGHT_DEFAULT 8
#define IN_FLIGHT_MAX	  256
#define ERROR_MAX	  ((size_t)64 << 10)
/* 1000 keys of 1 KiB, each byte encoded, and what stands around them. */
#define LIST_MAX ((size_t)8 << 20)
/* Pages without a key of ours, before a listing gives up. */
#define FOREIGN_PAGES_MAX 1000
#define HEADERS_MAX	  8

struct s3_store {
	struct store base;
	struct s3_http *http;
	struct s3_endpoint at;
	char *prefix;
	struct s3_signer signer; /* strings of the opts */
	const char *session_token;
	_Atomic int64_t ahead_ns; /* the server's clock */
	atomic_bool has_ahead;
};

/* One request, before it is signed. */
struct call {
	enum s3_method method;
	const char *key; /* without the prefix; NULL = the bucket */
	const char *query;
	struct s3_field header[HEADERS_MAX]; /* sorted by name */
	size_t n_headers;
	const char *payload_hash;
};

static struct s3_store *s3(struct store *s)
{
	return container_of(s, struct s3_store, base);
}

/* --- from a call to an answer ------------------------------------------ */

/* Keeps the headers sorted; there is always room. */
static void add_header(struct call *c, const char *name, const char *value)
{
	size_t i = c->n_headers++;

	for (; i > 0 && strcmp(c->header[i - 1].name, name) > 0; i--)
		c->header[i] = c->header[i - 1];
	c->header[i] = (struct s3_field){ name, value };
}

static int make_path(struct s3_store *s, const struct call *c, struct buf *out)
{
	int rc = buf_addf(out, "%s/", s->at.root);

	if (rc == 0 && c->key)
		rc = s3_encode(out, s->prefix, true);
	if (rc == 0 && c->key)
		rc = s3_encode(out, c->key, true);
	return rc < 0 || !buf_str(out) ? -ENOMEM : 0;
}

static int add_line(struct curl_slist **list, const char *name,
		    const char *value)
{
	CLEANUP_FREE char *line = io_path("%s: %s", name, value);
	struct curl_slist *longer = line ? curl_slist_append(*list, line)
					 : NULL;

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

/* The header lines to send: what is signed, and the signature. */
static int make_headers(struct s3_store *s, struct call *c, const char *path,
			struct curl_slist **out)
{
	CLEANUP_BUF struct buf auth = { 0 };
	struct s3_signable what = {
		.method = s3_method_name(c->method),
		.path = path,
		.query = c->query,
		.headers = c->header,
		.n_headers = c->n_headers,
		.payload_hash = c->payload_hash,
	};
	int rc;

	for (size_t i = 0; i < c->n_headers; i++)
		if (strcmp(c->header[i].name, "x-amz-date") == 0)
			what.date = c->header[i].value;
	rc = s3_sign(&s->signer, &what, &auth);
	if (rc == 0 && !buf_str(&auth))
		rc = -ENOMEM;
	if (rc == 0)
		rc = add_line(out, "authorization", (char *)auth.data);
	for (size_t i = 0; rc == 0 && i < c->n_headers; i++)
		rc = add_line(out, c->header[i].name, c->header[i].value);
	if (rc == 0) { /* libcurl would wait for a "100 Continue" */
		struct curl_slist *l = curl_slist_append(*out, "expect:");

		rc = l ? 0 : -ENOMEM;
		*out = l ? l : *out;
	}
	return rc;
}

static void note_clock(struct s3_store *s, const struct s3_answer *a)
{
	if (a->date_ns <= 0)
		return;
	/* Date has whole seconds: half of one off on average. */
	atomic_store(&s->ahead_ns,
		     a->date_ns + NSEC_PER_SEC / 2 - a->arrived_ns);
	atomic_store(&s->has_ahead, true);
}

static void slist_done(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

/* Signs and does `c`. 0 when there was an answer, whatever it says. */
static int perform(struct s3_store *s, struct call *c, struct s3_request *r)
{
	CLEANUP_BUF struct buf path = { 0 };
	CLEANUP_FREE char *url = NULL;
	CLEANUP(slist_done) struct curl_slist *headers = NULL;
	char date[S3_DATE_SIZE];
	int rc = make_path(s, c, &path);

	if (rc < 0)
		return rc;
	add_header(c, "host", s->at.host);
	add_header(c, "x-amz-content-sha256", c->payload_hash);
	add_header(c, "x-amz-date", s3_date(clock_wall_ns(), date));
	if (s->session_token)
		add_header(c, "x-amz-security-token", s->session_token);
	rc = make_headers(s, c, (char *)path.data, &headers);
	url = io_path("%s%s%s%s", s->at.origin, (char *)path.data,
		      *c->query ? "?" : "", c->query);
	if (rc < 0 || !url)
		return rc < 0 ? rc : -ENOMEM;
	r->method = c->method;
	r->url = url;
	r->headers = headers;
	rc = s3_http_do(s->http, r);
	r->url = NULL;
	r->headers = NULL;
	if (rc == 0)
		note_clock(s, &r->answer);
	return rc;
}

/* An answer that is no success -> an error, explained. */
static int refused(struct s3_store *s, const struct s3_request *r)
{
	const struct s3_answer *a = &r->answer;
	struct s3_error e;
	int rc;

	s3_error_parse(a->text.data, a->text.len, &e);
	rc = s3_error_errno(a->status, e.code, r->method == S3_HEAD);
	if (strcmp(e.code, "RequestTimeTooSkewed") == 0)
		return store_explain(
			rc,
			"%s: its clock is %lld s ahead of "
			"this machine's",
			e.code,
			(long long)(atomic_load(&s->ahead_ns) / NSEC_PER_SEC));
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

/* The hash of no bytes. */
static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb924"
				 "27ae41e4649b934ca495991b7852b855";

#define CALL(m, k)                                      \
	{                                               \
		.method = (m), .key = (k), .query = "", \
		.payload_hash = empty_hash,             \
	}
/* The answer's memory goes with the scope. */
#define CLEANUP_REQUEST CLEANUP(request_done)

static void request_done(struct s3_request *r)
{
	s3_answer_done(&r->answer);
}

/* --- the methods ------------------------------------------------------- */

static int s3_put(struct store *st, const char *key, const void *data,
		  size_t len, const struct store_put_opts *opts)
{
	struct s3_store *s = s3(st);
	CLEANUP_REQUEST struct s3_request r = { .body = data,
						.body_len = len,
						.text_max = ERROR_MAX };
	struct call c = CALL(S3_PUT, key);
	char hash[S3_SHA256_HEX];
	int rc = 0;

	store_call.sent = 0;
	if (opts->lock != STORE_UNLOCKED)
		return store_explain(-ENOTSUP, "no locks here");
	if (opts->sha256)
		hex_encode(opts->sha256, (S3_SHA256_HEX - 1) / 2, hash);
	else
		rc = s3_sha256_hex(data, len, hash);
	if (rc < 0)
		return rc;
	c.payload_hash = hash;
	if (opts->if_absent)
		add_header(&c, "if-none-match", "*");
	if (opts->storage_class)
		add_header(&c, "x-amz-storage-class", opts->storage_class);
	rc = perform(s, &c, &r);
	if (rc < 0)
		return rc;
	return r.answer.status == 200 ? 0 : refused(s, &r);
}

/* Is this answer exactly what there is of [off, off+len)? */
static bool range_ok(const struct s3_answer *a, uint64_t off, size_t len)
{
	return a->has_range && a->first == off &&
	       a->last - a->first + 1 == MIN(len, a->total - off) &&
	       a->got == a->last - a->first + 1;
}

static ssize_t s3_get(struct store *st, const char *key, uint64_t off,
		      void *dst, size_t len)
{
	struct s3_store *s = s3(st);
	CLEANUP_REQUEST struct s3_request r = { .dst = dst,
						.dst_len = len,
						.progress = store_call.progress,
						.progress_arg =
							store_call.progress_arg,
						.text_max = ERROR_MAX };
	struct call c = CALL(S3_GET, key);
	char range[64];
	int rc;

	store_call.sent = 0;
	snprintf(range, sizeof(range), "bytes=%llu-%llu",
		 (unsigned long long)off,
		 (unsigned long long)(off + (len - 1)));
	add_header(&c, "range", range);
	rc = perform(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status >= 200 && r.answer.status < 300 &&
	    r.answer.status != 206)
		return no_answer("it did not answer with the range");
	if (r.answer.status != 206)
		return refused(s, &r);
	if (!range_ok(&r.answer, off, len))
		return no_answer("it answered with another range");
	return (ssize_t)r.answer.got;
}

static int s3_head(struct store *st, const char *key, struct store_info *out)
{
	struct s3_store *s = s3(st);
	CLEANUP_REQUEST struct s3_request r = { .text_max = ERROR_MAX };
	struct call c = CALL(S3_HEAD, key);
	const struct s3_answer *a = &r.answer;
	int rc;

	store_call.sent = 0;
	rc = perform(s, &c, &r);
	if (rc < 0)
		return rc;
	if (a->status != 200)
		return refused(s, &r);
	if (a->length < 0)
		return no_answer("it did not say how long the object is");
	*out = (struct store_info){ .size = (uint64_t)a->length,
				    .modified_ns = a->modified_ns };
	snprintf(out->storage_class, sizeof(out->storage_class), "%s",
		 a->storage_class[0] ? a->storage_class : "STANDARD");
	memcpy(out->etag, a->etag, sizeof(out->etag));
	return 0;
}

static int del_one(struct s3_store *s, const char *key)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = ERROR_MAX };
	struct call c = CALL(S3_DELETE, key);
	int rc = perform(s, &c, &r);

	if (rc < 0)
		return rc;
	if (r.answer.status == 204 || r.answer.status == 200)
		return 0;
	rc = refused(s, &r);
	return rc == -ENOENT ? 0 : rc;
}

static int s3_del(struct store *st, const char *const *keys, size_t n, int *rc)
{
	int first = 0;

	store_call.sent = 0;
	for (size_t i = 0; i < n; i++) {
		rc[i] = del_one(s3(st), keys[i]);
		first = first ? first : rc[i];
	}
	return first;
}

/* One page of keys that start with `prefix`, behind `after`; both are whole
 * keys of the bucket. */
static int list_page(struct s3_store *s, const char *prefix, const char *after,
		     size_t max, struct s3_page *out)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = LIST_MAX };
	CLEANUP_BUF struct buf query = { 0 };
	struct call c = CALL(S3_GET, NULL);
	char max_text[24];
	struct s3_field field[] = {
		{ "list-type", "2" },	  { "encoding-type", "url" },
		{ "prefix", prefix },	  { "max-keys", max_text },
		{ "start-after", after },
	};
	int rc;

	snprintf(max_text, sizeof(max_text), "%zu", max);
	rc = s3_query(&query, field, ARRAY_SIZE(field) - (*after ? 0 : 1));
	if (rc < 0 || !buf_str(&query))
		return -ENOMEM;
	c.query = (char *)query.data;
	rc = perform(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200)
		return refused(s, &r);
	rc = s3_list_parse(r.answer.text.data, r.answer.text.len, s->prefix,
			   after, max, out);
	return rc == -EPROTO ? no_answer("the listing is malformed") : rc;
}

/* Do the keys of a page belong to what was asked for? */
static bool page_ok(const struct s3_page *p, const char *prefix)
{
	const struct store_list *l = &p->list;

	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->entry[i].key, prefix, strlen(prefix)) != 0)
			return false;
	return p->last || !l->more; /* from where would it go on? */
}

static int s3_list(struct store *st, const char *prefix, const char *after,
		   size_t max, struct store_list *out)
{
	struct s3_store *s = s3(st);
	CLEANUP_FREE char *full = io_path("%s%s", s->prefix, prefix);
	CLEANUP_FREE char *from =
		io_path("%s%s", *after ? s->prefix : "", after);
	int rc = full && from ? 0 : -ENOMEM;

	store_call.sent = 0;
	for (unsigned i = 0; rc == 0; i++) {
		CLEANUP(s3_page_done) struct s3_page page = { 0 };

		rc = list_page(s, full, from, max, &page);
		if (rc < 0)
			break;
		if (!page_ok(&page, prefix) || i == FOREIGN_PAGES_MAX)
			return no_answer("the listing is not what was asked");
		if (page.list.n || !page.list.more) {
			*out = page.list;
			page.list = (struct store_list){ 0 };
			break;
		}
		free(from); /* a page full of other people's objects */
		from = take(page.last);
	}
	return rc;
}

/* Create-only is assumed; whoever sets a store up is to try it (S22). */
static void s3_caps(struct store *st, struct store_caps *out)
{
	(void)st;
	*out = (struct store_caps){ .create_only = true,
				    .storage_class = true };
}

static int s3_skew(struct store *st, int64_t *ahead_ns)
{
	struct s3_store *s = s3(st);

	if (!atomic_load(&s->has_ahead))
		return -ENODATA;
	*ahead_ns = atomic_load(&s->ahead_ns);
	return 0;
}

static void s3_free(struct store *st)
{
	struct s3_store *s = s3(st);

	s3_http_close(s->http);
	s3_endpoint_done(&s->at);
	free(s->prefix);
	free(s);
}

static const struct store_ops s3_ops = {
	.put = s3_put,
	.get = s3_get,
	.head = s3_head,
	.del = s3_del,
	.list = s3_list,
	.caps = s3_caps,
	.skew = s3_skew,
	.free = s3_free,
};

static int check_opts(const struct store_opts *o, struct err *err)
{
	if (!o->access_key || !*o->access_key || !o->secret_key ||
	    !*o->secret_key)
		return fail(err, -EINVAL, "store '%s' has no credentials",
			    o->name);
	if (!o->region || !*o->region)
		return fail(err, -EINVAL, "store '%s' has no region", o->name);
	if (!store_prefix_ok(o->prefix) ||
	    (*o->prefix && o->prefix[strlen(o->prefix) - 1] != '/'))
		return fail(err, -EINVAL, "'%s' cannot be a prefix",
			    o->prefix ? o->prefix : "");
	return 0;
}

int store_s3_open(const struct store_opts *o, struct store **out,
		  struct err *err)
{
	CLEANUP(store_free_guard) struct store *guard = NULL;
	struct s3_http_opts http = { .ca_file = o->ca_file };
	struct s3_store *s;
	int rc = check_opts(o, err);

	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(err, -ENOMEM, "no memory");
	guard = &s->base;
	s->base.ops = &s3_ops;
	s->signer = (struct s3_signer){ .access_key = o->access_key,
					.secret_key = o->secret_key,
					.region = o->region,
					.service = "s3" };
	s->session_token = o->session_token;
	s->prefix = strdup(o->prefix);
	if (!s->prefix)
		return fail(err, -ENOMEM, "no memory");
	rc = s3_endpoint_init(&s->at, o, err);
	if (rc < 0)
		return rc;
	http.plain = s->at.plain;
	http.loopback = s->at.loopback;
	http.connect_ns = o->connect_ns ?: STORE_CONNECT_NS;
	http.stall_ns = o->stall_ns ?: STORE_STALL_NS;
	http.request_ns = o->request_ns ?: STORE_REQUEST_NS;
	http.in_flight = MIN(o->in_flight ? o->in_flight : IN_FLIGHT_DEFAULT,
			     (unsigned)IN_FLIGHT_MAX);
	rc = s3_http_open(&http, &s->http, err);
	if (rc == 0)
		*out = take(guard);
	return rc;
}
