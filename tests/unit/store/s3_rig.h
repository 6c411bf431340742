/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 driver on a server that answers by a list of texts. */
#ifndef MERSEY_TESTS_S3_RIG_H
#define MERSEY_TESTS_S3_RIG_H

#include "tests/test.h"

#include "base/clock.h"
#include "store/drivers.h"
#include "store/s3/impl.h"
#include "tests/unit/store/http_server.h"
#include "tests/unit/store/range_answers.h"

/* What the server says, one text for each request; the last goes on. */
struct play {
	const char *const *answer;
	size_t n;
	bool close;
	int64_t delay_ns;
	struct http_request last, part; /* the last of all; with a partNumber */
	char body[4096];		/* of the last one, as text */
	char log[4096];			/* "METHOD path\n" of each */
};

/* An answer that does not say how long its body is says so. */
static void say_one(struct buf *out, const char *answer, const char *method)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (!body || strstr(answer, "Content-Length:") ||
	    strcmp(method, "HEAD") == 0)
		buf_addf(out, "%s", answer);
	else
		buf_addf(out, "%.*s\r\nContent-Length: %zu%s",
			 (int)(body - answer), answer, strlen(body + 4), body);
}

static bool say(const struct http_request *r, struct buf *out, void *arg)
{
	struct play *p = arg;
	size_t n = strlen(p->log);

	memcpy(p->last.head, r->head, sizeof(r->head));
	memcpy(p->last.path, r->path, sizeof(r->path));
	memcpy(p->last.method, r->method, sizeof(r->method));
	snprintf(p->body, sizeof(p->body), "%.*s", (int)r->body.len,
		 r->body.len ? (char *)r->body.data : "");
	snprintf(p->log + n, sizeof(p->log) - n, "%s %s\n", r->method, r->path);
	if (strstr(r->path, "partNumber"))
		memcpy(p->part.head, r->head, sizeof(r->head));
	if (p->delay_ns)
		clock_sleep_ns(p->delay_ns);
	if (p->close) /* which says where the body ends */
		buf_addf(out, "%s", p->answer[MIN(r->number, p->n - 1)]);
	else
		say_one(out, p->answer[MIN(r->number, p->n - 1)], r->method);
	return !p->close;
}

struct rig {
	struct http_server *server;
	struct store *store;
	struct s3_store *s3;
	struct store_counts counts;
	struct store_health health;
};

static void rig_done(struct rig *r)
{
	store_free(r->store);
	http_server_stop(r->server);
}

static struct store_opts opts_for(const char *url)
{
	return (struct store_opts){ .kind = STORE_S3,
				    .name = "fake",
				    .endpoint = url,
				    .region = "r",
				    .bucket = "bucket",
				    .prefix = "p/",
				    .in_flight = 4,
				    .access_key = "AK",
				    .secret_key = "SK",
				    .session_token = "TOK" };
}

/* A metered store on a server that plays `p`, known to be create-only; `like`:
 * its timeouts. */
static void rig_init_like(struct rig *r, struct play *p,
			  const struct store_opts *like)
{
	struct store_opts o;
	struct store *s = NULL;

	*r = (struct rig){ 0 };
	r->server = http_server_start(say, p);
	assert_non_null(r->server);
	o = opts_for(http_server_url(r->server));
	o.connect_ns = like->connect_ns;
	o.stall_ns = like->stall_ns;
	o.request_ns = like->request_ns;
	assert_int_equal(store_open(&o, &s, NULL), 0);
	r->s3 = s3_of(s);
	atomic_store(&r->s3->create_only, S3_YES);
	r->store = store_meter_new(s, &r->counts, &r->health);
	assert_non_null(r->store);
}

static void rig_init(struct rig *r, struct play *p)
{
	rig_init_like(r, p, &(struct store_opts){ 0 });
}

#define PLAY(...)                                                       \
	{                                                               \
		.answer = (const char *const[]){ __VA_ARGS__ },         \
		.n = ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })) \
	}

#define OK "HTTP/1.1 200 OK\r\nETag: \"abc\"\r\n" NO_BODY

/* An answer with a body, and one that is S3's error. */
#define XML(s) "HTTP/1.1 200 OK\r\n\r\n" s
#define REFUSED(status, code) \
	"HTTP/1.1 " status " No\r\n\r\n<Error><Code>" code "</Code></Error>"

#endif
