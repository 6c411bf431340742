/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's view of one trust: its mount and its worker process.
 *
 *           start           'R'
 * WAITING ────────► STARTING ────► SERVING
 *    ▲                 │              │
 *    │   it died: MNT_FORCE, back-off │
 *    └─────────────────┴──────────────┘
 * any ── supervisor stops ──► LEAVING ── it died ──► ENDED
 *
 * worker_set() is the only place that moves. WAITING and ENDED have no
 * process, no mount and no descriptors.
 */
#ifndef MERSEY_SUPER_WORKER_H
#define MERSEY_SUPER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "super/super.h"

#define WORKER_BACKOFF_MIN (NSEC_PER_SEC / 10)
#define WORKER_BACKOFF_MAX (30 * NSEC_PER_SEC)
/* A life this long is a good one: the back-off starts anew. */
#define WORKER_GOOD_LIFE (60 * NSEC_PER_SEC)

enum worker_state {
	WORKER_WAITING, /* for next_ns */
	WORKER_STARTING,
	WORKER_SERVING,
	WORKER_LEAVING,
	WORKER_ENDED,
	WORKER_STATES,
};

/* So many starts without a mount that is served are an alarm. */
#define WORKER_DOWN 3
/* A worker tells of few alarms; more within a minute are not passed on. */
#define WORKER_ALARMS	   60
#define WORKER_ALARMS_TIME (60 * NSEC_PER_SEC)

/* How many brokers a worker gets: one that was killed is replaced; one that
 * ended by itself had a reason that stays. */
#define BROKER_STARTS 5

struct worker {
	const struct super_opts *o;
	const struct super_trust *trust;
	struct super_commander *commander; /* shared */
	enum worker_state state;
	pid_t pid;
	int control_fd;		    /* -1 when closed */
	int fuse_fd;		    /* our copy of the connection */
	struct super_broker broker; /* its fd is the worker's only */
	unsigned broker_starts;	    /* for this process */
	int connection;		    /* see mount_connection(); while LEAVING */
	struct renewal *renewal;    /* for each credential of the trust */
	int64_t look_ns;	    /* when to look after them, boot time */
	unsigned restarts;
	unsigned unserved;  /* lives in a row that never served */
	int64_t down_ns;    /* wall; since when that is an alarm */
	unsigned alarms;    /* in the minute since ... */
	int64_t alarms_ns;  /* boot time */
	bool tried;	    /* it served once, or its first start failed */
	int64_t started_ns; /* boot time, as the next two */
	int64_t next_ns;
	int64_t backoff_ns;
};

/* Not started yet; all are borrowed. 0 or -ENOMEM. */
int worker_init(struct worker *w, const struct super_opts *o,
		const struct super_trust *trust,
		struct super_commander *commander);
/* Frees what worker_init() made. */
void worker_done(struct worker *w);

/* Mounts and starts a process, when its time has come; logs. */
void worker_start(struct worker *w, int64_t now);

/* The process ended with `status` (waitpid): frees its clients, plans the
 * next start or, when leaving, ends. Logs. */
void worker_died(struct worker *w, int status, int64_t now);

/* Ends its broker and waits for that. */
void worker_end_broker(struct worker *w);
/* Its broker ended with `status`: when it was killed, another is started. Logs.
 */
void worker_broker_died(struct worker *w, int status);

/* Something came from the worker, or it hung up. */
void worker_message(struct worker *w);

/* How often credentials are looked at. */
#define WORKER_LOOK_NS (5 * NSEC_PER_SEC)
/* Sends it the credentials that changed or expire, or (`all`) all of them, when
 * it is time to look. Logs. */
void worker_renew(struct worker *w, int64_t now, bool all);
/* When that is, boot time; INT64_MAX = not while it is as it is. */
int64_t worker_renew_due(const struct worker *w);

/* The end: unmount, but serve on what is open. */
void worker_leave(struct worker *w);
/* Its time is up: end all requests, ask the process to end. */
void worker_force(struct worker *w);
/* It did not end: SIGKILL. */
void worker_kill(struct worker *w);

#endif
