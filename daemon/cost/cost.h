/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From meters to money: the ledger job writes counters to rows each second
 * (what a kill can lose), the report prices the rows.
 */
#ifndef MERSEY_COST_COST_H
#define MERSEY_COST_COST_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/job.h"
#include "meta/meta.h"
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

struct cost_ledger;

/*
 * Starts the job "ledger": each second adds what is new in the counters, and
 * bytes stored x time, to the rows of the UTC day.
 *
 * Time is the boot clock's, so that a wall clock that is set invents no
 * byte-hours; the wall clock only says which day they belong to. The bucket
 * is billed while this process is away too: a gap within one boot is counted
 * by the boot clock, one across a boot by the wall clock and at most
 * COST_GAP_MAX_SECONDS of it.
 */
#define COST_GAP_MAX_SECONDS (7 * SEC_PER_DAY)
int cost_ledger_start(struct meta *m, cost_read_fn read, void *arg,
		      struct cost_ledger **out);
/* Writes what is new now; for reports and before the end. */
int cost_ledger_flush(struct cost_ledger *l);
struct job *cost_ledger_job(struct cost_ledger *l);
/* Time that is not in the rows yet; some two seconds while all is well. */
int64_t cost_ledger_lag_ns(struct cost_ledger *l);
void cost_ledger_stop(struct cost_ledger *l);

/* Which table prices a tier. */
struct cost_tier {
	const char *tier;		  /* borrowed */
	const char *storage_class;	  /* "" = STANDARD */
	const struct price_table *prices; /* NULL: unpriced, flagged */
};

struct cost_opts {
	const struct cost_tier *tiers;
	size_t n_tiers;
	const struct price_exchange *exchange;
};

/* A line of the report; all money in the reporting currency. */
struct cost_row {
	char tier[64], storage_class[32];
	uint64_t byte_hours;
	uint64_t average_bytes; /* over the elapsed part of the period */
	uint64_t current_bytes; /* stored now, condemned packs included */
	uint64_t objects;	/* the same */
	uint64_t puts, gets, heads, lists, deletes;
	uint64_t in_bytes, out_bytes;
	struct price_charges charges;
	money_t projected; /* by the end of the period at this rate */
	money_t per_month; /* storage, if the data stays as it is */
};

struct cost_report {
	int32_t from, to; /* days; to is exclusive */
	int64_t elapsed_seconds;
	struct cost_row *rows;
	size_t n_rows;
	char **unconfirmed; /* "onprem: STANDARD storage" */
	size_t n_unconfirmed;
	struct price_charges totals;
	money_t projected, per_month;
};

/*
 * Prices the ledger of [from, to) days as of now_ns (wall). One row per tier
 * and class, in the order of o->tiers, then what the ledger has beyond them.
 * -ENOENT with err when an exchange rate is missing.
 */
int cost_report(struct meta *m, const struct cost_opts *o, int32_t from,
		int32_t to, int64_t now_ns, struct cost_report *out,
		struct err *err);
void cost_report_done(struct cost_report *r);

#endif
