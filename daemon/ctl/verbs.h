/* SPDX-License-Identifier: Apache-2.0 */
/* Inside ctl: one call of a verb, and what the verbs share. */
#ifndef MERSEY_CTL_VERBS_H
#define MERSEY_CTL_VERBS_H

#include "ctl/ctl.h"
#include "ctl/protocol.h"

#define CTL_PATHS_MAX	 10000U	  /* in one request */
#define CTL_PATIENTS_MAX 5000U	  /* in one request */
#define CTL_FILES_MAX	 4194304U /* that one request may act on */
#define CTL_SKIPPED_MAX	 1000U	  /* listed by path; all are counted */

struct ctl_call {
	const struct ctl_worker *w;
	struct ctl_peer *peer;
	const json_t *id;   /* NULL = none given */
	const json_t *args; /* an object; checked by ctl_args_check() */
	const char *code;   /* of the error, NULL = from the errno */
	struct err err;
	int64_t said_ns;	    /* boot time of the last progress line */
	struct tier_policy *policy; /* that the client sent, NULL = none */
};

/* Fills `result`, an empty object. 0, or -errno with c->err. */
typedef int (*ctl_verb_fn)(struct ctl_call *c, json_t *result);

/* One for each row of the table in handle.c. */
int ctl_verb_status(struct ctl_call *c, json_t *result);
int ctl_verb_info(struct ctl_call *c, json_t *result);
int ctl_verb_jobs(struct ctl_call *c, json_t *result);
int ctl_verb_alarms(struct ctl_call *c, json_t *result);
int ctl_verb_alarms_ack(struct ctl_call *c, json_t *result);
int ctl_verb_metrics(struct ctl_call *c, json_t *result);
int ctl_verb_doctor(struct ctl_call *c, json_t *result);
int ctl_verb_wait(struct ctl_call *c, json_t *result);
int ctl_verb_evict(struct ctl_call *c, json_t *result);
int ctl_verb_recall(struct ctl_call *c, json_t *result);
int ctl_verb_clinic(struct ctl_call *c, json_t *result);
int ctl_verb_pin(struct ctl_call *c, json_t *result);
int ctl_verb_unpin(struct ctl_call *c, json_t *result);
int ctl_verb_pins(struct ctl_call *c, json_t *result);
int ctl_verb_cost(struct ctl_call *c, json_t *result);
int ctl_verb_cost_explain(struct ctl_call *c, json_t *result);
int ctl_verb_cost_forecast(struct ctl_call *c, json_t *result);
int ctl_verb_cost_whatif(struct ctl_call *c, json_t *result);
int ctl_verb_quota(struct ctl_call *c, json_t *result);
int ctl_verb_quota_check(struct ctl_call *c, json_t *result);
int ctl_verb_store_unlock(struct ctl_call *c, json_t *result);
int ctl_verb_store_test(struct ctl_call *c, json_t *result);
int ctl_verb_tier_list(struct ctl_call *c, json_t *result);
int ctl_verb_tier_plan(struct ctl_call *c, json_t *result);
int ctl_verb_tier_explain(struct ctl_call *c, json_t *result);
int ctl_verb_tier_apply(struct ctl_call *c, json_t *result);
int ctl_verb_tier_run(struct ctl_call *c, json_t *result);
int ctl_verb_tier_cancel(struct ctl_call *c, json_t *result);
int ctl_verb_tier_history(struct ctl_call *c, json_t *result);

/* Frees a policy that the client sent (verb_tier.c). */
void ctl_tier_done(struct ctl_call *c);

/* Who writes the bucket (verb_unlock.c). */
json_t *ctl_fence(const struct fence_info *i);

/* ---- quotas (verb_quota.c) ------------------------------------------ */

struct ctl_quota {
	struct meta_quota limit;
	struct meta_usage used;
};
int ctl_quota_read(const struct ctl_worker *w, struct ctl_quota *out);
/* null when there is none. */
json_t *ctl_quota_limit(uint64_t limit);

/* ---- who may (access.c) --------------------------------------------- */

enum ctl_role_bit {
	CTL_ADMIN = 1, /* root and the worker itself */
	CTL_OPS = 2,
	CTL_FINANCE = 4,
};

/* The roles of a peer; 0 = none at all. */
unsigned ctl_roles(const struct ctl_worker *w, const struct ctl_peer *peer);

/* ---- arguments and answers (args.c) --------------------------------- */

/*
 * Each argument is known and of the right type: one that this program does
 * not know is refused, never ignored ("dry_run" to an older worker).
 */
int ctl_args_check(const json_t *args, struct err *err);

/* An argument that is true or false; false when it is missing. */
bool ctl_flag(const struct ctl_call *c, const char *name);
/* An argument that is text; NULL when it is missing. */
const char *ctl_text(const struct ctl_call *c, const char *name);
/* The client hung up, or the server stops. */
bool ctl_gone(const struct ctl_call *c);
/* Sends {"id", "progress": p} when the last one is a second old; steals p.
 * -EPIPE when nobody listens any more. */
int ctl_progress(struct ctl_call *c, json_t *p);

/* ---- sets of files (set.c) ------------------------------------------ */

struct ctl_item {
	uint64_t ino, bytes;
};

/* Regular files, by ascending inode, each once. */
struct ctl_set {
	struct ctl_item *item;
	size_t n, room;
	uint64_t bytes;
};
void ctl_set_done(struct ctl_set *s);

typedef bool (*ctl_want_fn)(const struct meta_inode *in);
/*
 * The regular files below the call's paths (all: below the root) that
 * `want` picks. -ENOENT and -EINVAL with err, -E2BIG, -EINTR when the client
 * left.
 */
int ctl_collect(struct ctl_call *c, ctl_want_fn want, struct ctl_set *out);
/* The same for path i of the call alone. */
int ctl_collect_path(struct ctl_call *c, size_t i, ctl_want_fn want,
		     struct ctl_set *out);
/* Path i of the call: raw bytes below the mount, as meta_resolve() wants. */
int ctl_path(struct ctl_call *c, size_t i, struct buf *out);
/* The inode that such a path leads to. */
int ctl_resolve(const struct ctl_call *c, const struct buf *path,
		struct meta_inode *out);
/* Appends a path of the inode, "(deleted)" when it has none. */
int ctl_ino_path(const struct ctl_call *c, uint64_t ino, struct buf *out);
/* How many paths the call names. */
size_t ctl_paths(const struct ctl_call *c);
/* The row of one inode, in a transaction of its own. */
int ctl_inode(const struct ctl_call *c, uint64_t ino, struct meta_inode *out);

/* Files that were passed over, and why. */
struct ctl_skipped {
	json_t *list;
	uint64_t files;
};
/* Adds {path, reason}. */
int ctl_skip(const struct ctl_call *c, struct ctl_skipped *s, uint64_t ino,
	     const char *reason);
/* Sets "skipped" and, when the list was cut, "skipped_files". Steals. */
int ctl_skipped_set(struct ctl_skipped *s, json_t *result);

#endif
