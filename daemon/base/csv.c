/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values: a state machine over bytes, and a writer. */
#include "base/csv.h"

#include <errno.h>
#include <string.h>

void csv_reader_done(struct csv_reader *r)
{
	buf_done(&r->text);
	r->n = 0;
}

/* ---- reading -------------------------------------------------------- */

static int csv_bad(const struct csv_reader *r, struct err *err,
		   const char *what)
{
	return fail(err, -EINVAL, "line %zu: %s", r->lines + 1, what);
}

static int csv_byte(struct csv_reader *r, int ch, struct err *err)
{
	if (ch == '\0')
		return csv_bad(r, err, "a NUL byte, so this is no text");
	if (r->text.len >= CSV_ROW_MAX)
		return csv_bad(r, err, "the row is too long");
	if (ch == '\n')
		r->lines++;
	return buf_add_u8(&r->text, (uint8_t)ch);
}

/* Ends the field that is being read and begins another. */
static int csv_end(struct csv_reader *r, bool more, struct err *err)
{
	int rc = buf_add_u8(&r->text, 0);

	if (rc < 0)
		return rc;
	r->n++;
	if (!more)
		return 0;
	if (r->n == CSV_FIELDS_MAX)
		return csv_bad(r, err, "too many fields");
	r->at[r->n] = r->text.len;
	return 0;
}

/* Behind an opening quote. Returns what follows the closing one. */
static int csv_quoted(struct csv_reader *r, int *after, struct err *err)
{
	for (;;) {
		int ch = getc_unlocked(r->in), rc;

		if (ch == EOF)
			return fail(err, -EINVAL,
				    "line %zu: a quote is never closed",
				    r->line);
		if (ch == '"') {
			ch = getc_unlocked(r->in);
			if (ch != '"') {
				*after = ch;
				return 0;
			}
		}
		rc = csv_byte(r, ch, err);
		if (rc < 0)
			return rc;
	}
}

/* The bytes of one field; returns the one that ended it. */
static int csv_bytes(struct csv_reader *r, int ch, int *end, struct err *err)
{
	bool quoted = ch == '"';
	int rc = quoted ? csv_quoted(r, &ch, err) : 0;

	while (rc == 0 && ch != ',' && ch != '\n' && ch != '\r' && ch != EOF) {
		if (quoted)
			return csv_bad(r, err, "text behind a closing quote");
		if (ch == '"')
			return csv_bad(r, err, "a quote inside a field");
		rc = csv_byte(r, ch, err);
		ch = rc == 0 ? getc_unlocked(r->in) : EOF;
	}
	if (rc == 0 && ch == '\r') {
		ch = getc_unlocked(r->in);
		if (ch != '\n' && ch != EOF)
			return csv_bad(r, err, "a stray carriage return");
	}
	*end = ch;
	return rc;
}

/* UTF-8 files of Windows programs begin with EF BB BF. */
static int csv_begin(struct csv_reader *r, struct err *err)
{
	int ch = getc_unlocked(r->in);

	r->begun = true;
	if (ch != 0xef) {
		if (ch != EOF)
			ungetc(ch, r->in);
		return 0;
	}
	ch = getc_unlocked(r->in);
	if (ch == 0xbb && getc_unlocked(r->in) == 0xbf)
		return 0;
	return csv_bad(r, err, "this is no UTF-8 text");
}

/* A row from its first byte on. */
static int csv_row(struct csv_reader *r, int ch, struct err *err)
{
	int end = ch, rc;

	r->text.len = 0;
	r->n = 0;
	r->at[0] = 0;
	r->line = r->lines + 1;
	for (;;) {
		rc = csv_bytes(r, ch, &end, err);
		if (rc == 0)
			rc = csv_end(r, end == ',', err);
		if (rc < 0)
			return rc;
		if (end != ',')
			break;
		ch = getc_unlocked(r->in);
	}
	r->lines += end == '\n';
	return ferror(r->in) ? fail(err, -EIO, "cannot read: %m") : 1;
}

int csv_read(struct csv_reader *r, struct err *err)
{
	int rc = r->begun ? 0 : csv_begin(r, err), ch;

	if (rc < 0)
		return rc;
	do {
		ch = getc_unlocked(r->in);
		if (ch == EOF)
			return ferror(r->in)
				       ? fail(err, -EIO, "cannot read: %m")
				       : 0;
		rc = csv_row(r, ch, err);
	} while (rc == 1 && r->n == 1 && r->text.len == 1);
	return rc;
}

const char *csv_field(const struct csv_reader *r, size_t i)
{
	return i < r->n ? (const char *)r->text.data + r->at[i] : "";
}

int csv_find(const struct csv_reader *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(csv_field(r, i), name) == 0)
			return (int)i;
	return -ENOENT;
}

/* ---- writing -------------------------------------------------------- */

void csv_write(FILE *f, const char *s)
{
	const char *formula = *s && strchr("=+-@\t\r\n", *s) ? "'" : "";

	if (!strpbrk(s, ",\"\r\n")) {
		fprintf(f, "%s%s", formula, s);
		return;
	}
	fprintf(f, "\"%s", formula);
	for (; *s; s++) {
		if (*s == '"')
			putc('"', f);
		putc(*s, f);
	}
	putc('"', f);
}
