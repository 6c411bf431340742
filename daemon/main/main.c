/* SPDX-License-Identifier: Apache-2.0 */
/* merseyd(8). This folder is the only one that sees all layers. */
#include <stdio.h>
#include <stdlib.h>

#include "base/guard.h"
#include "base/log.h"
#include "main/modes.h"

static int run(const struct args *a)
{
	switch (a->mode) {
	case MODE_BACKGROUND:
	case MODE_FOREGROUND:
		return mode_supervise(a);
	case MODE_WORKER:
		return mode_worker(a);
	case MODE_SINGLE:
		return mode_single(a);
	case MODE_SETUP:
		return mode_setup(a);
	case MODE_ROLE:
		return mode_role(a);
	case MODE_HELP:
		args_help();
		return 0;
	case MODE_VERSION:
		puts("merseyd " MERSEY_VERSION);
		return 0;
	}
	return EXIT_USAGE;
}

/* Processes change their directory, and workers are given the name. */
static int run_with_config(struct args *a)
{
	CLEANUP_FREE char *config = realpath(a->config, NULL);

	if (config)
		a->config = config;
	return run(a);
}

/* What mount(8) understands: it failed to mount, whatever the reason. */
static int helper_status(const struct args *a, int status)
{
	return a->helper && status != EXIT_SUCCESS ? EXIT_MOUNT_FAILED : status;
}

int main(int argc, char **argv)
{
	CLEANUP(args_done) struct args a;

	if (args_parse(argc, argv, &a) < 0)
		return a.helper ? EXIT_MOUNT_USAGE : EXIT_USAGE;
	log_setup(a.trust ? a.trust : "merseyd", log_level(&a));
	return helper_status(&a, run_with_config(&a));
}
