/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include "base/clock.h"
#include "store/call.h"

/* Longest sleep: the boot clock runs on while the machine is suspended, the
 * one that conditions wait by does not. */
#define SLICE_NS (NSEC_PER_SEC / 4)

void store_queue_init(struct store_queue *q)
{
	pthread_condattr_t attr;

	*q = (struct store_queue){ .waiting = 0 };
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void store_queue_done(struct store_queue *q)
{
	pthread_cond_destroy(&q->changed);
}

static void join(struct store_queue *q, struct store_turn *t)
{
	struct store_turn **tail = &q->first[t->urgent];

	while (*tail)
		tail = &(*tail)->next;
	*tail = t;
	q->waiting++;
}

static void leave(struct store_queue *q, struct store_turn *t)
{
	struct store_turn **p = &q->first[t->urgent];

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	q->waiting--;
	if (q->waiting)
		pthread_cond_broadcast(&q->changed);
}

static struct store_turn *next_turn(const struct store_queue *q)
{
	if (!q->first[true] || (q->first[false] && q->in_row >= STORE_TURN_ROW))
		return q->first[false];
	return q->first[true];
}

static void take_turn(struct store_queue *q, struct store_turn *t)
{
	if (!t->urgent)
		q->in_row = 0;
	else if (q->first[false])
		q->in_row++;
	leave(q, t);
}

static void sleep_locked(struct store_queue *q, pthread_mutex_t *lock,
			 int64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + MIN(ns, SLICE_NS));
	pthread_cond_timedwait(&q->changed, lock, &ts);
}

int store_queue_wait_locked(struct store_queue *q, pthread_mutex_t *lock,
			    bool urgent, int64_t (*may)(void *arg), void *arg)
{
	struct store_turn me = { .urgent = urgent };
	int64_t until = store_call.deadline_ns;

	if (!until)
		until = clock_boot_ns() + STORE_TURN_NS;
	join(q, &me);
	for (;;) {
		bool first = next_turn(q) == &me;
		int64_t wait = first ? may(arg) : INT64_MAX, left;

		if (wait <= 0) {
			take_turn(q, &me);
			return 0;
		}
		left = until - clock_boot_ns();
		if (left <= 0 || q->stopped) {
			leave(q, &me);
			return q->stopped ? -EAGAIN : -ETIMEDOUT;
		}
		sleep_locked(q, lock, MIN(wait, left));
	}
}

void store_queue_wake_locked(struct store_queue *q)
{
	if (q->waiting)
		pthread_cond_broadcast(&q->changed);
}

void store_queue_stop_locked(struct store_queue *q)
{
	q->stopped = true;
	pthread_cond_broadcast(&q->changed);
}
