/* SPDX-License-Identifier: Apache-2.0 */
#include "config/read.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/value.h"

static void read_no_memory(struct config_reader *r)
{
	r->diag->rc = -ENOMEM;
}

/* ---- scalars ---------------------------------------------------------- */

/* The names that a value which is not one of them could have meant. */
static void read_suggest_value(struct config_reader *r,
			       const struct config_key *k, const char *text)
{
	const char *names[CONFIG_ITEMS_MAX], *near;
	size_t n = 0;

	for (; k->type == CONFIG_CHOICE && k->choices[n]; n++)
		names[n] = k->choices[n];
	for (; k->type == CONFIG_STORE && n < r->config->n_stores; n++)
		names[n] = r->config->stores[n].name ?: "";
	for (; k->type == CONFIG_POLICY && n < r->config->n_policies; n++)
		names[n] = r->config->policies[n].name ?: "";
	near = config_nearest(text, names, n);
	if (near)
		config_suggest(r->diag, "did you mean '%s'?", near);
	else if (k->type != CONFIG_TEXT && k->type != CONFIG_CHOICE)
		config_suggest(r->diag, "%s", config_value_type(k->type)->want);
}

/* How messages call it: as the file does. */
static const char *read_name_of(const struct config_key *k,
				const struct config_node *n)
{
	return n->key ?: k->name;
}

/* Is it a scalar, with a value, quoted as its type wants? */
static bool read_scalar_shape(struct config_reader *r,
			      const struct config_key *k,
			      const struct config_node *n)
{
	const struct config_value_type *t = config_value_type(k->type);
	const char *name = read_name_of(k, n);

	if (n->kind == CONFIG_NODE_BAD)
		return false;
	if (n->kind != CONFIG_NODE_SCALAR) {
		config_report(r->diag, n,
			      "'%s' must be one value (%s), not a %s", name,
			      t->name,
			      n->kind == CONFIG_NODE_MAP ? "map" : "list");
	} else if (n->plain && (!*n->text || strcmp(n->text, "~") == 0 ||
				strcmp(n->text, "null") == 0)) {
		config_report(r->diag, n, "'%s' has no value", name);
	} else if (n->plain && t->quoting == CONFIG_QUOTES) {
		config_report(r->diag, n, "'%s' must be in quotes", name);
	} else if (!n->plain && t->quoting == CONFIG_NO_QUOTES) {
		config_report(r->diag, n, "'%s' must be without quotes", name);
	} else {
		return true;
	}
	config_suggest(r->diag, "%s", t->want);
	return false;
}

bool config_read_scalar(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field)
{
	const struct config_value_type *t = config_value_type(k->type);
	char why[CONFIG_WHY];
	int rc;

	if (!read_scalar_shape(r, k, n))
		return false;
	rc = t->parse(r, k, n->text, field, why);
	if (rc == 0 && k->has_flag)
		*config_flag(k, field) = true;
	if (rc == 0)
		return true;
	if (rc == -ENOMEM) {
		read_no_memory(r);
		return false;
	}
	config_report(r->diag, n, "'%s' %s, not '%.120s'", read_name_of(k, n),
		      why, n->text);
	read_suggest_value(r, k, n->text);
	return false;
}

static void read_default(struct config_reader *r, const struct config_key *k,
			 void *field)
{
	char why[CONFIG_WHY];
	int rc;

	if (!k->def)
		return;
	rc = config_value_type(k->type)->parse(r, k, k->def, field, why);
	assert(rc != -EINVAL); /* a default in the table is wrong */
	if (rc < 0)
		read_no_memory(r);
}

/* ---- lists ------------------------------------------------------------ */

static bool read_is_list(struct config_reader *r, const struct config_key *k,
			 const struct config_node *n)
{
	if (n->kind == CONFIG_NODE_SCALAR || n->kind == CONFIG_NODE_MAP) {
		config_report(r->diag, n, "'%s' must be a %s", k->name,
			      config_type_name(k));
		config_suggest(r->diag, "write %s: [first, second]", k->name);
	}
	return n->kind == CONFIG_NODE_LIST;
}

static void read_names(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, struct config_names *out)
{
	struct config_key one = *k;
	size_t i;

	out->at = n->at;
	if (!read_is_list(r, k, n) || n->n == 0)
		return;
	one.type = config_member_type(k->type);
	out->name = calloc(n->n, sizeof(*out->name));
	if (!out->name) {
		read_no_memory(r);
		return;
	}
	for (i = 0; i < n->n; i++)
		if (config_read_scalar(r, &one, n->child[i],
				       &out->name[out->n]))
			out->n++;
}

/* Of a list, or of what stands for a list of one. */
static void read_any(struct config_reader *r, const struct config_key *k,
		     const struct config_node *n, struct tier_words *out)
{
	const struct config_node *const *item = &n;
	struct config_key one = *k;
	size_t many = 1, i;

	if (n->kind == CONFIG_NODE_LIST) {
		item = (const struct config_node *const *)n->child;
		many = n->n;
	}
	if (many == 0)
		config_report(r->diag, n, "'%s' is empty", k->name);
	if (many > CONFIG_ANY_MAX) {
		config_report(r->diag, item[CONFIG_ANY_MAX],
			      "'%s' can have %u items at most", k->name,
			      CONFIG_ANY_MAX);
		return;
	}
	one.type = config_member_type(k->type);
	out->word = calloc(many + 1, sizeof(*out->word));
	if (!out->word) {
		read_no_memory(r);
		return;
	}
	for (i = 0; i < many; i++)
		if (config_read_scalar(r, &one, item[i], &out->word[out->n]))
			out->n++;
}

static void read_too_many(struct config_reader *r, const struct config_key *k,
			  const struct config_node *n)
{
	config_report(r->diag, n, "'%s' can have %u items at most", k->name,
		      k->section->max_items);
}

/* Room for n items; NULL (and reported) without memory. */
static char *read_items_room(struct config_reader *r,
			     const struct config_key *k, size_t n, void *base)
{
	char *field = (char *)base + k->offset;

	if (k->section->in_place) /* what was inherited goes */
		return memset(field, 0, k->size);
	*(char **)(void *)field = calloc(n ? n : 1, k->section->size);
	if (!*(char **)(void *)field)
		read_no_memory(r);
	return *(char **)(void *)field;
}

static void read_items(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *base)
{
	size_t *count = (void *)((char *)base + k->count_offset), i;
	const struct config_section *s = k->section;
	size_t many = n->n;
	char *items;

	if (!read_is_list(r, k, n))
		return;
	if (n->n == 0)
		config_report(r->diag, n, "'%s' is empty", k->name);
	if (s->max_items && n->n > s->max_items) {
		read_too_many(r, k, n->child[s->max_items]);
		many = s->in_place ? s->max_items : n->n;
	}
	items = read_items_room(r, k, many, base);
	if (!items)
		return;
	for (*count = i = 0; i < many; i++)
		config_read_section(r, s, n->child[i],
				    items + s->size * (*count)++);
}

/* ---- named sections --------------------------------------------------- */

static bool read_name(struct config_reader *r, const struct config_section *s,
		      const struct config_node *n, char *item)
{
	const char *why = s->name_check(n->key);
	char **name = (void *)(item + s->name_offset);

	if (why) {
		config_report_key(r->diag, n, "the name %s, not '%.120s'", why,
				  n->key);
	} else if (s->name_size) {
		memcpy(item + s->name_offset, n->key, strlen(n->key) + 1);
		return true;
	}
	*name = why ? NULL : strdup(n->key);
	if (!why && !*name)
		read_no_memory(r);
	return !why;
}

static void read_named(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *base)
{
	char **items = (void *)((char *)base + k->offset);
	size_t *count = (void *)((char *)base + k->count_offset), i;
	const struct config_section *s = k->section;

	if (n->kind == CONFIG_NODE_BAD)
		return;
	if (n->kind != CONFIG_NODE_MAP || n->n == 0) {
		config_report(r->diag, n,
			      "'%s' must be a map of %s with "
			      "their keys",
			      k->name, s->placeholder);
		return;
	}
	*items = calloc(n->n, s->size);
	if (!*items) {
		read_no_memory(r);
		return;
	}
	for (i = 0; i < n->n; i++) {
		char *item = *items + s->size * (*count)++;

		if (s->inherited)
			memcpy(item, &r->config->defaults, s->size);
		read_name(r, s, n->child[i], item);
		config_read_section(r, s, n->child[i], item);
	}
}

/* ---- sections --------------------------------------------------------- */

/* The names a misspelt key could have meant: those that exist now. */
static size_t read_known_names(const struct config_section *s,
			       const char **names, size_t max)
{
	size_t n = 0, i;

	for (; s; s = s->inherited)
		for (i = 0; i < s->n && n < max; i++)
			if (config_key_known(&s->keys[i]))
				names[n++] = s->keys[i].name;
	return n;
}

#define READ_NAMES_MAX 64

static void read_unknown(struct config_reader *r,
			 const struct config_section *s,
			 const struct config_node *n)
{
	const struct config_key *later = config_key_find(s, n->key);
	const char *names[READ_NAMES_MAX], *near;
	size_t count = read_known_names(s, names, READ_NAMES_MAX), i;
	char list[400];
	int len = 0;

	config_report_key(r->diag, n, "unknown key '%.120s'", n->key);
	if (later) {
		config_suggest(r->diag,
			       "'%s' is not available in this version; leave "
			       "it out",
			       later->name);
		return;
	}
	near = config_nearest(n->key, names, count);
	if (near) {
		config_suggest(r->diag, "did you mean '%s'?", near);
		return;
	}
	for (i = 0; i < count && len < (int)sizeof(list); i++)
		len += snprintf(list + len, sizeof(list) - (size_t)len, "%s%s",
				i ? ", " : "", names[i]);
	config_suggest(r->diag, "keys that can stand here: %s", list);
}

/* Members that no row names. */
static void read_others(struct config_reader *r, const struct config_section *s,
			const struct config_node *n, void *base)
{
	size_t i;

	for (i = 0; i < n->n; i++) {
		const struct config_node *child = n->child[i];
		const struct config_key *k = config_key_find(s, child->key);

		if (k && config_key_known(k))
			continue;
		if (s->any && !k)
			s->any->read(r, child, base);
		else
			read_unknown(r, s, child);
	}
}

static void read_section(struct config_reader *r,
			 const struct config_section *s,
			 const struct config_node *n, void *base,
			 bool inherited);

static void read_key(struct config_reader *r, const struct config_key *k,
		     const struct config_node *n, void *base, bool inherited)
{
	void *field = (char *)base + k->offset;

	switch (k->type) {
	case CONFIG_SECTION:
		read_section(r, k->section, n, field, inherited);
		break;
	case CONFIG_NAMED:
		read_named(r, k, n, base);
		break;
	case CONFIG_ITEMS:
		read_items(r, k, n, base);
		break;
	case CONFIG_PATHS:
	case CONFIG_ACCOUNTS:
	case CONFIG_WORDS:
		read_names(r, k, n, field);
		break;
	case CONFIG_ANY_WORDS:
	case CONFIG_ANY_ACCOUNTS:
		read_any(r, k, n, field);
		break;
	default:
		/* after a wrong value, later checks see the default */
		if (!config_read_scalar(r, k, n, field) && !inherited)
			read_default(r, k, field);
	}
}

static void read_absent(struct config_reader *r, const struct config_key *k,
			const struct config_node *map, void *base)
{
	void *field = (char *)base + k->offset;

	if (k->required && map) {
		config_report_in(r->diag, map, k->name,
				 "required key '%s' is missing", k->name);
		config_suggest(r->diag, "%s: %s", k->name, k->help);
	} else if (k->type == CONFIG_SECTION) {
		config_read_section(r, k->section, NULL, field);
	} else if (k->type < CONFIG_PATHS) {
		read_default(r, k, field);
	}
}

/* Does the key fit the kind of thing this section is? */
static bool read_fits(struct config_reader *r, const struct config_section *s,
		      const struct config_key *k, const struct config_node *n,
		      const void *base)
{
	const char *rest;

	if (!k->only || config_key_fits(k, config_discriminator(s, base)))
		return true;
	if (n) {
		rest = strchr(k->only, ' ');
		config_report_key(r->diag, n, "'%s' is only for '%s: %.*s'%s%s",
				  k->name, s->keys[0].name,
				  (int)strcspn(k->only, " "), k->only,
				  rest ? " and " : "", rest ? rest + 1 : "");
		config_suggest(r->diag, "leave it out, or change '%s'",
			       s->keys[0].name);
	}
	return false;
}

static void read_exactly_one(struct config_reader *r,
			     const struct config_section *s,
			     const struct config_node *n)
{
	const char *names[READ_NAMES_MAX];
	size_t count = read_known_names(s, names, READ_NAMES_MAX), i, have = 0;
	char list[200];
	int len = 0;

	for (i = 0; i < count; i++) {
		have += config_node_get(n, names[i]) != NULL;
		len += snprintf(list + len, sizeof(list) - (size_t)len,
				"%s'%s'", i ? ", " : "", names[i]);
	}
	if (have != 1)
		config_report(r->diag, n, "exactly one of %s must be there",
			      list);
}

/* Is the value of the discriminator one of its choices? */
static bool read_discriminator_ok(const struct config_section *s,
				  const struct config_node *n)
{
	const struct config_key *k = &s->keys[0];
	const struct config_node *value = config_node_get(n, k->name);
	size_t i;

	for (i = 0; value && value->text && k->choices[i]; i++)
		if (strcmp(value->text, k->choices[i]) == 0)
			return true;
	return false;
}

static void read_keys(struct config_reader *r, const struct config_section *s,
		      const struct config_node *map, void *base, bool inherited)
{
	bool sure = !s->has_discriminator || read_discriminator_ok(s, map);
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		const struct config_node *n = config_node_get(map, k->name);

		if (!config_key_known(k) || (k->only && !sure) ||
		    !read_fits(r, s, k, n, base))
			continue;
		if (n)
			read_key(r, k, n, base, inherited);
		else if (!inherited)
			read_absent(r, k, map, base);
	}
}

/* `inherited`: what is not there stays as it is. */
static void read_section(struct config_reader *r,
			 const struct config_section *s,
			 const struct config_node *n, void *base,
			 bool inherited)
{
	if (n && n->kind != CONFIG_NODE_MAP) {
		if (n->kind != CONFIG_NODE_BAD)
			config_report(r->diag, n, "must be a map of keys");
		n = NULL;
	}
	if (n && s->has_present)
		*(bool *)((char *)base + s->present_offset) = true;
	if (n)
		read_others(r, s, n, base);
	if (n && s->exactly_one)
		read_exactly_one(r, s, n);
	read_keys(r, s, n, base, inherited);
	if (s->inherited)
		read_keys(r, s->inherited, n, base, true);
}

void config_read_section(struct config_reader *r,
			 const struct config_section *s,
			 const struct config_node *n, void *base)
{
	read_section(r, s, n, base, false);
}
