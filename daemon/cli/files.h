/* SPDX-License-Identifier: Apache-2.0 */
/* Inside cli: what verbs share that do something to files. */
#ifndef MERSEY_CLI_FILES_H
#define MERSEY_CLI_FILES_H

#include "cli/cli.h"

/* to[key] += from[key]; `from` may be NULL. */
int files_sum(json_t *to, const json_t *from, const char *key);
/* Sets files, bytes, skipped, skipped_files of c->result: none. */
int files_new(struct cli *c);
/* Adds those of a worker, with absolute paths. */
int files_merge(struct cli *c, const struct config_trust *t, json_t *from);
/* "evicted 3 files, 12 MiB", and what was passed over. */
void files_show(struct cli *c, const char *done, const char *would);

#endif
