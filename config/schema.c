/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys as JSON Schema (draft 2020-12), for editors and tools.
 * What needs two keys to judge is left to `mersey config check`. */
#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "config/emit.h"
#include "config/keys.h"
#include "config/value.h"

#define SIZE_PATTERN	 "^[0-9]+ *([KMGTP]i?B|kB|B)?$"
#define DURATION_PATTERN "^[0-9]+ *(ms|[smhdwy])$"
#define RATE_PATTERN	 "^[0-9]+ *([KMG]iB|[kMG]?B|[kMG]bit)/s$"
#define DAY		 "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
#define DAYS		 DAY "(-" DAY ")?(," DAY "(-" DAY ")?)*"
#define HOURS		 "[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]"
#define WHEN_PATTERN	 "^(" DAYS "|(" DAYS " +)?" HOURS ")$"
#define DATE_PATTERN	 "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
#define AMOUNT		 "([^0-9]+)?[0-9]+([.][0-9]{1,10})?"
#define BOUND		 "^([<>]=?|==?) *"
#define AGE_PATTERN	 "^[<>]=? *[0-9]+ *(ms|[smhdwy])$"
#define START_PATTERN	 "^(" DAYS " +)?[0-2][0-9]:[0-5][0-9]$"
#define MONEY_PATTERN	 "^[0-9]+([.][0-9]{1,10})?$"

static void schema_section(struct config_emit *e,
			   const struct config_section *s);

static void schema_text(struct config_emit *e, const char *name,
			const char *text)
{
	if (text)
		emit_scalar(e, name, text, EMIT_QUOTED);
}

static void schema_literal(struct config_emit *e, const char *name, int64_t v)
{
	char text[UNITS_SIZE];

	snprintf(text, sizeof(text), "%" PRId64, v);
	emit_scalar(e, name, text, EMIT_LITERAL);
}

/* "string integer" -> ["string", "integer"]; one more unless NULL. */
static void schema_type(struct config_emit *e, const char *types,
			const char *more)
{
	const char *p;
	char one[16];
	size_t n;

	if (!more && !strchr(types, ' ')) {
		schema_text(e, "type", types);
		return;
	}
	emit_list(e, "type");
	for (p = types; *p; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		snprintf(one, sizeof(one), "%.*s", (int)n, p);
		schema_text(e, NULL, one);
	}
	schema_text(e, NULL, more);
	emit_end(e);
}

static const char *schema_pattern(const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_BYTES:
		return SIZE_PATTERN;
	case CONFIG_DURATION:
		return DURATION_PATTERN;
	case CONFIG_RATE:
		return RATE_PATTERN;
	case CONFIG_WHEN:
		return WHEN_PATTERN;
	case CONFIG_PERCENT:
		return "^[0-9]{1,3} *%$";
	case CONFIG_MODE:
		return "^[0-7]{1,5}$";
	case CONFIG_MONEY:
		return MONEY_PATTERN;
	case CONFIG_AMOUNT:
		return "^" AMOUNT "$";
	case CONFIG_BUDGET:
		return "^" AMOUNT "/month$";
	case CONFIG_BOUND_SIZE:
		return BOUND "[0-9]+ *([KMGTP]i?B|kB|B)?$";
	case CONFIG_BOUND_AGE:
		return AGE_PATTERN;
	case CONFIG_BOUND_DATE:
		return BOUND "[0-9]{4}-[0-9]{2}-[0-9]{2}$";
	case CONFIG_SCHEDULE:
		return START_PATTERN;
	case CONFIG_DATE:
		return DATE_PATTERN;
	case CONFIG_PATH:
	case CONFIG_PATHS:
		return "^.+$";
	default:
		return k->pattern;
	}
}

static const char *schema_unit(const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_BYTES:
		return "bytes";
	case CONFIG_DURATION:
		return "time";
	case CONFIG_RATE:
		return "bytes per second";
	case CONFIG_PERCENT:
		return "per cent";
	default:
		return NULL;
	}
}

static void schema_scalar(struct config_emit *e, const struct config_key *k)
{
	const struct config_value_type *t = config_value_type(k->type);
	size_t i;

	schema_type(e, t->json, NULL);
	schema_text(e, "pattern", schema_pattern(k));
	if (k->type == CONFIG_CHOICE) {
		emit_list(e, "enum");
		for (i = 0; k->choices[i]; i++)
			schema_text(e, NULL, k->choices[i]);
		emit_end(e);
	}
	if (k->type == CONFIG_NUMBER && k->min)
		schema_literal(e, "minimum", k->min);
	if (k->type == CONFIG_NUMBER && k->max)
		schema_literal(e, "maximum", k->max);
	if (k->def)
		emit_scalar(e, "default", k->def,
			    t->style == EMIT_LITERAL ? EMIT_LITERAL
						     : EMIT_QUOTED);
}

static void schema_named(struct config_emit *e, const struct config_section *s)
{
	schema_text(e, "type", "object");
	schema_literal(e, "minProperties", 1);
	emit_map(e, "propertyNames");
	schema_text(e, "pattern", s->name_pattern);
	emit_end(e);
	emit_map(e, "additionalProperties");
	schema_text(e, "title", s->placeholder);
	schema_section(e, s);
	emit_end(e);
}

static void schema_items(struct config_emit *e, const struct config_section *s)
{
	schema_text(e, "type", "array");
	schema_literal(e, "minItems", 1);
	if (s->max_items)
		schema_literal(e, "maxItems", s->max_items);
	emit_map(e, "items");
	schema_section(e, s);
	emit_end(e);
}

/* One, or a list: patterns are of strings, items of lists. */
static void schema_any(struct config_emit *e, const struct config_key *k)
{
	schema_type(e, config_value_type(k->type)->json, "array");
	schema_text(e, "pattern", schema_pattern(k));
	schema_literal(e, "minItems", 1);
	schema_literal(e, "maxItems", CONFIG_ANY_MAX);
	emit_map(e, "items");
	schema_scalar(e, k);
	emit_end(e);
}

static void schema_value(struct config_emit *e, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_SECTION:
		schema_section(e, k->section);
		break;
	case CONFIG_NAMED:
		schema_named(e, k->section);
		break;
	case CONFIG_ITEMS:
		schema_items(e, k->section);
		break;
	case CONFIG_PATHS:
	case CONFIG_ACCOUNTS:
	case CONFIG_WORDS:
		schema_text(e, "type", "array");
		emit_map(e, "items");
		schema_scalar(e, k);
		emit_end(e);
		break;
	case CONFIG_ANY_WORDS:
	case CONFIG_ANY_ACCOUNTS:
		schema_any(e, k);
		break;
	default:
		schema_scalar(e, k);
	}
}

static void schema_key(struct config_emit *e, const char *name,
		       const struct config_key *k)
{
	emit_map(e, name);
	schema_text(e, "title", k->name);
	schema_text(e, "description", k->help);
	schema_value(e, k);
	schema_text(e, "x-type", config_type_name(k));
	schema_text(e, "x-unit", schema_unit(k));
	schema_text(e, "x-default", k->computed);
	emit_end(e);
}

/* A value, or a map of keys. */
static void schema_either(struct config_emit *e, const struct config_any *any)
{
	emit_map(e, any->name_pattern);
	schema_text(e, "title", any->key.name);
	schema_text(e, "description", any->key.help);
	emit_list(e, "oneOf");
	emit_map(e, NULL);
	schema_scalar(e, &any->key);
	emit_end(e);
	emit_map(e, NULL);
	schema_section(e, any->map);
	emit_end(e);
	emit_end(e);
	emit_end(e);
}

static void schema_required(struct config_emit *e,
			    const struct config_section *s, const char *only)
{
	size_t i;

	emit_list(e, "required");
	for (i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];

		if (config_key_known(k) && k->required &&
		    (only ? k->only && config_key_fits(k, only) : !k->only))
			schema_text(e, NULL, k->name);
	}
	emit_end(e);
}

/* For each kind of thing: what it needs, what it must not have. */
static void schema_kinds(struct config_emit *e, const struct config_section *s)
{
	const struct config_key *kind = &s->keys[0];
	size_t c, i;

	emit_list(e, "allOf");
	for (c = 0; kind->choices[c]; c++) {
		const char *value = kind->choices[c];

		emit_map(e, NULL);
		emit_map(e, "if");
		emit_map(e, "properties");
		emit_map(e, kind->name);
		schema_text(e, "const", value);
		emit_end(e);
		emit_end(e);
		emit_end(e);
		emit_map(e, "then");
		schema_required(e, s, value);
		emit_map(e, "properties");
		for (i = 0; i < s->n; i++)
			if (config_key_known(&s->keys[i]) &&
			    !config_key_fits(&s->keys[i], value))
				emit_scalar(e, s->keys[i].name, "false",
					    EMIT_LITERAL);
		emit_end(e);
		emit_end(e);
		emit_end(e);
	}
	emit_end(e);
}

static void schema_section(struct config_emit *e,
			   const struct config_section *s)
{
	const struct config_section *all = s;
	size_t i;

	schema_text(e, "type", "object");
	schema_required(e, s, NULL);
	if (s->exactly_one) {
		schema_literal(e, "minProperties", 1);
		schema_literal(e, "maxProperties", 1);
	}
	emit_map(e, "properties");
	for (; all; all = all->inherited)
		for (i = 0; i < all->n; i++)
			if (config_key_known(&all->keys[i]))
				schema_key(e, all->keys[i].name, &all->keys[i]);
	emit_end(e);
	if (s->any) {
		emit_map(e, "patternProperties");
		if (s->any->map)
			schema_either(e, s->any);
		else
			schema_key(e, s->any->name_pattern, &s->any->key);
		emit_end(e);
	}
	emit_scalar(e, "additionalProperties", "false", EMIT_LITERAL);
	if (s->has_discriminator)
		schema_kinds(e, s);
}

int config_schema(struct buf *out)
{
	struct config_emit e;

	emit_start(&e, out, true);
	schema_text(&e, "$schema",
		    "https://json-schema.org/draft/2020-12/schema");
	schema_text(&e, "title", "mersey.yaml");
	schema_text(&e, "description",
		    "Configuration of the Mersey storage gateway, version "
		    "1 of the format.");
	schema_section(&e, &config_root);
	return emit_finish(&e);
}
