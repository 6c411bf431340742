/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients of a measurement share: a clock, data, the line of JSON. */
#ifndef MERSEY_BENCH_RESULT_H
#define MERSEY_BENCH_RESULT_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns(void);

uint64_t next_random(uint64_t *state);

/* `len` (a multiple of 8) bytes that cannot be compressed. */
void fill_random(void *data, size_t len);

/* Prints {"ops", "bytes", "seconds", "p50_us", "p99_us"}; sorts the ops (> 0)
 * times in `took_ns`. */
void result_print(unsigned long ops, uint64_t bytes, int64_t ns,
		  int64_t *took_ns);

#endif
