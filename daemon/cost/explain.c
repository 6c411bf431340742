/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bytes of files cost since their packs were stored where they are. A
 * pack's charges are shared by the sealed bytes that the files have in it;
 * what readers of one file caused, and where its packs lay before, the ledger
 * does not know.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>

typedef unsigned __int128 u128;

#define EXPLAIN_EXTENTS 8
/* A frame table's entry: the stored length is in its low 24 bits. */
#define EXPLAIN_LENGTH 0xffffffU

struct explain_pack {
	uint64_t row, sealed; /* of the files' */
};

struct explain {
	struct meta *meta;
	const struct cost_opts *o;
	int64_t now_ns;
	struct explain_pack *packs;
	size_t n_packs;
	struct cost_words doubts;
	const char *table; /* that is being applied */
	struct cost_explained *out;
	struct err *err;
};

/* ---- which packs ---------------------------------------------------- */

static int explain_add(struct explain *x, uint64_t row, uint64_t sealed)
{
	struct explain_pack *p;
	size_t i;

	for (i = x->n_packs; i-- > 0;)
		if (x->packs[i].row == row) {
			x->packs[i].sealed += sealed;
			return 0;
		}
	p = reallocarray(x->packs, x->n_packs + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	x->packs = p;
	p[x->n_packs++] = (struct explain_pack){ row, sealed };
	return 0;
}

static uint64_t explain_sealed(const struct meta_extent *e)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < e->frames; i++)
		sum += e->table[i] & EXPLAIN_LENGTH;
	return sum;
}

/* A page of extents; *off moves behind it. How many it had. */
static int explain_extents(struct explain *x, struct meta_txn *t, uint64_t ino,
			   uint64_t *off)
{
	struct meta_extent e[EXPLAIN_EXTENTS];
	int n = meta_extent_list(t, ino, *off, INT64_MAX - *off, e,
				 EXPLAIN_EXTENTS);
	int rc = 0, i;

	for (i = 0; i < n; i++) {
		if (rc == 0)
			rc = explain_add(x, e[i].pack, explain_sealed(&e[i]));
		x->out->bytes += e[i].len;
		*off = e[i].off + e[i].len;
		meta_extent_done(&e[i]);
	}
	return rc < 0 ? rc : n;
}

static int explain_file(struct explain *x, uint64_t ino)
{
	uint64_t off = 0;
	int n;

	do {
		META_TXN(t);
		int rc = meta_read(x->meta, &t);

		n = rc < 0 ? rc : explain_extents(x, &t, ino, &off);
	} while (n == EXPLAIN_EXTENTS);
	x->out->files++;
	return MIN(n, 0);
}

/* ---- events --------------------------------------------------------- */

static void explain_doubt(void *arg, const char *what)
{
	struct explain *x = arg;

	cost_words_add(&x->doubts, "%s: %s", x->table, what);
}

static struct cost_event *explain_event(struct explain *x)
{
	struct cost_event *e =
		reallocarray(x->out->events, x->out->n_events + 1, sizeof(*e));

	if (!e)
		return NULL;
	x->out->events = e;
	e += x->out->n_events++;
	*e = (struct cost_event){ .currency = "" };
	return e;
}

/* One pack, its terms, and how much of it is asked about. */
struct explain_part {
	const struct meta_pack *pack;
	const struct price_table *table; /* NULL: unpriced */
	const struct price_class *class;
	money_t rate;
	uint64_t sealed, rest; /* rest: others' */
};

static u128 explain_share(const struct explain_part *p, u128 whole)
{
	const u128 weight[2] = { p->sealed, p->rest };
	money_t share[2];

	money_split((money_t)whole, weight, 2, share);
	return (u128)share[0];
}

/*
 * An event of the pack: of bytes, the files' share is priced; of requests,
 * which cannot be divided, the price is.
 */
static int explain_charge(struct explain *x, const struct explain_part *p,
			  int64_t at_ns, enum price_item item, u128 whole)
{
	bool counts = price_item_unit(item) == PRICE_REQUESTS;
	struct price_line line = {
		.class = p->class,
		.item = item,
		.quantity = counts ? whole : explain_share(p, whole)
	};
	struct cost_event *e;
	int rc = 0;

	if (!line.quantity)
		return 0;
	e = explain_event(x);
	if (!e)
		return -ENOMEM;
	if (p->table)
		rc = price_bill(p->table, &line, 1, p->rate, explain_doubt, x);
	e->at_ns = at_ns;
	memcpy(e->tier, p->pack->tier, sizeof(e->tier));
	snprintf(e->storage_class, sizeof(e->storage_class), "%s",
		 cost_class_name(p->pack->storage_class));
	e->item = item;
	e->quantity = line.quantity;
	if (line.figure)
		e->figure = *line.figure;
	if (p->table)
		e->currency = p->table->currency;
	e->amount = counts ? (money_t)explain_share(p, (u128)line.amount)
			   : line.amount;
	x->out->total += e->amount;
	return rc;
}

/* What the pack is billed as, for so many seconds: by item. */
static int explain_kept(struct explain *x, const struct explain_part *p,
			int64_t at_ns, uint64_t seconds)
{
	const struct price_class *c = p->class;
	const struct meta_pack *k = p->pack;
	int rc = explain_charge(x, p, at_ns, PRICE_OF_STORAGE,
				(u128)k->length * seconds);

	if (rc == 0 && k->billed > k->length)
		rc = explain_charge(x, p, at_ns, PRICE_OF_SMALL,
				    (u128)(k->billed - k->length) * seconds);
	if (rc == 0 && c)
		rc = explain_charge(x, p, at_ns, PRICE_OF_OVERHEAD,
				    (u128)c->overhead_bytes * seconds);
	if (rc == 0 && c)
		rc = explain_charge(x, p, at_ns, PRICE_OF_OVERHEAD_STANDARD,
				    (u128)c->overhead_standard_bytes * seconds);
	return rc;
}

static int explain_restored(struct explain *x, struct meta_txn *t,
			    const struct explain_part *p)
{
	const struct meta_pack *k = p->pack;
	struct meta_restore r;
	int64_t until;
	int rc = meta_restore_get(t, k->row, &r);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (r.state != META_RESTORE_ORDERED && r.state != META_RESTORE_READY)
		return 0;
	rc = explain_charge(x, p, r.ordered_ns,
			    (enum price_item)(PRICE_OF_RESTORES + r.speed), 1);
	if (rc == 0)
		rc = explain_charge(
			x, p, r.ordered_ns,
			(enum price_item)(PRICE_OF_RESTORED + r.speed),
			k->length);
	until = MIN(r.until_ns, x->now_ns);
	if (rc < 0 || r.state != META_RESTORE_READY || until <= r.due_ns)
		return rc;
	return explain_charge(x, p, r.due_ns, PRICE_OF_HELD,
			      (u128)k->length * (uint64_t)((until - r.due_ns) /
							   NSEC_PER_SEC));
}

static int explain_terms(struct explain *x, struct explain_part *p)
{
	const struct cost_tier *tier = cost_tier_of(x->o, p->pack->tier);
	int rc;

	p->table = tier ? tier->prices : NULL;
	if (!p->table) {
		cost_words_add(&x->doubts, "%s: no price table", p->pack->tier);
		return 0;
	}
	x->table = p->table->name;
	p->class = price_table_class(p->table, p->pack->storage_class);
	if (!p->class)
		cost_words_add(&x->doubts, "%s: no price of %s", p->table->name,
			       cost_class_name(p->pack->storage_class));
	rc = price_rate_of(x->o->exchange, p->table->currency, &p->rate);
	if (rc == -ENOENT)
		return fail(x->err, rc, "there is no rate from %s to %s",
			    p->table->currency, x->o->exchange->currency);
	return rc;
}

/* A month from now on: the same charges, taken back out of the events. */
static int explain_month(struct explain *x, const struct explain_part *p)
{
	money_t so_far = x->out->total;
	size_t n = x->out->n_events;
	int rc = explain_kept(x, p, x->now_ns, COST_MONTH_SECONDS);

	x->out->per_month += x->out->total - so_far;
	x->out->total = so_far;
	x->out->n_events = n;
	return rc;
}

static int explain_pack(struct explain *x, const struct explain_pack *at)
{
	META_TXN(t);
	struct meta_pack k = { 0 };
	struct explain_part p = { .pack = &k, .sealed = at->sealed };
	int rc = meta_read(x->meta, &t);
	int64_t age;

	if (rc == 0)
		rc = meta_pack_get(&t, at->row, &k);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc; /* it went meanwhile */
	p.rest = k.length > at->sealed ? k.length - at->sealed : 0;
	rc = explain_terms(x, &p);
	if (rc < 0)
		return rc;
	age = MAX((x->now_ns - k.stored_ns) / NSEC_PER_SEC, INT64_C(0));
	rc = explain_charge(x, &p, k.stored_ns, PRICE_OF_PUT, 1);
	if (rc == 0)
		rc = explain_kept(x, &p, k.stored_ns, (uint64_t)age);
	if (rc == 0)
		rc = explain_restored(x, &t, &p);
	return rc < 0 ? rc : explain_month(x, &p);
}

static int event_by_time(const void *a, const void *b)
{
	const struct cost_event *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return (int)x->item - (int)y->item;
}

static int explain_all(struct explain *x, const uint64_t *ino, size_t n)
{
	struct cost_explained *out = x->out;
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = explain_file(x, ino[i]);
	for (i = 0; i < x->n_packs && rc == 0; i++)
		rc = explain_pack(x, &x->packs[i]);
	if (out->n_events)
		qsort(out->events, out->n_events, sizeof(*out->events),
		      event_by_time);
	snprintf(out->basis, sizeof(out->basis),
		 "Since the packs were stored where they are now, by the share "
		 "that the files have in them; requests are the packs'. What "
		 "was read, and earlier places, are not known by file.");
	return rc < 0 ? rc : x->doubts.rc;
}

int cost_explain(struct meta *m, const struct cost_opts *o, const uint64_t *ino,
		 size_t n, int64_t now_ns, struct cost_explained *out,
		 struct err *err)
{
	CLEANUP(cost_explained_done) struct cost_explained made = { 0 };
	struct err said = ERR_INIT;
	struct explain x = {
		.meta = m, .o = o, .now_ns = now_ns, .out = &made, .err = &said
	};
	int rc = explain_all(&x, ino, n);

	free(x.packs);
	made.unconfirmed = x.doubts.word;
	made.n_unconfirmed = x.doubts.n;
	if (rc < 0)
		return cost_fail(err, &said, rc);
	*out = made;
	made = (struct cost_explained){ 0 };
	return 0;
}

void cost_explained_done(struct cost_explained *x)
{
	struct cost_words w = { x->unconfirmed, x->n_unconfirmed, 0 };

	cost_words_done(&w);
	free(x->events);
	*x = (struct cost_explained){ 0 };
}
