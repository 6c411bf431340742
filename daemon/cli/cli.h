/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `mersey`: a table of verbs. A verb's run function makes the
 * JSON result; its show function draws the screen from that result and from
 * nothing else, so that people and programs are told the same.
 */
#ifndef MERSEY_CLI_CLI_H
#define MERSEY_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/io.h"
#include "config/config.h"
#include "ctl/protocol.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,	   /* wrong usage or config */
	CLI_ATTENTION = 3, /* done, but something needs attention */
	CLI_NOT_NOW = 4,   /* worker or store unreachable: try again */
	CLI_REFUSED = 5,   /* by a rule */
};

/* Options: each has one meaning, whichever verb takes it. */
enum cli_opt {
	OPT_CONFIG,
	OPT_TRUST,
	OPT_JSON,
	OPT_QUIET,
	OPT_PROGRESS,
	OPT_HELP,
	OPT_VERSION,
	OPT_DRY_RUN,
	OPT_YES,
	OPT_WATCH,
	OPT_UNTIL,
	OPT_ALL,
	OPT_MONTH,
	OPT_FROM,
	OPT_TO,
	OPT_BY,
	OPT_FORMAT,
	OPT_OUT,
	OPT_KEY,
	OPT_KEYS,
	OPT_FORCE,
	OPT_FOREGROUND,
	OPT_OPTIONS,
	OPT_POLICY,
	OPT_LIMIT,
	OPT_SPEED,
	OPT_WAIT,
	OPT_CLINIC_LIST,
	OPT_COUNT,
};

/* Sets of options are masks. */
#define OPT_BIT(o) (UINT64_C(1) << (o))
_Static_assert(OPT_COUNT <= 64, "a mask has no room for more options");
/* Every verb takes these. */
#define OPTS_COMMON                                                       \
	(OPT_BIT(OPT_CONFIG) | OPT_BIT(OPT_TRUST) | OPT_BIT(OPT_JSON) |   \
	 OPT_BIT(OPT_QUIET) | OPT_BIT(OPT_PROGRESS) | OPT_BIT(OPT_HELP) | \
	 OPT_BIT(OPT_VERSION))
#define CLI_TRUSTS_MAX	64
#define CLI_OPTIONS_MAX 16

struct cli;

struct cli_verb {
	const char *name; /* one or two words */
	const char *args; /* "[TRUST...]", for the usage line */
	const char *help; /* one line */
	const char *more; /* what --help says besides, or NULL */
	uint64_t opts;	  /* OPT_BITs beyond the common ones */
	int min, max;	  /* arguments; max -1 = any number */
	/* Fills c->result. 0, or -errno with c->err (and c->exit, c->code). */
	int (*run)(struct cli *c);
	/* Draws c->result on c->out. */
	void (*show)(struct cli *c);
	bool shows_problems; /* show() does it; else they go to c->msg */
};

struct cli {
	FILE *out, *msg; /* stdout and stderr, but in tests */
	const struct cli_verb *verb;
	uint64_t given; /* OPT_BITs that were given */
	const char *opt[OPT_COUNT];
	const char *trust[CLI_TRUSTS_MAX];
	size_t trusts;
	const char *options[CLI_OPTIONS_MAX]; /* of a mount */
	size_t n_options;
	char **arg; /* behind the verb; borrowed from argv */
	int args;
	bool json, quiet;

	struct config *cfg; /* after cli_config() */
	json_t *result;
	json_t *problems; /* array; part of the envelope */
	int exit;	  /* of a run that succeeded, or CLI_OK */
	struct err err;
	char code[32]; /* of the error, "" = from the errno */
};

static inline bool cli_has(const struct cli *c, enum cli_opt o)
{
	return c->given & OPT_BIT(o);
}

/* The whole command; returns the exit status. */
int cli_main(int argc, char **argv, FILE *out, FILE *msg);

/* ---- args.c --------------------------------------------------------- */

/* All verbs, ended by one without a name. */
extern const struct cli_verb cli_verbs[];

struct cli_option {
	const char *name; /* without -- */
	const char *arg;  /* NULL = takes none */
	const char *help;
};
extern const struct cli_option cli_options[OPT_COUNT];

/*
 * Splits a command line: options may stand anywhere, "--" ends them. Fills
 * verb (NULL when none was named), options and arguments. c->arg must have
 * room for argc pointers. 0, or -EINVAL with err.
 */
int cli_parse(struct cli *c, int argc, char **argv);

/* ---- output (out.c) ------------------------------------------------- */

/* Loads the config into c->cfg. -EINVAL: c->exit is CLI_USAGE. */
int cli_config(struct cli *c);
/* -EINVAL with a message about wrong usage; the exit status becomes 2. */
int cli_usage(struct cli *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The exit status of a failure. */
enum cli_exit cli_exit_of(int rc);
/* Adds {trust, code, message, hint} to the problems; trust may be NULL. */
int cli_problem(struct cli *c, const char *trust, const char *code,
		const char *message, const char *hint);
/* "mersey: …" and "  try: …": an error is at most three lines. */
void cli_print_error(FILE *f, const char *message, const char *hint);
/* The envelope of a success, and of a failure. NULL without memory. */
json_t *cli_envelope(const struct cli *c);
json_t *cli_envelope_error(const struct cli *c, int rc);
/* Prints result or error as the options ask; returns the exit status. */
int cli_finish(struct cli *c, int rc);

/* ---- text (text.c) -------------------------------------------------- */

/* Columns that UTF-8 text takes on a terminal. */
size_t text_width(const char *s);
/* Appends s with control characters as \xNN: names are foreign text, and a
 * terminal must not obey them. */
int text_clean(const char *s, struct buf *out);
/* "4.2 M" from a hundred thousand on, else "12,311". */
int text_count(uint64_t n, struct buf *out);
/* "09:14", or "24 Nov 09:14" when that is another day; local time. */
int text_time(const char *iso, struct buf *out);
/* "6.1 / 8.0 TiB": both in the unit of the second. */
int text_of(uint64_t part, uint64_t whole, struct buf *out);

/* Members of JSON objects; what is missing is "", 0, false. */
const char *json_text(const json_t *o, const char *key);
uint64_t json_u64(const json_t *o, const char *key);
bool json_known(const json_t *o, const char *key); /* there and not null */

/* ---- tables (table.c) ----------------------------------------------- */

struct table_col {
	const char *title;
	bool right;
	/* Appends the cell of a row; NULL = text or money at `key`. */
	int (*cell)(const json_t *row, struct buf *out);
	const char *key;
};

/*
 * Prints titles and rows (an array of objects), columns two blanks apart.
 * `total` (may be NULL) is a last row. 0 or -ENOMEM.
 */
int table_print(FILE *f, const struct table_col *col, size_t cols,
		const json_t *rows, const json_t *total);

/* ---- trusts and paths (trusts.c) ------------------------------------ */

/*
 * The trusts that a verb is about: those that --trust names and, with `args`,
 * the arguments; all when neither names one. *n of them into out. Loads the
 * config. -ENOENT for a name that is not in it (exit 2).
 */
int cli_select(struct cli *c, bool args,
	       const struct config_trust *out[CLI_TRUSTS_MAX], size_t *n);

/*
 * Calls `one` for each trust that cli_select() gives and sets c->exit: 1 = it
 * answered, 0 = it did not, which `one` has added to the problems, -errno
 * ends it all. With nothing but problems: CLI_NOT_NOW.
 */
typedef int (*cli_one_fn)(struct cli *c, const struct config_trust *t,
			  json_t *list);
int cli_each(struct cli *c, bool args, cli_one_fn one, json_t *list);

/* Paths of one trust, as many as one request takes. */
struct cli_group {
	const struct config_trust *trust;
	json_t *paths; /* [{path | path_base64}] below the mount */
	size_t bytes;  /* of them */
};

struct cli_groups {
	struct cli_group *g;
	size_t n;
};
/* Frees what the groups hold. */
void cli_groups_done(struct cli_groups *g);

/* Makes a path absolute and takes "//", "." and ".." out, by its text only. */
int cli_path_absolute(const char *cwd, const char *arg, struct buf *out);
/*
 * The trust whose mount an absolute path lies in, and where its path below
 * the mount starts; NULL when it is in none.
 */
const struct config_trust *cli_path_trust(const struct config *cfg,
					  const char *abs, const char **rel);
/* Sorts all arguments of the call into requests to their trusts. */
int cli_group_paths(struct cli *c, struct cli_groups *out);
/* Puts the mount in front of o's path: where the trust is served now. */
int cli_path_out(const struct cli *c, json_t *o, const struct config_trust *t);

/* ---- the worker's end of the line (client.c) ------------------------ */

#define CLI_LOOK_SECONDS 10 /* a worker that does not answer is offline */
#define CLI_SLOW_SECONDS 60 /* for what may wait for a store or a disk */

/*
 * Asks a trust's worker; steals args. `seconds` 0 = no limit (verbs that
 * wait). 0 and *result, or -errno with c->err and c->code.
 */
int cli_call(struct cli *c, const struct config_trust *t, const char *verb,
	     json_t *args, int seconds, json_t **result);
/* Adds what --policy names to the arguments of a call: a policy of the config,
 * or the text of a file. 0, or -errno with c->err. */
int cli_policy(struct cli *c, const struct config_trust *t, json_t *args);
/* Adds the problem that a trust's worker does not answer (rc of cli_call). */
int cli_offline(struct cli *c, const struct config_trust *t, int rc);
/* Moves result.problems into c->problems, paths made absolute. */
int cli_take_problems(struct cli *c, const struct config_trust *t,
		      json_t *result);

/* ---- questions (ask.c) ---------------------------------------------- */

/* Go on? 0 with --yes, or when a person at a terminal says so; else -EPERM. */
int cli_ask(struct cli *c);

/* ---- progress (progress.c) ------------------------------------------ */

/* A worker's progress: a bar on a terminal, lines with --json --progress. */
void progress_show(struct cli *c, const char *trust, const json_t *p);
/* Removes the bar before other text is shown. */
void progress_end(struct cli *c);

/* ---- keys (keys.c) -------------------------------------------------- */

struct cli_key {
	const char *verb;
	const char *key; /* "trusts[].unprotected.files" */
	const char *type;
	const char *help;
};
extern const struct cli_key cli_keys[];
extern const size_t cli_keys_n;

/* Prints the tables. */
void cli_keys_print(FILE *f);
/*
 * Compares a result with the verb's table: every member is listed, and every
 * listed one is there wherever its parent is. Appends one line for each
 * difference.
 */
int cli_keys_check(const char *verb, const json_t *result, struct buf *out);

/* ---- verbs ---------------------------------------------------------- */

/*
 * One pair for each verb of the table in args.c: run asks the workers or works
 * here and fills c->result (0 or -errno with c->err), show prints it.
 */
int verb_status_run(struct cli *c);
void verb_status_show(struct cli *c);
int verb_info_run(struct cli *c);
void verb_info_show(struct cli *c);
int verb_jobs_run(struct cli *c);
void verb_jobs_show(struct cli *c);
int verb_alarms_run(struct cli *c);
void verb_alarms_show(struct cli *c);
int verb_alarms_ack_run(struct cli *c);
void verb_alarms_ack_show(struct cli *c);
int verb_metrics_run(struct cli *c);
void verb_metrics_show(struct cli *c);
int verb_doctor_run(struct cli *c);
void verb_doctor_show(struct cli *c);
int verb_config_check_run(struct cli *c);
void verb_config_check_show(struct cli *c);
int verb_config_show_run(struct cli *c);
void verb_config_show_show(struct cli *c);
int verb_config_schema_run(struct cli *c);
void verb_config_schema_show(struct cli *c);
int verb_trust_add_run(struct cli *c);
void verb_trust_add_show(struct cli *c);
int verb_trust_list_run(struct cli *c);
void verb_trust_list_show(struct cli *c);
int verb_cost_report_run(struct cli *c);
void verb_cost_report_show(struct cli *c);
int verb_cost_forecast_run(struct cli *c);
void verb_cost_forecast_show(struct cli *c);
int verb_cost_whatif_run(struct cli *c);
void verb_cost_whatif_show(struct cli *c);
int verb_cost_explain_run(struct cli *c);
void verb_cost_explain_show(struct cli *c);
int verb_cost_reconcile_run(struct cli *c);
void verb_cost_reconcile_show(struct cli *c);
int verb_mount_run(struct cli *c);
void verb_mount_show(struct cli *c);
int verb_wait_run(struct cli *c);
void verb_wait_show(struct cli *c);
int verb_evict_run(struct cli *c);
void verb_evict_show(struct cli *c);
int verb_recall_run(struct cli *c);
void verb_recall_show(struct cli *c);
int verb_pin_run(struct cli *c);
void verb_pin_show(struct cli *c);
int verb_unpin_run(struct cli *c);
void verb_unpin_show(struct cli *c);
int verb_pin_list_run(struct cli *c);
void verb_pin_list_show(struct cli *c);
int verb_quota_show_run(struct cli *c);
void verb_quota_show_show(struct cli *c);
int verb_quota_check_run(struct cli *c);
void verb_quota_check_show(struct cli *c);
int verb_store_unlock_run(struct cli *c);
void verb_store_unlock_show(struct cli *c);
int verb_store_test_run(struct cli *c);
void verb_store_test_show(struct cli *c);
int verb_tier_list_run(struct cli *c);
void verb_tier_list_show(struct cli *c);
int verb_tier_plan_run(struct cli *c);
void verb_tier_plan_show(struct cli *c);
int verb_tier_explain_run(struct cli *c);
void verb_tier_explain_show(struct cli *c);
int verb_tier_apply_run(struct cli *c);
void verb_tier_apply_show(struct cli *c);
int verb_tier_run_run(struct cli *c);
void verb_tier_run_show(struct cli *c);
int verb_tier_cancel_run(struct cli *c);
void verb_tier_cancel_show(struct cli *c);
int verb_tier_history_run(struct cli *c);
void verb_tier_history_show(struct cli *c);
/* What is asked before a plan is applied; `looked`: its dry run. */
void tier_apply_question(struct cli *c, const json_t *looked);
int verb_pack_list_run(struct cli *c);
void verb_pack_list_show(struct cli *c);
int verb_pack_extract_run(struct cli *c);
void verb_pack_extract_show(struct cli *c);

/* The table as `mersey help`, and one verb as `mersey help VERB`. */
void cli_help(FILE *f);
void cli_help_verb(FILE *f, const struct cli_verb *v);

#endif
