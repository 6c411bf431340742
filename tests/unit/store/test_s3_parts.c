/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in parts: puts, copies, what goes wrong in the middle, leftovers. */
#include "tests/unit/store/s3_rig.h"

#include "store/call.h"

#define NO_UPLOADS XML("<ListMultipartUploadsResult/>")
#define CREATED                                                       \
	XML("<InitiateMultipartUploadResult><UploadId>u+1</UploadId>" \
	    "</InitiateMultipartUploadResult>")
#define PART(tag) "HTTP/1.1 200 OK\r\nETag: \"" tag "\"\r\n" NO_BODY
#define COPIED(tag)                                    \
	XML("<CopyPartResult><ETag>\"" tag "\"</ETag>" \
	    "</CopyPartResult>")
#define COMPLETED                                           \
	"HTTP/1.1 200 OK\r\nx-amz-version-id: v9\r\n\r\n"   \
	"<CompleteMultipartUploadResult><ETag>\"z\"</ETag>" \
	"</CompleteMultipartUploadResult>"
#define ABORTED "HTTP/1.1 204 D\r\n" NO_BODY
#define BUSY	"HTTP/1.1 503 S\r\n" NO_BODY
#define LATE	XML("<Error><Code>InternalError</Code></Error>")

#define ETAGS                                                        \
	"<CompleteMultipartUpload>"                                  \
	"<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part>" \
	"<Part><PartNumber>2</PartNumber><ETag>\"e2\"</ETag></Part>" \
	"<Part><PartNumber>3</PartNumber><ETag>\"e3\"</ETag></Part>" \
	"</CompleteMultipartUpload>"

static const char data[] = "0123456789abcdefghijABCDE"; /* 10 + 10 + 5 */
#define LEN 25

static const char log_of_put[] =
	"GET /bucket/?encoding-type=url&prefix=p%2F&uploads=\n"
	"POST /bucket/p/k?uploads=\n"
	"PUT /bucket/p/k?partNumber=1&uploadId=u%2B1\n"
	"PUT /bucket/p/k?partNumber=2&uploadId=u%2B1\n"
	"PUT /bucket/p/k?partNumber=3&uploadId=u%2B1\n"
	"POST /bucket/p/k?uploadId=u%2B1\n";

static int setup(void **state)
{
	s3_limits = (struct s3_limits){
		.put = 20, .put_part = 10, .copy = 20, .copy_part = 10
	};
	return 0;
}

static int put(struct rig *r, struct store_put_opts o)
{
	return store_put(r->store, "k", data, LEN, &o);
}

static void test_put(void **state)
{
	struct play p = PLAY(NO_UPLOADS, CREATED, PART("e1"), PART("e2"),
			     PART("e3"), COMPLETED, OK);
	CLEANUP(rig_done) struct rig r;
	char version[STORE_VERSION_MAX];

	rig_init(&r, &p);
	assert_int_equal(put(&r, (struct store_put_opts){ .version = version }),
			 0);
	assert_string_equal(p.log, log_of_put);
	assert_string_equal(p.body, ETAGS);
	assert_string_equal(version, "v9");
	assert_int_equal(r.counts.puts, 6); /* the listing is priced as one */
	assert_int_equal(r.counts.out_bytes, LEN + strlen(ETAGS));
	assert_int_equal(store_put(r.store, "k", data, 20, NULL), 0);
	assert_string_equal(p.last.path, "/bucket/p/k"); /* small enough */
}

static void test_class_and_condition(void **state)
{
	struct play p = PLAY(NO_UPLOADS, CREATED, PART("e1"), PART("e2"),
			     PART("e3"), COMPLETED);
	CLEANUP(rig_done) struct rig r;
	char v[32];

	rig_init(&r, &p);
	atomic_store(&r.s3->create_parts, S3_YES);
	assert_int_equal(put(&r, (struct store_put_opts){ .if_absent = true }),
			 0);
	assert_true(http_header(&p.last, "if-none-match", v, sizeof(v)));
}

/* Where completing overwrites, what is to be created only goes in one. */
/* S3 takes no part of a locked object without one of its digests. */
static void test_locked(void **state)
{
	struct play p = PLAY(NO_UPLOADS, CREATED, PART("e1"), PART("e2"),
			     PART("e3"), COMPLETED);
	CLEANUP(rig_done) struct rig r;
	char v[64] = "";

	rig_init(&r, &p);
	atomic_store(&r.s3->locks, S3_YES);
	assert_int_equal(
		put(&r,
		    (struct store_put_opts){ .lock = STORE_GOVERNANCE,
					     .lock_until_ns = INT64_MAX / 4 }),
		0);
	assert_true(http_header(&p.part, "content-md5", v, sizeof(v)));
	assert_string_equal(v, "Ls3eOVkFHZE/YbFFeeoTbQ=="); /* of "ABCDE" */
}

static void test_create_only(void **state)
{
	struct play p = PLAY(OK, NO_UPLOADS, CREATED, PART("e1"), COMPLETED,
			     ABORTED, OK);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(put(&r, (struct store_put_opts){ .if_absent = true }),
			 0);
	assert_string_equal(p.last.path, "/bucket/p/k");
	assert_string_equal(p.body, data);
	assert_int_equal(atomic_load(&r.s3->create_parts), S3_NO);
	assert_int_equal(r.counts.unknown, 0);
	assert_int_equal(put(&r, (struct store_put_opts){ .if_absent = true }),
			 0);
	assert_int_equal(http_server_requests(r.server), 8);
}

/* S25: it says 200, and then that it failed. It may have completed. */
static void test_complete_fails(void **state)
{
	struct play p = PLAY(NO_UPLOADS, CREATED, PART("e1"), PART("e2"),
			     PART("e3"), LATE, ABORTED);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(put(&r, (struct store_put_opts){ 0 }), -EAGAIN);
	assert_non_null(strstr(store_detail(), "InternalError"));
	assert_string_equal(p.last.method, "DELETE");
	assert_string_equal(p.last.path, "/bucket/p/k?uploadId=u%2B1");
	assert_int_equal(r.counts.unknown, 1);
	assert_int_equal(r.counts.deletes, 1);
}

/* Once is not enough to lose what was sent before; twice is. */
static void test_part_fails(void **state)
{
	struct play p = PLAY(NO_UPLOADS, CREATED, PART("e1"), BUSY, PART("e2"),
			     PART("e3"), COMPLETED);
	struct play q =
		PLAY(NO_UPLOADS, CREATED, PART("e1"), BUSY, BUSY, ABORTED);
	struct play no = PLAY(NO_UPLOADS, CREATED, PART("e1"),
			      REFUSED("403", "AccessDenied"), ABORTED);
	CLEANUP(rig_done) struct rig r, s, t;

	rig_init(&r, &p);
	assert_int_equal(put(&r, (struct store_put_opts){ 0 }), 0);
	assert_string_equal(p.body, ETAGS);
	rig_init(&s, &q);
	assert_int_equal(put(&s, (struct store_put_opts){ 0 }), -EAGAIN);
	assert_string_equal(q.last.method, "DELETE");
	assert_int_equal(s.counts.unknown, 0); /* nothing was put */
	rig_init(&t, &no);
	assert_int_equal(put(&t, (struct store_put_opts){ 0 }), -EACCES);
	assert_non_null(strstr(store_detail(), "AccessDenied"));
	assert_string_equal(no.last.method, "DELETE");
}

/* Answers that would become a wrong object, or break our XML. */
static void test_bad_answers(void **state)
{
	static const char *const created[] = {
		XML("<InitiateMultipartUploadResult/>"),
		XML("<InitiateMultipartUploadResult><UploadId></UploadId>"
		    "</InitiateMultipartUploadResult>"),
		XML("<Error><Code>InternalError</Code></Error>"),
		XML(""),
	};
	static const char *const part[] = { "HTTP/1.1 200 OK\r\n" NO_BODY,
					    PART(""), PART("<e>"),
					    PART("a&amp;b") };

	for (size_t i = 0; i < ARRAY_SIZE(created); i++) {
		struct play p = PLAY(NO_UPLOADS, created[i]);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(put(&r, (struct store_put_opts){ 0 }),
				 -EPROTO);
		assert_int_equal(http_server_requests(r.server), 2);
	}
	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		struct play p = PLAY(NO_UPLOADS, CREATED, part[i], ABORTED);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(put(&r, (struct store_put_opts){ 0 }),
				 -EPROTO);
		assert_string_equal(p.last.method, "DELETE");
	}
}

/* Those of others, and young ones, are left alone; a day has one look. */
static void test_leftovers(void **state)
{
	struct play p = PLAY(
		"HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n\r\n"
		"<ListMultipartUploadsResult>"
		"<EncodingType>url</EncodingType>"
		"<Upload><Key>p%2Fold</Key><UploadId>u1</UploadId>"
		"<Initiated>2026-01-30T11:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>p%2Fyoung</Key><UploadId>u2</UploadId>"
		"<Initiated>2026-01-30T13:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>other</Key><UploadId>u3</UploadId>"
		"<Initiated>2026-01-01T11:00:00.000Z</Initiated></Upload>"
		"</ListMultipartUploadsResult>",
		ABORTED, CREATED, PART("e1"), PART("e2"), PART("e3"), COMPLETED,
		CREATED, PART("e1"), PART("e2"), PART("e3"), COMPLETED);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(put(&r, (struct store_put_opts){ 0 }), 0);
	assert_non_null(strstr(p.log, "DELETE /bucket/p/old?uploadId=u1\n"));
	assert_null(strstr(p.log, "u2"));
	assert_null(strstr(p.log, "u3"));
	assert_int_equal(put(&r, (struct store_put_opts){ 0 }), 0);
	assert_int_equal(http_server_requests(r.server), 12);
}

#define THERE "HTTP/1.1 200 OK\r\nContent-Length: 25\r\nETag: \"s\"\r\n\r\n"

static void test_copy(void **state)
{
	struct play p = PLAY(THERE, NO_UPLOADS, CREATED, COPIED("e1"),
			     COPIED("e2"), COPIED("e3"), COMPLETED);
	struct play q =
		PLAY(THERE, NO_UPLOADS, CREATED, COPIED("e1"), LATE, ABORTED);
	CLEANUP(rig_done) struct rig r, s;

	rig_init(&r, &p);
	assert_int_equal(store_copy(r.store, "from", "k", NULL), 0);
	assert_string_equal(p.body, ETAGS);
	assert_non_null(strstr(p.log, "HEAD /bucket/p/from\n"));
	assert_non_null(strstr(p.log, log_of_put));
	assert_int_equal(r.counts.copies, 1);
	assert_int_equal(r.counts.puts, 5);
	rig_init(&s, &q);
	assert_int_equal(store_copy(s.store, "from", "k", NULL), -EAGAIN);
	assert_string_equal(q.last.method, "DELETE");
	assert_int_equal(s.counts.unknown, 0);
}

static void test_copy_range(void **state)
{
	struct play p = PLAY(THERE, NO_UPLOADS, CREATED, COPIED("e1"),
			     COPIED("e2"), REFUSED("412", "PreconditionFailed"),
			     ABORTED);
	struct play q = PLAY(THERE, NO_UPLOADS, CREATED, BUSY);
	CLEANUP(rig_done) struct rig r, s;
	char v[64];

	rig_init(&r, &p);
	/* It was replaced in between. */
	assert_int_equal(store_copy(r.store, "from", "k", NULL), -EEXIST);
	rig_init(&s, &q);
	q.n = 4;
	assert_int_equal(store_copy(s.store, "from", "k", NULL), -EAGAIN);
	assert_true(
		http_header(&q.part, "x-amz-copy-source-range", v, sizeof(v)));
	assert_string_equal(v, "bytes=0-9");
	assert_true(http_header(&q.part, "x-amz-copy-source-if-match", v,
				sizeof(v)));
	assert_string_equal(v, "\"s\"");
	assert_true(http_header(&q.part, "x-amz-copy-source", v, sizeof(v)));
	assert_string_equal(v, "/bucket/p/from");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_class_and_condition),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_create_only),
		cmocka_unit_test(test_complete_fails),
		cmocka_unit_test(test_part_fails),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_range),
	};

	return RUN_TESTS(tests, setup, NULL);
}
