/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of S3's answers: a root, its children, and their children. */
#ifndef MERSEY_STORE_S3_XML_H
#define MERSEY_STORE_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

/* S3's limit for a key, each byte encoded. */
#define S3_XML_TEXT_MAX (3 * 1024)

/*
 * Called in the order of the document, with the text of each child of the
 * root (`item` NULL) and of each of their children (`item` the name of that
 * child); and when such a child ends (`item` its name, `name` NULL). A text
 * longer than S3_XML_TEXT_MAX is cut, then `whole` is false. A result < 0
 * ends the reading.
 */
typedef int (*s3_xml_fn)(void *arg, const char *item, const char *name,
			 const char *text, bool whole);

/*
 * Reads a document whose root is `root`. The input is foreign: document
 * types are refused, so there are no entities to expand. 0, -EPROTO, -ENOMEM
 * or what `fn` said.
 */
int s3_xml_read(const void *xml, size_t len, const char *root, s3_xml_fn fn,
		void *arg);

/*
 * Finds one text: the child `name` of the root, in `out`. 0, or -EPROTO when
 * there is none, or it has no room.
 */
int s3_xml_text(const void *xml, size_t len, const char *root, const char *name,
		char *out, size_t size);

#endif
