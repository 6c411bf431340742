/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs that are half dead are formed anew when that pays: what it costs once
 * is saved within a year of storage. Counted in money, so a tier without
 * prices keeps its packs; and within the month's budget, as all that begins by
 * itself.
 */
#include "tier/run.h"

#include <string.h>

#include "base/log.h"

#define COMPACT_DEAD 128 /* of 256 bytes */
#define COMPACT_DAYS 365 /* until it has paid back */

/* Does what `u` takes pay, and is there money for it? Then it is done. */
static bool compact_pays(void *arg, size_t tier,
			 const struct move_transferred *u)
{
	struct run *r = arg;
	const struct tier *t = r->t;
	struct take sum = { 0 };
	struct err err = ERR_INIT;
	struct priced p;
	double days;

	take_add(&sum, u);
	if (price_take(t, &sum, NULL, &p, &err) < 0)
		return false;
	days = price_break_even(p.once, p.per_month);
	if (p.per_month >= 0 || days < 0 || days > COMPACT_DAYS)
		return false;
	if (t->o.has_budget && t->o.spent && r->cost + p.once > r->left)
		return false;
	r->cost += p.once;
	return true;
}

static bool compact_go_on(void *arg)
{
	const struct run *r = arg;

	return !r->t->cancel && !r->t->stopping;
}

int tier_compact(struct tier *t)
{
	struct run r = { .t = t };
	const struct move_compact in = { .dead = COMPACT_DEAD,
					 .pays = compact_pays,
					 .go_on = compact_go_on,
					 .arg = &r };
	struct move_transferred *u CLEANUP(guard_free) = calloc(1, sizeof(*u));
	int rc = u ? limit_budget(&r) : -ENOMEM;

	if (rc == 0)
		rc = tier_claim(t, NULL);

	if (rc < 0) /* no money, or beside a run: another time */
		return rc == -EBUSY || rc == -EDQUOT ? 0 : rc;
	rc = move_compact(t->mv, &in, u);
	tier_release(t);
	if (u->formed || u->copied)
		log_info("packs with dead bytes: %llu files are in %llu new "
			 "packs now",
			 (unsigned long long)u->files,
			 (unsigned long long)(u->formed + u->copied));
	/* what must be brought back first is for the next time */
	return rc == -EINPROGRESS || rc == -EINTR ? 0 : rc;
}
