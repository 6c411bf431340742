/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/guard.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit units_size[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
	{ "PiB", 1ULL << 50 },
	{ "kB", 1000ULL },
	{ "KB", 1000ULL },
	{ "MB", 1000000ULL },
	{ "GB", 1000000000ULL },
	{ "TB", 1000000000000ULL },
	{ "PB", 1000000000000000ULL },
};

static const struct unit units_time[] = {
	{ "ms", 1000000ULL },
	{ "s", 1000000000ULL },
	{ "m", 60 * 1000000000ULL },
	{ "h", 3600 * 1000000000ULL },
	{ "d", SEC_PER_DAY *NSEC_PER_SEC },
	{ "w", 7 * SEC_PER_DAY *NSEC_PER_SEC },
	{ "y", 365 * SEC_PER_DAY *NSEC_PER_SEC },
};

static const struct unit units_rate[] = {
	{ "B/s", 1 },
	{ "KiB/s", 1ULL << 10 },
	{ "MiB/s", 1ULL << 20 },
	{ "GiB/s", 1ULL << 30 },
	{ "kB/s", 1000ULL },
	{ "MB/s", 1000000ULL },
	{ "GB/s", 1000000000ULL },
	{ "kbit/s", 125ULL },
	{ "Mbit/s", 125000ULL },
	{ "Gbit/s", 125000000ULL },
};
#define UNITS_RATE_BYTES 7 /* the first, in bytes */

/* Digits, perhaps blanks, then one of the units; nothing else. */
static int units_parse(const char *s, const struct unit *u, size_t n,
		       uint64_t *out)
{
	unsigned long long v;
	char *end;
	size_t i;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return -ERANGE;
	while (*end == ' ')
		end++;
	for (i = 0; i < n; i++) {
		if (strcmp(end, u[i].name) != 0)
			continue;
		return __builtin_mul_overflow((uint64_t)v, u[i].factor, out)
			       ? -ERANGE
			       : 0;
	}
	return -EINVAL;
}

int units_parse_size(const char *s, uint64_t *bytes)
{
	uint64_t v;
	int rc = units_parse(s, units_size, ARRAY_SIZE(units_size), &v);

	if (rc == 0 && v > INT64_MAX)
		rc = -ERANGE;
	if (rc == 0)
		*bytes = v;
	return rc;
}

int units_parse_duration(const char *s, int64_t *ns)
{
	uint64_t v;
	int rc = units_parse(s, units_time, ARRAY_SIZE(units_time), &v);

	if (rc == 0 && v > INT64_MAX / 2)
		rc = -ERANGE;
	if (rc == 0)
		*ns = (int64_t)v;
	return rc;
}

int units_parse_rate(const char *s, uint64_t *bytes_per_second)
{
	uint64_t v;
	int rc = units_parse(s, units_rate, ARRAY_SIZE(units_rate), &v);

	if (rc == 0)
		*bytes_per_second = v;
	return rc;
}

int units_parse_percent(const char *s, unsigned *percent)
{
	static const struct unit u[] = { { "%", 1 } };
	uint64_t v;
	int rc = units_parse(s, u, 1, &v);

	if (rc == 0 && v > 100)
		rc = -ERANGE;
	if (rc == 0)
		*percent = (unsigned)v;
	return rc;
}

int units_parse_mode(const char *s, unsigned *mode)
{
	unsigned long v;
	char *end;

	if (*s < '0' || *s > '7')
		return -EINVAL;
	v = strtoul(s, &end, 8);
	if (*end)
		return -EINVAL;
	if (v > 07777)
		return -ERANGE;
	*mode = (unsigned)v;
	return 0;
}

int units_days(int year, int month, int day, int32_t *days)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day };
	time_t t = timegm(&tm);

	/* it was made a date that exists */
	if (year < 1 || year > 9999 || tm.tm_mon != month - 1 ||
	    tm.tm_mday != day)
		return -EINVAL;
	*days = (int32_t)(t / SEC_PER_DAY);
	return 0;
}

int units_parse_date(const char *s, int32_t *days)
{
	char dash;
	int y, m, d;

	if (strlen(s) != 10 ||
	    sscanf(s, "%4d-%2d%c%2d", &y, &m, &dash, &d) != 4 || dash != '-' ||
	    y < 1970)
		return -EINVAL;
	return units_days(y, m, d, days);
}

const char *units_format_size(uint64_t bytes, char out[UNITS_SIZE])
{
	static const char *const name[] = { "B",   "KiB", "MiB",
					    "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(name)) {
		v /= 1024;
		i++;
	}
	if (i == 0)
		snprintf(out, UNITS_SIZE, "%" PRIu64 " B", bytes);
	else
		snprintf(out, UNITS_SIZE, v < 10 ? "%.2f %s" : "%.1f %s", v,
			 name[i]);
	return out;
}

const char *units_format_duration(int64_t ns, char out[UNITS_SIZE])
{
	int64_t s = ns / NSEC_PER_SEC;

	if (s < 0)
		s = 0;
	if (s < 120)
		snprintf(out, UNITS_SIZE, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(out, UNITS_SIZE, "%" PRId64 " min", s / 60);
	else if (s < 2 * SEC_PER_DAY)
		snprintf(out, UNITS_SIZE, "%" PRId64 " h %" PRId64 " min",
			 s / 3600, s / 60 % 60);
	else
		snprintf(out, UNITS_SIZE, "%" PRId64 " d %" PRId64 " h",
			 s / SEC_PER_DAY, s / 3600 % 24);
	return out;
}

const char *units_format_count(uint64_t n, char out[UNITS_SIZE])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), i;
	char *o = out;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*o++ = ',';
		*o++ = digits[i];
	}
	*o = '\0';
	return out;
}

/* The largest unit that divides the value. */
static const char *units_config(uint64_t v, const struct unit *u, size_t n,
				size_t step, char out[UNITS_SIZE])
{
	size_t best = 0, i;

	for (i = 0; i < n; i++)
		if (v && v % u[i].factor == 0 &&
		    u[i].factor >= u[best].factor && i < step)
			best = i;
	snprintf(out, UNITS_SIZE, "%" PRIu64 "%s", v / u[best].factor,
		 u[best].name);
	return out;
}

const char *units_config_size(uint64_t bytes, char out[UNITS_SIZE])
{
	return units_config(bytes, units_size + 1, ARRAY_SIZE(units_size) - 1,
			    6, out);
}

const char *units_config_duration(int64_t ns, char out[UNITS_SIZE])
{
	return units_config((uint64_t)ns, units_time, ARRAY_SIZE(units_time), 5,
			    out);
}

const char *units_config_age(int64_t ns, char out[UNITS_SIZE])
{
	return units_config((uint64_t)ns, units_time, ARRAY_SIZE(units_time),
			    ARRAY_SIZE(units_time), out);
}

const char *units_config_rate(uint64_t bytes_per_second, char out[UNITS_SIZE])
{
	return units_config(bytes_per_second, units_rate,
			    ARRAY_SIZE(units_rate), UNITS_RATE_BYTES, out);
}

const char *units_format_date(int32_t days, char out[UNITS_SIZE])
{
	time_t t = (time_t)days * SEC_PER_DAY;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, UNITS_SIZE, "%Y-%m-%d", &tm);
	return out;
}
