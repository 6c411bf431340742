// SPDX-License-Identifier: Apache-2.0
/* From the config to the supervisor, and to the background. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "main/alarms.h"
#include "main/background.h"
#include "main/modes.h"
#include "main/service.h"
#include "main/sources.h"
#include "super/super.h"

#define STOP_WAIT (10 * NSEC_PER_SEC)

/* The supervisor's view of the config. */
struct plan {
	struct conf_trust *ct;
	struct super_opts o;
	struct alarm_out alarms;
	char *pid_file;
};

static void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->o.n_trusts; i++) {
		conf_trust_done(&p->ct[i]);
		sources_done(p->o.trusts[i].credentials,
			     p->o.trusts[i].n_credentials);
	}
	alarm_out_done(&p->alarms);
	free(p->ct);
	free(p->o.trusts);
	free(p->pid_file);
}

static int plan_trust(struct super_trust *st, const struct conf_trust *ct,
		      struct err *err)
{
	const struct config_trust *t = ct->t;

	if (!ct->key_file)
		return fail(err, -ENOENT,
			    "trust '%s': credential '%s' was not passed "
			    "(LoadCredential= of systemd)",
			    t->name, t->key_credential);
	*st = (struct super_trust){
		.name = t->name,
		.uid = ct->uid,
		.gid = ct->gid,
		.mountpoint = t->mount,
		.state_dir = ct->state_dir,
		.passthrough = t->cache_passthrough,
		.key_file = ct->key_file,
		.n_credentials = t->n_credentials,
	};
	return sources_init(ct, &st->credentials, err);
}

static int plan_init(struct plan *p, const struct config *c,
		     const bool *left_out, struct err *err)
{
	int rc = alarm_out_init(&p->alarms, c);

	if (rc < 0)
		return fail(err, rc, "%m");
	p->o.alarms = rc ? &p->alarms.super : NULL;
	p->ct = calloc(c->n_trusts + 1, sizeof(*p->ct));
	p->o.trusts = calloc(c->n_trusts + 1, sizeof(*p->o.trusts));
	p->pid_file = io_path("%s/merseyd.pid", c->runtime_dir);
	if (!p->ct || !p->o.trusts || !p->pid_file)
		return fail(err, -ENOMEM, "%m");
	p->o.config_path = c->path;
	p->o.pid_file = p->pid_file;
	p->o.runtime_dir = c->runtime_dir;
	p->o.stop_wait_ns = STOP_WAIT;
	p->o.root_name = service_root_name();
	for (size_t i = 0; i < c->n_trusts; i++) {
		size_t n = p->o.n_trusts;

		if (left_out[i])
			continue;
		p->o.n_trusts++;
		rc = conf_trust_init(&p->ct[n], c, c->trusts[i].name, err);
		if (rc == 0)
			rc = plan_trust(&p->o.trusts[n], &p->ct[n], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- running --------------------------------------------------------- */

static int supervise(struct plan *p, struct err *err)
{
	int rc = sources_hide(err);

	return rc < 0 ? rc : super_run(&p->o, err);
}

static int background(const struct args *a, struct plan *p, struct err *err)
{
	CLEANUP_FREE char *log_file =
		a->log_file ? strdup(a->log_file)
			    : io_path("%s/merseyd.log", p->o.runtime_dir);
	int ready_fd = -1, rc;

	if (!log_file)
		return fail(err, -ENOMEM, "%m");
	rc = io_mkdir_p(p->o.runtime_dir, 0755);
	if (rc < 0)
		return fail(err, rc, "cannot make '%s': %m", p->o.runtime_dir);
	rc = background_start(log_file, EXIT_FAILURE, &ready_fd, err);
	if (rc == 0) {
		log_setup("merseyd", log_level(a));
		/* super_run() closes its own when it has said "ready". */
		p->o.ready_fd = fcntl(ready_fd, F_DUPFD_CLOEXEC, 3);
		rc = supervise(p, err);
	}
	if (rc < 0 && ready_fd >= 0)
		background_failed(ready_fd, err);
	return rc;
}

int mode_supervise(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	CLEANUP(plan_done) struct plan p = { 0 };
	CLEANUP_FREE bool *left_out = NULL;
	struct err err = ERR_INIT;
	int rc;

	if (geteuid() != 0) {
		fputs("merseyd: only root can mount for all users\n"
		      "  try: merseyd --single TRUST MOUNTPOINT\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	left_out = calloc(c->n_trusts + 1, sizeof(*left_out));
	if (!left_out || conf_check_secrets(c, left_out) < 0)
		return EXIT_USAGE;
	rc = plan_init(&p, c, left_out, &err);
	if (rc < 0) {
		report(&err);
		return EXIT_USAGE;
	}
	rc = a->mode == MODE_FOREGROUND ? supervise(&p, &err)
					: background(a, &p, &err);
	return rc < 0 ? report(&err) : EXIT_SUCCESS;
}
