/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transfer thread owns the multi handle; a caller owns its request and
 * its easy handle, except between the moment it queues the request and the
 * moment the thread marks it done. Easy handles are kept and used again:
 * with them come TLS sessions; connections belong to the multi handle.
 *
 * The thread blocks all signals: libcurl and OpenSSL write to sockets that
 * may be closed, and SIGPIPE then goes to the writing thread.
 */
#include "store/s3/request.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/s3/answer.h"
#include "store/s3/errors.h"

#define STALL_RATE 1L	     /* bytes/s: less is no progress */
#define LEAST_RATE 65536     /* bytes/s: a body may take so long, besides */
#define LEAST_WORK (4 << 20) /* bytes/s: of a server that copies */

#define LINE_MIN   ((size_t)1 << 10)
#define BUFFER_MIN ((size_t)16 << 10)
#define BUFFER_MAX ((size_t)256 << 10)

struct s3_http {
	struct s3_http_opts opts;
	char *ca_file;
	CURLM *multi;
	pthread_t thread;
	bool started;
	struct s3_sockets sockets; /* the thread's */

	pthread_mutex_t lock;	   /* guards what follows */
	pthread_cond_t given;	   /* a handle is idle again */
	struct s3_request *queued; /* in order of arrival */
	CURL **idle;		   /* easy handles without a request */
	size_t n_idle;
	bool stop;
};

const char *s3_method_name(enum s3_method m)
{
	static const char *const names[] = { [S3_GET] = "GET",
					     [S3_HEAD] = "HEAD",
					     [S3_PUT] = "PUT",
					     [S3_POST] = "POST",
					     [S3_DELETE] = "DELETE" };

	return names[m];
}

void s3_answer_done(struct s3_answer *a)
{
	buf_done(&a->text);
}

/* --- the transfer thread ----------------------------------------------- */

/* Takes what is queued. */
static struct s3_request *take_queued(struct s3_http *h, bool *stop)
{
	LOCK_SCOPE(&h->lock);
	*stop = h->stop;
	return take(h->queued);
}

static void finish(struct s3_http *h, struct s3_request *r, CURLcode code)
{
	LOCK_SCOPE(&h->lock);
	r->code = code;
	r->done = true;
	pthread_cond_signal(&r->ended); /* r is the caller's from here on */
}

static void start_queued(struct s3_http *h, struct s3_request *r)
{
	while (r) {
		struct s3_request *next = r->next;
		CURLMcode mc = curl_multi_add_handle(h->multi, r->easy);

		if (mc != CURLM_OK) /* after this r may be gone */
			finish(h, r, CURLE_OUT_OF_MEMORY);
		r = next;
	}
}

static void finish_done(struct s3_http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;
		char *p = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p);
		curl_multi_remove_handle(h->multi, easy);
		finish(h, (struct s3_request *)p, code);
	}
}

static void *transfer_thread(void *arg)
{
	struct s3_http *h = arg;
	bool stop = false;
	int running;

	while (!stop) {
		start_queued(h, take_queued(h, &stop));
		curl_multi_perform(h->multi, &running);
		finish_done(h);
		if (!stop)
			curl_multi_poll(h->multi, NULL, 0, 60000, NULL);
	}
	return NULL;
}

/* --- opening ----------------------------------------------------------- */

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int start_thread(struct s3_http *h)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&h->thread, NULL, transfer_thread, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return -rc;
	h->started = true;
	pthread_setname_np(h->thread, "s3-transfer");
	return 0;
}

static int make_handles(struct s3_http *h)
{
	h->multi = curl_multi_init();
	h->idle = calloc(h->opts.in_flight, sizeof(*h->idle));
	if (!h->multi || !h->idle)
		return -ENOMEM;
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
			  (long)h->opts.in_flight);
	for (; h->n_idle < h->opts.in_flight; h->n_idle++) {
		h->idle[h->n_idle] = curl_easy_init();
		if (!h->idle[h->n_idle])
			return -ENOMEM;
	}
	return 0;
}

static void init_locks(struct s3_http *h)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->given, &attr);
	pthread_condattr_destroy(&attr);
}

int s3_http_open(const struct s3_http_opts *opts, struct s3_http **out,
		 struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CLEANUP(s3_http_close_guard) struct s3_http *h = NULL;
	int rc;

	pthread_once(&once, init_curl);
	h = calloc(1, sizeof(*h));
	if (!h)
		return fail(err, -ENOMEM, "no memory");
	h->opts = *opts;
	init_locks(h);
	if (opts->ca_file) {
		if (access(opts->ca_file, R_OK) < 0)
			return fail(err, -errno,
				    "cannot read the CA file '%s': %m",
				    opts->ca_file);
		h->ca_file = strdup(opts->ca_file);
		if (!h->ca_file)
			return fail(err, -ENOMEM, "no memory");
	}
	rc = make_handles(h);
	if (rc == 0)
		rc = start_thread(h);
	if (rc < 0)
		return fail(err, rc, "cannot start transfers: %m");
	*out = take(h);
	return 0;
}

static void stop_thread(struct s3_http *h)
{
	if (!h->started)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_mutex_unlock(&h->lock);
	curl_multi_wakeup(h->multi);
	pthread_join(h->thread, NULL);
}

void s3_http_close(struct s3_http *h)
{
	if (!h)
		return;
	stop_thread(h);
	while (h->n_idle)
		curl_easy_cleanup(h->idle[--h->n_idle]);
	free(h->idle);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	pthread_cond_destroy(&h->given);
	pthread_mutex_destroy(&h->lock);
	free(h->ca_file);
	free(h);
}

/* --- one request ------------------------------------------------------- */

/* What is left of the call's time, in milliseconds. */
static long left_ms(const struct s3_http *h)
{
	int64_t most = h->opts.request_ns / 1000000, ms;

	if (!store_call.deadline_ns)
		return (long)most;
	ms = (store_call.deadline_ns - clock_boot_ns()) / 1000000;
	return (long)MIN(MAX(ms, 0), most);
}

static bool wait_locked(struct s3_http *h, long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + ms * 1000000LL);
	return pthread_cond_timedwait(&h->given, &h->lock, &ts) == 0;
}

/* Waits for an easy handle; NULL when time is up. */
static CURL *take_handle(struct s3_http *h)
{
	LOCK_SCOPE(&h->lock);
	while (h->n_idle == 0) {
		long ms = left_ms(h);

		if (ms <= 0)
			return NULL;
		wait_locked(h, ms);
	}
	return h->idle[--h->n_idle];
}

static void give_handle(struct s3_http *h, CURL *easy)
{
	curl_easy_reset(easy); /* keeps connections and TLS sessions */
	LOCK_SCOPE(&h->lock);
	h->idle[h->n_idle++] = easy;
	pthread_cond_signal(&h->given);
}

static void set_method(CURL *e, struct s3_request *r)
{
	switch (r->method) {
	case S3_GET:
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		break;
	case S3_HEAD:
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		break;
	case S3_POST:
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "POST");
		/* fall through */
	case S3_PUT:
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)r->body_len);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, s3_on_read);
		curl_easy_setopt(e, CURLOPT_READDATA, r);
		curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, s3_on_seek);
		curl_easy_setopt(e, CURLOPT_SEEKDATA, r);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
				 (long)BUFFER_MAX);
		break;
	case S3_DELETE:
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "DELETE");
		break;
	}
}

static void set_security(CURL *e, const struct s3_http *h)
{
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR,
			 h->opts.plain ? "http" : "https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file) { /* this one and no other */
		curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (h->opts.loopback)
		curl_easy_setopt(e, CURLOPT_PROXY, "");
}

static void set_limits(CURL *e, const struct s3_http_opts *o, long ms)
{
	/* libcurl measures speed over whole seconds. */
	long stall = (long)((o->stall_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);

	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
			 MIN(ms, (long)(o->connect_ns / 1000000)));
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, STALL_RATE);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall);
	/* Finds out about a peer that is gone while nothing is said. */
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A name server that hangs must not hold up other transfers. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
}

/* libcurl allocates it anew for each transfer: not more than comes. */
static long buffer_size(const struct s3_request *r)
{
	return (long)MIN(MAX(r->dst_len, BUFFER_MIN), BUFFER_MAX);
}

/*
 * No faster than the call may be. libcurl takes up to a hundred buffers at
 * once from a fast server before it looks at the speed, and sends one: they
 * have to be small, or a slow line is full for seconds.
 */
static void set_pace(CURL *e, uint64_t rate)
{
	curl_off_t speed = (curl_off_t)MIN(rate, (uint64_t)INT64_MAX);

	curl_easy_setopt(e, CURLOPT_MAX_SEND_SPEED_LARGE, speed);
	curl_easy_setopt(e, CURLOPT_MAX_RECV_SPEED_LARGE, speed);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
			 (long)MIN(MAX(rate / 200, LINE_MIN), BUFFER_MAX));
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
			 (long)MIN(MAX(rate / 8, BUFFER_MIN), BUFFER_MAX));
}

/* How long the data of a request may take besides, in milliseconds. */
static long data_ms(const struct s3_request *r)
{
	uint64_t rate = LEAST_RATE, bytes = r->body_len;

	if (store_call.max_rate) {
		rate = MIN(rate, store_call.max_rate);
		bytes += r->dst_len;
	}
	return (long)(bytes / rate + r->work / LEAST_WORK) * 1000;
}

static void set_request(struct s3_http *h, struct s3_request *r, char *text)
{
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(e, CURLOPT_URL, r->url);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "mersey/" MERSEY_VERSION);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, buffer_size(r));
	r->tls = !h->opts.plain;
	r->sockets = &h->sockets;
	r->fd = -1;
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, s3_socket_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, &h->sockets);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, s3_socket_close);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, &h->sockets);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, s3_on_request);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, r);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, s3_on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, s3_on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	set_method(e, r);
	set_security(e, h);
}

/* Queues the request and waits until the thread is done with it; libcurl
 * ends it when its time is up. */
static void run(struct s3_http *h, struct s3_request *r)
{
	struct s3_request **tail;

	r->next = NULL;
	r->done = false;
	pthread_cond_init(&r->ended, NULL);
	{
		LOCK_SCOPE(&h->lock);
		/* Who found the queue empty has woken the thread. */
		if (!h->queued)
			curl_multi_wakeup(h->multi);
		for (tail = &h->queued; *tail; tail = &(*tail)->next)
			;
		*tail = r;
		while (!r->done)
			pthread_cond_wait(&r->ended, &h->lock);
	}
	pthread_cond_destroy(&r->ended);
}

/* What became of it, in the words of store.h. */
static int outcome(struct s3_request *r, const char *text)
{
	long os_errno = 0, verified = 0;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_errno);
	store_call.sent += r->requests;
	if (r->rc < 0) /* a callback gave up */
		return store_explain(r->rc, "%s",
				     r->rc == -EPROTO
					     ? "the answer is longer than it "
					       "may be"
					     : "");
	if (r->code != CURLE_OK) {
		int rc = s3_curl_errno(r->code, os_errno);

		if (r->code == CURLE_PEER_FAILED_VERIFICATION) {
			curl_easy_getinfo(r->easy, CURLINFO_SSL_VERIFYRESULT,
					  &verified);
			return store_explain(rc, "%s", s3_tls_reason(verified));
		}
		return store_explain(
			rc, "%s", text[0] ? text : curl_easy_strerror(r->code));
	}
	return 0;
}

int s3_http_do(struct s3_http *h, struct s3_request *r)
{
	char text[CURL_ERROR_SIZE] = "";
	long ms;
	int rc;

	r->easy = take_handle(h);
	ms = left_ms(h);
	if (!r->easy || ms <= 0) {
		if (r->easy)
			give_handle(h, r->easy);
		return store_explain(-ETIMEDOUT, "no time was left for it");
	}
	r->answer = (struct s3_answer){ .length = -1 };
	r->sent = 0;
	r->requests = 0;
	r->spoilt = false;
	r->rc = 0;
	if (!store_call.deadline_ns)
		ms += data_ms(r);
	set_request(h, r, text);
	set_limits(r->easy, &h->opts, ms);
	if (store_call.max_rate)
		set_pace(r->easy, store_call.max_rate);
	if (r->work) /* it says nothing for long */
		curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_TIME, 0L);
	run(h, r);
	if (r->spoilt) { /* nothing was sent yet */
		text[0] = '\0';
		curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
		run(h, r);
	}
	rc = outcome(r, text);
	give_handle(h, take(r->easy));
	return rc;
}
