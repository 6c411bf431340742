/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait: for the store, or for room in a full cache. They must
 * not take every thread: meanwhile listings and cached reads go on (P10). So
 * at most `max` threads wait at a time; what finds no place is queued, and
 * the threads that waited serve the queue before they go back to the device.
 *
 * The queue is bounded. With the store away a read waits at most read_wait:
 * when the one before it timed out, what has queued waits only for the rest
 * of it. Others wait at most twice as long.
 */
#include "fuse/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/guard.h"

#define QUEUE_MAX	1024
#define QUEUE_BYTES_MAX (32U << 20) /* of data to be written */

void slow_init(struct fuse_server *s)
{
	pthread_mutex_init(&s->slow.lock, NULL);
	s->slow.tail = &s->slow.head;
	/* A quarter of the threads, at least one, never waits. */
	s->slow.max = s->nslots - (s->nslots + 3) / 4;
}

void slow_done(struct fuse_server *s)
{
	pthread_mutex_destroy(&s->slow.lock);
}

static struct work *work_copy(const struct work *w)
{
	size_t data = w->kind == WORK_WRITE ? w->len : 0;
	struct work *c = malloc(sizeof(*c) + data);

	if (!c)
		return NULL;
	*c = *w;
	c->next = NULL;
	c->since_ns = clock_boot_ns();
	if (data)
		c->data = memcpy(c + 1, w->data, data);
	return c;
}

/* Puts a copy behind the others. 0, or -errno when there is no room. */
static int enqueue_locked(struct fuse_server *s, const struct work *w)
{
	size_t bytes = w->kind == WORK_WRITE ? w->len : 0;
	struct work *c;

	if (s->slow.queued >= QUEUE_MAX ||
	    s->slow.bytes + bytes > QUEUE_BYTES_MAX)
		return -ETIMEDOUT;
	c = work_copy(w);
	if (!c)
		return -ENOMEM;
	*s->slow.tail = c;
	s->slow.tail = &c->next;
	s->slow.queued++;
	s->slow.bytes += bytes;
	return 0;
}

/* 1: this thread may wait. 0: the request is queued, not ours any more. */
static int enter(struct fuse_server *s, const struct work *w)
{
	LOCK_SCOPE(&s->slow.lock);
	if (s->slow.waiting >= s->slow.max)
		return enqueue_locked(s, w);
	s->slow.waiting++;
	return 1;
}

/* The next one in the queue, or NULL: this thread waits no longer. */
static struct work *next(struct fuse_server *s)
{
	struct work *w;

	LOCK_SCOPE(&s->slow.lock);
	w = s->slow.head;
	if (!w) {
		s->slow.waiting--;
		return NULL;
	}
	s->slow.head = w->next;
	if (!s->slow.head)
		s->slow.tail = &s->slow.head;
	s->slow.queued--;
	s->slow.bytes -= w->kind == WORK_WRITE ? w->len : 0;
	return w;
}

/* Until when it may wait, as it has queued and the store is still away; 0: as
 * long as any. */
static int64_t wait_until(struct fuse_server *s, const struct work *w)
{
	LOCK_SCOPE(&s->slow.lock);
	return s->slow.away && s->read_wait_ns > 0 && w->since_ns != 0
		       ? w->since_ns + s->read_wait_ns
		       : 0;
}

static void cancel(fuse_req_t req, void *arg)
{
	struct slot *sl = arg;

	__atomic_store_n(&sl->cancel, true, __ATOMIC_SEQ_CST);
}

static void hang_up(fuse_req_t req, void *arg)
{
	struct slot *sl = arg;

	__atomic_store_n(&sl->hangup, true, __ATOMIC_SEQ_CST);
}

/*
 * Does it, waiting for the store. A signal ends what may take as long as a
 * whole file does: the first change. It does not end a read: that is bounded
 * by read_wait, and programs do not expect EINTR from reading a file. But one
 * that waits for an archive class, for longer, gets its ETIMEDOUT then: who
 * sent it may be gone.
 */
static ssize_t do_waiting(struct slot *sl, const struct work *w,
			  struct vfs_entry *e, int64_t until_ns)
{
	bool may_end = w->kind != WORK_READ;
	ssize_t rc;

	__atomic_store_n(&sl->cancel, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sl->hangup, false, __ATOMIC_SEQ_CST);
	if (sl->s->stopping)
		cancel(w->req, sl);
	fuse_req_interrupt_func(w->req, may_end ? cancel : hang_up, sl);
	sl->wait.never = false;
	sl->wait.until_ns = until_ns;
	rc = work_do(sl, w, e);
	sl->wait.never = true;
	/* Before the answer: the next request is another. */
	fuse_req_interrupt_func(w->req, NULL, NULL);
	return rc;
}

/* The same, unless the store has been away for too long; a read sees to that
 * itself. */
static ssize_t do_unless_late(struct slot *sl, const struct work *w,
			      struct vfs_entry *e)
{
	struct fuse_server *s = sl->s;
	int64_t until = wait_until(s, w);
	ssize_t rc = -ETIMEDOUT;

	if (!until || clock_boot_ns() < until || w->kind == WORK_READ)
		rc = do_waiting(sl, w, e, until);
	LOCK_SCOPE(&s->slow.lock);
	s->slow.away = rc == -ETIMEDOUT;
	return rc;
}

/* Answers, whatever it takes. */
static void serve(struct slot *sl, const struct work *w)
{
	struct vfs_entry e;
	ssize_t rc = work_do(sl, w, &e);

	if (rc == -EINPROGRESS)
		rc = do_unless_late(sl, w, &e);
	work_answer(sl, w, rc, &e);
}

static void serve_and_queued(struct slot *sl, const struct work *w)
{
	struct work *queued;

	serve(sl, w);
	while ((queued = next(sl->s))) {
		serve(sl, queued);
		free(queued);
	}
}

static bool takes_room(const struct work *w)
{
	return w->kind == WORK_WRITE || w->kind == WORK_FALLOCATE ||
	       w->kind == WORK_COPY;
}

/* One that may wait for room, whatever the other threads write. */
static bool may_wait_for_room(struct fuse_server *s, const struct work *w)
{
	uint64_t others = (uint64_t)s->nslots * MAX_IO;

	return takes_room(w) &&
	       vfs_writes_wait(s->v, others + MIN(w->len, 1ULL << 62));
}

void slow_serve(const struct work *w)
{
	struct slot *sl = slot_mine;
	struct vfs_entry e;
	ssize_t rc = -EINPROGRESS;

	if (!may_wait_for_room(sl->s, w))
		rc = work_do(sl, w, &e);
	if (rc != -EINPROGRESS) {
		work_answer(sl, w, rc, &e);
		return;
	}
	rc = enter(sl->s, w);
	if (rc > 0)
		serve_and_queued(sl, w);
	else if (rc < 0 && takes_room(w)) /* slowed, not failed */
		serve(sl, w);
	else if (rc < 0)
		reply_rc(w->req, (int)rc);
}
