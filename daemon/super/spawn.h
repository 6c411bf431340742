/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_SUPER_SPAWN_H
#define MERSEY_SUPER_SPAWN_H

#include "super/super.h"

/*
 * Forks and executes `merseyd --worker`. Of this process's descriptors only
 * stderr (also as stdout) and those of `fds` get through, the signal mask and
 * dispositions are fresh, and the child dies with its parent. The descriptors
 * stay the caller's. 0 and *pid, or -errno.
 */
struct spawn_fds {
	int control, fuse;
	int broker; /* -1: none */
};
int spawn_worker(const struct super_opts *o, const char *trust,
		 const struct spawn_fds *fds, unsigned restarts, pid_t *pid,
		 struct err *err);

/* In a child: as a fresh process has them. */
void spawn_reset_signals(void);

#endif
