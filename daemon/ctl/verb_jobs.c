/* SPDX-License-Identifier: Apache-2.0 */
/* Background work (P11): what waits, since when, why. */
#include "ctl/look.h"

static const char *job_state_name(const struct job_info *j)
{
	switch (j->state) {
	case JOB_RUNNING:
		return j->waiting_for[0] ? "waiting" : "running";
	case JOB_BACKING_OFF:
		return "backing_off";
	default:
		return "sleeping";
	}
}

static json_t *job_amount(uint64_t files, uint64_t bytes, bool known)
{
	if (!known)
		return json_null();
	return json_pack("{s:o, s:o}", "files", proto_count(files), "bytes",
			 proto_count(bytes));
}

static json_t *job_rate(const struct job_info *j)
{
	int64_t s = (clock_wall_ns() - j->started_ns) / NSEC_PER_SEC;

	if (j->state != JOB_RUNNING || s <= 0 || !j->done_bytes)
		return json_null();
	return proto_count(j->done_bytes / (uint64_t)s);
}

static json_t *job_json(const struct ctl_call *c, const struct job_info *j)
{
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "trust",
		c->w->trust, "job", j->name, "state", job_state_name(j),
		"started_at", proto_time(j->started_ns), "done",
		job_amount(j->done_files, j->done_bytes, true), "total",
		job_amount(j->total_files, j->total_bytes,
			   j->total_files || j->total_bytes),
		"rate_bytes_per_second", job_rate(j), "waiting_for",
		proto_text(j->waiting_for), "next_at", proto_time(j->next_ns),
		"last_error", proto_text(j->last_error));
}

int ctl_verb_jobs(struct ctl_call *c, json_t *result)
{
	struct job_info job[LOOK_JOBS];
	size_t movers, n = ctl_jobs(c->w, job, &movers), i;
	json_t *list = json_array();

	for (i = 0; list && i < n; i++)
		if (json_array_append_new(list, job_json(c, &job[i])) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	return proto_set(result, "jobs", list);
}
