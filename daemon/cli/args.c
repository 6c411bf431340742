/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of options and verbs, and the command line. */
#include "cli/cli.h"

#include <string.h>

const struct cli_option cli_options[OPT_COUNT] = {
	[OPT_CONFIG] = { "config", "FILE",
			 "the config (default: $MERSEY_CONFIG, else "
			 "/etc/mersey/mersey.yaml)" },
	[OPT_TRUST] = { "trust", "NAME", "only this trust; may be repeated" },
	[OPT_JSON] = { "json", NULL, "print JSON (see mersey help json)" },
	[OPT_QUIET] = { "quiet", NULL, "print nothing but errors" },
	[OPT_PROGRESS] = { "progress", NULL,
			   "with --json: progress on stderr, an object a line" },
	[OPT_HELP] = { "help", NULL, "say how to use it" },
	[OPT_VERSION] = { "version", NULL, "print the version" },
	[OPT_DRY_RUN] = { "dry-run", NULL, "say what would be done" },
	[OPT_YES] = { "yes", NULL, "ask nothing" },
	[OPT_WATCH] = { "watch", NULL, "show it again every 2 s" },
	[OPT_UNTIL] = { "until", "protected|local|DATE",
			"what to wait for; how long" },
	[OPT_ALL] = { "all", NULL, "all files" },
	[OPT_MONTH] = { "month", "YYYY-MM", "that calendar month (UTC)" },
	[OPT_FROM] = { "from", "YYYY-MM-DD", "first day (UTC)" },
	[OPT_TO] = { "to", "YYYY-MM-DD", "last day (UTC)" },
	[OPT_BY] = { "by", "tier|class|cause|modality|age|TIME",
		     "what a row stands for; when it is needed" },
	[OPT_FORMAT] = { "format", "table|csv|json|focus|html",
			 "how to print it" },
	[OPT_OUT] = { "out", "PATH", "where to write" },
	[OPT_KEY] = { "key", "FILE", "the trust's root key file" },
	[OPT_KEYS] = { "keys", "DIR",
		       "a copy of the objects below keys/ in the bucket" },
	[OPT_FORCE] = { "force", NULL, "replace files that exist" },
	[OPT_FOREGROUND] = { "foreground", NULL,
			     "stay, with messages on stderr" },
	[OPT_OPTIONS] = { "options", "LIST",
			  "or -o: as in fstab; may be repeated" },
	[OPT_POLICY] = { "policy", "NAME|FILE",
			 "another policy than the trust's own" },
	[OPT_SPEED] = { "speed", "bulk|standard|expedited",
			"how fast an archive class is to be" },
	[OPT_WAIT] = { "wait", NULL, "until it is done" },
	[OPT_CLINIC_LIST] = { "clinic-list", "FILE",
			      "patients and appointments (CSV)" },
	[OPT_LIMIT] = { "limit", "N", "at most so many" },
};

const struct cli_verb cli_verbs[] = {
	{ "status", "[TRUST...]", "Show health of all trusts, or one in detail",
	  NULL, 0, 0, -1, verb_status_run, verb_status_show, true },
	{ "info", "PATH...", "Show where a file's bytes are and why", NULL, 0,
	  1, -1, verb_info_run, verb_info_show, false },
	{ "jobs", "[--watch]",
	  "List background work: what waits, since when, why", NULL,
	  OPT_BIT(OPT_WATCH), 0, 0, verb_jobs_run, verb_jobs_show, false },
	{ "alarms ack", "ID...", "Say that somebody has seen an alarm", NULL, 0,
	  1, -1, verb_alarms_ack_run, verb_alarms_ack_show, false },
	{ "alarms", "[TRUST...]", "List what needs a person",
	  "Active ones first, then those that were. Exit status 3 while one is "
	  "active that\nnobody has acknowledged. What each code means: "
	  "mersey-alarms(7).",
	  0, 0, -1, verb_alarms_run, verb_alarms_show, false },
	{ "metrics", "[TRUST...] [--out FILE]",
	  "Print Prometheus text (for node_exporter's textfile collector)",
	  "--out replaces FILE in one step, for the textfile collector. A trust "
	  "that does not\nanswer is mersey_up 0. What each metric is: "
	  "mersey-metrics(7).",
	  OPT_BIT(OPT_OUT), 0, -1, verb_metrics_run, verb_metrics_show, false },
	{ "doctor", "",
	  "Check kernel, privileges, disk, clock, stores and sandbox", NULL, 0,
	  0, 0, verb_doctor_run, verb_doctor_show, false },
	{ "wait", "[--until protected|local] PATH...|--all",
	  "Wait until files are safe in the bucket (or local)",
	  "A directory stands for all files below it. What was unprotected when "
	  "it began\ncounts; later changes do not.",
	  OPT_BIT(OPT_UNTIL) | OPT_BIT(OPT_ALL), 0, -1, verb_wait_run,
	  verb_wait_show, false },
	{ "evict", "PATH...", "Drop local bytes of protected files",
	  "A directory stands for all files below it. Files that are open or not "
	  "protected\nyet are passed over and named. No data is lost: reading a "
	  "file brings it back.",
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), 1, -1, verb_evict_run,
	  verb_evict_show, false },
	{ "recall", "PATH...|--clinic-list FILE", "Bring bytes back",
	  "A directory stands for all files below it. What lies in an archive "
	  "class is ordered,\nat --speed (bulk, standard, expedited), or as "
	  "slow as --by allows; cost and time are\nshown first. The files come "
	  "when it is there, and stay for a week; --wait waits.\n"
	  "--clinic-list: patient_id, appointment_time (CSV): the studies of "
	  "those patients, in\ntime, pinned until the slot is over. Exit status "
	  "3 when some are at risk, 5 when the\nmonth's budget is used up, "
	  "which stops no clinic list.",
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_SPEED) |
		  OPT_BIT(OPT_BY) | OPT_BIT(OPT_WAIT) |
		  OPT_BIT(OPT_CLINIC_LIST),
	  0, -1, verb_recall_run, verb_recall_show, false },
	{ "pin list", "[TRUST...]", "List what is kept local", NULL, 0, 0, -1,
	  verb_pin_list_run, verb_pin_list_show, false },
	{ "pin", "PATH... [--until DATE]", "Keep files local",
	  "A directory stands for all files that are below it now. What is "
	  "elsewhere is brought\nback. Without --until they stay until mersey "
	  "unpin.",
	  OPT_BIT(OPT_UNTIL) | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), 1, -1,
	  verb_pin_run, verb_pin_show, false },
	{ "unpin", "PATH...", "Let files be evicted again",
	  "Whoever pinned them, and for how long.", OPT_BIT(OPT_DRY_RUN), 1, -1,
	  verb_unpin_run, verb_unpin_show, false },
	{ "config check", "[FILE]", "Check a config and list every error",
	  "The files of secrets and the accounts it names: mersey doctor.", 0,
	  0, 1, verb_config_check_run, verb_config_check_show, false },
	{ "config show", "[TRUST]",
	  "Print the config in force with defaults filled in, secrets as file "
	  "names",
	  NULL, 0, 0, 1, verb_config_show_run, verb_config_show_show, false },
	{ "config schema", "",
	  "Print all keys with type, unit, default and help (JSON Schema)",
	  NULL, 0, 0, 0, verb_config_schema_run, verb_config_schema_show,
	  false },
	{ "trust add", "NAME",
	  "Make a trust's service user, directories and key; check its buckets",
	  "What exists already is left as it is. --out says where the recovery "
	  "sheet goes.",
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_OUT), 1, 1,
	  verb_trust_add_run, verb_trust_add_show, false },
	{ "trust list", "", "List trusts", NULL, 0, 0, 0, verb_trust_list_run,
	  verb_trust_list_show, false },
	{ "quota show", "[TRUST...]",
	  "Show the limits of trusts and what is used of them", NULL, 0, 0, -1,
	  verb_quota_show_run, verb_quota_show_show, false },
	{ "quota check", "[TRUST...]",
	  "Count all files again and compare: proves what quotas go by",
	  "Goes on beside clients, at a tenth of what it could do. Exit status 3 "
	  "when a counter\ndiffers.",
	  0, 0, -1, verb_quota_check_run, verb_quota_check_show, false },
	{ "store unlock", "TRUST",
	  "Take the writer's lease away from another gateway",
	  "One gateway writes a bucket. When that was another one (a copy of "
	  "this one, or the\nmachine that this one replaces), this one serves, "
	  "but protects nothing until it is\ntold to take over. The other one "
	  "can write no more then. --dry-run says who it is.",
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), 1, 1, verb_store_unlock_run,
	  verb_store_unlock_show, false },
	{ "store test", "[TRUST[/TIER]]",
	  "Try every operation on the real bucket under a scratch prefix",
	  "Below scratch/test/ in the trust's prefix; what is made there is "
	  "removed. Costs about a\nhundred requests. Exit status 3 when something "
	  "that Mersey needs is missing.",
	  0, 0, 1, verb_store_test_run, verb_store_test_show, false },
	{ "mount", "TRUST MNT [-o LIST] [--foreground]",
	  "Serve one trust without the supervisor (execs merseyd --single)",
	  "Returns when files can be used; umount MNT ends it. The options are "
	  "those of\nmount.fuse.mersey(8): ro, noexec, noatime, log=FILE and "
	  "others. The trust must\nhave been set up: mersey trust add.",
	  OPT_BIT(OPT_FOREGROUND) | OPT_BIT(OPT_OPTIONS), 2, 2, verb_mount_run,
	  verb_mount_show, false },
	{ "tier list", "[TRUST...]",
	  "Show a trust's tiers with contents and prices", NULL, 0, 0, -1,
	  verb_tier_list_run, verb_tier_list_show, false },
	{ "tier plan", "[TRUST] [--policy NAME|FILE]",
	  "Show what a policy would move, cost and save; change nothing",
	  "The plan is kept for 7 days under the name that is shown, and can "
	  "be applied until\nthen.",
	  OPT_BIT(OPT_POLICY), 0, 1, verb_tier_plan_run, verb_tier_plan_show,
	  false },
	{ "tier explain", "PATH [--policy NAME|FILE]",
	  "Say which rule matches a file, and why the others do not", NULL,
	  OPT_BIT(OPT_POLICY), 1, 1, verb_tier_explain_run,
	  verb_tier_explain_show, false },
	{ "tier apply", "PLAN",
	  "Do exactly that plan, or refuse if the world moved too far",
	  "Files that changed or were opened since are left and named. Refused "
	  "(5) when the bytes\nthat are left to move differ by more than 2 %, "
	  "or the cost rose by more than 2 %. What\nwas interrupted goes on by "
	  "itself, also when this command is; what was cancelled goes\non when "
	  "it is applied again. Exit status 3 when files were left or it did "
	  "not end.",
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), 1, 1, verb_tier_apply_run,
	  verb_tier_apply_show, false },
	{ "tier run", "[TRUST] [--policy NAME]",
	  "Plan and apply within the policy's limits (as timers do)", NULL,
	  OPT_BIT(OPT_POLICY) | OPT_BIT(OPT_YES), 0, 1, verb_tier_run_run,
	  verb_tier_run_show, false },
	{ "tier cancel", "[TRUST...]", "Stop the run that is under way", NULL,
	  0, 0, -1, verb_tier_cancel_run, verb_tier_cancel_show, false },
	{ "tier history", "[TRUST...] [--limit N]", "List past runs",
	  "The newest first; 20 without --limit.", OPT_BIT(OPT_LIMIT), 0, -1,
	  verb_tier_history_run, verb_tier_history_show, false },
	{ "cost report",
	  "[--month M | --from D --to D] [--by tier|class|cause|modality|age] "
	  "[--format table|csv|json|focus|html] [--out FILE]",
	  "What each trust's data cost, and what it will cost by the end of the "
	  "month",
	  "focus: CSV as FOCUS 1.2 has it, for FinOps tools. html: a page with "
	  "charts that loads\nnothing, for a screen or paper.",
	  OPT_BIT(OPT_MONTH) | OPT_BIT(OPT_FROM) | OPT_BIT(OPT_TO) |
		  OPT_BIT(OPT_BY) | OPT_BIT(OPT_FORMAT) | OPT_BIT(OPT_OUT),
	  0, 0, verb_cost_report_run, verb_cost_report_show, false },
	{ "cost forecast", "", "What the months ahead will cost",
	  "By the trend of at most 90 days, a year ahead: low, expected, high.",
	  0, 0, 0, verb_cost_forecast_run, verb_cost_forecast_show, false },
	{ "cost whatif", "[--policy NAME|FILE|all-hot|all-local]",
	  "What the same data would cost under another policy",
	  "all-hot: all of it in the first tier that can be read at once. "
	  "all-local: on local disk\nonly. Changes nothing.",
	  OPT_BIT(OPT_POLICY), 0, 0, verb_cost_whatif_run,
	  verb_cost_whatif_show, false },
	{ "cost explain", "PATH",
	  "What a file has cost so far; of a study, all its files",
	  "A directory stands for all files below it.", 0, 1, 1,
	  verb_cost_explain_run, verb_cost_explain_show, false },
	{ "cost reconcile", "FILE [--month M | --from D --to D]",
	  "Compare a provider's bill (CSV) with the ledger",
	  "AWS Cost and Usage Reports, FOCUS, and a plain form: see mersey(1). "
	  "Exit status 3 when a\ndifference is unexplained.",
	  OPT_BIT(OPT_MONTH) | OPT_BIT(OPT_FROM) | OPT_BIT(OPT_TO), 1, 1,
	  verb_cost_reconcile_run, verb_cost_reconcile_show, false },
	{ "pack list", "FILE --key FILE --keys DIR",
	  "List what one pack holds, offline, without any daemon", NULL,
	  OPT_BIT(OPT_KEY) | OPT_BIT(OPT_KEYS), 1, 1, verb_pack_list_run,
	  verb_pack_list_show, false },
	{ "pack extract", "FILE --key FILE --keys DIR [--out DIR] [--force]",
	  "Write the files of one pack, offline, without any daemon",
	  "Below --out (default: here). A file that exists is left alone without "
	  "--force.",
	  OPT_BIT(OPT_KEY) | OPT_BIT(OPT_KEYS) | OPT_BIT(OPT_OUT) |
		  OPT_BIT(OPT_FORCE),
	  1, 1, verb_pack_extract_run, verb_pack_extract_show, false },
	{ 0 },
};

/* ---- options -------------------------------------------------------- */

/* The option that "name" or "name=value" names; OPT_COUNT when none does. */
static enum cli_opt opt_find(const char *name, size_t len)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++)
		if (strncmp(cli_options[i].name, name, len) == 0 &&
		    cli_options[i].name[len] == '\0')
			break;
	return (enum cli_opt)i;
}

static int opt_set(struct cli *c, enum cli_opt o, const char *value)
{
	c->given |= OPT_BIT(o);
	c->opt[o] = value;
	if (o == OPT_JSON)
		c->json = true;
	if (o == OPT_QUIET)
		c->quiet = true;
	if (o == OPT_OPTIONS && c->n_options == CLI_OPTIONS_MAX)
		return cli_usage(c, "more than %d times --options",
				 CLI_OPTIONS_MAX);
	if (o == OPT_OPTIONS)
		c->options[c->n_options++] = value;
	if (o != OPT_TRUST)
		return 0;
	if (c->trusts == CLI_TRUSTS_MAX)
		return cli_usage(c, "more than %d times --trust",
				 CLI_TRUSTS_MAX);
	c->trust[c->trusts++] = value;
	return 0;
}

/* Takes argv[*i], and the next one when it is the value. */
static int opt_take(struct cli *c, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	enum cli_opt o = opt_find(name, len);
	const char *value = eq ? eq + 1 : NULL;

	if (o == OPT_COUNT)
		return cli_usage(c, "there is no option '--%.*s'", (int)len,
				 name);
	if (!cli_options[o].arg && value)
		return cli_usage(c, "--%s takes no value", cli_options[o].name);
	if (cli_options[o].arg && !value) {
		if (*i + 1 >= argc)
			return cli_usage(c, "--%s needs a value: %s",
					 cli_options[o].name,
					 cli_options[o].arg);
		value = argv[++*i];
	}
	return opt_set(c, o, value);
}

/* Takes argv[*i], and the next one when it is the value. */
static int opt_short(struct cli *c, int argc, char **argv, int *i)
{
	const char *s = argv[*i];

	if (strcmp(s, "-h") == 0)
		return opt_set(c, OPT_HELP, NULL);
	if (strcmp(s, "-q") == 0)
		return opt_set(c, OPT_QUIET, NULL);
	if (strcmp(s, "-o") == 0 && *i + 1 < argc)
		return opt_set(c, OPT_OPTIONS, argv[++*i]);
	if (strcmp(s, "-o") == 0)
		return cli_usage(c, "-o needs a value: %s",
				 cli_options[OPT_OPTIONS].arg);
	return cli_usage(c, "there is no option '%s'", s);
}

/* ---- verbs ---------------------------------------------------------- */

/* Does `name` consist of the first arguments? How many it took, or 0. */
static int verb_match(const char *name, char **arg, int args)
{
	const char *blank = strchr(name, ' ');
	size_t len = blank ? (size_t)(blank - name) : strlen(name);

	if (args < 1 || strncmp(name, arg[0], len) != 0 || arg[0][len])
		return 0;
	if (!blank)
		return 1;
	return args > 1 && strcmp(blank + 1, arg[1]) == 0 ? 2 : 0;
}

static int verb_unknown(struct cli *c)
{
	const struct cli_verb *v;
	size_t len = strlen(c->arg[0]);

	for (v = cli_verbs; v->name; v++)
		if (strncmp(v->name, c->arg[0], len) == 0 &&
		    v->name[len] == ' ')
			return cli_usage(c, "'%s' needs a second word: %s",
					 c->arg[0], v->name);
	return cli_usage(c, "there is no verb '%s'", c->arg[0]);
}

static int verb_find(struct cli *c)
{
	const struct cli_verb *v;

	for (v = cli_verbs; v->name; v++) {
		int took = verb_match(v->name, c->arg, c->args);

		if (!took)
			continue;
		c->verb = v;
		c->arg += took;
		c->args -= took;
		return 0;
	}
	return verb_unknown(c);
}

static int verb_check(struct cli *c)
{
	uint64_t bad = c->given & ~(OPTS_COMMON | c->verb->opts);
	int i;

	if (cli_has(c, OPT_HELP) || cli_has(c, OPT_VERSION))
		return 0;
	for (i = 0; i < OPT_COUNT; i++)
		if (bad & OPT_BIT(i))
			return cli_usage(c, "'%s' takes no --%s", c->verb->name,
					 cli_options[i].name);
	if (c->args < c->verb->min)
		return cli_usage(c, "'%s' needs %s", c->verb->name,
				 c->verb->args);
	if (c->verb->max >= 0 && c->args > c->verb->max)
		return cli_usage(c, "'%s': '%s' is one argument too many",
				 c->verb->name, c->arg[c->verb->max]);
	return 0;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	bool ended = false;
	int i, rc = 0;

	c->args = 0;
	for (i = 1; i < argc && rc == 0; i++) {
		if (ended || argv[i][0] != '-' || argv[i][1] == '\0')
			c->arg[c->args++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			ended = true;
		else if (argv[i][1] == '-')
			rc = opt_take(c, argc, argv, &i);
		else
			rc = opt_short(c, argc, argv, &i);
	}
	if (rc < 0 || !c->args || strcmp(c->arg[0], "help") == 0)
		return rc;
	rc = verb_find(c);
	return rc < 0 ? rc : verb_check(c);
}
