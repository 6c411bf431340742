/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table for each tongue. Where S3's own code is known it decides; else
 * the HTTP status. "No such object" is believed only when S3 says so: a 404
 * from a proxy, or for the bucket, must not look like a lost object.
 *
 * Sources: "Error responses", Amazon S3 API Reference; libcurl-errors(3);
 * what Ceph RGW 16 was seen to answer.
 */
#include "store/s3/errors.h"

#include <errno.h>
#include <string.h>

#include "base/guard.h"
#include "store/s3/xml.h"

static const struct {
	const char *code;
	int rc;
} s3_codes[] = {
	{ "NoSuchKey", -ENOENT },
	{ "NoSuchVersion", -ENOENT },

	{ "PreconditionFailed", -EEXIST },

	/* Somebody writes the same key just now: not decided yet. */
	{ "ConditionalRequestConflict", -EAGAIN },
	{ "OperationAborted", -EAGAIN },
	{ "SlowDown", -EAGAIN },
	{ "SlowDownRead", -EAGAIN },
	{ "SlowDownWrite", -EAGAIN },
	{ "ServiceUnavailable", -EAGAIN },
	{ "InternalError", -EAGAIN },
	{ "RequestTimeout", -EAGAIN },
	/* Damaged on the way there. */
	{ "BadDigest", -EAGAIN },
	{ "IncompleteBody", -EAGAIN },
	{ "XAmzContentSHA256Mismatch", -EAGAIN },

	{ "AccessDenied", -EACCES },
	{ "AccountProblem", -EACCES },
	{ "AllAccessDisabled", -EACCES },
	{ "AuthorizationHeaderMalformed", -EACCES }, /* the region, mostly */
	{ "ExpiredToken", -EACCES },
	{ "InvalidAccessKeyId", -EACCES },
	{ "InvalidSecurity", -EACCES },
	{ "InvalidToken", -EACCES },
	{ "NoSuchBucket", -EACCES },
	{ "RequestTimeTooSkewed", -EACCES },
	{ "SignatureDoesNotMatch", -EACCES },
	{ "UserSuspended", -EACCES },
	/* Another endpoint is the right one; redirects are not followed. */
	{ "PermanentRedirect", -EACCES },
	{ "TemporaryRedirect", -EACCES },

	{ "InvalidRange", -ERANGE },

	{ "QuotaExceeded", -ENOSPC },
	{ "InsufficientCapacity", -ENOSPC },
	{ "XMinioStorageFull", -ENOSPC },

	{ "EntityTooLarge", -ENOTSUP },
	{ "InvalidStorageClass", -ENOTSUP },
	{ "KeyTooLongError", -ENOTSUP },
	{ "MethodNotAllowed", -ENOTSUP },
	{ "NotImplemented", -ENOTSUP },
	/* In an archive class, to be restored before it can be read. */
	{ "InvalidObjectState", -ENOMEDIUM },
};

static int status_errno(long status)
{
	switch (status) {
	case 401:
	case 403:
	case 407:
		return -EACCES;
	case 405:
	case 501:
		return -ENOTSUP;
	case 408:
	case 409:
	case 425:
	case 429:
		return -EAGAIN;
	case 412:
		return -EEXIST;
	case 416:
		return -ERANGE;
	case 507:
		return -ENOSPC;
	}
	if (status >= 500 && status <= 599)
		return -EAGAIN;
	/* 400 and the like: it understood, and will not do it. */
	return status >= 400 && status <= 499 && status != 404 ? -EIO : -EPROTO;
}

int s3_error_errno(long status, const char *code, bool bodiless)
{
	for (size_t i = 0; i < ARRAY_SIZE(s3_codes); i++)
		if (strcmp(code, s3_codes[i].code) == 0)
			return s3_codes[i].rc;
	if (status == 404 && bodiless)
		return -ENOENT;
	return status_errno(status);
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

int s3_curl_errno(CURLcode code, long os_errno)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return connect_errno(os_errno);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR: /* also a reset while shaking hands */
	case CURLE_SEND_FAIL_REWIND:
		return -ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return -EACCES;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
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
