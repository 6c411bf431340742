/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return clock_ns(ts);
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void fill_random(void *data, size_t len)
{
	uint64_t state = 88172645463325252ULL;

	for (size_t i = 0; i + 8 <= len; i += 8)
		put_le64((uint8_t *)data + i, next_random(&state));
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void result_print(unsigned long ops, uint64_t bytes, int64_t ns,
		  int64_t *took_ns)
{
	qsort(took_ns, ops, sizeof(*took_ns), by_time);
	printf("{\"ops\": %lu, \"bytes\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"p50_us\": %.2f, \"p99_us\": %.2f}\n",
	       ops, bytes, (double)ns / 1e9, (double)took_ns[ops / 2] / 1e3,
	       (double)took_ns[ops * 99 / 100] / 1e3);
}
