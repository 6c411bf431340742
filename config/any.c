/* SPDX-License-Identifier: Apache-2.0 */
#include "config/any.h"

#include <string.h>

#include "config/config.h"
#include "config/emit.h"
#include "config/read.h"
#include "config/shape.h"
#include "config/value.h"

static bool any_name_ok(struct config_reader *r, const struct config_node *n,
			const char *why)
{
	if (why)
		config_report_key(r->diag, n, "'%.120s' %s", n->key, why);
	return !why;
}

/* Makes room for one more item at the end; NULL (and reported) without
 * memory. */
static void *any_grow(struct config_reader *r, void *items, size_t n,
		      size_t size)
{
	char *bigger = reallocarray(items, n + 1, size);

	if (!bigger) {
		r->diag->rc = -ENOMEM;
		return NULL;
	}
	memset(bigger + n * size, 0, size);
	return bigger;
}

/* Writes a value as its type does. */
static void any_show_value(struct config_emit *e, const char *name,
			   const struct config_key *k, const void *field)
{
	const struct config_value_type *t = config_value_type(k->type);
	CLEANUP_BUF struct buf b = { 0 };
	const char *text;

	if (t->format(k, field, &b) < 0 || !(text = buf_str(&b)))
		e->rc = -ENOMEM;
	else
		emit_scalar(e, name, text, t->style);
}

/* ---- exchange rates --------------------------------------------------- */

static void rate_read(struct config_reader *r, const struct config_node *n,
		      void *base)
{
	const struct config_key *k = &config_any_rate.key;
	struct price_exchange *x = base;
	struct price_rate *rates;

	if (!any_name_ok(r, n, config_shape_currency(n->key))) {
		config_suggest(r->diag, "keys that can stand here: as_of, "
					"source, and currencies");
		return;
	}
	rates = any_grow(r, x->rates, x->n_rates, sizeof(*rates));
	if (!rates)
		return;
	x->rates = rates;
	if (!config_read_scalar(r, k, n, &rates[x->n_rates].per_unit))
		return;
	if (rates[x->n_rates].per_unit == 0) {
		config_report(r->diag, n, "a currency is not worth nothing");
		return;
	}
	memcpy(rates[x->n_rates].from, n->key, PRICE_CURRENCY);
	x->n_rates++;
}

static void rate_show(struct config_emit *e, const void *base)
{
	const struct price_exchange *x = base;
	size_t i;

	for (i = 0; i < x->n_rates; i++)
		any_show_value(e, x->rates[i].from, &config_any_rate.key,
			       &x->rates[i].per_unit);
}

static void rate_done(void *base)
{
	struct price_exchange *x = base;

	free(x->rates);
	x->rates = NULL;
	x->n_rates = 0;
}

const struct config_any config_any_rate = {
	.key = { .name = "<currency>",
		 .type = CONFIG_MONEY,
		 .help = "What one unit of that currency is worth: an exact "
			 "decimal, in quotes.",
		 .size = sizeof(money_t) },
	.name_pattern = CONFIG_CURRENCY_PATTERN,
	.read = rate_read,
	.show = rate_show,
	.done = rate_done,
};

/* ---- credentials ------------------------------------------------------ */

/* The store that a member names, NULL (and reported) when there is none. */
static const struct config_store *credential_store(struct config_reader *r,
						   const struct config_node *n)
{
	const struct config *c = r->config;
	const char *names[CONFIG_ITEMS_MAX], *near;
	size_t i;

	for (i = 0; i < c->n_stores; i++) {
		names[i] = c->stores[i].name ?: "";
		if (strcmp(names[i], n->key) == 0)
			return &c->stores[i];
	}
	config_report_key(r->diag, n, "there is no store '%.120s'", n->key);
	near = config_nearest(n->key, names, i);
	if (near)
		config_suggest(r->diag, "did you mean '%s'?", near);
	return NULL;
}

static const struct config_key credential_keys[] = {
	{ .name = "file",
	  .type = CONFIG_PATH,
	  .help = "The file, as above.",
	  CONFIG_FIELD(struct config_credential, file) },
	{ .name = "profile",
	  .type = CONFIG_TEXT,
	  .computed = "default, or the only one",
	  .help = "The profile in the file.",
	  .pattern = CONFIG_PROFILE_PATTERN,
	  .check = config_shape_profile,
	  CONFIG_FIELD(struct config_credential, profile) },
	{ .name = "environment",
	  .type = CONFIG_BOOL,
	  .def = "false",
	  .help = "From the environment of merseyd: AWS_ACCESS_KEY_ID, "
		  "AWS_SECRET_ACCESS_KEY and perhaps AWS_SESSION_TOKEN. For "
		  "one trust only.",
	  CONFIG_FIELD(struct config_credential, environment) },
	{ .name = "instance_role",
	  .type = CONFIG_BOOL,
	  .def = "false",
	  .help = "Of the role of this machine (IMDSv2), or of this container "
		  "(AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI in the "
		  "environment of merseyd). Asked again before they expire. "
		  "Only where there is no other trust: all of them could use "
		  "the role.",
	  CONFIG_FIELD(struct config_credential, instance_role) },
};

static const struct config_section credential_section = { CONFIG_ROWS(
	credential_keys) };

/* The value is a map: from where else they come. */
static bool credential_map(struct config_reader *r, const struct config_node *n,
			   struct config_credential *c)
{
	config_read_section(r, &credential_section, n, c);
	if ((c->file != NULL) + c->environment + c->instance_role == 1 &&
	    (c->file || !c->profile))
		return true;
	if (c->profile && !c->file)
		config_report_in(r->diag, n, "profile",
				 "'profile' is one of a file");
	else
		config_report(r->diag, n,
			      "exactly one of 'file', 'environment', "
			      "'instance_role' must be there");
	config_suggest(r->diag,
		       "write %s: secrets/….cred, or %s: {file: …, "
		       "profile: …}",
		       n->key, n->key);
	return false;
}

static void credential_read(struct config_reader *r,
			    const struct config_node *n, void *base)
{
	const struct config_store *s = credential_store(r, n);
	struct config_trust *t = base;
	struct config_credential *all, *c;
	bool good;

	if (!s)
		return;
	all = any_grow(r, t->credentials, t->n_credentials, sizeof(*all));
	if (!all)
		return;
	t->credentials = all;
	c = &all[t->n_credentials];
	c->store = s;
	c->at = n->at;
	good = n->kind == CONFIG_NODE_MAP
		       ? credential_map(r, n, c)
		       : config_read_scalar(r, &config_any_credential.key, n,
					    &c->file);
	if (good)
		t->n_credentials++;
	else
		config_section_done(&credential_section, c);
}

static void credential_show(struct config_emit *e, const void *base)
{
	const struct config_trust *t = base;
	size_t i, j;

	for (i = 0; i < t->n_credentials; i++) {
		const struct config_credential *c = &t->credentials[i];

		if (c->file && !c->profile) {
			any_show_value(e, c->store->name,
				       &config_any_credential.key, &c->file);
			continue;
		}
		emit_map(e, c->store->name);
		for (j = 0; j < ARRAY_SIZE(credential_keys); j++) {
			const struct config_key *k = &credential_keys[j];
			const char *field = (const char *)c + k->offset;

			if (k->type == CONFIG_BOOL
				    ? *(const bool *)field
				    : config_value_is_set(k, field))
				any_show_value(e, k->name, k, field);
		}
		emit_end(e);
	}
}

static void credential_done(void *base)
{
	struct config_trust *t = base;
	size_t i;

	for (i = 0; i < t->n_credentials; i++)
		config_section_done(&credential_section, &t->credentials[i]);
	free(t->credentials);
	t->credentials = NULL;
	t->n_credentials = 0;
}

const struct config_any config_any_credential = {
	.key = { .name = "<store>",
		 .type = CONFIG_PATH,
		 .help = "The file with the access key and the secret key, as "
			 "the AWS tools write it; only its owner may read it. "
			 "Or a map that says from where else they come.",
		 .size = sizeof(char *) },
	.map = &credential_section,
	.name_pattern = CONFIG_NAME_PATTERN,
	.read = credential_read,
	.show = credential_show,
	.done = credential_done,
};
