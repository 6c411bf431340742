/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps the load on a store within bounds: a budget of retries, a limit
 * of requests in flight, a breaker; and that on the line: bandwidth. Each is
 * one struct that the handles of all causes share; it belongs to the caller
 * and outlives the stores. Any thread.
 */
#ifndef MERSEY_STORE_FLOW_H
#define MERSEY_STORE_FLOW_H

#include <pthread.h>

#include "store/opts.h"
#include "store/queue.h"
#include "store/store.h"

/* --- the budget of retries --------------------------------------------- */

/*
 * Of the calls that reach the store a fifth may be made again, and ten a
 * second in any case; what is not used is kept up to a hundred. So an outage
 * does not multiply the load, while a store that fails one call in ten gets
 * each of them twice. (As Finagle's RetryBudget.)
 */
#define STORE_BUDGET_PERCENT 20
#define STORE_BUDGET_FLOOR   10 /* a second */
#define STORE_BUDGET_MAX     100

struct store_budget {
	pthread_mutex_t lock; /* guards what follows */
	int64_t milli;	      /* thousandths of a retry */
	int64_t filled_ns;    /* clock_boot_ns() */
	bool stopped;	      /* atomic */
};

void store_budget_init(struct store_budget *b);
void store_budget_done(struct store_budget *b);
/* A call reached the store. */
void store_budget_earn(struct store_budget *b);
/* Pays for one retry; false when it is used up. */
bool store_budget_take(struct store_budget *b);
/* The retry did not reach the store. */
void store_budget_return(struct store_budget *b);
/* How many retries there are. */
unsigned store_budget_left(struct store_budget *b);
/* No retries any more, for good; those that sleep before one give up. */
void store_budget_stop(struct store_budget *b);
bool store_budget_stopped(const struct store_budget *b);

/* --- requests in flight ------------------------------------------------ */

struct store_limiter {
	pthread_mutex_t lock; /* guards what follows */
	struct store_queue queue;
	unsigned max;	/* never more in flight */
	unsigned milli; /* allowed now, in thousandths; at least one */
	unsigned busy;
	int64_t cut_ns; /* clock_boot_ns() of the latest decrease */
};

struct store_limiter_info {
	unsigned max, allowed, busy, waiting;
};

void store_limiter_init(struct store_limiter *l, unsigned max);
void store_limiter_done(struct store_limiter *l);
void store_limiter_read(struct store_limiter *l,
			struct store_limiter_info *out);
/* Ends all waiting, for good: who would wait is refused with -EAGAIN. */
void store_limiter_stop(struct store_limiter *l);

/*
 * At most so many calls at once. How many follows the store: each answer that
 * asks for less (store_call.throttled) halves it, once for all that was under
 * way; each success brings back its share of one more, until `max`. Who waits
 * has their turn by queue.h; -ETIMEDOUT when it does not come in time.
 */
struct store *store_limit_new(struct store *inner, struct store_limiter *l,
			      bool urgent);

/* --- the breaker ------------------------------------------------------- */

enum store_breaker_state {
	STORE_CLOSED,	 /* calls pass */
	STORE_OPEN,	 /* none do */
	STORE_HALF_OPEN, /* one has passed to see how the store is */
	STORE_BREAKER_STATES,
};

/* "closed", "open", "half_open". */
const char *store_breaker_name(enum store_breaker_state s);

/* It opens after so many failures in a row that took so long. */
#define STORE_BREAKER_FAILURES 5
#define STORE_BREAKER_TIME_NS  INT64_C(2000000000)
/* Until the next probe: at first, and at most. */
#define STORE_BREAKER_PAUSE_NS	   INT64_C(1000000000)
#define STORE_BREAKER_PAUSE_MAX_NS INT64_C(5000000000)

struct store_breaker {
	pthread_mutex_t lock; /* guards what follows */
	enum store_breaker_state state;
	int64_t since_ns;  /* wall time of the first failure in a row */
	unsigned failures; /* in a row */
	int64_t first_ns;  /* clock_boot_ns(), when the first one began */
	int64_t probe_ns;  /* clock_boot_ns() of the next probe */
	int64_t pause_ns;  /* between probes; doubles */
	int64_t pause_max_ns;
	char detail[80]; /* of the latest failure */
};

struct store_breaker_info {
	enum store_breaker_state state;
	int64_t since_ns; /* wall time; 0 when closed */
	int64_t probe_ns; /* wall time of the next probe; 0 when closed */
};

/* `pause_max_ns`: the longest time between probes, 0 = the usual one. */
void store_breaker_init(struct store_breaker *b, int64_t pause_max_ns);
void store_breaker_done(struct store_breaker *b);
void store_breaker_read(struct store_breaker *b,
			struct store_breaker_info *out);

/*
 * Spares a store that does not answer, and those who would wait for it: while
 * the breaker is open calls fail at once with -EAGAIN, which says since when
 * and when the store is asked again (store_call.not_before_ns). An answer is
 * an answer, also one that refuses or asks for less; what was cut short by
 * its caller's deadline within a second says nothing.
 */
struct store *store_breaker_new(struct store *inner, struct store_breaker *b);

/* --- bandwidth --------------------------------------------------------- */

/* One direction of a trust's line. */
struct store_way {
	const struct store_pace *pace;
	bool is_up;
	struct store_queue queue;
	uint64_t rate;	   /* bytes a second, when last looked; 0 = no limit */
	int64_t level;	   /* bytes that may go at once; < 0 are owed */
	int64_t filled_ns; /* clock_boot_ns() */
};

/* Of a trust: for all its stores together. */
struct store_pace {
	const struct store_bandwidth *table; /* borrowed */
	pthread_mutex_t lock;		     /* guards what follows */
	struct store_way up, down;
};

void store_pace_init(struct store_pace *p, const struct store_bandwidth *table);
void store_pace_done(struct store_pace *p);
/* The rates that are in force now. */
struct store_rates store_pace_now(const struct store_pace *p);
/* Ends all waiting, for good: who would wait is refused with -EAGAIN. */
void store_pace_stop(struct store_pace *p);

/*
 * Keeps the data of puts and gets within the rates that the timetable has for
 * the time of day; what else goes over the line is not counted. Who waits has
 * their turn by queue.h; -ETIMEDOUT when it does not come in time.
 */
struct store *store_pace_new(struct store *inner, struct store_pace *p,
			     bool urgent);

/* --- all that belongs to one store -------------------------------------- */

struct store_flow {
	struct store_budget budget;
	struct store_limiter limiter;
	struct store_breaker breaker;
};

void store_flow_init(struct store_flow *f, unsigned in_flight,
		     int64_t pause_max_ns);
void store_flow_done(struct store_flow *f);
/* Ends all waiting, for good: a process that stops does not wait. */
void store_flow_stop(struct store_flow *f);

#endif
