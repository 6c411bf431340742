/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of an AWS shared-credentials file: [profile] sections with
 * "name = value" lines; '#' and ';' start comments. Keys that are not asked
 * for are passed by, as other tools put theirs here too. Messages never
 * repeat a value.
 */
#include <string.h>

#include "base/secret.h"
#include "store/drivers.h"

struct text {
	const char *p, *end;
	unsigned line;
};

/* A run of bytes in the text. */
struct span {
	const char *p;
	size_t n;
};

void store_credentials_done(struct store_credentials *c)
{
	secret_text_done(&c->access_key);
	secret_text_done(&c->secret_key);
	secret_text_done(&c->session_token);
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
	secret_text_done(to);
	*to = secret_text(v.p, v.n);
	return *to ? 0 : fail(err, -ENOMEM, "no memory");
}

static int take_line(struct store_credentials *f, struct span line,
		     const struct text *t, struct err *err)
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
		return take_value(&f->session_token, value, t, err);
	return 0;
}

/* Which profile is wanted, and what was seen of them. */
struct choice {
	const char *name; /* NULL = [default], or the only one that there is */
	bool found;	  /* it, or [default] */
	unsigned profiles;
};

/* Does what follows the line "[...]" go into the result? */
static bool choose(struct choice *c, struct span line,
		   struct store_credentials *f)
{
	const char *name = c->name ?: "default";
	bool wanted = line.n == strlen(name) + 2 && line.p[line.n - 1] == ']' &&
		      memcmp(line.p + 1, name, line.n - 2) == 0;

	if (wanted) /* beats what came before it */
		store_credentials_done(f);
	c->found |= wanted;
	c->profiles++;
	return wanted || (!c->name && c->profiles == 1);
}

static int parse(struct text *t, struct choice *c, struct store_credentials *f,
		 struct err *err)
{
	CLEANUP(store_credentials_done)
	struct store_credentials skipped = { 0 };
	struct store_credentials *now = NULL;
	struct span line;

	while (next_line(t, &line)) {
		int rc;

		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			now = choose(c, line, f) ? f : &skipped;
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
	if (c->name && !c->found)
		return fail(err, -EINVAL, "there is no profile '%s'", c->name);
	if (c->profiles > 1 && !c->found)
		return fail(err, -EINVAL, "%u profiles and none is [default]",
			    c->profiles);
	return 0;
}

int store_credentials_parse(const char *text, size_t len, const char *profile,
			    struct store_credentials *out, struct err *err)
{
	CLEANUP(store_credentials_done) struct store_credentials f = { 0 };
	struct text t = { .p = text, .end = text + len };
	struct choice c = { .name = profile };
	int rc = parse(&t, &c, &f, err);

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
	*out = f;
	f = (struct store_credentials){ 0 };
	return 0;
}
