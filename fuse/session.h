/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FUSE side: requests from the kernel, answered by vfs calls. Own
 * receive loop with own, pre-faulted buffers; no splice, no clone_fd; the
 * request's `unique` is kept (a later worker must be able to take over).
 */
#ifndef MERSEY_FUSE_SESSION_H
#define MERSEY_FUSE_SESSION_H

#include <stdbool.h>

#include "base/err.h"
#include "vfs/vfs.h"

struct fuse_server;

struct fuse_server_opts {
	unsigned threads; /* receive loop */
	int fuse_fd;	  /* an open, mounted /dev/fuse (kept open by us), or
			     -1: mount `mountpoint` ourselves. Ours from the
			     call on, also when it fails. */
	const char *mountpoint; /* absolute */
	const char *fsname;	/* shown in /proc/mounts: "mersey:rem" */
	const char *options;	/* "ro,allow_other", or NULL; ignored with a
				 * fuse_fd, which has its own */
	/*
	 * Not NULL: under this name, which no file can hide, the root of the
	 * mount leads to itself, as another node. Who has mounted puts that
	 * one on the mount point (super_attach()), because Linux keeps no
	 * ACL of a mount's own root: it was made before the kernel knew that
	 * this filesystem has any, and each walk of a path by others than the
	 * root's owner would ask for it again.
	 */
	const char *root_name;
	/*
	 * As move_opts has it. Threads that wait for the store leave some of
	 * the others free; what finds none waits in a queue, and fails with
	 * ETIMEDOUT when that takes longer than this with the store away.
	 * 0 = waits on.
	 */
	int64_t read_wait_ns;
	/*
	 * How local files are registered with the kernel, which then reads
	 * and writes them itself (FUSE passthrough, Linux 6.9); asked for
	 * when the kernel offers it. Outlives the server. NULL: not wanted.
	 */
	const struct cache_backing *backing;
};

/*
 * Starts serving `v`, which must outlive the server. Takes o->fuse_fd over,
 * also on failure. 0 or -errno.
 */
int fuse_server_start(const struct fuse_server_opts *o, struct vfs *v,
		      struct fuse_server **out, struct err *err);

/*
 * Waits until the kernel ended the connection (unmount), or until
 * fuse_server_stop() was called from another thread or a signal handler, and
 * all threads are at rest: 0. -errno when the device failed.
 */
int fuse_server_wait(struct fuse_server *s);

/* Tells the threads to stop after their current request. Async-signal-safe
 * part: sets a flag and writes to an eventfd. */
void fuse_server_stop(struct fuse_server *s);

/* Did the kernel agree to passthrough? */
bool fuse_server_passthrough(const struct fuse_server *s);

/* Requests that came, by kind; a snapshot. How many kinds were filled in. */
#define FUSE_REQUEST_KINDS 32
struct fuse_requests {
	const char *name; /* "read", "lookup" */
	uint64_t n;
};
size_t fuse_server_requests(const struct fuse_server *s,
			    struct fuse_requests *out, size_t max);

/*
 * Stops, unmounts what we mounted ourselves and frees. NULL is fine. Nobody
 * may be in vfs_invalidate() at this time.
 */
void fuse_server_free(struct fuse_server *s);

#endif
