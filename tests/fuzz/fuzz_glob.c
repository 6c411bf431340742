/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A glob, a newline, a path: the answer comes, is the same again, and is that
 * of a matcher that tries everything (where the texts are short).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tier/tier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Of ASCII without sets and backslashes: all ways, one after another. */
static bool slow(const char *start, const char *g, const char *p)
{
	size_t n = strspn(g, "*");
	bool dirs = n >= 2 && g[n] == '/' && (g == start || g[-1] == '/');

	if (!*g)
		return !*p;
	if (dirs) {
		if (slow(start, g + n + 1, p))
			return true;
		for (; *p; p++)
			if (*p == '/' && slow(start, g + n + 1, p + 1))
				return true;
		return false;
	}
	if (n) {
		for (;; p++) {
			if (slow(start, g + n, p))
				return true;
			if (!*p || (n == 1 && *p == '/'))
				return false;
		}
	}
	return *p && (*g == '?' ? *p != '/' : *g == *p) &&
	       slow(start, g + 1, p + 1);
}

static bool is_simple(const char *s)
{
	for (; *s; s++)
		if (*s & 0x80 || strchr("[\\", *s))
			return false;
	return true;
}

static size_t stars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '*' && s[1] != '*';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *glob = malloc(size + 1), *path;
	bool got;

	must(glob != NULL);
	memcpy(glob, data, size);
	glob[size] = '\0';
	path = strchr(glob, '\n');
	if (path) {
		*path++ = '\0';
		got = tier_glob(glob, path);
		must(tier_glob(glob, path) == got);
		if (strlen(glob) <= TIER_GLOB_MAX && strlen(path) <= 40 &&
		    stars(glob) <= 4 && is_simple(glob) && is_simple(path))
			must(slow(glob, glob, path) == got);
	}
	free(glob);
	return 0;
}
