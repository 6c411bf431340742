/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's loop: one thread, signals through a descriptor, nothing
 * that blocks but a mount and the reading of secrets.
 */
#include "super/super.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "super/pidfile.h"
#include "super/worker.h"

/* A first start that takes longer does not hold up "ready". */
#define SETTLE_NS (60 * NSEC_PER_SEC)
/* From SIGTERM to a worker until SIGKILL; from there until we give up. */
#define TERM_NS (10 * NSEC_PER_SEC)
#define KILL_NS (5 * NSEC_PER_SEC)

enum phase { RUNNING, LEAVING, FORCED, KILLED, LOST };

struct super {
	const struct super_opts *o;
	struct worker *worker;
	struct super_commander commander;
	struct pollfd *poll; /* [0] signals, [i + 1] worker i */
	int signal_fd, pid_fd;
	sigset_t old_mask;
	bool masked;
	bool ready; /* said so */
	int64_t begun_ns;
	enum phase phase;
	int64_t phase_end_ns; /* while not RUNNING */
};

static size_t count(const struct super *s, enum worker_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->o->n_trusts; i++)
		n += s->worker[i].state == state;
	return n;
}

static int64_t stop_wait(const struct super *s)
{
	return s->o->stop_wait_ns > 0 ? s->o->stop_wait_ns : 10 * NSEC_PER_SEC;
}

static void notify(const char *what)
{
	int rc = super_notify("%s", what);

	if (rc < 0)
		log_warn("cannot tell systemd: %s", strerror(-rc));
}

/* ---- signals --------------------------------------------------------- */

static int super_signals(struct super *s, struct err *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGPIPE); /* of stderr: nobody reads it any more */
	if (sigprocmask(SIG_BLOCK, &mask, &s->old_mask) < 0)
		return fail(err, -errno, "cannot block signals: %m");
	s->masked = true;
	s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return fail(err, -errno, "cannot make a signalfd: %m");
	return 0;
}

static void super_leave(struct super *s, const char *why)
{
	if (s->phase == LEAVING) /* a second time: somebody is in a hurry */
		s->phase_end_ns = clock_boot_ns();
	if (s->phase != RUNNING)
		return;
	log_info("%s: unmounting; open files are served for %.0f s more", why,
		 (double)stop_wait(s) / 1e9);
	notify("STOPPING=1\nSTATUS=waiting for open files");
	s->phase = LEAVING;
	s->phase_end_ns = clock_boot_ns() + stop_wait(s);
	for (size_t i = 0; i < s->o->n_trusts; i++)
		worker_leave(&s->worker[i]);
}

static void super_renew(struct super *s, bool all)
{
	if (s->phase != RUNNING)
		return;
	for (size_t i = 0; i < s->o->n_trusts; i++)
		worker_renew(&s->worker[i], clock_boot_ns(), all);
}

static void super_signal(struct super *s, unsigned signo)
{
	switch (signo) {
	case SIGTERM:
		super_leave(s, "SIGTERM");
		break;
	case SIGINT:
		super_leave(s, "SIGINT");
		break;
	case SIGHUP:
		log_info("SIGHUP: credentials are read again; a changed config "
			 "needs a restart");
		super_renew(s, true);
		break;
	default: /* SIGCHLD: see super_reap(); SIGPIPE: nothing */
		break;
	}
}

static void super_read_signals(struct super *s)
{
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof(si)) == sizeof(si))
		super_signal(s, si.ssi_signo);
}

/* ---- one turn of the loop -------------------------------------------- */

static void super_reap(struct super *s)
{
	int64_t now = clock_boot_ns();

	if (s->commander.pid > 0 &&
	    waitpid(s->commander.pid, NULL, WNOHANG) == s->commander.pid)
		super_commander_leave(&s->commander);
	for (size_t i = 0; i < s->o->n_trusts; i++) {
		struct worker *w = &s->worker[i];
		int status;

		if (w->pid > 0 && waitpid(w->pid, &status, WNOHANG) == w->pid)
			worker_died(w, status, now);
		if (w->broker.pid > 0 &&
		    waitpid(w->broker.pid, &status, WNOHANG) == w->broker.pid)
			worker_broker_died(w, status);
	}
}

static void super_start_due(struct super *s)
{
	if (s->phase != RUNNING)
		return;
	for (size_t i = 0; i < s->o->n_trusts; i++)
		worker_start(&s->worker[i], clock_boot_ns());
}

/* Each stage of the end begins when the one before did not do. */
static void super_press(struct super *s)
{
	int64_t now = clock_boot_ns();

	if (s->phase == RUNNING || now < s->phase_end_ns)
		return;
	s->phase++;
	s->phase_end_ns = now + (s->phase == FORCED ? TERM_NS : KILL_NS);
	for (size_t i = 0; i < s->o->n_trusts; i++)
		if (s->phase == FORCED)
			worker_force(&s->worker[i]);
		else if (s->phase == KILLED)
			worker_kill(&s->worker[i]);
}

static bool all_tried(const struct super *s)
{
	for (size_t i = 0; i < s->o->n_trusts; i++)
		if (!s->worker[i].tried)
			return false;
	return true;
}

static void tell_parent(const struct super *s)
{
	if (s->o->ready_fd <= 0)
		return;
	if (io_write(s->o->ready_fd, "1", 1) < 0)
		log_warn("cannot tell the parent process: %m");
	close(s->o->ready_fd);
}

/*
 * Says "ready" once every trust serves or has failed to: one that cannot
 * start does not hold up the others. -ECHILD when none could.
 */
static int super_settle(struct super *s, struct err *err)
{
	size_t serving = count(s, WORKER_SERVING);
	char text[128];

	if (s->ready || s->phase != RUNNING)
		return 0;
	if (!all_tried(s) && clock_boot_ns() - s->begun_ns < SETTLE_NS)
		return 0;
	if (serving == 0 && count(s, WORKER_STARTING) == 0)
		return fail(err, -ECHILD, "no trust could be started");
	s->ready = true;
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", getpid());
	notify(text);
	tell_parent(s);
	log_info("%zu of %zu trusts are served", serving, s->o->n_trusts);
	return 0;
}

static void super_status(struct super *s)
{
	char text[128];

	if (!s->ready || s->phase != RUNNING)
		return;
	snprintf(text, sizeof(text), "STATUS=%zu of %zu trusts are served",
		 count(s, WORKER_SERVING), s->o->n_trusts);
	notify(text);
}

/* Milliseconds until something is due; -1 = nothing is. */
static int super_timeout(const struct super *s)
{
	int64_t now = clock_boot_ns(), due = INT64_MAX;

	if (s->phase != RUNNING)
		due = s->phase_end_ns;
	else if (!s->ready)
		due = s->begun_ns + SETTLE_NS;
	for (size_t i = 0; i < s->o->n_trusts; i++)
		if (s->phase == RUNNING && s->worker[i].state == WORKER_WAITING)
			due = MIN(due, s->worker[i].next_ns);
		else if (s->phase == RUNNING)
			due = MIN(due, worker_renew_due(&s->worker[i]));
	if (due == INT64_MAX)
		return -1;
	return due <= now ? 0 : (int)MIN((due - now) / 1000000 + 1, 60000);
}

static int super_poll(struct super *s, struct err *err)
{
	size_t n = s->o->n_trusts;

	s->poll[0] = (struct pollfd){ s->signal_fd, POLLIN, 0 };
	for (size_t i = 0; i < n; i++)
		s->poll[i + 1] =
			(struct pollfd){ s->worker[i].control_fd, POLLIN, 0 };
	if (poll(s->poll, n + 1, super_timeout(s)) < 0) {
		if (errno == EINTR)
			return 0;
		return fail(err, -errno, "poll: %m");
	}
	if (s->poll[0].revents)
		super_read_signals(s);
	for (size_t i = 0; i < n; i++)
		if (s->poll[i + 1].revents && s->worker[i].control_fd >= 0)
			worker_message(&s->worker[i]);
	return 0;
}

static int super_loop(struct super *s, struct err *err)
{
	size_t serving = 0;

	while (s->phase < LOST) {
		int rc = super_poll(s, err);

		super_reap(s);
		super_press(s);
		if (s->phase != RUNNING &&
		    count(s, WORKER_ENDED) == s->o->n_trusts)
			return rc;
		super_start_due(s);
		super_renew(s, false);
		if (rc == 0)
			rc = super_settle(s, err);
		if (rc < 0)
			return rc;
		if (count(s, WORKER_SERVING) != serving)
			super_status(s);
		serving = count(s, WORKER_SERVING);
	}
	return fail(err, -EBUSY, "a worker cannot be killed");
}

/* ---- begin and end --------------------------------------------------- */

static int super_begin(struct super *s, struct err *err)
{
	const struct super_opts *o = s->o;
	int rc;

	umask(022);
	s->begun_ns = clock_boot_ns();
	s->worker = calloc(o->n_trusts + 1, sizeof(*s->worker));
	s->poll = calloc(o->n_trusts + 1, sizeof(*s->poll));
	if (!s->worker || !s->poll)
		return fail(err, -ENOMEM, "%m");
	for (size_t i = 0; i < o->n_trusts; i++)
		if (worker_init(&s->worker[i], o, &o->trusts[i],
				&s->commander) < 0)
			return fail(err, -ENOMEM, "%m");
	rc = o->runtime_dir ? io_mkdir_p(o->runtime_dir, 0755) : 0;
	if (rc < 0)
		return fail(err, rc, "cannot make '%s': %m", o->runtime_dir);
	if (o->pid_file) {
		rc = pidfile_take(o->pid_file, err);
		if (rc < 0)
			return rc;
		s->pid_fd = rc;
	}
	return super_signals(s, err);
}

/* After a failure of our own no worker may be left behind. */
static void super_end_workers(struct super *s)
{
	for (size_t i = 0; s->worker && i < s->o->n_trusts; i++) {
		struct worker *w = &s->worker[i];
		int status;

		if (w->pid <= 0 || s->phase == LOST)
			continue;
		kill(w->pid, SIGKILL);
		if (waitpid(w->pid, &status, 0) == w->pid)
			worker_died(w, status, clock_boot_ns());
	}
}

/* Their workers are gone, and so are they in a moment. */
static void super_end_brokers(struct super *s)
{
	for (size_t i = 0; s->worker && i < s->o->n_trusts; i++)
		worker_end_broker(&s->worker[i]);
}

static void super_done(struct super *s)
{
	super_end_workers(s);
	super_end_brokers(s);
	for (size_t i = 0; s->worker && i < s->o->n_trusts; i++)
		worker_done(&s->worker[i]);
	super_commander_leave(&s->commander);
	free(s->worker);
	free(s->poll);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->masked)
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	pidfile_release(s->pid_fd);
}

int super_run(const struct super_opts *o, struct err *err)
{
	CLEANUP(super_done)
	struct super s = { .o = o, .signal_fd = -1, .pid_fd = -1 };
	int rc = super_begin(&s, err);

	if (rc < 0)
		return rc;
	return super_loop(&s, err);
}
