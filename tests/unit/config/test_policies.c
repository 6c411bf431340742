/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what a good one means, and each mistake with its place. */
#include "tests/unit/config/parse.h"

#include "base/clock.h"
#include "base/io.h"
#include "config/keys.h"

#define DAY (SEC_PER_DAY * NSEC_PER_SEC)

#define STORES                                                        \
	"version: 1\n"                                                \
	"stores:\n"                                                   \
	"  s: {kind: s3, endpoint: 'https://s.example'}\n"            \
	"trusts:\n"                                                   \
	"  rem:\n"                                                    \
	"    user: mersey-rem\n"                                      \
	"    key: {file: k}\n"                                        \
	"    credentials: {s: c}\n"                                   \
	"    tiers:\n"                                                \
	"      - {name: near, store: s, bucket: abc}\n"               \
	"      - {name: cool, store: s, bucket: abc, storage_class: " \
	"GLACIER_IR}\n"
#define USED STORES "    policy: p\n" /* 12 lines */
#define HEAD          \
	"policies:\n" \
	"  p:\n"      \
	"    file_classes:\n" /* 3 lines: 13 to 15 */
#define KEEP                       \
	"      all: {path: /**}\n" \
	"    rules: [{do: keep, for: all}]\n" /* 2 */

static const char all_of_it[] = USED HEAD
	"      scratch: {path: [/scratch/**, '**/*.tmp']}\n"
	"      recent: {last_access: < 30d}\n"
	"      priors:\n"
	"        path: /pacs/**\n"
	"        size: '>=64KiB'\n"
	"        last_access: '> 90d'\n"
	"        last_modified: '<=  2y'\n"
	"        created: '>= 1w'\n"
	"        owner: [1000, pacs]\n"
	"        modality: [CT, MR]\n"
	"        study_date: < 2020-01-31\n"
	"        study_age: '> 1y'\n"
	"        tier: [near, local]\n"
	"        xattr: [user.a, user.b=c=d, user.é]\n"
	"      exact: {size: == 5, study_date: = 2020-02-29}\n"
	"    rules:\n"
	"      - {for: scratch, do: keep}\n"
	"      - {for: recent, do: pin, pin_for: 30d}\n"
	"      - {for: priors, do: move, to: cool}\n"
	"      - {for: exact, do: evict}\n"
	"    triggers:\n"
	"      - {schedule: Mon-Fri 20:00}\n"
	"      - {schedule: 02:30}\n"
	"      - {cache_above: 90%}\n"
	"      - {unprotected_for: 30m}\n"
	"    limits: {bytes: 2TiB, files: 2000000, requests: 5000000000, "
	"money: £50, rate: 50MB/s}\n"
	"    stop_on: {errors: 5%, minimum: 3}\n"
	"  q:\n"
	"    file_classes: {all: {path: '**'}}\n"
	"    rules: [{for: all, do: recall}]\n"
	"    limits: {money: £0}\n";

static void assert_bound(const struct tier_bound *b, enum tier_compare op,
			 int64_t value)
{
	assert_int_equal(b->op, op);
	assert_true(b->value == value);
}

static void test_classes(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(all_of_it);
	const struct tier_class *k = &c->policies[0].classes[0];

	assert_int_equal(c->n_policies, 2);
	assert_string_equal(c->policies[0].name, "p");
	assert_ptr_equal(c->trusts[0].policy, &c->policies[0]);
	assert_int_equal(c->policies[0].n_classes, 4);
	assert_string_equal(k[0].name, "scratch");
	assert_int_equal(k[0].path.n, 2);
	assert_string_equal(k[0].path.word[1], "**/*.tmp");
	assert_int_equal(k[0].size.op, TIER_ANY);
	assert_bound(&k[1].last_access, TIER_LT, 30 * DAY);
	assert_int_equal(k[2].path.n, 1);
	assert_bound(&k[2].size, TIER_GE, 65536);
	assert_bound(&k[2].last_access, TIER_GT, 90 * DAY);
	assert_bound(&k[2].last_modified, TIER_LE, 730 * DAY);
	assert_bound(&k[2].created, TIER_GE, 7 * DAY);
	assert_bound(&k[2].study_date, TIER_LT, 18292);
	assert_bound(&k[2].study_age, TIER_GT, 365 * DAY);
	assert_int_equal(k[2].owner.n, 2);
	assert_string_equal(k[2].owner.word[0], "1000");
	assert_null(k[2].uid);
	assert_string_equal(k[2].modality.word[1], "MR");
	assert_string_equal(k[2].tier.word[1], "local");
	assert_string_equal(k[2].xattr.word[1], "user.b=c=d");
	assert_bound(&k[3].size, TIER_EQ, 5);
	assert_bound(&k[3].study_date, TIER_EQ, 18321);
}

static void test_rules(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(all_of_it);
	const struct tier_policy *p = &c->policies[0], *q = &c->policies[1];

	assert_int_equal(p->n_rules, 4);
	assert_int_equal(p->rules[0].action, TIER_KEEP);
	assert_int_equal(p->rules[0].class, 0);
	assert_null(p->rules[0].to);
	assert_int_equal(p->rules[1].action, TIER_PIN);
	assert_true(p->rules[1].for_ns == 30 * DAY);
	assert_int_equal(p->rules[2].action, TIER_MOVE);
	assert_int_equal(p->rules[2].class, 2);
	assert_string_equal(p->rules[2].to, "cool");
	assert_int_equal(p->rules[3].action, TIER_EVICT);
	assert_int_equal(q->rules[0].action, TIER_RECALL);
	assert_int_equal(p->n_triggers, 4);
	assert_true(p->triggers[0].scheduled);
	assert_int_equal(p->triggers[0].days, 0x3e);
	assert_int_equal(p->triggers[0].minute, 20 * 60);
	assert_int_equal(p->triggers[1].days, 0x7f);
	assert_int_equal(p->triggers[1].minute, 150);
	assert_false(p->triggers[2].scheduled);
	assert_int_equal(p->triggers[2].cache_above, 90);
	assert_true(p->triggers[3].unprotected_ns == 1800 * NSEC_PER_SEC);
	assert_true(p->limits.bytes == 2ULL << 40);
	assert_true(p->limits.files == 2000000);
	assert_true(p->limits.requests == 5000000000);
	assert_true(p->limits.has_money);
	assert_true(p->limits.money == 50 * MONEY_UNIT);
	assert_int_equal(p->limits.rate, 50000000);
	assert_int_equal(p->stop_errors, 5);
	assert_int_equal(p->stop_minimum, 3);
	assert_int_equal(q->n_triggers, 0);
	assert_true(q->limits.has_money && q->limits.money == 0);
	assert_true(q->limits.bytes == 0 && q->limits.files == 0);
	assert_int_equal(q->stop_errors, 1);
	assert_int_equal(q->stop_minimum, 20);
}

/* What is shown loads again, and a trust's view has its policy alone. */
static void test_shown(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(all_of_it);
	CLEANUP(config_free_guard) struct config *again = NULL;
	CLEANUP_BUF struct buf one = { 0 }, two = { 0 }, rem = { 0 };
	const char *text;

	assert_int_equal(config_show_yaml(c, NULL, &one), 0);
	text = buf_str(&one);
	again = parse_good(text);
	assert_int_equal(config_show_yaml(again, NULL, &two), 0);
	assert_string_equal(text, buf_str(&two));
	assert_non_null(strstr(text, "path: \"**\"\n"));
	assert_non_null(strstr(text, "last_access: \"> 90d\"\n"));
	assert_non_null(strstr(text, "last_modified: \"<= 2y\"\n"));
	assert_non_null(strstr(text, "created: \">= 1w\"\n"));
	assert_non_null(strstr(text, "size: \"= 5B\"\n"));
	assert_non_null(strstr(text, "study_date: \"< 2020-01-31\"\n"));
	assert_non_null(strstr(text, "- schedule: \"Mon-Fri 20:00\"\n"));
	assert_non_null(strstr(text, "- schedule: \"02:30\"\n"));
	assert_non_null(strstr(text, "money: £50\n"));
	assert_non_null(strstr(text, "requests: 5000000000\n"));
	assert_non_null(strstr(text, "policy: p\n"));
	assert_null(strstr(text, "cache_above: 0%"));
	assert_int_equal(config_show_yaml(c, "rem", &rem), 0);
	assert_non_null(strstr(buf_str(&rem), "  p:\n"));
	assert_null(strstr(buf_str(&rem), "  q:\n"));
}

#define AGE                                                              \
	" | write a bound in quotes, such as \"> 90d\" (longer ago) or " \
	"\"< 30d\"\n"
#define SIZE " | write a bound in quotes, such as \">= 64KiB\"\n"
#define DATE " | write a bound in quotes, such as \"< 2020-01-31\"\n"

/* Wrong conditions, in the order of the file. */
static void test_conditions(void **state)
{
	assert_problems(
		USED HEAD "      a: {last_access: 90d}\n"
			  "      b: {last_access: '> 90'}\n"
			  "      c: {created: = 90d}\n"
			  "      d: {size: '> 90d'}\n"
			  "      e: {size: '!= 5'}\n"
			  "      f: {study_date: < 2020-02-30}\n"
			  "      g: {study_date: < 90d}\n"
			  "      h: {last_acces: < 9d}\n"
			  "      i: {modality: ct}\n" KEEP,
		"16:24 policies.p.file_classes.a.last_access: "
		"'last_access' must begin with <, <=, =, >= or >, not '90d'" AGE
		"17:24 policies.p.file_classes.b.last_access: "
		"'last_access' must have a duration behind the sign, not "
		"'> 90'" AGE
		"18:20 policies.p.file_classes.c.created: 'created' must "
		"be more or less than an age: none is ever exact, not '= "
		"90d'" AGE
		"19:17 policies.p.file_classes.d.size: 'size' must have a "
		"size behind the sign, not '> 90d'" SIZE
		"20:17 policies.p.file_classes.e.size: 'size' must begin "
		"with <, <=, =, >= or >, not '!= 5'" SIZE
		"21:23 policies.p.file_classes.f.study_date: 'study_date' "
		"must have a date that exists behind the sign, not '< "
		"2020-02-30'" DATE
		"22:23 policies.p.file_classes.g.study_date: 'study_date' "
		"must have a date that exists behind the sign, not '< 90d'" DATE
		"23:11 policies.p.file_classes.h.last_acces: unknown key "
		"'last_acces' | did you mean 'last_access'?\n"
		"24:21 policies.p.file_classes.i.modality: 'modality' must "
		"be 1 to 16 capital letters, digits and '_', such as CT, "
		"not 'ct'\n");
}

static void test_globs(void **state)
{
	assert_problems(
		USED HEAD
		"      a: {path: scratch/**}\n"
		"      b: {path: [/pacs/, '/a[b', '/a//b', '/a/../b']}\n"
		"      c: {path: []}\n"
		"      d: {path: {a: b}}\n"
		"      e: {}\n"
		"      f: {xattr: trusted.x}\n" KEEP,
		"16:17 policies.p.file_classes.a.path: 'path' must begin "
		"with '/' or '**', not 'scratch/**'\n"
		"17:18 policies.p.file_classes.b.path[0]: 'path' must not "
		"end with '/': what lies below is '/**', not '/pacs/'\n"
		"17:26 policies.p.file_classes.b.path[1]: 'path' must have "
		"a ']' for each '[', not '/a[b'\n"
		"17:34 policies.p.file_classes.b.path[2]: 'path' must not "
		"have empty parts, '.' or '..', not '/a//b'\n"
		"17:43 policies.p.file_classes.b.path[3]: 'path' must not "
		"have empty parts, '.' or '..', not '/a/../b'\n"
		"18:17 policies.p.file_classes.c.path: 'path' is empty\n"
		"19:17 policies.p.file_classes.d.path: 'path' must be one "
		"value (text), not a map | write text\n"
		"20:10 policies.p.file_classes.e: a file class needs a "
		"condition | for all files: {path: \"/**\"}\n"
		"21:18 policies.p.file_classes.f.xattr: 'xattr' must be "
		"user.name or user.name=value, not 'trusted.x'\n");
}

static void test_wrong_rules(void **state)
{
	assert_problems(
		USED HEAD "      priors: {path: /**}\n"
			  "    rules:\n"
			  "      - {for: prior, do: keep}\n"
			  "      - {for: other, do: keep}\n"
			  "      - {for: priors, do: mov, to: cool}\n"
			  "      - {for: priors, do: move}\n"
			  "      - {for: priors, do: keep, to: cool}\n"
			  "      - {do: evict}\n"
			  "      - {for: priors, do: evict, pin_for: 5d}\n"
			  "      - {for: priors, do: move, to: coool}\n"
			  "      - {for: priors}\n",
		"18:15 policies.p.rules[0].for: there is no file class "
		"'prior' | did you mean 'priors'?\n"
		"19:15 policies.p.rules[1].for: there is no file class "
		"'other' | describe it in file_classes\n"
		"20:27 policies.p.rules[2].do: 'do' must be one of keep, "
		"pin, evict, recall, move, not 'mov' | did you mean "
		"'move'?\n"
		"21:9 policies.p.rules[3].to: required key 'to' is missing "
		"| to: One of the tiers of each trust that has this "
		"policy.\n"
		"22:33 policies.p.rules[4].to: 'to' is only for 'do: move' "
		"| leave it out, or change 'do'\n"
		"23:9 policies.p.rules[5].for: required key 'for' is "
		"missing | for: One of file_classes.\n"
		"24:34 policies.p.rules[6].pin_for: 'pin_for' is only for "
		"'do: pin' | leave it out, or change 'do'\n"
		"25:37 policies.p.rules[7].to: trust 'rem' has no tier "
		"'coool' | did you mean 'cool'?\n"
		"26:9 policies.p.rules[8].do: required key 'do' is missing "
		"| do: keep: nothing. pin: bring it back and keep it "
		"local. evict: drop it from the cache. recall: bring it "
		"back. move: to another tier.\n");
}

/* The tiers of each trust that uses the policy; else of any. */
static void test_tiers(void **state)
{
	static const char rbq[] =
		"  rbq:\n"
		"    user: mersey-rbq\n"
		"    key: {file: kk}\n"
		"    credentials: {s: cc}\n"
		"    tiers: [{name: near, store: s, bucket: def}]\n";
	static const char policy[] = HEAD
		"      all: {path: /**, tier: [near, local, coo]}\n"
		"    rules: [{for: all, do: move, to: cool}]\n";
	CLEANUP_BUF struct buf b = { 0 };

	buf_addf(&b, STORES "    policy: p\n%s    policy: p\n%s", rbq, policy);
	assert_problems(
		buf_str(&b),
		"22:44 policies.p.file_classes.all.tier[2]: trust 'rem' has no "
		"tier 'coo' | did you mean 'cool'?\n"
		"23:38 policies.p.rules[0].to: trust 'rbq' has no tier 'cool' "
		"| add it to its tiers\n");
	b.len = 0;
	buf_addf(&b, STORES "%s%s", rbq, policy);
	assert_problems(buf_str(&b),
			"20:44 policies.p.file_classes.all.tier[2]: no trust "
			"has a tier 'coo' | did you mean 'cool'?\n");
	assert_problems(STORES "    policy: q\n" HEAD KEEP,
			"12:13 trusts.rem.policy: 'policy' must be one of "
			"'policies', not 'q' | write the name of one of "
			"'policies'\n");
}

static void test_rest(void **state)
{
	assert_problems(
		USED HEAD KEEP
		"    triggers:\n"
		"      - {schedule: Mon-Fri}\n"
		"      - {schedule: 24:00}\n"
		"      - {cache_above: 0%}\n"
		"      - {cache_above: 90%, unprotected_for: 1h}\n"
		"      - {}\n"
		"    limits: {files: 0, money: $5, bytes: 5, rat: 5MB/s}\n"
		"    stop_on: {errors: 101%, minimum: x}\n",
		"19:20 policies.p.triggers[0].schedule: 'schedule' must be "
		"days and a time, not 'Mon-Fri' | write a time, with days "
		"before it or not, such as \"Mon-Fri 20:00\"\n"
		"20:20 policies.p.triggers[1].schedule: 'schedule' must be "
		"days and a time, not '24:00' | write a time, with days before "
		"it or not, such as \"Mon-Fri 20:00\"\n"
		"21:23 policies.p.triggers[2].cache_above: 'cache_above' must "
		"be from 1% to 100%, not '0%' | write a share such as 85%\n"
		"22:9 policies.p.triggers[3]: exactly one of 'schedule', "
		"'cache_above', 'unprotected_for' must be there\n"
		"23:9 policies.p.triggers[4]: exactly one of 'schedule', "
		"'cache_above', 'unprotected_for' must be there\n"
		"24:21 policies.p.limits.files: 'files' must be at least 1, "
		"not '0' | write a whole number, without quotes\n"
		"24:31 policies.p.limits.money: 'money' must be in GBP, as "
		"reports are, not '$5' | write an amount in the currency of "
		"reports, such as £50\n"
		"24:45 policies.p.limits.rat: unknown key 'rat' | did you mean "
		"'rate'?\n"
		"25:23 policies.p.stop_on.errors: 'errors' must be at most "
		"100%, not '101%' | write a share such as 85%\n"
		"25:38 policies.p.stop_on.minimum: 'minimum' must be a number, "
		"not 'x' | write a whole number, without quotes\n");
	assert_problems(USED "policies: {p: {}}\n",
			"13:12 policies.p.file_classes: required key "
			"'file_classes' is missing | file_classes: Files, by "
			"what is known of them. All conditions of a class must "
			"hold, of a list any item. Of a DICOM study all files "
			"belong to the same class.\n"
			"13:12 policies.p.rules: required key 'rules' is "
			"missing | rules: What is done with them: the first "
			"rule whose class has the file. What no rule has stays "
			"as it is.\n");
	assert_problems(STORES "policies: {}\n",
			"12:11 policies: 'policies' must be a map of <policy> "
			"with their keys\n");
}

static void test_too_many(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;

	buf_addf(&b, USED HEAD "      a: {path: [/a");
	for (i = 0; i < 200; i++)
		buf_addf(&b, ", /a");
	buf_addf(&b, "]}\n    rules: [{for: a, do: keep}\n");
	for (i = 0; i < 100; i++)
		buf_addf(&b, "      , {for: a, do: keep}\n");
	buf_addf(&b, "      ]\n");
	assert_problems(buf_str(&b),
			"16:818 policies.p.file_classes.a.path[200]: 'path' "
			"can have 200 items at most\n"
			"117:9 policies.p.rules[100]: 'rules' can have 100 "
			"items at most\n");
}

/* Rules for two classes: does the first take all of the second? */
static void assert_covered(const char *a, const char *b, bool want)
{
	CLEANUP_BUF struct buf text = { 0 };

	buf_addf(&text,
		 USED HEAD "      a: {%s}\n"
			   "      b: {%s}\n"
			   "    rules:\n"
			   "      - {for: a, do: keep}\n"
			   "      - {for: b, do: evict}\n",
		 a, b);
	assert_problems(buf_str(&text),
			want ? "20:15 policies.p.rules[1].for: this rule never "
			       "matches: the one for 'a' before it has all "
			       "files of 'b' | put it before that one, or "
			       "leave it out\n"
			     : "");
}

static void test_order(void **state)
{
	assert_covered("path: /**", "path: /x/*.y", true);
	assert_covered("path: '**'", "size: '> 5'", false); /* no path */
	assert_covered("path: /a/**", "path: [/a/b, '/a/*/c']", true);
	assert_covered("path: /a/**", "path: [/a/b, /b]", false);
	assert_covered("path: /a/**", "path: /a", false);
	assert_covered("path: /a/**", "path: '/[a]/b'", false);
	assert_covered("path: /a*/**", "path: /ab/c", false); /* not seen */
	assert_covered("path: [/x, /y]", "path: /y, size: '> 5'", true);
	assert_covered("path: /x, size: '> 5'", "path: /x", false);
	assert_covered("size: '> 5'", "size: '>= 6'", true);
	assert_covered("size: '> 5'", "size: '>= 5'", false);
	assert_covered("size: '>= 5'", "size: = 5", true);
	assert_covered("size: < 5", "size: <= 4", true);
	assert_covered("size: < 5", "size: <= 5", false);
	assert_covered("size: = 5", "size: '>= 5'", false);
	assert_covered("last_access: '> 90d'", "last_access: '> 2y'", true);
	assert_covered("last_access: '> 2y'", "last_access: '> 90d'", false);
	assert_covered("last_access: '> 90d'", "created: '> 2y'", false);
	assert_covered("modality: [CT, MR]", "modality: MR, tier: near", true);
	assert_covered("modality: [CT, MR]", "modality: [MR, XA]", false);
	assert_covered("owner: pacs", "owner: pacs, xattr: user.a", true);
	assert_covered("xattr: user.a=b", "xattr: user.a", false);
	/* a class that comes twice */
	assert_problems(USED HEAD
			"      a: {size: = 0}\n"
			"    rules: [{for: a, do: keep}, {for: a, do: pin}]\n",
			"17:39 policies.p.rules[1].for: this rule never "
			"matches: the one for 'a' before it has all files of "
			"'a' | put it before that one, or leave it out\n");
}

/* A file of its own: `tier plan --policy FILE`. */
static int parse_alone(const struct config *c, const char *text,
		       struct tier_policy *p, struct buf *problems)
{
	struct config_problems ps = { 0 };
	int rc = config_policy_parse(c, c->trusts, "/tmp/try.yaml", text,
				     strlen(text), p, &ps);

	problems_text(&ps, problems);
	config_problems_done(&ps);
	return rc;
}

static void test_alone(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(all_of_it);
	CLEANUP_BUF struct buf none = { 0 }, b = { 0 };
	struct tier_policy p = { 0 };

	assert_int_equal(parse_alone(c,
				     "file_classes: {a: {owner: [0, 7]}}\n"
				     "rules: [{for: a, do: move, to: cool}]\n",
				     &p, &none),
			 0);
	assert_int_equal(none.len, 0);
	assert_string_equal(p.name, "file:try.yaml");
	assert_string_equal(p.rules[0].to, "cool");
	assert_int_equal(config_policy_owners(&p, NULL), 0);
	assert_int_equal(config_policy_owners(&p, NULL), 0); /* again */
	assert_int_equal(p.classes[0].uid[0], 0);
	assert_int_equal(p.classes[0].uid[1], 7);
	config_policy_done(&p);
	assert_int_equal(parse_alone(c,
				     "file_classes: {a: {size: = 1}}\n"
				     "rules: [{for: b, do: move, to: warm}]\n",
				     &p, &b),
			 -EINVAL);
	assert_string_equal(
		buf_str(&b),
		"2:15 rules[0].for: there is no file class 'b' | describe it "
		"in file_classes\n"
		"2:32 rules[0].to: trust 'rem' has no tier 'warm' | add it to "
		"its tiers\n");
	assert_int_equal(parse_alone(c, "[]", &p, &none), -EINVAL);
	assert_int_equal(parse_alone(c, "", &p, &none), -EINVAL);
	assert_int_equal(parse_alone(c, "a: [", &p, &none), -EINVAL);
}

static unsigned missed;

static void miss(const char *class_name, const char *user)
{
	assert_string_equal(class_name, "a");
	assert_string_equal(user, "no-such-user");
	missed++;
}

static void test_owners(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		USED HEAD "      a: {owner: [root, no-such-user, 12]}\n"
			  "    rules: [{for: a, do: keep}]\n");
	const struct tier_class *a = &c->policies[0].classes[0];

	missed = 0;
	assert_int_equal(config_policy_owners(c->policies, miss), 0);
	assert_int_equal(missed, 1);
	assert_int_equal(a->uid[0], 0);
	assert_true(a->uid[1] == (uid_t)-1);
	assert_int_equal(a->uid[2], 12);
}

/* ---- mersey-policy(7) -------------------------------------------------- */

static const char *source_root;

/* Each key has its paragraph there. */
static void assert_described(const struct config_section *s, const char *page)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		CLEANUP_FREE char *word = io_path("Ic %s\n", s->keys[i].name);

		if (!strstr(page, word))
			print_error("no '%s' in the page\n", s->keys[i].name);
		assert_non_null(strstr(page, word));
		if (s->keys[i].section)
			assert_described(s->keys[i].section, page);
	}
}

static void test_page(void **state)
{
	static const char begin[] = ".Bd -literal -offset indent\n";
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		STORES "      - {name: archive, store: s, bucket: abc, "
		       "storage_class: GLACIER}\n");
	CLEANUP_FREE char *path =
		io_path("%s/man/mersey-policy.7", source_root);
	CLEANUP_BUF struct buf page = { 0 };
	const char *p;
	size_t n = 0;

	assert_int_equal(io_read_file(path, 1 << 20, &page), 0);
	assert_described(&config_policy_keys, buf_str(&page));
	for (p = buf_str(&page); (p = strstr(p, begin)); p++) {
		const char *text = p + strlen(begin);
		CLEANUP_FREE char *copy =
			strndup(text, (size_t)(strstr(text, ".Ed\n") - text));
		CLEANUP_BUF struct buf problems = { 0 };
		struct tier_policy policy = { 0 };

		if (strncmp(copy, "file_classes:", 13) != 0)
			continue;
		n++;
		parse_alone(c, copy, &policy, &problems);
		assert_string_equal(buf_str(&problems) ?: "", "");
		config_policy_done(&policy);
	}
	assert_int_equal(n, 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_wrong_rules),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_page),
	};

	source_root = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
