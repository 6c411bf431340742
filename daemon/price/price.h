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

/* a * b / c without overflow for a up to 1e26, rounded half away from 0.
 * c is not 0. A result that does not fit is the largest that does. */
money_t money_muldiv(money_t a, uint64_t b, uint64_t c);
/* The same for a wide b (byte-seconds). */
money_t money_scale(money_t a, unsigned __int128 b, uint64_t c);

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

/* A cheaper price of what is beyond so many bytes. */
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
	money_t kwh_tb_month; /* energy, as a decimal; 0 = not known */
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
	money_t kg_co2e_kwh; /* of its grid, as a decimal; 0 = not known */
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

/*
 * Prices a usage; total is exactly the sum of the other charges.
 * `unconfirmed` (may be NULL) is called once for each charge whose figure was
 * used with a non-zero quantity and is not confirmed or not known: with
 * "CLASS storage", "CLASS requests", "CLASS retrieval", "egress".
 */
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

#endif
