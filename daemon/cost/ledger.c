/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job "ledger". What was flushed is remembered only after the commit, so
 * that a failed transaction is made up for by the next one: nothing is
 * counted twice, nothing is left out.
 *
 * The stored value "ledger.mark" says up to when byte-hours were counted: boot
 * id, boot clock, wall clock. It changes in the same transaction as the rows.
 */
#include "cost/cost.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cost/stored.h"

#define LEDGER_MARK	"ledger.mark"
#define LEDGER_COUNTERS 64 /* tiers x causes */

/* The counters of one tier, class and cause when they were last flushed. */
struct ledger_seen {
	char tier[64], storage_class[32], cause[16];
	struct cost_counts at;
};

struct ledger_mark {
	char boot_id[40];
	int64_t boot_ns;
	int64_t wall_ns;
};

struct cost_ledger {
	struct meta *meta;
	struct cost_ledger_opts o;
	struct job *job;

	pthread_mutex_t lock; /* guards all below; outside meta's mutex */
	struct ledger_seen seen[LEDGER_COUNTERS];
	size_t n_seen;
	struct ledger_mark mark;
	struct cost_stored stored; /* at the mark */
};

static void ledger_boot_id(char out[40])
{
	CLEANUP_BUF struct buf b = { 0 };

	out[0] = '\0';
	if (io_read_file("/proc/sys/kernel/random/boot_id", 64, &b) == 0 &&
	    buf_str(&b))
		snprintf(out, 40, "%.36s", (const char *)b.data);
}

/* ---- time ----------------------------------------------------------- */

static int ledger_mark_load(struct meta *m, struct ledger_mark *out)
{
	CLEANUP_BUF struct buf b = { 0 };
	const char *s;
	META_TXN(t);
	int rc = meta_read(m, &t);

	if (rc == 0)
		rc = meta_value_get(&t, LEDGER_MARK, &b);
	if (rc < 0)
		return rc;
	s = buf_str(&b);
	if (!s)
		return -ENOMEM;
	if (sscanf(s, "%39s %" SCNd64 " %" SCNd64, out->boot_id, &out->boot_ns,
		   &out->wall_ns) != 3)
		return -EUCLEAN;
	return 0;
}

static int ledger_mark_save(struct meta_txn *t, const struct ledger_mark *mk)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%s %" PRId64 " %" PRId64,
			 mk->boot_id[0] ? mk->boot_id : "-", mk->boot_ns,
			 mk->wall_ns);

	return meta_value_set(t, LEDGER_MARK, text, (size_t)n);
}

/*
 * Where counting starts: now, or earlier by the gap since the last process's
 * mark. The result is in this boot's clock, perhaps before its zero.
 */
static int ledger_resume(struct cost_ledger *l)
{
	struct ledger_mark old, *mk = &l->mark;
	int64_t gap = 0;
	int rc = ledger_mark_load(l->meta, &old);

	ledger_boot_id(mk->boot_id);
	mk->boot_ns = clock_boot_ns();
	mk->wall_ns = clock_wall_ns();
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (mk->boot_id[0] && strcmp(old.boot_id, mk->boot_id) == 0)
		gap = mk->boot_ns - old.boot_ns;
	else
		gap = MIN(mk->wall_ns - old.wall_ns,
			  COST_GAP_MAX_SECONDS * NSEC_PER_SEC);
	if (gap > 0)
		mk->boot_ns -= gap;
	return 0;
}

/* ---- rows ----------------------------------------------------------- */

static void ledger_name(struct meta_ledger *row, const char *tier,
			const char *storage_class, const char *cause)
{
	snprintf(row->tier, sizeof(row->tier), "%s", tier);
	snprintf(row->storage_class, sizeof(row->storage_class), "%s",
		 storage_class[0] ? storage_class : "STANDARD");
	snprintf(row->cause, sizeof(row->cause), "%s", cause);
}

static struct ledger_seen *ledger_find(struct cost_ledger *l,
				       const struct cost_counts *c)
{
	struct ledger_seen *s;
	size_t i;

	for (i = 0; i < l->n_seen; i++) {
		s = &l->seen[i];
		if (strcmp(s->tier, c->tier) == 0 &&
		    strcmp(s->storage_class, c->storage_class) == 0 &&
		    strcmp(s->cause, c->cause) == 0)
			return s;
	}
	if (l->n_seen == LEDGER_COUNTERS)
		return NULL;
	s = &l->seen[l->n_seen++];
	memset(s, 0, sizeof(*s));
	snprintf(s->tier, sizeof(s->tier), "%s", c->tier);
	snprintf(s->storage_class, sizeof(s->storage_class), "%s",
		 c->storage_class);
	snprintf(s->cause, sizeof(s->cause), "%s", c->cause);
	return s;
}

/* The counters only grow; should one be smaller, its owner began anew. */
static uint64_t ledger_delta(uint64_t now, uint64_t then)
{
	return now >= then ? now - then : now;
}

/* True when anything was counted since. */
static bool ledger_requests(const struct cost_counts *c,
			    const struct cost_counts *then,
			    struct meta_ledger *row)
{
	row->puts = ledger_delta(c->puts, then->puts);
	row->gets = ledger_delta(c->gets, then->gets);
	row->heads = ledger_delta(c->heads, then->heads);
	row->lists = ledger_delta(c->lists, then->lists);
	row->deletes = ledger_delta(c->deletes, then->deletes);
	row->errors = ledger_delta(c->errors, then->errors);
	row->unknown = ledger_delta(c->unknown, then->unknown);
	row->in_bytes = ledger_delta(c->in_bytes, then->in_bytes);
	row->out_bytes = ledger_delta(c->out_bytes, then->out_bytes);
	return row->puts || row->gets || row->heads || row->lists ||
	       row->deletes || row->errors || row->unknown || row->in_bytes ||
	       row->out_bytes;
}

/* ---- flush ---------------------------------------------------------- */

/* One flush: what was read, and what to remember once it is committed. */
struct ledger_flush {
	struct cost_counts counts[LEDGER_COUNTERS];
	size_t n;
	struct ledger_mark mark;
	int64_t seconds;
	struct cost_stored stored;
	bool changed; /* a row was added */
};

static int ledger_add_requests(struct cost_ledger *l, struct meta_txn *t,
			       struct ledger_flush *f)
{
	int64_t day = f->mark.wall_ns / NSEC_PER_SEC / SEC_PER_DAY;
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct cost_counts *c = &f->counts[i];
		struct meta_ledger row = { .day = (int32_t)day };
		const struct ledger_seen *s = ledger_find(l, c);
		int rc;

		if (!s)
			return -ENOBUFS;
		if (!ledger_requests(c, &s->at, &row))
			continue;
		ledger_name(&row, c->tier, c->storage_class, c->cause);
		rc = meta_ledger_add(t, &row);
		if (rc < 0)
			return rc;
		f->changed = true;
	}
	return 0;
}

static int ledger_write(struct cost_ledger *l, struct ledger_flush *f)
{
	META_TXN(t);
	int rc = meta_begin(l->meta, &t);

	if (rc == 0)
		rc = ledger_add_requests(l, &t, f);
	if (rc == 0)
		rc = cost_stored_add(&t, &l->stored, l->o.tiers, l->o.n_tiers,
				     f->mark.wall_ns / NSEC_PER_SEC,
				     f->seconds);
	if (rc < 0)
		return rc;
	f->changed = f->changed || rc > 0;
	rc = cost_stored_read(&t, &f->stored);
	if (rc < 0 || !f->changed)
		return rc;
	rc = ledger_mark_save(&t, &f->mark);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static void ledger_remember(struct cost_ledger *l, const struct ledger_flush *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		ledger_find(l, &f->counts[i])->at = f->counts[i];
	l->stored = f->stored;
	l->mark = f->mark;
}

/* Whole seconds only: the rest of one is counted next time. */
static void ledger_elapsed(const struct cost_ledger *l, struct ledger_flush *f)
{
	f->mark = l->mark;
	f->mark.wall_ns = clock_wall_ns();
	f->seconds = (clock_boot_ns() - l->mark.boot_ns) / NSEC_PER_SEC;
	if (f->seconds < 0)
		f->seconds = 0;
	f->mark.boot_ns += f->seconds * NSEC_PER_SEC;
}

static int ledger_flush_locked(struct cost_ledger *l)
{
	CLEANUP_FREE struct ledger_flush *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->n = l->o.read(l->o.arg, f->counts, LEDGER_COUNTERS);
	if (f->n > LEDGER_COUNTERS)
		return -ENOBUFS;
	ledger_elapsed(l, f);
	rc = ledger_write(l, f);
	if (rc == 0)
		ledger_remember(l, f);
	return rc;
}

int cost_ledger_flush(struct cost_ledger *l)
{
	LOCK_SCOPE(&l->lock);
	return ledger_flush_locked(l);
}

static int64_t ledger_run(struct job *job, void *arg)
{
	int rc = cost_ledger_flush(arg);

	if (rc < 0) {
		job_error(job, "cannot write the ledger: %s", strerror(-rc));
		return rc;
	}
	return NSEC_PER_SEC;
}

/* ---- life ----------------------------------------------------------- */

static void ledger_free(struct cost_ledger *l)
{
	pthread_mutex_destroy(&l->lock);
	free(l);
}

DEFINE_GUARD(struct cost_ledger *, ledger_free);

/* What the bucket holds when counting starts. */
static int ledger_hold(struct cost_ledger *l)
{
	META_TXN(t);
	int rc = meta_read(l->meta, &t);

	return rc < 0 ? rc : cost_stored_read(&t, &l->stored);
}

int cost_ledger_start(struct meta *m, const struct cost_ledger_opts *o,
		      struct cost_ledger **out)
{
	CLEANUP(ledger_free_guard)
	struct cost_ledger *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->meta = m;
	l->o = *o;
	rc = ledger_resume(l);
	if (rc == 0)
		rc = ledger_hold(l);
	if (rc < 0)
		return rc;
	l->job = job_start("ledger", ledger_run, l);
	if (!l->job)
		return -errno;
	*out = take(l);
	return 0;
}

int64_t cost_ledger_lag_ns(struct cost_ledger *l)
{
	LOCK_SCOPE(&l->lock);
	return MAX(clock_boot_ns() - l->mark.boot_ns, INT64_C(0));
}

struct job *cost_ledger_job(struct cost_ledger *l)
{
	return l->job;
}

void cost_ledger_stop(struct cost_ledger *l)
{
	int rc;

	if (!l)
		return;
	job_stop(l->job);
	rc = cost_ledger_flush(l);
	if (rc < 0)
		log_err("ledger: the last second was not written: %s",
			strerror(-rc));
	ledger_free(l);
}
