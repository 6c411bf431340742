/* SPDX-License-Identifier: Apache-2.0 */
/* The money type: exact text in and out, and one exact scaling operation. */
#include "price/price.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"

#define MONEY_PLACES 10
#define MONEY_MAX    ((money_t)(~(unsigned __int128)0 >> 1))
/* What text may say: 1e26 units, the range money_muldiv() promises. */
#define MONEY_PARSE_MAX ((unsigned __int128)MONEY_UNIT * 10000000000000000ULL)

typedef unsigned __int128 u128;

static u128 money_abs(money_t m)
{
	return m < 0 ? -(u128)m : (u128)m;
}

/* Reads digits into *v; how many there were. Stops adding when too large. */
static size_t money_digits(const char *s, u128 *v)
{
	size_t n = 0;

	for (; isdigit((unsigned char)s[n]); n++)
		if (*v <= MONEY_PARSE_MAX)
			*v = *v * 10 + (u128)(s[n] - '0');
	return n;
}

int money_parse(const char *s, money_t *out)
{
	bool negative = *s == '-';
	size_t whole, places = 0;
	u128 v = 0;

	s += negative;
	whole = money_digits(s, &v);
	if (whole == 0)
		return -EINVAL;
	s += whole;
	if (*s == '.') {
		places = money_digits(++s, &v);
		if (places == 0)
			return -EINVAL;
		s += places;
	}
	if (*s)
		return -EINVAL;
	if (places > MONEY_PLACES)
		return -ERANGE;
	for (; places < MONEY_PLACES && v <= MONEY_PARSE_MAX; places++)
		v *= 10;
	if (v > MONEY_PARSE_MAX)
		return -ERANGE;
	*out = negative ? -(money_t)v : (money_t)v;
	return 0;
}

/* Decimal digits of v, at least `min` of them, into out; how many. */
static size_t money_text(u128 v, size_t min, char out[40])
{
	char rev[40];
	size_t n = 0, i;

	while (v || n < min) {
		rev[n++] = (char)('0' + (int)(v % 10));
		v /= 10;
	}
	for (i = 0; i < n; i++)
		out[i] = rev[n - 1 - i];
	out[n] = '\0';
	return n;
}

const char *money_exact(money_t m, char out[MONEY_SIZE])
{
	char digits[40];
	size_t n = money_text(money_abs(m), MONEY_PLACES + 1, digits);

	snprintf(out, MONEY_SIZE, "%s%.*s.%s", m < 0 ? "-" : "",
		 (int)(n - MONEY_PLACES), digits, digits + n - MONEY_PLACES);
	return out;
}

static u128 money_pow10(unsigned n)
{
	u128 v = 1;

	while (n--)
		v *= 10;
	return v;
}

/* The number of places to show: 2, more below a penny. */
static unsigned money_places(u128 v)
{
	unsigned places = 2;

	if (v >= MONEY_UNIT / 100)
		return places;
	/* the place of the first digit that is not 0, and two more */
	while (places < MONEY_PLACES && v < money_pow10(MONEY_PLACES - places))
		places++;
	return MIN(places + 2, (unsigned)MONEY_PLACES);
}

/* "1,234" from "1234". */
static void money_group(const char *digits, int n, char *out)
{
	int i;

	for (i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
}

const char *money_sign(const char *currency, char other[8])
{
	if (strcmp(currency, "GBP") == 0)
		return "£";
	if (strcmp(currency, "USD") == 0)
		return "$";
	if (strcmp(currency, "EUR") == 0)
		return "€";
	snprintf(other, 8, "%.3s ", currency);
	return other;
}

const char *money_show(money_t m, const char *currency, char out[MONEY_SIZE])
{
	u128 v = money_abs(m), step;
	unsigned places = v ? money_places(v) : 2;
	char digits[40], whole[56], other[8];
	size_t n;

	step = money_pow10(MONEY_PLACES - places);
	v = v / step + (v % step >= step - v % step);
	for (; places > 2 && v % 10 == 0; places--) /* 0.00510 -> 0.0051 */
		v /= 10;
	n = money_text(v, places + 1, digits);
	money_group(digits, (int)(n - places), whole);
	snprintf(out, MONEY_SIZE, "%s%s%s.%s", m < 0 ? "\u2212" : "",
		 money_sign(currency, other), whole, digits + n - places);
	return out;
}

/* a * b as four limbs, the lowest first. */
static void money_mul(u128 a, u128 b, uint64_t out[4])
{
	uint64_t x[2] = { (uint64_t)a, (uint64_t)(a >> 64) };
	uint64_t y[2] = { (uint64_t)b, (uint64_t)(b >> 64) };
	int i, j;

	memset(out, 0, 4 * sizeof(*out));
	for (i = 0; i < 2; i++) {
		uint64_t carry = 0;

		for (j = 0; j < 2; j++) {
			u128 t = (u128)x[i] * y[j] + out[i + j] + carry;

			out[i + j] = (uint64_t)t;
			carry = (uint64_t)(t >> 64);
		}
		out[i + 2] = carry;
	}
}

money_t money_scale(money_t a, u128 b, uint64_t c)
{
	uint64_t limb[4], rest = 0;
	u128 q;
	int i;

	money_mul(money_abs(a), b, limb);
	for (i = 3; i >= 0; i--) {
		u128 t = (u128)rest << 64 | limb[i];

		limb[i] = (uint64_t)(t / c);
		rest = (uint64_t)(t % c);
	}
	q = (u128)limb[1] << 64 | limb[0];
	if (limb[3] || limb[2] || q >= (u128)MONEY_MAX)
		return a < 0 ? -MONEY_MAX : MONEY_MAX;
	q += rest >= c - rest;
	return a < 0 ? -(money_t)q : (money_t)q;
}

money_t money_muldiv(money_t a, uint64_t b, uint64_t c)
{
	return money_scale(a, b, c);
}

void money_split(money_t total, const u128 *weight, size_t n, money_t *out)
{
	u128 sum = 0, run = 0;
	money_t before = 0;
	unsigned shift = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += weight[i];
	while (sum >> shift > INT64_MAX)
		shift++;
	for (i = 0; i < n; i++) {
		money_t upto = total;

		run += weight[i];
		if (sum && run != sum)
			upto = money_scale(total, run >> shift,
					   (uint64_t)(sum >> shift));
		out[i] = upto - before;
		before = upto;
	}
}
