/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a policy. */
#include "base/clock.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/shape.h"

#define DAY (SEC_PER_DAY * NSEC_PER_SEC)

/* All conditions of a class must hold. */
static const struct config_key class_keys[] = {
	{ .name = "path",
	  .type = CONFIG_ANY_WORDS,
	  .help = "Globs over the whole path, seen from the trust's top: * and "
		  "? stay within a name, ** crosses slashes.",
	  .pattern = CONFIG_GLOB_PATTERN,
	  .check = config_shape_glob,
	  CONFIG_FIELD(struct tier_class, path) },
	{ .name = "size",
	  .type = CONFIG_BOUND_SIZE,
	  .help = "Of a study, of all its files.",
	  CONFIG_FIELD(struct tier_class, size) },
	{ .name = "last_access",
	  .type = CONFIG_BOUND_AGE,
	  .help = "How long ago it was last read.",
	  CONFIG_FIELD(struct tier_class, last_access) },
	{ .name = "last_modified",
	  .type = CONFIG_BOUND_AGE,
	  .help = "How long ago it was last written.",
	  CONFIG_FIELD(struct tier_class, last_modified) },
	{ .name = "created",
	  .type = CONFIG_BOUND_AGE,
	  .help = "How long ago it came.",
	  CONFIG_FIELD(struct tier_class, created) },
	{ .name = "owner",
	  .type = CONFIG_ANY_ACCOUNTS,
	  .help = "Users that own it, by name or number.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct tier_class, owner) },
	{ .name = "modality",
	  .type = CONFIG_ANY_WORDS,
	  .help = "DICOM modalities, any of the study's. A file that is no "
		  "DICOM has none.",
	  .pattern = CONFIG_MODALITY_PATTERN,
	  .check = config_shape_modality,
	  CONFIG_FIELD(struct tier_class, modality) },
	{ .name = "study_date",
	  .type = CONFIG_BOUND_DATE,
	  .help = "Date of the DICOM study.",
	  CONFIG_FIELD(struct tier_class, study_date) },
	{ .name = "study_age",
	  .type = CONFIG_BOUND_AGE,
	  .help = "How long ago that was.",
	  CONFIG_FIELD(struct tier_class, study_age) },
	{ .name = "tier",
	  .type = CONFIG_ANY_WORDS,
	  .help = "Tiers that it lies in now. local: some of it is in the "
		  "cache.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct tier_class, tier) },
	{ .name = "xattr",
	  .type = CONFIG_ANY_WORDS,
	  .help = "Extended attributes: user.name must be there, "
		  "user.name=value must have that value.",
	  .pattern = CONFIG_XATTR_PATTERN,
	  .check = config_shape_xattr,
	  CONFIG_FIELD(struct tier_class, xattr) },
};

static const struct config_section class_section = {
	CONFIG_ROWS(class_keys),
	.size = sizeof(struct tier_class),
	.placeholder = "<class>",
	.name_offset = offsetof(struct tier_class, name),
	.name_pattern = CONFIG_NAME_PATTERN,
	.name_check = config_shape_name,
};

/* In the order of enum tier_action. */
static const char *const actions[] = { "keep",	 "pin",	 "evict",
				       "recall", "move", NULL };

static const struct config_key rule_keys[] = {
	{ .name = "do",
	  .type = CONFIG_CHOICE,
	  .required = true,
	  .help = "keep: nothing. pin: bring it back and keep it local. evict: "
		  "drop it from the cache. recall: bring it back. move: to "
		  "another tier.",
	  .choices = actions,
	  CONFIG_FIELD(struct tier_rule, action) },
	{ .name = "for",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .help = "One of file_classes.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct tier_rule, class_name) },
	{ .name = "to",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .only = "move",
	  .help = "One of the tiers of each trust that has this policy.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct tier_rule, to) },
	{ .name = "pin_for",
	  .type = CONFIG_DURATION,
	  .only = "pin",
	  .computed = "until it is unpinned",
	  .help = "How long, from the run on.",
	  .min = NSEC_PER_SEC * 60,
	  .max = 36500 * DAY,
	  CONFIG_FIELD(struct tier_rule, for_ns) },
};

static const struct config_section rule_section = {
	CONFIG_ROWS(rule_keys),		  .has_discriminator = true,
	.size = sizeof(struct tier_rule), .max_items = 100,
	.placeholder = "<rule>",
};

static const struct config_key trigger_keys[] = {
	{ .name = "schedule",
	  .type = CONFIG_SCHEDULE,
	  .help = "At this time, on these days or on all.",
	  .size = sizeof(struct tier_trigger) },
	{ .name = "cache_above",
	  .type = CONFIG_PERCENT,
	  .help = "When the cache is this full.",
	  .min = 1,
	  .max = 100,
	  CONFIG_FIELD(struct tier_trigger, cache_above) },
	{ .name = "unprotected_for",
	  .type = CONFIG_DURATION,
	  .help = "When a file has waited this long to be protected.",
	  .min = NSEC_PER_SEC * 60,
	  .max = 365 * DAY,
	  CONFIG_FIELD(struct tier_trigger, unprotected_ns) },
};

static const struct config_section trigger_section = {
	CONFIG_ROWS(trigger_keys),	     .exactly_one = true,
	.size = sizeof(struct tier_trigger), .max_items = 50,
	.placeholder = "<trigger>",
};

static const struct config_key limit_keys[] = {
	{ .name = "bytes",
	  .type = CONFIG_BYTES,
	  .computed = "no limit",
	  .help = "Bytes that change their place.",
	  .min = 1,
	  CONFIG_FIELD(struct tier_policy, limits.bytes) },
	{ .name = "files",
	  .type = CONFIG_NUMBER,
	  .computed = "no limit",
	  .help = "Files that do.",
	  .min = 1,
	  CONFIG_FIELD(struct tier_policy, limits.files) },
	{ .name = "requests",
	  .type = CONFIG_NUMBER,
	  .computed = "no limit",
	  .help = "Requests to stores.",
	  .min = 1,
	  CONFIG_FIELD(struct tier_policy, limits.requests) },
	{ .name = "money",
	  .type = CONFIG_AMOUNT,
	  .computed = "no limit",
	  .help = "What it costs once.",
	  CONFIG_FLAGGED(struct tier_policy, limits.money, limits.has_money) },
	{ .name = "rate",
	  .type = CONFIG_RATE,
	  .computed = "no limit",
	  .help = "Bytes a second, beside the trust's bandwidth.",
	  .min = 10000,
	  .max = INT64_C(1000000000000),
	  CONFIG_FIELD(struct tier_policy, limits.rate) },
};

static const struct config_section limits_section = { CONFIG_ROWS(limit_keys) };

static const struct config_key stop_keys[] = {
	{ .name = "errors",
	  .type = CONFIG_PERCENT,
	  .def = "1%",
	  .help = "A run stops when more than this share of its files failed. "
		  "0%: never.",
	  .max = 100,
	  CONFIG_FIELD(struct tier_policy, stop_errors) },
	{ .name = "minimum",
	  .type = CONFIG_NUMBER,
	  .def = "20",
	  .help = "But not before it has tried so many.",
	  CONFIG_FIELD(struct tier_policy, stop_minimum) },
};

static const struct config_section stop_section = { CONFIG_ROWS(stop_keys) };

static const struct config_key policy_keys[] = {
	{ .name = "file_classes",
	  .type = CONFIG_NAMED,
	  .required = true,
	  .help = "Files, by what is known of them. All conditions of a class "
		  "must hold, of a list any item. Of a DICOM study all files "
		  "belong to the same class.",
	  .section = &class_section,
	  CONFIG_MANY(struct tier_policy, classes, n_classes) },
	{ .name = "rules",
	  .type = CONFIG_ITEMS,
	  .required = true,
	  .help = "What is done with them: the first rule whose class has the "
		  "file. What no rule has stays as it is.",
	  .section = &rule_section,
	  CONFIG_MANY(struct tier_policy, rules, n_rules) },
	{ .name = "triggers",
	  .type = CONFIG_ITEMS,
	  .computed = "only by hand",
	  .help = "When it runs by itself.",
	  .section = &trigger_section,
	  CONFIG_MANY(struct tier_policy, triggers, n_triggers) },
	{ .name = "limits",
	  .type = CONFIG_SECTION,
	  .help = "Of one run. It stops there, and the next one goes on.",
	  .section = &limits_section },
	{ .name = "stop_on",
	  .type = CONFIG_SECTION,
	  .help = "When a run goes wrong.",
	  .section = &stop_section },
};

const struct config_section config_policy_keys = {
	CONFIG_ROWS(policy_keys),
	.size = sizeof(struct tier_policy),
	.placeholder = "<policy>",
	.name_offset = offsetof(struct tier_policy, name),
	.name_pattern = CONFIG_NAME_PATTERN,
	.name_check = config_shape_name,
};
