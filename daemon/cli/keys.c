/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of each verb's JSON result: what `mersey help json` prints, and
 * what the tests compare with real output. "[]" = of each element.
 */
#include "cli/cli.h"

#include <string.h>

#define S "text"
#define N "number"
#define B "boolean"
#define T "time"
#define O "object"
#define L "list"
#define M "money"

const struct cli_key cli_keys[] = {
	{ "status", "trusts", L, "one for each trust" },
	{ "status", "trusts[].trust", S, "short name" },
	{ "status", "trusts[].name", S, "long name" },
	{ "status", "trusts[].state", S, "online, degraded, offline" },
	{ "status", "trusts[].since", T, "when the state began" },
	{ "status", "trusts[].files", N, "files, directories and all others" },
	{ "status", "trusts[].logical_bytes", N, "sum of the files' sizes" },
	{ "status", "trusts[].cached_bytes", N, "on the cache disk" },
	{ "status", "trusts[].cache_size_bytes", N, "the trust's share of it" },
	{ "status", "trusts[].by_state", O,
	  "dirty, local, partial, remote, archived, recalling" },
	{ "status", "trusts[].by_state.*.files", N, "files in that state" },
	{ "status", "trusts[].by_state.*.bytes", N, "their sizes" },
	{ "status", "trusts[].damaged_files", N, "known to be bad" },
	{ "status", "trusts[].unprotected", O, "only on this machine" },
	{ "status", "trusts[].unprotected.files", N, "" },
	{ "status", "trusts[].unprotected.bytes", N, "" },
	{ "status", "trusts[].unprotected.oldest_at", T, "oldest such change" },
	{ "status", "trusts[].unprotected.oldest_seconds", N, "its age" },
	{ "status", "trusts[].cache_room_seconds", N,
	  "until writers are slowed, at the present rate" },
	{ "status", "trusts[].quota", O, "null in it: no limit" },
	{ "status", "trusts[].quota.bytes", N, "" },
	{ "status", "trusts[].quota.files", N, "" },
	{ "status", "trusts[].quota.used_bytes", N, "" },
	{ "status", "trusts[].quota.used_files", N, "" },
	{ "status", "trusts[].recall", O,
	  "reads of files that were not here, since the start" },
	{ "status", "trusts[].recall.asked_bytes", N, "read by programs" },
	{ "status", "trusts[].recall.fetched_bytes", N, "fetched for them" },
	{ "status", "trusts[].recall.requests", N, "GETs" },
	{ "status", "trusts[].recall.recall_amplification", N,
	  "fetched by asked for; null: nothing yet" },
	{ "status", "trusts[].alarms", O, "see mersey alarms" },
	{ "status", "trusts[].alarms.active", N, "" },
	{ "status", "trusts[].alarms.unacknowledged", N, "of them" },
	{ "status", "trusts[].queues", L, "work that waits" },
	{ "status", "trusts[].queues[].name", S, "of the job" },
	{ "status", "trusts[].queues[].waiting", N, "files" },
	{ "status", "trusts[].queues[].active", N, "jobs at work on it" },
	{ "status", "trusts[].queues[].oldest_at", T, "oldest that waits" },
	{ "status", "trusts[].queues[].reason", S, "why it waits" },
	{ "status", "trusts[].stores", L, "where the data is kept" },
	{ "status", "trusts[].stores[].tier", S, "" },
	{ "status", "trusts[].stores[].store", S, "name of the endpoint" },
	{ "status", "trusts[].stores[].bucket", S, "tiers may share one" },
	{ "status", "trusts[].stores[].storage_class", S, "of the tier" },
	{ "status", "trusts[].stores[].state", S, "up, down, unknown" },
	{ "status", "trusts[].stores[].since", T, "" },
	{ "status", "trusts[].stores[].error", S, "why it is down" },
	{ "status", "trusts[].stores[].breaker", S,
	  "closed; open: it is not asked; half_open: it is being probed" },
	{ "status", "trusts[].stores[].breaker_since", T, "first failure" },
	{ "status", "trusts[].stores[].next_probe_at", T, "when it is asked" },
	{ "status", "trusts[].stores[].in_flight", N, "requests now" },
	{ "status", "trusts[].stores[].in_flight_limit", N,
	  "at most now; below in_flight_max when it asked for less" },
	{ "status", "trusts[].stores[].in_flight_max", N, "at most ever" },
	{ "status", "trusts[].stores[].waiting", N, "calls, for their turn" },
	{ "status", "trusts[].stores[].retries_left", N, "of the budget" },
	{ "status", "trusts[].writer", O, "who writes the bucket" },
	{ "status", "trusts[].writer.state", S,
	  "holder: we; waiting, elsewhere, superseded, unsafe: not" },
	{ "status", "trusts[].writer.generation", N, "the newest claim" },
	{ "status", "trusts[].writer.held_by", S, "gateway that made it" },
	{ "status", "trusts[].writer.held_host", S, "its machine" },
	{ "status", "trusts[].writer.held_since", T, "by its clock" },
	{ "status", "trusts[].writer.quarantined", O,
	  "of other gateways, left alone; null: not known" },
	{ "status", "trusts[].writer.quarantined.objects", N, "" },
	{ "status", "trusts[].writer.quarantined.bytes", N, "" },
	{ "status", "trusts[].bandwidth", O, "in force now; null: no limit" },
	{ "status", "trusts[].bandwidth.up_bytes_per_second", N, "" },
	{ "status", "trusts[].bandwidth.down_bytes_per_second", N, "" },
	{ "status", "trusts[].fuse", O, "the mount" },
	{ "status", "trusts[].fuse.passthrough", B,
	  "the kernel reads and writes cached files itself" },
	{ "status", "trusts[].fuse.reason", S,
	  "why not: off, not_root, kernel, filesystem, broker" },
	{ "status", "trusts[].fuse.registered_files", N, "known to it" },
	{ "status", "trusts[].fuse.requests", O, "that it sent" },
	{ "status", "trusts[].fuse.requests.*", N, "of that kind" },
	{ "status", "trusts[].worker", O, "the process that serves it" },
	{ "status", "trusts[].worker.pid", N, "" },
	{ "status", "trusts[].worker.uptime_seconds", N, "" },
	{ "status", "trusts[].worker.rss_bytes", N, "memory" },
	{ "status", "trusts[].worker.restarts", N, "" },
	{ "status", "trusts[].worker.data_path", S, "passthrough, daemon" },
	{ "status", "trusts[].worker.version", S, "" },
	{ "status", "trusts[].backup", O, "of the metadata" },
	{ "status", "trusts[].backup.last_at", T, "" },
	{ "status", "trusts[].backup.lag_seconds", N, "" },

	{ "info", "files", L, "one for each path" },
	{ "info", "files[].path", S, "path_base64 beside it when not UTF-8" },
	{ "info", "files[].inode", N, "" },
	{ "info", "files[].size_bytes", N, "" },
	{ "info", "files[].state", S,
	  "dirty, local, partial, remote, archived, recalling, damaged" },
	{ "info", "files[].tier", S, "" },
	{ "info", "files[].storage_class", S, "" },
	{ "info", "files[].protected_at", T, "" },
	{ "info", "files[].versions", N, "" },
	{ "info", "files[].cached_bytes", N, "of it on the cache disk" },
	{ "info", "files[].extents", L, "where its bytes are in the store" },
	{ "info", "files[].extents[].offset", N, "in the file" },
	{ "info", "files[].extents[].bytes", N, "" },
	{ "info", "files[].extents[].pack", S, "id" },
	{ "info", "files[].extents[].object", S, "key in the bucket" },
	{ "info", "files[].extents[].cached", B, "all of it is local" },
	{ "info", "files[].extents[].cached_bytes", N, "" },
	{ "info", "files[].study_uid", S, "of a DICOM file" },
	{ "info", "files[].patient_id", S, "" },
	{ "info", "files[].modality", S, "of the study, as in CT\\SR" },
	{ "info", "files[].pinned_until", T, "" },
	{ "info", "files[].hold", S, "" },
	{ "info", "files[].quota_dir", S, "" },
	{ "info", "files[].rule", O, "" },
	{ "info", "files[].recall", O, "" },

	{ "alarms", "alarms", L, "active ones, then those that were" },
	{ "alarms", "alarms[].id", S, "TRUST-NUMBER" },
	{ "alarms", "alarms[].trust", S, "" },
	{ "alarms", "alarms[].code", S, "see mersey-alarms(7)" },
	{ "alarms", "alarms[].severity", S, "warning, critical" },
	{ "alarms", "alarms[].raised_at", T, "" },
	{ "alarms", "alarms[].cleared_at", T, "null: it is active" },
	{ "alarms", "alarms[].acked_by", S, "user" },
	{ "alarms", "alarms[].acked_at", T, "" },
	{ "alarms", "alarms[].message", S, "what is wrong" },
	{ "alarms", "alarms[].action", S, "what to do about it" },

	{ "alarms ack", "alarms", L, "as in alarms" },
	{ "alarms ack", "alarms[].id", S, "" },
	{ "alarms ack", "alarms[].trust", S, "" },
	{ "alarms ack", "alarms[].code", S, "" },
	{ "alarms ack", "alarms[].severity", S, "" },
	{ "alarms ack", "alarms[].raised_at", T, "" },
	{ "alarms ack", "alarms[].cleared_at", T, "" },
	{ "alarms ack", "alarms[].acked_by", S, "" },
	{ "alarms ack", "alarms[].acked_at", T, "" },
	{ "alarms ack", "alarms[].message", S, "" },
	{ "alarms ack", "alarms[].action", S, "" },

	{ "metrics", "metrics", L, "all of mersey-metrics(7)" },
	{ "metrics", "metrics[].name", S, "" },
	{ "metrics", "metrics[].type", S, "gauge, counter, histogram" },
	{ "metrics", "metrics[].help", S, "what it is" },
	{ "metrics", "metrics[].samples", L, "one for each set of labels" },
	{ "metrics", "metrics[].samples[].labels", O, "trust and others" },
	{ "metrics", "metrics[].samples[].labels.*", S, "" },
	{ "metrics", "metrics[].samples[].value", N, "null: a histogram" },
	{ "metrics", "metrics[].samples[].histogram", O, "null: a value" },
	{ "metrics", "metrics[].samples[].histogram.le", L, "bounds" },
	{ "metrics", "metrics[].samples[].histogram.buckets", L,
	  "how many there were up to each bound" },
	{ "metrics", "metrics[].samples[].histogram.sum", N, "" },
	{ "metrics", "metrics[].samples[].histogram.count", N, "" },

	{ "jobs", "jobs", L, "all background jobs" },
	{ "jobs", "jobs[].trust", S, "" },
	{ "jobs", "jobs[].job", S, "name" },
	{ "jobs", "jobs[].state", S,
	  "running, waiting, sleeping, backing_off" },
	{ "jobs", "jobs[].started_at", T, "current or last run" },
	{ "jobs", "jobs[].done", O, "in it" },
	{ "jobs", "jobs[].done.files", N, "" },
	{ "jobs", "jobs[].done.bytes", N, "" },
	{ "jobs", "jobs[].total", O, "files and bytes, when known" },
	{ "jobs", "jobs[].total.files", N, "" },
	{ "jobs", "jobs[].total.bytes", N, "" },
	{ "jobs", "jobs[].rate_bytes_per_second", N, "" },
	{ "jobs", "jobs[].waiting_for", S, "in words" },
	{ "jobs", "jobs[].next_at", T, "next run" },
	{ "jobs", "jobs[].last_error", S, "until a run succeeds" },

	{ "doctor", "checks", L, "" },
	{ "doctor", "checks[].check", S, "name" },
	{ "doctor", "checks[].trust", S, "null: the whole machine" },
	{ "doctor", "checks[].level", S, "ok, warn, fail" },
	{ "doctor", "checks[].message", S, "" },
	{ "doctor", "checks[].hint", S, "what to do" },

	{ "mount", "trust", S, "short name" },
	{ "mount", "path", S, "where its files are" },
	{ "wait", "files", N, "that were waited for" },
	{ "wait", "bytes", N, "" },
	{ "wait", "seconds", N, "" },

	{ "evict", "files", N, "evicted" },
	{ "evict", "bytes", N, "freed on the cache disk" },
	{ "evict", "skipped", L, "at most 1000 for each trust" },
	{ "evict", "skipped[].path", S, "" },
	{ "evict", "skipped[].reason", S, "" },
	{ "evict", "skipped_files", N, "all of them" },
	{ "evict", "dry_run", B, "nothing was done" },

	{ "recall", "files", N, "recalled" },
	{ "recall", "bytes", N, "sum of their sizes" },
	{ "recall", "skipped", L, "at most 1000 for each trust" },
	{ "recall", "skipped[].path", S, "" },
	{ "recall", "skipped[].reason", S, "" },
	{ "recall", "skipped_files", N, "all of them" },
	{ "recall", "dry_run", B, "nothing was done" },
	{ "recall", "requests", N, "" },
	{ "recall", "cost", M, "" },
	{ "recall", "ready_at", T, "" },
	{ "recall", "at_risk", L, "" },

	{ "config check", "file", S, "that was checked" },
	{ "config check", "errors", L, "" },
	{ "config check", "errors[].file", S, "" },
	{ "config check", "errors[].line", N, "" },
	{ "config check", "errors[].column", N, "" },
	{ "config check", "errors[].key", S, "" },
	{ "config check", "errors[].message", S, "" },
	{ "config check", "errors[].suggestion", S, "" },

	{ "trust add", "trust", S, "" },
	{ "trust add", "user", S, "service account" },
	{ "trust add", "uid", N, "" },
	{ "trust add", "state_dir", S, "" },
	{ "trust add", "key_id", S, "public name of the root key" },
	{ "trust add", "recovery_file", S, "the recovery sheet" },
	{ "trust add", "stores", L, "" },
	{ "trust add", "stores[].tier", S, "" },
	{ "trust add", "stores[].capabilities", O, "what the store can do" },
	{ "trust add", "stores[].capabilities.*", B, "" },
	{ "trust add", "made", L, "what did not exist" },
	{ "trust add", "dry_run", B, "nothing was done" },

	{ "trust list", "trusts", L, "" },
	{ "trust list", "trusts[].trust", S, "" },
	{ "trust list", "trusts[].name", S, "" },
	{ "trust list", "trusts[].state", S, "online, degraded, offline" },
	{ "trust list", "trusts[].mount", S, "" },

	{ "store unlock", "trust", S, "" },
	{ "store unlock", "held_by", S, "gateway that wrote the bucket" },
	{ "store unlock", "held_host", S, "its machine" },
	{ "store unlock", "held_since", T, "by its clock" },
	{ "store unlock", "generation", N,
	  "the newest claim; ours when taken" },
	{ "store unlock", "ours", B, "it was this gateway already" },
	{ "store unlock", "taken", B, "from the other gateway, now" },
	{ "store unlock", "dry_run", B, "nothing was done" },
	{ "quota show", "trusts", L, "one for each trust" },
	{ "quota show", "trusts[].trust", S, "" },
	{ "quota show", "trusts[].name", S, "" },
	{ "quota show", "trusts[].quota", O, "null in it: no limit" },
	{ "quota show", "trusts[].quota.bytes", N, "" },
	{ "quota show", "trusts[].quota.files", N, "" },
	{ "quota show", "trusts[].used", O, "" },
	{ "quota show", "trusts[].used.bytes", N, "sizes of regular files" },
	{ "quota show", "trusts[].used.files", N, "all but the top directory" },
	{ "quota show", "trusts[].left", O, "null in it: no limit" },
	{ "quota show", "trusts[].left.bytes", N, "" },
	{ "quota show", "trusts[].left.files", N, "" },

	{ "quota check", "trusts", L, "one for each trust" },
	{ "quota check", "trusts[].trust", S, "" },
	{ "quota check", "trusts[].name", S, "" },
	{ "quota check", "trusts[].quota", O, "null in it: no limit" },
	{ "quota check", "trusts[].quota.bytes", N, "" },
	{ "quota check", "trusts[].quota.files", N, "" },
	{ "quota check", "trusts[].used", O, "" },
	{ "quota check", "trusts[].used.bytes", N, "sizes of regular files" },
	{ "quota check", "trusts[].used.files", N,
	  "all but the top directory" },
	{ "quota check", "trusts[].left", O, "null in it: no limit" },
	{ "quota check", "trusts[].left.bytes", N, "" },
	{ "quota check", "trusts[].left.files", N, "" },
	{ "quota check", "trusts[].exact", B, "all counters agree" },
	{ "quota check", "trusts[].account_exact", B,
	  "growth of open files, too; null: too busy to tell" },
	{ "quota check", "trusts[].counted", O, "by the files" },
	{ "quota check", "trusts[].counted.bytes", N, "" },
	{ "quota check", "trusts[].counted.files", N, "" },
	{ "quota check", "trusts[].counters", O, "as they are kept" },
	{ "quota check", "trusts[].counters.bytes", N, "" },
	{ "quota check", "trusts[].counters.files", N, "" },

	{ "store test", "stores", L, "one for each tier that was tested" },
	{ "store test", "stores[].trust", S, "" },
	{ "store test", "stores[].tier", S, "" },
	{ "store test", "stores[].store", S, "name in the config" },
	{ "store test", "stores[].bucket", S, "" },
	{ "store test", "stores[].capabilities", L, "" },
	{ "store test", "stores[].capabilities[].name", S, "" },
	{ "store test", "stores[].capabilities[].result", S,
	  "yes, no, emulated, untested" },
	{ "store test", "stores[].capabilities[].detail", S,
	  "in words; null: nothing to add" },
	{ "store test", "stores[].capabilities[].needed", B,
	  "without it data is not safe, or nothing works" },

	{ "tier list", "tiers", L, "the cache (local) and the trust's own" },
	{ "tier list", "tiers[].trust", S, "" },
	{ "tier list", "tiers[].tier", S, "" },
	{ "tier list", "tiers[].store", S, "" },
	{ "tier list", "tiers[].bucket", S, "" },
	{ "tier list", "tiers[].storage_class", S, "" },
	{ "tier list", "tiers[].files", N, "null: too many to count now" },
	{ "tier list", "tiers[].bytes", N, "of objects, or on the cache disk" },
	{ "tier list", "tiers[].objects", N, "" },
	{ "tier list", "tiers[].per_month", M, "storage, as it is billed" },
	{ "tier list", "tiers[].minimum_days", N, "" },
	{ "tier list", "tiers[].recall_seconds", N,
	  "until an archived object can be read; null: at once" },

	{ "tier plan", "plan", S, "what mersey tier apply takes" },
	{ "tier plan", "trust", S, "" },
	{ "tier plan", "policy", S, "" },
	{ "tier plan", "created_at", T, "" },
	{ "tier plan", "moves", L, "one for each rule and pair of tiers" },
	{ "tier plan", "moves[].rule", N, "from 1 on" },
	{ "tier plan", "moves[].for", S, "file class" },
	{ "tier plan", "moves[].do", S, "move, evict, recall, pin" },
	{ "tier plan", "moves[].from", S, "tier" },
	{ "tier plan", "moves[].to", S, "tier; null: none" },
	{ "tier plan", "moves[].studies", N, "" },
	{ "tier plan", "moves[].files", N, "" },
	{ "tier plan", "moves[].bytes", N, "" },
	{ "tier plan", "moves[].requests", N, "" },
	{ "tier plan", "moves[].once", M, "" },
	{ "tier plan", "moves[].per_month", M, "more; saved: negative" },
	{ "tier plan", "moves[].break_even_days", N, "null: never" },
	{ "tier plan", "totals", O, "" },
	{ "tier plan", "totals.studies", N, "" },
	{ "tier plan", "totals.files", N, "" },
	{ "tier plan", "totals.bytes", N, "" },
	{ "tier plan", "totals.requests", N, "" },
	{ "tier plan", "totals.once", M, "" },
	{ "tier plan", "totals.per_month", M, "" },
	{ "tier plan", "totals.break_even_days", N, "null: never" },
	{ "tier plan", "duration_seconds", N, "" },
	{ "tier plan", "rate_bytes_per_second", N, "it is reckoned with" },
	{ "tier plan", "penalties", L, "in the amounts already" },
	{ "tier plan", "penalties[].tier", S, "" },
	{ "tier plan", "penalties[].penalty", S,
	  "early_deletion (once), minimum_size (a month)" },
	{ "tier plan", "penalties[].amount", M, "" },
	{ "tier plan", "expected_recalls", O, "a month" },
	{ "tier plan", "expected_recalls.count", N, "studies, or files" },
	{ "tier plan", "expected_recalls.cost", M, "" },
	{ "tier plan", "assumptions", L, "sentences" },
	{ "tier plan", "unconfirmed", L, "figures that were used" },

	{ "tier explain", "path", S, "" },
	{ "tier explain", "policy", S, "" },
	{ "tier explain", "study", B, "judged as one with its study" },
	{ "tier explain", "files", N, "of it" },
	{ "tier explain", "matched", N, "index of the rule; null: none" },
	{ "tier explain", "unchanged", S,
	  "why that rule does nothing now; null: it does" },
	{ "tier explain", "rules", L, "in their order" },
	{ "tier explain", "rules[].index", N, "from 1 on" },
	{ "tier explain", "rules[].for", S, "file class" },
	{ "tier explain", "rules[].do", S, "" },
	{ "tier explain", "rules[].to", S, "tier" },
	{ "tier explain", "rules[].result", B, "all conditions hold" },
	{ "tier explain", "rules[].conditions", L, "" },
	{ "tier explain", "rules[].conditions[].key", S, "" },
	{ "tier explain", "rules[].conditions[].wanted", S, "" },
	{ "tier explain", "rules[].conditions[].value", S,
	  "null: not known of this file" },
	{ "tier explain", "rules[].conditions[].result", B, "" },

	{ "tier apply", "run", N, "null: a dry run" },
	{ "tier apply", "plan", S, "" },
	{ "tier apply", "trust", S, "" },
	{ "tier apply", "done", O, "or what would be" },
	{ "tier apply", "done.files", N, "" },
	{ "tier apply", "done.bytes", N, "" },
	{ "tier apply", "actual", O, "" },
	{ "tier apply", "actual.once", M, "" },
	{ "tier apply", "predicted", O, "" },
	{ "tier apply", "predicted.once", M, "of what was done" },
	{ "tier apply", "errors", N, "files" },
	{ "tier apply", "error", S, "why it ended" },
	{ "tier apply", "state", S,
	  "done, running, cancelled, stopped, failed, not_run" },
	{ "tier apply", "dry_run", B, "nothing was done" },
	{ "tier apply", "skipped", L, "at most 1,000" },
	{ "tier apply", "skipped[].path", S, "" },
	{ "tier apply", "skipped[].reason", S, "" },
	{ "tier apply", "skipped_files", N, "all of them" },

	{ "tier run", "runs", L, "" },
	{ "tier run", "runs[].run", N, "" },
	{ "tier run", "runs[].trust", S, "" },
	{ "tier run", "runs[].plan", S, "what mersey tier apply takes" },
	{ "tier run", "runs[].policy", S, "" },
	{ "tier run", "runs[].trigger", S,
	  "apply, run, schedule, cache, oldest" },
	{ "tier run", "runs[].by", S, "who began it" },
	{ "tier run", "runs[].started_at", T, "" },
	{ "tier run", "runs[].ended_at", T, "null: it did not yet" },
	{ "tier run", "runs[].files", N, "done" },
	{ "tier run", "runs[].bytes", N, "done" },
	{ "tier run", "runs[].skipped", N, "files that were left" },
	{ "tier run", "runs[].cost", M, "once, of what was done" },
	{ "tier run", "runs[].predicted", M, "of the same" },
	{ "tier run", "runs[].errors", N, "files" },
	{ "tier run", "runs[].state", S,
	  "running, done, cancelled, stopped, failed" },
	{ "tier run", "runs[].error", S, "why, or what it waits for" },
	{ "tier run", "skipped", L, "at most 1,000" },
	{ "tier run", "skipped[].path", S, "" },
	{ "tier run", "skipped[].reason", S, "" },
	{ "tier run", "skipped_files", N, "all of them" },

	{ "tier cancel", "runs", L, "" },
	{ "tier cancel", "runs[].run", N, "" },
	{ "tier cancel", "runs[].trust", S, "" },
	{ "tier cancel", "runs[].plan", S, "what mersey tier apply takes" },
	{ "tier cancel", "runs[].policy", S, "" },
	{ "tier cancel", "runs[].trigger", S,
	  "apply, run, schedule, cache, oldest" },
	{ "tier cancel", "runs[].by", S, "who began it" },
	{ "tier cancel", "runs[].started_at", T, "" },
	{ "tier cancel", "runs[].ended_at", T, "null: it did not yet" },
	{ "tier cancel", "runs[].files", N, "done" },
	{ "tier cancel", "runs[].bytes", N, "done" },
	{ "tier cancel", "runs[].skipped", N, "files that were left" },
	{ "tier cancel", "runs[].cost", M, "once, of what was done" },
	{ "tier cancel", "runs[].predicted", M, "of the same" },
	{ "tier cancel", "runs[].errors", N, "files" },
	{ "tier cancel", "runs[].state", S,
	  "running, done, cancelled, stopped, failed" },
	{ "tier cancel", "runs[].error", S, "why, or what it waits for" },

	{ "tier history", "runs", L, "" },
	{ "tier history", "runs[].run", N, "" },
	{ "tier history", "runs[].trust", S, "" },
	{ "tier history", "runs[].plan", S, "what mersey tier apply takes" },
	{ "tier history", "runs[].policy", S, "" },
	{ "tier history", "runs[].trigger", S,
	  "apply, run, schedule, cache, oldest" },
	{ "tier history", "runs[].by", S, "who began it" },
	{ "tier history", "runs[].started_at", T, "" },
	{ "tier history", "runs[].ended_at", T, "null: it did not yet" },
	{ "tier history", "runs[].files", N, "done" },
	{ "tier history", "runs[].bytes", N, "done" },
	{ "tier history", "runs[].skipped", N, "files that were left" },
	{ "tier history", "runs[].cost", M, "once, of what was done" },
	{ "tier history", "runs[].predicted", M, "of the same" },
	{ "tier history", "runs[].errors", N, "files" },
	{ "tier history", "runs[].state", S,
	  "running, done, cancelled, stopped, failed" },
	{ "tier history", "runs[].error", S, "why, or what it waits for" },

	{ "cost report", "period", O, "" },
	{ "cost report", "period.from", S, "first day" },
	{ "cost report", "period.to", S, "last day" },
	{ "cost report", "period.elapsed_seconds", N, "" },
	{ "cost report", "by", S,
	  "what rows stand for: tier, class, cause, modality, study-age" },
	{ "cost report", "currency", S, "" },
	{ "cost report", "prices", L, "tables that were used" },
	{ "cost report", "prices[].table", S, "" },
	{ "cost report", "prices[].as_of", S, "" },
	{ "cost report", "prices[].source", S, "" },
	{ "cost report", "prices[].unconfirmed", L, "figures that were used" },
	{ "cost report", "exchange", O, "" },
	{ "cost report", "exchange.currency", S, "" },
	{ "cost report", "exchange.as_of", S, "" },
	{ "cost report", "exchange.source", S, "" },
	{ "cost report", "exchange.rates", O, "" },
	{ "cost report", "exchange.rates.*", S, "for one of that currency" },
	{ "cost report", "rows", L,
	  "their totals are the same whatever by is" },
	{ "cost report", "rows[].trust", S, "" },
	{ "cost report", "rows[].name", S, "of the tier, class, cause ..." },
	{ "cost report", "rows[].tier", S, "null: not by tier" },
	{ "cost report", "rows[].storage_class", S, "null: not by tier" },
	{ "cost report", "rows[].byte_hours", N, "" },
	{ "cost report", "rows[].average_bytes", N, "" },
	{ "cost report", "rows[].current_bytes", N, "stored now" },
	{ "cost report", "rows[].objects", N, "stored now" },
	{ "cost report", "rows[].requests", O, "" },
	{ "cost report", "rows[].requests.puts", N, "" },
	{ "cost report", "rows[].requests.gets", N, "" },
	{ "cost report", "rows[].requests.heads", N, "" },
	{ "cost report", "rows[].requests.lists", N, "" },
	{ "cost report", "rows[].requests.deletes", N, "" },
	{ "cost report", "rows[].requests.restores", N, "orders to archives" },
	{ "cost report", "rows[].in_bytes", N, "downloaded" },
	{ "cost report", "rows[].out_bytes", N, "uploaded" },
	{ "cost report", "rows[].restored_bytes", N,
	  "brought back in archives" },
	{ "cost report", "rows[].charges", O, "" },
	{ "cost report", "rows[].charges.storage", M, "" },
	{ "cost report", "rows[].charges.requests", M, "" },
	{ "cost report", "rows[].charges.retrieval", M, "" },
	{ "cost report", "rows[].charges.transfer", M, "" },
	{ "cost report", "rows[].charges.early_deletion", M, "" },
	{ "cost report", "rows[].charges.minimum_size", M, "" },
	{ "cost report", "rows[].total", M, "" },
	{ "cost report", "rows[].projected", M, "by the end of the period" },
	{ "cost report", "rows[].per_month_at_this_size", M, "storage" },
	{ "cost report", "rows[].cheapest_per_month", M,
	  "the same in the cheapest tier of the trust" },
	{ "cost report", "rows[].kwh", S, "estimated energy; decimal" },
	{ "cost report", "rows[].kg_co2e", S, "estimated carbon; decimal" },
	{ "cost report", "lines", L,
	  "what rows were added up from: one for each month, tier, class, "
	  "cause and item" },
	{ "cost report", "lines[].trust", S, "" },
	{ "cost report", "lines[].period", O, "" },
	{ "cost report", "lines[].period.from", S, "first day" },
	{ "cost report", "lines[].period.to", S, "last day" },
	{ "cost report", "lines[].tier", S, "" },
	{ "cost report", "lines[].storage_class", S, "" },
	{ "cost report", "lines[].cause", S, "null: storage as such" },
	{ "cost report", "lines[].group", S, "name of its row" },
	{ "cost report", "lines[].table", S, "of the price" },
	{ "cost report", "lines[].kg_co2e", S, "the row's, by bytes kept" },
	{ "cost report", "lines[].charge", S, "member of charges" },
	{ "cost report", "lines[].item", S, "what was counted" },
	{ "cost report", "lines[].meter", S, "the same as providers call it" },
	{ "cost report", "lines[].unit", S, "of quantity and price" },
	{ "cost report", "lines[].quantity", S, "decimal" },
	{ "cost report", "lines[].consumed_unit", S, "" },
	{ "cost report", "lines[].consumed", S, "the quantity in that unit" },
	{ "cost report", "lines[].price", M, "of one unit; a mean over steps" },
	{ "cost report", "lines[].amount", M, "" },
	{ "cost report", "lines[].as_of", S, "of the price; null: not known" },
	{ "cost report", "lines[].confirmed", B, "the price is" },
	{ "cost report", "totals", O, "of all rows" },
	{ "cost report", "totals.storage", M, "" },
	{ "cost report", "totals.requests", M, "" },
	{ "cost report", "totals.retrieval", M, "" },
	{ "cost report", "totals.transfer", M, "" },
	{ "cost report", "totals.early_deletion", M, "" },
	{ "cost report", "totals.minimum_size", M, "" },
	{ "cost report", "totals.total", M, "" },
	{ "cost report", "vat", O, "in no other figure" },
	{ "cost report", "vat.percent", N, "0: none" },
	{ "cost report", "vat.total", M, "" },
	{ "cost report", "vat.lines", L, "by trust and month" },
	{ "cost report", "vat.lines[].trust", S, "" },
	{ "cost report", "vat.lines[].period", O, "" },
	{ "cost report", "vat.lines[].period.from", S, "first day" },
	{ "cost report", "vat.lines[].period.to", S, "last day" },
	{ "cost report", "vat.lines[].amount", M, "" },
	{ "cost report", "projected", O, "" },
	{ "cost report", "projected.total", M, "" },
	{ "cost report", "per_month_at_this_size", O, "" },
	{ "cost report", "per_month_at_this_size.total", M, "" },
	{ "cost report", "compared_with", L, "the same data kept otherwise" },
	{ "cost report", "compared_with[].name", S, "" },
	{ "cost report", "compared_with[].total", M, "" },
	{ "cost report", "compared_with[].saved", M,
	  "negative: it is cheaper" },
	{ "cost report", "compared_with[].trusts", N, "that are in it" },
	{ "cost report", "carbon", O, "an estimate" },
	{ "cost report", "carbon.kwh", S,
	  "decimal; null: a factor is missing" },
	{ "cost report", "carbon.kg_co2e", S, "decimal" },
	{ "cost report", "carbon.method", S, "how, and with which factors" },
	{ "cost report", "basis", S, "how rows were divided" },
	{ "cost report", "estimate", B, "always true: not an invoice" },

	{ "pack list", "pack", S, "id" },
	{ "pack list", "version", N, "of the format" },
	{ "pack list", "trust", S, "null: a pack does not name it" },
	{ "pack list", "volume", S, "id of the namespace" },
	{ "pack list", "key_id", S, "root key that opened it" },
	{ "pack list", "generation", N, "of the key" },
	{ "pack list", "files", L, "" },
	{ "pack list", "files[].path", S, "path_base64 when not UTF-8" },
	{ "pack list", "files[].inode", N, "" },
	{ "pack list", "files[].version", N, "of its content" },
	{ "pack list", "files[].part", B,
	  "does not say that the version is complete" },
	{ "pack list", "files[].size_bytes", N, "of the whole file" },
	{ "pack list", "files[].mode", S, "octal" },
	{ "pack list", "files[].mtime_at", T, "" },
	{ "pack list", "files[].frames", N, "in this pack" },
	{ "pack list", "files[].bytes_here", N, "in this pack" },
	{ "pack list", "files[].bytes_elsewhere", N,
	  "in other packs, which this one names" },
};
const size_t cli_keys_n = ARRAY_SIZE(cli_keys);

void cli_keys_print(FILE *f)
{
	const char *verb = "";
	size_t i;

	fputs("Every answer: mersey (1), verb, at, and either result and "
	      "problems[], or error\n{code, errno, message, hint}. Unknown is "
	      "null. Money is {amount, currency}, exact.\n",
	      f);
	for (i = 0; i < cli_keys_n; i++) {
		const struct cli_key *k = &cli_keys[i];

		if (strcmp(verb, k->verb) != 0)
			fprintf(f, "\n%s\n", k->verb);
		verb = k->verb;
		fprintf(f, "  %-46s %-8s %s\n", k->key, k->type, k->help);
	}
	fputs("\npack extract: as pack list, of the files that were written\n"
	      "config show, config schema: see mersey.yaml(5)\n",
	      f);
}

/* ---- comparing ------------------------------------------------------ */

static const struct cli_key *key_find(const char *verb, const char *key)
{
	size_t i;

	for (i = 0; i < cli_keys_n; i++)
		if (strcmp(cli_keys[i].verb, verb) == 0 &&
		    strcmp(cli_keys[i].key, key) == 0)
			return &cli_keys[i];
	return NULL;
}

/* Is the object at `at` one whose members have names of their own? */
static bool key_wild(const char *verb, const char *at)
{
	char star[256];
	size_t i, n = (size_t)snprintf(star, sizeof(star), "%s.*", at);

	for (i = 0; i < cli_keys_n; i++)
		if (strcmp(cli_keys[i].verb, verb) == 0 &&
		    strncmp(cli_keys[i].key, star, n) == 0)
			return true;
	return false;
}

static int keys_value(const char *verb, const char *at, const json_t *v,
		      struct buf *out);

/* Every member is listed. */
static int keys_members(const char *verb, const char *at, const json_t *o,
			struct buf *out)
{
	bool wild = key_wild(verb, at);
	const char *name;
	json_t *v;
	int rc = 0;

	json_object_foreach((json_t *)o, name, v) {
		char path[256];

		if (strcmp(name, "path_base64") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", at, at[0] ? "." : "",
			 wild ? "*" : name);
		if (rc == 0 && !wild && !key_find(verb, path))
			rc = buf_addf(out, "%s: %s is not listed\n", verb,
				      path);
		if (rc == 0)
			rc = keys_value(verb, path, v, out);
	}
	return rc;
}

/* Every listed child of `at` is a member. */
static int keys_listed(const char *verb, const char *at, const json_t *o,
		       struct buf *out)
{
	size_t i, n = strlen(at);
	int rc = 0;

	for (i = 0; i < cli_keys_n && rc == 0; i++) {
		const char *key = cli_keys[i].key, *rest = key + n;

		if (strcmp(cli_keys[i].verb, verb) != 0 ||
		    strncmp(key, at, n) != 0 || (n && *rest != '.'))
			continue;
		rest += n ? 1 : 0;
		if (strpbrk(rest, ".[*") || json_object_get(o, rest))
			continue;
		rc = buf_addf(out, "%s: %s is missing\n", verb, key);
	}
	return rc;
}

static bool is_money(const json_t *o)
{
	return json_object_size(o) == 2 && json_object_get(o, "amount") &&
	       json_object_get(o, "currency");
}

static int keys_value(const char *verb, const char *at, const json_t *v,
		      struct buf *out)
{
	char path[256];
	const json_t *e;
	size_t i;
	int rc = 0;

	if (json_is_object(v) && !is_money(v)) {
		rc = keys_members(verb, at, v, out);
		return rc < 0 ? rc : keys_listed(verb, at, v, out);
	}
	snprintf(path, sizeof(path), "%s[]", at);
	json_array_foreach(v, i, e) {
		if (rc == 0 && json_is_object(e))
			rc = keys_value(verb, path, e, out);
	}
	return rc;
}

int cli_keys_check(const char *verb, const json_t *result, struct buf *out)
{
	return keys_value(verb, "", result, out);
}
