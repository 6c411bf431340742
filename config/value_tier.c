/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_tier.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "base/when.h"
#include "config/config.h"

/* ---- bounds ----------------------------------------------------------- */

/* Longer ones first where one begins with the other. */
static const struct {
	const char *text;
	enum tier_compare op;
} ops[] = { { "<=", TIER_LE }, { ">=", TIER_GE }, { "==", TIER_EQ },
	    { "<", TIER_LT },  { ">", TIER_GT },  { "=", TIER_EQ } };

/* Passes by an operator and the spaces behind it. */
static enum tier_compare bound_op(const char **text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		size_t n = strlen(ops[i].text);

		if (strncmp(*text, ops[i].text, n) != 0)
			continue;
		*text += n + strspn(*text + n, " ");
		return ops[i].op;
	}
	return TIER_ANY;
}

static int bound_size(const char *text, int64_t *out)
{
	uint64_t v = 0;
	int rc = units_parse_size(text, &v);

	if (rc == 0 && v > INT64_MAX)
		rc = -ERANGE;
	*out = (int64_t)v;
	return rc;
}

static int bound_date(const char *text, int64_t *out)
{
	int32_t days = 0;
	int rc = units_parse_date(text, &days);

	*out = days;
	return rc;
}

/* What stands behind the operator. */
static int bound_value(enum config_type t, const char *text, int64_t *out,
		       char why[CONFIG_WHY])
{
	int rc;

	if (t == CONFIG_BOUND_SIZE)
		rc = bound_size(text, out);
	else if (t == CONFIG_BOUND_AGE)
		rc = units_parse_duration(text, out);
	else
		rc = bound_date(text, out);
	if (rc == -ERANGE)
		return config_value_why(why, "must be smaller");
	if (rc == 0)
		return 0;
	snprintf(why, CONFIG_WHY, "must have a %s behind the sign",
		 t == CONFIG_BOUND_SIZE	 ? "size"
		 : t == CONFIG_BOUND_AGE ? "duration"
					 : "date that exists");
	return -EINVAL;
}

CONFIG_PARSES(bound)
{
	struct tier_bound b;
	int rc;

	b.op = bound_op(&text);
	if (b.op == TIER_ANY)
		return config_value_why(why,
					"must begin with <, <=, =, >= or >");
	if (b.op == TIER_EQ && k->type == CONFIG_BOUND_AGE)
		return config_value_why(why, "must be more or less than an "
					     "age: none is ever exact");
	rc = bound_value(k->type, text, &b.value, why);
	if (rc == 0)
		*(struct tier_bound *)field = b;
	return rc;
}

CONFIG_FORMATS(bound)
{
	static const char *const names[] = { [TIER_LT] = "<",
					     [TIER_LE] = "<=",
					     [TIER_EQ] = "=",
					     [TIER_GE] = ">=",
					     [TIER_GT] = ">" };
	const struct tier_bound *b = field;
	char text[UNITS_SIZE];

	if (k->type == CONFIG_BOUND_SIZE)
		units_config_size((uint64_t)b->value, text);
	else if (k->type == CONFIG_BOUND_AGE)
		units_config_age(b->value, text);
	else
		units_format_date((int32_t)b->value, text);
	return buf_addf(out, "%s %s", names[b->op], text);
}

/* ---- amounts ---------------------------------------------------------- */

static const char per_month[] = "/month";

/* Behind the sign or the name of the currency of reports; both may be left
 * out. NULL: it is another currency's. */
static const char *amount_skip_currency(const struct config_reader *r,
					const char *text)
{
	const char *currency = r->config->currency ?: "", *sign;
	size_t n = strlen(currency);
	char other[8];

	if (n && strncmp(text, currency, n) == 0)
		return text + n + strspn(text + n, " ");
	sign = money_sign(currency, other);
	n = strlen(sign);
	if (n && strncmp(text, sign, n) == 0)
		return text + n;
	return isdigit((unsigned char)*text) ? text : NULL;
}

CONFIG_PARSES(amount)
{
	text = amount_skip_currency(r, text);
	if (text)
		return config_parse_money(r, k, text, field, why);
	snprintf(why, CONFIG_WHY, "must be in %s, as reports are",
		 r->config->currency ?: "their currency");
	return -EINVAL;
}

CONFIG_PARSES(budget)
{
	size_t unit = strlen(per_month), n = strlen(text);
	char amount[MONEY_SIZE];

	if (n <= unit || n >= sizeof(amount) ||
	    strcmp(text + n - unit, per_month) != 0)
		return config_value_why(why, "must be an amount of a month");
	memcpy(amount, text, n - unit);
	amount[n - unit] = '\0';
	return config_parse_amount(r, k, amount, field, why);
}

CONFIG_FORMATS(budget)
{
	int rc = config_format_money(k, field, out);

	return rc < 0 ? rc : buf_addf(out, "%s", per_month);
}

/* ---- starting times --------------------------------------------------- */

CONFIG_PARSES(schedule)
{
	struct tier_trigger *t = field;

	if (when_parse_start(text, &t->days, &t->minute) < 0)
		return config_value_why(why, "must be days and a time");
	t->scheduled = true;
	return 0;
}

CONFIG_FORMATS(schedule)
{
	const struct tier_trigger *t = field;
	char text[WHEN_SIZE];

	return buf_addf(out, "%s", when_format_start(t->days, t->minute, text));
}
