/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/xml.h"

#include <errno.h>
#include <expat.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"

#define NAME_MAX_ 63

struct reader {
	XML_Parser xml;
	const char *root;
	s3_xml_fn fn;
	void *arg;
	int rc;
	unsigned depth;
	char item[NAME_MAX_ + 1]; /* the child of the root we are in */
	bool in_item;		  /* it has children */
	bool collect;
	bool whole;
	char text[S3_XML_TEXT_MAX + 1];
	size_t len;
};

static void give_up(struct reader *r, int rc)
{
	if (r->rc == 0)
		r->rc = rc;
	XML_StopParser(r->xml, XML_FALSE);
}

static void tell(struct reader *r, const char *item, const char *name)
{
	int rc;

	r->text[r->len] = '\0';
	rc = r->fn(r->arg, item, name, name ? r->text : NULL, r->whole);
	if (rc < 0)
		give_up(r, rc);
}

static void XMLCALL on_start(void *arg, const XML_Char *name,
			     const XML_Char **atts)
{
	struct reader *r = arg;

	(void)atts;
	r->depth++;
	if (r->depth == 1 && strcmp(name, r->root) != 0)
		return give_up(r, -EPROTO);
	if (r->depth == 2) {
		/* What has a longer name is nothing that is asked for. */
		snprintf(r->item, sizeof(r->item), "%s", name);
		r->in_item = false;
	}
	if (r->depth == 3)
		r->in_item = true;
	r->collect = r->depth == 2 || r->depth == 3;
	r->whole = true;
	r->len = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct reader *r = arg;
	size_t n = MIN((size_t)len, S3_XML_TEXT_MAX - r->len);

	if (!r->collect)
		return;
	memcpy(r->text + r->len, s, n);
	r->len += n;
	r->whole &= n == (size_t)len;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	/* Only what has no children of its own has a text. */
	if (r->collect)
		tell(r, r->depth == 3 ? r->item : NULL, name);
	else if (r->depth == 2 && r->in_item)
		tell(r, r->item, NULL);
	r->collect = false;
	r->depth--;
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name,
			       const XML_Char *sysid, const XML_Char *pubid,
			       int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	give_up(arg, -EPROTO);
}

static int read_all(struct reader *r, const void *xml, size_t len)
{
	XML_SetUserData(r->xml, r);
	XML_SetElementHandler(r->xml, on_start, on_end);
	XML_SetCharacterDataHandler(r->xml, on_text);
	XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
	if (len > INT32_MAX ||
	    XML_Parse(r->xml, xml, (int)len, 1) != XML_STATUS_OK)
		return r->rc ? r->rc : -EPROTO;
	return r->rc;
}

int s3_xml_read(const void *xml, size_t len, const char *root, s3_xml_fn fn,
		void *arg)
{
	CLEANUP_FREE struct reader *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r)
		return rc;
	r->root = root;
	r->fn = fn;
	r->arg = arg;
	r->xml = XML_ParserCreate(NULL);
	if (r->xml) {
		rc = read_all(r, xml, len);
		XML_ParserFree(r->xml);
	}
	return rc;
}

struct one_text {
	const char *name;
	char *out;
	size_t size;
	bool found;
};

static int take_one(void *arg, const char *item, const char *name,
		    const char *text, bool whole)
{
	struct one_text *t = arg;

	if (item || strcmp(name, t->name) != 0)
		return 0;
	if (!whole || t->found || strlen(text) >= t->size)
		return -EPROTO;
	memcpy(t->out, text, strlen(text) + 1);
	t->found = true;
	return 0;
}

int s3_xml_text(const void *xml, size_t len, const char *root, const char *name,
		char *out, size_t size)
{
	struct one_text t = { .name = name, .out = out, .size = size };
	int rc = s3_xml_read(xml, len, root, take_one, &t);

	return rc < 0 || t.found ? rc : -EPROTO;
}
