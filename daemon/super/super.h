/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: root, no data path, parses no foreign bytes. Mounts, starts
 * one worker per trust, restarts a dead one with back-off. It never touches a
 * path inside a worker's mount.
 */
#ifndef MERSEY_SUPER_SUPER_H
#define MERSEY_SUPER_SUPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* One secret that goes to a worker over its socketpair. */
struct super_secret {
	char name[96];	  /* "key", "credentials:<store>" */
	struct buf value; /* wiped when freed */
};

struct super_trust {
	const char *name;
	uid_t uid;
	gid_t gid;
	const char *mountpoint;
	const char *state_dir;
	/* Where the secrets lie; read at each start of the worker, never kept
	 * in the supervisor's memory. */
	const char *key_file;
	struct {
		const char *store, *file;
	} * credentials;
	size_t n_credentials;
};

struct super_opts {
	const char *config_path; /* handed to workers */
	const char *pid_file;	 /* NULL = none */
	const char *runtime_dir;
	struct super_trust *trusts;
	size_t n_trusts;
	long stop_wait_ns; /* SIGTERM: 10 s until MNT_FORCE */
};

/* Runs until SIGTERM or SIGINT. 0 or -errno. */
int super_run(const struct super_opts *o, struct err *err);

/* ---- the worker's end ------------------------------------------------ */

#define SUPER_SECRETS_MAX 32

/* Receives the secrets that the supervisor sent over `fd`. */
int super_receive_secrets(int fd, struct super_secret *out, size_t max,
			  size_t *n, struct err *err);
void super_secrets_done(struct super_secret *s, size_t n);

struct super_sandbox {
	uid_t uid;
	gid_t gid;
	unsigned long descriptors;
};
/*
 * For ever: supplementary groups, gid, uid, no capabilities, no_new_privs,
 * no core dumps, death with the parent. Verified afterwards. As non-root
 * (single mode) only no_new_privs stays out (fusermount3 is setuid) and the
 * uid stays.
 */
int super_drop_privileges(const struct super_sandbox *s, struct err *err);

/* Opens /dev/fuse and mounts it at `mountpoint`; the fd or -errno. */
int super_mount(const char *trust, const char *mountpoint, struct err *err);
/* MNT_FORCE (ends every waiting request), then MNT_DETACH. */
int super_unmount(const char *mountpoint, bool force);

#endif
