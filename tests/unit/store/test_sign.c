/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published vectors: AWS's Signature Version 4 test suite (the cases that
 * apply without rewriting paths, which S3 does not do) and the examples of
 * "Authenticating Requests", Amazon S3 API Reference.
 */
#include "tests/test.h"

#include "base/clock.h"
#include "store/s3/sign.h"

static const char *data_file;

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct s3_signer suite = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service",
};

static const struct s3_signer docs = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "s3",
};

static void assert_signed(const struct s3_signer *signer,
			  const struct s3_signable *what, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(s3_sign(signer, what, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

#define SUITE_AUTH(headers, sig)                                              \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/" \
	"aws4_request, SignedHeaders=" headers ", Signature=" sig

static void suite_case(const char *method, const char *path, const char *query,
		       const char *token, const char *want)
{
	const struct s3_field headers[] = {
		{ "host", "example.amazonaws.com" },
		{ "x-amz-date", "20150830T123600Z" },
		{ "x-amz-security-token", token },
	};
	struct s3_signable what = { .method = method,
				    .path = path,
				    .query = query,
				    .headers = headers,
				    .n_headers = token ? 3 : 2,
				    .payload_hash = EMPTY,
				    .date = "20150830T123600Z" };

	assert_signed(&suite, &what, want);
}

#define FIELDS_MAX 4

/* "a=1&b=2" -> the query string; cuts `text`. */
static const char *make_query(char *text, struct buf *out)
{
	struct s3_field f[FIELDS_MAX];
	size_t n = 0;

	while (*text) {
		char *field = strsep(&text, "&");

		assert_true(n < FIELDS_MAX);
		f[n].name = strsep(&field, "=");
		f[n++].value = field;
		if (!text)
			break;
	}
	assert_int_equal(s3_query(out, f, n), 0);
	return buf_str(out);
}

static void suite_line(char *line)
{
	CLEANUP_BUF struct buf path = { 0 };
	CLEANUP_BUF struct buf query = { 0 };
	char *name = strsep(&line, "|"), *method = strsep(&line, "|");
	char *raw = strsep(&line, "|"), *fields = strsep(&line, "|");
	char want[512];

	assert_non_null(line);
	snprintf(want, sizeof(want), SUITE_AUTH("host;x-amz-date", "%s"), line);
	print_message("%s\n", name);
	assert_int_equal(s3_encode(&path, raw, true), 0);
	suite_case(method, buf_str(&path), make_query(fields, &query), NULL,
		   want);
}

/* All of tests/data/sigv4.txt. */
static void test_suite(void **state)
{
	FILE *f = fopen(data_file, "re");
	char line[512];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		suite_line(line);
		n++;
	}
	fclose(f);
	assert_true(n >= 13);
}

/* post-sts-header-before: the token is one of the signed headers. */
static void test_suite_token(void **state)
{
	suite_case("POST", "/", "",
		   "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8"
		   "j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
		   "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy"
		   "0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
		   "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8"
		   "fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
		   SUITE_AUTH("host;x-amz-date;x-amz-security-token",
			      "85d96828115b5dc0cfc3bd16ad9e210d"
			      "d772bbebba041836c64533a82be05ead"));
}

#define DOCS_HOST "examplebucket.s3.amazonaws.com"
#define DOCS_DATE "20130524T000000Z"
#define DOCS_CRED \
	"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="

static void test_docs_get_range(void **state)
{
	static const struct s3_field headers[] = {
		{ "host", DOCS_HOST },
		{ "range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", DOCS_DATE },
	};
	struct s3_signable what = { .method = "GET",
				    .path = "/test.txt",
				    .query = "",
				    .headers = headers,
				    .n_headers = ARRAY_SIZE(headers),
				    .payload_hash = EMPTY,
				    .date = DOCS_DATE };

	assert_signed(&docs, &what,
		      DOCS_CRED
		      "host;range;x-amz-content-sha256;x-amz-date, Signature="
		      "f0e8bdb87c964420e857bd35b5d6ed31"
		      "0bd44f0170aba48dd91039c6036bdb41");
}

static void test_docs_put(void **state)
{
	static const char body[] = "Welcome to Amazon S3.";
	char hash[S3_SHA256_HEX];
	struct s3_field headers[] = {
		{ "date", "Fri, 24 May 2013 00:00:00 GMT" },
		{ "host", DOCS_HOST },
		{ "x-amz-content-sha256", hash },
		{ "x-amz-date", DOCS_DATE },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
	};
	CLEANUP_BUF struct buf path = { 0 };
	struct s3_signable what = { .method = "PUT",
				    .query = "",
				    .headers = headers,
				    .n_headers = ARRAY_SIZE(headers),
				    .payload_hash = hash,
				    .date = DOCS_DATE };

	assert_int_equal(s3_sha256_hex(body, strlen(body), hash), 0);
	assert_int_equal(s3_encode(&path, "/test$file.text", true), 0);
	what.path = buf_str(&path);
	assert_signed(&docs, &what,
		      DOCS_CRED "date;host;x-amz-content-sha256;x-amz-date;"
				"x-amz-storage-class, Signature="
				"98ad721746da40c64f1a55b78f14c238"
				"d841ea1380cd77a1b5971af0ece108bd");
}

static void docs_bucket_get(const struct s3_field *params, size_t n,
			    const char *want)
{
	static const struct s3_field headers[] = {
		{ "host", DOCS_HOST },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", DOCS_DATE },
	};
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_signable what = { .method = "GET",
				    .path = "/",
				    .headers = headers,
				    .n_headers = ARRAY_SIZE(headers),
				    .payload_hash = EMPTY,
				    .date = DOCS_DATE };

	assert_int_equal(s3_query(&query, params, n), 0);
	what.query = buf_str(&query);
	assert_signed(&docs, &what, want);
}

static void test_docs_bucket(void **state)
{
	static const struct s3_field lifecycle[] = { { "lifecycle", "" } };
	static const struct s3_field list[] = { { "prefix", "J" },
						{ "max-keys", "2" } };

	docs_bucket_get(lifecycle, 1,
			DOCS_CRED
			"host;x-amz-content-sha256;x-amz-date, Signature="
			"fea454ca298b7da1c68078a5d1bdbfbb"
			"e0d65c699e0f91ac7a200a0136783543");
	docs_bucket_get(list, 2,
			DOCS_CRED
			"host;x-amz-content-sha256;x-amz-date, Signature="
			"34b48302e7b5fa45bde8084f4b7868a8"
			"6f0a534bc59db6670ed5711ef69dc6f7");
}

static void test_encode(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(s3_encode(&b, "a-b_c.d~e/f g+\xc3\xa4%", false), 0);
	assert_string_equal(buf_str(&b), "a-b_c.d~e%2Ff%20g%2B%C3%A4%25");
	b.len = 0;
	assert_int_equal(s3_encode(&b, "/a/b=c", true), 0);
	assert_string_equal(buf_str(&b), "/a/b%3Dc");
}

/* By name, then by value; a name that starts like another goes behind it. */
static void test_query_order(void **state)
{
	static const struct s3_field f[] = {
		{ "prefix-x", "1" }, { "prefix", "b/c" }, { "prefix", "a" },
		{ "empty", "" },     { "prefix0", "z" },
	};
	struct s3_field many[17] = { { "x", "y" } };
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(s3_query(&b, f, ARRAY_SIZE(f)), 0);
	assert_string_equal(buf_str(&b), "empty=&prefix=a&prefix=b%2Fc&"
					 "prefix-x=1&prefix0=z");
	assert_int_equal(s3_query(&b, many, 17), -EINVAL);
}

static void test_hash_and_date(void **state)
{
	char hash[S3_SHA256_HEX], date[S3_DATE_SIZE];

	assert_int_equal(s3_sha256_hex(NULL, 0, hash), 0);
	assert_string_equal(hash, EMPTY);
	assert_string_equal(s3_date(1440938160 * NSEC_PER_SEC, date),
			    "20150830T123600Z");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_suite_token),
		cmocka_unit_test(test_docs_get_range),
		cmocka_unit_test(test_docs_put),
		cmocka_unit_test(test_docs_bucket),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_query_order),
		cmocka_unit_test(test_hash_and_date),
	};

	data_file = argc == 2 ? argv[1] : "tests/data/sigv4.txt";
	return RUN_TESTS(tests, NULL, NULL);
}
