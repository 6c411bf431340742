/* SPDX-License-Identifier: Apache-2.0 */
/* What merseyd can be. Each returns the exit status of the process. */
#ifndef MERSEY_MAIN_MODES_H
#define MERSEY_MAIN_MODES_H

#include "base/err.h"
#include "main/args.h"
#include "main/conf.h"

/* The supervisor, in the foreground or going to the background. */
int mode_supervise(const struct args *a);
/* A worker that the supervisor started. */
int mode_worker(const struct args *a);
/* One trust in this process. */
int mode_single(const struct args *a);
/* Makes a trust. */
int mode_setup(const struct args *a);

/* Prints credentials of the role of this machine. */
int mode_role(const struct args *a);

/* Logs the end of an error's journey; EXIT_FAILURE. */
int report(const struct err *err);
/* The same for a person who waits for it: on stderr, without the time. */
int complain(const struct err *err);

#endif
