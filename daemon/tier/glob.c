/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Globs over whole paths: `*` and `?` stay within a name, `[a-z]` and `[!a-z]`
 * too, `**` crosses slashes; as a whole name before a slash it stands for any
 * number of directories, also none. A backslash takes what follows literally.
 * Characters are those of UTF-8; a byte that is none counts as one.
 *
 * All ways to match are walked side by side: a set of places in the glob, and
 * one step of all of them for each character of the path. So the time is at
 * most the product of the two lengths, whatever the glob.
 */
#include "tier/tier.h"

#include <string.h>

/* A byte that is not UTF-8. */
#define GLOB_BYTE 0x110000u

struct glob_set {
	uint16_t at[TIER_GLOB_MAX + 1]; /* places, each once */
	size_t n;
	uint8_t has[(TIER_GLOB_MAX + 8) / 8];
};

static void set_init(struct glob_set *s)
{
	s->n = 0;
	memset(s->has, 0, sizeof(s->has));
}

static void set_clear(struct glob_set *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		s->has[s->at[i] / 8] = 0;
	s->n = 0;
}

static bool set_has_place(const struct glob_set *s, size_t at)
{
	return s->has[at / 8] & 1U << at % 8;
}

/* False: it is there already. */
static bool set_add(struct glob_set *s, size_t at)
{
	uint8_t bit = (uint8_t)(1U << at % 8);

	if (s->has[at / 8] & bit)
		return false;
	s->has[at / 8] |= bit;
	s->at[s->n++] = (uint16_t)at;
	return true;
}

/* Bytes of a character that follow its first one; 0 also for what is none. */
static unsigned char_more(unsigned char first)
{
	if (first >= 0xf0 && first <= 0xf4)
		return 3;
	if (first >= 0xe0 && first < 0xf0)
		return 2;
	return first >= 0xc2 && first < 0xe0 ? 1 : 0;
}

/* The character at *s, which is passed by. */
static uint32_t char_next(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	unsigned more = char_more(*p), i;
	uint32_t c = more ? *p & (0x3fU >> more) : *p;

	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			break;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (*p < 0x80 || (more && i > more)) {
		*s += more + 1;
		return c;
	}
	*s += 1;
	return GLOB_BYTE + *p;
}

/* A character that a backslash may stand before. */
static uint32_t char_quoted(const char **s)
{
	if (**s == '\\' && (*s)[1])
		++*s;
	return char_next(s);
}

/* Stars at g. */
static size_t stars(const char *g)
{
	return strspn(g, "*");
}

/* Are these n stars a whole name before a slash? */
static bool is_directories(const char *glob, size_t at, size_t n)
{
	return n >= 2 && glob[at + n] == '/' &&
	       (at == 0 || glob[at - 1] == '/');
}

/* A place is reached, and those behind stars that may stand for nothing. */
static void reach(const char *glob, size_t at, struct glob_set *out)
{
	size_t n;

	while (set_add(out, at) && (n = stars(glob + at)))
		at += n + is_directories(glob, at, n);
}

/* Is c one of a set? *s stands behind '[', afterwards at its ']', or at the end
 * of the glob when there is none. */
static bool set_has(const char **s, uint32_t c)
{
	bool except = **s == '!' || **s == '^', found = false;
	const char *p = *s + except, *first = p;
	uint32_t lo, hi;

	while (*p && (*p != ']' || p == first)) {
		lo = hi = char_quoted(&p);
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			hi = char_quoted(&p);
		}
		found |= lo <= c && c <= hi;
	}
	*s = p;
	return found != except && c != '/';
}

/* Has each set its end? What has not matches nothing. */
static bool is_whole(const char *g)
{
	while (*g)
		if (*g != '[') {
			char_quoted(&g);
		} else {
			g++;
			set_has(&g, 0);
			if (!*g++)
				return false;
		}
	return true;
}

/* One character of the path goes by a place that is no star. */
static void step_one(const char *glob, size_t at, uint32_t c,
		     struct glob_set *out)
{
	const char *g = glob + at;
	bool in;

	if (*g == '?') {
		g++;
		in = c != '/';
	} else if (*g == '[') {
		g++;
		in = set_has(&g, c);
		g++;
	} else {
		in = char_quoted(&g) == c;
	}
	if (in)
		reach(glob, (size_t)(g - glob), out);
}

static void step(const char *glob, size_t at, uint32_t c, struct glob_set *out)
{
	size_t n = stars(glob + at);

	if (!glob[at])
		return;
	if (!n)
		step_one(glob, at, c, out);
	else if (!is_directories(glob, at, n)) {
		if (n >= 2 || c != '/')
			reach(glob, at, out);
	} else {
		set_add(out, at);
		if (c == '/')
			reach(glob, at + n + 1, out);
	}
}

/* Does the byte go on with a character that began before it? */
static bool is_inside(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* How many bytes both begin with that mean only themselves. */
static size_t common(const char *glob, const char *path)
{
	size_t n = 0;

	while (glob[n] && glob[n] == path[n] && !strchr("*?[\\", glob[n]))
		n++;
	while (n && (is_inside(glob[n]) || is_inside(path[n])))
		n--;
	return n;
}

/* Do both end in what the glob has behind its last sign? Most paths do not,
 * and are done with. */
static bool is_tail(const char *glob, size_t n, const char *path)
{
	size_t m = strlen(path), tail = 0;

	if (strchr(glob, '\\'))
		return true; /* what is literal is seen by walking */
	while (tail < n && !strchr("*?]", glob[n - 1 - tail]))
		tail++;
	if (tail && glob[n - tail] == '/')
		tail--; /* goes with stars that stand for no directory */
	return tail <= m && memcmp(glob + n - tail, path + m - tail, tail) == 0;
}

/* Does it end in stars that match whatever is left? */
static bool is_open(const char *glob, size_t n)
{
	return n >= 2 && glob[n - 1] == '*' && glob[n - 2] == '*' &&
	       (n == 2 || glob[n - 3] != '\\');
}

static bool walk(const char *glob, size_t at, size_t end, const char *path)
{
	struct glob_set a, b, *now = &a, *then = &b, *other;
	bool open = is_open(glob, end);
	size_t i;

	set_init(now);
	set_init(then);
	reach(glob, at, now);
	while (*path && now->n && !(open && set_has_place(now, end))) {
		uint32_t c = char_next(&path);

		for (i = 0; i < now->n; i++)
			step(glob, now->at[i], c, then);
		set_clear(now);
		other = now;
		now = then;
		then = other;
	}
	return set_has_place(now, end);
}

bool tier_glob(const char *glob, const char *path)
{
	size_t i = common(glob, path), n;

	if (!glob[i])
		return !path[i];
	if (glob[i] != path[i] && !strchr("*?[\\", glob[i]))
		return false;
	n = strlen(glob);
	return n <= TIER_GLOB_MAX && is_tail(glob, n, path) &&
	       is_whole(glob + i) && walk(glob, i, n, path + i);
}
