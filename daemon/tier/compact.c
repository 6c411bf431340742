/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs that are half dead are formed anew when that pays: what it costs once
 * is saved within a year of storage. Counted in money, so a tier without
 * prices keeps its packs.
 */
#include "tier/impl.h"

#include <string.h>

#include "base/log.h"

#define COMPACT_DEAD 128 /* of 256 bytes */
#define COMPACT_DAYS 365 /* until it has paid back */

/* Does what `u` takes pay? */
static bool compact_pays(void *arg, size_t tier,
			 const struct move_transferred *u)
{
	const struct tier *t = arg;
	struct take sum = { 0 };
	struct err err = ERR_INIT;
	struct priced p;
	double days;

	take_add(&sum, u);
	if (price_take(t, &sum, NULL, &p, &err) < 0)
		return false;
	days = price_break_even(p.once, p.per_month);
	return p.per_month < 0 && days >= 0 && days <= COMPACT_DAYS;
}

static bool compact_go_on(void *arg)
{
	const struct tier *t = arg;

	return !t->cancel && !t->stopping;
}

int tier_compact(struct tier *t)
{
	const struct move_compact in = { .dead = COMPACT_DEAD,
					 .pays = compact_pays,
					 .go_on = compact_go_on,
					 .arg = t };
	struct move_transferred *u CLEANUP(guard_free) = calloc(1, sizeof(*u));
	int rc = u ? tier_claim(t, NULL) : -ENOMEM;

	if (rc < 0) /* beside a run: another time */
		return rc == -EBUSY ? 0 : rc;
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
