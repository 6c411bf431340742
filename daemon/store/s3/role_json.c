/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3/role_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"

struct text {
	const char *p, *end;
};

static bool is_one_of(char c, const char *all)
{
	return c && strchr(all, c);
}

static void skip_blanks(struct text *t)
{
	while (t->p < t->end && is_one_of(*t->p, " \t\r\n"))
		t->p++;
}

/* Passes by this one character, after blanks. */
static bool accept(struct text *t, char c)
{
	skip_blanks(t);
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

/* Four hex digits; -1: not those. */
static int hex4(struct text *t)
{
	char digits[5] = "";
	char *end;
	long v;

	if (t->end - t->p < 4)
		return -1;
	memcpy(digits, t->p, 4);
	v = strtol(digits, &end, 16);
	if (end != digits + 4 || digits[0] == '-' || digits[0] == '+' ||
	    digits[0] == ' ')
		return -1;
	t->p += 4;
	return (int)v;
}

/* What stands behind a backslash, as one byte; -1: nothing that may. Others
 * than ASCII become '?': no key has them. */
static int escaped(struct text *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int v;

	if (t->p == t->end)
		return -1;
	if (*t->p == 'u') {
		t->p++;
		v = hex4(t);
		return v < 0 ? -1 : v > 0 && v < 0x80 ? v : '?';
	}
	at = memchr(from, *t->p, sizeof(from) - 1);
	if (!at)
		return -1;
	t->p++;
	return to[at - from];
}

/* A string into out[0..room), or (NULL) past it. */
static bool read_string(struct text *t, char *out, size_t room)
{
	size_t n = 0;

	if (!accept(t, '"'))
		return false;
	while (t->p < t->end && *t->p != '"') {
		int c = (unsigned char)*t->p++;

		if (c < ' ')
			return false;
		if (c == '\\')
			c = escaped(t);
		if (c < 0 || (out && n + 1 >= room))
			return false;
		if (out)
			out[n++] = (char)c;
	}
	if (t->p == t->end)
		return false;
	t->p++;
	if (out)
		out[n] = '\0';
	return true;
}

/* A number, true, false or null: whatever it is, it ends here. */
static bool skip_word(struct text *t)
{
	const char *from;

	skip_blanks(t);
	from = t->p;
	while (t->p < t->end &&
	       ((*t->p >= '0' && *t->p <= '9') ||
		(*t->p >= 'a' && *t->p <= 'z') || is_one_of(*t->p, "+-.E")))
		t->p++;
	return t->p > from;
}

/* Where the value of a member goes. */
static char *place(struct s3_role *r, const char *name, size_t *room)
{
	const struct {
		const char *name;
		char *to;
		size_t room;
	} all[] = {
		{ "Code", r->code, sizeof(r->code) },
		{ "Message", r->message, sizeof(r->message) },
		{ "AccessKeyId", r->access_key, sizeof(r->access_key) },
		{ "SecretAccessKey", r->secret_key, sizeof(r->secret_key) },
		{ "Token", r->token, sizeof(r->token) },
		{ "Expiration", r->expiration, sizeof(r->expiration) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(name, all[i].name) == 0) {
			*room = all[i].room;
			return all[i].to;
		}
	return NULL;
}

static bool read_member(struct text *t, struct s3_role *r)
{
	size_t room = 0;
	char name[64], *to;

	if (!read_string(t, name, sizeof(name)) || !accept(t, ':'))
		return false;
	to = place(r, name, &room);
	skip_blanks(t);
	if (to || (t->p < t->end && *t->p == '"'))
		return read_string(t, to, room);
	return skip_word(t);
}

static bool read_object(struct text *t, struct s3_role *r)
{
	if (!accept(t, '{'))
		return false;
	if (accept(t, '}'))
		return true;
	do
		if (!read_member(t, r))
			return false;
	while (accept(t, ','));
	return accept(t, '}');
}

int s3_role_parse(const char *json, size_t len, struct s3_role *out)
{
	struct text t = { json, json + len };
	bool good;

	*out = (struct s3_role){ 0 };
	good = read_object(&t, out);
	skip_blanks(&t);
	if (good && t.p == t.end)
		return 0;
	explicit_bzero(out, sizeof(*out));
	return -EPROTO;
}
