/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 driver against servers that answer wrongly, late or not at all. */
#include "tests/test.h"

#include "base/clock.h"
#include "store/call.h"
#include "tests/unit/store/s3_rig.h"

#define MSEC 1000000LL

static void test_request(void **state)
{
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;
	struct store_put_opts o = { .if_absent = true,
				    .storage_class = "GLACIER" };
	char v[256];

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "a/b", "hello", 5, &o), 0);
	assert_string_equal(p.last.method, "PUT");
	assert_string_equal(p.last.path, "/bucket/p/a/b");
	assert_true(http_header(&p.last, "if-none-match", v, sizeof(v)));
	assert_string_equal(v, "*");
	assert_true(http_header(&p.last, "x-amz-storage-class", v, sizeof(v)));
	assert_string_equal(v, "GLACIER");
	assert_true(http_header(&p.last, "x-amz-security-token", v, sizeof(v)));
	assert_string_equal(v, "TOK");
	assert_true(http_header(&p.last, "x-amz-content-sha256", v, sizeof(v)));
	assert_string_equal(v, "2cf24dba5fb0a30e26e83b2ac5b9e29e"
			       "1b161e5c1fa7425e73043362938b9824");
	assert_true(http_header(&p.last, "authorization", v, sizeof(v)));
	assert_non_null(strstr(v, "SignedHeaders=host;if-none-match;"
				  "x-amz-content-sha256;x-amz-date;"
				  "x-amz-security-token;"
				  "x-amz-storage-class,"));
	assert_false(http_header(&p.last, "expect", v, sizeof(v)));
	assert_int_equal(r.counts.puts, 1);
}

/* What the caller knows of the data is sent, and not found out again. */
static void test_known_hash(void **state)
{
	static const uint8_t sha256[32] = { 0xab, [31] = 0xcd };
	struct store_put_opts o = { .sha256 = sha256 };
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;
	char v[256];

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "a", "hello", 5, &o), 0);
	assert_true(http_header(&p.last, "x-amz-content-sha256", v, sizeof(v)));
	assert_string_equal(v, "ab000000000000000000000000000000"
			       "000000000000000000000000000000cd");
}

static ssize_t get10(struct rig *r, uint64_t off)
{
	char got[10];

	return store_get(r->store, "k", off, got, sizeof(got));
}

static void test_ranges(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(range_answers); i++) {
		struct play p = PLAY(range_answers[i].answer);
		CLEANUP(rig_done) struct rig r;
		ssize_t rc;

		rig_init(&r, &p);
		rc = get10(&r, 5);
		if (rc != range_answers[i].rc)
			print_error("case %zu: %s\n", i, store_detail());
		assert_int_equal(rc, range_answers[i].rc);
	}
}

/* The connection ends in the middle of a body, or before an answer. */
static void test_cut(void **state)
{
	struct play p = PLAY(RANGE("bytes 5-14/100", "10\r\n\r\n01234"));
	CLEANUP(rig_done) struct rig r;

	p.close = true;
	rig_init(&r, &p);
	assert_int_equal(get10(&r, 5), -ECONNRESET);
	assert_int_equal(r.counts.gets, 1);
	assert_true(r.health.down);
	assert_true(r.health.detail[0]);
}

static void test_no_answer(void **state)
{
	struct play p = PLAY("");
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), -ECONNRESET);
	assert_int_equal(r.counts.puts, 1);
	assert_int_equal(r.counts.unknown, 1);
}

static void test_redirect(void **state)
{
	struct play p = PLAY("HTTP/1.1 307 T\r\nLocation: "
			     "http://127.0.0.1:1/\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(get10(&r, 0), -EPROTO);
	assert_int_equal(http_server_requests(r.server), 1);
}

/* An endless error page is not read to its end. */
static void test_long_error(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct play p = { .n = 1 };
	CLEANUP(rig_done) struct rig r = { 0 };
	const char *text;

	assert_int_equal(buf_addf(&b, "HTTP/1.1 500 E\r\n"
				      "Content-Length: 1000000\r\n\r\n"),
			 0);
	for (int i = 0; i < 100000; i++)
		buf_add(&b, "0123456789", 10);
	text = buf_str(&b);
	p.answer = &text;
	rig_init(&r, &p);
	assert_int_equal(get10(&r, 0), -EPROTO);
	assert_non_null(strstr(store_detail(), "longer"));
}

static void test_garbage(void **state)
{
	struct play p = PLAY("SSH-2.0-OpenSSH_9\r\n\r\n");
	CLEANUP(rig_done) struct rig r;

	p.close = true;
	rig_init(&r, &p);
	assert_true(get10(&r, 0) < 0);
}

static void test_head(void **state)
{
	struct play p = PLAY(
		"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nETag: \"abc\"\r\n"
		"Last-Modified: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
		"x-amz-storage-class: GLACIER\r\n\r\n",
		"HTTP/1.1 404 N\r\n\r\n", "HTTP/1.1 403 F\r\n\r\n");
	CLEANUP(rig_done) struct rig r;
	struct store_info info;

	rig_init(&r, &p);
	assert_int_equal(store_head(r.store, "k", &info), 0);
	assert_int_equal(info.size, 77);
	assert_string_equal(info.etag, "abc");
	assert_string_equal(info.storage_class, "GLACIER");
	assert_int_equal(info.modified_ns / NSEC_PER_SEC, 1769860800);
	assert_int_equal(store_head(r.store, "k", &info), -ENOENT);
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_false(r.health.down);
	assert_int_equal(r.health.last_error, -EACCES);
}

static void test_skew(void **state)
{
	struct play p = PLAY("HTTP/1.1 200 OK\r\nETag: \"e\"\r\n"
			     "Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;
	int64_t ahead, want;

	rig_init(&r, &p);
	assert_int_equal(store_skew(r.store, &ahead), -ENODATA);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_int_equal(store_skew(r.store, &ahead), 0);
	want = 1769860800 - clock_wall_ns() / NSEC_PER_SEC;
	assert_in_range(ahead / NSEC_PER_SEC - want + 5, 0, 10);
}

/* The call's time is up before the answer comes. */
static void test_deadline(void **state)
{
	struct play p = PLAY(OK);
	struct store_retry_opts o = { .attempts = 100,
				      .deadline_ns = 200 * MSEC,
				      .base_ns = MSEC };
	CLEANUP(rig_done) struct rig r;
	int64_t start;
	char c;

	p.delay_ns = 1500 * MSEC;
	rig_init(&r, &p);
	r.store = store_retry_new(r.store, &o);
	start = clock_boot_ns();
	assert_int_equal(store_get(r.store, "k", 0, &c, 1), -ETIMEDOUT);
	assert_true(clock_boot_ns() - start < 1200 * MSEC);
	assert_int_equal(r.counts.gets, 1);
}

/* Other keys, while it runs: with the next request. */
static void test_renew(void **state)
{
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;
	struct store_opts o;
	struct store *driver;
	char v[512];

	r = (struct rig){ .server = http_server_start(say, &p) };
	o = opts_for(http_server_url(r.server));
	assert_int_equal(store_open(&o, &driver, NULL), 0);
	r.store = driver;
	o.access_key = "AK2";
	o.secret_key = "SK2";
	o.session_token = NULL;
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_true(http_header(&p.last, "authorization", v, sizeof(v)));
	assert_non_null(strstr(v, "Credential=AK/"));
	assert_int_equal(store_renew(driver, &o), 0);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_true(http_header(&p.last, "authorization", v, sizeof(v)));
	assert_non_null(strstr(v, "Credential=AK2/"));
	assert_false(
		http_header(&p.last, "x-amz-security-token", v, sizeof(v)));
	o.secret_key = "";
	assert_int_equal(store_renew(driver, &o), -EINVAL);
	o.kind = STORE_DIR;
	assert_int_equal(store_renew(driver, &o), -ENOTSUP);
}

struct renewer {
	struct store *store;
	struct store_opts o;
	_Atomic bool stop;
};

static void *renew_all_the_time(void *arg)
{
	struct renewer *w = arg;

	for (unsigned i = 0; !w->stop; i++) {
		w->o.access_key = i % 2 ? "AK-TOK" : "AK2-TOK2";
		w->o.session_token = i % 2 ? "TOK" : "TOK2";
		if (store_renew(w->store, &w->o) < 0)
			return arg;
	}
	return NULL;
}

/* Key and token of one request are of one pair. */
static void test_renew_race(void **state)
{
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;
	struct renewer w = { 0 };
	pthread_t thread;
	void *failed;

	r = (struct rig){ .server = http_server_start(say, &p) };
	w.o = opts_for(http_server_url(r.server));
	w.o.access_key = "AK-TOK";
	assert_int_equal(store_open(&w.o, &r.store, NULL), 0);
	w.store = r.store;
	assert_int_equal(pthread_create(&thread, NULL, renew_all_the_time, &w),
			 0);
	for (int i = 0; i < 200; i++) {
		char key[512], token[64], want[80];

		assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
		assert_true(http_header(&p.last, "authorization", key,
					sizeof(key)));
		assert_true(http_header(&p.last, "x-amz-security-token", token,
					sizeof(token)));
		snprintf(want, sizeof(want), "-%s/", token);
		assert_non_null(strstr(key, want));
	}
	w.stop = true;
	pthread_join(thread, &failed);
	assert_null(failed);
}

/* No call has a deadline here: the store's own limits end it. */
static void test_timeouts(void **state)
{
	static const struct store_opts cases[] = {
		{ .request_ns = 200 * MSEC },
		{ .stall_ns = 1000 * MSEC },
	};
	static const int64_t answers[] = { 800 * MSEC, 2800 * MSEC };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p = PLAY(OK);
		CLEANUP(rig_done) struct rig r;
		char c;

		p.delay_ns = answers[i];
		rig_init_like(&r, &p, &cases[i]);
		assert_int_equal(store_get(r.store, "k", 0, &c, 1), -ETIMEDOUT);
		assert_true(r.health.down);
	}
}

/* Which failures ask for fewer requests at once. */
static void test_throttled(void **state)
{
	struct play p = PLAY("HTTP/1.1 503 S\r\n" NO_BODY,
			     "HTTP/1.1 500 I\r\n" NO_BODY,
			     "HTTP/1.1 429 T\r\n" NO_BODY, OK);
	static const bool asks[] = { true, false, true, false };
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		store_put(r.store, "k", "xyz", 3, NULL);
		assert_int_equal(store_call.throttled, asks[i]);
	}
	assert_int_equal(http_server_requests(r.server), 4);
}

static void test_retried(void **state)
{
	struct play p = PLAY("HTTP/1.1 503 S\r\n" NO_BODY, "", OK);
	struct store_retry_opts o = { .attempts = 5, .base_ns = MSEC };
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	r.store = store_retry_new(r.store, &o);
	assert_int_equal(store_put(r.store, "k", "xyz", 3, NULL), 0);
	assert_int_equal(r.counts.puts, 3);
	assert_int_equal(http_server_requests(r.server), 3);
}

/*
 * A kept connection dies under a request: libcurl sends it again by itself.
 * Both are counted; and "taken" may then be this put's own first attempt.
 */
static void test_sent_twice(void **state)
{
	struct play p = PLAY(OK, "", "HTTP/1.1 412 P\r\n" NO_BODY,
			     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
			     RANGE("bytes 0-2/3", "3\r\n\r\nxyz"));
	struct store_retry_opts o = { .attempts = 5, .base_ns = MSEC };
	struct store_put_opts only_new = { .if_absent = true };
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	r.store = store_retry_new(r.store, &o);
	assert_int_equal(store_put(r.store, "j", "x", 1, NULL), 0);
	assert_int_equal(store_put(r.store, "k", "xyz", 3, &only_new), 0);
	assert_int_equal(r.counts.puts, 3);
	assert_int_equal(r.counts.out_bytes, 1 + 2 * 3);
	assert_int_equal(r.counts.heads, 1);
	assert_int_equal(r.counts.gets, 1);
	assert_int_equal(http_server_requests(r.server), 5);
}

/*
 * An answer comes twice, in more pieces than libcurl reads at once: the second
 * one is not the answer to whatever is asked next.
 */
static void test_answered_twice(void **state)
{
	static char twice[(2 << 20) + 1024], got[1 << 20];
	struct play p = PLAY(twice, OK, "HTTP/1.1 503 S\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;
	size_t len;

	len = (size_t)sprintf(twice, "HTTP/1.1 206 P\r\n"
				     "Content-Range: bytes 0-1048575/1048576"
				     "\r\nContent-Length: 1048576\r\n\r\n");
	memset(twice + len, 'x', sizeof(got));
	memcpy(twice + len + sizeof(got), twice, len);
	memset(twice + 2 * len + sizeof(got), 'y', sizeof(got));
	rig_init(&r, &p);
	assert_int_equal(store_get(r.store, "k", 0, got, sizeof(got)),
			 sizeof(got));
	assert_int_equal(store_put(r.store, "j", "x", 1, NULL), 0);
	assert_string_equal(p.last.method, "PUT");
	assert_int_equal(store_get(r.store, "k", 0, got, sizeof(got)), -EAGAIN);
	assert_int_equal(got[0], 'x');
	assert_int_equal(r.counts.gets, 2);
	assert_int_equal(r.counts.puts, 1);
	assert_int_equal(http_server_requests(r.server), 3);
}

static void test_nobody_listens(void **state)
{
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	http_server_stop(take(r.server));
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), -ECONNREFUSED);
	assert_int_equal(r.counts.puts, 0);
	assert_int_equal(r.counts.errors, 1);
	assert_true(r.health.down);
}

/* A page full of other people's objects: the listing goes on behind it. */
static void test_list_foreign_page(void **state)
{
	struct play p =
		PLAY("HTTP/1.1 200 OK\r\n\r\n"
		     "<ListBucketResult><IsTruncated>true</IsTruncated>"
		     "<Contents><Key>p/not ours!</Key><Size>1</Size></Contents>"
		     "</ListBucketResult>",
		     "HTTP/1.1 200 OK\r\n\r\n"
		     "<ListBucketResult><IsTruncated>false</IsTruncated>"
		     "<Contents><Key>p/ours</Key><Size>1</Size></Contents>"
		     "</ListBucketResult>");
	CLEANUP(rig_done) struct rig r;
	CLEANUP(store_list_done) struct store_list l = { 0 };

	p.close = true;
	rig_init(&r, &p);
	assert_int_equal(store_list(r.store, "", "", 10, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.entry[0].key, "ours");
	assert_int_equal(r.counts.lists, 2);
	assert_non_null(strstr(p.last.path, "start-after=p%2Fnot%20ours%21"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_known_hash),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_long_error),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_renew_race),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_throttled),
		cmocka_unit_test(test_retried),
		cmocka_unit_test(test_sent_twice),
		cmocka_unit_test(test_answered_twice),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_list_foreign_page),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
