/* SPDX-License-Identifier: Apache-2.0 */
/* merseyd(8). This folder is the only one that sees all layers. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "main/modes.h"

int report(const struct err *err)
{
	log_err("%s", err->msg);
	if (err->hint[0])
		log_err("  try: %s", err->hint);
	return EXIT_FAILURE;
}

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
	case MODE_HELP:
		args_help();
		return 0;
	case MODE_VERSION:
		puts("merseyd " MERSEY_VERSION);
		return 0;
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	CLEANUP_FREE char *config = NULL;
	struct args a;

	if (args_parse(argc, argv, &a) < 0)
		return EXIT_USAGE;
	log_setup(a.trust ? a.trust : "merseyd",
		  a.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	/* Processes change their directory, and workers are given the name. */
	config = realpath(a.config, NULL);
	if (config)
		a.config = config;
	return run(&a);
}
