/* SPDX-License-Identifier: Apache-2.0 */
#include "main/args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "super/mountinfo.h"
#include "config/config.h"
#include "main/modes.h"

#define HELPER_NAME    "mount." MOUNT_FSTYPE
#define HELPER_OPTIONS "fnsvo:t:"

enum {
	OPT_FOREGROUND = 256,
	OPT_BACKGROUND,
	OPT_WORKER,
	OPT_SINGLE,
	OPT_SETUP,
	OPT_ROLE,
	OPT_CONFIG,
	OPT_LOG,
	OPT_JSON,
	OPT_FUSE_FD,
	OPT_CONTROL_FD,
	OPT_BROKER_FD,
	OPT_RESTARTS,
	OPT_NO_BARRIER,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "background", no_argument, NULL, OPT_BACKGROUND },
	{ "options", required_argument, NULL, 'o' },
	{ "single", required_argument, NULL, OPT_SINGLE },
	{ "setup", required_argument, NULL, OPT_SETUP },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	/* The supervisor's, for its children: */
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "worker", required_argument, NULL, OPT_WORKER },
	{ "fuse-fd", required_argument, NULL, OPT_FUSE_FD },
	{ "control-fd", required_argument, NULL, OPT_CONTROL_FD },
	{ "broker-fd", required_argument, NULL, OPT_BROKER_FD },
	{ "restarts", required_argument, NULL, OPT_RESTARTS },
	/* A test's: */
	{ "unsafe-no-barrier", no_argument, NULL, OPT_NO_BARRIER },
	{ 0 },
};

static const char help[] =
	"usage: merseyd [--foreground] [--config FILE] [--log FILE]\n"
	"       merseyd --single TRUST MOUNTPOINT [--background] [-o OPTIONS]\n"
	"               [--config FILE] [--log FILE]\n"
	"       merseyd --setup TRUST [--config FILE] [--json]\n"
	"\n"
	"Serves all trusts of the config, each from a process of its own.\n"
	"\n"
	"  --foreground     stay; without it, go to the background when ready\n"
	"  --single TRUST MOUNTPOINT\n"
	"                   serve one trust from this process\n"
	"  --background     with --single: return when the mount is served\n"
	"  -o, --options LIST\n"
	"                   with --single: as in fstab, mount.fuse.mersey(8)\n"
	"  --setup TRUST    make a trust's namespace, keys and marker; check its\n"
	"                   bucket (done by `mersey trust add`)\n"
	"  --config FILE    default $MERSEY_CONFIG, else " CONFIG_DEFAULT_PATH
	"\n"
	"  --log FILE       in the background: where messages go\n"
	"  -v, --verbose    more messages\n"
	"  -h, --help       this text\n"
	"  --version        the version\n"
	"\n"
	"See merseyd(8).\n";

void args_help(void)
{
	fputs(help, stdout);
}

static int usage(const char *what)
{
	fprintf(stderr, "merseyd: %s\n  try: merseyd --help\n", what);
	return -EINVAL;
}

static int number(const char *s, unsigned *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno || end == s || *end || v > INT_MAX)
		return usage("an option wants a number");
	*out = (unsigned)v;
	return 0;
}

static int set_mode(struct args *a, enum mode mode, const char *trust)
{
	if (a->mode != MODE_BACKGROUND)
		return usage("one mode at a time");
	a->mode = mode;
	a->trust = trust;
	return 0;
}

static int set_fd(int *fd, const char *s)
{
	unsigned v;
	int rc = number(s, &v);

	if (rc == 0)
		*fd = (int)v;
	return rc;
}

static int take_mount_options(struct args *a, const char *list, bool sloppy)
{
	struct err err = ERR_INIT;
	int rc = mountopt_add(&a->mount, list, sloppy, &err);

	if (rc < 0)
		complain(&err);
	return rc;
}

static int take_option(struct args *a, int opt)
{
	switch (opt) {
	case OPT_FOREGROUND:
		return set_mode(a, MODE_FOREGROUND, NULL);
	case OPT_WORKER:
		return set_mode(a, MODE_WORKER, optarg);
	case OPT_SINGLE:
		return set_mode(a, MODE_SINGLE, optarg);
	case OPT_SETUP:
		return set_mode(a, MODE_SETUP, optarg);
	case OPT_ROLE:
		return set_mode(a, MODE_ROLE, optarg);
	case 'h':
		return set_mode(a, MODE_HELP, NULL);
	case OPT_VERSION:
		return set_mode(a, MODE_VERSION, NULL);
	case OPT_CONFIG:
		a->config = optarg;
		return 0;
	case OPT_LOG:
		a->log_file = optarg;
		return 0;
	case OPT_JSON: /* the only form there is */
		return 0;
	case OPT_BACKGROUND:
		a->background = true;
		return 0;
	case 'o':
		return take_mount_options(a, optarg, false);
	case 'v':
		a->verbose = true;
		return 0;
	case OPT_NO_BARRIER:
		a->no_barrier = true;
		return 0;
	case OPT_FUSE_FD:
		return set_fd(&a->fuse_fd, optarg);
	case OPT_CONTROL_FD:
		return set_fd(&a->control_fd, optarg);
	case OPT_BROKER_FD:
		return set_fd(&a->broker_fd, optarg);
	case OPT_RESTARTS:
		return number(optarg, &a->restarts);
	default: /* getopt has said what is wrong */
		fputs("  try: merseyd --help\n", stderr);
		return -EINVAL;
	}
}

static const char *default_config(void)
{
	const char *env = getenv("MERSEY_CONFIG");

	return env && *env ? env : CONFIG_DEFAULT_PATH;
}

/* Only one mode takes these. */
static int check_single(const struct args *a, int o_given)
{
	if (a->mode == MODE_SINGLE && !a->mountpoint)
		return usage("--single TRUST wants a mount point");
	if (a->mode != MODE_SINGLE && (a->background || o_given))
		return usage("--background and -o are for --single");
	return 0;
}

static int parse_daemon(int argc, char **argv, struct args *out)
{
	int opt, rc, o_given = 0;

	while ((opt = getopt_long(argc, argv, "hvo:", options, NULL)) != -1) {
		rc = take_option(out, opt);
		if (rc < 0)
			return rc;
		o_given += opt == 'o';
	}
	if (out->mode == MODE_SINGLE && optind < argc)
		out->mountpoint = argv[optind++];
	rc = check_single(out, o_given);
	if (rc < 0)
		return rc;
	if (optind < argc)
		return usage("too many arguments");
	if (out->mode == MODE_WORKER &&
	    (out->fuse_fd < 0 || out->control_fd < 0))
		return usage("--worker is for the supervisor only");
	return 0;
}

/* ---- mount(8) -------------------------------------------------------- */

static int usage_helper(void)
{
	fputs("usage: " HELPER_NAME " TRUST MOUNTPOINT [-fnsv] [-o OPTIONS] "
	      "[-t " MOUNT_FSTYPE "]\n"
	      "  try: man 8 " HELPER_NAME "\n",
	      stderr);
	return -EINVAL;
}

/* -s makes what stands before it sloppy, too. */
static bool is_sloppy(int argc, char **argv)
{
	bool sloppy = false;
	int opt;

	opterr = 0;
	while ((opt = getopt(argc, argv, HELPER_OPTIONS)) != -1)
		sloppy |= opt == 's';
	opterr = 1;
	optind = 0; /* glibc: from the start */
	return sloppy;
}

static int take_helper_option(struct args *a, int opt, bool sloppy)
{
	switch (opt) {
	case 'o':
		return take_mount_options(a, optarg, sloppy);
	case 't':
		return strcmp(optarg, MOUNT_FSTYPE) == 0 ? 0 : usage_helper();
	case 'f':
		a->fake = true;
		return 0;
	case 'v':
	case 'n': /* no table of our own is written */
	case 's':
		return 0;
	default:
		return usage_helper();
	}
}

/* TRUST may stand as the mount table shows it, "mersey:rem". */
static int parse_helper(int argc, char **argv, struct args *out)
{
	size_t n = strlen(MOUNT_SOURCE);
	bool sloppy = is_sloppy(argc, argv);
	int opt, rc;

	out->helper = true;
	out->background = true;
	out->mode = MODE_SINGLE;
	while ((opt = getopt(argc, argv, HELPER_OPTIONS)) != -1) {
		rc = take_helper_option(out, opt, sloppy);
		if (rc < 0)
			return rc;
	}
	if (argc - optind != 2)
		return usage_helper();
	out->trust = argv[optind];
	if (strncmp(out->trust, MOUNT_SOURCE, n) == 0)
		out->trust += n;
	out->mountpoint = argv[optind + 1];
	return 0;
}

static bool is_helper(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash ? slash + 1 : argv0, HELPER_NAME) == 0;
}

int args_parse(int argc, char **argv, struct args *out)
{
	int rc;

	*out = (struct args){ .fuse_fd = -1,
			      .control_fd = -1,
			      .broker_fd = -1 };
	mountopt_init(&out->mount);
	rc = argc > 0 && is_helper(argv[0]) ? parse_helper(argc, argv, out)
					    : parse_daemon(argc, argv, out);
	if (rc < 0)
		return rc;
	if (!out->config)
		out->config = out->mount.config;
	if (!out->log_file)
		out->log_file = out->mount.log_file;
	if (!out->config)
		out->config = default_config();
	return 0;
}

void args_done(struct args *a)
{
	mountopt_done(&a->mount);
}
