/* SPDX-License-Identifier: Apache-2.0 */
/* From the config to the numbers and paths that processes work with. */
#ifndef MERSEY_MAIN_CONF_H
#define MERSEY_MAIN_CONF_H

#include <sys/types.h>

#include "config/config.h"
#include "ctl/ctl.h"
#include "move/move.h"
#include "super/super.h"
#include "tier/opts.h"

/*
 * Loads the config and prints every problem on stderr. 0, -EINVAL for bad
 * content, or -errno.
 */
int conf_load(const char *path, struct config **out);

/*
 * Secret files and accounts (config_check_secrets), printed the same way.
 * What is wrong with one trust alone leaves out that trust, so that it does
 * not hold up the others: left_out has a place for each. -EINVAL when the
 * trouble is the gateway's, a clash of trusts, or nobody is left.
 */
int conf_check_secrets(const struct config *c, bool *left_out);

/* A tier of a trust, with what the price table says of its class. */
struct conf_tier {
	const struct config_tier *t;
	struct tier_terms terms;
	int64_t minimum_ns;		  /* an object is billed for so long */
	uint64_t minimum_bytes;		  /* and as so many */
	int64_t restore_ns[PRICE_SPEEDS]; /* 0 = not had */
};

/* One trust, with its accounts and paths resolved. */
struct conf_trust {
	const struct config *c;
	const struct config_trust *t;
	const struct config_tier *tier; /* the first */
	struct conf_tier tiers[MOVE_TIERS_MAX];
	size_t n_tiers;
	/* Distinct buckets (or prefixes of one): index of the first tier that
	 * lies there; terms.place is the index in this list. */
	size_t place[MOVE_TIERS_MAX];
	size_t n_places;
	uid_t uid; /* the service account */
	gid_t gid;
	uid_t root_uid; /* of the top directory */
	gid_t root_gid;
	char *state_dir, *socket;
	char *key_file;
	bool no_atime; /* of this mount: reads change no access time */
};

/* Resolves; *out is released with conf_trust_done(), also on failure. */
int conf_trust_init(struct conf_trust *out, const struct config *c,
		    const char *name, struct err *err);
void conf_trust_done(struct conf_trust *ct);

/*
 * The secrets of a trust, read from their files (root, or single mode).
 * Fills at most SUPER_SECRETS_MAX.
 */
int conf_read_secrets(const struct conf_trust *ct, struct super_secret *out,
		      size_t *n, struct err *err);

/*
 * A role of the config as numbers. Names that no account has are logged and
 * left out: nobody gets rights by them. *out is freed with conf_role_done().
 */
int conf_role(const struct config_role *in, struct ctl_role *out);
void conf_role_done(struct ctl_role *r);

/*
 * The state directory exists, belongs to `uid`, nobody else may enter, and
 * it is encrypted when the config wants that (S31).
 */
int conf_check_state_dir(const struct conf_trust *ct, uid_t uid,
			 struct err *err);

#endif
