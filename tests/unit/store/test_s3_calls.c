/* SPDX-License-Identifier: Apache-2.0 */
/* What the S3 driver makes of a call: trials, signatures that are mended,
 * batches, copies, restores, locks. Parts are in test_s3_parts.c. */
#include "tests/unit/store/s3_rig.h"

#include "store/call.h"

static const struct store_put_opts only_new = { .if_absent = true };

static void assert_header(const struct play *p, const char *name,
			  const char *want)
{
	char v[512] = "";

	assert_true(http_header(&p->last, name, v, sizeof(v)));
	assert_string_equal(v, want);
}

static void assert_asked(const struct play *p, size_t n)
{
	size_t lines = 0;

	for (const char *c = p->log; *c; c++)
		lines += *c == '\n';
	if (lines != n)
		print_error("%s", p->log);
	assert_int_equal(lines, n);
}

/* --- create-only ------------------------------------------------------- */

#define TAKEN	"HTTP/1.1 412 P\r\n" NO_BODY
#define DELETED "HTTP/1.1 204 D\r\n" NO_BODY

/* Tried once, before the first put that relies on it. */
static void test_trial(void **state)
{
	struct play p = PLAY(OK, TAKEN, DELETED, OK, TAKEN);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	atomic_store(&r.s3->create_only, S3_UNKNOWN);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new), 0);
	assert_string_equal(p.last.path, "/bucket/p/k");
	assert_header(&p, "if-none-match", "*");
	assert_asked(&p, 4);
	assert_non_null(strstr(p.log, "DELETE /bucket/p/scratch/"));
	assert_int_equal(r.counts.puts, 3);
	assert_int_equal(r.counts.deletes, 1);
	assert_int_equal(r.counts.out_bytes, 3 + 3 + 4);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new),
			 -EEXIST);
	assert_asked(&p, 5);
}

/* A server that does not know the header overwrites: looked at, not atomic. */
static void test_trial_fails(void **state)
{
	struct play p =
		PLAY(OK, OK, DELETED, "HTTP/1.1 404 N\r\n" NO_BODY, OK, OK);
	CLEANUP(rig_done) struct rig r;
	struct store_caps caps;
	char v[8];

	rig_init(&r, &p);
	atomic_store(&r.s3->create_only, S3_UNKNOWN);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new), 0);
	assert_non_null(strstr(p.log, "HEAD /bucket/p/k\nPUT /bucket/p/k\n"));
	assert_false(http_header(&p.last, "if-none-match", v, sizeof(v)));
	store_caps(r.store, &caps);
	assert_false(caps.create_only);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new),
			 -EEXIST);
	assert_asked(&p, 6);
	assert_int_equal(r.counts.heads, 2);
	assert_int_equal(r.counts.puts, 3);
}

static void test_trial_later(void **state)
{
	struct play p = PLAY(REFUSED("503", "SlowDown"), DELETED, OK, TAKEN,
			     DELETED, OK);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	atomic_store(&r.s3->create_only, S3_UNKNOWN);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new),
			 -EAGAIN);
	assert_non_null(strstr(store_detail(), "SlowDown"));
	assert_int_equal(r.counts.unknown, 0); /* the put was not sent */
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new), 0);
	assert_string_equal(p.last.path, "/bucket/p/k");
}

/* "It is there" of a trial's own object is no answer about the key. */
static void test_trial_cut_short(void **state)
{
	struct play p = PLAY(TAKEN, DELETED, OK, TAKEN, DELETED, OK);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	atomic_store(&r.s3->create_only, S3_UNKNOWN);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new),
			 -EAGAIN);
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new), 0);
	assert_string_equal(p.last.path, "/bucket/p/k");
}

/* Google refuses one of the names, and means the other. */
static void test_trial_google(void **state)
{
	struct play p = PLAY(REFUSED("400", "InvalidArgument"), DELETED, OK,
			     TAKEN, DELETED, OK);
	CLEANUP(rig_done) struct rig r;
	char v[8];

	rig_init(&r, &p);
	atomic_store(&r.s3->create_only, S3_UNKNOWN);
	r.s3->google = true;
	assert_int_equal(store_put(r.store, "k", "data", 4, &only_new), 0);
	assert_header(&p, "x-amz-if-generation-match", "0");
	assert_false(http_header(&p.last, "if-none-match", v, sizeof(v)));
	assert_asked(&p, 6);
}

#define ENABLED(root, name) "<" root "><" name ">Enabled</" name "></" root ">"

static void test_probe(void **state)
{
	struct play p = PLAY(
		OK, TAKEN, DELETED,
		XML(ENABLED("VersioningConfiguration", "Status")),
		XML(ENABLED("ObjectLockConfiguration", "ObjectLockEnabled")),
		OK, REFUSED("403", "InvalidObjectState"), DELETED);
	CLEANUP(rig_done) struct rig r;
	struct store_caps caps;

	rig_init(&r, &p);
	assert_int_equal(store_probe(r.store, &caps), 0);
	assert_asked(&p, 8);
	assert_true(caps.create_only && caps.versions && caps.lock &&
		    caps.restore);
	assert_int_equal(r.counts.puts, 4); /* a restore is priced as one */
	assert_int_equal(r.counts.gets, 2);
	assert_int_equal(r.counts.deletes, 2);
}

/* Who may not ask, and who has none of it, is no failure. */
static void test_probe_poor(void **state)
{
	struct play p = PLAY(OK, TAKEN, DELETED, REFUSED("403", "AccessDenied"),
			     REFUSED("404", "ObjectLockConfigurationNotFound"
					    "Error"),
			     OK, REFUSED("501", "NotImplemented"), DELETED);
	CLEANUP(rig_done) struct rig r;
	struct store_caps caps;

	rig_init(&r, &p);
	assert_int_equal(store_probe(r.store, &caps), 0);
	assert_true(caps.create_only);
	assert_false(caps.versions || caps.lock || caps.restore);
}

/* --- acknowledged ------------------------------------------------------ */

/* "200 OK" alone is no word of a store: it is asked for the object. */
static void test_stored(void **state)
{
	static const struct {
		const char *head;
		int rc;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", -EPROTO },
		{ "HTTP/1.1 404 N\r\n" NO_BODY, -EPROTO },
		{ "HTTP/1.1 503 S\r\n" NO_BODY, -EAGAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p =
			PLAY("HTTP/1.1 200 OK\r\n" NO_BODY, cases[i].head);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(store_put(r.store, "k", "data", 4, &only_new),
				 cases[i].rc);
		assert_string_equal(p.log, "PUT /bucket/p/k\n"
					   "HEAD /bucket/p/k\n");
		assert_int_equal(r.counts.puts, 1);
		assert_int_equal(r.counts.heads, 1);
	}
}

/* An echoed digest is that of what was sent, or of something else. */
static void test_stored_digest(void **state)
{
	struct play p =
		PLAY("HTTP/1.1 200 OK\r\nETag: \"e\"\r\n"
		     "x-amz-checksum-sha256: LPJNul+wow4m6DsqxbninhsWHlwf"
		     "p0JecwQzYpOLmCQ=\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "hello", 5, NULL), 0);
	assert_int_equal(store_put(r.store, "k", "hallo", 5, NULL), -EAGAIN);
	assert_int_equal(r.counts.unknown, 1);
}

/* --- time and region --------------------------------------------------- */

#define SKEWED                                                          \
	"HTTP/1.1 403 F\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n\r\n" \
	"<Error><Code>RequestTimeTooSkewed</Code></Error>"

static void assert_signed_like(const struct play *p, const char *start)
{
	char v[64] = "";

	assert_true(http_header(&p->last, "x-amz-date", v, sizeof(v)));
	if (strncmp(v, start, strlen(start)) != 0)
		print_error("%s is not %s\n", v, start);
	assert_memory_equal(v, start, strlen(start));
}

static void test_clock(void **state)
{
	struct play p = PLAY(SKEWED, OK);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_asked(&p, 2);
	assert_int_equal(r.counts.puts, 2);
	assert_signed_like(&p, "20260131T120");
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_asked(&p, 3); /* right from the start */
	assert_signed_like(&p, "20260131T120");
}

/* Not for ever; and a HEAD cannot say why it was refused. */
static void test_clock_once(void **state)
{
	struct play p = PLAY(SKEWED);
	CLEANUP(rig_done) struct rig r;
	struct store_info info;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), -EACCES);
	assert_asked(&p, 2);
	assert_non_null(strstr(store_detail(), "its clock is"));
	atomic_store(&r.s3->sign_ahead_ns, 0);
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_asked(&p, 5); /* a GET says it in its place */
	assert_non_null(strstr(store_detail(), "its clock is"));
}

static void test_head_refused(void **state)
{
	struct play p = PLAY("HTTP/1.1 403 F\r\n" NO_BODY,
			     REFUSED("403", "InvalidAccessKeyId"),
			     "HTTP/1.1 403 F\r\n" NO_BODY,
			     "HTTP/1.1 404 N\r\n" NO_BODY,
			     "HTTP/1.1 404 N\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;
	struct store_info info;

	rig_init(&r, &p);
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_non_null(strstr(store_detail(), "InvalidAccessKeyId"));
	assert_string_equal(p.log, "HEAD /bucket/p/k\nGET /bucket/p/k\n");
	assert_int_equal(r.counts.heads, 1);
	assert_int_equal(r.counts.gets, 1);
	/* Only who is refused is asked again, and what a GET says otherwise
	 * does not count. */
	assert_int_equal(store_head(r.store, "k", &info), -EACCES);
	assert_string_equal(store_detail(), "HTTP status 403");
	assert_asked(&p, 4);
	assert_int_equal(store_head(r.store, "k", &info), -ENOENT);
	assert_asked(&p, 5);
}

static void assert_scope(const struct play *p, const char *region)
{
	char v[512] = "", want[64];

	assert_true(http_header(&p->last, "authorization", v, sizeof(v)));
	snprintf(want, sizeof(want), "/%s/s3/aws4_request", region);
	assert_non_null(strstr(v, want));
}

static void test_region(void **state)
{
	static const char *const moved[] = {
		"HTTP/1.1 400 B\r\n\r\n<Error><Code>AuthorizationHeaderMal"
		"formed</Code><Region>eu-west-1</Region></Error>",
		"HTTP/1.1 301 M\r\nx-amz-bucket-region: eu-west-1\r\n"
		"Location: http://127.0.0.1:1/\r\n" NO_BODY,
		"HTTP/1.1 307 T\r\nx-amz-bucket-region: eu-west-1\r\n\r\n"
		"<Error><Code>TemporaryRedirect</Code><Endpoint>elsewhere"
		"</Endpoint></Error>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
		struct play p = PLAY(moved[i], OK);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
		assert_asked(&p, 2);
		assert_scope(&p, "eu-west-1");
		assert_string_equal(r.s3->region, "eu-west-1");
	}
}

/* It says the same again, or nothing that is a region's name. */
static void test_region_stays(void **state)
{
	static const char *const moved[] = {
		"HTTP/1.1 301 M\r\nx-amz-bucket-region: r\r\n" NO_BODY,
		"HTTP/1.1 301 M\r\nx-amz-bucket-region: ../evil\r\n" NO_BODY,
		"HTTP/1.1 301 M\r\nx-amz-bucket-region: a.evil.example\r\n" NO_BODY,
		"HTTP/1.1 403 M\r\nx-amz-bucket-region: eu-west-1\r\n" NO_BODY,
		"HTTP/1.1 400 B\r\n\r\n<Error><Code>AuthorizationHeaderMal"
		"formed</Code><Region>a/b</Region></Error>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
		struct play p = PLAY(moved[i]);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_true(store_put(r.store, "k", "x", 1, NULL) < 0);
		assert_asked(&p, 1);
		assert_scope(&p, "r");
	}
}

/* Answers only when two requests wait that were signed alike. */
struct crowd {
	atomic_int early, late; /* signed before it was said, and after */
	const char *moved, *sign;
};

static bool say_moved(const struct http_request *r, struct buf *out, void *arg)
{
	struct crowd *c = arg;
	int64_t end = clock_boot_ns() + 30 * NSEC_PER_SEC;

	if (strstr(r->head, c->sign)) {
		atomic_fetch_add(&c->late, 1);
		buf_addf(out, "%s", OK);
		return true;
	}
	atomic_fetch_add(&c->early, 1);
	while (atomic_load(&c->early) < 2 && clock_boot_ns() < end)
		clock_sleep_ns(NSEC_PER_SEC / 1000);
	buf_addf(out, "%s", c->moved);
	return true;
}

static void *put_once(void *arg)
{
	return (void *)(intptr_t)store_put(arg, "k", "x", 1, NULL);
}

static void put_twice_at_once(const char *moved, const char *sign)
{
	struct crowd c = { .moved = moved, .sign = sign };
	struct http_server *server = http_server_start(say_moved, &c);
	struct store *s = NULL;
	struct store_opts o;
	pthread_t other;
	void *rc = NULL;

	assert_non_null(server);
	o = opts_for(http_server_url(server));
	assert_int_equal(store_open(&o, &s, NULL), 0);
	assert_int_equal(pthread_create(&other, NULL, put_once, s), 0);
	assert_int_equal(store_put(s, "k", "x", 1, NULL), 0);
	pthread_join(other, &rc);
	assert_int_equal((intptr_t)rc, 0);
	assert_int_equal(atomic_load(&c.early), 2);
	assert_int_equal(atomic_load(&c.late), 2);
	store_free(s);
	http_server_stop(server);
}

/* The second one finds that the first has put it right. */
static void test_mended_by_another(void **state)
{
	put_twice_at_once("HTTP/1.1 301 M\r\nx-amz-bucket-region: "
			  "eu-west-1\r\n" NO_BODY,
			  "/eu-west-1/s3/");
	put_twice_at_once("HTTP/1.1 403 F\r\n"
			  "Date: Fri, 01 Jan 2100 12:00:00 GMT\r\n"
			  "Content-Length: 48\r\n\r\n"
			  "<Error><Code>RequestTimeTooSkewed</Code></Error>",
			  "x-amz-date: 2100");
}

static void test_region_says(void **state)
{
	struct play p = PLAY("HTTP/1.1 301 M\r\nx-amz-bucket-region: "
			     "eu-west-1\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), -EPROTO);
	assert_asked(&p, 2);
	assert_non_null(strstr(store_detail(), "in region 'eu-west-1'"));
}

static void test_new_credentials(void **state)
{
	struct play p = PLAY(OK);
	CLEANUP(rig_done) struct rig r;
	char v[512];

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_int_equal(store_s3_credentials(&r.s3->base, "AK2", "SK2", NULL),
			 0);
	assert_int_equal(store_s3_credentials(&r.s3->base, "", "SK2", NULL),
			 -EINVAL);
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), 0);
	assert_true(http_header(&p.last, "authorization", v, sizeof(v)));
	assert_non_null(strstr(v, "Credential=AK2/"));
	assert_false(
		http_header(&p.last, "x-amz-security-token", v, sizeof(v)));
}

/* --- deletes ----------------------------------------------------------- */

static const char *const abc[] = { "c", "a", "b" };

static void test_batch(void **state)
{
	struct play p = PLAY(XML(
		"<DeleteResult><Deleted><Key>p/a</Key></Deleted><Error><Key>"
		"p/c</Key><Code>AccessDenied</Code><Message>no</Message>"
		"</Error></DeleteResult>"));
	CLEANUP(rig_done) struct rig r;
	int rc[3];

	rig_init(&r, &p);
	assert_int_equal(store_del(r.store, abc, 3, rc), -EACCES);
	assert_int_equal(rc[0], -EACCES);
	assert_int_equal(rc[1], 0);
	assert_int_equal(rc[2], -EPROTO); /* it does not speak of it */
	assert_string_equal(p.log, "POST /bucket/?delete=\n");
	assert_string_equal(p.body, "<Delete><Object><Key>p/a</Key></Object>"
				    "<Object><Key>p/b</Key></Object>"
				    "<Object><Key>p/c</Key></Object></Delete>");
	/* openssl dgst -md5 -binary | base64 */
	assert_header(&p, "content-md5", "VJX3POQYIIh4sMJZamRY+Q==");
	assert_int_equal(r.counts.deletes, 1);
}

static void test_batch_unknown(void **state)
{
	struct play p = PLAY(REFUSED("501", "NotImplemented"), DELETED);
	CLEANUP(rig_done) struct rig r;
	int rc[3];

	rig_init(&r, &p);
	assert_int_equal(store_del(r.store, abc, 3, rc), 0);
	assert_asked(&p, 4);
	assert_int_equal(store_del(r.store, abc, 3, rc), 0);
	assert_asked(&p, 7);
}

static void test_batch_fails(void **state)
{
	struct play p = PLAY(REFUSED("503", "SlowDown"), XML("<html/>"));
	CLEANUP(rig_done) struct rig r;
	int rc[3];

	rig_init(&r, &p);
	assert_int_equal(store_del(r.store, abc, 3, rc), -EAGAIN);
	assert_int_equal(rc[2], -EAGAIN);
	assert_int_equal(store_del(r.store, abc, 3, rc), -EPROTO);
	assert_asked(&p, 2);
}

static void test_del_version(void **state)
{
	struct play p = PLAY(DELETED, REFUSED("404", "NoSuchVersion"));
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_del_version(r.store, "k", "v/1+"), 0);
	assert_string_equal(p.log, "DELETE /bucket/p/k?versionId=v%2F1%2B\n");
	assert_int_equal(store_del_version(r.store, "k", "v2"), 0);
}

/* --- copies and restores ----------------------------------------------- */

#define THERE  "HTTP/1.1 200 OK\r\nContent-Length: 25\r\nETag: \"e1\"\r\n\r\n"
#define COPIED XML("<CopyObjectResult><ETag>\"e2\"</ETag></CopyObjectResult>")

static void test_copy(void **state)
{
	struct store_put_opts cold = { .storage_class = "DEEP_ARCHIVE" };
	struct play p = PLAY(THERE, COPIED);
	CLEANUP(rig_done) struct rig r;
	char v[16];

	rig_init(&r, &p);
	assert_int_equal(store_copy(r.store, "a", "b/c", &cold), 0);
	assert_string_equal(p.log, "HEAD /bucket/p/a\nPUT /bucket/p/b/c\n");
	assert_header(&p, "x-amz-copy-source", "/bucket/p/a");
	assert_header(&p, "x-amz-storage-class", "DEEP_ARCHIVE");
	assert_false(
		http_header(&p.last, "x-amz-metadata-directive", v, sizeof(v)));
	assert_int_equal(r.counts.copies, 1);
	assert_int_equal(r.counts.heads, 1);
	assert_int_equal(r.counts.puts, 0);
	assert_int_equal(r.counts.out_bytes, 0);
}

static void test_copy_onto_itself(void **state)
{
	struct play p = PLAY(THERE, COPIED);
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_copy(r.store, "a", "a", NULL), 0);
	assert_header(&p, "x-amz-metadata-directive", "REPLACE");
}

/* S25: 200, and then it failed; or it says nothing at all. */
static void test_copy_fails_with_200(void **state)
{
	static const struct {
		const char *answer;
		int rc;
	} cases[] = {
		{ XML("<Error><Code>InternalError</Code></Error>"), -EAGAIN },
		{ XML("<Error><Code>AccessDenied</Code></Error>"), -EACCES },
		{ XML("<Error/>"), -EPROTO },
		{ XML(""), -EPROTO },
		{ XML("   "), -EPROTO },
		{ XML("<CopyObjectResult><ETag>"), -EPROTO },
		{ XML("<html/>"), -EPROTO },
		{ REFUSED("403", "InvalidObjectState"), -ENOMEDIUM },
		{ REFUSED("404", "NoSuchKey"), -ENOENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p = PLAY(THERE, cases[i].answer);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(store_copy(r.store, "a", "b", NULL),
				 cases[i].rc);
		assert_int_equal(r.counts.unknown,
				 cases[i].rc == -EAGAIN ||
					 cases[i].rc == -EPROTO);
	}
}

static void test_restore(void **state)
{
	static const struct {
		const char *answer;
		int rc;
		int known;
	} cases[] = {
		{ "HTTP/1.1 202 A\r\n" NO_BODY, 0, S3_YES },
		{ OK, 0, S3_YES },
		{ REFUSED("409", "RestoreAlreadyInProgress"), 0, S3_YES },
		{ REFUSED("403", "InvalidObjectState"), 0, S3_YES },
		{ REFUSED("403", "AccessDenied"), -EACCES, S3_UNKNOWN },
		{ REFUSED("404", "NoSuchKey"), -ENOENT, S3_UNKNOWN },
		{ REFUSED("400", "InvalidArgument"), -ENOTSUP, S3_NO },
		{ REFUSED("501", "NotImplemented"), -ENOTSUP, S3_NO },
		{ REFUSED("503", "GlacierExpeditedRetrievalNotAvailable"),
		  -EAGAIN, S3_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p = PLAY(cases[i].answer);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(store_restore(r.store, "k", 7, STORE_BULK),
				 cases[i].rc);
		assert_int_equal(atomic_load(&r.s3->restore), cases[i].known);
		assert_string_equal(p.log, "POST /bucket/p/k?restore=\n");
		assert_non_null(strstr(p.body, "<Days>7</Days>"));
		assert_non_null(strstr(p.body, "<Tier>Bulk</Tier>"));
		assert_int_equal(r.counts.restores, 1);
	}
}

#define HEAD_OF(more) "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" more "\r\n"
#define ICE	      "x-amz-storage-class: GLACIER\r\n"

static void test_head_archive(void **state)
{
	static const struct {
		const char *answer;
		enum store_archive archive;
		int64_t until;
	} cases[] = {
		{ HEAD_OF(""), STORE_READY, 0 },
		{ HEAD_OF("x-amz-storage-class: GLACIER_IR\r\n"), STORE_READY,
		  0 },
		{ HEAD_OF(ICE), STORE_ARCHIVED, 0 },
		{ HEAD_OF(ICE "x-amz-restore: ongoing-request=\"true\"\r\n"),
		  STORE_RESTORING, 0 },
		{ HEAD_OF(ICE "x-amz-restore: ongoing-request=\"false\", "
			      "expiry-date=\"Sat, 31 Jan 2026 12:00:00 "
			      "GMT\"\r\n"),
		  STORE_READY, 1769860800 },
		{ HEAD_OF(ICE "x-amz-restore: ongoing-request=\"false\", "
			      "expiry-date=\"next week\"\r\n"),
		  STORE_READY, 0 },
		{ HEAD_OF("x-amz-archive-status: ARCHIVE_ACCESS\r\n"),
		  STORE_ARCHIVED, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p = PLAY(cases[i].answer);
		CLEANUP(rig_done) struct rig r;
		struct store_info info = { 0 };

		rig_init(&r, &p);
		assert_int_equal(store_head(r.store, "k", &info), 0);
		assert_int_equal(info.archive, cases[i].archive);
		assert_int_equal(info.restored_until_ns,
				 cases[i].until * NSEC_PER_SEC);
	}
}

/* --- locks, versions, digests ------------------------------------------ */

static void test_lock(void **state)
{
	struct play p = PLAY(
		XML(ENABLED("ObjectLockConfiguration", "ObjectLockEnabled")),
		"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nx-amz-version-id: v7\r\n" NO_BODY);
	char version[STORE_VERSION_MAX];
	struct store_put_opts o = { .lock = STORE_COMPLIANCE,
				    .lock_until_ns = 1769860800 * NSEC_PER_SEC,
				    .version = version };
	CLEANUP(rig_done) struct rig r;
	struct store_caps caps;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "hello", 5, &o), 0);
	assert_asked(&p, 2);
	assert_string_equal(version, "v7");
	assert_header(&p, "x-amz-object-lock-mode", "COMPLIANCE");
	assert_header(&p, "x-amz-object-lock-retain-until-date",
		      "2026-01-31T12:00:00Z");
	assert_header(&p, "x-amz-checksum-sha256",
		      "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
	store_caps(r.store, &caps);
	assert_true(caps.lock && caps.versions);
	assert_int_equal(r.counts.gets, 1);
	assert_int_equal(r.counts.puts, 1);
}

/* Never sent to a bucket that would not keep it. */
static void test_no_lock(void **state)
{
	struct play p =
		PLAY(REFUSED("404", "ObjectLockConfigurationNotFoundError"));
	struct store_put_opts o = { .lock = STORE_GOVERNANCE,
				    .lock_until_ns =
					    1769860800 * NSEC_PER_SEC };
	CLEANUP(rig_done) struct rig r;

	rig_init(&r, &p);
	assert_int_equal(store_put(r.store, "k", "x", 1, &o), -ENOTSUP);
	assert_int_equal(store_put(r.store, "k", "x", 1, &o), -ENOTSUP);
	assert_asked(&p, 1);
}

#define DIGEST(d)                                          \
	"HTTP/1.1 206 P\r\nContent-Range: bytes 0-4/5\r\n" \
	"Content-Length: 5\r\nx-amz-checksum-sha256: " d "\r\n\r\nhello"

static void test_digest(void **state)
{
	static const struct {
		const char *answer;
		int rc;
	} cases[] = {
		{ DIGEST("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="), 5 },
		{ DIGEST("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCR="),
		  -EAGAIN },
		{ DIGEST("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-3"), 5 },
		{ DIGEST("?"), 5 },
	};
	char got[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct play p = PLAY(cases[i].answer);
		CLEANUP(rig_done) struct rig r;

		rig_init(&r, &p);
		assert_int_equal(store_get(r.store, "k", 0, got, sizeof(got)),
				 cases[i].rc);
	}
}

/* --- the way there ----------------------------------------------------- */

static void test_ipv6(void **state)
{
	struct play p = PLAY(OK);
	struct http_server *server = http_server_start_at("::1", say, &p);
	struct store_opts o;
	struct store *s;

	if (!server)
		skip(); /* a machine without IPv6 */
	o = opts_for(http_server_url(server));
	assert_memory_equal(o.endpoint, "http://[::1]:", 13);
	assert_int_equal(store_open(&o, &s, NULL), 0);
	assert_int_equal(store_put(s, "k", "x", 1, NULL), 0);
	assert_header(&p, "host", o.endpoint + strlen("http://"));
	store_free(s);
	http_server_stop(server);
}

/* Through a proxy goes what is not on this machine, as a tunnel. */
static void test_proxy(void **state)
{
	struct play p = PLAY("HTTP/1.1 407 P\r\n" NO_BODY);
	CLEANUP(rig_done) struct rig r;
	struct store_opts o = opts_for("https://s3.example");
	struct store *s;

	rig_init(&r, &p);
	setenv("https_proxy", http_server_url(r.server), 1);
	setenv("http_proxy", http_server_url(r.server), 1);
	assert_int_equal(store_open(&o, &s, NULL), 0);
	assert_true(store_put(s, "k", "x", 1, NULL) < 0);
	assert_string_equal(p.log, "CONNECT s3.example:443\n");
	store_free(s);
	p.log[0] = '\0';
	assert_int_equal(store_put(r.store, "k", "x", 1, NULL), -EACCES);
	assert_string_equal(p.log, "PUT /bucket/p/k\n");
	unsetenv("https_proxy");
	unsetenv("http_proxy");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_trial_fails),
		cmocka_unit_test(test_trial_later),
		cmocka_unit_test(test_trial_cut_short),
		cmocka_unit_test(test_trial_google),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_poor),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_stored_digest),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_once),
		cmocka_unit_test(test_head_refused),
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_region_stays),
		cmocka_unit_test(test_region_says),
		cmocka_unit_test(test_mended_by_another),
		cmocka_unit_test(test_new_credentials),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_batch_unknown),
		cmocka_unit_test(test_batch_fails),
		cmocka_unit_test(test_del_version),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_onto_itself),
		cmocka_unit_test(test_copy_fails_with_200),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_head_archive),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_no_lock),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_proxy),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
