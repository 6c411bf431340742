/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say in XML and headers, well-meant and not. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/guard.h"
#include "store/s3/answer.h"
#include "store/s3/deleted.h"
#include "store/s3/endpoint.h"
#include "store/s3/uploads.h"
#include "store/s3/xml.h"

/* --- the reader -------------------------------------------------------- */

static int to_log(void *arg, const char *item, const char *name,
		  const char *text, bool whole)
{
	char *log = arg;
	size_t n = strlen(log);

	snprintf(log + n, 512 - n, "%s/%s=%.20s%s;", item ? item : "",
		 name ? name : "", text ? text : "", whole ? "" : "...");
	return name && strcmp(name, "stop") == 0 ? -EXDEV : 0;
}

static int read_text(const char *xml, char log[512])
{
	log[0] = '\0';
	return s3_xml_read(xml, strlen(xml), "R", to_log, log);
}

static void test_reader(void **state)
{
	static const struct {
		const char *xml;
		int rc;
		const char *log;
	} cases[] = {
		{ "<R/>", 0, "" },
		{ "<R xmlns=\"u\"><a>1</a><b>2</b></R>", 0, "/a=1;/b=2;" },
		{ "<R><i><a>1</a><b/></i><i><a>2</a></i></R>", 0,
		  "i/a=1;i/b=;i/=;i/a=2;i/=;" },
		{ "<R><a>&lt;&amp;&#65;</a></R>", 0, "/a=<&A;" },
		/* Deeper is not asked for, and spoils nothing. */
		{ "<R><i><a><x>9</x></a><b>2</b></i></R>", 0, "i/b=2;i/=;" },
		{ "<R><a>1</a><stop/><b>2</b></R>", -EXDEV, "/a=1;/stop=;" },
		{ "<Q><a>1</a></Q>", -EPROTO, "" },
		{ "", -EPROTO, "" },
		{ " ", -EPROTO, "" },
		{ "<R>", -EPROTO, "" },
		{ "<R/><R/>", -EPROTO, "" },
		{ "<R><a>1</b></R>", -EPROTO, "" },
		{ "<!DOCTYPE R [<!ENTITY e \"x\">]><R><a>&e;</a></R>", -EPROTO,
		  "" },
		{ "<R><a>&e;</a></R>", -EPROTO, "" },
		{ "<R><a>\xff</a></R>", -EPROTO, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char log[512];

		assert_int_equal(read_text(cases[i].xml, log), cases[i].rc);
		assert_string_equal(log, cases[i].log);
	}
	assert_int_equal(s3_xml_read(NULL, 0, "R", to_log, NULL), -EPROTO);
}

static void test_reader_limits(void **state)
{
	static char xml[200000], log[512];
	size_t n = (size_t)snprintf(xml, sizeof(xml), "<R><a>");

	memset(xml + n, 'x', 100000);
	memcpy(xml + n + 100000, "</a></R>", sizeof("</a></R>"));
	assert_int_equal(read_text(xml, log), 0);
	assert_string_equal(log, "/a=xxxxxxxxxxxxxxxxxxxx...;");
	/* A name of any length, at any depth. */
	n = (size_t)snprintf(xml, sizeof(xml), "<R>");
	for (int i = 0; i < 20000; i++)
		n += (size_t)snprintf(xml + n, sizeof(xml) - n, "<a>");
	assert_int_equal(read_text(xml, log), -EPROTO);
}

static void test_one_text(void **state)
{
	static const struct {
		const char *xml;
		int rc;
	} cases[] = {
		{ "<R><a>0123456</a></R>", 0 },
		{ "<R><b/><a>0123456</a><i><a>x</a></i></R>", 0 },
		{ "<R><a>01234567</a></R>", -EPROTO },
		{ "<R><a>1</a><a>2</a></R>", -EPROTO },
		{ "<R><i><a>1</a></i></R>", -EPROTO },
		{ "<R/>", -EPROTO },
	};
	char out[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(s3_xml_text(cases[i].xml, strlen(cases[i].xml),
					     "R", "a", out, sizeof(out)),
				 cases[i].rc);
}

/* --- deletes ----------------------------------------------------------- */

#define RESULT(s)  "<DeleteResult>" s "</DeleteResult>"
#define GONE(k)	   "<Deleted><Key>" k "</Key></Deleted>"
#define KEPT(k, c) "<Error><Key>" k "</Key><Code>" c "</Code></Error>"

static void test_deleted(void **state)
{
	static const char *const keys[] = { "a", "b/c", "d" };
	static const struct {
		const char *xml;
		int ret, rc[3];
	} cases[] = {
		{ RESULT(GONE("p/a") GONE("p/b/c") GONE("p/d")), 0, { 0 } },
		{ RESULT(GONE("p/d") KEPT("p/a", "AccessDenied")
				 KEPT("p/b/c", "NoSuchKey")),
		  0,
		  { -EACCES, 0, 0 } },
		{ RESULT(KEPT("p/a", "InternalError") KEPT("p/d", "What")),
		  0,
		  { -EAGAIN, -EPROTO, -EAGAIN } },
		/* Not ours, not asked for, without a key, one more than once.
		 */
		{ RESULT(GONE("a") GONE("q/a") GONE("p/aa")
				 GONE("") "<Deleted/>" GONE("p/d") KEPT(
					 "p/d", "AccessDenied") GONE("p/d")),
		  0,
		  { -EPROTO, -EPROTO, -EACCES } },
		{ RESULT(""), 0, { -EPROTO, -EPROTO, -EPROTO } },
		{ "<Error><Code>X</Code></Error>",
		  -EPROTO,
		  { -EPROTO, -EPROTO, -EPROTO } },
		{ "<DeleteResult>" GONE("p/a"),
		  -EPROTO,
		  { -EPROTO, -EPROTO, -EPROTO } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc[3] = { 1, 1, 1 };

		assert_int_equal(s3_deleted_parse(cases[i].xml,
						  strlen(cases[i].xml), "p/",
						  keys, 3, rc),
				 cases[i].ret);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(rc[k], cases[i].rc[k]);
	}
}

/* --- uploads ----------------------------------------------------------- */

#define UPLOADS(s) \
	"<ListMultipartUploadsResult>" s "</ListMultipartUploadsResult>"
#define UPLOAD(k, u, t)                                      \
	"<Upload><Key>" k "</Key><UploadId>" u "</UploadId>" \
	"<Initiated>" t "</Initiated></Upload>"
#define THEN "2026-01-31T12:00:00.000Z"

static size_t uploads(const char *xml, int want)
{
	CLEANUP(s3_uploads_done) struct s3_uploads l = { 0 };

	assert_int_equal(s3_uploads_parse(xml, strlen(xml), "p/", &l), want);
	return l.n;
}

static void test_uploads(void **state)
{
	CLEANUP(s3_uploads_done) struct s3_uploads l = { 0 };
	static const char xml[] =
		UPLOADS("<EncodingType>url</EncodingType>" UPLOAD(
			"p%2Fa%2Fb", "u/1+", THEN) "<Prefix>p/</Prefix>");

	assert_int_equal(s3_uploads_parse(xml, strlen(xml), "p/", &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.upload[0].key, "a/b");
	assert_string_equal(l.upload[0].id, "u/1+");
	assert_int_equal(l.upload[0].started_ns / NSEC_PER_SEC, 1769860800);
	/* Not ours, no key of ours, no time, no name: left out. */
	assert_int_equal(uploads(UPLOADS(UPLOAD("q/a", "u", THEN)), 0), 0);
	assert_int_equal(uploads(UPLOADS(UPLOAD("p/../a", "u", THEN)), 0), 0);
	assert_int_equal(uploads(UPLOADS(UPLOAD("p/", "u", THEN)), 0), 0);
	assert_int_equal(uploads(UPLOADS(UPLOAD("p/a", "u", "now")), 0), 0);
	assert_int_equal(uploads(UPLOADS("<Upload/>"), 0), 0);
	assert_int_equal(uploads(UPLOADS("<Upload><Key>p/a</Key></Upload>"), 0),
			 0);
	assert_int_equal(
		uploads(UPLOADS("<EncodingType>url</EncodingType>" UPLOAD(
				"p%2", "u", THEN)),
			0),
		0);
	assert_int_equal(uploads("<ListBucketResult/>", -EPROTO), 0);
	assert_int_equal(
		uploads("<ListMultipartUploadsResult><Upload>", -EPROTO), 0);
}

static void test_uploads_many(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(buf_addf(&b, "<ListMultipartUploadsResult>"), 0);
	for (int i = 0; i < 1001; i++)
		buf_addf(&b, UPLOAD("p/a", "u", THEN));
	buf_addf(&b, "</ListMultipartUploadsResult>");
	uploads(buf_str(&b), -EPROTO);
}

/* --- headers ----------------------------------------------------------- */

static void test_restore_header(void **state)
{
	static const struct {
		const char *value;
		bool ongoing;
		int64_t until;
	} cases[] = {
		{ "ongoing-request=\"true\"", true, 0 },
		{ "ongoing-request=\"true", true, 0 },
		{ "ongoing-request=\"false\", expiry-date=\"Sat, 31 Jan 2026 "
		  "12:00:00 GMT\"",
		  false, 1769860800 },
		{ "ongoing-request=\"false\", expiry-date=\"Sat, 31 Jan 2026 "
		  "12:00:00 GMT",
		  false, 1769860800 },
		{ "ongoing-request=\"true\", expiry-date=\"Sat, 31 Jan 2026 "
		  "12:00:00 GMT\"",
		  true, 0 },
		{ "ongoing-request=\"false\", expiry-date=\"\"", false, 0 },
		{ "ongoing-request=\"false\", expiry-date=\"Sat, 31 Jan 2026 "
		  "12:00:00 GMT but this is far too long to be a date of it\"",
		  false, 0 },
		{ "expiry-date=\"", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct s3_restore r;

		s3_restore_parse(cases[i].value, &r);
		assert_true(r.said);
		assert_int_equal(r.ongoing, cases[i].ongoing);
		assert_int_equal(r.until_ns, cases[i].until * NSEC_PER_SEC);
	}
}

/* --- another region ---------------------------------------------------- */

static void test_move(void **state)
{
	static const struct {
		const char *endpoint, *host;
		bool virtual_style;
	} cases[] = {
		{ "https://s3.eu-west-2.amazonaws.com",
		  "s3.us-east-1.amazonaws.com", false },
		{ "https://s3.eu-west-2.amazonaws.com:8443",
		  "eu-west-2.s3.us-east-1.amazonaws.com:8443", true },
		{ "https://s3.dualstack.eu-west-2.amazonaws.com",
		  "s3.dualstack.us-east-1.amazonaws.com", false },
		{ "https://s3.amazonaws.com", "s3.us-east-1.amazonaws.com",
		  false },
		/* Nobody's region in the name: the host stays. */
		{ "https://s3.example", "s3.example", false },
		{ "https://eu-west-2.example", "eu-west-2.example", false },
		{ "https://s3.eu-west-20.example", "s3.eu-west-20.example",
		  false },
		{ "http://127.0.0.1:9000", "127.0.0.1:9000", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_opts o = { .endpoint = cases[i].endpoint,
					.bucket = "eu-west-2",
					.virtual_style =
						cases[i].virtual_style };
		CLEANUP(s3_endpoint_done) struct s3_endpoint e;
		const char *scheme = strncmp(cases[i].endpoint, "https", 5) == 0
					     ? "https"
					     : "http";
		char origin[128];

		assert_int_equal(s3_endpoint_init(&e, &o, NULL), 0);
		assert_int_equal(s3_endpoint_move(&e, "eu-west-2", "us-east-1"),
				 0);
		assert_string_equal(e.host, cases[i].host);
		snprintf(origin, sizeof(origin), "%s://%s", scheme,
			 cases[i].host);
		assert_string_equal(e.origin, origin);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_reader_limits),
		cmocka_unit_test(test_one_text),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_uploads_many),
		cmocka_unit_test(test_restore_header),
		cmocka_unit_test(test_move),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
