/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic int64_t clock_wall_shift, clock_boot_shift;

static int64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return clock_ns(ts);
}

int64_t clock_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME) + atomic_load(&clock_wall_shift);
}

int64_t clock_boot_ns(void)
{
	return clock_read(CLOCK_BOOTTIME) + atomic_load(&clock_boot_shift);
}

void clock_shift(int64_t wall_ns, int64_t boot_ns)
{
	atomic_fetch_add(&clock_wall_shift, wall_ns);
	atomic_fetch_add(&clock_boot_shift, boot_ns);
}

void clock_sleep_ns(int64_t ns)
{
	struct timespec ts = clock_timespec(ns > 0 ? ns : 0);

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

const char *clock_iso(int64_t wall_ns, char out[CLOCK_ISO_SIZE])
{
	struct timespec ts = clock_timespec(wall_ns);
	struct tm tm;

	gmtime_r(&ts.tv_sec, &tm);
	strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}
