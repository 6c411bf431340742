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

static void check_alarm_command(const struct config_check *k)
{
	const struct config_names *argv = &k->config->alarm_command;
	const struct config_node *n = config_node_get(
		config_node_get(k->root, "gateway"), "alarm_command");

	if (!n)
		return;
	if (n->kind == CONFIG_NODE_LIST && n->n == 0) {
		config_report(k->diag, n, "'alarm_command' is empty");
		config_suggest(k->diag, "leave it out");
	} else if (argv->n && argv->name[0][0] != '/') {
		config_report(k->diag, n->child[0],
			      "'alarm_command' must begin with an absolute "
			      "path, not '%.120s'",
			      argv->name[0]);
		config_suggest(k->diag, "write alarm_command: "
					"[/usr/local/bin/page-ops]");
	}
}

/* ---- stores ----------------------------------------------------------- */

/* Who listens, and who answers: what is not proven must be accepted. */
static void check_peer(const struct config_check *k,
		       const struct config_store *s,
		       const struct config_node *n,
		       const struct config_endpoint *e)
{
	if (!e->tls && !e->loopback && !s->allow_plain_http) {
		config_report_in(k->diag, n, "endpoint",
				 "plain http is allowed to this machine only, "
				 "not to '%s'",
				 e->host);
		config_suggest(k->diag, "write https://…, or accept that the "
					"network can listen and change: "
					"allow_plain_http: true");
	}
	if (s->kind != STORE_S3V2)
		return;
	if (e->tls && !s->accept_unverified_peer &&
	    !config_node_get(n, "accept_unverified_peer")) {
		config_report_in(k->diag, n, "endpoint",
				 "nobody checks the certificate of '%s': kind "
				 "s3v2 cannot",
				 e->host);
		config_suggest(k->diag, "say who accepts that: "
					"accept_unverified_peer: \"…\"");
	} else if (!e->tls && s->accept_unverified_peer) {
		config_report_in(k->diag, n, "accept_unverified_peer",
				 "plain http has no certificate that could be "
				 "accepted");
		config_suggest(k->diag, "leave it out");
	}
}

static void check_endpoint(const struct config_check *k,
			   const struct config_store *s,
			   const struct config_node *n)
{
	CLEANUP_FREE char *region = NULL;
	struct config_endpoint e;

	if (s->kind == STORE_DIR || !s->endpoint ||
	    config_endpoint_parse(s->endpoint, &e))
		return;
	check_peer(k, s, n, &e);
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

/* The first item that has the time holds: what is behind one that has all
 * times never does. */
static void check_bandwidth(const struct config_check *k,
			    const struct config_trust *t,
			    const struct config_node *n)
{
	const struct config_node *list = config_node_get(n, "bandwidth");
	size_t i;

	for (i = 0; list && i + 1 < MIN(list->n, t->bandwidth.n); i++) {
		if (!when_is_always(&t->bandwidth.rule[i].when))
			continue;
		config_report(k->diag, list->child[i + 1],
			      "this limit never holds: the one before it is "
			      "for all times");
		config_suggest(k->diag, "put the one without 'when' last");
		return;
	}
}

static void check_tier(const struct config_check *k,
		       const struct config_tier *tier,
		       const struct config_node *n)
{
	struct config_endpoint e;

	if (!tier->store || !tier->bucket || !tier->store->endpoint ||
	    tier->store->kind == STORE_DIR || !tier->store->virtual_style ||
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

/* Its PUTs replace: nothing would ever be protected there. */
static void check_writer(const struct config_check *k,
			 const struct config_tier *tier,
			 const struct config_node *n)
{
	if (!tier->store || tier->store->kind != STORE_S3V2 ||
	    tier->single_writer_confirmed)
		return;
	config_report_in(k->diag, n, "store",
			 "store '%s' cannot prove that no other gateway writes "
			 "there: kind s3v2 has no create-only PUT",
			 tier->store->name);
	config_suggest(k->diag, "if none ever does: single_writer: confirmed");
}

/* Does the store have the class, and its price table a price of it? */
static void check_class(const struct config_check *k,
			const struct config_tier *tier,
			const struct config_node *n)
{
	const char *names[CONFIG_ITEMS_MAX], *near;
	const struct config_store *s = tier->store;
	const struct price_table *t = NULL;
	size_t i;

	if (!tier->storage_class || !s || !s->name)
		return;
	if (s->kind != STORE_S3 &&
	    strcmp(tier->storage_class, "STANDARD") != 0) {
		config_report_in(k->diag, n, "storage_class",
				 "store '%s' has no storage classes", s->name);
		config_suggest(k->diag, "leave it out");
		return;
	}
	if (s->prices && k->prices_known)
		t = config_prices_find(k->config, s->prices);
	if (!t || price_table_class(t, tier->storage_class))
		return;
	config_report_in(k->diag, n, "storage_class",
			 "price table '%s' of store '%s' has no class '%s'",
			 t->name, s->name, tier->storage_class);
	for (i = 0; i < t->n_classes; i++)
		names[i] = t->classes[i].name;
	near = config_nearest(tier->storage_class, names, i);
	if (near)
		config_suggest(k->diag, "did you mean '%s'?", near);
	else
		config_suggest(k->diag, "add its prices to the table");
}

/* What policies and reports call it is said once. */
static void check_tier_name(const struct config_check *k,
			    const struct config_trust *t, size_t tier,
			    const struct config_node *n)
{
	const char *name = t->tiers[tier].name;
	size_t i;

	if (!name)
		return;
	if (strcmp(name, "local") == 0) {
		config_report_in(k->diag, n, "name",
				 "'local' is the cache: no tier can have its "
				 "name");
		return;
	}
	for (i = 0; i < tier; i++)
		if (t->tiers[i].name && strcmp(t->tiers[i].name, name) == 0)
			break;
	if (i == tier)
		return;
	config_report_in(k->diag, n, "name",
			 "there is a tier '%s' before this one", name);
	config_suggest(k->diag, "give each tier a name of its own");
}

/* Is it the first tier of that store? */
static bool check_is_first(const struct config_trust *t, size_t tier)
{
	size_t i;

	for (i = 0; i < tier; i++)
		if (t->tiers[i].store == t->tiers[tier].store)
			return false;
	return true;
}

/* Each store of a tier that is a service needs a file. */
static void check_tier_credentials(const struct config_check *k,
				   const struct config_trust *t, size_t tier,
				   const struct config_node *n)
{
	const struct config_store *s = t->tiers[tier].store;

	if (!s || !s->name || s->kind == STORE_DIR ||
	    !check_is_first(t, tier) ||
	    config_node_get(config_node_get(n, "credentials"), s->name))
		return;
	config_report_in(k->diag, n, "credentials",
			 "credentials for store '%s' are missing", s->name);
	config_suggest(k->diag, "credentials: {%s: secrets/%s-%s.cred}",
		       s->name, t->name ?: "trust", s->name);
}

/* Each file needs such a store. */
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
	check_bandwidth(k, t, n);
	for (i = 0; i < t->n_tiers; i++) {
		check_tier(k, &t->tiers[i], tiers->child[i]);
		check_writer(k, &t->tiers[i], tiers->child[i]);
		check_tier_name(k, t, i, tiers->child[i]);
		check_class(k, &t->tiers[i], tiers->child[i]);
		check_tier_credentials(k, t, i, n);
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
	check_alarm_command(k);
	for (i = 0; i < c->n_stores; i++) {
		const struct config_node *n = config_check_node(k, "stores", i);

		check_endpoint(k, &c->stores[i], n);
		check_store_prices(k, &c->stores[i], n);
	}
	check_cache(k, &c->defaults, defaults);
	check_bandwidth(k, &c->defaults, defaults);
	for (i = 0; i < c->n_trusts; i++)
		check_trust(k, &c->trusts[i],
			    config_check_node(k, "trusts", i));
}
