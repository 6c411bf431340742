/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Signature V2 driver against servers that answer wrongly, late or not at
 * all. Much of it is what libs3 by itself takes for a success.
 */
#include "tests/test.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "store/drivers.h"
#include "tests/unit/store/http_server.h"
#include "tests/unit/store/range_answers.h"

#define MSEC 1000000LL

#define ETAG(tag) "HTTP/1.1 200 OK\r\nETag: \"" tag "\"\r\n"
/* "hello" was stored; an object of 5 bytes; "hello". */
#define STORED	ETAG("5d41402abc4b2a76b9719d911017c592") NO_BODY
#define FIVE	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define MISSING "HTTP/1.1 404 N\r\n\r\n"
#define HELLO	RANGE("bytes 0-4/5", "5\r\n\r\nhello")

#define ANSWERS_MAX 4

/* A server that says answer[0], [1], ..., of which the last goes on; and a
 * metered store on it. */
struct rig {
	const char *answer[ANSWERS_MAX];
	bool close;
	_Atomic int64_t delay_ns;
	pthread_mutex_t lock; /* guards what follows, while requests are made */
	struct http_request last;
	uint8_t last_body[16];

	struct http_server *server;
	struct store *store;
	struct store_counts counts;
	struct store_health health;
};

static bool say(const struct http_request *r, struct buf *out, void *arg)
{
	struct rig *rig = arg;
	size_t i = MIN((size_t)r->number, ANSWERS_MAX - 1U);

	while (i && !rig->answer[i])
		i--;
	pthread_mutex_lock(&rig->lock);
	rig->last = *r;
	rig->last.body.data = NULL;
	if (r->body.len)
		memcpy(rig->last_body, r->body.data,
		       MIN(r->body.len, sizeof(rig->last_body)));
	pthread_mutex_unlock(&rig->lock);
	if (rig->delay_ns)
		clock_sleep_ns(rig->delay_ns);
	buf_addf(out, "%s", rig->answer[i]);
	return !rig->close;
}

static struct store_opts opts_for(const char *url)
{
	return (struct store_opts){ .kind = STORE_S3V2,
				    .name = "old",
				    .endpoint = url,
				    .bucket = "bucket",
				    .prefix = "p/",
				    .in_flight = 2,
				    .access_key = "AK",
				    .secret_key = "SK" };
}

static void rig_open(struct rig *r, const struct store_opts *limits)
{
	struct store_opts o;
	struct store *s = NULL;

	pthread_mutex_init(&r->lock, NULL);
	r->server = http_server_start(say, r);
	assert_non_null(r->server);
	o = opts_for(http_server_url(r->server));
	o.stall_ns = limits->stall_ns;
	o.request_ns = limits->request_ns;
	assert_int_equal(store_open(&o, &s, NULL), 0);
	r->store = store_meter_new(s, &r->counts, &r->health);
	assert_non_null(r->store);
}

static void rig_done(struct rig *r)
{
	store_free(r->store);
	http_server_stop(r->server);
	pthread_mutex_destroy(&r->lock);
}

#define RIG(r, ...) \
	CLEANUP(rig_done) struct rig r = { .answer = { __VA_ARGS__ } }

static void start(struct rig *r)
{
	rig_open(r, &(struct store_opts){ 0 });
}

static int put_hello(struct rig *r)
{
	return store_put(r->store, "k", "hello", 5, NULL);
}

static ssize_t get10(struct rig *r, uint64_t off)
{
	char got[10];

	return store_get(r->store, "k", off, got, sizeof(got));
}

static int list(struct rig *r, struct store_list *l)
{
	return store_list(r->store, "", "", 10, l);
}

static void assert_header(const struct rig *r, const char *name,
			  const char *want)
{
	char v[256];

	assert_true(http_header(&r->last, name, v, sizeof(v)));
	assert_string_equal(v, want);
}

/* The signature, made once more by the book: "Signing and authenticating REST
 * requests (AWS signature version 2)", Amazon S3 Developer Guide. */
static void test_request(void **state)
{
	RIG(r, STORED);
	char date[64], text[512], want[64] = "AWS AK:";
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n;

	start(&r);
	assert_int_equal(store_put(r.store, "a/b", "hello", 5, NULL), 0);
	assert_string_equal(r.last.method, "PUT");
	assert_string_equal(r.last.path, "/bucket/p/a/b");
	assert_int_equal(r.last.body.len, 5);
	assert_memory_equal(r.last_body, "hello", 5);
	assert_header(&r, "content-md5", "XUFAKrxLKna5cZ2REBfFkg==");
	assert_true(http_header(&r.last, "x-amz-date", date, sizeof(date)));
	snprintf(text, sizeof(text), "PUT\n%s\n\n\nx-amz-date:%s\n%s",
		 "XUFAKrxLKna5cZ2REBfFkg==", date, "/bucket/p/a/b");
	HMAC(EVP_sha1(), "SK", 2, (uint8_t *)text, strlen(text), mac, &n);
	EVP_EncodeBlock((uint8_t *)want + strlen(want), mac, (int)n);
	assert_header(&r, "authorization", want);
	assert_int_equal(r.counts.puts, 1);
	assert_int_equal(r.counts.gets + r.counts.heads, 0);
}

struct put_case {
	const char *answer[ANSWERS_MAX];
	int rc;
	unsigned requests;
};

static const struct put_case puts_to[] = {
	/* Without a text, libs3 takes these for stored. */
	{ { "HTTP/1.1 503 S\r\n" NO_BODY }, -EAGAIN, 1 },
	{ { "HTTP/1.1 403 F\r\n" NO_BODY }, -EACCES, 1 },
	{ { "HTTP/1.1 404 N\r\n" NO_BODY }, -EPROTO, 1 },
	{ { "HTTP/1.1 507 F\r\n" NO_BODY }, -ENOSPC, 1 },
	{ { "HTTP/1.1 204 N\r\n\r\n" }, -EPROTO, 1 },
	{ { "HTTP/1.1 500 E\r\nContent-Length: 6\r\n\r\n<html>" }, -EAGAIN, 1 },
	{ { "HTTP/1.1 403 F\r\nContent-Length: 38\r\n\r\n"
	    "<Error><Code>SlowDown</Code>  </Error>" },
	  -EAGAIN,
	  1 },
	{ { "HTTP/1.1 403 F\r\nContent-Length: 43\r\n\r\n"
	    "<Error><Code>QuotaExceeded</Code>  </Error>" },
	  -ENOSPC,
	  1 },
	{ { "" }, -ECONNRESET, 1 },
	/* Another ETag, or none: what it kept is read. */
	{ { ETAG("0123456789abcdef-1") NO_BODY, FIVE, HELLO }, 0, 3 },
	{ { "HTTP/1.1 200 OK\r\n" NO_BODY, FIVE, HELLO }, 0, 3 },
	{ { ETAG("x") NO_BODY, "HTTP/1.1 200 OK\r\n" NO_BODY }, -EAGAIN, 2 },
	{ { ETAG("x") NO_BODY, FIVE, RANGE("bytes 0-4/5", "5\r\n\r\nhallo") },
	  -EAGAIN,
	  3 },
	{ { ETAG("x") NO_BODY, MISSING }, -EAGAIN, 2 },
};

static void test_puts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(puts_to); i++) {
		const struct put_case *c = &puts_to[i];
		RIG(r, c->answer[0], c->answer[1], c->answer[2]);
		int rc;

		start(&r);
		rc = put_hello(&r);
		if (rc != c->rc)
			print_error("case %zu: %s\n", i, store_detail());
		assert_int_equal(rc, c->rc);
		assert_int_equal(http_server_requests(r.server), c->requests);
		assert_int_equal(r.counts.puts, 1);
		assert_int_equal(r.counts.puts + r.counts.heads + r.counts.gets,
				 c->requests);
	}
}

static void test_looks_before_it_puts(void **state)
{
	struct store_put_opts only_new = { .if_absent = true };
	struct store_caps caps;
	RIG(r, FIVE, MISSING, STORED);

	start(&r);
	assert_int_equal(store_put(r.store, "k", "hello", 5, &only_new),
			 -EEXIST);
	assert_string_equal(r.last.method, "HEAD");
	assert_int_equal(store_put(r.store, "k", "hello", 5, &only_new), 0);
	assert_string_equal(r.last.method, "PUT");
	assert_int_equal(r.counts.heads, 2);
	assert_int_equal(r.counts.puts, 1);
	store_caps(r.store, &caps);
	assert_false(caps.create_only);
	assert_false(caps.storage_class);
}

static void test_gets(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(range_answers); i++) {
		RIG(r, range_answers[i].answer);
		ssize_t rc;

		start(&r);
		rc = get10(&r, 5);
		if (rc != range_answers[i].rc)
			print_error("case %zu: %s\n", i, store_detail());
		assert_int_equal(rc, range_answers[i].rc);
		assert_header(&r, "range", "bytes=5-14");
	}
}

/* libs3 takes what was cut off for whole. */
static void test_cut(void **state)
{
	struct store_list l = { 0 };
	RIG(r, RANGE("bytes 5-14/100", "10\r\n\r\n01234"),
	    "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
	    "<ListBucketResult><IsTruncated>false</IsTruncated>",
	    /* Nobody can tell by the length. */
	    "HTTP/1.1 200 OK\r\n\r\n"
	    "<ListBucketResult><IsTruncated>false</IsTruncated>");

	r.close = true;
	start(&r);
	assert_int_equal(get10(&r, 5), -ECONNRESET);
	assert_true(r.health.down);
	assert_true(r.health.detail[0]);
	assert_int_equal(list(&r, &l), -ECONNRESET);
	assert_int_equal(list(&r, &l), -EPROTO);
	assert_int_equal(l.n, 0);
}

/* libcurl follows, because libs3 wants it; nothing of it is taken, and
 * nothing is given. */
static void test_redirect(void **state)
{
	RIG(other, HELLO);
	CLEANUP_BUF struct buf b = { 0 };
	char key[2];

	start(&other);
	assert_int_equal(buf_addf(&b, "HTTP/1.1 307 T\r\nLocation: %s/k\r\n%s",
				  http_server_url(other.server), NO_BODY),
			 0);
	{
		RIG(r, buf_str(&b));

		start(&r);
		assert_int_equal(store_get(r.store, "k", 0, key, 2), -EACCES);
		assert_non_null(strstr(store_detail(), "another host"));
		assert_false(http_header(&other.last, "authorization", key,
					 sizeof(key)));
		assert_int_equal(put_hello(&r), -EACCES);
		assert_memory_not_equal(other.last_body, "hello", 5);
	}
}

/* Headers that libs3 would write behind its buffers. */
static void test_hostile_headers(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	RIG(r, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n");
	struct store_info info;

	assert_int_equal(buf_addf(&b, "HTTP/1.1 200 OK\r\n:\r\nx:\r\n"), 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(buf_addf(&b, "x-amz-meta-%d: \r\n", i), 0);
	assert_int_equal(buf_addf(&b, "content-length: 7\r\n\r\n"), 0);
	r.answer[0] = buf_str(&b);
	start(&r);
	assert_int_equal(store_head(r.store, "k", &info), 0);
	assert_int_equal(info.size, 7);
	for (size_t i = 1; i < ANSWERS_MAX; i++)
		assert_int_equal(store_head(r.store, "k", &info), -EPROTO);
}

static void test_head_and_skew(void **state)
{
	RIG(r,
	    "HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
	    "Last-Modified: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
	    "Content-Length: 77\r\nETag: \"abc\"\r\n\r\n",
	    MISSING);
	struct store_info info;
	int64_t ahead, want;

	start(&r);
	assert_int_equal(store_skew(r.store, &ahead), -ENODATA);
	assert_int_equal(store_head(r.store, "k", &info), 0);
	assert_int_equal(info.size, 77);
	assert_string_equal(info.etag, "abc");
	assert_string_equal(info.storage_class, "STANDARD");
	assert_int_equal(info.modified_ns / NSEC_PER_SEC, 1769860800);
	assert_int_equal(store_skew(r.store, &ahead), 0);
	want = 1769860800 - clock_wall_ns() / NSEC_PER_SEC;
	assert_in_range(ahead / NSEC_PER_SEC - want + 5, 0, 10);
	assert_int_equal(store_head(r.store, "k", &info), -ENOENT);
}

/* A HEAD cannot say why. */
static void test_head_refused(void **state)
{
	RIG(r, "HTTP/1.1 403 F\r\n\r\n",
	    "HTTP/1.1 403 F\r\nContent-Length: 52\r\n\r\n"
	    "<Error><Code>SignatureDoesNotMatch</Code>   </Error>",
	    "HTTP/1.1 403 F\r\n\r\n", "");
	struct store_info info;

	start(&r);
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_non_null(strstr(store_detail(), "SignatureDoesNotMatch"));
	assert_int_equal(r.counts.heads, 1);
	assert_int_equal(r.counts.gets, 1);
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_non_null(strstr(store_detail(), "403"));
}

static void test_delete(void **state)
{
	RIG(r, "HTTP/1.1 204 N\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<x>",
	    "HTTP/1.1 403 F\r\n" NO_BODY);

	start(&r);
	assert_int_equal(store_del1(r.store, "k"), 0);
	assert_int_equal(store_del1(r.store, "k"), 0);
	assert_int_equal(store_del1(r.store, "k"), -EACCES);
	assert_int_equal(r.counts.deletes, 3);
}

#define LISTING(more, key)                                                  \
	"HTTP/1.1 200 OK\r\n\r\n<ListBucketResult><IsTruncated>" more       \
	"</IsTruncated><Contents><Key>" key                                 \
	"</Key><LastModified>2026-01-31T12:00:00.000Z</LastModified><Size>" \
	"1</Size></Contents></ListBucketResult>"

/* A page full of other people's objects: the listing goes on behind it. */
static void test_list(void **state)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };
	RIG(r, LISTING("true", "p/not ours!"), LISTING("false", "p/ours"));

	r.close = true;
	start(&r);
	assert_int_equal(list(&r, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.entry[0].key, "ours");
	/* libs3 by itself would read it as local time. */
	assert_int_equal(l.entry[0].modified_ns / NSEC_PER_SEC, 1769860800);
	assert_int_equal(r.counts.lists, 2);
	assert_non_null(strstr(r.last.path, "marker=p/not+ours!"));
	assert_non_null(strstr(r.last.path, "prefix=p/&"));
	assert_non_null(strstr(r.last.path, "max-keys=10"));
}

static void test_late(void **state)
{
	static const struct store_opts cases[] = {
		{ .request_ns = 200 * MSEC },
		{ .stall_ns = 200 * MSEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		RIG(r, HELLO);

		r.delay_ns = 1000 * MSEC;
		rig_open(&r, &cases[i]);
		assert_int_equal(get10(&r, 0), -ETIMEDOUT);
		assert_true(r.health.down);
		assert_int_equal(put_hello(&r), -ETIMEDOUT);
		assert_int_equal(r.counts.unknown, 1);
	}
}

/* The deadline of a call is kept, and the store is fine afterwards. */
static void test_deadline(void **state)
{
	struct store_retry_opts o = { .attempts = 100,
				      .deadline_ns = 200 * MSEC,
				      .base_ns = MSEC };
	RIG(r, STORED);
	int64_t began;
	char c;

	r.delay_ns = 1500 * MSEC;
	start(&r);
	r.store = store_retry_new(r.store, &o);
	began = clock_boot_ns();
	assert_int_equal(store_get(r.store, "k", 0, &c, 1), -ETIMEDOUT);
	assert_true(clock_boot_ns() - began < 1200 * MSEC);
	r.delay_ns = 0;
	while (put_hello(&r) == -ETIMEDOUT)
		;
	assert_int_equal(put_hello(&r), 0);
}

static void test_nobody_listens(void **state)
{
	RIG(r, STORED);

	start(&r);
	http_server_stop(take(r.server));
	assert_int_equal(put_hello(&r), -ECONNREFUSED);
	assert_int_equal(r.counts.puts, 0);
	assert_int_equal(r.counts.errors, 1);
}

/* Sockets whose numbers select(2) does not know. */
static void test_many_descriptors(void **state)
{
	RIG(r, STORED);
	struct rlimit old, more;
	int fd[FD_SETSIZE];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	more = old;
	more.rlim_cur = MIN(old.rlim_max, (rlim_t)(2 * FD_SETSIZE));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
	start(&r);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = fcntl(0, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(put_hello(&r), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	setrlimit(RLIMIT_NOFILE, &old);
}

#define THREADS 6
#define ROUNDS	20

static void *many_puts(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		if (store_put(arg, "k", "hello", 5, NULL) < 0)
			return arg;
	return NULL;
}

/* More threads than contexts. */
static void test_threads(void **state)
{
	pthread_t thread[THREADS];
	RIG(r, STORED);
	void *failed;

	start(&r);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, many_puts, r.store),
			0);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(r.counts.puts, THREADS * ROUNDS);
}

static void assert_refused(const struct store_opts *o, const char *why)
{
	struct err err = ERR_INIT;
	struct store *s = NULL;

	assert_true(store_open(o, &s, &err) < 0);
	assert_null(s);
	if (!strstr(err.msg, why))
		print_error("%s\n", err.msg);
	assert_non_null(strstr(err.msg, why));
}

static void test_opts(void **state)
{
	struct store_opts o = opts_for("https://10.0.0.1");
	struct err err = ERR_INIT;
	struct store *s = NULL;
	char text[600];

	assert_int_equal(store_open(&o, &s, &err), -EACCES);
	assert_non_null(strstr(err.msg, "nobody checks the certificate"));
	assert_non_null(strstr(err.hint, "accept_unverified_peer"));
	o.accept_unverified_peer = "IT security, 2026-01-31";
	assert_int_equal(store_open(&o, &s, &err), 0);
	store_free(take(s));
	o.session_token = "T";
	assert_refused(&o, "session");
	o = opts_for("http://10.0.0.1");
	assert_refused(&o, "plain http");
	o = opts_for("http://127.0.0.1");
	o.bucket = "Bucket";
	assert_refused(&o, "bucket");
	o.bucket = "bucket";
	o.secret_key = "";
	assert_refused(&o, "credentials");
	o.secret_key = "SK";
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	o.access_key = text;
	assert_refused(&o, "access keys of at most");
	o.access_key = "AK";
	text[sizeof(text) - 2] = '/';
	o.prefix = text;
	assert_refused(&o, "prefix");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_puts),
		cmocka_unit_test(test_looks_before_it_puts),
		cmocka_unit_test(test_gets),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_head_and_skew),
		cmocka_unit_test(test_head_refused),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_many_descriptors),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_opts),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
