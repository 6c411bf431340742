/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/sign.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"

#define SHA256_SIZE	 32
#define QUERY_FIELDS_MAX 16

int s3_sha256_hex(const void *data, size_t len, char out[S3_SHA256_HEX])
{
	uint8_t md[SHA256_SIZE];

	/* A NULL with length 0 is not for EVP_Digest to see. */
	if (!EVP_Digest(len ? data : "", len, md, NULL, EVP_sha256(), NULL))
		return -EIO;
	hex_encode(md, sizeof(md), out);
	return 0;
}

const char *s3_date(int64_t wall_ns, char out[S3_DATE_SIZE])
{
	struct timespec ts = clock_timespec(wall_ns);
	struct tm tm;

	gmtime_r(&ts.tv_sec, &tm);
	strftime(out, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm);
	return out;
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr("-._~", c);
}

int s3_encode(struct buf *out, const char *s, bool path)
{
	int rc = 0;

	for (; rc == 0 && *s; s++) {
		if (unreserved(*s) || (path && *s == '/'))
			rc = buf_add(out, s, 1);
		else
			rc = buf_addf(out, "%%%02X", (unsigned char)*s);
	}
	return rc;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A field, encoded; newly allocated. Fields sort by name, then by value: so
 * what stands between the two is the lowest byte until all is sorted. */
static char *query_part(const struct s3_field *f)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (s3_encode(&b, f->name, false) < 0 || buf_add(&b, "\1", 1) < 0 ||
	    s3_encode(&b, f->value, false) < 0 || !buf_str(&b))
		return NULL;
	return (char *)take(b.data);
}

int s3_query(struct buf *out, const struct s3_field *fields, size_t n)
{
	char *part[QUERY_FIELDS_MAX];
	size_t i, made = 0;
	int rc = 0;

	if (n > QUERY_FIELDS_MAX)
		return -EINVAL;
	for (; made < n; made++) {
		part[made] = query_part(&fields[made]);
		if (!part[made]) {
			rc = -ENOMEM;
			break;
		}
	}
	if (made)
		qsort(part, made, sizeof(part[0]), compare_strings);
	for (i = 0; rc == 0 && i < n; i++) {
		*strchr(part[i], '\1') = '=';
		rc = buf_addf(out, "%s%s", i ? "&" : "", part[i]);
	}
	while (made)
		free(part[--made]);
	return rc;
}

static int add_signed_headers(struct buf *out, const struct s3_signable *w)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->n_headers; i++)
		rc = buf_addf(out, "%s%s", i ? ";" : "", w->headers[i].name);
	return rc;
}

/* Hashes the canonical request. */
static int hash_request(const struct s3_signable *w, char out[S3_SHA256_HEX])
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = buf_addf(&b, "%s\n%s\n%s\n", w->method, w->path, w->query);

	for (size_t i = 0; rc == 0 && i < w->n_headers; i++)
		rc = buf_addf(&b, "%s:%s\n", w->headers[i].name,
			      w->headers[i].value);
	if (rc == 0)
		rc = buf_add(&b, "\n", 1);
	if (rc == 0)
		rc = add_signed_headers(&b, w);
	if (rc == 0)
		rc = buf_addf(&b, "\n%s", w->payload_hash);
	return rc < 0 ? rc : s3_sha256_hex(b.data, b.len, out);
}

static int hmac(const void *key, size_t key_len, const char *text,
		uint8_t out[SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text,
		    strlen(text), out, NULL)
		       ? 0
		       : -EIO;
}

/* The key for one day, region and service, derived step by step. */
static int signing_key(const struct s3_signer *s, const char *day,
		       uint8_t key[SHA256_SIZE])
{
	const char *const step[] = { s->region, s->service, "aws4_request" };
	CLEANUP_BUF struct buf first = { 0 };
	int rc = buf_addf(&first, "AWS4%s", s->secret_key);

	if (rc == 0)
		rc = hmac(first.data, first.len, day, key);
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(step); i++) {
		uint8_t next[SHA256_SIZE];

		rc = hmac(key, SHA256_SIZE, step[i], next);
		memcpy(key, next, SHA256_SIZE);
		OPENSSL_cleanse(next, sizeof(next));
	}
	if (first.data)
		OPENSSL_cleanse(first.data, first.len);
	return rc;
}

static int signature(const struct s3_signer *s, const struct s3_signable *w,
		     const char *day, const char *scope,
		     char out[S3_SHA256_HEX])
{
	CLEANUP_BUF struct buf text = { 0 };
	uint8_t key[SHA256_SIZE], md[SHA256_SIZE];
	char hash[S3_SHA256_HEX];
	int rc = hash_request(w, hash);

	if (rc == 0)
		rc = buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", w->date,
			      scope, hash);
	if (rc == 0 && !buf_str(&text))
		rc = -ENOMEM;
	if (rc == 0)
		rc = signing_key(s, day, key);
	if (rc == 0)
		rc = hmac(key, sizeof(key), (const char *)text.data, md);
	OPENSSL_cleanse(key, sizeof(key));
	if (rc == 0)
		hex_encode(md, sizeof(md), out);
	return rc;
}

int s3_sign(const struct s3_signer *s, const struct s3_signable *w,
	    struct buf *out)
{
	CLEANUP_BUF struct buf scope = { 0 };
	char sig[S3_SHA256_HEX], day[9];
	int rc;

	snprintf(day, sizeof(day), "%.8s", w->date);
	rc = buf_addf(&scope, "%s/%s/%s/aws4_request", day, s->region,
		      s->service);
	if (rc == 0 && !buf_str(&scope))
		rc = -ENOMEM;
	if (rc == 0)
		rc = signature(s, w, day, (const char *)scope.data, sig);
	if (rc == 0)
		rc = buf_addf(out,
			      "AWS4-HMAC-SHA256 Credential=%s/%s, "
			      "SignedHeaders=",
			      s->access_key, (const char *)scope.data);
	if (rc == 0)
		rc = add_signed_headers(out, w);
	if (rc == 0)
		rc = buf_addf(out, ", Signature=%s", sig);
	return rc;
}
