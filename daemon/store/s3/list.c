/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses ListBucketResult with expat. The input is foreign: its length is
 * bounded by the caller, texts and counts here; document types are refused,
 * so there are no entities to expand.
 */
#include "store/s3/list.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "store/call.h"

/* S3's limit for a key, each byte encoded. */
#define TEXT_MAX (3 * 1024)

struct list_parser {
	XML_Parser xml;
	struct s3_page *out;
	const char *strip, *after;
	size_t max;
	int rc;

	unsigned depth;
	bool in_object; /* in <Contents> */
	bool saw_truncated;
	bool encoded;
	bool collect; /* the text of an element that is asked for */
	char text[TEXT_MAX + 1];
	size_t len;

	char *key; /* of the object that is read */
	bool has_size;
	uint64_t size;
	int64_t modified_ns;
	size_t objects;
};

static void give_up(struct list_parser *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
	XML_StopParser(p->xml, XML_FALSE);
}

static bool is_wanted(const struct list_parser *p, const char *name)
{
	if (p->depth == 2)
		return strcmp(name, "IsTruncated") == 0 ||
		       strcmp(name, "EncodingType") == 0;
	return p->depth == 3 && p->in_object &&
	       (strcmp(name, "Key") == 0 || strcmp(name, "Size") == 0 ||
		strcmp(name, "LastModified") == 0);
}

static void XMLCALL list_start(void *arg, const XML_Char *name,
			       const XML_Char **atts)
{
	struct list_parser *p = arg;

	(void)atts;
	p->depth++;
	if (p->depth == 1 && strcmp(name, "ListBucketResult") != 0)
		return give_up(p, -EPROTO);
	if (p->depth == 2 && strcmp(name, "Contents") == 0) {
		p->in_object = true;
		p->has_size = false;
		p->modified_ns = 0;
	}
	p->collect = is_wanted(p, name);
	p->len = 0;
}

static void XMLCALL list_text(void *arg, const XML_Char *s, int len)
{
	struct list_parser *p = arg;

	if (!p->collect)
		return;
	if ((size_t)len > TEXT_MAX - p->len)
		return give_up(p, -EPROTO);
	memcpy(p->text + p->len, s, (size_t)len);
	p->len += (size_t)len;
}

static void XMLCALL list_doctype(void *arg, const XML_Char *name,
				 const XML_Char *sysid, const XML_Char *pubid,
				 int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	give_up(arg, -EPROTO);
}

static void take_size(struct list_parser *p)
{
	char *end;

	errno = 0;
	p->size = strtoull(p->text, &end, 10);
	if (p->text[0] < '0' || p->text[0] > '9' || *end || errno ||
	    p->size > INT64_MAX)
		return give_up(p, -EPROTO);
	p->has_size = true;
}

/* Undoes percent encoding in place. False when it is broken or hides a NUL.
 * '+' stands for a space, which no key of ours has. */
static bool decode(char *s)
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

static void end_object(struct list_parser *p)
{
	CLEANUP_FREE char *key = take(p->key);
	int rc;

	p->in_object = false;
	if (!key || !p->has_size || ++p->objects > p->max)
		return give_up(p, -EPROTO);
	/* Decoded, checked and cut later: what the keys are encoded with may
	 * stand behind them. */
	rc = store_list_add(&p->out->list, key, p->size, p->modified_ns);
	if (rc < 0)
		give_up(p, rc);
}

/* The text of a wanted element is whole. */
static void take_text(struct list_parser *p, const char *name)
{
	p->text[p->len] = '\0';
	if (strcmp(name, "IsTruncated") == 0) {
		p->out->list.more = strcmp(p->text, "true") == 0;
		p->saw_truncated = true;
	} else if (strcmp(name, "EncodingType") == 0) {
		p->encoded = strcmp(p->text, "url") == 0;
	} else if (strcmp(name, "Size") == 0) {
		take_size(p);
	} else if (strcmp(name, "LastModified") == 0) {
		if (clock_iso_parse(p->text, &p->modified_ns) < 0)
			p->modified_ns = 0; /* not known */
	} else {
		free(p->key);
		p->key = strdup(p->text);
		if (!p->key)
			give_up(p, -ENOMEM);
	}
}

static void XMLCALL list_end(void *arg, const XML_Char *name)
{
	struct list_parser *p = arg;

	if (p->collect)
		take_text(p, name);
	else if (p->depth == 2 && p->in_object)
		end_object(p);
	p->collect = false;
	p->depth--;
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

		if ((p->encoded && !decode(key)) ||
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

static int parse(struct list_parser *p, const void *xml, size_t len)
{
	XML_SetUserData(p->xml, p);
	XML_SetElementHandler(p->xml, list_start, list_end);
	XML_SetCharacterDataHandler(p->xml, list_text);
	XML_SetStartDoctypeDeclHandler(p->xml, list_doctype);
	if (len > INT32_MAX ||
	    XML_Parse(p->xml, xml, (int)len, 1) != XML_STATUS_OK)
		return p->rc ? p->rc : -EPROTO;
	if (!p->saw_truncated)
		return -EPROTO;
	return settle(p);
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
	struct list_parser *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return rc;
	p->out = out;
	p->strip = strip;
	p->after = after;
	p->max = max;
	p->xml = XML_ParserCreate(NULL);
	if (p->xml) {
		rc = parse(p, xml, len);
		XML_ParserFree(p->xml);
	}
	free(p->key);
	free(p);
	return rc;
}
