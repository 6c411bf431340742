/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_SUPER_SPAWN_H
#define MERSEY_SUPER_SPAWN_H

#include "super/super.h"

/*
 * Forks and executes `merseyd --worker`. Of this process's descriptors only
 * stderr (also as stdout), control_fd and fuse_fd get through, the signal
 * mask and dispositions are fresh, and the child dies with its parent. The
 * descriptors stay the caller's. 0 and *pid, or -errno.
 */
int spawn_worker(const struct super_opts *o, const char *trust, int fuse_fd,
		 int control_fd, unsigned restarts, pid_t *pid,
		 struct err *err);

#endif
