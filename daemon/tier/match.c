/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a file (or a study) belong to a class? Each condition is a row that
 * says whether it was set, whether it holds, and both sides in words. What is
 * not known of a file (no study, no owner's name) holds no condition.
 */
#include "tier/tier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

typedef __int128 wide;

struct match {
	const struct tier_class *c;
	const struct tier_subject *s;
	int64_t now_ns;
	struct tier_reason *reason; /* NULL: nobody asks */
};

struct condition {
	const char *key;
	bool (*is_set)(const struct tier_class *c);
	int (*holds)(const struct match *m); /* 1, 0 or -errno */
};

const char *tier_action_name(enum tier_action a)
{
	static const char *const names[] = {
		[TIER_KEEP] = "keep",	[TIER_PIN] = "pin",
		[TIER_EVICT] = "evict", [TIER_RECALL] = "recall",
		[TIER_MOVE] = "move",
	};

	return names[a];
}

/* ---- words for people -------------------------------------------------- */

/* Appends as much as fits, in whole characters. */
static void say(char *out, size_t size, const char *text)
{
	size_t at = strlen(out), n = strlen(text), room = size - 1 - at;

	if (n > room)
		for (n = room; n && (text[n] & 0xc0) == 0x80; n--)
			;
	memcpy(out + at, text, n);
	out[at + n] = '\0';
}
#define SAY(field, text) say(field, sizeof(field), text)

static void say_words(const struct match *m, const struct tier_words *w)
{
	size_t i;

	for (i = 0; m->reason && i < w->n; i++) {
		SAY(m->reason->wanted, i ? ", " : "");
		SAY(m->reason->wanted, w->word[i]);
	}
}

static void say_value(const struct match *m, const char *text)
{
	if (m->reason)
		SAY(m->reason->value, text);
}

static void say_bound(const struct match *m, const struct tier_bound *b,
		      const char *limit)
{
	static const char *const ops[] = { [TIER_LT] = "< ",
					   [TIER_LE] = "<= ",
					   [TIER_EQ] = "= ",
					   [TIER_GE] = ">= ",
					   [TIER_GT] = "> " };

	SAY(m->reason->wanted, ops[b->op]);
	SAY(m->reason->wanted, limit);
}

/* ---- bounds -------------------------------------------------------------- */

static bool bound_holds(const struct tier_bound *b, wide v)
{
	switch (b->op) {
	case TIER_LT:
		return v < b->value;
	case TIER_LE:
		return v <= b->value;
	case TIER_EQ:
		return v == b->value;
	case TIER_GE:
		return v >= b->value;
	case TIER_GT:
		return v > b->value;
	default:
		return true;
	}
}

/* Of a time; what lies ahead is of no age. */
static int age_holds(const struct match *m, const struct tier_bound *b,
		     wide then_ns)
{
	wide age = m->now_ns - then_ns;
	char text[UNITS_SIZE];

	if (age < 0)
		age = 0;
	if (m->reason) {
		say_bound(m, b, units_config_age(b->value, text));
		say_value(m, units_format_duration(
				     (int64_t)MIN(age, (wide)INT64_MAX), text));
	}
	return bound_holds(b, age);
}

static int holds_size(const struct match *m)
{
	const struct tier_bound *b = &m->c->size;
	char text[UNITS_SIZE];

	if (m->reason) {
		say_bound(m, b, units_config_size((uint64_t)b->value, text));
		say_value(m, units_format_size(m->s->size, text));
	}
	return bound_holds(b, m->s->size);
}

static int holds_access(const struct match *m)
{
	return age_holds(m, &m->c->last_access, m->s->access_ns);
}

static int holds_modified(const struct match *m)
{
	return age_holds(m, &m->c->last_modified, m->s->modified_ns);
}

static int holds_created(const struct match *m)
{
	return age_holds(m, &m->c->created, m->s->created_ns);
}

/* Days since 1970 of the study; false: it has no date. */
static bool study_days(const struct match *m, int32_t *days)
{
	int d = (int)m->s->study_date;

	if (units_days(d / 10000, d / 100 % 100, d % 100, days) == 0)
		return true;
	say_value(m, "no study date");
	return false;
}

static int holds_study_date(const struct match *m)
{
	const struct tier_bound *b = &m->c->study_date;
	char text[UNITS_SIZE];
	int32_t days;

	if (m->reason)
		say_bound(m, b, units_format_date((int32_t)b->value, text));
	if (!study_days(m, &days))
		return 0;
	say_value(m, units_format_date(days, text));
	return bound_holds(b, days);
}

static int holds_study_age(const struct match *m)
{
	const struct tier_bound *b = &m->c->study_age;
	char text[UNITS_SIZE];
	int32_t days;

	if (study_days(m, &days))
		return age_holds(m, b, (wide)days * SEC_PER_DAY * NSEC_PER_SEC);
	if (m->reason)
		say_bound(m, b, units_config_age(b->value, text));
	return 0;
}

/* ---- lists --------------------------------------------------------------- */

static int holds_path(const struct match *m)
{
	const struct tier_words *w = &m->c->path;
	size_t i;

	say_words(m, w);
	say_value(m, m->s->path);
	for (i = 0; i < w->n; i++)
		if (tier_glob(w->word[i], m->s->path))
			return 1;
	return 0;
}

static int holds_owner(const struct match *m)
{
	const struct tier_words *w = &m->c->owner;
	char text[UNITS_SIZE];
	size_t i;

	say_words(m, w);
	snprintf(text, sizeof(text), "%u", (unsigned)m->s->uid);
	say_value(m, text);
	for (i = 0; i < w->n; i++)
		if (m->c->uid ? m->c->uid[i] == m->s->uid
			      : strcmp(w->word[i], text) == 0)
			return 1;
	return 0;
}

/* Is it one of those that the study has? "CT\SR", perhaps with spaces. */
static bool has_modality(const char *all, const char *one)
{
	size_t n = strlen(one);

	for (;;) {
		size_t len;

		all += strspn(all, " ");
		len = strcspn(all, "\\");
		if (len >= n && strncmp(all, one, n) == 0 &&
		    n + strspn(all + n, " ") >= len)
			return true;
		if (!all[len])
			return false;
		all += len + 1;
	}
}

static int holds_modality(const struct match *m)
{
	const struct tier_words *w = &m->c->modality;
	size_t i;

	say_words(m, w);
	say_value(m, *m->s->modality ? m->s->modality : "no modality");
	for (i = 0; i < w->n; i++)
		if (has_modality(m->s->modality, w->word[i]))
			return 1;
	return 0;
}

static int holds_tier(const struct match *m)
{
	const struct tier_words *w = &m->c->tier;
	size_t i;

	say_words(m, w);
	say_value(m, m->s->tier);
	if (m->s->cached)
		say_value(m, *m->s->tier ? ", local" : "local");
	for (i = 0; i < w->n; i++)
		if (strcmp(w->word[i], "local") == 0
			    ? m->s->cached
			    : strcmp(w->word[i], m->s->tier) == 0)
			return 1;
	return 0;
}

/* "user.name" or "user.name=value" */
static int xattr_holds(const struct match *m, const char *want, struct buf *got)
{
	CLEANUP_FREE char *name = strndup(want, strcspn(want, "="));
	const char *value = want + strcspn(want, "=");
	int rc;

	if (!name)
		return -ENOMEM;
	rc = m->s->xattr ? m->s->xattr(m->s->arg, name, got) : -ENODATA;
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	if (!*value++)
		return 1;
	return got->len == strlen(value) &&
	       memcmp(got->data ?: (uint8_t *)"", value, got->len) == 0;
}

static int holds_xattr(const struct match *m)
{
	const struct tier_words *w = &m->c->xattr;
	size_t i;
	int rc = 0;

	say_words(m, w);
	for (i = 0; rc == 0 && i < w->n; i++) {
		CLEANUP_BUF struct buf got = { 0 };

		rc = xattr_holds(m, w->word[i], &got);
		if (rc == 1)
			say_value(m, w->word[i]);
	}
	if (rc == 0)
		say_value(m, "not set so");
	return rc;
}

/* ---- the conditions ------------------------------------------------------ */

#define IS_SET(name, what)                           \
	static bool name(const struct tier_class *c) \
	{                                            \
		return what;                         \
	}

IS_SET(set_path, c->path.n)
IS_SET(set_size, c->size.op)
IS_SET(set_access, c->last_access.op)
IS_SET(set_modified, c->last_modified.op)
IS_SET(set_created, c->created.op)
IS_SET(set_owner, c->owner.n)
IS_SET(set_modality, c->modality.n)
IS_SET(set_study_date, c->study_date.op)
IS_SET(set_study_age, c->study_age.op)
IS_SET(set_tier, c->tier.n)
IS_SET(set_xattr, c->xattr.n)

/* As explained, and what costs little first. */
static const struct condition conditions[] = {
	{ "path", set_path, holds_path },
	{ "size", set_size, holds_size },
	{ "last_access", set_access, holds_access },
	{ "last_modified", set_modified, holds_modified },
	{ "created", set_created, holds_created },
	{ "owner", set_owner, holds_owner },
	{ "modality", set_modality, holds_modality },
	{ "study_date", set_study_date, holds_study_date },
	{ "study_age", set_study_age, holds_study_age },
	{ "tier", set_tier, holds_tier },
	{ "xattr", set_xattr, holds_xattr },
};

int tier_class_holds(const struct tier_class *c, const struct tier_subject *s,
		     int64_t now_ns, struct tier_reason *out, size_t max,
		     size_t *n)
{
	struct match m = { .c = c, .s = s, .now_ns = now_ns };
	struct tier_reason one; /* large, and seldom asked for */
	size_t i, have = 0;
	int all = 1;

	for (i = 0; i < ARRAY_SIZE(conditions); i++) {
		int rc;

		if (!conditions[i].is_set(c))
			continue;
		if (out) {
			one = (struct tier_reason){ .key = conditions[i].key };
			m.reason = &one;
		}
		rc = conditions[i].holds(&m);
		if (rc < 0)
			return rc;
		all = all && rc;
		if (!out && !all)
			return 0;
		if (!out)
			continue;
		one.holds = rc;
		if (have < max)
			out[have++] = one;
	}
	if (out)
		*n = have;
	return all;
}

int tier_rule_of(const struct tier_policy *p, const struct tier_subject *s,
		 int64_t now_ns)
{
	size_t i;

	for (i = 0; i < p->n_rules; i++) {
		int rc = tier_class_holds(&p->classes[p->rules[i].class], s,
					  now_ns, NULL, 0, NULL);

		if (rc)
			return rc < 0 ? rc : (int)i;
	}
	return -ENOENT;
}
