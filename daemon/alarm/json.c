/* SPDX-License-Identifier: Apache-2.0 */
/* One alarm as JSON text, for a process that has no use for a library. */
#include "alarm/alarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const char *alarm_id(const char *trust, uint64_t id, char out[ALARM_ID_SIZE])
{
	snprintf(out, ALARM_ID_SIZE, "%s-%" PRIu64, trust, id);
	return out;
}

/* Text in quotes; what is not printable ASCII becomes '?'. */
static int add_text(struct buf *out, const char *s)
{
	int rc = buf_add(out, "\"", 1);

	for (; rc == 0 && *s; s++)
		if (*s == '"' || *s == '\\')
			rc = buf_addf(out, "\\%c", *s);
		else
			rc = buf_addf(out, "%c",
				      *s >= ' ' && *s <= '~' ? *s : '?');
	return rc < 0 ? rc : buf_add(out, "\"", 1);
}

static int add_member(struct buf *out, const char *key, const char *text)
{
	int rc = buf_addf(out, ", \"%s\": ", key);

	if (rc < 0)
		return rc;
	return text ? add_text(out, text) : buf_addf(out, "null");
}

static int add_time(struct buf *out, const char *key, int64_t ns)
{
	char iso[CLOCK_ISO_SIZE];

	return add_member(out, key, ns ? clock_iso(ns, iso) : NULL);
}

static bool ended(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static bool is_alarm(const struct alarm *a)
{
	return (unsigned)a->code < ALARM_CODES &&
	       ended(a->subject, sizeof(a->subject)) &&
	       ended(a->acked_by, sizeof(a->acked_by)) &&
	       ended(a->message, sizeof(a->message));
}

int alarm_json(const struct alarm *a, const char *trust, const char *gateway,
	       struct buf *out)
{
	const struct alarm_kind *k;
	char id[ALARM_ID_SIZE];
	int rc;

	if (!is_alarm(a))
		return -EINVAL;
	k = &alarm_kinds[a->code];
	rc = buf_addf(out, "{\"mersey\": 1");
	if (rc == 0)
		rc = add_member(out, "event",
				a->cleared_ns ? "cleared" : "raised");
	if (rc == 0)
		rc = add_member(out, "gateway", gateway);
	if (rc == 0)
		rc = add_member(out, "id", alarm_id(trust, a->id, id));
	if (rc == 0)
		rc = add_member(out, "trust", trust);
	if (rc == 0)
		rc = add_member(out, "code", k->name);
	if (rc == 0)
		rc = add_member(out, "severity",
				alarm_severity_name(k->severity));
	if (rc == 0)
		rc = add_time(out, "raised_at", a->raised_ns);
	if (rc == 0)
		rc = add_time(out, "cleared_at", a->cleared_ns);
	if (rc == 0)
		rc = add_member(out, "acked_by",
				a->acked_by[0] ? a->acked_by : NULL);
	if (rc == 0)
		rc = add_member(out, "message", a->message);
	if (rc == 0)
		rc = add_member(out, "action", k->action);
	return rc < 0 ? rc : buf_addf(out, "}\n");
}
