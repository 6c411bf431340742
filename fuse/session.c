/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection and its threads. A thread sleeps in read(2) of the device:
 * one system call for a request, where polling first takes three. A signal
 * ends that sleep; the kernel hands out no request then, so threads stop
 * between requests, and none is lost. A signal that comes a moment before the
 * read is lost, so who waits for the threads sends more.
 */
#include "fuse/impl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

/* What libfuse 3 wants to read at once: 256 pages and a page of headers. */
#define PAGES_MAX    256
#define HEADER_SIZE  4096
#define INIT_WAIT_MS 10000
#define WAKE_SIGNAL  SIGUSR1
#define WAKE_NS	     (10 * 1000000LL) /* between two signals */

/* ---- one thread ------------------------------------------------------ */

/* Memory that is there: the kernel copies requests into it. */
static void *map_touched(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	memset(p, 0, size);
	return p;
}

static int slot_init(struct fuse_server *s, struct slot *sl)
{
	sl->s = s;
	sl->wait.never = true;
	sl->wait.cancel = &sl->cancel;
	sl->wait.hangup = &sl->hangup;
	sl->buf_size = PAGES_MAX * (size_t)sysconf(_SC_PAGESIZE) + HEADER_SIZE;
	sl->buf.mem = map_touched(sl->buf_size);
	sl->out = map_touched(MAX_IO);
	return sl->buf.mem && sl->out ? 0 : -ENOMEM;
}

static void slot_done(struct slot *sl)
{
	if (sl->buf.mem)
		munmap(sl->buf.mem, sl->buf_size);
	if (sl->out)
		munmap(sl->out, MAX_IO);
}

/* The request that was received. */
static void slot_serve(struct slot *sl)
{
	raw_request(sl);
	fuse_session_process_buf(sl->s->se, &sl->buf);
}

/* Serves until told to stop (0), unmounted (0), or the device fails. */
static int slot_loop(struct slot *sl)
{
	struct fuse_session *se = sl->s->se;
	int n, rc = 0;

	while (rc == 0 && !sl->s->stopping && !fuse_session_exited(se)) {
		n = fuse_session_receive_buf(se, &sl->buf);
		if (n > 0)
			slot_serve(sl);
		else if (n != -EINTR && n != -EAGAIN) /* 0: exited */
			rc = n;
	}
	return rc;
}

static void on_wake(int sig)
{
	(void)sig; /* it has ended a read */
}

static void wake_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *slot_main(void *arg)
{
	struct slot *sl = arg;
	struct fuse_server *s = sl->s;
	int rc;

	slot_mine = sl;
	vfs_set_wait(&sl->wait);
	wake_unblock();
	rc = slot_loop(sl);
	if (rc < 0 || fuse_session_exited(s->se))
		fuse_server_stop(s); /* the others rest, too */
	LOCK_SCOPE(&s->lock);
	if (rc < 0 && s->error == 0)
		s->error = rc;
	if (--s->running == 0)
		pthread_cond_broadcast(&s->rested);
	return NULL;
}

/* ---- start ----------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void
log_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[512];
	size_t n;

	vsnprintf(line, sizeof(line), fmt, ap);
	n = strlen(line);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	if (level <= FUSE_LOG_ERR)
		log_err("%s", line);
	else if (level <= FUSE_LOG_INFO)
		log_info("%s", line);
}

static int mount_options(const struct fuse_server_opts *o, struct buf *b,
			 struct err *err)
{
	if (strpbrk(o->fsname, ",\\"))
		return fail(err, -EINVAL, "'%s' cannot name a filesystem",
			    o->fsname);
	return buf_addf(b, "fsname=%s,subtype=mersey,default_permissions%s%s",
			o->fsname, o->options ? "," : "",
			o->options ? o->options : "");
}

static int session_new(struct fuse_server *s, const struct fuse_server_opts *o,
		       struct err *err)
{
	CLEANUP_BUF struct buf options = { 0 };
	char name[] = "mersey", flag[] = "-o";
	char *argv[] = { name, flag, NULL, NULL };
	struct fuse_args args = { .argc = 1, .argv = argv };
	int rc;

	if (o->fuse_fd < 0) { /* a mounted one has its options */
		rc = mount_options(o, &options, err);
		if (rc < 0)
			return rc;
		argv[2] = (char *)buf_str(&options);
		if (!argv[2])
			return -ENOMEM;
		args.argc = 3;
	}
	s->se = fuse_session_new(&args, &server_ops, sizeof(server_ops), s);
	fuse_opt_free_args(&args);
	return s->se ? 0 : fail(err, -ENOMEM, "cannot make a FUSE session");
}

static int cannot_mount(const struct fuse_server_opts *o, struct err *err)
{
	fail(err, -EIO, "cannot mount a filesystem on '%s'", o->mountpoint);
	return fail_hint(err, -EIO,
			 "the log says more: is it an empty directory that "
			 "you own, and is fusermount3 installed?");
}

/* The device, mounted by us or by who calls. */
static int session_attach(struct fuse_server *s,
			  const struct fuse_server_opts *o, int *fuse_fd,
			  struct err *err)
{
	int fd = *fuse_fd, rc;

	if (fd < 0) {
		if (fuse_session_mount(s->se, o->mountpoint) != 0)
			return cannot_mount(o, err);
		s->mounted = true;
		fd = fuse_session_fd(s->se);
	}
	rc = fuse_session_custom_io(s->se, &transport_io, fd);
	if (rc != 0)
		return fail(err, rc < 0 ? rc : -EINVAL,
			    "cannot use the FUSE device: %m");
	*fuse_fd = -1; /* the session's, from here on */
	return 0;
}

/* Answers the kernel's first request in this thread: what can fail, fails
 * here. */
static int session_greet(struct fuse_server *s, struct err *err)
{
	struct pollfd p = { .fd = fuse_session_fd(s->se), .events = POLLIN };
	int n;

	slot_mine = &s->slots[0];
	while (!s->serving && !fuse_session_exited(s->se)) {
		n = poll(&p, 1, INIT_WAIT_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		n = fuse_session_receive_buf(s->se, &slot_mine->buf);
		if (n > 0)
			slot_serve(slot_mine);
		else if (n != -EAGAIN && n != -EINTR)
			break;
	}
	slot_mine = NULL;
	return s->serving ? 0
			  : fail(err, -EPROTO,
				 "the kernel does not greet on the FUSE "
				 "device: it is not mounted, or too old");
}

static int slots_init(struct fuse_server *s)
{
	unsigned i;
	int rc = 0;

	s->slots = calloc(s->nslots, sizeof(*s->slots));
	if (!s->slots)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < s->nslots; i++)
		rc = slot_init(s, &s->slots[i]);
	return rc;
}

/* Signals are for the threads of who calls, but the one that wakes. */
static int slots_run(struct fuse_server *s)
{
	struct sigaction sa = { .sa_handler = on_wake };
	sigset_t all, before;
	unsigned i;
	int rc = 0;

	sigemptyset(&sa.sa_mask);
	if (sigaction(WAKE_SIGNAL, &sa, NULL) < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->running = s->nslots;
	for (i = 0; i < s->nslots; i++) {
		rc = -pthread_create(&s->slots[i].thread, NULL, slot_main,
				     &s->slots[i]);
		if (rc < 0)
			break;
		s->slots[i].running = true;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_mutex_lock(&s->lock);
	s->running -= s->nslots - i;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Called by vfs, from any thread. -ENOENT: the kernel has nothing of it. */
static void forget_node(void *arg, uint64_t ino)
{
	struct fuse_server *s = arg;
	int rc =
		fuse_lowlevel_notify_inval_inode(s->se, raw_node(s, ino), 0, 0);

	if (rc < 0 && rc != -ENOENT && rc != -ENODEV)
		log_warn("the kernel does not forget inode %llu: %s",
			 (unsigned long long)ino, errno_name(rc));
}

static struct fuse_server *server_new(const struct fuse_server_opts *o,
				      struct vfs *v)
{
	struct fuse_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return NULL;
	s->v = v;
	s->nslots = MAX(o->threads, 2U); /* one may wait for the store */
	s->read_wait_ns = o->read_wait_ns;
	s->root_name = o->root_name;
	s->backing = o->backing;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->rested, &attr);
	pthread_condattr_destroy(&attr);
	slow_init(s);
	s->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s;
}

DEFINE_GUARD(struct fuse_server *, fuse_server_free);

int fuse_server_start(const struct fuse_server_opts *o, struct vfs *v,
		      struct fuse_server **out, struct err *err)
{
	CLEANUP(fuse_server_free_guard) struct fuse_server *s = NULL;
	CLEANUP_CLOSE int fuse_fd = o->fuse_fd;
	int rc;

	fuse_set_log_func(log_libfuse);
	s = server_new(o, v);
	if (!s || s->stop_event < 0)
		return fail(err, s ? -errno : -ENOMEM,
			    "cannot start the FUSE server: %m");
	rc = session_new(s, o, err);
	if (rc == 0)
		rc = session_attach(s, o, &fuse_fd, err);
	if (rc < 0)
		return rc;
	rc = slots_init(s);
	if (rc < 0)
		return fail(err, rc, "cannot make buffers: %m");
	rc = session_greet(s, err);
	if (rc < 0)
		return rc;
	vfs_on_invalidate(v, forget_node, s);
	if (s->passthrough)
		vfs_set_backing(v, s->backing);
	rc = slots_run(s);
	if (rc < 0)
		return fail(err, rc, "cannot start threads: %m");
	*out = take(s);
	return 0;
}

bool fuse_server_passthrough(const struct fuse_server *s)
{
	return s->passthrough;
}

/* ---- end ------------------------------------------------------------- */

/* Ends what the threads sleep in; true when all of them are at rest. */
static bool wake_slots(struct fuse_server *s)
{
	struct timespec ts;
	unsigned i;

	for (i = 0; i < s->nslots; i++)
		if (s->slots[i].running)
			pthread_kill(s->slots[i].thread, WAKE_SIGNAL);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + WAKE_NS);
	LOCK_SCOPE(&s->lock);
	if (s->running > 0)
		pthread_cond_timedwait(&s->rested, &s->lock, &ts);
	return s->running == 0;
}

int fuse_server_wait(struct fuse_server *s)
{
	struct pollfd p = { .fd = s->stop_event, .events = POLLIN };

	while (!s->stopping)
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
	while (!wake_slots(s))
		;
	LOCK_SCOPE(&s->lock);
	return s->error;
}

void fuse_server_stop(struct fuse_server *s)
{
	uint64_t one = 1;
	int saved = errno;
	unsigned i;

	s->stopping = true;
	for (i = 0; i < s->nslots; i++) /* what waits for the store */
		__atomic_store_n(&s->slots[i].cancel, true, __ATOMIC_SEQ_CST);
	/* Only a full counter is refused, and that one is set, too. */
	if (write(s->stop_event, &one, sizeof(one)) < 0)
		errno = EAGAIN;
	errno = saved;
}

static void slots_done(struct fuse_server *s)
{
	unsigned i;

	while (!wake_slots(s))
		;
	for (i = 0; i < s->nslots; i++)
		if (s->slots[i].running)
			pthread_join(s->slots[i].thread, NULL);
	for (i = 0; i < s->nslots; i++)
		slot_done(&s->slots[i]);
	free(s->slots);
}

void fuse_server_free(struct fuse_server *s)
{
	if (!s)
		return;
	vfs_on_invalidate(s->v, NULL, NULL);
	if (s->slots) {
		fuse_server_stop(s);
		slots_done(s);
	}
	if (s->passthrough)
		vfs_set_backing(s->v, NULL);
	if (s->mounted)
		fuse_session_unmount(s->se);
	if (s->se)
		fuse_session_destroy(s->se);
	if (s->stop_event >= 0)
		close(s->stop_event);
	slow_done(s);
	pthread_cond_destroy(&s->rested);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
