/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that are the daemon's own work, done by running merseyd. */
#ifndef MERSEY_CLI_MERSEYD_H
#define MERSEY_CLI_MERSEYD_H

#include "cli/cli.h"

/*
 * Runs merseyd with these arguments (argv[0] "merseyd", NULL at the end) and
 * waits for it; what it writes on stdout is appended to out. 0; -EIO with
 * its last complaint in c->err, and `code`, when it fails; or -errno.
 */
int merseyd_run(struct cli *c, char *const argv[], const char *code,
		struct buf *out);

/* Becomes merseyd. Returns only when that fails: -errno with c->err. */
int merseyd_exec(struct cli *c, char *const argv[]);

/* The directory that a path lies in; newly allocated. */
char *path_dir(const char *path);

#endif
