/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads ListBucketResult. The input is foreign: its length is bounded by the
 * caller, texts by the reader, counts here.
 */
#include "store/s3/list.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "store/call.h"
#include "store/s3/xml.h"

/* Pages without a key of ours, before a listing gives up. */
#define FOREIGN_PAGES_MAX 1000

struct list_parser {
	struct s3_page *out;
	const char *strip, *after;
	size_t max;

	bool saw_truncated;
	bool encoded;
	char *key; /* of the object that is read */
	bool has_size;
	uint64_t size;
	int64_t modified_ns;
	size_t objects;
};

static int take_size(struct list_parser *p, const char *text)
{
	char *end;

	errno = 0;
	p->size = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno ||
	    p->size > INT64_MAX)
		return -EPROTO;
	p->has_size = true;
	return 0;
}

bool s3_url_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		char c = *s == '+' ? ' ' : *s;

		if (c == '%') {
			char pair[3] = { s[1], s[1] ? s[2] : '\0', '\0' };

			if (hex_decode(pair, &c, 1) < 0 || c == '\0')
				return false;
			s += 2;
		}
		*to++ = c;
	}
	*to = '\0';
	return true;
}

static int end_object(struct list_parser *p)
{
	CLEANUP_FREE char *key = take(p->key);
	bool whole = key && p->has_size;
	int64_t modified_ns = p->modified_ns;

	p->has_size = false;
	p->modified_ns = 0;
	if (!whole || ++p->objects > p->max)
		return -EPROTO;
	/* Decoded, checked and cut later: what the keys are encoded with may
	 * stand behind them. */
	return store_list_add(&p->out->list, key, p->size, modified_ns);
}

static int take_key(struct list_parser *p, const char *text)
{
	free(p->key);
	p->key = strdup(text);
	return p->key ? 0 : -ENOMEM;
}

/* Of the answer itself. */
static void take_text(struct list_parser *p, const char *name, const char *text)
{
	if (strcmp(name, "IsTruncated") == 0) {
		p->out->list.more = strcmp(text, "true") == 0;
		p->saw_truncated = true;
	} else if (strcmp(name, "EncodingType") == 0) {
		p->encoded = strcmp(text, "url") == 0;
	}
}

static int on_element(void *arg, const char *item, const char *name,
		      const char *text, bool whole)
{
	struct list_parser *p = arg;

	if (!item && strcmp(name, "Contents") == 0)
		return -EPROTO; /* an object that has nothing */
	if (!item)
		take_text(p, name, text);
	if (!item || strcmp(item, "Contents") != 0)
		return 0;
	if (!name)
		return end_object(p);
	if (strcmp(name, "Key") == 0)
		return whole ? take_key(p, text) : -EPROTO;
	if (strcmp(name, "Size") == 0)
		return take_size(p, text);
	if (strcmp(name, "LastModified") == 0 &&
	    clock_iso_parse(text, &p->modified_ns) < 0)
		p->modified_ns = 0; /* not known */
	return 0;
}

/*
 * Makes keys of what was read: decoded, in order, without `strip`. Entries
 * that are none of ours are dropped; `last` is of all.
 */
static int settle(struct list_parser *p)
{
	struct store_list *l = &p->out->list;
	size_t strip = strlen(p->strip), kept = 0;
	const char *prev = p->after;
	int rc = 0;

	for (size_t i = 0; i < l->n; i++) {
		char *key = l->entry[i].key;

		if ((p->encoded && !s3_url_decode(key)) ||
		    strncmp(key, p->strip, strip) != 0 ||
		    strcmp(key, prev) <= 0)
			rc = -EPROTO;
		free(p->out->last);
		prev = p->out->last = key;
		l->entry[i].key = NULL;
		if (rc < 0)
			continue; /* so that each is freed or handed on */
		if (!store_key_ok(key + strip))
			continue;
		l->entry[kept] = l->entry[i];
		l->entry[kept].key = strdup(key + strip);
		if (!l->entry[kept].key)
			rc = -ENOMEM;
		else
			kept++;
	}
	l->n = kept;
	return rc;
}

void s3_page_done(struct s3_page *page)
{
	store_list_done(&page->list);
	free(page->last);
	page->last = NULL;
}

int s3_list_parse(const void *xml, size_t len, const char *strip,
		  const char *after, size_t max, struct s3_page *out)
{
	struct list_parser p = {
		.out = out, .strip = strip, .after = after, .max = max
	};
	int rc = s3_xml_read(xml, len, "ListBucketResult", on_element, &p);

	free(p.key);
	if (rc == 0)
		rc = p.saw_truncated ? settle(&p) : -EPROTO;
	return rc;
}

/* Do the keys of a page belong to what was asked for? */
static bool page_ok(const struct s3_page *p, const char *prefix)
{
	const struct store_list *l = &p->list;

	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->entry[i].key, prefix, strlen(prefix)) != 0)
			return false;
	return p->last || !l->more; /* from where would it go on? */
}

int s3_list_pages(s3_page_fn page, void *arg, const char *strip,
		  const char *prefix, const char *after, size_t max,
		  struct store_list *out)
{
	CLEANUP_FREE char *full = io_path("%s%s", strip, prefix);
	CLEANUP_FREE char *from = io_path("%s%s", *after ? strip : "", after);
	int rc = full && from ? 0 : -ENOMEM;

	for (unsigned i = 0; rc == 0; i++) {
		CLEANUP(s3_page_done) struct s3_page p = { 0 };

		rc = page(arg, full, from, max, &p);
		if (rc < 0)
			break;
		if (!page_ok(&p, prefix) || i == FOREIGN_PAGES_MAX)
			return store_explain(-EPROTO, "the listing is not what "
						      "was asked");
		if (p.list.n || !p.list.more) {
			*out = p.list;
			p.list = (struct store_list){ 0 };
			break;
		}
		free(from); /* a page full of other people's objects */
		from = take(p.last);
	}
	return rc;
}
