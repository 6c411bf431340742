/* SPDX-License-Identifier: Apache-2.0 */
/* What the S3 driver reads: listings, errors, credentials, endpoints. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/guard.h"
#include "store/drivers.h"
#include "store/s3/endpoint.h"
#include "store/s3/errors.h"
#include "store/s3/list.h"

/* --- listings ---------------------------------------------------------- */

#define LIST(s)                                                        \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult " \
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" s         \
	"</ListBucketResult>"
#define ITEM(key)                                               \
	"<Contents><Key>" key "</Key><LastModified>"            \
	"2026-01-31T12:00:00.000Z</LastModified><ETag>x</ETag>" \
	"<Size>42</Size><Owner><ID>me</ID></Owner></Contents>"
#define END	"<IsTruncated>false</IsTruncated>"
#define MORE	"<IsTruncated>true</IsTruncated>"
#define ENCODED "<EncodingType>url</EncodingType>"

static int parse(const char *xml, struct s3_page *p)
{
	return s3_list_parse(xml, strlen(xml), "p/", "p/b", 3, p);
}

static void test_list(void **state)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };

	assert_int_equal(
		parse(LIST(MORE ITEM("p/c") ITEM("p/d/e") "<KeyCount>"
							  "2</KeyCount>"),
		      &p),
		0);
	assert_int_equal(p.list.n, 2);
	assert_true(p.list.more);
	assert_string_equal(p.list.entry[0].key, "c");
	assert_string_equal(p.list.entry[1].key, "d/e");
	assert_int_equal(p.list.entry[0].size, 42);
	assert_int_equal(p.list.entry[0].modified_ns / NSEC_PER_SEC,
			 1769860800);
	assert_string_equal(p.last, "p/d/e");
}

static void test_list_empty(void **state)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };

	assert_int_equal(parse(LIST(END), &p), 0);
	assert_int_equal(p.list.n, 0);
	assert_false(p.list.more);
	assert_null(p.last);
}

/* What is no key of ours is passed by, but counts for where to go on. */
static void test_list_foreign(void **state)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };

	assert_int_equal(parse(LIST(ITEM("p/c%2Fd") ITEM("p/d%20e")
					    ITEM("p/e+f") END ENCODED),
			       &p),
			 0);
	assert_int_equal(p.list.n, 1);
	assert_string_equal(p.list.entry[0].key, "c/d");
	assert_string_equal(p.last, "p/e f");
}

/* Without EncodingType a '%' is a '%'. */
static void test_list_plain(void **state)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };

	assert_int_equal(parse(LIST(ITEM("p/c%41") END), &p), 0);
	assert_int_equal(p.list.n, 0);
	assert_string_equal(p.last, "p/c%41");
}

static void test_list_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"<html>It works</html>",
		"<ListBucketResult><IsTruncated>false</IsTruncated>",
		LIST(""),	       /* does not say whether there is more */
		LIST(ITEM("p/b") END), /* not behind `after` */
		LIST(ITEM("p/d") ITEM("p/c") END), /* not in order */
		LIST(ITEM("p/c") ITEM("p/c") END),
		LIST(ITEM("q/c") END), /* another prefix */
		LIST(ITEM("p/c") ITEM("p/d") ITEM("p/e") ITEM("p/f") END),
		LIST(ITEM("p/c%0") END ENCODED),
		LIST(ITEM("p/c%00") END ENCODED),
		LIST(ITEM("p/c%zz") END ENCODED),
		LIST("<Contents><Key>p/c</Key></Contents>" END),
		LIST("<Contents><Size>1</Size></Contents>" END),
		LIST("<Contents><Key>p/c</Key><Size>-1</Size></Contents>" END),
		LIST("<Contents><Key>p/c</Key><Size>1x</Size></Contents>" END),
		LIST("<Contents><Key>p/c</Key><Size>"
		     "99999999999999999999</Size></Contents>" END),
		"<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" LIST(END),
		"<!DOCTYPE ListBucketResult>" LIST(END),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(s3_page_done) struct s3_page p = { 0 };

		if (parse(bad[i], &p) != -EPROTO)
			print_error("not refused: %s\n", bad[i]);
		s3_page_done(&p);
		assert_int_equal(parse(bad[i], &p), -EPROTO);
	}
}

static void test_list_long_key(void **state)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };
	CLEANUP_FREE char *key = calloc(1, 4001), *xml = malloc(8192);

	assert_non_null(key);
	assert_non_null(xml);
	memset(key, 'k', 4000);
	snprintf(xml, 8192, "%s%s%s", "<ListBucketResult><Contents><Key>p/",
		 key, "</Key><Size>1</Size></Contents></ListBucketResult>");
	assert_int_equal(parse(xml, &p), -EPROTO);
}

/* --- errors ------------------------------------------------------------ */

static void test_error_body(void **state)
{
	static const char xml[] =
		"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>"
		"gone &amp;\nlost</Message><Key>Code</Key></Error>";
	static const char nested[] =
		"<Error><X><Code>NoSuchKey</Code></X></Error>";
	struct s3_error e;

	s3_error_parse(xml, strlen(xml), &e);
	assert_string_equal(e.code, "NoSuchKey");
	assert_string_equal(e.message, "gone &lost");
	s3_error_parse(nested, strlen(nested), &e);
	assert_string_equal(e.code, "");
	s3_error_parse("<Error><Code>Half", 17, &e);
	assert_string_equal(e.code, "");
	s3_error_parse("<html><Code>NoSuchKey</Code></html>", 35, &e);
	assert_string_equal(e.code, "");
	s3_error_parse(NULL, 0, &e);
	assert_string_equal(e.code, "");
}

static void test_error_body_long(void **state)
{
	char xml[2048] = "<Error><Code>";
	struct s3_error e;

	memset(xml + strlen(xml), 'x', 1000);
	strcat(xml, "</Code></Error>");
	s3_error_parse(xml, strlen(xml), &e);
	assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
}

static void test_error_table(void **state)
{
	assert_int_equal(s3_error_errno(404, "NoSuchKey", false), -ENOENT);
	assert_int_equal(s3_error_errno(404, "", true), -ENOENT);
	/* None of these says that the object is gone. */
	assert_int_equal(s3_error_errno(404, "", false), -EPROTO);
	assert_int_equal(s3_error_errno(404, "NoSuchBucket", false), -EACCES);
	assert_int_equal(s3_error_errno(404, "Whatever", false), -EPROTO);
	assert_int_equal(s3_error_errno(301, "", false), -EPROTO);
	assert_int_equal(s3_error_errno(200, "", false), -EPROTO);

	assert_int_equal(s3_error_errno(412, "PreconditionFailed", false),
			 -EEXIST);
	assert_int_equal(s3_error_errno(412, "", false), -EEXIST);
	assert_int_equal(
		s3_error_errno(409, "ConditionalRequestConflict", false),
		-EAGAIN);
	assert_int_equal(s3_error_errno(403, "QuotaExceeded", false), -ENOSPC);
	assert_int_equal(s3_error_errno(403, "Unheard", false), -EACCES);
	assert_int_equal(s3_error_errno(400, "ExpiredToken", false), -EACCES);
	assert_int_equal(s3_error_errno(400, "RequestTimeout", false), -EAGAIN);
	assert_int_equal(s3_error_errno(400, "Unheard", false), -EIO);
	assert_int_equal(s3_error_errno(416, "InvalidRange", false), -ERANGE);
	assert_int_equal(s3_error_errno(429, "", false), -EAGAIN);
	assert_int_equal(s3_error_errno(500, "InternalError", false), -EAGAIN);
	assert_int_equal(s3_error_errno(501, "NotImplemented", false),
			 -ENOTSUP);
	assert_int_equal(s3_error_errno(503, "", false), -EAGAIN);
}

static void test_curl_table(void **state)
{
	assert_int_equal(s3_curl_errno(CURLE_OK, 0), 0);
	assert_int_equal(s3_curl_errno(CURLE_COULDNT_CONNECT, ECONNREFUSED),
			 -ECONNREFUSED);
	assert_int_equal(s3_curl_errno(CURLE_COULDNT_CONNECT, ENETUNREACH),
			 -ENETUNREACH);
	assert_int_equal(s3_curl_errno(CURLE_COULDNT_RESOLVE_HOST, 0),
			 -EHOSTUNREACH);
	assert_int_equal(s3_curl_errno(CURLE_OPERATION_TIMEDOUT, 0),
			 -ETIMEDOUT);
	assert_int_equal(s3_curl_errno(CURLE_PARTIAL_FILE, 0), -ECONNRESET);
	assert_int_equal(s3_curl_errno(CURLE_PEER_FAILED_VERIFICATION, 0),
			 -EACCES);
	assert_int_equal(s3_curl_errno(CURLE_WEIRD_SERVER_REPLY, 0), -EPROTO);
}

/* --- credentials ------------------------------------------------------- */

static int credentials_of(const char *text, const char *profile,
			  struct store_credentials *f, struct err *err)
{
	return store_credentials_parse(text, strlen(text), profile, f, err);
}

static int credentials(const char *text, struct store_credentials *f,
		       struct err *err)
{
	return credentials_of(text, NULL, f, err);
}

static void test_credentials(void **state)
{
	CLEANUP(store_credentials_done) struct store_credentials f = { 0 };
	CLEANUP(store_credentials_done) struct store_credentials g = { 0 };

	assert_int_equal(credentials("# ours\n[default]\r\n"
				     "aws_access_key_id = AKID\r\n"
				     "aws_secret_access_key=a/b+c==\n"
				     "region = eu-west-2\n",
				     &f, NULL),
			 0);
	assert_string_equal(f.access_key, "AKID");
	assert_string_equal(f.secret_key, "a/b+c==");
	assert_null(f.session_token);
	assert_int_equal(credentials("[other]\naws_access_key_id=no\n"
				     "aws_secret_access_key=no\n"
				     "aws_session_token=no\n"
				     "[default]\naws_access_key_id=yes\n"
				     "aws_secret_access_key=yes\n"
				     "[third]\naws_access_key_id=no",
				     &g, NULL),
			 0);
	assert_string_equal(g.access_key, "yes");
	assert_string_equal(g.secret_key, "yes");
	assert_null(g.session_token);
}

static void test_credentials_token(void **state)
{
	CLEANUP(store_credentials_done) struct store_credentials f = { 0 };

	assert_int_equal(credentials("[trust]\naws_access_key_id=a\n"
				     "aws_secret_access_key=b\n"
				     "aws_session_token = tok==",
				     &f, NULL),
			 0);
	assert_string_equal(f.session_token, "tok==");
}

static void test_credentials_profile(void **state)
{
	static const char text[] =
		"[default]\naws_access_key_id=no\naws_secret_access_key=no\n"
		"[rem]\naws_access_key_id=a\naws_secret_access_key=b\n"
		"[rem2]\naws_access_key_id=c\naws_session_token=t\n"
		"aws_secret_access_key=d\n";
	CLEANUP(store_credentials_done) struct store_credentials f = { 0 };
	CLEANUP(store_credentials_done) struct store_credentials g = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(credentials_of(text, "rem", &f, NULL), 0);
	assert_string_equal(f.access_key, "a");
	assert_string_equal(f.secret_key, "b");
	assert_null(f.session_token);
	assert_int_equal(credentials_of(text, "rem2", &g, NULL), 0);
	assert_string_equal(g.secret_key, "d");
	assert_string_equal(g.session_token, "t");
	store_credentials_done(&g);
	assert_int_equal(credentials_of(text, "re", &g, &err), -EINVAL);
	assert_string_equal(err.msg, "there is no profile 're'");
	assert_null(g.access_key);
}

static void test_credentials_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "aws_access_key_id is missing" },
		{ "[default]\naws_access_key_id=a\n",
		  "aws_secret_access_key is missing" },
		{ "aws_access_key_id=a\n", "line 1: before the first" },
		{ "[default]\nsecret\n", "line 2: not 'name = value'" },
		{ "[default]\naws_access_key_id=\n", "line 2: the value is" },
		{ "[default]\naws_access_key_id=a b\n", "line 2: the value" },
		{ "[a]\naws_access_key_id=a\n[b]\n", "2 profiles" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(store_credentials_done)
		struct store_credentials f = { 0 };
		struct err err = ERR_INIT;

		assert_int_equal(credentials(bad[i].text, &f, &err), -EINVAL);
		if (!strstr(err.msg, bad[i].says))
			print_error("says: %s\n", err.msg);
		assert_non_null(strstr(err.msg, bad[i].says));
		assert_null(f.access_key);
	}
}

/* --- endpoints --------------------------------------------------------- */

static int endpoint(const char *url, const char *bucket, bool virtual_style,
		    struct s3_endpoint *e)
{
	struct store_opts o = { .name = "s",
				.endpoint = url,
				.bucket = bucket,
				.virtual_style = virtual_style };

	return s3_endpoint_init(e, &o, NULL);
}

static void assert_endpoint(const char *url, bool virtual_style,
			    const char *origin, const char *host,
			    const char *root)
{
	CLEANUP(s3_endpoint_done) struct s3_endpoint e;

	assert_int_equal(endpoint(url, "bkt", virtual_style, &e), 0);
	assert_string_equal(e.origin, origin);
	assert_string_equal(e.host, host);
	assert_string_equal(e.root, root);
}

static void test_endpoints(void **state)
{
	assert_endpoint("https://s3.example", false, "https://s3.example",
			"s3.example", "/bkt");
	assert_endpoint("https://s3.example:443/", true,
			"https://bkt.s3.example", "bkt.s3.example", "");
	assert_endpoint("https://s3.example:8443", false,
			"https://s3.example:8443", "s3.example:8443", "/bkt");
	assert_endpoint("http://127.0.0.1:7480", false, "http://127.0.0.1:7480",
			"127.0.0.1:7480", "/bkt");
	assert_endpoint("http://localhost:80", false, "http://localhost",
			"localhost", "/bkt");
	assert_endpoint("http://[::1]:81", false, "http://[::1]:81", "[::1]:81",
			"/bkt");
}

static void test_endpoints_refused(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"http://s3.example", /* plain, not this machine */
		"http://127.0.0.1.example",
		"http://128.0.0.1",
		"http://localhost.example",
		"ftp://localhost",
		"https://user:pw@s3.example",
		"https://s3.example/path",
		"https://s3.example/?x=y",
		"https://s3.example/#x",
	};
	CLEANUP(s3_endpoint_done) struct s3_endpoint e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		s3_endpoint_done(&e);
		assert_true(endpoint(bad[i], "bkt", false, &e) < 0);
	}
	s3_endpoint_done(&e);
	assert_int_equal(endpoint("https://a", "no/slash", false, &e), -EINVAL);
	s3_endpoint_done(&e);
	assert_int_equal(endpoint("https://a", "..", false, &e), -EINVAL);
	s3_endpoint_done(&e);
	assert_int_equal(endpoint("https://10.0.0.1", "bkt", true, &e),
			 -EINVAL);
	s3_endpoint_done(&e);
	assert_int_equal(endpoint("https://a", "bk.t", true, &e), -EINVAL);
}

/* Plain http leaves this machine only where that was allowed. */
static void test_plain_http(void **state)
{
	struct store_opts o = { .kind = STORE_S3,
				.endpoint = "http://10.0.0.1:80",
				.bucket = "bkt" };
	struct err err = ERR_INIT;
	struct s3_endpoint e;

	assert_int_equal(s3_endpoint_init(&e, &o, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "plain http"));
	s3_endpoint_done(&e);
	o.allow_plain_http = true;
	assert_int_equal(s3_endpoint_init(&e, &o, NULL), 0);
	assert_true(e.plain && !e.loopback);
	s3_endpoint_done(&e);
}

static void test_open_refused(void **state)
{
	struct store_opts o = { .kind = STORE_S3,
				.name = "s",
				.endpoint = "https://localhost:1",
				.region = "r",
				.bucket = "bkt",
				.prefix = "p/",
				.access_key = "a",
				.secret_key = "b" };
	struct store *s = NULL;
	struct err err = ERR_INIT;

	o.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(store_open(&o, &s, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/ca.pem"));
	o.ca_file = NULL;
	o.secret_key = NULL;
	assert_int_equal(store_open(&o, &s, &err), -EINVAL);
	o.secret_key = "b";
	o.prefix = "p";
	assert_int_equal(store_open(&o, &s, &err), -EINVAL);
	o.prefix = "";
	o.region = "";
	assert_int_equal(store_open(&o, &s, &err), -EINVAL);
	assert_null(s);
	o.region = "r";
	assert_int_equal(store_open(&o, &s, &err), 0);
	store_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_empty),
		cmocka_unit_test(test_list_foreign),
		cmocka_unit_test(test_list_plain),
		cmocka_unit_test(test_list_refused),
		cmocka_unit_test(test_list_long_key),
		cmocka_unit_test(test_error_body),
		cmocka_unit_test(test_error_body_long),
		cmocka_unit_test(test_error_table),
		cmocka_unit_test(test_curl_table),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_credentials_token),
		cmocka_unit_test(test_credentials_profile),
		cmocka_unit_test(test_credentials_refused),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_endpoints_refused),
		cmocka_unit_test(test_plain_http),
		cmocka_unit_test(test_open_refused),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
