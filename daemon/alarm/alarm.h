/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What needs a person: one table of codes, and the alarms of one trust.
 *
 * Who watches something says whether it is wrong, as often as they like
 * (alarms_set(): no I/O). alarms_tick(), called each second, raises what was
 * wrong for long enough and clears what has been right for as long (at most
 * a minute), so that nothing flaps; it writes them down, and then tells. So
 * a restart keeps ids, times and who acknowledged, and tells again only what
 * was not told yet. A restart clears an alarm a minute later unless somebody
 * says again that it is wrong.
 */
#ifndef MERSEY_ALARM_ALARM_H
#define MERSEY_ALARM_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/job.h"
#include "base/err.h"
#include "base/guard.h"
#include "meta/meta.h"

enum alarm_code {
	ALARM_STORE_DOWN,
	ALARM_STORE_REFUSES,
	ALARM_SUPERSEDED,
	ALARM_HELD_ELSEWHERE,
	ALARM_NO_CREATE_ONLY,
	ALARM_UNPROTECTED,
	ALARM_CACHE_ROOM,
	ALARM_DISK_RESERVE,
	ALARM_DAMAGED,
	ALARM_CLOCK,
	ALARM_QUOTA,
	ALARM_RECALL_LATE,
	ALARM_LOG_LONG,
	ALARM_JOB_FAILING,
	ALARM_PASSTHROUGH,
	ALARM_WORKER_RESTARTS,
	ALARM_WORKER_DOWN, /* of the supervisor: not in a worker's list */
	ALARM_CODES,
};

enum alarm_severity { ALARM_WARNING, ALARM_CRITICAL };

/* A row of the table. */
struct alarm_kind {
	const char *name; /* "store_down" */
	enum alarm_severity severity;
	int64_t after_ns;	     /* it must last so long */
	const char *raised, *clears; /* when; for people */
	const char *action;	     /* what to do about it */
};
extern const struct alarm_kind alarm_kinds[ALARM_CODES];

/* "warning", "critical". */
const char *alarm_severity_name(enum alarm_severity s);
/* Appends the table as the list of mersey-alarms(7). 0 or -ENOMEM. */
int alarms_mdoc(struct buf *out);

/* Plain bytes: it goes from a worker to the supervisor as it is. */
struct alarm {
	uint64_t id; /* of the trust; never used again */
	enum alarm_code code;
	char subject[32]; /* which one, where there are several: a job */
	int64_t raised_ns, cleared_ns, acked_ns; /* wall; 0 = not */
	char acked_by[64];
	char message[256]; /* one line, without control characters */
};

#define ALARM_ID_SIZE 96
/* "rem-3": unique in an installation. Returns `out`. */
const char *alarm_id(const char *trust, uint64_t id, char out[ALARM_ID_SIZE]);
/*
 * Appends one JSON object and a newline, for alarm_command. -EINVAL when `a`
 * is not an alarm: it may come from another process.
 */
int alarm_json(const struct alarm *a, const char *trust, const char *gateway,
	       struct buf *out);

/* ---- the alarms of one trust ---------------------------------------- */

#define ALARMS_MAX 128 /* kept: active ones, and the latest that were */

struct alarms;

/* Reads what was written down. 0 or -errno. */
int alarms_open(struct meta *m, struct alarms **out, struct err *err);
void alarms_close(struct alarms *a);
DEFINE_GUARD(struct alarms *, alarms_close);

/* How long a code must last, instead of what the table says. */
void alarms_after(struct alarms *a, enum alarm_code code, int64_t ns);

/*
 * Who is told of each alarm that was raised or cleared, in order: 0, or an
 * error, then it is tried again with the next tick. NULL (the default):
 * nobody. Before the first tick.
 */
void alarms_on_change(struct alarms *a,
		      int (*tell)(void *arg, const struct alarm *alarm),
		      void *arg);

/* Is it wrong? ALARM_KEEP: neither clearly wrong nor clearly right. */
enum alarm_sign { ALARM_OFF, ALARM_KEEP, ALARM_ON };
/* `subject` NULL = "". The message is that of an alarm while it is on. Any
 * thread; waits for no I/O. */
void alarms_set(struct alarms *a, enum alarm_code code, const char *subject,
		enum alarm_sign sign, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The supervisor started the worker again: often within an hour is an alarm of
 * its own. */
void alarms_restarted(struct alarms *a);

/* See the top; from one thread. 0 or -errno: tried again with the next. */
int alarms_tick(struct alarms *a);

/* The job "alarms": each second `look`, which says what is wrong, and a tick.
 * 0 or -errno. alarms_unwatch() ends it. */
int alarms_watch(struct alarms *a, int (*look)(void *arg), void *arg);
void alarms_unwatch(struct alarms *a);
/* What the job tells of itself; false: there is none. */
bool alarms_job(struct alarms *a, struct job_info *out);

/* Active ones first, each by id from the newest down. How many there are. */
size_t alarms_list(struct alarms *a, struct alarm *out, size_t max);

/* Somebody has seen it: written down when this returns 0. An alarm that was
 * acknowledged keeps who was first. -ENOENT. */
int alarms_ack(struct alarms *a, uint64_t id, const char *who,
	       struct alarm *out);

#endif
