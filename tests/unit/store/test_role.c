/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials from a metadata service: what it says, and what it may not. */
#include "tests/test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "store/drivers.h"
#include "store/s3/role_json.h"
#include "tests/unit/store/http_server.h"

#define KEYS                                                            \
	"{\"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n"        \
	"  \"AccessKeyId\" : \"ASIA1\",\n  \"SecretAccessKey\" : "      \
	"\"se\\/cret\",\n  \"Token\" : \"tok==\",\n  \"Expiration\" : " \
	"\"2026-11-29T18:00:00Z\"\n}"
#define AS_FILE                                  \
	"[default]\naws_access_key_id = ASIA1\n" \
	"aws_secret_access_key = se/cret\naws_session_token = tok==\n"

/* ---- JSON ------------------------------------------------------------- */

static int parse(const char *json, struct s3_role *r)
{
	return s3_role_parse(json, strlen(json), r);
}

static void test_json(void **state)
{
	static struct s3_role r;

	assert_int_equal(parse(KEYS, &r), 0);
	assert_string_equal(r.code, "Success");
	assert_string_equal(r.access_key, "ASIA1");
	assert_string_equal(r.secret_key, "se/cret");
	assert_string_equal(r.token, "tok==");
	assert_string_equal(r.expiration, "2026-11-29T18:00:00Z");
	assert_int_equal(parse(" {} ", &r), 0);
	assert_string_equal(r.secret_key, "");
	assert_int_equal(parse("{\"a\":-1.5e3,\"b\":true,\"c\":null,"
			       "\"Token\":\"\\u0041\\u00e9\\n\"}",
			       &r),
			 0);
	assert_string_equal(r.token, "A?\n");
}

static void test_json_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"\"x\"",
		"{",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":{}}",
		"{\"a\":[1]}",
		"{\"Token\":5}",
		"{\"Token\":null}",
		"{\"Token\":\"x}",
		"{\"Token\":\"\\x\"}",
		"{\"Token\":\"\\u12\"}",
		"{\"Token\":\"\\u-123\"}",
		"{\"Token\":\"a\nb\"}",
		"{} x",
		"{}{}",
		"<html>",
	};
	static struct s3_role r;
	char longest[600], json[700];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(parse(bad[i], &r), -EPROTO);
	}
	memset(longest, 'k', sizeof(longest));
	snprintf(json, sizeof(json), "{\"SecretAccessKey\":\"%.256s\"}",
		 longest);
	assert_int_equal(parse(json, &r), 0);
	snprintf(json, sizeof(json), "{\"SecretAccessKey\":\"%.257s\"}",
		 longest);
	assert_int_equal(parse(json, &r), -EPROTO);
	assert_string_equal(r.secret_key, "");
}

/* ---- services --------------------------------------------------------- */

struct fake {
	const char *keys;  /* the last answer */
	const char *roles; /* NULL = 404 */
	bool no_token;	   /* 403 */
	char authorization[64];
	unsigned without_token; /* GETs that had none */
};

static void ok(struct buf *out, const char *body)
{
	buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
}

static void no(struct buf *out, int status)
{
	buf_addf(out, "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", status);
}

static bool say(const struct http_request *r, struct buf *out, void *arg)
{
	static const char dir[] = "/latest/meta-data/iam/security-credentials/";
	struct fake *f = arg;
	char token[64] = "";

	if (!http_header(r, "authorization", f->authorization,
			 sizeof(f->authorization)))
		f->authorization[0] = '\0';
	if (strcmp(r->method, "PUT") == 0 &&
	    strcmp(r->path, "/latest/api/token") == 0) {
		f->no_token ? no(out, 403) : ok(out, "TOKEN==");
		return true;
	}
	if (strcmp(r->path, "/task") == 0) {
		ok(out, f->keys);
		return true;
	}
	if (!http_header(r, "x-aws-ec2-metadata-token", token, sizeof(token)) ||
	    strcmp(token, "TOKEN==") != 0)
		f->without_token++;
	if (strcmp(r->path, dir) == 0)
		f->roles ? ok(out, f->roles) : no(out, 404);
	else if (strncmp(r->path, dir, strlen(dir)) == 0 &&
		 strcmp(r->path + strlen(dir), "gw-role") == 0)
		ok(out, f->keys);
	else
		no(out, 404);
	return true;
}

static void forget_environment(void)
{
	static const char *const names[] = {
		"AWS_EC2_METADATA_SERVICE_ENDPOINT",
		"AWS_EC2_METADATA_DISABLED",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

static int fetch(struct buf *out, int64_t *expires, struct err *err)
{
	*out = (struct buf){ 0 };
	*err = (struct err)ERR_INIT;
	return store_role_fetch(out, expires, err);
}

static void assert_keys(int64_t want_expires)
{
	CLEANUP(secret_buf_done) struct buf out;
	int64_t expires = -1;
	struct err err;
	int rc = fetch(&out, &expires, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(rc, 0);
	assert_string_equal(buf_str(&out), AS_FILE);
	assert_int_equal(expires, want_expires);
}

static void assert_no_keys(const char *says)
{
	CLEANUP(secret_buf_done) struct buf out;
	struct err err;
	int64_t expires;

	assert_true(fetch(&out, &expires, &err) < 0);
	print_message("%s\n", err.msg);
	assert_non_null(strstr(err.msg, says));
	assert_null(out.data);
	assert_null(strstr(err.msg, "se/cret"));
}

static int64_t until(void)
{
	int64_t ns;

	assert_int_equal(clock_iso_parse("2026-11-29T18:00:00Z", &ns), 0);
	return ns;
}

static void test_machine(void **state)
{
	struct fake f = { .keys = KEYS, .roles = "gw-role\n" };
	struct http_server *s = http_server_start(say, &f);

	assert_non_null(s);
	forget_environment();
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(s), 1);
	assert_keys(until());
	assert_int_equal(f.without_token, 0);
	f.roles = NULL;
	assert_no_keys("HTTP status 404");
	f.roles = "../x";
	assert_no_keys("names no role");
	f.roles = "other";
	assert_no_keys("HTTP status 404");
	f.roles = "gw-role";
	f.no_token = true;
	assert_no_keys("HTTP status 403");
	f.no_token = false;
	f.keys = "<html>";
	assert_no_keys("something else than credentials");
	f.keys = "{\"Code\":\"AssumeRoleUnauthorizedAccess\","
		 "\"Message\":\"no trust\"}";
	assert_no_keys("AssumeRoleUnauthorizedAccess: no trust");
	f.keys = "{\"AccessKeyId\":\"a b\",\"SecretAccessKey\":\"se/cret\"}";
	assert_no_keys("no usable keys");
	f.keys = "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"se/cret\","
		 "\"Expiration\":\"soon\"}";
	assert_no_keys("no time");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	assert_no_keys("AWS_EC2_METADATA_DISABLED");
	http_server_stop(s);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	assert_no_keys("does not answer");
	forget_environment();
}

static void test_container(void **state)
{
	static char file[] = "/tmp/mersey-test-role-XXXXXX";
	struct fake f = { .keys = KEYS };
	struct http_server *s = http_server_start(say, &f);
	CLEANUP_FREE char *url = NULL;
	int fd = mkstemp(file);

	assert_non_null(s);
	forget_environment();
	url = io_path("%s/task", http_server_url(s));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	assert_keys(until());
	assert_string_equal(f.authorization, "");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic x", 1);
	assert_keys(until());
	assert_string_equal(f.authorization, "Basic x");
	assert_int_equal(write(fd, "Basic y\n", 8), 8);
	close(fd);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, 1);
	assert_keys(until()); /* the file wins: it is renewed */
	assert_string_equal(f.authorization, "Basic y");
	unlink(file);
	assert_no_keys("cannot read");
	unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nHost: b", 1);
	assert_no_keys("token");
	http_server_stop(s);
	forget_environment();
}

/* Keys must not be asked for in clear from who knows where. */
static void test_plain_hosts(void **state)
{
	static const char *const bad[] = {
		"http://10.0.0.1/x",	      "http://127.0.0.1.example/x",
		"http://localhost.example/x", "http://169.254.170.2.example/",
		"http://169.254.170.20/",     "ftp://127.0.0.1/",
		"file:///etc/passwd",
	};

	forget_environment();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1);
		assert_no_keys("neither https nor of this machine");
	}
	forget_environment();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_plain_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
