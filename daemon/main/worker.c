/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: starts as root, with two descriptors from the supervisor; takes
 * its secrets, makes its control socket, gives up every privilege, and only
 * then opens anything that holds a trust's data.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "main/ending.h"
#include "main/modes.h"
#include "main/service.h"
#include "main/turn.h"

struct worker_start {
	const struct args *a;
	struct super_secret secret[SUPER_SECRETS_MAX];
	size_t n_secrets;
	int ctl_fd;
};

static int worker_ready(void *arg, struct err *err)
{
	const struct args *a = arg;

	return super_worker_ready(a->control_fd, err);
}

static int worker_alarm(void *arg, const struct alarm *alarm)
{
	const struct args *a = arg;

	return super_worker_alarm(a->control_fd, alarm, sizeof(*alarm));
}

/* While still root. */
static int prepare(struct worker_start *w, const struct conf_trust *ct,
		   struct err *err)
{
	int rc = super_receive_secrets(w->a->control_fd, w->secret,
				       SUPER_SECRETS_MAX, &w->n_secrets, err);

	if (rc == 0)
		rc = conf_check_state_dir(ct, ct->uid, err);
	if (rc == 0) /* held until this process ends */
		rc = turn_take(ct, ct->t->mount, true, err);
	if (rc < 0)
		return rc;
	w->ctl_fd = ctl_listen(ct->socket, err);
	return w->ctl_fd < 0 ? w->ctl_fd : 0;
}

static int drop(const struct worker_start *w, const struct conf_trust *ct,
		struct err *err)
{
	pid_t parent = super_worker_parent(w->a->control_fd);
	struct super_sandbox sandbox = service_sandbox(ct, parent);

	if (parent < 0)
		return fail(err, parent, "who is the supervisor? %m");
	umask(077);
	return super_drop_privileges(&sandbox, err);
}

static int serve(struct worker_start *w, const struct conf_trust *ct,
		 struct err *err)
{
	CLEANUP(service_close) struct service s = { 0 };
	struct service_run r = {
		.mountpoint = ct->t->mount,
		.fuse_fd = w->a->fuse_fd,
		.ctl_fd = w->ctl_fd,
		.broker_fd = w->a->broker_fd,
		.control_fd = w->a->control_fd,
		.keeper_fd = -1,
		.restarts = w->a->restarts,
		.unmount_fd = -1,
		.ready = worker_ready,
		.alarm = worker_alarm,
		.arg = (void *)w->a,
	};
	int rc = service_open(&s, ct, w->secret, w->n_secrets, err);

	super_secrets_done(w->secret, w->n_secrets);
	w->n_secrets = 0;
	return rc < 0 ? rc : service_run(&s, &r, err);
}

int mode_worker(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	CLEANUP(conf_trust_done) struct conf_trust ct = { 0 };
	struct worker_start w = { .a = a, .ctl_fd = -1 };
	struct err err = ERR_INIT;
	int rc;

	ending_init();
	service_limit_memory();
	if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	rc = conf_trust_init(&ct, c, a->trust, &err);
	if (rc == 0)
		rc = prepare(&w, &ct, &err);
	if (rc == 0)
		rc = drop(&w, &ct, &err);
	if (rc == 0)
		rc = serve(&w, &ct, &err);
	super_secrets_done(w.secret, w.n_secrets);
	return rc < 0 ? report(&err) : ending_status();
}
