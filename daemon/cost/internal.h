/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rows of the ledger to a bill. Cells hold what was used; lines are made
 * of cells and priced, a month and a price table at a time.
 */
#ifndef MERSEY_COST_INTERNAL_H
#define MERSEY_COST_INTERNAL_H

#include "cost/cost.h"

#define COST_PAGE	   64
#define COST_MONTH_HOURS   730 /* as the price tables define a month */
#define COST_MONTH_SECONDS (COST_MONTH_HOURS * 3600)
#define COST_DECIMAL_TB	   1000000000000ULL

/* The calendar month of a day: its first day, the next one's. */
void cost_month_of(int32_t day, int32_t *first, int32_t *next);

/* Texts that are there once: what is not confirmed, assumptions. */
struct cost_words {
	char **word;
	size_t n;
	int rc; /* -ENOMEM once memory ran out */
};
void cost_words_add(struct cost_words *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cost_words_done(struct cost_words *w);

/* Ends a call: what `said` says, or that the ledger cannot be read. */
int cost_fail(struct err *err, const struct err *said, int rc);

/* What was used of a tier and class, by a cause, in some days of a month. */
struct cost_cell {
	int32_t from, to; /* days; to exclusive */
	char tier[64], storage_class[32], cause[16];
	char group[64]; /* the row it belongs to */
	struct price_usage usage;
	unsigned __int128 disk; /* byte-seconds of the cache */
};

struct cost_bill {
	struct meta *meta;
	const struct cost_opts *o;
	int32_t from, to;
	bool daily; /* a cell for each day, not for each month */
	struct cost_cell *cells;
	size_t n_cells;
	struct cost_line *lines;
	size_t n_lines;
	struct cost_words *doubts; /* borrowed: figures not confirmed */
	/* The cache as if it was a provider's. */
	struct price_class disk_class;
	struct price_table disk_table;
	struct err *err;
};

void cost_bill_init(struct cost_bill *b, struct meta *m,
		    const struct cost_opts *o, int32_t from, int32_t to,
		    struct cost_words *doubts, struct err *err);
void cost_bill_done(struct cost_bill *b);

/* "STANDARD" for "". */
const char *cost_class_name(const char *storage_class);
/* What a tier is priced by; NULL = by nothing. */
const struct cost_tier *cost_tier_of(const struct cost_opts *o,
				     const char *tier);

/* The cell of a day (and group ""), made when it is new. NULL: no memory. */
struct cost_cell *cost_bill_cell(struct cost_bill *b, int32_t day,
				 const char *tier, const char *storage_class,
				 const char *cause);
/* A new one behind all others, whatever there is; NULL: no memory. */
struct cost_cell *cost_bill_append(struct cost_bill *b, int32_t day,
				   const char *tier, const char *storage_class,
				   const char *cause);
/* Cells of all ledger rows of the bill's days. */
int cost_bill_ledger(struct cost_bill *b);
/* Makes b->lines of the cells, and prices them. -ENOENT with b->err: a rate
 * is missing. */
int cost_bill_price(struct cost_bill *b);

void cost_usage_add(struct price_usage *to, const struct price_usage *u);
/* Byte-time; normalised. */
void cost_time_add(struct price_time *to, unsigned __int128 byte_seconds);
unsigned __int128 cost_time(const struct price_time *t);

/* What is stored now, by tier, class and (when asked for) group. */
struct cost_present {
	char tier[64], storage_class[32], group[64];
	uint64_t objects, bytes;
	uint64_t billed; /* as so many bytes, without overhead */
};
struct cost_presents {
	struct cost_present *item;
	size_t n;
};
/* Groups: by modality or age as of now_ns; else "". */
int cost_presents_read(struct meta *m, enum cost_by by, int64_t now_ns,
		       struct cost_presents *out);
/* Adds what is in the cache: tier "local"; nothing when it has no price. */
int cost_presents_local(struct meta *m, const struct cost_opts *o,
			struct cost_presents *out);
/* Divides the cells by the bytes that each group has of tier and class. */
int cost_bill_divide(struct cost_bill *b, const struct cost_presents *p);
/* What it costs to keep that for so long: storage, small objects, overheads. */
void cost_present_usage(const struct cost_opts *o, const struct cost_present *p,
			uint64_t seconds, struct price_usage *out);
/*
 * Energy and carbon of a cell; false when its table has no factor for bytes
 * that it has. The method names the factors of the cells.
 */
bool cost_carbon(const struct cost_opts *o, const struct cost_cell *c,
		 money_t *kwh, money_t *kg);
void cost_carbon_method(const struct cost_opts *o, char *out, size_t size);
/* "everything in TABLE STANDARD", for each table where that is something
 * else. */
int cost_compare(const struct cost_bill *b, money_t total,
		 struct cost_report *out);
/* The place of an age among the ages; for the order of rows. */
size_t cost_age_rank(const char *group);

#endif
