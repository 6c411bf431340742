/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a call to an answer: a call is signed, sent, and sent once more when
 * the server says that the time or the region of the signature is not its
 * own. Both are taken from the answer; whoever redirects decides on no host:
 * the region in the name of the configured one is changed, and nothing else.
 *
 * Sources: "Authenticating Requests", "Redirecting requests", "Error
 * responses", "CopyObject" of the Amazon S3 documentation.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "store/s3/impl.h"
#include "store/s3/xml.h"

/* S3 takes 15 minutes; what is less than this was not the reason. */
#define SKEW_NS (60 * NSEC_PER_SEC)
/* A call is changed at most so often: its time, and its region. */
#define MENDS_MAX 2

const char s3_empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb924"
			     "27ae41e4649b934ca495991b7852b855";

void s3_request_done(struct s3_request *r)
{
	s3_answer_done(&r->answer);
}

void s3_add_header(struct s3_call *c, const char *name, const char *value)
{
	size_t i = c->n_headers++;

	for (; i > 0 && strcmp(c->header[i - 1].name, name) > 0; i--)
		c->header[i] = c->header[i - 1];
	c->header[i] = (struct s3_field){ name, value };
}

int s3_set_query(struct s3_call *c, struct buf *room,
		 const struct s3_field *fields, size_t n)
{
	if (s3_query(room, fields, n) < 0 || !buf_str(room))
		return -ENOMEM;
	c->query = (char *)room->data;
	return 0;
}

char *s3_md5(const void *data, size_t len)
{
	uint8_t md[16];

	return EVP_Digest(data, len, md, NULL, EVP_md5(), NULL)
		       ? base64_encode(md, sizeof(md))
		       : NULL;
}

int s3_add_put_headers(struct s3_store *s, struct s3_call *c,
		       const struct store_put_opts *opts,
		       char date[CLOCK_ISO_SIZE])
{
	int rc;

	if (opts->storage_class)
		s3_add_header(c, "x-amz-storage-class", opts->storage_class);
	if (opts->lock == STORE_UNLOCKED)
		return 0;
	rc = s3_locks(s);
	if (rc < 0)
		return rc;
	s3_add_header(c, "x-amz-object-lock-mode",
		      opts->lock == STORE_COMPLIANCE ? "COMPLIANCE"
						     : "GOVERNANCE");
	/* In whole seconds, not earlier than was asked for. */
	s3_add_header(c, "x-amz-object-lock-retain-until-date",
		      clock_iso(opts->lock_until_ns + NSEC_PER_SEC - 1, date));
	return 0;
}

/* ---- signing ---------------------------------------------------------- */

/* A call as it is sent; the strings are its own. */
struct letter {
	char *url;
	struct curl_slist *headers;
};

static void letter_done(struct letter *l)
{
	free(l->url);
	curl_slist_free_all(l->headers);
}

static int make_path_locked(struct s3_store *s, const struct s3_call *c,
			    struct buf *out)
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
static int make_headers_locked(struct s3_store *s, const struct s3_call *c,
			       const char *path, const char *date,
			       struct curl_slist **out)
{
	CLEANUP_BUF struct buf auth = { 0 };
	struct s3_signer signer = { .access_key = s->access_key,
				    .secret_key = s->secret_key,
				    .region = s->region,
				    .service = "s3" };
	struct s3_signable what = {
		.method = s3_method_name(c->method),
		.path = path,
		.query = c->query,
		.headers = c->header,
		.n_headers = c->n_headers,
		.payload_hash = c->payload_hash,
		.date = date,
	};
	int rc = s3_sign(&signer, &what, &auth);

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

/* Signs a copy of the call: by the time, host and region of now, which are
 * noted in `r`. */
static int write_letter(struct s3_store *s, struct s3_call c,
			struct s3_request *r, struct letter *out)
{
	CLEANUP_BUF struct buf path = { 0 };
	char date[S3_DATE_SIZE];
	int rc;

	r->signed_ahead_ns = atomic_load(&s->sign_ahead_ns);
	s3_date(clock_wall_ns() + r->signed_ahead_ns, date);
	LOCK_SCOPE(&s->lock);
	memcpy(r->signed_region, s->region, sizeof(r->signed_region));
	rc = make_path_locked(s, &c, &path);
	if (rc < 0)
		return rc;
	s3_add_header(&c, "host", s->at.host);
	s3_add_header(&c, "x-amz-content-sha256", c.payload_hash);
	s3_add_header(&c, "x-amz-date", date);
	if (s->session_token)
		s3_add_header(&c, "x-amz-security-token", s->session_token);
	rc = make_headers_locked(s, &c, (char *)path.data, date, &out->headers);
	out->url = io_path("%s%s%s%s", s->at.origin, (char *)path.data,
			   *c.query ? "?" : "", c.query);
	return rc < 0 || out->url ? rc : -ENOMEM;
}

static void note_answer(struct s3_store *s, const struct s3_answer *a)
{
	if (a->version[0] && strcmp(a->version, "null") != 0)
		atomic_store(&s->versions, S3_YES);
	if (a->date_ns <= 0)
		return;
	/* Date has whole seconds: half of one off on average. */
	atomic_store(&s->ahead_ns,
		     a->date_ns + NSEC_PER_SEC / 2 - a->arrived_ns);
	atomic_store(&s->has_ahead, true);
}

static int ask(struct s3_store *s, const struct s3_call *c,
	       struct s3_request *r)
{
	CLEANUP(letter_done) struct letter l = { 0 };
	int rc = write_letter(s, *c, r, &l);

	if (rc < 0)
		return rc;
	r->method = c->method;
	r->url = l.url;
	r->headers = l.headers;
	rc = s3_http_do(s->http, r);
	r->url = NULL;
	r->headers = NULL;
	if (rc == 0)
		note_answer(s, &r->answer);
	return rc;
}

/* ---- what can be put right -------------------------------------------- */

static bool is_skewed(int64_t ahead, int64_t signed_ahead)
{
	int64_t off = ahead - signed_ahead;

	return off <= -SKEW_NS || off >= SKEW_NS;
}

/* By how much our clock is wrong in the eyes of this answer, if it says so.
 * Another request may have put it right while this one was under way. */
static bool mend_time(struct s3_store *s, const struct s3_request *r,
		      const struct s3_error *e)
{
	const struct s3_answer *a = &r->answer;
	int64_t ahead = a->date_ns + NSEC_PER_SEC / 2 - a->arrived_ns;

	/* The answer to a HEAD has no body that could say why. */
	if (a->status != 403 || a->date_ns <= 0 ||
	    !is_skewed(ahead, r->signed_ahead_ns) ||
	    (strcmp(e->code, "RequestTimeTooSkewed") != 0 &&
	     r->method != S3_HEAD))
		return false;
	if (!is_skewed(ahead, atomic_load(&s->sign_ahead_ns)))
		return true;
	atomic_store(&s->sign_ahead_ns, ahead);
	log_warn("store '%s': this machine's clock is %lld s %s the store's; "
		 "requests are signed by the store's: set the clock",
		 s->name, llabs(ahead / NSEC_PER_SEC),
		 ahead < 0 ? "ahead of" : "behind");
	return true;
}

static bool is_region(const char *r)
{
	return r[0] && r[strspn(r, "abcdefghijklmnopqrstuvwxyz"
				   "0123456789-")] == '\0';
}

/* Which region an answer sends us to; "" none. */
static const char *region_of(const struct s3_request *r,
			     const struct s3_error *e)
{
	const struct s3_answer *a = &r->answer;
	const char *region = a->region[0] ? a->region : e->region;

	if (a->status != 301 && a->status != 307 && a->status != 400)
		return "";
	return is_region(region) ? region : "";
}

/* The bucket is elsewhere. It stands in the log once for each move, since
 * nobody hears of an error; the request that it moved may be another one. */
static bool mend_region(struct s3_store *s, const struct s3_request *r,
			const struct s3_error *e)
{
	const char *region = region_of(r, e);

	if (!*region || strcmp(region, r->signed_region) == 0)
		return false;
	LOCK_SCOPE(&s->lock);
	if (strcmp(region, s->region) == 0)
		return true;
	if (s3_endpoint_move(&s->at, s->region, region) < 0)
		return false;
	log_warn("store '%s': its bucket is in region '%s', not in '%s': set "
		 "`region: %s` and the endpoint of that region",
		 s->name, region, s->region, region);
	snprintf(s->region, sizeof(s->region), "%s", region);
	return true;
}

static bool mend(struct s3_store *s, const struct s3_request *r)
{
	struct s3_error e;

	if (r->answer.status < 300 || r->answer.status > 403)
		return false;
	s3_error_parse(r->answer.text.data, r->answer.text.len, &e);
	return mend_time(s, r, &e) || mend_region(s, r, &e);
}

int s3_do(struct s3_store *s, struct s3_call *c, struct s3_request *r)
{
	int rc = ask(s, c, r);

	for (int i = 0; i < MENDS_MAX && rc == 0 && mend(s, r); i++) {
		s3_answer_done(&r->answer);
		rc = ask(s, c, r);
	}
	return rc;
}

int s3_do_besides(struct s3_store *s, struct s3_call *c, struct s3_request *r,
		  size_t *count)
{
	size_t before = store_call.sent;
	int rc;

	store_call.sent = 0;
	rc = s3_do(s, c, r);
	*count += store_call.sent;
	store_call.besides.out_bytes += store_call.sent * r->body_len;
	store_call.sent = before;
	return rc;
}

/* ---- what an answer says ---------------------------------------------- */

/* An error -> what to say about it, beside its code and message. */
static void hint(struct s3_store *s, const struct s3_request *r,
		 const struct s3_error *e, char *out, size_t size)
{
	const char *region = region_of(r, e);

	out[0] = '\0';
	if (strcmp(e->code, "RequestTimeTooSkewed") == 0)
		snprintf(out, size,
			 ": its clock is %lld s ahead of this machine's",
			 (long long)(atomic_load(&s->ahead_ns) / NSEC_PER_SEC));
	else if (*region)
		snprintf(out, size, ": the bucket is in region '%s'", region);
}

int s3_refused(struct s3_store *s, const struct s3_request *r,
	       struct s3_error *e)
{
	const struct s3_answer *a = &r->answer;
	struct s3_error own;
	char more[128];
	int rc;

	e = e ? e : &own;
	s3_error_parse(a->text.data, a->text.len, e);
	rc = s3_error_errno(a->status, e->code, r->method == S3_HEAD);
	store_call.throttled = s3_error_slows(a->status, e->code);
	hint(s, r, e, more, sizeof(more));
	if (!e->code[0])
		return store_explain(rc, "HTTP status %ld%s", a->status, more);
	if (more[0])
		return store_explain(rc, "%s%s", e->code, more);
	return store_explain(rc, "%s%s%s (HTTP %ld)", e->code,
			     e->message[0] ? ": " : "", e->message, a->status);
}

int s3_no_answer(const char *what)
{
	return store_explain(-EPROTO, "%s", what);
}

static int ignore(void *arg, const char *item, const char *name,
		  const char *text, bool whole)
{
	(void)arg;
	(void)item;
	(void)name;
	(void)text;
	(void)whole;
	return 0;
}

int s3_result(struct s3_store *s, const struct s3_request *r, const char *root)
{
	const struct buf *text = &r->answer.text;
	struct s3_error e;
	int rc;

	if (r->answer.status != 200)
		return s3_refused(s, r, NULL);
	rc = s3_xml_read(text->data, text->len, root, ignore, NULL);
	if (rc != -EPROTO)
		return rc;
	s3_error_parse(text->data, text->len, &e);
	if (!e.code[0])
		return s3_no_answer("the answer has no result");
	rc = s3_error_errno(500, e.code, false);
	store_call.throttled = s3_error_slows(500, e.code);
	return store_explain(rc, "%s: %s (HTTP 200)", e.code, e.message);
}

int s3_source(struct s3_store *s, const char *key, struct buf *out)
{
	int rc = buf_addf(out, "/%s/", s->at.bucket);

	if (rc == 0)
		rc = s3_encode(out, s->prefix, true);
	if (rc == 0)
		rc = s3_encode(out, key, true);
	return rc < 0 || !buf_str(out) ? -ENOMEM : 0;
}
