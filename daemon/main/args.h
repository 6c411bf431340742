/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on merseyd's command line (merseyd(8)). */
#ifndef MERSEY_MAIN_ARGS_H
#define MERSEY_MAIN_ARGS_H

#include <stdbool.h>

/* Exit codes, the same as the CLI's. */
#define EXIT_USAGE 2 /* wrong usage or config */

enum mode {
	MODE_BACKGROUND,
	MODE_FOREGROUND,
	MODE_WORKER,
	MODE_SINGLE,
	MODE_SETUP,
	MODE_HELP,
	MODE_VERSION,
};

struct args {
	enum mode mode;
	const char *config;	/* as given, $MERSEY_CONFIG, or the default */
	const char *trust;	/* worker, single, setup */
	const char *mountpoint; /* single */
	const char *log_file;	/* background; NULL = in runtime_dir */
	bool verbose;
	bool no_barrier; /* single: for the test of power cuts only */
	int fuse_fd, control_fd;
	unsigned restarts;
};

/* 0, or -EINVAL after a message on stderr. */
int args_parse(int argc, char **argv, struct args *out);

/* What merseyd --help prints. */
void args_help(void);

#endif
