/* SPDX-License-Identifier: Apache-2.0 */
/* The table of codes: all that can need a person. */
#include "alarm/alarm.h"

#include "base/clock.h"

#define S NSEC_PER_SEC

const struct alarm_kind alarm_kinds[ALARM_CODES] = {
	[ALARM_STORE_DOWN] = { "store_down", ALARM_CRITICAL, 120 * S,
			       "The store has not answered for alarms.store_down_for.",
			       "It answers.",
			       "check the network to it; work resumes by itself" },
	[ALARM_STORE_REFUSES] = { "store_refuses", ALARM_CRITICAL, 10 * S,
				  "The store answers, but refuses: credentials, permissions, a "
				  "certificate, a bucket that is not the trust's.",
				  "A request is answered as it should be.",
				  "check its credentials, certificate and policies" },
	[ALARM_SUPERSEDED] = { "superseded", ALARM_CRITICAL, 0,
			       "Another gateway has taken the bucket over: nothing is "
			       "protected or deleted any more.",
			       "This gateway writes the bucket again.",
			       "stop one of the two gateways; mersey store unlock takes the "
			       "bucket back" },
	[ALARM_HELD_ELSEWHERE] = { "held_elsewhere", ALARM_CRITICAL, 0,
				   "Another gateway wrote the bucket last: nothing is protected "
				   "or deleted.",
				   "This gateway writes the bucket.",
				   "if this gateway is to write it: mersey store unlock" },
	[ALARM_NO_CREATE_ONLY] = { "no_create_only", ALARM_CRITICAL, 0,
				   "The store cannot make an object only where there is none, so "
				   "that two gateways could write one bucket: nothing is "
				   "protected.",
				   "It can, or single_writer is confirmed.",
				   "another store; or, if no other gateway ever writes that "
				   "bucket: single_writer: confirmed" },
	[ALARM_UNPROTECTED] = { "unprotected", ALARM_CRITICAL, 0,
				"The oldest change that is only on this machine is older than "
				"alarms.unprotected_for.",
				"It is younger.",
				"see what protect waits for: mersey jobs" },
	[ALARM_CACHE_ROOM] = { "cache_room", ALARM_CRITICAL, 30 * S,
			       "Files are not protected and, at the rate of new writes, the "
			       "cache takes them for less than alarms.cache_room_below.",
			       "It takes them for a quarter longer than that, or they are "
			       "protected.",
			       "mend what protect waits for, or give the trust more cache" },
	[ALARM_DISK_RESERVE] = { "disk_reserve", ALARM_CRITICAL, 30 * S,
				 "The disk of the cache has less room left than is kept for the "
				 "database and its log.",
				 "There is as much again as is kept.",
				 "free space on that filesystem: something else fills it" },
	[ALARM_DAMAGED] = { "damaged", ALARM_CRITICAL, 0,
			    "Files are damaged: their bytes are on no disk and in no "
			    "object.",
			    "They were removed or written anew.",
			    "the log of merseyd names them; bring them back from their "
			    "source" },
	[ALARM_CLOCK] = { "clock", ALARM_WARNING, 60 * S,
			  "This machine and the store disagree about the time by more "
			  "than a minute.",
			  "By less than half a minute.",
			  "check the time service of this machine: chronyc tracking" },
	[ALARM_QUOTA] = { "quota", ALARM_WARNING, 60 * S,
			  "95 % of the trust's quota are used.",
			  "Less than 90 % are.",
			  "raise the quota, or see mersey quota show" },
	[ALARM_RECALL_LATE] = { "recall_late", ALARM_WARNING, 60 * S,
				"Files in an archive class cannot be read: the store refuses "
				"to restore their objects, or has not in half as long again "
				"as it takes.",
				"They can be read, or are not wanted any more.",
				"see why: mersey jobs; they are asked for again by themselves" },
	[ALARM_LOG_LONG] = { "log_long", ALARM_WARNING, 60 * S,
			     "The write-ahead log of the database is longer than 256 MiB: "
			     "lookups and a start become slow.",
			     "It is shorter than 128 MiB.",
			     "see what the job checkpoint waits for: mersey jobs" },
	[ALARM_JOB_FAILING] = { "job_failing", ALARM_WARNING, 60 * S,
				"A background job has failed five times in a row, and not for "
				"want of its store.",
				"A run succeeds.", "see why: mersey jobs" },
	[ALARM_PASSTHROUGH] = { "passthrough", ALARM_WARNING, 60 * S,
				"Files are no longer read and written by the kernel itself: "
				"the mount is slower.",
				"They are.",
				"the log of merseyd says why; mersey status shows it" },
	[ALARM_WORKER_RESTARTS] = { "worker_restarts", ALARM_CRITICAL, 0,
				    "The worker was started again three times within an hour; each "
				    "time its clients got errors.",
				    "It was not for an hour.",
				    "the log of merseyd says how it ended" },
	[ALARM_WORKER_DOWN] = { "worker_down", ALARM_CRITICAL, 0,
				"The supervisor has tried three times, and the worker did not "
				"come to serve its mount.",
				"It serves.",
				"the log of merseyd says why it ends" },
};

const char *alarm_severity_name(enum alarm_severity s)
{
	return s == ALARM_CRITICAL ? "critical" : "warning";
}

int alarms_mdoc(struct buf *out)
{
	int rc = buf_addf(out, ".Bl -tag -width Ds\n"), i;

	for (i = 0; rc == 0 && i < ALARM_CODES; i++) {
		const struct alarm_kind *k = &alarm_kinds[i];

		rc = buf_addf(out,
			      ".It Ic %s Pq Ar %s\n%s\nCleared: %s\n"
			      "What to do: %s.\n",
			      k->name, alarm_severity_name(k->severity),
			      k->raised, k->clears, k->action);
	}
	return rc < 0 ? rc : buf_addf(out, ".El\n");
}
