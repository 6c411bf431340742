/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/io.h"

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

int64_t clock_jitter(int64_t ns)
{
	uint64_t rnd = 0;

	if (ns <= 0 || io_random(&rnd, sizeof(rnd)) < 0)
		return ns;
	return ns - (int64_t)(rnd % ((uint64_t)ns / 2 + 1));
}

const char *clock_iso(int64_t wall_ns, char out[CLOCK_ISO_SIZE])
{
	struct timespec ts = clock_timespec(wall_ns);
	struct tm tm;

	gmtime_r(&ts.tv_sec, &tm);
	strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

int clock_iso_parse(const char *s, int64_t *wall_ns)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;

	if (end && *end == '.')
		do
			end++;
		while (isdigit((unsigned char)*end));
	if (!end || end[0] != 'Z' || end[1])
		return -EINVAL;
	t = timegm(&tm);
	if (t < INT64_MIN / NSEC_PER_SEC || t > INT64_MAX / NSEC_PER_SEC)
		return -EINVAL;
	*wall_ns = (int64_t)t * NSEC_PER_SEC;
	return 0;
}
