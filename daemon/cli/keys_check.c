/* SPDX-License-Identifier: Apache-2.0 */
/* The table of JSON keys: printed, and compared with real output. */
#include "cli/cli.h"

#include <string.h>

void cli_keys_print(FILE *f)
{
	const char *verb = "";
	size_t i;

	fputs("Every answer: mersey (1), verb, at, and either result and "
	      "problems[], or error\n{code, errno, message, hint}. Unknown is "
	      "null. Money is {amount, currency}, exact.\n",
	      f);
	for (i = 0; i < cli_keys_n; i++) {
		const struct cli_key *k = &cli_keys[i];

		if (strcmp(verb, k->verb) != 0)
			fprintf(f, "\n%s\n", k->verb);
		verb = k->verb;
		fprintf(f, "  %-46s %-8s %s\n", k->key, k->type, k->help);
	}
	fputs("\npack extract: as pack list, of the files that were written\n"
	      "config show, config schema: see mersey.yaml(5)\n",
	      f);
}

/* ---- comparing ------------------------------------------------------ */

static const struct cli_key *key_find(const char *verb, const char *key)
{
	size_t i;

	for (i = 0; i < cli_keys_n; i++)
		if (strcmp(cli_keys[i].verb, verb) == 0 &&
		    strcmp(cli_keys[i].key, key) == 0)
			return &cli_keys[i];
	return NULL;
}

/* Is the object at `at` one whose members have names of their own? */
static bool key_wild(const char *verb, const char *at)
{
	char star[256];
	size_t i, n = (size_t)snprintf(star, sizeof(star), "%s.*", at);

	for (i = 0; i < cli_keys_n; i++)
		if (strcmp(cli_keys[i].verb, verb) == 0 &&
		    strncmp(cli_keys[i].key, star, n) == 0)
			return true;
	return false;
}

static int keys_value(const char *verb, const char *at, const json_t *v,
		      struct buf *out);

/* Every member is listed. */
static int keys_members(const char *verb, const char *at, const json_t *o,
			struct buf *out)
{
	bool wild = key_wild(verb, at);
	const char *name;
	json_t *v;
	int rc = 0;

	json_object_foreach((json_t *)o, name, v) {
		char path[256];

		if (strcmp(name, "path_base64") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", at, at[0] ? "." : "",
			 wild ? "*" : name);
		if (rc == 0 && !wild && !key_find(verb, path))
			rc = buf_addf(out, "%s: %s is not listed\n", verb,
				      path);
		if (rc == 0)
			rc = keys_value(verb, path, v, out);
	}
	return rc;
}

/* Every listed child of `at` is a member. */
static int keys_listed(const char *verb, const char *at, const json_t *o,
		       struct buf *out)
{
	size_t i, n = strlen(at);
	int rc = 0;

	for (i = 0; i < cli_keys_n && rc == 0; i++) {
		const char *key = cli_keys[i].key, *rest = key + n;

		if (strcmp(cli_keys[i].verb, verb) != 0 ||
		    strncmp(key, at, n) != 0 || (n && *rest != '.'))
			continue;
		rest += n ? 1 : 0;
		if (strpbrk(rest, ".[*") || json_object_get(o, rest))
			continue;
		rc = buf_addf(out, "%s: %s is missing\n", verb, key);
	}
	return rc;
}

static bool is_money(const json_t *o)
{
	return json_object_size(o) == 2 && json_object_get(o, "amount") &&
	       json_object_get(o, "currency");
}

static int keys_value(const char *verb, const char *at, const json_t *v,
		      struct buf *out)
{
	char path[256];
	const json_t *e;
	size_t i;
	int rc = 0;

	if (json_is_object(v) && !is_money(v)) {
		rc = keys_members(verb, at, v, out);
		return rc < 0 ? rc : keys_listed(verb, at, v, out);
	}
	snprintf(path, sizeof(path), "%s[]", at);
	json_array_foreach(v, i, e) {
		if (rc == 0 && json_is_object(e))
			rc = keys_value(verb, path, e, out);
	}
	return rc;
}

int cli_keys_check(const char *verb, const json_t *result, struct buf *out)
{
	return keys_value(verb, "", result, out);
}
