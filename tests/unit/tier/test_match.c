/* SPDX-License-Identifier: Apache-2.0 */
/* File classes and rules: each condition alone, all of them together, what is
 * not known, and the words that `tier explain` shows. */
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tier/tier.h"

#define DAY (SEC_PER_DAY * NSEC_PER_SEC)
/* 2026-11-29 00:00 */
#define NOW (INT64_C(20786) * DAY)

#define WORDS(...)                                                            \
	{                                                                     \
		.word = (char **)(const char *[]){ __VA_ARGS__ },             \
		.n = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) \
	}

/* user.keep=yes, user.raw is two bytes with a zero; user.bad fails. */
static int xattr(void *arg, const char *name, struct buf *out)
{
	if (strcmp(name, "user.bad") == 0)
		return -EIO;
	if (strcmp(name, "user.keep") == 0)
		return buf_add(out, "yes", 3);
	if (strcmp(name, "user.empty") == 0)
		return 0;
	if (strcmp(name, "user.raw") == 0)
		return buf_add(out, "a\0", 2);
	return -ENODATA;
}

static const struct tier_subject ct = {
	.path = "/pacs/ct/1.dcm",
	.size = 65536,
	.access_ns = NOW - 90 * DAY,
	.modified_ns = NOW - 100 * DAY,
	.created_ns = NOW - 400 * DAY,
	.uid = 1000,
	.modality = "CT\\SR",
	.study_date = 20251001,
	.tier = "near",
	.cached = true,
	.xattr = xattr,
};

static int holds(const struct tier_class *c)
{
	struct tier_reason r[16];
	size_t n = 99;
	int rc = tier_class_holds(c, &ct, NOW, NULL, 0, NULL);

	/* asked for reasons it says the same */
	assert_int_equal(tier_class_holds(c, &ct, NOW, r, 16, &n), rc);
	return rc;
}

/* The first reason, as "key wanted / value". */
static void assert_reason(const struct tier_class *c,
			  const struct tier_subject *s, const char *want)
{
	struct tier_reason r = { 0 };
	char got[400];
	size_t n = 0;

	assert_true(tier_class_holds(c, s, NOW, &r, 1, &n) >= 0);
	assert_int_equal(n, 1);
	snprintf(got, sizeof(got), "%s %s / %s", r.key, r.wanted, r.value);
	assert_string_equal(got, want);
}

#define HOLDS(yes, ...) \
	assert_int_equal(holds(&(struct tier_class){ __VA_ARGS__ }), yes)
#define SAYS(want, ...) \
	assert_reason(&(struct tier_class){ __VA_ARGS__ }, &ct, want)

static void test_bounds(void **state)
{
	HOLDS(1, .size = { TIER_GE, 65536 });
	HOLDS(0, .size = { TIER_GT, 65536 });
	HOLDS(1, .size = { TIER_EQ, 65536 });
	HOLDS(1, .size = { TIER_LE, 65536 });
	HOLDS(0, .size = { TIER_LT, 65536 });
	HOLDS(1, .last_access = { TIER_GE, 90 * DAY });
	HOLDS(0, .last_access = { TIER_GT, 90 * DAY });
	HOLDS(1, .last_modified = { TIER_GT, 99 * DAY });
	HOLDS(0, .last_modified = { TIER_LT, 100 * DAY });
	HOLDS(1, .created = { TIER_GT, 365 * DAY });
	HOLDS(0, .created = { TIER_GT, 730 * DAY });
	SAYS("size >= 64KiB / 64.0 KiB", .size = { TIER_GE, 65536 });
	SAYS("last_access > 90d / 90 d 0 h",
	     .last_access = { TIER_GT, 90 * DAY });
}

/* 2025-10-01 is day 20362. */
static void test_study(void **state)
{
	const struct tier_class date = { .study_date = { TIER_LT, 20362 } };
	const struct tier_class age = { .study_age = { TIER_GT, 1 } };
	struct tier_subject s = ct;

	HOLDS(0, .study_date = { TIER_LT, 20362 });
	HOLDS(1, .study_date = { TIER_LE, 20362 });
	HOLDS(1, .study_date = { TIER_EQ, 20362 });
	HOLDS(1, .study_age = { TIER_EQ, 424 * DAY });
	HOLDS(0, .study_age = { TIER_GT, 424 * DAY });
	SAYS("study_date < 2025-10-02 / 2025-10-01",
	     .study_date = { TIER_LT, 20363 });
	s.study_date = 0;
	assert_reason(&date, &s, "study_date < 2025-10-01 / no study date");
	assert_int_equal(tier_class_holds(&date, &s, NOW, NULL, 0, NULL), 0);
	assert_int_equal(tier_class_holds(&age, &s, NOW, NULL, 0, NULL), 0);
	s.study_date = 20250230; /* there is none */
	assert_int_equal(tier_class_holds(&date, &s, NOW, NULL, 0, NULL), 0);
	s.study_date = 19591231;
	assert_reason(&date, &s, "study_date < 2025-10-01 / 1959-12-31");
	assert_int_equal(tier_class_holds(&date, &s, NOW, NULL, 0, NULL), 1);
	s.study_date = 10101; /* year 1: no number runs over */
	assert_int_equal(tier_class_holds(&age, &s, NOW, NULL, 0, NULL), 1);
	s.study_date = UINT32_MAX;
	assert_int_equal(tier_class_holds(&age, &s, NOW, NULL, 0, NULL), 0);
}

static void test_lists(void **state)
{
	static uid_t uids[] = { 7, 1000 };

	HOLDS(1, .path = WORDS("/x/**", "/pacs/**"));
	HOLDS(0, .path = WORDS("/x/**"));
	HOLDS(1, .owner = WORDS("1000"));
	HOLDS(0, .owner = WORDS("100", "pacs"));
	HOLDS(1, .owner = WORDS("pacs", "viewer"), .uid = uids);
	HOLDS(0, .owner = WORDS("1000"), .uid = uids); /* what 1000 is */
	HOLDS(1, .modality = WORDS("MR", "SR"));
	HOLDS(1, .modality = WORDS("CT"));
	HOLDS(0, .modality = WORDS("C", "CTA", "R"));
	HOLDS(1, .tier = WORDS("cool", "near"));
	HOLDS(0, .tier = WORDS("cool"));
	HOLDS(1, .tier = WORDS("local"));
	SAYS("path /x/**, /y / /pacs/ct/1.dcm", .path = WORDS("/x/**", "/y"));
	SAYS("owner pacs / 1000", .owner = WORDS("pacs"));
	SAYS("modality MR / CT\\SR", .modality = WORDS("MR"));
	SAYS("tier cool / near, local", .tier = WORDS("cool"));
}

static void test_unknown(void **state)
{
	const struct tier_class mod = { .modality = WORDS("CT") };
	const struct tier_class near = { .tier = WORDS("near") };
	const struct tier_class local = { .tier = WORDS("local") };
	const struct tier_class attr = { .xattr = WORDS("user.keep") };
	static const struct tier_subject s = { .path = "/a",
					       .modality = "",
					       .tier = "" };

	assert_int_equal(tier_class_holds(&mod, &s, NOW, NULL, 0, NULL), 0);
	assert_int_equal(tier_class_holds(&near, &s, NOW, NULL, 0, NULL), 0);
	assert_int_equal(tier_class_holds(&local, &s, NOW, NULL, 0, NULL), 0);
	assert_int_equal(tier_class_holds(&attr, &s, NOW, NULL, 0, NULL), 0);
	assert_reason(&mod, &s, "modality CT / no modality");
	assert_reason(&near, &s, "tier near / ");
}

/* Padded, as DICOM does; with empty ones between. */
static void test_modality_padded(void **state)
{
	const struct tier_class c = { .modality = WORDS("MR") };
	static const struct {
		const char *all;
		int want;
	} cases[] = { { "MR ", 1 },	  { " MR", 1 },	  { "CT\\\\MR", 1 },
		      { "CT \\ MR ", 1 }, { "MRX", 0 },	  { "M R", 0 },
		      { "XMR", 0 },	  { "CT\\M", 0 }, { "MR\\", 1 } };
	struct tier_subject s = ct;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		s.modality = cases[i].all;
		assert_int_equal(tier_class_holds(&c, &s, NOW, NULL, 0, NULL),
				 cases[i].want);
	}
}

static void test_xattr(void **state)
{
	HOLDS(1, .xattr = WORDS("user.keep"));
	HOLDS(1, .xattr = WORDS("user.none", "user.keep=yes"));
	HOLDS(0, .xattr = WORDS("user.keep=ye"));
	HOLDS(0, .xattr = WORDS("user.keep=yess", "user.none"));
	HOLDS(1, .xattr = WORDS("user.empty="));
	HOLDS(0, .xattr = WORDS("user.raw=a"));
	HOLDS(1, .xattr = WORDS("user.raw"));
	HOLDS(-EIO, .xattr = WORDS("user.bad"));
	SAYS("xattr user.none, user.keep / user.keep",
	     .xattr = WORDS("user.none", "user.keep"));
	SAYS("xattr user.none / not set so", .xattr = WORDS("user.none"));
}

/* What lies ahead is of no age; no difference of times runs over. */
static void test_odd_times(void **state)
{
	const struct tier_class young = { .last_access = { TIER_LT, DAY } };
	const struct tier_class old = { .last_access = { TIER_GT, DAY } };
	struct tier_subject s = ct;

	s.access_ns = INT64_MAX;
	assert_int_equal(tier_class_holds(&young, &s, NOW, NULL, 0, NULL), 1);
	assert_reason(&young, &s, "last_access < 1d / 0 s");
	s.access_ns = INT64_MIN;
	assert_int_equal(tier_class_holds(&old, &s, NOW, NULL, 0, NULL), 1);
	assert_int_equal(tier_class_holds(&young, &s, INT64_MAX, NULL, 0, NULL),
			 0);
	assert_reason(&old, &s, "last_access > 1d / 106751 d 23 h");
}

/* All must hold; one that asks hears of each, and no more than it has room
 * for. */
static void test_all(void **state)
{
	const struct tier_class c = {
		.path = WORDS("/pacs/**"),
		.size = { TIER_GT, 1 << 20 },
		.last_access = { TIER_GT, 30 * DAY },
		.xattr = WORDS("user.none"),
	};
	struct tier_reason r[4];
	size_t n = 0;

	assert_int_equal(tier_class_holds(&c, &ct, NOW, r, 4, &n), 0);
	assert_int_equal(n, 4);
	assert_string_equal(r[0].key, "path");
	assert_true(r[0].holds);
	assert_string_equal(r[1].key, "size");
	assert_false(r[1].holds);
	assert_true(r[2].holds);
	assert_string_equal(r[3].key, "xattr");
	assert_false(r[3].holds);
	assert_int_equal(tier_class_holds(&c, &ct, NOW, r, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(
		tier_class_holds(&(struct tier_class){ 0 }, &ct, NOW, r, 4, &n),
		1);
	assert_int_equal(n, 0);
}

/* Long texts are cut, at whole characters. */
static void test_long(void **state)
{
	struct tier_class c = { .path = WORDS("/none") };
	struct tier_subject s = ct;
	struct tier_reason r;
	char path[400];
	size_t n;

	path[0] = '/';
	for (size_t i = 0; i < 130; i++)
		memcpy(path + 1 + 3 * i, "\xe2\x82\xac", 4);
	s.path = path;
	assert_int_equal(tier_class_holds(&c, &s, NOW, &r, 1, &n), 0);
	assert_int_equal(strlen(r.value), 127);
	path[1] = 'x';
	path[2] = 'y';
	path[3] = 'z';
	path[4] = 'a';
	path[5] = 'b';
	path[6] = 'c';
	memmove(path + 2, path + 1, 300);
	path[302] = '\0';
	assert_int_equal(tier_class_holds(&c, &s, NOW, &r, 1, &n), 0);
	assert_int_equal(strlen(r.value), 125);
}

static void test_rules(void **state)
{
	struct tier_class classes[] = {
		{ .size = { TIER_GT, 1 << 20 } },
		{ .path = WORDS("/pacs/**") },
		{ .xattr = WORDS("user.bad") },
		{ .path = WORDS("/**") },
	};
	static struct tier_rule rules[] = {
		{ .class = 0 }, { .class = 1 }, { .class = 2 }, { .class = 3 }
	};
	struct tier_policy p = {
		.classes = classes, .n_classes = 4, .rules = rules, .n_rules = 4
	};
	struct tier_subject s = ct;

	assert_int_equal(tier_rule_of(&p, &s, NOW), 1);
	s.size = 2 << 20;
	assert_int_equal(tier_rule_of(&p, &s, NOW), 0);
	s.size = 1;
	s.path = "/x";
	assert_int_equal(tier_rule_of(&p, &s, NOW), -EIO);
	s.xattr = NULL;
	assert_int_equal(tier_rule_of(&p, &s, NOW), 3);
	p.n_rules = 3;
	assert_int_equal(tier_rule_of(&p, &s, NOW), -ENOENT);
}

static void test_action_names(void **state)
{
	assert_string_equal(tier_action_name(TIER_KEEP), "keep");
	assert_string_equal(tier_action_name(TIER_MOVE), "move");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_study),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_modality_padded),
		cmocka_unit_test(test_xattr),
		cmocka_unit_test(test_odd_times),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_action_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
