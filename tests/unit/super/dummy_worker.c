/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for a worker in test_super.c. What it does is in the trust's
 * name: "die…" ends at once, "rogue…" breaks the protocol, "tell…" speaks of
 * alarms, "liar…" of none that is one, "hang…" answers only FUSE_INIT, "serve…"
 * also GETATTR of the root. Each start appends
 * "<trust> <pid> <restarts>" to the config file's path + ".log".
 */
#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "super/super.h"

static void reply(int fd, const struct fuse_in_header *in, int error,
		  const void *p, size_t n)
{
	char out[256];
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + n),
		.error = error,
		.unique = in->unique,
	};

	memcpy(out, &head, sizeof(head));
	if (n)
		memcpy(out + sizeof(head), p, n);
	if (write(fd, out, head.len) < 0)
		_exit(0); /* interrupted or unmounted */
}

static void answer(int fd, const struct fuse_in_header *in)
{
	struct fuse_init_out init = { .major = 7,
				      .minor = 31,
				      .max_write = 65536 };
	struct fuse_attr_out attr = {
		.attr = { .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2 },
	};
	struct fuse_open_out open_out = { 0 };

	switch (in->opcode) {
	case FUSE_GETATTR:
		reply(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_INIT:
		reply(fd, in, 0, &init, sizeof(init));
		break;
	case FUSE_OPENDIR:
		reply(fd, in, 0, &open_out, sizeof(open_out));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_RELEASEDIR:
	case FUSE_DESTROY:
		reply(fd, in, 0, NULL, 0);
		break;
	default:
		reply(fd, in, -ENOSYS, NULL, 0);
	}
}

/* Until the connection ends. */
static void serve(int fd, bool hang)
{
	static char p[1 << 20];
	const struct fuse_in_header *in = (const void *)p;

	while (read(fd, p, sizeof(p)) > 0)
		if (!hang || in->opcode == FUSE_INIT)
			answer(fd, in);
}

static void terminate(int sig)
{
	_exit(0);
}

int main(int argc, char **argv)
{
	struct super_secret s[SUPER_SECRETS_MAX];
	const char *trust = argv[2], *config = argv[4];
	int fuse_fd = atoi(argv[6]), control_fd = atoi(argv[8]);
	size_t n = 0;
	FILE *log;
	char path[512];

	snprintf(path, sizeof(path), "%s.log", config);
	log = fopen(path, "ae");
	if (!log || argc < 11) /* more: it has a broker */
		return 99;
	fprintf(log, "%s %d %s\n", trust, getpid(), argv[10]);
	fclose(log);
	if (super_receive_secrets(control_fd, s, SUPER_SECRETS_MAX, &n, NULL) <
		    0 ||
	    n != 1 || strcmp(s[0].name, "key") != 0)
		return 98;
	super_secrets_done(s, n);
	if (strncmp(trust, "die", 3) == 0)
		return 1;
	if (strncmp(trust, "rogue", 5) == 0) {
		if (send(control_fd, "RR", 2, 0) != 2)
			return 97;
		pause();
	}
	if (strncmp(trust, "tell", 4) == 0)
		for (int i = 0; i < 200; i++)
			super_worker_alarm(control_fd, "fire\n", 5);
	if (strncmp(trust, "liar", 4) == 0)
		super_worker_alarm(control_fd, "", 0);
	signal(SIGTERM, terminate);
	if (super_worker_ready(control_fd, NULL) < 0)
		return 96;
	serve(fuse_fd, strncmp(trust, "hang", 4) == 0);
	return 0;
}
