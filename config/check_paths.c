/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths against each other. A trust's state directory and mount point, and
 * the directory of a store, are trees of their own: none may hold another. A
 * secret or the runtime directory must not lie in one of them, where a worker
 * or a client could put another in its place; a secret serves one purpose.
 */
#include <stdio.h>
#include <string.h>

#include "config/check.h"
#include "config/path.h"

enum claim_kind { CLAIM_TREE, CLAIM_STORE, CLAIM_SECRET, CLAIM_RUNTIME };

struct claim {
	enum claim_kind kind;
	const char *path; /* borrowed, or `owned` */
	char *owned;
	const char *what; /* "mount point" */
	char owner[80];	  /* "trust 'rem'" */
	const struct config_node *map;
	const char *key; /* NULL: the map as a whole */
};

struct claims {
	struct claim *c;
	size_t n, max;
};

static void claim_add(struct claims *cs, struct claim c, const char *kind,
		      const char *name)
{
	if (!c.path || !c.map || cs->n == cs->max)
		return;
	snprintf(c.owner, sizeof(c.owner), "%s%s%s%s", kind, name ? " '" : "",
		 name ? name : "", name ? "'" : "");
	cs->c[cs->n++] = c;
}

static void claim_trust(const struct config_check *k, struct claims *cs,
			const struct config_trust *t,
			const struct config_node *n)
{
	const struct config_node *secrets = config_node_get(n, "credentials");
	char *state;
	size_t i;

	if (!t->name)
		return;
	state = k->config->state_dir ? config_state_dir(k->config, t) : NULL;
	claim_add(cs,
		  (struct claim){ CLAIM_TREE, state, state, "state directory",
				  .map = n },
		  "trust", t->name);
	claim_add(cs,
		  (struct claim){ CLAIM_TREE, t->mount, NULL, "mount point",
				  .map = n, .key = "mount" },
		  "trust", t->name);
	claim_add(cs,
		  (struct claim){ CLAIM_SECRET, t->key_file, NULL, "key file",
				  .map = config_node_get(n, "key"),
				  .key = "file" },
		  "trust", t->name);
	for (i = 0; i < t->n_credentials; i++)
		claim_add(cs, /* no path: not looked at */
			  (struct claim){
				  CLAIM_SECRET, t->credentials[i].file, NULL,
				  "credentials file", .map = secrets,
				  .key = t->credentials[i].store->name },
			  "trust", t->name);
}

static void claim_all(const struct config_check *k, struct claims *cs)
{
	const struct config *c = k->config;
	size_t i;

	claim_add(cs,
		  (struct claim){ CLAIM_RUNTIME, c->runtime_dir, NULL,
				  "runtime directory",
				  .map = config_node_get(k->root, "gateway")
						 ?: k->root,
				  .key = "runtime_dir" },
		  "the gateway", NULL);
	for (i = 0; i < c->n_stores; i++) {
		const struct config_store *s = &c->stores[i];

		if (s->kind == STORE_DIR && s->name)
			claim_add(cs,
				  (struct claim){ CLAIM_STORE, s->endpoint,
						  NULL, "directory",
						  .map = config_check_node(
							  k, "stores", i),
						  .key = "path" },
				  "store", s->name);
	}
	for (i = 0; i < c->n_trusts; i++)
		claim_trust(k, cs, &c->trusts[i],
			    config_check_node(k, "trusts", i));
}

static bool claim_is_tree(const struct claim *c)
{
	return c->kind == CLAIM_TREE || c->kind == CLAIM_STORE;
}

/* How b stands to a, in words; NULL when they may be so. */
static const char *claim_conflict(const struct claim *a, const struct claim *b)
{
	bool same = strcmp(a->path, b->path) == 0;

	if (same && (a->kind == CLAIM_STORE) + (b->kind == CLAIM_STORE) == 2)
		return NULL; /* two names of one service */
	if (same && (claim_is_tree(a) || claim_is_tree(b) ||
		     (a->kind == CLAIM_SECRET && b->kind == CLAIM_SECRET)))
		return "is also";
	if (claim_is_tree(a) && config_path_below(b->path, a->path))
		return "lies inside";
	if (claim_is_tree(b) && config_path_below(a->path, b->path))
		return "contains";
	return NULL;
}

static void claim_check(const struct config_check *k, const struct claim *a,
			const struct claim *b)
{
	const char *how = claim_conflict(a, b);

	if (!how)
		return;
	if (strcmp(a->path, b->path) == 0)
		config_report_in(k->diag, b->map, b->key,
				 "the %s of %s %s the %s of %s: %s", b->what,
				 b->owner, how, a->what, a->owner, b->path);
	else
		config_report_in(k->diag, b->map, b->key,
				 "the %s of %s (%s) %s the %s of %s (%s)",
				 b->what, b->owner, b->path, how, a->what,
				 a->owner, a->path);
	config_suggest(k->diag, "each needs a place of its own");
}

void config_check_paths(const struct config_check *k)
{
	const struct config *c = k->config;
	struct claims cs = { .max = 1 + c->n_stores };
	size_t i, j;

	for (i = 0; i < c->n_trusts; i++)
		cs.max += 3 + c->trusts[i].n_credentials;
	cs.c = calloc(cs.max, sizeof(*cs.c));
	if (!cs.c) {
		k->diag->rc = -ENOMEM;
		return;
	}
	claim_all(k, &cs);
	for (j = 0; j < cs.n; j++)
		for (i = 0; i < j; i++)
			claim_check(k, &cs.c[i], &cs.c[j]);
	for (i = 0; i < cs.n; i++)
		free(cs.c[i].owned);
	free(cs.c);
}
