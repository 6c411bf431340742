/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/value.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Without the padding: NUL behind, spaces around. */
static const uint8_t *value_trim(const uint8_t *p, size_t *n)
{
	const uint8_t *nul = *n ? memchr(p, '\0', *n) : NULL;

	if (nul)
		*n = (size_t)(nul - p);
	while (*n && p[*n - 1] == ' ')
		--*n;
	for (; *n && *p == ' '; p++)
		--*n;
	return p;
}

static void value_copy(const uint8_t *p, size_t n, char *out, size_t size)
{
	if (n >= size)
		n = 0;
	if (n)
		memcpy(out, p, n);
	out[n] = '\0';
}

void value_text(const uint8_t *p, size_t n, char *out, size_t size)
{
	p = value_trim(p, &n);
	value_copy(p, n, out, size);
}

void value_uid(const uint8_t *p, size_t n, char *out, size_t size)
{
	size_t i;

	p = value_trim(p, &n);
	for (i = 0; i < n && (is_digit(p[i]) || p[i] == '.'); i++)
		;
	value_copy(p, i == n ? n : 0, out, size);
}

static bool is_code(uint8_t c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || c == ' ' || c == '_';
}

void value_code(const uint8_t *p, size_t n, char *out, size_t size)
{
	const uint8_t *more = n ? memchr(p, '\\', n) : NULL;
	size_t i;

	if (more)
		n = (size_t)(more - p);
	p = value_trim(p, &n);
	for (i = 0; i < n && is_code(p[i]); i++)
		;
	value_copy(p, i == n ? n : 0, out, size);
}

uint32_t value_date(const uint8_t *p, size_t n)
{
	uint32_t v = 0, month, day;
	size_t i;

	p = value_trim(p, &n);
	if (n != 8 && !(n == 10 && p[4] == '.' && p[7] == '.'))
		return 0;
	for (i = 0; i < n; i++) {
		if (n == 10 && (i == 4 || i == 7))
			continue;
		if (!is_digit(p[i]))
			return 0;
		v = 10 * v + (uint32_t)(p[i] - '0');
	}
	month = v / 100 % 100;
	day = v % 100;
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 ? v : 0;
}

uint32_t value_number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i;

	p = value_trim(p, &n);
	if (n && *p == '+') {
		p++;
		n--;
	}
	for (i = 0; i < n; i++) {
		if (!is_digit(p[i]) || v > INT32_MAX)
			return 0;
		v = 10 * v + (uint32_t)(p[i] - '0');
	}
	return v <= INT32_MAX ? (uint32_t)v : 0;
}
