/* SPDX-License-Identifier: Apache-2.0 */
/* --policy: a name of the config, or a file that holds a policy. A file is
 * checked here, where its lines can be named, and again by the worker. */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define POLICY_FILE_MAX (256U << 10)

static bool policy_is_file(const struct cli *c, const char *name)
{
	size_t i;

	if (strchr(name, '/'))
		return true;
	for (i = 0; i < c->cfg->n_policies; i++)
		if (strcmp(c->cfg->policies[i].name, name) == 0)
			return false;
	return access(name, F_OK) == 0;
}

static int policy_check(struct cli *c, const struct config_trust *t,
			const char *path, const struct buf *text)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	struct tier_policy p;
	int rc = config_policy_parse(c->cfg, t, path, (char *)text->data,
				     text->len, &p, &ps);

	if (rc == 0) {
		config_policy_done(&p);
		return 0;
	}
	if (ps.n)
		fail(&c->err, rc, "%s:%u:%u: %s", ps.p[0].file, ps.p[0].line,
		     ps.p[0].column, ps.p[0].message);
	if (ps.n && ps.p[0].suggestion)
		fail_hint(&c->err, rc, "%s", ps.p[0].suggestion);
	return rc;
}

static int policy_file(struct cli *c, const struct config_trust *t,
		       const char *path, json_t *args)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc = io_read_file(path, POLICY_FILE_MAX, &text);

	if (rc < 0)
		return fail(&c->err, rc, "cannot read policy '%s': %m", path);
	rc = policy_check(c, t, path, &text);
	if (rc < 0)
		return rc;
	return proto_set(args, "policy_text",
			 json_stringn((char *)text.data, text.len));
}

int cli_policy(struct cli *c, const struct config_trust *t, json_t *args)
{
	const char *name = c->opt[OPT_POLICY];
	int rc;

	if (!name)
		return 0;
	rc = proto_set(args, "policy", proto_text(name));
	if (rc == 0 && policy_is_file(c, name))
		rc = policy_file(c, t, name, args);
	return rc;
}
