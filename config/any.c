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

static void credential_read(struct config_reader *r,
			    const struct config_node *n, void *base)
{
	const struct config_store *s = credential_store(r, n);
	struct config_trust *t = base;
	struct config_credential *all;

	if (!s)
		return;
	all = any_grow(r, t->credentials, t->n_credentials, sizeof(*all));
	if (!all)
		return;
	t->credentials = all;
	all[t->n_credentials].store = s;
	all[t->n_credentials].at = n->at;
	if (config_read_scalar(r, &config_any_credential.key, n,
			       &all[t->n_credentials].file))
		t->n_credentials++;
}

static void credential_show(struct config_emit *e, const void *base)
{
	const struct config_trust *t = base;
	size_t i;

	for (i = 0; i < t->n_credentials; i++)
		any_show_value(e, t->credentials[i].store->name,
			       &config_any_credential.key,
			       &t->credentials[i].file);
}

static void credential_done(void *base)
{
	struct config_trust *t = base;
	size_t i;

	for (i = 0; i < t->n_credentials; i++)
		free(t->credentials[i].file);
	free(t->credentials);
	t->credentials = NULL;
	t->n_credentials = 0;
}

const struct config_any config_any_credential = {
	.key = { .name = "<store>",
		 .type = CONFIG_PATH,
		 .help = "The file with the access key and the secret key, as "
			 "the AWS tools write it; only its owner may read it.",
		 .size = sizeof(char *) },
	.name_pattern = CONFIG_NAME_PATTERN,
	.read = credential_read,
	.show = credential_show,
	.done = credential_done,
};
