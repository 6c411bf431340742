/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bill: cells of the ledger become lines, and lines of one month and price
 * table are priced together (price_bill), so that whatever is made of them
 * adds up.
 */
#include "cost/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef unsigned __int128 u128;

/* ---- small things --------------------------------------------------- */

void cost_month_of(int32_t day, int32_t *first, int32_t *next)
{
	time_t t = (time_t)day * SEC_PER_DAY;
	struct tm tm;

	gmtime_r(&t, &tm);
	*first = day - (tm.tm_mday - 1);
	tm = (struct tm){ .tm_year = tm.tm_year,
			  .tm_mon = tm.tm_mon + 1,
			  .tm_mday = 1 };
	*next = (int32_t)(timegm(&tm) / SEC_PER_DAY);
}

void cost_words_add(struct cost_words *w, const char *fmt, ...)
{
	char *text, **grown;
	va_list ap;
	size_t i;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		w->rc = -ENOMEM;
		return;
	}
	for (i = 0; i < w->n; i++)
		if (strcmp(w->word[i], text) == 0) {
			free(text);
			return;
		}
	grown = reallocarray(w->word, w->n + 1, sizeof(*grown));
	if (!grown) {
		free(text);
		w->rc = -ENOMEM;
		return;
	}
	w->word = grown;
	w->word[w->n++] = text;
}

void cost_words_done(struct cost_words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->word[i]);
	free(w->word);
	*w = (struct cost_words){ 0 };
}

int cost_fail(struct err *err, const struct err *said, int rc)
{
	if (!said->msg[0])
		return fail(err, rc, "cannot read the ledger: %m");
	fail(err, rc, "%s", said->msg);
	return fail_hint(err, rc, "%s", said->hint);
}

const char *cost_class_name(const char *storage_class)
{
	return storage_class[0] ? storage_class : "STANDARD";
}

const struct cost_tier *cost_tier_of(const struct cost_opts *o,
				     const char *tier)
{
	size_t i;

	for (i = 0; i < o->n_tiers; i++)
		if (strcmp(o->tiers[i].tier, tier) == 0)
			return &o->tiers[i];
	return NULL;
}

void cost_bill_init(struct cost_bill *b, struct meta *m,
		    const struct cost_opts *o, int32_t from, int32_t to,
		    struct cost_words *doubts, struct err *err)
{
	*b = (struct cost_bill){ .meta = m,
				 .o = o,
				 .from = from,
				 .to = to,
				 .doubts = doubts,
				 .err = err };
	snprintf(b->disk_class.name, sizeof(b->disk_class.name), "%s",
		 COST_LOCAL_CLASS);
	b->disk_class.storage_gb_month = o->disk_tb_month;
	snprintf(b->disk_table.name, sizeof(b->disk_table.name), "%s",
		 "local disk");
	memcpy(b->disk_table.currency, o->exchange->currency,
	       sizeof(b->disk_table.currency));
}

void cost_bill_done(struct cost_bill *b)
{
	free(b->cells);
	free(b->lines);
	*b = (struct cost_bill){ 0 };
}

/* ---- cells ---------------------------------------------------------- */

u128 cost_time(const struct price_time *t)
{
	return (u128)t->hours * 3600 + t->seconds;
}

void cost_time_add(struct price_time *to, u128 byte_seconds)
{
	u128 sum = cost_time(to) + byte_seconds;

	to->hours = (uint64_t)(sum / 3600);
	to->seconds = (uint64_t)(sum % 3600);
}

static void usage_storage_add(struct price_usage *to, uint64_t hours,
			      uint64_t seconds)
{
	struct price_time t = { to->byte_hours, to->byte_seconds };

	cost_time_add(&t, (u128)hours * 3600 + seconds);
	to->byte_hours = t.hours;
	to->byte_seconds = t.seconds;
}

void cost_usage_add(struct price_usage *to, const struct price_usage *u)
{
	size_t i;

	usage_storage_add(to, u->byte_hours, u->byte_seconds);
	cost_time_add(&to->early, cost_time(&u->early));
	cost_time_add(&to->small, cost_time(&u->small));
	cost_time_add(&to->overhead, cost_time(&u->overhead));
	cost_time_add(&to->overhead_standard, cost_time(&u->overhead_standard));
	cost_time_add(&to->held, cost_time(&u->held));
	to->puts += u->puts;
	to->lists += u->lists;
	to->gets += u->gets;
	to->heads += u->heads;
	to->deletes += u->deletes;
	to->out_bytes += u->out_bytes;
	to->in_bytes += u->in_bytes;
	for (i = 0; i < PRICE_SPEEDS; i++) {
		to->restores[i] += u->restores[i];
		to->restored_bytes[i] += u->restored_bytes[i];
	}
}

static bool cell_is(const struct cost_cell *c, int32_t day, const char *tier,
		    const char *storage_class, const char *cause)
{
	return day >= c->from && day < c->to && strcmp(c->tier, tier) == 0 &&
	       strcmp(c->storage_class, storage_class) == 0 &&
	       strcmp(c->cause, cause) == 0;
}

/* The days that a cell stands for. */
static void cell_days(const struct cost_bill *b, int32_t day,
		      struct cost_cell *c)
{
	if (b->daily) {
		c->from = day;
		c->to = day + 1;
		return;
	}
	cost_month_of(day, &c->from, &c->to);
	c->from = MAX(c->from, b->from);
	c->to = MIN(c->to, b->to);
}

struct cost_cell *cost_bill_append(struct cost_bill *b, int32_t day,
				   const char *tier, const char *storage_class,
				   const char *cause)
{
	const char *cls = cost_class_name(storage_class);
	struct cost_cell *c =
		reallocarray(b->cells, b->n_cells + 1, sizeof(*c));

	if (!c)
		return NULL;
	b->cells = c;
	c += b->n_cells++;
	*c = (struct cost_cell){ 0 };
	cell_days(b, day, c);
	snprintf(c->tier, sizeof(c->tier), "%s", tier);
	snprintf(c->storage_class, sizeof(c->storage_class), "%s", cls);
	snprintf(c->cause, sizeof(c->cause), "%s", cause);
	return c;
}

struct cost_cell *cost_bill_cell(struct cost_bill *b, int32_t day,
				 const char *tier, const char *storage_class,
				 const char *cause)
{
	const char *cls = cost_class_name(storage_class);
	size_t i;

	/* from the newest: rows come by day */
	for (i = b->n_cells; i-- > 0;)
		if (cell_is(&b->cells[i], day, tier, cls, cause))
			return &b->cells[i];
	return cost_bill_append(b, day, tier, cls, cause);
}

static int ledger_row(struct cost_bill *b, const struct meta_ledger *l)
{
	struct cost_cell *c =
		cost_bill_cell(b, l->day, l->tier, l->storage_class, l->cause);
	const struct price_usage u = {
		.byte_hours = l->byte_hours,
		.byte_seconds = l->byte_seconds,
		.puts = l->puts,
		.lists = l->lists,
		.gets = l->gets,
		.heads = l->heads,
		.deletes = l->deletes,
		.out_bytes = l->out_bytes,
		.in_bytes = l->in_bytes,
	};

	if (!c)
		return -ENOMEM;
	cost_usage_add(&c->usage, &u);
	return 0;
}

static void ledger_count(const struct meta_ledger_item *l,
			 struct price_usage *u)
{
	if (l->kind < META_LEDGER_RESTORES)
		u->restored_bytes[l->kind - META_LEDGER_RESTORED] += l->whole;
	else
		u->restores[l->kind - META_LEDGER_RESTORES] += l->whole;
}

static void ledger_item_add(const struct meta_ledger_item *l,
			    struct cost_cell *c)
{
	u128 time = (u128)l->whole * 3600 + l->rest;

	switch (l->kind) {
	case META_LEDGER_EARLY:
		cost_time_add(&c->usage.early, time);
		break;
	case META_LEDGER_SMALL:
		cost_time_add(&c->usage.small, time);
		break;
	case META_LEDGER_OVERHEAD:
		cost_time_add(&c->usage.overhead, time);
		break;
	case META_LEDGER_OVERHEAD_STANDARD:
		cost_time_add(&c->usage.overhead_standard, time);
		break;
	case META_LEDGER_HELD:
		cost_time_add(&c->usage.held, time);
		break;
	case META_LEDGER_DISK:
		c->disk += time;
		break;
	default:
		ledger_count(l, &c->usage);
	}
}

static int ledger_item(struct cost_bill *b, const struct meta_ledger_item *l)
{
	bool disk = l->kind == META_LEDGER_DISK;
	struct cost_cell *c;

	if (disk && !b->o->disk_tb_month.known)
		return 0;
	c = cost_bill_cell(b, l->day, disk ? COST_LOCAL : l->tier,
			   disk ? COST_LOCAL_CLASS : l->storage_class,
			   disk ? "" : l->cause);
	if (!c)
		return -ENOMEM;
	ledger_item_add(l, c);
	return 0;
}

/*
 * Pages of rows or of items. All pages of a span are read in one transaction:
 * the ledger adds rows to the day of now, which would move those of a next
 * page.
 */
union ledger_page {
	struct meta_ledger row[COST_PAGE];
	struct meta_ledger_item item[COST_PAGE];
};

static int page_rows(struct cost_bill *b, struct meta_txn *t, int32_t from,
		     int32_t to, size_t skip, union ledger_page *page)
{
	int n = meta_ledger_list(t, from, to, skip, page->row, COST_PAGE);
	int i, rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = ledger_row(b, &page->row[i]);
	return rc < 0 ? rc : n;
}

static int page_items(struct cost_bill *b, struct meta_txn *t, int32_t from,
		      int32_t to, size_t skip, union ledger_page *page)
{
	int n = meta_ledger_items(t, from, to, skip, page->item, COST_PAGE);
	int i, rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = ledger_item(b, &page->item[i]);
	return rc < 0 ? rc : n;
}

static int ledger_span(struct cost_bill *b, int32_t from, int32_t to,
		       union ledger_page *page)
{
	size_t skip = 0;
	META_TXN(t);
	int n = meta_look(b->meta, &t);

	if (n < 0)
		return n;
	do {
		n = page_rows(b, &t, from, to, skip, page);
		skip += COST_PAGE;
	} while (n == COST_PAGE);
	for (skip = 0; n >= 0; skip += COST_PAGE) {
		n = page_items(b, &t, from, to, skip, page);
		if (n < COST_PAGE)
			break;
	}
	return MIN(n, 0);
}

#define LEDGER_SPAN 31 /* days; some thousand rows */

int cost_bill_ledger(struct cost_bill *b)
{
	CLEANUP_FREE union ledger_page *page = malloc(sizeof(*page));
	int32_t day;
	int rc = page ? 0 : -ENOMEM;

	for (day = b->from; day < b->to && rc == 0; day += LEDGER_SPAN)
		rc = ledger_span(b, day, MIN(b->to, day + LEDGER_SPAN), page);
	return rc;
}

/* ---- lines ---------------------------------------------------------- */

static const struct price_table *cell_table(struct cost_bill *b,
					    const struct cost_cell *c)
{
	const struct cost_tier *t;

	if (c->disk)
		return &b->disk_table;
	t = cost_tier_of(b->o, c->tier);
	return t ? t->prices : NULL;
}

static const struct price_class *cell_class(const struct cost_bill *b,
					    const struct cost_cell *c,
					    const struct price_table *t)
{
	if (t == &b->disk_table)
		return &b->disk_class;
	return t ? price_table_class(t, c->storage_class) : NULL;
}

static int bill_line(struct cost_bill *b, const struct cost_cell *c,
		     const struct price_table *t, const struct price_line *l)
{
	struct cost_line *out =
		reallocarray(b->lines, b->n_lines + 1, sizeof(*out));

	if (!out)
		return -ENOMEM;
	b->lines = out;
	out += b->n_lines++;
	*out = (struct cost_line){
		.from = c->from,
		.to = c->to,
		.prices = t == &b->disk_table ? NULL : t,
		.table = t ? t->name : "",
		.item = l->item,
		.quantity = l->quantity,
		.currency = t ? t->currency : "",
	};
	memcpy(out->tier, c->tier, sizeof(out->tier));
	memcpy(out->storage_class, c->storage_class,
	       sizeof(out->storage_class));
	memcpy(out->cause, c->cause, sizeof(out->cause));
	memcpy(out->group, c->group, sizeof(out->group));
	return 0;
}

/* The cell's lines, unpriced. */
static int bill_cell_lines(struct cost_bill *b, const struct cost_cell *c)
{
	const struct price_table *t = cell_table(b, c);
	const struct price_class *cls = cell_class(b, c, t);
	struct price_line line[PRICE_ITEMS];
	size_t n = price_lines(cls, &c->usage, line), i;
	int rc = 0;

	if (c->disk)
		line[n++] = (struct price_line){ .item = PRICE_OF_DISK,
						 .quantity = c->disk };
	if (n && !cls)
		cost_words_add(b->doubts, "%s: no price of %s%s",
			       t ? t->name : c->tier, c->storage_class,
			       t ? "" : " (no price table)");
	for (i = 0; i < n && rc == 0; i++)
		rc = bill_line(b, c, t, &line[i]);
	return rc;
}

/* A table's name and where doubts about it are collected. */
struct bill_doubts {
	struct cost_words *words;
	const char *table;
};

static void bill_unconfirmed(void *arg, const char *what)
{
	struct bill_doubts *d = arg;

	cost_words_add(d->words, "%s: %s", d->table, what);
}

static int bill_rate(const struct cost_bill *b, const char *from, money_t *out)
{
	int rc = price_rate_of(b->o->exchange, from, out);

	if (rc != -ENOENT)
		return rc;
	fail(b->err, rc, "there is no rate from %s to %s", from,
	     b->o->exchange->currency);
	return fail_hint(b->err, rc, "add it under cost.exchange");
}

/* Do they belong to one account's bill of one month? */
static bool bill_mates(const struct cost_line *a, const struct cost_line *b)
{
	int32_t first, next;

	if (a->prices != b->prices || a->table != b->table)
		return false;
	cost_month_of(a->from, &first, &next);
	return b->from >= first && b->from < next;
}

static const struct price_class *line_class(const struct cost_bill *b,
					    const struct cost_line *l)
{
	return l->prices ? price_table_class(l->prices, l->storage_class)
			 : &b->disk_class;
}

/* Prices lines[at] and all behind it that are of the same month and table;
 * `done` marks them. */
static int bill_price_month(struct cost_bill *b, size_t at, bool *done)
{
	struct cost_line *first = &b->lines[at];
	const struct price_table *t = first->prices ? first->prices
						    : &b->disk_table;
	CLEANUP_FREE struct price_line *line =
		calloc(b->n_lines - at, sizeof(*line));
	CLEANUP_FREE size_t *from = calloc(b->n_lines - at, sizeof(*from));
	struct bill_doubts doubts = { b->doubts, t->name };
	money_t rate = 0;
	size_t n = 0, i;
	int rc = bill_rate(b, t->currency, &rate);

	if (rc < 0 || !line || !from)
		return rc < 0 ? rc : -ENOMEM;
	for (i = at; i < b->n_lines; i++) {
		struct cost_line *l = &b->lines[i];

		if (done[i] || !bill_mates(first, l))
			continue;
		done[i] = true;
		from[n] = i;
		line[n++] = (struct price_line){ .class = line_class(b, l),
						 .item = l->item,
						 .quantity = l->quantity };
	}
	rc = price_bill(t, line, n, rate, bill_unconfirmed, &doubts);
	for (i = 0; i < n && rc == 0; i++) {
		b->lines[from[i]].amount = line[i].amount;
		if (line[i].figure)
			b->lines[from[i]].figure = *line[i].figure;
	}
	return rc;
}

int cost_bill_price(struct cost_bill *b)
{
	CLEANUP_FREE bool *done = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < b->n_cells && rc == 0; i++)
		rc = bill_cell_lines(b, &b->cells[i]);
	done = calloc(b->n_lines + 1, sizeof(*done));
	if (!done)
		return -ENOMEM;
	for (i = 0; i < b->n_lines && rc == 0; i++) {
		bool priced = b->lines[i].prices ||
			      b->lines[i].table == b->disk_table.name;

		if (!done[i] && priced)
			rc = bill_price_month(b, i, done);
	}
	return rc < 0 ? rc : b->doubts->rc;
}
