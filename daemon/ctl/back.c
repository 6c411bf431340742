/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/back.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/money.h"
#include "tier/opts.h"

#define BACK_PAGE 64
#define BACK_GET  (4ULL << 20) /* bytes that one GET brings, at most */

void back_done(struct back *b)
{
	struct back_pack *p, *tmp;

	HASH_ITER(hh, b->packs, p, tmp) {
		HASH_DEL(b->packs, p);
		free(p);
	}
}

/* ---- packs ------------------------------------------------------------ */

static size_t back_tier(const struct back *b, const char *name)
{
	size_t i;

	for (i = 0; i < b->c->w->n_tiers; i++)
		if (strcmp(b->c->w->tiers[i].name, name) == 0)
			break;
	return i;
}

static int64_t back_takes(const struct back *b, const struct back_pack *p,
			  enum store_speed *speed)
{
	return p->tier < b->c->w->n_tiers
		       ? move_restore_takes(b->c->w->move,
					    b->c->w->tiers[p->tier].name, speed)
		       : 0;
}

/* The slowest speed that is fast enough; or the fastest. */
static int64_t back_choose(const struct back *b, const struct back_pack *p,
			   const struct back_want *w, enum store_speed *speed)
{
	static const enum store_speed slow[] = { STORE_BULK, STORE_STANDARD,
						 STORE_EXPEDITED };
	int64_t takes = 0;
	size_t i;

	*speed = w->has_speed ? w->speed : STORE_STANDARD;
	if (w->has_speed || !w->by_ns)
		return back_takes(b, p, speed);
	for (i = 0; i < ARRAY_SIZE(slow); i++) {
		*speed = slow[i];
		takes = back_takes(b, p, speed);
		if (b->now_ns + takes <= w->by_ns)
			break;
	}
	return takes;
}

static void back_wants(struct back *b, struct back_pack *p,
		       const struct back_want *w)
{
	enum store_speed speed;
	int64_t ready = b->now_ns + back_choose(b, p, w, &speed);

	/* What is there or comes before is enough; so is what comes in time,
	 * unless a speed was said. */
	if (p->ready_ns <= ready ||
	    (!w->has_speed && w->by_ns && p->ready_ns <= w->by_ns))
		return;
	p->order = true;
	p->speed = speed;
	p->ready_ns = ready;
}

/* When it can be read, as things are. */
static int64_t back_stands(const struct back *b, struct meta_txn *t,
			   const struct back_pack *p)
{
	enum store_speed speed = STORE_STANDARD;
	struct meta_restore r;

	if (!back_takes(b, p, &speed))
		return b->now_ns;
	if (meta_restore_get(t, p->row, &r) < 0 ||
	    r.state == META_RESTORE_FAILED)
		return INT64_MAX;
	if (r.state == META_RESTORE_READY)
		return !r.until_ns || r.until_ns > b->now_ns ? b->now_ns
							     : INT64_MAX;
	return MAX(r.due_ns, b->now_ns);
}

static int back_find(struct back *b, struct meta_txn *t, uint64_t row,
		     struct back_pack **out)
{
	struct back_pack *p;
	struct meta_pack m;
	int rc;

	HASH_FIND(hh, b->packs, &row, sizeof(row), p);
	if (!p) {
		rc = meta_pack_get(t, row, &m);
		if (rc < 0)
			return rc;
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->row = row;
		p->length = m.length;
		p->tier = back_tier(b, m.tier);
		p->ready_ns = back_stands(b, t, p);
		HASH_ADD(hh, b->packs, row, sizeof(p->row), p);
	}
	*out = p;
	return 0;
}

int back_add(struct back *b, uint64_t ino, uint64_t missing,
	     const struct back_want *w, int64_t *ready_ns)
{
	uint64_t row[BACK_PAGE], after = 0;
	struct back_pack *p = NULL;
	int n, i, rc;
	META_TXN(t);

	*ready_ns = b->now_ns;
	rc = meta_look(b->c->w->meta, &t);
	if (rc < 0)
		return rc;
	do {
		n = meta_extent_packs(&t, ino, after, row, BACK_PAGE);
		for (i = 0; i < n; i++) {
			after = row[i];
			rc = back_find(b, &t, after, &p);
			if (rc < 0)
				return rc;
			back_wants(b, p, w);
			*ready_ns = MAX(*ready_ns, p->ready_ns);
		}
	} while (n == BACK_PAGE);
	if (n < 0)
		return n;
	if (p && p->tier < MOVE_TIERS_MAX) { /* nearly all of it is there */
		b->gets[p->tier] += (missing + BACK_GET - 1) / BACK_GET;
		b->bytes[p->tier] += missing;
	}
	return *ready_ns > b->now_ns;
}

int back_speed(struct ctl_call *c, struct back_want *w)
{
	static const char *const name[] = {
		[STORE_STANDARD] = "standard",
		[STORE_BULK] = "bulk",
		[STORE_EXPEDITED] = "expedited",
	};
	const char *s = ctl_text(c, "speed");
	size_t i;

	if (!s)
		return 0;
	for (i = 0; i < ARRAY_SIZE(name); i++)
		if (strcmp(s, name[i]) == 0) {
			w->has_speed = true;
			w->speed = (enum store_speed)i;
			return 0;
		}
	return fail(&c->err, -EINVAL,
		    "the speed is bulk, standard or expedited, not '%s'", s);
}

/* ---- money ------------------------------------------------------------ */

static size_t
back_recalls(struct back *b,
	     struct cost_recall r[MOVE_TIERS_MAX * (PRICE_SPEEDS + 1)])
{
	const struct ctl_worker *w = b->c->w;
	struct back_pack *p, *tmp;
	size_t i, k, n = 0;

	for (i = 0; i < w->n_tiers; i++)
		for (k = 0; k <= PRICE_SPEEDS; k++)
			r[n++] = (struct cost_recall){
				.tier = w->tiers[i].name,
				.speed = (enum price_speed)(k % PRICE_SPEEDS),
				.days = b->days,
				.gets = k == PRICE_SPEEDS ? b->gets[i] : 0,
				.bytes = k == PRICE_SPEEDS ? b->bytes[i] : 0,
			};
	b->orders = b->order_bytes = 0;
	HASH_ITER(hh, b->packs, p, tmp) {
		if (!p->order || p->tier >= w->n_tiers)
			continue;
		k = p->tier * (PRICE_SPEEDS + 1) + p->speed;
		r[k].restores++;
		r[k].restored_bytes += p->length;
		b->orders++;
		b->order_bytes += p->length;
	}
	return n;
}

int back_cost(struct back *b, json_t *result, money_t *amount)
{
	struct cost_recall r[MOVE_TIERS_MAX * (PRICE_SPEEDS + 1)];
	const struct cost_opts *o = b->c->w->cost;
	struct cost_recalled sum = { 0 };
	uint64_t requests;
	size_t i, n = back_recalls(b, r);
	int rc = 0;

	if (o)
		rc = cost_recall(o, r, n, &sum, &b->c->err);
	requests = b->orders;
	for (i = 0; i < b->c->w->n_tiers; i++)
		requests += b->gets[i];
	if (amount)
		*amount = sum.amount;
	if (rc == 0)
		rc = proto_set(result, "requests", proto_count(requests));
	if (rc == 0)
		rc = proto_set(result, "cost",
			       sum.priced ? ctl_money(sum.amount,
						      o->exchange->currency)
					  : json_null());
	return rc < 0 ? rc
		      : proto_set(result, "cost_confirmed",
				  json_boolean(sum.confirmed));
}

int back_budget(struct back *b, money_t amount, const char *clinical)
{
	const struct tier_opts *o = b->c->w->tier_opts;
	char a[MONEY_SIZE], s[MONEY_SIZE], l[MONEY_SIZE];
	const char *currency;
	money_t spent;
	int rc;

	if (!o || !o->has_budget || !o->spent || (!b->orders && amount <= 0))
		return 0;
	rc = o->spent(o->spent_arg, &spent);
	if (rc < 0)
		return fail(&b->c->err, rc,
			    "cannot find out what of the budget is used: %m");
	if (spent + amount <= o->budget)
		return 0;
	currency = o->exchange->currency;
	money_show(amount, currency, a);
	money_show(spent, currency, s);
	money_show(o->budget, currency, l);
	if (clinical) {
		log_warn("audit: user %u recalls for %s beyond the budget: %s, "
			 "%s of %s are used, %llu packs",
			 (unsigned)b->c->peer->uid, clinical, a, s, l,
			 (unsigned long long)b->orders);
		return 0;
	}
	b->c->code = "over_budget";
	fail(&b->c->err, -EDQUOT,
	     "it would cost %s, and %s of the month's budget of %s are used", a,
	     s, l);
	return fail_hint(
		&b->c->err, -EDQUOT,
		"recalls for a clinic list, and files that are opened, "
		"come back in spite of the budget");
}

/* ---- orders ----------------------------------------------------------- */

int back_order(struct back *b)
{
	struct back_pack *p, *tmp;
	int rc;

	HASH_ITER(hh, b->packs, p, tmp) {
		if (!p->order)
			continue;
		if (ctl_gone(b->c))
			return -EINTR;
		rc = move_restore(b->c->w->move, p->row, p->speed, b->days,
				  STORE_CAUSE_RECALL);
		if (rc < 0 && rc != -EINPROGRESS)
			return rc;
	}
	return 0;
}

/* ---- pins ------------------------------------------------------------- */

static int pin_some(struct ctl_call *c, struct meta_pin *pin,
		    const struct ctl_item *item, size_t n)
{
	META_TXN(t);
	size_t i;
	int rc = meta_begin(c->w->meta, &t);

	if (rc == 0 && !pin->id)
		rc = meta_pin_add(&t, pin);
	for (i = 0; i < n && rc == 0; i++) {
		rc = meta_pin_file(&t, pin->id, item[i].ino);
		if (rc == -ENOENT) /* deleted meanwhile */
			rc = 0;
	}
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

int ctl_pin(struct ctl_call *c, struct meta_pin *pin,
	    const struct ctl_item *item, size_t n)
{
	size_t at, k;
	int rc = 0;

	for (at = 0; at < n && rc == 0; at += k) {
		k = MIN(n - at, (size_t)BACK_PAGE);
		rc = pin_some(c, pin, &item[at], k);
	}
	move_pinned(c->w->move);
	return rc;
}
