/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks, injectable for tests: wall time for what people and
 * records see, boot time (runs on while suspended) for every wait and age.
 */
#ifndef MERSEY_BASE_CLOCK_H
#define MERSEY_BASE_CLOCK_H

#include <stdint.h>
#include <stddef.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000LL
#define SEC_PER_DAY  INT64_C(86400)

/* Nanoseconds since 1970-01-01 UTC. */
int64_t clock_wall_ns(void);

/* Nanoseconds of CLOCK_BOOTTIME; only differences mean anything. */
int64_t clock_boot_ns(void);

/* For tests: shifts what both calls return, by this much from now on. */
void clock_shift(int64_t wall_ns, int64_t boot_ns);

/* Sleeps; an interrupted sleep goes on. */
void clock_sleep_ns(int64_t ns);

static inline struct timespec clock_timespec(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC,
			       .tv_nsec = ns % NSEC_PER_SEC };

	if (ts.tv_nsec < 0) { /* before 1970 */
		ts.tv_nsec += NSEC_PER_SEC;
		ts.tv_sec--;
	}
	return ts;
}

/* The nearest that can be told: 1823 to 2262. Less than half of what there is
 * before 1970, so that differences to the present fit. */
static inline int64_t clock_ns(struct timespec ts)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)ts.tv_sec, NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)ts.tv_nsec, &ns))
		ns = ts.tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns < INT64_MIN / 2 ? INT64_MIN / 2 : ns;
}

/* Half to all of `ns`, at random: clients that failed together do not come
 * back together. */
int64_t clock_jitter(int64_t ns);

#define CLOCK_ISO_SIZE 32

/* Writes ISO 8601 UTC with Z, whole seconds, into `out`; returns `out`. */
const char *clock_iso(int64_t wall_ns, char out[CLOCK_ISO_SIZE]);
/* Back, a fraction of a second allowed and dropped. 0, or -EINVAL for another
 * shape. */
int clock_iso_parse(const char *s, int64_t *wall_ns);

#endif
