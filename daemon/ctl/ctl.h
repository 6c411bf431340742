/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a worker: newline-delimited JSON, one request a line
 * ({"id", "verb", "args"}), any number of {"id", "progress"}, then one
 * {"id", "result"} or {"id", "error": {code, errno, message, hint}}.
 */
#ifndef MERSEY_CTL_CTL_H
#define MERSEY_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "alarm/alarm.h"
#include "base/err.h"
#include "base/guard.h"
#include "cache/cache.h"
#include "cost/cost.h"
#include "meta/meta.h"
#include "move/move.h"
#include "store/drivers.h"
#include "store/flow.h"
#include "vfs/vfs.h"

#define CTL_LINE_MAX 1048576 /* bytes of one request */

/* A set of users and groups that may call; numbers, resolved by main. */
struct ctl_role {
	const uid_t *uids;
	size_t n_uids;
	const gid_t *gids;
	size_t n_gids;
};

/* How the files of the mount are read and written. */
#define CTL_REQUESTS_MAX 32
struct ctl_data_path {
	/* Why the kernel does not do it by itself: "off", "not_root",
	 * "kernel", "filesystem", "broker"; NULL: it does. */
	const char *reason;
	struct ctl_requests {
		const char *name; /* of FUSE: "read" */
		uint64_t n;
	} request[CTL_REQUESTS_MAX]; /* that came since the start */
	size_t n;
};

/* Where objects lie: endpoint, bucket, prefix. Tiers may share a place. */
struct ctl_place {
	const char *tier;	    /* the first that lies there */
	const char *store, *bucket; /* names */
	struct store *direct; /* cause BACKUP, past the gate: for doctor */
	const struct store_health *health;
	/* Requests of `direct`, when they are in no tier's. NULL: they are. */
	const struct store_counts *counts;
	struct store_flow *flow; /* places of one store share it */
};

/* In order; new data goes to the first. */
struct ctl_tier {
	const char *name, *storage_class;  /* "" = the store's default */
	size_t place;			   /* index */
	const struct store_counts *counts; /* of each cause; NULL: none */
};

struct tier;
struct tier_opts;
struct tier_policy;

/* Everything a verb may look at. Borrowed; outlives the server. */
struct ctl_worker {
	const char *trust, *long_name, *gateway, *version;
	struct ctl_tier tiers[MOVE_TIERS_MAX]; /* at least one */
	size_t n_tiers;
	struct ctl_place places[MOVE_TIERS_MAX]; /* the first tier's first */
	size_t n_places;
	/* Tiers that the config lacks and where objects lie, "'cool'"; NULL. */
	const char *missing;
	const char *mountpoint;
	const char *state_dir;
	int64_t started_ns;	      /* wall */
	int64_t alarm_unprotected_ns; /* 0 = off */
	int64_t alarm_room_ns;	      /* 0 = off */
	uint64_t disk_reserve;	      /* bytes that cache files leave free */
	unsigned restarts;	      /* of the worker, from the supervisor */
	struct meta *meta;
	struct cache *cache;
	struct move *move;
	struct vfs *vfs; /* NULL: no mount */
	/* Fills *out (zeroed); NULL: no mount. */
	void (*data_path)(void *arg, struct ctl_data_path *out);
	void *data_path_arg;
	struct fence *fence; /* NULL: nothing is written */
	const struct store_pace *pace;
	struct tier *policies;		   /* NULL: there are none */
	const struct tier_opts *tier_opts; /* terms of the tiers, policies;
					      NULL: in tests */
	/* Reads one that a client sends: a name, and the text of a file. What
	 * it filled goes by policy_done. */
	int (*policy_parse)(void *arg, const char *name, const char *text,
			    struct tier_policy *out, struct err *err);
	void (*policy_done)(struct tier_policy *p);
	void *policy_arg;
	struct cost_ledger *ledger;
	struct alarms *alarms;
	const struct cost_opts *cost;
	struct ctl_role ops, finance;
	uid_t worker_uid;
};

struct ctl_server;

/* Makes the listening socket (before privileges are dropped). An old socket
 * file is replaced. fd or -errno. */
int ctl_listen(const char *path, struct err *err);

/* Serves on `fd` (taken) until stopped; at most 16 clients at once. */
int ctl_server_start(int fd, const struct ctl_worker *w,
		     struct ctl_server **out, struct err *err);
void ctl_server_stop(struct ctl_server *s);
DEFINE_GUARD(struct ctl_server *, ctl_server_stop);

/*
 * Parses one request line and answers into *reply (text with newline):
 * the piece the fuzz target drives. `w` may be NULL there: then only the
 * parsing is done. 0 or -errno.
 */
struct ctl_peer {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	/* Called with progress lines; NULL = none wanted. */
	int (*send)(void *arg, const char *line, size_t len);
	void *arg;
	volatile bool gone; /* the client hung up: stop waiting */
};
int ctl_handle_line(const struct ctl_worker *w, struct ctl_peer *peer,
		    const char *line, size_t len, struct buf *reply);

#endif
