/* SPDX-License-Identifier: Apache-2.0 */
#include "base/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAYS_OF_WEEK 7

static const char *const when_days[DAYS_OF_WEEK] = { "Sun", "Mon", "Tue", "Wed",
						     "Thu", "Fri", "Sat" };

/* Passes by one day and returns its number, or -EINVAL. */
static int parse_day(const char **s)
{
	for (int d = 0; d < DAYS_OF_WEEK; d++)
		if (strncmp(*s, when_days[d], 3) == 0) {
			*s += 3;
			return d;
		}
	return -EINVAL;
}

/* "Mon", "Mon-Fri" and "Sat-Mon", with commas between them. */
static int parse_days(const char **s, uint8_t *days)
{
	*days = 0;
	for (;;) {
		int first = parse_day(s), last = first;

		if (first >= 0 && **s == '-') {
			++*s;
			last = parse_day(s);
		}
		if (first < 0 || last < 0)
			return -EINVAL;
		for (int d = first;; d = (d + 1) % DAYS_OF_WEEK) {
			*days |= (uint8_t)(1U << d);
			if (d == last)
				break;
		}
		if (**s != ',')
			return 0;
		++*s;
	}
}

/* Two digits below `end`; the number or -EINVAL. */
static int parse_two(const char *s, int end)
{
	int v;

	if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]))
		return -EINVAL;
	v = (s[0] - '0') * 10 + (s[1] - '0');
	return v < end ? v : -EINVAL;
}

/* Passes by "HH:MM" and returns the minute of the day, or -EINVAL. */
static int parse_minute(const char **s)
{
	int h = parse_two(*s, 25), m;

	if (h < 0 || (*s)[2] != ':')
		return -EINVAL;
	m = parse_two(*s + 3, 60);
	if (m < 0 || h * 60 + m > WHEN_DAY)
		return -EINVAL;
	*s += 5;
	return h * 60 + m;
}

static int parse_hours(const char **s, struct when *w)
{
	int from = parse_minute(s), to;

	if (from < 0 || **s != '-')
		return -EINVAL;
	++*s;
	to = parse_minute(s);
	if (to < 0 || to == from || from == WHEN_DAY)
		return -EINVAL;
	w->from = (uint16_t)from;
	w->to = (uint16_t)to;
	return 0;
}

/* Passes by the days that may stand first; what follows is a time. */
static int parse_first_days(const char **s, uint8_t *days)
{
	if (isdigit((unsigned char)**s))
		return 0;
	if (parse_days(s, days) < 0)
		return -EINVAL;
	if (!**s)
		return 0;
	if (**s != ' ')
		return -EINVAL;
	*s += strspn(*s, " ");
	return **s ? 0 : -EINVAL;
}

int when_parse(const char *s, struct when *out)
{
	struct when w = WHEN_ALWAYS;

	if (parse_first_days(&s, &w.days) < 0 ||
	    (*s && (parse_hours(&s, &w) < 0 || *s)))
		return -EINVAL;
	*out = w;
	return 0;
}

int when_parse_start(const char *s, uint8_t *days, uint16_t *minute)
{
	uint8_t on = WHEN_ALL_DAYS;
	int at;

	if (parse_first_days(&s, &on) < 0)
		return -EINVAL;
	at = parse_minute(&s);
	if (at < 0 || at == WHEN_DAY || *s)
		return -EINVAL;
	*days = on;
	*minute = (uint16_t)at;
	return 0;
}

/* Runs of days, beginning with Monday: "Mon-Fri", "Mon,Wed,Sat-Sun". */
static int format_days(unsigned days, char out[WHEN_SIZE])
{
	int n = 0;

	for (int i = 1; i <= DAYS_OF_WEEK; i++) {
		int last = i;

		if (!(days & 1U << i % DAYS_OF_WEEK))
			continue;
		while (last < DAYS_OF_WEEK &&
		       days & 1U << (last + 1) % DAYS_OF_WEEK)
			last++;
		n += snprintf(out + n, (size_t)(WHEN_SIZE - n), "%s%s%s%s",
			      n ? "," : "", when_days[i % DAYS_OF_WEEK],
			      last > i ? "-" : "",
			      last > i ? when_days[last % DAYS_OF_WEEK] : "");
		i = last;
	}
	return n;
}

const char *when_format(const struct when *w, char out[WHEN_SIZE])
{
	bool whole = w->from == 0 && w->to == WHEN_DAY;
	int n = 0;

	out[0] = '\0';
	if (whole || w->days != WHEN_ALL_DAYS)
		n = format_days(w->days, out);
	if (!whole)
		snprintf(out + n, (size_t)(WHEN_SIZE - n),
			 "%s%02u:%02u-%02u:%02u", n ? " " : "", w->from / 60,
			 w->from % 60, w->to / 60, w->to % 60);
	return out;
}

const char *when_format_start(uint8_t days, uint16_t minute,
			      char out[WHEN_SIZE])
{
	int n = days != WHEN_ALL_DAYS ? format_days(days, out) : 0;

	snprintf(out + n, (size_t)(WHEN_SIZE - n), "%s%02u:%02u", n ? " " : "",
		 minute / 60, minute % 60);
	return out;
}

bool when_contains(const struct when *w, unsigned wday, unsigned minute)
{
	unsigned before = (wday + DAYS_OF_WEEK - 1) % DAYS_OF_WEEK;
	bool today = w->days & 1U << wday;

	if (w->from < w->to)
		return today && minute >= w->from && minute < w->to;
	return (today && minute >= w->from) ||
	       (w->days & 1U << before && minute < w->to);
}
