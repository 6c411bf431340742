/* SPDX-License-Identifier: Apache-2.0 */
/* What S3, HTTP and libcurl call a failure -> the errors of store.h. */
#ifndef MERSEY_STORE_S3_ERRORS_H
#define MERSEY_STORE_S3_ERRORS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define S3_REGION_MAX 64

/* What the body of an error answer says; "" when it does not. */
struct s3_error {
	char code[64];
	char message[200];
	char region[S3_REGION_MAX]; /* where it should have been asked */
};

/* Reads <Error><Code/><Message/></Error>; anything else gives "" only. */
void s3_error_parse(const void *xml, size_t len, struct s3_error *out);

/* Copies a text of theirs: cut to `size`, without control characters. */
void s3_error_text(char *out, size_t size, const char *text);

enum s3_tongue { S3_SAYS_CODE, S3_SAYS_STATUS, S3_SAYS_CURL };

/* What to do about a failure. */
enum s3_next {
	S3_GIVE_UP,
	S3_TRY_AGAIN,
	S3_SLOW_DOWN, /* try again, with fewer requests in flight */
};

/* One row of the table that decides. */
struct s3_error_row {
	enum s3_tongue tongue;
	const char *name; /* S3's code or libcurl's; NULL for a status */
	long from, to;	  /* statuses, or libcurl's number */
	int rc;		  /* as in store.h */
	enum s3_next next;
};

/* All of them; the first one that fits counts. */
const struct s3_error_row *s3_error_rows(size_t *n);
/* "SlowDown", "HTTP 500-599", ...; returns `out`. */
const char *s3_error_row_name(const struct s3_error_row *r, char *out,
			      size_t size);

/*
 * Of an answer with a status that is no success. `code` is "" when there was
 * no body; then `bodiless` says whether there could not be one (HEAD).
 */
int s3_error_errno(long status, const char *code, bool bodiless);
/* Does that answer ask for fewer requests? */
bool s3_error_slows(long status, const char *code);

/* What is wrong with a certificate, as CURLINFO_SSL_VERIFYRESULT has it. In
 * memory of this thread, or for ever. */
const char *s3_tls_reason(long verify_result);

/* Of a transfer that failed; os_errno as CURLINFO_OS_ERRNO. */
int s3_curl_errno(CURLcode code, long os_errno);

#endif
