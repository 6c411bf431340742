/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule of a timetable holds when. */
#include "base/clock.h"
#include "store/opts.h"

struct store_rates store_rates_at(const struct store_bandwidth *b,
				  int64_t wall_ns)
{
	struct timespec ts = clock_timespec(wall_ns);
	struct tm tm;

	if (!localtime_r(&ts.tv_sec, &tm))
		return (struct store_rates){ 0, 0 };
	for (size_t i = 0; i < b->n; i++)
		if (when_contains(&b->rule[i].when, (unsigned)tm.tm_wday,
				  (unsigned)(tm.tm_hour * 60 + tm.tm_min)))
			return b->rule[i].rates;
	return (struct store_rates){ 0, 0 };
}
