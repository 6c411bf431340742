/* SPDX-License-Identifier: Apache-2.0 */
#include "super/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "super/mount.h"
#include "super/passfd.h"
#include "super/secrets.h"
#include "super/spawn.h"
#include "super/wire.h"

static const bool worker_moves[WORKER_STATES][WORKER_STATES] = {
	[WORKER_WAITING] = { [WORKER_STARTING] = true,
			     [WORKER_WAITING] = true,
			     [WORKER_ENDED] = true },
	[WORKER_STARTING] = { [WORKER_SERVING] = true,
			      [WORKER_WAITING] = true,
			      [WORKER_LEAVING] = true },
	[WORKER_SERVING] = { [WORKER_WAITING] = true, [WORKER_LEAVING] = true },
	[WORKER_LEAVING] = { [WORKER_ENDED] = true },
};

static void worker_set(struct worker *w, enum worker_state to)
{
	if (!worker_moves[w->state][to]) {
		log_err("%s: impossible move of a worker from %d to %d",
			w->trust->name, w->state, to);
		abort();
	}
	w->state = to;
}

int worker_init(struct worker *w, const struct super_opts *o,
		const struct super_trust *trust,
		struct super_commander *commander)
{
	*w = (struct worker){
		.o = o,
		.trust = trust,
		.commander = commander,
		.state = WORKER_WAITING,
		.control_fd = -1,
		.fuse_fd = -1,
		.connection = -1,
		.backoff_ns = WORKER_BACKOFF_MIN,
	};
	w->renewal = calloc(trust->n_credentials + 1, sizeof(*w->renewal));
	return w->renewal ? 0 : -ENOMEM;
}

void worker_done(struct worker *w)
{
	free(take(w->renewal));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void log_failure(const struct worker *w, const struct err *err)
{
	log_err("%s: %s%s%s", w->trust->name, err->msg,
		err->hint[0] ? "; try: " : "", err->hint);
}

/* ---- alarms ---------------------------------------------------------- */

/* Hands over to the command, whose process is started when there is none. */
static void worker_tell(const struct worker *w, const struct buf *text)
{
	struct err err = ERR_INIT;
	int rc = 0;

	if (w->commander->pid <= 0)
		rc = super_commander_start(w->commander, &w->o->alarms->command,
					   &err);
	if (rc == 0)
		rc = super_commander_tell(w->commander, text->data, text->len);
	if (rc < 0)
		log_warn("%s: alarm_command is not told of an alarm: %s",
			 w->trust->name, strerror(-rc));
}

/* The worker does not come to serve, or it does again. */
static void worker_tell_down(const struct worker *w, int64_t cleared_ns)
{
	const struct super_alarms *al = w->o->alarms;
	CLEANUP_BUF struct buf text = { 0 };

	if (!al)
		return;
	if (al->down(al->arg, w->trust->name, w->down_ns, cleared_ns, &text) ==
	    0)
		worker_tell(w, &text);
}

static void worker_unserved(struct worker *w)
{
	if (++w->unserved < WORKER_DOWN || w->down_ns)
		return;
	w->down_ns = clock_wall_ns();
	worker_tell_down(w, 0);
}

static void worker_served(struct worker *w)
{
	w->unserved = 0;
	if (w->down_ns)
		worker_tell_down(w, clock_wall_ns());
	w->down_ns = 0;
}

/* It may have been taken over: others' alarms must not drown in its own. */
static bool worker_may_tell(struct worker *w)
{
	int64_t now = clock_boot_ns();

	if (now - w->alarms_ns >= WORKER_ALARMS_TIME) {
		w->alarms_ns = now;
		w->alarms = 0;
	}
	return ++w->alarms <= WORKER_ALARMS;
}

/* False: that is no alarm. */
static bool worker_alarm(struct worker *w, const void *said, size_t n)
{
	const struct super_alarms *al = w->o->alarms;
	CLEANUP_BUF struct buf text = { 0 };
	int rc;

	if (!al || !worker_may_tell(w))
		return true;
	rc = al->text(al->arg, w->trust->name, said, n, &text);
	if (rc == 0)
		worker_tell(w, &text);
	return rc != -EINVAL;
}

/* ---- one life after the other ---------------------------------------- */

/* Ends what is left of a life and plans the next one. */
static void worker_back_off(struct worker *w, int64_t now)
{
	if (w->state != WORKER_SERVING)
		worker_unserved(w);
	if (w->started_ns && now - w->started_ns >= WORKER_GOOD_LIFE)
		w->backoff_ns = WORKER_BACKOFF_MIN;
	w->next_ns = now + w->backoff_ns;
	w->backoff_ns = MIN(2 * w->backoff_ns, WORKER_BACKOFF_MAX);
	w->restarts++;
	w->tried = true;
	worker_set(w, WORKER_WAITING);
}

/* Unmounts, ends every request, gives up the connection. */
static void worker_unmount(struct worker *w)
{
	int rc = super_unmount(w->trust->mountpoint, true);

	if (rc < 0)
		log_err("%s: cannot unmount '%s': %s", w->trust->name,
			w->trust->mountpoint, strerror(-rc));
	close_fd(&w->fuse_fd);
	close_fd(&w->control_fd);
}

/* Without one the worker serves all files itself. */
static void worker_broker(struct worker *w)
{
	struct err err = ERR_INIT;

	if (!w->trust->passthrough)
		return;
	w->broker_starts = 1;
	if (super_broker_start(&w->broker, w->trust, w->fuse_fd, &err) < 0)
		log_warn("%s: no files are passed through to the kernel: %s",
			 w->trust->name, err.msg);
}

static int worker_spawn(struct worker *w, int control_fd, struct err *err)
{
	struct spawn_fds fds = { control_fd, w->fuse_fd, -1 };
	int rc;

	worker_broker(w);
	if (w->broker.pid > 0)
		fds.broker = w->broker.fd;
	rc = spawn_worker(w->o, w->trust->name, &fds, w->restarts, &w->pid,
			  err);
	if (w->broker.pid > 0)
		close(w->broker.fd);
	return rc;
}

/* Mount, socketpair with the secrets in it, processes. */
static int worker_launch(struct worker *w, struct err *err)
{
	int pair[2];
	int rc = super_socketpair(pair, err);

	if (rc < 0)
		return rc;
	w->control_fd = pair[0];
	rc = super_send_secrets(pair[0], w->trust, w->renewal, err);
	if (rc == 0) {
		rc = super_mount(w->trust->name, w->trust->mountpoint, NULL,
				 err);
		w->fuse_fd = rc;
	}
	if (rc >= 0)
		rc = worker_spawn(w, pair[1], err);
	close(pair[1]);
	return rc < 0 ? rc : 0;
}

void worker_start(struct worker *w, int64_t now)
{
	struct err err = ERR_INIT;

	if (w->state != WORKER_WAITING || now < w->next_ns)
		return;
	if (w->broker.pid > 0) { /* the last one's: it was killed */
		w->next_ns = now + WORKER_BACKOFF_MIN;
		return;
	}
	w->started_ns = now;
	if (worker_launch(w, &err) < 0) {
		if (w->fuse_fd >= 0)
			worker_unmount(w);
		close_fd(&w->control_fd);
		log_failure(w, &err);
		w->started_ns = 0;
		worker_back_off(w, now);
		return;
	}
	worker_set(w, WORKER_STARTING);
	w->look_ns = now + WORKER_LOOK_NS;
	log_info("%s: worker started, pid %d, mount '%s'", w->trust->name,
		 w->pid, w->trust->mountpoint);
}

/* How a process ended, in words. */
static void describe(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "ended with status %d",
			 WEXITSTATUS(status));
}

static bool worker_serves(const struct worker *w)
{
	return w->pid > 0 && w->control_fd >= 0 &&
	       (w->state == WORKER_STARTING || w->state == WORKER_SERVING);
}

/* ---- credentials ------------------------------------------------------ */

int64_t worker_renew_due(const struct worker *w)
{
	return worker_serves(w) && w->trust->n_credentials ? w->look_ns
							   : INT64_MAX;
}

void worker_renew(struct worker *w, int64_t now, bool all)
{
	if (worker_renew_due(w) == INT64_MAX || (!all && now < w->look_ns))
		return;
	w->look_ns = now + WORKER_LOOK_NS;
	for (size_t i = 0; i < w->trust->n_credentials; i++)
		if (all || renewal_wanted(&w->trust->credentials[i],
					  &w->renewal[i], now))
			renewal_again(w->control_fd, &w->trust->credentials[i],
				      &w->renewal[i], w->trust->name);
}

/* ---- brokers ---------------------------------------------------------- */

/* It ends when its worker does; who holds the worker's end does not change
 * that. The rest comes with SIGCHLD. */
static void worker_kill_broker(struct worker *w)
{
	if (w->broker.pid > 0)
		kill(w->broker.pid, SIGKILL);
}

void worker_end_broker(struct worker *w)
{
	worker_kill_broker(w);
	if (w->broker.pid > 0 && waitpid(w->broker.pid, NULL, 0) > 0)
		w->broker.pid = 0;
}

/* The worker gets it with the next file that it registers or gives back. */
static int worker_replace_broker(struct worker *w, struct err *err)
{
	const char what = WIRE_BROKER;
	int rc = super_broker_start(&w->broker, w->trust, w->fuse_fd, err);

	if (rc < 0)
		return rc;
	w->broker_starts++;
	rc = passfd_send(w->control_fd, &what, 1, w->broker.fd);
	close(w->broker.fd);
	return rc < 0 ? fail(err, rc, "cannot send to the worker: %m") : 0;
}

void worker_broker_died(struct worker *w, int status)
{
	bool again = WIFSIGNALED(status) && w->broker_starts < BROKER_STARTS;
	struct err err = ERR_INIT;
	char how[96];

	describe(status, how, sizeof(how));
	if (status != 0 && worker_serves(w))
		log_warn("%s: the broker (pid %d) %s: %s", w->trust->name,
			 w->broker.pid, how,
			 again ? "another one is started"
			       : "no more files are passed through to the "
				 "kernel until the next start");
	w->broker.pid = 0;
	if (again && worker_serves(w) && worker_replace_broker(w, &err) < 0)
		log_failure(w, &err);
}

static void died_leaving(struct worker *w, int status, const char *how)
{
	close_fd(&w->fuse_fd);
	close_fd(&w->control_fd);
	if (status)
		log_warn("%s: worker (pid %d) %s while stopping",
			 w->trust->name, w->pid, how);
	else
		log_info("%s: worker (pid %d) stopped", w->trust->name, w->pid);
	worker_set(w, WORKER_ENDED);
}

void worker_died(struct worker *w, int status, int64_t now)
{
	char how[96];
	double life = (double)(now - w->started_ns) / 1e9;

	describe(status, how, sizeof(how));
	worker_kill_broker(w);
	if (w->state == WORKER_LEAVING) {
		died_leaving(w, status, how);
	} else {
		worker_unmount(w);
		worker_back_off(w, now);
		log_err("%s: worker (pid %d) %s after %.1f s; its clients get "
			"errors; it starts again in %.1f s",
			w->trust->name, w->pid, how, life,
			(double)(w->next_ns - now) / 1e9);
	}
	w->pid = 0;
}

/* The worker broke the protocol: it is not what we started. */
static void worker_rogue(struct worker *w)
{
	log_err("%s: worker (pid %d) sent what a worker does not send; "
		"killing it",
		w->trust->name, w->pid);
	close_fd(&w->control_fd);
	kill(w->pid, SIGKILL);
}

/* It serves: its mount gets its place. The rest of a failure comes with
 * SIGCHLD. */
static bool worker_attach(struct worker *w)
{
	struct err err = ERR_INIT;

	if (!w->o->root_name ||
	    super_attach(w->trust->mountpoint, w->o->root_name, &err) == 0)
		return true;
	log_failure(w, &err);
	kill(w->pid, SIGKILL);
	return false;
}

/* It is slower without. */
static void worker_read_ahead(const struct worker *w)
{
	int rc = super_read_ahead(w->trust->mountpoint);

	if (rc < 0)
		log_info("%s: reads ahead stay short: %s", w->trust->name,
			 strerror(-rc));
}

void worker_message(struct worker *w)
{
	unsigned char p[1 + SUPER_ALARM_SIZE];
	ssize_t n = recv(w->control_fd, p, sizeof(p), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* it is ending; the rest comes with SIGCHLD */
		close_fd(&w->control_fd);
		return;
	}
	if (p[0] == WIRE_ALARM && (size_t)n <= sizeof(p) &&
	    worker_alarm(w, p + 1, (size_t)n - 1))
		return;
	if (n == 1 && p[0] == WIRE_READY && w->state == WORKER_LEAVING)
		return;
	if (n != 1 || p[0] != WIRE_READY || w->state != WORKER_STARTING) {
		worker_rogue(w);
		return;
	}
	if (!worker_attach(w))
		return;
	worker_read_ahead(w);
	worker_set(w, WORKER_SERVING);
	worker_served(w);
	w->tried = true;
	log_info("%s: serving '%s'", w->trust->name, w->trust->mountpoint);
}

void worker_leave(struct worker *w)
{
	int rc;

	if (w->state == WORKER_WAITING) {
		worker_set(w, WORKER_ENDED);
		return;
	}
	w->connection = mount_connection(w->trust->mountpoint);
	rc = super_unmount(w->trust->mountpoint, false);
	if (rc < 0)
		log_err("%s: cannot unmount '%s': %s", w->trust->name,
			w->trust->mountpoint, strerror(-rc));
	worker_set(w, WORKER_LEAVING);
}

void worker_force(struct worker *w)
{
	int rc;

	if (w->state != WORKER_LEAVING)
		return;
	log_warn("%s: files are still open; ending their connection",
		 w->trust->name);
	rc = w->connection >= 0 ? mount_abort(w->connection) : -ENOENT;
	if (rc < 0 && rc != -ENOENT)
		log_err("%s: cannot abort FUSE connection %d: %s",
			w->trust->name, w->connection, strerror(-rc));
	close_fd(&w->fuse_fd);
	kill(w->pid, SIGTERM);
}

void worker_kill(struct worker *w)
{
	if (w->state != WORKER_LEAVING)
		return;
	log_err("%s: worker (pid %d) does not stop; killing it", w->trust->name,
		w->pid);
	kill(w->pid, SIGKILL);
}
