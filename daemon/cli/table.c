/* SPDX-License-Identifier: Apache-2.0 */
/* The one table printer. Its rows are the JSON that --json prints. */
#include "cli/cost.h"

#include <string.h>

#define TABLE_COLS_MAX 16

static int table_cell(const struct table_col *col, const json_t *row,
		      struct buf *out)
{
	CLEANUP_BUF struct buf raw = { 0 };
	int rc;

	if (col->cell)
		rc = col->cell(row, &raw);
	else if (json_is_object(json_object_get(row, col->key)))
		rc = cost_show_money(row, col->key, &raw);
	else
		rc = buf_addf(&raw, "%s", json_text(row, col->key));
	if (rc < 0 || !buf_str(&raw))
		return -ENOMEM;
	return text_clean((char *)raw.data, out);
}

/* Pads to the column's width; a last, left-aligned column is left short. */
static void table_put(FILE *f, const struct table_col *col, const char *s,
		      size_t width, bool first, bool last)
{
	size_t have = text_width(s);
	int pad = (int)(width > have ? width - have : 0);

	if (!first)
		fputs("  ", f);
	if (col->right)
		fprintf(f, "%*s", pad, "");
	fputs(s, f);
	if (!col->right && !last)
		fprintf(f, "%*s", pad, "");
}

static int table_measure(const struct table_col *col, size_t cols,
			 const json_t *row, size_t *width)
{
	size_t i;

	for (i = 0; i < cols; i++) {
		CLEANUP_BUF struct buf b = { 0 };
		size_t w;

		if (table_cell(&col[i], row, &b) < 0 || !buf_str(&b))
			return -ENOMEM;
		w = text_width((char *)b.data);
		width[i] = MAX(width[i], w);
	}
	return 0;
}

/* Cells behind the last one that says something are not printed. */
static int table_row(FILE *f, const struct table_col *col, size_t cols,
		     const json_t *row, const size_t *width)
{
	struct buf cell[TABLE_COLS_MAX] = { 0 };
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < cols && rc == 0; i++) {
		rc = table_cell(&col[i], row, &cell[i]);
		if (rc == 0 && !buf_str(&cell[i]))
			rc = -ENOMEM;
		if (rc == 0 && cell[i].len)
			n = i + 1;
	}
	for (i = 0; i < n && rc == 0; i++)
		table_put(f, &col[i], (char *)cell[i].data, width[i], i == 0,
			  i + 1 == n);
	if (rc == 0)
		fputc('\n', f);
	for (i = 0; i < cols; i++)
		buf_done(&cell[i]);
	return rc;
}

static void table_titles(FILE *f, const struct table_col *col, size_t cols,
			 const size_t *width)
{
	size_t i;

	for (i = 0; i < cols; i++)
		table_put(f, &col[i], col[i].title, width[i], i == 0,
			  i + 1 == cols);
	fputc('\n', f);
}

int table_print(FILE *f, const struct table_col *col, size_t cols,
		const json_t *rows, const json_t *total)
{
	size_t width[TABLE_COLS_MAX], i;
	const json_t *row;
	int rc = 0;

	if (cols > TABLE_COLS_MAX)
		return -E2BIG;
	for (i = 0; i < cols; i++)
		width[i] = text_width(col[i].title);
	json_array_foreach(rows, i, row) {
		if (rc == 0)
			rc = table_measure(col, cols, row, width);
	}
	if (rc == 0 && total)
		rc = table_measure(col, cols, total, width);
	if (rc < 0)
		return rc;
	table_titles(f, col, cols, width);
	json_array_foreach(rows, i, row) {
		if (rc == 0)
			rc = table_row(f, col, cols, row, width);
	}
	return rc == 0 && total ? table_row(f, col, cols, total, width) : rc;
}
