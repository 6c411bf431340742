/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored now, and whose it is. The ledger knows tiers, classes and
 * causes; modality and age come from the packs' studies, so a charge of a tier
 * and class is divided by the bytes that each group has there now.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef unsigned __int128 u128;

#define PRESENT_TOTALS 64
#define PRESENT_SHARES 64 /* studies in one pack */

static struct cost_present *present_of(struct cost_presents *p,
				       const char *tier,
				       const char *storage_class,
				       const char *group)
{
	const char *cls = cost_class_name(storage_class);
	struct cost_present *x;
	size_t i;

	for (i = 0; i < p->n; i++) {
		x = &p->item[i];
		if (strcmp(x->tier, tier) == 0 &&
		    strcmp(x->storage_class, cls) == 0 &&
		    strcmp(x->group, group) == 0)
			return x;
	}
	x = reallocarray(p->item, p->n + 1, sizeof(*x));
	if (!x)
		return NULL;
	p->item = x;
	x += p->n++;
	*x = (struct cost_present){ 0 };
	snprintf(x->tier, sizeof(x->tier), "%s", tier);
	snprintf(x->storage_class, sizeof(x->storage_class), "%s", cls);
	snprintf(x->group, sizeof(x->group), "%s", group);
	return x;
}

/* ---- groups --------------------------------------------------------- */

/* Objects that say something about another one: of a CT with its report, the
 * CT is meant. */
static bool modality_minor(const char *s, size_t n)
{
	static const char *const minor[] = { "SR",  "PR",  "KO", "DOC",
					     "REG", "SEG", "OT" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(minor); i++)
		if (strlen(minor[i]) == n && memcmp(minor[i], s, n) == 0)
			return true;
	return false;
}

/* "CT" of "SR\CT". */
static void group_modality(const struct meta_study *s, char out[64])
{
	const char *p = s->modality, *take = p;
	size_t n = strcspn(p, "\\"), have = n;

	while (modality_minor(p, n) && p[n] == '\\') {
		p += n + 1;
		n = strcspn(p, "\\");
		if (!modality_minor(p, n)) {
			take = p;
			have = n;
		}
	}
	if (have)
		snprintf(out, 64, "%.*s", (int)MIN(have, (size_t)63), take);
	else
		snprintf(out, 64, "not known");
}

#define NO_STUDY "no study"

static const struct {
	const char *name;
	int32_t below; /* days */
} ages[] = {
	{ "under 30 days", 30 },       { "30 to 90 days", 90 },
	{ "90 days to 1 year", 365 },  { "1 to 2 years", 730 },
	{ "2 to 5 years", 1826 },      { "5 to 8 years", 2922 },
	{ "over 8 years", INT32_MAX },
};

const char *cost_age_name(size_t i)
{
	return i < ARRAY_SIZE(ages) ? ages[i].name : NULL;
}

size_t cost_age_rank(const char *group)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ages); i++)
		if (strcmp(ages[i].name, group) == 0)
			return i;
	return ARRAY_SIZE(ages);
}

static void group_age(const struct meta_study *s, int64_t now_ns, char out[64])
{
	struct tm tm = { .tm_year = (int)(s->date / 10000) - 1900,
			 .tm_mon = (int)(s->date / 100 % 100) - 1,
			 .tm_mday = (int)(s->date % 100) };
	int64_t days = now_ns / NSEC_PER_SEC / SEC_PER_DAY;
	size_t i = 0;

	if (!s->date) {
		snprintf(out, 64, "not known");
		return;
	}
	days -= timegm(&tm) / SEC_PER_DAY;
	while (days >= ages[i].below && i + 1 < ARRAY_SIZE(ages))
		i++;
	snprintf(out, 64, "%s", ages[i].name);
}

/* ---- packs ---------------------------------------------------------- */

struct present_scan {
	enum cost_by by;
	int64_t now_ns;
	struct cost_presents *out;
};

/* The group of a study, 0 = none. */
static int scan_group(struct meta_txn *t, const struct present_scan *s,
		      uint64_t row, char group[64])
{
	struct meta_study study;
	int rc = row ? meta_study_get(t, row, &study) : -ENOENT;

	if (rc < 0) {
		snprintf(group, 64, "%s", NO_STUDY);
		return rc == -ENOENT ? 0 : rc;
	}
	if (s->by == COST_BY_MODALITY)
		group_modality(&study, group);
	else
		group_age(&study, s->now_ns, group);
	return 0;
}

/* Part of a pack, which counts as an object where most of it is. */
static int scan_share(struct meta_txn *t, const struct present_scan *s,
		      const struct meta_pack *pack, uint64_t study,
		      const struct meta_pack_totals *part)
{
	struct cost_present *p;
	char group[64];
	int rc = scan_group(t, s, study, group);

	if (rc < 0)
		return rc;
	p = present_of(s->out, pack->tier, pack->storage_class, group);
	if (!p)
		return -ENOMEM;
	p->objects += part->objects;
	p->bytes += part->bytes;
	p->billed += part->billed;
	return 0;
}

/* One of several studies, or of none: what was formed anew for another tier. */
static int scan_mixed(struct meta_txn *t, const struct present_scan *s,
		      const struct meta_pack *pack, uint64_t billed)
{
	struct meta_pack_share share[PRESENT_SHARES];
	money_t bytes[PRESENT_SHARES], as[PRESENT_SHARES];
	u128 weight[PRESENT_SHARES];
	int n = meta_pack_shares(t, pack->row, share, PRESENT_SHARES);
	int i, rc = 0;

	if (n < 0)
		return n;
	if (n == 0) /* nobody's any more */
		share[n++] = (struct meta_pack_share){ .bytes = 1 };
	for (i = 0; i < n; i++)
		weight[i] = share[i].bytes;
	money_split((money_t)pack->length, weight, (size_t)n, bytes);
	money_split((money_t)billed, weight, (size_t)n, as);
	for (i = 0; i < n && rc == 0; i++)
		rc = scan_share(t, s, pack, share[i].study,
				&(struct meta_pack_totals){
					.objects = i == 0,
					.bytes = (uint64_t)bytes[i],
					.billed = (uint64_t)as[i] });
	return rc;
}

static int scan_pack(struct meta_txn *t, const struct present_scan *s,
		     const struct meta_pack *pack)
{
	uint64_t billed = MAX(pack->billed, pack->length);

	if (!pack->study)
		return scan_mixed(t, s, pack, billed);
	return scan_share(t, s, pack, pack->study,
			  &(struct meta_pack_totals){ .objects = 1,
						      .bytes = pack->length,
						      .billed = billed });
}

/* One page; how many it had. */
static int scan_page(struct meta *m, const struct present_scan *s,
		     enum meta_pack_state state, struct meta_pack *page,
		     uint64_t *after)
{
	META_TXN(t);
	int rc = meta_look(m, &t);
	int n, i;

	if (rc < 0)
		return rc;
	n = meta_pack_list(&t, state, *after, INT64_MAX, page, COST_PAGE);
	for (i = 0; i < n; i++) {
		rc = scan_pack(&t, s, &page[i]);
		if (rc < 0)
			return rc;
		*after = page[i].row;
	}
	return n;
}

static int scan_state(struct meta *m, const struct present_scan *s,
		      enum meta_pack_state state)
{
	CLEANUP_FREE struct meta_pack *page = calloc(COST_PAGE, sizeof(*page));
	uint64_t after = 0;
	int n;

	if (!page)
		return -ENOMEM;
	do
		n = scan_page(m, s, state, page, &after);
	while (n > 0);
	return n;
}

static int present_totals(struct meta *m, struct cost_presents *out)
{
	struct meta_pack_totals held[PRESENT_TOTALS];
	META_TXN(t);
	int rc = meta_read(m, &t);
	int n, i;

	if (rc < 0)
		return rc;
	n = meta_pack_totals(&t, held, PRESENT_TOTALS);
	for (i = 0; i < MIN(n, PRESENT_TOTALS); i++) {
		struct cost_present *p = present_of(out, held[i].tier,
						    held[i].storage_class, "");

		if (!p)
			return -ENOMEM;
		p->objects += held[i].objects;
		p->bytes += held[i].bytes;
		p->billed += MAX(held[i].billed, held[i].bytes);
	}
	return MIN(n, 0);
}

int cost_presents_read(struct meta *m, enum cost_by by, int64_t now_ns,
		       struct cost_presents *out)
{
	const struct present_scan s = { by, now_ns, out };
	int rc;

	if (by != COST_BY_MODALITY && by != COST_BY_AGE)
		return present_totals(m, out);
	rc = scan_state(m, &s, META_PACK_STORED);
	return rc < 0 ? rc : scan_state(m, &s, META_PACK_CONDEMNED);
}

int cost_presents_local(struct meta *m, const struct cost_opts *o,
			struct cost_presents *out)
{
	struct meta_totals totals = { 0 };
	struct cost_present *p;
	META_TXN(t);
	int rc;

	if (!o->disk_tb_month.known)
		return 0;
	rc = meta_read(m, &t);
	if (rc == 0)
		rc = meta_totals(&t, &totals);
	if (rc < 0)
		return rc;
	p = present_of(out, COST_LOCAL, COST_LOCAL_CLASS, COST_LOCAL);
	if (!p)
		return -ENOMEM;
	p->bytes = p->billed = totals.cached_bytes;
	return 0;
}

void cost_present_usage(const struct cost_opts *o, const struct cost_present *p,
			uint64_t seconds, struct price_usage *out)
{
	const struct cost_tier *t = cost_tier_of(o, p->tier);
	const struct price_class *c =
		t && t->prices ? price_table_class(t->prices, p->storage_class)
			       : NULL;
	struct price_time stored = { 0 };

	*out = (struct price_usage){ 0 };
	cost_time_add(&stored, (u128)p->bytes * seconds);
	out->byte_hours = stored.hours;
	out->byte_seconds = stored.seconds;
	if (!c)
		return;
	cost_time_add(&out->small, (u128)(p->billed - p->bytes) * seconds);
	cost_time_add(&out->overhead,
		      (u128)p->objects * c->overhead_bytes * seconds);
	cost_time_add(&out->overhead_standard,
		      (u128)p->objects * c->overhead_standard_bytes * seconds);
}

/* ---- division ------------------------------------------------------- */

/* Shares of one cell among the groups of its tier and class. */
struct divide {
	const struct cost_present **group;
	u128 *weight;
	money_t *share;
	size_t n;
};

static void divide_u64(const struct divide *d, uint64_t whole,
		       struct cost_cell *out, size_t offset)
{
	size_t i;

	money_split((money_t)whole, d->weight, d->n, d->share);
	for (i = 0; i < d->n; i++)
		*(uint64_t *)(void *)((char *)&out[i].usage + offset) =
			(uint64_t)d->share[i];
}

static void divide_time(const struct divide *d, u128 whole,
			struct cost_cell *out, size_t offset)
{
	size_t i;

	money_split((money_t)whole, d->weight, d->n, d->share);
	for (i = 0; i < d->n; i++)
		cost_time_add((void *)((char *)&out[i].usage + offset),
			      (u128)d->share[i]);
}

#define USAGE(field) offsetof(struct price_usage, field)

/* Fills the usage of d->n cells, which is 0, by that of `c`. */
static void divide_usage(const struct divide *d, const struct cost_cell *c,
			 struct cost_cell *out)
{
	static const size_t counts[] = { USAGE(puts),	 USAGE(lists),
					 USAGE(gets),	 USAGE(heads),
					 USAGE(deletes), USAGE(out_bytes),
					 USAGE(in_bytes) };
	static const size_t times[] = { USAGE(early), USAGE(small),
					USAGE(overhead),
					USAGE(overhead_standard), USAGE(held) };
	const struct price_time stored = { c->usage.byte_hours,
					   c->usage.byte_seconds };
	const char *from = (const char *)&c->usage;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		divide_u64(d,
			   *(const uint64_t *)(const void *)(from + counts[i]),
			   out, counts[i]);
	for (i = 0; i < ARRAY_SIZE(times); i++)
		divide_time(d, cost_time((const void *)(from + times[i])), out,
			    times[i]);
	for (k = 0; k < PRICE_SPEEDS; k++) {
		divide_u64(d, c->usage.restores[k], out, USAGE(restores[k]));
		divide_u64(d, c->usage.restored_bytes[k], out,
			   USAGE(restored_bytes[k]));
	}
	money_split((money_t)cost_time(&stored), d->weight, d->n, d->share);
	for (i = 0; i < d->n; i++) {
		out[i].usage.byte_hours = (uint64_t)(d->share[i] / 3600);
		out[i].usage.byte_seconds = (uint64_t)(d->share[i] % 3600);
	}
}

static void divide_groups(const struct cost_presents *p,
			  const struct cost_cell *c, struct divide *d)
{
	size_t i;

	for (d->n = i = 0; i < p->n; i++) {
		const struct cost_present *x = &p->item[i];

		if (strcmp(x->tier, c->tier) != 0 ||
		    strcmp(x->storage_class, c->storage_class) != 0)
			continue;
		d->weight[d->n] = x->bytes;
		d->group[d->n++] = x;
	}
}

/* The cells of one cell, at the end of `out`; how many they are. */
static size_t divide_cell(struct divide *d, const struct cost_presents *p,
			  const struct cost_cell *c, struct cost_cell *out)
{
	size_t i;

	divide_groups(p, c, d);
	if (d->n == 0) { /* nothing of it is left to be asked */
		*out = *c;
		snprintf(out->group, sizeof(out->group), "gone");
		return 1;
	}
	for (i = 0; i < d->n; i++) {
		out[i] = *c;
		out[i].usage = (struct price_usage){ 0 };
		memcpy(out[i].group, d->group[i]->group, sizeof(out->group));
	}
	divide_usage(d, c, out);
	return d->n;
}

int cost_bill_divide(struct cost_bill *b, const struct cost_presents *p)
{
	size_t most = b->n_cells * (p->n + 1), n = 0, i;
	CLEANUP_FREE const struct cost_present **group =
		calloc(p->n + 1, sizeof(*group));
	CLEANUP_FREE u128 *weight = calloc(p->n + 1, sizeof(*weight));
	CLEANUP_FREE money_t *share = calloc(p->n + 1, sizeof(*share));
	CLEANUP_FREE struct cost_cell *out = calloc(most + 1, sizeof(*out));
	struct divide d = { group, weight, share, 0 };

	if (!group || !weight || !share || !out)
		return -ENOMEM;
	for (i = 0; i < b->n_cells; i++)
		n += divide_cell(&d, p, &b->cells[i], &out[n]);
	free(b->cells);
	b->cells = take(out);
	b->n_cells = n;
	return 0;
}
