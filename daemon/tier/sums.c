/* SPDX-License-Identifier: Apache-2.0 */
/* What people are shown of a plan: its moves, what they cost, and on which
 * assumptions. */
#include "tier/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RATE_UNKNOWN 50000000ULL /* bytes a second, when nothing says it */
#define COPY_NS	     (NSEC_PER_SEC / 10)
#define THOUSAND     1000

void sums_done(struct sums *s)
{
	free(s->move);
	s->move = NULL;
	doubts_done(&s->doubts);
}

void tier_plan_done(struct tier_plan *p)
{
	size_t i;

	for (i = 0; i < p->n_assumptions; i++)
		free(p->assumptions[i]);
	for (i = 0; i < p->n_unconfirmed; i++)
		free(p->unconfirmed[i]);
	free(p->assumptions);
	free(p->unconfirmed);
	free(p->moves);
	free(p->penalties);
	memset(p, 0, sizeof(*p));
}

static const char *sums_class(const struct sums *s, uint32_t rule)
{
	return s->policy && rule < s->policy->n_rules
		       ? s->policy->rules[rule].class_name
		       : "";
}

static const char *sums_name(const struct tier *t, int tier)
{
	return tier < 0 ? "" : t->o.tier[tier].name;
}

static int sums_grow(struct sums *s)
{
	size_t n = s->out->n_moves + 1;
	struct tier_move *m = reallocarray(s->out->moves, n, sizeof(*m));
	struct sum_move *k;

	if (!m)
		return -ENOMEM;
	s->out->moves = m;
	k = reallocarray(s->move, n, sizeof(*k));
	if (!k)
		return -ENOMEM;
	s->move = k;
	memset(&m[n - 1], 0, sizeof(*m));
	memset(&k[n - 1], 0, sizeof(*k));
	s->out->n_moves = n;
	return 0;
}

/* The move that a batch belongs to. */
static int sums_find(struct sums *s, const struct batch *b)
{
	bool evict = b->action == TIER_EVICT;
	const char *from = evict ? LOCAL : sums_name(s->t, b->from);
	const char *to = b->action == TIER_MOVE ? sums_name(s->t, b->to)
			 : evict		? ""
						: LOCAL;
	size_t i;

	for (i = 0; i < s->out->n_moves; i++) {
		const struct tier_move *m = &s->out->moves[i];

		if (m->rule == b->rule && m->action == b->action &&
		    strcmp(m->from, from) == 0 && strcmp(m->to, to) == 0)
			return (int)i;
	}
	if (sums_grow(s) < 0)
		return -ENOMEM;
	s->out->moves[i].rule = b->rule;
	s->out->moves[i].class_name = sums_class(s, b->rule);
	s->out->moves[i].action = b->action;
	s->out->moves[i].from = from;
	s->out->moves[i].to = to;
	s->move[i].to = b->action == TIER_MOVE ? b->to : -1;
	s->move[i].from = b->from;
	return (int)i;
}

static void take_sum(struct take *to, const struct take *from)
{
	struct move_transferred u;

	memset(&u, 0, sizeof(u));
	memcpy(u.use, from->use, sizeof(u.use));
	take_add(to, &u);
}

int sums_batch(struct sums *s, const struct batch *b, const struct take *u)
{
	int i = sums_find(s, b);
	struct tier_move *m;
	size_t a;

	if (i < 0)
		return i;
	m = &s->out->moves[i];
	m->studies += b->studies;
	m->files += b->files;
	m->bytes += b->bytes;
	m->requests += u->requests;
	s->move[i].subjects += b->subjects;
	take_sum(&s->move[i].take, u);
	take_sum(&s->total, u);
	for (a = 0; a < META_REREAD_AGES; a++) {
		s->move[i].ages.files[a] += b->ages.files[a];
		s->move[i].ages.bytes[a] += b->ages.bytes[a];
	}
	return 0;
}

/* ---- prices ----------------------------------------------------------------
 */

static int sums_penalty(struct sums *s, const char *tier, const char *what,
			money_t amount)
{
	struct tier_penalty *p = s->out->penalties;
	size_t i, n = s->out->n_penalties;

	if (!amount)
		return 0;
	for (i = 0; i < n; i++)
		if (strcmp(p[i].tier, tier) == 0 &&
		    strcmp(p[i].what, what) == 0)
			break;
	if (i == n) {
		p = reallocarray(p, n + 1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		s->out->penalties = p;
		p[s->out->n_penalties++] =
			(struct tier_penalty){ .tier = tier, .what = what };
	}
	p[i].amount += amount;
	return 0;
}

static int sums_penalties(struct sums *s, const struct priced *p)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < s->t->o.n_tiers && rc == 0; i++) {
		const char *tier = s->t->o.tier[i].name;

		rc = sums_penalty(s, tier, "early_deletion", p->early_of[i]);
		if (rc == 0)
			rc = sums_penalty(s, tier, "minimum_size",
					  p->minimum_of[i]);
	}
	return rc;
}

/* Reads that the trust is used to, at the prices of the new place. */
static int sums_expected(struct sums *s, size_t i, const struct rereads *r)
{
	const struct sum_move *k = &s->move[i];
	struct tier_move *m = &s->out->moves[i];
	struct expected e = { 0 }, before = { 0 };
	/* a study that is read counts once */
	double share = m->files ? (double)k->subjects / (double)m->files : 0;
	int rc;

	if (k->to < 0 || !r->months)
		return 0;
	rc = price_expected(s->t, k->to, &k->ages, r, &s->doubts, &e, s->err);
	if (rc == 0 && k->from >= 0)
		rc = price_expected(s->t, k->from, &k->ages, r, &s->doubts,
				    &before, s->err);
	m->per_month += e.cost - before.cost;
	s->expected += (double)e.files / THOUSAND * share;
	s->out->expected_recalls_cost += e.cost;
	s->out->reads_per_month += e.cost - before.cost;
	return rc;
}

static int sums_move(struct sums *s, size_t i, const struct rereads *r)
{
	struct tier_move *m = &s->out->moves[i];
	struct priced p;
	int rc = price_take(s->t, &s->move[i].take, &s->doubts, &p, s->err);

	if (rc < 0)
		return rc;
	m->once = p.once;
	m->per_month = p.per_month;
	rc = sums_penalties(s, &p);
	if (rc == 0)
		rc = sums_expected(s, i, r);
	m->break_even_days = price_break_even(m->once, m->per_month);
	s->out->studies += m->studies;
	s->out->files += m->files;
	s->out->bytes += m->bytes;
	s->out->requests += m->requests;
	s->out->once += m->once;
	s->out->per_month += m->per_month;
	return rc;
}

/* ---- how long --------------------------------------------------------------
 */

static uint64_t sums_rate(const struct sums *s)
{
	uint64_t rate = s->policy ? s->policy->limits.rate : 0;

	return rate ? rate : RATE_UNKNOWN;
}

/* The longest that a class needs which something must be restored from. */
static int64_t sums_restore_ns(const struct sums *s)
{
	int64_t most = 0;
	size_t i;

	for (i = 0; i < s->t->o.n_tiers; i++) {
		const struct tier_terms *a = &s->t->o.tier[i];

		if (s->total.use[i].restores && a->class)
			most = MAX(most,
				   a->class->recall[price_speed(a)].takes_ns);
	}
	return most;
}

static int64_t sums_duration(const struct sums *s)
{
	uint64_t bytes = MAX(s->total.in_bytes, s->total.out_bytes);
	int64_t ns = (int64_t)(s->total.copies * (uint64_t)COPY_NS);

	return (int64_t)(bytes / sums_rate(s)) +
	       (ns + sums_restore_ns(s) + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

/* ---- assumptions ------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static int
sums_assume(struct sums *s, const char *fmt, ...)
{
	struct tier_plan *p = s->out;
	char **list = reallocarray(p->assumptions, p->n_assumptions + 1,
				   sizeof(*list));
	char *text;
	va_list ap;
	int n;

	if (!list)
		return -ENOMEM;
	p->assumptions = list;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	list[p->n_assumptions++] = text;
	return 0;
}

/* More than a run may do takes several. */
static int sums_assume_limits(struct sums *s)
{
	const struct tier_limits *l = s->policy ? &s->policy->limits : NULL;
	const struct tier_plan *p = s->out;

	if (!l || !((l->bytes && p->bytes > l->bytes) ||
		    (l->files && p->files > l->files) ||
		    (l->requests && p->requests > l->requests) ||
		    (l->has_money && p->once > l->money)))
		return 0;
	return sums_assume(s, "It is more than the policy's limits allow one "
			      "run: it takes several.");
}

static int sums_assumptions(struct sums *s, const struct rereads *r)
{
	int64_t days = s->t->o.delete_after_ns / (SEC_PER_DAY * NSEC_PER_SEC);
	uint64_t rate = s->policy ? s->policy->limits.rate : 0;
	int rc = sums_assume(s,
			     "A month has %d hours; prices are those of the "
			     "first step, without VAT.",
			     TIER_MONTH_HOURS);

	if (rc == 0 && days)
		rc = sums_assume(s,
				 "What is replaced is kept, and billed, for "
				 "%lld days more.",
				 (long long)days);
	if (rc == 0)
		rc = rate ? sums_assume(s, "Bytes go at the policy's rate.")
			  : sums_assume(s, "Bytes go at 50 MB/s.");
	if (rc == 0 && r->months)
		rc = sums_assume(s,
				 "Files are read as often as files of that "
				 "age were in the last %u months.",
				 r->months);
	else if (rc == 0)
		rc = sums_assume(s, "No reads of files that were not local "
				    "are known yet: none are expected.");
	return rc < 0 ? rc : sums_assume_limits(s);
}

int sums_finish(struct sums *s)
{
	struct tier_plan *p = s->out;
	struct rereads r;
	size_t i;
	int rc = rereads_load(s->t, &s->all, &r);

	for (i = 0; i < p->n_moves && rc == 0; i++)
		rc = sums_move(s, i, &r);
	if (rc < 0)
		return rc;
	p->expected_recalls = (uint64_t)(s->expected + 0.5);
	p->break_even_days = price_break_even(p->once, p->per_month);
	p->rate = sums_rate(s);
	p->duration_seconds = sums_duration(s);
	rc = sums_assumptions(s, &r);
	p->unconfirmed = take(s->doubts.text);
	p->n_unconfirmed = s->doubts.n;
	s->doubts.n = 0;
	return rc;
}
