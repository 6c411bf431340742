/* SPDX-License-Identifier: Apache-2.0 */
/* All numbers of one trust, for monitoring: see ctl/metrics.h. */
#include "ctl/look.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/units.h"
#include "ctl/metrics.h"

#define METRICS_TOTALS 32 /* tiers x storage classes */

struct sampler {
	const struct ctl_look *s;
	json_t *list;
	int rc; /* of the first that could not be added */
};

/* ---- one sample ----------------------------------------------------- */

/* Pairs of names and values, ended by NULL. */
static json_t *labels_of(va_list ap)
{
	json_t *o = json_object();
	const char *name;

	while (o && (name = va_arg(ap, const char *))) {
		if (proto_set(o, name, json_string(va_arg(ap, const char *))) ==
		    0)
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Adds a sample; steals `o`, which has its value. */
static void sample_add(struct sampler *m, const char *name, json_t *labels,
		       json_t *o)
{
	if (proto_set(o, "labels", labels) < 0 ||
	    proto_set(o, "metric", json_string(name)) < 0 ||
	    json_array_append(m->list, o) < 0)
		m->rc = -ENOMEM;
	json_decref(o);
}

/* Steals `value`. Labels: pairs, then NULL. */
static void put(struct sampler *m, const char *name, json_t *value, ...)
	__attribute__((sentinel));

static void put(struct sampler *m, const char *name, json_t *value, ...)
{
	json_t *labels;
	va_list ap;

	va_start(ap, value);
	labels = labels_of(ap);
	va_end(ap);
	sample_add(m, name, labels,
		   json_pack("{s:o, s:n}", "value", value, "histogram"));
}

static json_t *seconds(int64_t ns)
{
	return json_real((double)ns / (double)NSEC_PER_SEC);
}

static json_t *flag(bool on)
{
	return json_integer(on);
}

/* ---- files and cache ------------------------------------------------ */

static void put_files(struct sampler *m)
{
	const struct ctl_look *s = m->s;
	int i;

	put(m, "mersey_info", json_integer(1), "name", s->w->long_name,
	    "gateway", s->w->gateway, "version", s->w->version, NULL);
	for (i = 0; i < META_STATES; i++) {
		const char *state = meta_state_name((enum meta_state)i);

		put(m, "mersey_files", proto_count(s->t.by_state[i].files),
		    "state", state, NULL);
		put(m, "mersey_file_bytes", proto_count(s->t.by_state[i].bytes),
		    "state", state, NULL);
	}
	put(m, "mersey_inodes", proto_count(s->t.files), NULL);
	put(m, "mersey_damaged_files", proto_count(s->t.damaged), NULL);
	put(m, "mersey_unprotected_files", proto_count(s->t.dirty_files), NULL);
	put(m, "mersey_unprotected_bytes", proto_count(s->t.dirty_bytes), NULL);
	put(m, "mersey_unprotected_oldest_seconds",
	    seconds(s->t.oldest_dirty_ns ? ctl_look_age(s) : 0), NULL);
}

static void put_quota(struct sampler *m)
{
	const struct ctl_quota *q = &m->s->q;

	if (q->limit.bytes)
		put(m, "mersey_quota_bytes", proto_count(q->limit.bytes), NULL);
	if (q->limit.files)
		put(m, "mersey_quota_files", proto_count(q->limit.files), NULL);
	put(m, "mersey_quota_used_bytes", proto_count(q->used.bytes), NULL);
	put(m, "mersey_quota_used_files", proto_count(q->used.files), NULL);
}

static void put_cache(struct sampler *m)
{
	const struct cache_usage *u = &m->s->u;
	int64_t room = ctl_look_room(m->s);
	struct cache_evicted e;

	cache_evicted(m->s->w->cache, &e);
	put(m, "mersey_cache_size_bytes", proto_count(u->size), NULL);
	put(m, "mersey_cache_used_bytes", proto_count(u->used), NULL);
	put(m, "mersey_cache_high_bytes", proto_count(u->high), NULL);
	put(m, "mersey_cache_disk_free_bytes", proto_count(u->disk_free), NULL);
	if (room >= 0)
		put(m, "mersey_cache_room_seconds", json_integer(room), NULL);
	put(m, "mersey_cache_evicted_files_total", proto_count(e.files), NULL);
	put(m, "mersey_cache_evicted_bytes_total", proto_count(e.bytes), NULL);
}

static void put_recall(struct sampler *m)
{
	struct move_recall_stats r;

	move_recall_stats(m->s->w->move, &r);
	put(m, "mersey_recall_asked_bytes_total", proto_count(r.asked), NULL);
	put(m, "mersey_recall_fetched_bytes_total", proto_count(r.fetched),
	    NULL);
	put(m, "mersey_recall_requests_total", proto_count(r.requests), NULL);
	if (r.asked)
		put(m, "mersey_recall_amplification_ratio",
		    json_real((double)r.fetched / (double)r.asked), NULL);
}

/* ---- background work ------------------------------------------------ */

static void put_queue(struct sampler *m, const struct job_info *j)
{
	struct ctl_queue q;

	ctl_look_queue(m->s, j, &q);
	put(m, "mersey_queue_waiting_files", proto_count(q.waiting), "queue",
	    j->name, NULL);
	put(m, "mersey_queue_active_jobs", proto_count(q.active), "queue",
	    j->name, NULL);
	if (strcmp(j->name, "protect") == 0)
		put(m, "mersey_queue_oldest_seconds",
		    seconds(q.oldest_ns ? ctl_look_age(m->s) : 0), "queue",
		    j->name, NULL);
}

static void put_job(struct sampler *m, const struct job_info *j)
{
	put(m, "mersey_job_running", flag(j->state == JOB_RUNNING), "job",
	    j->name, NULL);
	put(m, "mersey_job_failures_total", proto_count(j->failures), "job",
	    j->name, NULL);
	put(m, "mersey_job_failing_runs", json_integer(j->failing), "job",
	    j->name, NULL);
	if (j->failed_ns)
		put(m, "mersey_job_last_failure_timestamp_seconds",
		    seconds(j->failed_ns), "job", j->name, NULL);
}

/* The streams of a queue are one line of it. */
static bool is_stream(const struct job_info *j)
{
	return ctl_same_queue("protect", j->name) &&
	       strcmp(j->name, "protect") != 0;
}

static void put_jobs(struct sampler *m)
{
	struct cost_ledger *ledger = m->s->w->ledger;
	size_t i;

	for (i = 0; i < m->s->jobs; i++) {
		if (i < m->s->movers && !is_stream(&m->s->job[i]))
			put_queue(m, &m->s->job[i]);
		put_job(m, &m->s->job[i]);
	}
	if (ledger)
		put(m, "mersey_ledger_lag_seconds",
		    seconds(cost_ledger_lag_ns(ledger)), NULL);
}

/* ---- alarms --------------------------------------------------------- */

static void put_alarms(struct sampler *m)
{
	uint64_t active[ALARM_CODES] = { 0 }, unseen = 0;
	size_t i;

	for (i = 0; i < m->s->alarms; i++) {
		active[m->s->alarm[i].code]++;
		unseen += !m->s->alarm[i].acked_ns;
	}
	for (i = 0; i < ALARM_CODES; i++)
		put(m, "mersey_alarms_active", proto_count(active[i]), "code",
		    alarm_kinds[i].name, "severity",
		    alarm_severity_name(alarm_kinds[i].severity), NULL);
	put(m, "mersey_alarms_unacknowledged", proto_count(unseen), NULL);
}

/* ---- who writes the bucket ------------------------------------------ */

static void put_writer(struct sampler *m)
{
	const struct fence_info *f = &m->s->fence;

	if (!m->s->w->fence)
		return;
	put(m, "mersey_writer_active", flag(f->state == FENCE_HOLDER), NULL);
	put(m, "mersey_writer_generation", json_integer(f->generation), NULL);
	if (!f->quarantine_known)
		return;
	put(m, "mersey_quarantined_objects", proto_count(f->quarantined), NULL);
	put(m, "mersey_quarantined_bytes", proto_count(f->quarantined_bytes),
	    NULL);
}

/* ---- stores --------------------------------------------------------- */

/* What labels a series: a tier, or the first of a place, and its store. */
struct of_store {
	const char *tier, *store;
};
#define STORE(s) "tier", (s)->tier, "store", (s)->store

static void put_requests(struct sampler *m, const struct of_store *s,
			 const char *cause, const struct store_counts *c)
{
	int op, r;

	for (op = 0; op < STORE_OP_COUNT; op++)
		for (r = 0; r < STORE_RESULT_COUNT; r++)
			put(m, "mersey_store_requests_total",
			    proto_count(c->op[op].result[r]), STORE(s), "cause",
			    cause, "operation",
			    store_op_name((enum store_op)op), "result",
			    store_result_name((enum store_result)r), NULL);
}

static void put_billed(struct sampler *m, const struct of_store *s,
		       const char *cause, const struct store_counts *c)
{
	const struct {
		enum store_op op;
		uint64_t n;
	} of[] = {
		{ STORE_OP_PUT, c->puts },	   { STORE_OP_GET, c->gets },
		{ STORE_OP_HEAD, c->heads },	   { STORE_OP_LIST, c->lists },
		{ STORE_OP_DELETE, c->deletes },   { STORE_OP_COPY, c->copies },
		{ STORE_OP_RESTORE, c->restores },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(of); i++)
		put(m, "mersey_store_billed_requests_total",
		    proto_count(of[i].n), STORE(s), "cause", cause, "operation",
		    store_op_name(of[i].op), NULL);
}

static void put_cause(struct sampler *m, const struct of_store *s,
		      const char *cause, const struct store_counts *c)
{
	put_requests(m, s, cause, c);
	put_billed(m, s, cause, c);
	put(m, "mersey_store_received_bytes_total", proto_count(c->in_bytes),
	    STORE(s), "cause", cause, NULL);
	put(m, "mersey_store_sent_bytes_total", proto_count(c->out_bytes),
	    STORE(s), "cause", cause, NULL);
	put(m, "mersey_store_errors_total", proto_count(c->errors), STORE(s),
	    "cause", cause, NULL);
	put(m, "mersey_store_unknown_outcomes_total", proto_count(c->unknown),
	    STORE(s), "cause", cause, NULL);
}

/* The last bound is none: "+Inf", which the count stands for. */
static void put_times(struct sampler *m, const struct of_store *s,
		      enum store_op op, const struct store_times *t)
{
	json_t *le = json_array(), *n = json_array(), *labels;
	uint64_t sum = 0;
	char bound[32];
	int i, bad = 0;

	for (i = 0; i < STORE_TIME_BUCKETS - 1; i++) {
		sum += t->bucket[i];
		snprintf(bound, sizeof(bound), "%.10g",
			 (double)(STORE_TIME_FIRST_NS << i) / 1e9);
		bad |= json_array_append_new(le, json_string(bound)) |
		       json_array_append_new(n, proto_count(sum));
	}
	sum += t->bucket[i];
	labels = json_pack("{s:s, s:s, s:s}", STORE(s), "operation",
			   store_op_name(op));
	sample_add(m, "mersey_store_request_seconds", labels,
		   json_pack("{s:n, s:{s:o, s:o, s:o, s:o}}", "value",
			     "histogram", "le", le, "buckets", n, "sum",
			     seconds((int64_t)t->total_ns), "count",
			     proto_count(sum)));
	if (bad)
		m->rc = -ENOMEM;
}

static void put_store(struct sampler *m, const struct of_store *s, size_t place)
{
	const struct store_health *h = &m->s->health[place];
	int64_t ahead;

	if (h->since_ns)
		put(m, "mersey_store_up", flag(!h->down), STORE(s), NULL);
	put(m, "mersey_store_refusing", flag(!h->down && h->last_error),
	    STORE(s), NULL);
	if (store_skew(m->s->w->places[place].direct, &ahead) == 0)
		put(m, "mersey_store_clock_ahead_seconds", seconds(ahead),
		    STORE(s), NULL);
}

/* What keeps the load on it within bounds. */
static void put_flow(struct sampler *m, const struct of_store *s,
		     struct store_flow *f)
{
	struct store_limiter_info l;
	struct store_breaker_info b;

	store_limiter_read(&f->limiter, &l);
	store_breaker_read(&f->breaker, &b);
	put(m, "mersey_store_breaker_open", flag(b.state != STORE_CLOSED),
	    STORE(s), NULL);
	put(m, "mersey_store_in_flight_requests", proto_count(l.busy), STORE(s),
	    NULL);
	put(m, "mersey_store_in_flight_limit", proto_count(l.allowed), STORE(s),
	    NULL);
	put(m, "mersey_store_waiting_calls", proto_count(l.waiting), STORE(s),
	    NULL);
	put(m, "mersey_store_retries_left",
	    proto_count(store_budget_left(&f->budget)), STORE(s), NULL);
}

/* What one place had before: two buckets of a store share its flow. */
static bool has_flow_before(const struct ctl_worker *w, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (w->places[i].flow == w->places[place].flow)
			return true;
	return false;
}

static void put_place(struct sampler *m, size_t place)
{
	const struct ctl_worker *w = m->s->w;
	const struct of_store s = { w->places[place].tier,
				    w->places[place].store };

	put_store(m, &s, place);
	if (!has_flow_before(w, place))
		put_flow(m, &s, w->places[place].flow);
}

/* Counters of a cause; with those of marker and keys, which count as the
 * place's first tier. */
static void read_counts(const struct ctl_worker *w, const struct ctl_tier *t,
			enum store_cause cause, struct store_counts *out)
{
	const struct ctl_place *p = &w->places[t->place];
	struct store_counts more;

	store_meter_read(&t->counts[cause], out);
	if (cause != STORE_CAUSE_BACKUP || !p->counts ||
	    strcmp(p->tier, t->name) != 0)
		return;
	store_meter_read(p->counts, &more);
	store_counts_add(out, &more);
}

static void put_tier(struct sampler *m, const struct ctl_tier *t)
{
	const struct ctl_worker *w = m->s->w;
	const struct of_store s = { t->name, w->places[t->place].store };
	struct store_counts c, sum = { 0 };
	int i;

	for (i = 0; t->counts && i < STORE_CAUSE_COUNT; i++) {
		read_counts(w, t, (enum store_cause)i, &c);
		store_counts_add(&sum, &c);
		put_cause(m, &s, store_cause_name((enum store_cause)i), &c);
	}
	for (i = 0; i < STORE_OP_COUNT; i++)
		put_times(m, &s, (enum store_op)i, &sum.op[i]);
}

static void put_stores(struct sampler *m)
{
	const struct ctl_worker *w = m->s->w;

	for (size_t i = 0; i < w->n_places; i++)
		put_place(m, i);
	for (size_t i = 0; i < w->n_tiers; i++)
		put_tier(m, &w->tiers[i]);
}

/* ---- what is stored -------------------------------------------------- */

/* No class is the store's own. */
static const char *class_name(const struct meta_pack_totals *t)
{
	return t->storage_class[0] ? t->storage_class : "STANDARD";
}

static bool same_series(const struct meta_pack_totals *a,
			const struct meta_pack_totals *b)
{
	return strcmp(a->tier, b->tier) == 0 &&
	       strcmp(class_name(a), class_name(b)) == 0;
}

/* Adds the i-th to the one before it that has the same labels. */
static bool merge(struct meta_pack_totals *t, int i)
{
	for (int k = 0; k < i; k++) {
		if (!same_series(&t[k], &t[i]))
			continue;
		t[k].objects += t[i].objects;
		t[k].bytes += t[i].bytes;
		return true;
	}
	return false;
}

static void put_total(struct sampler *m, const struct meta_pack_totals *t)
{
	put(m, "mersey_stored_objects", proto_count(t->objects), "tier",
	    t->tier, "storage_class", class_name(t), NULL);
	put(m, "mersey_stored_bytes", proto_count(t->bytes), "tier", t->tier,
	    "storage_class", class_name(t), NULL);
}

static int put_stored(struct sampler *m, struct err *err)
{
	struct meta_pack_totals t[METRICS_TOTALS] = { 0 };
	META_TXN(txn);
	int i, n = meta_read(m->s->w->meta, &txn), kept = 0;

	if (n == 0)
		n = meta_pack_totals(&txn, t, METRICS_TOTALS);
	if (n < 0)
		return fail(err, n, "cannot read what is stored: %m");
	for (i = 0; i < MIN(n, METRICS_TOTALS); i++) {
		t[kept] = t[i];
		kept += !merge(t, kept);
	}
	for (i = 0; i < kept; i++)
		put_total(m, &t[i]);
	return 0;
}

/* ---- mount and worker ----------------------------------------------- */

static void put_mount(struct sampler *m)
{
	const struct ctl_data_path *p = &m->s->path;
	struct vfs_counts v;
	size_t i;

	for (i = 0; i < p->n; i++)
		put(m, "mersey_fuse_requests_total",
		    proto_count(p->request[i].n), "request", p->request[i].name,
		    NULL);
	put(m, "mersey_passthrough_active",
	    flag(m->s->w->data_path && !p->reason), NULL);
	put(m, "mersey_passthrough_files",
	    proto_count(cache_backing_count(m->s->w->cache)), NULL);
	if (!m->s->w->vfs)
		return;
	vfs_counts(m->s->w->vfs, &v);
	put(m, "mersey_cache_reads_total", proto_count(v.reads_hit), "result",
	    "hit", NULL);
	put(m, "mersey_cache_reads_total", proto_count(v.reads_missed),
	    "result", "miss", NULL);
	put(m, "mersey_cache_opens_total", proto_count(v.opens_passed),
	    "data_path", "passthrough", NULL);
	put(m, "mersey_cache_opens_total", proto_count(v.opens_served),
	    "data_path", "worker", NULL);
}

static double cpu_seconds(void)
{
	struct rusage r;

	if (getrusage(RUSAGE_SELF, &r) < 0)
		return 0;
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void put_worker(struct sampler *m)
{
	const struct ctl_worker *w = m->s->w;

	put(m, "mersey_database_log_bytes",
	    proto_count((uint64_t)meta_log_bytes(w->meta)), NULL);
	put(m, "mersey_worker_resident_memory_bytes",
	    proto_count(ctl_look_rss()), NULL);
	put(m, "mersey_worker_cpu_seconds_total", json_real(cpu_seconds()),
	    NULL);
	put(m, "mersey_worker_start_time_seconds", seconds(w->started_ns),
	    NULL);
	put(m, "mersey_worker_restarts_total", json_integer(w->restarts), NULL);
}

int ctl_verb_metrics(struct ctl_call *c, json_t *result)
{
	CLEANUP_FREE struct ctl_look *s = calloc(1, sizeof(*s));
	struct sampler m = { .s = s, .list = json_array() };
	int rc = s ? proto_set(result, "samples", m.list) : -ENOMEM;

	if (rc == 0)
		rc = ctl_look(c->w, s, &c->err);
	if (rc != 0)
		return rc;
	put_files(&m);
	put_quota(&m);
	put_cache(&m);
	put_recall(&m);
	put_jobs(&m);
	put_alarms(&m);
	put_writer(&m);
	put_stores(&m);
	put_mount(&m);
	put_worker(&m);
	rc = put_stored(&m, &c->err);
	return rc < 0 ? rc : m.rc;
}
