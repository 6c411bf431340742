// SPDX-License-Identifier: Apache-2.0
/* From the config to the supervisor, and to the background. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "main/modes.h"
#include "super/super.h"

#define STOP_WAIT (10 * NSEC_PER_SEC)

/* The supervisor's view of the config. */
struct plan {
	struct conf_trust *ct;
	struct super_opts o;
	char *pid_file;
};

static void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->o.n_trusts; i++) {
		conf_trust_done(&p->ct[i]);
		free(p->o.trusts[i].credentials);
	}
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
		.key_file = ct->key_file,
		.n_credentials = t->n_credentials,
	};
	st->credentials =
		calloc(t->n_credentials + 1, sizeof(*st->credentials));
	if (!st->credentials)
		return fail(err, -ENOMEM, "%m");
	for (size_t i = 0; i < t->n_credentials; i++) {
		st->credentials[i].store = t->credentials[i].store->name;
		st->credentials[i].file = t->credentials[i].file;
	}
	return 0;
}

static int plan_init(struct plan *p, const struct config *c,
		     const bool *left_out, struct err *err)
{
	p->ct = calloc(c->n_trusts + 1, sizeof(*p->ct));
	p->o.trusts = calloc(c->n_trusts + 1, sizeof(*p->o.trusts));
	p->pid_file = io_path("%s/merseyd.pid", c->runtime_dir);
	if (!p->ct || !p->o.trusts || !p->pid_file)
		return fail(err, -ENOMEM, "%m");
	p->o.config_path = c->path;
	p->o.pid_file = p->pid_file;
	p->o.runtime_dir = c->runtime_dir;
	p->o.stop_wait_ns = STOP_WAIT;
	for (size_t i = 0; i < c->n_trusts; i++) {
		size_t n = p->o.n_trusts;
		int rc;

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

/* ---- the background -------------------------------------------------- */

/*
 * In the parent: waits for what the daemon says, '1' for ready or the message
 * of its failure, and ends with that.
 */
static void __attribute__((noreturn)) parent(int fd)
{
	char text[1600] = "";
	ssize_t n = io_read(fd, text, 1);

	if (n == 1 && text[0] == '1')
		exit(0);
	if (n == 1)
		n = io_read(fd, text + 1, sizeof(text) - 2);
	fprintf(stderr, "merseyd: %s\n",
		n > 0 ? text : "it ended before it was ready; see its log");
	exit(1);
}

static int redirect(const char *log_file)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log =
		open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		return -errno;
	close(null);
	close(log);
	return 0;
}

/*
 * Goes to the background: only the grandchild, which no terminal can reach,
 * returns; *ready_fd leads to the waiting parent.
 */
static int daemonise(const char *log_file, int *ready_fd, struct err *err)
{
	int p[2], rc;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail(err, -errno, "cannot make a pipe: %m");
	pid = fork();
	if (pid < 0)
		return fail(err, -errno, "cannot fork: %m");
	if (pid > 0) {
		close(p[1]);
		parent(p[0]);
	}
	close(p[0]);
	setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	*ready_fd = p[1];
	rc = redirect(log_file);
	if (rc < 0)
		return fail(err, rc, "cannot write to log '%s': %m", log_file);
	if (chdir("/") < 0)
		return fail(err, -errno, "cannot go to /: %m");
	log_setup("merseyd", LOG_LEVEL_INFO);
	return 0;
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
	signal(SIGPIPE, SIG_IGN); /* the parent leaves when we are ready */
	rc = daemonise(log_file, &ready_fd, err);
	if (rc == 0) {
		/* super_run() closes its own when it has said "ready". */
		p->o.ready_fd = fcntl(ready_fd, F_DUPFD_CLOEXEC, 3);
		rc = super_run(&p->o, err);
	}
	if (rc < 0 && ready_fd >= 0)
		/* Nobody reads it when the parent has left: that is fine. */
		(void)!write(ready_fd, err->msg, strlen(err->msg));
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
	rc = a->mode == MODE_FOREGROUND ? super_run(&p.o, &err)
					: background(a, &p, &err);
	return rc < 0 ? report(&err) : EXIT_SUCCESS;
}
