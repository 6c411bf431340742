/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a serving process is asked to end: SIGTERM or SIGINT, or a part of it
 * that found a reason. The only state that signal handlers see.
 */
#ifndef MERSEY_MAIN_ENDING_H
#define MERSEY_MAIN_ENDING_H

#include "fuse/session.h"

/*
 * Before threads start: ignores SIGPIPE and SIGIO (leases), and holds SIGTERM
 * and SIGINT back until ending_attach(); threads never see them.
 */
void ending_init(void);

/*
 * From now on the first request goes to `unmount_fd` as one byte (-1: none,
 * then straight to the server), and the server is stopped 10 s later, or by
 * a second request. A request that came before acts now. Main thread, as the
 * next one.
 */
void ending_attach(struct fuse_server *s, int unmount_fd);
/* Before the server is freed: requests are held back again. */
void ending_detach(void);

/* Asks to stop with exit status 1. Any thread. */
void ending_fail(void);

/* The exit status: 1 after ending_fail(), else 0. */
int ending_status(void);

#endif
