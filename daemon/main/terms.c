// SPDX-License-Identifier: Apache-2.0
#include "main/terms.h"

#include <string.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define TERMS_TOTALS 64 /* tiers x storage classes, also of former tiers */

/* The first day of the month (UTC), in days since 1970. */
static int32_t month_start(int64_t wall_ns)
{
	time_t now = clock_timespec(wall_ns).tv_sec;
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return 0;
	return (int32_t)(now / SEC_PER_DAY) - (tm.tm_mday - 1);
}

static int spent(void *arg, money_t *out)
{
	const struct terms *t = arg;
	int64_t now = clock_wall_ns();
	int32_t from = month_start(now);
	int32_t today = (int32_t)(now / NSEC_PER_SEC / SEC_PER_DAY);
	struct cost_report r = { 0 };
	int rc = t->ledger ? cost_ledger_flush(t->ledger) : 0;

	if (rc < 0)
		return rc;
	rc = cost_report(t->meta, &t->cost, COST_BY_TIER, from, today + 1, now,
			 &r, NULL);
	if (rc == 0)
		*out = r.totals.total;
	cost_report_done(&r);
	return rc;
}

/* ---- owners of file classes --------------------------------------------- */

static void no_owner(const char *class_name, const char *user)
{
	log_warn("file class '%s': there is no user '%s'", class_name, user);
}

static int resolve_policies(const struct config *c)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_policies; i++)
		rc = config_policy_owners(&c->policies[i], no_owner);
	return rc;
}

int terms_policy(void *arg, const char *name, const char *text,
		 struct tier_policy *out, struct err *err)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	const struct terms *t = arg;
	int rc = config_policy_parse(t->config, t->trust, name, text,
				     strlen(text), out, &ps);

	if (rc == 0)
		return config_policy_owners(out, no_owner);
	if (ps.n)
		fail(err, rc, "%s:%u:%u: %s", name, ps.p[0].line,
		     ps.p[0].column, ps.p[0].message);
	return rc;
}

/* ---- the whole ----------------------------------------------------------- */

static void fill_tiers(struct terms *t, const struct conf_trust *ct)
{
	for (size_t i = 0; i < ct->n_tiers; i++) {
		const struct tier_terms *of = &ct->tiers[i].terms;

		t->tier[i] = *of;
		t->cost_tier[i] = (struct cost_tier){
			.tier = of->name,
			.storage_class = of->storage_class,
			.prices = of->prices,
			.place = of->place,
			.object_size = of->object_size,
		};
	}
}

int terms_init(struct terms *t, const struct conf_trust *ct, struct meta *m)
{
	*t = (struct terms){ .config = ct->c, .trust = ct->t, .meta = m };
	fill_tiers(t, ct);
	t->cost = (struct cost_opts){
		.tiers = t->cost_tier,
		.n_tiers = ct->n_tiers,
		.exchange = &ct->c->exchange,
		.disk_tb_month = ct->c->local_disk_tb_month,
		.vat = ct->c->vat,
	};
	t->policies = (struct tier_opts){
		.policy = ct->t->policy,
		.policies = ct->c->policies,
		.n_policies = ct->c->n_policies,
		.tier = t->tier,
		.n_tiers = ct->n_tiers,
		.exchange = &ct->c->exchange,
		.budget = ct->t->budget,
		.has_budget = ct->t->has_budget,
		.spent = spent,
		.spent_arg = t,
		.recall_wait_ns = ct->t->recall_wait_ns,
		.delete_after_ns = ct->t->delete_after_ns,
		.cache_size = ct->t->cache_size,
	};
	return resolve_policies(ct->c);
}

void terms_done(struct terms *t)
{
	*t = (struct terms){ 0 };
}

/* ---- tiers that are gone ------------------------------------------------- */

static bool has_tier(const struct conf_trust *ct, const char *name)
{
	for (size_t i = 0; i < ct->n_tiers; i++)
		if (strcmp(ct->tiers[i].terms.name, name) == 0)
			return true;
	return false;
}

/* Was the tier of this row told of? Rows of a tier stand together. */
static bool told(const struct meta_pack_totals *all, int i)
{
	return i > 0 && strcmp(all[i].tier, all[i - 1].tier) == 0;
}

int terms_missing(const struct conf_trust *ct, struct meta *m, struct buf *out)
{
	struct meta_pack_totals all[TERMS_TOTALS];
	META_TXN(t);
	int rc = meta_read(m, &t), n;

	if (rc < 0)
		return rc;
	n = meta_pack_totals(&t, all, TERMS_TOTALS);
	for (int i = 0; rc == 0 && i < MIN(n, TERMS_TOTALS); i++)
		if (all[i].objects && !has_tier(ct, all[i].tier) &&
		    !told(all, i))
			rc = buf_addf(out, "%s'%s'", out->len ? ", " : "",
				      all[i].tier);
	return n < 0 ? n : rc;
}
