/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/guard.h"
#include "base/io.h"

/* The parts of a URL; freed with curl_free(). */
struct parts {
	char *scheme, *host, *port, *path;
};

static void parts_done(struct parts *p)
{
	curl_free(p->scheme);
	curl_free(p->host);
	curl_free(p->port);
	curl_free(p->path);
}

static void url_done(CURLU **u)
{
	curl_url_cleanup(*u);
}

void s3_endpoint_done(struct s3_endpoint *e)
{
	free(e->origin);
	free(e->host);
	free(e->root);
	free(e->bucket);
	*e = (struct s3_endpoint){ 0 };
}

/* libcurl resolves "localhost" itself, always to this machine. */
static bool is_loopback(const char *host)
{
	struct in_addr a;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &a) == 1 &&
	       ntohl(a.s_addr) >> 24 == 127;
}

static bool is_address(const char *host)
{
	struct in_addr a;

	return host[0] == '[' || inet_pton(AF_INET, host, &a) == 1;
}

/* Bucket names are lower case letters, digits, '.' and '-', 3 to 63. */
static bool bucket_ok(const char *b)
{
	size_t n = b ? strspn(b, "abcdefghijklmnopqrstuvwxyz0123456789.-_") : 0;

	return n >= 3 && n <= 63 && b[n] == '\0' && b[0] != '.' && b[0] != '-';
}

static int split(const char *url, struct parts *p)
{
	CLEANUP(url_done) CURLU *u = curl_url();
	CLEANUP(parts_done) struct parts no = { 0 };

	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PATH, &p->path, 0) != CURLUE_OK)
		return -EINVAL;
	/* No port is an answer too; a default one need not be said. */
	curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_NO_DEFAULT_PORT);
	if (curl_url_get(u, CURLUPART_USER, &no.scheme, 0) == CURLUE_OK ||
	    curl_url_get(u, CURLUPART_QUERY, &no.host, 0) == CURLUE_OK ||
	    curl_url_get(u, CURLUPART_FRAGMENT, &no.port, 0) == CURLUE_OK ||
	    strcmp(p->path, "/") != 0)
		return -EINVAL;
	return 0;
}

static int check(struct s3_endpoint *e, const struct parts *p,
		 const struct store_opts *o, struct err *err)
{
	e->plain = strcmp(p->scheme, "http") == 0;
	e->loopback = is_loopback(p->host);
	if (!e->plain && strcmp(p->scheme, "https") != 0)
		return fail(err, -EINVAL, "endpoint '%s' is not https",
			    o->endpoint);
	if (e->plain && !e->loopback && !o->allow_plain_http)
		return fail(err, -EINVAL,
			    "endpoint '%s': plain http is only for this "
			    "machine, use https",
			    o->endpoint);
	if (!bucket_ok(o->bucket))
		return fail(err, -EINVAL, "'%s' cannot be a bucket's name",
			    o->bucket ? o->bucket : "");
	if (o->virtual_style && is_address(p->host))
		return fail(err, -EINVAL,
			    "endpoint '%s': a bucket cannot stand before an "
			    "address, use the style 'path'",
			    o->endpoint);
	if (o->virtual_style && !e->plain && strchr(o->bucket, '.'))
		return fail(err, -EINVAL,
			    "bucket '%s': certificates do not cover a dot "
			    "before the host, use the style 'path'",
			    o->bucket);
	return 0;
}

int s3_endpoint_init(struct s3_endpoint *out, const struct store_opts *o,
		     struct err *err)
{
	CLEANUP(parts_done) struct parts p = { 0 };
	bool v = o->virtual_style;
	int rc;

	*out = (struct s3_endpoint){ 0 };
	rc = o->endpoint ? split(o->endpoint, &p) : -EINVAL;
	if (rc < 0)
		return fail(err, rc,
			    "endpoint '%s' must be http(s)://host[:port]",
			    o->endpoint ? o->endpoint : "");
	rc = check(out, &p, o, err);
	if (rc < 0)
		return rc;
	out->host = io_path("%s%s%s%s%s", v ? o->bucket : "", v ? "." : "",
			    p.host, p.port ? ":" : "", p.port ? p.port : "");
	out->origin = out->host ? io_path("%s://%s", p.scheme, out->host)
				: NULL;
	out->root = v ? strdup("") : io_path("/%s", o->bucket);
	out->bucket = strdup(o->bucket);
	out->own = v ? strlen(o->bucket) + 1 : 0;
	if (!out->host || !out->origin || !out->root || !out->bucket)
		return fail(err, -ENOMEM, "no memory");
	return 0;
}

/* Where `region` stands in a host as a whole part; NULL nowhere. */
static const char *find_region(const char *host, const char *region)
{
	size_t n = strlen(region);
	const char *p = n ? strchr(host, '.') : NULL;

	for (; p; p = strchr(p + 1, '.'))
		if (strncmp(p + 1, region, n) == 0 && p[1 + n] == '.')
			return p + 1;
	return NULL;
}

int s3_endpoint_move(struct s3_endpoint *e, const char *from, const char *to)
{
	static const char global[] = "s3.amazonaws.com";
	const char *own = e->host + e->own, *at = find_region(own, from);
	CLEANUP_FREE char *host = NULL, *origin = NULL;

	if (at)
		host = io_path("%.*s%s%s", (int)(at - e->host), e->host, to,
			       at + strlen(from));
	else if (strncmp(own, global, strlen(global)) == 0)
		host = io_path("%.*ss3.%s.%s", (int)e->own, e->host, to,
			       own + strlen("s3."));
	else
		return 0;
	origin = host ? io_path("%s://%s", e->plain ? "http" : "https", host)
		      : NULL;
	if (!origin)
		return -ENOMEM;
	free(e->host);
	free(e->origin);
	e->host = take(host);
	e->origin = take(origin);
	return 0;
}
