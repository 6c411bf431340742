/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in flight, by additive increase and multiplicative decrease: what
 * TCP does for the same reason. Several answers that ask for less, to calls
 * that were under way together, are one reason to halve.
 */
#include "base/clock.h"
#include "store/around.h"
#include "store/call.h"
#include "store/flow.h"

#define ONE 1000U

void store_limiter_init(struct store_limiter *l, unsigned max)
{
	*l = (struct store_limiter){ .max = MAX(max, 1U) };
	l->milli = l->max * ONE;
	pthread_mutex_init(&l->lock, NULL);
	store_queue_init(&l->queue);
}

void store_limiter_done(struct store_limiter *l)
{
	store_queue_done(&l->queue);
	pthread_mutex_destroy(&l->lock);
}

void store_limiter_read(struct store_limiter *l, struct store_limiter_info *out)
{
	LOCK_SCOPE(&l->lock);
	*out = (struct store_limiter_info){ .max = l->max,
					    .allowed = l->milli / ONE,
					    .busy = l->busy,
					    .waiting = l->queue.waiting };
}

void store_limiter_stop(struct store_limiter *l)
{
	LOCK_SCOPE(&l->lock);
	store_queue_stop_locked(&l->queue);
}

static int64_t room_locked(void *arg)
{
	const struct store_limiter *l = arg;

	return l->busy < l->milli / ONE ? 0 : INT64_MAX;
}

static int limit_enter(struct store_limiter *l, bool urgent)
{
	int rc;

	LOCK_SCOPE(&l->lock);
	rc = store_queue_wait_locked(&l->queue, &l->lock, urgent, room_locked,
				     l);
	if (rc == 0)
		l->busy++;
	return rc < 0 ? store_explain(rc, "waited for %u requests in flight",
				      l->busy)
		      : 0;
}

static int limit_begin(void *arg, struct store_pass *p)
{
	(void)p;
	return limit_enter(arg, false);
}

static int limit_begin_urgent(void *arg, struct store_pass *p)
{
	(void)p;
	return limit_enter(arg, true);
}

static void limit_end(void *arg, struct store_pass *p, ssize_t rc)
{
	struct store_limiter *l = arg;

	LOCK_SCOPE(&l->lock);
	l->busy--;
	if (store_call.throttled) {
		if (p->began_ns > l->cut_ns) {
			l->milli = MAX(l->milli / 2, ONE);
			l->cut_ns = clock_boot_ns();
		}
	} else if (rc >= 0) {
		l->milli = MIN(l->milli + ONE * ONE / l->milli, l->max * ONE);
	}
	store_queue_wake_locked(&l->queue);
}

struct store *store_limit_new(struct store *inner, struct store_limiter *l,
			      bool urgent)
{
	static const struct store_hooks hooks = { .begin = limit_begin,
						  .end = limit_end };
	static const struct store_hooks urgent_hooks = {
		.begin = limit_begin_urgent, .end = limit_end
	};

	return store_around_new(inner, urgent ? &urgent_hooks : &hooks, l);
}
