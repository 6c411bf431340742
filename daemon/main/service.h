/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that serves one trust, put together: the same in a worker and in
 * single mode. All layers are opened here, in the order in which each needs
 * the one before, and closed in the opposite one.
 */
#ifndef MERSEY_MAIN_SERVICE_H
#define MERSEY_MAIN_SERVICE_H

#include "ctl/ctl.h"
#include "fuse/session.h"
#include "main/conf.h"
#include "main/identity.h"
#include "main/stack.h"
#include "main/terms.h"
#include "tier/tier.h"

struct super_backing;

struct service {
	const struct conf_trust *ct;
	struct pack_root *root; /* in memory of base/secret.h */
	struct pack_volume_id volume;
	struct stack stack;
	struct meta *meta;
	struct pack_keyring *keyring;
	struct fence *fence;
	char *machine, *real_dir; /* what the fence knows this gateway by */
	struct store *later[MOVE_TIERS_MAX]; /* other buckets, for the fence */
	struct identity *identity;
	struct cache *cache;
	struct move *move;
	struct tier *tier; /* policies */
	struct cost_ledger *ledger;
	struct alarms *alarms;
	struct vfs *vfs;
	struct super_control *control; /* of service_run(), as the next */
	struct super_backing *backing;
	struct cache_backing cache_backing;
	const struct fuse_server *fuse; /* while it serves */

	struct terms terms;
	struct buf missing; /* tiers: see terms_missing() */
	struct ctl_role ops, finance;
	struct ctl_worker worker; /* what verbs see of all this */
};

/* Where the database lies in a state directory; newly allocated. */
char *service_database(const char *state_dir);

/*
 * Opens everything with the secrets that were received (not kept). Works with
 * the store away (P10). service_close() also after a failure.
 */
int service_open(struct service *s, const struct conf_trust *ct,
		 const struct super_secret *secrets, size_t n_secrets,
		 struct err *err);
void service_close(struct service *s);

struct service_run {
	const char *mountpoint;
	int fuse_fd; /* taken; -1: mount it ourselves, as a plain user */
	const char *options; /* of that mount, or NULL */
	int ctl_fd;	     /* taken */
	int broker_fd;	     /* taken; -1: there is no broker */
	int control_fd;	     /* leads to the supervisor; -1: there is none */
	int keeper_fd;	     /* to a super_keeper instead; -1: none either */
	unsigned restarts;
	int unmount_fd; /* see ending_attach() */
	/* Called once when the mount is served. 0 or -errno. */
	int (*ready)(void *arg, struct err *err);
	/* Told of each alarm, by another thread; see alarms_on_change(). */
	int (*alarm)(void *arg, const struct alarm *a);
	void *arg;
};

/* Serves until the mount ends or the process is asked to stop. */
int service_run(struct service *s, const struct service_run *r,
		struct err *err);

/* The name that the root of a mount that root makes is attached by; NULL: the
 * kernel cannot, it is served as it was mounted. */
const char *service_root_name(void);

/* What a process of this trust may take, before anything is allocated. */
void service_limit_memory(void);
struct super_sandbox service_sandbox(const struct conf_trust *ct, pid_t parent);

#endif
