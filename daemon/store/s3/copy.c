/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies inside the store, and restores from archive classes: no byte of an
 * object passes here. CopyObject and UploadPartCopy may answer 200 and fail.
 *
 * Sources: "CopyObject", "UploadPartCopy", "RestoreObject", Amazon S3 API
 * Reference. CopyObject goes up to 5 GiB; parts of a copy as well.
 */
#include <stdio.h>
#include <string.h>

#include "store/s3/impl.h"

static int copy_whole(struct s3_store *s, const char *from, const char *to,
		      const struct store_info *info,
		      const struct store_put_opts *opts)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX,
						.work = info->size + 1 };
	CLEANUP_BUF struct buf source = { 0 };
	struct s3_call c = S3_CALL(S3_PUT, to);
	char date[CLOCK_ISO_SIZE];
	int rc = s3_source(s, from, &source);

	if (rc == 0)
		rc = s3_add_put_headers(s, &c, opts, date);
	if (rc < 0)
		return rc;
	s3_add_header(&c, "x-amz-copy-source", (char *)source.data);
	/* Else a copy onto itself that changes nothing is refused. */
	if (strcmp(from, to) == 0)
		s3_add_header(&c, "x-amz-metadata-directive", "REPLACE");
	rc = s3_do(s, &c, &r);
	if (rc == 0)
		rc = s3_result(s, &r, "CopyObjectResult");
	if (rc == 0 && opts->version)
		memcpy(opts->version, r.answer.version, STORE_VERSION_MAX);
	return rc;
}

static int copy_part(struct s3_upload *u, unsigned number, const char *source,
		     const char *etag, uint64_t off, uint64_t len)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX,
						.work = len };
	struct s3_call c = S3_CALL(S3_PUT, NULL);
	char range[64];

	snprintf(range, sizeof(range), "bytes=%llu-%llu",
		 (unsigned long long)off, (unsigned long long)(off + len - 1));
	s3_add_header(&c, "x-amz-copy-source", source);
	s3_add_header(&c, "x-amz-copy-source-range", range);
	if (etag[0]) /* all of one and the same object */
		s3_add_header(&c, "x-amz-copy-source-if-match", etag);
	return s3_upload_part(u, number, &c, &r, "CopyPartResult");
}

static int copy_parts(struct s3_store *s, const char *from, const char *to,
		      const struct store_info *info,
		      const struct store_put_opts *opts)
{
	CLEANUP(s3_upload_done) struct s3_upload u = { 0 };
	CLEANUP_BUF struct buf source = { 0 };
	uint64_t size = s3_limits.copy_part, off;
	char etag[sizeof(info->etag) + 2] = "";
	unsigned number = 1;
	int rc = s3_source(s, from, &source);

	if (info->etag[0])
		snprintf(etag, sizeof(etag), "\"%s\"", info->etag);
	if (rc == 0)
		rc = s3_upload_create(&u, s, to, opts);
	for (off = 0; rc == 0 && off < info->size; off += size)
		rc = copy_part(&u, number++, (char *)source.data, etag, off,
			       MIN(size, info->size - off));
	return rc < 0 ? rc : s3_upload_complete(&u, opts);
}

/* Looks first: what is too large for one copy goes in parts. */
int s3_copy(struct store *st, const char *from, const char *to,
	    const struct store_put_opts *opts)
{
	struct s3_store *s = s3_of(st);
	struct store_info info;
	int rc = st->ops->head(st, from, &info);

	store_call.besides.heads += store_call.sent;
	store_call.sent = 0;
	if (rc < 0)
		return rc;
	return info.size > s3_limits.copy
		       ? copy_parts(s, from, to, &info, opts)
		       : copy_whole(s, from, to, &info, opts);
}

/* ---- restore ---------------------------------------------------------- */

static const char *tier_name(enum store_speed speed)
{
	static const char *const names[] = { [STORE_STANDARD] = "Standard",
					     [STORE_BULK] = "Bulk",
					     [STORE_EXPEDITED] = "Expedited" };

	return names[speed];
}

/* Of an answer that is no success. */
static int restore_refused(struct s3_store *s, const struct s3_request *r,
			   enum store_speed speed)
{
	struct s3_error e;
	int rc = s3_refused(s, r, &e);

	/* Under way; or of a class that can be read as it is. */
	if (strcmp(e.code, "RestoreAlreadyInProgress") == 0 ||
	    strcmp(e.code, "InvalidObjectState") == 0) {
		atomic_store(&s->restore, S3_YES);
		return 0;
	}
	if (rc == -ENOTSUP || strcmp(e.code, "InvalidArgument") == 0 ||
	    strcmp(e.code, "InvalidRequest") == 0) {
		/* Not so fast; or it does not know what is asked. */
		if (speed != STORE_EXPEDITED)
			atomic_store(&s->restore, S3_NO);
		return store_explain(-ENOTSUP, "no %s restore here: %s",
				     tier_name(speed), e.code);
	}
	return rc;
}

int s3_restore(struct store *st, const char *key, unsigned days,
	       enum store_speed speed)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	CLEANUP_BUF struct buf body = { 0 };
	struct s3_store *s = s3_of(st);
	struct s3_call c = S3_CALL(S3_POST, key);
	char hash[S3_SHA256_HEX];
	int rc = buf_addf(&body,
			  "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/"
			  "2006-03-01/\"><Days>%u</Days><GlacierJobParameters>"
			  "<Tier>%s</Tier></GlacierJobParameters>"
			  "</RestoreRequest>",
			  days, tier_name(speed));

	store_call.sent = 0;
	if (rc == 0)
		rc = s3_sha256_hex(body.data, body.len, hash);
	if (rc < 0)
		return rc;
	c.query = "restore=";
	c.payload_hash = hash;
	r.body = body.data;
	r.body_len = body.len;
	rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200 && r.answer.status != 202)
		return restore_refused(s, &r, speed);
	atomic_store(&s->restore, S3_YES);
	return 0;
}
