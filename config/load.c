/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to a struct config: read, complete, check. */
#include "config/config.h"

#include <limits.h>
#include <string.h>

#include "base/io.h"
#include "config/check.h"
#include "config/path.h"
#include "config/policies.h"
#include "config/prices.h"
#include "config/read.h"

void config_free(struct config *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->n_policies; i++)
		config_policy_owners_done(&c->policies[i]);
	config_section_done(&config_root, c);
	for (i = 0; i < c->n_prices; i++)
		price_table_done(&c->prices[i]);
	free(c->prices);
	free(c->path);
	free(c);
}

/* ---- defaults that hang on other keys --------------------------------- */

static struct config_at load_at(const struct config_node *map, const char *key)
{
	const struct config_node *n = config_node_get(map, key);

	return n ? n->at : map->key_at;
}

/* Sets a text that no key has set. 0 or -ENOMEM. */
static int load_set(char **field, char *text)
{
	if (*field) {
		free(text);
		return 0;
	}
	*field = text;
	return text ? 0 : -ENOMEM;
}

/* Requests and restores of an archive class are dear: few large objects. */
static uint64_t load_object_size(const struct config_tier *t)
{
	const char *class = t->storage_class ?: "";

	if (strcmp(class, "GLACIER") == 0 || strcmp(class, "DEEP_ARCHIVE") == 0)
		return 64ULL << 20;
	return 16ULL << 20;
}

static int load_complete_tier(struct config_tier *t, const char *trust)
{
	if (!t->object_size)
		t->object_size = load_object_size(t);
	return load_set(&t->prefix, io_path("mersey/%s/", trust));
}

static int load_complete_trust(const struct config *c, struct config_trust *t,
			       const struct config_node *n)
{
	const struct config_node *root = config_node_get(n, "root");
	const struct config_node *key = config_node_get(n, "key");
	const char *name = t->name ?: "";
	size_t i;
	int rc = load_set(&t->long_name, strdup(name));

	if (rc == 0)
		rc = load_set(&t->mount,
			      io_path("%s/%s", c->mount_dir ?: "", name));
	for (i = 0; rc == 0 && i < t->n_tiers; i++)
		rc = load_complete_tier(&t->tiers[i], name);
	t->line = n->key_at.line;
	t->user_at = load_at(n, "user");
	t->key_at = key ? load_at(key, "file") : n->key_at;
	t->owner_at = root ? load_at(root, "owner") : n->key_at;
	t->group_at = root ? load_at(root, "group") : n->key_at;
	return rc;
}

static int load_complete(struct config *c, const struct config_node *root)
{
	const struct config_node *trusts = config_node_get(root, "trusts");
	char host[HOST_NAME_MAX + 1] = "";
	int rc;
	size_t i;

	gethostname(host, sizeof(host) - 1);
	rc = load_set(&c->gateway_name, strdup(*host ? host : "localhost"));
	if (c->currency)
		memcpy(c->exchange.currency, c->currency, PRICE_CURRENCY);
	for (i = 0; rc == 0 && i < c->n_trusts; i++)
		rc = load_complete_trust(c, &c->trusts[i], trusts->child[i]);
	return rc;
}

/* ---- the whole -------------------------------------------------------- */

static void load_tree(struct config_diag *d, struct config *c,
		      const struct config_node *root, const char *dir)
{
	struct config_reader r = { .diag = d, .dir = dir, .config = c };
	const struct config_node *cost = config_node_get(root, "cost");
	struct config_check k = { .diag = d, .config = c, .root = root };
	size_t i;

	config_read_section(&r, &config_root, root, c);
	if (d->rc == 0)
		d->rc = load_complete(c, root);
	for (i = 0; d->rc == 0 && i < c->n_policies; i++)
		config_policy_resolve(d, &c->policies[i],
				      config_check_node(&k, "policies", i));
	if (d->rc < 0 || root->kind != CONFIG_NODE_MAP)
		return;
	k.prices_known =
		config_prices_load(d, c, config_node_get(cost, "prices"));
	config_check_all(&k);
	config_check_policies(&k);
	config_check_trusts(&k);
	config_check_paths(&k);
}

int config_parse(const char *path, const char *text, size_t len,
		 struct config **out, struct config_problems *problems,
		 struct err *err)
{
	struct config_diag d = { .problems = problems, .file = path };
	CLEANUP(config_node_free_guard) struct config_node *root = NULL;
	CLEANUP(config_free_guard)
	struct config *c = calloc(1, sizeof(*c));
	CLEANUP_FREE char *dir = config_path_dir(path);
	const char *base = strrchr(path, '/');

	if (!c || !dir || config_node_parse(path, text, len, &d, &root) < 0)
		return fail(err, -ENOMEM, "cannot read '%s': %m", path);
	c->path = config_path_join(dir, base ? base + 1 : path);
	if (!c->path)
		return fail(err, -ENOMEM, "cannot read '%s': %m", path);
	if (root)
		load_tree(&d, c, root, dir);
	if (d.rc < 0)
		return fail(err, d.rc, "cannot read '%s': %m", path);
	if (d.added) {
		fail(err, -EINVAL, "the config '%s' has %zu error%s", path,
		     d.added, d.added == 1 ? "" : "s");
		return fail_hint(err, -EINVAL, "mersey config check '%s'",
				 path);
	}
	*out = take(c);
	return 0;
}

int config_load(const char *path, struct config **out,
		struct config_problems *problems, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc = io_read_file(path, CONFIG_TEXT_MAX, &text);

	if (rc < 0)
		return fail(err, rc, "cannot read the config '%s': %m", path);
	return config_parse(path, (const char *)text.data, text.len, out,
			    problems, err);
}
