/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table for all three tongues. Where S3's own code is known it decides;
 * else the HTTP status. "No such object" is believed only when S3 says so: a
 * 404 from a proxy, or for the bucket, must not look like a lost object.
 *
 * Sources: "Error responses", Amazon S3 API Reference; the throttling errors
 * of the AWS SDKs ("Retry behavior", AWS SDKs and Tools Reference Guide);
 * libcurl-errors(3); what Ceph RGW 16 was seen to answer.
 */
#include "store/s3/errors.h"

#include <errno.h>
#include <limits.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "store/drivers.h"
#include "store/s3/xml.h"

#define CODE(text, ...)                                           \
	{                                                         \
		.tongue = S3_SAYS_CODE, .name = text, __VA_ARGS__ \
	}
#define STATUS(low, high, ...)                                                 \
	{                                                                      \
		.tongue = S3_SAYS_STATUS, .from = low, .to = high, __VA_ARGS__ \
	}
#define CURL(code, ...)                                              \
	{                                                            \
		.tongue = S3_SAYS_CURL, .name = #code, .from = code, \
		.to = code, __VA_ARGS__                              \
	}
#define GIVE_UP(error)	 .rc = error, .next = S3_GIVE_UP
#define TRY_AGAIN(error) .rc = error, .next = S3_TRY_AGAIN
#define SLOW_DOWN	 .rc = -EAGAIN, .next = S3_SLOW_DOWN

/* The first row that fits decides. merseyd(8) shows them all. */
static const struct s3_error_row rows[] = {
	CODE("NoSuchKey", GIVE_UP(-ENOENT)),
	CODE("NoSuchVersion", GIVE_UP(-ENOENT)),

	CODE("PreconditionFailed", GIVE_UP(-EEXIST)),

	CODE("SlowDown", SLOW_DOWN),
	CODE("SlowDownRead", SLOW_DOWN),
	CODE("SlowDownWrite", SLOW_DOWN),
	CODE("ServiceUnavailable", SLOW_DOWN),
	CODE("TooManyRequests", SLOW_DOWN),
	CODE("RequestLimitExceeded", SLOW_DOWN),
	CODE("RequestThrottled", SLOW_DOWN),
	CODE("BandwidthLimitExceeded", SLOW_DOWN),
	CODE("Throttling", SLOW_DOWN),
	CODE("ThrottlingException", SLOW_DOWN),
	/* Somebody writes the same key just now: not decided yet. */
	CODE("ConditionalRequestConflict", TRY_AGAIN(-EAGAIN)),
	CODE("OperationAborted", TRY_AGAIN(-EAGAIN)),
	CODE("InternalError", TRY_AGAIN(-EAGAIN)),
	CODE("RequestTimeout", TRY_AGAIN(-EAGAIN)),
	/* Damaged on the way there. */
	CODE("BadDigest", TRY_AGAIN(-EAGAIN)),
	CODE("IncompleteBody", TRY_AGAIN(-EAGAIN)),
	CODE("XAmzContentSHA256Mismatch", TRY_AGAIN(-EAGAIN)),

	CODE("AccessDenied", GIVE_UP(-EACCES)),
	CODE("AccountProblem", GIVE_UP(-EACCES)),
	CODE("AllAccessDisabled", GIVE_UP(-EACCES)),
	/* The region, mostly. */
	CODE("AuthorizationHeaderMalformed", GIVE_UP(-EACCES)),
	CODE("ExpiredToken", GIVE_UP(-EACCES)),
	CODE("InvalidAccessKeyId", GIVE_UP(-EACCES)),
	CODE("InvalidSecurity", GIVE_UP(-EACCES)),
	CODE("InvalidToken", GIVE_UP(-EACCES)),
	CODE("NoSuchBucket", GIVE_UP(-EACCES)),
	CODE("RequestTimeTooSkewed", GIVE_UP(-EACCES)),
	CODE("SignatureDoesNotMatch", GIVE_UP(-EACCES)),
	CODE("UserSuspended", GIVE_UP(-EACCES)),
	/* Another endpoint is the right one; redirects are not followed. */
	CODE("PermanentRedirect", GIVE_UP(-EACCES)),
	CODE("TemporaryRedirect", GIVE_UP(-EACCES)),

	CODE("InvalidRange", GIVE_UP(-ERANGE)),

	CODE("QuotaExceeded", GIVE_UP(-ENOSPC)),
	CODE("InsufficientCapacity", GIVE_UP(-ENOSPC)),
	CODE("XMinioStorageFull", GIVE_UP(-ENOSPC)),

	CODE("EntityTooLarge", GIVE_UP(-ENOTSUP)),
	CODE("InvalidStorageClass", GIVE_UP(-ENOTSUP)),
	CODE("KeyTooLongError", GIVE_UP(-ENOTSUP)),
	CODE("MethodNotAllowed", GIVE_UP(-ENOTSUP)),
	CODE("NotImplemented", GIVE_UP(-ENOTSUP)),
	/* In an archive class, to be restored before it can be read. */
	CODE("InvalidObjectState", GIVE_UP(-ENOMEDIUM)),

	STATUS(401, 401, GIVE_UP(-EACCES)),
	STATUS(403, 403, GIVE_UP(-EACCES)),
	STATUS(407, 407, GIVE_UP(-EACCES)),
	STATUS(404, 404, GIVE_UP(-EPROTO)),
	STATUS(405, 405, GIVE_UP(-ENOTSUP)),
	STATUS(408, 409, TRY_AGAIN(-EAGAIN)),
	STATUS(425, 425, TRY_AGAIN(-EAGAIN)),
	STATUS(412, 412, GIVE_UP(-EEXIST)),
	STATUS(416, 416, GIVE_UP(-ERANGE)),
	STATUS(429, 429, SLOW_DOWN),
	/* It understood, and will not do it. */
	STATUS(400, 499, GIVE_UP(-EIO)),
	STATUS(501, 501, GIVE_UP(-ENOTSUP)),
	STATUS(503, 503, SLOW_DOWN),
	STATUS(507, 507, GIVE_UP(-ENOSPC)),
	STATUS(500, 599, TRY_AGAIN(-EAGAIN)),
	STATUS(0, LONG_MAX, GIVE_UP(-EPROTO)),

	/* Or what the kernel said, see connect_errno(). */
	CURL(CURLE_COULDNT_CONNECT, TRY_AGAIN(-ECONNREFUSED)),
	CURL(CURLE_COULDNT_RESOLVE_HOST, TRY_AGAIN(-EHOSTUNREACH)),
	CURL(CURLE_COULDNT_RESOLVE_PROXY, TRY_AGAIN(-EHOSTUNREACH)),
	CURL(CURLE_OPERATION_TIMEDOUT, TRY_AGAIN(-ETIMEDOUT)),
	CURL(CURLE_SEND_ERROR, TRY_AGAIN(-ECONNRESET)),
	CURL(CURLE_RECV_ERROR, TRY_AGAIN(-ECONNRESET)),
	CURL(CURLE_GOT_NOTHING, TRY_AGAIN(-ECONNRESET)),
	CURL(CURLE_PARTIAL_FILE, TRY_AGAIN(-ECONNRESET)),
	/* Also a reset while shaking hands. */
	CURL(CURLE_SSL_CONNECT_ERROR, TRY_AGAIN(-ECONNRESET)),
	CURL(CURLE_SEND_FAIL_REWIND, TRY_AGAIN(-ECONNRESET)),
	CURL(CURLE_PEER_FAILED_VERIFICATION, GIVE_UP(-EACCES)),
	CURL(CURLE_SSL_CACERT_BADFILE, GIVE_UP(-EACCES)),
	CURL(CURLE_SSL_ISSUER_ERROR, GIVE_UP(-EACCES)),
	CURL(CURLE_SSL_CERTPROBLEM, GIVE_UP(-EACCES)),
	CURL(CURLE_SSL_INVALIDCERTSTATUS, GIVE_UP(-EACCES)),
	CURL(CURLE_OUT_OF_MEMORY, GIVE_UP(-ENOMEM)),
};

/* Of anything that libcurl says beside those. */
static const struct s3_error_row nonsense = { .tongue = S3_SAYS_CURL,
					      .name = "",
					      GIVE_UP(-EPROTO) };

const struct s3_error_row *s3_error_rows(size_t *n)
{
	*n = ARRAY_SIZE(rows);
	return rows;
}

const char *s3_error_row_name(const struct s3_error_row *r, char *out,
			      size_t size)
{
	if (r->name)
		snprintf(out, size, "%s", r->name);
	else if (r->to == LONG_MAX)
		snprintf(out, size, "HTTP other");
	else if (r->from == r->to)
		snprintf(out, size, "HTTP %ld", r->from);
	else
		snprintf(out, size, "HTTP %ld-%ld", r->from, r->to);
	return out;
}

static const struct s3_error_row *find(enum s3_tongue tongue, const char *code,
				       long number)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct s3_error_row *r = &rows[i];

		if (r->tongue == tongue &&
		    (tongue == S3_SAYS_CODE
			     ? strcmp(code, r->name) == 0
			     : number >= r->from && number <= r->to))
			return r;
	}
	return NULL;
}

static const struct s3_error_row *answer_row(long status, const char *code)
{
	const struct s3_error_row *r = find(S3_SAYS_CODE, code, 0);

	if (!r)
		r = find(S3_SAYS_STATUS, NULL, MAX(status, 0L));
	return r;
}

int s3_error_errno(long status, const char *code, bool bodiless)
{
	int rc = answer_row(status, code)->rc;

	if (status == 404 && bodiless && !*code)
		return -ENOENT;
	/* A page of somebody between here and the store. */
	return rc == -EIO && !bodiless && !*code ? -EPROTO : rc;
}

bool s3_error_slows(long status, const char *code)
{
	return answer_row(status, code)->next == S3_SLOW_DOWN;
}

static int connect_errno(long os_errno)
{
	switch (os_errno) {
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
	case ECONNRESET:
		return -(int)os_errno;
	default:
		return -ECONNREFUSED;
	}
}

const char *s3_tls_reason(long verify_result)
{
	static _Thread_local char text[128];

	switch (verify_result) {
	/* libcurl looks at the name itself, before it asks for the rest. */
	case X509_V_ERR_UNSPECIFIED:
	case X509_V_OK:
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return STORE_TLS_HOST;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return STORE_TLS_AUTHORITY;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return STORE_TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return STORE_TLS_EARLY;
	default:
		snprintf(text, sizeof(text), "its certificate: %s",
			 X509_verify_cert_error_string(verify_result));
		return text;
	}
}

int s3_curl_errno(CURLcode code, long os_errno)
{
	const struct s3_error_row *r;

	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_COULDNT_CONNECT)
		return connect_errno(os_errno);
	r = find(S3_SAYS_CURL, NULL, (long)code);
	return (r ? r : &nonsense)->rc;
}

/* --- the body of an error answer --------------------------------------- */

void s3_error_text(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		if ((unsigned char)*text >= ' ')
			out[n++] = *text;
	out[n] = '\0';
}

static int on_element(void *arg, const char *item, const char *name,
		      const char *text, bool whole)
{
	struct s3_error *e = arg;

	(void)whole;
	if (item)
		return 0;
	if (strcmp(name, "Code") == 0)
		s3_error_text(e->code, sizeof(e->code), text);
	else if (strcmp(name, "Message") == 0)
		s3_error_text(e->message, sizeof(e->message), text);
	else if (strcmp(name, "Region") == 0)
		s3_error_text(e->region, sizeof(e->region), text);
	return 0;
}

void s3_error_parse(const void *xml, size_t len, struct s3_error *out)
{
	*out = (struct s3_error){ .code = "" };
	if (s3_xml_read(xml, len, "Error", on_element, out) < 0)
		*out = (struct s3_error){ .code = "" };
}
