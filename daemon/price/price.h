/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money, price tables, and what a quantity costs. Pure: no I/O. Amounts are
 * integers of 1e-10 of a currency unit; rounding happens only when shown.
 */
#ifndef MERSEY_PRICE_PRICE_H
#define MERSEY_PRICE_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* 1e-10 units, wide enough for petabyte-years. */
typedef __int128 money_t;

#define MONEY_UNIT 10000000000LL

/* Exact decimal text, at most 10 places and 1e26 units: "0.024", "-12.5".
 * 0, -EINVAL (not that shape), -ERANGE. */
int money_parse(const char *s, money_t *out);

#define MONEY_SIZE 80

/* All ten places: "12.3400000000" (JSON); returns out. */
const char *money_exact(money_t m, char out[MONEY_SIZE]);
/*
 * For people: "£212.07", "£1,234.50", "−£6.90" (U+2212), rounded half away
 * from 0; below a penny up to three digits behind the zeros ("£0.00412",
 * "£0.0051"); "£0.00" only for exactly nothing. `currency` ISO 4217 (GBP,
 * USD, EUR have signs, others "CHF 1.20").
 */
const char *money_show(money_t m, const char *currency, char out[MONEY_SIZE]);

/* What stands before an amount: "£", "CHF ". Returns a constant, or other. */
const char *money_sign(const char *currency, char other[8]);

/* a * b / c without overflow for a up to 1e26, rounded half away from 0.
 * c is not 0. A result that does not fit is the largest that does. */
money_t money_muldiv(money_t a, uint64_t b, uint64_t c);
/* The same for a wide b (byte-seconds). */
money_t money_scale(money_t a, unsigned __int128 b, uint64_t c);

/*
 * Divides `total` among n shares by weight: out[i] is at most a unit away
 * from total * weight[i] / sum, 0 for a weight of 0, and all of them are
 * exactly the total. When all weights are 0 the first share has it all.
 */
void money_split(money_t total, const unsigned __int128 *weight, size_t n,
		 money_t *out);

#define PRICE_CURRENCY 4

/* One number of a table. */
struct price_figure {
	bool known; /* false: the table does not say; counts as 0, flagged */
	bool confirmed;
	money_t amount;
	char as_of[11]; /* "2026-09-28" */
	char source[128];
};

/* How an object of an archive class comes back; as enum store_speed. */
enum price_speed {
	PRICE_STANDARD,
	PRICE_BULK,
	PRICE_EXPEDITED,
	PRICE_SPEEDS,
};
struct price_recall {
	bool known; /* the class has this speed */
	struct price_figure gb, request_1000;
	int64_t takes_ns;
};

/*
 * Another price of what is beyond so many bytes: of storage, bytes kept for a
 * month; of egress, bytes of a month. A first step above 0 replaces the price
 * itself: a free allowance is {above 0: 0}, {above 100 GB: 0.09}.
 */
#define PRICE_STEPS 4
struct price_step {
	uint64_t above_bytes;
	struct price_figure gb;
};

/* Prices of one storage class. Storage units: per GB-month where GB = 2^30
 * (AWS, GCS) and a month = 730 hours. */
struct price_class {
	char name[32]; /* "STANDARD" */
	struct price_figure storage_gb_month;
	struct price_figure put_1000; /* PUT, COPY, POST, LIST */
	struct price_figure get_1000; /* GET, HEAD; DELETE is free */
	struct price_figure retrieval_gb;
	uint32_t minimum_days;
	uint64_t minimum_bytes, overhead_bytes;
	uint64_t overhead_standard_bytes; /* billed as STANDARD */
	/* Of an archive class; none known: its objects can be read at once. */
	struct price_recall recall[PRICE_SPEEDS];
	struct price_step steps[PRICE_STEPS]; /* of storage, ascending */
	size_t n_steps;
	/* Energy of a TB (10^12 bytes) kept for a month, replicas and cooling
	 * included; kWh, as a decimal. */
	struct price_figure kwh_tb_month;
};

/* Is it an archive class: must its objects be restored to be read? */
bool price_class_archive(const struct price_class *c);

struct price_table {
	char name[64];
	char currency[PRICE_CURRENCY];
	char as_of[11];
	char source[256];
	struct price_class *classes;
	size_t n_classes;
	struct price_figure egress_gb; /* out of the provider's network */
	struct price_step egress_steps[PRICE_STEPS]; /* bytes of a month */
	size_t n_egress_steps;
	struct price_figure kg_co2e_kwh;    /* of its grid; kg, as a decimal */
	struct price_figure network_kwh_gb; /* a GB (10^9) sent or received */
};

/* Frees what the table holds. */
void price_table_done(struct price_table *t);

/* NULL when the table lacks the class. "" and NULL mean STANDARD. */
const struct price_class *price_table_class(const struct price_table *t,
					    const char *name);

/* What was used of one class. */
struct price_usage {
	uint64_t byte_hours, byte_seconds; /* byte_seconds < 3600 */
	uint64_t puts, lists, gets, heads, deletes;
	uint64_t out_bytes; /* uploaded: free at all known providers */
	uint64_t in_bytes;  /* downloaded: egress; and retrieval, where the
			       class is no archive */
	/* Byte-time, in byte-hours and byte-seconds < 3600: kinds of struct
	 * meta_ledger_item. */
	struct price_time {
		uint64_t hours, seconds;
	} early, small, overhead, overhead_standard, held;
	uint64_t restores[PRICE_SPEEDS], restored_bytes[PRICE_SPEEDS];
};

/* In the table's currency. minimum_size: of small objects, and the overhead
 * of all; retrieval: with restores, and their copies. */
struct price_charges {
	money_t storage, requests, retrieval, transfer, early_deletion,
		minimum_size, total;
};

/* The columns of it, in that order. */
enum price_column {
	PRICE_COL_STORAGE,
	PRICE_COL_REQUESTS,
	PRICE_COL_RETRIEVAL,
	PRICE_COL_TRANSFER,
	PRICE_COL_EARLY_DELETION,
	PRICE_COL_MINIMUM_SIZE,
	PRICE_COLUMNS,
};
/* "storage", "early_deletion", ... */
const char *price_column_name(enum price_column c);
money_t price_column(const struct price_charges *c, enum price_column col);
/* Adds to the column and to the total. */
void price_charges_add(struct price_charges *c, enum price_column col,
		       money_t m);

/* What is charged for; each has one figure. */
enum price_item {
	PRICE_OF_STORAGE, /* byte-seconds */
	PRICE_OF_PUT,	  /* requests; with LIST */
	PRICE_OF_GET,	  /* requests; with HEAD */
	PRICE_OF_READ,	  /* bytes read, where it is no archive */
	PRICE_OF_EGRESS,  /* bytes */
	PRICE_OF_EARLY,	  /* byte-seconds, as these: */
	PRICE_OF_SMALL,
	PRICE_OF_OVERHEAD,
	PRICE_OF_OVERHEAD_STANDARD,
	PRICE_OF_HELD,
	PRICE_OF_RESTORED, /* + speed: bytes */
	PRICE_OF_RESTORES = PRICE_OF_RESTORED + PRICE_SPEEDS, /* + speed:
								 requests */
	/* byte-seconds of a disk of one's own: storage_gb_month is then of a
	 * TB (10^12 bytes) */
	PRICE_OF_DISK = PRICE_OF_RESTORES + PRICE_SPEEDS,
	PRICE_ITEMS,
};
enum price_unit { PRICE_BYTE_SECONDS, PRICE_BYTES, PRICE_REQUESTS };

/* "storage", "put", "restored_bulk", ... */
const char *price_item_name(enum price_item i);
enum price_unit price_item_unit(enum price_item i);
enum price_column price_item_column(enum price_item i);
/* By the rules above; 0 of what the class does not charge for. */
unsigned __int128 price_item_quantity(const struct price_class *c,
				      const struct price_usage *u,
				      enum price_item i);
/* How many of the unit a figure is for, in raw units: 2^30 x 730 x 3600
 * byte-seconds of a GB-month, 1000 requests, ... */
uint64_t price_item_per(enum price_item i);

/* A line of a bill. */
struct price_line {
	/* NULL: the table lacks it; costs only egress and what is billed as
	 * STANDARD, unflagged */
	const struct price_class *class;
	enum price_item item;
	unsigned __int128 quantity;
	/* Filled: */
	const struct price_figure *figure; /* before steps; NULL = none */
	money_t amount;
};

/* The lines of a usage that are not 0; returns how many. */
size_t price_lines(const struct price_class *c, const struct price_usage *u,
		   struct price_line out[PRICE_ITEMS]);

/*
 * Prices the lines of one account and month. What has the same figure is
 * added up first (steps count the account's bytes, not the line's), rounded
 * once for each step, converted by `rate` (MONEY_UNIT: not at all), rounded,
 * and divided among its lines by quantity: so lines add up to the account's
 * bill to the last unit, however they are grouped.
 *
 * `unconfirmed` (may be NULL) is called once for each figure that was used
 * with a non-zero quantity and is not confirmed or not known: with "CLASS
 * storage", "CLASS requests", "CLASS retrieval", "egress".
 */
int price_bill(const struct price_table *t, struct price_line *line, size_t n,
	       money_t rate, void (*unconfirmed)(void *arg, const char *what),
	       void *arg);

/* The same for one usage alone, in the table's currency; total is exactly the
 * sum of the other charges. */
void price_charge(const struct price_table *t, const struct price_class *c,
		  const struct price_usage *u, struct price_charges *out,
		  void (*unconfirmed)(void *arg, const char *what), void *arg);

/* One dated exchange rate: `per_unit` reporting-currency per 1 `from`. */
struct price_rate {
	char from[PRICE_CURRENCY];
	money_t per_unit;
};
struct price_exchange {
	char currency[PRICE_CURRENCY]; /* of reports */
	char as_of[11];
	char source[128];
	struct price_rate *rates;
	size_t n_rates;
};

/* 0, or -ENOENT when there is no rate. */
int price_convert(const struct price_exchange *x, const char *from, money_t in,
		  money_t *out);
/* The rate itself; MONEY_UNIT for the currency of reports. */
int price_rate_of(const struct price_exchange *x, const char *from,
		  money_t *out);

#endif
