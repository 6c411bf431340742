/* SPDX-License-Identifier: Apache-2.0 */
#include "config/node.h"

#include <string.h>
#include <yaml.h>

#include "config/diag.h"

struct builder {
	yaml_parser_t parser;
	struct config_diag *diag;
	const char *file, *text;
	size_t len;
	size_t nodes;
	unsigned depth;
	char *key; /* of the node that is built next, or NULL */
	struct config_at key_at;
	bool dead; /* no more events: reported, or out of memory */
};

static struct config_at mark_at(yaml_mark_t m)
{
	return (struct config_at){ (unsigned)m.line + 1,
				   (unsigned)m.column + 1 };
}

/* ---- the tree --------------------------------------------------------- */

void config_node_free(struct config_node *n)
{
	size_t i;

	if (!n)
		return;
	for (i = 0; i < n->n; i++)
		config_node_free(n->child[i]);
	free(n->child);
	free(n->key);
	free(n->text);
	free(n);
}

const struct config_node *config_node_get(const struct config_node *n,
					  const char *key)
{
	size_t i;

	if (!n || n->kind != CONFIG_NODE_MAP)
		return NULL;
	for (i = 0; i < n->n; i++)
		if (strcmp(n->child[i]->key, key) == 0)
			return n->child[i];
	return NULL;
}

static int node_path_add(const struct config_node *n, struct buf *out)
{
	int rc;

	if (!n->parent)
		return 0;
	rc = node_path_add(n->parent, out);
	if (rc < 0)
		return rc;
	if (!n->key && n->parent->kind == CONFIG_NODE_MAP)
		return 0; /* a key itself */
	if (!n->key)
		return buf_addf(out, "[%zu]", n->index);
	return buf_addf(out, "%s%s", out->len ? "." : "", n->key);
}

char *config_node_path(const struct config_node *n, const char *more)
{
	CLEANUP_BUF struct buf b = { 0 };
	const char *s;

	if (node_path_add(n, &b) < 0)
		return NULL;
	if (more && buf_addf(&b, "%s%s", b.len ? "." : "", more) < 0)
		return NULL;
	s = buf_str(&b);
	return s ? strdup(s) : NULL;
}

/* ---- building --------------------------------------------------------- */

static void build_no_memory(struct builder *b)
{
	b->diag->rc = -ENOMEM;
	b->dead = true;
}

/* Where a byte stands: for errors of the encoding, which have no mark. */
static struct config_at build_offset_at(const struct builder *b, size_t off)
{
	struct config_at at = { 1, 1 };
	size_t i;

	for (i = 0; i < off && i < b->len; i++) {
		unsigned char c = (unsigned char)b->text[i];

		if (c == '\n')
			at = (struct config_at){ at.line + 1, 1 };
		else if ((c & 0xc0) != 0x80)
			at.column++;
	}
	return at;
}

static void build_syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "unknown error";
	struct config_at at = p->error == YAML_READER_ERROR
				      ? build_offset_at(b, p->problem_offset)
				      : mark_at(p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR) {
		build_no_memory(b);
		return;
	}
	b->dead = true;
	if (p->context)
		config_report_at(b->diag, b->file, at, NULL,
				 "not valid YAML: %s, %s that began in line "
				 "%zu",
				 problem, p->context, p->context_mark.line + 1);
	else
		config_report_at(b->diag, b->file, at, NULL,
				 "not valid YAML: %s", problem);
}

static bool build_next(struct builder *b, yaml_event_t *ev)
{
	if (b->dead)
		return false;
	if (yaml_parser_parse(&b->parser, ev))
		return true;
	build_syntax_error(b);
	return false;
}

static struct config_node *build_new(struct builder *b,
				     const struct config_node *parent,
				     const yaml_event_t *ev)
{
	struct config_node *n;

	if (++b->nodes > CONFIG_NODES_MAX) {
		config_report_at(b->diag, b->file, mark_at(ev->start_mark),
				 NULL, "more than %d values in one file",
				 CONFIG_NODES_MAX);
		b->dead = true;
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		build_no_memory(b);
		return NULL;
	}
	n->file = b->file;
	n->parent = parent;
	n->index = parent ? parent->n : 0;
	n->key = take(b->key);
	n->key_at = b->key_at;
	n->at = mark_at(ev->start_mark);
	return n;
}

/* Grows by doubling: room at 0, 4, 8, 16, … members. Takes `child`. */
static bool build_append(struct builder *b, struct config_node *n,
			 struct config_node *child)
{
	struct config_node **bigger;
	size_t cap = n->n ? n->n * 2 : 4;

	if (n->n == CONFIG_ITEMS_MAX) {
		config_report(b->diag, child, "more than %d items",
			      CONFIG_ITEMS_MAX);
		config_node_free(child);
		b->dead = true;
		return false;
	}
	if (n->n == 0 || (n->n >= 4 && (n->n & (n->n - 1)) == 0)) {
		bigger = realloc(n->child, cap * sizeof(*bigger));
		if (!bigger) {
			config_node_free(child);
			build_no_memory(b);
			return false;
		}
		n->child = bigger;
	}
	n->child[n->n++] = child;
	return true;
}

static void build_decorations(struct builder *b, const struct config_node *n,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor) {
		config_report(b->diag, n, "anchor '&%s' is not allowed",
			      anchor);
		config_suggest(b->diag, "write the values out; what trusts "
					"share can stand in 'defaults'");
	}
	if (tag) {
		config_report(b->diag, n, "tag '%s' is not allowed", tag);
		config_suggest(b->diag, "leave the tag out; each key has its "
					"own type");
	}
}

/* Text that a person can see: no control characters, no NUL. */
static bool build_text_clean(const yaml_event_t *ev)
{
	const unsigned char *p = ev->data.scalar.value;
	size_t i;

	for (i = 0; i < ev->data.scalar.length; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

static void build_scalar(struct builder *b, struct config_node *n,
			 const yaml_event_t *ev)
{
	bool odd = ev->data.scalar.anchor || ev->data.scalar.tag;

	build_decorations(b, n, ev->data.scalar.anchor, ev->data.scalar.tag);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (!build_text_clean(ev)) {
		config_report(b->diag, n,
			      "line breaks and control characters are not "
			      "allowed in a value");
		odd = true;
	}
	n->text = strdup((const char *)ev->data.scalar.value);
	if (!n->text)
		build_no_memory(b);
	n->kind = odd ? CONFIG_NODE_BAD : CONFIG_NODE_SCALAR;
}

static struct config_node *build_node(struct builder *b,
				      const struct config_node *parent,
				      yaml_event_t *ev);

static void build_list(struct builder *b, struct config_node *n)
{
	yaml_event_t ev;

	while (build_next(b, &ev)) {
		struct config_node *child;

		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return;
		}
		child = build_node(b, n, &ev);
		if (!child || !build_append(b, n, child))
			return;
	}
}

/* Is the key of a member good? Says what is wrong with it. */
static bool build_key_ok(struct builder *b, const struct config_node *map,
			 const struct config_node *key)
{
	const struct config_node *first;

	if (key->kind == CONFIG_NODE_BAD)
		return false;
	if (key->plain && strcmp(key->text, "<<") == 0) {
		config_report_key(b->diag, key,
				  "merge key '<<' is not allowed");
		config_suggest(b->diag, "write the values out; what trusts "
					"share can stand in 'defaults'");
		return false;
	}
	first = config_node_get(map, key->text);
	if (!first)
		return true;
	config_report_key(b->diag, key,
			  "key '%s' is repeated; it stands already in line %u",
			  key->text, first->key_at.line);
	config_suggest(b->diag, "keep one of the two");
	return false;
}

/* The key of a member, as a node that bears its own name. */
static struct config_node *
build_key(struct builder *b, const struct config_node *map, yaml_event_t *ev)
{
	struct config_node *key = build_node(b, map, ev);

	if (!key)
		return NULL;
	if (!key->text) {
		if (key->kind != CONFIG_NODE_BAD)
			config_report(b->diag, key, "a key must be a word");
		key->kind = CONFIG_NODE_BAD;
	}
	key->key = strdup(key->text ? key->text : "?");
	if (!key->key)
		build_no_memory(b);
	key->key_at = key->at;
	return key;
}

/* One member of a map, whose key began with `ev`. */
static bool build_member(struct builder *b, struct config_node *map,
			 yaml_event_t *ev)
{
	CLEANUP(config_node_free_guard)
	struct config_node *key = build_key(b, map, ev);
	CLEANUP(config_node_free_guard) struct config_node *value = NULL;
	bool ok = key && build_key_ok(b, map, key);

	if (!key || !build_next(b, ev))
		return false;
	b->key = take(key->key);
	b->key_at = key->at;
	value = build_node(b, map, ev);
	if (!value)
		return false;
	return !ok || build_append(b, map, take(value));
}

static void build_map(struct builder *b, struct config_node *n)
{
	yaml_event_t ev;

	while (build_next(b, &ev)) {
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return;
		}
		if (!build_member(b, n, &ev))
			return;
	}
}

static void build_collection(struct builder *b, struct config_node *n,
			     void (*build)(struct builder *,
					   struct config_node *))
{
	if (b->depth == CONFIG_DEPTH_MAX) {
		config_report(b->diag, n, "nested more than %d deep",
			      CONFIG_DEPTH_MAX);
		b->dead = true;
		return;
	}
	b->depth++;
	build(b, n);
	b->depth--;
}

/* The node that `ev` begins; consumes the event. NULL when b is dead. */
static struct config_node *build_node(struct builder *b,
				      const struct config_node *parent,
				      yaml_event_t *ev)
{
	struct config_node *n = build_new(b, parent, ev);

	if (!n) {
		yaml_event_delete(ev);
		return NULL;
	}
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		build_scalar(b, n, ev);
		break;
	case YAML_MAPPING_START_EVENT:
		n->kind = CONFIG_NODE_MAP;
		build_decorations(b, n, ev->data.mapping_start.anchor,
				  ev->data.mapping_start.tag);
		build_collection(b, n, build_map);
		break;
	case YAML_SEQUENCE_START_EVENT:
		n->kind = CONFIG_NODE_LIST;
		build_decorations(b, n, ev->data.sequence_start.anchor,
				  ev->data.sequence_start.tag);
		build_collection(b, n, build_list);
		break;
	default: /* an alias: nothing else can stand here */
		config_report(b->diag, n, "alias '*%s' is not allowed",
			      ev->data.alias.anchor);
		config_suggest(b->diag, "write the values out; what trusts "
					"share can stand in 'defaults'");
	}
	yaml_event_delete(ev);
	if (b->dead) {
		config_node_free(n);
		return NULL;
	}
	return n;
}

static void build_directives(struct builder *b, const yaml_event_t *ev)
{
	const struct config_at at = mark_at(ev->start_mark);

	if (ev->data.document_start.version_directive ||
	    ev->data.document_start.tag_directives.start !=
		    ev->data.document_start.tag_directives.end)
		config_report_at(b->diag, b->file, at, NULL,
				 "YAML directives are not allowed");
}

/* The whole stream: exactly one document. */
static struct config_node *build_stream(struct builder *b)
{
	struct config_node *root = NULL;
	yaml_event_t ev;
	bool second = false;

	while (build_next(b, &ev)) {
		yaml_event_type_t type = ev.type;

		if (type == YAML_DOCUMENT_START_EVENT && root) {
			config_report_at(b->diag, b->file,
					 mark_at(ev.start_mark), NULL,
					 "a second document is not allowed");
			second = true;
		} else if (type == YAML_DOCUMENT_START_EVENT) {
			build_directives(b, &ev);
		} else if (type != YAML_STREAM_START_EVENT &&
			   type != YAML_DOCUMENT_END_EVENT &&
			   type != YAML_STREAM_END_EVENT) {
			root = build_node(b, NULL, &ev);
			continue;
		}
		yaml_event_delete(&ev);
		if (second || type == YAML_STREAM_END_EVENT)
			break;
	}
	return root;
}

int config_node_parse(const char *file, const char *text, size_t len,
		      struct config_diag *d, struct config_node **out)
{
	bool bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
	struct builder b = {
		.diag = d, .file = file, .text = text, .len = len
	};
	CLEANUP(config_node_free_guard) struct config_node *root = NULL;
	const struct config_at top = { 1, 1 };

	if (len > CONFIG_TEXT_MAX) {
		config_report_at(d, file, (struct config_at){ 0 }, NULL,
				 "larger than %u bytes", CONFIG_TEXT_MAX);
		return d->rc;
	}
	if (bom) {
		b.text += 3;
		b.len -= 3;
	}
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&b.parser, (const unsigned char *)(b.text ?: ""), b.len);
	root = build_stream(&b);
	yaml_parser_delete(&b.parser);
	free(b.key);
	if (!b.dead && !root)
		config_report_at(d, file, top, NULL, "the file is empty");
	if (!b.dead && d->rc == 0)
		*out = take(root);
	return d->rc;
}
