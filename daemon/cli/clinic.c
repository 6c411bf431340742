/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/clinic.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/units.h"
#include "ctl/protocol.h"

void clinic_done(struct clinic_list *l)
{
	free(l->row);
	memset(l, 0, sizeof(*l));
}

/* ---- times ------------------------------------------------------------ */

/* Takes `digits` digits from *s. */
static bool time_number(const char **s, int digits, int *out)
{
	*out = 0;
	while (digits-- > 0) {
		if (**s < '0' || **s > '9')
			return false;
		*out = 10 * *out + *(*s)++ - '0';
	}
	return true;
}

static bool time_char(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return false;
	++*s;
	return true;
}

static bool time_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool time_date_ok(int y, int m, int d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };

	if (y < 1970 || y > 2200 || m < 1 || m > 12)
		return false;
	return d >= 1 && d <= days[m - 1] + (m == 2 && time_leap(y));
}

/* "2026-11-30" or "30/11/2026". */
static bool time_date(const char **s, struct tm *tm)
{
	const char *p = *s;
	int y, m, d;

	if (!(time_number(&p, 4, &y) && time_char(&p, "-") &&
	      time_number(&p, 2, &m) && time_char(&p, "-") &&
	      time_number(&p, 2, &d))) {
		p = *s;
		if (!(time_number(&p, 2, &d) && time_char(&p, "/") &&
		      time_number(&p, 2, &m) && time_char(&p, "/") &&
		      time_number(&p, 4, &y)))
			return false;
	}
	*s = p;
	tm->tm_year = y - 1900;
	tm->tm_mon = m - 1;
	tm->tm_mday = d;
	return time_date_ok(y, m, d);
}

/* "09:00", "09:00:30", "09:00:30.5". */
static bool time_clock(const char **s, struct tm *tm)
{
	if (!time_number(s, 2, &tm->tm_hour) || !time_char(s, ":") ||
	    !time_number(s, 2, &tm->tm_min))
		return false;
	if (time_char(s, ":") && !time_number(s, 2, &tm->tm_sec))
		return false;
	if (time_char(s, "."))
		while (**s >= '0' && **s <= '9')
			++*s;
	return tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 59;
}

/* "Z", "+01:00", "-0530". 1 and seconds east; 0: none is said. */
static int time_zone(const char **s, int *east)
{
	int sign = **s == '-' ? -1 : 1, h, m;

	*east = 0;
	if (time_char(s, "Zz"))
		return 1;
	if (!time_char(s, "+-"))
		return 0;
	if (!time_number(s, 2, &h))
		return -EINVAL;
	time_char(s, ":");
	if (!time_number(s, 2, &m) || h > 14 || m > 59)
		return -EINVAL;
	*east = sign * (h * 3600 + m * 60);
	return 1;
}

static int time_wall(struct tm *tm, int zone, int east, int64_t *wall_ns)
{
	time_t t;

	tm->tm_isdst = -1;
	t = zone ? timegm(tm) - east : mktime(tm);
	if (t < 0)
		return -EINVAL;
	*wall_ns = (int64_t)t * NSEC_PER_SEC;
	return 0;
}

int clinic_time(const char *s, int64_t *wall_ns)
{
	struct tm tm = { 0 };
	int zone, east;

	if (!time_date(&s, &tm) || !time_char(&s, " T") || !time_clock(&s, &tm))
		return -EINVAL;
	zone = time_zone(&s, &east);
	if (zone < 0 || *s)
		return -EINVAL;
	return time_wall(&tm, zone, east, wall_ns);
}

static struct tm time_local(int64_t now_ns)
{
	time_t t = (time_t)(now_ns / NSEC_PER_SEC);
	struct tm tm;

	localtime_r(&t, &tm);
	return tm;
}

int clinic_next(const char *s, int64_t now_ns, int64_t *wall_ns)
{
	struct tm tm = time_local(now_ns), later;
	const char *p = s;
	int rc;

	tm.tm_sec = 0;
	if (!time_clock(&p, &tm) || *p)
		return clinic_time(s, wall_ns);
	later = tm;
	later.tm_mday++;
	rc = time_wall(&tm, 0, 0, wall_ns);
	if (rc == 0 && *wall_ns <= now_ns)
		rc = time_wall(&later, 0, 0, wall_ns);
	return rc;
}

int clinic_until(const char *s, int64_t now_ns, int64_t *wall_ns)
{
	struct tm tm = { 0 };
	const char *p = s;

	if (!time_date(&p, &tm) || *p)
		return clinic_next(s, now_ns, wall_ns);
	tm.tm_mday++;
	return time_wall(&tm, 0, 0, wall_ns);
}

/* ---- the list --------------------------------------------------------- */

/* Which columns count; -1: none does. */
struct clinic_columns {
	int patient, date, at;
};

/* Letters and digits of a title, in lower case. */
static void clinic_title(const char *s, char out[32])
{
	size_t n = 0;

	for (; *s && n < 31; s++)
		if (isalnum((unsigned char)*s))
			out[n++] = (char)tolower((unsigned char)*s);
	out[n] = '\0';
}

static int clinic_column(const struct csv_reader *r, const char *const *names)
{
	char title[32];
	size_t i;

	for (; *names; names++)
		for (i = 0; i < r->n; i++) {
			clinic_title(csv_field(r, i), title);
			if (strcmp(title, *names) == 0)
				return (int)i;
		}
	return -1;
}

/* True: the row has titles. */
static bool clinic_titles(const struct csv_reader *r, struct clinic_columns *k)
{
	static const char *const patient[] = { "patientid", "patient", "mrn",
					       "nhsnumber", NULL };
	static const char *const date[] = { "appointmentdate", "date", NULL };
	static const char *const at[] = { "appointmenttime",
					  "appointmentat",
					  "appointmentdatetime",
					  "appointment",
					  "datetime",
					  "time",
					  "slot",
					  "start",
					  NULL };

	k->patient = clinic_column(r, patient);
	k->date = clinic_column(r, date);
	k->at = clinic_column(r, at);
	return k->patient >= 0 && k->at >= 0;
}

/* Without blanks around it. */
static void clinic_trim(const char *s, char *out, size_t size)
{
	size_t n;

	while (*s == ' ' || *s == '\t')
		s++;
	n = strlen(s);
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	snprintf(out, size, "%.*s", (int)MIN(n, size), s);
}

static int clinic_when(const struct csv_reader *r,
		       const struct clinic_columns *k, int64_t *at_ns,
		       struct err *err)
{
	char date[32] = "", at[64], both[128];

	clinic_trim(csv_field(r, (size_t)k->at), at, sizeof(at));
	if (k->date >= 0 && k->date != k->at)
		clinic_trim(csv_field(r, (size_t)k->date), date, sizeof(date));
	snprintf(both, sizeof(both), "%s %s", date, at);
	if (clinic_time(at, at_ns) == 0 ||
	    (date[0] && clinic_time(both, at_ns) == 0))
		return 0;
	return fail(err, -EINVAL,
		    "line %zu: '%s' is no time of an appointment: want "
		    "2026-11-30 09:00",
		    r->line, date[0] ? both : at);
}

static int clinic_patient(const struct csv_reader *r,
			  const struct clinic_columns *k,
			  struct clinic_row *row, struct err *err)
{
	char id[sizeof(row->patient) + 1];

	clinic_trim(csv_field(r, (size_t)k->patient), id, sizeof(id));
	if (!id[0])
		return fail(err, -EINVAL, "line %zu: it names no patient",
			    r->line);
	if (strlen(id) >= sizeof(row->patient))
		return fail(err, -EINVAL,
			    "line %zu: a patient's id has at most 64 bytes",
			    r->line);
	if (!proto_is_utf8(id, strlen(id)))
		return fail(err, -EINVAL,
			    "line %zu: the patient's id is not UTF-8", r->line);
	memcpy(row->patient, id, strlen(id) + 1);
	return 0;
}

static int clinic_add(struct clinic_list *l, const struct clinic_row *row)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct clinic_row *p =
			reallocarray(l->row, room, sizeof(*l->row));

		if (!p)
			return -ENOMEM;
		l->row = p;
		l->room = room;
	}
	l->row[l->n++] = *row;
	return 0;
}

static int clinic_row(const struct csv_reader *r,
		      const struct clinic_columns *k, struct clinic_list *out,
		      struct err *err)
{
	struct clinic_row row = { .line = r->line };
	int rc;

	if (out->n == CLINIC_MAX)
		return fail(err, -EINVAL,
			    "line %zu: more than %d appointments: divide the "
			    "list",
			    r->line, CLINIC_MAX);
	rc = clinic_patient(r, k, &row, err);
	if (rc == 0)
		rc = clinic_when(r, k, &row.at_ns, err);
	return rc < 0 ? rc : clinic_add(out, &row);
}

/* The first row: titles, or the first appointment. */
static int clinic_first(const struct csv_reader *r, struct clinic_columns *k,
			struct clinic_list *out, struct err *err)
{
	int64_t at;

	if (clinic_titles(r, k))
		return 0;
	*k = (struct clinic_columns){ .patient = 0, .date = -1, .at = 1 };
	if (clinic_when(r, k, &at, NULL) == 0)
		return clinic_row(r, k, out, err);
	return fail(err, -EINVAL,
		    "line %zu: it has neither the titles patient_id and "
		    "appointment_time, nor an appointment",
		    r->line);
}

int clinic_read(FILE *in, struct clinic_list *out, struct err *err)
{
	CLEANUP(csv_reader_done) struct csv_reader r = { .in = in };
	struct clinic_columns k;
	int rc = csv_read(&r, err);

	if (rc == 0)
		return fail(err, -EINVAL, "the list is empty");
	if (rc == 1)
		rc = clinic_first(&r, &k, out, err);
	while (rc == 0 && (rc = csv_read(&r, err)) == 1)
		rc = clinic_row(&r, &k, out, err);
	if (rc == 0 && !out->n)
		return fail(err, -EINVAL, "the list has no appointments");
	return rc;
}
