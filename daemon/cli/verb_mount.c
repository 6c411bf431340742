/* SPDX-License-Identifier: Apache-2.0 */
/* mersey mount: one trust without the supervisor, as mount(8) would do it. */
#include "cli/cli.h"

#include "cli/merseyd.h"

#define WORDS_MAX (8 + 2 * CLI_OPTIONS_MAX)

/* A trust of the config; the daemon finds all other mistakes. */
static int check(struct cli *c, struct buf *mnt)
{
	CLEANUP_FREE char *cwd = getcwd(NULL, 0);
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n;
	int rc;

	c->args = 1; /* the second argument names no trust */
	rc = cli_select(c, true, t, &n);
	if (rc < 0)
		return rc;
	if (!cwd)
		return fail(&c->err, -errno, "where are we? %m");
	return cli_path_absolute(cwd, c->arg[1], mnt);
}

static void words(const struct cli *c, const struct buf *mnt,
		  char *argv[WORDS_MAX])
{
	size_t n = 0;

	argv[n++] = (char *)"merseyd";
	argv[n++] = (char *)"--single";
	argv[n++] = c->arg[0];
	argv[n++] = (char *)mnt->data;
	argv[n++] = (char *)"--config";
	argv[n++] = c->cfg->path;
	if (!cli_has(c, OPT_FOREGROUND))
		argv[n++] = (char *)"--background";
	for (size_t i = 0; i < c->n_options; i++) {
		argv[n++] = (char *)"-o";
		argv[n++] = (char *)c->options[i];
	}
	argv[n] = NULL;
}

int verb_mount_run(struct cli *c)
{
	CLEANUP_BUF struct buf out = { 0 }, mnt = { 0 };
	char *argv[WORDS_MAX];
	int rc = check(c, &mnt);

	if (rc < 0)
		return rc;
	words(c, &mnt, argv);
	if (cli_has(c, OPT_FOREGROUND))
		return merseyd_exec(c, argv);
	rc = merseyd_run(c, argv, "mount_failed", &out);
	if (rc == 0)
		rc = proto_set(c->result, "trust", proto_text(c->arg[0]));
	return rc < 0 ? rc : proto_set_path(c->result, mnt.data, mnt.len);
}

void verb_mount_show(struct cli *c)
{
	fprintf(c->out, "%s is served on %s; to end it: umount %s\n",
		json_text(c->result, "trust"), json_text(c->result, "path"),
		json_text(c->result, "path"));
}
