/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charts as SVG inside a page: shapes and text only, no script, nothing from
 * elsewhere. All text is escaped.
 */
#ifndef MERSEY_CLI_COST_SVG_H
#define MERSEY_CLI_COST_SVG_H

#include <stddef.h>
#include <stdio.h>

#define SVG_SERIES_MAX 8
#define SVG_POINTS_MAX 36

/* Amounts of money by label and series. Texts are borrowed. */
struct svg_chart {
	const char *title, *currency;
	size_t points, series;
	char label[SVG_POINTS_MAX][32];
	char note[SVG_POINTS_MAX][32]; /* below the label */
	char name[SVG_SERIES_MAX][112];
	double value[SVG_SERIES_MAX][SVG_POINTS_MAX];
};

/* Text that is safe in HTML and SVG, in attributes as well. */
void html_text(FILE *f, const char *s);
/* Bars: the series of each label upon one another. */
void svg_bars(FILE *f, const struct svg_chart *c);
/*
 * A line with a band: series 0 is the lower edge, 1 the line, 2 the upper
 * edge. The first `certain` points are drawn as having been.
 */
void svg_band(FILE *f, const struct svg_chart *c, size_t certain);
/* The colour of a series, for tables beside a chart: "#0072b2". */
const char *svg_colour(size_t series);

#endif
