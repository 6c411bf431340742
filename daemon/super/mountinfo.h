/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount table, from /proc/self/mountinfo (proc_pid_mountinfo(5)): the one
 * way to learn about a mount without asking its filesystem, which may not
 * answer.
 */
#ifndef MERSEY_SUPER_MOUNTINFO_H
#define MERSEY_SUPER_MOUNTINFO_H

#include <stdbool.h>

#include "base/err.h"

#define MOUNT_FSTYPE "fuse.mersey"
#define MOUNT_SOURCE "mersey:" /* before the name of a trust */

struct mount_entry {
	unsigned minor; /* of the device: names a FUSE connection in fusectl */
	char fstype[64];
	char source[256];
};

/*
 * Finds the uppermost mount at `path` (absolute, canonical) in the text of a
 * mountinfo file. False when nothing is mounted there.
 */
bool mountinfo_find(const char *text, const char *path,
		    struct mount_entry *out);

/*
 * The same in the mount table as it is now. The directories above `path` may
 * be symbolic links; `path` itself is not looked at. 1 found, 0 nothing is
 * mounted there, or -errno.
 */
int mountinfo_lookup(const char *path, struct mount_entry *out,
		     struct err *err);

#endif
