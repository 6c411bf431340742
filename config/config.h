/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey.yaml: read strictly, checked as a whole, turned into plain structs.
 * The only user of libyaml. Modules never include this file; main fills each
 * module's opts from it.
 *
 * One table of keys per section (config/keys.c) carries name, type, unit,
 * default and help: the reader, `mersey config schema`, `config show` and
 * the key list of mersey.yaml(5) all come from it.
 */
#ifndef MERSEY_CONFIG_CONFIG_H
#define MERSEY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"
#include "price/price.h"
#include "store/opts.h"
#include "tier/opts.h"

#define CONFIG_TIERS_MAX 8 /* of one trust; as MOVE_TIERS_MAX */

#define CONFIG_DEFAULT_PATH "/etc/mersey/mersey.yaml"

/* Where something stands, from 1; 0 = nowhere. */
struct config_at {
	unsigned line, column;
};

/* One finding; `errors[]` of `mersey config check`. */
struct config_problem {
	char *file;
	unsigned line, column; /* from 1; 0 = the whole file */
	char *key;	       /* "trusts.rem.settle"; "" = none */
	char *message;
	char *suggestion; /* NULL = none */
	bool shared;	  /* a clash of two trusts */
};

struct config_problems {
	struct config_problem *p;
	size_t n;
};
/* Frees the texts and leaves an empty list. */
void config_problems_done(struct config_problems *ps);
/* "file:line:col: message" and the suggestion; appends to out. */
int config_problem_format(const struct config_problem *p, struct buf *out);

struct config_names { /* users or groups (or numbers as text), or paths */
	char **name;
	size_t n;
	struct config_at at;
};

struct config_role {
	struct config_names users, groups;
};

struct config_store {
	char *name;
	enum store_kind kind;
	char *endpoint; /* dir: the directory (key `path`), absolute */
	char *region;	/* s3 */
	bool virtual_style;
	char *ca_file;	    /* NULL */
	char *prices;	    /* name of the price table, NULL */
	unsigned in_flight; /* 16 */
	bool allow_plain_http;
	char *accept_unverified_peer; /* NULL */
	int64_t connect_ns, stall_ns, request_ns;
};

struct config_tier {
	char *name, *bucket, *prefix; /* prefix is "" or ends with '/' */
	const struct config_store *store;
	char *storage_class;  /* NULL: the store's default */
	uint64_t object_size; /* 16 MiB; 64 MiB in an archive class */
	bool single_writer_confirmed;
};

/* Exactly one of file, environment, instance_role. */
struct config_credential {
	const struct config_store *store;
	char *file;    /* absolute */
	char *profile; /* in it; NULL = [default], or the only one */
	bool environment, instance_role;
	struct config_at at;
};

struct config_trust {
	char *name;	 /* short: the map key */
	char *long_name; /* for reports; default = name */
	char *user;
	char *mount;
	char *root_owner, *root_group; /* names or numbers; default "0" */
	unsigned root_mode;
	char *key_file; /* absolute, or NULL when `credential` is used */
	char *key_credential;
	struct config_credential *credentials;
	size_t n_credentials;
	struct config_tier *tiers; /* in order: new data goes to the first */
	size_t n_tiers;
	const struct tier_policy *policy; /* one of the config's; NULL: none */
	money_t budget; /* of a month, in the currency of reports */
	bool has_budget;

	/* from defaults, unless the trust says otherwise */
	int64_t settle_ns, read_wait_ns, recall_wait_ns, delete_after_ns;
	uint64_t cache_size;
	unsigned cache_high, cache_low, cache_reserve; /* per cent */
	int64_t max_unprotected_ns;
	bool cache_encrypt;
	bool cache_passthrough;
	uint64_t cache_passthrough_reserve;
	uint64_t quota_bytes; /* 0 = no limit */
	unsigned quota_files; /* 0 = no limit */
	uint64_t limit_memory;
	unsigned limit_threads, limit_descriptors;
	int64_t alarm_unprotected_ns;
	int64_t alarm_room_ns; /* 0 = never */
	int64_t alarm_store_down_ns;
	struct store_bandwidth bandwidth;

	unsigned line; /* where it stands */
	struct config_at user_at, key_at, owner_at, group_at;
};

struct config {
	char *path; /* of the file, absolute */
	unsigned version;
	char *gateway_name, *state_dir, *mount_dir, *runtime_dir;
	struct config_role ops, finance;
	struct config_names alarm_command; /* argv; empty = none */
	char *currency;
	struct price_exchange exchange;
	unsigned vat;				 /* per cent */
	struct price_figure local_disk_tb_month; /* a TB is 10^12 bytes */
	struct config_names price_files;	 /* absolute */
	struct price_table *prices; /* tables read from the listed files */
	size_t n_prices;
	struct config_store *stores;
	size_t n_stores;
	struct tier_policy *policies;
	size_t n_policies;
	struct config_trust defaults; /* what trusts start from; no name */
	struct config_trust *trusts;  /* in the order of the file */
	size_t n_trusts;
};

/*
 * Reads and checks a file and the price tables it names. All errors of
 * content are collected into *problems (errors of one run, in file order);
 * then -EINVAL and *out stays NULL. -errno with err when the file cannot be
 * read at all. Secrets files are not opened here (config_check_secrets).
 */
int config_load(const char *path, struct config **out,
		struct config_problems *problems, struct err *err);
/* For text that is in memory already (fuzz, tests); `path` names it. */
int config_parse(const char *path, const char *text, size_t len,
		 struct config **out, struct config_problems *problems,
		 struct err *err);
/* One price table, from text. 0 and *out (price_table_done), -EINVAL with
 * problems, -ENOMEM. */
int config_prices_parse(const char *path, const char *text, size_t len,
			struct price_table *out,
			struct config_problems *problems);
/*
 * One policy, from a file that holds its keys and nothing else; its name is
 * "file:" and that of the file, as no other is. The tiers that it names are
 * those of t (NULL: not looked at). 0 and *out (config_policy_done), -EINVAL
 * with problems, -ENOMEM.
 */
int config_policy_parse(const struct config *c, const struct config_trust *t,
			const char *path, const char *text, size_t len,
			struct tier_policy *out,
			struct config_problems *problems);
/* Frees what it holds. */
void config_policy_done(struct tier_policy *p);
/* Fills `uid` of its classes from the accounts of this machine, and names those
 * that are not there (`missing` may be NULL): they own nothing. 0, -ENOMEM. */
int config_policy_owners(struct tier_policy *p,
			 void (*missing)(const char *class_name,
					 const char *user));

void config_free(struct config *c);
DEFINE_GUARD(struct config *, config_free);

/*
 * Secret files exist, are regular, belong to root or the caller and can be
 * used by nobody else; no two are one file; users and groups exist; service
 * accounts differ and are not root. Needs root for files of root. Adds to
 * *problems; -EINVAL when it added any, -ENOMEM.
 */
int config_check_secrets(const struct config *c,
			 struct config_problems *problems);

/* By name; NULL when there is none. Owned by the config. */
const struct config_trust *config_trust_find(const struct config *c,
					     const char *name);
const struct price_table *config_prices_find(const struct config *c,
					     const char *name);
/* Do objects of both tiers lie below one prefix of one bucket? */
bool config_same_place(const struct config_tier *a,
		       const struct config_tier *b);
/* <state_dir>/<trust>; newly allocated, NULL without memory. */
char *config_state_dir(const struct config *c, const struct config_trust *t);
/* <runtime_dir>/<trust>.sock; newly allocated. */
char *config_socket(const struct config *c, const struct config_trust *t);
/* <runtime_dir>/<trust>.lock; newly allocated. Locked by the process that
 * serves the trust: its pid and its mount point, a line each. */
char *config_lock_file(const struct config *c, const struct config_trust *t);
#define CONFIG_LOCK_FILE_MAX 8192
/* Where the trust is mounted: as that process says, `mount` of the config
 * while it has not said so. Newly allocated, NULL without memory. */
char *config_mountpoint(const struct config *c, const struct config_trust *t);

/* The config in force, defaults filled in, as YAML that loads again; one
 * trust (-ENOENT) with the stores it uses, or (NULL) all. Appends. */
int config_show_yaml(const struct config *c, const char *trust,
		     struct buf *out);
/* The same as JSON text (one object), for --json. Appends. */
int config_show_json(const struct config *c, const char *trust,
		     struct buf *out);
/* All keys as JSON Schema (draft 2020-12) with title, default, unit and
 * help. Appends. */
int config_schema(struct buf *out);
/* The key lists of mersey.yaml(5) (the file, a price table), as mdoc.
 * Appends. */
int config_schema_mdoc(struct buf *out);

/* A user or group name or number. 0, -ENOENT or -errno. */
int config_uid(const char *name, uid_t *uid);
int config_gid(const char *name, gid_t *gid);

#endif
