/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a move takes, in money: once (requests, retrieval, transfer, the rest
 * of minimum days, and what is replaced until it is deleted), and each month
 * (the difference of storage as it is billed). Each tier in its own currency,
 * converted at the end.
 */
#include "tier/impl.h"

#include <stdio.h>
#include <string.h>

#define NSEC_PER_HOUR (3600 * NSEC_PER_SEC)
#define GET_BYTES     (8ULL << 20) /* of a reader's GET, about */
#define THOUSAND      1000U
#define REREAD_MONTHS 12
#define MONTH_DAYS    ((double)TIER_MONTH_HOURS / 24)

/* ---- sums ------------------------------------------------------------------
 */

static void use_add(struct move_use *a, const struct move_use *b)
{
	a->puts += b->puts;
	a->copies += b->copies;
	a->gets += b->gets;
	a->deletes += b->deletes;
	a->in_bytes += b->in_bytes;
	a->out_bytes += b->out_bytes;
	a->objects_gone += b->objects_gone;
	a->bytes_gone += b->bytes_gone;
	a->objects_new += b->objects_new;
	a->bytes_new += b->bytes_new;
	a->billed_gone += b->billed_gone;
	a->billed_new += b->billed_new;
	a->early_byte_hours += b->early_byte_hours;
	a->restores += b->restores;
	a->restored_bytes += b->restored_bytes;
}

void take_add(struct take *sum, const struct move_transferred *u)
{
	size_t i;

	for (i = 0; i < MOVE_TIERS_MAX; i++) {
		const struct move_use *a = &u->use[i];

		use_add(&sum->use[i], a);
		sum->requests += a->puts + a->copies + a->gets + a->deletes +
				 a->restores;
		sum->in_bytes += a->in_bytes;
		sum->out_bytes += a->out_bytes;
		sum->copies += a->copies;
	}
}

void doubts_done(struct doubts *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->text[i]);
	free(d->text);
	memset(d, 0, sizeof(*d));
}

static void doubt(void *arg, const char *what)
{
	struct doubts *d = arg;
	CLEANUP_FREE char *text = NULL;
	char **grown;
	size_t i;

	if (!d || d->rc < 0)
		return;
	if (asprintf(&text, "%s: %s", d->table, what) < 0) {
		text = NULL;
		d->rc = -ENOMEM;
		return;
	}
	for (i = 0; i < d->n; i++)
		if (strcmp(d->text[i], text) == 0)
			return;
	grown = reallocarray(d->text, d->n + 1, sizeof(*grown));
	if (!grown) {
		d->rc = -ENOMEM;
		return;
	}
	d->text = grown;
	grown[d->n++] = take(text);
}

/* ---- money -----------------------------------------------------------------
 */

static int convert(const struct tier *t, const struct tier_terms *a,
		   money_t *amount, struct err *err)
{
	const struct price_exchange *x = t->o.exchange;
	int rc = price_convert(x, a->prices->currency, *amount, amount);

	if (rc == -ENOENT) {
		fail(err, rc, "there is no rate from %s to %s",
		     a->prices->currency, x->currency);
		return fail_hint(err, rc, "add it under cost.exchange");
	}
	return rc;
}

/* Prices a usage in a tier, in the currency of reports. */
static int charge(const struct tier *t, int tier, const struct price_usage *u,
		  struct doubts *d, struct price_charges *out, struct err *err)
{
	const struct tier_terms *a = &t->o.tier[tier];
	money_t *const part[] = { &out->storage,	&out->requests,
				  &out->retrieval,	&out->transfer,
				  &out->early_deletion, &out->minimum_size };
	size_t i;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (d)
		d->table = a->prices ? a->prices->name : a->name;
	if (!a->prices || !a->class) {
		doubt(d, "no prices");
		return d ? d->rc : 0;
	}
	price_charge(a->prices, a->class, u, out, d ? doubt : NULL, d);
	out->total = 0;
	for (i = 0; i < ARRAY_SIZE(part) && rc == 0; i++) {
		rc = convert(t, a, part[i], err);
		out->total += *part[i];
	}
	return rc < 0 || !d ? rc : d->rc;
}

/* Policies have time: the cheapest speed that the class has. */
enum price_speed price_speed(const struct tier_terms *a)
{
	return a->class && a->class->recall[PRICE_BULK].known ? PRICE_BULK
							      : PRICE_STANDARD;
}

static struct price_usage once_of(const struct tier *t, int tier,
				  const struct move_use *u)
{
	enum price_speed speed = price_speed(&t->o.tier[tier]);
	struct price_usage p = {
		.puts = u->puts + u->copies,
		.gets = u->gets,
		.deletes = u->deletes,
		.in_bytes = u->in_bytes,
		.out_bytes = u->out_bytes,
		.early = { .hours = u->early_byte_hours },
	};

	/* What is replaced stays until nothing can name it any more (P7). */
	p.byte_hours = u->billed_gone *
		       (uint64_t)(t->o.delete_after_ns / NSEC_PER_HOUR);
	p.held.hours = u->restored_bytes * MOVE_RESTORE_DAYS * 24;
	p.restores[speed] = u->restores;
	p.restored_bytes[speed] = u->restored_bytes;
	return p;
}

/* A month of so many objects and bytes. */
static struct price_usage month_of(const struct tier_terms *a, uint64_t objects,
				   uint64_t bytes, uint64_t billed)
{
	const struct price_class none = { 0 }, *c = a->class ? a->class : &none;

	return (struct price_usage){
		.byte_hours = bytes * TIER_MONTH_HOURS,
		.small = { .hours = (billed - MIN(bytes, billed)) *
				    TIER_MONTH_HOURS },
		.overhead = { .hours = objects * c->overhead_bytes *
				       TIER_MONTH_HOURS },
		.overhead_standard = { .hours = objects *
						c->overhead_standard_bytes *
						TIER_MONTH_HOURS },
	};
}

static int price_month(const struct tier *t, int tier, const struct move_use *u,
		       struct doubts *d, struct priced *out, struct err *err)
{
	const struct tier_terms *a = &t->o.tier[tier];
	struct price_usage n =
		month_of(a, u->objects_new, u->bytes_new, u->billed_new);
	struct price_usage g =
		month_of(a, u->objects_gone, u->bytes_gone, u->billed_gone);
	struct price_charges more = { 0 }, less = { 0 };
	int rc = charge(t, tier, &n, d, &more, err);

	if (rc == 0)
		rc = charge(t, tier, &g, d, &less, err);
	out->per_month += more.total - less.total;
	out->minimum += more.minimum_size;
	out->minimum_of[tier] += more.minimum_size;
	return rc;
}

int tier_month(const struct tier *t, size_t tier, uint64_t objects,
	       uint64_t bytes, uint64_t billed, money_t *out, struct err *err)
{
	struct price_usage u =
		month_of(&t->o.tier[tier], objects, bytes, billed);
	struct price_charges c = { 0 };
	int rc = charge(t, (int)tier, &u, NULL, &c, err);

	*out = c.total;
	return rc;
}

static bool use_any(const struct move_use *u)
{
	static const struct move_use none;

	return memcmp(u, &none, sizeof(none)) != 0;
}

int price_take(const struct tier *t, const struct take *u, struct doubts *d,
	       struct priced *out, struct err *err)
{
	int i, rc = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < (int)t->o.n_tiers && rc == 0; i++) {
		struct price_usage once = once_of(t, i, &u->use[i]);
		struct price_charges c;

		if (!use_any(&u->use[i]))
			continue;
		rc = charge(t, i, &once, d, &c, err);
		out->once += c.total;
		out->early += c.early_deletion;
		out->early_of[i] = c.early_deletion;
		if (rc == 0)
			rc = price_month(t, i, &u->use[i], d, out, err);
	}
	return rc;
}

double price_break_even(money_t once, money_t per_month)
{
	if (per_month >= 0)
		return once <= 0 && per_month == 0 ? 0 : -1;
	return once <= 0 ? 0 : (double)once / (double)-per_month * MONTH_DAYS;
}

/* ---- estimates --------------------------------------------------------------
 */

static uint64_t packs_of(uint64_t bytes, uint64_t size)
{
	return bytes && size ? (bytes + size - 1) / size : bytes != 0;
}

/* What a recall or a pin fetches: no rows say it yet, but bytes and packs do.
 */
static void estimate_recall(const struct tier *t, const struct batch *b,
			    struct move_transferred *out)
{
	const struct tier_terms *a = b->from < 0 ? NULL : &t->o.tier[b->from];
	struct move_use *u = &out->use[MAX(b->from, 0)];

	if (!a)
		return;
	u->gets = packs_of(b->absent, a->object_size);
	u->in_bytes = b->absent;
	if (!a->archive)
		return;
	u->restores = u->gets;
	u->restored_bytes = b->absent;
}

int price_estimate(struct tier *t, const struct batch *b, uint64_t version,
		   int64_t opened_ns, struct take *out)
{
	struct move_transferred *u CLEANUP(guard_free) = calloc(1, sizeof(*u));
	struct move_transfer in = { .to = (size_t)MAX(b->to, 0),
				    .ino = b->ino,
				    .n = b->inos,
				    .version = version,
				    .opened_ns = opened_ns };
	int rc = u ? 0 : -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (rc == 0 && b->action == TIER_MOVE && b->n)
		rc = move_transfer_estimate(t->mv, &in, u);
	else if (rc == 0 && (b->action == TIER_RECALL || b->action == TIER_PIN))
		estimate_recall(t, b, u);
	if (rc == 0)
		take_add(out, u);
	return rc;
}

/* ---- reads that are to be expected
 * ------------------------------------------- */

static int32_t month_now(void)
{
	time_t now = (time_t)(clock_wall_ns() / NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&now, &tm);
	return (tm.tm_year - 70) * 12 + tm.tm_mon;
}

/* Sums a year's rereads by age; how many months they are of. */
static int rereads_sum(struct tier *t, int32_t from, struct ages *sum,
		       unsigned *months)
{
	struct meta_reread page[64];
	int32_t first = INT32_MAX, last = month_now();
	size_t skip = 0;
	int n, i;
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	if (rc < 0)
		return rc;
	do {
		n = meta_rereads(&x, from, skip, page, ARRAY_SIZE(page));
		for (i = 0; i < n; i++) {
			size_t a = MIN(page[i].age, META_REREAD_AGES - 1U);

			sum->files[a] += page[i].files;
			sum->bytes[a] += page[i].bytes;
			first = MIN(first, page[i].month);
		}
		skip += (size_t)MAX(n, 0);
	} while (n == (int)ARRAY_SIZE(page));
	*months = first > last ? 0 : (unsigned)(last - first + 1);
	return MIN(n, 0);
}

int rereads_load(struct tier *t, const struct ages *all, struct rereads *out)
{
	struct ages sum = { 0 };
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = rereads_sum(t, month_now() - REREAD_MONTHS + 1, &sum,
			 &out->months);
	for (i = 0; rc == 0 && out->months && i < META_REREAD_AGES; i++) {
		if (all->files[i])
			out->per_file[i] = (double)sum.files[i] / out->months /
					   (double)all->files[i];
		if (all->bytes[i])
			out->per_byte[i] = (double)sum.bytes[i] / out->months /
					   (double)all->bytes[i];
	}
	return rc;
}

int price_expected(const struct tier *t, int tier, const struct ages *moved,
		   const struct rereads *r, struct doubts *d,
		   struct expected *out, struct err *err)
{
	const struct tier_terms *a = &t->o.tier[tier];
	double files = 0, bytes = 0;
	struct price_usage u = { 0 };
	struct price_charges c;
	size_t i;
	int rc;

	for (i = 0; i < META_REREAD_AGES; i++) {
		files += (double)moved->files[i] * r->per_file[i];
		bytes += (double)moved->bytes[i] * r->per_byte[i];
	}
	u.in_bytes = (uint64_t)bytes;
	u.gets = packs_of(u.in_bytes, GET_BYTES);
	if (a->archive) {
		u.restores[PRICE_STANDARD] =
			packs_of(u.in_bytes, a->object_size);
		u.restored_bytes[PRICE_STANDARD] = u.in_bytes;
	}
	rc = charge(t, tier, &u, d, &c, err);
	*out = (struct expected){ .files = (uint64_t)(files * THOUSAND),
				  .bytes = (uint64_t)bytes,
				  .cost = c.total };
	return rc;
}
