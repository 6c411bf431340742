/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of a role, from the metadata service of a machine (IMDSv2)
 * or of a container. Sources: "Use the Instance Metadata Service", Amazon EC2
 * User Guide; "Container credential provider", AWS SDKs and Tools Reference.
 *
 * What answers is not authenticated: it is asked by a process that holds
 * nothing (S29), over no proxy, without redirects, and what comes is bounded.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "store/drivers.h"
#include "store/s3/role_json.h"

#define ANSWER_MAX    ((size_t)16 << 10)
#define CONNECT_MS    2000L
#define REQUEST_MS    4000L
#define MACHINE	      "http://169.254.169.254"
#define MACHINE_ROLES "/latest/meta-data/iam/security-credentials/"
#define CONTAINER     "http://169.254.170.2"
#define TOKEN_SECONDS "60"
#define ROLE_CHARACTERS              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz" \
	"0123456789+=,.@_-"

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

/* ---- one request ------------------------------------------------------ */

struct ask {
	const char *method;
	const char *url;
	const char *header[2]; /* NULL = none */
	struct buf *answer;
	long status;
};

/* Too long is as bad as none. */
static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	if (size * n > b->cap - b->len)
		return 0;
	memcpy(b->data + b->len, p, size * n);
	b->len += size * n;
	return size * n;
}

static void easy_done(CURL **e)
{
	curl_easy_cleanup(*e);
}

static void slist_done(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

static int do_ask(struct ask *a, struct err *err)
{
	CLEANUP(easy_done) CURL *e = curl_easy_init();
	CLEANUP(slist_done) struct curl_slist *headers = NULL;
	CURLcode code;

	if (!e)
		return fail(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < ARRAY_SIZE(a->header); i++) {
		struct curl_slist *l =
			a->header[i] ? curl_slist_append(headers, a->header[i])
				     : headers;

		if (!l && a->header[i])
			return fail(err, -ENOMEM, "no memory");
		headers = l;
	}
	a->answer->len = 0;
	curl_easy_setopt(e, CURLOPT_URL, a->url);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, a->method);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, REQUEST_MS);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, a->answer);
	code = curl_easy_perform(e);
	if (code != CURLE_OK)
		return fail(err, -EHOSTUNREACH,
			    "the metadata service '%s' does not answer: %s",
			    a->url, curl_easy_strerror(code));
	curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &a->status);
	if (a->status != 200)
		return fail(err, -EACCES,
			    "the metadata service '%s' answers with HTTP "
			    "status %ld",
			    a->url, a->status);
	return 0;
}

/* ---- where it is asked ------------------------------------------------ */

/* The first line of the answer in `b`, if it is of these characters only; a
 * string in `b`. NULL when it is not. */
static const char *first_line(struct buf *b, const char *of)
{
	char *p = (char *)b->data;
	size_t n;

	p[b->len < b->cap ? b->len : b->cap - 1] = '\0';
	n = strcspn(p, "\r\n");
	p[n] = '\0';
	return n && (!of || strspn(p, of) == n) ? p : NULL;
}

/* A token first: who can only make the gateway send GETs gets nothing. */
static int ask_machine(struct buf *answer, struct err *err)
{
	const char *base = env("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?: MACHINE;
	size_t n = strlen(base) - (base[strlen(base) - 1] == '/');
	CLEANUP_FREE char *token_url =
		io_path("%.*s/latest/api/token", (int)n, base);
	CLEANUP_FREE char *roles = io_path("%.*s" MACHINE_ROLES, (int)n, base);
	CLEANUP_FREE char *token = NULL, *role = NULL;
	const char *line;
	struct ask a = {
		"PUT",
		token_url,
		{ "X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_SECONDS },
		answer
	};
	int rc = token_url && roles ? do_ask(&a, err)
				    : fail(err, -ENOMEM, "no memory");

	if (rc < 0)
		return rc;
	line = first_line(answer, NULL);
	token = line ? io_path("X-aws-ec2-metadata-token: %s", line) : NULL;
	a = (struct ask){ "GET", roles, { token }, answer };
	rc = token ? do_ask(&a, err)
		   : fail(err, -EPROTO, "the metadata service gave no token");
	if (rc < 0)
		return a.status == 404 ? fail_hint(err, rc,
						   "attach a role to this "
						   "instance")
				       : rc;
	line = first_line(answer, ROLE_CHARACTERS);
	role = line ? io_path("%s%s", roles, line) : NULL;
	a.url = role;
	return role ? do_ask(&a, err)
		    : fail(err, -EPROTO, "the metadata service names no role");
}

/* The hosts that the SDKs allow without TLS. */
static bool host_may_be_plain(const char *host)
{
	static const char *const hosts[] = {
		"localhost",	  "[::1]",	    "169.254.170.2",
		"169.254.170.23", "[fd00:ec2::23]",
	};
	struct in_addr v4;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (strcmp(host, hosts[i]) == 0)
			return true;
	return inet_pton(AF_INET, host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == 127;
}

static void url_done(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* May keys be asked for there? */
static bool url_ok(const char *url)
{
	CLEANUP(url_done) CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;
	bool good;

	good = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	       (strcmp(scheme, "https") == 0 ||
		(strcmp(scheme, "http") == 0 && host_may_be_plain(host)));
	curl_free(scheme);
	curl_free(host);
	return good;
}

/* "Authorization: ...", when there is one to be sent; false: it cannot be
 * read. */
static bool container_token(char **out, struct err *err)
{
	const char *file = env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	CLEANUP(secret_buf_done) struct buf b = { 0 };
	int rc = secret_buf(&b, 2 * ANSWER_MAX);

	if (rc == 0 && file) {
		rc = io_read_file(file, ANSWER_MAX, &b);
		if (rc < 0) {
			fail(err, rc, "cannot read '%s': %m", file);
			return false;
		}
		token = first_line(&b, NULL);
	}
	if (!token)
		return rc == 0;
	if (strpbrk(token, "\r\n")) {
		fail(err, -EINVAL, "the container's token is none");
		return false;
	}
	*out = io_path("Authorization: %s", token);
	return *out != NULL;
}

static int ask_container(const char *full, const char *relative,
			 struct buf *answer, struct err *err)
{
	CLEANUP_FREE char *url = relative ? io_path(CONTAINER "%s", relative)
					  : strdup(full);
	CLEANUP_FREE char *token = NULL;
	struct ask a = { "GET", url, { NULL }, answer };

	if (!url)
		return fail(err, -ENOMEM, "no memory");
	if (!url_ok(url))
		return fail(err, -EINVAL,
			    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither "
			    "https nor of this machine: '%s'",
			    url);
	if (!container_token(&token, err))
		return -EACCES;
	a.header[0] = token;
	return do_ask(&a, err);
}

static int ask_service(struct buf *answer, struct err *err)
{
	const char *relative = env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *disabled = env("AWS_EC2_METADATA_DISABLED");

	if (relative || full)
		return ask_container(full, relative, answer, err);
	if (disabled && strcasecmp(disabled, "true") == 0)
		return fail(err, -EACCES,
			    "AWS_EC2_METADATA_DISABLED forbids to ask the "
			    "machine's metadata service");
	return ask_machine(answer, err);
}

/* ---- the answer ------------------------------------------------------- */

/* May it stand in a credentials file? */
static bool is_word(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int write_role(const struct s3_role *r, struct buf *out,
		      int64_t *expires_ns, struct err *err)
{
	int rc;

	if (r->code[0] && strcmp(r->code, "Success") != 0)
		return fail(err, -EACCES,
			    "the metadata service gives no credentials: %s%s%s",
			    r->code, r->message[0] ? ": " : "", r->message);
	if (!is_word(r->access_key) || !is_word(r->secret_key) ||
	    (r->token[0] && !is_word(r->token)))
		return fail(err, -EPROTO,
			    "the metadata service gave no usable keys");
	*expires_ns = 0;
	if (r->expiration[0] && clock_iso_parse(r->expiration, expires_ns) < 0)
		return fail(err, -EPROTO,
			    "the metadata service says no time until which "
			    "the keys hold");
	rc = secret_buf(out, sizeof(*r) + 200);
	if (rc == 0)
		rc = buf_addf(out,
			      "[default]\naws_access_key_id = %s\n"
			      "aws_secret_access_key = %s\n",
			      r->access_key, r->secret_key);
	if (rc == 0 && r->token[0])
		rc = buf_addf(out, "aws_session_token = %s\n", r->token);
	return rc < 0 ? fail(err, rc, "no memory") : 0;
}

int store_role_fetch(struct buf *out, int64_t *expires_ns, struct err *err)
{
	CLEANUP(secret_buf_done) struct buf answer = { 0 };
	struct s3_role *r;
	int rc = secret_buf(&answer, ANSWER_MAX);

	if (rc < 0)
		return fail(err, rc, "no memory");
	rc = ask_service(&answer, err);
	if (rc < 0)
		return rc;
	r = secret_alloc(sizeof(*r));
	if (!r)
		return fail(err, -ENOMEM, "no memory");
	rc = s3_role_parse((const char *)answer.data, answer.len, r);
	rc = rc < 0 ? fail(err, rc,
			   "the metadata service answers with something else "
			   "than credentials")
		    : write_role(r, out, expires_ns, err);
	secret_free(r, sizeof(*r));
	return rc;
}
