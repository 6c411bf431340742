/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/deleted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "store/call.h"
#include "store/s3/errors.h"
#include "store/s3/xml.h"

struct deleted_parser {
	const char *prefix;
	const char *const *keys;
	size_t n;
	int *rc;
	/* Of the one that is read. */
	char key[S3_XML_TEXT_MAX + 1];
	struct s3_error e;
};

static int *find(struct deleted_parser *p)
{
	size_t lo = 0, hi = p->n, skip = strlen(p->prefix);

	if (strncmp(p->key, p->prefix, skip) != 0)
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(p->keys[mid], p->key + skip);

		if (c == 0)
			return &p->rc[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* S3 answers 200 for all, so the code decides. */
static int failure(const struct s3_error *e)
{
	int rc = s3_error_errno(500, e->code, false);

	if (rc == -ENOENT)
		return 0;
	return store_explain(rc, "%s%s%s", e->code, e->message[0] ? ": " : "",
			     e->message);
}

static void end_item(struct deleted_parser *p, bool deleted)
{
	int *rc = find(p);

	/* The same key twice: what is worse counts. */
	if (rc && (*rc == -EPROTO || *rc == 0))
		*rc = deleted ? 0 : failure(&p->e);
	p->key[0] = '\0';
	p->e = (struct s3_error){ .code = "" };
}

static int on_element(void *arg, const char *item, const char *name,
		      const char *text, bool whole)
{
	struct deleted_parser *p = arg;
	bool deleted = item && strcmp(item, "Deleted") == 0;

	if (!item || (!deleted && strcmp(item, "Error") != 0))
		return 0;
	if (!name)
		end_item(p, deleted);
	else if (strcmp(name, "Key") == 0 && whole)
		snprintf(p->key, sizeof(p->key), "%s", text);
	else if (strcmp(name, "Code") == 0)
		s3_error_text(p->e.code, sizeof(p->e.code), text);
	else if (strcmp(name, "Message") == 0)
		s3_error_text(p->e.message, sizeof(p->e.message), text);
	return 0;
}

int s3_deleted_parse(const void *xml, size_t len, const char *prefix,
		     const char *const *keys, size_t n, int *rc)
{
	CLEANUP_FREE struct deleted_parser *p = calloc(1, sizeof(*p));
	int ret = p ? 0 : -ENOMEM;

	for (size_t i = 0; i < n; i++)
		rc[i] = -EPROTO;
	if (p) {
		p->prefix = prefix;
		p->keys = keys;
		p->n = n;
		p->rc = rc;
		ret = s3_xml_read(xml, len, "DeleteResult", on_element, p);
	}
	for (size_t i = 0; ret < 0 && i < n; i++)
		rc[i] = ret;
	return ret;
}
