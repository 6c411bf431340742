/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "base/when.h"
#include "config/config.h"
#include "config/path.h"
#include "config/value_tier.h"

int config_value_why(char why[CONFIG_WHY], const char *text)
{
	snprintf(why, CONFIG_WHY, "%s", text);
	return -EINVAL;
}

/* Puts text into a char * (freeing the old) or a char array. */
static int value_store_text(const struct config_key *k, const char *text,
			    void *field, char why[CONFIG_WHY])
{
	char **p = field, *copy;

	if (k->chars) {
		if (strlen(text) >= k->size) {
			snprintf(why, CONFIG_WHY,
				 "must be at most %zu bytes long", k->size - 1);
			return -EINVAL;
		}
		memcpy(field, text, strlen(text) + 1);
		return 0;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*p);
	*p = copy;
	return 0;
}

static int parse_text(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	const char *wrong = k->check ? k->check(text) : NULL;

	if (wrong)
		return config_value_why(why, wrong);
	return value_store_text(k, text, field, why);
}

static int format_text(const struct config_key *k, const void *field,
		       struct buf *out)
{
	const char *s = k->chars ? field : *(char *const *)field;

	return buf_add(out, s, strlen(s));
}

static int parse_path(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	CLEANUP_FREE char *path = NULL;
	char **p = field;

	if (!*text)
		return config_value_why(why, "must not be empty");
	path = config_path_join(r->dir, text);
	if (!path)
		return -ENOMEM;
	if (strlen(path) >= PATH_MAX)
		return config_value_why(why, "must be a shorter path");
	free(*p);
	*p = take(path);
	return 0;
}

/* ---- numbers ---------------------------------------------------------- */

void config_value_limit(const struct config_key *k, int64_t v,
			char out[UNITS_SIZE])
{
	if (k->type == CONFIG_BYTES)
		units_config_size((uint64_t)v, out);
	else if (k->type == CONFIG_DURATION)
		units_config_duration(v, out);
	else if (k->type == CONFIG_RATE)
		units_config_rate((uint64_t)v, out);
	else if (k->type == CONFIG_MODE)
		snprintf(out, UNITS_SIZE, "%04o", (unsigned)v);
	else
		snprintf(out, UNITS_SIZE, "%" PRId64 "%s", v,
			 k->type == CONFIG_PERCENT ? "%" : "");
}

static int value_range(const struct config_key *k, uint64_t v,
		       char why[CONFIG_WHY])
{
	char lo[UNITS_SIZE], hi[UNITS_SIZE];

	if (v >= (uint64_t)k->min && (!k->max || v <= (uint64_t)k->max))
		return 0;
	config_value_limit(k, k->min, lo);
	config_value_limit(k, k->max, hi);
	if (k->min && k->max)
		snprintf(why, CONFIG_WHY, "must be from %s to %s", lo, hi);
	else if (k->max)
		snprintf(why, CONFIG_WHY, "must be at most %s", hi);
	else
		snprintf(why, CONFIG_WHY, "must be at least %s", lo);
	return -EINVAL;
}

/* What the parsers of base/units.h return, in words. */
static int value_units(const struct config_key *k, int rc, uint64_t v,
		       char why[CONFIG_WHY])
{
	if (rc == -ERANGE && !k->max)
		return config_value_why(why, "must be smaller");
	if (rc == -ERANGE)
		v = UINT64_MAX;
	else if (rc < 0) {
		snprintf(why, CONFIG_WHY, "must be a %s",
			 config_value_type(k->type)->name);
		return -EINVAL;
	}
	return value_range(k, v, why);
}

static int parse_number(const struct config_reader *r,
			const struct config_key *k, const char *text,
			void *field, char why[CONFIG_WHY])
{
	unsigned long long v = 0;
	int rc;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return config_value_why(why, "must be a number");
	errno = 0;
	v = strtoull(text, NULL, 10);
	if (v > UINT_MAX && k->size == sizeof(unsigned))
		errno = ERANGE;
	rc = value_units(k, errno ? -ERANGE : 0, v, why);
	if (rc == 0 && k->size == sizeof(uint64_t))
		*(uint64_t *)field = v;
	else if (rc == 0)
		*(unsigned *)field = (unsigned)v;
	return rc;
}

static uint64_t value_number(const struct config_key *k, const void *field)
{
	return k->size == sizeof(uint64_t) ? *(const uint64_t *)field
					   : *(const unsigned *)field;
}

static int format_number(const struct config_key *k, const void *field,
			 struct buf *out)
{
	return buf_addf(out, "%" PRIu64, value_number(k, field));
}

static int parse_bytes(const struct config_reader *r,
		       const struct config_key *k, const char *text,
		       void *field, char why[CONFIG_WHY])
{
	uint64_t v = 0;
	int rc = units_parse_size(text, &v);

	rc = value_units(k, rc, v, why);
	if (rc == 0)
		*(uint64_t *)field = v;
	return rc;
}

static int format_bytes(const struct config_key *k, const void *field,
			struct buf *out)
{
	char text[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_config_size(*(const uint64_t *)field, text));
}

static int parse_duration(const struct config_reader *r,
			  const struct config_key *k, const char *text,
			  void *field, char why[CONFIG_WHY])
{
	int64_t v = 0;
	int rc = units_parse_duration(text, &v);

	rc = value_units(k, rc, (uint64_t)v, why);
	if (rc == 0)
		*(int64_t *)field = v;
	return rc;
}

static int format_duration(const struct config_key *k, const void *field,
			   struct buf *out)
{
	char text[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_config_duration(*(const int64_t *)field, text));
}

static int parse_rate(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	uint64_t v = 0;
	int rc = units_parse_rate(text, &v);

	rc = value_units(k, rc, v, why);
	if (rc == 0)
		*(uint64_t *)field = v;
	return rc;
}

static int format_rate(const struct config_key *k, const void *field,
		       struct buf *out)
{
	char text[UNITS_SIZE];

	return buf_addf(out, "%s",
			units_config_rate(*(const uint64_t *)field, text));
}

static int parse_percent(const struct config_reader *r,
			 const struct config_key *k, const char *text,
			 void *field, char why[CONFIG_WHY])
{
	unsigned v = 0;
	int rc = units_parse_percent(text, &v);

	rc = value_units(k, rc, v, why);
	if (rc == 0)
		*(unsigned *)field = v;
	return rc;
}

static int format_percent(const struct config_key *k, const void *field,
			  struct buf *out)
{
	return buf_addf(out, "%u%%", *(const unsigned *)field);
}

static int parse_mode(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	unsigned v = 0;
	int rc = units_parse_mode(text, &v);

	rc = value_units(k, rc, v, why);
	if (rc == 0)
		*(unsigned *)field = v;
	return rc;
}

static int format_mode(const struct config_key *k, const void *field,
		       struct buf *out)
{
	return buf_addf(out, "%04o", *(const unsigned *)field);
}

/* ---- choices ---------------------------------------------------------- */

static void value_store_index(const struct config_key *k, unsigned v,
			      void *field)
{
	if (k->size == sizeof(bool))
		*(bool *)field = v;
	else
		*(unsigned *)field = v;
}

static unsigned value_index(const struct config_key *k, const void *field)
{
	return k->size == sizeof(bool) ? *(const bool *)field
				       : *(const unsigned *)field;
}

static int parse_bool(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return config_value_why(why, "must be true or false");
	*(bool *)field = yes;
	return 0;
}

static int format_bool(const struct config_key *k, const void *field,
		       struct buf *out)
{
	return buf_addf(out, "%s", *(const bool *)field ? "true" : "false");
}

static int parse_choice(const struct config_reader *r,
			const struct config_key *k, const char *text,
			void *field, char why[CONFIG_WHY])
{
	unsigned i;
	int n;

	for (i = 0; k->choices[i]; i++) {
		if (strcmp(text, k->choices[i]) != 0)
			continue;
		value_store_index(k, i, field);
		return 0;
	}
	n = snprintf(why, CONFIG_WHY, "must be one of");
	for (i = 0; k->choices[i]; i++)
		n += snprintf(why + n, (size_t)(CONFIG_WHY - n), "%s %s",
			      i ? "," : "", k->choices[i]);
	return -EINVAL;
}

static int format_choice(const struct config_key *k, const void *field,
			 struct buf *out)
{
	return buf_addf(out, "%s", k->choices[value_index(k, field)]);
}

const char *config_discriminator(const struct config_section *s,
				 const void *base)
{
	const struct config_key *k = &s->keys[0];

	return k->choices[value_index(k, (const char *)base + k->offset)];
}

/* ---- money, dates, references ----------------------------------------- */

CONFIG_PARSES(money)
{
	money_t v;
	int rc = money_parse(text, &v);

	if (rc == -ERANGE)
		return config_value_why(why,
					"must have at most 10 places and fit");
	if (rc < 0)
		return config_value_why(why, "must be an exact decimal");
	if (v < 0)
		return config_value_why(why, "must not be negative");
	*(money_t *)field = v;
	return 0;
}

/* Without zeros at the end: "0.79". */
CONFIG_FORMATS(money)
{
	char text[MONEY_SIZE];
	size_t n;

	money_exact(*(const money_t *)field, text);
	n = strlen(text);
	while (text[n - 1] == '0')
		n--;
	n -= text[n - 1] == '.';
	return buf_add(out, text, n);
}

static int parse_date(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	int32_t days;

	if (units_parse_date(text, &days) < 0)
		return config_value_why(why, "must be a date that exists");
	return value_store_text(k, text, field, why);
}

static int parse_when(const struct config_reader *r, const struct config_key *k,
		      const char *text, void *field, char why[CONFIG_WHY])
{
	if (when_parse(text, field) < 0)
		return config_value_why(why, "must be days and hours");
	return 0;
}

static int format_when(const struct config_key *k, const void *field,
		       struct buf *out)
{
	char text[WHEN_SIZE];

	return buf_addf(out, "%s", when_format(field, text));
}

/* Stores and policies begin with their names. */
_Static_assert(offsetof(struct config_store, name) == 0, "");
_Static_assert(offsetof(struct tier_policy, name) == 0, "");

/* Points `field` at the item of that name. */
static int value_refer(const void *items, size_t n, size_t size,
		       const char *text, void *field)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const void *item = (const char *)items + size * i;
		const char *name = *(char *const *)item;

		if (!name || strcmp(name, text) != 0)
			continue;
		*(const void **)field = item;
		return 0;
	}
	return -EINVAL;
}

static int parse_store(const struct config_reader *r,
		       const struct config_key *k, const char *text,
		       void *field, char why[CONFIG_WHY])
{
	const struct config *c = r->config;

	if (value_refer(c->stores, c->n_stores, sizeof(*c->stores), text,
			field) < 0)
		return config_value_why(why, "must be one of 'stores'");
	return 0;
}

static int parse_policy(const struct config_reader *r,
			const struct config_key *k, const char *text,
			void *field, char why[CONFIG_WHY])
{
	const struct config *c = r->config;

	if (value_refer(c->policies, c->n_policies, sizeof(*c->policies), text,
			field) < 0)
		return config_value_why(why, "must be one of 'policies'");
	return 0;
}

/* The name of what the field points at. */
static int format_reference(const struct config_key *k, const void *field,
			    struct buf *out)
{
	return buf_addf(out, "%s", **(char *const *const *)field);
}

/* ---- the types -------------------------------------------------------- */

static const struct config_value_type types[] = {
	[CONFIG_TEXT] = { .name = "text",
			  .want = "write text",
			  .style = EMIT_AUTO,
			  .json = "string",
			  .parse = parse_text,
			  .format = format_text },
	[CONFIG_PATH] = { .name = "path",
			  .want = "write a path; a relative one is seen from "
				  "the directory of this file",
			  .style = EMIT_AUTO,
			  .json = "string",
			  .parse = parse_path,
			  .format = format_text },
	[CONFIG_ACCOUNT] = { .name = "account",
			     .want = "write the name of a user or group, or "
				     "its number",
			     .style = EMIT_AUTO,
			     .json = "string integer",
			     .parse = parse_text,
			     .format = format_text },
	[CONFIG_NUMBER] = { .name = "number",
			    .want = "write a whole number, without quotes",
			    .quoting = CONFIG_NO_QUOTES,
			    .style = EMIT_LITERAL,
			    .json = "integer",
			    .parse = parse_number,
			    .format = format_number },
	[CONFIG_BYTES] = { .name = "size",
			   .want = "write a size such as 500GiB, 16MiB or 50GB",
			   .style = EMIT_PLAIN,
			   .json = "string integer",
			   .parse = parse_bytes,
			   .format = format_bytes },
	[CONFIG_DURATION] = { .name = "duration",
			      .want = "write a number with its unit, such as "
				      "30s, 15m, 12h, 90d or 2y",
			      .style = EMIT_PLAIN,
			      .json = "string",
			      .parse = parse_duration,
			      .format = format_duration },
	[CONFIG_RATE] = { .name = "rate",
			  .want = "write a rate such as 50MB/s or 400Mbit/s",
			  .style = EMIT_PLAIN,
			  .json = "string",
			  .parse = parse_rate,
			  .format = format_rate },
	[CONFIG_WHEN] = { .name = "time of the week",
			  .want = "write days, hours or both, such as \"Mon-Fri "
				  "08:00-18:00\", \"Sat,Sun\" or "
				  "\"22:00-06:00\"",
			  .style = EMIT_QUOTED,
			  .json = "string",
			  .parse = parse_when,
			  .format = format_when },
	[CONFIG_PERCENT] = { .name = "share",
			     .want = "write a share such as 85%",
			     .style = EMIT_PLAIN,
			     .json = "string",
			     .parse = parse_percent,
			     .format = format_percent },
	[CONFIG_BOOL] = { .name = "switch",
			  .want = "write true or false, without quotes",
			  .quoting = CONFIG_NO_QUOTES,
			  .style = EMIT_LITERAL,
			  .json = "boolean",
			  .parse = parse_bool,
			  .format = format_bool },
	[CONFIG_CHOICE] = { .name = "choice",
			    .want = "write one of the words",
			    .style = EMIT_AUTO,
			    .json = "string",
			    .parse = parse_choice,
			    .format = format_choice },
	[CONFIG_MODE] = { .name = "mode",
			  .want = "write an octal mode in quotes, such as "
				  "\"0770\"",
			  .quoting = CONFIG_QUOTES,
			  .style = EMIT_QUOTED,
			  .json = "string",
			  .parse = parse_mode,
			  .format = format_mode },
	[CONFIG_MONEY] = { .name = "decimal",
			   .want = "write an exact decimal in quotes, such as "
				   "\"0.79\"",
			   .quoting = CONFIG_QUOTES,
			   .style = EMIT_QUOTED,
			   .json = "string",
			   .parse = config_parse_money,
			   .format = config_format_money },
	[CONFIG_AMOUNT] = { .name = "amount",
			    .want = "write an amount in the currency of "
				    "reports, such as £50",
			    .style = EMIT_PLAIN,
			    .json = "string",
			    .parse = config_parse_amount,
			    .format = config_format_money },
	[CONFIG_BUDGET] = { .name = "amount of a month",
			    .want = "write an amount in the currency of "
				    "reports, such as £500/month",
			    .style = EMIT_PLAIN,
			    .json = "string",
			    .parse = config_parse_budget,
			    .format = config_format_budget },
	[CONFIG_BOUND_SIZE] = { .name = "bound of a size",
				.want = "write a bound in quotes, such as "
					"\">= 64KiB\"",
				.style = EMIT_QUOTED,
				.json = "string",
				.parse = config_parse_bound,
				.format = config_format_bound },
	[CONFIG_BOUND_AGE] = { .name = "bound of an age",
			       .want = "write a bound in quotes, such as "
				       "\"> 90d\" (longer ago) or \"< 30d\"",
			       .style = EMIT_QUOTED,
			       .json = "string",
			       .parse = config_parse_bound,
			       .format = config_format_bound },
	[CONFIG_BOUND_DATE] = { .name = "bound of a date",
				.want = "write a bound in quotes, such as "
					"\"< 2020-01-31\"",
				.style = EMIT_QUOTED,
				.json = "string",
				.parse = config_parse_bound,
				.format = config_format_bound },
	[CONFIG_SCHEDULE] = { .name = "starting time",
			      .want = "write a time, with days before it or "
				      "not, such as \"Mon-Fri 20:00\"",
			      .style = EMIT_QUOTED,
			      .json = "string",
			      .parse = config_parse_schedule,
			      .format = config_format_schedule },
	[CONFIG_DATE] = { .name = "date",
			  .want = "write a date such as 2027-03-31",
			  .style = EMIT_PLAIN,
			  .json = "string",
			  .parse = parse_date,
			  .format = format_text },
	[CONFIG_STORE] = { .name = "store",
			   .want = "write the name of one of 'stores'",
			   .style = EMIT_AUTO,
			   .json = "string",
			   .parse = parse_store,
			   .format = format_reference },
	[CONFIG_POLICY] = { .name = "policy",
			    .want = "write the name of one of 'policies'",
			    .style = EMIT_AUTO,
			    .json = "string",
			    .parse = parse_policy,
			    .format = format_reference },
};

enum config_type config_member_type(enum config_type t)
{
	switch (t) {
	case CONFIG_PATHS:
		return CONFIG_PATH;
	case CONFIG_ACCOUNTS:
	case CONFIG_ANY_ACCOUNTS:
		return CONFIG_ACCOUNT;
	case CONFIG_WORDS:
	case CONFIG_ANY_WORDS:
		return CONFIG_TEXT;
	default:
		return t;
	}
}

const struct config_value_type *config_value_type(enum config_type t)
{
	return &types[config_member_type(t)];
}

bool config_value_is_set(const struct config_key *k, const void *field)
{
	if (k->has_flag)
		return *config_flag(k, field);
	if (k->chars)
		return *(const char *)field != '\0';
	switch (k->type) {
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_ACCOUNT:
	case CONFIG_STORE:
	case CONFIG_POLICY:
		return *(void *const *)field != NULL;
	case CONFIG_RATE:
		return *(const uint64_t *)field != 0;
	case CONFIG_WHEN:
		return !when_is_always(field);
	case CONFIG_SCHEDULE:
		return ((const struct tier_trigger *)field)->scheduled;
	case CONFIG_BOUND_SIZE:
	case CONFIG_BOUND_AGE:
	case CONFIG_BOUND_DATE:
		return ((const struct tier_bound *)field)->op != TIER_ANY;
	/* without a default, nothing is none */
	case CONFIG_NUMBER:
	case CONFIG_PERCENT:
		return k->def || k->required || value_number(k, field);
	case CONFIG_BYTES:
	case CONFIG_DURATION:
		return k->def || k->required || *(const uint64_t *)field;
	default:
		return true;
	}
}

const char *config_type_name(const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_PATHS:
		return "list of paths";
	case CONFIG_ACCOUNTS:
		return "list of accounts";
	case CONFIG_WORDS:
		return "list of words";
	case CONFIG_ANY_WORDS:
		return "word, or list of words";
	case CONFIG_ANY_ACCOUNTS:
		return "account, or list of accounts";
	case CONFIG_SECTION:
	case CONFIG_NAMED:
		return "map";
	case CONFIG_ITEMS:
		return "list of maps";
	default:
		return types[k->type].name;
	}
}
