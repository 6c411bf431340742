/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single mode as root mounts and then stops being root, which then cannot
 * unmount. A small process stays behind for that: it waits on a pipe, and
 * detaches the mount at the first byte; when the pipe ends (the server is
 * gone, however it ended) it ends the connection as well.
 */
#ifndef MERSEY_MAIN_UNMOUNTER_H
#define MERSEY_MAIN_UNMOUNTER_H

#include <sys/types.h>

#include "base/err.h"

struct unmounter {
	pid_t pid; /* 0 = none */
	int fd;	   /* one byte: detach; closed: force */
};

/* Before threads start. */
int unmounter_start(struct unmounter *u, const char *trust,
		    const char *mountpoint, struct err *err);
/* Waits until the mount is gone. Fine when none was started. */
void unmounter_finish(struct unmounter *u);

#endif
