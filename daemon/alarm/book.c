/* SPDX-License-Identifier: Apache-2.0 */
/* How alarms are written down: one small value of the database. */
#include "alarm/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BOOK_VERSION "1"
#define FIELDS	     9

static int write_record(const struct alarm_record *r, struct buf *out)
{
	const struct alarm *a = &r->a;

	return buf_addf(out,
			"%" PRIu64 "\t%s\t%s\t%" PRId64 "\t%" PRId64
			"\t%" PRId64 "\t%s\t%d\t%s\n",
			a->id, alarm_kinds[a->code].name, a->subject,
			a->raised_ns, a->cleared_ns, a->acked_ns, a->acked_by,
			r->told_raised + r->told_cleared, a->message);
}

int book_write(const struct alarm_book *b, struct buf *out)
{
	int rc = buf_addf(out, BOOK_VERSION "\t%" PRIu64, b->next_id);
	size_t i;

	for (i = 0; rc == 0 && i < ALARM_RESTARTS; i++)
		rc = buf_addf(out, "\t%" PRId64, b->restart[i]);
	if (rc == 0)
		rc = buf_add(out, "\n", 1);
	for (i = 0; rc == 0 && i < b->n; i++)
		rc = write_record(&b->rec[i], out);
	return rc;
}

static bool code_find(const char *name, enum alarm_code *out)
{
	int i;

	for (i = 0; i < ALARM_CODES; i++)
		if (strcmp(alarm_kinds[i].name, name) == 0)
			break;
	*out = (enum alarm_code)i;
	return i < ALARM_CODES;
}

static int64_t number(const char *s)
{
	return strtoll(s, NULL, 10);
}

static bool read_record(char *line, struct alarm_record *r)
{
	struct alarm *a = &r->a;
	char *f[FIELDS];
	int i;

	*r = (struct alarm_record){ 0 };
	for (i = 0; i < FIELDS; i++) {
		f[i] = strsep(&line, "\t");
		if (!f[i])
			return false;
	}
	a->id = strtoull(f[0], NULL, 10);
	snprintf(a->subject, sizeof(a->subject), "%s", f[2]);
	a->raised_ns = number(f[3]);
	a->cleared_ns = number(f[4]);
	a->acked_ns = number(f[5]);
	snprintf(a->acked_by, sizeof(a->acked_by), "%s", f[6]);
	r->told_raised = number(f[7]) > 0;
	r->told_cleared = number(f[7]) > 1;
	snprintf(a->message, sizeof(a->message), "%s", f[8]);
	return code_find(f[1], &a->code) && a->id > 0 && a->raised_ns > 0;
}

static bool read_head(struct alarm_book *b, char *line)
{
	const char *version = strsep(&line, "\t"), *f;
	int i;

	if (!line || strcmp(version, BOOK_VERSION) != 0)
		return false;
	b->next_id = strtoull(strsep(&line, "\t"), NULL, 10);
	for (i = 0; i < ALARM_RESTARTS && (f = strsep(&line, "\t")); i++)
		b->restart[i] = number(f);
	return true;
}

void book_read(struct alarm_book *b, char *text)
{
	char *line = strsep(&text, "\n");

	if (!read_head(b, line))
		return;
	while (b->n < ALARMS_MAX && (line = strsep(&text, "\n"))) {
		uint64_t last = b->n ? b->rec[b->n - 1].a.id : 0;
		struct alarm_record *r = &b->rec[b->n];

		if (read_record(line, r) && r->a.id > last) {
			b->next_id = MAX(b->next_id, r->a.id + 1);
			b->n++;
		}
	}
}
