/* SPDX-License-Identifier: Apache-2.0 */
#include "main/args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

enum {
	OPT_FOREGROUND = 256,
	OPT_WORKER,
	OPT_SINGLE,
	OPT_SETUP,
	OPT_CONFIG,
	OPT_LOG,
	OPT_JSON,
	OPT_FUSE_FD,
	OPT_CONTROL_FD,
	OPT_RESTARTS,
	OPT_NO_BARRIER,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "single", required_argument, NULL, OPT_SINGLE },
	{ "setup", required_argument, NULL, OPT_SETUP },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	/* The supervisor's, for its workers: */
	{ "worker", required_argument, NULL, OPT_WORKER },
	{ "fuse-fd", required_argument, NULL, OPT_FUSE_FD },
	{ "control-fd", required_argument, NULL, OPT_CONTROL_FD },
	{ "restarts", required_argument, NULL, OPT_RESTARTS },
	/* A test's: */
	{ "unsafe-no-barrier", no_argument, NULL, OPT_NO_BARRIER },
	{ 0 },
};

static const char help[] =
	"usage: merseyd [--foreground] [--config FILE] [--log FILE]\n"
	"       merseyd --single TRUST MOUNTPOINT [--config FILE]\n"
	"       merseyd --setup TRUST [--config FILE] [--json]\n"
	"\n"
	"Serves all trusts of the config, each from a process of its own.\n"
	"\n"
	"  --foreground     stay; without it, go to the background when ready\n"
	"  --single TRUST MOUNTPOINT\n"
	"                   serve one trust from this process\n"
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

int args_parse(int argc, char **argv, struct args *out)
{
	int opt, rc;

	*out = (struct args){ .fuse_fd = -1, .control_fd = -1 };
	while ((opt = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
		rc = take_option(out, opt);
		if (rc < 0)
			return rc;
	}
	if (out->mode == MODE_SINGLE && optind < argc)
		out->mountpoint = argv[optind++];
	if (out->mode == MODE_SINGLE && !out->mountpoint)
		return usage("--single TRUST wants a mount point");
	if (optind < argc)
		return usage("too many arguments");
	if (out->mode == MODE_WORKER &&
	    (out->fuse_fd < 0 || out->control_fd < 0))
		return usage("--worker is for the supervisor only");
	if (!out->config)
		out->config = default_config();
	return 0;
}
