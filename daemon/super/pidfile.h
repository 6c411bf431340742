/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_SUPER_PIDFILE_H
#define MERSEY_SUPER_PIDFILE_H

#include "base/err.h"

/*
 * Takes the pid file: makes it when missing, locks it for as long as the
 * descriptor is open, writes the pid. The descriptor, or -EEXIST when another
 * process holds it, or -errno.
 */
int pidfile_take(const char *path, struct err *err);

/* Empties the file and gives the lock back. It is not unlinked: a second
 * process may have it open already and would lock a file without a name. */
void pidfile_release(int fd);

#endif
