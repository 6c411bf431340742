/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks: a pool's lock guards its idle contexts. libs3_lock is for what libs3
 * does with memory of the whole process: its count of users, and gmtime(3)
 * whenever it composes a request. No network I/O under either.
 *
 * libs3 cannot be told how long a request may take, so its context is driven
 * step by step here. What takes too long is ended by destroying the context.
 */
#include "store/s3v2/transfer.h"

#include <signal.h>
#include <string.h>
#include <sys/select.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/call.h"
#include "store/s3/answer.h"
#include "store/s3/errors.h"

#define LEAST_RATE 65536 /* bytes/s: a body may take so long, besides */
#define LOOK_NS	   (NSEC_PER_SEC / 2)
/* Between looks at a socket that select(2) cannot wait for. */
#define BLIND_NS (2 * NSEC_PER_SEC / 1000)

struct s3v2_pool {
	S3BucketContext bucket;
	char *access_key, *secret_key; /* of bucket; guarded by libs3_lock */
	struct s3v2_limits limits;
	pthread_mutex_t lock;	 /* guards what follows */
	pthread_cond_t freed;	 /* CLOCK_MONOTONIC */
	S3RequestContext **idle; /* NULL = to be made */
	size_t n_idle;
};

static pthread_mutex_t libs3_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- opening ------------------------------------------------------------ */

static int init_libs3(void)
{
	LOCK_SCOPE(&libs3_lock);
	return S3_initialize("mersey/" MERSEY_VERSION, S3_INIT_ALL, NULL) ==
			       S3StatusOK
		       ? 0
		       : -ENOMEM;
}

static void init_locks(struct s3v2_pool *p)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->freed, &attr);
	pthread_condattr_destroy(&attr);
}

/* libs3 reads them when it begins a request, which is under this lock. */
static void exchange_keys(struct s3v2_pool *p, char **access_key,
			  char **secret_key)
{
	char *old;

	LOCK_SCOPE(&libs3_lock);
	old = p->access_key;
	p->bucket.accessKeyId = p->access_key = *access_key;
	*access_key = old;
	old = p->secret_key;
	p->bucket.secretAccessKey = p->secret_key = *secret_key;
	*secret_key = old;
}

int s3v2_pool_keys(struct s3v2_pool *p, const char *access_key,
		   const char *secret_key)
{
	char *access = secret_text(access_key, strlen(access_key));
	char *secret = secret_text(secret_key, strlen(secret_key));
	int rc = access && secret ? 0 : -ENOMEM;

	if (rc == 0)
		exchange_keys(p, &access, &secret);
	secret_text_done(&access);
	secret_text_done(&secret);
	return rc;
}

int s3v2_pool_open(const S3BucketContext *bucket,
		   const struct s3v2_limits *limits, struct s3v2_pool **out,
		   struct err *err)
{
	struct s3v2_pool *p = calloc(1, sizeof(*p));
	int rc = p ? init_libs3() : -ENOMEM;

	if (rc < 0) {
		free(p);
		return fail(err, rc, "cannot start libs3: %m");
	}
	init_locks(p);
	p->bucket = *bucket;
	p->limits = *limits;
	p->idle = calloc(limits->in_flight, sizeof(*p->idle));
	rc = s3v2_pool_keys(p, bucket->accessKeyId, bucket->secretAccessKey);
	if (!p->idle || rc < 0) {
		s3v2_pool_close(p);
		return fail(err, -ENOMEM, "%m");
	}
	p->n_idle = limits->in_flight;
	*out = p;
	return 0;
}

void s3v2_pool_close(struct s3v2_pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->idle && i < p->n_idle; i++)
		if (p->idle[i])
			S3_destroy_request_context(p->idle[i]);
	free(p->idle);
	secret_text_done(&p->access_key);
	secret_text_done(&p->secret_key);
	pthread_cond_destroy(&p->freed);
	pthread_mutex_destroy(&p->lock);
	free(p);
	LOCK_SCOPE(&libs3_lock);
	S3_deinitialize();
}

/* --- contexts ----------------------------------------------------------- */

/* The clock of the condition, `ns` from now. */
static struct timespec in_ns(int64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return clock_timespec(clock_ns(ts) + ns);
}

/* Waits for a place; a context to be used, or NULL: one is to be made. */
static int take_context(struct s3v2_pool *p, int64_t until_ns,
			S3RequestContext **out)
{
	LOCK_SCOPE(&p->lock);
	while (p->n_idle == 0) {
		struct timespec ts = in_ns(until_ns - clock_boot_ns());

		if (clock_boot_ns() >= until_ns)
			return store_explain(-ETIMEDOUT,
					     "no time was left for it");
		pthread_cond_timedwait(&p->freed, &p->lock, &ts);
	}
	*out = p->idle[--p->n_idle];
	return 0;
}

static void give_context(struct s3v2_pool *p, S3RequestContext *c)
{
	LOCK_SCOPE(&p->lock);
	p->idle[p->n_idle++] = c;
	pthread_cond_signal(&p->freed);
}

/* --- one request -------------------------------------------------------- */

static void start(struct s3v2_pool *p, struct s3v2_request *r,
		  S3RequestContext *c)
{
	static const S3ResponseHandler plain = { s3v2_on_properties,
						 s3v2_on_complete };
	static const S3GetObjectHandler get = {
		{ s3v2_on_properties, s3v2_on_complete }, s3v2_on_data
	};
	static const S3PutObjectHandler put = {
		{ s3v2_on_properties, s3v2_on_complete }, s3v2_on_send
	};
	/* Its entries are taken from the text: see seams.h. */
	static const S3ListBucketHandler list = {
		{ s3v2_on_properties, s3v2_on_complete }, NULL
	};
	S3PutProperties props = { .md5 = r->md5, .expires = -1 };
	const S3BucketContext *b = &p->bucket;

	LOCK_SCOPE(&libs3_lock);
	if (!r->key)
		S3_list_bucket(b, r->prefix, r->marker, NULL, r->max, c, &list,
			       r);
	else if (r->s3.method == S3_GET)
		S3_get_object(b, r->key, NULL, r->off, r->s3.dst_len, c, &get,
			      r);
	else if (r->s3.method == S3_PUT)
		S3_put_object(b, r->key, r->s3.body_len, &props, c, &put, r);
	else if (r->s3.method == S3_HEAD)
		S3_head_object(b, r->key, c, &plain, r);
	else
		S3_delete_object(b, r->key, c, &plain, r);
}

/* Until something can be read or written, `ns` at most. */
static void wait_for_it(S3RequestContext *c, int64_t ns)
{
	int64_t ms = S3_get_request_context_timeout(c);
	fd_set in, out, bad;
	int max_fd = -1;

	if (ms >= 0)
		ns = MIN(ns, ms * NSEC_PER_SEC / 1000);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&bad);
	if (S3_get_request_context_fdsets(c, &in, &out, &bad, &max_fd) !=
		    S3StatusOK ||
	    max_fd < 0) { /* a name is looked up, or above FD_SETSIZE */
		clock_sleep_ns(MIN(ns, BLIND_NS));
	} else {
		struct timespec ts = clock_timespec(ns);

		pselect(max_fd + 1, &in, &out, &bad, &ts, NULL);
	}
}

/* Drives the request to its end. 0, -ETIMEDOUT or -ENOMEM. */
static int drive(struct s3v2_pool *p, struct s3v2_request *r,
		 S3RequestContext *c, int64_t until_ns)
{
	int running;

	while (!r->s3.done) {
		int64_t left = MIN(until_ns, r->moved_ns + p->limits.stall_ns) -
			       clock_boot_ns();

		if (left <= 0)
			return -ETIMEDOUT;
		if (S3_runonce_request_context(c, &running) != S3StatusOK)
			return -ENOMEM;
		if (!r->s3.done)
			wait_for_it(c, MIN(left, LOOK_NS));
	}
	return 0;
}

/*
 * libcurl writes to sockets that may be closed, for which libs3 has it leave
 * SIGPIPE as it is: no such signal comes through to this thread.
 */
static void pipe_block(sigset_t *old)
{
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, old);
}

static void pipe_unblock(const sigset_t *old)
{
	static const struct timespec now;
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (!sigismember(old, SIGPIPE))
		sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* Runs it in *c; what cannot be used any more is destroyed and NULL then. */
static int run(struct s3v2_pool *p, struct s3v2_request *r,
	       S3RequestContext **c, int64_t until_ns)
{
	sigset_t old;
	int rc;

	pipe_block(&old);
	s3v2_seams_for(r);
	start(p, r, *c);
	rc = drive(p, r, *c, until_ns);
	if (rc < 0)
		S3_destroy_request_context(take(*c));
	s3v2_seams_for(NULL);
	pipe_unblock(&old);
	return rc;
}

/* What failed before anything could have reached the store. */
static bool never_left(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return true;
	default:
		return false;
	}
}

/* What became of it, in the words of store.h; rc is how driving it ended. */
static int outcome(const struct s3v2_request *r, int rc)
{
	CURLcode code = r->s3.code;

	/* libs3 wants none, but the answer to a DELETE may have a text. */
	if (r->s3.method == S3_DELETE && code == CURLE_WRITE_ERROR)
		code = CURLE_OK;
	if (r->s3.answer.status == 0 && code == CURLE_OK && rc == 0)
		return store_explain(-EPROTO, "libs3: %s",
				     S3_get_status_name(r->status));
	if (!never_left(code))
		store_call.sent++;
	if (r->redirected)
		return store_explain(-EACCES,
				     "it sends us to another host, which is "
				     "not the configured one");
	if (rc < 0)
		return store_explain(
			rc, "%s", rc == -ETIMEDOUT ? "no answer in time" : "");
	if (r->s3.rc < 0) /* a callback gave up */
		return store_explain(r->s3.rc, "%s",
				     r->s3.rc == -EPROTO
					     ? "the answer is longer than it "
					       "may be"
					     : "");
	if (code != CURLE_OK)
		return store_explain(s3_curl_errno(code, 0), "%s",
				     curl_easy_strerror(code));
	return 0;
}

int s3v2_do(struct s3v2_pool *p, struct s3v2_request *r)
{
	int64_t now = clock_boot_ns(), until = store_call.deadline_ns;
	S3RequestContext *c = NULL;
	int rc;

	if (!until)
		until = now + p->limits.request_ns +
			(int64_t)(r->s3.body_len / LEAST_RATE) * NSEC_PER_SEC;
	rc = take_context(p, until, &c);
	if (rc < 0)
		return rc;
	if (!c && S3_create_request_context(&c) != S3StatusOK) {
		give_context(p, NULL);
		return -ENOMEM;
	}
	r->s3.answer = (struct s3_answer){ .length = -1 };
	r->s3.fd = -1;
	r->moved_ns = clock_boot_ns();
	rc = run(p, r, &c, until);
	give_context(p, c);
	return outcome(r, rc);
}
