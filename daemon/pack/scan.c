/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/scan.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"
#include "pack/format.h"

bool scan_text(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

bool scan_hex(struct scan *s, uint8_t *out, size_t n)
{
	char digits[2 * PACK_DIGEST_SIZE + 1];
	size_t i;

	if ((size_t)(s->end - s->p) < 2 * n || 2 * n >= sizeof(digits))
		return false;
	for (i = 0; i < 2 * n; i++)
		if (isupper((unsigned char)s->p[i]))
			return false;
	memcpy(digits, s->p, 2 * n);
	digits[2 * n] = '\0';
	s->p += 2 * n;
	/* A NUL among them makes the text too short for hex_decode(). */
	return hex_decode(digits, out, n) == 0;
}

bool scan_time(struct scan *s, char out[SCAN_TIME_LEN + 1])
{
	/* 0 stands for any digit */
	static const char pattern[] = "0000-00-00T00:00:00Z";
	size_t i;

	if ((size_t)(s->end - s->p) < SCAN_TIME_LEN)
		return false;
	for (i = 0; i < SCAN_TIME_LEN; i++) {
		bool digit = s->p[i] >= '0' && s->p[i] <= '9';

		if (pattern[i] == '0' ? !digit : s->p[i] != pattern[i])
			return false;
	}
	memcpy(out, s->p, SCAN_TIME_LEN);
	out[SCAN_TIME_LEN] = '\0';
	s->p += SCAN_TIME_LEN;
	return true;
}

bool scan_name(struct scan *s, char *out, size_t size)
{
	size_t n = 0;

	while (n < (size_t)(s->end - s->p) && scan_name_char(s->p[n]))
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, s->p, n);
	out[n] = '\0';
	s->p += n;
	return true;
}

bool scan_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool scan_u32(struct scan *s, uint32_t *out)
{
	const char *from = s->p;
	uint64_t v = 0;

	while (s->p < s->end && isdigit((unsigned char)*s->p)) {
		v = 10 * v + (uint64_t)(*s->p++ - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)v;
	return s->p > from && (*from != '0' || s->p == from + 1);
}
