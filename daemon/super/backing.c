/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's side of its broker (broker.h).
 *
 * `lock` is held while an answer is waited for: one open at a time, some ten
 * microseconds each. It is never waited for longer than ANSWER_WAIT_S: an
 * answer that comes later is recognised by its number. Giving ids back takes
 * `closing_lock` alone, a leaf, and does not wait: what the socket does not
 * take now goes with the next call. The same when the broker was killed: ids
 * belong to the connection, and the next broker can give them back.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/log.h"
#include "super/broker.h"
#include "super/passfd.h"
#include "super/super.h"
#include "super/wire.h"

#define ANSWER_WAIT_S 1

struct super_backing {
	int fd;		/* its number stays when another broker comes */
	int control_fd; /* brings another; -1: none comes */
	/* NULL: it works. Else why not: for good, unless that is `ended` and
	 * another may come. */
	_Atomic(const char *) why;
	_Atomic unsigned life; /* counts brokers */

	pthread_mutex_t lock;	  /* guards the next three */
	uint32_t asked, answered; /* numbers of opens */
	unsigned asked_life;	  /* whom they were asked */

	pthread_mutex_t closing_lock; /* guards `closing`; a new broker */
	struct buf closing;	      /* ids of 32 bits */
};

static const char ended[] = "broker";

static int set_wait(int fd)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT_S };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return -errno;
	return 0;
}

struct super_backing *super_backing_new(int fd, int control_fd)
{
	struct super_backing *b = calloc(1, sizeof(*b));

	if (!b) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	b->fd = fd;
	b->control_fd = fd < 0 ? -1 : control_fd;
	if (fd < 0 || set_wait(fd) < 0)
		b->why = ended;
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->closing_lock, NULL);
	return b;
}

void super_backing_free(struct super_backing *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	buf_done(&b->closing);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->closing_lock);
	free(b);
}

/* Once: from now on there is no passthrough, for this reason. */
static int give_up(struct super_backing *b, enum log_level level,
		   const char *why, const char *text)
{
	const char *none = NULL;

	if (atomic_compare_exchange_strong(&b->why, &none, why))
		log_line(level,
			 "no more files are passed through to the kernel: %s",
			 text);
	return -EOPNOTSUPP;
}

void super_backing_stop(struct super_backing *b)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&b->why, &none, "kernel");
	if (b->fd >= 0)
		shutdown(b->fd, SHUT_RDWR);
}

/* ---- another broker -------------------------------------------------- */

static int hung_up(struct super_backing *b)
{
	give_up(b, LOG_LEVEL_WARN, ended,
		"the process that registers them ended");
	return b->control_fd < 0 ? -EOPNOTSUPP : -EAGAIN;
}

/* Takes the one that the supervisor has started instead; false: none yet. */
static bool adopt_locked(struct super_backing *b)
{
	CLEANUP_CLOSE int fd = -1;
	char c;

	if (b->control_fd < 0 || b->why != ended)
		return false;
	if (passfd_receive(b->control_fd, &c, 1, MSG_DONTWAIT, &fd) != 1 ||
	    c != WIRE_BROKER || fd < 0 || set_wait(fd) < 0 ||
	    dup3(fd, b->fd, O_CLOEXEC) < 0)
		return false;
	b->life++;
	b->why = NULL;
	log_info("files are passed through to the kernel again");
	return true;
}

const char *super_backing_why(struct super_backing *b)
{
	struct pollfd p = { .fd = b->fd };

	LOCK_SCOPE(&b->closing_lock);
	if (!b->why && poll(&p, 1, 0) > 0 && p.revents & POLLHUP)
		hung_up(b);
	adopt_locked(b);
	return b->why;
}

/* ---- giving back ----------------------------------------------------- */

/* Sends what waits, as far as the socket takes it. */
static void flush_locked(struct super_backing *b)
{
	const size_t word = sizeof(uint32_t);
	uint32_t m[1 + BROKER_CLOSE_MAX] = { BROKER_CLOSE };

	while (b->closing.len) {
		size_t n = MIN(b->closing.len, BROKER_CLOSE_MAX * word);
		size_t left = b->closing.len - n;

		memcpy(m + 1, b->closing.data + left, n);
		if (send(b->fd, m, word + n, MSG_DONTWAIT | MSG_NOSIGNAL) >=
		    0) {
			b->closing.len = left;
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (hung_up(b) == -EOPNOTSUPP)
			b->closing.len = 0; /* nobody will ever take them */
		else if (adopt_locked(b))
			continue;
		return;
	}
}

void super_backing_close(void *arg, int id)
{
	struct super_backing *b = arg;
	uint32_t word = (uint32_t)id;

	LOCK_SCOPE(&b->closing_lock);
	if (buf_add(&b->closing, &word, sizeof(word)) < 0)
		log_err("passthrough id %d is not given back: no memory", id);
	flush_locked(b);
}

/* ---- registering ----------------------------------------------------- */

static int ask(struct super_backing *b, uint32_t what, int fd)
{
	uint32_t m[2] = { what, b->asked + 1 };
	int rc = passfd_send(b->fd, m, sizeof(m), fd);

	if (rc == 0)
		b->asked++;
	return rc == -EPIPE || rc == -ECONNRESET ? hung_up(b) : rc;
}

/* An id came that nobody waits for any more. */
static void late(struct super_backing *b, int id)
{
	if (id > 0)
		super_backing_close(b, id);
}

/* Takes the next answer. -EAGAIN: it has not come, or not in time. */
static int answer(struct super_backing *b, int flags, int *id)
{
	uint32_t m[2];
	ssize_t n;

	do
		n = recv(b->fd, m, sizeof(m), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n != sizeof(m))
		return hung_up(b);
	b->answered = m[0];
	*id = (int)m[1];
	return 0;
}

/* Answers that came too late, before the next question. Those of a broker
 * that ended do not come. */
static int catch_up(struct super_backing *b)
{
	int id, rc;

	if (b->asked_life != b->life)
		b->answered = b->asked;
	b->asked_life = b->life;
	while (b->answered != b->asked) {
		rc = answer(b, MSG_DONTWAIT, &id);
		if (rc < 0)
			return rc;
		late(b, id);
	}
	return 0;
}

/* What the kernel and the broker say for good. */
static int judge(struct super_backing *b, int rc)
{
	switch (rc) {
	case -EPERM: /* not agreed upon in INIT */
	case -ENOTTY:
		return give_up(b, LOG_LEVEL_INFO, "kernel",
			       "the kernel does not do it");
	case -ELOOP:
		return give_up(b, LOG_LEVEL_INFO, "filesystem",
			       "the cache lies on a stacked filesystem");
	case -EXDEV:
		return give_up(b, LOG_LEVEL_INFO, "filesystem",
			       "'cache' is not on a filesystem that the "
			       "supervisor sees there");
	default:
		return rc;
	}
}

/* 0, -EAGAIN: not now, -EOPNOTSUPP. */
static int usable(struct super_backing *b)
{
	LOCK_SCOPE(&b->closing_lock);
	adopt_locked(b);
	flush_locked(b);
	if (!b->why)
		return 0;
	return b->control_fd >= 0 && b->why == ended ? -EAGAIN : -EOPNOTSUPP;
}

/* What the broker says to a question about a file. 0, or -errno: it did not
 * answer. */
static int request(struct super_backing *b, uint32_t what, int fd, int *said)
{
	int rc = usable(b);

	if (rc < 0)
		return rc;
	LOCK_SCOPE(&b->lock);
	rc = catch_up(b);
	if (rc == 0)
		rc = ask(b, what, fd);
	if (rc == 0)
		rc = answer(b, 0, said);
	/* Another broker may have come since catch_up(), and answers now what
	 * it was asked before: an id of another file. */
	while (rc == 0 && b->answered != b->asked) {
		late(b, *said);
		rc = answer(b, 0, said);
	}
	return rc;
}

int super_backing_open(void *arg, int fd)
{
	struct super_backing *b = arg;
	int id = 0, rc = request(b, BROKER_OPEN, fd, &id);

	return rc < 0 ? rc : judge(b, id);
}

int super_backing_hold(void *arg, int fd, bool on)
{
	int said = 0;
	int rc = request(arg, on ? BROKER_HOLD : BROKER_LET, fd, &said);

	return rc < 0 ? rc : MIN(said, 0);
}
