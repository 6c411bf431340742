/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated values as in RFC 4180, read from strangers and written for
 * spreadsheets.
 */
#ifndef MERSEY_BASE_CSV_H
#define MERSEY_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

#define CSV_FIELDS_MAX 1024    /* in a row */
#define CSV_ROW_MAX    1048576 /* bytes of one */

/* Reads row by row, in bounded memory. Starts zeroed but for `in`. */
struct csv_reader {
	FILE *in;     /* borrowed */
	size_t line;  /* that the last row began at, from 1 on */
	size_t lines; /* that were read */
	bool begun;
	struct buf text; /* the fields of the row, each with its NUL */
	size_t at[CSV_FIELDS_MAX];
	size_t n;
};
void csv_reader_done(struct csv_reader *r);

/*
 * The next row: 1, or 0 at the end. Empty lines are passed over, so is a mark
 * of byte order. -EINVAL with err that names the line: NUL, a stray quote or
 * carriage return, an open quote at the end, more than CSV_FIELDS_MAX or
 * CSV_ROW_MAX; -EIO.
 */
int csv_read(struct csv_reader *r, struct err *err);
/* Field i of the row; "" behind its end. Valid until the next row. */
const char *csv_field(const struct csv_reader *r, size_t i);
/* Which field is exactly `name`: its index, or -ENOENT. For title rows. */
int csv_find(const struct csv_reader *r, const char *name);

/*
 * Writes one cell, in quotes where it needs them. Text that a spreadsheet
 * would take for a formula (it begins with = + - @, a tab or a line end) gets
 * an apostrophe in front. Numbers do not go through here.
 */
void csv_write(FILE *f, const char *s);

#endif
