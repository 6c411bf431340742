/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include <string.h>
#include <sys/un.h>

#include "config/endpoint.h"
#include "config/shape.h"

#define CONFIG_VERSION 1

static void check_version(const struct config_check *k)
{
	if (k->config->version <= CONFIG_VERSION)
		return;
	config_report_in(k->diag, k->root, "version",
			 "version %u is newer than this program understands "
			 "(%d)",
			 k->config->version, CONFIG_VERSION);
	config_suggest(k->diag,
		       "install a newer Mersey, or write "
		       "version: %d",
		       CONFIG_VERSION);
}

/* A socket's whole path must fit into sockaddr_un. */
static void check_runtime_dir(const struct config_check *k)
{
	const struct config_node *gw = config_node_get(k->root, "gateway");
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 -
		     strlen("/1234567890123456.sock");

	if (!gw || !k->config->runtime_dir ||
	    strlen(k->config->runtime_dir) <= max)
		return;
	config_report_in(k->diag, gw, "runtime_dir",
			 "'runtime_dir' must be at most %zu bytes long: the "
			 "names of sockets are limited",
			 max);
}

/* ---- stores ----------------------------------------------------------- */

static void check_endpoint(const struct config_check *k,
			   const struct config_store *s,
			   const struct config_node *n)
{
	CLEANUP_FREE char *region = NULL;
	struct config_endpoint e;

	if (s->kind != STORE_S3 || !s->endpoint ||
	    config_endpoint_parse(s->endpoint, &e))
		return;
	if (!e.tls && !e.loopback) {
		config_report_in(k->diag, n, "endpoint",
				 "plain http is allowed to this machine only, "
				 "not to '%s'",
				 e.host);
		config_suggest(k->diag, "write https://…");
	}
	if (e.ip_address && s->virtual_style)
		config_report_in(k->diag, n, "address_style",
				 "'virtual' needs a host name, not an address");
	region = config_endpoint_aws_region(&e);
	if (region && s->region && strcmp(region, s->region) != 0) {
		config_report_in(k->diag, n, "region",
				 "the endpoint is in region '%s', not '%s'",
				 region, s->region);
		config_suggest(k->diag, "write region: %s", region);
	}
}

static bool check_has_rate(const struct config *c, const char *currency)
{
	money_t out;

	return price_convert(&c->exchange, currency, 0, &out) == 0;
}

static void check_store_prices(const struct config_check *k,
			       const struct config_store *s,
			       const struct config_node *n)
{
	const struct config *c = k->config;
	const char *names[CONFIG_ITEMS_MAX], *near;
	const struct price_table *t;
	size_t i;

	if (!s->prices || !k->prices_known)
		return;
	t = config_prices_find(c, s->prices);
	if (t && check_has_rate(c, t->currency))
		return;
	if (t) {
		config_report_in(k->diag, n, "prices",
				 "prices of '%s' are in %s, and cost.exchange "
				 "has no rate for it",
				 t->name, t->currency);
		config_suggest(k->diag, "add to cost.exchange: %s: \"…\"",
			       t->currency);
		return;
	}
	config_report_in(k->diag, n, "prices",
			 "there is no price table '%s' in the files of "
			 "cost.prices",
			 s->prices);
	for (i = 0; i < c->n_prices; i++)
		names[i] = c->prices[i].name;
	near = config_nearest(s->prices, names, i);
	if (near)
		config_suggest(k->diag, "did you mean '%s'?", near);
	else
		config_suggest(k->diag, "add its file to cost.prices");
}

/* ---- trusts ----------------------------------------------------------- */

/* `n`: the trust, or defaults. Says nothing about what it only inherits. */
static void check_cache(const struct config_check *k,
			const struct config_trust *t,
			const struct config_node *n)
{
	const struct config_node *cache = config_node_get(n, "cache");
	bool low = config_node_get(cache, "low");

	if (t->cache_low < t->cache_high ||
	    (!low && !config_node_get(cache, "high")))
		return;
	config_report_in(k->diag, cache, low ? "low" : "high",
			 "'low' (%u%%) must be below 'high' (%u%%)",
			 t->cache_low, t->cache_high);
}

static void check_tier(const struct config_check *k,
		       const struct config_tier *tier,
		       const struct config_node *n)
{
	struct config_endpoint e;

	if (!tier->store || !tier->bucket || !tier->store->endpoint ||
	    tier->store->kind != STORE_S3 || !tier->store->virtual_style ||
	    config_endpoint_parse(tier->store->endpoint, &e) || !e.tls ||
	    !strchr(tier->bucket, '.'))
		return;
	config_report_in(k->diag, n, "bucket",
			 "a bucket with '.' in its name has no certificate "
			 "when the address style is virtual");
	config_suggest(k->diag,
		       "use address_style: path for store '%s', or "
		       "another bucket",
		       tier->store->name);
}

/* Each s3 store of a tier needs a file. */
static void check_tier_credentials(const struct config_check *k,
				   const struct config_trust *t,
				   const struct config_tier *tier,
				   const struct config_node *n)
{
	const struct config_store *s = tier->store;

	if (!s || !s->name || s->kind != STORE_S3 ||
	    config_node_get(config_node_get(n, "credentials"), s->name))
		return;
	config_report_in(k->diag, n, "credentials",
			 "credentials for store '%s' are missing", s->name);
	config_suggest(k->diag, "credentials: {%s: secrets/%s-%s.cred}",
		       s->name, t->name ?: "trust", s->name);
}

/* Each file needs an s3 store that a tier uses. */
static void check_credentials(const struct config_check *k,
			      const struct config_trust *t,
			      const struct config_node *n)
{
	const struct config_node *all = config_node_get(n, "credentials");
	size_t i, j;

	for (i = 0; i < t->n_credentials; i++) {
		const struct config_store *s = t->credentials[i].store;

		for (j = 0; j < t->n_tiers && t->tiers[j].store != s; j++)
			;
		if (s->kind == STORE_DIR) {
			config_report_in(k->diag, all, s->name,
					 "store '%s' is a directory: it takes "
					 "no credentials",
					 s->name);
			config_suggest(k->diag, "leave it out");
		} else if (j == t->n_tiers) {
			config_report_in(k->diag, all, s->name,
					 "no tier of this trust uses store "
					 "'%s'",
					 s->name);
			config_suggest(k->diag, "leave it out");
		}
	}
}

static void check_trust(const struct config_check *k,
			const struct config_trust *t,
			const struct config_node *n)
{
	const struct config_node *tiers = config_node_get(n, "tiers");
	size_t i;

	if (t->user && (strcmp(t->user, "root") == 0 ||
			strspn(t->user, "0") == strlen(t->user))) {
		config_report_in(k->diag, n, "user",
				 "the service account must not be root");
		config_suggest(k->diag, "user: mersey-%s", t->name ?: "…");
	}
	check_cache(k, t, n);
	for (i = 0; i < t->n_tiers; i++) {
		check_tier(k, &t->tiers[i], tiers->child[i]);
		check_tier_credentials(k, t, &t->tiers[i], n);
	}
	check_credentials(k, t, n);
}

void config_check_all(const struct config_check *k)
{
	const struct config *c = k->config;
	const struct config_node *defaults =
		config_node_get(k->root, "defaults");
	size_t i;

	check_version(k);
	check_runtime_dir(k);
	for (i = 0; i < c->n_stores; i++) {
		const struct config_node *n = config_check_node(k, "stores", i);

		check_endpoint(k, &c->stores[i], n);
		check_store_prices(k, &c->stores[i], n);
	}
	check_cache(k, &c->defaults, defaults);
	for (i = 0; i < c->n_trusts; i++)
		check_trust(k, &c->trusts[i],
			    config_check_node(k, "trusts", i));
}
