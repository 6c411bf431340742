/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage x price. A table says of each item where its figure is and what it
 * counts; a bill adds up what has the same figure before it is priced.
 */
#include "price/price.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"

typedef unsigned __int128 u128;

#define PRICE_GB	  (1ULL << 30)
#define PRICE_TB	  1000000000000ULL
#define PRICE_MONTH_HOURS 730ULL
#define PRICE_MONTH	  (PRICE_MONTH_HOURS * 3600)

/* ---- items ---------------------------------------------------------- */

static const struct price_item_row {
	const char *name;
	enum price_unit unit;
	enum price_column column;
	uint64_t per;
	const char *doubt; /* how a figure is named that nobody confirmed */
} price_item_rows[PRICE_ITEMS] = {
#define TIMED(name, column)                                              \
	{                                                                \
		name, PRICE_BYTE_SECONDS, column, PRICE_GB *PRICE_MONTH, \
			"storage"                                        \
	}
	[PRICE_OF_STORAGE] = TIMED("storage", PRICE_COL_STORAGE),
	[PRICE_OF_EARLY] = TIMED("early_deletion", PRICE_COL_EARLY_DELETION),
	[PRICE_OF_SMALL] = TIMED("minimum_size", PRICE_COL_MINIMUM_SIZE),
	[PRICE_OF_OVERHEAD] = TIMED("overhead", PRICE_COL_MINIMUM_SIZE),
	[PRICE_OF_OVERHEAD_STANDARD] =
		TIMED("overhead_standard", PRICE_COL_MINIMUM_SIZE),
	[PRICE_OF_HELD] = TIMED("restored_copy", PRICE_COL_RETRIEVAL),
#undef TIMED
	[PRICE_OF_DISK] = { "disk", PRICE_BYTE_SECONDS, PRICE_COL_STORAGE,
			    PRICE_TB *PRICE_MONTH, "storage" },
#define REQUESTS(name, column, doubt)                     \
	{                                                 \
		name, PRICE_REQUESTS, column, 1000, doubt \
	}
	[PRICE_OF_PUT] = REQUESTS("put", PRICE_COL_REQUESTS, "requests"),
	[PRICE_OF_GET] = REQUESTS("get", PRICE_COL_REQUESTS, "requests"),
	[PRICE_OF_RESTORES + PRICE_STANDARD] = REQUESTS(
		"restore_standard", PRICE_COL_RETRIEVAL, "restore requests"),
	[PRICE_OF_RESTORES + PRICE_BULK] = REQUESTS(
		"restore_bulk", PRICE_COL_RETRIEVAL, "restore requests"),
	[PRICE_OF_RESTORES + PRICE_EXPEDITED] = REQUESTS(
		"restore_expedited", PRICE_COL_RETRIEVAL, "restore requests"),
#undef REQUESTS
#define BYTES(name, column, doubt)                         \
	{                                                  \
		name, PRICE_BYTES, column, PRICE_GB, doubt \
	}
	[PRICE_OF_READ] = BYTES("read", PRICE_COL_RETRIEVAL, "retrieval"),
	[PRICE_OF_EGRESS] = BYTES("egress", PRICE_COL_TRANSFER, "egress"),
	[PRICE_OF_RESTORED + PRICE_STANDARD] =
		BYTES("restored_standard", PRICE_COL_RETRIEVAL, "retrieval"),
	[PRICE_OF_RESTORED + PRICE_BULK] =
		BYTES("restored_bulk", PRICE_COL_RETRIEVAL, "bulk retrieval"),
	[PRICE_OF_RESTORED + PRICE_EXPEDITED] = BYTES("restored_expedited",
						      PRICE_COL_RETRIEVAL,
						      "expedited retrieval"),
#undef BYTES
};

const char *price_item_name(enum price_item i)
{
	return price_item_rows[i].name;
}

enum price_unit price_item_unit(enum price_item i)
{
	return price_item_rows[i].unit;
}

enum price_column price_item_column(enum price_item i)
{
	return price_item_rows[i].column;
}

uint64_t price_item_per(enum price_item i)
{
	return price_item_rows[i].per;
}

const char *price_column_name(enum price_column c)
{
	static const char *const name[PRICE_COLUMNS] = {
		[PRICE_COL_STORAGE] = "storage",
		[PRICE_COL_REQUESTS] = "requests",
		[PRICE_COL_RETRIEVAL] = "retrieval",
		[PRICE_COL_TRANSFER] = "transfer",
		[PRICE_COL_EARLY_DELETION] = "early_deletion",
		[PRICE_COL_MINIMUM_SIZE] = "minimum_size",
	};

	return name[c];
}

static money_t *price_column_at(struct price_charges *c, enum price_column col)
{
	money_t *const at[PRICE_COLUMNS] = {
		[PRICE_COL_STORAGE] = &c->storage,
		[PRICE_COL_REQUESTS] = &c->requests,
		[PRICE_COL_RETRIEVAL] = &c->retrieval,
		[PRICE_COL_TRANSFER] = &c->transfer,
		[PRICE_COL_EARLY_DELETION] = &c->early_deletion,
		[PRICE_COL_MINIMUM_SIZE] = &c->minimum_size,
	};

	return at[col];
}

money_t price_column(const struct price_charges *c, enum price_column col)
{
	struct price_charges copy = *c;

	return *price_column_at(&copy, col);
}

void price_charges_add(struct price_charges *c, enum price_column col,
		       money_t m)
{
	*price_column_at(c, col) += m;
	c->total += m;
}

/* ---- quantities ----------------------------------------------------- */

static u128 price_seconds(uint64_t hours, uint64_t seconds)
{
	return (u128)hours * 3600 + seconds;
}

static u128 price_time(const struct price_time *t)
{
	return price_seconds(t->hours, t->seconds);
}

u128 price_item_quantity(const struct price_class *c,
			 const struct price_usage *u, enum price_item i)
{
	switch (i) {
	case PRICE_OF_STORAGE:
		return price_seconds(u->byte_hours, u->byte_seconds);
	case PRICE_OF_PUT:
		return (u128)u->puts + u->lists;
	case PRICE_OF_GET:
		return (u128)u->gets + u->heads;
	case PRICE_OF_READ:
		return c && price_class_archive(c) ? 0 : u->in_bytes;
	case PRICE_OF_EGRESS:
		return u->in_bytes;
	case PRICE_OF_EARLY:
		return price_time(&u->early);
	case PRICE_OF_SMALL:
		return price_time(&u->small);
	case PRICE_OF_OVERHEAD:
		return price_time(&u->overhead);
	case PRICE_OF_OVERHEAD_STANDARD:
		return price_time(&u->overhead_standard);
	case PRICE_OF_HELD:
		return price_time(&u->held);
	case PRICE_OF_DISK:
		return 0; /* of no class of a provider */
	default:
		break;
	}
	if (i < PRICE_OF_RESTORES)
		return u->restored_bytes[i - PRICE_OF_RESTORED];
	return u->restores[i - PRICE_OF_RESTORES];
}

size_t price_lines(const struct price_class *c, const struct price_usage *u,
		   struct price_line out[PRICE_ITEMS])
{
	size_t n = 0;
	int i;

	for (i = 0; i < PRICE_ITEMS; i++) {
		u128 q = price_item_quantity(c, u, (enum price_item)i);

		if (q)
			out[n++] = (struct price_line){
				.class = c,
				.item = (enum price_item)i,
				.quantity = q,
			};
	}
	return n;
}

/* ---- figures -------------------------------------------------------- */

/* Whose storage price an item has. */
static const struct price_class *price_billed(const struct price_table *t,
					      const struct price_line *l)
{
	if (l->item == PRICE_OF_OVERHEAD_STANDARD || l->item == PRICE_OF_HELD)
		return price_table_class(t, NULL);
	return l->class;
}

static const struct price_figure *price_figure_of(const struct price_table *t,
						  const struct price_line *l)
{
	const struct price_class *c = price_billed(t, l);

	if (l->item == PRICE_OF_EGRESS)
		return &t->egress_gb;
	if (!c)
		return NULL;
	if (price_item_unit(l->item) == PRICE_BYTE_SECONDS)
		return &c->storage_gb_month;
	switch (l->item) {
	case PRICE_OF_PUT:
		return &c->put_1000;
	case PRICE_OF_GET:
		return &c->get_1000;
	case PRICE_OF_READ:
		return &c->retrieval_gb;
	default:
		break;
	}
	if (l->item < PRICE_OF_RESTORES)
		return &c->recall[l->item - PRICE_OF_RESTORED].gb;
	return &c->recall[l->item - PRICE_OF_RESTORES].request_1000;
}

/* The steps of a figure; *scale is what a byte of `above` is in raw units. */
static size_t price_steps_of(const struct price_table *t,
			     const struct price_line *l,
			     const struct price_step **step, uint64_t *scale)
{
	const struct price_class *c = price_billed(t, l);

	*scale = 1;
	if (l->item == PRICE_OF_EGRESS) {
		*step = t->egress_steps;
		return t->n_egress_steps;
	}
	if (!c || price_item_unit(l->item) != PRICE_BYTE_SECONDS)
		return 0;
	*scale = PRICE_MONTH;
	*step = c->steps;
	return c->n_steps;
}

/* ---- bills ---------------------------------------------------------- */

struct price_flags {
	void (*fn)(void *arg, const char *what);
	void *arg;
	char last[80]; /* what was said last: PUT and GET are both requests */
};

/* Says it when a figure was used that nobody confirmed. */
static void price_flag(const struct price_table *t, const struct price_line *l,
		       const struct price_figure *f, struct price_flags *flags)
{
	const struct price_class *c = price_billed(t, l);
	const char *doubt = price_item_rows[l->item].doubt;
	char text[80];

	if ((f && f->known && f->confirmed) || !flags->fn)
		return;
	if (!l->class && l->item != PRICE_OF_EGRESS)
		return; /* who made the line knows */
	if (l->item == PRICE_OF_EGRESS)
		snprintf(text, sizeof(text), "%s", doubt);
	else
		snprintf(text, sizeof(text), "%s %s", c ? c->name : "STANDARD",
			 doubt);
	if (strcmp(text, flags->last) == 0)
		return;
	memcpy(flags->last, text, sizeof(text));
	flags->fn(flags->arg, text);
}

/* What `quantity` costs by the figure and its steps. */
static money_t price_stepped(const struct price_table *t,
			     const struct price_line *l, u128 quantity,
			     struct price_flags *flags)
{
	const struct price_step *step = NULL;
	const struct price_figure *f = l->figure;
	uint64_t scale, per = price_item_per(l->item);
	size_t n = price_steps_of(t, l, &step, &scale), i;
	money_t sum = 0;
	u128 from = 0;

	for (i = 0; i <= n && from < quantity; i++) {
		u128 to = i < n ? (u128)step[i].above_bytes * scale : quantity;

		to = MIN(to, quantity);
		if (to > from) {
			if (f && f->known)
				sum += money_scale(f->amount, to - from, per);
			price_flag(t, l, f, flags);
			from = to;
		}
		if (i < n)
			f = &step[i].gb;
	}
	return sum;
}

/* Lines of no figure belong together when they are of the same kind. */
static bool price_shared(const struct price_line *a, const struct price_line *b)
{
	if (!a->figure || !b->figure)
		return !a->figure && !b->figure && a->item == b->item &&
		       a->class == b->class;
	return a->figure == b->figure;
}

static bool price_first(const struct price_line *line, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (price_shared(&line[i], &line[at]))
			return false;
	return true;
}

/* Room for the lines that share a figure. */
struct price_pool {
	size_t *member;
	u128 *weight;
	money_t *share;
};

/* Prices line `at` and all behind it that share its figure. */
static void price_together(const struct price_table *t, struct price_line *line,
			   size_t n, size_t at, money_t rate,
			   const struct price_pool *p,
			   struct price_flags *flags)
{
	u128 quantity = 0;
	money_t amount;
	size_t k = 0, i;

	for (i = at; i < n; i++)
		if (price_shared(&line[i], &line[at])) {
			p->member[k] = i;
			p->weight[k++] = line[i].quantity;
			quantity += line[i].quantity;
		}
	amount = price_stepped(t, &line[at], quantity, flags);
	if (rate != MONEY_UNIT)
		amount = money_scale(amount, (u128)rate, MONEY_UNIT);
	money_split(amount, p->weight, k, p->share);
	for (i = 0; i < k; i++)
		line[p->member[i]].amount = p->share[i];
}

static void price_all(const struct price_table *t, struct price_line *line,
		      size_t n, money_t rate, const struct price_pool *p,
		      struct price_flags *flags)
{
	size_t i;

	for (i = 0; i < n; i++)
		line[i].figure = price_figure_of(t, &line[i]);
	for (i = 0; i < n; i++)
		if (price_first(line, i))
			price_together(t, line, n, i, rate, p, flags);
}

int price_bill(const struct price_table *t, struct price_line *line, size_t n,
	       money_t rate, void (*unconfirmed)(void *arg, const char *what),
	       void *arg)
{
	struct price_flags flags = { .fn = unconfirmed, .arg = arg };
	CLEANUP_FREE size_t *member = calloc(n + 1, sizeof(*member));
	CLEANUP_FREE u128 *weight = calloc(n + 1, sizeof(*weight));
	CLEANUP_FREE money_t *share = calloc(n + 1, sizeof(*share));
	const struct price_pool p = { member, weight, share };

	if (!member || !weight || !share)
		return -ENOMEM;
	price_all(t, line, n, rate, &p, &flags);
	return 0;
}

void price_charge(const struct price_table *t, const struct price_class *c,
		  const struct price_usage *u, struct price_charges *out,
		  void (*unconfirmed)(void *arg, const char *what), void *arg)
{
	struct price_flags flags = { .fn = unconfirmed, .arg = arg };
	size_t member[PRICE_ITEMS], i, n;
	u128 weight[PRICE_ITEMS];
	money_t share[PRICE_ITEMS];
	const struct price_pool p = { member, weight, share };
	struct price_line line[PRICE_ITEMS];

	n = price_lines(c, u, line);
	price_all(t, line, n, MONEY_UNIT, &p, &flags);
	*out = (struct price_charges){ 0 };
	for (i = 0; i < n; i++)
		price_charges_add(out, price_item_column(line[i].item),
				  line[i].amount);
}
