/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of one trust: what of its files belongs where, what it costs to
 * bring it there, and doing exactly that.
 */
#ifndef MERSEY_TIER_TIER_H
#define MERSEY_TIER_TIER_H

#include "base/err.h"
#include "base/job.h"
#include "meta/tiering.h"
#include "move/transfer.h"
#include "tier/opts.h"

/* ---- match.c: pure ----------------------------------------------------- */

/* What rules are asked about: a file, or a study as one subject (path of its
 * first file, newest times, sum of sizes). */
struct tier_subject {
	const char *path; /* "/pacs/ct/1.dcm"; raw bytes */
	uint64_t size;
	int64_t access_ns, modified_ns, created_ns; /* wall */
	uid_t uid;
	const char *modality; /* as in "CT\\SR"; "" = none */
	uint32_t study_date;  /* yyyymmdd; 0 = none */
	const char *tier;     /* "" = in no bucket yet */
	bool cached;	      /* some of it is local */
	bool study;
	/* Value of an extended attribute: 0 and appended, or -ENODATA. */
	int (*xattr)(void *arg, const char *name, struct buf *out);
	void *arg;
};

/* What a condition said; for `tier explain`. */
struct tier_reason {
	const char *key; /* "last_access" */
	char wanted[128], value[128];
	bool holds;
};

/* Do all conditions hold? 1, 0 or -errno. `out` (NULL: not asked) gets at most
 * max reasons, *n of them: then all conditions are looked at. */
int tier_class_holds(const struct tier_class *c, const struct tier_subject *s,
		     int64_t now_ns, struct tier_reason *out, size_t max,
		     size_t *n);
/* The first rule that matches: its index, -ENOENT when none does. */
int tier_rule_of(const struct tier_policy *p, const struct tier_subject *s,
		 int64_t now_ns);
/* Does the path match the glob? Also for the config's check of globs. */
bool tier_glob(const char *glob, const char *path);
/* "keep", "pin", ... */
const char *tier_action_name(enum tier_action a);

/* ---- plan.c ------------------------------------------------------------ */

/* Files that one rule sends from one tier to another. */
struct tier_move {
	uint32_t rule;
	const char *class_name;
	enum tier_action action;
	const char *from, *to; /* tiers, "local", or "" */
	uint64_t studies, files, bytes, requests;
	money_t once, per_month; /* saved: < 0 */
	double break_even_days;	 /* < 0: never; 0: at once */
};

struct tier_penalty {
	const char *tier, *what; /* "early_deletion", "minimum_size" */
	money_t amount;
};

struct tier_plan {
	char name[17], policy[64];
	int64_t made_ns;
	struct tier_move *moves;
	size_t n_moves;
	uint64_t studies, files, bytes, requests;
	money_t once, per_month;
	double break_even_days;
	int64_t duration_seconds;
	uint64_t rate; /* bytes a second, that it is reckoned with */
	struct tier_penalty *penalties;
	size_t n_penalties;
	uint64_t expected_recalls; /* studies or files a month */
	money_t expected_recalls_cost;
	/* Of per_month: reads at their new place, less what they would cost
	 * where they are. The rest is what a month without reads saves. */
	money_t reads_per_month;
	char **assumptions; /* sentences */
	size_t n_assumptions;
	char **unconfirmed; /* "aws-eu-west-2: GLACIER_IR requests" */
	size_t n_unconfirmed;
};
void tier_plan_done(struct tier_plan *p);

struct tier; /* one per worker */

/* Starts the job "tier" (triggers, runs). */
int tier_start(const struct tier_opts *o, struct meta *m, struct move *mv,
	       struct tier **out, struct err *err);
void tier_stop(struct tier *t);
DEFINE_GUARD(struct tier *, tier_stop);
/* What it tells of itself; for `jobs`. */
void tier_job(struct tier *t, struct job_info *out);
const struct tier_opts *tier_opts_of(const struct tier *t);
/* What a month of so many objects and bytes costs there, in the currency of
 * reports. */
int tier_month(const struct tier *t, size_t tier, uint64_t objects,
	       uint64_t bytes, uint64_t billed, money_t *out, struct err *err);
/* How many files lie in each tier: looks at all of them. */
int tier_count_files(struct tier *t, uint64_t files[MOVE_TIERS_MAX]);
/* A policy by name; NULL and "": the trust's own. NULL: there is none. */
const struct tier_policy *tier_policy_find(const struct tier *t,
					   const char *name);

/*
 * Looks at all files and stores what the policy (NULL: the trust's own) would
 * do, under a new name; changes nothing else. `tick` (may be NULL) is told how
 * many files were looked at, and says false to stop (-EINTR).
 */
int tier_plan_make(struct tier *t, const struct tier_policy *p,
		   bool (*tick)(void *arg, uint64_t files), void *arg,
		   struct tier_plan *out, struct err *err);
/* The same for a question: nothing is stored, so it has no name. */
int tier_plan_ask(struct tier *t, const struct tier_policy *p,
		  bool (*tick)(void *arg, uint64_t files), void *arg,
		  struct tier_plan *out, struct err *err);
/* What is left of a stored one, priced as of now. -ENOENT. */
int tier_plan_read(struct tier *t, const char *name, struct tier_plan *out,
		   struct err *err);

/* ---- explain.c ---------------------------------------------------------- */

#define TIER_REASONS_MAX 16

struct tier_explained_rule {
	const char *class_name;
	enum tier_action action;
	const char *to; /* NULL: no move */
	bool holds;
	struct tier_reason reason[TIER_REASONS_MAX];
	size_t n_reasons;
};
struct tier_explained {
	const char *policy;
	bool study;	/* it was judged as a part of its study */
	uint64_t files; /* of that */
	int matched;	/* index of the rule, -ENOENT: none */
	/* Why that rule changes nothing now ("pinned"); "" = it does. */
	const char *unchanged;
	struct tier_explained_rule *rule;
	size_t n_rules;
};
/* Frees what it holds; strings are the policy's. */
void tier_explained_done(struct tier_explained *e);
/* What a policy (NULL: the trust's own) says of a file, and why. -ENOENT: no
 * such file; -ENOTSUP: there is no policy. */
int tier_explain(struct tier *t, const struct tier_policy *p, uint64_t ino,
		 struct tier_explained *out, struct err *err);

/* ---- run.c --------------------------------------------------------------- */

/*
 * Does a plan, or goes on with it, in the calling thread; how it ended stands
 * in the run. -EKEYEXPIRED with err: bytes that are left differ by more than
 * 2 %, or the cost rose by more than 2 %; -EBUSY: a run is under way; -EDQUOT:
 * the budget is used up; -EALREADY: it was done.
 */
struct tier_run_opts {
	const char *trigger, *by;
	/* A file is left as it is. */
	void (*skipped)(void *arg, const char *path, const char *reason);
	/* Asked often. False: nobody waits any more, and the job goes on with
	 * it: then the run is still RUNNING. */
	bool (*tick)(void *arg, const struct meta_run *now);
	void *arg;
};
/* What tier_apply() would answer now, and what is left of the plan; nothing is
 * changed. */
int tier_apply_look(struct tier *t, const char *plan, struct tier_plan *out,
		    struct err *err);
int tier_apply(struct tier *t, const char *plan, const struct tier_run_opts *o,
	       struct meta_run *out, struct err *err);
/* Plans and applies within the policy's limits. */
int tier_run(struct tier *t, const struct tier_policy *p,
	     const struct tier_run_opts *o, struct meta_run *out,
	     struct err *err);
/* Stops the run that is under way, whoever began it. -ENOENT: none is. */
int tier_cancel(struct tier *t);

#endif
