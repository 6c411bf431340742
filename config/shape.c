/* SPDX-License-Identifier: Apache-2.0 */
#include "config/shape.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/endpoint.h"
#include "tier/opts.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Is s of these letters only, its first one of `first`, its length in range? */
static bool shape_is(const char *s, const char *first, const char *all,
		     size_t min, size_t max)
{
	size_t n = strlen(s);

	return n >= min && n <= max && strchr(first, *s) && *s &&
	       strspn(s, all) == n;
}

const char *config_shape_trust(const char *s)
{
	if (shape_is(s, LOWER, LOWER DIGITS "-", 1, 16))
		return NULL;
	return "must be 1 to 16 lower-case letters, digits and '-', a letter "
	       "first";
}

const char *config_shape_name(const char *s)
{
	if (shape_is(s, LOWER DIGITS, LOWER DIGITS "._-", 1, 63))
		return NULL;
	return "must be 1 to 63 lower-case letters, digits, '.', '_' and '-'";
}

const char *config_shape_account(const char *s)
{
	if (shape_is(s, DIGITS, DIGITS, 1, 10)) {
		/* the highest number means "nobody" to the kernel */
		if (strtoull(s, NULL, 10) >= UINT32_MAX)
			return "must be a number below 4294967295";
		return NULL;
	}
	if (shape_is(s, LOWER "_", LOWER DIGITS "_-", 1, 32))
		return NULL;
	return "must be the name of an account, or its number";
}

const char *config_shape_bucket(const char *s)
{
	size_t n = strlen(s);
	struct in_addr v4;

	if (!shape_is(s, LOWER DIGITS, LOWER DIGITS ".-", 3, 63) ||
	    s[n - 1] == '.' || s[n - 1] == '-' || strstr(s, "..") ||
	    inet_pton(AF_INET, s, &v4) == 1)
		return "must be 3 to 63 lower-case letters, digits, '.' and "
		       "'-', not like an address";
	return NULL;
}

/* Is one of the parts between '/' empty, "." or ".."? */
static bool shape_odd_part(const char *s)
{
	while (*s) {
		size_t n = strcspn(s, "/");

		if (n == 0 || (n <= 2 && strspn(s, ".") >= n))
			return true;
		s += n + (s[n] == '/');
	}
	return false;
}

const char *config_shape_prefix(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return NULL;
	if (s[n - 1] != '/')
		return "must end with '/'";
	if (!shape_is(s, LOWER UPPER DIGITS "_-.", LOWER UPPER DIGITS "_-./", 1,
		      512) ||
	    shape_odd_part(s))
		return "must be parts of letters, digits, '_', '-' and '.', "
		       "each with a '/' behind it";
	return NULL;
}

const char *config_shape_endpoint(const char *s)
{
	struct config_endpoint e;

	return config_endpoint_parse(s, &e);
}

const char *config_shape_region(const char *s)
{
	if (shape_is(s, LOWER UPPER DIGITS, LOWER UPPER DIGITS "-", 1, 63))
		return NULL;
	return "must be 1 to 63 letters, digits and '-'";
}

const char *config_shape_currency(const char *s)
{
	if (shape_is(s, UPPER, UPPER, 3, 3))
		return NULL;
	return "must be a currency of three capital letters, such as GBP";
}

const char *config_shape_credential(const char *s)
{
	if (shape_is(s, LOWER UPPER DIGITS "_", LOWER UPPER DIGITS "._-", 1,
		     255))
		return NULL;
	return "must be the name of a credential: letters, digits, '.', '_' "
	       "and '-'";
}

const char *config_shape_profile(const char *s)
{
	if (shape_is(s, LOWER UPPER DIGITS "_", LOWER UPPER DIGITS "_.@/+-", 1,
		     64))
		return NULL;
	return "must be the name of a profile: letters, digits and '_.@/+-'";
}

const char *config_shape_class(const char *s)
{
	if (shape_is(s, UPPER, UPPER DIGITS "_", 1, 31))
		return NULL;
	return "must be 1 to 31 capital letters, digits and '_'";
}

/* Is there a ']' for each '['? As tier_glob() reads them. */
static bool shape_sets_end(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
		} else if (*s == '[') {
			s += 1 + (s[1] == '!' || s[1] == '^');
			s += *s == ']';
			for (; *s && *s != ']'; s++)
				s += *s == '\\' && s[1];
			if (!*s)
				return false;
		}
	}
	return true;
}

const char *config_shape_glob(const char *s)
{
	size_t n = strlen(s);

	if (n > TIER_GLOB_MAX)
		return "must be at most 512 bytes long";
	if (*s != '/' && strncmp(s, "**", 2) != 0)
		return "must begin with '/' or '**'";
	if (s[n - 1] == '/')
		return "must not end with '/': what lies below is '/**'";
	if (shape_odd_part(s + (*s == '/')))
		return "must not have empty parts, '.' or '..'";
	if (!shape_sets_end(s))
		return "must have a ']' for each '['";
	return NULL;
}

const char *config_shape_modality(const char *s)
{
	if (shape_is(s, UPPER DIGITS "_", UPPER DIGITS "_", 1, 16))
		return NULL;
	return "must be 1 to 16 capital letters, digits and '_', such as CT";
}

const char *config_shape_xattr(const char *s)
{
	size_t n = strcspn(s, "=");

	if (strncmp(s, "user.", 5) == 0 && n > 5 && n <= 255)
		return NULL;
	return "must be user.name or user.name=value";
}

const char *config_shape_words(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 200 ? NULL : "must be 1 to 200 bytes long";
}
