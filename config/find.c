/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up in a loaded config. */
#include "config/config.h"

#include <string.h>

#include "base/io.h"

const struct config_trust *config_trust_find(const struct config *c,
					     const char *name)
{
	size_t i;

	for (i = 0; i < c->n_trusts; i++)
		if (strcmp(c->trusts[i].name, name) == 0)
			return &c->trusts[i];
	return NULL;
}

bool config_same_place(const struct config_tier *a, const struct config_tier *b)
{
	return a->store == b->store && strcmp(a->bucket, b->bucket) == 0 &&
	       strcmp(a->prefix, b->prefix) == 0;
}

const struct price_table *config_prices_find(const struct config *c,
					     const char *name)
{
	size_t i;

	for (i = 0; i < c->n_prices; i++)
		if (strcmp(c->prices[i].name, name) == 0)
			return &c->prices[i];
	return NULL;
}

char *config_state_dir(const struct config *c, const struct config_trust *t)
{
	return io_path("%s/%s", c->state_dir, t->name);
}

char *config_socket(const struct config *c, const struct config_trust *t)
{
	return io_path("%s/%s.sock", c->runtime_dir, t->name);
}

char *config_lock_file(const struct config *c, const struct config_trust *t)
{
	return io_path("%s/%s.lock", c->runtime_dir, t->name);
}

char *config_mountpoint(const struct config *c, const struct config_trust *t)
{
	CLEANUP_FREE char *path = config_lock_file(c, t);
	CLEANUP_BUF struct buf b = { 0 };
	const char *at;

	if (!path)
		return NULL;
	/* One that cannot be read says as little as one that is not there. */
	if (io_read_file(path, CONFIG_LOCK_FILE_MAX, &b) < 0 || !buf_str(&b))
		return strdup(t->mount);
	at = strchr((char *)b.data, '\n'); /* behind the pid */
	return at && at[1] == '/' ? strndup(at + 1, strcspn(at + 1, "\n"))
				  : strdup(t->mount);
}
