/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: root, no data path, parses no foreign bytes. Mounts, starts
 * one worker per trust, restarts a dead one with back-off. It never touches a
 * path inside a worker's mount.
 */
#ifndef MERSEY_SUPER_SUPER_H
#define MERSEY_SUPER_SUPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"

/* One secret that goes to a worker over its socketpair. */
struct super_secret {
	char name[96];	    /* "key", "credentials:<store>" */
	struct buf value;   /* wiped when freed; base/secret.h */
	int64_t expires_ns; /* wall time; 0 = not that anybody said */
};

/* Where the credentials for a store come from: one of these. */
struct super_credential {
	const char *store;
	const char *file;
	const struct buf *text; /* lies in this process already; "" = none */
	/* A program and its arguments, which calls super_secret_print(), or
	 * fails and prints why: it may ask who must not be asked by others
	 * (S29). */
	const char *const *command;
};

struct super_trust {
	const char *name;
	uid_t uid;
	gid_t gid;
	const char *mountpoint;
	const char *state_dir;
	bool passthrough; /* FUSE passthrough is wanted */
	/* Where the secrets lie; read at each start of the worker, and
	 * credentials again when they change, never kept in the supervisor's
	 * memory. */
	const char *key_file;
	struct super_credential *credentials;
	size_t n_credentials;
};

/* ---- alarms ---------------------------------------------------------- */

#define SUPER_COMMAND_TEXT 4096 /* bytes of an alarm at most */
#define SUPER_ALARM_SIZE   1024 /* of what a worker says */

/* What is run for each alarm. */
struct super_command {
	char *const *argv; /* ended by NULL; borrowed */
	int64_t limit_ns;  /* 0 = 30 s */
};

/* The process that runs it: as nobody where the caller is root, one after the
 * other, each with a time limit; logs what fails. */
struct super_commander {
	pid_t pid; /* 0 = none */
	int fd;
};
/* Before threads start, and before there are secrets in this process. */
int super_commander_start(struct super_commander *cm,
			  const struct super_command *c, struct err *err);
/*
 * Hands over one alarm for the command's standard input; waits for nobody. Any
 * thread. 0, -EAGAIN: too many wait, -EPIPE: the process is gone.
 */
int super_commander_tell(const struct super_commander *cm, const void *text,
			 size_t n);
/* It does what it was told and ends, later. */
void super_commander_leave(struct super_commander *cm);

/* How the supervisor speaks of alarms: it knows no more about them. */
struct super_alarms {
	struct super_command command;
	/* Appends for the command what a worker of `trust` has said; -EINVAL:
	 * that is no alarm. */
	int (*text)(void *arg, const char *trust, const void *said, size_t n,
		    struct buf *out);
	/* Appends that the worker of a trust does not come to serve; with
	 * cleared_ns, that it does now. */
	int (*down)(void *arg, const char *trust, int64_t raised_ns,
		    int64_t cleared_ns, struct buf *out);
	void *arg;
};

struct super_opts {
	const char *config_path; /* handed to workers */
	const char *pid_file;	 /* NULL = none */
	const char *runtime_dir; /* made when missing, root 0755 */
	struct super_trust *trusts;
	size_t n_trusts;
	long stop_wait_ns; /* SIGTERM: 10 s until MNT_FORCE */
	/* What is exec'ed for a worker; NULL = this program. */
	const char *worker_path;
	/* Handed to super_attach() when a worker serves; NULL = it need not be
	 * called. */
	const char *root_name;
	/* > 0: gets one byte when the trusts were started, then is closed:
	 * for the parent that waits to go to the background. */
	int ready_fd;
	const struct super_alarms *alarms; /* NULL: nobody is told of any */
};

/*
 * Runs until SIGTERM or SIGINT. 0, or -errno: a second supervisor holds the
 * pid file (-EEXIST), no trust could be started (-ECHILD), a worker could not
 * be ended (-EBUSY). Single-threaded callers only: it forks.
 */
int super_run(const struct super_opts *o, struct err *err);

/*
 * Tells systemd ("READY=1\nSTATUS=..."), when it listens: sd_notify(3)'s
 * protocol, which is one datagram; nothing more of libsystemd is wanted in a
 * process of root. 0 (also without systemd) or -errno.
 */
int super_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Reads the secrets of a trust and puts them into the socket `fd`, where they
 * wait for the worker; nothing of them stays in this process. `renewal` has a
 * place for each of the trust's credentials, or is NULL.
 */
struct renewal;
int super_send_secrets(int fd, const struct super_trust *t,
		       struct renewal *renewal, struct err *err);
/* Puts one of them into the socket. */
int super_send_secret(int fd, const struct super_secret *s, struct err *err);

/* A socketpair for secrets and readiness; [0] is the supervisor's end. */
int super_socketpair(int fd[2], struct err *err);

/* ---- the worker's end ------------------------------------------------ */

#define SUPER_SECRETS_MAX 32
#define SUPER_SECRET_SIZE 16384 /* bytes of one at most */

/*
 * Receives the secrets that the supervisor sent over `fd`. On failure nothing
 * is kept. -EPROTO: not what a supervisor sends; -ETIMEDOUT: nothing came;
 * -E2BIG: more than `max`.
 */
int super_receive_secrets(int fd, struct super_secret *out, size_t max,
			  size_t *n, struct err *err);
/* Wipes and frees. */
void super_secrets_done(struct super_secret *s, size_t n);
/* The value of a secret, NULL when it did not come. */
const struct buf *super_secret_find(const struct super_secret *s, size_t n,
				    const char *name);
/* Reads one secret file without leaving copies of it behind; to be wiped
 * with super_secrets_done(). For single mode. */
int super_secret_read(struct super_secret *s, const char *name,
		      const char *file, struct err *err);

/* "credentials:<store>", from where they come; as super_secret_read(). */
int super_credential_read(struct super_secret *s,
			  const struct super_credential *c, struct err *err);
/* For the program of a super_credential: writes to its standard output. */
int super_secret_print(int fd, const struct buf *value, int64_t expires_ns);
/* Turns a packet of the supervisor into a secret. 0 or -EPROTO, -ENOMEM. */
int super_secret_parse(const unsigned char *p, size_t n, struct super_secret *s,
		       struct err *err);

/*
 * While the worker serves: calls `fn`, from a thread, with each secret that
 * the supervisor sends again. `fd` (borrowed) is the worker's end of the
 * socketpair, from which nobody else reads then. 0 or -errno.
 */
struct super_control;
typedef void (*super_secret_fn)(void *arg, const struct super_secret *s);
int super_control_start(int fd, super_secret_fn fn, void *arg,
			struct super_control **out);
/* Where super_backing_new() finds other brokers; the control's own. */
int super_control_broker_fd(const struct super_control *c);
void super_control_stop(struct super_control *c);
DEFINE_GUARD(struct super_control *, super_control_stop);

/*
 * In single mode: a process that looks after n credentials and sends them
 * again as a supervisor does, to super_control_start(). Start it before the
 * first secret is read, and before threads. Ends when `fd` closes.
 */
struct super_keeper {
	pid_t pid; /* 0 = none */
	int fd;
};
int super_keeper_start(struct super_keeper *k, const struct super_credential *c,
		       size_t n, struct err *err);
void super_keeper_finish(struct super_keeper *k);

/* Tells the supervisor that this worker serves its mount. */
int super_worker_ready(int fd, struct err *err);

/* Tells the supervisor of an alarm. 0, -EAGAIN: not now. Any thread. */
int super_worker_alarm(int fd, const void *alarm, size_t n);

/* The supervisor at the other end of the socketpair; its pid or -errno. */
pid_t super_worker_parent(int fd);

struct super_sandbox {
	uid_t uid;
	gid_t gid;
	unsigned long descriptors; /* RLIMIT_NOFILE; 0 = as it is */
	pid_t parent;		   /* die with it; 0 = live on (single mode) */
	uint64_t caps;		   /* 1 << CAP_...: kept; 0 but for a broker */
};
/*
 * For ever: supplementary groups, gid, uid, no capabilities, no_new_privs,
 * no core dumps, death with the parent. Verified afterwards. As non-root
 * (single mode) only no_new_privs stays out (fusermount3 is setuid) and the
 * uid stays.
 */
int super_drop_privileges(const struct super_sandbox *s, struct err *err);

/* ---- FUSE passthrough ------------------------------------------------ */

/*
 * To register a file with the kernel takes CAP_SYS_ADMIN, and to stop who
 * writes to one CAP_LINUX_IMMUTABLE; no worker has them. A process does it for
 * one trust: as the trust's user, with these capabilities alone, so that the
 * disk's reserve and quotas bind who writes to the file past the worker (S8).
 * It ends when `fd`, the worker's end, closes.
 */
struct super_broker {
	pid_t pid; /* 0 = none */
	int fd;
};
/* For the mount behind `fuse_fd`. Before threads start. 0 or -errno. */
int super_broker_start(struct super_broker *b, const struct super_trust *t,
		       int fuse_fd, struct err *err);

/* The worker's side. */
struct super_backing;
/*
 * Takes `fd` over; -1: there is no broker. `control_fd` (borrowed) leads to
 * the supervisor, which may start another when it was killed; -1: nobody
 * does. NULL without memory.
 */
struct super_backing *super_backing_new(int fd, int control_fd);
/* When nobody calls it any more: ends the broker. */
void super_backing_free(struct super_backing *b);
DEFINE_GUARD(struct super_backing *, super_backing_free);
/* The kernel passes nothing through: ends the broker, for good. */
void super_backing_stop(struct super_backing *b);
/*
 * Registers the file behind `fd` (O_RDONLY, the trust's own, on the
 * filesystem of its cache): an id > 0, or -errno. -EOPNOTSUPP: it will never
 * work; -EAGAIN: not now, the broker is behind, or another one comes. `arg` is
 * the super_backing. Any thread.
 */
int super_backing_open(void *arg, int fd);
/* Gives the id back; waits for nobody. Any thread. */
void super_backing_close(void *arg, int id);
/*
 * Makes the file behind `fd` immutable, or lets it be written to again: for
 * open writers too (S13). 0 or -errno; -ENOTTY, -EOPNOTSUPP: its filesystem
 * has no such flag, -EPERM: the broker may not. As super_backing_open().
 */
int super_backing_hold(void *arg, int fd, bool on);
/* NULL: it works, or nothing was tried. Else why not: "broker", "kernel",
 * "filesystem". */
const char *super_backing_why(struct super_backing *b);

struct super_mount_opts {
	unsigned long flags; /* MS_* of mount(2) */
	const char *data;    /* more for the kernel ("context=..."), or NULL */
};
#define SUPER_MOUNT_USUAL                      \
	{                                      \
		.flags = MS_NOSUID | MS_NODEV, \
	}

/*
 * Opens /dev/fuse and mounts it at `mountpoint`, as type fuse.mersey, source
 * mersey:<trust>; the fd or -errno. Needs root. The directory is made when
 * missing, must be empty, and gets root:root 0700: nobody writes below a
 * trust that is not mounted. What a killed supervisor left mounted there is
 * taken away first; anything else there is an error (-EBUSY).
 * `o` NULL = SUPER_MOUNT_USUAL.
 */
int super_mount(const char *trust, const char *mountpoint,
		const struct super_mount_opts *o, struct err *err);
/* Can super_attach() do its work on this kernel (Linux 6.5)? `release` is what
 * uname(2) says, or NULL: this one. */
bool super_can_attach(const char *release);
/*
 * Puts what `name` leads to in the mount at `mountpoint` in its place: the
 * same filesystem, by another root. Asks the filesystem, in a process of its
 * own, and waits for it up to 10 s. Where the mount table does not allow it
 * the mount stays as it is, which is logged and no error.
 */
int super_attach(const char *mountpoint, const char *name, struct err *err);
/*
 * What the kernel reads ahead of who reads a file of the mount from its
 * beginning to its end, and so the longest request: 128 KiB, unless root says
 * otherwise. When it serves: the greeting sets it back. 0 or -errno.
 *
 * A page fault in a mapping of a cold file brings as much, and viewers map
 * their slides: 1 MiB makes reading in order 7 % faster than 256 KiB does, and
 * random faults 3 times as dear.
 */
#define SUPER_READ_AHEAD_KIB 256
int super_read_ahead(const char *mountpoint);
/* Gives the mount there other flags. -EINVAL when it is none of ours. */
int super_remount(const char *mountpoint, const struct super_mount_opts *o,
		  struct err *err);
/*
 * With `force` MNT_FORCE (ends every waiting request); then MNT_DETACH: the
 * path is free, open files are served on. Leaves mounts of other kinds
 * alone. 0, also when nothing is mounted, or -errno.
 */
int super_unmount(const char *mountpoint, bool force);

#endif
