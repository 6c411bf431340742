/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single mode as root mounts and then stops being root, which then cannot
 * attach the mount when it serves, nor unmount. A small process stays behind
 * for that and waits on a socket; when that ends (the server is gone, however
 * it ended) it ends the connection as well.
 */
#ifndef MERSEY_MAIN_UNMOUNTER_H
#define MERSEY_MAIN_UNMOUNTER_H

#include <sys/types.h>

#include "base/err.h"

struct unmounter {
	pid_t pid; /* 0 = none */
	int fd;	   /* 'u': detach; closed: force */
};

/* Before threads start. */
int unmounter_start(struct unmounter *u, const char *trust,
		    const char *mountpoint, struct err *err);
/* The server serves: super_attach(), super_read_ahead(). Fine when none was
 * started. */
int unmounter_attach(struct unmounter *u, struct err *err);
/* Waits until the mount is gone. Fine when none was started. */
void unmounter_finish(struct unmounter *u);

#endif
