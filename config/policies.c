/* SPDX-License-Identifier: Apache-2.0 */
#include "config/policies.h"

#include <ctype.h>
#include <string.h>

#include "base/io.h"
#include "config/read.h"

/* ---- classes of rules ------------------------------------------------- */

static void policy_resolve_rule(struct config_diag *d,
				const struct tier_policy *p,
				struct tier_rule *rule,
				const struct config_node *n)
{
	const char *names[CONFIG_ITEMS_MAX], *near;
	size_t i;

	if (!rule->class_name)
		return;
	for (i = 0; i < p->n_classes; i++) {
		names[i] = p->classes[i].name ?: "";
		if (strcmp(names[i], rule->class_name) == 0) {
			rule->class = i;
			return;
		}
	}
	config_report_in(d, n, "for", "there is no file class '%s'",
			 rule->class_name);
	near = config_nearest(rule->class_name, names, i);
	if (near)
		config_suggest(d, "did you mean '%s'?", near);
	else
		config_suggest(d, "describe it in file_classes");
}

/* What a bound lets through, both ends included. */
struct range {
	int64_t low, high;
};

static struct range policy_range(const struct tier_bound *b)
{
	struct range r = { INT64_MIN, INT64_MAX };

	if (b->op == TIER_EQ || b->op == TIER_GE)
		r.low = b->value;
	if (b->op == TIER_EQ || b->op == TIER_LE)
		r.high = b->value;
	if (b->op == TIER_GT) /* an empty one at the end stays there */
		r.low = b->value < INT64_MAX ? b->value + 1 : INT64_MAX;
	if (b->op == TIER_LT)
		r.high = b->value - 1; /* values are not below 0 */
	return r;
}

/* Does what holds b always hold a? */
static bool policy_bound_covers(const struct tier_bound *a,
				const struct tier_bound *b)
{
	struct range ra = policy_range(a), rb = policy_range(b);

	return a->op == TIER_ANY ||
	       (b->op != TIER_ANY && ra.low <= rb.low && ra.high >= rb.high);
}

static bool policy_same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Does glob a match all that b does? Only what can be seen: "/pacs" with two
 * stars below it has all that begins with "/pacs/". */
static bool policy_glob_covers(const char *a, const char *b)
{
	size_t n = strcspn(a, "*?[\\");

	if (policy_same(a, b) || policy_same(a, "**"))
		return true;
	return n && a[n - 1] == '/' && policy_same(a + n, "**") &&
	       strncmp(a, b, n) == 0;
}

static bool policy_words_cover(const struct tier_words *a,
			       const struct tier_words *b,
			       bool (*covers)(const char *a, const char *b))
{
	size_t i, j;

	if (a->n && !b->n)
		return false;
	for (j = 0; a->n && j < b->n; j++) {
		for (i = 0; i < a->n && !covers(a->word[i], b->word[j]); i++)
			;
		if (i == a->n)
			return false;
	}
	return true;
}

/* Does class a have all files of b, whatever they are? */
static bool policy_class_covers(const struct tier_class *a,
				const struct tier_class *b)
{
	return policy_words_cover(&a->path, &b->path, policy_glob_covers) &&
	       policy_bound_covers(&a->size, &b->size) &&
	       policy_bound_covers(&a->last_access, &b->last_access) &&
	       policy_bound_covers(&a->last_modified, &b->last_modified) &&
	       policy_bound_covers(&a->created, &b->created) &&
	       policy_words_cover(&a->owner, &b->owner, policy_same) &&
	       policy_words_cover(&a->modality, &b->modality, policy_same) &&
	       policy_bound_covers(&a->study_date, &b->study_date) &&
	       policy_bound_covers(&a->study_age, &b->study_age) &&
	       policy_words_cover(&a->tier, &b->tier, policy_same) &&
	       policy_words_cover(&a->xattr, &b->xattr, policy_same);
}

/* The first rule that has a file holds: one behind another that has all of
 * its files never does. */
static void policy_check_order(struct config_diag *d,
			       const struct tier_policy *p,
			       const struct config_node *rules)
{
	size_t i, j;

	for (j = 0; j < p->n_rules; j++) {
		for (i = 0; i < j; i++)
			if (policy_class_covers(&p->classes[p->rules[i].class],
						&p->classes[p->rules[j].class]))
				break;
		if (i == j)
			continue;
		config_report_in(d, rules->child[j], "for",
				 "this rule never matches: the one for '%s' "
				 "before it has all files of '%s'",
				 p->rules[i].class_name,
				 p->rules[j].class_name);
		config_suggest(d, "put it before that one, or leave it out");
	}
}

/* A class of no condition would have every file: that is to be said. */
static void policy_check_classes(struct config_diag *d,
				 const struct config_node *classes)
{
	size_t i;

	for (i = 0; classes && i < classes->n; i++) {
		if (classes->child[i]->kind != CONFIG_NODE_MAP ||
		    classes->child[i]->n)
			continue;
		config_report(d, classes->child[i],
			      "a file class needs a condition");
		config_suggest(d, "for all files: {path: \"/**\"}");
	}
}

void config_policy_resolve(struct config_diag *d, struct tier_policy *p,
			   const struct config_node *n)
{
	const struct config_node *rules = config_node_get(n, "rules");
	size_t before = d->added, i;

	policy_check_classes(d, config_node_get(n, "file_classes"));
	for (i = 0; i < p->n_rules; i++)
		policy_resolve_rule(d, p, &p->rules[i], rules->child[i]);
	if (before == 0 && d->added == 0) /* all of it is known */
		policy_check_order(d, p, rules);
}

/* ---- tiers ------------------------------------------------------------ */

/* A policy, and who is asked for the tiers that it names. */
struct policy_use {
	struct config_diag *diag;
	const struct tier_policy *policy;
	const struct config_trust *trusts;
	size_t n_trusts;
	bool any; /* one of the trusts is enough */
};

static bool policy_has_tier(const struct config_trust *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n_tiers; i++)
		if (!t->tiers[i].name || strcmp(t->tiers[i].name, name) == 0)
			return true; /* what has no name was reported */
	return t->n_tiers == 0;
}

static void policy_no_tier(const struct policy_use *u,
			   const struct config_trust *t, const char *name,
			   const struct config_node *n)
{
	const char *names[CONFIG_TIERS_MAX], *near;
	size_t i;

	if (u->any && u->n_trusts > 1)
		config_report(u->diag, n, "no trust has a tier '%s'", name);
	else
		config_report(u->diag, n, "trust '%s' has no tier '%s'",
			      t->name ?: "", name);
	for (i = 0; i < t->n_tiers && i < CONFIG_TIERS_MAX; i++)
		names[i] = t->tiers[i].name ?: "";
	near = config_nearest(name, names, i);
	if (near)
		config_suggest(u->diag, "did you mean '%s'?", near);
	else
		config_suggest(u->diag, "add it to its tiers");
}

/* Says so for the first trust that lacks the tier. */
static void policy_check_tier(const struct policy_use *u, const char *name,
			      const struct config_node *n)
{
	const struct config_trust *lacks = NULL;
	size_t i;

	for (i = 0; i < u->n_trusts; i++) {
		const struct config_trust *t = &u->trusts[i];

		if (!u->any && t->policy != u->policy)
			continue;
		if (!policy_has_tier(t, name))
			lacks = lacks ?: t;
		else if (u->any)
			return;
	}
	if (lacks)
		policy_no_tier(u, lacks, name, n);
}

static void policy_check_class_tiers(const struct policy_use *u,
				     const struct tier_class *c,
				     const struct config_node *n)
{
	size_t i;

	n = config_node_get(n, "tier");
	for (i = 0; n && i < c->tier.n; i++)
		if (strcmp(c->tier.word[i], "local") != 0)
			policy_check_tier(
				u, c->tier.word[i],
				n->kind == CONFIG_NODE_LIST ? n->child[i] : n);
}

static void policy_check_tiers(const struct policy_use *u,
			       const struct config_node *n)
{
	const struct config_node *classes = config_node_get(n, "file_classes");
	const struct config_node *rules = config_node_get(n, "rules");
	const struct tier_policy *p = u->policy;
	size_t i;

	for (i = 0; i < p->n_classes; i++)
		policy_check_class_tiers(u, &p->classes[i], classes->child[i]);
	for (i = 0; i < p->n_rules; i++)
		if (p->rules[i].to)
			policy_check_tier(
				u, p->rules[i].to,
				config_node_get(rules->child[i], "to"));
}

static bool policy_is_used(const struct config *c, const struct tier_policy *p)
{
	size_t i;

	for (i = 0; i < c->n_trusts; i++)
		if (c->trusts[i].policy == p)
			return true;
	return false;
}

void config_check_policies(const struct config_check *k)
{
	const struct config *c = k->config;
	size_t i;

	for (i = 0; i < c->n_policies; i++) {
		const struct policy_use u = {
			.diag = k->diag,
			.policy = &c->policies[i],
			.trusts = c->trusts,
			.n_trusts = c->n_trusts,
			.any = !policy_is_used(c, &c->policies[i]),
		};

		policy_check_tiers(&u, config_check_node(k, "policies", i));
	}
}

/* ---- one policy alone ------------------------------------------------- */

void config_policy_owners_done(struct tier_policy *p)
{
	size_t i;

	for (i = 0; i < p->n_classes; i++) {
		free(p->classes[i].uid);
		p->classes[i].uid = NULL;
	}
}

void config_policy_done(struct tier_policy *p)
{
	config_policy_owners_done(p);
	config_section_done(&config_policy_keys, p);
	free(p->name);
	p->name = NULL;
}

static void policy_parse(struct config_diag *d, const struct config *c,
			 const struct config_trust *t,
			 const struct config_node *root, struct tier_policy *p)
{
	struct config_reader r = { .diag = d, .dir = "/", .config = c };
	struct policy_use u = { .diag = d,
				.policy = p,
				.trusts = t,
				.n_trusts = t != NULL,
				.any = true };

	config_read_section(&r, &config_policy_keys, root, p);
	config_policy_resolve(d, p, root);
	policy_check_tiers(&u, root);
}

/* No name of the config has a ':'. */
static char *policy_name(const char *path)
{
	const char *base = strrchr(path, '/');
	char *name = io_path("file:%.50s", base ? base + 1 : path), *p;

	for (p = name; p && *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-:", *p))
			*p = '_';
	return name;
}

int config_policy_parse(const struct config *c, const struct config_trust *t,
			const char *path, const char *text, size_t len,
			struct tier_policy *out,
			struct config_problems *problems)
{
	CLEANUP(config_node_free_guard) struct config_node *root = NULL;
	struct config_diag d = { .problems = problems, .file = path };
	struct tier_policy p = { 0 };

	if (config_node_parse(path, text, len, &d, &root) < 0)
		return -ENOMEM;
	if (root)
		policy_parse(&d, c, t, root, &p);
	p.name = policy_name(path);
	if (!p.name)
		d.rc = -ENOMEM;
	if (d.rc < 0 || d.added) {
		config_policy_done(&p);
		return d.rc < 0 ? d.rc : -EINVAL;
	}
	*out = p;
	return 0;
}

/* ---- owners ----------------------------------------------------------- */

static int policy_class_owners(struct tier_class *c,
			       void (*missing)(const char *class_name,
					       const char *user))
{
	uid_t *uid = calloc(c->owner.n + 1, sizeof(*uid));
	size_t i;

	if (!uid)
		return -ENOMEM;
	free(c->uid);
	c->uid = uid;
	for (i = 0; i < c->owner.n; i++) {
		if (config_uid(c->owner.word[i], &uid[i]) == 0)
			continue;
		uid[i] = (uid_t)-1; /* no file's */
		if (missing)
			missing(c->name, c->owner.word[i]);
	}
	return 0;
}

int config_policy_owners(struct tier_policy *p,
			 void (*missing)(const char *class_name,
					 const char *user))
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_classes; i++)
		rc = policy_class_owners(&p->classes[i], missing);
	return rc;
}
