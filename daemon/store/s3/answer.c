/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define ACK_EACH 65536

/*
 * Called when a request is about to be sent on an open connection; once more
 * when libcurl finds that a kept connection had died, and sends it again.
 *
 * On a kept connection nothing may have come since its last answer. What has
 * would be taken for the answer to this request: an earlier one that came
 * twice, or longer than it said. libcurl 7.88 does not look.
 */
int s3_on_request(void *arg, char *remote_ip, char *local_ip, int remote_port,
		  int local_port)
{
	struct s3_request *r = arg;
	long opened = 0;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	curl_easy_getinfo(r->easy, CURLINFO_NUM_CONNECTS, &opened);
	r->fd = s3_socket_find(r->sockets, local_port);
	r->spoilt = opened == 0 && !s3_socket_quiet(r->fd);
	if (r->spoilt)
		return CURL_PREREQFUNC_ABORT; /* libcurl closes it */
	r->requests++;
	return CURL_PREREQFUNC_OK;
}

size_t s3_on_read(char *p, size_t size, size_t n, void *arg)
{
	struct s3_request *r = arg;

	n = MIN(size * n, r->body_len - r->sent);
	if (n)
		memcpy(p, (const char *)r->body + r->sent, n);
	r->sent += n;
	return n;
}

/* A connection that was kept may turn out to be dead: from the start again. */
int s3_on_seek(void *arg, curl_off_t off, int origin)
{
	struct s3_request *r = arg;

	if (origin != SEEK_SET || off < 0 || (size_t)off > r->body_len)
		return CURL_SEEKFUNC_FAIL;
	r->sent = (size_t)off;
	return CURL_SEEKFUNC_OK;
}

/* The value of header line p[0..n) when its name is `name`: trimmed, without
 * quotes, in `out`. Too long counts as not there. */
static bool header_is(const char *p, size_t n, const char *name, char *out,
		      size_t room)
{
	size_t len = strlen(name);

	if (n <= len || p[len] != ':' || strncasecmp(p, name, len) != 0)
		return false;
	p += len + 1;
	n -= len + 1;
	while (n && (isspace((unsigned char)*p) || *p == '"')) {
		p++;
		n--;
	}
	while (n && (isspace((unsigned char)p[n - 1]) || p[n - 1] == '"'))
		n--;
	if (n >= room)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* Seconds since 1970 of an HTTP date -> nanoseconds; 0 when it is none. */
static int64_t http_date(const char *text)
{
	time_t t = curl_getdate(text, NULL);

	return t > 0 && t <= INT64_MAX / NSEC_PER_SEC
		       ? (int64_t)t * NSEC_PER_SEC
		       : 0;
}

void s3_restore_parse(const char *v, struct s3_restore *out)
{
	const char *expiry = strstr(v, "expiry-date=\"");
	char date[64];
	size_t n;

	*out = (struct s3_restore){
		.said = true,
		.ongoing = strstr(v, "ongoing-request=\"true\"") != NULL ||
			   strcmp(v, "ongoing-request=\"true") == 0,
	};
	if (!expiry || out->ongoing)
		return;
	expiry += strlen("expiry-date=\"");
	n = strcspn(expiry, "\"");
	if (n >= sizeof(date))
		return;
	memcpy(date, expiry, n);
	date[n] = '\0';
	out->until_ns = http_date(date);
}

static void take_range(struct s3_answer *a, const char *value)
{
	unsigned long long first, last, total;
	char end;

	if (sscanf(value, "bytes %llu-%llu/%llu%c", &first, &last, &total,
		   &end) != 3 ||
	    first > last || last >= total)
		return;
	a->has_range = true;
	a->first = first;
	a->last = last;
	a->total = total;
}

/* Of S3's own headers. False when it is none of them. */
static bool take_amz(struct s3_answer *a, const char *p, size_t n)
{
	char v[128];

	if (n < 6 || strncasecmp(p, "x-amz-", 6) != 0)
		return false;
	if (header_is(p, n, "x-amz-restore", v, sizeof(v)))
		s3_restore_parse(v, &a->restore);
	else if (header_is(p, n, "x-amz-archive-status", v, sizeof(v)))
		a->archived = true;
	else if (!header_is(p, n, "x-amz-storage-class", a->storage_class,
			    sizeof(a->storage_class)) &&
		 !header_is(p, n, "x-amz-version-id", a->version,
			    sizeof(a->version)) &&
		 !header_is(p, n, "x-amz-bucket-region", a->region,
			    sizeof(a->region)))
		header_is(p, n, "x-amz-checksum-sha256", a->sha256,
			  sizeof(a->sha256));
	return true;
}

static void take_header(struct s3_answer *a, const char *p, size_t n)
{
	char v[128];

	if (header_is(p, n, "content-range", v, sizeof(v))) {
		take_range(a, v);
	} else if (header_is(p, n, "content-length", v, sizeof(v))) {
		char *end;
		long long len = strtoll(v, &end, 10);

		a->length = v[0] && !*end && len >= 0 ? len : -1;
	} else if (header_is(p, n, "last-modified", v, sizeof(v))) {
		a->modified_ns = http_date(v);
	} else if (header_is(p, n, "date", v, sizeof(v))) {
		a->date_ns = http_date(v);
		a->arrived_ns = clock_wall_ns();
	} else if (!take_amz(a, p, n)) {
		header_is(p, n, "etag", a->etag, sizeof(a->etag));
	}
}

/* Of a status line, which does not end with a NUL; 0 when it is none. */
static long status_of(const char *p, size_t n)
{
	char line[32];
	long status;

	snprintf(line, sizeof(line), "%.*s", (int)MIN(n, sizeof(line)), p);
	return sscanf(line, "HTTP/%*[0-9.] %3ld", &status) == 1 ? status : 0;
}

size_t s3_on_header(char *p, size_t size, size_t n, void *arg)
{
	struct s3_request *r = arg;
	struct s3_answer *a = &r->answer;

	n *= size;
	if (n > 5 && strncmp(p, "HTTP/", 5) == 0) {
		struct buf text = a->text;

		/* Also after "100 Continue": nothing of it counts. */
		text.len = 0;
		*a = (struct s3_answer){ .length = -1,
					 .text = text,
					 .status = status_of(p, n) };
	} else {
		take_header(a, p, n);
	}
	return n;
}

/* Gives up on the transfer, for a reason that is not libcurl's. */
static size_t give_up(struct s3_request *r, int rc)
{
	r->rc = rc;
	return 0;
}

/* Whoever waits for the bytes; not of an answer that will be too short. */
static void tell(const struct s3_request *r)
{
	const struct s3_answer *a = &r->answer;

	if (r->progress && a->has_range && a->last - a->first + 1 == r->dst_len)
		r->progress(r->progress_arg, a->got);
}

/*
 * More is to come, and what came may be all there is in the socket: libcurl
 * hands on what it has read in pieces of this size, the last one is shorter.
 * Over TLS each record is such a piece: then after each 64 KiB. A system call
 * for each piece would cost a third of a GET's processor time.
 */
static bool ack_is_due(const struct s3_request *r, size_t n)
{
	size_t got = r->answer.got;

	if (got == r->dst_len)
		return false;
	return n < CURL_MAX_WRITE_SIZE || (r->tls && got % ACK_EACH < n);
}

size_t s3_on_body(char *p, size_t size, size_t n, void *arg)
{
	struct s3_request *r = arg;
	struct s3_answer *a = &r->answer;

	n *= size;
	if (a->status == 206 && r->dst) {
		if (n > r->dst_len - a->got)
			return give_up(r, -EPROTO);
		/* What an earlier attempt told of is gone, whatever this one
		 * says that it is. */
		if (a->got == 0 && r->progress)
			r->progress(r->progress_arg, 0);
		memcpy((char *)r->dst + a->got, p, n);
		a->got += n;
		tell(r);
		if (ack_is_due(r, n))
			s3_socket_ack(r->fd);
		return n;
	}
	if (n > r->text_max - a->text.len)
		return give_up(r, -EPROTO);
	return buf_add(&a->text, p, n) < 0 ? give_up(r, -ENOMEM) : n;
}

/* --- what it says ------------------------------------------------------- */

bool s3_answer_is_range(const struct s3_answer *a, uint64_t off, size_t len)
{
	return a->has_range && a->first == off &&
	       a->last - a->first + 1 == MIN(len, a->total - off) &&
	       a->got == a->last - a->first + 1;
}

void s3_answer_info(const struct s3_answer *a, struct store_info *out)
{
	*out = (struct store_info){ .size = (uint64_t)a->length,
				    .modified_ns = a->modified_ns };
	snprintf(out->storage_class, sizeof(out->storage_class), "%s",
		 a->storage_class[0] ? a->storage_class : "STANDARD");
	memcpy(out->etag, a->etag, sizeof(out->etag));
}
