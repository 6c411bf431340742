/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trust from one process: a test harness, a laptop, `mersey mount`. As
 * root it mounts for everybody and then becomes the trust's user, as a worker
 * does; as a plain user it mounts for that user through fusermount3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "main/ending.h"
#include "main/modes.h"
#include "main/service.h"
#include "main/unmounter.h"

struct single {
	const struct args *a;
	const char *mountpoint; /* absolute */
	struct super_secret secret[SUPER_SECRETS_MAX];
	size_t n_secrets;
	int ctl_fd, fuse_fd;
	struct unmounter unmounter;
};

static int single_ready(void *arg, struct err *err)
{
	const struct single *s = arg;
	int rc = super_notify("READY=1\nSTATUS=serving");

	(void)err; /* systemd's not knowing stops nobody */
	if (rc < 0)
		log_warn("cannot tell systemd: %s", strerror(-rc));
	log_info("ready: serving '%s'", s->mountpoint);
	return 0;
}

/* As root: the mount, somebody to unmount it, another user. */
static int become_user(struct single *s, const struct conf_trust *ct,
		       struct err *err)
{
	struct super_sandbox sandbox = service_sandbox(ct, 0);
	int rc = super_mount(ct->t->name, s->mountpoint, err);

	if (rc < 0)
		return rc;
	s->fuse_fd = rc;
	rc = unmounter_start(&s->unmounter, s->mountpoint, err);
	if (rc < 0) {
		super_unmount(s->mountpoint, true);
		return rc;
	}
	return super_drop_privileges(&sandbox, err);
}

static int prepare(struct single *s, const struct conf_trust *ct,
		   struct err *err)
{
	bool root = geteuid() == 0;
	int rc = conf_read_secrets(ct, s->secret, &s->n_secrets, err);

	if (rc == 0)
		rc = conf_check_state_dir(ct, root ? ct->uid : geteuid(), err);
	if (rc < 0)
		return rc;
	s->ctl_fd = ctl_listen(ct->socket, err);
	if (s->ctl_fd < 0)
		return s->ctl_fd;
	umask(077);
	if (root)
		return become_user(s, ct, err);
	return super_drop_privileges(
		&(struct super_sandbox){ .descriptors =
						 ct->t->limit_descriptors },
		err);
}

static int serve(struct single *s, const struct conf_trust *ct, struct err *err)
{
	CLEANUP(service_close) struct service sv = { 0 };
	struct service_run r = {
		.mountpoint = s->mountpoint,
		.fuse_fd = s->fuse_fd,
		.ctl_fd = s->ctl_fd,
		.unmount_fd = s->unmounter.pid > 0 ? s->unmounter.fd : -1,
		.ready = single_ready,
		.arg = s,
	};
	int rc = service_open(&sv, ct, s->secret, s->n_secrets, err);

	super_secrets_done(s->secret, s->n_secrets);
	s->n_secrets = 0;
	if (rc < 0)
		return rc;
	if (s->a->no_barrier) {
		log_warn("running WITHOUT the durability barrier: a power cut "
			 "loses data");
		meta_set_barrier(sv.meta, false);
	}
	return service_run(&sv, &r, err);
}

/* Absolute, with what lies above it resolved; the mount point itself may be
 * a dead mount and is not looked at. */
static char *absolute(const char *path)
{
	CLEANUP_FREE char *cwd = NULL;

	if (path[0] == '/')
		return strdup(path);
	cwd = realpath(".", NULL);
	return cwd ? io_path("%s/%s", cwd, path) : NULL;
}

static int single(struct single *s, const struct config *c, struct err *err)
{
	CLEANUP(conf_trust_done) struct conf_trust ct = { 0 };
	int rc = conf_trust_init(&ct, c, s->a->trust, err);

	if (rc == 0)
		rc = prepare(s, &ct, err);
	return rc < 0 ? rc : serve(s, &ct, err);
}

int mode_single(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	CLEANUP_FREE char *mountpoint = absolute(a->mountpoint);
	struct single s = { .a = a, .ctl_fd = -1, .fuse_fd = -1 };
	struct err err = ERR_INIT;
	int rc;

	ending_init();
	service_limit_memory();
	if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	s.mountpoint = mountpoint;
	rc = mountpoint ? single(&s, c, &err)
			: fail(&err, -ENOENT, "cannot tell where '%s' is: %m",
			       a->mountpoint);
	super_secrets_done(s.secret, s.n_secrets);
	unmounter_finish(&s.unmounter);
	return rc < 0 ? report(&err) : ending_status();
}
