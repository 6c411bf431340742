/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys as the key list of mersey.yaml(5). */
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "config/value.h"

struct mdoc {
	struct buf *out;
	int rc;
};

__attribute__((format(printf, 2, 3))) static void mdoc_add(struct mdoc *m,
							   const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->rc == 0)
		m->rc = buf_add(m->out, text, strlen(text));
}

/* Sentences, one a line, as roff likes them. */
static void mdoc_sentences(struct mdoc *m, const char *s)
{
	while (*s) {
		const char *end = strstr(s, ". ");
		size_t n = end ? (size_t)(end - s) + 1 : strlen(s);

		mdoc_add(m, "%.*s\n", (int)n, s);
		s += n + (end != NULL);
	}
}

static void mdoc_range(struct mdoc *m, const struct config_key *k)
{
	char lo[UNITS_SIZE], hi[UNITS_SIZE];

	config_value_limit(k, k->min, lo);
	config_value_limit(k, k->max, hi);
	if (k->min && k->max)
		mdoc_add(m, "From %s to %s.\n", lo, hi);
	else if (k->max && k->type != CONFIG_MODE)
		mdoc_add(m, "At most %s.\n", hi);
	else if (k->min)
		mdoc_add(m, "At least %s.\n", lo);
}

static void mdoc_choices(struct mdoc *m, const struct config_key *k)
{
	size_t i;

	if (k->type != CONFIG_CHOICE)
		return;
	mdoc_add(m, "One of");
	for (i = 0; k->choices[i]; i++)
		mdoc_add(m, "\n.Cm %s%s", k->choices[i],
			 k->choices[i + 1] ? " ," : " .\n");
}

static void mdoc_default(struct mdoc *m, const struct config_key *k)
{
	if (k->required)
		mdoc_add(m, "Required.\n");
	else if (k->def)
		mdoc_add(m, "Default:\n.Ql %s .\n", k->def);
	else if (k->computed)
		mdoc_add(m, "Default: %s.\n", k->computed);
}

static bool mdoc_is_map(const struct config_key *k)
{
	return k->type == CONFIG_SECTION || k->type == CONFIG_NAMED ||
	       k->type == CONFIG_ITEMS;
}

static void mdoc_only(struct mdoc *m, const char *only,
		      const char *discriminator)
{
	size_t n = strcspn(only, " ");

	mdoc_add(m, "Only for\n.Ic %s : Cm %.*s", discriminator, (int)n, only);
	for (only += n; *only; only += n) {
		only++;
		n = strcspn(only, " ");
		mdoc_add(m, " No and Cm %.*s", (int)n, only);
	}
	mdoc_add(m, " .\n");
}

static void mdoc_key(struct mdoc *m, const struct config_key *k,
		     const char *discriminator)
{
	mdoc_add(m, ".It Ic %s : Ar %s\n", k->name, config_type_name(k));
	mdoc_sentences(m, k->help);
	mdoc_choices(m, k);
	if (!mdoc_is_map(k))
		mdoc_range(m, k);
	if (k->only)
		mdoc_only(m, k->only, discriminator);
	mdoc_default(m, k);
}

/* The key list of one section, then those of the sections in it. `path` is
 * "" for the outermost. */
static void mdoc_section(struct mdoc *m, const struct config_section *s,
			 const char *path)
{
	char inner[200];
	size_t i;

	if (*path)
		mdoc_add(m, ".Ss %s\n", path);
	mdoc_add(m, ".Bl -tag -width Ds\n");
	for (i = 0; i < s->n; i++)
		if (config_key_known(&s->keys[i]))
			mdoc_key(m, &s->keys[i], s->keys[0].name);
	if (s->any)
		mdoc_key(m, &s->any->key, NULL);
	mdoc_add(m, ".El\n");
	if (s->inherited)
		mdoc_add(m, ".Pp\nFurther, any key of\n.Ic defaults .\n");
	for (i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];

		if (!config_key_known(k) || !mdoc_is_map(k))
			continue;
		snprintf(inner, sizeof(inner), "%s%s%s%s%s", path,
			 *path ? "." : "", k->name,
			 k->type == CONFIG_NAMED   ? "."
			 : k->type == CONFIG_ITEMS ? "[]"
						   : "",
			 k->type == CONFIG_NAMED ? k->section->placeholder
						 : "");
		mdoc_section(m, k->section, inner);
	}
	if (s->any && s->any->map) {
		snprintf(inner, sizeof(inner), "%s.%s", path, s->any->key.name);
		mdoc_section(m, s->any->map, inner);
	}
}

int config_schema_mdoc(struct buf *out)
{
	struct mdoc m = { .out = out };

	mdoc_add(&m, ".Sh KEYS\n");
	mdoc_section(&m, &config_root, "");
	mdoc_add(&m, ".Sh KEYS OF A PRICE TABLE\n");
	mdoc_section(&m, &config_price_table, "");
	return m.rc;
}
