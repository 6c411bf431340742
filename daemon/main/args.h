/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on merseyd's command line (merseyd(8)). */
#ifndef MERSEY_MAIN_ARGS_H
#define MERSEY_MAIN_ARGS_H

#include <stdbool.h>

#include "base/log.h"
#include "main/mountopt.h"

/* Exit codes, the same as the CLI's. */
#define EXIT_USAGE 2 /* wrong usage or config */
/* Those that mount(8) knows. */
#define EXIT_MOUNT_USAGE  1
#define EXIT_MOUNT_FAILED 32

enum mode {
	MODE_BACKGROUND,
	MODE_FOREGROUND,
	MODE_WORKER,
	MODE_SINGLE,
	MODE_SETUP,
	MODE_ROLE,
	MODE_HELP,
	MODE_VERSION,
};

struct args {
	enum mode mode;
	const char *config;	/* as given, $MERSEY_CONFIG, or the default */
	const char *trust;	/* worker, single, setup, role */
	const char *mountpoint; /* single */
	const char *log_file;	/* background; NULL = in runtime_dir */
	bool background;	/* single */
	bool helper;		/* mount(8) runs us: its exit codes */
	bool fake;		/* helper: do all but the mount */
	struct mountopt mount;	/* single */
	bool verbose;
	bool no_barrier; /* single: for the test of power cuts only */
	int fuse_fd, control_fd;
	int broker_fd; /* -1: none */
	unsigned restarts;
};

/*
 * 0, or -EINVAL after a message on stderr. As mount.fuse.mersey it takes the
 * words of mount(8). Released with args_done(), also on failure.
 */
int args_parse(int argc, char **argv, struct args *out);
void args_done(struct args *a);

/* How much it wants to hear. */
static inline enum log_level log_level(const struct args *a)
{
	return a->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* What merseyd --help prints. */
void args_help(void);

#endif
