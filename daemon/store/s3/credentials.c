/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of an AWS shared-credentials file: [profile] sections with
 * "name = value" lines; '#' and ';' start comments. Keys that are not asked
 * for are passed by, as other tools put theirs here too. Messages never
 * repeat a value.
 */
#include <string.h>

#include "store/drivers.h"

struct profile {
	char *access_key, *secret_key, *token;
};

struct text {
	const char *p, *end;
	unsigned line;
};

/* A run of bytes in the text. */
struct span {
	const char *p;
	size_t n;
};

static void profile_done(struct profile *f)
{
	free(f->access_key);
	free(f->secret_key);
	free(f->token);
	*f = (struct profile){ 0 };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool next_line(struct text *t, struct span *out)
{
	const char *nl;

	if (t->p == t->end)
		return false;
	nl = memchr(t->p, '\n', (size_t)(t->end - t->p));
	*out = (struct span){ t->p, (size_t)((nl ? nl : t->end) - t->p) };
	*out = trim(*out);
	t->p = nl ? nl + 1 : t->end;
	t->line++;
	return true;
}

/* What goes into an HTTP header must be printable, without spaces. */
static int take_value(char **to, struct span v, const struct text *t,
		      struct err *err)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return fail(err, -EINVAL,
				    "line %u: the value has a character that "
				    "cannot be part of it",
				    t->line);
	if (v.n == 0)
		return fail(err, -EINVAL, "line %u: the value is empty",
			    t->line);
	free(*to);
	*to = strndup(v.p, v.n);
	return *to ? 0 : fail(err, -ENOMEM, "no memory");
}

static int take_line(struct profile *f, struct span line, const struct text *t,
		     struct err *err)
{
	const char *eq = memchr(line.p, '=', line.n);
	struct span name, value;

	if (!eq)
		return fail(err, -EINVAL, "line %u: not 'name = value'",
			    t->line);
	name = trim((struct span){ line.p, (size_t)(eq - line.p) });
	value = trim(
		(struct span){ eq + 1, line.n - (size_t)(eq + 1 - line.p) });
	if (span_is(name, "aws_access_key_id"))
		return take_value(&f->access_key, value, t, err);
	if (span_is(name, "aws_secret_access_key"))
		return take_value(&f->secret_key, value, t, err);
	if (span_is(name, "aws_session_token"))
		return take_value(&f->token, value, t, err);
	return 0;
}

/* Reads all profiles; *f is [default], or the only one that there is. */
static int parse(struct text *t, struct profile *f, struct err *err)
{
	CLEANUP(profile_done) struct profile skipped = { 0 };
	struct profile *now = NULL;
	bool have_default = false;
	unsigned profiles = 0;
	struct span line;

	while (next_line(t, &line)) {
		int rc;

		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			bool is_default = span_is(line, "[default]");

			if (is_default) /* beats what came before it */
				profile_done(f);
			now = is_default || profiles == 0 ? f : &skipped;
			have_default |= is_default;
			profiles++;
			continue;
		}
		if (!now)
			return fail(err, -EINVAL,
				    "line %u: before the first [profile]",
				    t->line);
		rc = take_line(now, line, t, err);
		if (rc < 0)
			return rc;
	}
	if (profiles > 1 && !have_default)
		return fail(err, -EINVAL, "%u profiles and none is [default]",
			    profiles);
	return 0;
}

int store_credentials_parse(const char *text, size_t len, char **access_key,
			    char **secret_key, char **session_token,
			    struct err *err)
{
	CLEANUP(profile_done) struct profile f = { 0 };
	struct text t = { .p = text, .end = text + len };
	int rc = parse(&t, &f, err);

	if (rc < 0)
		return rc;
	if (!f.access_key || !f.secret_key) {
		fail(err, -EINVAL, "%s is missing",
		     f.access_key ? "aws_secret_access_key"
				  : "aws_access_key_id");
		return fail_hint(err, -EINVAL,
				 "the file must look like: [default] / "
				 "aws_access_key_id = ... / "
				 "aws_secret_access_key = ...");
	}
	*access_key = take(f.access_key);
	*secret_key = take(f.secret_key);
	*session_token = take(f.token);
	return 0;
}
