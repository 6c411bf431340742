/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles are for where a pixel goes; what is written is money. */
#include "cli/cost_svg.h"

#include "base/guard.h"
#include "price/price.h"

#define SVG_WIDTH  860.0
#define SVG_HEIGHT 320.0
#define SVG_LEFT   90.0
#define SVG_RIGHT  10.0
#define SVG_TOP	   16.0
#define SVG_BOTTOM 44.0
#define SVG_TICKS  5
#define SVG_LABEL  58.0 /* width of one */

struct plot {
	FILE *f;
	const struct svg_chart *c;
	double top;  /* value at the upper edge */
	double step; /* of a point */
};

/* ---- text ----------------------------------------------------------- */

void html_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '&')
			fputs("&amp;", f);
		else if (ch == '<')
			fputs("&lt;", f);
		else if (ch == '>')
			fputs("&gt;", f);
		else if (ch == '"')
			fputs("&quot;", f);
		else if (ch == '\'')
			fputs("&#39;", f);
		else if (ch < 0x20 || ch == 0x7f)
			fputs("\xef\xbf\xbd", f);
		else
			fputc(ch, f);
	}
}

static void svg_money(FILE *f, double v, const char *currency)
{
	char text[MONEY_SIZE];

	html_text(f, money_show((money_t)(v * (double)MONEY_UNIT), currency,
				text));
}

/* As Okabe and Ito chose them: also for those who see few colours. */
const char *svg_colour(size_t series)
{
	static const char *const colour[SVG_SERIES_MAX] = {
		"#0072b2", "#e69f00", "#009e73", "#cc79a7",
		"#56b4e9", "#d55e00", "#f0e442", "#999999",
	};

	return colour[series % SVG_SERIES_MAX];
}

/* ---- the frame ------------------------------------------------------ */

/* 1, 2, 2.5 or 5 times a power of ten: at most SVG_TICKS of them reach v. */
static double svg_tick(double v)
{
	static const double nice[] = { 1, 2, 2.5, 5 };
	double unit = 1;
	size_t i;

	if (v <= 0)
		return 1;
	v /= SVG_TICKS;
	while (unit < v)
		unit *= 10;
	while (unit >= v)
		unit /= 10;
	for (i = 0; i < ARRAY_SIZE(nice); i++) /* v is above unit */
		if (nice[i] * unit >= v)
			return nice[i] * unit;
	return 10 * unit;
}

static double svg_y(const struct plot *p, double v)
{
	double h = SVG_HEIGHT - SVG_TOP - SVG_BOTTOM;

	return SVG_TOP + h * (1 - MAX(v, 0) / p->top);
}

static double svg_x(const struct plot *p, double point)
{
	return SVG_LEFT + p->step * point;
}

static void svg_begin(struct plot *p, double most)
{
	double tick = svg_tick(most);
	int i, n = 1;

	while (n < SVG_TICKS && tick * n < most)
		n++;
	p->top = tick * n;
	p->step = (SVG_WIDTH - SVG_LEFT - SVG_RIGHT) /
		  (double)MAX(p->c->points, (size_t)1);
	fprintf(p->f,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
		SVG_WIDTH, SVG_HEIGHT);
	html_text(p->f, p->c->title);
	fputs("\">\n", p->f);
	for (i = 0; i <= n; i++) {
		double y = svg_y(p, tick * i);

		fprintf(p->f,
			"<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" "
			"x2=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"y\" x=\"%.1f\" y=\"%.1f\">",
			SVG_LEFT, y, SVG_WIDTH - SVG_RIGHT, y, SVG_LEFT - 6,
			y + 4);
		svg_money(p->f, tick * i, p->c->currency);
		fputs("</text>\n", p->f);
	}
}

static void svg_label(const struct plot *p, size_t point, int line,
		      const char *text)
{
	fprintf(p->f, "<text class=\"x\" x=\"%.1f\" y=\"%.1f\">",
		svg_x(p, (double)point + 0.5),
		SVG_HEIGHT - SVG_BOTTOM + 18 + 15 * line);
	html_text(p->f, text);
	fputs("</text>\n", p->f);
}

/* Labels that would touch are left out: each second one, each third. */
static void svg_end(const struct plot *p)
{
	size_t i, each = (size_t)(SVG_LABEL / p->step) + 1;

	for (i = 0; i < p->c->points; i += each) {
		svg_label(p, i, 0, p->c->label[i]);
		svg_label(p, i, 1, p->c->note[i]);
	}
	fputs("</svg>\n", p->f);
}

/* ---- bars ----------------------------------------------------------- */

static double bar_sum(const struct svg_chart *c, size_t point)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < c->series; i++)
		sum += MAX(c->value[i][point], 0);
	return sum;
}

static void bar_part(const struct plot *p, size_t point, size_t series,
		     double below)
{
	double v = p->c->value[series][point];
	double y = svg_y(p, below + v);

	if (v <= 0)
		return;
	fprintf(p->f,
		"<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" "
		"fill=\"%s\"><title>",
		svg_x(p, (double)point + 0.15), y, p->step * 0.7,
		svg_y(p, below) - y, svg_colour(series));
	html_text(p->f, p->c->name[series]);
	fputs(", ", p->f);
	html_text(p->f, p->c->label[point]);
	fputs(": ", p->f);
	svg_money(p->f, v, p->c->currency);
	fputs("</title></rect>\n", p->f);
}

void svg_bars(FILE *f, const struct svg_chart *c)
{
	struct plot p = { .f = f, .c = c };
	double most = 0;
	size_t i, k;

	for (i = 0; i < c->points; i++)
		most = MAX(most, bar_sum(c, i));
	svg_begin(&p, most);
	for (i = 0; i < c->points; i++) {
		double below = 0;

		for (k = 0; k < c->series; k++) {
			bar_part(&p, i, k, below);
			below += MAX(c->value[k][i], 0);
		}
	}
	svg_end(&p);
}

/* ---- a band --------------------------------------------------------- */

static void band_points(const struct plot *p, size_t series, bool back)
{
	size_t n = p->c->points, i;

	for (i = 0; i < n; i++) {
		size_t at = back ? n - 1 - i : i;

		fprintf(p->f, "%.1f,%.2f ", svg_x(p, (double)at + 0.5),
			svg_y(p, p->c->value[series][at]));
	}
}

void svg_band(FILE *f, const struct svg_chart *c, size_t certain)
{
	struct plot p = { .f = f, .c = c };
	double most = 0;
	size_t i;

	for (i = 0; i < c->points; i++) {
		most = MAX(most, c->value[1][i]);
		most = MAX(most, c->value[2][i]);
	}
	svg_begin(&p, most);
	fputs("<polygon class=\"band\" points=\"", f);
	band_points(&p, 0, false);
	band_points(&p, 2, true);
	fputs("\"/>\n<polyline class=\"line\" points=\"", f);
	band_points(&p, 1, false);
	fputs("\"/>\n", f);
	for (i = 0; i < c->points; i++) {
		fprintf(f,
			"<circle class=\"%s\" cx=\"%.1f\" cy=\"%.2f\" "
			"r=\"4\"><title>",
			i < certain ? "was" : "will",
			svg_x(&p, (double)i + 0.5), svg_y(&p, c->value[1][i]));
		html_text(f, c->label[i]);
		fputs(": ", f);
		svg_money(f, c->value[1][i], c->currency);
		fputs("</title></circle>\n", f);
	}
	svg_end(&p);
}
