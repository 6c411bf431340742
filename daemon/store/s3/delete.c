/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes: one object by DELETE, more by DeleteObjects, a thousand at once.
 * That one must carry Content-MD5; it answers for each key. Who does not know
 * it is asked for one after another.
 *
 * Source: "DeleteObjects", Amazon S3 API Reference.
 */
#include <stdio.h>
#include <string.h>

#include "store/s3/deleted.h"
#include "store/s3/impl.h"

#define BATCH_MAX  1000
#define RESULT_MAX ((size_t)4 << 20)

/* `version` NULL: the newest. */
static int del_one(struct s3_store *s, const char *key, const char *version)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_DELETE, key);
	struct s3_field f = { "versionId", version };
	int rc = 0;

	if (version)
		rc = s3_set_query(&c, &query, &f, 1);
	if (rc == 0)
		rc = s3_do(s, &c, &r);
	if (rc < 0)
		return rc;
	if (r.answer.status == 204 || r.answer.status == 200)
		return 0;
	rc = s3_refused(s, &r, NULL);
	return rc == -ENOENT ? 0 : rc;
}

int s3_del_version(struct store *st, const char *key, const char *version)
{
	store_call.sent = 0;
	return del_one(s3_of(st), key, version);
}

/* ---- a batch ---------------------------------------------------------- */

/* Keys and prefixes have nothing that XML escapes. */
static int make_body(struct s3_store *s, const char *const *keys, size_t n,
		     struct buf *out)
{
	int rc = buf_addf(out, "<Delete>");

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = buf_addf(out, "<Object><Key>%s%s</Key></Object>",
			      s->prefix, keys[i]);
	return rc < 0 ? rc : buf_addf(out, "</Delete>");
}

static void fail_all(int *rc, size_t n, int with)
{
	for (size_t i = 0; i < n; i++)
		rc[i] = with;
}

/* Asks for all of keys[0..n), which are in ascending order. Returns -ENOTSUP
 * when it does not know how; else the answer is in rc. */
static int del_batch(struct s3_store *s, const char *const *keys, size_t n,
		     int *rc)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = RESULT_MAX };
	CLEANUP_BUF struct buf body = { 0 };
	struct s3_call c = S3_CALL(S3_POST, NULL);
	char hash[S3_SHA256_HEX];
	int ret = make_body(s, keys, n, &body);
	CLEANUP_FREE char *md5 = ret == 0 ? s3_md5(body.data, body.len) : NULL;

	if (ret == 0)
		ret = md5 ? s3_sha256_hex(body.data, body.len, hash) : -EIO;
	if (ret == 0) {
		c.query = "delete=";
		c.payload_hash = hash;
		s3_add_header(&c, "content-md5", md5);
		s3_add_header(&c, "content-type", "application/xml");
		r.body = body.data;
		r.body_len = body.len;
		ret = s3_do(s, &c, &r);
	}
	if (ret == 0 && r.answer.status != 200)
		ret = s3_refused(s, &r, NULL);
	if (ret == 0)
		ret = s3_deleted_parse(r.answer.text.data, r.answer.text.len,
				       s->prefix, keys, n, rc);
	else
		fail_all(rc, n, ret);
	if (ret == -EPROTO)
		s3_no_answer("the result of the delete is malformed");
	return ret == -ENOTSUP ? ret : 0;
}

/* ---- many ------------------------------------------------------------- */

/* A key, and where it stood. */
struct place {
	const char *key;
	size_t at;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Deletes place[0..n), in ascending order of the keys. */
static void del_places(struct s3_store *s, const struct place *place, size_t n,
		       int *rc)
{
	const char *keys[BATCH_MAX];
	int got[BATCH_MAX];
	int ret = -ENOTSUP;

	for (size_t i = 0; i < n; i++)
		keys[i] = place[i].key;
	if (atomic_load(&s->batch_delete) != S3_NO)
		ret = del_batch(s, keys, n, got);
	if (ret == -ENOTSUP)
		atomic_store(&s->batch_delete, S3_NO);
	for (size_t i = 0; i < n; i++)
		rc[place[i].at] = ret == -ENOTSUP ? del_one(s, keys[i], NULL)
						  : got[i];
}

int s3_del(struct store *st, const char *const *keys, size_t n, int *rc)
{
	CLEANUP_FREE struct place *place = calloc(n, sizeof(*place));
	struct s3_store *s = s3_of(st);
	int first = 0;

	store_call.sent = 0;
	if (n == 1)
		return rc[0] = del_one(s, keys[0], NULL);
	if (!place) {
		fail_all(rc, n, -ENOMEM);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		place[i] = (struct place){ keys[i], i };
	qsort(place, n, sizeof(*place), compare_places);
	for (size_t i = 0; i < n; i += BATCH_MAX)
		del_places(s, place + i, MIN(n - i, (size_t)BATCH_MAX), rc);
	for (size_t i = 0; i < n; i++)
		first = first ? first : rc[i];
	return first;
}
