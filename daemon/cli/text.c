/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people: widths on a terminal, clean names, numbers, times. */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

/* The next character of valid UTF-8; a stray byte stands for itself. */
static uint32_t utf8_next(const uint8_t **p)
{
	const uint8_t *b = *p;
	size_t len = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 1;
	uint32_t v = len == 1 ? b[0] : b[0] & (0x7fU >> len);
	size_t i;

	for (i = 1; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80) { /* cut: also at the end */
			*p = b + 1;
			return b[0];
		}
		v = v << 6 | (b[i] & 0x3f);
	}
	*p = b + len;
	return v;
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t v, const struct range *r, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v >= r[i].from && v <= r[i].to)
			return true;
	return false;
}

/* By Unicode's East Asian Width and general category, the common blocks. */
static size_t char_width(uint32_t v)
{
	static const struct range none[] = {
		{ 0x300, 0x36f },   { 0x200b, 0x200f }, { 0x202a, 0x202e },
		{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	};
	static const struct range wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },
		{ 0x3041, 0xa4cf },   { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },
		{ 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1f64f }, { 0x1f900, 0x1f9ff },
		{ 0x20000, 0x3fffd },
	};

	if (in_ranges(v, none, ARRAY_SIZE(none)))
		return 0;
	return in_ranges(v, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

size_t text_width(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n = 0;

	while (*p)
		n += char_width(utf8_next(&p));
	return n;
}

/* C0, DEL, C1, and what turns the writing direction around. */
static bool is_control(uint32_t v)
{
	return v < 0x20 || (v >= 0x7f && v < 0xa0) ||
	       (v >= 0x202a && v <= 0x202e) || (v >= 0x2066 && v <= 0x2069);
}

int text_clean(const char *s, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)s;

	while (*p) {
		const uint8_t *start = p;
		uint32_t v = utf8_next(&p);
		int rc = 0;

		if (!is_control(v))
			rc = buf_add(out, start, (size_t)(p - start));
		for (; is_control(v) && start < p && rc == 0; start++)
			rc = buf_addf(out, "\\x%02x", *start);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int text_count(uint64_t n, struct buf *out)
{
	static const struct {
		uint64_t from, unit;
		const char *name;
	} big[] = {
		{ 100000000000ULL, 1000000000ULL, "G" },
		{ 100000ULL, 1000000ULL, "M" },
	};
	char text[UNITS_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(big); i++)
		if (n >= big[i].from)
			return buf_addf(out, "%.1f %s",
					(double)n / (double)big[i].unit,
					big[i].name);
	return buf_addf(out, "%s", units_format_count(n, text));
}

int text_time(const char *iso, struct buf *out)
{
	int64_t ns, now = clock_wall_ns();
	struct tm then, today;
	char text[32];
	time_t t;

	if (clock_iso_parse(iso, &ns) < 0)
		return buf_addf(out, "%s", iso);
	t = (time_t)(ns / NSEC_PER_SEC);
	localtime_r(&t, &then);
	t = (time_t)(now / NSEC_PER_SEC);
	localtime_r(&t, &today);
	if (then.tm_year != today.tm_year)
		strftime(text, sizeof(text), "%d %b %Y %H:%M", &then);
	else if (then.tm_yday != today.tm_yday)
		strftime(text, sizeof(text), "%d %b %H:%M", &then);
	else
		strftime(text, sizeof(text), "%H:%M", &then);
	return buf_addf(out, "%s", text);
}

int text_of(uint64_t part, uint64_t whole, struct buf *out)
{
	char of[UNITS_SIZE];
	uint64_t unit = 1;

	units_format_size(whole, of);
	while (whole / unit >= 1024 && unit < (1ULL << 50))
		unit <<= 10;
	if (unit == 1)
		return buf_addf(out, "%" PRIu64 " / %s", part, of);
	return buf_addf(out, "%.1f / %.1f%s", (double)part / (double)unit,
			(double)whole / (double)unit, strchr(of, ' '));
}

/* ---- JSON members --------------------------------------------------- */

const char *json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

uint64_t json_u64(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

bool json_known(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return v && !json_is_null(v);
}
