/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From meters to money: the ledger job writes counters to rows each second
 * (what a kill can lose), the report prices the rows.
 */
#ifndef MERSEY_COST_COST_H
#define MERSEY_COST_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/job.h"
#include "meta/tiering.h"
#include "price/price.h"

/* Cumulative counters of one tier and cause, since this process started.
 * Plain numbers: cost does not know stores. */
struct cost_counts {
	const char *tier, *storage_class, *cause; /* borrowed */
	uint64_t puts, gets, heads, lists, deletes;
	uint64_t in_bytes, out_bytes, errors, unknown;
};

/* Fills at most max; returns how many there are. */
typedef size_t (*cost_read_fn)(void *arg, struct cost_counts *out, size_t max);

/* Which table prices a tier. */
struct cost_tier {
	const char *tier;		  /* borrowed */
	const char *storage_class;	  /* "" = STANDARD */
	const struct price_table *prices; /* NULL: unpriced, flagged */
	/* Tiers of one place share bucket and endpoint: what moves between
	 * them does not leave the provider's network. */
	unsigned place;
	uint64_t object_size; /* of packs there; 0 = COST_OBJECT_SIZE */
};
#define COST_OBJECT_SIZE (64ULL << 20)

/* ---- ledger ------------------------------------------------------------ */

struct cost_ledger;

struct cost_ledger_opts {
	cost_read_fn read;
	void *arg;
	/* By whose terms objects have an overhead; borrowed. */
	const struct cost_tier *tiers;
	size_t n_tiers;
};

/*
 * Starts the job "ledger": each second adds what is new in the counters, and
 * byte-time of what is stored (also as the terms of its class bill it), of
 * restored copies and of the cache, to the rows of the UTC day.
 *
 * Time is the boot clock's, so that a wall clock that is set invents no
 * byte-hours; the wall clock only says which day they belong to. The bucket
 * is billed while this process is away too: a gap within one boot is counted
 * by the boot clock, one across a boot by the wall clock and at most
 * COST_GAP_MAX_SECONDS of it.
 */
#define COST_GAP_MAX_SECONDS (7 * SEC_PER_DAY)
int cost_ledger_start(struct meta *m, const struct cost_ledger_opts *o,
		      struct cost_ledger **out);
/* Writes what is new now; for reports and before the end. */
int cost_ledger_flush(struct cost_ledger *l);
struct job *cost_ledger_job(struct cost_ledger *l);
/* Time that is not in the rows yet; some two seconds while all is well. */
int64_t cost_ledger_lag_ns(struct cost_ledger *l);
void cost_ledger_stop(struct cost_ledger *l);

/* ---- what prices a trust ---------------------------------------------- */

struct cost_opts {
	const struct cost_tier *tiers;
	size_t n_tiers;
	const struct price_exchange *exchange;
	/* A TB (10^12 bytes) of local disk for a month, in the currency of
	 * reports; not known: the cache costs nothing and is flagged. */
	struct price_figure disk_tb_month;
	unsigned vat; /* per cent */
};

/* The cache, in rows and lines. */
#define COST_LOCAL	 "local"
#define COST_LOCAL_CLASS "DISK"

/* ---- report ------------------------------------------------------------ */

/* What rows stand for. */
enum cost_by {
	COST_BY_TIER, /* and class */
	COST_BY_CLASS,
	COST_BY_CAUSE,
	COST_BY_MODALITY,
	COST_BY_AGE, /* of the study */
	COST_BYS,
};
/* "tier", "class", "cause", "modality", "study-age"; -EINVAL. "age" is
 * COST_BY_AGE as well. */
int cost_by_parse(const char *s, enum cost_by *out);
const char *cost_by_name(enum cost_by by);
/* What rows by age are called, the youngest first; NULL behind the last.
 * There may be others, for what has no age. */
const char *cost_age_name(size_t i);

/* One charge of one month, tier, class and cause (and group): what FOCUS and
 * `reconcile` go by. The amounts of all lines are the total, to the last
 * unit. */
struct cost_line {
	int32_t from, to; /* days of one month, in the period; to exclusive */
	char tier[64], storage_class[32];
	char cause[16];			  /* "" = storage as such */
	char group[64];			  /* name of its row */
	const struct price_table *prices; /* NULL: unpriced; of cost_opts */
	const char *table;		  /* its name, or "local disk" */
	enum price_item item;
	unsigned __int128 quantity; /* in price_item_unit() */
	struct price_figure figure; /* first step; table's currency */
	const char *currency;	    /* of the figure */
	money_t amount;		    /* reporting currency */
};

/* A row of the report; all money in the reporting currency. Of rows that do
 * not stand for tiers, tier and storage_class are "". */
struct cost_row {
	char name[64]; /* the tier, class, cause, modality or age */
	char tier[64], storage_class[32];
	uint64_t byte_hours;
	uint64_t average_bytes; /* over the elapsed part of the period */
	uint64_t current_bytes; /* stored now, condemned packs included */
	uint64_t objects;	/* the same */
	uint64_t puts, gets, heads, lists, deletes;
	uint64_t in_bytes, out_bytes;
	uint64_t restores, restored_bytes;
	struct price_charges charges;
	money_t projected; /* by the end of the period at this rate */
	money_t per_month; /* storage, if the data stays as it is */
	/* Estimates, as decimals (money_exact): what the period's bytes and
	 * traffic took. */
	money_t kwh, kg_co2e;
};

/* The same data and reads, kept in another way. */
struct cost_compared {
	char name[96];	      /* "everything in aws-eu-west-2 STANDARD" */
	money_t total, saved; /* saved < 0: it would be cheaper */
};

struct cost_report {
	int32_t from, to; /* days; to is exclusive */
	int64_t elapsed_seconds;
	enum cost_by by;
	struct cost_row *rows;
	size_t n_rows;
	struct cost_line *lines;
	size_t n_lines;
	char **unconfirmed; /* "onprem: STANDARD storage" */
	size_t n_unconfirmed;
	struct price_charges totals; /* without VAT */
	money_t vat;		     /* on the total; its own line */
	money_t projected, per_month;
	struct cost_compared *compared;
	size_t n_compared;
	money_t kwh, kg_co2e;
	/* Sentences: how rows were divided (x_EstimateBasis), and how energy
	 * and carbon were reckoned, with the factors. */
	char basis[256], carbon_method[512];
	bool carbon_known; /* a factor was there for each tier with bytes */
};

/*
 * Prices the ledger of [from, to) days as of now_ns (wall). By tier: one row
 * per tier and class, in the order of o->tiers, then what the ledger has
 * beyond them; else in order of the first tier that has some. Whatever `by`
 * is, the rows' totals are the same total, to the last unit.
 *
 * Steps and free allowances count calendar months (UTC) and all of this
 * trust's tiers that share a price table, as if it was an account of its own.
 *
 * The ledger does not know modalities or ages of studies: each charge of a
 * tier and class is divided by the bytes that each group has there now.
 * -ENOENT with err when an exchange rate is missing.
 */
int cost_report(struct meta *m, const struct cost_opts *o, enum cost_by by,
		int32_t from, int32_t to, int64_t now_ns,
		struct cost_report *out, struct err *err);
void cost_report_done(struct cost_report *r);

/* ---- forecast ---------------------------------------------------------- */

#define COST_FORECAST_DAYS 90 /* of history, at most */

struct cost_month {
	int32_t year, month; /* 2026, 12 */
	money_t low, expected, high;
};
struct cost_forecast {
	struct cost_month *months; /* the one of now_ns first */
	size_t n_months;
	int32_t days;	      /* of history that it goes by */
	money_t per_day;      /* their mean */
	money_t trend;	      /* a day more each day; 0 = too few days */
	int64_t growth_bytes; /* of what is stored, in 30 days */
	char method[400];     /* in words */
	char **unconfirmed;
	size_t n_unconfirmed;
};
/* `months` at least 1, with the current one, of which what was spent is
 * certain. */
int cost_forecast(struct meta *m, const struct cost_opts *o, int64_t now_ns,
		  unsigned months, struct cost_forecast *out, struct err *err);
void cost_forecast_done(struct cost_forecast *f);

/* ---- what if ----------------------------------------------------------- */

/*
 * Where a trust's data would be. A policy is asked by its plan (tier.h), whose
 * once and per_month are the answer; these need no policy.
 */
enum cost_scenario {
	COST_ALL_HOT, /* in the first tier whose objects can be read at once */
	COST_ALL_LOCAL, /* on local disk, and in no bucket */
};
struct cost_whatif {
	char name[64];		 /* "all-hot" */
	money_t now, then;	 /* a month, if the data stays as it is */
	money_t once;		 /* to bring it there */
	money_t saved_per_month; /* now - then */
	double break_even_days;	 /* < 0: never; 0: at once */
	uint64_t bytes;		 /* that move */
	char **assumptions;	 /* sentences */
	size_t n_assumptions;
	char **unconfirmed;
	size_t n_unconfirmed;
};
/* -EINVAL with err: no tier is hot, or local disk has no price. */
int cost_whatif(struct meta *m, const struct cost_opts *o,
		enum cost_scenario scenario, int64_t now_ns,
		struct cost_whatif *out, struct err *err);
void cost_whatif_done(struct cost_whatif *w);
/* Days until `once` is earned back by so much less a month: < 0 never. */
double cost_break_even(money_t once, money_t saved_per_month);

/* ---- recall ------------------------------------------------------------ */

/* What it takes to bring objects back from a tier. */
struct cost_recall {
	const char *tier;
	enum price_speed speed;
	uint64_t restores, restored_bytes; /* of an archive class */
	unsigned days;			   /* that the copies are kept */
	uint64_t gets, bytes;		   /* read then */
};
struct cost_recalled {
	money_t amount; /* currency of reports, without VAT */
	bool priced;	/* false: a tier has no prices, and is not in it */
	bool confirmed; /* each figure that was used */
};
/* Prices n of them, as if nothing else was used in the month. -ENOENT with err
 * when an exchange rate is missing. */
int cost_recall(const struct cost_opts *o, const struct cost_recall *r,
		size_t n, struct cost_recalled *out, struct err *err);

/* ---- explain ----------------------------------------------------------- */

/* What bytes of files cost since their packs were stored where they are. */
struct cost_event {
	int64_t at_ns; /* wall; when it was charged first */
	char tier[64], storage_class[32];
	enum price_item item;
	/* In price_item_unit(): their share of bytes; requests are those of the
	 * pack, of which they have the same share. */
	unsigned __int128 quantity;
	struct price_figure figure;
	const char *currency; /* of the figure; "" = unpriced */
	money_t amount;	      /* reporting currency */
};
struct cost_explained {
	struct cost_event *events; /* by time */
	size_t n_events;
	uint64_t files, bytes;
	money_t total, per_month; /* so far; and from now on */
	char basis[256];
	char **unconfirmed;
	size_t n_unconfirmed;
};
/* Of one file, or of the files of a study. Each has the share of its packs
 * that its sealed bytes have in them. */
int cost_explain(struct meta *m, const struct cost_opts *o, const uint64_t *ino,
		 size_t n, int64_t now_ns, struct cost_explained *out,
		 struct err *err);
void cost_explained_done(struct cost_explained *x);

#endif
