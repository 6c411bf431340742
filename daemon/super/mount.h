/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor needs of a mount beside super_mount(). */
#ifndef MERSEY_SUPER_MOUNT_H
#define MERSEY_SUPER_MOUNT_H

/*
 * The number of the FUSE connection mounted at `mountpoint`, or -errno: the
 * name it still has when it is detached and no path leads to it.
 */
int mount_connection(const char *mountpoint);

/*
 * Ends a connection and every request that waits on it, as MNT_FORCE does,
 * through fusectl. -ENOENT when it is over, or fusectl is not mounted: then
 * the end of the worker ends it.
 */
int mount_abort(int connection);

#endif
