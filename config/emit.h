/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a tree as YAML or as JSON. Maps and lists are written with their
 * first member, so that empty ones do not appear (except the outermost).
 * Names are borrowed until the matching end.
 */
#ifndef MERSEY_CONFIG_EMIT_H
#define MERSEY_CONFIG_EMIT_H

#include <stdbool.h>

#include "base/buf.h"

#define EMIT_DEPTH 24

enum emit_style {
	EMIT_LITERAL, /* a number, true, false */
	EMIT_PLAIN,   /* YAML: no quotes; JSON: a string */
	EMIT_AUTO,    /* YAML: quotes when needed; JSON: a string */
	EMIT_QUOTED,
};

struct emit_level {
	const char *name;
	bool list;
	bool open;	 /* its beginning was written */
	bool any;	 /* it has a member */
	unsigned indent; /* of its members */
};

struct config_emit {
	struct buf *out;
	bool json;
	int rc; /* -ENOMEM once memory ran out */
	unsigned depth;
	struct emit_level level[EMIT_DEPTH];
};

/* The outermost map. emit_finish() ends it and returns 0 or -ENOMEM. */
void emit_start(struct config_emit *e, struct buf *out, bool json);
int emit_finish(struct config_emit *e);

/* `name` is NULL for a member of a list. */
void emit_map(struct config_emit *e, const char *name);
void emit_list(struct config_emit *e, const char *name);
void emit_end(struct config_emit *e);
void emit_scalar(struct config_emit *e, const char *name, const char *text,
		 enum emit_style style);

#endif
