/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3v2/seams.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/s3/answer.h"

static _Thread_local struct s3v2_request *current;

void s3v2_seams_for(struct s3v2_request *r)
{
	current = r;
}

/* libcurl follows redirects because libs3 wants it: to a host that nobody
 * configured. No byte goes there, none that comes from there counts. */
static bool may_go_on(struct s3v2_request *r)
{
	r->moved_ns = clock_boot_ns();
	return !r->redirected;
}

/* --- in the place of libs3's own functions ------------------------------ */

struct s3v2_headers; /* ResponseHeadersHandler */
struct s3v2_xml;     /* SimpleXml */
typedef S3Status (*s3v2_xml_fn)(const char *path, const char *data, int len,
				void *arg);

void __wrap_response_headers_handler_add(struct s3v2_headers *h, char *line,
					 int len);
void __wrap_simplexml_initialize(struct s3v2_xml *x, s3v2_xml_fn fn, void *arg);
S3Status __wrap_simplexml_add(struct s3v2_xml *x, const char *p, int len);
void __wrap_simplexml_deinitialize(struct s3v2_xml *x);
S3Status __wrap_request_curl_code_to_status(CURLcode code);

void __wrap_response_headers_handler_add(struct s3v2_headers *h, char *line,
					 int len)
{
	const struct s3_answer *a = &current->s3.answer;

	(void)h;
	s3_on_header(line, 1, (size_t)len, &current->s3);
	if (a->status >= 301 && a->status <= 308 && a->status != 304)
		current->redirected = true;
	may_go_on(current);
}

void __wrap_simplexml_initialize(struct s3v2_xml *x, s3v2_xml_fn fn, void *arg)
{
	(void)x;
	(void)fn;
	(void)arg;
}

S3Status __wrap_simplexml_add(struct s3v2_xml *x, const char *p, int len)
{
	(void)x;
	return s3v2_on_data(len, p, current);
}

void __wrap_simplexml_deinitialize(struct s3v2_xml *x)
{
	(void)x;
}

S3Status __wrap_request_curl_code_to_status(CURLcode code)
{
	current->s3.code = code;
	return S3StatusConnectionFailed;
}

/* --- libs3's callbacks -------------------------------------------------- */

S3Status s3v2_on_properties(const S3ResponseProperties *p, void *arg)
{
	(void)p;
	(void)arg;
	return S3StatusOK;
}

void s3v2_on_complete(S3Status status, const S3ErrorDetails *e, void *arg)
{
	struct s3v2_request *r = arg;

	(void)e;
	r->status = status;
	r->s3.done = true;
}

int s3v2_on_send(int room, char *p, void *arg)
{
	struct s3v2_request *r = arg;

	if (!may_go_on(r))
		return -1;
	return (int)s3_on_read(p, 1, (size_t)room, &r->s3);
}

S3Status s3v2_on_data(int n, const char *p, void *arg)
{
	struct s3v2_request *r = arg;

	if (!may_go_on(r) ||
	    s3_on_body((char *)p, 1, (size_t)n, &r->s3) != (size_t)n)
		return S3StatusAbortedByCallback;
	return S3StatusOK;
}
