/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, looked at: tiers, plans, and which rule a file has. */
#include "ctl/tier_json.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ctl/money.h"

#define TIERS_TOTALS 64
#define COUNT_MAX    200000U /* files; more take too long to be counted */

int ctl_tier(struct ctl_call *c)
{
	if (c->w->policies)
		return 0;
	return fail(&c->err, -ENOTSUP, "this worker has no policies");
}

/* One that the config does not have: the client sent it. */
static int policy_sent(struct ctl_call *c, const char *name, const char *text,
		       const struct tier_policy **out)
{
	int rc;

	if (!c->w->policy_parse)
		return fail(&c->err, -ENOTSUP,
			    "this worker takes no policies from files");
	c->policy = calloc(1, sizeof(*c->policy));
	if (!c->policy)
		return -ENOMEM;
	rc = c->w->policy_parse(c->w->policy_arg, name ? name : "", text,
				c->policy, &c->err);
	*out = c->policy;
	return rc;
}

void ctl_tier_done(struct ctl_call *c)
{
	if (c->policy)
		c->w->policy_done(c->policy);
	free(c->policy);
	c->policy = NULL;
}

int ctl_tier_policy(struct ctl_call *c, const struct tier_policy **out)
{
	const char *name = ctl_text(c, "policy");
	const char *text = ctl_text(c, "policy_text");

	if (text)
		return policy_sent(c, name, text, out);
	*out = tier_policy_find(c->w->policies, name);
	if (*out)
		return 0;
	if (name) {
		fail(&c->err, -EINVAL, "there is no policy '%s'", name);
		return fail_hint(&c->err, -EINVAL, "mersey config show");
	}
	fail(&c->err, -ENOTSUP, "trust '%s' has no policy", c->w->trust);
	return fail_hint(&c->err, -ENOTSUP, "name one: --policy");
}

/* ---- JSON of plans ----------------------------------------------------------
 */

json_t *ctl_tier_money(const struct ctl_call *c, money_t m)
{
	return ctl_money(m, tier_opts_of(c->w->policies)->exchange->currency);
}

/* null: never. */
static json_t *days(double d)
{
	return d < 0 ? json_null() : json_real(d);
}

static json_t *move_json(const struct ctl_call *c, const struct tier_move *m)
{
	return json_pack(
		"{s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"rule", (int)m->rule + 1, "for", proto_text(m->class_name),
		"do", tier_action_name(m->action), "from", proto_text(m->from),
		"to", proto_text(m->to), "studies", proto_count(m->studies),
		"files", proto_count(m->files), "bytes", proto_count(m->bytes),
		"requests", proto_count(m->requests), "once",
		ctl_tier_money(c, m->once), "per_month",
		ctl_tier_money(c, m->per_month), "break_even_days",
		days(m->break_even_days));
}

/* Appends what `one` makes of each of n; NULL without memory. */
#define LIST(n, i, one)                                              \
	({                                                           \
		json_t *list_ = json_array();                        \
		size_t i;                                            \
		for (i = 0; list_ && i < (n); i++)                   \
			if (json_array_append_new(list_, one) < 0) { \
				json_decref(list_);                  \
				list_ = NULL;                        \
			}                                            \
		list_;                                               \
	})

static json_t *totals_json(const struct ctl_call *c, const struct tier_plan *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "studies",
			 proto_count(p->studies), "files",
			 proto_count(p->files), "bytes", proto_count(p->bytes),
			 "requests", proto_count(p->requests), "once",
			 ctl_tier_money(c, p->once), "per_month",
			 ctl_tier_money(c, p->per_month), "break_even_days",
			 days(p->break_even_days));
}

static json_t *penalty_json(const struct ctl_call *c,
			    const struct tier_penalty *p)
{
	return json_pack("{s:s, s:s, s:o}", "tier", p->tier, "penalty", p->what,
			 "amount", ctl_tier_money(c, p->amount));
}

json_t *ctl_tier_plan(const struct ctl_call *c, const struct tier_plan *p)
{
	return json_pack(
		"{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o},"
		" s:o, s:o}",
		"plan", proto_text(p->name), "trust", c->w->trust, "policy",
		p->policy, "created_at", proto_time(p->made_ns), "moves",
		LIST(p->n_moves, i, move_json(c, &p->moves[i])), "totals",
		totals_json(c, p), "duration_seconds",
		json_integer(p->duration_seconds), "rate_bytes_per_second",
		proto_count(p->rate), "penalties",
		LIST(p->n_penalties, k, penalty_json(c, &p->penalties[k])),
		"expected_recalls", "count", proto_count(p->expected_recalls),
		"cost", ctl_tier_money(c, p->expected_recalls_cost),
		"assumptions",
		LIST(p->n_assumptions, a, json_string(p->assumptions[a])),
		"unconfirmed",
		LIST(p->n_unconfirmed, u, json_string(p->unconfirmed[u])));
}

/* ---- tier plan --------------------------------------------------------------
 */

/* False when the client has left. */
static bool plan_tick(void *arg, uint64_t files)
{
	struct ctl_call *c = arg;

	return !ctl_gone(c) &&
	       ctl_progress(
		       c, json_pack("{s:o}", "files", proto_count(files))) == 0;
}

int ctl_verb_tier_plan(struct ctl_call *c, json_t *result)
{
	CLEANUP(tier_plan_done) struct tier_plan p = { .n_moves = 0 };
	CLEANUP_JSON json_t *o = NULL;
	const struct tier_policy *policy = NULL;
	int rc = ctl_tier(c);

	if (rc == 0)
		rc = ctl_tier_policy(c, &policy);
	if (rc == 0)
		rc = ctl_flag(c, "dry_run")
			     ? tier_plan_ask(c->w->policies, policy, plan_tick,
					     c, &p, &c->err)
			     : tier_plan_make(c->w->policies, policy, plan_tick,
					      c, &p, &c->err);
	if (rc < 0)
		return rc;
	o = ctl_tier_plan(c, &p);
	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

/* ---- tier explain
 * ------------------------------------------------------------ */

static json_t *reason_json(const struct tier_reason *r)
{
	return json_pack("{s:s, s:o, s:o, s:b}", "key", r->key, "wanted",
			 proto_text(r->wanted), "value", proto_text(r->value),
			 "result", r->holds);
}

static json_t *rule_json(size_t index, const struct tier_explained_rule *r)
{
	return json_pack("{s:i, s:s, s:s, s:o, s:b, s:o}", "index",
			 (int)index + 1, "for", r->class_name, "do",
			 tier_action_name(r->action), "to", proto_text(r->to),
			 "result", r->holds, "conditions",
			 LIST(r->n_reasons, i, reason_json(&r->reason[i])));
}

static int explain_json(const struct tier_explained *e, json_t *result)
{
	CLEANUP_JSON json_t *o = json_pack(
		"{s:s, s:b, s:o, s:o, s:o, s:o}", "policy", e->policy, "study",
		e->study, "files", proto_count(e->files), "matched",
		e->matched < 0 ? json_null() : json_integer(e->matched + 1),
		"unchanged", proto_text(e->unchanged), "rules",
		LIST(e->n_rules, i, rule_json(i, &e->rule[i])));

	return o && json_object_update(result, o) == 0 ? 0 : -ENOMEM;
}

static int explain_inode(struct ctl_call *c, const struct buf *path,
			 uint64_t *ino)
{
	struct meta_inode in = { 0 };
	META_TXN(t);
	int rc = meta_look(c->w->meta, &t);

	if (rc == 0)
		rc = meta_resolve(&t, path->len ? (char *)path->data : "",
				  path->len, ino);
	if (rc == 0)
		rc = meta_inode_get(&t, *ino, &in);
	return rc == 0 && !S_ISREG(in.mode) ? -EISDIR : rc;
}

int ctl_verb_tier_explain(struct ctl_call *c, json_t *result)
{
	CLEANUP(tier_explained_done) struct tier_explained e = { .files = 0 };
	CLEANUP_BUF struct buf path = { 0 };
	const struct tier_policy *policy = NULL;
	uint64_t ino = 0;
	int rc = ctl_tier(c);

	if (rc == 0 && ctl_paths(c) != 1)
		rc = fail(&c->err, -EINVAL, "one path at a time");
	if (rc == 0)
		rc = ctl_tier_policy(c, &policy);
	if (rc == 0)
		rc = ctl_path(c, 0, &path);
	if (rc < 0)
		return rc;
	cache_settle(c->w->cache); /* what was read a moment ago, too */
	rc = explain_inode(c, &path, &ino);
	if (rc == -EISDIR)
		return fail(&c->err, rc,
			    "'%s' is no file: rules are about files",
			    buf_str(&path));
	if (rc == 0)
		rc = tier_explain(c->w->policies, policy, ino, &e, &c->err);
	if (rc < 0)
		return c->err.msg[0]
			       ? rc
			       : fail(&c->err, rc, "'%s': %m", buf_str(&path));
	rc = proto_set_path(result, path.data, path.len);
	return rc < 0 ? rc : explain_json(&e, result);
}

/* ---- tier list --------------------------------------------------------------
 */

struct tiers {
	struct ctl_call *c;
	struct meta_pack_totals held[TIERS_TOTALS];
	int n_held;
	struct meta_totals totals;
	uint64_t files[MOVE_TIERS_MAX];
	bool counted;
};

static int tiers_read(struct tiers *t)
{
	META_TXN(x);
	int rc = meta_look(t->c->w->meta, &x);

	if (rc == 0)
		rc = meta_totals(&x, &t->totals);
	if (rc < 0)
		return rc;
	t->n_held = meta_pack_totals(&x, t->held, TIERS_TOTALS);
	return MIN(t->n_held, 0);
}

/* Files by the tier that they are in; when there are not too many. */
static int tiers_count(struct tiers *t)
{
	if (t->totals.files > COUNT_MAX)
		return 0;
	t->counted = true;
	return tier_count_files(t->c->w->policies, t->files);
}

static void tiers_held(const struct tiers *t, const char *tier,
		       struct meta_pack_totals *out)
{
	int i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < MIN(t->n_held, TIERS_TOTALS); i++) {
		if (strcmp(t->held[i].tier, tier) != 0)
			continue;
		out->objects += t->held[i].objects;
		out->bytes += t->held[i].bytes;
		out->billed += t->held[i].billed;
	}
}

/* null: the price table does not say. */
static json_t *tiers_month(struct tiers *t, size_t i,
			   const struct meta_pack_totals *held)
{
	const struct tier_opts *o = tier_opts_of(t->c->w->policies);
	money_t m;

	if (!o->tier[i].class ||
	    tier_month(t->c->w->policies, i, held->objects, held->bytes,
		       held->billed, &m, &t->c->err) < 0)
		return json_null();
	return ctl_tier_money(t->c, m);
}

/* How long a restore takes; null: none is needed. */
static json_t *tiers_recall(const struct tier_terms *a)
{
	if (!a->archive || !a->class)
		return json_null();
	return json_integer(a->class->recall[PRICE_STANDARD].takes_ns /
			    NSEC_PER_SEC);
}

static json_t *tier_json(struct tiers *t, size_t i)
{
	const struct tier_terms *a = &tier_opts_of(t->c->w->policies)->tier[i];
	const char *class = a->storage_class;
	struct meta_pack_totals held;

	tiers_held(t, a->name, &held);
	return json_pack(
		"{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
		"trust", t->c->w->trust, "tier", a->name, "store",
		proto_text(a->store), "bucket", proto_text(a->bucket),
		"storage_class", class && class[0] ? class : "STANDARD",
		"files", t->counted ? proto_count(t->files[i]) : json_null(),
		"bytes", proto_count(held.bytes), "objects",
		proto_count(held.objects), "per_month",
		tiers_month(t, i, &held), "minimum_days",
		a->class ? json_integer(a->class->minimum_days) : json_null(),
		"recall_seconds", tiers_recall(a));
}

/* The cache, which comes before all others. */
static json_t *local_json(const struct tiers *t)
{
	const struct meta_totals *n = &t->totals;
	uint64_t files = n->by_state[META_DIRTY].files +
			 n->by_state[META_LOCAL].files +
			 n->by_state[META_PARTIAL].files;

	return json_pack(
		"{s:s, s:s, s:n, s:n, s:n, s:o, s:o, s:n, s:n, s:n, s:n}",
		"trust", t->c->w->trust, "tier", "local", "store", "bucket",
		"storage_class", "files", proto_count(files), "bytes",
		proto_count(n->cached_bytes), "objects", "per_month",
		"minimum_days", "recall_seconds");
}

int ctl_verb_tier_list(struct ctl_call *c, json_t *result)
{
	CLEANUP_FREE struct tiers *t = calloc(1, sizeof(*t));
	json_t *list;
	int rc = t ? ctl_tier(c) : -ENOMEM;

	if (rc < 0)
		return rc;
	t->c = c;
	rc = tiers_read(t);
	if (rc == 0)
		rc = tiers_count(t);
	if (rc < 0)
		return rc;
	list = LIST(tier_opts_of(c->w->policies)->n_tiers, i, tier_json(t, i));
	if (list && json_array_insert_new(list, 0, local_json(t)) < 0)
		return json_decref(list), -ENOMEM;
	return proto_set(result, "tiers", list);
}
