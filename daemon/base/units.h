/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units people write and read: sizes, durations, rates, shares, dates.
 * One place, so that the config, the CLI and the reports agree.
 * Parsers: 0 or -EINVAL (not that shape) or -ERANGE (does not fit).
 */
#ifndef MERSEY_BASE_UNITS_H
#define MERSEY_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "500GiB" "16MiB" "50GB" "512" (bytes): KMGTP, with i = 1024-based. */
int units_parse_size(const char *s, uint64_t *bytes);

/* "250ms" "30s" "15m" "12h" "90d" "1w" "2y" (365 d) -> nanoseconds. */
int units_parse_duration(const char *s, int64_t *ns);

/* "50MB/s" "400Mbit/s" -> bytes per second. */
int units_parse_rate(const char *s, uint64_t *bytes_per_second);

/* "85%" -> 85; "0%" to "100%", whole numbers. */
int units_parse_percent(const char *s, unsigned *percent);

/* "0770" -> 0770; octal, at most 07777. */
int units_parse_mode(const char *s, unsigned *mode);

/* Of a date that exists, days since 1970-01-01; < 0 before. 0 or -EINVAL. */
int units_days(int year, int month, int day, int32_t *days);

/* "2027-03-31" -> days since 1970-01-01; the date must exist. */
int units_parse_date(const char *s, int32_t *days);

#define UNITS_SIZE 32

/* "1.2 GiB" (for people); returns `out`. */
const char *units_format_size(uint64_t bytes, char out[UNITS_SIZE]);
/* "41 s", "3 h 12 min", "2 d 4 h" (for people); returns `out`. */
const char *units_format_duration(int64_t ns, char out[UNITS_SIZE]);
/* "1,124,510"; returns `out`. */
const char *units_format_count(uint64_t n, char out[UNITS_SIZE]);
/* Exact, as the config takes it: "16MiB", "60s"; returns `out`. */
const char *units_config_size(uint64_t bytes, char out[UNITS_SIZE]);
const char *units_config_duration(int64_t ns, char out[UNITS_SIZE]);
/* The same with weeks and years: "2y", "1w". */
const char *units_config_age(int64_t ns, char out[UNITS_SIZE]);
const char *units_config_rate(uint64_t bytes_per_second, char out[UNITS_SIZE]);
/* "2027-03-31"; returns `out`. */
const char *units_format_date(int32_t days, char out[UNITS_SIZE]);

#endif
