/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-time as providers bill it: the bytes themselves, what small objects are
 * billed beyond them, the overhead of each object by its class's terms, copies
 * that were restored, and the local disk. Condemned packs are in the bucket
 * until they are deleted, and so they are billed.
 */
#include "cost/stored.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define STORED_HOUR 3600

int cost_stored_read(struct meta_txn *t, struct cost_stored *out)
{
	struct meta_totals totals;
	int n = meta_pack_totals(t, out->held, COST_STORED_MAX);
	int rc = n < 0 ? n : meta_totals(t, &totals);

	if (rc < 0)
		return rc;
	out->n = MIN((size_t)n, (size_t)COST_STORED_MAX);
	out->cached = totals.cached_bytes;
	return 0;
}

/* ---- an interval of one day ------------------------------------------- */

struct span {
	struct meta_txn *t;
	int32_t day;
	uint64_t seconds;
};

static const char *span_class(const char *storage_class)
{
	return storage_class[0] ? storage_class : "STANDARD";
}

static int span_item(const struct span *sp, const char *tier,
		     const char *storage_class, enum meta_ledger_kind kind,
		     unsigned __int128 bytes)
{
	unsigned __int128 bs = bytes * sp->seconds;
	struct meta_ledger_item row = { .day = sp->day,
					.kind = kind,
					.whole = (uint64_t)(bs / STORED_HOUR),
					.rest = (uint64_t)(bs % STORED_HOUR) };

	if (!bs)
		return 0;
	snprintf(row.tier, sizeof(row.tier), "%s", tier);
	snprintf(row.storage_class, sizeof(row.storage_class), "%s",
		 span_class(storage_class));
	return meta_ledger_item_add(sp->t, &row);
}

static int span_bytes(const struct span *sp, const struct meta_pack_totals *p)
{
	unsigned __int128 bs = (unsigned __int128)p->bytes * sp->seconds;
	struct meta_ledger row = {
		.day = sp->day,
		.byte_hours = (uint64_t)(bs / STORED_HOUR),
		.byte_seconds = (uint64_t)(bs % STORED_HOUR),
		.objects_peak = p->objects,
	};

	snprintf(row.tier, sizeof(row.tier), "%s", p->tier);
	snprintf(row.storage_class, sizeof(row.storage_class), "%s",
		 span_class(p->storage_class));
	return meta_ledger_add(sp->t, &row);
}

/* The terms of a class in a tier's table; NULL: it has none. */
static const struct price_class *span_terms(const struct cost_tier *tiers,
					    size_t n,
					    const struct meta_pack_totals *p)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(tiers[i].tier, p->tier) == 0 && tiers[i].prices)
			return price_table_class(tiers[i].prices,
						 span_class(p->storage_class));
	return NULL;
}

static int span_packs(const struct span *sp, const struct meta_pack_totals *p,
		      const struct price_class *c)
{
	unsigned __int128 objects = p->objects;
	int rc = span_bytes(sp, p);

	if (rc == 0)
		rc = span_item(sp, p->tier, p->storage_class, META_LEDGER_SMALL,
			       p->billed - p->bytes);
	if (rc == 0 && c)
		rc = span_item(sp, p->tier, p->storage_class,
			       META_LEDGER_OVERHEAD,
			       objects * c->overhead_bytes);
	if (rc == 0 && c)
		rc = span_item(sp, p->tier, p->storage_class,
			       META_LEDGER_OVERHEAD_STANDARD,
			       objects * c->overhead_standard_bytes);
	return rc;
}

/* ---- restored copies -------------------------------------------------- */

/* Those that are there at `at`, until the first of them ends or `end`, which
 * becomes *until. 1 when there was any. */
static int copies_part(struct meta_txn *t, int64_t at, int64_t end,
		       int64_t *until)
{
	struct meta_pack_totals copy[COST_STORED_MAX];
	struct span sp = { .t = t, .day = (int32_t)(at / SEC_PER_DAY) };
	int64_t ends_ns = 0;
	int n = meta_restore_held(t, at * NSEC_PER_SEC, copy, COST_STORED_MAX,
				  &ends_ns);
	int i, rc = 0;

	*until = MIN(end, (at / SEC_PER_DAY + 1) * SEC_PER_DAY);
	if (n > 0 && ends_ns) /* a second that has begun is billed */
		*until = MIN(*until,
			     (ends_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
	sp.seconds = (uint64_t)(*until - at);
	for (i = 0; rc == 0 && i < MIN(n, COST_STORED_MAX); i++)
		rc = span_item(&sp, copy[i].tier, copy[i].storage_class,
			       META_LEDGER_HELD, copy[i].bytes);
	return rc < 0 ? rc : MIN(n, 1);
}

static int stored_copies(struct meta_txn *t, int64_t at, int64_t end)
{
	int rc = 1;

	while (at < end && rc == 1)
		rc = copies_part(t, at, end, &at);
	return rc;
}

/* ---- the whole -------------------------------------------------------- */

static int stored_day(const struct span *sp, const struct cost_stored *s,
		      const struct cost_tier *tiers, size_t n_tiers)
{
	size_t i;
	int rc = span_item(sp, COST_LOCAL, COST_LOCAL_CLASS, META_LEDGER_DISK,
			   s->cached);

	for (i = 0; rc == 0 && i < s->n; i++)
		if (s->held[i].objects)
			rc = span_packs(
				sp, &s->held[i],
				span_terms(tiers, n_tiers, &s->held[i]));
	return rc;
}

int cost_stored_add(struct meta_txn *t, const struct cost_stored *s,
		    const struct cost_tier *tiers, size_t n_tiers, int64_t end,
		    int64_t seconds)
{
	int64_t at = end - seconds;
	int rc = stored_copies(t, at, end);
	bool any = rc == 1 || s->n || s->cached;

	while (rc >= 0 && at < end) {
		struct span sp = { .t = t, .day = (int32_t)(at / SEC_PER_DAY) };
		int64_t until = MIN(end, (sp.day + 1) * SEC_PER_DAY);

		sp.seconds = (uint64_t)(until - at);
		rc = stored_day(&sp, s, tiers, n_tiers);
		at = until;
	}
	return rc < 0 ? rc : seconds && any;
}
