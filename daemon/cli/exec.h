/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_CLI_EXEC_H
#define MERSEY_CLI_EXEC_H

#include "base/buf.h"

#define EXEC_OUTPUT_MAX 1048576U /* of each stream */

/*
 * Runs a program by its absolute path, without a shell, and waits for it.
 * What it wrote is appended to out and err. Its exit status (128 + signal
 * when one ended it), or -errno when it could not be run.
 */
int exec_run(const char *path, char *const argv[], struct buf *out,
	     struct buf *err);

#endif
