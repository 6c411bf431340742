/* SPDX-License-Identifier: Apache-2.0 */
/* Hours of the week, as timetables have them: "Mon-Fri 08:00-18:00". */
#ifndef MERSEY_BASE_WHEN_H
#define MERSEY_BASE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_ALL_DAYS 0x7f
#define WHEN_DAY      (24 * 60) /* minutes */

/*
 * On each of these days from one minute until before the other. When `to` is
 * not behind `from` it is one of the next day, which need not be in `days`:
 * the night from Friday to Saturday belongs to Friday.
 */
struct when {
	uint8_t days;	   /* bit 0 is Sunday, as tm_wday counts */
	uint16_t from, to; /* minutes of the day; `to` at most WHEN_DAY */
};

/* All times. */
#define WHEN_ALWAYS ((struct when){ WHEN_ALL_DAYS, 0, WHEN_DAY })

static inline bool when_is_always(const struct when *w)
{
	return w->days == WHEN_ALL_DAYS && w->from == 0 && w->to == WHEN_DAY;
}

/*
 * Days, hours, or both: "Mon-Fri 08:00-18:00", "Sat,Sun", "22:00-06:00";
 * "Fri-Mon" goes over the weekend, 24:00 is the end of a day. 0 or -EINVAL,
 * *out untouched.
 */
int when_parse(const char *s, struct when *out);

#define WHEN_SIZE 48
/* As when_parse() takes it; all times are "Mon-Sun". Returns `out`. */
const char *when_format(const struct when *w, char out[WHEN_SIZE]);

/* A time that days begin something at: "Mon-Fri 20:00", "20:00" on all. 0 or
 * -EINVAL, nothing touched. */
int when_parse_start(const char *s, uint8_t *days, uint16_t *minute);
/* The same back; returns `out`. */
const char *when_format_start(uint8_t days, uint16_t minute,
			      char out[WHEN_SIZE]);

/* Is it one of those times? `wday` from 0 = Sunday, `minute` of the day. */
bool when_contains(const struct when *w, unsigned wday, unsigned minute);

#endif
