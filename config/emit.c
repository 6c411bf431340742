/* SPDX-License-Identifier: Apache-2.0 */
#include "config/emit.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

static void emit_text(struct config_emit *e, const char *s)
{
	if (e->rc == 0)
		e->rc = buf_add(e->out, s, strlen(s));
}

/* In double quotes; the escapes are those of JSON and of YAML alike. */
static void emit_quoted(struct config_emit *e, const char *s)
{
	if (e->rc == 0)
		e->rc = buf_add_json(e->out, s);
}

/* Could another reader of YAML take it for something else than this text? */
static bool emit_needs_quotes(const char *s)
{
	static const char *const words[] = { "true", "false", "null",
					     "yes",  "no",    "on",
					     "off",  "y",     "n" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	if (!isalpha((unsigned char)*s) && *s != '/')
		return true;
	for (i = 0; s[i]; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("/._-:@+", s[i]))
			return true;
	return i && s[i - 1] == ':';
}

static void emit_value(struct config_emit *e, const char *text,
		       enum emit_style style)
{
	if (style == EMIT_QUOTED || (e->json && style != EMIT_LITERAL) ||
	    (style == EMIT_AUTO && emit_needs_quotes(text)))
		emit_quoted(e, text);
	else
		emit_text(e, text);
}

static void emit_indent(struct config_emit *e, unsigned n)
{
	if (e->rc == 0)
		e->rc = buf_addf(e->out, "%*s", (int)n, "");
}

/* The beginning of a member of level `l`: separator, indent, dash, name. */
static void emit_member(struct config_emit *e, unsigned depth, const char *name)
{
	struct emit_level *l = &e->level[depth];
	const struct emit_level *up = depth ? l - 1 : NULL;

	if (e->json) {
		emit_text(e, l->any ? ",\n" : "\n");
		emit_indent(e, l->indent);
	} else if (!l->any && up && up->list) {
		; /* stands behind the dash of the list's member */
	} else {
		emit_indent(e, l->indent);
	}
	l->any = true;
	if (l->list) {
		if (!e->json)
			emit_text(e, "- ");
		return;
	}
	if (e->json)
		emit_quoted(e, name);
	else
		emit_value(e, name, EMIT_AUTO);
	emit_text(e, ":");
}

/* Writes the beginnings of all levels that wait for a first member. */
static void emit_open(struct config_emit *e)
{
	unsigned d;

	for (d = 1; d < e->depth; d++) {
		struct emit_level *l = &e->level[d];

		if (l->open)
			continue;
		l->open = true;
		emit_member(e, d - 1, l->name);
		if (e->json)
			emit_text(e, e->level[d - 1].list ? "" : " ");
		if (e->json)
			emit_text(e, l->list ? "[" : "{");
		else if (!e->level[d - 1].list)
			emit_text(e, "\n");
	}
}

static void emit_push(struct config_emit *e, const char *name, bool list)
{
	unsigned outer = e->depth ? e->level[e->depth - 1].indent : 0;

	assert(e->depth < EMIT_DEPTH);
	e->level[e->depth] = (struct emit_level){
		.name = name,
		.list = list,
		.indent = e->depth || e->json ? outer + 2 : 0,
	};
	e->depth++;
}

void emit_start(struct config_emit *e, struct buf *out, bool json)
{
	*e = (struct config_emit){ .out = out, .json = json };
	emit_push(e, NULL, false);
	e->level[0].open = true;
	if (json)
		emit_text(e, "{");
}

int emit_finish(struct config_emit *e)
{
	assert(e->depth == 1);
	if (e->json)
		emit_text(e, "\n}\n");
	else if (!e->level[0].any)
		emit_text(e, "{}\n");
	return e->rc;
}

void emit_map(struct config_emit *e, const char *name)
{
	emit_push(e, name, false);
}

void emit_list(struct config_emit *e, const char *name)
{
	emit_push(e, name, true);
}

void emit_end(struct config_emit *e)
{
	const struct emit_level *l = &e->level[--e->depth];

	if (!l->open || !e->json)
		return;
	emit_text(e, "\n");
	emit_indent(e, l->indent - 2);
	emit_text(e, l->list ? "]" : "}");
}

void emit_scalar(struct config_emit *e, const char *name, const char *text,
		 enum emit_style style)
{
	emit_open(e);
	emit_member(e, e->depth - 1, name);
	if (!e->level[e->depth - 1].list)
		emit_text(e, " ");
	emit_value(e, text, style);
	if (!e->json)
		emit_text(e, "\n");
}
