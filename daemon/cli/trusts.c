/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which trusts, and which trust a path lies in. A path is first compared as
 * text: nothing inside a mount is looked at, because a worker that does not
 * answer would hang the command. Only a path whose text lies in no mount is
 * looked up, up to its parent directory.
 */
#include "cli/cli.h"

#include <libgen.h>
#include <limits.h>
#include <string.h>

/* JSON makes six bytes of one at worst: such a group fits a request. */
#define GROUP_BYTES_MAX	 (PROTO_REQUEST_MAX / 8)
#define GROUP_PATH_EXTRA 32 /* what stands around a path */

static int select_add(struct cli *c, const char *name,
		      const struct config_trust **out, size_t *n)
{
	const struct config_trust *t = config_trust_find(c->cfg, name);
	size_t i;

	if (!t) {
		snprintf(c->code, sizeof(c->code), "no_such_trust");
		c->exit = CLI_USAGE;
		fail(&c->err, -ENOENT, "there is no trust '%s' in '%s'", name,
		     c->cfg->path);
		return fail_hint(&c->err, -ENOENT, "mersey trust list");
	}
	for (i = 0; i < *n; i++)
		if (out[i] == t)
			return 0;
	if (*n == CLI_TRUSTS_MAX)
		return fail(&c->err, -E2BIG, "more than %d trusts at once",
			    CLI_TRUSTS_MAX);
	out[(*n)++] = t;
	return 0;
}

int cli_select(struct cli *c, bool args,
	       const struct config_trust *out[CLI_TRUSTS_MAX], size_t *n)
{
	int rc = cli_config(c);
	bool named = (args && c->args) || c->trusts;
	size_t i;

	*n = 0;
	for (i = 0; args && rc == 0 && i < (size_t)c->args; i++)
		rc = select_add(c, c->arg[i], out, n);
	for (i = 0; rc == 0 && i < c->trusts; i++)
		rc = select_add(c, c->trust[i], out, n);
	for (i = 0; rc == 0 && !named && i < c->cfg->n_trusts; i++)
		rc = select_add(c, c->cfg->trusts[i].name, out, n);
	return rc;
}

int cli_each(struct cli *c, bool args, cli_one_fn one, json_t *list)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n = 0, i, answered = 0;
	int rc = cli_select(c, args, t, &n);

	for (i = 0; rc >= 0 && i < n; i++) {
		rc = one(c, t[i], list);
		answered += rc == 1;
	}
	if (rc < 0)
		return rc;
	c->exit = !json_array_size(c->problems) ? CLI_OK
		  : answered			? CLI_ATTENTION
						: CLI_NOT_NOW;
	return 0;
}

/* ---- paths as text -------------------------------------------------- */

/* Appends one component, or takes the last one away for "..". */
static int path_step(struct buf *out, const char *part, size_t len)
{
	if (len == 0 || (len == 1 && part[0] == '.'))
		return 0;
	if (len == 2 && part[0] == '.' && part[1] == '.') {
		while (out->len && out->data[--out->len] != '/')
			;
		return 0;
	}
	if (buf_add(out, "/", 1) < 0)
		return -ENOMEM;
	return buf_add(out, part, len);
}

static int path_steps(struct buf *out, const char *s)
{
	while (*s) {
		size_t len = strcspn(s, "/");
		int rc = path_step(out, s, len);

		if (rc < 0)
			return rc;
		s += len;
		s += *s == '/';
	}
	return 0;
}

int cli_path_absolute(const char *cwd, const char *arg, struct buf *out)
{
	int rc = 0;

	if (arg[0] != '/')
		rc = path_steps(out, cwd);
	if (rc == 0)
		rc = path_steps(out, arg);
	if (rc == 0 && out->len == 0)
		rc = buf_add(out, "/", 1);
	return rc == 0 && !buf_str(out) ? -ENOMEM : rc;
}

/* The rest of `abs` below `dir`, without a leading '/'; NULL outside. */
static const char *path_below(const char *dir, const char *abs)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (strncmp(abs, dir, len) != 0)
		return NULL;
	if (abs[len] == '\0')
		return abs + len;
	return abs[len] == '/' ? abs + len + 1 : NULL;
}

const struct config_trust *cli_path_trust(const struct config *cfg,
					  const char *abs, const char **rel)
{
	const struct config_trust *found = NULL;
	size_t i;

	for (i = 0; i < cfg->n_trusts; i++) {
		const char *r = path_below(cfg->trusts[i].mount, abs);

		/* the longest mount wins: it leaves the shortest rest */
		if (r && (!found || strlen(r) < strlen(*rel))) {
			found = &cfg->trusts[i];
			*rel = r;
		}
	}
	return found;
}

/*
 * As cli_path_trust(), with the mounts that are served now: `mersey mount`
 * may have put a trust elsewhere than the config says.
 */
static const struct config_trust *
path_trust_now(const struct config *cfg, const char *abs, const char **rel)
{
	size_t i;

	for (i = 0; i < cfg->n_trusts; i++) {
		CLEANUP_FREE char *mount =
			config_mountpoint(cfg, &cfg->trusts[i]);
		const char *r = mount ? path_below(mount, abs) : NULL;

		if (!r)
			continue;
		*rel = r;
		return &cfg->trusts[i];
	}
	return NULL;
}

/* ---- paths through symlinks ----------------------------------------- */

/* realpath of the parent, and the last component as it is. */
static char *path_real(const char *abs)
{
	CLEANUP_FREE char *d = strdup(abs), *b = strdup(abs);
	CLEANUP_FREE char *real = d && b ? realpath(dirname(d), NULL) : NULL;

	if (!real)
		return NULL;
	return io_path("%s/%s", strcmp(real, "/") == 0 ? "" : real,
		       basename(b));
}

/* As cli_path_trust(), with mounts and path seen through symlinks. */
static const struct config_trust *
path_trust_real(const struct config *cfg, const char *abs, struct buf *rel)
{
	CLEANUP_FREE char *path = path_real(abs);
	size_t i;

	for (i = 0; path && i < cfg->n_trusts; i++) {
		const struct config_trust *t = &cfg->trusts[i];
		CLEANUP_FREE char *at = config_mountpoint(cfg, t);
		CLEANUP_FREE char *mount = path_real(t->mount);
		CLEANUP_FREE char *now = at ? path_real(at) : NULL;
		const char *r = mount ? path_below(mount, path) : NULL;

		if (!r && now)
			r = path_below(now, path);
		if (r && buf_add(rel, r, strlen(r)) == 0)
			return t;
	}
	return NULL;
}

/* ---- groups --------------------------------------------------------- */

void cli_groups_done(struct cli_groups *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		json_decref(g->g[i].paths);
	free(g->g);
	memset(g, 0, sizeof(*g));
}

/* The group that takes the path; the last one of a trust is not full. */
static struct cli_group *group_find(struct cli_groups *g,
				    const struct config_trust *t, size_t bytes)
{
	struct cli_group *p;
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->g[i].trust == t &&
		    g->g[i].bytes + bytes <= GROUP_BYTES_MAX)
			return &g->g[i];
	p = reallocarray(g->g, g->n + 1, sizeof(*p));
	if (!p)
		return NULL;
	g->g = p;
	p += g->n++;
	*p = (struct cli_group){ .trust = t, .paths = json_array() };
	return p;
}

static int group_add(struct cli_groups *g, const struct config_trust *t,
		     const char *rel, size_t len)
{
	size_t bytes = len + GROUP_PATH_EXTRA;
	struct cli_group *p = group_find(g, t, bytes);

	if (!p)
		return -ENOMEM;
	p->bytes += bytes;
	return json_array_append_new(p->paths, proto_path(rel, len)) < 0
		       ? -ENOMEM
		       : 0;
}

static bool trust_wanted(const struct cli *c, const struct config_trust *t)
{
	size_t i;

	for (i = 0; i < c->trusts; i++)
		if (strcmp(c->trust[i], t->name) == 0)
			return true;
	return c->trusts == 0;
}

static int group_path(struct cli *c, const char *cwd, const char *arg,
		      struct cli_groups *out)
{
	CLEANUP_BUF struct buf abs = { 0 }, real = { 0 };
	const struct config_trust *t;
	const char *rel = NULL;
	int rc = cli_path_absolute(cwd, arg, &abs);

	if (rc < 0)
		return rc;
	t = cli_path_trust(c->cfg, (char *)abs.data, &rel);
	if (!t)
		t = path_trust_now(c->cfg, (char *)abs.data, &rel);
	if (!t) {
		t = path_trust_real(c->cfg, (char *)abs.data, &real);
		rel = t ? buf_str(&real) : NULL;
	}
	if (t && !rel)
		return -ENOMEM;
	if (!t || !trust_wanted(c, t)) {
		c->exit = CLI_USAGE;
		snprintf(c->code, sizeof(c->code), "not_in_a_trust");
		fail(&c->err, -EXDEV, "'%s' lies in the mount of no trust%s",
		     arg, c->trusts ? " that --trust names" : "");
		return fail_hint(&c->err, -EXDEV, "mersey trust list");
	}
	return group_add(out, t, rel, strlen(rel));
}

int cli_group_paths(struct cli *c, struct cli_groups *out)
{
	CLEANUP_FREE char *cwd = getcwd(NULL, 0);
	int i, rc = cli_config(c);

	for (i = 0; i < c->args && rc == 0; i++) {
		if (!cwd && c->arg[i][0] != '/')
			return fail(&c->err, -ENOENT,
				    "the current directory is gone");
		rc = group_path(c, cwd, c->arg[i], out);
	}
	return rc;
}

int cli_path_out(const struct cli *c, json_t *o, const struct config_trust *t)
{
	CLEANUP_FREE char *mount = config_mountpoint(c->cfg, t);
	CLEANUP_BUF struct buf rel = { 0 }, abs = { 0 };
	int rc = mount ? proto_get_path(o, &rel) : -ENOMEM;

	if (rc == 0)
		rc = buf_addf(&abs, "%s%s", mount, rel.len ? "/" : "");
	if (rc == 0)
		rc = buf_add(&abs, rel.data, rel.len);
	if (rc == 0)
		rc = proto_set_path(o, abs.data, abs.len);
	return rc;
}
