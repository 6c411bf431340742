/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/uploads.h"

#include <string.h>

#include "base/clock.h"
#include "store/s3/list.h"
#include "store/s3/xml.h"

#define UPLOADS_MAX 1000 /* a page of S3's */

struct uploads_parser {
	struct s3_uploads *out;
	bool encoded;
	struct s3_leftover now; /* the one that is read */
};

static void leftover_done(struct s3_leftover *u)
{
	free(u->key);
	free(u->id);
	*u = (struct s3_leftover){ 0 };
}

void s3_uploads_done(struct s3_uploads *l)
{
	for (size_t i = 0; i < l->n; i++)
		leftover_done(&l->upload[i]);
	free(l->upload);
	*l = (struct s3_uploads){ 0 };
}

static int add_upload(struct uploads_parser *p)
{
	struct s3_uploads *l = p->out;
	bool whole = p->now.key && p->now.id && p->now.started_ns;
	void *bigger;

	if (!whole || l->n == UPLOADS_MAX) {
		leftover_done(&p->now);
		return whole ? -EPROTO : 0;
	}
	bigger = reallocarray(l->upload, l->n + 1, sizeof(*l->upload));
	if (!bigger)
		return -ENOMEM;
	l->upload = bigger;
	l->upload[l->n++] = p->now;
	p->now = (struct s3_leftover){ 0 };
	return 0;
}

static int take_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int on_element(void *arg, const char *item, const char *name,
		      const char *text, bool whole)
{
	struct uploads_parser *p = arg;

	if (!item && strcmp(name, "EncodingType") == 0)
		p->encoded = strcmp(text, "url") == 0;
	if (!item || strcmp(item, "Upload") != 0)
		return 0;
	if (!name)
		return add_upload(p);
	if (strcmp(name, "Key") == 0)
		return whole ? take_text(&p->now.key, text) : -EPROTO;
	if (strcmp(name, "UploadId") == 0)
		return whole ? take_text(&p->now.id, text) : -EPROTO;
	if (strcmp(name, "Initiated") == 0 &&
	    clock_iso_parse(text, &p->now.started_ns) < 0)
		p->now.started_ns = 0;
	return 0;
}

/* Makes keys of what was read, and keeps those that are ours. */
static void settle(struct uploads_parser *p, const char *strip)
{
	struct s3_uploads *l = p->out;
	size_t n = strlen(strip), kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		char *key = l->upload[i].key;

		if ((p->encoded && !s3_url_decode(key)) ||
		    strncmp(key, strip, n) != 0 || !store_key_ok(key + n)) {
			leftover_done(&l->upload[i]);
			continue;
		}
		memmove(key, key + n, strlen(key + n) + 1);
		l->upload[kept++] = l->upload[i];
	}
	l->n = kept;
}

int s3_uploads_parse(const void *xml, size_t len, const char *strip,
		     struct s3_uploads *out)
{
	struct uploads_parser p = { .out = out };
	int rc = s3_xml_read(xml, len, "ListMultipartUploadsResult", on_element,
			     &p);

	leftover_done(&p.now);
	if (rc == 0)
		settle(&p, strip);
	return rc;
}
