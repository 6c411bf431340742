/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large objects in parts. Only the last request makes an object of them, so
 * it is the one that counts as sent; the others are counted besides.
 *
 * What is neither completed nor aborted (a crash, a store that went away) is
 * paid for and seen by nobody: the first upload of each day looks for such
 * leftovers below the prefix and aborts those that are older than a day.
 *
 * Source: "Uploading and copying objects using multipart upload", Amazon S3
 * User Guide. CompleteMultipartUpload may answer 200 and fail.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/s3/impl.h"
#include "store/s3/uploads.h"
#include "store/s3/xml.h"

#define MIB	  ((uint64_t)1 << 20)
#define PARTS_MAX 10000
#define LIST_MAX  ((size_t)8 << 20)
#define DAY_NS	  (SEC_PER_DAY * NSEC_PER_SEC)
/* For an abort, also when the time of the call is up. */
#define ABORT_NS (10 * NSEC_PER_SEC)

struct s3_limits s3_limits = {
	.put = 64 * MIB,
	.put_part = 16 * MIB,
	.copy = 5 * 1024 * MIB,
	.copy_part = 1024 * MIB,
};

/* ---- leftovers -------------------------------------------------------- */

static int abort_upload(struct s3_store *s, const char *key, const char *id)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_DELETE, key);
	struct s3_field f = { "uploadId", id };
	int rc = s3_set_query(&c, &query, &f, 1);

	if (rc < 0)
		return rc;
	rc = s3_do_besides(s, &c, &r, &store_call.besides.deletes);
	if (rc < 0)
		return rc;
	return r.answer.status == 204 || r.answer.status == 404
		       ? 0
		       : s3_refused(s, &r, NULL);
}

static int list_uploads(struct s3_store *s, struct s3_uploads *out)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = LIST_MAX };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_GET, NULL);
	struct s3_field f[] = { { "encoding-type", "url" },
				{ "prefix", s->prefix },
				{ "uploads", "" } };
	int rc = s3_set_query(&c, &query, f, ARRAY_SIZE(f));

	if (rc < 0)
		return rc;
	/* Priced as a put, as any listing. */
	rc = s3_do_besides(s, &c, &r, &store_call.besides.puts);
	if (rc == 0 && r.answer.status != 200)
		rc = s3_refused(s, &r, NULL);
	return rc < 0 ? rc
		      : s3_uploads_parse(r.answer.text.data, r.answer.text.len,
					 s->prefix, out);
}

/* Best effort, a page of them a day: nothing depends on it. */
static void abort_leftovers(struct s3_store *s)
{
	CLEANUP(s3_uploads_done) struct s3_uploads l = { 0 };
	int64_t now = clock_boot_ns(), looked = atomic_load(&s->looked_ns);
	int64_t store_now;

	if ((looked && now - looked < DAY_NS) ||
	    !atomic_compare_exchange_strong(&s->looked_ns, &looked, now) ||
	    list_uploads(s, &l) < 0)
		return;
	store_now = clock_wall_ns() + atomic_load(&s->ahead_ns);
	for (size_t i = 0; i < l.n; i++)
		if (l.upload[i].started_ns < store_now - DAY_NS)
			abort_upload(s, l.upload[i].key, l.upload[i].id);
}

/* ---- an upload -------------------------------------------------------- */

int s3_upload_create(struct s3_upload *u, struct s3_store *s, const char *key,
		     const struct store_put_opts *opts)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_POST, key);
	char date[CLOCK_ISO_SIZE];
	int rc;

	*u = (struct s3_upload){ .s = s, .key = key };
	abort_leftovers(s);
	rc = s3_add_put_headers(s, &c, opts, date);
	if (rc < 0)
		return rc;
	c.query = "uploads=";
	rc = s3_do_besides(s, &c, &r, &store_call.besides.puts);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200)
		return s3_refused(s, &r, NULL);
	rc = s3_xml_text(r.answer.text.data, r.answer.text.len,
			 "InitiateMultipartUploadResult", "UploadId", u->id,
			 sizeof(u->id));
	if (rc == 0 && u->id[0])
		return buf_addf(&u->parts, "<CompleteMultipartUpload>");
	return rc == -ENOMEM ? rc : s3_no_answer("the upload has no name");
}

/* An ETag goes into XML, in quotes. */
static bool etag_ok(const char *etag)
{
	return etag[0] && !strpbrk(etag, "<>&'\"");
}

/* Headers are read without the quotes. */
static void strip_quotes(char *etag)
{
	size_t n = strlen(etag);

	if (n < 2 || etag[0] != '"' || etag[n - 1] != '"')
		return;
	memmove(etag, etag + 1, n - 2);
	etag[n - 2] = '\0';
}

static int take_etag(struct s3_upload *u, const struct s3_request *r,
		     const char *root, char *etag, size_t size)
{
	int rc;

	if (!root)
		snprintf(etag, size, "%s", r->answer.etag);
	if (!root && r->answer.status != 200)
		return s3_refused(u->s, r, NULL);
	if (root) {
		rc = s3_result(u->s, r, root);
		if (rc == 0)
			rc = s3_xml_text(r->answer.text.data,
					 r->answer.text.len, root, "ETag", etag,
					 size);
		if (rc < 0)
			return rc;
		strip_quotes(etag);
	}
	return etag_ok(etag) ? 0 : s3_no_answer("a part has no ETag");
}

int s3_upload_part(struct s3_upload *u, unsigned number, struct s3_call *c,
		   struct s3_request *r, const char *root)
{
	CLEANUP_BUF struct buf query = { 0 };
	char no[16], etag[96];
	struct s3_field f[] = { { "partNumber", no }, { "uploadId", u->id } };
	int rc;

	snprintf(no, sizeof(no), "%u", number);
	rc = s3_set_query(c, &query, f, ARRAY_SIZE(f));
	if (rc < 0)
		return rc;
	c->key = u->key;
	rc = s3_do_besides(u->s, c, r, &store_call.besides.puts);
	c->query = "";
	if (rc == 0)
		rc = take_etag(u, r, root, etag, sizeof(etag));
	if (rc < 0)
		return rc;
	return buf_addf(&u->parts,
			"<Part><PartNumber>%u</PartNumber>"
			"<ETag>\"%s\"</ETag></Part>",
			number, etag);
}

int s3_upload_complete(struct s3_upload *u, const struct store_put_opts *opts)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX,
						.work = 1 };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_POST, u->key);
	struct s3_field f = { "uploadId", u->id };
	char hash[S3_SHA256_HEX];
	int rc = buf_addf(&u->parts, "</CompleteMultipartUpload>");

	if (rc == 0)
		rc = s3_set_query(&c, &query, &f, 1);
	if (rc == 0)
		rc = s3_sha256_hex(u->parts.data, u->parts.len, hash);
	if (rc < 0)
		return rc;
	c.payload_hash = hash;
	r.body = u->parts.data;
	r.body_len = u->parts.len;
	if (opts->if_absent)
		s3_add_condition(u->s, &c);
	rc = s3_do(u->s, &c, &r);
	store_call.besides.out_bytes += u->parts.len;
	if (rc == 0)
		rc = s3_result(u->s, &r, "CompleteMultipartUploadResult");
	if (rc < 0)
		return rc;
	u->id[0] = '\0';
	if (opts->version)
		memcpy(opts->version, r.answer.version, STORE_VERSION_MAX);
	return 0;
}

/* What failed keeps its reason: the abort says nothing. */
void s3_upload_done(struct s3_upload *u)
{
	struct store_call then = store_call;
	int64_t limit = clock_boot_ns() + ABORT_NS;

	buf_done(&u->parts);
	if (!u->id[0])
		return;
	if (!store_call.deadline_ns || store_call.deadline_ns < limit)
		store_call.deadline_ns = limit;
	abort_upload(u->s, u->key, u->id);
	store_call.deadline_ns = then.deadline_ns;
	memcpy(store_call.detail, then.detail, sizeof(then.detail));
}

/* ---- put -------------------------------------------------------------- */

/* S3 wants a digest of each part of what is locked, also when it is the
 * bucket that says so. */
static int put_part(struct s3_upload *u, unsigned number, const void *data,
		    size_t len, bool locked)
{
	bool wanted = locked || u->s->aws;
	CLEANUP_FREE char *md5 = wanted ? s3_md5(data, len) : NULL;
	char hash[S3_SHA256_HEX];
	int rc = wanted && !md5 ? -EIO : s3_sha256_hex(data, len, hash);

	/* One cut connection must not cost all parts before it. */
	for (int tries = 2; rc == 0 && tries--;) {
		CLEANUP_REQUEST struct s3_request r = {
			.body = data, .body_len = len, .text_max = S3_ERROR_MAX
		};
		struct s3_call c = S3_CALL(S3_PUT, NULL);

		c.payload_hash = hash;
		if (md5)
			s3_add_header(&c, "content-md5", md5);
		rc = s3_upload_part(u, number, &c, &r, NULL);
		if (rc == 0 || !store_is_transient(rc))
			break;
		rc = tries ? 0 : rc;
	}
	return rc;
}

int s3_put_parts(struct s3_store *s, const char *key, const void *data,
		 size_t len, const struct store_put_opts *opts)
{
	CLEANUP(s3_upload_done) struct s3_upload u = { 0 };
	size_t size = MAX((size_t)s3_limits.put_part, len / PARTS_MAX + 1);
	unsigned number = 1;
	int rc;

	store_call.in_parts = true;
	rc = s3_upload_create(&u, s, key, opts);
	for (size_t off = 0; rc == 0 && off < len; off += size)
		rc = put_part(&u, number++, (const char *)data + off,
			      MIN(size, len - off),
			      opts->lock != STORE_UNLOCKED);
	return rc < 0 ? rc : s3_upload_complete(&u, opts);
}
