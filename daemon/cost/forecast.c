/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Months ahead: a straight line through the cost of the last days (least
 * squares), and how far days lie from it. All integers: days are numbered by
 * u = 2i - (n - 1), so that their mean is 0, and a sum of future days is
 *
 *   k * mean + (sum of u * y) / (sum of u^2) * (sum of the future u)
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FORECAST_TREND_DAYS 14 /* fewer say nothing of a trend */
#define FORECAST_SPREAD	    2  /* times the standard error */

typedef __int128 i128;
typedef unsigned __int128 u128;

struct forecast {
	const struct cost_opts *o;
	struct cost_forecast *out;
	int32_t today, first; /* first: of the history */
	int n;		      /* days of history, before today */
	bool assumed;	      /* there are none: one like today stands in */
	money_t day[COST_FORECAST_DAYS + 31];
	uint64_t stored[COST_FORECAST_DAYS + 31]; /* bytes, the day's mean */
	bool any[COST_FORECAST_DAYS + 31];
	/* of the line */
	money_t sum;
	i128 uy, uu;
	money_t spread; /* of a day */
	struct cost_words doubts;
	struct err *err;
};

static u128 root(u128 v)
{
	u128 low = 0, high = (u128)1 << 64;

	while (high - low > 1) {
		u128 mid = (low + high) / 2;

		if (mid <= v / mid)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* ---- history -------------------------------------------------------- */

static void history_sum(struct forecast *f, const struct cost_bill *b)
{
	size_t i;

	for (i = 0; i < b->n_cells; i++) {
		const struct cost_cell *c = &b->cells[i];
		u128 bs = (u128)c->usage.byte_hours * 3600 +
			  c->usage.byte_seconds;

		f->stored[c->from - b->from] += (uint64_t)(bs / SEC_PER_DAY);
		f->any[c->from - b->from] = true;
	}
	for (i = 0; i < b->n_lines; i++)
		f->day[b->lines[i].from - b->from] += b->lines[i].amount;
}

/* Moves the days that count to the front. The first day of a ledger is not a
 * whole one. */
static void history_trim(struct forecast *f, int32_t from, int days)
{
	int at = 0;

	while (at < days && !f->any[at])
		at++;
	if (at && at < days)
		at++;
	f->first = from + at;
	f->n = days - at;
	memmove(f->day, f->day + at, (size_t)f->n * sizeof(*f->day));
	memmove(f->stored, f->stored + at, (size_t)f->n * sizeof(*f->stored));
}

/* No whole day yet: one on which all was stored that is now, and no more. */
static int history_assume(struct forecast *f, struct meta *m, int64_t now_ns)
{
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	int rc = cost_report(m, f->o, COST_BY_TIER, f->today, f->today + 1,
			     now_ns, &r, f->err);

	if (rc < 0)
		return rc;
	f->assumed = true;
	f->n = 1;
	f->first = f->today - 1;
	f->day[0] = money_muldiv(r.per_month, 24, COST_MONTH_HOURS);
	return 0;
}

static int history_read(struct forecast *f, struct meta *m, int64_t now_ns)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	int32_t from = f->today - COST_FORECAST_DAYS;
	int rc;

	cost_bill_init(&b, m, f->o, from, f->today, &f->doubts, f->err);
	b.daily = true;
	rc = cost_bill_ledger(&b);
	if (rc == 0)
		rc = cost_bill_price(&b);
	if (rc < 0)
		return rc;
	history_sum(f, &b);
	history_trim(f, from, COST_FORECAST_DAYS);
	return f->n ? 0 : history_assume(f, m, now_ns);
}

/* ---- the line ------------------------------------------------------- */

static i128 line_u(const struct forecast *f, int day)
{
	return 2 * (i128)day - (f->n - 1);
}

/* Sum of `k` days, whose u add up to `u`, by the line. */
static money_t line_sum(const struct forecast *f, int k, i128 u)
{
	money_t m = f->n ? f->sum * k / f->n : 0;

	return f->uu ? m + f->uy * u / f->uu : m;
}

static void line_fit(struct forecast *f)
{
	bool trend = f->n >= FORECAST_TREND_DAYS;
	i128 growth = 0, uu = 0;
	u128 squares = 0;
	int i, free_days = f->n - (trend ? 2 : 1);

	for (i = 0; i < f->n; i++) {
		i128 u = line_u(f, i);

		f->sum += f->day[i];
		f->uy += trend ? u * f->day[i] : 0;
		growth += u * (i128)f->stored[i];
		uu += u * u;
	}
	f->uu = trend ? uu : 0;
	for (i = 0; i < f->n; i++) {
		money_t off = f->day[i] - line_sum(f, 1, line_u(f, i));

		squares += (u128)(off * off);
	}
	if (free_days > 0)
		f->spread = (money_t)root(squares / (unsigned)free_days);
	f->out->days = f->assumed ? 0 : f->n;
	f->out->per_day = f->n ? f->sum / f->n : 0;
	f->out->trend = f->uu ? 2 * f->uy / f->uu : 0;
	f->out->growth_bytes = trend ? (int64_t)(2 * growth * 30 / uu)
				     : 0; /* 30 days */
}

/*
 * How far the sum of k days may be off: days differ by themselves, and the
 * line, which was drawn through n of them, is off for all of them at once.
 */
static money_t line_band(const struct forecast *f, int k, i128 u)
{
	u128 days = (u128)k * 1000000; /* in millionths */

	if (!f->n)
		return 0;
	days += (u128)k * (unsigned)k * 1000000 / (unsigned)f->n;
	if (f->uu)
		days += (u128)(u * u) * 1000000 / (u128)f->uu;
	return money_scale(FORECAST_SPREAD * f->spread, root(days), 1000);
}

/* ---- months --------------------------------------------------------- */

/* What was spent of [first, today), all of which is history or before it. */
static int month_spent(struct forecast *f, struct meta *m, int32_t first,
		       money_t *out)
{
	CLEANUP(cost_bill_done) struct cost_bill b;
	size_t i;
	int rc;

	*out = 0;
	cost_bill_init(&b, m, f->o, first, f->today, &f->doubts, f->err);
	rc = cost_bill_ledger(&b);
	if (rc == 0)
		rc = cost_bill_price(&b);
	for (i = 0; i < b.n_lines && rc == 0; i++)
		*out += b.lines[i].amount;
	return rc;
}

static void month_fill(struct forecast *f, int32_t first, int32_t from,
		       int32_t to, money_t spent, struct cost_month *out)
{
	time_t t = (time_t)first * SEC_PER_DAY;
	money_t expected, band;
	int k = to - from, d;
	struct tm tm;
	i128 u = 0;

	for (d = from; d < to; d++)
		u += line_u(f, d - f->first);
	expected = MAX(line_sum(f, k, u), (money_t)0);
	band = line_band(f, k, u);
	gmtime_r(&t, &tm);
	*out = (struct cost_month){ .year = tm.tm_year + 1900,
				    .month = tm.tm_mon + 1,
				    .expected = spent + expected,
				    .low = spent +
					   MAX(expected - band, (money_t)0),
				    .high = spent + expected + band };
}

static int forecast_months(struct forecast *f, struct meta *m, unsigned months)
{
	int32_t first, next, day = f->today;
	unsigned i;
	int rc = 0;

	f->out->months = calloc(months, sizeof(*f->out->months));
	if (!f->out->months)
		return -ENOMEM;
	for (i = 0; i < months && rc == 0; i++) {
		money_t spent = 0;

		cost_month_of(day, &first, &next);
		if (i == 0)
			rc = month_spent(f, m, first, &spent);
		month_fill(f, first, day, next, spent, &f->out->months[i]);
		f->out->n_months++;
		day = next;
	}
	return rc;
}

static void forecast_method(struct forecast *f)
{
	struct cost_forecast *out = f->out;
	size_t size = sizeof(out->method);

	if (f->assumed)
		snprintf(out->method, size,
			 "There is no whole day yet: what is stored now, as it "
			 "is, without requests.");
	else if (f->uu)
		snprintf(out->method, size,
			 "A straight line through the cost of the last %d "
			 "whole days; low and high are twice the spread of "
			 "days around it. Runs of policies that are yet to "
			 "come are not in it.",
			 f->n);
	else
		snprintf(out->method, size,
			 "The mean of %d whole days, too few to see a trend; "
			 "low and high are twice their spread.",
			 f->n);
}

int cost_forecast(struct meta *m, const struct cost_opts *o, int64_t now_ns,
		  unsigned months, struct cost_forecast *out, struct err *err)
{
	CLEANUP(cost_forecast_done) struct cost_forecast made = { 0 };
	CLEANUP_FREE struct forecast *f = calloc(1, sizeof(*f));
	struct err said = ERR_INIT;
	int rc;

	if (!f || !months)
		return fail(err, months ? -ENOMEM : -EINVAL,
			    "cannot look so far ahead: %m");
	f->o = o;
	f->out = &made;
	f->err = &said;
	f->today = (int32_t)(now_ns / NSEC_PER_SEC / SEC_PER_DAY);
	rc = history_read(f, m, now_ns);
	if (rc == 0) {
		line_fit(f);
		rc = forecast_months(f, m, months);
	}
	forecast_method(f);
	if (rc == 0)
		rc = f->doubts.rc;
	made.unconfirmed = f->doubts.word;
	made.n_unconfirmed = f->doubts.n;
	if (rc < 0)
		return cost_fail(err, &said, rc);
	*out = made;
	made = (struct cost_forecast){ 0 };
	return 0;
}

void cost_forecast_done(struct cost_forecast *f)
{
	struct cost_words w = { f->unconfirmed, f->n_unconfirmed, 0 };

	cost_words_done(&w);
	free(f->months);
	*f = (struct cost_forecast){ 0 };
}
