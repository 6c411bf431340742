/* SPDX-License-Identifier: Apache-2.0 */
/* Trusts against each other: tenancy hangs on these (P8, S20). */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "config/check.h"
#include "config/endpoint.h"
#include "config/path.h"

static bool trusts_same_account(const char *a, const char *b)
{
	if (!a || !b)
		return false;
	if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9')
		return strtoull(a, NULL, 10) == strtoull(b, NULL, 10);
	return strcmp(a, b) == 0;
}

/* b stands behind a. */
static void trusts_check_users(const struct config_check *k,
			       const struct config_trust *a,
			       const struct config_trust *b,
			       const struct config_node *an,
			       const struct config_node *bn)
{
	const struct config_node *root = config_node_get(bn, "root");

	if (trusts_same_account(a->user, b->user)) {
		config_report_in(k->diag, bn, "user",
				 "trusts '%s' and '%s' have the same service "
				 "account '%s'",
				 a->name, b->name, b->user);
		config_suggest(k->diag,
			       "each trust needs its own: "
			       "user: mersey-%s",
			       b->name);
	}
	if (root && trusts_same_account(a->user, b->root_owner))
		config_report_in(k->diag, root, "owner",
				 "the owner of '%s' is the service account of "
				 "trust '%s'",
				 b->name, a->name);
	root = config_node_get(an, "root");
	if (root && trusts_same_account(b->user, a->root_owner))
		config_report_in(k->diag, root, "owner",
				 "the owner of '%s' is the service account of "
				 "trust '%s'",
				 a->name, b->name);
}

static void trusts_check_keys(const struct config_check *k,
			      const struct config_trust *a,
			      const struct config_trust *b,
			      const struct config_node *bn)
{
	if (!a->key_credential || !b->key_credential ||
	    strcmp(a->key_credential, b->key_credential) != 0)
		return;
	config_report_in(k->diag, config_node_get(bn, "key"), "credential",
			 "trusts '%s' and '%s' have the same key credential",
			 a->name, b->name);
	config_suggest(k->diag, "each trust needs a key of its own");
}

/* What one process has once cannot be two trusts' own (S29). */
static void trusts_check_sources(const struct config_check *k)
{
	const struct config *c = k->config;
	const struct config_node *n;
	bool environment = false;
	size_t i, j;

	for (i = 0; i < c->n_trusts; i++) {
		for (j = 0; j < c->trusts[i].n_credentials; j++) {
			const struct config_credential *cr =
				&c->trusts[i].credentials[j];

			n = config_node_get(config_check_node(k, "trusts", i),
					    "credentials");
			if (cr->instance_role && c->n_trusts > 1)
				config_report_in(
					k->diag, n, cr->store->name,
					"all trusts of this machine "
					"could use its role: it is "
					"for a gateway with one trust");
			else if (cr->environment && environment)
				config_report_in(k->diag, n, cr->store->name,
						 "credentials from the "
						 "environment are for one "
						 "store of one trust");
			else {
				environment |= cr->environment;
				continue;
			}
			config_suggest(k->diag, "%s: secrets/%s-%s.cred",
				       cr->store->name,
				       c->trusts[i].name ?: "trust",
				       cr->store->name);
		}
	}
}

/* ---- buckets ---------------------------------------------------------- */

/* "service/bucket/prefix/" or "/dir/bucket/prefix/": one contains another
 * when its text is the beginning of the other's. NULL without memory or when
 * something is missing. */
static char *trusts_location(const struct config_tier *t)
{
	CLEANUP_FREE char *service = NULL;
	struct config_endpoint e;

	if (!t->store || !t->store->endpoint || !t->bucket || !t->prefix)
		return NULL;
	if (t->store->kind == STORE_DIR)
		return io_path("%s/%s/%s", t->store->endpoint, t->bucket,
			       t->prefix);
	if (config_endpoint_parse(t->store->endpoint, &e))
		return NULL;
	service = config_endpoint_service(&e);
	return service ? io_path("%s/%s/%s", service, t->bucket, t->prefix)
		       : NULL;
}

struct location {
	char *text;
	size_t trust, tier;
};

static const struct config_tier *location_tier(const struct config_check *k,
					       const struct location *l)
{
	return &k->config->trusts[l->trust].tiers[l->tier];
}

/* Two tiers of one trust: one place with two classes, or two places. */
static void trusts_check_tiers(const struct config_check *k,
			       const struct config_tier *a,
			       const struct config_tier *b,
			       const struct config_node *n, bool same_place)
{
	if (!same_place) {
		config_report_in(k->diag, n, b->prefix[0] ? "prefix" : "bucket",
				 "prefix '%s' and prefix '%s' of tier '%s' in "
				 "bucket '%s' contain each other",
				 b->prefix, a->prefix, a->name ?: "",
				 a->bucket);
		config_suggest(k->diag, "give both tiers the same prefix, or "
					"other ones");
	} else if (strcmp(a->storage_class ?: "STANDARD",
			  b->storage_class ?: "STANDARD") == 0) {
		config_report(k->diag, n,
			      "this tier is the same as tier '%s': bucket, "
			      "prefix and storage class are",
			      a->name ?: "");
		config_suggest(k->diag, "give it another storage_class, or "
					"leave it out");
	} else if (a->single_writer_confirmed != b->single_writer_confirmed) {
		config_report_in(k->diag, n, "single_writer",
				 "tier '%s' has the same bucket and prefix, "
				 "and another 'single_writer'",
				 a->name ?: "");
	}
}

static void trusts_check_location(const struct config_check *k,
				  const struct location *a,
				  const struct location *b)
{
	const struct config_node *n = config_check_node(k, "trusts", b->trust);
	const struct config_tier *at = location_tier(k, a);
	const struct config_tier *bt = location_tier(k, b);
	size_t an = strlen(a->text), bn = strlen(b->text);

	if (strncmp(a->text, b->text, MIN(an, bn)) != 0)
		return;
	n = config_node_get(n, "tiers")->child[b->tier];
	if (a->trust == b->trust) {
		trusts_check_tiers(k, at, bt, n, an == bn);
		return;
	}
	config_report_in(
		k->diag, n, bt->prefix[0] ? "prefix" : "bucket",
		"bucket '%s', prefix '%s' of trust '%s' %s bucket "
		"'%s', prefix '%s' of trust '%s' on the same service",
		bt->bucket, bt->prefix, k->config->trusts[b->trust].name,
		an == bn  ? "is also"
		: an < bn ? "lies inside"
			  : "contains",
		at->bucket, at->prefix, k->config->trusts[a->trust].name);
	config_suggest(k->diag, "give each trust a bucket of its own, or "
				"prefixes that do not contain each other");
}

static void trusts_check_locations(const struct config_check *k)
{
	const struct config *c = k->config;
	CLEANUP_FREE struct location *all = NULL;
	size_t n = 1, i, j;

	for (i = 0; i < c->n_trusts; i++)
		n += c->trusts[i].n_tiers;
	all = calloc(n, sizeof(*all));
	if (!all) {
		k->diag->rc = -ENOMEM;
		return;
	}
	for (n = i = 0; i < c->n_trusts; i++)
		for (j = 0; c->trusts[i].name && j < c->trusts[i].n_tiers;
		     j++) {
			all[n] = (struct location){
				trusts_location(&c->trusts[i].tiers[j]), i, j
			};
			n += all[n].text != NULL;
		}
	for (j = 0; j < n; j++)
		for (i = 0; i < j; i++)
			trusts_check_location(k, &all[i], &all[j]);
	for (i = 0; i < n; i++)
		free(all[i].text);
}

void config_check_trusts(const struct config_check *k)
{
	const struct config *c = k->config;
	size_t i, j;

	for (j = 0; j < c->n_trusts; j++) {
		const struct config_trust *b = &c->trusts[j];
		const struct config_node *bn =
			config_check_node(k, "trusts", j);

		for (i = 0; i < j && b->name; i++) {
			const struct config_trust *a = &c->trusts[i];

			if (!a->name)
				continue;
			trusts_check_users(
				k, a, b, config_check_node(k, "trusts", i), bn);
			trusts_check_keys(k, a, b, bn);
		}
	}
	trusts_check_sources(k);
	trusts_check_locations(k);
}
