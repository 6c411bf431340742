/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trust from one process: a test harness, a laptop, `mersey mount`, and
 * mount.fuse.mersey for mount(8) and fstab. As root it mounts for everybody
 * and then becomes the trust's user, as a worker does; as a plain user it
 * mounts for that user through fusermount3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/log.h"
#include "main/alarms.h"
#include "main/background.h"
#include "main/ending.h"
#include "main/modes.h"
#include "main/service.h"
#include "main/sources.h"
#include "main/turn.h"
#include "main/unmounter.h"
#include "super/pidfile.h"

struct single {
	const struct args *a;
	const char *mountpoint; /* absolute */
	struct super_secret secret[SUPER_SECRETS_MAX];
	size_t n_secrets;
	int turn_fd, ctl_fd, fuse_fd;
	int ready_fd;	    /* leads to who waits; -1 = nobody does */
	struct buf options; /* of a plain user's mount */
	struct unmounter unmounter;
	struct alarm_out alarms;
	struct super_commander commander;
	struct super_broker broker; /* its fd: -1 = none, or handed on */
	struct super_keeper keeper;
};

static int single_ready(void *arg, struct err *err)
{
	struct single *s = arg;
	int rc = unmounter_attach(&s->unmounter, err);

	if (rc < 0)
		return rc;
	rc = super_notify("READY=1\nSTATUS=serving");
	if (rc < 0) /* its not knowing stops nobody */
		log_warn("cannot tell systemd: %s", strerror(-rc));
	log_info("ready: serving '%s'", s->mountpoint);
	if (s->ready_fd >= 0)
		background_ready(take_fd(s->ready_fd));
	return 0;
}

/* Who cannot be told any more is done without. */
static int single_alarm(void *arg, const struct alarm *alarm)
{
	struct single *s = arg;
	CLEANUP_BUF struct buf text = { 0 };
	int rc;

	if (s->commander.pid <= 0)
		return 0;
	rc = alarm_json(alarm, s->a->trust, s->alarms.gateway, &text);
	if (rc == 0)
		rc = super_commander_tell(&s->commander, text.data, text.len);
	if (rc != -EPIPE)
		return rc;
	log_warn("alarm_command is not told of an alarm: the process that runs "
		 "it has ended");
	return 0;
}

static int start_commander(struct single *s, const struct config *c,
			   struct err *err)
{
	int rc = alarm_out_init(&s->alarms, c);

	if (rc < 0)
		return fail(err, rc, "%m");
	return rc ? super_commander_start(&s->commander,
					  &s->alarms.super.command, err)
		  : 0;
}

/* Without one this process serves all files itself. */
static void start_broker(struct single *s, const struct conf_trust *ct)
{
	struct super_trust t = { .name = ct->t->name,
				 .uid = ct->uid,
				 .gid = ct->gid,
				 .state_dir = ct->state_dir };
	struct err err = ERR_INIT;

	if (!ct->t->cache_passthrough)
		return;
	if (super_broker_start(&s->broker, &t, s->fuse_fd, &err) < 0)
		log_warn("no files are passed through to the kernel: %s",
			 err.msg);
}

/* When its end of the socket is closed; the fuse device is free then. */
static void finish_broker(struct single *s)
{
	if (s->broker.fd >= 0)
		close(s->broker.fd);
	while (s->broker.pid > 0 && waitpid(s->broker.pid, NULL, 0) < 0 &&
	       errno == EINTR)
		;
}

static int start_keeper(struct single *s, const struct conf_trust *ct,
			struct err *err)
{
	struct super_credential *all = NULL;
	size_t n = ct->t->n_credentials;
	int rc = n ? sources_init(ct, &all, err) : 0;

	if (rc == 0)
		rc = sources_hide(err);
	if (rc == 0 && n)
		rc = super_keeper_start(&s->keeper, all, n, err);
	sources_done(all, n);
	return rc;
}

/*
 * As root: the mount, somebody to unmount it, somebody to register files,
 * another user. The secrets are read when the others have been started: they
 * have none in their memory.
 */
static int become_user(struct single *s, const struct conf_trust *ct,
		       struct err *err)
{
	struct super_sandbox sandbox = service_sandbox(ct, 0);
	struct super_mount_opts o = {
		.flags = s->a->mount.flags,
		.data = s->a->mount.context.len
				? (const char *)s->a->mount.context.data
				: NULL,
	};
	int rc = super_mount(ct->t->name, s->mountpoint, &o, err);

	if (rc < 0)
		return rc;
	s->fuse_fd = rc;
	rc = unmounter_start(&s->unmounter, ct->t->name, s->mountpoint, err);
	if (rc < 0) {
		super_unmount(s->mountpoint, true);
		return rc;
	}
	start_broker(s, ct);
	rc = conf_read_secrets(ct, s->secret, &s->n_secrets, err);
	return rc < 0 ? rc : super_drop_privileges(&sandbox, err);
}

static int prepare(struct single *s, const struct conf_trust *ct,
		   struct err *err)
{
	bool root = geteuid() == 0;
	int rc = conf_check_state_dir(ct, root ? ct->uid : geteuid(), err);

	if (rc == 0)
		rc = start_keeper(s, ct, err);
	if (rc == 0 && !root)
		rc = conf_read_secrets(ct, s->secret, &s->n_secrets, err);
	if (rc == 0)
		rc = s->turn_fd = turn_take(ct, s->mountpoint, false, err);
	if (rc < 0)
		return rc;
	s->ctl_fd = ctl_listen(ct->socket, err);
	if (s->ctl_fd < 0)
		return s->ctl_fd;
	umask(077);
	if (root)
		return become_user(s, ct, err);
	rc = mountopt_text(&s->a->mount, &s->options);
	if (rc < 0)
		return fail(err, rc, "%m");
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
		.options = s->options.len ? (char *)s->options.data : NULL,
		.ctl_fd = s->ctl_fd,
		.broker_fd = s->broker.fd,
		.control_fd = -1,
		.keeper_fd = s->keeper.pid > 0 ? s->keeper.fd : -1,
		.unmount_fd = s->unmounter.pid > 0 ? s->unmounter.fd : -1,
		.ready = single_ready,
		.alarm = single_alarm,
		.arg = s,
	};
	int rc = service_open(&sv, ct, s->secret, s->n_secrets, err);

	super_secrets_done(s->secret, s->n_secrets);
	s->n_secrets = 0;
	if (rc < 0)
		return rc;
	s->broker.fd = -1; /* service_run() takes it */
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

/* From here on in the background, when that was asked for. */
static int leave(struct single *s, const struct conf_trust *ct, struct err *err)
{
	const struct args *a = s->a;
	CLEANUP_FREE char *log_file =
		a->log_file
			? strdup(a->log_file)
			: io_path("%s/%s.log", ct->c->runtime_dir, ct->t->name);
	int failed = a->helper ? EXIT_MOUNT_FAILED : EXIT_FAILURE;
	int rc;

	if (!log_file)
		return fail(err, -ENOMEM, "%m");
	if (!a->background)
		return 0;
	rc = io_mkdir_p(ct->c->runtime_dir, 0755);
	if (rc < 0)
		return fail(err, rc, "cannot make '%s': %m",
			    ct->c->runtime_dir);
	rc = background_start(log_file, failed, &s->ready_fd, err);
	if (rc == 0)
		log_setup(ct->t->name, log_level(a));
	return rc;
}

static int single(struct single *s, const struct config *c, struct err *err)
{
	CLEANUP(conf_trust_done) struct conf_trust ct = { 0 };
	int rc;

	rc = conf_trust_init(&ct, c, s->a->trust, err);
	if (rc < 0 || s->a->fake)
		return rc;
	ct.no_atime = s->a->mount.flags & (MS_NOATIME | MS_RDONLY);
	rc = leave(s, &ct, err);
	ending_init();
	service_limit_memory();
	if (rc == 0)
		rc = start_commander(s, c, err);
	if (rc == 0)
		rc = prepare(s, &ct, err);
	return rc < 0 ? rc : serve(s, &ct, err);
}

/* Whoever waits is told; in the foreground the log is all there is. */
static int failed(struct single *s, const struct err *err)
{
	bool waits = s->ready_fd >= 0;

	if (waits)
		background_failed(take_fd(s->ready_fd), err);
	else if (s->a->background) /* it has not left yet */
		return complain(err);
	return report(err);
}

int mode_single(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	CLEANUP_FREE char *mountpoint = absolute(a->mountpoint);
	struct single s = { .a = a,
			    .turn_fd = -1,
			    .ctl_fd = -1,
			    .fuse_fd = -1,
			    .ready_fd = -1,
			    .broker = { .fd = -1 } };
	struct err err = ERR_INIT;
	int rc;

	s.mountpoint = mountpoint;
	if (!mountpoint)
		rc = fail(&err, -ENOENT, "cannot tell where '%s' is: %m",
			  a->mountpoint);
	else if (a->mount.remount) /* the kernel's matter only */
		rc = super_remount(
			mountpoint,
			&(struct super_mount_opts){ .flags = a->mount.flags },
			&err);
	else if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	else
		rc = single(&s, c, &err);
	super_secrets_done(s.secret, s.n_secrets);
	super_commander_leave(&s.commander);
	alarm_out_done(&s.alarms);
	finish_broker(&s);
	super_keeper_finish(&s.keeper);
	unmounter_finish(&s.unmounter);
	pidfile_release(s.turn_fd); /* after all of it: the next may start */
	buf_done(&s.options);
	return rc < 0 ? failed(&s, &err) : ending_status();
}
