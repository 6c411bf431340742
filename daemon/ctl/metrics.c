/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metrics.h"

#include <string.h>

#include "base/guard.h"

#define G METRIC_GAUGE
#define C METRIC_COUNTER
#define H METRIC_HISTOGRAM

/* Names never change; a metric that ends is left out of the table. */
const struct metric metrics[] = {
	{ "mersey_up", G, "",
	  "1 when the worker of the trust answers, 0 when not: then it has no "
	  "other metrics.",
	  "mersey" },
	{ "mersey_info", G, "name, gateway, version", "Always 1.", "worker" },

	/* files */
	{ "mersey_files", G, "state",
	  "Regular files by where their bytes are: dirty, local, partial, "
	  "remote, archived, recalling.",
	  "database" },
	{ "mersey_file_bytes", G, "state", "Their sizes.", "database" },
	{ "mersey_inodes", G, "", "Files, directories and all others.",
	  "database" },
	{ "mersey_damaged_files", G, "", "Files that are known to be bad.",
	  "database" },
	{ "mersey_unprotected_files", G, "",
	  "Files with changes that are only on this machine.", "database" },
	{ "mersey_unprotected_bytes", G, "", "Their sizes.", "database" },
	{ "mersey_unprotected_oldest_seconds", G, "",
	  "Age of the oldest change that is only on this machine; 0 when there "
	  "is none.",
	  "database" },
	{ "mersey_quota_bytes", G, "", "The limit; absent without one.",
	  "config" },
	{ "mersey_quota_files", G, "", "The limit; absent without one.",
	  "config" },
	{ "mersey_quota_used_bytes", G, "", "What counts against it.",
	  "database" },
	{ "mersey_quota_used_files", G, "", "What counts against it.",
	  "database" },

	/* cache */
	{ "mersey_cache_size_bytes", G, "", "The trust's share of the disk.",
	  "config" },
	{ "mersey_cache_used_bytes", G, "", "Bytes of cache files on disk.",
	  "cache" },
	{ "mersey_cache_high_bytes", G, "", "Eviction begins above this.",
	  "cache" },
	{ "mersey_cache_disk_free_bytes", G, "",
	  "Free on the filesystem of the cache.", "cache" },
	{ "mersey_cache_room_seconds", G, "",
	  "Until writers are slowed, at the rate since the oldest unprotected "
	  "change; absent while nothing has waited for a minute.",
	  "cache" },
	{ "mersey_cache_evicted_files_total", C, "",
	  "Files whose local bytes were dropped.", "cache" },
	{ "mersey_cache_evicted_bytes_total", C, "", "Bytes dropped.",
	  "cache" },
	{ "mersey_cache_reads_total", C, "result",
	  "Reads that the worker served: hit, all bytes were here; miss, some "
	  "had to be fetched. Reads of passed-through files are not seen.",
	  "mount" },
	{ "mersey_cache_opens_total", C, "data_path",
	  "Opens of files that the kernel reads and writes by itself "
	  "(passthrough), or through the worker (worker).",
	  "mount" },

	/* recall (S26) */
	{ "mersey_recall_asked_bytes_total", C, "",
	  "Bytes that programs read of files that were not here.", "recall" },
	{ "mersey_recall_fetched_bytes_total", C, "",
	  "Bytes that were fetched for that.", "recall" },
	{ "mersey_recall_requests_total", C, "", "GETs for that.", "recall" },
	{ "mersey_recall_amplification_ratio", G, "",
	  "Fetched by asked for, since the start; absent before a first read.",
	  "recall" },

	/* background work (P11) */
	{ "mersey_queue_waiting_files", G, "queue", "Files that wait for it.",
	  "jobs" },
	{ "mersey_queue_active_jobs", G, "queue", "Jobs at work on it.",
	  "jobs" },
	{ "mersey_queue_oldest_seconds", G, "queue",
	  "How long the oldest has waited, where that is known; 0 when nothing "
	  "waits.",
	  "jobs" },
	{ "mersey_job_running", G, "job", "1 while it runs.", "jobs" },
	{ "mersey_job_failures_total", C, "job", "Runs that failed.", "jobs" },
	{ "mersey_job_failing_runs", G, "job",
	  "Runs that failed in a row until now; 0 when the last one did not.",
	  "jobs" },
	{ "mersey_job_last_failure_timestamp_seconds", G, "job",
	  "When a run failed last; absent when none has.", "jobs" },

	/* alarms */
	{ "mersey_alarms_active", G, "code, severity",
	  "Alarms of that code; see mersey-alarms(7).", "alarms" },
	{ "mersey_alarms_unacknowledged", G, "",
	  "Active alarms that nobody has acknowledged.", "alarms" },

	/* one bucket, one writer (S22) */
	{ "mersey_writer_active", G, "",
	  "1 while this gateway writes the bucket, 0 when another does, or "
	  "while that is not known.",
	  "writer" },
	{ "mersey_writer_generation", G, "",
	  "The newest claim of the bucket that was seen.", "writer" },
	{ "mersey_quarantined_objects", G, "",
	  "Objects of other gateways' generations that no row names; absent "
	  "when nobody has looked.",
	  "writer" },
	{ "mersey_quarantined_bytes", G, "", "Their sizes.", "writer" },

	/* stores */
	{ "mersey_store_up", G, "tier, store",
	  "1 when the store answers, 0 when not; absent before a first "
	  "request.",
	  "meter" },
	{ "mersey_store_refusing", G, "tier, store",
	  "1 when the last request was answered with a refusal or nonsense.",
	  "meter" },
	{ "mersey_store_clock_ahead_seconds", G, "tier, store",
	  "The store's clock by its answers, less this machine's; absent when "
	  "it does not say.",
	  "meter" },
	{ "mersey_store_breaker_open", G, "tier, store",
	  "1 while the store is not asked because it does not answer, but by a "
	  "probe now and then. One for each store, as the next four: of the "
	  "first tier there.",
	  "breaker" },
	{ "mersey_store_in_flight_requests", G, "tier, store",
	  "Requests under way.", "limit" },
	{ "mersey_store_in_flight_limit", G, "tier, store",
	  "How many there may be now; below in_flight when the store asked for "
	  "less.",
	  "limit" },
	{ "mersey_store_waiting_calls", G, "tier, store",
	  "Calls that wait for their turn.", "limit" },
	{ "mersey_store_retries_left", G, "tier, store",
	  "What is left of the budget of retries.", "retry" },
	{ "mersey_store_requests_total", C,
	  "tier, store, cause, operation, result",
	  "Attempts by how they ended: ok; absent, no such object, or not "
	  "restored, or the key is taken; refused; busy, 429 or 5xx; "
	  "unreachable; broken.",
	  "meter" },
	{ "mersey_store_request_seconds", H, "tier, store, operation",
	  "How long attempts took.", "meter" },
	{ "mersey_store_billed_requests_total", C,
	  "tier, store, cause, operation",
	  "Requests as they are charged for: failed ones count; a batch of "
	  "deletes is one, where the store takes batches.",
	  "meter" },
	{ "mersey_store_received_bytes_total", C, "tier, store, cause",
	  "Bytes of objects that came.", "meter" },
	{ "mersey_store_sent_bytes_total", C, "tier, store, cause",
	  "Bytes of objects that were sent, failed attempts included.",
	  "meter" },
	{ "mersey_store_errors_total", C, "tier, store, cause",
	  "Attempts that failed.", "meter" },
	{ "mersey_store_unknown_outcomes_total", C, "tier, store, cause",
	  "Changes of which nobody knows whether they happened.", "meter" },
	{ "mersey_stored_objects", G, "tier, storage_class",
	  "Objects in the bucket, those that wait to be deleted included.",
	  "database" },
	{ "mersey_stored_bytes", G, "tier, storage_class", "Their sizes.",
	  "database" },

	/* the mount */
	{ "mersey_fuse_requests_total", C, "request", "Requests of the kernel.",
	  "mount" },
	{ "mersey_passthrough_active", G, "",
	  "1 when the kernel reads and writes whole files by itself.",
	  "mount" },
	{ "mersey_passthrough_files", G, "",
	  "Files that are registered for that.", "mount" },

	/* the worker */
	{ "mersey_database_log_bytes", G, "", "Length of the write-ahead log.",
	  "database" },
	{ "mersey_ledger_lag_seconds", G, "",
	  "Time that the cost ledger has not written down yet.", "ledger" },
	{ "mersey_worker_resident_memory_bytes", G, "", "Its memory.",
	  "worker" },
	{ "mersey_worker_cpu_seconds_total", C, "", "Its processor time.",
	  "worker" },
	{ "mersey_worker_start_time_seconds", G, "", "When it started.",
	  "worker" },
	{ "mersey_worker_restarts_total", C, "",
	  "Times that the supervisor started it again.", "worker" },
};

const size_t metrics_n = ARRAY_SIZE(metrics);

const struct metric *metric_find(const char *name)
{
	size_t i;

	for (i = 0; i < metrics_n; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return &metrics[i];
	return NULL;
}

const char *metric_type_name(enum metric_type type)
{
	static const char *const names[] = {
		[METRIC_GAUGE] = "gauge",
		[METRIC_COUNTER] = "counter",
		[METRIC_HISTOGRAM] = "histogram",
	};

	return names[type];
}

/* Sentences, one a line, as roff likes them. */
static int mdoc_sentences(struct buf *out, const char *s)
{
	const char *end;
	int rc = 0;

	for (; rc == 0 && *s; s = end) {
		end = strstr(s, ". ");
		end = end ? end + 1 : s + strlen(s);
		rc = buf_addf(out, "%.*s\n", (int)(end - s), s);
		end += *end == ' ';
	}
	return rc;
}

int metrics_mdoc(struct buf *out)
{
	size_t i;
	int rc = buf_addf(out, ".Bl -tag -width Ds\n");

	for (i = 0; rc == 0 && i < metrics_n; i++) {
		const struct metric *m = &metrics[i];

		rc = buf_addf(out, ".It Ic %s Pq Ar %s\n", m->name,
			      metric_type_name(m->type));
		if (rc == 0)
			rc = mdoc_sentences(out, m->help);
		if (rc == 0 && *m->labels)
			rc = buf_addf(out, "Labels:\n.Ar %s .\n", m->labels);
		if (rc == 0)
			rc = buf_addf(out, "Source: %s.\n", m->source);
	}
	return rc < 0 ? rc : buf_addf(out, ".El\n");
}
