/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for a turn: first in, first out, the urgent before the others.
 * For decorators; nobody else includes this.
 *
 * So that the others move on, too, one of them has a turn after so many
 * urgent ones in a row. Nobody waits beyond their deadline, and who has none
 * not longer than STORE_TURN_NS.
 */
#ifndef MERSEY_STORE_QUEUE_H
#define MERSEY_STORE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define STORE_TURN_NS  INT64_C(120000000000)
#define STORE_TURN_ROW 8

struct store_turn {
	struct store_turn *next;
	bool urgent;
};

/* All of it is guarded by the owner's lock. */
struct store_queue {
	pthread_cond_t changed;	     /* of CLOCK_MONOTONIC */
	struct store_turn *first[2]; /* the others, the urgent */
	unsigned waiting;
	unsigned in_row; /* urgent turns while one of the others waited */
	bool stopped;	 /* nobody waits any more */
};

void store_queue_init(struct store_queue *q);
void store_queue_done(struct store_queue *q);

/*
 * Waits for a turn, that is until nobody is before and may(arg) says yes; it
 * is called with `lock` held, which waiting lets go, and says otherwise in
 * how many nanoseconds it is worth another look (> 0, as a maximum). 0, or
 * -ETIMEDOUT when the call's time is up, -EAGAIN when the queue was stopped.
 */
int store_queue_wait_locked(struct store_queue *q, pthread_mutex_t *lock,
			    bool urgent, int64_t (*may)(void *arg), void *arg);

/* Something changed that may() looks at. */
void store_queue_wake_locked(struct store_queue *q);

/* From now on who would have to wait is refused. */
void store_queue_stop_locked(struct store_queue *q);

#endif
